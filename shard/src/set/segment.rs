//! One segment of a hash table of members: about sixteen of them in one allocation.
//!
//! ```text
//! bytes:  | tag 0 .. tag n | length 0 .. length n | text 0 | text 1 | ... | text n |
//! ```
//!
//! A tag is eight bits of the hash that do not choose the segment; one search for a byte finds the
//! candidates. Where a text begins is the sum of the lengths before it: no offsets are stored. A
//! member costs two bytes besides its text.
//!
//! A text longer than a length byte tells stays outside, in [`LongTexts`]; the segment has its
//! number in its place.

use memchr::memchr_iter;

use crate::packed::Buffer;
use crate::table::size_class;

/// Longest text inside a segment, in bytes.
const TEXT_MAX: usize = 254;

/// The length that says: a number of a long text follows.
const LONG: u8 = 255;

/// Bytes of the number of a long text.
const NUMBER_BYTES: usize = size_of::<u32>();

/// Members whose hashes begin alike. The note of the buffer is their number.
#[derive(Clone, Default)]
pub(super) struct Segment(Buffer);

/// A member inside a segment, as it goes from one to another.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) tag: u8,
    length: u8,
    bytes: &'a [u8],
}

impl<'a> Stored<'a> {
    /// The text of the member.
    pub(super) fn text(self, long: &'a LongTexts) -> &'a [u8] {
        if self.length == LONG { long.get(number_of(self.bytes)) } else { self.bytes }
    }
}

fn number_of(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().expect("a number has four bytes"))
}

/// Bytes a text of this length byte takes.
#[inline]
fn stored_bytes(length: u8) -> usize {
    if length == LONG { NUMBER_BYTES } else { usize::from(length) }
}

impl Segment {
    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.0.note())
    }

    #[inline]
    pub(super) fn footprint_bytes(&self) -> usize {
        self.0.footprint_bytes()
    }

    /// A segment with these members. O(bytes).
    pub(super) fn of<'a>(members: impl Iterator<Item = Stored<'a>> + Clone) -> Self {
        let (mut count, mut text_bytes) = (0, 0);
        for member in members.clone() {
            (count, text_bytes) = (count + 1, text_bytes + member.bytes.len());
        }
        let mut bytes = Buffer::default();
        let place = bytes.open(0, 2 * count + text_bytes);
        let (tags, rest) = place.split_at_mut(count);
        let (lengths, mut texts) = rest.split_at_mut(count);
        for (index, member) in members.enumerate() {
            (tags[index], lengths[index]) = (member.tag, member.length);
            let (text, behind) = texts.split_at_mut(member.bytes.len());
            text.copy_from_slice(member.bytes);
            texts = behind;
        }
        bytes.set_note(u16::try_from(count).expect("a segment has few members"));
        Self(bytes)
    }

    /// Tags, lengths and texts.
    #[inline]
    fn parts(&self) -> (&[u8], &[u8], &[u8]) {
        let (tags, rest) = self.0.as_slice().split_at(self.len());
        let (lengths, texts) = rest.split_at(self.len());
        (tags, lengths, texts)
    }

    /// All members. O(members).
    pub(super) fn iter(&self) -> impl Iterator<Item = Stored<'_>> + Clone {
        let (tags, lengths, texts) = self.parts();
        let mut start = 0;
        tags.iter().zip(lengths).map(move |(&tag, &length)| {
            let bytes = &texts[start..start + stored_bytes(length)];
            start += bytes.len();
            Stored { tag, length, bytes }
        })
    }

    /// The member at `index`. O(members before it).
    pub(super) fn get(&self, index: usize) -> Stored<'_> {
        let (tags, lengths, texts) = self.parts();
        let bytes = &texts[start_of(lengths, index)..][..stored_bytes(lengths[index])];
        Stored { tag: tags[index], length: lengths[index], bytes }
    }

    /// The index of a member. O(members / 16) and O(length of the text).
    #[inline]
    pub(super) fn find(&self, tag: u8, text: &[u8], long: &LongTexts) -> Option<usize> {
        let (tags, lengths, _) = self.parts();
        let length = if text.len() > TEXT_MAX { LONG } else { text.len() as u8 };
        memchr_iter(tag, tags)
            .find(|&index| lengths[index] == length && self.get(index).text(long) == text)
    }

    /// Adds a member that is not there. O(bytes).
    pub(super) fn push(&mut self, tag: u8, text: &[u8], long: &mut LongTexts) {
        if text.len() > TEXT_MAX {
            let number = long.add(text).to_le_bytes();
            self.push_stored(Stored { tag, length: LONG, bytes: &number });
        } else {
            self.push_stored(Stored { tag, length: text.len() as u8, bytes: text });
        }
    }

    /// Adds a member from another segment. O(bytes).
    pub(super) fn push_stored(&mut self, member: Stored<'_>) {
        let (count, end) = (self.len(), self.0.len());
        assert!(count < usize::from(u16::MAX), "a segment has few members");
        self.0.open(end, 2 + member.bytes.len());
        let bytes = self.0.as_mut_slice();
        bytes.copy_within(2 * count..end, 2 * count + 2);
        bytes.copy_within(count..2 * count, count + 1);
        bytes[count] = member.tag;
        bytes[2 * count + 1] = member.length;
        bytes[end + 2..].copy_from_slice(member.bytes);
        self.0.set_note(count as u16 + 1);
    }

    /// Removes the member at `index`. O(bytes).
    pub(super) fn remove(&mut self, index: usize, long: &mut LongTexts) {
        let (count, end) = (self.len(), self.0.len());
        let (_, lengths, _) = self.parts();
        let start = 2 * count + start_of(lengths, index);
        let stop = start + stored_bytes(lengths[index]);
        if lengths[index] == LONG {
            long.remove(number_of(&self.0.as_slice()[start..stop]));
        }
        let bytes = self.0.as_mut_slice();
        bytes.copy_within(index + 1..count + index, index);
        bytes.copy_within(count + index + 1..start, count + index - 1);
        bytes.copy_within(stop..end, start - 2);
        self.0.close(end - (2 + stop - start)..end);
        self.0.set_note(count as u16 - 1);
    }
}

#[inline]
fn start_of(lengths: &[u8], index: usize) -> usize {
    lengths[..index].iter().map(|&length| stored_bytes(length)).sum()
}

/// Texts too long for a segment, by number.
#[derive(Clone, Default)]
pub(super) struct LongTexts {
    texts: Vec<Box<[u8]>>,
    /// Numbers that may be given again; their texts are empty.
    free: Vec<u32>,
    text_bytes: usize,
}

impl LongTexts {
    fn get(&self, number: u32) -> &[u8] {
        &self.texts[number as usize]
    }

    fn add(&mut self, text: &[u8]) -> u32 {
        self.text_bytes += size_class(text.len());
        if let Some(number) = self.free.pop() {
            self.texts[number as usize] = text.into();
            return number;
        }
        self.texts.push(text.into());
        u32::try_from(self.texts.len() - 1).expect("fewer long texts than memory could hold")
    }

    fn remove(&mut self, number: u32) {
        let text = std::mem::take(&mut self.texts[number as usize]);
        self.text_bytes -= size_class(text.len());
        self.free.push(number);
        if self.free.len() == self.texts.len() {
            *self = Self::default();
        }
    }

    pub(super) fn footprint_bytes(&self) -> usize {
        self.text_bytes
            + size_class(self.texts.capacity() * size_of::<Box<[u8]>>())
            + size_class(self.free.capacity() * size_of::<u32>())
    }
}
