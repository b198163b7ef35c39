//! CLIENT: a connection asks about itself and about the others.
//!
//! What concerns other connections visits all cores by a gathering tour; a client's line is made
//! on the core it is connected to.

use std::sync::Arc;

use crate::call::SessionCall;
use crate::commands::client_filter::{ClientFilter, Purpose};
use crate::core::blocking::Unblock;
use crate::core::session::{ReplyMode, Session};
use crate::core::tour::{TourKind, TourTask};
use crate::core::tracking::TrackingMode;
use crate::core::{Core, Ending, SessionId};
use crate::error::{self, CommandError, Outcome};
use crate::interests::Kind;
use crate::number::parse_integer;
use crate::reply::Reply;

/// CLIENT ID.
pub fn id(call: &mut SessionCall<'_>) -> Outcome {
    let id = call.session().client_id as i64;
    call.reply.integer(id);
    Ok(())
}

/// CLIENT GETNAME.
pub fn getname(call: &mut SessionCall<'_>) -> Outcome {
    match call.session().name.clone() {
        Some(name) => call.reply.bulk(&name),
        None => call.reply.null(),
    }
    Ok(())
}

/// CLIENT SETNAME.
pub fn setname(call: &mut SessionCall<'_>) -> Outcome {
    let name = call.arguments.at(2);
    set_name(call.session(), name)?;
    call.reply.ok();
    Ok(())
}

/// Names a connection; an empty name takes the name away.
pub(super) fn set_name(session: &mut Session, name: &[u8]) -> Outcome {
    if !is_plain(name) {
        return Err(CommandError::Fixed(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        ));
    }
    session.name = (!name.is_empty()).then(|| Arc::from(name));
    Ok(())
}

fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

/// CLIENT SETINFO.
pub fn setinfo(call: &mut SessionCall<'_>) -> Outcome {
    let (field, value) = (call.arguments.at(2), call.arguments.at(3));
    let is_name = field.eq_ignore_ascii_case(b"lib-name");
    let field = error::printable(field, 128);
    if !is_name && !field.eq_ignore_ascii_case("lib-ver") {
        return Err(CommandError::worded(format!("ERR Unrecognized option '{field}'")));
    }
    if !is_plain(value) {
        return Err(CommandError::worded(format!(
            "ERR {field} cannot contain spaces, newlines or special characters."
        )));
    }
    let value = (!value.is_empty()).then(|| Arc::from(value));
    match is_name {
        true => call.session().library_name = value,
        false => call.session().library_version = value,
    }
    call.reply.ok();
    Ok(())
}

/// CLIENT REPLY.
pub fn reply(call: &mut SessionCall<'_>) -> Outcome {
    let arguments = call.arguments;
    let session = call.session();
    session.reply_mode = match () {
        () if arguments.is(2, "on") => ReplyMode::On,
        () if arguments.is(2, "off") => ReplyMode::Off,
        () if arguments.is(2, "skip") && session.reply_mode == ReplyMode::Off => ReplyMode::Off,
        () if arguments.is(2, "skip") => ReplyMode::SkipNext,
        () => return Err(error::SYNTAX),
    };
    if session.reply_mode == ReplyMode::On {
        call.reply.ok();
    }
    Ok(())
}

/// CLIENT NO-EVICT.
pub fn no_evict(call: &mut SessionCall<'_>) -> Outcome {
    call.session().no_evict = on_or_off(call)?;
    call.reply.ok();
    Ok(())
}

/// CLIENT NO-TOUCH.
pub fn no_touch(call: &mut SessionCall<'_>) -> Outcome {
    call.session().no_touch = on_or_off(call)?;
    call.reply.ok();
    Ok(())
}

fn on_or_off(call: &SessionCall<'_>) -> Result<bool, CommandError> {
    match () {
        () if call.arguments.is(2, "on") => Ok(true),
        () if call.arguments.is(2, "off") => Ok(false),
        () => Err(error::SYNTAX),
    }
}

/// CLIENT INFO.
pub fn info(call: &mut SessionCall<'_>) -> Outcome {
    let mut line = String::new();
    let session = call.core.session(call.session).expect("a session is open while it asks");
    describe(call.core, session, &mut line);
    call.reply.verbatim("txt", line.as_bytes());
    Ok(())
}

/// Writes the line of one client as CLIENT LIST shows it.
pub fn describe(core: &Core, session: &Session, line: &mut String) {
    use std::fmt::Write;
    let transaction = session.transaction.as_deref();
    let figures = &session.figures;
    let now_ms = core.store.now().monotonic_ms();
    let seconds_since = |ms: u64| now_ms.saturating_sub(ms) / 1000;
    let text = |bytes: &Option<Arc<[u8]>>| {
        bytes.as_deref().map(|bytes| error::printable(bytes, bytes.len())).unwrap_or_default()
    };
    let command = match figures.last_command {
        Some(row) => row.full_name().to_string(),
        None => "NULL".to_owned(),
    };
    let events = if figures.unsent_bytes > 0 { "rw" } else { "r" };
    writeln!(
        line,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} \
         multi={} watch={} qbuf={} qbuf-free={} argv-mem=0 multi-mem={} rbs={} rbp={} obl={} \
         oll={} omem={} tot-mem={} events={} cmd={} user={} redir={} resp={} lib-name={} \
         lib-ver={} tot-net-in={} tot-net-out={} tot-cmds={} core={}",
        session.client_id,
        session.origin.peer,
        session.origin.local,
        session.origin.descriptor,
        text(&session.name),
        seconds_since(figures.connected_ms),
        seconds_since(figures.active_ms),
        flags(session),
        session.db,
        session.interest_count(Kind::Channel),
        session.interest_count(Kind::Pattern),
        session.interest_count(Kind::ShardChannel),
        transaction.map_or(-1, |transaction| transaction.len() as i64),
        session.watched_keys(),
        figures.query_bytes.saturating_sub(figures.query_header_bytes),
        figures.query_buffer_bytes.saturating_sub(figures.query_bytes),
        transaction.map_or(0, |transaction| transaction.memory_bytes()),
        session.output.bytes.capacity(),
        session.output.bytes.len(),
        session.output.bytes.len(),
        session.output.shared.len(),
        figures.unsent_bytes,
        session.memory_bytes(),
        events,
        command,
        error::printable(&session.user().name, session.user().name.len()),
        redirection(session),
        session.protocol.version(),
        text(&session.library_name),
        text(&session.library_version),
        figures.input_bytes,
        figures.output_bytes,
        figures.commands,
        core.id().0,
    )
    .expect("writing to a string succeeds");
}

/// The client that receives what a client is told of its keys: -1 where it tracks none, 0 where it
/// is told itself.
pub(super) fn redirection(session: &Session) -> i64 {
    session
        .tracking
        .as_deref()
        .map_or(-1, |tracking| tracking.redirect.map_or(0, |redirect| redirect.client_id as i64))
}

/// The letters of a client's state; `N` when there is nothing to tell.
pub(super) fn flags(session: &Session) -> String {
    let tracking = session.tracking.as_deref();
    let letters = [
        (session.is_subscriber(), 'P'),
        (session.transaction.is_some(), 'x'),
        (session.is_blocked(), 'b'),
        (tracking.is_some(), 't'),
        (tracking.is_some_and(|tracking| tracking.is_broken), 'R'),
        (tracking.is_some_and(|tracking| tracking.mode == TrackingMode::Broadcast), 'B'),
        (session.is_watch_broken(), 'd'),
        (session.is_monitor, 'O'),
        (session.closing, 'c'),
        (session.origin.is_unix, 'U'),
        (session.no_evict, 'e'),
        (session.no_touch, 'T'),
    ];
    let flags: String = letters.iter().filter(|(is_set, _)| *is_set).map(|(_, l)| l).collect();
    if flags.is_empty() { "N".to_owned() } else { flags }
}

/// CLIENT LIST.
pub fn list(call: &mut SessionCall<'_>) -> Outcome {
    let filter = ClientFilter::parse(call.arguments, 2, Purpose::List)?;
    filter.check_users(call.core.acl())?;
    call.tour(TourKind::Gathering, List { filter, lines: Vec::new() });
    Ok(())
}

struct List {
    filter: ClientFilter,
    lines: Vec<(u64, String)>,
}

impl TourTask for List {
    fn visit(&mut self, core: &mut Core) {
        core.end_excess_clients();
        for (_, session) in core.sessions().filter(|(_, session)| !session.is_gone) {
            if self.filter.matches(core, session) {
                let mut line = String::new();
                describe(core, session, &mut line);
                self.lines.push((session.client_id, line));
            }
        }
    }

    fn finish(mut self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        self.lines.sort_unstable();
        let text: String = self.lines.into_iter().map(|(_, line)| line).collect();
        reply.verbatim("txt", text.as_bytes());
    }
}

/// CLIENT KILL, with an address (the old form) or with filters.
pub fn kill(call: &mut SessionCall<'_>) -> Outcome {
    let arguments = call.arguments;
    let asker = call.session().client_id;
    let (filter, skip_self, by_address) = if arguments.len() == 3 {
        (ClientFilter::of_address(arguments.at(2)), false, true)
    } else {
        let filter = ClientFilter::parse(arguments, 2, Purpose::Kill)?;
        filter.check_users(call.core.acl())?;
        let skip_self = filter.skip_me.unwrap_or(true);
        (filter, skip_self, false)
    };
    let task = Kill { filter, asker, skip_self, by_address, killed: 0 };
    call.tour(TourKind::Gathering, task);
    Ok(())
}

struct Kill {
    filter: ClientFilter,
    asker: u64,
    skip_self: bool,
    by_address: bool,
    killed: i64,
}

impl TourTask for Kill {
    fn visit(&mut self, core: &mut Core) {
        let condemned: Vec<(SessionId, u64)> = core
            .sessions()
            .filter(|(_, session)| !session.is_gone && self.filter.matches(core, session))
            .filter(|(_, session)| !(self.skip_self && session.client_id == self.asker))
            .map(|(id, session)| (id, session.client_id))
            .collect();
        for (id, client_id) in condemned {
            self.killed += 1;
            core.close_connection(id, Ending::asked_for_by(self.asker, client_id));
        }
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        match (self.by_address, self.killed) {
            (true, 0) => reply.error(&CommandError::Fixed("ERR No such client")),
            (true, _) => reply.ok(),
            (false, killed) => reply.integer(killed),
        }
    }
}

/// CLIENT PAUSE.
pub fn pause(call: &mut SessionCall<'_>) -> Outcome {
    let arguments = call.arguments;
    let all = match arguments.len() {
        3 => true,
        _ if arguments.is(3, "all") => true,
        _ if arguments.is(3, "write") => false,
        _ => return Err(CommandError::Fixed("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let duration_ms = match parse_integer(arguments.at(2)) {
        Some(duration_ms) if duration_ms >= 0 => duration_ms,
        Some(_) => return Err(CommandError::Fixed("ERR timeout is negative")),
        None => {
            return Err(CommandError::Fixed("ERR timeout is not an integer or out of range"));
        }
    };
    let until_ms = call
        .core
        .store
        .now_ms()
        .checked_add(duration_ms)
        .ok_or(CommandError::Fixed("ERR timeout is out of range"))?;
    call.tour(TourKind::Gathering, SetPause { until_ms: Some(until_ms), all });
    Ok(())
}

/// CLIENT UNPAUSE.
pub fn unpause(call: &mut SessionCall<'_>) -> Outcome {
    call.tour(TourKind::Gathering, SetPause { until_ms: None, all: false });
    Ok(())
}

struct SetPause {
    until_ms: Option<i64>,
    all: bool,
}

impl TourTask for SetPause {
    fn visit(&mut self, core: &mut Core) {
        match self.until_ms {
            Some(until_ms) => core.pause(until_ms, self.all),
            None => core.unpause(),
        }
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        reply.ok();
    }
}

/// CLIENT UNBLOCK.
pub fn unblock(call: &mut SessionCall<'_>) -> Outcome {
    let arguments = call.arguments;
    let how = match arguments.len() {
        3 => Unblock::Timeout,
        4 if arguments.is(3, "timeout") => Unblock::Timeout,
        4 if arguments.is(3, "error") => Unblock::Error,
        4 => {
            return Err(CommandError::Fixed(
                "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
            ));
        }
        _ => return Err(error::SYNTAX),
    };
    let client_id = parse_integer(arguments.at(2)).ok_or(error::NOT_AN_INTEGER)?;
    let client_id = u64::try_from(client_id).unwrap_or(0);
    call.tour(TourKind::Gathering, EndBlocking { client_id, how, found: false });
    Ok(())
}

struct EndBlocking {
    client_id: u64,
    how: Unblock,
    found: bool,
}

impl TourTask for EndBlocking {
    fn visit(&mut self, core: &mut Core) {
        self.found |= core.unblock(self.client_id, self.how);
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        reply.integer(i64::from(self.found));
    }
}
