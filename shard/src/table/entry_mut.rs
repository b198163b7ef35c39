//! A guard for changing one entry of a table.
//!
//! It keeps the table's accounts exact: every change of the entry's memory or time of expiry goes
//! through [`Table::change`](super::Table). An object is lent out for change as a plain `&mut O`,
//! so its memory is asked before the first loan and again when the guard goes. (Forgetting a guard
//! leaves the account of that object as it was, and breaks nothing else.)

use crate::hash::KeyHasher;

use super::entry::{lend_bytes_mut, lend_object_mut};
use super::layout::RawEntry;
use super::segment::Place;
use super::{Entry, Footprint, Kind, OldValue, OwnedEntry, Table, Value};

/// An entry of a table, borrowed for change.
pub struct EntryMut<'a, O: Footprint, H: KeyHasher> {
    table: &'a mut Table<O, H>,
    hash: u64,
    place: Place,
    /// What the object held before it was lent out, in bytes.
    lent_bytes: Option<usize>,
}

impl<'a, O: Footprint, H: KeyHasher> EntryMut<'a, O, H> {
    pub(super) fn new(table: &'a mut Table<O, H>, hash: u64, place: Place) -> EntryMut<'a, O, H> {
        EntryMut { table, hash, place, lent_bytes: None }
    }

    /// A view of the entry.
    pub fn as_entry(&self) -> Entry<'_, O> {
        // SAFETY: the entry is in the table, which the guard borrows.
        unsafe { Entry::lend(self.raw()) }
    }

    /// Replaces value and tag; time of expiry and access bits stay. O(length of key and value).
    pub fn set_value(&mut self, kind: Kind, value: Value<'_, O>) -> OldValue<O> {
        self.change(|entry| entry.set_value(kind, value))
    }

    /// Sets or clears the absolute time of expiry in milliseconds. O(length of key and inline
    /// value) at worst.
    pub fn set_expiry_ms(&mut self, expiry_ms: Option<i64>) {
        self.change(|entry| entry.set_expiry_ms(expiry_ms));
    }

    /// Replaces the caller's tag. O(1).
    pub fn set_kind(&mut self, kind: Kind) {
        self.change(|entry| entry.set_kind(kind));
    }

    /// The string value for change in place, lengthened to `length` with zeros if it is shorter. A
    /// buffer that a reply pins is copied first. Amortised O(bytes added), else O(length).
    ///
    /// # Panics
    /// When the value is no string of bytes; give a number its decimal text first.
    pub fn bytes_mut(&mut self, length: usize) -> &mut [u8] {
        self.change(|entry| {
            entry.bytes_mut(length);
        });
        // SAFETY: the guard borrows the entry for as long as the bytes are lent, and the change
        // above left it with a string of bytes that nobody shares.
        unsafe { lend_bytes_mut(self.raw()) }
    }

    /// The object for change.
    ///
    /// # Panics
    /// When the value is no object.
    pub fn object_mut(&mut self) -> &mut O {
        let bytes = self.as_entry().bytes();
        self.lent_bytes.get_or_insert(bytes);
        // SAFETY: the guard borrows the entry for as long as the object is lent.
        unsafe { lend_object_mut(self.raw()) }
    }

    /// Takes the entry out of the table, as [`Table::remove`] without another lookup.
    pub fn remove(mut self) -> OwnedEntry<O> {
        self.count_lent_object();
        self.table.remove_at(self.hash, self.place)
    }

    fn change<R>(&mut self, change: impl FnOnce(&mut OwnedEntry<O>) -> R) -> R {
        self.count_lent_object();
        self.table.change(self.hash, self.place, change)
    }

    /// Brings the account up to date with what happened to the object.
    fn count_lent_object(&mut self) {
        if let Some(before) = self.lent_bytes.take() {
            self.table.bytes = self.table.bytes - before + self.as_entry().bytes();
        }
    }

    fn raw(&self) -> RawEntry {
        self.table.word(self.hash, self.place).entry()
    }
}

impl<O: Footprint, H: KeyHasher> Drop for EntryMut<'_, O, H> {
    fn drop(&mut self) {
        self.count_lent_object();
    }
}
