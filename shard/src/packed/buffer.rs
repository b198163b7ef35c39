//! Bytes that grow at either end and in between, in one allocation of a whole size class.
//!
//! ```text
//! Buffer   8 bytes    | pointer and size class |
//!                          |
//! Block               | start, end, note 8 | free | content | free |      a size class
//! ```
//!
//! Free bytes in front make taking from the front as cheap as taking from the back: a list used as
//! a queue moves nothing. Where they end, how much there is, and a number that the owner keeps with
//! the bytes lie in the head of the block, so that what points to it is one word.
//!
//! Classes lie 12 to 25 % apart, so growth by one class copies each byte about six times in all;
//! in return no more than a fifth of an allocation is ever free after growth.

use std::ops::Range;
use std::ptr::NonNull;

use crate::table::{Block, Head, prefetch, size_class};

/// Most free bytes in front; `start` has 16 bits.
const START_MAX: usize = u16::MAX as usize;

/// Below this size moving the content within its allocation costs next to nothing.
const CHEAP_TO_MOVE_BYTES: usize = 512;

/// Up to this size a sixteenth of the allocation has to be free for moving the content within it,
/// and above an eighth: what is inserted until the next move has to be worth one.
const QUICK_TO_MOVE_BYTES: usize = 8192;

/// A cache line.
const LINE_BYTES: usize = 64;

/// How much of the front is asked for ahead of time.
const PREFETCH_BYTES: usize = 4 * LINE_BYTES;

/// A byte string that changes its length cheaply.
#[derive(Clone, Default)]
pub(crate) struct Buffer {
    block: Block,
}

const _: () = assert!(size_of::<Option<Buffer>>() == 8);

impl Buffer {
    /// Most bytes a buffer holds.
    pub(crate) const LEN_MAX: usize = 1 << 30;

    /// Number of bytes. O(1).
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.span().len()
    }

    /// The number the owner keeps with the bytes; zero at first.
    #[inline]
    pub(crate) fn note(&self) -> u16 {
        self.block.head().note
    }

    /// Sets the number the owner keeps. It is lost when the last byte goes.
    ///
    /// # Panics
    /// When there are no bytes yet, and the number is not zero.
    #[inline]
    pub(crate) fn set_note(&mut self, note: u16) {
        self.block.set_head(Head { note, ..self.block.head() });
    }

    /// Where the content lies.
    #[inline]
    fn span(&self) -> Range<usize> {
        let Head { end, start, .. } = self.block.head();
        usize::from(start)..end as usize
    }

    #[inline]
    fn set_span(&mut self, start: usize, end: usize) {
        let note = self.block.head().note;
        self.block.set_head(Head { end: end as u32, start: start as u16, note });
    }

    /// The content.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.block.content()
    }

    /// The content, for change in place.
    #[inline]
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        self.block.content_mut()
    }

    /// Where the allocation lies, if there is one.
    #[inline]
    pub(crate) fn address(&self) -> Option<NonNull<u8>> {
        self.block.address()
    }

    /// Asks the processor to load both ends.
    #[inline]
    pub(crate) fn prefetch_ends(&self) {
        if let [first, .., last] = self.as_slice() {
            prefetch(first);
            prefetch(last);
        }
    }

    /// Asks the processor to load the front, for a search; it sees where that leads.
    #[inline]
    pub(crate) fn prefetch_front(&self) {
        let content = self.as_slice();
        for at in (0..content.len().min(PREFETCH_BYTES)).step_by(LINE_BYTES) {
            prefetch(&raw const content[at]);
        }
    }

    /// Bytes of the allocation, a whole size class. O(1).
    #[inline]
    pub(crate) fn footprint_bytes(&self) -> usize {
        self.block.allocated_bytes()
    }

    /// Makes room for `added` bytes at offset `at` and returns it; what it holds is undefined.
    /// Moves the shorter side where there is room for that; amortised O(`added`) at both ends.
    ///
    /// # Panics
    /// When the buffer would pass [`Buffer::LEN_MAX`].
    pub(crate) fn open(&mut self, at: usize, added: usize) -> &mut [u8] {
        let Range { start, end } = self.span();
        let len = end - start;
        assert!(at <= len && added <= Self::LEN_MAX - len, "a gap within the limits");
        let goes_down = at < len - at;
        let has_room = (goes_down && start >= added)
            || (end + added <= self.block.capacity() && (at > 0 || len == 0));
        if !has_room {
            self.make_room(added, goes_down);
        }
        self.open_gap(at, added, goes_down)
    }

    /// Opens a gap where the side that gives way has the room, or the other one.
    #[inline]
    fn open_gap(&mut self, at: usize, added: usize, goes_down: bool) -> &mut [u8] {
        let Range { mut start, mut end } = self.span();
        if goes_down && start >= added {
            self.block.bytes_mut().copy_within(start..start + at, start - added);
            start -= added;
        } else {
            self.block.bytes_mut().copy_within(start + at..end, start + at + added);
            end += added;
        }
        self.set_span(start, end);
        &mut self.block.bytes_mut()[start + at..start + at + added]
    }

    /// Puts free space for `added` bytes and some more on one side of the content.
    fn make_room(&mut self, added: usize, in_front: bool) {
        let (len, present) = (self.len(), self.block.capacity());
        let left_over = present.checked_sub(len + added);
        let left_over_min = match () {
            () if present <= CHEAP_TO_MOVE_BYTES => 0,
            () if present <= QUICK_TO_MOVE_BYTES => present / 16,
            () => present / 8,
        };
        let stays = left_over.is_some_and(|left_over| left_over >= left_over_min);
        let capacity = if stays { present } else { capacity_for((len + added).max(present + 1)) };
        let free = capacity - len;
        // A buffer that is moved within its allocation may be growing at both ends.
        let in_front_bytes = match (in_front, stays) {
            (false, _) => 0,
            (true, true) => added + (free - added) / 2,
            (true, false) => free,
        };
        self.move_to(capacity, in_front_bytes.min(START_MAX));
    }

    /// Places the content at `new_start` of an allocation with room for `capacity` bytes.
    fn move_to(&mut self, capacity: usize, new_start: usize) {
        let old = self.span();
        let end = new_start + old.len();
        if capacity == self.block.capacity() {
            self.block.bytes_mut().copy_within(old, new_start);
        } else {
            let mut block = Block::zeroed(capacity);
            block.bytes_mut()[new_start..end].copy_from_slice(&self.block.bytes()[old]);
            if capacity > 0 {
                block.set_head(Head { note: self.note(), ..Head::default() });
            }
            self.block = block;
        }
        self.set_span(new_start, end);
    }

    /// Appends bytes. Amortised O(length).
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.open(self.len(), bytes.len()).copy_from_slice(bytes);
    }

    /// Removes a range of bytes and closes the gap by moving the shorter side. Amortised
    /// O(1) at both ends.
    pub(crate) fn close(&mut self, range: Range<usize>) {
        let Range { start, end } = self.span();
        let len = end - start;
        let Range { start: from, end: to } = range;
        assert!(from <= to && to <= len, "a range of the content");
        let count = to - from;
        if from < len - to && start + count <= START_MAX {
            self.block.bytes_mut().copy_within(start..start + from, start + count);
            self.set_span(start + count, end);
        } else {
            self.block.bytes_mut().copy_within(start + to..end, start + from);
            self.set_span(start, end - count);
        }
        let capacity = self.block.capacity();
        if capacity - (len - count) > capacity / 3 {
            self.shrink_to_fit();
        }
    }

    /// Gives back what is free but for the rest of a size class. O(length) if there is anything.
    pub(crate) fn shrink_to_fit(&mut self) {
        let capacity = capacity_for(self.len());
        if capacity < self.block.capacity() {
            self.move_to(capacity, 0);
        }
    }
}

/// The room for content in the smallest class that holds `len` bytes of it.
fn capacity_for(len: usize) -> usize {
    match len {
        0 => 0,
        _ => size_class(len + Block::HEAD_BYTES) - Block::HEAD_BYTES,
    }
}
