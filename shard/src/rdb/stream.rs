//! Streams in RDB.
//!
//! ```text
//! count of nodes, then for each: master id as a string of 16 bytes, a listpack
//! number of entries, last id
//! first id, greatest id deleted, entries ever added                       from type 19 on
//! count of groups, then for each:
//!     name, last id
//!     entries read, all bits set if unknown                               from type 19 on
//!     count of pending entries, then for each: id, time of delivery, deliveries
//!     count of consumers, then for each:
//!         name, time seen
//!         time active, -1 for never                                       from type 21 on
//!         count of pending entries, then the id of each
//!     count of entries given back, then the id of each                    from type 27 on
//! seconds and number of idempotent ids that are remembered                from type 26 on
//! count of producers, then for each:
//!     name, count of ids, then for each: the id, the id of its entry
//! idempotent ids ever added, ids that came twice
//! ```
//!
//! Ids among lengths are two lengths; those of pending entries and nodes are sixteen bytes, high
//! byte first. Times are eight bytes, low byte first. What the listpack of a node holds is drawn in
//! `stream_node`.
//!
//! What Redis 8.6 and 8.8 have added has no place here. Idempotent ids are left out, which
//! [`Reader::was_reduced`] tells: they would be forgotten after a while anyway. Entries that
//! consumers have given back have nobody to belong to, and to leave them out would be to lose them:
//! a stream that has any is refused.
//!
//! Redis does not compare what is said in several places. Here the number of entries, the order of
//! their ids, the last id, and who has which pending entry must agree.

use super::error::FormatError;
use super::reader::Reader;
use super::stream_node::{read_node, write_node};
use super::value_type::{RdbVersion, ValueType};
use super::writer::Writer;
use crate::stream::{Consumer, Group, Pending, Stream, StreamId};

/// Entries read, where that is not known.
const UNKNOWN: u64 = u64::MAX;

/// The time a consumer was active that never was.
const NEVER: i64 = -1;

const GIVEN_BACK: FormatError = FormatError::Unsupported(
    "written by a newer server: entries of streams that consumers have given back (XNACK)",
);

const BAD_STREAM: FormatError = FormatError::Corrupt("stream");

fn raw_id(id: StreamId) -> [u8; 16] {
    (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes()
}

fn id_of_raw(bytes: [u8; 16]) -> StreamId {
    let number = u128::from_be_bytes(bytes);
    StreamId::new((number >> 64) as u64, number as u64)
}

fn write_id(id: StreamId, writer: &mut Writer) {
    writer.length(id.ms);
    writer.length(id.seq);
}

fn read_id(reader: &mut Reader<'_>) -> Result<StreamId, FormatError> {
    Ok(StreamId::new(reader.length()?, reader.length()?))
}

/// The type streams are written as.
pub(super) fn type_of(version: RdbVersion) -> ValueType {
    match version {
        RdbVersion::V10 => ValueType::Stream2,
        RdbVersion::V11 => ValueType::Stream3,
    }
}

/// Appends a stream as `value_type`, the last one or the one before.
pub(super) fn encode(stream: &Stream, value_type: ValueType, writer: &mut Writer) {
    assert!(matches!(value_type, ValueType::Stream2 | ValueType::Stream3), "what is written");
    let log = stream.log();
    writer.count(log.block_count());
    for block in log.blocks() {
        writer.string(&raw_id(block.first_id()));
        writer.blob(|blob| *blob = write_node(block));
    }
    writer.count(log.len());
    for id in [log.last_id(), log.first_id(), log.max_deleted_id()] {
        write_id(id, writer);
    }
    writer.length(log.entries_added());
    writer.count(stream.group_len());
    stream.groups().for_each(|group| write_group(group, value_type, writer));
}

fn write_group(group: &Group, value_type: ValueType, writer: &mut Writer) {
    writer.string(group.name());
    write_id(group.last_id(), writer);
    writer.length(group.entries_read().unwrap_or(UNKNOWN));
    writer.count(group.pending_len());
    for pending in group.pending_from(StreamId::MIN) {
        writer.raw(&raw_id(pending.id));
        writer.int_64(pending.delivered_ms);
        writer.length(pending.deliveries);
    }
    writer.count(group.consumer_len());
    group.consumers().for_each(|consumer| write_consumer(consumer, value_type, writer));
}

fn write_consumer(consumer: &Consumer, value_type: ValueType, writer: &mut Writer) {
    writer.string(consumer.name());
    writer.int_64(consumer.seen_ms);
    if value_type == ValueType::Stream3 {
        writer.int_64(consumer.active_ms.unwrap_or(NEVER));
    }
    writer.count(consumer.pending_len());
    consumer.pending_from(StreamId::MIN).for_each(|id| writer.raw(&raw_id(id)));
}

/// Reads a stream of any type.
pub(super) fn decode(
    value_type: ValueType,
    reader: &mut Reader<'_>,
) -> Result<Stream, FormatError> {
    let mut stream = Stream::default();
    for _ in 0..reader.count()? {
        let master: [u8; 16] = (*reader.blob()?).try_into().map_err(|_| BAD_STREAM)?;
        read_node(id_of_raw(master), &reader.blob()?, stream.log_mut())?;
    }
    read_counters(value_type, reader, &mut stream)?;
    for _ in 0..reader.count()? {
        read_group(value_type, reader, &mut stream)?;
    }
    if value_type.code() >= ValueType::Stream4.code() {
        skip_idempotent_ids(reader)?;
    }
    Ok(stream)
}

/// Reads what is remembered of producers.
fn skip_idempotent_ids(reader: &mut Reader<'_>) -> Result<(), FormatError> {
    for _ in 0..2 {
        reader.length()?;
    }
    for _ in 0..reader.count()? {
        reader.blob()?;
        for _ in 0..reader.count()? {
            reader.blob()?;
            read_id(reader)?;
            reader.note_reduced();
        }
    }
    for _ in 0..2 {
        reader.length()?;
    }
    Ok(())
}

fn read_counters(
    value_type: ValueType,
    reader: &mut Reader<'_>,
    stream: &mut Stream,
) -> Result<(), FormatError> {
    let log = stream.log_mut();
    let (count, last_id) = (reader.length()?, read_id(reader)?);
    if count != log.len() as u64 || last_id < log.last_entry_id() {
        return Err(BAD_STREAM);
    }
    log.set_last_id(last_id);
    if value_type == ValueType::Stream {
        log.set_entries_added(count);
        return Ok(());
    }
    // The first id is known from the entries.
    read_id(reader)?;
    log.set_max_deleted_id(read_id(reader)?);
    log.set_entries_added(reader.length()?);
    Ok(())
}

/// A pending entry that is looking for its consumer.
struct Delivery {
    id: StreamId,
    delivered_ms: i64,
    deliveries: u64,
    is_taken: bool,
}

fn read_group(
    value_type: ValueType,
    reader: &mut Reader<'_>,
    stream: &mut Stream,
) -> Result<(), FormatError> {
    let (name, last_id) = (reader.blob()?, read_id(reader)?);
    let entries_read = match value_type {
        ValueType::Stream => stream.log().count_up_to(last_id),
        _ => Some(reader.length()?).filter(|count| *count != UNKNOWN),
    };
    if !stream.create_group(&name, last_id, entries_read) {
        return Err(FormatError::Duplicate);
    }
    let mut deliveries = read_deliveries(reader)?;
    stream
        .change_group(&name, |group, _| {
            (0..reader.count()?)
                .try_for_each(|_| read_consumer(value_type, reader, group, &mut deliveries))
        })
        .expect("the group was just made")?;
    if value_type == ValueType::Stream5 && reader.count()? > 0 {
        return Err(GIVEN_BACK);
    }
    deliveries.iter().all(|delivery| delivery.is_taken).then_some(()).ok_or(BAD_STREAM)
}

/// The pending entries of a group, by id.
fn read_deliveries(reader: &mut Reader<'_>) -> Result<Vec<Delivery>, FormatError> {
    let mut deliveries = Vec::new();
    for _ in 0..reader.count()? {
        deliveries.push(Delivery {
            id: id_of_raw(reader.array()?),
            delivered_ms: reader.int_64()?,
            deliveries: reader.length()?,
            is_taken: false,
        });
    }
    if !deliveries.is_sorted_by_key(|delivery| delivery.id) {
        deliveries.sort_unstable_by_key(|delivery| delivery.id);
    }
    let is_distinct = deliveries.array_windows().all(|[one, next]| one.id != next.id);
    is_distinct.then_some(deliveries).ok_or(FormatError::Duplicate)
}

fn read_consumer(
    value_type: ValueType,
    reader: &mut Reader<'_>,
    group: &mut Group,
    deliveries: &mut [Delivery],
) -> Result<(), FormatError> {
    let (name, seen_ms) = (reader.blob()?, reader.int_64()?);
    let active_ms = match value_type {
        // The best that can be said of it.
        ValueType::Stream | ValueType::Stream2 => Some(seen_ms),
        _ => Some(reader.int_64()?).filter(|at_ms| *at_ms != NEVER),
    };
    let consumer = group.create_consumer(&name, seen_ms).ok_or(FormatError::DuplicateConsumer)?;
    group.consumer_mut(consumer).active_ms = active_ms;
    for _ in 0..reader.count()? {
        let id = id_of_raw(reader.array()?);
        let found = deliveries.binary_search_by_key(&id, |delivery| delivery.id);
        let delivery = &mut deliveries[found.map_err(|_| BAD_STREAM)?];
        if std::mem::replace(&mut delivery.is_taken, true) {
            return Err(FormatError::Duplicate);
        }
        let Delivery { delivered_ms, deliveries, .. } = *delivery;
        group.assign(Pending { id, delivered_ms, deliveries, consumer });
    }
    Ok(())
}
