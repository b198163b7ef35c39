//! One run of the sparse encoding: registers in a row that hold the same rank.
//!
//! ```text
//! 00nnnnnn            short run of zeros, 1 to 64
//! 01nnnnnn nnnnnnnn   long run of zeros, 1 to 16,384
//! 1vvvvvnn            run of a rank from 1 to 32, 1 to 4 registers
//! ```

/// Highest rank a run can hold.
pub(super) const RANK_MAX: u8 = 32;

/// Longest run of a rank above zero.
pub(super) const RANKED_LENGTH_MAX: usize = 4;

const SHORT_ZEROS_LENGTH_MAX: usize = 64;

const LONG_ZEROS: u8 = 0x40;
const RANKED: u8 = 0x80;

/// A run, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Rank of its registers.
    pub(super) rank: u8,
    /// How many registers, at least 1.
    pub(super) length: usize,
    /// Bytes it takes.
    pub(super) size: usize,
}

impl Run {
    /// The run that starts at `at`, or `None` at the end or where the string breaks off within it.
    #[inline]
    pub(super) fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let first = *bytes.get(at)?;
        let low = usize::from(first & 0x3f);
        if first & RANKED != 0 {
            let rank = (first >> 2 & 0x1f) + 1;
            return Some(Self { rank, length: (low & 3) + 1, size: 1 });
        }
        if first & LONG_ZEROS == 0 {
            return Some(Self { rank: 0, length: low + 1, size: 1 });
        }
        let second = usize::from(*bytes.get(at + 1)?);
        Some(Self { rank: 0, length: (low << 8 | second) + 1, size: 2 })
    }

    /// The byte of a run of `length` registers of `rank`, which is not zero.
    pub(super) fn ranked(rank: u8, length: usize) -> u8 {
        debug_assert!((1..=RANK_MAX).contains(&rank) && (1..=RANKED_LENGTH_MAX).contains(&length));
        RANKED | (rank - 1) << 2 | (length as u8 - 1)
    }

    /// The bytes of a run of `length` zeros, which is at least 1, and how many they are.
    pub(super) fn zeros(length: usize) -> ([u8; 2], usize) {
        let stored = length - 1;
        if length <= SHORT_ZEROS_LENGTH_MAX {
            ([stored as u8, 0], 1)
        } else {
            ([LONG_ZEROS | (stored >> 8) as u8, stored as u8], 2)
        }
    }
}

/// Registers the eight runs in `bytes` cover together, or `None` if one of them is a long run of
/// zeros. Works on all eight at once: this is what finding a register spends its time on.
#[inline]
pub(super) fn span_of_eight(bytes: [u8; 8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const EVEN: u64 = 0x00ff_00ff_00ff_00ff;
    let word = u64::from_le_bytes(bytes);
    let ranked = word >> 7 & ONES;
    if word >> 6 & ONES & !ranked != 0 {
        return None;
    }
    // The length less one is in the low six bits, of ranked runs in the low two.
    let lengths = word & (0x3f * ONES - 0x3c * ranked);
    let pairs = (lengths & EVEN) + (lengths >> 8 & EVEN);
    Some((pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48) as usize + 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn eight_runs_at_once_are_eight_runs(bytes: [u8; 8]) {
            let mut at = 0;
            let mut span = 0;
            let mut all_short = true;
            while let Some(run) = Run::at(&bytes, at) {
                (at, span) = (at + run.size, span + run.length);
                all_short &= run.size == 1;
            }
            let expected = (all_short && at == 8).then_some(span);
            prop_assert_eq!(span_of_eight(bytes), expected);
        }

        #[test]
        fn zeros_read_back(length in 1..=16_384_usize) {
            let (bytes, size) = Run::zeros(length);
            prop_assert_eq!(Run::at(&bytes[..size], 0), Some(Run { rank: 0, length, size }));
        }

        #[test]
        fn ranks_read_back(rank in 1..=RANK_MAX, length in 1..=RANKED_LENGTH_MAX) {
            let bytes = [Run::ranked(rank, length)];
            prop_assert_eq!(Run::at(&bytes, 0), Some(Run { rank, length, size: 1 }));
        }
    }

    #[test]
    fn a_run_that_breaks_off_is_none() {
        assert_eq!(Run::at(&[0x7f], 0), None);
        assert_eq!(Run::at(&[], 0), None);
    }
}
