//! How many bits are set.
//!
//! Long strings are counted with carry-save adders (Harley and Seal): sixteen words are first added
//! up column by column with plain AND, OR and XOR, which every vector unit has, and only one word
//! in sixteen pays for counting its bits. See Mula, Kurz, Lemire: "Faster Population Counts Using
//! AVX2 Instructions", 2016.

use std::ops::Range;

use super::Cut;

/// Words counted side by side: two vector registers of the smallest kind.
const LANES: usize = 4;

/// Words in a column of adders.
const ROWS: usize = 16;

const BLOCK_SIZE: usize = ROWS * LANES * size_of::<u64>();

type Row = [u64; LANES];

/// Number of bits set in `range`, which is within `bytes`. O(bytes).
///
/// # Panics
/// When the range reaches past the end.
pub fn count(bytes: &[u8], range: Range<usize>) -> u64 {
    let Cut { first, whole, last } = Cut::new(bytes, range, 0);
    let edges = first.map_or(0, u8::count_ones) + last.map_or(0, u8::count_ones);
    count_whole(whole) + u64::from(edges)
}

fn count_whole(bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<BLOCK_SIZE>();
    count_blocks(blocks) + count_words(rest)
}

fn count_words(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let in_words: u64 =
        words.iter().map(|word| u64::from(u64::from_le_bytes(*word).count_ones())).sum();
    in_words + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// Adds three bits in each column: what is left there, and what is carried.
#[inline(always)]
fn add(sum: &mut Row, one: Row, other: Row) -> Row {
    let mut carry = [0; LANES];
    for lane in 0..LANES {
        let half = one[lane] ^ other[lane];
        carry[lane] = one[lane] & other[lane] | sum[lane] & half;
        sum[lane] ^= half;
    }
    carry
}

#[inline(always)]
fn ones_in(row: Row) -> u64 {
    row.iter().map(|word| u64::from(word.count_ones())).sum()
}

#[inline(always)]
fn row_of(block: &[u8; BLOCK_SIZE], row: usize) -> Row {
    let words = block.as_chunks::<8>().0;
    std::array::from_fn(|lane| u64::from_le_bytes(words[row * LANES + lane]))
}

fn count_blocks(blocks: &[[u8; BLOCK_SIZE]]) -> u64 {
    // Bits of weight 1, 2, 4 and 8 that no full column of sixteen has taken yet.
    let [mut ones, mut twos, mut fours, mut eights] = [[0; LANES]; 4];
    let mut sixteens = 0;
    for block in blocks {
        let mut carry = [[0; LANES]; 2];
        for (half, carried) in carry.iter_mut().enumerate() {
            let row = |index: usize| row_of(block, half * 8 + index);
            let two = [
                add(&mut ones, row(0), row(1)),
                add(&mut ones, row(2), row(3)),
                add(&mut ones, row(4), row(5)),
                add(&mut ones, row(6), row(7)),
            ];
            let four = [add(&mut twos, two[0], two[1]), add(&mut twos, two[2], two[3])];
            *carried = add(&mut fours, four[0], four[1]);
        }
        sixteens += ones_in(add(&mut eights, carry[0], carry[1]));
    }
    16 * sixteens + 8 * ones_in(eights) + 4 * ones_in(fours) + 2 * ones_in(twos) + ones_in(ones)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::bit;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_what_a_bit_by_bit_count_finds(
            bytes in proptest::collection::vec(any::<u8>(), 0..3 * BLOCK_SIZE),
            ends in any::<[u32; 2]>(),
        ) {
            let mut ends = ends.map(|end| end as usize % (bytes.len() * 8 + 1));
            ends.sort_unstable();
            let expected = (ends[0]..ends[1]).filter(|&offset| bit(&bytes, offset)).count();
            prop_assert_eq!(count(&bytes, ends[0]..ends[1]), expected as u64);
        }
    }

    #[test]
    fn a_long_string_of_ones_is_counted_in_full() {
        let bytes = vec![0xff; 10 * BLOCK_SIZE + 13];
        assert_eq!(count(&bytes, 0..bytes.len() * 8), bytes.len() as u64 * 8);
    }
}
