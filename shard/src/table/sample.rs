//! Drawing entries at random: RANDOMKEY, and candidates for eviction.
//!
//! One entry is drawn by rejection: a segment by random hash, then a random place in it, until the
//! place is taken. Places of a segment are equally likely, which makes its entries so; segments
//! of different sizes fill equal ranges of hashes, so that between segments the error is no larger
//! than the unevenness of hashing, some percent. Buckets are at least half full after every
//! shrink, so that a dozen draws nearly always suffice. Where they do not (most hashes equal), the
//! search goes on from the last place in order, which always ends at an entry.
//!
//! Eviction wants several entries that are independent of their keys and of their age. Entries
//! next to each other are neighbours by hash, and that is random already: so a sample is a
//! run of words from a random place on, in as few cache lines as possible.

use super::bucket::{BUCKET_WORDS, Word};
use super::{Entry, Table};

/// Draws before the search goes on in order.
const DRAWS_MAX: usize = 32;

/// Buckets a sample may look at per entry wanted, beyond a few; sparse tables give fewer entries.
const BUCKETS_PER_ENTRY_MAX: usize = 4;

/// The next number of a sequence that starts anywhere (SplitMix64).
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// Maps a random number evenly to the numbers below `end`.
fn below(end: usize, random: u64) -> usize {
    ((u128::from(random) * end as u128) >> u64::BITS) as usize
}

/// A walk over all buckets, once around the table from any bucket on.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Walk {
    slot: usize,
    bucket: usize,
}

impl<O, H> Table<O, H> {
    /// An entry drawn nearly uniformly, or `None` from an empty table. Expected O(1); where most
    /// keys have equal hashes, O(buckets) at worst.
    pub fn random(&self, random: u64) -> Option<Entry<'_, O>> {
        if self.is_empty() {
            return None;
        }
        let mut state = random;
        let mut walk = Walk { slot: 0, bucket: 0 };
        for _ in 0..DRAWS_MAX {
            walk.slot = self.directory.slot_of(next_random(&mut state));
            let segment = self.directory.segment(walk.slot);
            let places = segment.bucket_count() * BUCKET_WORDS;
            let place = below(places, next_random(&mut state));
            walk.bucket = place / BUCKET_WORDS;
            let word = segment.words(walk.bucket).get(place % BUCKET_WORDS);
            if let Some(word) = word.filter(|word| !word.is_empty()) {
                return Some(self.lend(*word));
            }
        }
        loop {
            let words = self.words_of(&walk);
            let count = words.iter().take_while(|word| !word.is_empty()).count();
            if count > 0 {
                return Some(self.lend(words[below(count, next_random(&mut state))]));
            }
            self.advance(&mut walk);
        }
    }

    /// Visits up to `count` different entries from a random place on, and returns how many: fewer
    /// only if the table has fewer, or is so sparse that the search was given up. O(`count`).
    pub fn sample(&self, random: u64, count: usize, mut visit: impl FnMut(Entry<'_, O>)) -> usize {
        let count = count.min(self.len());
        if count == 0 {
            return 0;
        }
        let first = self.random_walk(random);
        let mut walk = first;
        let mut visited = 0;
        for _ in 0..16 + count * BUCKETS_PER_ENTRY_MAX {
            let words = self.words_of(&walk);
            let wanted = words.iter().take_while(|word| !word.is_empty()).take(count - visited);
            for word in wanted {
                visit(self.lend(*word));
                visited += 1;
            }
            self.advance(&mut walk);
            if visited == count || walk == first {
                break;
            }
        }
        visited
    }

    /// Visits up to `count` different entries that have a time of expiry, from a random place on;
    /// fewer only if the table has fewer. Expected O(`count`) where many entries have one. Where
    /// few have, it looks at words without touching their entries, and skips segments that hold
    /// none: O(segments) at worst.
    pub fn sample_expiring(
        &self,
        random: u64,
        count: usize,
        mut visit: impl FnMut(Entry<'_, O>),
    ) -> usize {
        let count = count.min(self.expiring_len());
        if count == 0 {
            return 0;
        }
        let is_barren = |walk: &Walk| self.directory.segment(walk.slot).expiring_len() == 0;
        let mut first = self.random_walk(random);
        if is_barren(&first) {
            // Skipped as a whole, so that the walk comes back to its beginning.
            first.bucket = 0;
        }
        let mut walk = first;
        let mut visited = 0;
        loop {
            if is_barren(&walk) {
                walk.bucket = self.directory.segment(walk.slot).bucket_count() - 1;
            } else {
                let words = self.words_of(&walk).iter().take_while(|word| !word.is_empty());
                for word in words.filter(|word| word.expires()).take(count - visited) {
                    visit(self.lend(*word));
                    visited += 1;
                }
            }
            self.advance(&mut walk);
            if visited == count || walk == first {
                return visited;
            }
        }
    }

    /// A place to begin at: a segment by random hash, a bucket of it.
    fn random_walk(&self, random: u64) -> Walk {
        let mut state = random;
        let slot = self.directory.slot_of(next_random(&mut state));
        let (slot, _) = self.directory.range_of(slot);
        let buckets = self.directory.segment(slot).bucket_count();
        Walk { slot, bucket: below(buckets, next_random(&mut state)) }
    }

    fn words_of(&self, walk: &Walk) -> &[Word] {
        self.directory.segment(walk.slot).words(walk.bucket)
    }

    /// Goes to the next bucket; behind the last comes the first.
    fn advance(&self, walk: &mut Walk) {
        walk.bucket += 1;
        if walk.bucket == self.directory.segment(walk.slot).bucket_count() {
            let (first, count) = self.directory.range_of(walk.slot);
            walk.slot = (first + count) % self.directory.len();
            walk.bucket = 0;
        }
    }

    fn lend(&self, word: Word) -> Entry<'_, O> {
        // SAFETY: the word is in the table, which is borrowed for as long as the view lives.
        unsafe { Entry::lend(word.entry()) }
    }
}
