//! The large form of a sorted set: a tree for order, an index for members.
//!
//! Memory for 16-byte members in random order: 47 bytes an entry, of which 33 are the member (kept
//! once), its score, its end and its fingerprint in a leaf, 10 its place in the index, and the
//! rest room to grow and the headers of nodes.

use std::ops::Range;

use super::entry::{Cut, Entry, Order};
use super::index::{HashKey, Index, LeafId};
use super::tree::{Follower, Tree};
use crate::hash::Seed;

/// Keeps the index right while the tree changes.
struct Reindexer<'a> {
    index: &'a mut Index,
    seed: Seed,
}

impl Follower for Reindexer<'_> {
    fn moved(&mut self, member: &[u8], from: LeafId, to: LeafId) {
        self.index.relocate(HashKey::of(self.seed, member), from, to);
    }

    fn removed(&mut self, member: &[u8], leaf: LeafId) {
        self.index.remove(HashKey::of(self.seed, member), leaf);
    }
}

/// Entries in order, with an index by member.
#[derive(Debug)]
pub struct Indexed {
    tree: Tree,
    index: Index,
    seed: Seed,
}

impl Indexed {
    /// A set without entries, whose members are hashed under `seed`.
    pub(super) fn new(seed: Seed) -> Self {
        Self { tree: Tree::new(), index: Index::new(), seed }
    }

    /// Number of entries. O(1).
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.tree.len()
    }

    /// Bytes on the heap, by size class. O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        self.tree.heap_bytes() + self.index.heap_bytes()
    }

    /// The leaf of a member, the place in it and the score. Expected O(1).
    #[inline]
    fn locate(&self, key: HashKey, member: &[u8]) -> Option<(LeafId, usize, f64)> {
        self.index.leaves_of(key).find_map(|id| {
            let leaf = self.tree.leaf(id);
            let place = leaf.find(key, member)?;
            Some((id, place, leaf.run().get(place).score))
        })
    }

    /// The score of a member. Expected O(1).
    #[inline]
    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        let (_, _, score) = self.locate(HashKey::of(self.seed, member), member)?;
        Some(score)
    }

    /// Number of entries before `cut`. O(log n).
    pub(super) fn count_before(&self, cut: Cut<'_>) -> usize {
        self.tree.count_before(cut)
    }

    /// Visits the entries whose ranks are in `ranks`. O(log n + entries).
    pub(super) fn visit(&self, ranks: Range<usize>, order: Order, visit: impl FnMut(Entry<'_>)) {
        self.tree.visit(ranks, order, visit);
    }

    /// Adds a member or changes its score; returns the score it had. O(log n).
    pub(super) fn insert(&mut self, entry: Entry<'_>) -> Option<f64> {
        let key = HashKey::of(self.seed, entry.member);
        let Some((id, place, old)) = self.locate(key, entry.member) else {
            self.add(entry, key);
            return None;
        };
        if old != entry.score && !self.tree.set_score_in_place(id, place, entry.score) {
            self.take(Entry { score: old, ..entry });
            self.add(entry, key);
        }
        Some(old)
    }

    /// Removes a member; returns the score it had. O(log n).
    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let score = self.score(member)?;
        self.take(Entry { score, member });
        Some(score)
    }

    fn add(&mut self, entry: Entry<'_>, key: HashKey) {
        let mut reindexer = Reindexer { index: &mut self.index, seed: self.seed };
        let leaf = self.tree.insert(entry, key, &mut reindexer);
        self.index.insert(key, leaf);
    }

    fn take(&mut self, entry: Entry<'_>) {
        let mut reindexer = Reindexer { index: &mut self.index, seed: self.seed };
        self.tree.remove(entry, &mut reindexer);
    }

    /// Removes the entries whose ranks are in `ranks`. O(log n + entries).
    pub(super) fn remove_ranks(&mut self, ranks: Range<usize>) {
        let mut reindexer = Reindexer { index: &mut self.index, seed: self.seed };
        let mut left = ranks.len();
        while left > 0 {
            let upcoming = ranks.start..ranks.start + left;
            left -= self.tree.remove_some(upcoming, &mut reindexer);
        }
    }

    /// Visits members from `cursor` on, at least `count` if there are so many; returns where to go
    /// on. A member that is there all the time is visited, whatever happens to others or to its
    /// score. O(`count`).
    pub(super) fn scan(
        &self,
        cursor: u32,
        count: usize,
        mut visit: impl FnMut(Entry<'_>),
    ) -> Option<u32> {
        let mut last = None;
        let next = self.index.scan(HashKey(cursor), count, |key, id| {
            // Two members of one hash in one leaf are both visited the first time.
            if last.replace((key, id)) == Some((key, id)) {
                return;
            }
            let leaf = self.tree.leaf(id);
            for place in leaf.candidates(key) {
                let entry = leaf.run().get(place);
                if HashKey::of(self.seed, entry.member) == key {
                    visit(entry);
                }
            }
        });
        next.map(|key| key.0)
    }

    /// Checks every invariant. O(n log n).
    #[cfg(test)]
    pub(super) fn check(&self) {
        self.tree.check();
        let mut entries = 0;
        self.visit(0..self.len(), Order::Rising, |entry| {
            assert_eq!(self.score(entry.member), Some(entry.score));
            entries += 1;
        });
        assert_eq!(entries, self.len());
        let mut scanned = 0;
        assert_eq!(self.scan(0, usize::MAX, |_| scanned += 1), None);
        assert_eq!(scanned, entries);
    }
}

impl Clone for Indexed {
    fn clone(&self) -> Self {
        let mut copy = Self { tree: self.tree.clone(), index: self.index.clone(), seed: self.seed };
        copy.tree.recount();
        copy.index.recount();
        copy
    }
}
