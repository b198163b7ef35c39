//! Hashes: fields with values, each with a time to live if it is given one.
//!
//! | form | OBJECT ENCODING | holds |
//! |---|---|---|
//! | `Rows<2>` | `listpack` | few short fields: name, value, name, value... in one run of bytes |
//! | `TimedRows` | `listpackex` | the same with a deadline behind each value |
//! | `FieldTable` | `hashtable` | any other |
//!
//! A hash starts packed and becomes a table where Redis makes one of it: when it has more fields or
//! a longer text than [`Limits`] allow. It never goes back. Giving a field of a packed hash a
//! deadline makes the rows wider, and they stay that wide.
//!
//! **Due fields.** A field whose deadline lies before `now_ms` is gone for whoever asks with that
//! time, whether or not its memory was reclaimed; that is what all methods that take `now_ms` do.
//! [`Hash::remove_due`] reclaims, a bounded number at a time.
//!
//! Nothing here knows of commands, events or replies.

mod pick;
mod rows;
mod table;
mod timed;

#[cfg(test)]
mod tests;

pub(crate) use pick::Draws;

use std::ptr::NonNull;

use crate::hash::Seed;
use crate::object::{Collection, Object};
use crate::packed::{Element, Packed};
use crate::table::{Footprint, Position, SharedBytes, size_class};
use crate::types::Type;
use rows::Rows;
use table::FieldTable;
use timed::TimedRows;

/// Deadlines of fields lie below this, in milliseconds since 1970, as in Redis: the year 4199.
pub(crate) const DEADLINE_END_MS: i64 = 1 << 46;

const _: () = assert!(DEADLINE_END_MS <= crate::deadlines::DEADLINE_END_MS);

/// The name or the value of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Text<'a> {
    /// The decimal text of this number.
    Integer(i64),
    /// These bytes.
    Bytes(&'a [u8]),
    /// The bytes of this buffer; clone the handle to pin it.
    Shared(&'a SharedBytes),
}

impl<'a> Text<'a> {
    /// The bytes; those of a number are made in `digits`.
    pub(crate) fn bytes<'b>(self, digits: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Integer(number) => digits.format(number).as_bytes(),
            Self::Bytes(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl<'a> From<Element<'a>> for Text<'a> {
    fn from(element: Element<'a>) -> Self {
        match element {
            Element::Int(number) => Self::Integer(number),
            Element::Text(bytes) => Self::Bytes(bytes),
        }
    }
}

/// What writing a field does to its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// The field stays until it is removed.
    Endless,
    /// A field that is there keeps the deadline it has.
    Kept,
    /// The field is due at this time, in milliseconds since 1970.
    Until(i64),
}

impl Lifetime {
    /// The deadline of a field that had `old_ms` before.
    fn deadline_ms(self, old_ms: Option<i64>) -> Option<i64> {
        match self {
            Self::Endless => None,
            Self::Kept => old_ms,
            Self::Until(at_ms) => Some(at_ms),
        }
    }
}

/// Up to where a hash stays packed, and what its table will need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// `hash-max-listpack-entries`: most fields of a packed hash.
    pub(crate) packed_fields_max: usize,
    /// `hash-max-listpack-value`: longest name and value of a packed hash, in bytes.
    pub(crate) packed_text_bytes_max: usize,
    /// What the names of fields are hashed under.
    pub(crate) seed: Seed,
}

/// Fields with values.
#[derive(Clone, Debug)]
pub struct Hash(Form);

const _: () = assert!(size_of::<Hash>() == 16);

#[derive(Clone, Debug)]
enum Form {
    Packed(Rows<2>),
    Timed(Box<TimedRows>),
    Table(Box<FieldTable>),
}

impl Default for Hash {
    fn default() -> Self {
        Self(Form::Packed(Rows::default()))
    }
}

/// Reading.
impl Hash {
    /// Asks the processor to load what a command looks at behind the first block.
    #[inline]
    pub(crate) fn prefetch_content(&self) {
        match &self.0 {
            Form::Packed(rows) => rows.prefetch_front(),
            Form::Timed(_) | Form::Table(_) => {}
        }
    }

    /// What OBJECT ENCODING says.
    pub(crate) fn encoding(&self) -> &'static str {
        match self.0 {
            Form::Packed(_) => "listpack",
            Form::Timed(_) => "listpackex",
            Form::Table(_) => "hashtable",
        }
    }

    /// Number of fields. O(1); O(fields) for a packed hash and O(due / 128) for a table while
    /// some are due.
    pub(crate) fn len(&self, now_ms: i64) -> usize {
        match &self.0 {
            Form::Packed(rows) => rows.len(),
            Form::Timed(rows) => rows.len(now_ms),
            Form::Table(table) => table.len(now_ms),
        }
    }

    /// The value of a field. Expected O(1), O(bytes) for a packed hash.
    pub(crate) fn get(&self, name: &[u8], now_ms: i64) -> Option<Text<'_>> {
        match &self.0 {
            Form::Packed(rows) => Some(rows.value(rows.find(name)?)),
            Form::Timed(rows) => rows.get(name, now_ms).map(|(value, _)| value),
            Form::Table(table) => table.get(name, now_ms).map(table::value_of),
        }
    }

    /// The deadline of a field, in milliseconds since 1970: `None` without the field, `Some(None)`
    /// if it has no deadline. Costs as [`Hash::get`].
    pub(crate) fn deadline_ms(&self, name: &[u8], now_ms: i64) -> Option<Option<i64>> {
        match &self.0 {
            Form::Packed(rows) => rows.find(name).map(|_| None),
            Form::Timed(rows) => rows.get(name, now_ms).map(|(_, deadline_ms)| deadline_ms),
            Form::Table(table) => table.get(name, now_ms).map(|field| field.expiry_ms()),
        }
    }

    /// The earliest deadline of all fields. O(1).
    pub(crate) fn first_deadline_ms(&self) -> Option<i64> {
        match &self.0 {
            Form::Packed(_) => None,
            Form::Timed(rows) => rows.first_deadline_ms(),
            Form::Table(table) => table.first_deadline_ms(),
        }
    }

    /// Visits all fields: name and value. O(fields).
    pub(crate) fn for_each<'a>(&'a self, now_ms: i64, mut visit: impl FnMut(Text<'a>, Text<'a>)) {
        match &self.0 {
            Form::Packed(rows) => rows.iter().for_each(|row| visit(row.name, row.value)),
            Form::Timed(rows) => rows.iter(now_ms).for_each(|row| visit(row.name, row.value)),
            Form::Table(table) => table.iter(now_ms).for_each(|field| {
                visit(Text::Bytes(field.key()), table::value_of(field));
            }),
        }
    }

    /// Visits all fields with the deadlines they have, in milliseconds since 1970. O(fields).
    pub(crate) fn for_each_timed<'a>(
        &'a self,
        now_ms: i64,
        mut visit: impl FnMut(Text<'a>, Text<'a>, Option<i64>),
    ) {
        match &self.0 {
            Form::Packed(rows) => rows.iter().for_each(|row| visit(row.name, row.value, None)),
            Form::Timed(rows) => {
                rows.iter(now_ms).for_each(|row| visit(row.name, row.value, row.deadline_ms));
            }
            Form::Table(table) => table.iter(now_ms).for_each(|field| {
                visit(Text::Bytes(field.key()), table::value_of(field), field.expiry_ms());
            }),
        }
    }

    /// Whether the fields lie in one run of bytes, with room for deadlines or without.
    pub(crate) fn is_packed(&self) -> bool {
        !matches!(self.0, Form::Table(_))
    }

    /// Names and values, name first, if that is how the hash is kept.
    pub(crate) fn as_packed(&self) -> Option<&Packed> {
        match &self.0 {
            Form::Packed(rows) => Some(rows.as_packed()),
            _ => None,
        }
    }

    /// Visits the fields behind a place in a walk: all of a packed hash, a few of a table. Returns
    /// where to go on, or `None` at the end. A field that is there throughout a walk is visited,
    /// whatever else changes meanwhile.
    pub(crate) fn scan(
        &self,
        position: Position,
        now_ms: i64,
        mut visit: impl FnMut(Text<'_>, Text<'_>),
    ) -> Option<Position> {
        let Form::Table(table) = &self.0 else {
            self.for_each(now_ms, visit);
            return None;
        };
        table.scan(position, now_ms, |field| {
            visit(Text::Bytes(field.key()), table::value_of(field));
        })
    }
}

/// Changing.
impl Hash {
    /// A packed hash of names and values, name first. The caller knows that no name comes twice.
    pub(crate) fn of_packed(fields: Packed) -> Self {
        Self(Form::Packed(Rows::of_packed(fields)))
    }

    /// Makes ready for `count` fields to be written, most of them new: a hash that will be a table
    /// becomes one at once.
    pub(crate) fn expect_fields(&mut self, count: usize, limits: &Limits) {
        if count > limits.packed_fields_max {
            self.unpack(limits.seed);
        }
    }

    /// Writes a field. Returns whether it is new. Costs as [`Hash::get`] beside copying the text.
    pub(crate) fn set(
        &mut self,
        name: &[u8],
        value: &[u8],
        lifetime: Lifetime,
        now_ms: i64,
        limits: &Limits,
    ) -> bool {
        if name.len().max(value.len()) > limits.packed_text_bytes_max
            || !self.has_room_for(name.len() + value.len())
        {
            self.unpack(limits.seed);
        }
        if matches!(lifetime, Lifetime::Until(_)) {
            self.widen();
        }
        let (is_new, packed_len) = match &mut self.0 {
            Form::Packed(rows) => (rows.set(name, value), rows.len()),
            Form::Timed(rows) => (rows.set(name, value, lifetime, now_ms), rows.stored_len()),
            Form::Table(table) => return table.set(name, value, lifetime, now_ms),
        };
        if packed_len > limits.packed_fields_max {
            self.unpack(limits.seed);
        }
        is_new
    }

    /// Removes a field. Returns whether it was there. Costs as [`Hash::get`].
    pub(crate) fn remove(&mut self, name: &[u8], now_ms: i64) -> bool {
        match &mut self.0 {
            Form::Packed(rows) => rows.remove(name),
            Form::Timed(rows) => rows.remove(name, now_ms),
            Form::Table(table) => table.remove(name, now_ms),
        }
    }

    /// Gives a field that is there a deadline, or takes it away. Costs as [`Hash::get`].
    pub(crate) fn set_deadline(&mut self, name: &[u8], deadline_ms: Option<i64>) {
        if deadline_ms.is_some() {
            self.widen();
        }
        match &mut self.0 {
            Form::Packed(_) => {}
            Form::Timed(rows) => rows.set_deadline(name, deadline_ms),
            Form::Table(table) => table.set_deadline(name, deadline_ms),
        }
    }

    /// Removes up to `count_max` fields that are due before `now_ms`, the earliest first, and
    /// returns how many. O(log fields) each; O(fields) once for a packed hash.
    /// `tell` gets the name of each.
    pub(crate) fn remove_due(
        &mut self,
        now_ms: i64,
        count_max: usize,
        tell: impl FnMut(&[u8]),
    ) -> usize {
        match &mut self.0 {
            Form::Packed(_) => 0,
            Form::Timed(rows) => rows.remove_due(now_ms, tell),
            Form::Table(table) => table.remove_due(now_ms, count_max, tell),
        }
    }

    /// Whether a packed hash can take a field of so many bytes.
    fn has_room_for(&self, bytes: usize) -> bool {
        match &self.0 {
            Form::Packed(rows) => rows.has_room_for(bytes),
            Form::Timed(rows) => rows.has_room_for(bytes),
            Form::Table(_) => true,
        }
    }

    /// Makes room for deadlines.
    fn widen(&mut self) {
        if let Form::Packed(rows) = &self.0 {
            self.0 = Form::Timed(Box::new(TimedRows::of(rows)));
        }
    }

    /// Makes it a table.
    fn unpack(&mut self, seed: Seed) {
        let mut table = FieldTable::new(seed);
        let mut add = |name: Text<'_>, value: Text<'_>, deadline_ms: Option<i64>| {
            let (mut name_digits, mut value_digits) = Default::default();
            let (name, value) = (name.bytes(&mut name_digits), value.bytes(&mut value_digits));
            let lifetime = deadline_ms.map_or(Lifetime::Endless, Lifetime::Until);
            table.set(name, value, lifetime, i64::MIN);
        };
        match &self.0 {
            Form::Packed(rows) => rows.iter().for_each(|row| add(row.name, row.value, None)),
            Form::Timed(rows) => {
                rows.iter(i64::MIN).for_each(|row| add(row.name, row.value, row.deadline_ms));
            }
            Form::Table(_) => return,
        }
        self.0 = Form::Table(Box::new(table));
    }
}

impl Footprint for Hash {
    fn footprint_bytes(&self) -> usize {
        match &self.0 {
            Form::Packed(rows) => rows.footprint_bytes(),
            Form::Timed(rows) => size_class(size_of::<TimedRows>()) + rows.footprint_bytes(),
            Form::Table(table) => size_class(size_of::<FieldTable>()) + table.footprint_bytes(),
        }
    }

    #[inline]
    fn first_block(&self) -> Option<NonNull<u8>> {
        match &self.0 {
            Form::Packed(rows) => rows.address(),
            Form::Timed(rows) => Some(NonNull::from(&**rows).cast()),
            Form::Table(table) => Some(NonNull::from(&**table).cast()),
        }
    }
}

impl Collection for Hash {
    const TYPE: Type = Type::Hash;

    fn of(object: &Object) -> Option<&Self> {
        match object {
            Object::Hash(hash) => Some(hash),
            _ => None,
        }
    }

    fn of_mut(object: &mut Object) -> Option<&mut Self> {
        match object {
            Object::Hash(hash) => Some(hash),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Hash(self)
    }

    fn is_empty(&self) -> bool {
        match &self.0 {
            Form::Packed(rows) => rows.len() == 0,
            Form::Timed(rows) => rows.stored_len() == 0,
            Form::Table(table) => table.is_empty(),
        }
    }
}
