//! The contents of a cleared table, freed in bounded steps.
//!
//! FLUSHALL must not wait for ten million frees, so clearing a table only moves its directory
//! here. Whoever holds the garbage calls [`Garbage::step`] between other work; values that may be
//! large themselves are handed out, as their owner knows best how to free them.

use std::marker::PhantomData;

use super::bucket::Word;
use super::directory::Directory;
use super::entry::OwnedEntry;
use super::segment::Segment;
use super::value::OldValue;

/// What [`Table::clear`](super::Table::clear) returns. Dropping it frees the rest at once.
pub struct Garbage<O> {
    directory: Directory,
    /// Slots before this one lead to segments that have been freed.
    slot: usize,
    /// Buckets before this one are empty.
    bucket: usize,
    _owns: PhantomData<OwnedEntry<O>>,
}

// SAFETY: as for the table: everything is owned, and entries are `Send` when `O` is.
unsafe impl<O: Send> Send for Garbage<O> {}

impl<O> Garbage<O> {
    pub(super) fn new(directory: Directory) -> Garbage<O> {
        Garbage { directory, slot: 0, bucket: 0, _owns: PhantomData }
    }

    /// Frees up to `entries` entries, rounded up to a whole bucket, and passes on the buffers and
    /// objects they held. Returns whether all is done. O(`entries`), but for one segment's header
    /// or the directory at the end.
    pub fn step(&mut self, entries: usize, mut large: impl FnMut(OldValue<O>)) -> bool {
        let mut freed = 0;
        while !self.directory.is_empty() && self.slot < self.directory.len() {
            if self.bucket == self.directory.segment(self.slot).bucket_count() {
                self.free_segment();
                continue;
            }
            if freed >= entries {
                return false;
            }
            let words = self.directory.segment(self.slot).words(self.bucket);
            self.bucket += 1;
            // An empty bucket costs about as much as an entry does.
            freed += free_entries(words, &mut large).max(1);
        }
        self.directory.forget_slots();
        true
    }

    fn free_segment(&mut self) {
        let (first, count) = self.directory.range_of(self.slot);
        let segment = self.directory.segment(first).alias();
        (self.slot, self.bucket) = (first + count, 0);
        if let Directory::One(only) = &mut self.directory {
            *only = Segment::NONE;
        }
        segment.free();
    }
}

/// Frees the entries of a bucket that is not looked at again, and returns how many it had.
fn free_entries<O>(words: &[Word], large: &mut impl FnMut(OldValue<O>)) -> usize {
    let mut count = 0;
    for word in words.iter().take_while(|word| !word.is_empty()) {
        count += 1;
        // SAFETY: the word was the owner, and its bucket has been passed.
        let entry = unsafe { OwnedEntry::<O>::from_raw(word.entry()) };
        match entry.into_old_value() {
            OldValue::Inline => {}
            value => large(value),
        }
    }
    count
}

impl<O> Drop for Garbage<O> {
    fn drop(&mut self) {
        while !self.step(usize::MAX, drop) {}
    }
}
