//! A branch of the tree: children with the number of entries below each, and what separates them.

use super::entry::{Cut, Entry};
use super::room;
use super::run::Run;
use crate::table::size_class;

/// Most children of a branch.
const CHILDREN_MAX: usize = 64;

/// Branches with fewer children are merged with a neighbour if that has room.
const CHILDREN_MIN: usize = CHILDREN_MAX / 4;

/// An entry that divides two nodes: all on the left are below it, none on the right is.
#[derive(Clone, Debug)]
pub(super) struct Separator {
    score: f64,
    member: Vec<u8>,
}

impl Separator {
    /// The shortest separator of two neighbours.
    pub(super) fn between(left: Entry<'_>, right: Entry<'_>) -> Self {
        debug_assert!(left.compare(right).is_lt());
        if left.score < right.score {
            return Self { score: right.score, member: Vec::new() };
        }
        let pairs = left.member.iter().zip(right.member);
        let common = pairs.take_while(|(one, other)| one == other).count();
        Self { score: right.score, member: right.member[..=common].to_vec() }
    }

    fn entry(&self) -> Entry<'_> {
        Entry { score: self.score, member: &self.member }
    }
}

/// An inner node. Children are leaves or branches by their height in the tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Branch {
    separators: Run,
    counts: Vec<usize>,
    children: Vec<u32>,
}

impl Branch {
    /// A root above two nodes.
    pub(super) fn over(left: (u32, usize), right: (u32, usize), separator: &Separator) -> Self {
        let mut branch = Self::default();
        room::reserve(&mut branch.children, 2);
        room::reserve(&mut branch.counts, 2);
        branch.children.push(left.0);
        branch.counts.push(left.1 + right.1);
        branch.add_child(0, right, separator);
        branch
    }

    /// Bytes on the heap, by size class. O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        self.separators.heap_bytes()
            + room::heap_bytes(&self.counts)
            + size_class(self.children.capacity() * size_of::<u32>())
    }

    /// Number of children. O(1).
    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    /// Child `place`. O(1).
    #[inline]
    pub(super) fn child(&self, place: usize) -> u32 {
        self.children[place]
    }

    /// Replaces the number of child `place`.
    pub(super) fn set_child(&mut self, place: usize, child: u32) {
        self.children[place] = child;
    }

    /// Entries below all children. O(children).
    pub(super) fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Adds to the number of entries below child `place`.
    #[inline]
    pub(super) fn count_added(&mut self, place: usize) {
        self.counts[place] += 1;
    }

    /// Takes from the number of entries below child `place`.
    #[inline]
    pub(super) fn count_removed(&mut self, place: usize, removed: usize) {
        self.counts[place] -= removed;
    }

    /// The child that `cut` goes through. O(log(children)).
    #[inline]
    pub(super) fn place_of(&self, cut: Cut<'_>) -> usize {
        self.separators.count_before(cut)
    }

    /// Entries below the children in front of child `place`. O(children).
    #[inline]
    pub(super) fn count_in_front(&self, place: usize) -> usize {
        self.counts[..place].iter().sum()
    }

    /// The child with the entry of rank `rank` and the rank in it. O(children).
    #[inline]
    pub(super) fn place_of_rank(&self, mut rank: usize) -> (usize, usize) {
        for (place, count) in self.counts.iter().enumerate() {
            if rank < *count {
                return (place, rank);
            }
            rank -= count;
        }
        unreachable!("the rank lies below this branch")
    }

    /// Adds a child behind `place`, of whose entries it has taken over its own.
    pub(super) fn add_child(
        &mut self,
        place: usize,
        (child, count): (u32, usize),
        separator: &Separator,
    ) {
        room::reserve(&mut self.children, 1);
        room::reserve(&mut self.counts, 1);
        self.children.insert(place + 1, child);
        self.counts[place] -= count;
        self.counts.insert(place + 1, count);
        self.separators.insert(place, separator.entry());
    }

    /// Removes child `place`; its entries, if any, count as those of the child in front.
    pub(super) fn remove_child(&mut self, place: usize) {
        self.children.remove(place);
        let count = self.counts.remove(place);
        if let Some(front) = place.checked_sub(1) {
            self.counts[front] += count;
        } else {
            assert!(count == 0, "the first child leaves nothing behind");
        }
        let separator = place.saturating_sub(1);
        if separator < self.separators.len() {
            self.separators.remove(separator..separator + 1);
        }
        room::trim(&mut self.children);
        room::trim(&mut self.counts);
    }

    /// Whether there are too many children.
    pub(super) fn is_overfull(&self) -> bool {
        self.len() > CHILDREN_MAX
    }

    /// Whether so few children are left that it should be merged with a neighbour.
    pub(super) fn is_sparse(&self) -> bool {
        self.len() < CHILDREN_MIN
    }

    /// Whether two branches may become one.
    pub(super) fn fits_with(&self, other: &Branch) -> bool {
        self.len() + other.len() <= CHILDREN_MAX
    }

    /// Divides an overfull branch. `newest` is the child added last: if that is the rightmost one,
    /// entries come in order, and the left half stays full. O(children).
    pub(super) fn divide(&mut self, newest: usize) -> (Branch, Separator) {
        let len = self.len();
        let at = if newest + 1 == len { len - 2 } else { len / 2 };
        let middle = self.separators.get(at - 1);
        let separator = Separator { score: middle.score, member: middle.member.to_vec() };
        let mut rest = Branch { separators: self.separators.split_off(at), ..Branch::default() };
        self.separators.remove(at - 1..at);
        room::reserve(&mut rest.children, len - at);
        room::reserve(&mut rest.counts, len - at);
        rest.children.extend(self.children.drain(at..));
        rest.counts.extend(self.counts.drain(at..));
        room::trim(&mut self.children);
        room::trim(&mut self.counts);
        (rest, separator)
    }

    /// The separator behind child `place`.
    pub(super) fn separator(&self, place: usize) -> Separator {
        let entry = self.separators.get(place);
        Separator { score: entry.score, member: entry.member.to_vec() }
    }

    /// Adds the children of the branch behind this one. O(children).
    pub(super) fn append(&mut self, other: &Branch, separator: &Separator) {
        self.separators.insert(self.separators.len(), separator.entry());
        self.separators.append(&other.separators);
        room::reserve(&mut self.children, other.len());
        room::reserve(&mut self.counts, other.len());
        self.children.extend_from_slice(&other.children);
        self.counts.extend_from_slice(&other.counts);
    }
}
