//! Strings as rows of bits: counting, searching, combining, and integers of any width.
//!
//! ```text
//! byte          0                 1
//! bit    0 1 2 3 4 5 6 7   8 9 10 ...      bit 0 is the highest bit of byte 0
//! ```
//!
//! Pure functions on byte slices; what a key holds and what a client is told is the business of the
//! commands. Bit offsets are `usize`: a string of the largest size has fewer bits than that.
//!
//! | file | holds |
//! |---|---|
//! | `range` | the range a client names, as bits of a string |
//! | `count` | how many bits are set |
//! | `find` | the first bit of a value |
//! | `combine` | AND, OR, XOR, NOT, DIFF, DIFF1, ANDOR, ONE |
//! | `field` | integers of 1 to 64 bits at any offset |
//!
//! Everything that walks long strings does so in whole words without branches, so that the compiler
//! uses the vector registers of the machine it builds for.

mod combine;
mod count;
mod field;
mod find;
mod range;

pub use combine::{BLOCK_SIZE_MAX, Operation, combine};
pub use count::count;
pub use field::{FieldType, Overflow};
pub use find::find;
pub use range::{Unit, resolve};

/// The bit at `offset`; bits past the end are 0. O(1).
#[inline]
pub fn bit(bytes: &[u8], offset: usize) -> bool {
    bytes.get(offset / 8).is_some_and(|byte| byte & mask_of(offset) != 0)
}

/// Writes the bit at `offset` and returns what it was. O(1).
///
/// # Panics
/// When the string ends before it.
#[inline]
pub fn set_bit(bytes: &mut [u8], offset: usize, value: bool) -> bool {
    let byte = &mut bytes[offset / 8];
    let mask = mask_of(offset);
    let before = *byte & mask != 0;
    *byte = if value { *byte | mask } else { *byte & !mask };
    before
}

fn mask_of(offset: usize) -> u8 {
    0x80 >> (offset % 8)
}

/// The part of `bytes` that holds `range`, cut into a first byte, whole bytes and a last byte. Bits
/// of the first and last byte that are outside the range have been replaced by those of `outside`.
struct Cut<'a> {
    first: Option<u8>,
    whole: &'a [u8],
    last: Option<u8>,
}

impl<'a> Cut<'a> {
    /// O(1). Panics when the range reaches past the end.
    fn new(bytes: &'a [u8], range: std::ops::Range<usize>, outside: u8) -> Self {
        let replace = |byte: u8, inside: u8| byte & inside | outside & !inside;
        let (first_byte, last_byte) = (range.start / 8, range.end / 8);
        let after_start = 0xff_u8 >> (range.start % 8);
        let before_end = !(0xff_u8 >> (range.end % 8));
        if first_byte == last_byte {
            let inside = after_start & before_end;
            let first = (inside != 0).then(|| replace(bytes[first_byte], inside));
            return Self { first, whole: &[], last: None };
        }
        let is_cut = after_start != 0xff;
        let first = is_cut.then(|| replace(bytes[first_byte], after_start));
        let last = (before_end != 0).then(|| replace(bytes[last_byte], before_end));
        Self { first, whole: &bytes[first_byte + usize::from(is_cut)..last_byte], last }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_zero_is_the_highest_of_the_first_byte() {
        let mut bytes = [0x80, 0x01];
        let set: Vec<usize> = (0..20).filter(|&offset| bit(&bytes, offset)).collect();
        assert_eq!(set, [0, 15]);
        assert!(set_bit(&mut bytes, 15, false));
        assert!(!set_bit(&mut bytes, 9, true));
        assert_eq!(bytes, [0x80, 0x40]);
    }

    #[test]
    fn a_cut_keeps_what_is_inside() {
        let bytes = [0xff; 4];
        let cut = Cut::new(&bytes, 3..29, 0);
        assert_eq!((cut.first, cut.whole.len(), cut.last), (Some(0x1f), 2, Some(0xf8)));
        let cut = Cut::new(&bytes, 8..32, 0);
        assert_eq!((cut.first, cut.whole.len(), cut.last), (None, 3, None));
        let cut = Cut::new(&bytes, 10..13, 0);
        assert_eq!((cut.first, cut.whole.len(), cut.last), (Some(0x38), 0, None));
        let cut = Cut::new(&bytes, 32..32, 0);
        assert_eq!((cut.first, cut.whole.len(), cut.last), (None, 0, None));
    }
}
