//! Fields as rows of a packed sequence: name and value, and in wide rows a deadline.
//!
//! ```text
//! Rows<2>:  name value | name value | ...
//! Rows<3>:  name value deadline | name value deadline | ...      deadline 0: none
//! ```
//!
//! A lookup compares the names from front to end. That beats any index while all of it lies in a
//! few cache lines, and the limits on packed hashes see to that.

use std::ptr::NonNull;

use super::Text;
use crate::packed::{Element, Packed, Place};

/// Longest text of a deadline in a row.
const DEADLINE_BYTES: usize = 20;

/// Rows of `WIDTH` elements each.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows<const WIDTH: usize>(Packed);

/// One field.
pub(super) struct Row<'a> {
    pub(super) name: Text<'a>,
    pub(super) value: Text<'a>,
    pub(super) deadline_ms: Option<i64>,
}

impl<const WIDTH: usize> Rows<WIDTH> {
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

    /// Number of fields. O(1).
    pub(super) fn len(&self) -> usize {
        self.0.len() / WIDTH
    }

    /// Bytes on the heap. O(1).
    pub(super) fn footprint_bytes(&self) -> usize {
        self.0.footprint_bytes()
    }

    /// Whether another field with `bytes` bytes of name and value fits.
    pub(super) fn has_room_for(&self, bytes: usize) -> bool {
        self.0.has_room_for(WIDTH, bytes + DEADLINE_BYTES)
    }

    /// The row of a field. O(bytes).
    pub(super) fn find(&self, name: &[u8]) -> Option<Place> {
        self.0.find(self.0.first()?, Element::new(name), WIDTH)
    }

    /// The value in a row. O(1).
    pub(super) fn value(&self, row: Place) -> Text<'_> {
        self.0.get(self.column(row, 1)).into()
    }

    /// All rows, in the order they were added. O(bytes).
    pub(super) fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        let mut elements = self.0.iter();
        std::iter::from_fn(move || {
            let name = elements.next()?.into();
            let value = elements.next().expect("a name has a value").into();
            let deadline_ms = if WIDTH == 3 { deadline_of(elements.next()) } else { None };
            Some(Row { name, value, deadline_ms })
        })
    }

    /// Adds a row; the name must be new.
    pub(super) fn push(&mut self, name: Element<'_>, value: Element<'_>, deadline_ms: Option<i64>) {
        self.0.push_back(name);
        self.0.push_back(value);
        if WIDTH == 3 {
            self.0.push_back(Element::Int(deadline_ms.unwrap_or(0)));
        }
    }

    /// Replaces the value in a row.
    pub(super) fn set_value(&mut self, row: Place, value: &[u8]) {
        self.0.replace(self.column(row, 1), Element::new(value));
    }

    /// Removes a row; the next one is in its place then.
    pub(super) fn remove_row(&mut self, row: Place) {
        self.0.remove(row, WIDTH);
    }

    fn column(&self, row: Place, column: usize) -> Place {
        let next = |place| self.0.next(place).expect("a row is whole");
        (0..column).fold(row, |place, _| next(place))
    }
}

impl Rows<2> {
    /// Rows of names and values, name first.
    pub(super) fn of_packed(fields: Packed) -> Self {
        assert!(fields.len().is_multiple_of(2), "a name has a value");
        Self(fields)
    }

    /// Names and values, name first.
    pub(super) fn as_packed(&self) -> &Packed {
        &self.0
    }

    /// Writes a field. Returns whether it is new. O(bytes).
    pub(super) fn set(&mut self, name: &[u8], value: &[u8]) -> bool {
        let row = self.find(name);
        match row {
            Some(row) => self.set_value(row, value),
            None => self.push(Element::new(name), Element::new(value), None),
        }
        row.is_none()
    }

    /// Removes a field. Returns whether it was there. O(bytes).
    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        let row = self.find(name);
        if let Some(row) = row {
            self.remove_row(row);
        }
        row.is_some()
    }

    /// The same fields in wide rows, without deadlines.
    pub(super) fn widened(&self) -> Rows<3> {
        let mut wide = Rows::<3>::default();
        let mut elements = self.0.iter();
        while let (Some(name), Some(value)) = (elements.next(), elements.next()) {
            wide.push(name, value, None);
        }
        wide
    }
}

impl Rows<3> {
    /// The deadline in a row. O(1).
    pub(super) fn deadline_ms(&self, row: Place) -> Option<i64> {
        deadline_of(Some(self.0.get(self.column(row, 2))))
    }

    /// Replaces the deadline in a row.
    pub(super) fn set_deadline(&mut self, row: Place, deadline_ms: Option<i64>) {
        self.0.replace(self.column(row, 2), Element::Int(deadline_ms.unwrap_or(0)));
    }

    /// Removes the rows whose deadline lies before `now_ms`; returns how many. O(bytes).
    pub(super) fn remove_due(&mut self, now_ms: i64, mut tell: impl FnMut(&[u8])) -> usize {
        let mut kept = Packed::new();
        let mut elements = self.0.iter();
        while let Some(name) = elements.next() {
            let row = [Some(name), elements.next(), elements.next()];
            if deadline_of(row[2]).is_none_or(|at_ms| at_ms >= now_ms) {
                kept.extend(row.into_iter().flatten());
            } else {
                tell(Text::from(name).bytes(&mut itoa::Buffer::new()));
            }
        }
        let removed = (self.0.len() - kept.len()) / 3;
        self.0 = kept;
        removed
    }
}

fn deadline_of(element: Option<Element<'_>>) -> Option<i64> {
    match element {
        Some(Element::Int(deadline_ms)) => (deadline_ms != 0).then_some(deadline_ms),
        _ => panic!("a wide row ends with a deadline"),
    }
}
