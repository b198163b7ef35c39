//! Lists: one packed run while they are short, a deque of such runs when they are long.
//!
//! | form | encoding | when |
//! |---|---|---|
//! | [`Packed`] | `listpack` | all of it is within `list-max-listpack-size` |
//! | `Quick` | `quicklist` | otherwise, until it has shrunk to one run of half that size |
//!
//! Forms change where Redis 7.2 changes them: before elements are added, by the bytes that come
//! in; and after elements were removed. Both ends are O(1); a position costs a walk over nodes and
//! then over one of them.

mod build;
mod iter;
mod limit;
mod node;
mod quick;

#[cfg(test)]
mod tests;

pub(crate) use build::{Builder, Part};
pub use iter::Iter;
pub use limit::NodeLimit;

use std::ptr::NonNull;

use crate::packed::{Element, Packed};
use crate::table::{Footprint, size_class};
use quick::Quick;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The head: left, first.
    Head,
    /// The tail: right, last.
    Tail,
}

/// On which side of the pivot an element is inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// In front of it.
    Before,
    /// Behind it.
    After,
}

/// A list of strings.
#[derive(Clone, Debug)]
pub struct List(Form);

#[derive(Clone, Debug)]
enum Form {
    Short(Packed),
    Long(Box<Quick>),
}

const _: () = assert!(size_of::<List>() == 16);

impl Default for List {
    fn default() -> Self {
        Self(Form::Short(Packed::new()))
    }
}

impl Footprint for List {
    fn footprint_bytes(&self) -> usize {
        match &self.0 {
            Form::Short(run) => run.footprint_bytes(),
            Form::Long(quick) => size_class(size_of::<Quick>()) + quick.footprint_bytes(),
        }
    }

    #[inline]
    fn first_block(&self) -> Option<NonNull<u8>> {
        match &self.0 {
            Form::Short(run) => run.address(),
            Form::Long(quick) => Some(NonNull::from(&**quick).cast()),
        }
    }
}

/// Reading.
impl List {
    /// Asks the processor to load what a command looks at behind the first block.
    #[inline]
    pub(crate) fn prefetch_content(&self) {
        match &self.0 {
            Form::Short(run) => run.prefetch_ends(),
            Form::Long(_) => {}
        }
    }

    /// Number of elements. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Short(run) => run.len(),
            Form::Long(quick) => quick.len(),
        }
    }

    /// Whether there are none. O(1).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of the form.
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Form::Short(_) => "listpack",
            Form::Long(_) => "quicklist",
        }
    }

    /// The element at `index`. O(nodes and elements of a node up to the nearer end).
    pub fn get(&self, index: usize) -> Option<Element<'_>> {
        match &self.0 {
            Form::Short(run) => (index < run.len()).then(|| run.get(run.seek(index))),
            Form::Long(quick) => quick.get(index),
        }
    }

    /// The element at one end. O(1).
    pub fn at_end(&self, end: End) -> Option<Element<'_>> {
        match end {
            End::Head => self.get(0),
            End::Tail => self.get(self.len().checked_sub(1)?),
        }
    }

    /// All elements.
    pub fn iter(&self) -> Iter<'_> {
        self.range(0, self.len())
    }

    /// `count` elements from `index` on. To find both ends costs as [`List::get`].
    ///
    /// # Panics
    /// When there are fewer.
    pub fn range(&self, index: usize, count: usize) -> Iter<'_> {
        match &self.0 {
            Form::Short(run) => Iter::of_run(run.range(index, count)),
            Form::Long(quick) => quick.range(index, count),
        }
    }
}

/// Changing.
impl List {
    /// Adds elements at one end, one after the other. Amortised O(their lengths).
    pub fn push_all<'t>(
        &mut self,
        end: End,
        texts: impl Iterator<Item = &'t [u8]> + Clone,
        limit: NodeLimit,
    ) {
        let (mut count, mut bytes) = (0, 0);
        for text in texts.clone() {
            (count, bytes) = (count + 1, bytes + text.len());
        }
        self.prepare_for(count, bytes, limit);
        for text in texts {
            match (&mut self.0, end) {
                (Form::Short(run), End::Head) => run.push_front(Element::new(text)),
                (Form::Short(run), End::Tail) => run.push_back(Element::new(text)),
                (Form::Long(quick), _) => quick.push(end, text, limit),
            }
        }
    }

    /// Adds one element at one end. Amortised O(its length).
    pub fn push(&mut self, end: End, text: &[u8], limit: NodeLimit) {
        self.push_all(end, std::iter::once(text), limit);
    }

    /// Removes `count` elements from one end, or all there are. O(nodes removed + elements of one).
    pub fn remove(&mut self, end: End, count: usize, limit: NodeLimit) {
        self.take_away(end, count);
        self.settle(limit);
    }

    fn take_away(&mut self, end: End, count: usize) {
        match (&mut self.0, end) {
            (Form::Short(run), End::Head) => run.remove_front(count.min(run.len())),
            (Form::Short(run), End::Tail) => run.remove_back(count.min(run.len())),
            (Form::Long(quick), _) => quick.remove(end, count),
        }
    }

    /// Moves the element at one end to an end; its text, if there is one. The form is settled once,
    /// afterwards. Amortised O(its length).
    pub fn rotate(&mut self, from: End, to: End, limit: NodeLimit) -> Option<Vec<u8>> {
        let text = self.at_end(from)?.to_vec();
        self.take_away(from, 1);
        self.push(to, &text, limit);
        self.settle(limit);
        Some(text)
    }

    /// Keeps `count` elements from `index` on, which must be there, and removes all others.
    pub fn keep(&mut self, index: usize, count: usize, limit: NodeLimit) {
        let behind = self.len() - (index + count);
        self.remove(End::Head, index, limit);
        self.remove(End::Tail, behind, limit);
    }

    /// Removes elements that equal `text`, beginning at `end`, `count` at most. Returns how many.
    /// O(elements passed).
    pub fn remove_equal(&mut self, end: End, text: &[u8], count: usize, limit: NodeLimit) -> usize {
        let element = Element::new(text);
        let removed = match &mut self.0 {
            Form::Short(run) => node::remove_equal(run, element, count, end),
            Form::Long(quick) => quick.remove_equal(element, count, end),
        };
        if removed > 0 {
            self.settle(limit);
        }
        removed
    }

    /// Replaces the element at `index`; whether there is one. Costs as [`List::get`], and
    /// O(bytes of a node).
    pub fn replace(&mut self, index: usize, text: &[u8], limit: NodeLimit) -> bool {
        self.prepare_for(1, text.len(), limit);
        if index >= self.len() {
            return false;
        }
        match &mut self.0 {
            Form::Short(run) => run.replace(run.seek(index), Element::new(text)),
            Form::Long(quick) => quick.replace(index, text, limit),
        }
        self.settle(limit);
        true
    }

    /// Puts an element next to the first one that equals `pivot`; whether there is one.
    /// O(elements passed), then O(bytes of a node).
    pub fn insert_beside(
        &mut self,
        side: Side,
        pivot: &[u8],
        text: &[u8],
        limit: NodeLimit,
    ) -> bool {
        self.prepare_for(1, text.len(), limit);
        let pivot = Element::new(pivot);
        let run = match &mut self.0 {
            Form::Short(run) => run,
            Form::Long(quick) => {
                return quick.insert_beside(pivot, side == Side::After, text, limit);
            }
        };
        let Some(found) = run.first().and_then(|first| run.find(first, pivot, 1)) else {
            return false;
        };
        let place = match side {
            Side::Before => found,
            Side::After => run.next(found).unwrap_or(run.end()),
        };
        run.insert(place, Element::new(text));
        true
    }

    /// Takes the long form if `count` elements of `bytes` bytes in all are too much for one run.
    fn prepare_for(&mut self, count: usize, bytes: usize, limit: NodeLimit) {
        let Form::Short(run) = &mut self.0 else { return };
        let is_too_much = limit.is_exceeded_by(run.listpack_bytes() + bytes, run.len() + count);
        if is_too_much || !run.has_room_for(count, bytes) {
            let run = std::mem::take(run);
            self.0 = Form::Long(Box::new(Quick::of_run(run)));
        }
    }

    /// Takes the short form if the list has become short.
    fn settle(&mut self, limit: NodeLimit) {
        let Form::Long(quick) = &mut self.0 else { return };
        if let Some(run) = quick.take_small_run(limit) {
            self.0 = Form::Short(run);
        }
    }
}

impl<'a> IntoIterator for &'a List {
    type Item = Element<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
