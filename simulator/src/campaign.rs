//! Many simulations, side by side on threads.
//!
//! A simulation is the work of one thread, and nothing that could change it is shared with another:
//! so each is the same whatever runs beside it, and so are their sums. Threads take the next seed
//! as they get to it. If one fails the others end what they are at; what is told is the failure of
//! the first seed that did.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::plan::{Plan, Size};
use crate::tally::Tally;
use crate::trial::judge;

/// What is to be simulated.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// The first seed; those behind it follow.
    pub first: u64,
    /// How many simulations at most.
    pub count: u64,
    /// No simulation begins after so long.
    pub limit: Duration,
    /// How large they are.
    pub size: Size,
    /// How many run side by side.
    pub threads: usize,
}

/// What came of it.
#[derive(Default)]
pub struct Outcome {
    /// Simulations that were run.
    pub done: u64,
    /// What they have reached.
    pub tally: Tally,
    /// The first that failed, and how.
    pub failure: Option<(Plan, String)>,
}

/// What threads share.
struct Shared<'a> {
    campaign: &'a Campaign,
    begun: Instant,
    next: AtomicU64,
    has_failed: AtomicBool,
    outcome: Mutex<Outcome>,
}

impl Campaign {
    /// Runs it; `tell` hears of every simulation that is over what there is so far.
    pub fn run(&self, tell: impl Fn(&Outcome) + Sync) -> Outcome {
        let shared = Shared {
            campaign: self,
            begun: Instant::now(),
            next: AtomicU64::new(0),
            has_failed: AtomicBool::new(false),
            outcome: Mutex::default(),
        };
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| shared.work(&tell));
            }
        });
        shared.outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared<'_> {
    fn work(&self, tell: &impl Fn(&Outcome)) {
        let Campaign { first, count, limit, size, .. } = *self.campaign;
        while self.begun.elapsed() < limit && !self.has_failed.load(SeqCst) {
            let number = self.next.fetch_add(1, SeqCst);
            if number >= count {
                return;
            }
            let plan = Plan::drawn(first.wrapping_add(number), size);
            let mut tally = Tally::default();
            let judged = judge(&plan, &mut tally);
            let mut outcome = self.outcome();
            outcome.done += 1;
            outcome.tally.add(&tally);
            if let Err(error) = judged {
                self.has_failed.store(true, SeqCst);
                let place = |plan: &Plan| plan.seed.wrapping_sub(first);
                let is_first =
                    outcome.failure.as_ref().is_none_or(|(other, _)| place(&plan) < place(other));
                if is_first {
                    outcome.failure = Some((plan, error));
                }
            }
            tell(&outcome);
        }
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().expect("nobody panics with the outcome")
    }
}
