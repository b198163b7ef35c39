//! From a member to the leaf that holds it: a hash table of 32-bit hashes.
//!
//! ```text
//! segment 0        segment 2        segment 1        segment 3      in the order of hashes
//! | 00... | 00.. | 01...  |        | 10...   |      | 11... |
//!   hash    leaf
//! ```
//!
//! An entry is eight bytes: the hash of a member and the number of its leaf. The member itself lies
//! in the leaf, which is asked whether it is the one: two members in four billion share a hash.
//!
//! * **Growth** is linear hashing (Litwin 1980), so that it never pauses: with every 64 new entries
//!   one segment is divided in two. A segment holds the hashes that start with some bits, so
//!   dividing it is cutting it. Segment numbers are these bits in reverse, whence the order above:
//!   a division appends the new segment.
//! * **Lookups** guess the place in the sorted segment from the hash, which is uniform, and look
//!   left or right from there: one or two cache lines.
//! * **Scans** go by hash. A cursor is the first hash not visited yet; neither growth nor changes
//!   of scores nor moves between leaves change the hash of a member.

use super::chunked::Chunked;
use super::room;
use crate::hash::{KeyHasher, Seed};

/// Average number of entries in a segment before one is divided.
const SEGMENT_LEN: usize = 64;

/// Below this average two segments become one.
const SEGMENT_LEN_MIN: usize = SEGMENT_LEN / 4;

/// Most segments; beyond, they grow.
const SEGMENTS_MAX: usize = 1 << 26;

/// The 32 bits of a member's hash that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HashKey(pub(super) u32);

impl HashKey {
    /// The hash of a member under a seed that clients do not know.
    #[inline]
    pub(super) fn of(seed: Seed, member: &[u8]) -> Self {
        Self((seed.hash(member) >> 32) as u32)
    }

    /// The part a leaf keeps.
    #[inline]
    pub(super) fn fingerprint(self) -> u8 {
        self.0 as u8
    }
}

/// The number of a leaf.
pub(super) type LeafId = u32;

/// Hash and leaf in one number that sorts by the hash.
#[derive(Clone, Copy, Debug)]
struct Slot(u64);

impl Slot {
    fn new(key: HashKey, leaf: LeafId) -> Self {
        Self((u64::from(key.0) << 32) | u64::from(leaf))
    }

    fn key(self) -> HashKey {
        HashKey((self.0 >> 32) as u32)
    }

    fn leaf(self) -> LeafId {
        self.0 as u32
    }
}

/// Where each member is.
#[derive(Clone, Debug)]
pub(super) struct Index {
    segments: Chunked<Vec<Slot>>,
    len: usize,
    /// Bytes of the segments' entries.
    slot_bytes: usize,
}

impl Index {
    /// An index of nothing.
    pub(super) fn new() -> Self {
        let mut segments = Chunked::default();
        segments.push(Vec::new());
        Self { segments, len: 0, slot_bytes: 0 }
    }

    /// Bytes on the heap, by size class. O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        self.segments.heap_bytes() + self.slot_bytes
    }

    /// Brings the account of bytes up to date after a copy, whose vectors are tighter.
    pub(super) fn recount(&mut self) {
        self.slot_bytes = self.segments.iter().map(room::heap_bytes).sum();
    }

    /// The segment of a hash.
    #[inline]
    fn segment_of(&self, key: HashKey) -> usize {
        let count = self.segments.len();
        let mask = count.next_power_of_two() - 1;
        let number = key.0.reverse_bits() as usize & mask;
        if number < count { number } else { number & (mask >> 1) }
    }

    /// How many leading bits the hashes of a segment share.
    fn depth_of(&self, segment: usize) -> u32 {
        let depth = self.segments.len().ilog2();
        let is_divided = segment >= 1 << depth || segment + (1 << depth) < self.segments.len();
        depth + u32::from(is_divided)
    }

    /// The number of entries of a segment below `key`, which belongs to it. Expected O(1).
    #[inline]
    fn position(&self, segment: usize, key: HashKey) -> usize {
        let slots = self.segments.get(segment);
        let within = u64::from(key.0 << self.depth_of(segment).min(31));
        let mut place = ((within * slots.len() as u64) >> 32) as usize;
        while place < slots.len() && slots[place].key() < key {
            place += 1;
        }
        while place > 0 && slots[place - 1].key() >= key {
            place -= 1;
        }
        place
    }

    /// The leaves that hold members of this hash: nearly always none or one. Expected O(1).
    #[inline]
    pub(super) fn leaves_of(&self, key: HashKey) -> impl Iterator<Item = LeafId> {
        let segment = self.segment_of(key);
        let position = self.position(segment, key);
        let slots = &self.segments.get(segment)[position..];
        slots.iter().take_while(move |slot| slot.key() == key).map(|slot| slot.leaf())
    }

    /// Adds a member. Expected O(1).
    pub(super) fn insert(&mut self, key: HashKey, leaf: LeafId) {
        let segment = self.segment_of(key);
        let position = self.position(segment, key);
        self.change(segment, |slots| {
            room::reserve(slots, 1);
            slots.insert(position, Slot::new(key, leaf));
        });
        self.len += 1;
        if self.len > self.segments.len() * SEGMENT_LEN && self.segments.len() < SEGMENTS_MAX {
            self.divide();
        }
    }

    /// Removes a member. Expected O(1).
    ///
    /// # Panics
    /// When it is not in the index.
    pub(super) fn remove(&mut self, key: HashKey, leaf: LeafId) {
        let (segment, position) = self.slot_of(key, leaf);
        self.change(segment, |slots| {
            slots.remove(position);
            room::trim(slots);
        });
        self.len -= 1;
        if self.segments.len() > 1 && self.len < self.segments.len() * SEGMENT_LEN_MIN {
            self.unite();
        }
    }

    /// Notes that a member is in another leaf now. Expected O(1).
    ///
    /// # Panics
    /// When it is not in the index.
    pub(super) fn relocate(&mut self, key: HashKey, from: LeafId, to: LeafId) {
        let (segment, position) = self.slot_of(key, from);
        self.segments.get_mut(segment)[position] = Slot::new(key, to);
    }

    fn slot_of(&self, key: HashKey, leaf: LeafId) -> (usize, usize) {
        let segment = self.segment_of(key);
        let position = self.position(segment, key);
        let mut slots = self.segments.get(segment)[position..].iter();
        let offset = slots
            .position(|slot| slot.key() == key && slot.leaf() == leaf)
            .expect("every member is in the index");
        (segment, position + offset)
    }

    fn change(&mut self, segment: usize, change: impl FnOnce(&mut Vec<Slot>)) {
        let slots = self.segments.get_mut(segment);
        self.slot_bytes -= room::heap_bytes(slots);
        change(slots);
        self.slot_bytes += room::heap_bytes(slots);
    }

    /// Divides the next segment in line. O(its length).
    fn divide(&mut self) {
        let fresh = self.segments.len();
        let segment = fresh - (1 << fresh.ilog2());
        let boundary = first_key(fresh);
        let mut upper = Vec::new();
        self.change(segment, |slots| {
            let cut = slots.partition_point(|slot| slot.key() < boundary);
            room::reserve(&mut upper, slots.len() - cut);
            upper.extend_from_slice(&slots[cut..]);
            slots.truncate(cut);
            room::trim(slots);
        });
        self.slot_bytes += room::heap_bytes(&upper);
        self.segments.push(upper);
    }

    /// Takes the latest division back. O(length of both segments).
    fn unite(&mut self) {
        let upper = self.segments.pop().expect("there are two segments or more");
        self.slot_bytes -= room::heap_bytes(&upper);
        let number = self.segments.len();
        self.change(number - (1 << number.ilog2()), |slots| {
            room::reserve(slots, upper.len());
            slots.extend_from_slice(&upper);
        });
    }

    /// Visits members in the order of their hashes from `start` on: at least `count` of them, if
    /// there are so many, and always all that share a hash. Returns the hash to go on from, or
    /// `None` at the end. O(`count`).
    pub(super) fn scan(
        &self,
        start: HashKey,
        count: usize,
        mut visit: impl FnMut(HashKey, LeafId),
    ) -> Option<HashKey> {
        let mut next = start;
        let mut visited = 0;
        loop {
            let segment = self.segment_of(next);
            let slots = &self.segments.get(segment)[self.position(segment, next)..];
            for (index, slot) in slots.iter().enumerate() {
                if visited >= count && (index == 0 || slots[index - 1].key() != slot.key()) {
                    return Some(slot.key());
                }
                visit(slot.key(), slot.leaf());
                visited += 1;
            }
            let width = 1_u64 << (32 - self.depth_of(segment));
            let end = u64::from(first_key(segment).0) + width;
            next = HashKey(u32::try_from(end).ok()?);
        }
    }
}

/// The lowest hash of a segment.
fn first_key(segment: usize) -> HashKey {
    HashKey((segment as u32).reverse_bits())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn key(number: u32) -> HashKey {
        HashKey::of(Seed(7), &number.to_le_bytes())
    }

    #[test]
    fn members_are_found_while_segments_divide_and_unite() {
        let mut index = Index::new();
        for number in 0..20_000 {
            index.insert(key(number), number);
        }
        assert!(index.segments.len() > 300);
        for number in 0..20_000 {
            assert!(index.leaves_of(key(number)).any(|leaf| leaf == number), "{number}");
            index.relocate(key(number), number, number + 1);
        }
        for number in 0..20_000 {
            assert_eq!(index.slot_bytes, index.segments.iter().map(room::heap_bytes).sum());
            index.remove(key(number), number + 1);
            assert!(!index.leaves_of(key(number)).any(|leaf| leaf == number + 1));
        }
        assert_eq!(index.segments.len(), 1);
    }

    #[test]
    fn a_scan_returns_what_stays_while_the_index_changes() {
        let mut index = Index::new();
        for number in 0..3000 {
            index.insert(key(number), number);
        }
        let mut seen = BTreeSet::new();
        let mut next = Some(HashKey(0));
        let mut fresh = 3000;
        while let Some(start) = next {
            next = index.scan(start, 10, |_, leaf| {
                seen.insert(leaf);
            });
            if fresh < 30_000 {
                (fresh..fresh + 300).for_each(|number| index.insert(key(number), number));
                fresh += 300;
            } else if index.len > 3000 {
                (0..300).for_each(|_| {
                    fresh -= 1;
                    index.remove(key(fresh), fresh);
                });
            }
        }
        assert!((0..3000).all(|number| seen.contains(&number)));
    }

    #[test]
    fn equal_hashes_are_kept_apart_by_their_leaves() {
        let mut index = Index::new();
        (0..200).for_each(|leaf| index.insert(HashKey(5), leaf));
        index.remove(HashKey(5), 100);
        assert_eq!(index.leaves_of(HashKey(5)).count(), 199);
        assert_eq!(index.scan(HashKey(0), 1, |_, _| {}), None);
    }
}
