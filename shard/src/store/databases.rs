//! Whole databases: their key counts, FLUSHDB, SWAPDB, and a key of one at random.

use super::{DatabaseCount, Store};
use crate::field_expiry::is_listed;
use crate::hash::HashSlot;
use crate::object::Object;
use crate::slot::Slot;
use crate::table::{Entry, Table};

impl Store {
    pub(super) fn count(&mut self, db: u32, keys: i64, expiring: i64) {
        if keys == 0 && expiring == 0 {
            return;
        }
        let index = match self.counts.iter().position(|&(number, _)| number == db) {
            Some(index) => index,
            None => {
                self.counts.push((db, DatabaseCount::default()));
                self.counts.len() - 1
            }
        };
        let count = &mut self.counts[index].1;
        count.keys += keys;
        count.expiring += expiring;
    }

    /// Keys of each database, as differences; see the module's head.
    pub fn database_counts(&self) -> &[(u32, DatabaseCount)] {
        &self.counts
    }

    /// Removes all keys of one database, or of all of them, from the slots that are here. The
    /// tables are returned, to be freed wherever there is time.
    pub fn flush(&mut self, db: Option<u32>) -> Vec<Table<Object>> {
        self.tell_observers_of_databases(|number| {
            db.is_none_or(|db| db == number).then_some(number)
        });
        self.begin_walks();
        let mut removed = Vec::new();
        for slot in HashSlot::all() {
            let Some(content) = self.slots[slot.index()].as_deref_mut() else { continue };
            let numbers: Vec<u32> = content.tables().map(|(number, _)| number).collect();
            for number in numbers.into_iter().filter(|number| db.is_none_or(|db| db == *number)) {
                let content = self.slot_mut(slot);
                let table = content.take_table(number);
                if table.is_empty() {
                    continue;
                }
                self.count(number, -(table.len() as i64), -(table.expiring_len() as i64));
                self.stats.changes += table.len() as i64;
                removed.extend(self.preserve_flushed(slot, number, table));
            }
        }
        removed
    }

    /// Leaves all slots that are here as they are, for ever. To be called when the process ends:
    /// that gives their memory back at once, and freeing key after key takes seconds.
    pub fn abandon(&mut self) {
        self.slots.iter_mut().for_each(|slot| std::mem::forget(slot.take()));
    }

    /// Exchanges two databases in the slots that are here.
    pub fn swap_databases(&mut self, one: u32, other: u32) {
        self.reclaim_watched(one, other);
        self.swap_walks(one, other);
        for slot in self.slots.iter_mut().filter_map(|slot| slot.as_deref_mut()) {
            slot.swap_databases(one, other);
        }
        self.tell_observers_of_databases(|number| match number {
            _ if number == one => Some(other),
            _ if number == other => Some(one),
            _ => None,
        });
        // Counts are differences that belong to this core, so they are recounted as such: what
        // the slots here hold moves from one number to the other.
        let held = |number: u32, slots: &[Option<Box<Slot>>]| {
            let mut sum = DatabaseCount::default();
            for table in slots.iter().flatten().filter_map(|slot| slot.table(number)) {
                sum.keys += table.len() as i64;
                sum.expiring += table.expiring_len() as i64;
            }
            sum
        };
        let (now_one, now_other) = (held(one, &self.slots), held(other, &self.slots));
        let keys = now_one.keys - now_other.keys;
        let expiring = now_one.expiring - now_other.expiring;
        self.count(one, keys, expiring);
        self.count(other, -keys, -expiring);
        self.stats.changes += 1;
    }

    /// A key of a database drawn about uniformly from those here, and how many keys that are.
    /// Starts at a random slot, so an expired key or an empty slot costs a step. O(slots) at worst.
    pub fn random_key(&mut self, db: u32) -> Option<(Vec<u8>, u64)> {
        let tables = self.slots.iter().flatten().filter_map(|slot| slot.table(db));
        let total: u64 = tables.map(|table| table.len() as u64).sum();
        let mut left = self.random().checked_rem(total)?;
        let random = self.random();
        let start = self
            .slots
            .iter()
            .position(|slot| {
                let len = slot.as_deref().and_then(|slot| slot.table(db)).map_or(0, Table::len);
                let found = left < len as u64;
                left = left.saturating_sub(len as u64);
                found
            })
            .expect("the draw is below the number of keys");
        let (before, after) = self.slots.split_at(start);
        after.iter().chain(before).flatten().filter_map(|slot| slot.table(db)).find_map(|table| {
            let is_listed = |entry: &Entry<'_, Object>| is_listed(*entry, self.now_ms);
            let drawn = table.random(random).filter(is_listed);
            let entry = drawn.or_else(|| table.iter().find(is_listed))?;
            Some((entry.key().to_vec(), total))
        })
    }
}
