//! A hash slot: everything that belongs to one of the 16,384 slots, in one movable box.
//!
//! A core owns a slot by holding its box; handing it to another core is sending a pointer. So
//! nothing about a slot may live anywhere else.
//!
//! Most slots of most servers hold keys of database 0 only, so that table is part of the box and
//! the others are listed as they come into use. An empty slot costs its box and nothing more.
//!
//! With keys all over the slots, the box is the first of three memory accesses of a command (then
//! bucket, then entry), so what a command looks at lies in one cache line:
//!
//! ```text
//! line 0:  | table of database 0, 48 | first field deadline 8 | observers 8 |    every command
//! line 1:  | sequence 8 | expiry bound 8 | ...                                   changes
//! ```

use crate::expiry::Sweep;
use crate::field_expiry::FieldDeadlines;
use crate::hash::Seed;
use crate::interests::Directory;
use crate::object::Object;
use crate::observers::Observers;
use crate::snapshot::SlotSnapshot;
use crate::table::{Table, prefetch};

/// A hash slot with its keys.
#[repr(C, align(64))]
pub struct Slot {
    first: Table<Object>,
    /// The first of `field_deadlines`, where a lookup can see it without a detour.
    pub(crate) first_field_deadline_ms: i64,
    /// Who is to be told of changes of its keys; `None` while nobody is.
    pub(crate) observers: Option<Box<Observers>>,
    /// Counts the records of the journal about the slot, from the start of a generation of files.
    pub sequence: u64,
    /// What [`Slot::next_expiry_ms`] answers while no sweep is running.
    pub(crate) expiry_bound_ms: i64,
    seed: Seed,
    others: Vec<(u32, Table<Object>)>,
    pub(crate) sweep: Sweep,
    pub(crate) field_deadlines: FieldDeadlines,
    pub(crate) snapshot: SlotSnapshot,
    /// Who listens to the channels of this slot; `None` while nobody does.
    pub(crate) channels: Option<Box<Directory>>,
}

const CACHE_LINE_BYTES: usize = 64;

const _: () = assert!(std::mem::offset_of!(Slot, sequence) == CACHE_LINE_BYTES);
/// 16,384 empty slots take 4 MiB at most.
const _: () = assert!(size_of::<Slot>() <= 4 * CACHE_LINE_BYTES);

impl Slot {
    /// A slot without keys, whose tables hash with `seed`.
    pub fn new(seed: Seed) -> Self {
        Self {
            first: Table::new(seed),
            first_field_deadline_ms: i64::MAX,
            observers: None,
            sequence: 0,
            expiry_bound_ms: i64::MAX,
            seed,
            others: Vec::new(),
            sweep: Sweep::default(),
            field_deadlines: FieldDeadlines::default(),
            snapshot: SlotSnapshot::default(),
            channels: None,
        }
    }

    /// Brings what every command reads into the cache, and what changes write, if `changes`.
    #[inline]
    pub fn prefetch(&self, changes: bool) {
        prefetch(&raw const self.first);
        if changes {
            prefetch(&raw const self.sequence);
        }
    }

    /// The table of database `db`, if it was ever written to.
    #[inline]
    pub fn table(&self, db: u32) -> Option<&Table<Object>> {
        if db == 0 {
            return Some(&self.first);
        }
        let index = self.others.binary_search_by_key(&db, |&(number, _)| number).ok()?;
        Some(&self.others[index].1)
    }

    /// The table of database `db`, if it was ever written to.
    #[inline]
    pub fn table_mut(&mut self, db: u32) -> Option<&mut Table<Object>> {
        if db == 0 {
            return Some(&mut self.first);
        }
        let index = self.others.binary_search_by_key(&db, |&(number, _)| number).ok()?;
        Some(&mut self.others[index].1)
    }

    /// The table of database `db`, made if need be.
    #[inline]
    pub fn table_or_new(&mut self, db: u32) -> &mut Table<Object> {
        if db == 0 {
            return &mut self.first;
        }
        let index = match self.others.binary_search_by_key(&db, |&(number, _)| number) {
            Ok(index) => index,
            Err(index) => {
                // There are many slots, and most use one database beside the first, if any.
                self.others.reserve_exact(1);
                self.others.insert(index, (db, Table::new(self.seed)));
                index
            }
        };
        &mut self.others[index].1
    }

    /// All databases that were ever written to, ascending.
    pub fn tables(&self) -> impl Iterator<Item = (u32, &Table<Object>)> {
        std::iter::once((0, &self.first))
            .chain(self.others.iter().map(|(number, table)| (*number, table)))
    }

    /// Takes the whole table of database `db` out.
    pub fn take_table(&mut self, db: u32) -> Table<Object> {
        if db == 0 {
            return std::mem::replace(&mut self.first, Table::new(self.seed));
        }
        match self.others.binary_search_by_key(&db, |&(number, _)| number) {
            Ok(index) => {
                let (_, table) = self.others.remove(index);
                self.others.shrink_to_fit();
                table
            }
            Err(_) => Table::new(self.seed),
        }
    }

    /// Gives the room of a table back whose last key has left: with few keys in many slots it is
    /// more than they took.
    #[inline]
    pub(crate) fn let_go_if_empty(&mut self, db: u32) {
        if db != 0 && self.table(db).is_some_and(Table::is_empty) {
            self.take_table(db);
        }
    }

    /// Exchanges the keys of two databases.
    pub fn swap_databases(&mut self, one: u32, other: u32) {
        let (left, right) = (self.take_table(one), self.take_table(other));
        for (number, table) in [(one, right), (other, left)] {
            if !table.is_empty() {
                *self.table_or_new(number) = table;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_database_takes_room_for_one() {
        let mut slot = Slot::new(Seed(1));
        slot.table_or_new(9);
        assert_eq!(slot.others.capacity(), 1);
        slot.let_go_if_empty(9);
        assert_eq!(slot.others.capacity(), 0);
    }
}
