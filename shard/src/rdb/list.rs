//! Lists in RDB.
//!
//! ```text
//! type 18   count of nodes, then for each: 1 and an element, or 2 and a listpack     written
//! type 14   count of nodes, then ziplists
//! type 10   a ziplist
//! type 1    count of elements, then strings
//! ```

use super::compact;
use super::error::FormatError;
use super::reader::Reader;
use super::value_type::ValueType;
use super::writer::Writer;
use crate::list::{Builder, List, NodeLimit, Part};
use crate::packed::Element;

/// In front of an element that is a node of its own.
const PLAIN: u64 = 1;

/// In front of a listpack.
const PACKED: u64 = 2;

/// Appends the nodes of a list.
pub(super) fn encode(list: &List, writer: &mut Writer) {
    writer.count(list.part_count());
    for part in list.parts() {
        match part {
            Part::Run(run) => {
                writer.length(PACKED);
                writer.listpack(run);
            }
            Part::Large(text) => {
                writer.length(PLAIN);
                writer.string(text);
            }
        }
    }
}

/// Reads a list of any type.
pub(super) fn decode(
    value_type: ValueType,
    reader: &mut Reader<'_>,
    limit: NodeLimit,
) -> Result<List, FormatError> {
    let mut builder = Builder::new(limit);
    match value_type {
        ValueType::List => read_elements(reader, &mut builder)?,
        ValueType::ListZiplist => {
            let blob = reader.blob()?;
            compact::ziplist(&blob)?.iter().for_each(|element| builder.push(element));
            // Redis does not look whether such a list could be shorter, and one can tell.
            return refuse_empty(builder.finish_long());
        }
        ValueType::ListQuicklist => read_ziplists(reader, &mut builder)?,
        _ => read_nodes(reader, &mut builder)?,
    }
    refuse_empty(builder.finish())
}

fn refuse_empty(list: List) -> Result<List, FormatError> {
    if list.is_empty() { Err(FormatError::Empty) } else { Ok(list) }
}

fn read_elements(reader: &mut Reader<'_>, builder: &mut Builder) -> Result<(), FormatError> {
    let mut digits = itoa::Buffer::new();
    for _ in 0..reader.count()? {
        builder.push(Element::new(reader.string()?.bytes(&mut digits)));
    }
    Ok(())
}

fn read_ziplists(reader: &mut Reader<'_>, builder: &mut Builder) -> Result<(), FormatError> {
    for _ in 0..reader.count()? {
        let blob = reader.blob()?;
        let ziplist = compact::ziplist(&blob)?;
        match compact::pack(&ziplist, blob.len()) {
            Some(run) => builder.push_run(run),
            None => ziplist.iter().for_each(|element| builder.push(element)),
        }
    }
    Ok(())
}

fn read_nodes(reader: &mut Reader<'_>, builder: &mut Builder) -> Result<(), FormatError> {
    for _ in 0..reader.count()? {
        let container = reader.length()?;
        let blob = reader.blob()?;
        match container {
            PLAIN if !blob.is_empty() => builder.push_alone(&blob),
            PACKED => {
                let listpack = compact::listpack(&blob)?;
                match listpack.to_packed() {
                    Some(run) => builder.push_run(run),
                    None => listpack.iter().for_each(|element| builder.push(element)),
                }
            }
            _ => return Err(FormatError::Corrupt("list node")),
        }
    }
    Ok(())
}
