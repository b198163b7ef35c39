//! How key numbers are drawn: uniformly, by Zipf's law, in order, or each exactly once.
//!
//! Zipf ranks come from rejection-inversion (Hoermann and Derflinger 1996): no table, no set-up
//! proportional to the key count, any exponent above zero, and fewer than 1.2 tries per draw.
//! Rank 0 is the hottest key. Ranks are not scattered over the key space: servers hash keys, so
//! neighbours in number are strangers in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::args::usage;
use crate::error::Outcome;

/// A distribution as named on the command line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Distribution {
    /// Every key alike.
    Uniform,
    /// Key of rank r with weight 1 / r^theta.
    Zipf {
        /// The exponent; 0.99 is YCSB's choice.
        theta: f64,
    },
    /// 0, 1, 2, ... over and over, shared by all connections.
    Sequential,
    /// Like sequential, but every `step`-th key once; then the connections fall silent.
    Once {
        /// Distance of neighbours: 1 visits every key, 2 every other one.
        step: u64,
    },
}

impl Distribution {
    /// Reads `uniform`, `zipf`, `zipf:THETA` or `sequential`.
    pub(crate) fn parse(text: &str) -> Outcome<Self> {
        let (name, parameter) = text.split_once(':').unwrap_or((text, ""));
        match (name, parameter) {
            ("uniform", "") => Ok(Self::Uniform),
            ("sequential", "") => Ok(Self::Sequential),
            ("zipf", "") => Ok(Self::Zipf { theta: 0.99 }),
            ("zipf", theta) => match theta.parse() {
                Ok(theta) if (0.01..=10.0).contains(&theta) => Ok(Self::Zipf { theta }),
                _ => Err(usage(format!("zipf exponent '{theta}' is not within 0.01 to 10"))),
            },
            _ => Err(usage(format!("distribution '{text}': uniform, zipf[:THETA], sequential"))),
        }
    }
}

/// A distribution over the numbers below a bound. Clones share their position.
#[derive(Clone, Debug)]
pub(crate) struct Sampler {
    count: u64,
    method: Method,
}

#[derive(Clone, Debug)]
enum Method {
    Uniform,
    Zipf(Zipf),
    Sequential { drawn: Arc<AtomicU64> },
    Once { drawn: Arc<AtomicU64>, step: u64 },
}

impl Sampler {
    /// A sampler over `0..count`.
    pub(crate) fn new(distribution: Distribution, count: u64) -> Self {
        assert!(count > 0, "a distribution over nothing");
        let method = match distribution {
            Distribution::Uniform => Method::Uniform,
            Distribution::Zipf { theta } => Method::Zipf(Zipf::new(count, theta)),
            Distribution::Sequential => Method::Sequential { drawn: Arc::default() },
            Distribution::Once { step } => Method::Once { drawn: Arc::default(), step },
        };
        Self { count, method }
    }

    /// The next number, below the count.
    pub(crate) fn draw(&self, random: &mut fastrand::Rng) -> u64 {
        match &self.method {
            Method::Uniform => random.u64(0..self.count),
            Method::Zipf(zipf) => zipf.draw(random) - 1,
            Method::Sequential { drawn } => drawn.fetch_add(1, Ordering::Relaxed) % self.count,
            Method::Once { drawn, step } => {
                drawn.fetch_add(1, Ordering::Relaxed) * step % self.count
            }
        }
    }

    /// Whether every number has been drawn once. Draws beyond that start over.
    pub(crate) fn is_exhausted(&self) -> bool {
        match &self.method {
            Method::Once { drawn, step } => drawn.load(Ordering::Relaxed) * step >= self.count,
            _ => false,
        }
    }
}

/// Zipf's law over 1..=count.
#[derive(Clone, Debug)]
struct Zipf {
    count: f64,
    theta: f64,
    integral_low: f64,
    integral_high: f64,
    /// Draws this near to their rank are accepted without computing the exact bound.
    shortcut: f64,
}

impl Zipf {
    fn new(count: u64, theta: f64) -> Self {
        let mut zipf = Self {
            count: count as f64,
            theta,
            integral_low: 0.0,
            integral_high: 0.0,
            shortcut: 0.0,
        };
        zipf.integral_low = zipf.integral(1.5) - 1.0;
        zipf.integral_high = zipf.integral(zipf.count + 0.5);
        zipf.shortcut = 2.0 - zipf.integral_inverse(zipf.integral(2.5) - zipf.weight(2.0));
        zipf
    }

    fn draw(&self, random: &mut fastrand::Rng) -> u64 {
        loop {
            let span = self.integral_low - self.integral_high;
            let area = self.integral_high + random.f64() * span;
            let exact = self.integral_inverse(area);
            let rank = (exact + 0.5).floor().clamp(1.0, self.count);
            let accepted = rank - exact <= self.shortcut
                || area >= self.integral(rank + 0.5) - self.weight(rank);
            if accepted {
                return rank as u64;
            }
        }
    }

    fn weight(&self, rank: f64) -> f64 {
        (-self.theta * rank.ln()).exp()
    }

    /// Integral of the weight from 1 to `rank`; the form holds at theta = 1 too.
    fn integral(&self, rank: f64) -> f64 {
        let log = rank.ln();
        exp_minus_one_over((1.0 - self.theta) * log) * log
    }

    fn integral_inverse(&self, area: f64) -> f64 {
        let scaled = (area * (1.0 - self.theta)).max(-1.0);
        (log_one_plus_over(scaled) * area).exp()
    }
}

/// (e^x - 1) / x, continued through 0.
fn exp_minus_one_over(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.exp_m1() / x } else { 1.0 + x * 0.5 }
}

/// ln(1 + x) / x, continued through 0.
fn log_one_plus_over(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.ln_1p() / x } else { 1.0 - x * 0.5 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u32 = 400_000;

    fn histogram(distribution: Distribution, count: u64, seed: u64) -> Vec<f64> {
        let sampler = Sampler::new(distribution, count);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut shares = vec![0.0; count as usize];
        for _ in 0..DRAWS {
            shares[sampler.draw(&mut random) as usize] += 1.0 / f64::from(DRAWS);
        }
        shares
    }

    #[test]
    fn zipf_shares_follow_the_law() {
        for (seed, theta) in [(1, 0.5), (2, 0.99), (3, 1.0), (4, 1.2), (5, 2.0)] {
            let count = 1000;
            let shares = histogram(Distribution::Zipf { theta }, count, seed);
            let total: f64 = (1..=count).map(|rank| (rank as f64).powf(-theta)).sum();
            for (index, share) in shares.iter().enumerate() {
                let expected = ((index + 1) as f64).powf(-theta) / total;
                let deviation = (expected / f64::from(DRAWS)).sqrt();
                let distance = (share - expected).abs();
                assert!(distance <= 6.0 * deviation, "seed {seed}, theta {theta}, rank {index}");
            }
        }
    }

    #[test]
    fn zipf_stays_in_range_at_the_edges() {
        let mut random = fastrand::Rng::with_seed(9);
        for count in [1, 2, 3, 10_000_000_000] {
            let sampler = Sampler::new(Distribution::Zipf { theta: 0.99 }, count);
            assert!((0..10_000).all(|_| sampler.draw(&mut random) < count), "count {count}");
        }
    }

    #[test]
    fn uniform_shares_are_alike() {
        let shares = histogram(Distribution::Uniform, 100, 6);
        assert!(shares.iter().all(|share| (share - 0.01).abs() < 0.001), "seed 6: {shares:?}");
    }

    #[test]
    fn sequential_wraps_and_once_ends() {
        let mut random = fastrand::Rng::with_seed(7);
        let sampler = Sampler::new(Distribution::Sequential, 3);
        let twin = sampler.clone();
        let drawn: Vec<u64> =
            (0..3).flat_map(|_| [sampler.draw(&mut random), twin.draw(&mut random)]).collect();
        assert_eq!(drawn, [0, 1, 2, 0, 1, 2]);
        assert!(!sampler.is_exhausted());

        let sampler = Sampler::new(Distribution::Once { step: 2 }, 5);
        let mut drawn = Vec::new();
        while !sampler.is_exhausted() {
            drawn.push(sampler.draw(&mut random));
        }
        assert_eq!(drawn, [0, 2, 4]);
    }

    #[test]
    fn names_are_read() {
        assert_eq!(Distribution::parse("uniform").expect("known"), Distribution::Uniform);
        let zipf = Distribution::parse("zipf:1.2").expect("known");
        assert_eq!(zipf, Distribution::Zipf { theta: 1.2 });
        for bad in ["zipf:x", "zipf:0", "uniform:1", "normal", ""] {
            assert!(Distribution::parse(bad).is_err(), "{bad}");
        }
    }
}
