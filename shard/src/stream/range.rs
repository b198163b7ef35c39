//! Walking the entries between two ids, in either direction.
//!
//! Entries can only be read forwards. A walk backwards notes the offsets of a block's entries when
//! it comes to the block, which costs a fraction of reading them.

use super::block::Block;
use super::entry::Entry;
use super::id::StreamId;
use super::runs::{Place, Runs};

/// Entries between two ids, oldest first.
#[derive(Clone, Debug)]
pub struct Range<'a> {
    blocks: &'a Runs<Block>,
    place: Place,
    at: usize,
    end: StreamId,
}

impl<'a> Range<'a> {
    /// The entries from `start`, which lies at `place` or behind, to `end`.
    pub(super) fn new(
        blocks: &'a Runs<Block>,
        place: Place,
        start: StreamId,
        end: StreamId,
    ) -> Self {
        let at = blocks.get(place).map_or(0, |block| block.seek(start));
        Self { blocks, place, at, end }
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        let mut block = self.blocks.get(self.place)?;
        loop {
            if self.at >= block.end() {
                self.place = self.blocks.next(self.place);
                block = self.blocks.get(self.place)?;
                self.at = block.front();
            }
            let (entry, next) = block.read(self.at);
            self.at = next;
            if let Some(entry) = entry {
                if entry.id <= self.end {
                    return Some(entry);
                }
                self.place = self.blocks.end();
                return None;
            }
        }
    }
}

/// Entries between two ids, newest first.
#[derive(Clone, Debug)]
pub struct ReversedRange<'a> {
    blocks: &'a Runs<Block>,
    /// The block in front is the next to be looked at, once `offsets` are used up.
    behind: Option<Place>,
    block: Option<&'a Block>,
    offsets: Vec<u32>,
    start: StreamId,
    end: StreamId,
}

impl<'a> ReversedRange<'a> {
    /// The entries from `end`, which lies in front of `behind`, back to `start`.
    pub(super) fn new(
        blocks: &'a Runs<Block>,
        behind: Place,
        start: StreamId,
        end: StreamId,
    ) -> Self {
        Self { blocks, behind: Some(behind), block: None, offsets: Vec::new(), start, end }
    }

    /// Goes to the block in front.
    fn enter_previous(&mut self) -> Option<()> {
        let place = self.blocks.previous(self.behind?);
        self.behind = place;
        let block = self.blocks.get(place?)?;
        if block.last() < self.start {
            self.behind = None;
            return None;
        }
        block.offsets_up_to(self.end, &mut self.offsets);
        self.block = Some(block);
        Some(())
    }
}

impl<'a> Iterator for ReversedRange<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let Some(at) = self.offsets.pop() else {
                self.enter_previous()?;
                continue;
            };
            let block = self.block.expect("offsets are those of a block");
            let entry = block.read(at as usize).0.expect("deleted entries are not noted");
            if entry.id >= self.start {
                return Some(entry);
            }
            self.behind = None;
            self.offsets.clear();
            return None;
        }
    }
}
