//! Integers of 1 to 64 bits at any offset of a string, highest bit first.
//!
//! ```text
//! bytes at offset / 8   | ....vvvv vvvvvvvv vv...... |      one window of 16 bytes, of which an
//!                           ^ offset % 8                    integer touches nine at most
//! ```
//!
//! Reading and writing go through a window of 128 bits, so both are a few shifts whatever the
//! width. Arithmetic is done in 128 bits as well: there it cannot overflow, and what
//! [`Overflow`] asks for is decided afterwards.

use crate::number::parse_integer;

/// Sign and width of an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldType {
    signed: bool,
    width_bits: u32,
}

/// What becomes of a number that does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// `WRAP`: its low bits are kept.
    #[default]
    Wrap,
    /// `SAT`: the nearest number that fits is taken.
    Saturate,
    /// `FAIL`: nothing is changed.
    Fail,
}

impl Overflow {
    /// The manner of that name, in any letter case.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        match () {
            () if name.eq_ignore_ascii_case(b"wrap") => Some(Self::Wrap),
            () if name.eq_ignore_ascii_case(b"sat") => Some(Self::Saturate),
            () if name.eq_ignore_ascii_case(b"fail") => Some(Self::Fail),
            () => None,
        }
    }
}

/// Bytes an integer touches at most: 64 bits that start within a byte.
const TOUCHED_MAX: usize = 9;

impl FieldType {
    /// Reads `i1` to `i64` or `u1` to `u63`; unsigned numbers of 64 bits do not fit in a reply.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (letter, width) = text.split_first()?;
        let (signed, width_max) = match letter {
            b'i' => (true, 64),
            b'u' => (false, 63),
            _ => return None,
        };
        let width = parse_integer(width)?;
        (1..=width_max).contains(&width).then_some(Self { signed, width_bits: width as u32 })
    }

    /// Width in bits, 1 to 64.
    pub fn width_bits(self) -> usize {
        self.width_bits as usize
    }

    /// The integer at bit `offset`; bits past the end of the string are 0. O(1).
    pub fn read(self, bytes: &[u8], offset: usize) -> i64 {
        let window = window_at(bytes, offset / 8) << (offset % 8);
        if self.signed {
            (window as i128 >> (128 - self.width_bits)) as i64
        } else {
            (window >> (128 - self.width_bits)) as i64
        }
    }

    /// Writes the low bits of `value` at bit `offset`. O(1).
    ///
    /// # Panics
    /// When the string ends before the last bit.
    pub fn write(self, bytes: &mut [u8], offset: usize, value: i64) {
        let (first, width) = (offset / 8, self.width_bits());
        let end = (offset + width).div_ceil(8);
        let lowest = 128 - offset % 8 - width;
        let mask = (u128::MAX >> (128 - width)) << lowest;
        let window = window_at(bytes, first) & !mask | (value as u128) << lowest & mask;
        bytes[first..end].copy_from_slice(&window.to_be_bytes()[..end - first]);
    }

    /// The number this type holds when `number` is stored in it, or `None` if it does not fit and
    /// must not be stored then.
    pub fn fit(self, number: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = self.bounds();
        if (min..=max).contains(&number) {
            return Some(number as i64);
        }
        match overflow {
            Overflow::Saturate => Some(number.clamp(min, max) as i64),
            Overflow::Fail => None,
            Overflow::Wrap => {
                let shift = 128 - self.width_bits;
                let kept = number << shift;
                let wrapped =
                    if self.signed { kept >> shift } else { (kept as u128 >> shift) as i128 };
                Some(wrapped as i64)
            }
        }
    }

    /// What a client's number means when it is to be stored: an unsigned type takes the 64 bits of
    /// it, so that a negative number is a very large one.
    pub fn stored(self, number: i64) -> i128 {
        if self.signed { i128::from(number) } else { i128::from(number as u64) }
    }

    fn bounds(self) -> (i128, i128) {
        let half = 1_i128 << (self.width_bits - 1);
        if self.signed { (-half, half - 1) } else { (0, 2 * half - 1) }
    }
}

/// The bytes from `first` on, highest first, zeros behind the end.
fn window_at(bytes: &[u8], first: usize) -> u128 {
    let mut window = [0; 16];
    let present = bytes.get(first..).unwrap_or_default();
    let present = &present[..present.len().min(TOUCHED_MAX)];
    window[..present.len()].copy_from_slice(present);
    u128::from_be_bytes(window)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::{bit, set_bit};
    use proptest::prelude::*;

    fn any_type() -> impl Strategy<Value = FieldType> {
        (any::<bool>(), 1..=63_u32)
            .prop_map(|(signed, width)| FieldType { signed, width_bits: width + u32::from(signed) })
    }

    proptest! {
        #[test]
        fn reads_what_a_bit_by_bit_read_finds(
            kind in any_type(),
            bytes in proptest::collection::vec(any::<u8>(), 0..24),
            offset in 0..250_usize,
        ) {
            let mut expected = if kind.signed && bit(&bytes, offset) { -1_i64 } else { 0 };
            for step in 0..kind.width_bits() {
                expected = expected << 1 | i64::from(bit(&bytes, offset + step));
            }
            prop_assert_eq!(kind.read(&bytes, offset), expected);
        }

        #[test]
        fn writes_its_bits_and_no_others(
            kind in any_type(),
            bytes in proptest::collection::vec(any::<u8>(), 30..40),
            offset in 0..170_usize,
            value: i64,
        ) {
            let mut expected = bytes.clone();
            for step in 0..kind.width_bits() {
                let place = kind.width_bits() - 1 - step;
                set_bit(&mut expected, offset + step, value >> place & 1 == 1);
            }
            let mut written = bytes;
            kind.write(&mut written, offset, value);
            prop_assert_eq!(&written, &expected);
            prop_assert_eq!(
                kind.read(&written, offset),
                kind.fit(i128::from(value), Overflow::Wrap).expect("wrapping never fails")
            );
        }

        #[test]
        fn what_fits_is_kept_and_the_rest_is_treated_as_asked(kind in any_type(), number: i64) {
            let (min, max) = kind.bounds();
            let number = i128::from(number) * 3;
            let fits = (min..=max).contains(&number);
            let kept = fits.then_some(number as i64);
            prop_assert_eq!(kind.fit(number, Overflow::Fail), kept);
            let nearest = if number < min { min } else if number > max { max } else { number };
            prop_assert_eq!(kind.fit(number, Overflow::Saturate), Some(nearest as i64));
            let wrapped = kind.fit(number, Overflow::Wrap).expect("wrapping never fails");
            prop_assert!((min..=max).contains(&i128::from(wrapped)));
            let distance = number - i128::from(wrapped);
            prop_assert_eq!(distance.rem_euclid(1 << kind.width_bits), 0);
        }
    }

    #[test]
    fn types_are_read_strictly() {
        for text in ["", "i", "u", "i0", "u0", "i65", "u64", "x8", "i+8", "i08", "I8", "u8 "] {
            assert_eq!(FieldType::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(FieldType::parse(b"i64"), Some(FieldType { signed: true, width_bits: 64 }));
        assert_eq!(FieldType::parse(b"u63"), Some(FieldType { signed: false, width_bits: 63 }));
    }

    #[test]
    fn a_negative_number_is_a_large_one_to_an_unsigned_type() {
        let kind = FieldType::parse(b"u8").expect("a type");
        assert_eq!(kind.fit(kind.stored(-1), Overflow::Saturate), Some(255));
        assert_eq!(kind.fit(kind.stored(-1), Overflow::Fail), None);
        assert_eq!(kind.fit(-1, Overflow::Saturate), Some(0));
    }
}
