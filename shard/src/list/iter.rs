//! Walking a list from either end.

use std::collections::vec_deque;

use super::node::{Node, NodeIter};
use crate::packed::{self, Element};

/// Iterator over elements of a list, from both ends.
#[derive(Clone)]
pub struct Iter<'a> {
    /// The node that is being walked from the front.
    front: Option<NodeIter<'a>>,
    /// Nodes no walk has reached.
    nodes: vec_deque::Iter<'a, Node>,
    /// The node that is being walked from the back.
    back: Option<NodeIter<'a>>,
}

impl<'a> Iter<'a> {
    pub(super) fn of_nodes(
        nodes: vec_deque::Iter<'a, Node>,
        front: Option<NodeIter<'a>>,
        back: Option<NodeIter<'a>>,
    ) -> Self {
        Self { front, nodes, back }
    }

    pub(super) fn of_run(elements: packed::Iter<'a>) -> Self {
        Self { front: Some(NodeIter::Run(elements)), nodes: Default::default(), back: None }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            if let Some(element) = self.front.as_mut().and_then(Iterator::next) {
                return Some(element);
            }
            match self.nodes.next() {
                Some(node) => self.front = Some(node.iter()),
                None => return self.back.as_mut()?.next(),
            }
        }
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(element) = self.back.as_mut().and_then(DoubleEndedIterator::next_back) {
                return Some(element);
            }
            match self.nodes.next_back() {
                Some(node) => self.back = Some(node.iter()),
                None => return self.front.as_mut()?.next_back(),
            }
        }
    }
}
