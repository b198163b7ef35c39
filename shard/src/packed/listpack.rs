//! Listpacks: packed sequences as other programs exchange them.
//!
//! ```text
//! | total bytes | count | entry | entry | ... | 0xff |
//!        4          2      as in `code`            1        numbers low byte first
//! ```
//!
//! A count of 65,535 says that there may be any number of entries.
//!
//! Reading trusts nothing: every entry is looked at once, before any is used. Others may write what
//! is never written here, such as a number as text; equal elements would no longer have equal bytes
//! then. [`Listpack::iter`] gives elements as they should be, and [`Listpack::to_packed`] copies
//! the bytes only if they are what would be written here, entry for entry.

use super::{Element, Packed, code};

/// Bytes in front of the entries.
const HEADER_BYTES: usize = 6;

/// Behind the last entry.
const END: u8 = 0xff;

/// What the header says when the count does not fit.
const COUNT_UNKNOWN: u16 = u16::MAX;

/// A listpack that was found to be sound.
#[derive(Clone, Copy, Debug)]
pub struct Listpack<'a> {
    entries: &'a [u8],
    len: usize,
    /// Whether the entries are what would be written here for the same elements.
    is_canonical: bool,
}

impl<'a> Listpack<'a> {
    /// Checks a whole listpack; `None` if it is none. O(bytes).
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (total, rest) = bytes.split_first_chunk::<4>()?;
        let (count, rest) = rest.split_first_chunk::<2>()?;
        let (&END, entries) = rest.split_last()? else { return None };
        if u32::from_le_bytes(*total) as usize != bytes.len() {
            return None;
        }
        let (mut len, mut at, mut is_canonical) = (0, 0, true);
        while at < entries.len() {
            let entry = &entries[at..];
            let length = code::check(entry)?;
            is_canonical = is_canonical && is_as_written_here(&entry[..length]);
            len += 1;
            at += length;
        }
        let count = u16::from_le_bytes(*count);
        let is_counted = count == COUNT_UNKNOWN || usize::from(count) == len;
        is_counted.then_some(Self { entries, len, is_canonical })
    }

    /// Number of elements. O(1).
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none. O(1).
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of the whole listpack. O(1).
    pub fn bytes(&self) -> usize {
        self.entries.len() + Packed::LISTPACK_FRAME_BYTES
    }

    /// The elements.
    pub fn iter(&self) -> impl Iterator<Item = Element<'a>> + Clone + use<'a> {
        let (mut rest, is_canonical) = (self.entries, self.is_canonical);
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (element, length) = code::read(rest);
            rest = &rest[length..];
            Some(if is_canonical { element } else { normal(element) })
        })
    }

    /// The same elements as a sequence; `None` if they are more than one holds. O(bytes).
    pub fn to_packed(&self) -> Option<Packed> {
        if !Packed::new().has_room_for(self.len, self.entries.len()) {
            return None;
        }
        if !self.is_canonical {
            return Some(self.iter().collect());
        }
        let mut packed = Packed::new();
        packed.buffer.extend(self.entries);
        packed.buffer.set_note(self.len as u16);
        Some(packed)
    }
}

/// The element as it should be: text that is a number becomes one.
fn normal(element: Element<'_>) -> Element<'_> {
    match element {
        Element::Int(_) => element,
        Element::Text(text) => Element::new(text),
    }
}

fn is_as_written_here(entry: &[u8]) -> bool {
    let element = code::read(entry).0;
    normal(element) == element && code::entry_bytes(element) == entry.len()
}

impl Packed {
    /// Appends the sequence as a listpack. O(bytes).
    pub fn write_listpack(&self, target: &mut Vec<u8>) {
        let total = u32::try_from(self.listpack_bytes()).expect("a sequence stays below 4 GiB");
        target.reserve(self.listpack_bytes());
        target.extend_from_slice(&total.to_le_bytes());
        // A full sequence has just the count that means any.
        target.extend_from_slice(&(self.len() as u16).to_le_bytes());
        target.extend_from_slice(self.as_bytes());
        target.push(END);
    }
}

/// A listpack in the making, of any number of elements.
pub struct ListpackWriter {
    bytes: Vec<u8>,
    len: usize,
}

impl Default for ListpackWriter {
    fn default() -> Self {
        Self { bytes: vec![0; HEADER_BYTES], len: 0 }
    }
}

impl ListpackWriter {
    /// Adds an element. Amortised O(its length).
    pub fn push(&mut self, element: Element<'_>) {
        let start = self.bytes.len();
        self.bytes.resize(start + code::entry_bytes(element), 0);
        code::write(element, &mut self.bytes[start..]);
        self.len += 1;
    }

    /// The listpack.
    ///
    /// # Panics
    /// If it is longer than its header can tell.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.push(END);
        let total = u32::try_from(self.bytes.len()).expect("a listpack stays below 4 GiB");
        let count = u16::try_from(self.len).unwrap_or(COUNT_UNKNOWN);
        self.bytes[..4].copy_from_slice(&total.to_le_bytes());
        self.bytes[4..HEADER_BYTES].copy_from_slice(&count.to_le_bytes());
        self.bytes
    }
}

const _: () = assert!(Packed::LISTPACK_FRAME_BYTES == HEADER_BYTES + 1);
const _: () = assert!(Packed::LEN_MAX == COUNT_UNKNOWN as usize);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(listpack: &Listpack<'_>) -> Vec<Vec<u8>> {
        listpack.iter().map(Element::to_vec).collect()
    }

    fn framed(count: u16, entries: &[u8]) -> Vec<u8> {
        let total = (entries.len() + 7) as u32;
        [&total.to_le_bytes()[..], &count.to_le_bytes(), entries, &[END]].concat()
    }

    #[test]
    fn numbers_in_wasteful_forms_are_read_and_packed_anew() {
        // 5 in sixteen bits, and "7" as text.
        let bytes = framed(2, &[0xf1, 5, 0, 3, 0x81, b'7', 2]);
        let listpack = Listpack::parse(&bytes).expect("it is sound");
        let packed = listpack.to_packed().expect("it is short");
        assert_eq!(packed.as_bytes(), [5, 1, 7, 1]);
        assert_eq!(texts(&listpack), [b"5", b"7"]);
    }

    #[test]
    fn a_wrong_frame_is_refused() {
        let sound = framed(1, &[5, 1]);
        assert!(Listpack::parse(&sound).is_some());
        assert!(Listpack::parse(&framed(u16::MAX, &[5, 1])).is_some());
        assert!(Listpack::parse(&framed(2, &[5, 1])).is_none());
        assert!(Listpack::parse(&framed(1, &[5, 2])).is_none());
        assert!(Listpack::parse(&framed(1, &[0xff, 1])).is_none());
        assert!(Listpack::parse(&sound[..sound.len() - 1]).is_none());
        let mut longer = sound.clone();
        longer.push(END);
        assert!(Listpack::parse(&longer).is_none());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            elements in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..80),
                    any::<i64>().prop_map(|number| number.to_string().into_bytes()),
                    (0_usize..20_000).prop_map(|length| vec![b'x'; length]),
                ],
                0..20,
            ),
        ) {
            let packed: Packed = elements.iter().map(|text| Element::new(text)).collect();
            let mut bytes = Vec::new();
            packed.write_listpack(&mut bytes);
            prop_assert_eq!(bytes.len(), packed.listpack_bytes());
            let listpack = Listpack::parse(&bytes).expect("it was just written");
            prop_assert!(listpack.is_canonical);
            prop_assert_eq!(texts(&listpack), elements);
            let again = listpack.to_packed().expect("it is short");
            prop_assert_eq!(again.as_bytes(), packed.as_bytes());
        }

        #[test]
        fn any_entries_are_read_or_refused(entries: Vec<u8>) {
            let bytes = framed(u16::MAX, &entries);
            if let Some(listpack) = Listpack::parse(&bytes) {
                let packed = listpack.to_packed().expect("it is short");
                prop_assert_eq!(packed.iter().count(), listpack.len());
            }
        }
    }
}
