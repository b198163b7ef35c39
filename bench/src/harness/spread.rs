//! Medians, and how far the rounds lie apart.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Several readings of one figure. A median without its spread cannot tell a difference from
/// noise, so the two travel together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Summarises at least one reading. O(n log n).
    pub(crate) fn of(readings: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = readings.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (first, last) = (sorted.first(), sorted.last());
        let (min, max) = first.zip(last).expect("a spread of nothing");
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            (sorted[middle - 1] + sorted[middle]) / 2.0
        };
        Self { median, min: *min, max: *max }
    }

    /// Quotients of readings taken in the same rounds: what shakes a whole round cancels out.
    /// Nothing comes of a peer without readings, or with one of zero.
    pub(crate) fn of_ratios(ours: &[f64], theirs: &[f64]) -> Option<Self> {
        if theirs.is_empty() || theirs.contains(&0.0) {
            return None;
        }
        assert_eq!(ours.len(), theirs.len(), "ratios pair the rounds");
        Some(Self::of(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs)))
    }

    /// A ratio as it stands in a table.
    pub(crate) fn or_dash(ratio: Option<Self>) -> String {
        ratio.map_or_else(|| "-".to_owned(), |ratio| ratio.to_string())
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2}..{:.2})", self.median, self.min, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(Spread::of([4.0, 1.0]), Spread { median: 2.5, min: 1.0, max: 4.0 });
    }

    #[test]
    fn ratios_pair_rounds() {
        let spread = Spread::of_ratios(&[10.0, 40.0], &[20.0, 40.0]);
        assert_eq!(Spread::or_dash(spread), "0.75 (0.50..1.00)");
        assert_eq!(Spread::or_dash(Spread::of_ratios(&[1.0], &[0.0])), "-");
        assert_eq!(Spread::of_ratios(&[1.0], &[]), None);
    }
}
