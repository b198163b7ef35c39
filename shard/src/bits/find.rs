//! The first bit of a value.

use std::ops::Range;

use super::Cut;

/// Bytes looked at in one step.
const STRIDE: usize = 64;

/// Offset of the first bit in `range` that is `wanted`. O(bytes up to it).
///
/// # Panics
/// When the range reaches past the end.
pub fn find(bytes: &[u8], range: Range<usize>, wanted: bool) -> Option<usize> {
    // Bits that are not wanted, all over a byte: whatever differs from it holds the answer.
    let other = if wanted { 0x00 } else { 0xff };
    let first_byte = range.start / 8;
    let Cut { first, whole, last } = Cut::new(bytes, range, other);
    let within = |index: usize, byte: u8| index * 8 + (byte ^ other).leading_zeros() as usize;
    if let Some(first) = first.filter(|first| *first != other) {
        return Some(within(first_byte, first));
    }
    let whole_start = first_byte + usize::from(first.is_some());
    if let Some(index) = first_unlike(whole, other) {
        return Some(within(whole_start + index, whole[index]));
    }
    let last = last.filter(|last| *last != other)?;
    Some(within(whole_start + whole.len(), last))
}

/// Index of the first byte that is not `other`.
fn first_unlike(bytes: &[u8], other: u8) -> Option<usize> {
    let (strides, _) = bytes.as_chunks::<STRIDE>();
    let differs = |stride: &[u8; STRIDE]| {
        let differences = stride.iter().fold(0, |found, byte| found | (byte ^ other));
        differences != 0
    };
    let passed = strides.iter().position(differs).unwrap_or(strides.len()) * STRIDE;
    let index = bytes[passed..].iter().position(|byte| *byte != other)?;
    Some(passed + index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::{bit, set_bit};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_bit_by_bit_search_finds(
            length in 0..200_usize,
            flipped in proptest::collection::vec(any::<u16>(), 0..4),
            ends in any::<[u16; 2]>(),
            wanted: bool,
        ) {
            let bits = length * 8;
            let mut bytes = vec![if wanted { 0x00 } else { 0xff }; length];
            for offset in flipped.iter().filter_map(|at| usize::from(*at).checked_rem(bits)) {
                set_bit(&mut bytes, offset, wanted);
            }
            let mut ends = ends.map(|end| usize::from(end) % (bits + 1));
            ends.sort_unstable();
            let expected = (ends[0]..ends[1]).find(|&offset| bit(&bytes, offset) == wanted);
            prop_assert_eq!(find(&bytes, ends[0]..ends[1], wanted), expected);
        }
    }
}
