//! Lists taken apart into their runs, and put together from runs: how they are written to files and
//! read from them.
//!
//! A list read back has the nodes it was written with, so that it is neither slower nor larger than
//! before, and named `listpack` or `quicklist` as in Redis. Only runs that are far beyond the limit
//! are divided: a list is not to be slow because somebody sent it in one piece.

use super::limit::NodeLimit;
use super::node::Node;
use super::quick::Quick;
use super::{End, Form, List};
use crate::packed::{Element, Packed};

/// A part of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part<'a> {
    /// Some elements.
    Run(&'a Packed),
    /// One element, too long to share a run.
    Large(&'a [u8]),
}

impl List {
    /// Number of parts. O(1).
    pub(crate) fn part_count(&self) -> usize {
        match &self.0 {
            Form::Short(_) => 1,
            Form::Long(quick) => quick.nodes().len(),
        }
    }

    /// The parts, first to last.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let (run, quick) = match &self.0 {
            Form::Short(run) => (Some(Part::Run(run)), None),
            Form::Long(quick) => (None, Some(quick)),
        };
        let nodes = quick.into_iter().flat_map(|quick| quick.nodes());
        run.into_iter().chain(nodes.map(|node| match node {
            Node::Run(run) => Part::Run(run),
            Node::Large(text) => Part::Large(text),
        }))
    }
}

/// A list in the making.
pub(crate) struct Builder {
    quick: Quick,
    limit: NodeLimit,
}

impl Builder {
    /// An empty list.
    pub(crate) fn new(limit: NodeLimit) -> Self {
        Self { quick: Quick::default(), limit }
    }

    /// Adds a run as it is, unless it is too long for that; an empty one adds nothing.
    pub(crate) fn push_run(&mut self, mut run: Packed) {
        if self.limit.is_far_exceeded_by(run.listpack_bytes()) {
            run.iter().for_each(|element| self.push(element));
        } else if !run.is_empty() {
            run.shrink_to_fit();
            self.quick.push_node(Node::Run(run));
        }
    }

    /// Adds an element in a node of its own.
    pub(crate) fn push_alone(&mut self, text: &[u8]) {
        self.quick.push_node(Node::of(text, self.limit));
    }

    /// Adds an element to the last node, or to a new one.
    pub(crate) fn push(&mut self, element: Element<'_>) {
        let mut digits = itoa::Buffer::new();
        self.quick.push(End::Tail, element.text(&mut digits), self.limit);
    }

    /// The list; in one run if it is so short.
    pub(crate) fn finish(mut self) -> List {
        match self.quick.take_only_run(self.limit) {
            Some(run) => List(Form::Short(run)),
            None => self.finish_long(),
        }
    }

    /// The list in long form, however short it is.
    pub(crate) fn finish_long(self) -> List {
        List(Form::Long(Box::new(self.quick)))
    }
}
