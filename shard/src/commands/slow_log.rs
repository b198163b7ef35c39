//! SLOWLOG, and the part of COMMANDLOG that is the same.

use crate::call::SessionCall;
use crate::core::tour::{TourKind, TourTask};
use crate::core::{Core, SessionId};
use crate::error::{CommandError, Outcome};
use crate::number::parse_integer;
use crate::reply::Reply;
use crate::slow_log::Entry;

/// Entries shown where it is not said how many.
const COUNT_DEFAULT: usize = 10;

const BAD_COUNT: CommandError =
    CommandError::Fixed("ERR count should be greater than or equal to -1");
const BAD_TYPE: CommandError = CommandError::Fixed(
    "ERR type should be one of the following: slow, large-request, large-reply",
);
const NOT_BUILT: CommandError =
    CommandError::Fixed("ERR logs of large requests and replies are not built into Basalt yet");

/// SLOWLOG GET.
pub fn get(call: &mut SessionCall<'_>) -> Outcome {
    let count = match call.arguments.get(2) {
        None => COUNT_DEFAULT,
        Some(text) => parse_count(text)?,
    };
    call.tour(TourKind::Gathering, Show { count, entries: Vec::new() });
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
    call.tour(TourKind::Gathering, Count(0));
    Ok(())
}

/// SLOWLOG RESET.
pub fn reset(call: &mut SessionCall<'_>) -> Outcome {
    call.tour(TourKind::Gathering, Reset);
    Ok(())
}

/// COMMANDLOG GET.
pub fn command_get(call: &mut SessionCall<'_>) -> Outcome {
    let count = parse_count(call.arguments.at(2))?;
    check_type(call, 3)?;
    call.tour(TourKind::Gathering, Show { count, entries: Vec::new() });
    Ok(())
}

/// COMMANDLOG LEN.
pub fn command_len(call: &mut SessionCall<'_>) -> Outcome {
    check_type(call, 2)?;
    len(call)
}

/// COMMANDLOG RESET.
pub fn command_reset(call: &mut SessionCall<'_>) -> Outcome {
    check_type(call, 2)?;
    reset(call)
}

fn check_type(call: &SessionCall<'_>, index: usize) -> Outcome {
    match () {
        () if call.arguments.is(index, "slow") => Ok(()),
        () if call.arguments.is(index, "large-request") => Err(NOT_BUILT),
        () if call.arguments.is(index, "large-reply") => Err(NOT_BUILT),
        () => Err(BAD_TYPE),
    }
}

struct Show {
    count: usize,
    entries: Vec<Entry>,
}

impl TourTask for Show {
    fn visit(&mut self, core: &mut Core) {
        self.entries.extend(core.slow_log().entries().take(self.count).cloned());
    }

    fn finish(mut self: Box<Self>, core: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        self.entries.sort_by_key(|entry| std::cmp::Reverse(entry.id));
        self.entries.truncate(self.count.min(core.store.settings().slowlog_max_len));
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
    reply.integer(entry.us as i64);
    reply.array_len(entry.summary.len());
    for argument in &entry.summary {
        reply.bulk(argument);
    }
    reply.bulk(entry.peer.as_bytes());
    reply.bulk(&entry.client_name);
}

struct Count(usize);

impl TourTask for Count {
    fn visit(&mut self, core: &mut Core) {
        self.0 += core.slow_log().entries().len();
    }

    fn finish(self: Box<Self>, core: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        reply.integer(self.0.min(core.store.settings().slowlog_max_len) as i64);
    }
}

struct Reset;

impl TourTask for Reset {
    fn visit(&mut self, core: &mut Core) {
        core.slow_log().reset();
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        reply.ok();
    }
}
