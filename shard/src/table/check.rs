//! Walks a whole table and panics where it breaks a promise. For tests and debugging commands.

use crate::hash::KeyHasher;

use super::bucket::BUCKET_WORDS;
use super::segment::{Segment, TAG_BITS};
use super::size_class::size_class;
use super::{Entry, Footprint, Table};

/// Sums over entries, to be compared with the table's accounts.
#[derive(Default)]
struct Totals {
    len: usize,
    expiring_len: usize,
    bytes: usize,
}

impl<O: Footprint, H: KeyHasher> Table<O, H> {
    /// Checks structure, order and accounts of the whole table. O(entries).
    ///
    /// # Panics
    /// When an invariant is broken.
    pub fn check_invariants(&self) {
        self.directory.check();
        let mut totals = Totals { bytes: self.directory.bytes(), ..Totals::default() };
        for (slot, segment) in self.directory.segments() {
            let before = (totals.len, totals.expiring_len);
            self.check_segment(slot, segment, &mut totals);
            assert_eq!(segment.len(), totals.len - before.0, "entries of a segment");
            let expiring_len = totals.expiring_len - before.1;
            assert_eq!(segment.expiring_len(), expiring_len, "expiring ones of a segment");
        }
        assert_eq!(self.len, totals.len, "entries of the table");
        assert_eq!(self.expiring_len, totals.expiring_len, "expiring entries of the table");
        assert_eq!(self.bytes, totals.bytes, "bytes of the table");
        assert!(self.len > 0 || self.bytes == 0, "an empty table holds memory");
    }

    fn check_segment(&self, slot: usize, segment: &Segment, totals: &mut Totals) {
        if segment.is_bare() {
            assert_eq!(self.directory.len(), 1, "a bare segment among others");
        } else {
            let shape = segment.shape();
            assert_eq!(segment.homes(), shape.homes, "handle and header disagree");
            assert!(!segment.bucket(shape.buckets - 1).is_full(), "the last bucket is full");
        }
        assert_eq!(segment.bytes(), size_class(segment.bytes()), "a segment wastes its class");
        totals.bytes += segment.bytes();
        // The first bucket of the run of full buckets that reaches up to the present one.
        let mut run_start = 0;
        let mut tag_min = 0;
        for index in 0..segment.bucket_count() {
            let places = segment.words(index);
            let len = places.iter().take_while(|word| !word.is_empty()).count();
            let (words, empty) = places.split_at(len);
            assert!(empty.iter().all(|word| word.is_empty()), "a gap in a bucket");
            for word in words {
                assert!(word.tag() >= tag_min, "words out of order");
                tag_min = word.tag();
                let home = segment.home_of(word.tag());
                assert!((run_start..=index).contains(&home), "a word out of reach of its home");
                // SAFETY: the word is in the table, which is borrowed.
                let entry: Entry<'_, O> = unsafe { Entry::lend(word.entry()) };
                let hash = self.hasher.hash(entry.key());
                assert_eq!(self.directory.range_of(self.directory.slot_of(hash)).0, slot);
                let tag = (hash << segment.depth() >> (u64::BITS - TAG_BITS)) as u16;
                assert_eq!(word.tag(), tag, "a tag that is not of the key's hash");
                assert_eq!(word.expires(), entry.expiry_ms().is_some(), "expiry flag of a word");
                totals.len += 1;
                totals.expiring_len += usize::from(word.expires());
                totals.bytes += entry.bytes();
            }
            if !segment.is_bare() && len < BUCKET_WORDS {
                run_start = index + 1;
            }
        }
    }
}
