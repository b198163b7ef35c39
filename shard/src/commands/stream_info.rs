//! XINFO: streams, groups and consumers described.

use super::operand::integer;
use super::stream::{bad_subcommand, no_group_of_key, reply_entries, reply_entry, reply_id};
use crate::arguments::Arguments;
use crate::call::{Call, SessionCall};
use crate::error::{self, CommandError, Outcome};
use crate::reply::Reply;
use crate::stream::{Consumer, Entry, Group, Log, Stream, StreamId};

/// How many entries XINFO STREAM FULL shows unless told otherwise.
const SHOWN_DEFAULT: usize = 10;

/// XINFO STREAM.
pub fn xinfo_stream(call: &mut Call<'_>) -> Outcome {
    let (arguments, access) = (call.arguments, call.read_access());
    let stream = call.store.collection::<Stream>(call.key(2), access)?;
    let stream = stream.ok_or(error::NO_SUCH_KEY)?;
    let shown = shown_in_full(arguments)?;
    let reply = &mut call.reply;
    match shown {
        None => {
            reply.map_len(10);
            reply_counters(reply, stream.log());
            reply.bulk(b"groups");
            reply.integer(stream.group_len() as i64);
            reply.bulk(b"first-entry");
            reply_entry_or_null(reply, stream.log().iter().next());
            reply.bulk(b"last-entry");
            let last = stream.log().range_reversed(StreamId::MIN, StreamId::MAX).next();
            reply_entry_or_null(reply, last);
        }
        Some(count) => {
            reply.map_len(9);
            reply_counters(reply, stream.log());
            reply.bulk(b"entries");
            reply_entries(reply, stream.log().iter(), count);
            reply.bulk(b"groups");
            reply.array_len(stream.group_len());
            stream.groups().for_each(|group| reply_group(reply, group, stream.log(), count));
        }
    }
    Ok(())
}

/// `FULL [COUNT count]`: how many entries are shown; `None` without `FULL`.
fn shown_in_full(arguments: Arguments<'_>) -> Result<Option<usize>, CommandError> {
    match arguments.len() {
        3 => Ok(None),
        4 if arguments.is(3, "full") => Ok(Some(SHOWN_DEFAULT)),
        6 if arguments.is(3, "full") && arguments.is(4, "count") => {
            Ok(Some(match integer(arguments, 5)? {
                0 => usize::MAX,
                count => usize::try_from(count).unwrap_or(SHOWN_DEFAULT),
            }))
        }
        _ => Err(bad_subcommand("XINFO", arguments)),
    }
}

fn reply_counters(reply: &mut Reply<'_>, log: &Log) {
    let count = |reply: &mut Reply<'_>, name: &str, count: usize| {
        reply.bulk(name.as_bytes());
        reply.integer(count as i64);
    };
    let id = |reply: &mut Reply<'_>, name: &str, id: StreamId| {
        reply.bulk(name.as_bytes());
        reply_id(reply, id);
    };
    count(reply, "length", log.len());
    count(reply, "radix-tree-keys", log.block_count());
    // There is no radix tree; one of so many keys has at least this many nodes.
    count(reply, "radix-tree-nodes", log.block_count() + 1);
    id(reply, "last-generated-id", log.last_id());
    id(reply, "max-deleted-entry-id", log.max_deleted_id());
    count(reply, "entries-added", log.entries_added() as usize);
    id(reply, "recorded-first-entry-id", log.first_id());
}

fn reply_entry_or_null(reply: &mut Reply<'_>, entry: Option<Entry<'_>>) {
    match entry {
        Some(entry) => reply_entry(reply, entry),
        None => reply.null(),
    }
}

fn reply_number_or_null(reply: &mut Reply<'_>, number: Option<i64>) {
    match number {
        Some(number) => reply.integer(number),
        None => reply.null(),
    }
}

fn reply_progress(reply: &mut Reply<'_>, group: &Group, log: &Log) {
    reply.bulk(b"last-delivered-id");
    reply_id(reply, group.last_id());
    reply.bulk(b"entries-read");
    reply_number_or_null(reply, group.entries_read().map(|count| count as i64));
    reply.bulk(b"lag");
    reply_number_or_null(reply, group.lag(log));
}

fn reply_group(reply: &mut Reply<'_>, group: &Group, log: &Log, count: usize) {
    reply.map_len(7);
    reply.bulk(b"name");
    reply.bulk(group.name());
    reply_progress(reply, group, log);
    reply.bulk(b"pel-count");
    reply.integer(group.pending_len() as i64);
    reply.bulk(b"pending");
    reply.array_len(group.pending_len().min(count));
    for pending in group.pending_from(StreamId::MIN).take(count) {
        reply.array_len(4);
        reply_id(reply, pending.id);
        reply.bulk(group.consumer(pending.consumer).name());
        reply.integer(pending.delivered_ms);
        reply.integer(pending.deliveries as i64);
    }
    reply.bulk(b"consumers");
    reply.array_len(group.consumer_len());
    group.consumers().for_each(|consumer| reply_consumer(reply, group, consumer, count));
}

fn reply_consumer(reply: &mut Reply<'_>, group: &Group, consumer: &Consumer, count: usize) {
    reply.map_len(5);
    reply.bulk(b"name");
    reply.bulk(consumer.name());
    reply.bulk(b"seen-time");
    reply.integer(consumer.seen_ms);
    reply.bulk(b"active-time");
    reply.integer(consumer.active_ms.unwrap_or(-1));
    reply.bulk(b"pel-count");
    reply.integer(consumer.pending_len() as i64);
    reply.bulk(b"pending");
    reply.array_len(consumer.pending_len().min(count));
    for id in consumer.pending_from(StreamId::MIN).take(count) {
        let pending = group.find_pending(id).expect("what a consumer has pending its group has");
        reply.array_len(3);
        reply_id(reply, id);
        reply.integer(pending.delivered_ms);
        reply.integer(pending.deliveries as i64);
    }
}

/// XINFO GROUPS.
pub fn xinfo_groups(call: &mut Call<'_>) -> Outcome {
    let access = call.read_access();
    let stream = call.store.collection::<Stream>(call.key(2), access)?;
    let stream = stream.ok_or(error::NO_SUCH_KEY)?;
    let reply = &mut call.reply;
    reply.array_len(stream.group_len());
    for group in stream.groups() {
        reply.map_len(6);
        reply.bulk(b"name");
        reply.bulk(group.name());
        reply.bulk(b"consumers");
        reply.integer(group.consumer_len() as i64);
        reply.bulk(b"pending");
        reply.integer(group.pending_len() as i64);
        reply_progress(reply, group, stream.log());
    }
    Ok(())
}

/// XINFO CONSUMERS.
pub fn xinfo_consumers(call: &mut Call<'_>) -> Outcome {
    let (access, now_ms) = (call.read_access(), call.store.now_ms());
    let (key, name) = (call.key(2), call.arguments.at(3));
    let stream = call.store.collection::<Stream>(key, access)?;
    let stream = stream.ok_or(error::NO_SUCH_KEY)?;
    let group = stream.group(name).ok_or_else(|| no_group_of_key(key.name, name))?;
    let reply = &mut call.reply;
    reply.array_len(group.consumer_len());
    for consumer in group.consumers() {
        reply.map_len(4);
        reply.bulk(b"name");
        reply.bulk(consumer.name());
        reply.bulk(b"pending");
        reply.integer(consumer.pending_len() as i64);
        reply.bulk(b"idle");
        reply.integer(now_ms.saturating_sub(consumer.seen_ms).max(0));
        reply.bulk(b"inactive");
        reply.integer(consumer.active_ms.map_or(-1, |ms| now_ms.saturating_sub(ms)));
    }
    Ok(())
}

/// XINFO HELP.
pub fn xinfo_help(call: &mut SessionCall<'_>) -> Outcome {
    call.reply.help(&[
        "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CONSUMERS <key> <groupname>",
        "    Show consumers of <groupname>.",
        "GROUPS <key>",
        "    Show the stream consumer groups.",
        "STREAM <key> [FULL [COUNT <count>]",
        "    Show information about the stream.",
        "HELP",
        "    Print this help.",
    ]);
    Ok(())
}
