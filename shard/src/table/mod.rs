//! The keyspace table: all keys of one database in one hash slot.
//!
//! A server has 16,384 hash slots, and each has a table per database in use, so most tables hold
//! some hundred keys; yet one hash tag may gather ten million keys in one table. Both must be
//! lean, and neither may ever pause: no operation does more than one segment's worth of work, but
//! for the rare doubling of a directory, whose cost `directory` tells.
//!
//! ```text
//! Table            Directory                Segment                         Entry
//! 48 bytes         top bits of the hash     buckets of 64 bytes, sorted     one allocation per key
//!                                           by the next 16 bits
//! +-----------+    +----+                   +----------------------+
//! | directory |--->| 00 |------------------>| header               |        +--------+-----+-----+
//! | len       |    | 01 |---> ...           | w w w w w . . .      |------->| header | key | val |
//! | expiring  |    | 10 |---> ...           | w w w w w w w w      |        +--------+-----+-----+
//! | bytes     |    | 11 |---> ...           | w w . . . . . .      |
//! | hasher    |    +----+                   +----------------------+
//! +-----------+    none for one segment     at most 8 KiB
//! ```
//!
//! A lookup touches the table, one bucket and one entry; above 875 keys a directory slot too.
//! Up to sixteen keys the segment is words without header or buckets, see `bare`.
//!
//! * **Growth** rewrites the words of one segment: from 7 buckets' worth of keys upwards in steps
//!   of 1.14 to 1.25, so that buckets are filled to 70 to 87 %. Words carry enough hash to be
//!   placed again, so entries are not touched. Only when a segment outgrows 8 KiB it is split in
//!   two, and its keys are hashed again. Removals shrink and merge segments the same way.
//! * **Scans** go by hash: a [`Position`] is a prefix of a hash. Segments and buckets are sorted by
//!   hash, so whatever grows, shrinks, splits or merges meanwhile, what lies behind a
//!   position has been visited and what lies ahead has not.
//! * **Accounts** are exact: [`Table::bytes`] is the sum of the size classes of all allocations.
//!
//! What is deliberately absent: the clock (an expired key is found like any other; the caller
//! decides), the random source (callers bring random numbers), and knowledge of data types (the
//! caller's `O`).
//!
//! Memory for 16-byte keys and values, at 610 keys per table: 40 bytes for the entry, 10 for its
//! share of the segment, of which 18 are overhead.

mod bare;
mod block;
mod bucket;
mod check;
mod directory;
mod entry;
mod entry_mut;
mod garbage;
mod layout;
mod relocate;
mod sample;
mod scan;
mod segment;
mod shape;
mod shared;
mod size_class;
mod value;
mod work;

#[cfg(test)]
mod tests;

pub(crate) use block::{Block, Head};
pub(crate) use bucket::prefetch;
pub use entry::{Entry, OwnedEntry};
pub use entry_mut::EntryMut;
pub use garbage::Garbage;
pub use layout::KEY_LENGTH_MAX;
pub use relocate::{Advice, RELOCATED_VALUE_MAX, Relocated};
pub use scan::{Iter, Position, Swept};
pub(crate) use segment::Place;
pub use shared::SharedBytes;
pub use size_class::size_class;
pub use value::{Footprint, INLINE_VALUE_MAX, Kind, OldValue, Record, Value, ValueRef};

use std::marker::PhantomData;
use std::mem::ManuallyDrop;

use crate::hash::{KeyHasher, Seed};
use crate::mutation::{self, Mutation};
use bare::BARE_AGAIN_LEN_MAX;
use bucket::Word;
use directory::Directory;
use layout::RawEntry;
use segment::{Retag, Run, Segment};
use shape::{GROWN, MERGED_LEN_MAX, Shape};
use work::{Work, note};

/// Merging is tried each time a segment's number of entries passes a multiple of this.
const MERGE_INTERVAL: usize = 32;

/// How many buckets a split asks for ahead of the one it hashes; their entries are some 14 cache
/// misses, about as many as a core keeps in flight.
const SPLIT_PREFETCH_BUCKETS: usize = 4;

/// A map from keys to values of four forms, `O` being the caller's objects.
///
/// Wherever a method takes a hash, it must be the one the table's hasher gives for that key.
pub struct Table<O, H = Seed> {
    directory: Directory,
    len: usize,
    expiring_len: usize,
    bytes: usize,
    hasher: H,
    _owns: PhantomData<OwnedEntry<O>>,
}

const _: () = assert!(size_of::<Table<Box<u8>>>() <= 48);

// SAFETY: the table owns everything its pointers lead to; entries are `Send` when `O` is.
unsafe impl<O: Send, H: Send> Send for Table<O, H> {}

impl<O, H> Table<O, H> {
    /// An empty table. Allocates nothing.
    pub const fn new(hasher: H) -> Table<O, H> {
        let directory = Directory::new();
        Table { directory, len: 0, expiring_len: 0, bytes: 0, hasher, _owns: PhantomData }
    }

    /// Number of entries. O(1).
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries. O(1).
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of entries that have a time of expiry. O(1).
    #[inline]
    pub const fn expiring_len(&self) -> usize {
        self.expiring_len
    }

    /// Bytes of all allocations of the table, as the allocator counts: entries, segments,
    /// directory, buffers (also pinned ones) and objects. O(1).
    #[inline]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of segments and directory: what the table takes besides its entries. O(segments).
    pub fn index_bytes(&self) -> usize {
        let segments = self.directory.segments().map(|(_, segment)| segment.bytes());
        segments.sum::<usize>() + self.directory.bytes()
    }

    /// First stage of a batch of lookups: asks for the bucket. O(1).
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        if let Some(segment) = self.directory.find(hash) {
            segment.prefetch_bucket(hash);
        }
    }

    /// Second stage, some dozen nanoseconds later: asks for the entry the bucket points to, which a
    /// lookup will look at first, whatever its key is. Returns it; it should not be looked at
    /// before it has come. O(1).
    #[inline]
    pub fn prefetch_entry(&self, hash: u64) -> Option<Entry<'_, O>> {
        let word = self.directory.find(hash)?.first_match(hash)?;
        word.prefetch_entry();
        // SAFETY: the entry is in the table, which is borrowed for as long as the view lives.
        Some(unsafe { Entry::lend(word.entry()) })
    }

    /// The entry of `key`. Expected O(1), and O(length of the key).
    #[inline]
    pub fn get(&self, hash: u64, key: &[u8]) -> Option<Entry<'_, O>> {
        let (_, word) = self.directory.find(hash)?.find(hash, key)?;
        // SAFETY: the entry is in the table, which is borrowed for as long as the view lives.
        Some(unsafe { Entry::lend(word.entry()) })
    }

    /// The entry of `key`, and where it is as long as the table does not change: for callers that
    /// look at an entry before they decide what to do with it. Costs as [`Table::get`].
    #[inline]
    pub(crate) fn locate(&self, hash: u64, key: &[u8]) -> Option<(Place, Entry<'_, O>)> {
        let (place, word) = self.directory.find(hash)?.find(hash, key)?;
        // SAFETY: the entry is in the table, which is borrowed for as long as the view lives.
        Some((place, unsafe { Entry::lend(word.entry()) }))
    }

    /// The entry that was located at `place` under `hash`. O(1), and no key is compared.
    #[inline]
    pub(crate) fn at(&self, hash: u64, place: Place) -> Entry<'_, O> {
        // SAFETY: the entry is in the table, which is borrowed for as long as the view lives.
        unsafe { Entry::lend(self.word(hash, place).entry()) }
    }

    /// Replaces the table by an empty one and returns its contents, to be freed in steps. O(1).
    pub fn clear(&mut self) -> Garbage<O> {
        (self.len, self.expiring_len, self.bytes) = (0, 0, 0);
        Garbage::new(std::mem::replace(&mut self.directory, Directory::new()))
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<Place> {
        let (place, _) = self.directory.find(hash)?.find(hash, key)?;
        Some(place)
    }

    fn word(&self, hash: u64, place: Place) -> Word {
        self.directory.find(hash).expect("the place exists").words(place.bucket)[place.word]
    }
}

impl<O: Footprint, H: KeyHasher> Table<O, H> {
    /// The entry of `key`, for change. Expected O(1), and O(length of the key).
    pub fn get_mut(&mut self, hash: u64, key: &[u8]) -> Option<EntryMut<'_, O, H>> {
        let place = self.find(hash, key)?;
        Some(EntryMut::new(self, hash, place))
    }

    /// The entry that was located at `place` under `hash`, for change. O(1), no key is compared.
    #[inline]
    pub(crate) fn at_mut(&mut self, hash: u64, place: Place) -> EntryMut<'_, O, H> {
        EntryMut::new(self, hash, place)
    }

    /// Adds an entry or overwrites all of it but the key; returns what the old value leaves.
    /// Expected O(length of key and value); at worst one segment is rewritten or split.
    pub fn insert(&mut self, hash: u64, key: &[u8], record: Record<'_, O>) -> Option<OldValue<O>> {
        let segment = self.directory.find(hash);
        let Some((place, word)) = segment.and_then(|segment| segment.find(hash, key)) else {
            self.add(hash, OwnedEntry::new(key, record));
            return None;
        };
        if let Value::Bytes(bytes) = record.value
            && record.expiry_ms.is_none()
            && word.entry().overwrite_alike(record.kind, record.lru_bits, bytes)
        {
            return Some(OldValue::Inline);
        }
        Some(self.change(hash, place, |entry| entry.overwrite(record)))
    }

    /// Adds an entry that comes from elsewhere, such as another database, or replaces the one of
    /// its key and returns that. Costs as [`Table::insert`], but copies nothing.
    pub fn insert_entry(&mut self, hash: u64, entry: OwnedEntry<O>) -> Option<OwnedEntry<O>> {
        match self.find(hash, entry.as_entry().key()) {
            Some(place) => Some(self.change(hash, place, |old| std::mem::replace(old, entry))),
            None => {
                self.add(hash, entry);
                None
            }
        }
    }

    /// Takes the entry of `key` out. Expected O(1), and O(length of the key); at worst one segment
    /// is rewritten or merged with its neighbour.
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<OwnedEntry<O>> {
        let place = self.find(hash, key)?;
        Some(self.remove_at(hash, place))
    }

    fn remove_at(&mut self, hash: u64, place: Place) -> OwnedEntry<O> {
        let segment = self.directory.find_mut(hash).expect("the place exists");
        let is_bare = segment.is_bare();
        let word = if is_bare { self.take_bare(place) } else { segment.remove(place) };
        // SAFETY: the word was the owner, and it has just left the table.
        let entry = unsafe { OwnedEntry::from_raw(word.entry()) };
        self.len -= 1;
        self.expiring_len -= usize::from(word.expires());
        if !mutation::is_on(Mutation::BytesMiscounted) {
            self.bytes -= entry.as_entry().bytes();
        }
        if !is_bare {
            self.settle_after_removal(hash);
        }
        entry
    }

    /// Takes a word out of the only segment, which is bare.
    fn take_bare(&mut self, place: Place) -> Word {
        let (word, rest) = self.directory.segment(0).bare_without(place);
        if rest.is_none() {
            let last = self.directory.take_only();
            self.bytes -= last.bytes();
            last.free();
        } else {
            self.replace(0, rest);
        }
        word
    }

    /// Applies a change to an entry in its place and keeps word and accounts right.
    fn change<R>(
        &mut self,
        hash: u64,
        place: Place,
        change: impl FnOnce(&mut OwnedEntry<O>) -> R,
    ) -> R {
        let word = self.word(hash, place);
        // SAFETY: the word owns the entry. Ownership is lent to `entry`, which is not dropped here,
        // and returns to the word below, wherever the entry is by then.
        let mut entry = ManuallyDrop::new(unsafe { OwnedEntry::<O>::from_raw(word.entry()) });
        let bytes_before = entry.as_entry().bytes();
        let result = change(&mut entry);
        self.bytes = self.bytes - bytes_before + entry.as_entry().bytes();
        let changed = Word::new(entry.raw(), word.tag());
        if changed != word {
            self.replace_word(hash, place, changed);
        }
        result
    }

    /// Writes a word anew whose entry has moved, or has got or lost its time of expiry.
    fn replace_word(&mut self, hash: u64, place: Place, word: Word) {
        let segment = self.directory.find_mut(hash).expect("the place exists");
        let old = segment.words(place.bucket)[place.word];
        segment.replace(place, word);
        self.expiring_len -= usize::from(old.expires());
        self.expiring_len += usize::from(word.expires());
    }

    /// Adds an entry whose key is not in the table.
    fn add(&mut self, hash: u64, entry: OwnedEntry<O>) {
        debug_assert_eq!(hash, self.hasher.hash(entry.as_entry().key()), "a foreign hash");
        self.bytes += entry.as_entry().bytes();
        let raw = entry.into_raw();
        let expires = loop {
            if let Some(segment) = self.directory.find_mut(hash)
                && !segment.is_at_capacity()
            {
                let word = Word::new(raw, segment.tag_of(hash));
                if segment.insert(word) {
                    break word.expires();
                }
            }
            if let Some(expires) = self.add_bare(hash, raw) {
                break expires;
            }
            self.grow(hash);
        };
        self.len += 1;
        self.expiring_len += usize::from(expires);
    }

    /// Adds an entry to a table whose only segment is bare, if there is room, or that has none;
    /// returns whether the entry has a time of expiry.
    #[cold]
    fn add_bare(&mut self, hash: u64, raw: RawEntry) -> Option<bool> {
        let segment = self.directory.segment(self.directory.slot_of(hash));
        let word = Word::new(raw, segment.tag_of(hash));
        let grown = segment.bare_with(word)?;
        self.replace(0, grown);
        Some(word.expires())
    }

    /// Makes room where `hash` belongs. Afterwards the entry fits, or the directory is deeper: the
    /// number of calls for one entry is bounded by the depth a directory may have.
    #[cold]
    fn grow(&mut self, hash: u64) {
        let slot = self.directory.slot_of(hash);
        let segment = self.directory.find(hash).expect("a table starts with a bare segment");
        if segment.is_bare() {
            let shape = Shape::for_len(segment.len() + 1);
            let incoming = Some(segment.tag_of(hash));
            let built = Segment::build(segment.runs(Retag::SAME), shape, 0, incoming);
            self.replace(slot, built);
            return;
        }
        let (shape, len) = (segment.shape(), segment.len());
        let crowded = segment.is_crowded();
        if crowded && shape.homes >= GROWN.homes && self.directory.may_split(slot, self.len) {
            self.split(hash);
            return;
        }
        let target = match crowded {
            true => Shape::for_len(shape.capacity().saturating_add(1)),
            false => shape.without_extra_spill(),
        };
        debug_assert!(target.capacity() > len);
        let incoming = Some(segment.tag_of(hash));
        let built = Segment::build(segment.runs(Retag::SAME), target, segment.depth(), incoming);
        self.replace(slot, built);
        if target == GROWN {
            self.bytes -= self.directory.bytes();
            self.directory.double_ahead(slot, self.len);
            self.bytes += self.directory.bytes();
        }
    }

    /// Divides the segment of `hash` by one more bit. Every key of it is hashed again, for tags
    /// move on by one bit and the new lowest bit is not in the word.
    fn split(&mut self, hash: u64) {
        let segment = self.directory.find(hash).expect("only what exists is split");
        let depth = segment.depth() + 1;
        let mut halves = [const { Vec::new() }; 2];
        halves.iter_mut().for_each(|half| half.reserve(segment.len()));
        let buckets = segment.bucket_count();
        for index in 0..buckets {
            // Entries are in no order in memory: ask for those of a later bucket while hashing.
            let ahead = segment.bucket((index + SPLIT_PREFETCH_BUCKETS).min(buckets - 1));
            ahead.words().iter().for_each(|word| word.prefetch_entry());
            let bucket = segment.bucket(index);
            for word in &bucket.words()[..bucket.len()] {
                let key_hash = self.hasher.hash(word.entry().key());
                let tag = (key_hash << depth >> (u64::BITS - segment::TAG_BITS)) as u16;
                halves[usize::from(word.tag() >> 15)].push(word.with_tag(tag));
            }
        }
        note(Work::KeyRehashed, segment.len());
        let [low, high] = halves.map(|words| {
            let shape = Shape::roomy_for_len(words.len());
            let run = Run { words: &words, retag: Retag::SAME };
            Segment::build(std::iter::once(run), shape, depth, None)
        });
        self.bytes += low.bytes() + high.bytes();
        self.bytes -= self.directory.bytes();
        let old = self.directory.split(hash, low, high);
        self.bytes += self.directory.bytes();
        self.bytes -= old.bytes();
        old.free();
    }

    /// Gives memory back where an entry was removed.
    fn settle_after_removal(&mut self, hash: u64) {
        let segment = self.directory.find_mut(hash).expect("something was removed from it");
        let len = segment.len();
        if segment.wants_to_shrink() {
            let target = Shape::roomy_for_len(len);
            if segment.depth() == 0 && (1..=BARE_AGAIN_LEN_MAX).contains(&len) {
                self.become_bare();
            } else if target.bytes() < segment.bytes() {
                let built =
                    Segment::build(segment.runs(Retag::SAME), target, segment.depth(), None);
                let slot = self.directory.slot_of(hash);
                self.replace(slot, built);
            }
        }
        if len.is_multiple_of(MERGE_INTERVAL) {
            while self.merge(hash) {}
        }
        if self.len == 0 {
            self.bytes -= self.directory.bytes();
            let last = self.directory.take_only();
            self.bytes -= last.bytes();
            last.free();
            debug_assert_eq!(self.bytes, 0);
        }
    }

    /// Makes the only segment a bare one, and the directory one of it alone.
    fn become_bare(&mut self) {
        self.bytes -= self.directory.bytes();
        self.directory.halve_while_idle();
        self.bytes += self.directory.bytes();
        let bare = self.directory.segment(0).to_bare();
        self.replace(0, bare);
    }

    /// Joins the segment of `hash` with the other half, if both are small. No key is hashed: the
    /// bit that told the halves apart becomes the highest bit of the tags.
    fn merge(&mut self, hash: u64) -> bool {
        let slot = self.directory.slot_of(hash);
        let Some(buddy) = self.directory.buddy_of(slot) else { return false };
        let low = self.directory.segment(slot.min(buddy));
        let high = self.directory.segment(slot.max(buddy));
        let len = low.len() + high.len();
        if len > MERGED_LEN_MAX {
            return false;
        }
        let words = low.runs(Retag::FROM_LOW_HALF).chain(high.runs(Retag::FROM_HIGH_HALF));
        let merged = Segment::build(words, Shape::roomy_for_len(len), low.depth() - 1, None);
        self.bytes += merged.bytes();
        self.bytes -= self.directory.bytes();
        let halves = self.directory.merge(slot, merged);
        self.bytes += self.directory.bytes();
        for half in halves {
            self.bytes -= half.bytes();
            half.free();
        }
        true
    }

    /// Puts a rebuilt segment in the place of the one of `slot`.
    fn replace(&mut self, slot: usize, segment: Segment) {
        self.bytes += segment.bytes();
        let old = self.directory.replace(slot, segment);
        if !old.is_none() {
            self.bytes -= old.bytes();
            old.free();
        }
    }
}

impl<O, H> Drop for Table<O, H> {
    fn drop(&mut self) {
        drop(self.clear());
    }
}
