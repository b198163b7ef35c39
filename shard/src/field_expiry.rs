//! Expiry of hash fields: how a store knows which hashes have fields that are due, and reclaims
//! them.
//!
//! A hash keeps the deadlines of its own fields. Each slot keeps one deadline for every hash that
//! has such fields, the earliest, with the place of the hash's key in its table:
//!
//! ```text
//! slot:   | 12:00 key a | 12:07 key b | ...        one for each hash with deadlines
//! hash a: | 12:00 field x | 12:01 field y | ...    one for each field with a deadline
//! ```
//!
//! Whoever looks a key up reclaims what is due in it first, a bounded number of fields; what is
//! left, hashes hide by themselves. So a due field is gone for every reader from the millisecond
//! on, and with the last field its key. Active expiry takes slots' deadlines in order.
//!
//! Invariants: a hash with deadlines has its earliest one in its slot. The other way round it need
//! not be: a deadline whose hash is gone (a flushed table) is dropped when its time comes. The
//! database is not part of a deadline, so exchanging two databases changes nothing here.

use crate::deadlines::Deadlines;
use crate::error::CommandError;
use crate::event::Event;
use crate::hash::HashSlot;
use crate::hashes::Hash;
use crate::object::{Collection, Missing, Object};
use crate::slot::Slot;
use crate::store::{Key, Store};
use crate::table::{Entry, Position, Table, ValueRef};

/// Fields reclaimed at once when a key is looked up: some microseconds.
const FIELDS_PER_LOOKUP_MAX: usize = 64;

/// The earliest deadlines of a slot's hashes.
#[derive(Default)]
pub(crate) struct FieldDeadlines(Option<Box<Deadlines>>);

impl FieldDeadlines {
    /// The earliest, in milliseconds since 1970; `i64::MAX` without one. O(1).
    pub(crate) fn first_ms(&self) -> i64 {
        self.0.as_ref().and_then(|deadlines| deadlines.first_ms()).unwrap_or(i64::MAX)
    }

    fn replace(&mut self, position: Position, old_ms: Option<i64>, new_ms: Option<i64>) {
        if old_ms == new_ms {
            return;
        }
        let deadlines = self.0.get_or_insert_default();
        if let Some(old_ms) = old_ms {
            deadlines.remove(old_ms, position);
        }
        if let Some(new_ms) = new_ms {
            deadlines.insert(new_ms, position);
        }
        self.drop_if_empty();
    }

    fn pop_before(&mut self, now_ms: i64) -> Option<(i64, Position)> {
        let popped = self.0.as_mut()?.pop_before(now_ms);
        self.drop_if_empty();
        popped
    }

    fn drop_if_empty(&mut self) {
        if self.0.as_ref().is_some_and(|deadlines| deadlines.is_empty()) {
            self.0 = None;
        }
    }
}

/// Where the walk over a table meets a hash.
pub(crate) fn position_of(key_hash: u64) -> Position {
    Position::from_bits(key_hash >> (u64::BITS - Position::BITS))
}

/// The earliest deadline of fields in an object.
pub(crate) fn first_deadline_ms(object: &Object) -> Option<i64> {
    Hash::of(object)?.first_deadline_ms()
}

/// The earliest deadline of fields in a value.
pub(crate) fn first_deadline_of(value: ValueRef<'_, Object>) -> Option<i64> {
    match value {
        ValueRef::Object(object) => first_deadline_ms(object),
        _ => None,
    }
}

/// Whether a key is there for those who list keys at `now_ms` without looking each of them up:
/// neither expired itself nor a hash all of whose fields are due.
pub(crate) fn is_listed(entry: Entry<'_, Object>, now_ms: i64) -> bool {
    let is_expired = entry.expiry_ms().is_some_and(|at_ms| at_ms < now_ms);
    !is_expired && has_content(entry, now_ms)
}

/// Whether a key holds anything at `now_ms`: is no hash all of whose fields are due.
pub(crate) fn has_content(entry: Entry<'_, Object>, now_ms: i64) -> bool {
    let has_due_fields = || first_deadline_of(entry.value()).is_some_and(|at_ms| at_ms < now_ms);
    let has_live_fields = || match entry.value() {
        ValueRef::Object(object) => Hash::of(object).is_some_and(|hash| hash.len(now_ms) > 0),
        _ => true,
    };
    !has_due_fields() || has_live_fields()
}

/// The name of a hash with that earliest deadline at that position.
fn name_at(table: &Table<Object>, deadline_ms: i64, position: Position) -> Option<Vec<u8>> {
    let mut found = None;
    table.scan(position, |entry| {
        if found.is_none() && first_deadline_of(entry.value()) == Some(deadline_ms) {
            found = Some(entry.key().to_vec());
        }
    });
    found
}

impl Slot {
    /// The earliest deadline of any hash field, `i64::MAX` without one.
    #[inline]
    pub(crate) fn first_field_deadline_ms(&self) -> i64 {
        self.first_field_deadline_ms
    }

    /// The hash at a key had `old_ms` for its earliest deadline and has `new_ms` now.
    pub(crate) fn move_field_deadline(
        &mut self,
        key_hash: u64,
        old_ms: Option<i64>,
        new_ms: Option<i64>,
    ) {
        self.field_deadlines.replace(position_of(key_hash), old_ms, new_ms);
        self.first_field_deadline_ms = self.field_deadlines.first_ms();
    }

    /// Takes the earliest deadline before `now_ms` with the hash it belongs to. Deadlines whose
    /// hash is gone count as work and are dropped.
    fn pop_due_hash(&mut self, now_ms: i64, work: &mut usize) -> Option<(u32, Vec<u8>)> {
        let mut due = None;
        while *work > 0
            && due.is_none()
            && let Some((deadline_ms, position)) = self.field_deadlines.pop_before(now_ms)
        {
            *work -= 1;
            due = self
                .tables()
                .find_map(|(db, table)| Some((db, name_at(table, deadline_ms, position)?)));
        }
        self.first_field_deadline_ms = self.field_deadlines.first_ms();
        due
    }
}

impl Store {
    /// [`Store::change_collection`] for hashes, which keeps the slot's deadlines right.
    ///
    /// # Errors
    /// `WRONGTYPE` if the key holds something else.
    pub(crate) fn change_hash<R>(
        &mut self,
        key: Key<'_>,
        missing: Missing,
        change: impl FnOnce(&mut Hash) -> R,
    ) -> Result<Option<R>, CommandError> {
        let (mut before_ms, mut after_ms) = (None, None);
        let result = self.change_collection(key, missing, |hash: &mut Hash| {
            let is_new = hash.is_empty();
            before_ms = hash.first_deadline_ms();
            let result = change(hash);
            // What is put into the table is noted on the way.
            after_ms = if is_new { None } else { hash.first_deadline_ms() };
            result
        })?;
        if before_ms != after_ms {
            self.move_field_deadline(key, before_ms, after_ms);
        }
        Ok(result)
    }

    /// The hash at a key had `old_ms` for its earliest deadline and has `new_ms` now.
    pub(crate) fn move_field_deadline(
        &mut self,
        key: Key<'_>,
        old_ms: Option<i64>,
        new_ms: Option<i64>,
    ) {
        if let Some(new_ms) = new_ms {
            self.expiry_cursor.note(new_ms);
        }
        self.slot_mut(key.slot).move_field_deadline(key.hash, old_ms, new_ms);
    }

    /// Reclaims due fields of a key that is looked up.
    #[cold]
    pub(crate) fn reclaim_looked_up(&mut self, key: Key<'_>) {
        let table = self.table(key.slot, key.db);
        let entry = table.and_then(|table| table.get(key.hash, key.name));
        let first_ms = entry.and_then(|entry| first_deadline_of(entry.value()));
        if first_ms.is_some_and(|at_ms| at_ms < self.now_ms()) {
            self.slot_mut(key.slot).move_field_deadline(key.hash, first_ms, None);
            self.reclaim_fields(key, FIELDS_PER_LOOKUP_MAX);
        }
    }

    /// Reclaims due fields of a slot's hashes; returns the work that took, at least 1, and how many
    /// fields there were.
    pub(crate) fn reclaim_due_hashes(&mut self, slot: HashSlot, work: usize) -> (usize, usize) {
        let (now_ms, mut left, mut fields) = (self.now_ms(), work, 0);
        while let Some((db, name)) = self.slot_mut(slot).pop_due_hash(now_ms, &mut left) {
            let key = self.key(db, &name);
            let reclaimed = self.reclaim_fields(key, left.max(1));
            left = left.saturating_sub(reclaimed);
            fields += reclaimed;
        }
        (1.max(work - left), fields)
    }

    /// Reclaims up to `count_max` due fields of a hash whose deadline is not in its slot at the
    /// moment, and puts the one it has then there. Removes the key with the last field.
    fn reclaim_fields(&mut self, key: Key<'_>, count_max: usize) -> usize {
        let (now_ms, is_journaled) = (self.now_ms(), self.journal.is_on());
        let is_named = is_journaled || self.news.names_fields(Event::HExpired);
        self.preserve(key);
        let table = self.slot_mut(key.slot).table_mut(key.db).expect("the key is in it");
        let mut entry = table.get_mut(key.hash, key.name).expect("the key was found");
        let hash = Hash::of_mut(entry.object_mut()).expect("fields of a hash are due");
        // What is told by its own words must find the same fields when it runs again, and who asks
        // for names must not miss those that go with the key.
        let count_max = if is_named { usize::MAX } else { count_max };
        let mut due: Vec<Vec<u8>> = Vec::new();
        let count = hash.remove_due(now_ms, count_max, |name| {
            if is_named {
                due.push(name.to_vec());
            }
        });
        let (has_live, first_ms) = (hash.len(now_ms) > 0, hash.first_deadline_ms());
        drop(entry);
        self.stats.expired_fields += count as u64;
        self.move_field_deadline(key, None, first_ms);
        self.changed_fields_by_itself(key, Event::HExpired, due.iter().map(Vec::as_slice));
        self.stats.changes += 1;
        if !has_live {
            self.remove_unread(key);
        }
        if is_journaled {
            let head: [&[u8]; 2] = [b"HDEL", key.name];
            let names = due.iter().map(Vec::as_slice);
            let parts: Vec<&[u8]> = head.into_iter().chain(names).collect();
            self.journal_by_itself(key, &parts);
        }
        count
    }

    /// Removes a hash that has no field left to read; what is left to reclaim goes with it.
    fn remove_unread(&mut self, key: Key<'_>) {
        let entry = self.take_entry(key).expect("the caller has seen the key");
        self.dispose_entry(entry);
        self.changed_by_itself(key, Event::Del);
    }
}
