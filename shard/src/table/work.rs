//! Counts the work of single operations, so that tests can bound the longest pause without a clock.
//!
//! Outside of tests every call is empty.

/// A unit of work that grows with the size of what is moved.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// A word was written into another bucket.
    WordMoved,
    /// A key was hashed again, which touches its entry.
    KeyRehashed,
    /// A directory slot was written.
    SlotWritten,
}

#[cfg(not(test))]
#[inline]
pub(super) fn note(_work: Work, _count: usize) {}

#[cfg(test)]
pub(super) use counters::{note, take};

#[cfg(test)]
mod counters {
    use super::Work;
    use std::cell::Cell;

    thread_local! {
        static COUNTS: [Cell<usize>; 3] = const { [Cell::new(0), Cell::new(0), Cell::new(0)] };
    }

    /// Adds to a counter of this thread.
    pub(in crate::table) fn note(work: Work, count: usize) {
        COUNTS.with(|counts| counts[work as usize].set(counts[work as usize].get() + count));
    }

    /// Reads and clears the counters of this thread, in the order of [`Work`].
    pub(in crate::table) fn take() -> [usize; 3] {
        COUNTS.with(|counts| counts.each_ref().map(Cell::take))
    }
}
