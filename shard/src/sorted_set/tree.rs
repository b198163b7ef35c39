//! A counted B+tree: entries in order, reachable by value and by rank.
//!
//! ```text
//! branch        | 3400 | 2900 | 3100 |      entries below each child, separators between
//!                  |      |      |
//! branch        | 40 | 51 | ... |           up to 64 children
//!                 |    |
//! leaf          | run of up to 64 entries |
//! ```
//!
//! A rank is found by summing counts on the way down, and so is the rank of an entry: O(log n) for
//! both. A range is read leaf by leaf, each of them dense; going from one leaf to the next costs a
//! descent by rank, which is nothing beside the forty entries of a leaf, and saves the pointers
//! between leaves.
//!
//! Leaves have numbers, for the index tells where a member is by the number of its leaf. Whoever
//! changes the tree brings a [`Follower`], which is told of each entry that goes elsewhere.
//! Numbers are dense: when a leaf goes, the last one takes its number.
//!
//! Invariants: all leaves are at the same depth; no leaf is empty unless it is the root; counts are
//! right; the entries left of a separator are below it, those right of it are not.

use smallvec::SmallVec;
use std::ops::Range;

use super::branch::{Branch, Separator};
use super::chunked::Chunked;
use super::entry::{Cut, Entry, Order};
use super::index::{HashKey, LeafId};
use super::leaf::Leaf;

/// One step on the way down: a branch and which of its children.
#[derive(Clone, Copy, Debug)]
struct Step {
    branch: u32,
    place: usize,
}

type Path = SmallVec<[Step; 8]>;

/// Whoever keeps track of which leaf an entry is in.
pub(super) trait Follower {
    /// The entry with this member is in another leaf now.
    fn moved(&mut self, member: &[u8], from: LeafId, to: LeafId);

    /// The entry with this member is about to leave the tree.
    fn removed(&mut self, member: &[u8], leaf: LeafId);
}

/// Entries in order.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    leaves: Chunked<Leaf>,
    branches: Chunked<Branch>,
    /// Numbers of branches that are not in use.
    free_branches: Vec<u32>,
    root: u32,
    /// Levels of branches above the leaves.
    height: u32,
    len: usize,
    /// Bytes that leaves and branches own.
    node_bytes: usize,
}

/// Looking things up.
impl Tree {
    /// A tree without entries.
    pub(super) fn new() -> Self {
        let mut leaves = Chunked::default();
        leaves.push(Leaf::default());
        Self {
            leaves,
            branches: Chunked::default(),
            free_branches: Vec::new(),
            root: 0,
            height: 0,
            len: 0,
            node_bytes: 0,
        }
    }

    /// Number of entries. O(1).
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes on the heap, by size class. O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        self.leaves.heap_bytes()
            + self.branches.heap_bytes()
            + super::room::heap_bytes(&self.free_branches)
            + self.node_bytes
    }

    /// Brings the account of bytes up to date after a copy, whose vectors are tighter.
    pub(super) fn recount(&mut self) {
        let leaves: usize = self.leaves.iter().map(Leaf::heap_bytes).sum();
        let branches: usize = self.branches.iter().map(Branch::heap_bytes).sum();
        self.node_bytes = leaves + branches;
    }

    /// A leaf.
    #[inline]
    pub(super) fn leaf(&self, id: LeafId) -> &Leaf {
        self.leaves.get(id as usize)
    }

    fn branch(&self, id: u32) -> &Branch {
        self.branches.get(id as usize)
    }

    /// Number of entries before `cut`. O(log n).
    pub(super) fn count_before(&self, cut: Cut<'_>) -> usize {
        let mut node = self.root;
        let mut count = 0;
        for _ in 0..self.height {
            let branch = self.branch(node);
            let place = branch.place_of(cut);
            count += branch.count_in_front(place);
            node = branch.child(place);
        }
        count + self.leaf(node).run().count_before(cut)
    }

    /// The leaf with the entry of rank `rank`, and the place in it. O(log n).
    fn leaf_at(&self, mut rank: usize) -> (LeafId, usize) {
        let mut node = self.root;
        for _ in 0..self.height {
            let branch = self.branch(node);
            let (place, rest) = branch.place_of_rank(rank);
            (node, rank) = (branch.child(place), rest);
        }
        (node, rank)
    }

    /// Visits the entries whose ranks are in `ranks`. O(log n + entries).
    pub(super) fn visit(
        &self,
        ranks: Range<usize>,
        order: Order,
        mut visit: impl FnMut(Entry<'_>),
    ) {
        let Range { mut start, mut end } = ranks;
        assert!(end <= self.len, "ranks of entries");
        while start < end {
            match order {
                Order::Rising => {
                    let (leaf, first) = self.leaf_at(start);
                    let run = self.leaf(leaf).run();
                    let behind = run.len().min(first + (end - start));
                    run.range(first..behind).for_each(&mut visit);
                    start += behind - first;
                }
                Order::Falling => {
                    let (leaf, last) = self.leaf_at(end - 1);
                    let first = (last + 1).saturating_sub(end - start);
                    self.leaf(leaf).run().range(first..last + 1).rev().for_each(&mut visit);
                    end -= last + 1 - first;
                }
            }
        }
    }

    /// The way to the leaf where `cut` is. O(log n).
    fn descend(&self, cut: Cut<'_>) -> (Path, LeafId) {
        let mut path = Path::new();
        let mut node = self.root;
        for _ in 0..self.height {
            let branch = self.branch(node);
            let place = branch.place_of(cut);
            path.push(Step { branch: node, place });
            node = branch.child(place);
        }
        (path, node)
    }

    /// The way to the leaf with the entry of rank `rank`. O(log n).
    fn descend_to_rank(&self, mut rank: usize) -> (Path, LeafId, usize) {
        let mut path = Path::new();
        let mut node = self.root;
        for _ in 0..self.height {
            let branch = self.branch(node);
            let (place, rest) = branch.place_of_rank(rank);
            path.push(Step { branch: node, place });
            (node, rank) = (branch.child(place), rest);
        }
        (path, node, rank)
    }
}

/// Changing.
impl Tree {
    fn change_leaf<R>(&mut self, id: LeafId, change: impl FnOnce(&mut Leaf) -> R) -> R {
        let leaf = self.leaves.get_mut(id as usize);
        self.node_bytes -= leaf.heap_bytes();
        let result = change(leaf);
        self.node_bytes += leaf.heap_bytes();
        result
    }

    fn change_branch<R>(&mut self, id: u32, change: impl FnOnce(&mut Branch) -> R) -> R {
        let branch = self.branches.get_mut(id as usize);
        self.node_bytes -= branch.heap_bytes();
        let result = change(branch);
        self.node_bytes += branch.heap_bytes();
        result
    }

    fn add_branch(&mut self, branch: Branch) -> u32 {
        self.node_bytes += branch.heap_bytes();
        match self.free_branches.pop() {
            Some(id) => {
                *self.branches.get_mut(id as usize) = branch;
                id
            }
            None => self.branches.push(branch) as u32,
        }
    }

    fn take_branch(&mut self, id: u32) -> Branch {
        let branch = std::mem::take(self.branches.get_mut(id as usize));
        self.node_bytes -= branch.heap_bytes();
        self.free_branches.push(id);
        branch
    }

    /// Changes a score if the entry keeps its place for it. O(1).
    pub(super) fn set_score_in_place(&mut self, id: LeafId, place: usize, score: f64) -> bool {
        self.leaves.get_mut(id as usize).set_score_in_place(place, score)
    }

    /// Adds an entry that is not there yet, and returns its leaf. O(log n + entries of a leaf).
    pub(super) fn insert(
        &mut self,
        entry: Entry<'_>,
        key: HashKey,
        follower: &mut impl Follower,
    ) -> LeafId {
        let (path, id) = self.descend(Cut::After(entry));
        for step in &path {
            self.branches.get_mut(step.branch as usize).count_added(step.place);
        }
        self.len += 1;
        if self.leaf(id).has_room_for(entry.member.len()) {
            self.change_leaf(id, |leaf| leaf.insert(entry, key));
            return id;
        }
        self.insert_dividing(path, id, entry, key, follower)
    }

    /// Adds an entry to a full leaf, half of which becomes a leaf of its own.
    #[cold]
    fn insert_dividing(
        &mut self,
        path: Path,
        id: LeafId,
        entry: Entry<'_>,
        key: HashKey,
        follower: &mut impl Follower,
    ) -> LeafId {
        let len = self.leaf(id).run().len();
        let position = self.leaf(id).run().count_before(Cut::Before(entry));
        let at = self.leaf(id).division_for(position);
        let mut right = self.change_leaf(id, |leaf| leaf.split_off(at));
        let goes_right = at == len || position > at;
        let right_id = self.leaves.len() as u32;
        for moved in right.run().range(0..right.run().len()) {
            follower.moved(moved.member, id, right_id);
        }
        if goes_right {
            right.insert(entry, key);
        } else {
            self.change_leaf(id, |leaf| leaf.insert(entry, key));
        }
        self.node_bytes += right.heap_bytes();
        let left_run = self.leaf(id).run();
        let separator = Separator::between(left_run.get(left_run.len() - 1), right.run().get(0));
        let count = right.run().len();
        self.leaves.push(right);
        self.add_node(path, (right_id, count), separator);
        if goes_right { right_id } else { id }
    }

    /// Hooks a node in behind the one the path leads to, of whose entries it has taken its own.
    fn add_node(&mut self, mut path: Path, node: (u32, usize), separator: Separator) {
        let (mut node, mut separator) = (node, separator);
        while let Some(step) = path.pop() {
            self.change_branch(step.branch, |branch| {
                branch.add_child(step.place, node, &separator);
            });
            if !self.branch(step.branch).is_overfull() {
                return;
            }
            let newest = step.place + 1;
            let (rest, middle) = self.change_branch(step.branch, |branch| branch.divide(newest));
            let count = rest.total();
            node = (self.add_branch(rest), count);
            separator = middle;
        }
        let left = (self.root, self.len - node.1);
        self.root = self.add_branch(Branch::over(left, node, &separator));
        self.height += 1;
    }

    /// Removes an entry. O(log n + entries of a leaf).
    ///
    /// # Panics
    /// When it is not there.
    pub(super) fn remove(&mut self, entry: Entry<'_>, follower: &mut impl Follower) {
        let (path, id) = self.descend(Cut::After(entry));
        let place = self.leaf(id).run().count_before(Cut::Before(entry));
        assert!(self.leaf(id).run().member(place) == entry.member, "the entry is in the tree");
        self.remove_from_leaf(path, id, place..place + 1, follower);
    }

    /// Removes entries from rank `ranks.start` on, as many of `ranks` as lie in one leaf, and
    /// returns their number. O(log n + entries of a leaf).
    pub(super) fn remove_some(
        &mut self,
        ranks: Range<usize>,
        follower: &mut impl Follower,
    ) -> usize {
        let (path, id, first) = self.descend_to_rank(ranks.start);
        let behind = self.leaf(id).run().len().min(first + ranks.len());
        self.remove_from_leaf(path, id, first..behind, follower);
        behind - first
    }

    fn remove_from_leaf(
        &mut self,
        path: Path,
        id: LeafId,
        places: Range<usize>,
        follower: &mut impl Follower,
    ) {
        for step in &path {
            self.branches.get_mut(step.branch as usize).count_removed(step.place, places.len());
        }
        self.len -= places.len();
        for leaving in self.leaf(id).run().range(places.clone()) {
            follower.removed(leaving.member, id);
        }
        self.change_leaf(id, |leaf| leaf.remove(places));
        if self.len == 0 {
            *self = Self::new();
        } else if self.leaf(id).run().len() == 0 {
            self.drop_node(path);
            self.drop_leaf(id, follower);
        } else if self.leaf(id).is_sparse() {
            self.merge_leaf(path, follower);
        }
    }

    /// Joins a sparse leaf with a neighbour, if both fit into one.
    fn merge_leaf(&mut self, mut path: Path, follower: &mut impl Follower) {
        let Some(step) = path.last_mut() else { return };
        let branch = self.branches.get(step.branch as usize);
        let right_place = if step.place + 1 < branch.len() { step.place + 1 } else { step.place };
        let Some(left_place) = right_place.checked_sub(1) else { return };
        let (left, right) = (branch.child(left_place), branch.child(right_place));
        if !self.leaf(left).fits_with(self.leaf(right)) {
            return;
        }
        step.place = right_place;
        let emptied = self.change_leaf(right, std::mem::take);
        for moved in emptied.run().range(0..emptied.run().len()) {
            follower.moved(moved.member, right, left);
        }
        self.change_leaf(left, |leaf| leaf.append(&emptied));
        self.drop_node(path);
        self.drop_leaf(right, follower);
    }

    /// Unhooks the node the path leads to; entries it is still counted for have moved to the node
    /// in front of it.
    fn drop_node(&mut self, mut path: Path) {
        while let Some(step) = path.pop() {
            self.change_branch(step.branch, |branch| branch.remove_child(step.place));
            if self.branch(step.branch).len() == 0 {
                assert!(!path.is_empty(), "the root has entries below it");
                self.take_branch(step.branch);
                continue;
            }
            if !self.branch(step.branch).is_sparse() || !self.merge_branch(&mut path) {
                break;
            }
        }
        while self.height > 0 && self.branch(self.root).len() == 1 {
            let only = self.branch(self.root).child(0);
            self.take_branch(self.root);
            self.root = only;
            self.height -= 1;
        }
    }

    /// Joins the sparse branch the path leads to with a neighbour, if both fit into one. The path
    /// then leads to a branch that is to be unhooked.
    fn merge_branch(&mut self, path: &mut Path) -> bool {
        let Some(step) = path.last_mut() else { return false };
        let parent = self.branches.get(step.branch as usize);
        let right_place = if step.place + 1 < parent.len() { step.place + 1 } else { step.place };
        let Some(left_place) = right_place.checked_sub(1) else { return false };
        let (left, right) = (parent.child(left_place), parent.child(right_place));
        if !self.branch(left).fits_with(self.branch(right)) {
            return false;
        }
        let separator = parent.separator(left_place);
        step.place = right_place;
        let emptied = self.take_branch(right);
        self.change_branch(left, |branch| branch.append(&emptied, &separator));
        true
    }

    /// Gives up a leaf that is empty and unhooked; the last leaf takes its number.
    fn drop_leaf(&mut self, id: LeafId, follower: &mut impl Follower) {
        let last_id = self.leaves.len() as u32 - 1;
        if id != last_id {
            let last = self.leaf(last_id).run();
            for moved in last.range(0..last.len()) {
                follower.moved(moved.member, last_id, id);
            }
            let (path, found) = self.descend(Cut::After(last.get(0)));
            assert!(found == last_id, "a leaf is where its entries are");
            match path.last() {
                Some(step) => {
                    self.branches.get_mut(step.branch as usize).set_child(step.place, id);
                }
                None => self.root = id,
            }
        }
        let last = self.leaves.pop().expect("the leaf to be given up is there");
        if id != last_id {
            let empty = std::mem::replace(self.leaves.get_mut(id as usize), last);
            self.node_bytes -= empty.heap_bytes();
        } else {
            self.node_bytes -= last.heap_bytes();
        }
    }

    /// Checks every invariant. O(n).
    #[cfg(test)]
    pub(super) fn check(&self) {
        let mut seen = Vec::new();
        let count = self.check_node(self.root, self.height, &mut seen);
        assert_eq!(count, self.len);
        seen.sort_unstable();
        assert!(seen.iter().copied().eq(0..self.leaves.len() as u32), "leaves are dense");
        let leaves: usize = self.leaves.iter().map(Leaf::heap_bytes).sum();
        let branches: usize = self.branches.iter().map(Branch::heap_bytes).sum();
        assert_eq!(leaves + branches, self.node_bytes);
        let mut last: Option<(f64, Vec<u8>)> = None;
        self.visit(0..self.len, Order::Rising, |entry| {
            if let Some((score, member)) = &last {
                assert!(Entry { score: *score, member }.compare(entry).is_lt());
            }
            last = Some((entry.score, entry.member.to_vec()));
        });
    }

    #[cfg(test)]
    fn check_node(&self, node: u32, height: u32, seen: &mut Vec<u32>) -> usize {
        if height == 0 {
            seen.push(node);
            assert!(self.leaf(node).run().len() > 0 || self.len == 0);
            return self.leaf(node).run().len();
        }
        let branch = self.branch(node);
        assert!(branch.len() > 0 && !branch.is_overfull());
        let mut total = 0;
        for place in 0..branch.len() {
            let count = self.check_node(branch.child(place), height - 1, seen);
            assert_eq!(count, branch.count_in_front(place + 1) - branch.count_in_front(place));
            total += count;
        }
        total
    }
}
