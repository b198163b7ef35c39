//! Long lists: a deque of nodes, each a packed run of elements.
//!
//! ```text
//! Quick    | nodes | len | node bytes |
//!              |
//! nodes    | run: 110 elements | run: 87 | large: 1 | run: 93 | ...   16 bytes a node
//! ```
//!
//! The number of elements of a node lies in the deque itself, so that a position is found by
//! passing over counts and not over elements: a million short elements are some thousand nodes.
//! Pushes and insertions keep runs within the limit; replacements may stretch one to four times of
//! it.
//!
//! Nodes in the middle of the list are as tight as their size class; only those at both ends have
//! room to grow.

use std::collections::VecDeque;

use super::End;
use super::iter::Iter;
use super::limit::NodeLimit;
use super::node::Node;
use crate::packed::{Element, Packed};
use crate::table::size_class;

/// A list of nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Quick {
    nodes: VecDeque<Node>,
    len: usize,
    node_bytes: usize,
}

/// Where an element is: the node, and the index in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spot {
    node: usize,
    index: usize,
}

impl Quick {
    /// A list that has one run.
    pub(super) fn of_run(run: Packed) -> Self {
        let mut quick = Self::default();
        if !run.is_empty() {
            quick.insert_node(0, Node::Run(run));
        }
        quick
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn footprint_bytes(&self) -> usize {
        self.node_bytes + size_class(self.nodes.capacity() * size_of::<Node>())
    }

    /// The run the list is, if it is just one and small enough to be nothing else.
    pub(super) fn take_small_run(&mut self, limit: NodeLimit) -> Option<Packed> {
        if self.nodes.len() != 1 {
            return None;
        }
        let Node::Run(run) = &mut self.nodes[0] else { return None };
        let is_small = limit.is_half_used_by(run.listpack_bytes(), run.len());
        is_small.then(|| std::mem::take(run))
    }

    /// The element at `index`. O(nodes to the nearer end), then O(elements of a node).
    pub(super) fn get(&self, index: usize) -> Option<Element<'_>> {
        (index < self.len).then(|| {
            let spot = self.spot_of(index);
            self.nodes[spot.node].get(spot.index)
        })
    }

    /// `count` elements from `index` on, which must be there.
    pub(super) fn range(&self, index: usize, count: usize) -> Iter<'_> {
        assert!(index + count <= self.len, "a range of the list");
        if count == 0 {
            return Iter::of_nodes(self.nodes.range(0..0), None, None);
        }
        let (first, last) = (self.spot_of(index), self.spot_of(index + count - 1));
        let front = &self.nodes[first.node];
        if first.node == last.node {
            let only = front.range(first.index, count);
            return Iter::of_nodes(self.nodes.range(0..0), Some(only), None);
        }
        let front = front.range(first.index, front.len() - first.index);
        let back = self.nodes[last.node].range(0, last.index + 1);
        Iter::of_nodes(self.nodes.range(first.node + 1..last.node), Some(front), Some(back))
    }

    fn spot_of(&self, index: usize) -> Spot {
        assert!(index < self.len, "an index of the list");
        if index < self.len / 2 {
            let mut left = index;
            for (node, content) in self.nodes.iter().enumerate() {
                if left < content.len() {
                    return Spot { node, index: left };
                }
                left -= content.len();
            }
        } else {
            let mut left = self.len - index;
            for (node, content) in self.nodes.iter().enumerate().rev() {
                if left <= content.len() {
                    return Spot { node, index: content.len() - left };
                }
                left -= content.len();
            }
        }
        unreachable!("the nodes have as many elements as the list");
    }
}

/// Changes to whole nodes, which keep the accounts.
impl Quick {
    /// The nodes, first to last.
    pub(super) fn nodes(&self) -> impl ExactSizeIterator<Item = &Node> {
        self.nodes.iter()
    }

    /// Adds a node behind all others.
    pub(super) fn push_node(&mut self, node: Node) {
        self.insert_node(self.nodes.len(), node);
    }

    /// The run the list is, if it is just one that may be a whole list.
    pub(super) fn take_only_run(&mut self, limit: NodeLimit) -> Option<Packed> {
        if self.nodes.len() != 1 {
            return None;
        }
        let Node::Run(run) = &mut self.nodes[0] else { return None };
        let is_short = limit.admits_as_list(run.listpack_bytes(), run.len());
        is_short.then(|| std::mem::take(run))
    }

    fn insert_node(&mut self, at: usize, node: Node) {
        self.len += node.len();
        self.node_bytes += node.footprint_bytes();
        self.nodes.insert(at, node);
    }

    fn remove_node(&mut self, at: usize) -> Node {
        let node = self.nodes.remove(at).expect("the node is there");
        self.len -= node.len();
        self.node_bytes -= node.footprint_bytes();
        self.give_back_spare_nodes();
        node
    }

    fn change_node<R>(&mut self, at: usize, change: impl FnOnce(&mut Node) -> R) -> R {
        let node = &mut self.nodes[at];
        let (len, bytes) = (node.len(), node.footprint_bytes());
        let result = change(node);
        self.len = self.len - len + node.len();
        self.node_bytes = self.node_bytes - bytes + node.footprint_bytes();
        result
    }

    fn give_back_spare_nodes(&mut self) {
        if self.nodes.capacity() > 16 && self.nodes.len() < self.nodes.capacity() / 4 {
            self.nodes.shrink_to(self.nodes.capacity() / 2);
        }
    }

    /// Joins a node with the next where both together are within the limit.
    fn merge_with_next(&mut self, at: usize, limit: NodeLimit) {
        let fits =
            self.nodes.get(at + 1).is_some_and(|next| self.nodes[at].admits_all_of(next, limit));
        if fits {
            let Node::Run(next) = self.remove_node(at + 1) else { unreachable!("runs only fit") };
            self.change_node(at, |node| node.run_mut().append(&next));
        }
    }

    /// Makes `index` of a node the start of a node, which is returned. O(bytes of a node).
    fn split(&mut self, spot: Spot) -> usize {
        if spot.index == 0 {
            return spot.node;
        }
        if spot.index < self.nodes[spot.node].len() {
            let rest = self.change_node(spot.node, |node| {
                let rest = node.run_mut().split_off(spot.index);
                node.run_mut().shrink_to_fit();
                rest
            });
            self.insert_node(spot.node + 1, Node::Run(rest));
        }
        spot.node + 1
    }
}

/// Changes to elements.
impl Quick {
    /// Adds an element at one end. Amortised O(its length).
    pub(super) fn push(&mut self, end: End, text: &[u8], limit: NodeLimit) {
        let at = match end {
            End::Head => 0,
            End::Tail => self.nodes.len().saturating_sub(1),
        };
        if self.nodes.get(at).is_some_and(|node| node.admits(text.len(), limit)) {
            self.change_node(at, |node| {
                let run = node.run_mut();
                match end {
                    End::Head => run.push_front(Element::new(text)),
                    End::Tail => run.push_back(Element::new(text)),
                }
            });
            return;
        }
        if let Some(Node::Run(_)) = self.nodes.get(at) {
            self.change_node(at, |node| node.run_mut().shrink_to_fit());
        }
        let place = if end == End::Head { 0 } else { self.nodes.len() };
        self.insert_node(place, Node::of(text, limit));
    }

    /// Removes `count` elements from one end, or all there are. O(nodes + elements of a node).
    pub(super) fn remove(&mut self, end: End, count: usize) {
        let mut left = count.min(self.len);
        while left > 0 {
            let at = if end == End::Head { 0 } else { self.nodes.len() - 1 };
            let held = self.nodes[at].len();
            if held <= left {
                left -= held;
                self.remove_node(at);
                continue;
            }
            self.change_node(at, |node| match end {
                End::Head => node.run_mut().remove_front(left),
                End::Tail => node.run_mut().remove_back(left),
            });
            left = 0;
        }
    }

    /// Removes elements equal to `element`, beginning at `end`, `limit` at most; returns how many.
    /// O(elements).
    pub(super) fn remove_equal(&mut self, element: Element<'_>, limit: usize, end: End) -> usize {
        let count = self.nodes.len();
        let mut removed = 0;
        for step in 0..count {
            let at = if end == End::Head { step } else { count - 1 - step };
            let left = limit - removed;
            removed += self.change_node(at, |node| node.remove_equal(element, left, end));
            if removed == limit {
                break;
            }
        }
        if removed > 0 {
            self.nodes.retain(|node| node.len() > 0);
            self.give_back_spare_nodes();
        }
        removed
    }

    /// Replaces the element at `index`, which must be there. O(nodes), then O(bytes of a node).
    pub(super) fn replace(&mut self, index: usize, text: &[u8], limit: NodeLimit) {
        let spot = self.spot_of(index);
        let was_large = matches!(self.nodes[spot.node], Node::Large(_));
        match (was_large, limit.is_large(text.len())) {
            (false, false) => {
                self.change_node(spot.node, |node| {
                    let run = node.run_mut();
                    run.replace(run.seek(spot.index), Element::new(text));
                });
                self.halve_if_too_large(spot.node, limit);
            }
            (true, true) => self.change_node(spot.node, |node| *node = Node::of(text, limit)),
            (true, false) => {
                self.remove_node(spot.node);
                self.put_between(spot.node, text, limit);
            }
            (false, true) => self.replace_by_large(spot, text, limit),
        }
    }

    /// Cuts a run where a large element takes the place of one of its own.
    fn replace_by_large(&mut self, spot: Spot, text: &[u8], limit: NodeLimit) {
        let was_divided = self.nodes[spot.node].len() > 1;
        let at = self.split(spot);
        self.split(Spot { node: at, index: 1 });
        self.change_node(at, |node| *node = Node::of(text, limit));
        if was_divided {
            self.merge_with_next(at + 1, limit);
            if at > 1 {
                self.merge_with_next(at - 2, limit);
            }
        }
    }

    /// Puts an element in front of a node, into that node if it may, else into one of its own.
    fn put_between(&mut self, at: usize, text: &[u8], limit: NodeLimit) {
        if self.nodes.get(at).is_some_and(|next| next.admits(text.len(), limit)) {
            self.change_node(at, |node| node.run_mut().push_front(Element::new(text)));
        } else {
            self.insert_node(at, Node::of(text, limit));
        }
    }

    /// Divides a run that replacements have made too large.
    fn halve_if_too_large(&mut self, at: usize, limit: NodeLimit) {
        let Node::Run(run) = &self.nodes[at] else { return };
        if run.len() > 1 && limit.is_far_exceeded_by(run.listpack_bytes()) {
            let middle = run.len() / 2;
            self.split(Spot { node: at, index: middle });
        }
    }

    /// Puts an element next to the first one equal to `pivot`: in front of it, or behind it.
    /// Returns whether there is such. O(elements passed), then O(bytes of a node).
    pub(super) fn insert_beside(
        &mut self,
        pivot: Element<'_>,
        is_behind: bool,
        text: &[u8],
        limit: NodeLimit,
    ) -> bool {
        let found = self.nodes.iter().enumerate().find_map(|(node, content)| {
            Some(Spot { node, index: content.position_of(pivot)? + usize::from(is_behind) })
        });
        if let Some(spot) = found {
            self.insert(spot, text, limit);
        }
        found.is_some()
    }

    /// Puts an element at a spot, which may be the end of its node.
    fn insert(&mut self, spot: Spot, text: &[u8], limit: NodeLimit) {
        let admits = |quick: &Self, at: usize| {
            quick.nodes.get(at).is_some_and(|node| node.admits(text.len(), limit))
        };
        let put = |quick: &mut Self, spot: Spot| {
            quick.change_node(spot.node, |node| {
                let run = node.run_mut();
                run.insert(run.seek(spot.index), Element::new(text));
            });
        };
        if admits(self, spot.node) {
            return put(self, spot);
        }
        let was_divided = spot.index > 0 && spot.index < self.nodes[spot.node].len();
        let at = self.split(spot);
        if at > 0 && admits(self, at - 1) {
            let index = self.nodes[at - 1].len();
            put(self, Spot { node: at - 1, index });
        } else {
            self.put_between(at, text, limit);
        }
        if was_divided {
            // What was divided may fit to its neighbours better than to its other half.
            self.merge_with_next(at, limit);
            if at > 1 {
                self.merge_with_next(at - 2, limit);
            }
        }
    }
}

#[cfg(test)]
impl Quick {
    /// Checks what must hold between any two changes.
    pub(super) fn check(&self) {
        assert_eq!(self.len, self.nodes.iter().map(Node::len).sum::<usize>());
        let bytes: usize = self.nodes.iter().map(Node::footprint_bytes).sum();
        assert_eq!(self.node_bytes, bytes);
        assert!(self.nodes.iter().all(|node| node.len() > 0));
    }

    pub(super) fn longest_run_bytes(&self) -> usize {
        let runs = self.nodes.iter().map(|node| match node {
            Node::Run(run) => run.listpack_bytes(),
            Node::Large(_) => 0,
        });
        runs.max().unwrap_or(0)
    }
}
