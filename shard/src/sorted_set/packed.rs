//! The small form of a sorted set: member, score, member, score in one packed sequence, in order.
//!
//! This is what Redis keeps in a listpack, entry for entry. Everything reads from the front, which
//! for the few dozen entries it is for takes less time than following one pointer to memory.

use std::ops::Range;
use std::ptr::NonNull;

use super::entry::{Cut, Entry, Order};
use crate::number::{format_double, parse_double};
use crate::packed::{Element, Packed, Place};

/// Entries in order, packed.
#[derive(Clone, Debug, Default)]
pub struct PackedEntries(Packed);

/// The score an element tells.
fn score_of(element: Element<'_>) -> f64 {
    match element {
        Element::Int(number) => number as f64,
        Element::Text(text) => parse_double(text).expect("a score was written by this module"),
    }
}

/// The text of a score. Minus zero loses its sign, as it does in Redis, which keeps a whole number.
fn text_of(score: f64) -> String {
    format_double(score + 0.0)
}

impl PackedEntries {
    /// Where the allocation lies, if there is one.
    #[inline]
    pub(super) fn address(&self) -> Option<NonNull<u8>> {
        self.0.address()
    }

    /// Asks the processor to load the front, for a search.
    #[inline]
    pub(super) fn prefetch_front(&self) {
        self.0.prefetch_front();
    }

    /// Number of entries. O(1).
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.0.len() / 2
    }

    /// Members and scores in order, member first.
    pub(super) fn as_packed(&self) -> &Packed {
        &self.0
    }

    /// Bytes on the heap, by size class. O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        self.0.footprint_bytes()
    }

    /// Whether one more member of `length` bytes fits.
    pub(super) fn has_room_for(&self, length: usize) -> bool {
        const SCORE_TEXT_MAX: usize = 25;
        self.0.has_room_for(2, length.saturating_add(SCORE_TEXT_MAX))
    }

    fn find(&self, member: &[u8]) -> Option<(Place, f64)> {
        let place = self.0.find(self.0.first()?, Element::new(member), 2)?;
        let behind = self.0.next(place).expect("a score follows its member");
        Some((place, score_of(self.0.get(behind))))
    }

    /// The score of a member. O(n).
    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        let (_, score) = self.find(member)?;
        Some(score)
    }

    /// Number of entries before `cut`. O(n).
    pub(super) fn count_before(&self, cut: Cut<'_>) -> usize {
        let mut digits = itoa::Buffer::new();
        let mut elements = self.0.iter();
        let mut count = 0;
        while let (Some(member), Some(score)) = (elements.next(), elements.next()) {
            let entry = Entry { score: score_of(score), member: member.text(&mut digits) };
            if !cut.is_behind(entry) {
                break;
            }
            count += 1;
        }
        count
    }

    /// Visits the entries whose ranks are in `ranks`. O(n).
    pub(super) fn visit(
        &self,
        ranks: Range<usize>,
        order: Order,
        mut visit: impl FnMut(Entry<'_>),
    ) {
        let mut digits = itoa::Buffer::new();
        let mut elements = self.0.range(2 * ranks.start, 2 * ranks.len());
        while let (Some(one), Some(other)) = match order {
            Order::Rising => (elements.next(), elements.next()),
            Order::Falling => {
                let score = elements.next_back();
                (elements.next_back(), score)
            }
        } {
            visit(Entry { score: score_of(other), member: one.text(&mut digits) });
        }
    }

    /// Adds a member or changes its score; returns the score it had. O(n).
    pub(super) fn insert(&mut self, entry: Entry<'_>) -> Option<f64> {
        let old = match self.find(entry.member) {
            Some((_, score)) if score == entry.score => return Some(score),
            Some((place, score)) => {
                self.0.remove(place, 2);
                Some(score)
            }
            None => None,
        };
        let index = 2 * self.count_before(Cut::Before(entry));
        let place = self.0.seek(index);
        self.0.insert(place, Element::new(text_of(entry.score).as_bytes()));
        self.0.insert(place, Element::new(entry.member));
        old
    }

    /// Adds an entry that comes behind all others. Amortised O(1).
    pub(super) fn push(&mut self, entry: Entry<'_>) {
        self.0.push_back(Element::new(entry.member));
        self.0.push_back(Element::new(text_of(entry.score).as_bytes()));
    }

    /// Removes a member; returns the score it had. O(n).
    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let (place, score) = self.find(member)?;
        self.0.remove(place, 2);
        Some(score)
    }

    /// Removes the entries whose ranks are in `ranks`. O(n).
    pub(super) fn remove_ranks(&mut self, ranks: Range<usize>) {
        let place = self.0.seek(2 * ranks.start);
        self.0.remove(place, 2 * ranks.len());
    }
}
