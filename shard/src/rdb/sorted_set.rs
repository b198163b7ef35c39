//! Sorted sets in RDB.
//!
//! ```text
//! type 17   a listpack: member, score, member, score ...
//! type 12   a ziplist of the same
//! type 5    count of entries, then for each: member, score in eight bytes; highest first
//! type 3    count of entries, then for each: member, score as text
//! ```
//!
//! Redis trusts the order of the compact forms. Here entries are put in order if they are not.

use std::borrow::Cow;

use super::compact;
use super::error::FormatError;
use super::reader::Reader;
use super::value_type::ValueType;
use super::writer::Writer;
use crate::number::parse_double;
use crate::packed::Element;
use crate::sorted_set::{Entry, Limits, Order, SortedSet};

/// Entries as they were read.
type Entries<'a> = Vec<(f64, Cow<'a, [u8]>)>;

/// The type a sorted set is written as.
pub(super) fn type_of(set: &SortedSet) -> ValueType {
    match set.as_packed() {
        Some(_) => ValueType::SortedSetListpack,
        None => ValueType::SortedSet,
    }
}

/// Appends the entries of a sorted set.
pub(super) fn encode(set: &SortedSet, writer: &mut Writer) {
    if let Some(entries) = set.as_packed() {
        return writer.listpack(entries);
    }
    writer.count(set.len());
    set.visit(0..set.len(), Order::Falling, |entry| {
        writer.string(entry.member);
        writer.double(entry.score);
    });
}

/// Reads a sorted set of any type.
pub(super) fn decode(
    value_type: ValueType,
    reader: &mut Reader<'_>,
    limits: &Limits,
) -> Result<SortedSet, FormatError> {
    // The compact forms stay compact whatever the length of members.
    let any_length = Limits { member_bytes_max: usize::MAX, ..*limits };
    match value_type {
        ValueType::SortedSetListpack => {
            let blob = reader.blob()?;
            let elements = compact::listpack(&blob)?;
            build(pairs(elements.len(), elements.iter())?, &any_length)
        }
        ValueType::SortedSetZiplist => {
            let blob = reader.blob()?;
            let elements = compact::ziplist(&blob)?;
            build(pairs(elements.len(), elements.iter())?, &any_length)
        }
        ValueType::SortedSetText => build(read_entries(reader, Reader::text_double)?, limits),
        _ => build(read_entries(reader, Reader::double)?, limits),
    }
}

fn read_entries<'a>(
    reader: &mut Reader<'a>,
    read_score: impl Fn(&mut Reader<'a>) -> Result<f64, FormatError>,
) -> Result<Entries<'a>, FormatError> {
    let mut entries = Vec::new();
    for _ in 0..reader.count()? {
        let member = reader.blob()?;
        entries.push((read_score(reader)?, member));
    }
    Ok(entries)
}

fn pairs<'a>(
    len: usize,
    mut elements: impl Iterator<Item = Element<'a>>,
) -> Result<Entries<'a>, FormatError> {
    compact::check_groups(len, 2)?;
    let mut entries = Vec::with_capacity(len / 2);
    while let (Some(member), Some(score)) = (elements.next(), elements.next()) {
        let score = match score {
            Element::Int(number) => number as f64,
            Element::Text(text) => parse_double(text).ok_or(FormatError::Corrupt("score"))?,
        };
        let member = match member {
            Element::Int(number) => Cow::Owned(number.to_string().into_bytes()),
            Element::Text(text) => Cow::Borrowed(text),
        };
        entries.push((score, member));
    }
    Ok(entries)
}

fn entry<'a>((score, member): &'a (f64, Cow<'_, [u8]>)) -> Entry<'a> {
    Entry { score: *score, member }
}

/// Makes a set of entries in any order. O(n) if they come in order, up or down, and are few; else
/// O(n log n).
fn build(mut entries: Entries<'_>, limits: &Limits) -> Result<SortedSet, FormatError> {
    if entries.is_empty() {
        return Err(FormatError::Empty);
    }
    if entries.iter().any(|(score, _)| score.is_nan()) {
        return Err(FormatError::Corrupt("score"));
    }
    if entries
        .first()
        .map(entry)
        .zip(entries.last().map(entry))
        .is_some_and(|(first, last)| first.compare(last).is_gt())
    {
        entries.reverse();
    }
    if !entries.is_sorted_by(|one, next| entry(one).compare(entry(next)).is_le()) {
        entries.sort_unstable_by(|one, other| entry(one).compare(entry(other)));
    }
    let mut members: Vec<&[u8]> = entries.iter().map(|(_, member)| &**member).collect();
    members.sort_unstable();
    if members.array_windows().any(|[one, next]| one == next) {
        return Err(FormatError::Duplicate);
    }
    Ok(SortedSet::from_sorted(entries.iter().map(entry), limits))
}
