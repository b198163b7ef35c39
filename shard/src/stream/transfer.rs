//! Blocks whole: how streams are written to files and read from them.
//!
//! A stream read back has the blocks it was written with, so approximate trimming cuts where it
//! would have cut before. And a name is kept once for a block, however many entries share it, even
//! if somebody sends a megabyte of name for entries of some bytes: nothing here compares names or
//! writes them again entry by entry.

use super::block::{Block, Names, encoded_bytes_max};
use super::entry::Entry;
use super::id::StreamId;
use super::log::{AppendError, Log};
use crate::packed::{Buffer, Element};

/// A block to look at.
#[derive(Clone, Copy)]
pub(crate) struct BlockView<'a>(&'a Block);

impl<'a> BlockView<'a> {
    /// The id the block began with, whether or not its entry is still there.
    pub(crate) fn first_id(self) -> StreamId {
        self.0.first
    }

    /// Number of entries.
    pub(crate) fn len(self) -> usize {
        self.0.live as usize
    }

    /// The names that its entries share unless they have their own.
    pub(crate) fn names(self) -> impl ExactSizeIterator<Item = Element<'a>> {
        self.0.names()
    }

    /// The entries.
    pub(crate) fn entries(self) -> impl Iterator<Item = Entry<'a>> {
        let mut at = self.0.front();
        std::iter::from_fn(move || {
            while at < self.0.end() {
                let (entry, next) = self.0.read(at);
                at = next;
                if entry.is_some() {
                    return entry;
                }
            }
            None
        })
    }
}

/// A block in the making.
pub(crate) struct BlockBuilder(Block);

impl BlockBuilder {
    /// A block without entries that begins with an id and has these names.
    ///
    /// # Errors
    /// If the names are too much for one block.
    pub(crate) fn new(first_id: StreamId, names: &[&[u8]]) -> Result<Self, AppendError> {
        let bytes = encoded_bytes_max(names.iter().map(|name| (*name, &b""[..])));
        if bytes > Buffer::LEN_MAX {
            return Err(AppendError::TooLarge);
        }
        Ok(Self(Block::with_names(first_id, names.iter().copied())))
    }

    /// Adds an entry that shares the names of the block; the caller has seen that it has as many
    /// values. O(bytes).
    ///
    /// # Errors
    /// If its id is not behind those before, or the block becomes too large.
    pub(crate) fn push_sharing<'t>(
        &mut self,
        id: StreamId,
        values: impl Iterator<Item = &'t [u8]> + Clone,
    ) -> Result<(), AppendError> {
        self.push(id, Names::Shared, values.map(|value| (&b""[..], value)))
    }

    /// Adds an entry with names of its own. O(bytes).
    ///
    /// # Errors
    /// As [`BlockBuilder::push_sharing`].
    pub(crate) fn push_own<'t>(
        &mut self,
        id: StreamId,
        fields: impl Iterator<Item = (&'t [u8], &'t [u8])> + Clone,
    ) -> Result<(), AppendError> {
        self.push(id, Names::Own, fields)
    }

    fn push<'t>(
        &mut self,
        id: StreamId,
        names: Names,
        fields: impl Iterator<Item = (&'t [u8], &'t [u8])> + Clone,
    ) -> Result<(), AppendError> {
        let is_first = self.0.live == 0;
        if id < self.0.first || (!is_first && id <= self.0.last()) {
            return Err(AppendError::NotGreater);
        }
        if !self.0.has_room_for(id, encoded_bytes_max(fields.clone())) {
            return Err(AppendError::TooLarge);
        }
        self.0.push_as(names, id, fields);
        Ok(())
    }
}

impl Log {
    /// The blocks, oldest first.
    pub(crate) fn blocks(&self) -> impl ExactSizeIterator<Item = BlockView<'_>> {
        let mut blocks = self.block_iter();
        (0..self.block_count()).map(move |_| BlockView(blocks.next().expect("they were counted")))
    }

    /// Adds a block behind the others; nothing if it has no entries.
    ///
    /// # Errors
    /// If its first id is not greater than the last one here.
    pub(crate) fn push_block(&mut self, builder: BlockBuilder) -> Result<(), AppendError> {
        let BlockBuilder(mut block) = builder;
        if block.live == 0 {
            return Ok(());
        }
        // Blocks are found by the ids they began with, be their first entries there or not.
        if block.first <= self.last_id() {
            return Err(AppendError::NotGreater);
        }
        block.close();
        self.append_block(block);
        Ok(())
    }
}
