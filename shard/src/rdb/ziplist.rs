//! Ziplists, the compact encoding before listpacks: read only.
//!
//! ```text
//! | total bytes | offset of the last entry | count | entry | ... | 0xff |
//!        4                  4                  2
//!
//! entry      | length of the entry before | head | body |
//! length     1 byte below 254, else 254 and 4 bytes
//!
//! head       bits, then bytes             holds
//! text       00llllll                     up to 63 bytes
//!            01llllll llllllll            up to 16,383 bytes, high bits first
//!            10...... then 4              longer, high byte first
//! number     11000000, 11010000, 11100000 2, 4, 8 bytes
//!            11110000, 11111110           3 bytes, 1 byte
//!            1111nnnn                     0 to 12, as 1 to 13
//! ```
//!
//! All numbers but lengths of text have the low byte first. A count of 65,535 says nothing.

use crate::packed::Element;

const HEADER_BYTES: usize = 10;
const END: u8 = 0xff;
const COUNT_UNKNOWN: u16 = u16::MAX;

/// The mark in front of a length in four bytes.
const LONG_LENGTH: u8 = 254;

/// A ziplist that was found to be sound.
#[derive(Clone, Copy, Debug)]
pub struct Ziplist<'a> {
    entries: &'a [u8],
    len: usize,
}

/// An entry: what it says about the one before, what it holds, and its own length.
struct Entry<'a> {
    before: usize,
    element: Element<'a>,
    length: usize,
}

impl<'a> Ziplist<'a> {
    /// Checks a whole ziplist; `None` if it is none. O(bytes).
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let (&END, entries) = rest.split_last()? else { return None };
        let total = u32::from_le_bytes(*header.first_chunk()?) as usize;
        let last = u32::from_le_bytes(*header[4..].first_chunk()?) as usize;
        let count = u16::from_le_bytes(*header[8..].first_chunk()?);
        let (mut len, mut at, mut before) = (0, 0, 0);
        while at < entries.len() {
            let entry = read(&entries[at..]).filter(|entry| entry.before == before)?;
            before = entry.length;
            at += entry.length;
            len += 1;
        }
        let is_sound = total == bytes.len()
            && (len == 0 || last == HEADER_BYTES + entries.len() - before)
            && (count == COUNT_UNKNOWN || usize::from(count) == len);
        is_sound.then_some(Self { entries, len })
    }

    /// Number of elements. O(1).
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none. O(1).
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The elements.
    pub fn iter(&self) -> impl Iterator<Item = Element<'a>> + Clone + use<'a> {
        let mut rest = self.entries;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let entry = read(rest).expect("all entries were checked");
            rest = &rest[entry.length..];
            Some(entry.element)
        })
    }
}

/// Reads the entry at the start of `bytes`; `None` if it is not whole.
fn read(bytes: &[u8]) -> Option<Entry<'_>> {
    let (before, rest) = match bytes.split_first()? {
        (&LONG_LENGTH, rest) => {
            let (length, rest) = rest.split_first_chunk()?;
            (u32::from_le_bytes(*length) as usize, rest)
        }
        (&END, _) => return None,
        (length, rest) => (usize::from(*length), rest),
    };
    let (element, rest) = read_element(rest)?;
    Some(Entry { before, element, length: bytes.len() - rest.len() })
}

/// Reads head and body; returns what follows, too.
fn read_element(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&head, rest) = bytes.split_first()?;
    let number_bytes = match head {
        0x00..=0x3f => return text(usize::from(head), rest),
        0x40..=0x7f => {
            let (low, rest) = rest.split_first()?;
            return text(usize::from(head & 0x3f) << 8 | usize::from(*low), rest);
        }
        0x80..=0xbf => {
            let (length, rest) = rest.split_first_chunk()?;
            return text(u32::from_be_bytes(*length) as usize, rest);
        }
        0xc0 => 2,
        0xd0 => 4,
        0xe0 => 8,
        0xf0 => 3,
        0xfe => 1,
        0xf1..=0xfd => return Some((Element::Int(i64::from(head & 0x0f) - 1), rest)),
        _ => return None,
    };
    let (body, rest) = rest.split_at_checked(number_bytes)?;
    Some((Element::Int(signed(body)), rest))
}

fn text(length: usize, bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (text, rest) = bytes.split_at_checked(length)?;
    Some((Element::new(text), rest))
}

fn signed(bytes: &[u8]) -> i64 {
    let number = bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let unused_bits = 64 - 8 * bytes.len();
    ((number << unused_bits) as i64) >> unused_bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Puts a frame around entries.
    fn framed(count: u16, last: usize, entries: &[u8]) -> Vec<u8> {
        let total = (HEADER_BYTES + entries.len() + 1) as u32;
        let last = (HEADER_BYTES + last) as u32;
        let numbers = [&total.to_le_bytes()[..], &last.to_le_bytes(), &count.to_le_bytes()];
        [&numbers.concat(), entries, &[END]].concat()
    }

    #[track_caller]
    fn check(head_and_body: &[u8], expected: &[u8]) {
        let bytes = framed(1, 0, &[&[0], head_and_body].concat());
        let ziplist = Ziplist::parse(&bytes).expect("it is sound");
        let texts: Vec<Vec<u8>> = ziplist.iter().map(Element::to_vec).collect();
        assert_eq!(texts, [expected]);
    }

    #[test]
    fn every_kind_of_entry_is_read() {
        check(&[0x03, b'a', b'b', b'c'], b"abc");
        check(&[&[0x40, 0x46][..], &[b'x'; 70]].concat(), &[b'x'; 70]);
        check(&[&[0x80, 0, 0, 1, 0][..], &[b'y'; 256]].concat(), &[b'y'; 256]);
        check(&[0xc0, 0x00, 0x80], b"-32768");
        check(&[0xd0, 0xff, 0xff, 0xff, 0x7f], b"2147483647");
        check(&[0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80], b"-9223372036854775808");
        check(&[0xf0, 0xff, 0xff, 0x7f], b"8388607");
        check(&[0xfe, 0x80], b"-128");
        check(&[0xf1], b"0");
        check(&[0xfd], b"12");
    }

    #[test]
    fn lengths_that_do_not_fit_together_are_refused() {
        let two = [0, 0x01, b'a', 3, 0xf2];
        let sound = framed(2, 3, &two);
        assert_eq!(Ziplist::parse(&sound).map(|ziplist| ziplist.len()), Some(2));
        assert!(Ziplist::parse(&framed(COUNT_UNKNOWN, 3, &two)).is_some());
        assert!(Ziplist::parse(&framed(3, 3, &two)).is_none());
        assert!(Ziplist::parse(&framed(2, 0, &two)).is_none());
        assert!(Ziplist::parse(&framed(2, 3, &[0, 0x01, b'a', 2, 0xf2])).is_none());
        assert!(Ziplist::parse(&framed(2, 3, &[0, 0x01, b'a', 254, 3, 0, 0, 0, 0xf2])).is_some());
        assert!(Ziplist::parse(&framed(1, 0, &[0, 0xff])).is_none());
        assert!(Ziplist::parse(&sound[1..]).is_none());
    }

    proptest! {
        #[test]
        fn any_entries_are_read_or_refused(entries: Vec<u8>, last in 0_usize..30) {
            let bytes = framed(COUNT_UNKNOWN, last, &entries);
            if let Some(ziplist) = Ziplist::parse(&bytes) {
                prop_assert_eq!(ziplist.iter().count(), ziplist.len());
            }
        }
    }
}
