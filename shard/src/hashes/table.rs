//! A hash as a table: the form of hashes that are too large to be searched from front to end.
//!
//! It is the keyspace's own [`Table`], with fields for keys: one allocation per field that holds
//! name and value, lookups that touch two cache lines, growth in bounded steps, scans that hold
//! while it grows, and a time of expiry where one is set. A field of 16 bytes with a value of 16
//! bytes takes 50 bytes all told.
//!
//! What the table does not have is order in time. [`Deadlines`] adds it: which field is due next,
//! and how many are due, is known without a walk, so that fields can be reclaimed one by one.
//!
//! Invariant: a field has a time of expiry exactly if there is a deadline for it.

use super::{Lifetime, Text};
use crate::deadlines::Deadlines;
use crate::hash::{KeyHasher, Seed};
use crate::table::{Entry, Footprint, Kind, Position, Record, Table, Value, ValueRef};

/// What values of fields are besides strings: nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum NoObject {}

impl Footprint for NoObject {
    fn first_block(&self) -> Option<std::ptr::NonNull<u8>> {
        match *self {}
    }

    fn footprint_bytes(&self) -> usize {
        match *self {}
    }
}

/// The entry of a field.
pub(super) type Field<'a> = Entry<'a, NoObject>;

/// Fields in a table.
pub(super) struct FieldTable {
    fields: Table<NoObject, Seed>,
    seed: Seed,
    deadlines: Deadlines,
}

/// Where a scan finds the key of this hash.
fn position_of(hash: u64) -> Position {
    Position::from_bits(hash >> (u64::BITS - Position::BITS))
}

/// Whether an entry is there for those who read at `now_ms`.
fn is_live(field: Field<'_>, now_ms: i64) -> bool {
    field.expiry_ms().is_none_or(|at_ms| at_ms >= now_ms)
}

/// The value of an entry.
pub(super) fn value_of(field: Field<'_>) -> Text<'_> {
    match field.value() {
        ValueRef::Int(number) => Text::Integer(number),
        ValueRef::Bytes(bytes) => Text::Bytes(bytes),
        ValueRef::Shared(bytes) => Text::Shared(bytes),
        ValueRef::Object(object) => match *object {},
    }
}

fn record(value: &[u8], expiry_ms: Option<i64>) -> Record<'_, NoObject> {
    Record { kind: Kind::default(), lru_bits: 0, expiry_ms, value: Value::Bytes(value) }
}

impl FieldTable {
    /// A table without fields whose names are hashed under `seed`.
    pub(super) fn new(seed: Seed) -> Self {
        Self { fields: Table::new(seed), seed, deadlines: Deadlines::default() }
    }

    /// Number of fields at `now_ms`. O(1), and O(due / 128) while there are some to reclaim.
    pub(super) fn len(&self, now_ms: i64) -> usize {
        self.fields.len() - self.deadlines.count_before(now_ms)
    }

    /// Whether there is nothing in it, not even fields to reclaim. O(1).
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Bytes on the heap. O(1).
    pub(super) fn footprint_bytes(&self) -> usize {
        self.fields.bytes() + self.deadlines.footprint_bytes()
    }

    /// The field of that name. Expected O(1).
    pub(super) fn get(&self, name: &[u8], now_ms: i64) -> Option<Field<'_>> {
        self.fields.get(self.seed.hash(name), name).filter(|field| is_live(*field, now_ms))
    }

    /// Writes a field. Returns whether it is new. Expected O(1) beside copying the value, and
    /// O(log deadlines) where a time to live comes or goes.
    pub(super) fn set(
        &mut self,
        name: &[u8],
        value: &[u8],
        lifetime: Lifetime,
        now_ms: i64,
    ) -> bool {
        let hash = self.seed.hash(name);
        let Some(mut field) = self.fields.get_mut(hash, name) else {
            let expiry_ms = lifetime.deadline_ms(None);
            self.fields.insert(hash, name, record(value, expiry_ms));
            self.move_deadline(hash, None, expiry_ms);
            return true;
        };
        let old_ms = field.as_entry().expiry_ms();
        let was_live = is_live(field.as_entry(), now_ms);
        let expiry_ms = lifetime.deadline_ms(old_ms.filter(|_| was_live));
        field.set_value(Kind::default(), Value::Bytes(value));
        if expiry_ms != old_ms {
            field.set_expiry_ms(expiry_ms);
        }
        drop(field);
        self.move_deadline(hash, old_ms, expiry_ms);
        !was_live
    }

    /// Removes a field. Returns whether it was there. Expected O(1), O(log deadlines) if it had
    /// a time to live.
    pub(super) fn remove(&mut self, name: &[u8], now_ms: i64) -> bool {
        let hash = self.seed.hash(name);
        let Some(removed) = self.fields.remove(hash, name) else { return false };
        let old_ms = removed.as_entry().expiry_ms();
        self.move_deadline(hash, old_ms, None);
        is_live(removed.as_entry(), now_ms)
    }

    /// Gives a field that is there a time of expiry or takes it away. Costs as [`Self::remove`].
    pub(super) fn set_deadline(&mut self, name: &[u8], expiry_ms: Option<i64>) {
        let hash = self.seed.hash(name);
        let Some(mut field) = self.fields.get_mut(hash, name) else { return };
        let old_ms = field.as_entry().expiry_ms();
        field.set_expiry_ms(expiry_ms);
        drop(field);
        self.move_deadline(hash, old_ms, expiry_ms);
    }

    fn move_deadline(&mut self, hash: u64, old_ms: Option<i64>, new_ms: Option<i64>) {
        if old_ms == new_ms {
            return;
        }
        if let Some(old_ms) = old_ms {
            let was_there = self.deadlines.remove(old_ms, position_of(hash));
            assert!(was_there, "a field that expires has a deadline");
        }
        if let Some(new_ms) = new_ms {
            self.deadlines.insert(new_ms, position_of(hash));
        }
    }

    /// The earliest deadline. O(1).
    pub(super) fn first_deadline_ms(&self) -> Option<i64> {
        self.deadlines.first_ms()
    }

    /// Removes up to `count_max` of the fields that are due before `now_ms`, the earliest first;
    /// returns how many. O(log deadlines) each.
    pub(super) fn remove_due(
        &mut self,
        now_ms: i64,
        count_max: usize,
        mut tell: impl FnMut(&[u8]),
    ) -> usize {
        let mut count = 0;
        while count < count_max
            && let Some((deadline_ms, position)) = self.deadlines.pop_before(now_ms)
        {
            let name = self.name_at(deadline_ms, position);
            self.fields.remove(self.seed.hash(&name), &name);
            tell(&name);
            count += 1;
        }
        count
    }

    /// The name of a field with that time of expiry at that position.
    fn name_at(&self, deadline_ms: i64, position: Position) -> Vec<u8> {
        let mut found = None;
        self.fields.scan(position, |field| {
            let is_it = field.expiry_ms() == Some(deadline_ms)
                && position_of(self.seed.hash(field.key())) == position;
            if is_it && found.is_none() {
                found = Some(field.key().to_vec());
            }
        });
        found.expect("a deadline belongs to a field")
    }

    /// All fields. O(fields).
    pub(super) fn iter(&self, now_ms: i64) -> impl Iterator<Item = Field<'_>> {
        self.fields.iter().filter(move |field| is_live(*field, now_ms))
    }

    /// Visits a few fields from a position on; where to go on, or `None` at the end. A field that
    /// is there from the first call to the last is visited, whatever happens in between.
    pub(super) fn scan(
        &self,
        position: Position,
        now_ms: i64,
        mut visit: impl FnMut(Field<'_>),
    ) -> Option<Position> {
        self.fields.scan(position, |field| {
            if is_live(field, now_ms) {
                visit(field);
            }
        })
    }

    /// A field drawn about evenly from all, due or not. Expected O(1).
    pub(super) fn random(&self, random: u64) -> Option<Field<'_>> {
        self.fields.random(random)
    }
}

impl Clone for FieldTable {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.seed);
        copy.deadlines = self.deadlines.clone();
        for field in &self.fields {
            let value = match field.value() {
                ValueRef::Int(number) => Value::Int(number),
                ValueRef::Bytes(bytes) => Value::Bytes(bytes),
                ValueRef::Shared(bytes) => Value::Shared(bytes.clone()),
                ValueRef::Object(object) => match *object {},
            };
            let record = Record { value, ..record(b"", field.expiry_ms()) };
            copy.fields.insert(self.seed.hash(field.key()), field.key(), record);
        }
        copy
    }
}

impl std::fmt::Debug for FieldTable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fields = self.fields.iter().map(|field| (field.key(), value_of(field)));
        formatter.debug_map().entries(fields).finish()
    }
}
