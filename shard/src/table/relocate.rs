//! Moving entries within memory, so that pages which hold little can be given back.
//!
//! An allocator cannot move what it handed out; the table can, since a word in a bucket is the only
//! pointer to an entry. Which blocks are worth moving is not the table's to know: it asks
//! [`Advice`], a bucket at a time, and puts those elsewhere by allocating anew and freeing the old.

use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use super::bucket::{BUCKET_WORDS, Word};
use super::entry::OwnedEntry;
use super::scan::Position;
use super::segment::{Place, Retag, Segment};
use super::value::{Footprint, Value, ValueRef};
use super::{SharedBytes, Table};
use crate::hash::KeyHasher;

/// Values above this size, in bytes, stay where they are: copying one takes as long as serving some
/// thousand commands, and most of its blocks fill whole pages anyway.
pub const RELOCATED_VALUE_MAX: usize = 256 * 1024;

/// Blocks one question holds at most: entries of a bucket, and what each of them points to.
const BLOCKS_MAX: usize = 2 * BUCKET_WORDS;

/// Knows how the allocator has laid out its blocks.
pub trait Advice {
    /// Sets `verdicts[i]` where block `i` lies in a sparse page and is better off elsewhere.
    fn judge(&mut self, blocks: &[NonNull<u8>], verdicts: &mut [bool]);
}

/// What [`Table::relocate`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relocated {
    /// Blocks that were moved.
    pub moved: usize,
    /// Blocks that were left where they are.
    pub left: usize,
    /// Keys of which something was moved.
    pub keys_moved: usize,
    /// Keys of which nothing was.
    pub keys_left: usize,
    /// Bytes that were copied.
    pub bytes: usize,
}

impl Relocated {
    /// What was done after `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            moved: self.moved - earlier.moved,
            left: self.left - earlier.left,
            keys_moved: self.keys_moved - earlier.keys_moved,
            keys_left: self.keys_left - earlier.keys_left,
            bytes: self.bytes - earlier.bytes,
        }
    }

    /// Adds what was done elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.moved += other.moved;
        self.left += other.left;
        self.keys_moved += other.keys_moved;
        self.keys_left += other.keys_left;
        self.bytes += other.bytes;
    }
}

/// Entries of one bucket, and the blocks to ask about.
struct Candidates {
    places: [Place; BUCKET_WORDS],
    /// Where among the blocks those of an entry begin: its own, then that of its value.
    first_block: [usize; BUCKET_WORDS + 1],
    len: usize,
    blocks: [NonNull<u8>; BLOCKS_MAX],
}

impl<O: Footprint + Clone, H: KeyHasher> Table<O, H> {
    /// Moves the sparse ones among the entries of one home bucket from `position` on; returns where
    /// to go on, or `None` after the last. Expected O(1), besides the bytes that are copied, which
    /// are at most seven times [`RELOCATED_VALUE_MAX`] and seldom more than some hundred.
    pub fn relocate(
        &mut self,
        position: Position,
        advice: &mut dyn Advice,
        relocated: &mut Relocated,
    ) -> Option<Position> {
        let hash = position.hash();
        self.relocate_segment(position, advice, relocated);
        let segment = self.directory.find(hash)?;
        let (slot, _) = self.directory.range_of(self.directory.slot_of(hash));
        let home = segment.home_of(segment.tag_of(hash));
        let (first_tag, end_tag) = (segment.first_tag_of(home), segment.first_tag_of(home + 1));
        let last_tag = (end_tag - 1) as u16;
        let next = Position::of_tag(&self.directory, slot, end_tag);
        let mut index = home;
        loop {
            let segment = self.directory.find(hash).expect("seen above");
            let is_last = segment.ends_search(index, last_tag);
            let tags = first_tag as u16..=last_tag;
            let candidates = Candidates::of::<O>(segment.words(index), index, &tags);
            self.relocate_sparse(hash, &candidates, advice, relocated);
            if is_last {
                return next;
            }
            index += 1;
        }
    }

    /// Moves the buckets of a segment, when the walk is at its start.
    fn relocate_segment(
        &mut self,
        position: Position,
        advice: &mut dyn Advice,
        relocated: &mut Relocated,
    ) {
        let Some(segment) = self.directory.find(position.hash()) else { return };
        if segment.tag_of(position.hash()) != 0 {
            return;
        }
        let mut verdict = [false];
        advice.judge(&[segment.start()], &mut verdict);
        if !verdict[0] {
            relocated.left += 1;
            return;
        }
        relocated.moved += 1;
        relocated.bytes += segment.bytes();
        let built = match segment.is_bare() {
            true => segment.to_bare(),
            false => {
                let (shape, depth) = (segment.shape(), segment.depth());
                Segment::build(segment.runs(Retag::SAME), shape, depth, None)
            }
        };
        self.replace(self.directory.slot_of(position.hash()), built);
    }

    /// Asks about the candidates and moves those that should be.
    fn relocate_sparse(
        &mut self,
        hash: u64,
        candidates: &Candidates,
        advice: &mut dyn Advice,
        relocated: &mut Relocated,
    ) {
        let block_count = candidates.first_block[candidates.len];
        let mut verdicts = [false; BLOCKS_MAX];
        advice.judge(&candidates.blocks[..block_count], &mut verdicts[..block_count]);
        for index in 0..candidates.len {
            let range = candidates.first_block[index]..candidates.first_block[index + 1];
            let sparse = &verdicts[range];
            let moved = sparse.iter().filter(|is_sparse| **is_sparse).count();
            relocated.moved += moved;
            relocated.left += sparse.len() - moved;
            if moved == 0 {
                relocated.keys_left += 1;
                continue;
            }
            relocated.keys_moved += 1;
            relocated.bytes += self.change(hash, candidates.places[index], |entry| {
                let value_bytes = match sparse.get(1) {
                    Some(true) => entry.relocate_value(),
                    _ => 0,
                };
                value_bytes + if sparse[0] { entry.relocate() } else { 0 }
            });
        }
    }
}

impl Candidates {
    /// The entries of a bucket with one of these tags.
    fn of<O: Footprint>(
        words: &[Word],
        bucket: usize,
        tags: &std::ops::RangeInclusive<u16>,
    ) -> Candidates {
        let mut candidates = Candidates {
            places: [Place { bucket, word: 0 }; BUCKET_WORDS],
            first_block: [0; BUCKET_WORDS + 1],
            len: 0,
            blocks: [NonNull::dangling(); BLOCKS_MAX],
        };
        words.iter().for_each(|word| word.prefetch_entry());
        for (index, word) in words.iter().enumerate().take_while(|(_, word)| !word.is_empty()) {
            if tags.contains(&word.tag()) {
                // SAFETY: the word's table is borrowed by the caller. Ownership stays with the
                // word, since what is made here is not dropped.
                let entry = ManuallyDrop::new(unsafe { OwnedEntry::<O>::from_raw(word.entry()) });
                candidates.push(index, &entry);
            }
        }
        candidates
    }

    fn push<O: Footprint>(&mut self, word: usize, entry: &OwnedEntry<O>) {
        let mut block_count = self.first_block[self.len];
        self.places[self.len].word = word;
        self.blocks[block_count] = entry.raw().start();
        block_count += 1;
        if let Some(block) = value_block(entry.as_entry().value()) {
            self.blocks[block_count] = block;
            block_count += 1;
        }
        self.len += 1;
        self.first_block[self.len] = block_count;
    }
}

/// The block a value begins with, if it has one of its own and may be moved. An object may have
/// others; they were allocated along with the first and mostly share its fate.
fn value_block<O: Footprint>(value: ValueRef<'_, O>) -> Option<NonNull<u8>> {
    match value {
        ValueRef::Int(_) | ValueRef::Bytes(_) => None,
        ValueRef::Shared(bytes) => {
            let is_movable = bytes.is_unique() && bytes.allocated_bytes() <= RELOCATED_VALUE_MAX;
            is_movable.then(|| bytes.block())
        }
        ValueRef::Object(object) => {
            let is_movable = object.footprint_bytes() <= RELOCATED_VALUE_MAX;
            object.first_block().filter(|_| is_movable)
        }
    }
}

impl<O: Footprint + Clone> OwnedEntry<O> {
    /// Makes the value anew in other memory; returns the bytes that were copied.
    fn relocate_value(&mut self) -> usize {
        let kind = self.as_entry().kind();
        let (copy, bytes) = match self.as_entry().value() {
            ValueRef::Int(_) | ValueRef::Bytes(_) => return 0,
            ValueRef::Shared(bytes) => {
                (Value::Shared(SharedBytes::new(bytes)), bytes.allocated_bytes())
            }
            ValueRef::Object(object) => (Value::Object(object.clone()), object.footprint_bytes()),
        };
        drop(self.set_value(kind, copy));
        bytes
    }
}
