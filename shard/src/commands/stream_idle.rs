//! `CLAIM min-idle-time` of XREADGROUP: what has been pending for long comes ahead of what is new.
//!
//! A reader that claims takes over entries of any consumer of its group, itself included, that were
//! delivered at least so many milliseconds ago, the longest ago first; COUNT bounds these and the
//! new ones together. They stay pending whatever NOACK says. Entries that are gone from the stream
//! are passed over and stay pending, too. The cost is that of entries found, O(log n) each, however
//! much is pending; only the first such read of a group sorts what it has pending (see `idle` of
//! [`crate::stream`]).

use super::stream::reply_entry_parts;
use crate::arguments::Arguments;
use crate::error::CommandError;
use crate::number::parse_integer;
use crate::reply::Reply;
use crate::stream::{ConsumerId, Entry, Group, Log, Pending, StreamId};

/// A pending entry that was claimed, as it was before.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdleEntry {
    pub(super) id: StreamId,
    /// How long ago it was last delivered, in milliseconds.
    pub(super) idle_ms: i64,
    /// How often it had been delivered.
    pub(super) deliveries: u64,
}

/// Reads the least idle time, in milliseconds.
pub(super) fn idle_ms_min(arguments: Arguments<'_>, index: usize) -> Result<i64, CommandError> {
    const NO_INTEGER: CommandError = CommandError::Fixed("ERR min-idle-time is not an integer");
    const NEGATIVE: CommandError =
        CommandError::Fixed("ERR min-idle-time must be a positive integer");
    let idle_ms_min = parse_integer(arguments.at(index)).ok_or(NO_INTEGER)?;
    if idle_ms_min < 0 { Err(NEGATIVE) } else { Ok(idle_ms_min) }
}

/// Hands up to `count_max` entries that were idle for so long over to a consumer.
pub(super) fn claim(
    group: &mut Group,
    log: &Log,
    consumer: ConsumerId,
    (idle_ms_min, count_max): (i64, usize),
    now_ms: i64,
) -> Vec<IdleEntry> {
    let idle = group.delivered_until(now_ms.saturating_sub(idle_ms_min), count_max, log);
    for &old in &idle {
        let deliveries = old.deliveries.wrapping_add(1);
        group.assign(Pending { delivered_ms: now_ms, deliveries, consumer, ..old });
    }
    if !idle.is_empty() {
        group.consumer_mut(consumer).active_ms = Some(now_ms);
    }
    let shown = |Pending { id, delivered_ms, deliveries, .. }| {
        let idle_ms = now_ms.saturating_sub(delivered_ms).max(0);
        IdleEntry { id, idle_ms, deliveries }
    };
    idle.into_iter().map(shown).collect()
}

/// Answers with an entry, how long it was idle and how often it had been delivered.
pub(super) fn reply(reply: &mut Reply<'_>, entry: Entry<'_>, idle_ms: i64, deliveries: u64) {
    reply.array_len(4);
    reply_entry_parts(reply, entry);
    reply.integer(idle_ms);
    reply.integer(deliveries as i64);
}
