//! Values as a whole: which form one is written in, and how one is read whatever its form.
//!
//! The form follows from how the value is kept, as in Redis, so that a value read back is kept the
//! same way. The settings of whoever reads decide in the end: what is too large for a compact form
//! there takes the large one.

use super::error::FormatError;
use super::reader::{Reader, Text};
use super::value_type::{RdbVersion, ValueType};
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

/// The type a value is written as for readers of `version`. O(1).
///
/// Hashes whose fields have deadlines have a type that is newer than any such version.
pub fn type_of(value: ValueRef<'_, Object>, version: RdbVersion) -> ValueType {
    match value {
        ValueRef::Int(_) | ValueRef::Bytes(_) | ValueRef::Shared(_) => ValueType::String,
        ValueRef::Object(Object::Hash(hash)) => hash::type_of(hash),
        ValueRef::Object(Object::List(_)) => ValueType::ListQuicklist2,
        ValueRef::Object(Object::Set(set)) => set::type_of(set, version),
        ValueRef::Object(Object::SortedSet(set)) => sorted_set::type_of(set),
        ValueRef::Object(Object::Stream(_)) => stream::type_of(version),
    }
}

/// Appends a value as the type [`type_of`] gave for it, without that type. Fields of hashes that
/// are due before `now_ms` are left out. O(bytes), O(n log n) for a packed hash with deadlines.
pub fn encode(
    value: ValueRef<'_, Object>,
    value_type: ValueType,
    now_ms: i64,
    writer: &mut Writer,
) {
    match value {
        ValueRef::Int(number) => writer.integer(number),
        ValueRef::Bytes(bytes) => writer.string(bytes),
        ValueRef::Shared(bytes) => writer.string(bytes),
        ValueRef::Object(Object::Hash(hash)) => hash::encode(hash, value_type, now_ms, writer),
        ValueRef::Object(Object::List(list)) => list::encode(list, writer),
        ValueRef::Object(Object::Set(set)) => set::encode(set, value_type, writer),
        ValueRef::Object(Object::SortedSet(set)) => sorted_set::encode(set, writer),
        ValueRef::Object(Object::Stream(stream)) => stream::encode(stream, value_type, writer),
    }
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
        T::Stream | T::Stream2 | T::Stream3 | T::Stream4 | T::Stream5 => {
            Object::Stream(stream::decode(value_type, reader)?)
        }
    };
    Ok(Decoded::Object(object))
}
