//! How far the journals of all cores are, for all cores to see.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counts of one core, in a cache line of their own, since it writes them for every change.
#[repr(align(64))]
#[derive(Debug, Default)]
struct Counts {
    items: AtomicU64,
    barriers: AtomicU64,
    /// Items before the last barrier, or before the first of several that stand in a row.
    before_barrier: AtomicU64,
    /// Barriers that are among the items.
    settled: AtomicU64,
}

/// The barrier that settles what is open, in a cache line of its own, since all cores read it.
#[repr(align(64))]
#[derive(Debug, Default)]
struct Opened(AtomicU64);

/// How many items each core has made in the present generation: a line per core, which that core
/// alone writes. And whether what they tell is open.
#[derive(Debug)]
pub struct JournalBoard {
    counts: Box<[Counts]>,
    opened: Opened,
}

impl JournalBoard {
    /// A board for so many cores, all at zero.
    pub fn new(core_count: u16) -> Self {
        let counts = (0..core_count).map(|_| Counts::default()).collect();
        Self { counts, opened: Opened::default() }
    }

    /// How many cores it is for.
    pub(super) fn core_count(&self) -> usize {
        self.counts.len()
    }

    /// Items core number `core` has made.
    pub fn items(&self, core: usize) -> u64 {
        self.counts[core].items.load(Ordering::Acquire)
    }

    /// The barrier without which something that was told may not count; 0 if there was none yet.
    pub fn opened(&self) -> u64 {
        self.opened.0.load(Ordering::SeqCst)
    }

    /// Whether barrier number `barrier` is among the items of all cores. O(cores).
    pub fn has_settled(&self, barrier: u64) -> bool {
        self.counts.iter().all(|counts| counts.settled.load(Ordering::SeqCst) >= barrier)
    }

    /// From now on what is told counts only with barrier number `barrier`; whether it did not
    /// before.
    pub(super) fn open_until(&self, barrier: u64) -> bool {
        self.opened.0.fetch_max(barrier, Ordering::SeqCst) < barrier
    }

    /// Items of core number `core` that anything may depend on which comes before the next barrier
    /// of a core that has seen `barriers` of them: whoever has passed a barrier does nothing until
    /// all have.
    pub(super) fn items_before_barrier(&self, core: usize, barriers: u64) -> u64 {
        let counts = &self.counts[core];
        // In this order: where the items are those behind a barrier, the barrier is counted.
        let items = counts.items.load(Ordering::Acquire);
        match counts.barriers.load(Ordering::Acquire) > barriers {
            true => items.min(counts.before_barrier.load(Ordering::Acquire)),
            false => items,
        }
    }

    /// Whoever learns of the item, by a message or through a socket, sees that it was counted.
    pub(super) fn publish(&self, core: usize, items: u64) {
        self.counts[core].items.store(items, Ordering::Release);
    }

    /// Counts items of which the last is a barrier.
    pub(super) fn publish_settled(&self, core: usize, items: u64, barriers: u64) {
        self.publish(core, items);
        self.counts[core].settled.store(barriers, Ordering::SeqCst);
    }

    /// Counts a barrier behind so many items, before it is an item itself.
    pub(super) fn publish_barrier(&self, core: usize, barriers: u64, before: u64) {
        self.counts[core].before_barrier.store(before, Ordering::SeqCst);
        self.counts[core].barriers.store(barriers, Ordering::SeqCst);
    }
}
