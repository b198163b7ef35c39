//! One node of a long list: a packed run of elements, or one element too large to share a run.

use super::End;
use super::limit::NodeLimit;
use crate::packed::{self, Element, Packed, Place};
use crate::table::size_class;

/// What an insertion is taken to add to the text of an element, whatever it really does.
const ENTRY_BYTES_ESTIMATE: usize = 8;

/// A node. Never empty, but for moments inside a change.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A run of elements.
    Run(Packed),
    /// One element, too long for a run and so too long to be a number.
    Large(Box<[u8]>),
}

const _: () = assert!(size_of::<Node>() == 16);

impl Node {
    /// A node with one element.
    pub(super) fn of(text: &[u8], limit: NodeLimit) -> Self {
        if limit.is_large(text.len()) {
            return Self::Large(text.into());
        }
        let mut run = Packed::new();
        run.push_back(Element::new(text));
        Self::Run(run)
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Run(run) => run.len(),
            Self::Large(_) => 1,
        }
    }

    pub(super) fn footprint_bytes(&self) -> usize {
        match self {
            Self::Run(run) => run.footprint_bytes(),
            Self::Large(text) => size_class(text.len()),
        }
    }

    /// Whether an element of `length` bytes may join the run.
    pub(super) fn admits(&self, length: usize, limit: NodeLimit) -> bool {
        let Self::Run(run) = self else { return false };
        let bytes = run.listpack_bytes() + length + ENTRY_BYTES_ESTIMATE;
        !limit.is_large(length) && !limit.is_exceeded_by(bytes, run.len() + 1)
    }

    /// Whether another node's run may join this one's.
    pub(super) fn admits_all_of(&self, other: &Self, limit: NodeLimit) -> bool {
        let (Self::Run(run), Self::Run(other)) = (self, other) else { return false };
        let bytes = run.listpack_bytes() + other.as_bytes().len();
        !limit.is_exceeded_by(bytes, run.len() + other.len())
    }

    /// The run, where the caller knows that it is one.
    pub(super) fn run_mut(&mut self) -> &mut Packed {
        match self {
            Self::Run(run) => run,
            Self::Large(_) => unreachable!("a large element is a node of its own"),
        }
    }

    /// The element at `index`.
    pub(super) fn get(&self, index: usize) -> Element<'_> {
        match self {
            Self::Run(run) => run.get(run.seek(index)),
            Self::Large(text) => Element::Text(text),
        }
    }

    /// `count` elements from `index` on.
    pub(super) fn range(&self, index: usize, count: usize) -> NodeIter<'_> {
        match self {
            Self::Run(run) => NodeIter::Run(run.range(index, count)),
            Self::Large(text) => NodeIter::Large((count > 0).then_some(text)),
        }
    }

    /// All elements.
    pub(super) fn iter(&self) -> NodeIter<'_> {
        match self {
            Self::Run(run) => NodeIter::Run(run.iter()),
            Self::Large(text) => NodeIter::Large(Some(text)),
        }
    }

    /// The index of the first element equal to `element`.
    pub(super) fn position_of(&self, element: Element<'_>) -> Option<usize> {
        self.iter().position(|present| present == element)
    }

    /// Removes elements equal to `element`, beginning at `end`, `limit` at most. The node may be
    /// empty afterwards. Returns how many it were.
    pub(super) fn remove_equal(&mut self, element: Element<'_>, limit: usize, end: End) -> usize {
        match self {
            Self::Run(run) => remove_equal(run, element, limit, end),
            Self::Large(text) if limit > 0 && Element::Text(text) == element => {
                *self = Self::Run(Packed::new());
                1
            }
            Self::Large(_) => 0,
        }
    }
}

/// Removes elements of a run that equal `element`, beginning at `end`, `limit` at most.
pub(super) fn remove_equal(
    run: &mut Packed,
    element: Element<'_>,
    limit: usize,
    end: End,
) -> usize {
    let mut removed = 0;
    let mut place = match end {
        End::Head => run.first(),
        End::Tail => run.last(),
    };
    while let Some(present) = place.filter(|_| removed < limit) {
        let is_equal = run.get(present) == element;
        // Where to go on is known before the removal backwards, and after it forwards.
        place = match end {
            End::Tail => run.previous(present),
            End::Head if is_equal => Some(present),
            End::Head => run.next(present),
        };
        if is_equal {
            run.remove(present, 1);
            removed += 1;
            place = place.filter(|place: &Place| *place < run.end());
        }
    }
    removed
}

/// Iterator over the elements of a node.
#[derive(Clone)]
pub(super) enum NodeIter<'a> {
    Run(packed::Iter<'a>),
    Large(Option<&'a [u8]>),
}

impl<'a> Iterator for NodeIter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        match self {
            Self::Run(elements) => elements.next(),
            Self::Large(text) => text.take().map(Element::Text),
        }
    }
}

impl DoubleEndedIterator for NodeIter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::Run(elements) => elements.next_back(),
            Self::Large(text) => text.take().map(Element::Text),
        }
    }
}
