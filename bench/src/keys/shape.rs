//! How a key looks on the wire, and how a prepared key is turned into another one.
//!
//! ```text
//! key:000000000123        key:{06S}0000123
//! ^^^^ prefix             ^^^^ prefix
//!     ^^^^^^^^^^^^ digits     ^^^^^ hash tag, where slots matter
//!                                  ^^^^^^^ digits
//! ```
//!
//! All keys of a run have one length, so a request can be prepared once with zeros and patched in
//! place: significant digits are written from the right, two at a time, and nothing is formatted.

use crate::args::usage;
use crate::error::Outcome;
use crate::keys::slot::Tag;

const TAG_BRACED_LEN: usize = 5;

/// One key: its number, and the tag of its slot where the run addresses slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The hash tag that decides the slot.
    pub(crate) tag: Option<Tag>,
    /// The number behind it.
    pub(crate) number: u64,
}

/// The layout all keys of a run share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyShape {
    prefix: Vec<u8>,
    is_tagged: bool,
    digit_count: usize,
}

impl KeyShape {
    /// Lays out keys of `length` bytes that can carry numbers below `number_count`.
    ///
    /// # Errors
    /// When prefix, tag and the digits of the largest number do not fit.
    pub(crate) fn new(
        prefix: &str,
        length: usize,
        is_tagged: bool,
        number_count: u64,
    ) -> Outcome<Self> {
        let fixed = prefix.len() + if is_tagged { TAG_BRACED_LEN } else { 0 };
        let needed = digits_of(number_count.saturating_sub(1));
        if length < fixed + needed {
            let tag = if is_tagged { ", a hash tag" } else { "" };
            return Err(usage(format!(
                "keys of {length} bytes cannot hold the prefix '{prefix}'{tag} and {needed} \
                 digits: raise --key-size, shorten --key-prefix or use fewer --keys"
            )));
        }
        let digit_count = length - fixed;
        Ok(Self { prefix: prefix.as_bytes().to_vec(), is_tagged, digit_count })
    }

    /// Length of every key in bytes.
    pub(crate) fn key_len(&self) -> usize {
        self.prefix.len() + if self.is_tagged { TAG_BRACED_LEN } else { 0 } + self.digit_count
    }

    /// The key with zeros (and an empty tag) to be patched later.
    pub(crate) fn blank(&self) -> Vec<u8> {
        let mut key = self.prefix.clone();
        if self.is_tagged {
            key.extend_from_slice(b"{000}");
        }
        key.resize(self.key_len(), b'0');
        key
    }

    /// Writes `key` over a blank key. O(significant digits).
    #[inline]
    pub(crate) fn patch(&self, blank: &mut [u8], key: Key) {
        if let Some(tag) = key.tag {
            debug_assert!(self.is_tagged, "a tag for keys without one");
            let start = self.prefix.len() + 1;
            blank[start..start + tag.len()].copy_from_slice(&tag);
        }
        let digits_start = blank.len() - self.digit_count;
        write_digits(&mut blank[digits_start..], key.number);
    }
}

/// Decimal digits of a number.
pub(crate) fn digits_of(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

const PAIRS: &[u8; 200] = b"\
0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

/// Writes a number right-aligned over a field that holds zeros.
#[inline]
pub(crate) fn write_digits(field: &mut [u8], mut number: u64) {
    let mut end = field.len();
    while number >= 10 {
        let pair = (number % 100) as usize * 2;
        number /= 100;
        field[end - 2..end].copy_from_slice(&PAIRS[pair..pair + 2]);
        end -= 2;
    }
    if number > 0 {
        field[end - 1] = b'0' + number as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::slot;

    #[test]
    fn digits_equal_the_formatted_number() {
        let seed = 11;
        let mut random = fastrand::Rng::with_seed(seed);
        let edges = [0, 1, 9, 10, 99, 100, 101, 110, 999, 1000, 1_000_000, 999_999_999_999];
        let drawn = (0..2000).map(|_| random.u64(..) >> random.u32(24..64));
        for number in edges.into_iter().chain(drawn.collect::<Vec<_>>()) {
            let mut field = *b"0000000000000";
            write_digits(&mut field, number);
            assert_eq!(field.as_slice(), format!("{number:013}").as_bytes(), "seed {seed}");
            assert_eq!(digits_of(number), number.to_string().len());
        }
    }

    #[test]
    fn keys_have_the_length_asked_for() {
        for (tagged, expected) in [(false, "key:000000000123"), (true, "key:{06S}0000123")] {
            let shape = KeyShape::new("key:", 16, tagged, 1000).expect("it fits");
            let mut key = shape.blank();
            let tag = tagged.then_some(*b"06S");
            shape.patch(&mut key, Key { tag, number: 123 });
            assert_eq!(String::from_utf8_lossy(&key), expected);
            assert_eq!(shape.key_len(), 16);
        }
        assert_eq!(slot::slot_of_tag(slot::tags()[77]), 77);
    }

    #[test]
    fn keys_too_short_for_their_numbers_are_refused() {
        assert!(KeyShape::new("key:", 16, true, 10_000_000).is_ok());
        assert!(KeyShape::new("key:", 16, true, 10_000_001).is_err());
        assert!(KeyShape::new("", 1, false, 10).is_ok());
        assert!(KeyShape::new("", 1, false, 11).is_err());
    }
}
