//! What the controller and the workers tell each other: a phase, a budget, counters.
//!
//! All of it is relaxed atomics. Nothing is published through them but the numbers themselves;
//! results travel over a channel.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::procfs::{self, ThreadTime};

/// What the workers are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Sending, but nothing counts yet.
    WarmUp,
    /// Everything counts.
    Measure,
    /// Drop everything and report.
    Stop,
}

/// Counters of one worker, on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Cell {
    replies: AtomicU64,
    errors: AtomicU64,
    thread_id: AtomicU32,
    /// Times at the thread's end; the kernel forgets them with the thread.
    final_ran_ns: AtomicU64,
    final_waited_ns: AtomicU64,
}

impl Cell {
    /// Names the worker's thread, so that its CPU time can be looked up.
    pub(crate) fn set_thread_id(&self, thread_id: u32) {
        self.thread_id.store(thread_id, Ordering::Relaxed);
    }

    /// Publishes totals since the worker's start.
    pub(crate) fn publish(&self, replies: u64, errors: u64) {
        self.replies.store(replies, Ordering::Relaxed);
        self.errors.store(errors, Ordering::Relaxed);
    }

    /// Leaves the thread's last times behind.
    pub(crate) fn set_final_time(&self, time: ThreadTime) {
        self.final_ran_ns.store(time.ran_ns, Ordering::Relaxed);
        self.final_waited_ns.store(time.waited_ns, Ordering::Relaxed);
    }

    /// Replies since the worker's start.
    pub(crate) fn replies(&self) -> u64 {
        self.replies.load(Ordering::Relaxed)
    }

    /// Errors since the worker's start.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// What the worker's thread got of the CPUs so far; nothing before it has started.
    pub(crate) fn time(&self) -> ThreadTime {
        let present = match self.thread_id.load(Ordering::Relaxed) {
            0 => ThreadTime::default(),
            thread_id => procfs::own_thread_time(thread_id),
        };
        ThreadTime {
            ran_ns: present.ran_ns.max(self.final_ran_ns.load(Ordering::Relaxed)),
            waited_ns: present.waited_ns.max(self.final_waited_ns.load(Ordering::Relaxed)),
        }
    }
}

/// The shared state of a run.
#[derive(Debug)]
pub(crate) struct Board {
    phase: AtomicU8,
    /// Requests of the measuring phase still to be sent.
    budget: AtomicU64,
    /// One per worker.
    pub(crate) cells: Box<[Cell]>,
}

impl Board {
    /// A board for so many workers, which together may send `budget` measured requests.
    pub(crate) fn new(workers: usize, phase: Phase, budget: u64) -> Self {
        Self {
            phase: AtomicU8::new(phase as u8),
            budget: AtomicU64::new(budget),
            cells: (0..workers).map(|_| Cell::default()).collect(),
        }
    }

    /// The present phase.
    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::WarmUp,
            1 => Phase::Measure,
            _ => Phase::Stop,
        }
    }

    /// Moves on. Phases never go back.
    pub(crate) fn enter(&self, phase: Phase) {
        let before = self.phase.swap(phase as u8, Ordering::Relaxed);
        assert!(before <= phase as u8, "phases never go back");
    }

    /// Takes up to `wanted` requests out of the budget; what is granted must be sent.
    pub(crate) fn claim(&self, wanted: u64) -> u64 {
        let mut granted = 0;
        // An unlimited run has a budget that no run can use up; it is counted all the same.
        let taken = self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            granted = wanted.min(left);
            Some(left - granted)
        });
        assert!(taken.is_ok(), "the update never declines");
        granted
    }

    /// Replies of all workers.
    pub(crate) fn replies(&self) -> u64 {
        self.cells.iter().map(Cell::replies).sum()
    }

    /// Errors of all workers.
    pub(crate) fn errors(&self) -> u64 {
        self.cells.iter().map(Cell::errors).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_granted_to_the_last_request() {
        let board = Board::new(1, Phase::WarmUp, 10);
        assert_eq!([board.claim(4), board.claim(4), board.claim(4), board.claim(4)], [4, 4, 2, 0]);
    }

    #[test]
    fn counters_add_up_over_workers() {
        let board = Board::new(3, Phase::WarmUp, 0);
        for (index, cell) in board.cells.iter().enumerate() {
            cell.publish(10 * index as u64, 1);
        }
        assert_eq!((board.replies(), board.errors()), (30, 3));
        board.enter(Phase::Stop);
        assert_eq!(board.phase(), Phase::Stop);
    }
}
