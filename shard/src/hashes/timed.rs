//! A packed hash with deadlines: wide rows, and the earliest deadline of them all.
//!
//! Knowing the earliest one makes the common question, whether anything is due, one comparison. It
//! is looked for anew when the row that has it changes, which costs no more than finding that row.
//!
//! A deadline of 0 would say that there is none, so the first millisecond of 1970 is none.

use super::rows::{Row, Rows};
use super::{Lifetime, Text};
use crate::packed::Element;

/// Fields in rows that have room for a deadline.
#[derive(Clone, Debug)]
pub(super) struct TimedRows {
    rows: Rows<3>,
    /// The earliest deadline, `i64::MAX` without one.
    first_deadline_ms: i64,
}

fn is_live(deadline_ms: Option<i64>, now_ms: i64) -> bool {
    deadline_ms.is_none_or(|at_ms| at_ms >= now_ms)
}

impl TimedRows {
    /// The fields of narrow rows, without deadlines.
    pub(super) fn of(rows: &Rows<2>) -> Self {
        Self { rows: rows.widened(), first_deadline_ms: i64::MAX }
    }

    /// Number of fields at `now_ms`. O(1); O(bytes) while some are due.
    pub(super) fn len(&self, now_ms: i64) -> usize {
        if self.first_deadline_ms >= now_ms { self.rows.len() } else { self.iter(now_ms).count() }
    }

    /// Number of fields, those that are due included. O(1).
    pub(super) fn stored_len(&self) -> usize {
        self.rows.len()
    }

    /// Bytes on the heap. O(1).
    pub(super) fn footprint_bytes(&self) -> usize {
        self.rows.footprint_bytes()
    }

    /// Whether another field with `bytes` bytes of name and value fits.
    pub(super) fn has_room_for(&self, bytes: usize) -> bool {
        self.rows.has_room_for(bytes)
    }

    /// The earliest deadline. O(1).
    pub(super) fn first_deadline_ms(&self) -> Option<i64> {
        (self.first_deadline_ms != i64::MAX).then_some(self.first_deadline_ms)
    }

    /// Value and deadline of a field. O(bytes).
    pub(super) fn get(&self, name: &[u8], now_ms: i64) -> Option<(Text<'_>, Option<i64>)> {
        let row = self.rows.find(name)?;
        let deadline_ms = self.rows.deadline_ms(row);
        is_live(deadline_ms, now_ms).then(|| (self.rows.value(row), deadline_ms))
    }

    /// All fields. O(bytes).
    pub(super) fn iter(&self, now_ms: i64) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().filter(move |row| is_live(row.deadline_ms, now_ms))
    }

    /// Writes a field. Returns whether it is new. O(bytes).
    pub(super) fn set(
        &mut self,
        name: &[u8],
        value: &[u8],
        lifetime: Lifetime,
        now_ms: i64,
    ) -> bool {
        let Some(row) = self.rows.find(name) else {
            let deadline_ms = lifetime.deadline_ms(None);
            self.rows.push(Element::new(name), Element::new(value), deadline_ms);
            self.note_change(None, deadline_ms);
            return true;
        };
        let old_ms = self.rows.deadline_ms(row);
        let was_live = is_live(old_ms, now_ms);
        let deadline_ms = lifetime.deadline_ms(old_ms.filter(|_| was_live));
        self.rows.set_value(row, value);
        self.rows.set_deadline(row, deadline_ms);
        self.note_change(old_ms, deadline_ms);
        !was_live
    }

    /// Removes a field. Returns whether it was there. O(bytes).
    pub(super) fn remove(&mut self, name: &[u8], now_ms: i64) -> bool {
        let Some(row) = self.rows.find(name) else { return false };
        let deadline_ms = self.rows.deadline_ms(row);
        self.rows.remove_row(row);
        self.note_change(deadline_ms, None);
        is_live(deadline_ms, now_ms)
    }

    /// Gives a field that is there a deadline, or takes it away. O(bytes).
    pub(super) fn set_deadline(&mut self, name: &[u8], deadline_ms: Option<i64>) {
        let Some(row) = self.rows.find(name) else { return };
        let old_ms = self.rows.deadline_ms(row);
        self.rows.set_deadline(row, deadline_ms);
        self.note_change(old_ms, deadline_ms);
    }

    /// Removes the fields that are due before `now_ms` and returns how many. O(bytes), O(1) if
    /// there are none.
    pub(super) fn remove_due(&mut self, now_ms: i64, tell: impl FnMut(&[u8])) -> usize {
        if self.first_deadline_ms >= now_ms {
            return 0;
        }
        let removed = self.rows.remove_due(now_ms, tell);
        self.find_first_deadline();
        removed
    }

    /// A row has another deadline now, or is gone.
    fn note_change(&mut self, old_ms: Option<i64>, new_ms: Option<i64>) {
        if old_ms == Some(self.first_deadline_ms) && old_ms != new_ms {
            self.find_first_deadline();
        } else {
            self.first_deadline_ms = self.first_deadline_ms.min(new_ms.unwrap_or(i64::MAX));
        }
    }

    fn find_first_deadline(&mut self) {
        let deadlines = self.rows.iter().filter_map(|row| row.deadline_ms);
        self.first_deadline_ms = deadlines.min().unwrap_or(i64::MAX);
    }
}
