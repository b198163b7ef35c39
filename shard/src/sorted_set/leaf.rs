//! A leaf of the tree: a run, and for each entry the lowest byte of its member's hash.
//!
//! The index tells which leaf holds a member, not where in it. Looking for one byte among the some
//! forty of a leaf takes two or three instructions, and hardly ever finds a wrong entry.

use std::ops::Range;

use super::entry::{Cut, Entry};
use super::run::Run;
use super::{index::HashKey, room};

/// Most entries of a leaf.
const ENTRIES_MAX: usize = 64;

/// A leaf with more bytes of members than this is split, unless it has one entry only.
const MEMBER_BYTES_MAX: usize = 2048;

/// A leaf that uses less than a quarter of either limit is merged with a neighbour if both together
/// then use at most three quarters: a leaf just split or merged is far from both ends.
const MERGE_BELOW: usize = 4;

/// Entries of a part of the order.
#[derive(Debug, Default)]
pub(super) struct Leaf {
    run: Run,
    fingerprints: Vec<u8>,
}

impl Leaf {
    /// The entries.
    #[inline]
    pub(super) fn run(&self) -> &Run {
        &self.run
    }

    /// Bytes on the heap, by size class. O(1).
    #[inline]
    pub(super) fn heap_bytes(&self) -> usize {
        self.run.heap_bytes() + room::heap_bytes(&self.fingerprints)
    }

    /// Whether a member of `length` bytes still fits.
    #[inline]
    pub(super) fn has_room_for(&self, length: usize) -> bool {
        self.run.len() == 0
            || self.run.len() < ENTRIES_MAX
                && self.run.member_bytes().saturating_add(length) <= MEMBER_BYTES_MAX
    }

    /// Whether so little is left that it should share a leaf with a neighbour.
    pub(super) fn is_sparse(&self) -> bool {
        self.run.len() * MERGE_BELOW < ENTRIES_MAX
            && self.run.member_bytes() * MERGE_BELOW < MEMBER_BYTES_MAX
    }

    /// Whether two leaves may become one.
    pub(super) fn fits_with(&self, other: &Leaf) -> bool {
        (self.run.len() + other.run.len()) * 4 <= ENTRIES_MAX * 3
            && (self.run.member_bytes() + other.run.member_bytes()) * 4 <= MEMBER_BYTES_MAX * 3
    }

    /// Where the member with this hash is. O(entries / 32).
    #[inline]
    pub(super) fn find(&self, key: HashKey, member: &[u8]) -> Option<usize> {
        self.candidates(key).find(|&index| self.run.member(index) == member)
    }

    /// Entries that may have this hash.
    pub(super) fn candidates(&self, key: HashKey) -> impl Iterator<Item = usize> {
        memchr::memchr_iter(key.fingerprint(), &self.fingerprints)
    }

    /// Puts an entry at its place and returns that. O(entries).
    pub(super) fn insert(&mut self, entry: Entry<'_>, key: HashKey) -> usize {
        let index = self.run.count_before(Cut::Before(entry));
        self.run.insert(index, entry);
        room::reserve(&mut self.fingerprints, 1);
        self.fingerprints.insert(index, key.fingerprint());
        index
    }

    /// Changes a score if the entry then still stands between its neighbours in this leaf.
    pub(super) fn set_score_in_place(&mut self, index: usize, score: f64) -> bool {
        if index == 0 || index + 1 >= self.run.len() {
            return false;
        }
        let changed = Entry { score, member: self.run.member(index) };
        let is_in_order = self.run.get(index - 1).compare(changed).is_lt()
            && changed.compare(self.run.get(index + 1)).is_lt();
        if is_in_order {
            self.run.set_score(index, score);
        }
        is_in_order
    }

    /// Removes the entries in `range`. O(entries).
    pub(super) fn remove(&mut self, range: Range<usize>) {
        self.run.remove(range.clone());
        self.fingerprints.drain(range);
        room::trim(&mut self.fingerprints);
    }

    /// Takes the entries from `index` on out. O(entries).
    pub(super) fn split_off(&mut self, index: usize) -> Leaf {
        let mut rest = Leaf { run: self.run.split_off(index), fingerprints: Vec::new() };
        room::reserve(&mut rest.fingerprints, self.fingerprints.len() - index);
        rest.fingerprints.extend_from_slice(&self.fingerprints[index..]);
        self.fingerprints.truncate(index);
        room::trim(&mut self.fingerprints);
        rest
    }

    /// Adds the entries of the leaf behind this one. O(entries).
    pub(super) fn append(&mut self, other: &Leaf) {
        self.run.append(&other.run);
        room::reserve(&mut self.fingerprints, other.fingerprints.len());
        self.fingerprints.extend_from_slice(&other.fingerprints);
    }

    /// Where to divide a leaf that must take one more entry at `position`. Entries that come in
    /// order fill leaves to the brim: then nothing is moved.
    pub(super) fn division_for(&self, position: usize) -> usize {
        let len = self.run.len();
        if position == len { len } else { len / 2 }
    }
}

impl Clone for Leaf {
    fn clone(&self) -> Self {
        let mut copy = Leaf::default();
        copy.append(self);
        copy
    }
}
