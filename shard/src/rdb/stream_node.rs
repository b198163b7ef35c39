//! The listpacks that entries of streams travel in.
//!
//! ```text
//! node    entries, deleted entries, fields of the master, name ..., 0, entry ...
//! entry   2, ms, seq, value ..., elements                      it has the names of the master
//!         0, ms, seq, fields, name, value, ..., elements       it has its own
//! ```
//!
//! `ms` and `seq` are what the id has beyond the master's, modulo 2^64; `elements` counts those of
//! the entry in front of it. The lowest bit of the flags marks a deleted entry: such are passed
//! over and not written.
//!
//! A node is a block of [`crate::stream`], and the master is what the block began with.

use std::borrow::Cow;

use super::compact;
use super::error::FormatError;
use crate::packed::{Element, ListpackWriter};
use crate::stream::{BlockBuilder, BlockView, Entry, Log, StreamId};

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

const BAD_NODE: FormatError = FormatError::Corrupt("stream node");

/// A block as a listpack. O(bytes).
pub(super) fn write_node(block: BlockView<'_>) -> Vec<u8> {
    let mut listpack = ListpackWriter::default();
    let names = block.names();
    let counts = [block.len(), 0, names.len()];
    counts.iter().for_each(|count| listpack.push(Element::Int(*count as i64)));
    names.for_each(|name| listpack.push(name));
    listpack.push(Element::Int(0));
    block.entries().for_each(|entry| write_entry(block.first_id(), entry, &mut listpack));
    listpack.finish()
}

fn write_entry(master: StreamId, entry: Entry<'_>, listpack: &mut ListpackWriter) {
    let count = entry.fields.len() as i64;
    let has_own_names = entry.fields.has_own_names();
    let flags = if has_own_names { 0 } else { SAME_FIELDS };
    let ms = entry.id.ms.wrapping_sub(master.ms) as i64;
    let seq = entry.id.seq.wrapping_sub(master.seq) as i64;
    [flags, ms, seq].iter().for_each(|number| listpack.push(Element::Int(*number)));
    if has_own_names {
        listpack.push(Element::Int(count));
    }
    for (name, value) in entry.fields {
        if has_own_names {
            listpack.push(name);
        }
        listpack.push(value);
    }
    listpack.push(Element::Int(if has_own_names { 4 + 2 * count } else { 3 + count }));
}

/// Names, values, or both.
type Texts<'a> = Vec<Cow<'a, [u8]>>;

/// The elements of a node that were not read yet.
struct Elements<I>(I);

impl<'a, I: Iterator<Item = Element<'a>>> Elements<I> {
    fn element(&mut self) -> Result<Element<'a>, FormatError> {
        self.0.next().ok_or(BAD_NODE)
    }

    fn number(&mut self) -> Result<i64, FormatError> {
        match self.element()? {
            Element::Int(number) => Ok(number),
            Element::Text(_) => Err(BAD_NODE),
        }
    }

    /// A number of things that follow, none of which there would be no entry without.
    fn count(&mut self) -> Result<usize, FormatError> {
        usize::try_from(self.number()?).ok().filter(|count| *count > 0).ok_or(BAD_NODE)
    }

    fn texts(&mut self, count: usize) -> Result<Texts<'a>, FormatError> {
        let text = |element: Element<'a>| match element {
            Element::Int(number) => Cow::Owned(number.to_string().into_bytes()),
            Element::Text(text) => Cow::Borrowed(text),
        };
        let texts: Vec<_> = self.0.by_ref().take(count).map(text).collect();
        if texts.len() == count { Ok(texts) } else { Err(BAD_NODE) }
    }
}

/// Adds the entries of a node to a stream. O(bytes).
pub(super) fn read_node(master: StreamId, blob: &[u8], log: &mut Log) -> Result<(), FormatError> {
    let listpack = compact::listpack(blob)?;
    let mut elements = Elements(listpack.iter());
    let (live, deleted) = (elements.number()?, elements.number()?);
    let count = elements.count()?;
    if count > listpack.len() {
        return Err(BAD_NODE);
    }
    let names = elements.texts(count)?;
    if elements.number()? != 0 {
        return Err(BAD_NODE);
    }
    let names: Vec<&[u8]> = names.iter().map(|name| &**name).collect();
    let mut block = BlockBuilder::new(master, &names).map_err(|_| BAD_NODE)?;
    let (mut live_seen, mut deleted_seen) = (0, 0);
    while let Some(flags) = elements.0.next() {
        let Element::Int(flags) = flags else { return Err(BAD_NODE) };
        let is_deleted = flags & DELETED != 0;
        *(if is_deleted { &mut deleted_seen } else { &mut live_seen }) += 1;
        let (id, texts) = read_entry(master, flags, count, &mut elements)?;
        let texts = texts.iter().map(|text| &**text);
        match flags & SAME_FIELDS != 0 {
            _ if is_deleted => Ok(()),
            true => block.push_sharing(id, texts),
            false => {
                let names = texts.clone().step_by(2);
                block.push_own(id, names.zip(texts.skip(1).step_by(2)))
            }
        }
        .map_err(|_| BAD_NODE)?;
    }
    if (live, deleted) != (live_seen, deleted_seen) {
        return Err(BAD_NODE);
    }
    log.push_block(block).map_err(|_| BAD_NODE)
}

/// Reads what follows the flags of an entry: its id, and its values, or its names and values.
fn read_entry<'a, I: Iterator<Item = Element<'a>>>(
    master: StreamId,
    flags: i64,
    shared_count: usize,
    elements: &mut Elements<I>,
) -> Result<(StreamId, Texts<'a>), FormatError> {
    let ms = master.ms.wrapping_add(elements.number()? as u64);
    let seq = master.seq.wrapping_add(elements.number()? as u64);
    let (texts, others) = match flags & SAME_FIELDS != 0 {
        true => (elements.texts(shared_count)?, 3),
        false => {
            let count = elements.count()?;
            (elements.texts(count.saturating_mul(2))?, 4)
        }
    };
    let is_counted = elements.number()? == (others + texts.len()) as i64;
    is_counted.then_some((StreamId::new(ms, seq), texts)).ok_or(BAD_NODE)
}
