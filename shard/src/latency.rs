//! The latency monitor: which kinds of work stopped a core for how long.
//!
//! An event that takes `latency-monitor-threshold` milliseconds or more leaves a sample in the
//! series of its kind, one a second: the worst. Every core keeps its own; LATENCY puts them
//! together.
//!
//! ```text
//! command: (1700000000 s, 120 ms) (1700000003 s, 15 ms) ...   at most 160, then the oldest go
//! ```

use std::collections::{BTreeMap, VecDeque};

/// Samples of one kind of event.
pub const SAMPLES_MAX: usize = 160;

/// The kinds of events.
pub mod event {
    /// A command that may take longer than constant time.
    pub const COMMAND: &str = "command";
    /// A command that should take constant time.
    pub const FAST_COMMAND: &str = "fast-command";
    /// A round of removing expired keys.
    pub const EXPIRE_CYCLE: &str = "expire-cycle";
    /// Evicting keys before a command.
    pub const EVICTION_CYCLE: &str = "eviction-cycle";
}

/// The worst of one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When, in seconds since 1970.
    pub unix_seconds: i64,
    /// How long, in milliseconds.
    pub ms: u64,
}

/// What is known about one kind of event.
#[derive(Clone, Debug, Default)]
pub struct Series {
    samples: VecDeque<Sample>,
    /// The longest there ever was, in milliseconds.
    pub max_ms: u64,
}

impl Series {
    /// Adds a sample that is not older than the last. O(1).
    pub fn add(&mut self, sample: Sample) {
        self.max_ms = self.max_ms.max(sample.ms);
        match self.samples.back_mut() {
            Some(last) if last.unix_seconds == sample.unix_seconds => {
                last.ms = last.ms.max(sample.ms);
            }
            _ => {
                if self.samples.len() == SAMPLES_MAX {
                    self.samples.pop_front();
                }
                self.samples.push_back(sample);
            }
        }
    }

    /// The samples, the oldest first.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = Sample> + Clone {
        self.samples.iter().copied()
    }

    /// The newest sample.
    pub fn latest(&self) -> Option<Sample> {
        self.samples.back().copied()
    }

    /// Puts in what another core has seen. O(samples log samples).
    fn merge(&mut self, other: &Self) {
        let mut samples: Vec<Sample> = self.samples().chain(other.samples()).collect();
        samples.sort_by_key(|sample| sample.unix_seconds);
        let max_ms = self.max_ms.max(other.max_ms);
        *self = Self::default();
        for sample in samples {
            self.add(sample);
        }
        self.max_ms = max_ms;
    }
}

/// All kinds of events.
#[derive(Clone, Debug, Default)]
pub struct Monitor {
    series: BTreeMap<&'static str, Series>,
}

impl Monitor {
    /// Adds a sample of a kind of event.
    pub fn add(&mut self, event: &'static str, sample: Sample) {
        self.series.entry(event).or_default().add(sample);
    }

    /// The series of all kinds that were seen, by name.
    pub fn series(&self) -> impl ExactSizeIterator<Item = (&'static str, &Series)> {
        self.series.iter().map(|(event, series)| (*event, series))
    }

    /// The series of one kind.
    pub fn series_of(&self, event: &[u8]) -> Option<&Series> {
        self.series.iter().find(|(name, _)| name.as_bytes() == event).map(|(_, series)| series)
    }

    /// Forgets some kinds of events, or all if none is named; returns their names.
    pub fn reset(&mut self, events: &[Vec<u8>]) -> Vec<&'static str> {
        let is_meant = |name: &str| {
            events.is_empty() || events.iter().any(|event| event.as_slice() == name.as_bytes())
        };
        let gone: Vec<&'static str> =
            self.series.keys().copied().filter(|name| is_meant(name)).collect();
        self.series.retain(|name, _| !gone.contains(name));
        gone
    }

    /// Puts in what another core has seen.
    pub fn merge(&mut self, other: &Self) {
        for (event, series) in &other.series {
            self.series.entry(event).or_default().merge(series);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(samples: &[(i64, u64)]) -> Series {
        let mut series = Series::default();
        for &(unix_seconds, ms) in samples {
            series.add(Sample { unix_seconds, ms });
        }
        series
    }

    #[test]
    fn a_second_keeps_its_worst() {
        let mut one = series(&[(1, 10), (1, 30), (2, 5), (2, 4)]);
        let seen: Vec<_> = one.samples().map(|sample| (sample.unix_seconds, sample.ms)).collect();
        assert_eq!(seen, [(1, 30), (2, 5)]);
        one.merge(&series(&[(0, 1), (2, 9)]));
        let seen: Vec<_> = one.samples().map(|sample| (sample.unix_seconds, sample.ms)).collect();
        assert_eq!((seen, one.max_ms), (vec![(0, 1), (1, 30), (2, 9)], 30));
    }

    #[test]
    fn series_are_bounded_and_remember_the_worst() {
        let many: Vec<(i64, u64)> =
            (0..1000).map(|second| (second, 1000 - second as u64)).collect();
        let series = series(&many);
        assert_eq!((series.samples().len(), series.max_ms), (SAMPLES_MAX, 1000));
    }
}
