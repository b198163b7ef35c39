//! XPENDING: what a group has delivered and not seen acknowledged.

use super::operand::integer;
use super::stream::{no_such_group, reply_id};
use super::stream_id::{range_end, range_start};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::reply::Reply;
use crate::stream::{Group, Pending, Stream, StreamId};

/// Which pending entries are shown one by one.
struct Selection<'a> {
    idle_ms_min: i64,
    start: StreamId,
    end: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Selection<'a> {
    /// Reads `[IDLE min-idle-time] start end count [consumer]` from argument 3 on.
    fn parse(arguments: Arguments<'a>) -> Result<Self, CommandError> {
        let (mut first, mut idle_ms_min) = (3, 0);
        if arguments.is(3, "idle") {
            idle_ms_min = integer(arguments, 4)?;
            if arguments.len() < 8 {
                return Err(error::SYNTAX);
            }
            first = 5;
        }
        let count = integer(arguments, first + 2)?.max(0);
        Ok(Self {
            idle_ms_min,
            start: range_start(arguments, first)?,
            end: range_end(arguments, first + 1)?,
            count: usize::try_from(count).unwrap_or(usize::MAX),
            consumer: arguments.get(first + 3),
        })
    }

    fn admits(&self, pending: &Pending, now_ms: i64) -> bool {
        self.idle_ms_min == 0 || now_ms.saturating_sub(pending.delivered_ms) >= self.idle_ms_min
    }

    /// The entries of a group that are asked for.
    fn of<'g>(&self, group: &'g Group, now_ms: i64) -> Vec<&'g Pending> {
        let admitted = |pending: &&Pending| self.admits(pending, now_ms);
        let Some(name) = self.consumer else {
            let records = group.pending_from(self.start);
            let within = records.take_while(|pending| pending.id <= self.end);
            return within.filter(admitted).take(self.count).collect();
        };
        let Some(consumer) = group.find_consumer(name) else { return Vec::new() };
        let ids = group.consumer(consumer).pending_from(self.start);
        let within = ids.take_while(|id| *id <= self.end);
        let records = within.filter_map(|id| group.find_pending(id));
        records.filter(admitted).take(self.count).collect()
    }
}

/// XPENDING.
pub fn xpending(call: &mut Call<'_>) -> Outcome {
    let (arguments, access) = (call.arguments, call.read_access());
    let selection = match arguments.len() {
        3 => None,
        6..=9 => Some(Selection::parse(arguments)?),
        _ => return Err(error::SYNTAX),
    };
    let (key, name, now_ms) = (call.key(1), arguments.at(2), call.store.now_ms());
    let stream = call.store.collection::<Stream>(key, access)?;
    let group = stream
        .and_then(|stream| stream.group(name))
        .ok_or_else(|| no_such_group(key.name, name))?;
    match selection {
        Some(selection) => {
            let selected = selection.of(group, now_ms);
            reply_selected(&mut call.reply, group, &selected, now_ms);
        }
        None => reply_summary(&mut call.reply, group),
    }
    Ok(())
}

fn reply_selected(reply: &mut Reply<'_>, group: &Group, selected: &[&Pending], now_ms: i64) {
    reply.array_len(selected.len());
    for pending in selected {
        reply.array_len(4);
        reply_id(reply, pending.id);
        reply.bulk(group.consumer(pending.consumer).name());
        reply.integer(now_ms.saturating_sub(pending.delivered_ms).max(0));
        reply.integer(pending.deliveries as i64);
    }
}

fn reply_summary(reply: &mut Reply<'_>, group: &Group) {
    reply.array_len(4);
    reply.integer(group.pending_len() as i64);
    let first = group.pending_from(StreamId::MIN).next();
    let (Some(first), Some(last)) = (first, group.last_pending()) else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    reply_id(reply, first.id);
    reply_id(reply, last.id);
    let busy = || group.consumers().filter(|consumer| consumer.pending_len() > 0);
    reply.array_len(busy().count());
    for consumer in busy() {
        reply.array_len(2);
        reply.bulk(consumer.name());
        reply.bulk_integer(consumer.pending_len() as i64);
    }
}
