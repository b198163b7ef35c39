//! SLOWLOG and COMMANDLOG, whose log of slow commands is the same.

use crate::call::SessionCall;
use crate::core::tour::{TourKind, TourTask};
use crate::core::{Core, SessionId};
use crate::error::{CommandError, Outcome};
use crate::number::parse_integer;
use crate::reply::Reply;
use crate::slow_log::{Entry, LogKind};

/// Entries shown where it is not said how many.
const COUNT_DEFAULT: usize = 10;

const BAD_COUNT: CommandError =
    CommandError::Fixed("ERR count should be greater than or equal to -1");
const BAD_TYPE: CommandError = CommandError::Fixed(
    "ERR type should be one of the following: slow, large-request, large-reply",
);

/// SLOWLOG GET.
pub fn get(call: &mut SessionCall<'_>) -> Outcome {
    let count = match call.arguments.get(2) {
        None => COUNT_DEFAULT,
        Some(text) => parse_count(text)?,
    };
    show(call, LogKind::Slow, count)
}

fn show(call: &mut SessionCall<'_>, kind: LogKind, count: usize) -> Outcome {
    call.tour(TourKind::Gathering, Show { kind, count, entries: Vec::new() });
    Ok(())
}

fn parse_count(text: &[u8]) -> Result<usize, CommandError> {
    match parse_integer(text) {
        Some(-1) => Ok(usize::MAX),
        Some(count) => usize::try_from(count).map_err(|_| BAD_COUNT),
        None => Err(BAD_COUNT),
    }
}

/// SLOWLOG LEN.
pub fn len(call: &mut SessionCall<'_>) -> Outcome {
    call.tour(TourKind::Gathering, Count { kind: LogKind::Slow, entries: 0 });
    Ok(())
}

/// SLOWLOG RESET.
pub fn reset(call: &mut SessionCall<'_>) -> Outcome {
    call.tour(TourKind::Gathering, Reset(LogKind::Slow));
    Ok(())
}

/// COMMANDLOG GET.
pub fn command_get(call: &mut SessionCall<'_>) -> Outcome {
    let count = parse_count(call.arguments.at(2))?;
    let kind = parse_kind(call, 3)?;
    show(call, kind, count)
}

/// COMMANDLOG LEN.
pub fn command_len(call: &mut SessionCall<'_>) -> Outcome {
    let kind = parse_kind(call, 2)?;
    call.tour(TourKind::Gathering, Count { kind, entries: 0 });
    Ok(())
}

/// COMMANDLOG RESET.
pub fn command_reset(call: &mut SessionCall<'_>) -> Outcome {
    let kind = parse_kind(call, 2)?;
    call.tour(TourKind::Gathering, Reset(kind));
    Ok(())
}

fn parse_kind(call: &SessionCall<'_>, index: usize) -> Result<LogKind, CommandError> {
    match () {
        () if call.arguments.is(index, "slow") => Ok(LogKind::Slow),
        () if call.arguments.is(index, "large-request") => Ok(LogKind::LargeRequest),
        () if call.arguments.is(index, "large-reply") => Ok(LogKind::LargeReply),
        () => Err(BAD_TYPE),
    }
}

struct Show {
    kind: LogKind,
    count: usize,
    entries: Vec<Entry>,
}

impl TourTask for Show {
    fn visit(&mut self, core: &mut Core) {
        self.entries.extend(core.command_log(self.kind).entries().take(self.count).cloned());
    }

    fn finish(mut self: Box<Self>, core: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        self.entries.sort_by_key(|entry| std::cmp::Reverse(entry.id));
        self.entries.truncate(self.count.min(core.store.settings().log_max_len(self.kind)));
        reply.array_len(self.entries.len());
        for entry in &self.entries {
            write_entry(entry, reply);
        }
    }
}

fn write_entry(entry: &Entry, reply: &mut Reply<'_>) {
    reply.array_len(6);
    reply.integer(entry.id as i64);
    reply.integer(entry.unix_seconds);
    reply.integer(entry.amount as i64);
    reply.array_len(entry.summary.len());
    for argument in &entry.summary {
        reply.bulk(argument);
    }
    reply.bulk(entry.peer.as_bytes());
    reply.bulk(&entry.client_name);
}

struct Count {
    kind: LogKind,
    entries: usize,
}

impl TourTask for Count {
    fn visit(&mut self, core: &mut Core) {
        self.entries += core.command_log(self.kind).entries().len();
    }

    fn finish(self: Box<Self>, core: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        let entries_max = core.store.settings().log_max_len(self.kind);
        reply.integer(self.entries.min(entries_max) as i64);
    }
}

struct Reset(LogKind);

impl TourTask for Reset {
    fn visit(&mut self, core: &mut Core) {
        core.command_log(self.0).reset();
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        reply.ok();
    }
}
