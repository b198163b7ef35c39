//! From received bytes to commands that ran.
//!
//! Bytes are parsed where they lie: in the reactor's buffers, or in a connection's `pending` when
//! something is left there from before. What cannot run yet (an incomplete command, or one the core
//! refuses because its session is held) is kept in `pending`, in order.

use basalt_net::reactor::{BufferRef, Reactor};
use basalt_net::resp::{Limits, Parsed, ProtocolError};
use basalt_shard::arguments::Arguments;
use basalt_shard::core::{Ending, Flow, SessionId};
use basalt_shard::error::CommandError;

use super::clock;
use super::connection::connection_of;
use super::driver::Driver;
use super::stage::{Found, STAGE_COMMANDS_MAX, Source, Stage, Staged};

/// Unsent reply bytes above which a connection runs no further command until its peer reads.
const UNSENT_BYTES_MAX: usize = 1 << 20;

/// Pending bytes of one client that run in one turn: what a receive buffer holds.
const TURN_BYTES: usize = 16 * 1024;

/// Rest of a command from which on it is received in place instead of through the buffers.
pub(super) const FILL_BYTES_MIN: usize = 128 * 1024;

/// Arguments from this size on get a buffer of their own size, in bytes.
const LARGE_ARGUMENT_BYTES: usize = 32 * 1024;

/// Arguments of one command at most, as in Redis since 7.0.
const ARGUMENTS_MAX: i64 = i32::MAX as i64;

/// Turns in a row a script is put off for because others were answered in them: whoever is answered
/// in the turn in which one runs that takes long gets that answer behind it.
const PUT_OFF_MAX: u8 = 8;

/// Why parsing stopped.
enum Stop {
    /// The stage is full; what follows starts here.
    Full(usize),
    /// Everything up to here was parsed; so many bytes from here on are needed to go on.
    Incomplete(usize, usize),
    /// The rest of the input is useless.
    Broken,
}

impl Driver {
    /// Gathers the commands of a buffer that was received on a connection with nothing pending.
    pub(super) fn stage_buffer(&mut self, session: SessionId, buffer: BufferRef) {
        let mut start = 0;
        loop {
            let at_once = self.commands_at_once(session);
            match self.parse(session, Source::Buffer(buffer), start, at_once) {
                Stop::Full(next) => {
                    self.run_stage();
                    start = next;
                    let is_held = self.core.is_held(session);
                    let Some(connection) = self.connection(connection_of(session)) else { return };
                    if !connection.pending.is_empty() || is_held {
                        // The stage gave commands back: the rest goes behind them.
                        return self.keep_rest(session, buffer, start);
                    }
                    connection.stage_more();
                }
                // What ends with a command leaves nothing to keep.
                Stop::Incomplete(next, _) if next == self.reactor.bytes(buffer).len() => return,
                Stop::Incomplete(next, wanted) => {
                    self.keep_rest(session, buffer, next);
                    return self.expect_rest(session, wanted);
                }
                Stop::Broken => return,
            }
        }
    }

    /// How many commands of a client to gather before they run.
    fn commands_at_once(&mut self, session: SessionId) -> usize {
        if !self.core.session(session).is_some_and(|session| session.is_authenticated()) {
            return 1;
        }
        self.connection(connection_of(session)).map_or(1, |it| it.stage_commands.into())
    }

    /// Keeps the end of a buffer for later.
    fn keep_rest(&mut self, session: SessionId, buffer: BufferRef, start: usize) {
        let rest = &self.reactor.bytes(buffer)[start..];
        if rest.is_empty() {
            return;
        }
        let index = session.index as usize;
        let Some(connection) = self.connections[index].as_deref_mut() else { return };
        connection.pending.append(rest);
        self.refresh_figures(connection_of(session));
        if !self.core.is_held(session) {
            // More than an incomplete command may be left; the ready list finds out.
            self.make_ready(session);
        }
    }

    /// An incomplete command needs `wanted` bytes in all: its rest may be received in place.
    fn expect_rest(&mut self, session: SessionId, wanted: usize) {
        let id = connection_of(session);
        if wanted as u64 > self.settings.client_query_buffer_limit_bytes {
            return self.cut_for_query_buffer(id);
        }
        let Some(connection) = self.connection(id) else { return };
        connection.wanted_bytes = wanted;
        if let Some(start) = connection.parser.begun_argument(LARGE_ARGUMENT_BYTES) {
            connection.argument_start = start;
            // One buffer of the right size is filled sooner than one that doubles, and holds less.
            connection.pending.reserve_exact(connection.missing_bytes());
        }
        if connection.missing_bytes() >= FILL_BYTES_MIN {
            self.fills.push(session);
        }
        self.refresh_figures(id);
    }

    /// Runs what connections have pending: those that were resumed, got more of a command they had
    /// begun, or could not finish in the last turn.
    pub(super) fn run_ready(&mut self) {
        for session in self.core.take_resumed() {
            self.make_ready(session);
        }
        for session in std::mem::take(&mut self.ready) {
            let Some(connection) = self.connection(connection_of(session)) else { continue };
            connection.is_ready = false;
            self.run_pending(session);
            self.end_if_done(session);
        }
    }

    /// Runs pending commands of one connection, as many as fit a receive buffer: whoever has more
    /// waits for the next turn, as those do whose commands are still in the kernel.
    fn run_pending(&mut self, session: SessionId) {
        let mut ran_bytes = 0;
        while let Some(bytes) = self.run_pending_stage(session) {
            ran_bytes += bytes;
            if ran_bytes >= TURN_BYTES {
                self.make_ready(session);
                break;
            }
        }
        self.throttle(session);
    }

    /// Runs a stage of the pending commands of one connection. The bytes it took if there may be
    /// more to run at once.
    fn run_pending_stage(&mut self, session: SessionId) -> Option<usize> {
        let connection = self.connection(connection_of(session))?;
        if connection.pending.is_empty() || self.core.is_held(session) {
            return None;
        }
        let at_once = self.commands_at_once(session);
        let stop = self.parse(session, Source::Pending, 0, at_once);
        let ran = self.run_stage();
        let is_held = self.core.is_held(session);
        let connection = self.connection(connection_of(session))?;
        match (stop, ran) {
            (_, Ran::UpTo { end, commands }) => {
                connection.stage_commands = commands.clamp(1, STAGE_COMMANDS_MAX) as u8;
                connection.rewind();
                connection.pending.consume(end);
                self.come_back(session);
            }
            (Stop::Full(next), Ran::All) => {
                if !is_held {
                    connection.stage_more();
                }
                connection.pending.consume(next);
                return Some(next);
            }
            (Stop::Incomplete(next, wanted), Ran::All) => {
                connection.pending.consume(next);
                self.expect_rest(session, wanted);
            }
            (Stop::Broken, Ran::All) => connection.pending.clear(),
        }
        None
    }

    /// A client that has sent its last byte leaves once everything it sent has run and it is owed
    /// nothing.
    fn end_if_done(&mut self, session: SessionId) {
        let id = connection_of(session);
        let Some(connection) = self.connection(id) else { return };
        if !connection.is_ended || connection.is_ready {
            return;
        }
        let (has_more, is_suspended) = (!connection.pending.is_empty(), connection.is_suspended);
        let Some(state) = self.core.session(session) else { return };
        // In both cases it comes back here: once it may go on, or once the last reply has arrived.
        let goes_on = has_more && (is_suspended || state.has_to_wait_for_cores());
        if !state.is_blocked() && state.is_owed() {
            self.core.hold_until_answered(session);
        } else if state.is_blocked() || !goes_on {
            self.close_after_output(id);
        }
    }

    /// Parses up to `at_once` commands into the stage, or fewer if it gets full.
    fn parse(&mut self, session: SessionId, source: Source, from: usize, at_once: usize) -> Stop {
        let Some(state) = self.core.session(session) else { return Stop::Broken };
        let (db, authenticated) = (state.db, state.is_authenticated());
        let proto_max_bulk_len = self.settings.proto_max_bulk_len_bytes as i64;
        let limits = Limits { proto_max_bulk_len, authenticated, max_args: ARGUMENTS_MAX };
        let Self { core, reactor, connections, stage, .. } = self;
        let index = session.index as usize;
        let Some(connection) = connections[index].as_deref_mut() else { return Stop::Broken };
        (connection.wanted_bytes, connection.argument_start) = (0, 0);
        let (pending, parser) = (&connection.pending, &mut connection.parser);
        let input = match source {
            Source::Buffer(buffer) => reactor.bytes(buffer),
            Source::Pending => pending,
        };
        let mut start = from;
        for _ in 0..at_once {
            if start == input.len() {
                return Stop::Incomplete(start, 0);
            }
            let first = stage.ranges.len();
            let (consumed, unquoted) =
                match parser.parse(&input[start..], &limits, &mut stage.ranges) {
                    Ok(Parsed::Incomplete { wanted }) => return Stop::Incomplete(start, wanted),
                    Ok(Parsed::Complete { consumed }) => (consumed, None),
                    Ok(Parsed::Unquoted { consumed }) => {
                        stage.unquoted.push(parser.unquoted().to_vec());
                        (consumed, Some(stage.unquoted.len() - 1))
                    }
                    Err(error) => {
                        stage.commands.push(Staged {
                            session,
                            db,
                            source,
                            span: (start, input.len()),
                            unquoted: None,
                            arguments: (first, 0),
                            found: Found::Error(error),
                        });
                        return Stop::Broken;
                    }
                };
            let span = (start, start + consumed);
            start += consumed;
            let count = stage.ranges.len() - first;
            if count == 0 {
                continue;
            }
            let bytes = match unquoted {
                Some(index) => &stage.unquoted[index][..],
                None => &input[span.0..],
            };
            let found = Found::Command(core.prepare(Arguments::new(bytes, &stage.ranges[first..])));
            let arguments = (first, count);
            stage.commands.push(Staged { session, db, source, span, unquoted, arguments, found });
            if stage.is_full() {
                break;
            }
        }
        Stop::Full(start)
    }

    /// Runs everything in the stage. What is refused goes back to the front of the pending bytes of
    /// its connection, if it came from a buffer; if it came from there, it just stays.
    ///
    /// A session that turns from one core to another makes its core send what it has for the first,
    /// however little that is. So it is put aside until the others have had their turn, and one
    /// message takes along what all of them had: with pipelines over keys of several cores that
    /// makes the messages a few times as long. Commands of one session stay in order.
    pub(super) fn run_stage(&mut self) -> Ran {
        if self.stage.commands.is_empty() {
            return Ran::All;
        }
        let stage = std::mem::take(&mut self.stage);
        if stage.commands.len() > 1 {
            self.core.prefetch(stage.prepared());
        }
        self.core.stats.mark(clock::elapsed_ns());
        let mut pass = Pass::default();
        for command in &stage.commands {
            self.run_in_pass(&stage, command, &mut pass);
        }
        while !pass.put_aside.is_empty() {
            self.core.flush_all_open();
            pass.aside_sessions.clear();
            for command in std::mem::take(&mut pass.put_aside) {
                self.run_in_pass(&stage, command, &mut pass);
            }
        }
        for (session, bytes) in pass.refused {
            if let Some(connection) = self.connection(connection_of(session)) {
                connection.rewind();
                connection.pending.put_back(bytes);
                self.refresh_figures(connection_of(session));
            }
            self.come_back(session);
        }
        let ran = pass.ran;
        self.stage = stage;
        self.stage.clear();
        ran
    }

    /// Runs a command unless one before it of its session could not run.
    fn run_in_pass<'a>(&mut self, stage: &Stage, command: &'a Staged, pass: &mut Pass<'a>) {
        if pass.ran != Ran::All {
            return;
        }
        if pass.aside_sessions.contains(&command.session) {
            return pass.put_aside.push(command);
        }
        let is_behind_refused = pass.refused.iter().any(|(id, _)| *id == command.session);
        if !is_behind_refused {
            match self.run_staged(stage, command) {
                Step::Done => return,
                Step::TurnsElsewhere => {
                    pass.aside_sessions.push(command.session);
                    return pass.put_aside.push(command);
                }
                Step::Refused => {}
            }
        }
        match command.source {
            Source::Pending => {
                let is_before = |other: &&Staged| other.span.0 < command.span.0;
                let commands = stage.commands.iter().take_while(is_before).count();
                pass.ran = Ran::UpTo { end: command.span.0, commands };
            }
            Source::Buffer(_) => give_back(&self.reactor, &mut pass.refused, command),
        }
    }

    /// Something of a session was refused. Who is held is resumed, and who does not read is drained
    /// some day; anybody else has to be looked at again in the next turn.
    fn come_back(&mut self, session: SessionId) {
        let Some(connection) = self.connection(connection_of(session)) else { return };
        if !connection.is_suspended && !self.core.is_held(session) {
            self.make_ready(session);
        }
    }

    #[inline]
    fn run_staged(&mut self, stage: &Stage, command: &Staged) -> Step {
        let id = connection_of(command.session);
        let Self { core, reactor, connections, times_put_off, .. } = self;
        let Some(session) = core.session(command.session) else { return Step::Done };
        let connection = connections[id.index as usize].as_deref();
        let is_suspended = connection.is_some_and(|connection| connection.is_suspended);
        if is_suspended || session.output.len_hint() > UNSENT_BYTES_MAX {
            return Step::Refused;
        }
        let prepared = match &command.found {
            Found::Command(prepared) => prepared,
            Found::Error(error) => return self.refuse_input(command.session, error),
        };
        if session.open_target.is_some() && core.turns_elsewhere(command.session, prepared) {
            return Step::TurnsElsewhere;
        }
        if prepared.is_script() && core.runs_scripts_last() {
            // What was answered before it in this turn leaves first, so it waits for the next one;
            // not for long, lest others keep it from ever running.
            let is_early = matches!(command.source, Source::Buffer(_));
            if is_early || (core.has_changed() && *times_put_off < PUT_OFF_MAX) {
                *times_put_off += u8::from(!is_early);
                return Step::Refused;
            }
            *times_put_off = 0;
        }
        let bytes = match (command.unquoted, command.source) {
            (Some(index), _) => &stage.unquoted[index][..],
            (None, Source::Buffer(buffer)) => &reactor.bytes(buffer)[command.span.0..],
            (None, Source::Pending) => {
                &connection.expect("its session is open").pending[command.span.0..]
            }
        };
        let (first, count) = command.arguments;
        let arguments = Arguments::new(bytes, &stage.ranges[first..first + count]);
        match core.execute(command.session, prepared, arguments) {
            Flow::Done => {
                let request_bytes = command.span.1 - command.span.0;
                if request_bytes >= core.stats.large_request_bytes {
                    core.note_large_request(command.session, prepared, arguments, request_bytes);
                }
                Step::Done
            }
            Flow::Refused => Step::Refused,
        }
    }

    /// Input broke the protocol: says so and closes.
    fn refuse_input(&mut self, session: SessionId, error: &ProtocolError) -> Step {
        if self.core.is_held(session) {
            return Step::Refused;
        }
        let error = CommandError::worded(format!("ERR {error}"));
        self.core.reply_error(session, &error);
        self.core.close_connection(session, Ending::AfterOutput);
        Step::Done
    }
}

/// What became of a staged command.
enum Step {
    Done,
    /// To be offered again when its session is resumed.
    Refused,
    /// Its session has a command in a message that is still open, for another core.
    TurnsElsewhere,
}

/// A stage on its way through the core.
#[derive(Default)]
struct Pass<'a> {
    ran: Ran,
    /// What has to wait until open messages are sent, in order.
    put_aside: Vec<&'a Staged>,
    /// Whose that is.
    aside_sessions: Vec<SessionId>,
    /// Bytes of refused commands, by session.
    refused: Vec<(SessionId, Vec<u8>)>,
}

/// How far a stage ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ran {
    /// All of it (what came from buffers and was refused is pending now).
    #[default]
    All,
    /// Of the pending bytes, up to this one, with so many commands.
    UpTo { end: usize, commands: usize },
}

/// Adds the bytes of a refused command to those to be given back.
fn give_back(reactor: &Reactor, refused: &mut Vec<(SessionId, Vec<u8>)>, command: &Staged) {
    let Source::Buffer(buffer) = command.source else { return };
    let bytes = &reactor.bytes(buffer)[command.span.0..command.span.1];
    match refused.iter_mut().find(|(session, _)| *session == command.session) {
        Some((_, given)) => given.extend_from_slice(bytes),
        None => refused.push((command.session, bytes.to_vec())),
    }
}
