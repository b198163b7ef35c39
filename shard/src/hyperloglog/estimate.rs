//! From ranks to a count: Ertl's improved raw estimator ("New cardinality estimation algorithms for
//! HyperLogLog sketches", arXiv:1702.01284, algorithm 6), which needs neither bias tables nor
//! special cases for small or large counts.
//!
//! The count is stored in the value and compared between servers, so the sums are taken in
//! the same order and precision as Redis takes them.

use super::REGISTER_COUNT;
use super::observation::RANK_MAX;

/// Ranks a register of six bits can hold.
const RANKS: usize = 64;

/// Tables filled side by side. Equal ranks often follow each other, and a counter that was just
/// written is slow to read again.
const TABLES: usize = 4;

/// 1 / (2 ln 2), the limit of the constant alpha for many registers.
const ALPHA_INFINITE: f64 = 0.721_347_520_444_481_7;

/// How many registers hold each rank.
#[derive(Clone, Debug)]
pub struct Histogram {
    tables: [[u32; RANKS]; TABLES],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { tables: [[0; RANKS]; TABLES] }
    }
}

impl Histogram {
    /// Counts a run of registers of one rank, which is below 64.
    pub fn add_run(&mut self, rank: u8, length: usize) {
        self.tables[0][usize::from(rank)] += length as u32;
    }

    /// Counts one register for each of `ranks`, which are below 64.
    pub fn add_ranks(&mut self, ranks: &[u8]) {
        let (eights, rest) = ranks.as_chunks::<8>();
        for eight in eights {
            if u64::from_le_bytes(*eight) == 0 {
                self.tables[0][0] += 8;
                continue;
            }
            for (index, rank) in eight.iter().enumerate() {
                self.tables[index % TABLES][usize::from(*rank) % RANKS] += 1;
            }
        }
        rest.iter().for_each(|rank| self.add_run(*rank, 1));
    }

    fn count_of(&self, rank: usize) -> f64 {
        f64::from(self.tables.iter().map(|table| table[rank]).sum::<u32>())
    }

    /// The estimate. Ranks no hash can offer, which a client may have written, count for nothing.
    pub fn estimate(&self) -> u64 {
        let registers = REGISTER_COUNT as f64;
        let mut sum = registers * tau((registers - self.count_of(RANK_MAX)) / registers);
        for rank in (1..RANK_MAX).rev() {
            sum = (sum + self.count_of(rank)) * 0.5;
        }
        sum += registers * sigma(self.count_of(0) / registers);
        (ALPHA_INFINITE * registers * registers / sum).round() as u64
    }
}

/// x + the sum over k of x^(2^k) 2^(k-1).
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut weight, mut sum) = (1.0, x);
    loop {
        let before = sum;
        x *= x;
        sum += x * weight;
        weight += weight;
        if sum == before {
            return sum;
        }
    }
}

/// A third of 1 - x - the sum over k of (1 - x^(2^-k))^2 2^-k.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut weight, mut sum) = (1.0, 1.0 - x);
    loop {
        let before = sum;
        x = x.sqrt();
        weight *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * weight;
        if sum == before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_was_seen_where_all_registers_are_zero() {
        let mut histogram = Histogram::default();
        histogram.add_run(0, REGISTER_COUNT);
        assert_eq!(histogram.estimate(), 0);
    }

    #[test]
    fn one_register_is_one_element() {
        let mut histogram = Histogram::default();
        histogram.add_run(0, REGISTER_COUNT - 1);
        histogram.add_run(3, 1);
        assert_eq!(histogram.estimate(), 1);
    }

    #[test]
    fn ranks_are_counted_alike_in_bulk_and_one_by_one() {
        let ranks: Vec<u8> =
            (0..1003_u32).map(|at| if at < 100 { 0 } else { (at * at % 52) as u8 }).collect();
        let (mut bulk, mut single) = (Histogram::default(), Histogram::default());
        bulk.add_ranks(&ranks);
        ranks.iter().for_each(|rank| single.add_run(*rank, 1));
        for rank in 0..RANKS {
            assert_eq!(bulk.count_of(rank), single.count_of(rank), "rank {rank}");
        }
    }
}
