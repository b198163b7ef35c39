//! Packed sequences: small collections as one run of bytes.
//!
//! Lists, hashes, sets and sorted sets of a few dozen elements are kept like this: no pointers, no
//! allocation per element, integers in as few bytes as they need. A lookup reads all of it, which
//! up to a few KB is faster than any index.
//!
//! ```text
//! Packed   8 bytes     | pointer and size class |
//!                           |
//! Buffer               | start, end, count | free | entry | entry | entry | free |
//! entry                | head | text | total |                      see `code`
//! ```
//!
//! * Elements are addressed by [`Place`], the offset of an entry; an index costs a walk.
//! * Both ends are cheap for pushing and popping: see `buffer`.
//! * The run of entries is bit for bit the inside of a listpack, and [`Packed::listpack_bytes`] is
//!   the size of that listpack: thresholds compare that number, so conversions happen where they
//!   happen in Redis.
//!
//! What is deliberately absent: knowledge of pairs and scores (a hash is a sequence of field,
//! value, field, value), and of when a collection should become something else.
//!
//! Invariants: `count` is the number of entries; every entry was written by `code`.

mod buffer;
mod code;
mod element;
mod listpack;
mod needle;

#[cfg(test)]
mod tests;

pub(crate) use buffer::Buffer;
pub(crate) use code::{body_bytes, read_body, write_body};
pub use element::Element;
pub use listpack::{Listpack, ListpackWriter};
use needle::Needle;

use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;

/// A sequence of elements in one run of bytes.
#[derive(Clone, Default)]
pub struct Packed {
    /// The entries; the note is their number.
    buffer: Buffer,
}

/// Where an entry lies: its offset in the run. Changes to the sequence move what lies behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(usize);

impl Packed {
    /// Most elements a sequence holds.
    pub const LEN_MAX: usize = u16::MAX as usize;

    /// What a listpack has beside its entries: total, count, end mark.
    const LISTPACK_FRAME_BYTES: usize = 7;

    /// Asks the processor to load both ends.
    #[inline]
    pub(crate) fn prefetch_ends(&self) {
        self.buffer.prefetch_ends();
    }

    /// Asks the processor to load the front, for a search.
    #[inline]
    pub(crate) fn prefetch_front(&self) {
        self.buffer.prefetch_front();
    }

    /// Where the allocation lies, if there is one.
    #[inline]
    pub(crate) fn address(&self) -> Option<NonNull<u8>> {
        self.buffer.address()
    }

    /// An empty sequence. Allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of elements. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        usize::from(self.buffer.note())
    }

    /// Whether there are none. O(1).
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.buffer.note() == 0
    }

    /// Bytes the same elements take as a listpack: what size limits are about. O(1).
    #[inline]
    pub fn listpack_bytes(&self) -> usize {
        self.buffer.len() + Self::LISTPACK_FRAME_BYTES
    }

    /// Bytes on the heap, by size class. O(1).
    #[inline]
    pub fn footprint_bytes(&self) -> usize {
        self.buffer.footprint_bytes()
    }

    /// Whether `count` more elements of `bytes` bytes of text in all are sure to fit.
    pub fn has_room_for(&self, count: usize, bytes: usize) -> bool {
        const ENTRY_OVERHEAD_MAX: usize = 10;
        let present = self.buffer.len();
        self.len().saturating_add(count) <= Self::LEN_MAX
            && present.saturating_add(bytes).saturating_add(ENTRY_OVERHEAD_MAX * count)
                <= Buffer::LEN_MAX
    }

    /// Bytes `element` adds to a sequence. O(1).
    pub fn entry_bytes(element: Element<'_>) -> usize {
        code::entry_bytes(element)
    }

    /// The run of entries: a listpack without its frame.
    pub fn as_bytes(&self) -> &[u8] {
        self.buffer.as_slice()
    }
}

/// Reading.
impl Packed {
    /// The first entry. O(1).
    #[inline]
    pub fn first(&self) -> Option<Place> {
        (!self.is_empty()).then_some(Place(0))
    }

    /// The last entry. O(1).
    #[inline]
    pub fn last(&self) -> Option<Place> {
        self.previous(self.end())
    }

    /// Behind the last entry: a place to insert at, and to go back from.
    #[inline]
    pub fn end(&self) -> Place {
        Place(self.buffer.len())
    }

    /// The element at a place. O(1).
    #[inline]
    pub fn get(&self, place: Place) -> Element<'_> {
        self.read(place).0
    }

    /// The entry behind. O(1).
    #[inline]
    pub fn next(&self, place: Place) -> Option<Place> {
        let next = Place(place.0 + self.read(place).1);
        (next < self.end()).then_some(next)
    }

    /// The entry in front. O(1).
    #[inline]
    pub fn previous(&self, place: Place) -> Option<Place> {
        let before = &self.as_bytes()[..place.0];
        (!before.is_empty()).then(|| Place(place.0 - code::read_backwards(before)))
    }

    /// The entry at `index`, from whichever end is nearer; [`Packed::end`] for the number of
    /// elements. O(distance).
    ///
    /// # Panics
    /// When `index` exceeds the number of elements.
    pub fn seek(&self, index: usize) -> Place {
        let len = self.len();
        assert!(index <= len, "an index of the sequence");
        let mut place;
        if index <= len / 2 {
            place = Place(0);
            for _ in 0..index {
                place.0 += self.read(place).1;
            }
        } else {
            place = self.end();
            for _ in index..len {
                place.0 -= code::read_backwards(&self.as_bytes()[..place.0]);
            }
        }
        place
    }

    /// The elements, to be walked from both ends.
    pub fn iter(&self) -> Iter<'_> {
        Iter { rest: self.as_bytes(), count: self.len() }
    }

    /// `count` elements from `index` on. O(distance to the nearer end) to begin with.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn range(&self, index: usize, count: usize) -> Iter<'_> {
        let (start, end) = (self.seek(index), self.seek(index + count));
        Iter { rest: &self.as_bytes()[start.0..end.0], count }
    }

    /// The first entry from `place` on that equals `element`, looking at every `stride`-th.
    /// O(entries passed).
    pub fn find(&self, place: Place, element: Element<'_>, stride: usize) -> Option<Place> {
        let bytes = self.as_bytes();
        let needle = Needle::new(element);
        let mut at = place.0;
        while at < bytes.len() {
            if needle.is_at(&bytes[at..]) {
                return Some(Place(at));
            }
            for _ in 0..stride {
                at += code::entry_length(bytes.get(at..)?)?;
            }
        }
        None
    }

    #[inline]
    fn read(&self, place: Place) -> (Element<'_>, usize) {
        code::read(&self.as_bytes()[place.0..])
    }
}

/// Changing.
impl Packed {
    /// Adds an element at the end. Amortised O(its length).
    #[inline]
    pub fn push_back(&mut self, element: Element<'_>) {
        self.insert(self.end(), element);
    }

    /// Adds an element in front. Amortised O(its length).
    #[inline]
    pub fn push_front(&mut self, element: Element<'_>) {
        self.insert(Place(0), element);
    }

    /// Puts an element in front of the entry at `place`, whose place it takes. O(bytes to the
    /// nearer end).
    ///
    /// # Panics
    /// When the sequence is full: ask [`Packed::has_room_for`].
    pub fn insert(&mut self, place: Place, element: Element<'_>) {
        assert!(self.len() < Self::LEN_MAX, "room for one more element");
        let gap = self.buffer.open(place.0, code::entry_bytes(element));
        code::write(element, gap);
        self.buffer.set_note(self.buffer.note() + 1);
    }

    /// Replaces the element at `place`. O(bytes to the nearer end), O(length) if lengths agree.
    pub fn replace(&mut self, place: Place, element: Element<'_>) {
        let (old, new) = (self.read(place).1, code::entry_bytes(element));
        if new > old {
            self.buffer.open(place.0, new - old);
        } else if new < old {
            self.buffer.close(place.0..place.0 + (old - new));
        }
        code::write(element, &mut self.buffer.as_mut_slice()[place.0..place.0 + new]);
    }

    /// Removes up to `count` entries from `place` on; what followed them is at `place` then.
    /// O(`count` + bytes to the nearer end).
    pub fn remove(&mut self, place: Place, count: usize) {
        let mut end = place.0;
        let mut removed = 0;
        while removed < count && end < self.buffer.len() {
            end += self.read(Place(end)).1;
            removed += 1;
        }
        self.close(place.0..end, removed);
    }

    /// Removes `count` entries from the front. O(`count`).
    ///
    /// # Panics
    /// When there are fewer.
    pub fn remove_front(&mut self, count: usize) {
        let end = self.seek(count).0;
        self.close(0..end, count);
    }

    /// Removes `count` entries from the back. O(`count`).
    ///
    /// # Panics
    /// When there are fewer.
    pub fn remove_back(&mut self, count: usize) {
        let start = self.seek(self.len() - count).0;
        self.close(start..self.buffer.len(), count);
    }

    fn close(&mut self, range: Range<usize>, count: usize) {
        let left = self.len() - count;
        self.buffer.close(range);
        self.buffer.set_note(left as u16);
    }

    /// Takes the entries from `index` on out, as a sequence of their own. O(bytes moved).
    pub fn split_off(&mut self, index: usize) -> Packed {
        let start = self.seek(index).0;
        let mut rest = Packed::new();
        rest.buffer.extend(&self.as_bytes()[start..]);
        rest.buffer.set_note((self.len() - index) as u16);
        let len = self.buffer.len();
        self.close(start..len, rest.len());
        rest
    }

    /// Adds the entries of another sequence at the end. O(bytes added).
    ///
    /// # Panics
    /// When they do not fit.
    pub fn append(&mut self, other: &Packed) {
        let count = self.len() + other.len();
        assert!(count <= Self::LEN_MAX, "room for the other elements");
        self.buffer.extend(other.as_bytes());
        self.buffer.set_note(count as u16);
    }

    /// Gives unused memory back. O(bytes) if there is any.
    pub fn shrink_to_fit(&mut self) {
        self.buffer.shrink_to_fit();
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> Extend<Element<'a>> for Packed {
    fn extend<T: IntoIterator<Item = Element<'a>>>(&mut self, elements: T) {
        elements.into_iter().for_each(|element| self.push_back(element));
    }
}

impl<'a> FromIterator<Element<'a>> for Packed {
    fn from_iter<T: IntoIterator<Item = Element<'a>>>(elements: T) -> Self {
        let mut packed = Self::new();
        packed.extend(elements);
        packed
    }
}

impl<'a> IntoIterator for &'a Packed {
    type Item = Element<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Iterator over elements, from both ends.
#[derive(Clone)]
pub struct Iter<'a> {
    /// The entries that were not visited yet.
    rest: &'a [u8],
    count: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        self.count = self.count.checked_sub(1)?;
        let (element, length) = code::read(self.rest);
        self.rest = &self.rest[length..];
        Some(element)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl<'a> DoubleEndedIterator for Iter<'a> {
    #[inline]
    fn next_back(&mut self) -> Option<Element<'a>> {
        self.count = self.count.checked_sub(1)?;
        let start = self.rest.len() - code::read_backwards(self.rest);
        let (rest, entry) = self.rest.split_at(start);
        self.rest = rest;
        Some(code::read(entry).0)
    }
}

impl ExactSizeIterator for Iter<'_> {}
