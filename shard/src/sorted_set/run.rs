//! A run: some entries in order, in three dense arrays.
//!
//! ```text
//! scores  | 1.0 | 1.0 | 2.5 |          searched first, eight to a cache line
//! ends    |  3  |  5  |  9  |          where each member ends in `bytes`
//! bytes   | b o b z o c a r l |
//! ```
//!
//! Reading a range is reading memory forwards; nothing points anywhere. The leaves of the tree are
//! runs, and so are the separators in its branches.
//!
//! Invariants: entries rise strictly; `scores` and `ends` are equally long; the last end is the
//! length of `bytes`.

use std::ops::Range;

use super::entry::{Cut, Entry};
use super::room;

/// Sorted entries, their members packed.
#[derive(Debug, Default)]
pub(super) struct Run {
    scores: Vec<f64>,
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl Run {
    /// Number of entries. O(1).
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.scores.len()
    }

    /// Bytes of all members. O(1).
    #[inline]
    pub(super) fn member_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes on the heap, by size class. O(1).
    #[inline]
    pub(super) fn heap_bytes(&self) -> usize {
        room::heap_bytes(&self.scores)
            + room::heap_bytes(&self.ends)
            + room::heap_bytes(&self.bytes)
    }

    #[inline]
    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.ends[before] as usize)
    }

    /// Entry `index`. O(1).
    #[inline]
    pub(super) fn get(&self, index: usize) -> Entry<'_> {
        Entry { score: self.scores[index], member: self.member(index) }
    }

    /// The member of entry `index`. O(1).
    #[inline]
    pub(super) fn member(&self, index: usize) -> &[u8] {
        &self.bytes[self.start(index)..self.ends[index] as usize]
    }

    /// The entries in `range`. O(1) each.
    pub(super) fn range(&self, range: Range<usize>) -> impl DoubleEndedIterator<Item = Entry<'_>> {
        range.map(|index| self.get(index))
    }

    /// Number of entries before `cut`. O(log(entries)).
    #[inline]
    pub(super) fn count_before(&self, cut: Cut<'_>) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if cut.is_behind(self.get(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Puts an entry at `index`. O(what is behind it).
    ///
    /// # Panics
    /// When the members would pass 4 GiB, which no command that adds one can reach.
    pub(super) fn insert(&mut self, index: usize, entry: Entry<'_>) {
        let length = entry.member.len();
        let start = self.start(index);
        assert!(u32::try_from(self.bytes.len() + length).is_ok(), "a run stays below 4 GiB");
        room::reserve(&mut self.scores, 1);
        room::reserve(&mut self.ends, 1);
        room::reserve(&mut self.bytes, length);
        self.scores.insert(index, entry.score);
        self.ends.insert(index, start as u32);
        self.ends[index..].iter_mut().for_each(|end| *end += length as u32);
        let old_length = self.bytes.len();
        self.bytes.extend_from_slice(entry.member);
        self.bytes.copy_within(start..old_length, start + length);
        self.bytes[start..start + length].copy_from_slice(entry.member);
    }

    /// Replaces the score of entry `index`, which must not change the order. O(1).
    pub(super) fn set_score(&mut self, index: usize, score: f64) {
        self.scores[index] = score;
    }

    /// Removes the entries in `range`. O(what is behind them).
    pub(super) fn remove(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let (start, end) = (self.start(range.start), self.ends[range.end - 1] as usize);
        self.bytes.copy_within(end.., start);
        self.bytes.truncate(self.bytes.len() - (end - start));
        self.ends[range.end..].iter_mut().for_each(|after| *after -= (end - start) as u32);
        self.ends.drain(range.clone());
        self.scores.drain(range);
        self.trim();
    }

    /// Takes the entries from `index` on out. O(their number and bytes).
    pub(super) fn split_off(&mut self, index: usize) -> Run {
        let mut rest = Run::default();
        rest.append_part(self, index);
        let start = self.start(index);
        self.scores.truncate(index);
        self.ends.truncate(index);
        self.bytes.truncate(start);
        self.trim();
        rest
    }

    /// Adds the entries of `other`, all of which come behind those here. O(what is added).
    pub(super) fn append(&mut self, other: &Run) {
        self.append_part(other, 0);
    }

    fn append_part(&mut self, other: &Run, from: usize) {
        let start = other.start(from);
        room::reserve(&mut self.scores, other.len() - from);
        room::reserve(&mut self.ends, other.len() - from);
        room::reserve(&mut self.bytes, other.bytes.len() - start);
        let base = self.bytes.len();
        self.scores.extend_from_slice(&other.scores[from..]);
        self.ends.extend(other.ends[from..].iter().map(|end| end - start as u32 + base as u32));
        self.bytes.extend_from_slice(&other.bytes[start..]);
    }

    fn trim(&mut self) {
        room::trim(&mut self.scores);
        room::trim(&mut self.ends);
        room::trim(&mut self.bytes);
    }
}

impl Clone for Run {
    /// Copies into vectors that are as long as they need to be.
    fn clone(&self) -> Self {
        let mut copy = Run::default();
        copy.append(self);
        copy
    }
}
