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

/// Runs in a row that are passed in one step: what finding a register spends its time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stride {
    /// Registers they cover together.
    pub(super) length: usize,
    /// Bytes they take.
    pub(super) size: usize,
    /// Registers the last of them covers.
    pub(super) last_length: usize,
    /// Bytes the last of them takes.
    pub(super) last_size: usize,
}

impl Stride {
    /// The runs at the start of `bytes` up to the first long run of zeros, that one too unless it
    /// breaks off; all eight if there is none. Works on all bytes at once.
    #[inline]
    pub(super) fn of(bytes: [u8; 8]) -> Self {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const EVEN: u64 = 0x00ff_00ff_00ff_00ff;
        let word = u64::from_le_bytes(bytes);
        let ranked = word >> 7 & ONES;
        let long = word >> 6 & ONES & !ranked;
        // The length less one is in the low six bits, of ranked runs in the low two.
        let lengths = word & (0x3f * ONES - 0x3c * ranked);
        let sum = |lengths: u64| {
            let pairs = (lengths & EVEN) + (lengths >> 8 & EVEN);
            (pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48) as usize
        };
        // A case of its own, since the next step need not wait to know where it starts.
        if long == 0 {
            let last_length = (lengths >> 56) as usize + 1;
            return Self { length: sum(lengths) + 8, size: 8, last_length, last_size: 1 };
        }
        let shorts = long.trailing_zeros() as usize / 8;
        let lengths = lengths & ((1 << (8 * shorts)) - 1);
        let length = sum(lengths) + shorts;
        if shorts == 7 {
            let last_length = (lengths >> 48) as usize + 1;
            return Self { length, size: 7, last_length, last_size: 1 };
        }
        let zeros = (word >> (8 * shorts)) as u16;
        let last_length = usize::from((zeros & 0x3f) << 8 | zeros >> 8) + 1;
        Self { length: length + last_length, size: shorts + 2, last_length, last_size: 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All bytes; only short runs of zeros; only zeros.
    const MASKS: [u8; 3] = [0xff, 0x3f, 0x7f];

    proptest! {
        #[test]
        fn a_stride_is_the_runs_one_by_one(
            bytes: [u8; 8],
            mask in prop::sample::select(&MASKS[..]),
        ) {
            let bytes = bytes.map(|byte| byte & mask);
            let stride = Stride::of(bytes);
            let (mut at, mut length, mut last) = (0, 0, None);
            while let Some(run) = Run::at(&bytes, at) {
                (at, length, last) = (at + run.size, length + run.length, Some(run));
                if run.size == 2 {
                    break;
                }
            }
            let last = last.expect("a run of two bytes fits into eight");
            prop_assert_eq!((stride.size, stride.length), (at, length));
            prop_assert_eq!((stride.last_size, stride.last_length), (last.size, last.length));
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
