//! Hashes in RDB.
//!
//! ```text
//! type 16   a listpack: name, value, name, value ...
//! type 13   a ziplist of the same
//! type 9    a zipmap
//! type 4    count of fields, then for each: name, value
//!
//! with deadlines, in milliseconds since 1970; 0 stands for none
//! type 25   earliest deadline in eight bytes, then a listpack: name, value, deadline, ...
//! type 24   earliest deadline in eight bytes, count of fields, then for each:
//!           deadline as a length, less the earliest, plus 1; name; value
//! type 22   Valkey: count of fields, then for each: name, value, deadline in eight bytes or -1
//! ```
//!
//! Types 24 and 25 are written only for hashes that have deadlines, since older readers know
//! neither. In type 25 fields stand in the order of their deadlines, those without at the end.

use super::compact;
use super::error::FormatError;
use super::reader::Reader;
use super::value_type::ValueType;
use super::writer::Writer;
use super::zipmap::Zipmap;
use crate::hashes::{DEADLINE_END_MS, Hash, Lifetime, Limits, Text};
use crate::packed::{Element, Packed};

/// What Valkey writes for a field without a deadline.
const NO_DEADLINE_IN_VALKEY: i64 = -1;

/// The type a hash is written as.
pub(super) fn type_of(hash: &Hash) -> ValueType {
    match (hash.is_packed(), hash.first_deadline_ms()) {
        (true, None) => ValueType::HashListpack,
        (true, Some(_)) => ValueType::HashListpackEx,
        (false, None) => ValueType::Hash,
        (false, Some(_)) => ValueType::HashMetadata,
    }
}

/// Appends the fields of a hash that are not due before `now_ms`.
pub(super) fn encode(hash: &Hash, value_type: ValueType, now_ms: i64, writer: &mut Writer) {
    match value_type {
        ValueType::HashListpack => match hash.as_packed() {
            Some(fields) => writer.listpack(fields),
            None => writer.listpack(&narrow_rows(hash)),
        },
        ValueType::HashListpackEx => write_wide_rows(hash, now_ms, writer),
        ValueType::HashMetadata => write_timed_fields(hash, now_ms, writer),
        _ => {
            writer.count(hash.len(now_ms));
            hash.for_each(now_ms, |name, value| {
                write_text(name, writer);
                write_text(value, writer);
            });
        }
    }
}

fn write_text(text: Text<'_>, writer: &mut Writer) {
    match text {
        Text::Integer(number) => writer.integer(number),
        Text::Bytes(bytes) => writer.string(bytes),
        Text::Shared(bytes) => writer.string(bytes),
    }
}

fn element(text: Text<'_>) -> Element<'_> {
    match text {
        Text::Integer(number) => Element::Int(number),
        Text::Bytes(bytes) => Element::new(bytes),
        Text::Shared(bytes) => Element::new(bytes),
    }
}

/// Names and values of a packed hash that has room for deadlines and has none.
fn narrow_rows(hash: &Hash) -> Packed {
    let mut rows = Packed::new();
    hash.for_each(i64::MIN, |name, value| rows.extend([element(name), element(value)]));
    rows
}

fn write_wide_rows(hash: &Hash, now_ms: i64, writer: &mut Writer) {
    let mut fields = Vec::new();
    hash.for_each_timed(now_ms, |name, value, deadline_ms| {
        fields.push((deadline_ms.unwrap_or(i64::MAX), element(name), element(value)));
    });
    fields.sort_by_key(|(deadline_ms, ..)| *deadline_ms);
    let first_ms = fields.first().map_or(0, |(deadline_ms, ..)| *deadline_ms);
    writer.int_64(if first_ms == i64::MAX { 0 } else { first_ms });
    let mut rows = Packed::new();
    for (deadline_ms, name, value) in fields {
        let deadline_ms = if deadline_ms == i64::MAX { 0 } else { deadline_ms };
        rows.extend([name, value, Element::Int(deadline_ms)]);
    }
    writer.listpack(&rows);
}

fn write_timed_fields(hash: &Hash, now_ms: i64, writer: &mut Writer) {
    let mut first_ms = i64::MAX;
    hash.for_each_timed(now_ms, |_, _, deadline_ms| {
        first_ms = first_ms.min(deadline_ms.unwrap_or(i64::MAX));
    });
    if first_ms == i64::MAX {
        first_ms = 0;
    }
    writer.int_64(first_ms);
    writer.count(hash.len(now_ms));
    hash.for_each_timed(now_ms, |name, value, deadline_ms| {
        writer.length(deadline_ms.map_or(0, |at_ms| (at_ms - first_ms) as u64 + 1));
        write_text(name, writer);
        write_text(value, writer);
    });
}

/// Reads a hash of any type.
pub(super) fn decode(
    value_type: ValueType,
    reader: &mut Reader<'_>,
    limits: &Limits,
) -> Result<Hash, FormatError> {
    match value_type {
        ValueType::HashListpack => {
            let blob = reader.blob()?;
            let rows = compact::listpack(&blob)?;
            build_rows(rows.len(), rows.iter(), || rows.to_packed(), limits)
        }
        ValueType::HashZiplist => {
            let blob = reader.blob()?;
            let rows = compact::ziplist(&blob)?;
            build_rows(rows.len(), rows.iter(), || compact::pack(&rows, blob.len()), limits)
        }
        ValueType::HashZipmap => read_zipmap(&reader.blob()?, limits),
        ValueType::HashListpackEx => read_wide_rows(reader, limits),
        ValueType::HashMetadata => {
            let first_ms = read_first_deadline(reader)?;
            read_fields(reader, limits, |reader| {
                let offset = reader.length()?;
                let field = read_field(reader)?;
                let offset_ms = match offset {
                    0 => return Ok((field, None)),
                    _ => i64::try_from(offset - 1).map_err(|_| BAD_DEADLINE)?,
                };
                Ok((field, first_ms.checked_add(offset_ms).or(Some(i64::MAX))))
            })
        }
        ValueType::HashWithExpiry => read_fields(reader, limits, |reader| {
            let field = read_field(reader)?;
            let deadline_ms = reader.int_64()?;
            Ok((field, Some(deadline_ms).filter(|at_ms| *at_ms != NO_DEADLINE_IN_VALKEY)))
        }),
        _ => read_fields(reader, limits, |reader| Ok((read_field(reader)?, None))),
    }
}

const BAD_DEADLINE: FormatError = FormatError::Corrupt("deadline of a field");

/// A hash that is being read.
struct Building<'l> {
    hash: Hash,
    limits: &'l Limits,
}

impl<'l> Building<'l> {
    fn new(count: usize, limits: &'l Limits) -> Self {
        let mut hash = Hash::default();
        hash.expect_fields(count, limits);
        Self { hash, limits }
    }

    fn add(
        &mut self,
        name: &[u8],
        value: &[u8],
        deadline_ms: Option<i64>,
    ) -> Result<(), FormatError> {
        let lifetime = match deadline_ms {
            None => Lifetime::Endless,
            Some(at_ms @ 1..DEADLINE_END_MS) => Lifetime::Until(at_ms),
            Some(_) => return Err(BAD_DEADLINE),
        };
        let is_new = self.hash.set(name, value, lifetime, i64::MIN, self.limits);
        is_new.then_some(()).ok_or(FormatError::Duplicate)
    }
}

/// Name and value.
type Field<'a> = (super::reader::Text<'a>, super::reader::Text<'a>);

fn read_field<'a>(reader: &mut Reader<'a>) -> Result<Field<'a>, FormatError> {
    Ok((reader.string()?, reader.string()?))
}

/// Reads a count, then that many fields, each with its deadline.
fn read_fields<'a>(
    reader: &mut Reader<'a>,
    limits: &Limits,
    read: impl Fn(&mut Reader<'a>) -> Result<(Field<'a>, Option<i64>), FormatError>,
) -> Result<Hash, FormatError> {
    let count = reader.count()?;
    if count == 0 {
        return Err(FormatError::Empty);
    }
    let mut building = Building::new(count, limits);
    for _ in 0..count {
        let ((name, value), deadline_ms) = read(reader)?;
        let (mut name_digits, mut value_digits) = Default::default();
        let (name, value) = (name.bytes(&mut name_digits), value.bytes(&mut value_digits));
        building.add(name, value, deadline_ms)?;
    }
    Ok(building.hash)
}

/// Makes a hash of names and values; packed if they are few and `pack` can do it.
fn build_rows<'a>(
    len: usize,
    mut elements: impl Iterator<Item = Element<'a>> + Clone,
    pack: impl FnOnce() -> Option<Packed>,
    limits: &Limits,
) -> Result<Hash, FormatError> {
    compact::check_groups(len, 2)?;
    if len / 2 <= limits.packed_fields_max
        && let Some(rows) = pack()
    {
        compact::check_distinct(elements.step_by(2))?;
        return Ok(Hash::of_packed(rows));
    }
    let mut building = Building::new(usize::MAX, limits);
    while let (Some(name), Some(value)) = (elements.next(), elements.next()) {
        add_elements(&mut building, name, value, None)?;
    }
    Ok(building.hash)
}

fn add_elements(
    building: &mut Building<'_>,
    name: Element<'_>,
    value: Element<'_>,
    deadline_ms: Option<i64>,
) -> Result<(), FormatError> {
    let (mut name_digits, mut value_digits) = Default::default();
    building.add(name.text(&mut name_digits), value.text(&mut value_digits), deadline_ms)
}

fn read_zipmap(blob: &[u8], limits: &Limits) -> Result<Hash, FormatError> {
    let fields = Zipmap::parse(blob).ok_or(FormatError::Corrupt("zipmap"))?;
    compact::check_groups(fields.len(), 1)?;
    let mut building = Building::new(fields.len(), limits);
    for (name, value) in fields.iter() {
        building.add(name, value, None)?;
    }
    Ok(building.hash)
}

/// The earliest deadline, which is found anew while the fields are read.
fn read_first_deadline(reader: &mut Reader<'_>) -> Result<i64, FormatError> {
    Ok(reader.int_64()?.max(0))
}

fn read_wide_rows(reader: &mut Reader<'_>, limits: &Limits) -> Result<Hash, FormatError> {
    read_first_deadline(reader)?;
    let blob = reader.blob()?;
    let rows = compact::listpack(&blob)?;
    compact::check_groups(rows.len(), 3)?;
    // The form stays compact whatever the length of names and values.
    let limits = Limits { packed_text_bytes_max: usize::MAX, ..*limits };
    let mut building = Building::new(rows.len() / 3, &limits);
    let mut elements = rows.iter();
    while let (Some(name), Some(value), Some(deadline)) =
        (elements.next(), elements.next(), elements.next())
    {
        let Element::Int(deadline_ms) = deadline else { return Err(BAD_DEADLINE) };
        let deadline_ms = (deadline_ms != 0).then_some(deadline_ms);
        add_elements(&mut building, name, value, deadline_ms)?;
    }
    Ok(building.hash)
}
