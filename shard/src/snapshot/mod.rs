//! Snapshots without a fork: the data of one moment, as bytes, while commands go on changing it.
//!
//! A parking tour makes the *cut*: between two transactions every core gets a [`Snapshot`]. From
//! then on each core walks over the slots it has, a bounded slice a turn, and writes their keys. A
//! key that is about to change before the walk has come to it is written first, as it still is; the
//! walk will leave it out. So what is written is what was there at the cut, and the only cost while
//! no snapshot runs is a look at an `Option` on the way of a change.
//!
//! ```text
//! slot 7     db 0 |=====written=====>........x.....x......|     x: written ahead of a change
//!            db 3 |.......................................|
//! ```
//!
//! How far the walk has come in a slot, and what was written ahead, is part of the slot ([`walk`]):
//! it goes wherever the slot goes, to another core or into an envelope, and whoever has the slot
//! goes on. The bytes leave through the core that wrote them; a record of the file is whole in the
//! bytes of one core, and records come in any order.
//!
//! * A flushed table is not written before it is flushed: it moves into the walk of its slot, which
//!   writes it as it lies there and then frees it.
//! * Exchanged databases keep the numbers they had at the cut.
//! * The file is complete when every slot was finished by somebody and every core has sent its last
//!   bytes. Slots are counted down by the [`SnapshotSink`], which all cores share.
//!
//! What is not incremental: a single value is written in one go, in parts of [`PART_BYTES`], and
//! keeps its core busy meanwhile; a single string is
//! copied whole. Writing ahead waits if the sink has no room left, so a disk that is slower than
//! changes come slows these changes down, and memory stays bounded.

mod walk;

use crate::access::AccessClock;
use crate::object::Object;
use crate::rdb::opcode;
use crate::rdb::value::{encode, type_of};
use crate::rdb::value_type::RdbVersion;
use crate::rdb::writer::{Compression, Writer};
use crate::table::Entry;

pub(crate) use walk::SlotSnapshot;

/// Bytes that leave at once.
pub const PART_BYTES: usize = 64 * 1024;

/// Where the bytes of one core go. All sinks of a snapshot lead to the same place, and count the
/// slots that are left together.
pub trait SnapshotSink: Send {
    /// Whether the walk may go on. What changes force to be written is sent all the same.
    fn has_room(&self) -> bool;

    /// Takes bytes. May wait where there is no room at all.
    fn send(&mut self, part: Part);

    /// One more slot is finished.
    fn slot_done(&mut self);

    /// Whether all slots are finished, by whatever cores.
    fn all_slots_done(&self) -> bool;

    /// Whether nobody wants the snapshot any more.
    fn is_abandoned(&self) -> bool;
}

/// Bytes of one core, in order.
#[derive(Debug, Default)]
pub struct Part {
    /// Records, or a piece of one.
    pub bytes: Vec<u8>,
    /// Whether they end within a record, which the core's next part goes on with: nothing of
    /// another core may come between.
    pub is_open: bool,
    /// Whether the core will send no more.
    pub is_last: bool,
    /// Keys whose records end in it.
    pub keys: u64,
}

/// What is said in the file of how keys are used: what the policy of `maxmemory` needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageKept {
    /// Nothing.
    None,
    /// Seconds since they were used.
    Idle,
    /// How often they are used.
    Counter,
}

/// What a core has to know to take part in a snapshot.
pub struct SnapshotOrder {
    /// Which snapshot it is. Never the same twice, never zero.
    pub number: u32,
    /// Where the bytes go.
    pub sink: Box<dyn SnapshotSink>,
    /// Which readers the values are written for.
    pub version: RdbVersion,
    /// Whether strings are compressed.
    pub compression: Compression,
    /// What is said about the use of keys.
    pub usage: UsageKept,
    /// The walk waits so long for each key, in microseconds (`rdb-key-save-delay`).
    pub key_delay_us: u64,
}

/// How far the walk of a core is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalkState {
    /// There is no snapshot.
    None,
    /// There is something to do at once.
    Busy,
    /// There is nothing to do here now: the disk is slow, or the rest is elsewhere.
    Waiting,
}

/// The part of one core in a snapshot.
pub(crate) struct Snapshot {
    number: u32,
    /// The moment of the cut, milliseconds since 1970.
    cut_ms: i64,
    version: RdbVersion,
    usage: UsageKept,
    key_delay_us: u64,
    /// When the walk goes on after keys that were to be waited for.
    next_us: u64,
    writer: Writer,
    /// Database of the record written last, in the part that is being made.
    selected: Option<u32>,
    /// Keys in that part.
    keys: u64,
    /// The slot the walk is at.
    cursor: u16,
    /// Slots in a row that had nothing to write: once round means that nothing is left here.
    idle_slots: u16,
}

impl Snapshot {
    pub(crate) fn new(order: SnapshotOrder, cut_ms: i64) -> Self {
        assert!(order.number != 0, "zero is the number of no snapshot");
        Self {
            number: order.number,
            cut_ms,
            version: order.version,
            usage: order.usage,
            key_delay_us: order.key_delay_us,
            next_us: 0,
            writer: Writer::with_sink(order.compression, order.sink, PART_BYTES),
            selected: None,
            keys: 0,
            cursor: 0,
            idle_slots: 0,
        }
    }

    /// Writes the record of a key.
    fn write(&mut self, db: u32, entry: Entry<'_, Object>, access: &AccessClock) {
        let writer = &mut self.writer;
        if self.selected != Some(db) {
            self.selected = Some(db);
            writer.raw(&[opcode::SELECT_DB]);
            writer.length(u64::from(db));
        }
        if let Some(expiry_ms) = entry.expiry_ms() {
            writer.raw(&[opcode::EXPIRY_MS]);
            writer.int_64(expiry_ms);
        }
        match self.usage {
            UsageKept::None => {}
            UsageKept::Idle => {
                writer.raw(&[opcode::IDLE]);
                writer.length(u64::from(access.idle_seconds(entry.lru_bits())));
            }
            UsageKept::Counter => {
                writer.raw(&[opcode::FREQUENCY, access.counter(entry.lru_bits()) as u8]);
            }
        }
        let value_type = type_of(entry.value(), self.version);
        writer.value_type(value_type);
        writer.string(entry.key());
        encode(entry.value(), value_type, self.cut_ms, writer);
        self.keys += 1;
        if writer.end_record(self.keys) {
            (self.keys, self.selected) = (0, None);
        }
    }

    /// Sends what is left: the core's part is over.
    fn send_last(&mut self) {
        self.writer.send(Part { is_last: true, keys: self.keys, ..Part::default() });
    }
}
