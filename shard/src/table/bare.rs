//! Bare segments: the words of a small table and nothing else.
//!
//! A server with some ten thousand keys has a key or two in each slot. A segment of buckets would
//! cost such a table 128 bytes, more than the keys: a header, and a cache line of places that are
//! mostly empty. So a table starts with an allocation of exactly as many words as it has entries:
//!
//! ```text
//! handle:   | 1 | words 15 | address 45 .. | 000 |        one word; of depth 0 always
//! memory:   | w | w | w |                                 sorted by tag, at most BARE_LEN_MAX
//! ```
//!
//! Every new entry and every removal makes the allocation anew, which for so few words takes less
//! than the allocation of the entry itself. Lookups compare tags one by one. What walks over
//! buckets sees parts of up to eight words instead, so it needs to know nothing of this.

use super::bucket::{BUCKET_WORDS, Word, prefetch};
use super::segment::{Place, Segment};

/// Most words of a bare segment: two cache lines of them take no longer to search than a bucket
/// and the next.
pub(super) const BARE_LEN_MAX: usize = 16;

/// A segment that shrinks becomes a bare one when so few entries are left that it will not go to
/// and fro.
pub(super) const BARE_AGAIN_LEN_MAX: usize = BARE_LEN_MAX / 2;

impl Segment {
    /// Finds the entry of a key. O(words).
    pub(super) fn find_bare(&self, hash: u64, key: &[u8]) -> Option<(Place, Word)> {
        let tag = self.tag_of(hash);
        for (index, word) in self.bare_words().iter().enumerate() {
            if word.tag() == tag && word.entry().key() == key {
                let place = Place { bucket: index / BUCKET_WORDS, word: index % BUCKET_WORDS };
                return Some((place, *word));
            }
        }
        None
    }

    /// The first word with this tag.
    pub(super) fn first_bare_match(&self, hash: u64) -> Option<Word> {
        let tag = self.tag_of(hash);
        self.bare_words().iter().find(|word| word.tag() == tag).copied()
    }

    /// Asks the processor to load the words.
    pub(super) fn prefetch_bare(&self) {
        if let [first, .., last] = self.bare_words() {
            prefetch(last);
            prefetch(first);
        } else {
            prefetch(self.bare_words().as_ptr());
        }
    }

    /// A bare segment with one more word; `None` where there is no segment that could be bare, or
    /// no room in it. O(words).
    pub(super) fn bare_with(&self, added: Word) -> Option<Segment> {
        if self.is_none() {
            return Some(Segment::of_words(&[added]));
        }
        if !self.is_bare() || self.len() == BARE_LEN_MAX {
            return None;
        }
        let present = self.bare_words();
        let at = present.partition_point(|word| word.tag() <= added.tag());
        let mut words = [Word::EMPTY; BARE_LEN_MAX];
        words[..at].copy_from_slice(&present[..at]);
        words[at] = added;
        words[at + 1..=present.len()].copy_from_slice(&present[at..]);
        Some(Segment::of_words(&words[..=present.len()]))
    }

    /// The word in a place, and a bare segment of the others; none if there are no others.
    /// O(words).
    pub(super) fn bare_without(&self, place: Place) -> (Word, Segment) {
        let present = self.bare_words();
        let at = place.bucket * BUCKET_WORDS + place.word;
        let mut words = [Word::EMPTY; BARE_LEN_MAX];
        let left = present.len() - 1;
        words[..at].copy_from_slice(&present[..at]);
        words[at..left].copy_from_slice(&present[at + 1..]);
        let rest = if left == 0 { Segment::NONE } else { Segment::of_words(&words[..left]) };
        (present[at], rest)
    }

    /// A bare segment of the words of this one, which must be few enough. O(buckets).
    pub(super) fn to_bare(&self) -> Segment {
        let mut words = [Word::EMPTY; BARE_LEN_MAX];
        let mut count = 0;
        for index in 0..self.bucket_count() {
            for word in self.words(index).iter().take_while(|word| !word.is_empty()) {
                words[count] = *word;
                count += 1;
            }
        }
        Segment::of_words(&words[..count])
    }
}
