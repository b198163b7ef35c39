//! Records on their way to a thread that runs them, some at a time.
//!
//! A batch is bounded in records and bytes, but holds at least one record, whatever its size. Spent
//! batches go back to whoever fills them, so that nothing is allocated on the way.

use basalt_shard::arguments::Arguments;
use basalt_shard::hash::HashSlot;

use super::item::Record;

/// Records of a batch at most ...
const RECORDS_MAX: usize = 512;
/// ... and bytes of their commands.
const BATCH_BYTES: usize = 256 * 1024;
/// A batch that has grown beyond this is not used again.
const KEPT_BYTES: usize = 4 * BATCH_BYTES;

/// Some records, one behind the other.
#[derive(Default)]
pub(super) struct Batch {
    /// The commands of all of them.
    commands: Record,
    heads: Vec<Head>,
}

/// A record of a batch.
#[derive(Clone, Copy)]
pub(super) struct Head {
    /// Which one it is in the order of all.
    pub(super) number: u64,
    /// The segment it is from.
    pub(super) segment: usize,
    /// The database that is selected before it.
    pub(super) db: u32,
    /// Commands in it.
    count: usize,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.heads.len() >= RECORDS_MAX || self.commands.byte_count() >= BATCH_BYTES
    }

    /// Whether a record may be put behind those that are in it.
    pub(super) fn has_room(&self, record: &Record) -> bool {
        self.is_empty() || self.commands.byte_count() + record.byte_count() <= BATCH_BYTES
    }

    /// Puts a record in, the `number`-th of all, which finds database `db` selected.
    pub(super) fn push(&mut self, number: u64, segment: usize, db: u32, record: &Record) {
        self.commands.append(record);
        self.heads.push(Head { number, segment, db, count: record.commands().len() });
    }

    /// All commands, each with the record it is of.
    pub(super) fn lines(&self) -> impl Iterator<Item = (Head, Arguments<'_>)> + Clone {
        let heads = self.heads.iter().flat_map(|head| std::iter::repeat_n(*head, head.count));
        heads.zip(self.commands.commands())
    }

    /// Empties it for another use, if it is worth one.
    pub(super) fn emptied(mut self) -> Option<Self> {
        self.commands.clear();
        self.heads.clear();
        (self.commands.capacity_bytes() <= KEPT_BYTES).then_some(self)
    }
}

/// Records that need slots of several threads, or the slots of such, gathered until they fill a
/// batch: one meeting of the threads serves all of them.
///
/// A record that comes later and touches none of these slots may run before, so it can go straight
/// to its thread; any other has to follow into here. Whatever was with its thread already when a
/// slot came in here runs before this does, as it should.
#[derive(Default)]
pub(super) struct Joint {
    pub(super) batch: Batch,
    /// Slots that are touched, each once.
    slots: Vec<HashSlot>,
    /// The same as a set, once there are any.
    members: Vec<bool>,
    /// Any slot may be.
    is_about_all: bool,
}

impl Joint {
    /// Whether a record that needs these slots has to run behind what is in here.
    pub(super) fn touches(&self, slots: &[HashSlot]) -> bool {
        self.is_about_all
            || !self.slots.is_empty() && slots.iter().any(|slot| self.members[slot.index()])
    }

    /// Notes that a record of the batch needs these slots, or all of them.
    pub(super) fn note(&mut self, slots: &[HashSlot], is_about_all: bool) {
        self.is_about_all |= is_about_all;
        self.members.resize(usize::from(HashSlot::COUNT), false);
        for slot in slots {
            if !std::mem::replace(&mut self.members[slot.index()], true) {
                self.slots.push(*slot);
            }
        }
    }

    /// The slots that are touched, of those that `is_wanted` names.
    pub(super) fn slots(&self, is_wanted: impl Fn(HashSlot) -> bool) -> Vec<HashSlot> {
        match self.is_about_all {
            true => HashSlot::all().filter(|slot| is_wanted(*slot)).collect(),
            false => self.slots.iter().copied().filter(|slot| is_wanted(*slot)).collect(),
        }
    }
}
