//! When requests are sent.
//!
//! A *closed* loop sends a round of requests on each connection and waits for all its replies: it
//! finds the limit of a server, but its latencies are those of a client that politely stops
//! asking whenever the server stalls (coordinated omission). An *open* loop has a timetable. A
//! request's latency counts from its place in the timetable, whether or not it could be sent
//! then, so a stall is charged to every request that should have gone out during it.

/// How a run is paced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pacing {
    /// Rounds of `pipeline` requests per connection.
    Closed {
        /// Requests in flight on each connection.
        pipeline: u64,
    },
    /// A timetable over all connections.
    Open {
        /// Requests per second over all threads.
        rate_per_s: f64,
        /// Distances between requests.
        arrivals: Arrivals,
    },
}

/// Distances between the requests of an open loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrivals {
    /// All equal.
    Even,
    /// Exponential, as of many independent users.
    Poisson,
}

/// The timetable of one worker.
#[derive(Debug)]
pub(crate) struct Timetable {
    next_ns: f64,
    interval_ns: f64,
    arrivals: Arrivals,
}

impl Timetable {
    /// The `index`-th of `workers` interleaved timetables, starting at time 0.
    pub(crate) fn new(rate_per_s: f64, arrivals: Arrivals, index: usize, workers: usize) -> Self {
        assert!(rate_per_s > 0.0 && index < workers, "a timetable without requests");
        let interval_ns = 1e9 * workers as f64 / rate_per_s;
        let next_ns = interval_ns * index as f64 / workers as f64;
        Self { next_ns, interval_ns, arrivals }
    }

    /// When the next request is due, in nanoseconds since the start.
    pub(crate) fn due_ns(&self) -> u64 {
        self.next_ns as u64
    }

    /// Moves on to the request after that one.
    pub(crate) fn advance(&mut self, random: &mut fastrand::Rng) {
        self.next_ns += match self.arrivals {
            Arrivals::Even => self.interval_ns,
            // 1 - u lies in (0, 1], so the logarithm is finite.
            Arrivals::Poisson => -(1.0 - random.f64()).ln() * self.interval_ns,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_interleave_evenly() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut due: Vec<u64> = Vec::new();
        for index in 0..4 {
            let mut timetable = Timetable::new(1000.0, Arrivals::Even, index, 4);
            for _ in 0..3 {
                due.push(timetable.due_ns());
                timetable.advance(&mut random);
            }
        }
        due.sort_unstable();
        let expected: Vec<u64> = (0..12).map(|index| index * 1_000_000).collect();
        assert_eq!(due, expected);
    }

    #[test]
    fn poisson_keeps_the_rate() {
        let seed = 8;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut timetable = Timetable::new(10_000.0, Arrivals::Poisson, 0, 1);
        for _ in 0..100_000 {
            timetable.advance(&mut random);
        }
        let seconds = timetable.due_ns() as f64 / 1e9;
        assert!((9.8..10.2).contains(&seconds), "seed {seed}: {seconds}");
    }
}
