//! The keys a run asks for. They are drawn anew from a seed whenever they are needed, so every
//! server, and the exact cache beside it, sees the same keys in the same order, and nobody has to
//! keep millions of them.
//!
//! Keys come in rounds: a batch for each connection, asked for at once. The first third of the
//! requests fills the server until it evicts, and is not counted.

use crate::keys::distribution::{Distribution, Sampler};

/// Keys one connection asks for at once.
pub(super) const BATCH_LEN: usize = 32;

/// How many keys are asked for, and how they are drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    /// How keys are drawn.
    pub(super) distribution: Distribution,
    /// Keys there are.
    pub(super) key_count: u64,
    /// Keys asked for in all, those of the warm-up included.
    pub(super) request_count: u64,
    /// Connections that ask, with a batch in each round.
    pub(super) connections: usize,
}

/// Whether a round's hits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The server is still being filled.
    WarmUp,
    /// Its memory is full, as far as the demand can do it.
    Counted,
}

/// Keys asked for and found while that counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hits {
    /// Keys asked for.
    pub(super) requests: u64,
    /// Those that were there.
    pub(super) found: u64,
}

impl Hits {
    /// Adds what a round found.
    pub(super) fn add(&mut self, phase: Phase, requests: usize, found: usize) {
        assert!(found <= requests, "more found than asked for");
        if phase == Phase::Counted {
            self.requests += requests as u64;
            self.found += found as u64;
        }
    }

    /// Share of the keys that were there, in percent.
    pub(super) fn percent(&self) -> f64 {
        100.0 * self.found as f64 / self.requests.max(1) as f64
    }
}

/// The keys of one run, round after round.
#[derive(Debug)]
pub(super) struct Sequence {
    sampler: Sampler,
    random: fastrand::Rng,
    demand: Demand,
    drawn: u64,
}

impl Sequence {
    /// The keys that a demand and a seed lead to.
    pub(super) fn new(demand: &Demand, seed: u64) -> Self {
        Self {
            sampler: Sampler::new(demand.distribution, demand.key_count),
            random: fastrand::Rng::with_seed(seed),
            demand: *demand,
            drawn: 0,
        }
    }

    /// Replaces `keys` by those of the next round; `None` when all have been drawn. Only the last
    /// round may be shorter than a batch for each connection. O(keys of a round).
    pub(super) fn next_round(&mut self, keys: &mut Vec<u64>) -> Option<Phase> {
        let left = self.demand.request_count - self.drawn;
        if left == 0 {
            return None;
        }
        let is_warm_up = self.drawn < self.demand.request_count / 3;
        let count = left.min((self.demand.connections * BATCH_LEN) as u64);
        keys.clear();
        keys.extend((0..count).map(|_| self.sampler.draw(&mut self.random)));
        self.drawn += count;
        Some(if is_warm_up { Phase::WarmUp } else { Phase::Counted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEMAND: Demand = Demand {
        distribution: Distribution::Zipf { theta: 0.99 },
        key_count: 1000,
        request_count: 1000,
        connections: 3,
    };

    fn rounds(seed: u64) -> Vec<(Phase, Vec<u64>)> {
        let mut sequence = Sequence::new(&DEMAND, seed);
        let mut keys = Vec::new();
        let next = || sequence.next_round(&mut keys).map(|phase| (phase, keys.clone()));
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn a_seed_leads_to_the_same_keys_each_time() {
        assert_eq!(rounds(5), rounds(5));
        assert_ne!(rounds(5), rounds(6));
    }

    #[test]
    fn rounds_are_full_but_for_the_last_and_the_first_third_warms_up() {
        let rounds = rounds(7);
        let lengths: Vec<usize> = rounds.iter().map(|(_, keys)| keys.len()).collect();
        assert_eq!(lengths, [[96; 10].as_slice(), &[40]].concat());
        assert!(rounds.iter().all(|(_, keys)| keys.iter().all(|key| *key < 1000)));
        let warm = rounds.iter().take_while(|(phase, _)| *phase == Phase::WarmUp).count();
        assert_eq!(warm, 4, "rounds that begin before the 333rd request");
        assert!(rounds[warm..].iter().all(|(phase, _)| *phase == Phase::Counted));
    }

    #[test]
    fn only_what_counts_is_counted() {
        let mut hits = Hits::default();
        hits.add(Phase::WarmUp, 50, 50);
        assert_eq!(hits, Hits::default());
        hits.add(Phase::Counted, 60, 15);
        hits.add(Phase::Counted, 40, 10);
        assert_eq!((hits, hits.percent()), (Hits { requests: 100, found: 25 }, 25.0));
    }
}
