//! How many candidates each slot of a core has, so that keys can be drawn uniformly.
//!
//! A core has thousands of small tables and maybe a huge one (a hash tag). A slot is drawn by its
//! share of keys, from running sums. Counting all slots costs a cache miss each, so the counts
//! are kept from earlier and renewed a part at a time: all within about [`PARTS`] * [`PART_MS`]
//! milliseconds of eviction. A count that is a little old makes its keys a little more or less
//! likely; nothing else depends on it. Slots that are not here count nothing.

use crate::hash::HashSlot;
use crate::random::Random;
use crate::slot::Slot;
use crate::store::Store;

/// Parts the slots are divided into, one of which is counted anew at a time.
const PARTS: usize = 16;

/// Time between two parts, in milliseconds.
const PART_MS: u64 = 10;

const SLOTS: usize = HashSlot::COUNT as usize;
const PART_SLOTS: usize = SLOTS / PARTS;

const _: () = assert!(SLOTS.is_multiple_of(PARTS));

/// Which keys may be evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    Expiring,
}

impl Scope {
    fn count(self, slot: &Slot) -> u32 {
        let counts = slot.tables().map(|(_, table)| match self {
            Self::All => table.len(),
            Self::Expiring => table.expiring_len(),
        });
        u32::try_from(counts.sum::<usize>()).unwrap_or(u32::MAX)
    }
}

/// Counts of candidates by slot, 128 KiB. They are allocated at the start, so that a limit does not
/// find less room for being set; untouched, they take no physical memory.
pub(super) struct Census {
    counts: Vec<u32>,
    /// `sums[i]` is the sum of the counts up to and including slot `i`.
    sums: Vec<u32>,
    next_part: usize,
    counted_ms: Option<i64>,
}

impl Default for Census {
    fn default() -> Self {
        Self { counts: vec![0; SLOTS], sums: vec![0; SLOTS], next_part: 0, counted_ms: None }
    }
}

impl Census {
    /// Counts all slots. O(slots).
    pub(super) fn count_all(&mut self, store: &Store, scope: Scope) {
        for part in 0..PARTS {
            self.count_part(store, scope, part);
        }
        self.add_up();
        self.counted_ms = Some(store.now_ms());
    }

    /// Brings the counts up to date, a part at a time.
    pub(super) fn refresh(&mut self, store: &Store, scope: Scope) {
        let Some(counted_ms) = self.counted_ms else { return self.count_all(store, scope) };
        if store.now_ms().abs_diff(counted_ms) < PART_MS {
            return;
        }
        self.count_part(store, scope, self.next_part);
        self.next_part = (self.next_part + 1) % PARTS;
        self.add_up();
        self.counted_ms = Some(store.now_ms());
    }

    /// Forgets the counts: they are of another scope.
    pub(super) fn clear(&mut self) {
        self.counted_ms = None;
    }

    /// Candidates counted.
    pub(super) fn total(&self) -> u32 {
        if self.counted_ms.is_some() { self.sums.last().copied().unwrap_or(0) } else { 0 }
    }

    /// A slot, each as likely as it has candidates. O(log slots).
    pub(super) fn draw(&self, random: &mut Random) -> Option<HashSlot> {
        if self.total() == 0 {
            return None;
        }
        let drawn = random.below(self.total() as usize) as u32;
        let index = self.sums.partition_point(|sum| *sum <= drawn);
        HashSlot::new(index as u16)
    }

    fn count_part(&mut self, store: &Store, scope: Scope, part: usize) {
        let first = part * PART_SLOTS;
        for index in first..first + PART_SLOTS {
            let slot = HashSlot::new(index as u16).expect("parts end with the last slot");
            self.counts[index] = store.slot(slot).map_or(0, |slot| scope.count(slot));
        }
    }

    fn add_up(&mut self) {
        let mut sum: u32 = 0;
        for (total, count) in self.sums.iter_mut().zip(&self.counts) {
            // Above four billion keys on one core the last slots would be spared.
            sum = sum.saturating_add(*count);
            *total = sum;
        }
    }
}
