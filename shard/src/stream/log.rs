//! The entries of a stream, and the counters that outlive them.
//!
//! Blocks stand in a sorted sequence by their first ids. Adding at the end is O(1); an id is found
//! in O(log blocks) and a walk over one block, which passes entries without reading their fields.

use std::cmp::Ordering;

use super::block::{Block, BlockLimit, encoded_bytes_max};
use super::entry::Entry;
use super::id::StreamId;
use super::range::{Range, ReversedRange};
use super::runs::{Place, Runs};
use crate::packed::Buffer;

/// Whether names and values are few enough for one entry: about a gigabyte.
pub fn fits<'t>(fields: impl Iterator<Item = (&'t [u8], &'t [u8])>) -> bool {
    encoded_bytes_max(fields) <= Buffer::LEN_MAX
}

fn text_bytes<'t>(fields: impl Iterator<Item = (&'t [u8], &'t [u8])>) -> usize {
    fields.map(|(name, value)| name.len() + value.len()).sum()
}

/// The entries, and what is known of those that were.
#[derive(Clone, Debug, Default)]
pub struct Log {
    blocks: Runs<Block>,
    len: usize,
    /// Bytes inside the blocks.
    block_bytes: usize,
    last_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
}

/// Why an entry cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// Its id is not greater than the last one.
    NotGreater,
    /// Names and values are too much for one entry.
    TooLarge,
}

/// Reading.
impl Log {
    /// Number of entries. O(1).
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none. O(1).
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The greatest id ever given, whether or not its entry is still there.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The greatest id of an entry that was deleted other than by trimming; `0-0` if none was.
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// How many entries were ever added.
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// The id of the first entry; `0-0` if there is none. O(1).
    pub fn first_id(&self) -> StreamId {
        self.blocks.first().map_or(StreamId::MIN, Block::first_live)
    }

    /// The id of the last entry; `0-0` if there is none. O(entries of a block).
    pub fn last_entry_id(&self) -> StreamId {
        self.range_reversed(StreamId::MIN, StreamId::MAX).next().map_or(StreamId::MIN, |e| e.id)
    }

    /// Number of blocks.
    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// Bytes on the heap. O(1).
    pub fn footprint_bytes(&self) -> usize {
        self.blocks.bytes() + self.block_bytes
    }

    /// The blocks, oldest first.
    pub(super) fn block_iter(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter()
    }

    /// The entry with this id. O(log blocks + entries of a block).
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        let (place, at) = self.find(id)?;
        self.blocks.get(place).expect("it was found").read(at).0
    }

    /// Whether there is an entry with this id.
    pub fn contains(&self, id: StreamId) -> bool {
        self.find(id).is_some()
    }

    /// The entries from `start` to `end`, both included, oldest first.
    pub fn range(&self, start: StreamId, end: StreamId) -> Range<'_> {
        Range::new(&self.blocks, self.block_of(start), start, end)
    }

    /// The entries from `end` back to `start`, both included, newest first.
    pub fn range_reversed(&self, start: StreamId, end: StreamId) -> ReversedRange<'_> {
        ReversedRange::new(&self.blocks, self.first_block_behind(end), start, end)
    }

    /// All entries, oldest first.
    pub fn iter(&self) -> Range<'_> {
        self.range(StreamId::MIN, StreamId::MAX)
    }

    /// The place of the block that holds `id` if any does: the last one that begins at or in front
    /// of it. The first entry from `id` on lies there or at the start of the next.
    fn block_of(&self, id: StreamId) -> Place {
        let behind = self.first_block_behind(id);
        self.blocks.previous(behind).unwrap_or(behind)
    }

    /// The place of the first block that begins behind `id`.
    fn first_block_behind(&self, id: StreamId) -> Place {
        self.blocks.seek(|block| block.first.cmp(&id).then(Ordering::Less))
    }

    fn find(&self, id: StreamId) -> Option<(Place, usize)> {
        let place = self.block_of(id);
        Some((place, self.blocks.get(place)?.find(id)?))
    }
}

/// Changing.
impl Log {
    /// Adds an entry. Amortised O(bytes of the entry).
    ///
    /// # Errors
    /// If its id is not greater than the last, or it is too large.
    pub fn append<'t, F>(
        &mut self,
        id: StreamId,
        fields: F,
        limit: BlockLimit,
    ) -> Result<(), AppendError>
    where
        F: Iterator<Item = (&'t [u8], &'t [u8])> + Clone,
    {
        if id <= self.last_id {
            return Err(AppendError::NotGreater);
        }
        if !fits(fields.clone()) {
            return Err(AppendError::TooLarge);
        }
        let text_bytes = text_bytes(fields.clone());
        let encoded_bytes = encoded_bytes_max(fields.clone());
        match self.blocks.last_mut() {
            Some(block) if !block.is_full(limit, id, text_bytes, encoded_bytes) => {
                self.block_bytes -= block.heap_bytes();
                block.push(id, fields);
                self.block_bytes += block.heap_bytes();
            }
            last => {
                if let Some(block) = last {
                    self.block_bytes -= block.heap_bytes();
                    block.close();
                    self.block_bytes += block.heap_bytes();
                }
                let block = Block::new(id, fields);
                self.block_bytes += block.heap_bytes();
                self.blocks.push(block);
            }
        }
        self.len += 1;
        self.entries_added = self.entries_added.wrapping_add(1);
        self.last_id = id;
        Ok(())
    }

    /// Adds a block with entries, all of which have greater ids than the last.
    pub(super) fn append_block(&mut self, block: Block) {
        self.len += block.live as usize;
        self.entries_added = self.entries_added.wrapping_add(u64::from(block.live));
        self.last_id = block.last();
        self.block_bytes += block.heap_bytes();
        self.blocks.push(block);
    }

    /// Deletes an entry; whether there was one. O(log blocks + entries of a block).
    pub fn delete(&mut self, id: StreamId) -> bool {
        let is_deleted = self.take_out(id);
        if is_deleted {
            self.max_deleted_id = self.max_deleted_id.max(id);
        }
        is_deleted
    }

    /// Deletes an entry as trimming does, which leaves no trace in `max_deleted_id`.
    pub(super) fn take_out(&mut self, id: StreamId) -> bool {
        let Some((place, at)) = self.find(id) else { return false };
        let block = self.blocks.get_mut(place).expect("it was found");
        block.delete(at);
        if block.live == 0 {
            self.block_bytes -= block.heap_bytes();
            self.blocks.remove(place);
        }
        self.len -= 1;
        true
    }

    /// Id of the last entry ever in the first block, and how many of its entries are left.
    pub(super) fn first_block(&self) -> Option<(StreamId, usize)> {
        self.blocks.first().map(|block| (block.last(), block.live as usize))
    }

    /// Id of the last entry ever in the block of the first entry from `start` on.
    pub(super) fn block_end_from(&self, start: StreamId) -> Option<StreamId> {
        let first = self.range(start, StreamId::MAX).next()?.id;
        self.blocks.get(self.block_of(first)).map(|block| block.last())
    }

    /// Removes the first block.
    pub(super) fn remove_first_block(&mut self) {
        if let Some(block) = self.blocks.remove_first() {
            self.block_bytes -= block.heap_bytes();
            self.len -= block.live as usize;
        }
    }

    /// Sets the greatest id given. The caller has seen that no entry has a greater one.
    pub fn set_last_id(&mut self, id: StreamId) {
        assert!(id >= self.last_entry_id(), "ids ascend");
        self.last_id = id;
    }

    /// Sets the greatest id deleted.
    pub fn set_max_deleted_id(&mut self, id: StreamId) {
        self.max_deleted_id = id;
    }

    /// Sets how many entries were ever added.
    pub fn set_entries_added(&mut self, count: u64) {
        self.entries_added = count;
    }
}

/// Counting what groups have read. The rules are those of Redis 7.2, `t_stream.c`.
impl Log {
    /// Whether entries from `start` on may have been deleted, so that counting by ids is no use.
    pub(super) fn has_gaps_from(&self, start: StreamId) -> bool {
        let deleted = self.max_deleted_id;
        !self.is_empty()
            && deleted != StreamId::MIN
            && self.first_id() <= deleted
            && start <= deleted
    }

    /// How many entries were ever added up to and including `id`, where that can be told.
    pub(crate) fn count_up_to(&self, id: StreamId) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if id == self.last_id || (self.is_empty() && id < self.last_id) {
            return Some(self.entries_added);
        }
        if id > self.last_id {
            return None;
        }
        let first = self.first_id();
        if self.max_deleted_id != StreamId::MIN && self.max_deleted_id >= first {
            return None;
        }
        let before_first = self.entries_added.wrapping_sub(self.len as u64);
        match id.cmp(&first) {
            Ordering::Less => Some(before_first),
            Ordering::Equal => Some(before_first.wrapping_add(1)),
            Ordering::Greater => None,
        }
    }
}
