//! Walking a table: SCAN, the sweep for expired keys, and plain iteration.
//!
//! A position is a hash without its low 16 bits. All of it that matters is in directory slots and
//! tags, so no entry is touched to find out where it stands:
//!
//! ```text
//! position:  | slot: depth bits | tag: 16 bits | finer than any tag |      48 bits
//! ```
//!
//! One step visits the entries of one home bucket from the position on and returns the first
//! position of the next home. Steps cover the range of hashes without gap or overlap. As an entry's
//! hash never changes, an entry that was there throughout is visited by exactly one step, whatever
//! happened to segments in between; only when segments merge between two steps may entries of one
//! tag be seen again, since the merged segment tells fewer hashes apart.

use super::bucket::{BUCKET_WORDS, Word};
use super::directory::Directory;
use super::segment::{Segment, TAG_BITS};
use super::{Entry, Table};

/// A place in the order of hashes: where a walk goes on. Any 48 bits are a valid position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(u64);

impl Position {
    /// Before all entries.
    pub const START: Position = Position(0);

    /// Number of bits a position has.
    pub const BITS: u32 = 48;

    /// The position with these bits; those above [`Position::BITS`] are ignored.
    pub const fn from_bits(bits: u64) -> Position {
        Position(bits & ((1 << Self::BITS) - 1))
    }

    /// The bits, below `1 << Position::BITS`; zero only for the start.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The lowest hash that does not lie before the position.
    pub(super) const fn hash(self) -> u64 {
        self.0 << (u64::BITS - Self::BITS)
    }

    /// The position of a tag, or of 65,536 for the end, in the segment at `slot`.
    pub(super) fn of_tag(directory: &Directory, slot: usize, tag: u32) -> Option<Position> {
        let start = (slot as u64) << (Self::BITS - directory.depth());
        let tag_step = Self::BITS - TAG_BITS - directory.segment(slot).depth();
        let bits = start + (u64::from(tag) << tag_step);
        (bits >> Self::BITS == 0).then_some(Position(bits))
    }
}

/// How far [`Table::sweep_expired`] got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Where to go on, or `None` at the end of the table.
    pub next: Option<Position>,
    /// Entries looked at, due or not; all have a time of expiry.
    pub checked: usize,
    /// Earliest time of expiry of the entries looked at that were not due; `i64::MAX` if none.
    pub earliest_left_ms: i64,
}

impl<O, H> Table<O, H> {
    /// Visits the entries of one home bucket (about seven, maybe none; all of a small table, which
    /// are up to sixteen) from `position` on and returns where to go on, or `None` after the last.
    /// Expected O(1).
    ///
    /// A walk from [`Position::START`] to the end visits every entry that is in the table all the
    /// while, however the table changes between the steps.
    pub fn scan(
        &self,
        position: Position,
        mut visit: impl FnMut(Entry<'_, O>),
    ) -> Option<Position> {
        let segment = self.directory.find(position.hash())?;
        let (slot, _) = self.directory.range_of(self.directory.slot_of(position.hash()));
        let tag = segment.tag_of(position.hash());
        let home = segment.home_of(tag);
        visit_home(
            segment,
            home,
            |word| word.tag() >= tag,
            |word| {
                // SAFETY: the word is in the table, which is borrowed while `visit` runs.
                visit(unsafe { Entry::lend(word.entry()) });
            },
        );
        Position::of_tag(&self.directory, slot, segment.first_tag_of(home + 1))
    }

    /// Visits the entries from `position` on whose time of expiry lies before `now_ms`, and stops
    /// after about `budget` units of work: a bucket counts one, and so does an entry that has a
    /// time of expiry. No other entry is touched; segments without such are skipped. O(`budget`).
    pub fn sweep_expired(
        &self,
        position: Position,
        now_ms: i64,
        budget: usize,
        mut visit_due: impl FnMut(Entry<'_, O>),
    ) -> Swept {
        let mut swept = Swept { next: Some(position), checked: 0, earliest_left_ms: i64::MAX };
        let mut work = 0;
        while let Some(position) = swept.next
            && work < budget
        {
            if self.expiring_len == 0 {
                swept.next = None;
                break;
            }
            work += 1;
            let segment = self.directory.find(position.hash()).expect("there are entries");
            let (slot, _) = self.directory.range_of(self.directory.slot_of(position.hash()));
            if segment.expiring_len() == 0 {
                swept.next = Position::of_tag(&self.directory, slot, 1 << TAG_BITS);
                continue;
            }
            let tag = segment.tag_of(position.hash());
            let home = segment.home_of(tag);
            let wanted = |word: Word| word.expires() && word.tag() >= tag;
            visit_home(segment, home, wanted, |word| {
                (work, swept.checked) = (work + 1, swept.checked + 1);
                // SAFETY: the word is in the table, which is borrowed while `visit_due` runs.
                let entry = unsafe { Entry::lend(word.entry()) };
                let expiry_ms = entry.expiry_ms().expect("the word says that it expires");
                if expiry_ms < now_ms {
                    visit_due(entry);
                } else {
                    swept.earliest_left_ms = swept.earliest_left_ms.min(expiry_ms);
                }
            });
            swept.next = Position::of_tag(&self.directory, slot, segment.first_tag_of(home + 1));
        }
        swept
    }

    /// All entries, in the order of buckets. O(entries).
    pub fn iter(&self) -> Iter<'_, O, H> {
        Iter { table: self, slot: 0, bucket: 0, word: 0 }
    }
}

/// Visits the words whose home is `home`, as far as they are wanted. Their entries are requested a
/// bucket at a time before the first is visited, so that cache misses overlap.
fn visit_home(
    segment: &Segment,
    home: usize,
    wanted: impl Fn(Word) -> bool,
    mut visit: impl FnMut(Word),
) {
    let last_tag = (segment.first_tag_of(home + 1) - 1) as u16;
    let mut index = home;
    loop {
        let mut found = [Word::EMPTY; BUCKET_WORDS];
        let mut count = 0;
        for word in segment.words(index).iter().take_while(|word| !word.is_empty()) {
            if segment.home_of(word.tag()) == home && wanted(*word) {
                word.prefetch_entry();
                found[count] = *word;
                count += 1;
            }
        }
        found[..count].iter().for_each(|word| visit(*word));
        if segment.ends_search(index, last_tag) {
            return;
        }
        index += 1;
    }
}

impl<'a, O, H> IntoIterator for &'a Table<O, H> {
    type Item = Entry<'a, O>;
    type IntoIter = Iter<'a, O, H>;

    fn into_iter(self) -> Iter<'a, O, H> {
        self.iter()
    }
}

/// Iterator over all entries of a table.
pub struct Iter<'a, O, H> {
    table: &'a Table<O, H>,
    slot: usize,
    bucket: usize,
    word: usize,
}

impl<'a, O, H> Iterator for Iter<'a, O, H> {
    type Item = Entry<'a, O>;

    fn next(&mut self) -> Option<Entry<'a, O>> {
        let directory = &self.table.directory;
        while !directory.is_empty() && self.slot < directory.len() {
            let segment = directory.segment(self.slot);
            while self.bucket < segment.bucket_count() {
                let words = segment.words(self.bucket);
                if let Some(word) = words.get(self.word).filter(|word| !word.is_empty()) {
                    self.word += 1;
                    // SAFETY: the word is in the table, which is borrowed for `'a`.
                    return Some(unsafe { Entry::lend(word.entry()) });
                }
                (self.bucket, self.word) = (self.bucket + 1, 0);
            }
            (self.slot, self.bucket) = (self.slot + directory.range_of(self.slot).1, 0);
        }
        None
    }
}
