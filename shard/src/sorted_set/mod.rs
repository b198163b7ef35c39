//! Sorted sets: members with scores, in order of score and member.
//!
//! | file | holds |
//! |---|---|
//! | `entry` | the order: entries, and cuts between them |
//! | `packed` | the small form, called `listpack` |
//! | `indexed` | the large form, called `skiplist`: `tree` for order, `index` for members |
//! | `leaf`, `branch`, `run`, `chunked`, `room` | what those two are made of |
//!
//! Both forms answer the same questions, all of them in ranks: a range of scores or of members is
//! two cuts, a cut is a number of entries before it, and a range of ranks can be counted, visited
//! in either direction, or removed. So `ZCOUNT` costs two descents, and `LIMIT` an addition.
//!
//! Redis keeps a skip list and a hash table, that is per entry two nodes and a string and some six
//! pointers, and follows a pointer to each entry of a range. A tree with packed leaves takes under
//! half the memory and reads ranges as fast as memory comes.
//!
//! What is deliberately absent: knowledge of commands, replies and settings; NaN.

mod branch;
mod chunked;
mod entry;
mod index;
mod indexed;
mod leaf;
mod packed;
mod room;
mod run;
mod tree;

#[cfg(test)]
mod tests;

pub use entry::{Cut, Entry, Order, compare_scores};
pub use indexed::Indexed;
pub use packed::PackedEntries;

use std::ops::Range;
use std::ptr::NonNull;

use crate::hash::Seed;

/// How large the small form may become.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most entries.
    pub entries_max: usize,
    /// Longest member, in bytes.
    pub member_bytes_max: usize,
    /// What members are hashed with in the large form; clients must not know it.
    pub seed: Seed,
}

impl Limits {
    /// Whether `entries` entries with members of up to `member_bytes` bytes may be in small form.
    pub fn allow(&self, entries: usize, member_bytes: usize) -> bool {
        entries <= self.entries_max && member_bytes <= self.member_bytes_max
    }
}

/// A sorted set.
#[derive(Clone, Debug)]
pub enum SortedSet {
    /// The small form.
    Packed(PackedEntries),
    /// The large form. A set stays in it.
    Indexed(Box<Indexed>),
}

impl Default for SortedSet {
    /// An empty set. Allocates nothing.
    fn default() -> Self {
        Self::Packed(PackedEntries::default())
    }
}

/// Runs the same expression on either form.
macro_rules! either {
    ($set:expr, $form:ident => $result:expr) => {
        match $set {
            SortedSet::Packed($form) => $result,
            SortedSet::Indexed($form) => $result,
        }
    };
}

impl SortedSet {
    /// Asks the processor to load what a command looks at behind the first block.
    #[inline]
    pub(crate) fn prefetch_content(&self) {
        match self {
            Self::Packed(entries) => entries.prefetch_front(),
            Self::Indexed(_) => {}
        }
    }

    /// The block that a look at the set leads to first, if there is one.
    #[inline]
    pub(crate) fn first_block(&self) -> Option<NonNull<u8>> {
        match self {
            Self::Packed(entries) => entries.address(),
            Self::Indexed(indexed) => Some(NonNull::from(&**indexed).cast()),
        }
    }

    /// A set of entries that come in order, in the smallest form `limits` allow. O(n).
    pub fn from_sorted<'a>(
        entries: impl ExactSizeIterator<Item = Entry<'a>> + Clone,
        limits: &Limits,
    ) -> Self {
        let longest = entries.clone().map(|entry| entry.member.len()).max().unwrap_or(0);
        let mut set = Self::default();
        if !limits.allow(entries.len(), longest) {
            set.make_indexed(limits);
        }
        for entry in entries {
            if let Self::Packed(packed) = &mut set
                && packed.has_room_for(entry.member.len())
            {
                packed.push(entry);
            } else {
                set.insert(entry, limits);
            }
        }
        set
    }

    /// Number of entries. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        either!(self, form => form.len())
    }

    /// Whether there are none. O(1).
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is in the small form, where finding a rank takes as long as visiting all. O(1).
    pub fn is_packed(&self) -> bool {
        matches!(self, Self::Packed(_))
    }

    /// What OBJECT ENCODING says.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Packed(_) => "listpack",
            Self::Indexed(_) => "skiplist",
        }
    }

    /// Bytes on the heap, by size class, beyond `size_of::<SortedSet>()`. O(1).
    pub fn footprint_bytes(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.heap_bytes(),
            Self::Indexed(indexed) => {
                crate::table::size_class(size_of::<Indexed>()) + indexed.heap_bytes()
            }
        }
    }

    /// Members and scores in order, member first, if that is how they are kept.
    pub(crate) fn as_packed(&self) -> Option<&crate::packed::Packed> {
        match self {
            Self::Packed(entries) => Some(entries.as_packed()),
            Self::Indexed(_) => None,
        }
    }

    /// The score of a member. Expected O(1).
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        either!(self, form => form.score(member))
    }

    /// Number of entries before `cut`. O(log n).
    pub fn count_before(&self, cut: Cut<'_>) -> usize {
        either!(self, form => form.count_before(cut))
    }

    /// The ranks of the entries between two cuts; empty where they are the wrong way round.
    /// O(log n).
    pub fn ranks_between(&self, low: Cut<'_>, high: Cut<'_>) -> Range<usize> {
        let start = self.count_before(low);
        start..self.count_before(high).max(start)
    }

    /// The rank and score of a member. O(log n).
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.count_before(Cut::Before(Entry { score, member })), score))
    }

    /// Visits the entries whose ranks are in `ranks`. O(log n + entries).
    ///
    /// # Panics
    /// When there are no such ranks.
    pub fn visit(&self, ranks: Range<usize>, order: Order, visit: impl FnMut(Entry<'_>)) {
        either!(self, form => form.visit(ranks, order, visit));
    }

    /// Visits all entries in order. O(n).
    pub fn visit_all(&self, visit: impl FnMut(Entry<'_>)) {
        self.visit(0..self.len(), Order::Rising, visit);
    }

    /// Adds a member or changes its score; returns the score it had. A set that outgrows `limits`
    /// takes its large form. O(log n).
    pub fn insert(&mut self, entry: Entry<'_>, limits: &Limits) -> Option<f64> {
        assert!(!entry.score.is_nan(), "a score is a number");
        if let Self::Packed(packed) = self {
            let length = entry.member.len();
            let stays = limits.allow(packed.len() + 1, length) && packed.has_room_for(length);
            if stays || packed.score(entry.member).is_some() {
                return packed.insert(entry);
            }
            self.make_indexed(limits);
        }
        either!(self, form => form.insert(entry))
    }

    /// Takes the large form, if this is the small one. O(n).
    pub fn make_indexed(&mut self, limits: &Limits) {
        if let Self::Packed(packed) = self {
            let mut indexed = Indexed::new(limits.seed);
            packed.visit(0..packed.len(), Order::Rising, |entry| {
                indexed.insert(entry);
            });
            *self = Self::Indexed(Box::new(indexed));
        }
    }

    /// Removes a member; returns the score it had. O(log n).
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        either!(self, form => form.remove(member))
    }

    /// Removes the entries whose ranks are in `ranks`. O(log n + entries).
    ///
    /// # Panics
    /// When there are no such ranks.
    pub fn remove_ranks(&mut self, ranks: Range<usize>) {
        assert!(ranks.end <= self.len(), "ranks of entries");
        if !ranks.is_empty() {
            either!(self, form => form.remove_ranks(ranks));
        }
    }

    /// Visits entries from `cursor` on, at least `count` if there are so many, 0 being the start;
    /// returns where to go on. The small form is visited whole. A member that is there from the
    /// first visit to the last is visited, whatever happens to others or to its score. O(`count`).
    pub fn scan(&self, cursor: u32, count: usize, visit: impl FnMut(Entry<'_>)) -> Option<u32> {
        match self {
            Self::Packed(packed) => {
                packed.visit(0..packed.len(), Order::Rising, visit);
                None
            }
            Self::Indexed(indexed) => indexed.scan(cursor, count, visit),
        }
    }

    /// Checks every invariant. O(n log n).
    #[cfg(test)]
    fn check(&self) {
        match self {
            Self::Packed(packed) => assert!(packed.len() <= u16::MAX as usize),
            Self::Indexed(indexed) => indexed.check(),
        }
    }
}
