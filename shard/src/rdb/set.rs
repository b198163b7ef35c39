//! Sets in RDB.
//!
//! ```text
//! type 11   an intset
//! type 20   a listpack                                                   from version 11 on
//! type 2    count of members, then strings
//! ```

use super::compact;
use super::error::FormatError;
use super::intset::{self, Intset};
use super::reader::Reader;
use super::value_type::{RdbVersion, ValueType};
use super::writer::Writer;
use crate::set::{Member, Set, SetLimits};

/// The type a set is written as.
pub(super) fn type_of(set: &Set, version: RdbVersion) -> ValueType {
    match (set.as_ints(), set.as_packed(), version) {
        (Some(_), ..) => ValueType::SetIntset,
        (None, Some(_), RdbVersion::V11) => ValueType::SetListpack,
        (None, ..) => ValueType::Set,
    }
}

/// Appends the members of a set.
pub(super) fn encode(set: &Set, value_type: ValueType, writer: &mut Writer) {
    match (value_type, set.as_ints(), set.as_packed()) {
        (ValueType::SetIntset, Some((numbers, width)), _) => {
            writer.blob(|blob| intset::write(width, numbers, blob));
        }
        (ValueType::SetListpack, _, Some(members)) => writer.listpack(members),
        _ => encode_members(set, writer),
    }
}

/// Appends the members of a set one by one, as type 2.
fn encode_members(set: &Set, writer: &mut Writer) {
    writer.count(set.len());
    let mut digits = itoa::Buffer::new();
    set.for_each(|member| writer.string(member.text(&mut digits)));
}

/// Reads a set of any type.
pub(super) fn decode(
    value_type: ValueType,
    reader: &mut Reader<'_>,
    limits: &SetLimits,
) -> Result<Set, FormatError> {
    match value_type {
        ValueType::SetIntset => read_intset(&reader.blob()?, limits),
        ValueType::SetListpack => read_listpack(&reader.blob()?, limits),
        _ => read_members(reader, limits),
    }
}

fn read_intset(blob: &[u8], limits: &SetLimits) -> Result<Set, FormatError> {
    let numbers = Intset::parse(blob).ok_or(FormatError::Corrupt("intset"))?;
    if numbers.is_empty() {
        return Err(FormatError::Empty);
    }
    if numbers.len() <= limits.intset_entries() {
        return Ok(Set::of_ints(numbers.iter()));
    }
    into_table(numbers.iter().map(Member::Int), limits)
}

fn read_listpack(blob: &[u8], limits: &SetLimits) -> Result<Set, FormatError> {
    let members = compact::listpack(blob)?;
    compact::check_groups(members.len(), 1)?;
    if members.len() <= limits.listpack_entries
        && let Some(packed) = members.to_packed()
    {
        compact::check_distinct(members.iter())?;
        return Ok(Set::of_packed(packed));
    }
    into_table(members.iter().map(Member::from), limits)
}

fn into_table<'a>(
    members: impl Iterator<Item = Member<'a>>,
    limits: &SetLimits,
) -> Result<Set, FormatError> {
    let mut set = Set::with_table(limits);
    for member in members {
        add(&mut set, member, limits)?;
    }
    Ok(set)
}

fn add(set: &mut Set, member: Member<'_>, limits: &SetLimits) -> Result<(), FormatError> {
    if set.insert(member, limits) { Ok(()) } else { Err(FormatError::Duplicate) }
}

fn read_members(reader: &mut Reader<'_>, limits: &SetLimits) -> Result<Set, FormatError> {
    let count = reader.count()?;
    if count == 0 {
        return Err(FormatError::Empty);
    }
    let is_table = count > limits.intset_entries();
    let mut set = if is_table { Set::with_table(limits) } else { Set::default() };
    let mut digits = itoa::Buffer::new();
    for _ in 0..count {
        add(&mut set, Member::from(reader.string()?.bytes(&mut digits)), limits)?;
    }
    Ok(set)
}
