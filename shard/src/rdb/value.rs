//! Values as a whole: which form one is written in, and how one is read whatever its form.
//!
//! The form follows from how the value is kept, as in Redis, so that a value read back is kept the
//! same way. The settings of whoever reads decide in the end: what is too large for a compact form
//! there takes the large one.

use super::error::FormatError;
use super::reader::{Reader, Text};
use super::value_type::ValueType;
use super::writer::Writer;
use super::{hash, list, set, sorted_set, stream};
use crate::hashes;
use crate::list::NodeLimit;
use crate::object::Object;
use crate::set::SetLimits;
use crate::sorted_set as zset;
use crate::table::ValueRef;

/// How values that are read are kept.
#[derive(Clone, Debug)]
pub struct Limits {
    pub(crate) hash: hashes::Limits,
    pub(crate) list: NodeLimit,
    pub(crate) set: SetLimits,
    pub(crate) sorted_set: zset::Limits,
}

/// A value that was read.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// A string.
    String(Text<'a>),
    /// A collection.
    Object(Object),
}

/// The type a value is written as. O(1).
pub fn type_of(value: ValueRef<'_, Object>) -> ValueType {
    match value {
        ValueRef::Int(_) | ValueRef::Bytes(_) | ValueRef::Shared(_) => ValueType::String,
        ValueRef::Object(Object::Hash(hash)) => hash::type_of(hash),
        ValueRef::Object(Object::List(_)) => ValueType::ListQuicklist2,
        ValueRef::Object(Object::Set(set)) => set::type_of(set),
        ValueRef::Object(Object::SortedSet(set)) => sorted_set::type_of(set),
        ValueRef::Object(Object::Stream(_)) => ValueType::Stream3,
    }
}

/// Appends a value, which is written as [`type_of`] says, without its type. Fields of hashes that
/// are due before `now_ms` are left out. O(bytes), O(n log n) for a packed hash with deadlines.
pub fn encode(value: ValueRef<'_, Object>, now_ms: i64, writer: &mut Writer) {
    match value {
        ValueRef::Int(number) => writer.integer(number),
        ValueRef::Bytes(bytes) => writer.string(bytes),
        ValueRef::Shared(bytes) => writer.string(bytes),
        ValueRef::Object(Object::Hash(hash)) => hash::encode(hash, now_ms, writer),
        ValueRef::Object(Object::List(list)) => list::encode(list, writer),
        ValueRef::Object(Object::Set(set)) => set::encode(set, writer),
        ValueRef::Object(Object::SortedSet(set)) => sorted_set::encode(set, writer),
        ValueRef::Object(Object::Stream(stream)) => {
            stream::encode(stream, ValueType::Stream3, writer);
        }
    }
}

/// Appends a value with its type, in a form that as many versions as can be know. Else as
/// [`encode`].
pub(super) fn encode_for_any(
    value: ValueRef<'_, Object>,
    now_ms: i64,
    writer: &mut Writer,
) -> ValueType {
    let value_type = match type_of(value) {
        ValueType::SetListpack => ValueType::Set,
        ValueType::Stream3 => ValueType::Stream2,
        own => own,
    };
    writer.value_type(value_type);
    match (value, value_type) {
        (ValueRef::Object(Object::Set(set)), ValueType::Set) => set::encode_members(set, writer),
        (ValueRef::Object(Object::Stream(stream)), _) => {
            stream::encode(stream, value_type, writer);
        }
        _ => encode(value, now_ms, writer),
    }
    value_type
}

/// Reads a value of a type. O(bytes), O(n log n) for sorted sets and compact hashes.
///
/// # Errors
/// Whatever is wrong with it; nothing that is read can do harm later.
pub fn decode<'a>(
    value_type: ValueType,
    reader: &mut Reader<'a>,
    limits: &Limits,
) -> Result<Decoded<'a>, FormatError> {
    use ValueType as T;
    let object = match value_type {
        T::String => return reader.string().map(Decoded::String),
        T::List | T::ListZiplist | T::ListQuicklist | T::ListQuicklist2 => {
            Object::List(list::decode(value_type, reader, limits.list)?)
        }
        T::Set | T::SetIntset | T::SetListpack => {
            Object::Set(set::decode(value_type, reader, &limits.set)?)
        }
        T::SortedSetText | T::SortedSet | T::SortedSetZiplist | T::SortedSetListpack => {
            Object::SortedSet(sorted_set::decode(value_type, reader, &limits.sorted_set)?)
        }
        T::Hash
        | T::HashZipmap
        | T::HashZiplist
        | T::HashListpack
        | T::HashWithExpiry
        | T::HashMetadata
        | T::HashListpackEx => Object::Hash(hash::decode(value_type, reader, &limits.hash)?),
        T::Stream | T::Stream2 | T::Stream3 => Object::Stream(stream::decode(value_type, reader)?),
    };
    Ok(Decoded::Object(object))
}
