//! Streams: reading entries by id, and what all commands on streams share.
//!
//! | file | commands |
//! |---|---|
//! | `stream` | XLEN XRANGE XREVRANGE XSETID |
//! | `stream_add` | XADD XTRIM |
//! | `stream_delete` | XDEL XDELEX XACK XACKDEL |
//! | `stream_read` | XREAD XREADGROUP |
//! | `stream_idle` | CLAIM of XREADGROUP |
//! | `stream_group` | XGROUP |
//! | `stream_pending` | XPENDING |
//! | `stream_claim` | XCLAIM XAUTOCLAIM |
//! | `stream_info` | XINFO |
//! | `stream_id` | ids in arguments |

pub use super::stream_add::{xadd, xtrim};
pub use super::stream_claim::{xautoclaim, xclaim};
pub use super::stream_delete::{xack, xackdel, xdel, xdelex};
pub use super::stream_group::{
    xgroup_create, xgroup_createconsumer, xgroup_delconsumer, xgroup_destroy, xgroup_help,
    xgroup_setid,
};
pub use super::stream_info::{xinfo_consumers, xinfo_groups, xinfo_help, xinfo_stream};
pub use super::stream_pending::xpending;
pub use super::stream_read::{xread, xreadgroup};

use smallvec::SmallVec;

use super::list::reply_element;
use super::operand::integer;
use super::stream_id::{id_at, range_end, range_start};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::object::Missing;
use crate::reply::Reply;
use crate::store::{Access, Key};
use crate::stream::{Entry, Stream, StreamId};

/// Answers with an id, as `ms-seq`.
pub(super) fn reply_id(reply: &mut Reply<'_>, id: StreamId) {
    let mut text: SmallVec<[u8; 64]> = SmallVec::new();
    text.extend_from_slice(itoa::Buffer::new().format(id.ms).as_bytes());
    text.push(b'-');
    text.extend_from_slice(itoa::Buffer::new().format(id.seq).as_bytes());
    reply.bulk(&text);
}

/// Answers with an entry: its id and its fields.
pub(super) fn reply_entry(reply: &mut Reply<'_>, entry: Entry<'_>) {
    reply.array_len(2);
    reply_entry_parts(reply, entry);
}

/// Answers with the id and the fields of an entry, as two of the elements of an array.
pub(super) fn reply_entry_parts(reply: &mut Reply<'_>, entry: Entry<'_>) {
    reply_id(reply, entry.id);
    reply.array_len(2 * entry.fields.len());
    for (name, value) in entry.fields {
        reply_element(reply, name);
        reply_element(reply, value);
    }
}

/// Answers with the first `count` entries of a range. They are walked twice, for their number
/// comes first.
pub(super) fn reply_entries<'s>(
    reply: &mut Reply<'_>,
    entries: impl Iterator<Item = Entry<'s>> + Clone,
    count: usize,
) {
    reply.array_len(entries.clone().take(count).count());
    entries.take(count).for_each(|entry| reply_entry(reply, entry));
}

/// There is no such group, or no such key.
pub(super) fn no_such_group(key: &[u8], group: &[u8]) -> CommandError {
    let (key, group) = (error::printable(key, 512), error::printable(group, 512));
    CommandError::worded(format!("NOGROUP No such key '{key}' or consumer group '{group}'"))
}

/// There is no such group at a key that is there.
pub(super) fn no_group_of_key(key: &[u8], group: &[u8]) -> CommandError {
    let (key, group) = (error::printable(key, 512), error::printable(group, 512));
    CommandError::worded(format!("NOGROUP No such consumer group '{group}' for key name '{key}'"))
}

/// The subcommand has no such form.
pub(super) fn bad_subcommand(container: &str, arguments: Arguments<'_>) -> CommandError {
    let name = error::printable(arguments.at(1), 128);
    CommandError::worded(format!(
        "ERR unknown subcommand or wrong number of arguments for '{name}'. Try {container} HELP."
    ))
}

/// Makes sure that a key holds a stream or nothing, and says which.
pub(super) fn has_stream(call: &mut Call<'_>, key: Key<'_>) -> Result<bool, CommandError> {
    Ok(call.store.collection::<Stream>(key, Access::Peek)?.is_some())
}

/// XLEN.
pub fn xlen(call: &mut Call<'_>) -> Outcome {
    let access = call.read_access();
    let stream = call.store.collection::<Stream>(call.key(1), access)?;
    call.reply.integer(stream.map_or(0, |stream| stream.log().len()) as i64);
    Ok(())
}

/// XRANGE.
pub fn xrange(call: &mut Call<'_>) -> Outcome {
    let (start, end) = (range_start(call.arguments, 2)?, range_end(call.arguments, 3)?);
    let Some(count) = range_count(call)? else { return reply_no_entries(call) };
    let access = call.read_access();
    match call.store.collection::<Stream>(call.key(1), access)? {
        Some(stream) => reply_entries(&mut call.reply, stream.log().range(start, end), count),
        None => call.reply.array_len(0),
    }
    Ok(())
}

/// XREVRANGE.
pub fn xrevrange(call: &mut Call<'_>) -> Outcome {
    let (start, end) = (range_start(call.arguments, 3)?, range_end(call.arguments, 2)?);
    let Some(count) = range_count(call)? else { return reply_no_entries(call) };
    let access = call.read_access();
    match call.store.collection::<Stream>(call.key(1), access)? {
        Some(stream) => {
            let entries = stream.log().range_reversed(start, end);
            reply_entries(&mut call.reply, entries, count);
        }
        None => call.reply.array_len(0),
    }
    Ok(())
}

/// How many entries a range is to give; `None` for none at all.
fn range_count(call: &Call<'_>) -> Result<Option<usize>, CommandError> {
    let arguments = call.arguments;
    let mut count = Some(usize::MAX);
    for index in (4..arguments.len()).step_by(2) {
        if !arguments.is(index, "count") || index + 1 == arguments.len() {
            return Err(error::SYNTAX);
        }
        let number = integer(arguments, index + 1)?;
        count = (number > 0).then(|| usize::try_from(number).unwrap_or(usize::MAX));
    }
    Ok(count)
}

/// Answers a range that asked for no entries: a null array, but only if there is a stream.
fn reply_no_entries(call: &mut Call<'_>) -> Outcome {
    let access = call.read_access();
    match call.store.collection::<Stream>(call.key(1), access)? {
        Some(_) => call.reply.null_array(),
        None => call.reply.array_len(0),
    }
    Ok(())
}

/// What XSETID sets.
struct Counters {
    last_id: StreamId,
    entries_added: Option<u64>,
    max_deleted_id: StreamId,
}

impl Counters {
    fn parse(arguments: Arguments<'_>) -> Result<Self, CommandError> {
        const NEGATIVE: CommandError = CommandError::Fixed("ERR entries_added must be positive");
        const BELOW_GIVEN_DELETED: CommandError = CommandError::Fixed(
            "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
        );
        let mut counters = Self {
            last_id: id_at(arguments, 2)?,
            entries_added: None,
            max_deleted_id: StreamId::MIN,
        };
        for index in (3..arguments.len()).step_by(2) {
            if index + 1 == arguments.len() {
                return Err(error::SYNTAX);
            }
            if arguments.is(index, "entriesadded") {
                let count = u64::try_from(integer(arguments, index + 1)?);
                counters.entries_added = Some(count.map_err(|_| NEGATIVE)?);
            } else if arguments.is(index, "maxdeletedid") {
                counters.max_deleted_id = id_at(arguments, index + 1)?;
                if counters.last_id < counters.max_deleted_id {
                    return Err(BELOW_GIVEN_DELETED);
                }
            } else {
                return Err(error::SYNTAX);
            }
        }
        Ok(counters)
    }

    fn apply(&self, stream: &mut Stream) -> Outcome {
        const BELOW_DELETED: CommandError = CommandError::Fixed(
            "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
        );
        const BELOW_LAST_ENTRY: CommandError = CommandError::Fixed(
            "ERR The ID specified in XSETID is smaller than the target stream top item",
        );
        const FEWER_THAN_THERE_ARE: CommandError = CommandError::Fixed(
            "ERR The entries_added specified in XSETID is smaller than the target stream length",
        );
        let log = stream.log();
        if self.last_id < log.max_deleted_id() {
            return Err(BELOW_DELETED);
        }
        if self.last_id < log.last_entry_id() {
            return Err(BELOW_LAST_ENTRY);
        }
        if self.entries_added.is_some_and(|count| count < log.len() as u64) {
            return Err(FEWER_THAN_THERE_ARE);
        }
        stream.set_last_id(self.last_id);
        let log = stream.log_mut();
        if let Some(count) = self.entries_added {
            log.set_entries_added(count);
        }
        if self.max_deleted_id != StreamId::MIN {
            log.set_max_deleted_id(self.max_deleted_id);
        }
        Ok(())
    }
}

/// XSETID.
pub fn xsetid(call: &mut Call<'_>) -> Outcome {
    let counters = Counters::parse(call.arguments)?;
    let key = call.key(1);
    call.store
        .change_collection(key, Missing::Skip, |stream: &mut Stream| counters.apply(stream))?
        .ok_or(error::NO_SUCH_KEY)??;
    call.store.changed(key, Event::XSetId);
    call.reply.ok();
    Ok(())
}
