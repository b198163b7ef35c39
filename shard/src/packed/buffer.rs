//! Bytes that grow at either end and in between, in one allocation of a whole size class.
//!
//! ```text
//! bytes:  | free | content             | free |
//!         0      start               end      a size class
//! ```
//!
//! Free bytes in front make taking from the front as cheap as taking from the back: a list used as
//! a queue moves nothing. Everything else a collection needs to know beside its bytes has to fit
//! into the 24 bytes of this struct, hence the narrow fields and the owner's `note`, which lies
//! in what would be padding.
//!
//! Classes lie 12 to 25 % apart, so growth by one class copies each byte about six times in all;
//! in return no more than a fifth of an allocation is ever free after growth.

use std::ops::Range;

use crate::table::{prefetch, size_class};

/// Most free bytes in front; `start` has 16 bits.
const START_MAX: usize = u16::MAX as usize;

/// Below this size moving the content within its allocation costs next to nothing.
const CHEAP_TO_MOVE_BYTES: usize = 512;

/// A cache line.
const LINE_BYTES: usize = 64;

/// How much of the front is asked for ahead of time.
const PREFETCH_BYTES: usize = 4 * LINE_BYTES;

/// A byte string that changes its length cheaply.
#[derive(Clone, Default)]
pub(crate) struct Buffer {
    bytes: Box<[u8]>,
    end: u32,
    start: u16,
    /// Whatever the owner keeps with the bytes.
    pub(crate) note: u16,
}

const _: () = assert!(size_of::<Buffer>() == 24);

impl Buffer {
    /// Most bytes a buffer holds.
    pub(crate) const LEN_MAX: usize = 1 << 30;

    /// Number of bytes. O(1).
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.end as usize - usize::from(self.start)
    }

    /// The content.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[usize::from(self.start)..self.end as usize]
    }

    /// The content, for change in place.
    #[inline]
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes[usize::from(self.start)..self.end as usize]
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
        self.bytes.len()
    }

    /// Makes room for `added` bytes at offset `at` and returns it; what it holds is undefined.
    /// Moves the shorter side where there is room for that; amortised O(`added`) at both ends.
    ///
    /// # Panics
    /// When the buffer would pass [`Buffer::LEN_MAX`].
    pub(crate) fn open(&mut self, at: usize, added: usize) -> &mut [u8] {
        let (start, end, len) = (usize::from(self.start), self.end as usize, self.len());
        assert!(at <= len && added <= Self::LEN_MAX - len, "a gap within the limits");
        let goes_down = at < len - at;
        if goes_down && start >= added {
            self.bytes.copy_within(start..start + at, start - added);
            self.start -= added as u16;
        } else if end + added <= self.bytes.len() && (at > 0 || len == 0) {
            self.bytes.copy_within(start + at..end, start + at + added);
            self.end += added as u32;
        } else {
            self.make_room(added, goes_down);
            return self.open_anew(at, added, goes_down);
        }
        let gap = usize::from(self.start) + at;
        &mut self.bytes[gap..gap + added]
    }

    /// Opens a gap where the side that gives way has the room.
    fn open_anew(&mut self, at: usize, added: usize, goes_down: bool) -> &mut [u8] {
        let (start, end) = (usize::from(self.start), self.end as usize);
        if goes_down && start >= added {
            self.bytes.copy_within(start..start + at, start - added);
            self.start -= added as u16;
        } else {
            self.bytes.copy_within(start + at..end, start + at + added);
            self.end += added as u32;
        }
        let gap = usize::from(self.start) + at;
        &mut self.bytes[gap..gap + added]
    }

    /// Puts free space for `added` bytes and some more on one side of the content.
    fn make_room(&mut self, added: usize, in_front: bool) {
        let (len, present) = (self.len(), self.bytes.len());
        let left_over = present.checked_sub(len + added);
        let stays = left_over
            .is_some_and(|left_over| present <= CHEAP_TO_MOVE_BYTES || left_over >= present / 8);
        let capacity = if stays { present } else { size_class((len + added).max(present + 1)) };
        let free = capacity - len;
        // A buffer that is moved within its allocation may be growing at both ends.
        let in_front_bytes = match (in_front, stays) {
            (false, _) => 0,
            (true, true) => added + (free - added) / 2,
            (true, false) => free,
        };
        self.move_to(capacity, in_front_bytes.min(START_MAX));
    }

    /// Places the content at `new_start` of an allocation of `capacity` bytes.
    fn move_to(&mut self, capacity: usize, new_start: usize) {
        let (old, len) = (usize::from(self.start)..self.end as usize, self.len());
        if capacity == self.bytes.len() {
            self.bytes.copy_within(old, new_start);
        } else {
            let mut bytes = vec![0; capacity].into_boxed_slice();
            bytes[new_start..new_start + len].copy_from_slice(&self.bytes[old]);
            self.bytes = bytes;
        }
        self.start = new_start as u16;
        self.end = (new_start + len) as u32;
    }

    /// Appends bytes. Amortised O(length).
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.open(self.len(), bytes.len()).copy_from_slice(bytes);
    }

    /// Removes a range of bytes and closes the gap by moving the shorter side. Amortised
    /// O(1) at both ends.
    pub(crate) fn close(&mut self, range: Range<usize>) {
        let (start, end, len) = (usize::from(self.start), self.end as usize, self.len());
        let Range { start: from, end: to } = range;
        assert!(from <= to && to <= len, "a range of the content");
        if from < len - to && start + (to - from) <= START_MAX {
            self.bytes.copy_within(start..start + from, start + (to - from));
            self.start += (to - from) as u16;
        } else {
            self.bytes.copy_within(start + to..end, start + from);
            self.end -= (to - from) as u32;
        }
        let spare = self.bytes.len() - self.len();
        if spare > self.bytes.len() / 3 {
            self.shrink_to_fit();
        }
    }

    /// Gives back what is free but for the rest of a size class. O(length) if there is anything.
    pub(crate) fn shrink_to_fit(&mut self) {
        let capacity = size_class(self.len());
        if capacity < self.bytes.len() {
            self.move_to(capacity, 0);
        }
    }
}
