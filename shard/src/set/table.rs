//! Large sets: a hash table of segments that grows and shrinks one segment at a time.
//!
//! ```text
//! hash     | tag: 8 bits |                          | number of the segment: low bits |
//!
//! chunks   | 256 segments | 256 segments | 40 segments |       24 bytes a segment
//!                 |
//! segment  | tags | lengths | texts |                          see `segment`
//! ```
//!
//! Linear hashing (Litwin 1980): with `n` segments, `2^l <= n < 2^(l+1)`, a hash belongs to the
//! segment of its low `l + 1` bits, or of its low `l` bits where that does not exist yet. To grow,
//! the next segment in turn gives half of its members to a new one at the end; to shrink, the last
//! segment goes back to where it came from. No operation touches more than two segments, and no
//! directory stands between. Segments that were not divided yet hold up to twice as much.
//!
//! A walk goes by reversed hash bits, so that the segments a segment is divided into lie side by
//! side, and a position stays right whatever is divided or joined meanwhile:
//!
//! ```text
//! segment, low bits    0            1                        division
//! reversed             0xxx...      1xxx...                  cuts a range in two halves
//!                      00xx | 01xx  10xx | 11xx
//! ```
//!
//! A member costs two bytes besides its text and about three for its share of a segment.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::segment::{LongTexts, Segment};
use crate::random::Random;
use crate::table::size_class;

/// Members per segment, on average, above which a segment is divided ...
const FILL_MAX: usize = 16;

/// ... and below which the last segment is given up.
const FILL_MIN: usize = 8;

/// Segments in a chunk. Chunks keep the growth of the outer vector, which copies, small.
const CHUNK_SEGMENTS: usize = 256;

/// A position in a walk has as many bits; more than tables have segments.
const POSITION_BITS: u32 = 48;

/// A hash table of texts.
#[derive(Clone)]
pub(super) struct Table {
    chunks: Vec<Vec<Segment>>,
    segment_count: usize,
    len: usize,
    segment_bytes: usize,
    /// No segment has ever had more members than this.
    fullest: usize,
    seed: u64,
    long: LongTexts,
}

/// Where a member is. Changes to the table move members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Spot {
    segment: usize,
    index: usize,
}

fn tag_of(hash: u64) -> u8 {
    (hash >> (u64::BITS - u8::BITS)) as u8
}

impl Table {
    /// An empty table whose hashes depend on `seed`.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            chunks: vec![vec![Segment::default()]],
            segment_count: 1,
            len: 0,
            segment_bytes: 0,
            fullest: 0,
            seed,
            long: LongTexts::default(),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn footprint_bytes(&self) -> usize {
        let full_chunk_bytes = size_class(CHUNK_SEGMENTS * size_of::<Segment>());
        let last = self.chunks.last().map_or(0, Vec::capacity);
        self.segment_bytes
            + self.long.footprint_bytes()
            + size_class(self.chunks.capacity() * size_of::<Vec<Segment>>())
            + (self.chunks.len() - 1) * full_chunk_bytes
            + size_class(last * size_of::<Segment>())
    }

    fn hash(&self, text: &[u8]) -> u64 {
        xxh3_64_with_seed(text, self.seed)
    }

    /// The number of the segment a hash belongs to.
    #[inline]
    fn home_of(&self, hash: u64) -> usize {
        let low_bits = self.segment_count.ilog2();
        let wide = hash & ((2 << low_bits) - 1);
        if wide < self.segment_count as u64 {
            return wide as usize;
        }
        (hash & ((1 << low_bits) - 1)) as usize
    }

    #[inline]
    fn segment(&self, number: usize) -> &Segment {
        &self.chunks[number / CHUNK_SEGMENTS][number % CHUNK_SEGMENTS]
    }

    /// Changes a segment and keeps the accounts.
    fn change<R>(
        &mut self,
        number: usize,
        change: impl FnOnce(&mut Segment, &mut LongTexts) -> R,
    ) -> R {
        let segment = &mut self.chunks[number / CHUNK_SEGMENTS][number % CHUNK_SEGMENTS];
        let (len, bytes) = (segment.len(), segment.footprint_bytes());
        let result = change(segment, &mut self.long);
        self.len = self.len - len + segment.len();
        self.segment_bytes = self.segment_bytes - bytes + segment.footprint_bytes();
        self.fullest = self.fullest.max(segment.len());
        result
    }

    /// Whether the text is a member. Expected O(length).
    #[inline]
    pub(super) fn contains(&self, text: &[u8]) -> bool {
        let hash = self.hash(text);
        self.segment(self.home_of(hash)).find(tag_of(hash), text, &self.long).is_some()
    }

    /// Adds a text; whether it was not there. Expected O(length), O(a segment) at worst.
    pub(super) fn insert(&mut self, text: &[u8]) -> bool {
        let hash = self.hash(text);
        let (home, tag) = (self.home_of(hash), tag_of(hash));
        if self.segment(home).find(tag, text, &self.long).is_some() {
            return false;
        }
        self.change(home, |segment, long| segment.push(tag, text, long));
        if self.len > self.segment_count * FILL_MAX {
            self.divide_next();
        }
        true
    }

    /// Removes a text; whether it was there. Expected O(length), O(a segment) at worst.
    pub(super) fn remove(&mut self, text: &[u8]) -> bool {
        let hash = self.hash(text);
        let segment = self.home_of(hash);
        let found = self.segment(segment).find(tag_of(hash), text, &self.long);
        if let Some(index) = found {
            self.remove_at(Spot { segment, index });
        }
        found.is_some()
    }

    /// Removes the member at a spot. O(a segment).
    pub(super) fn remove_at(&mut self, spot: Spot) {
        self.change(spot.segment, |segment, long| segment.remove(spot.index, long));
        if self.segment_count > 1 && self.len < self.segment_count * FILL_MIN {
            self.join_last();
        }
    }

    /// Divides the next segment in turn.
    fn divide_next(&mut self) {
        let bit = self.segment_count.ilog2();
        let number = self.segment_count - (1 << bit);
        let present = std::mem::take(self.segment_mut(number));
        let moves: Vec<bool> = present
            .iter()
            .map(|member| self.hash(member.text(&self.long)) >> bit & 1 == 1)
            .collect();
        let half = |moved: bool| {
            let members = present.iter().zip(&moves).filter(move |(_, moves)| **moves == moved);
            Segment::of(members.map(|(member, _)| member))
        };
        let (stays, goes) = (half(false), half(true));
        self.segment_bytes -= present.footprint_bytes();
        self.segment_bytes += stays.footprint_bytes() + goes.footprint_bytes();
        *self.segment_mut(number) = stays;
        self.push_segment(goes);
    }

    /// Gives the members of the last segment back to where they came from.
    fn join_last(&mut self) {
        let last = self.pop_segment();
        let bit = self.segment_count.ilog2();
        let number = self.segment_count - (1 << bit);
        let present = std::mem::take(self.segment_mut(number));
        let joined = Segment::of(present.iter().chain(last.iter()));
        self.segment_bytes -= present.footprint_bytes() + last.footprint_bytes();
        self.segment_bytes += joined.footprint_bytes();
        self.fullest = self.fullest.max(joined.len());
        *self.segment_mut(number) = joined;
    }

    fn segment_mut(&mut self, number: usize) -> &mut Segment {
        &mut self.chunks[number / CHUNK_SEGMENTS][number % CHUNK_SEGMENTS]
    }

    fn push_segment(&mut self, segment: Segment) {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK_SEGMENTS) {
            self.chunks.push(Vec::new());
        }
        let chunk = self.chunks.last_mut().expect("there is one now");
        if chunk.len() == chunk.capacity() {
            // Never beyond a full chunk, as the accounts take for granted.
            chunk.reserve_exact(chunk.len().max(4).min(CHUNK_SEGMENTS - chunk.len()));
        }
        chunk.push(segment);
        self.segment_count += 1;
    }

    fn pop_segment(&mut self) -> Segment {
        let chunk = self.chunks.last_mut().expect("there is a segment");
        let segment = chunk.pop().expect("no chunk is empty");
        if chunk.is_empty() {
            self.chunks.pop();
        }
        self.segment_count -= 1;
        segment
    }
}

/// Walking.
impl Table {
    /// All texts. O(members).
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let segments = self.chunks.iter().flatten();
        segments.flat_map(Segment::iter).map(|member| member.text(&self.long))
    }

    /// Visits the members of one segment, those from `position` on, and returns where to go on,
    /// or `None` after the last. A walk from 0 to the end visits every member that is there all
    /// the while, however the table changes between the steps. O(a segment).
    pub(super) fn scan(&self, position: u64, mut visit: impl FnMut(&[u8])) -> Option<u64> {
        let from = position << (u64::BITS - POSITION_BITS);
        let number = self.home_of(from.reverse_bits());
        let start = (number as u64).reverse_bits();
        for member in self.segment(number).iter() {
            let text = member.text(&self.long);
            // Segments joined since the last step may have members that were visited then.
            if start >= from || self.hash(text).reverse_bits() >= from {
                visit(text);
            }
        }
        let next = start.checked_add(1u64.checked_shl(u64::BITS - self.bits_of(number))?)?;
        Some(next >> (u64::BITS - POSITION_BITS))
    }

    /// How many low bits of a hash lead to a segment.
    fn bits_of(&self, number: usize) -> u32 {
        let low_bits = self.segment_count.ilog2();
        let first_of_level = 1 << low_bits;
        let was_divided = number + first_of_level < self.segment_count || number >= first_of_level;
        low_bits + u32::from(was_divided)
    }

    /// The text at a spot. O(a segment).
    pub(super) fn get(&self, spot: Spot) -> &[u8] {
        self.segment(spot.segment).get(spot.index).text(&self.long)
    }

    /// The spot of a random member, each as likely as any other. Expected O(1): a segment is at
    /// worst some times less full than the fullest.
    pub(super) fn random(&self, random: &mut Random) -> Spot {
        assert!(self.len > 0, "an empty table has no members");
        loop {
            let segment = random.below(self.segment_count);
            let index = random.below(self.fullest);
            if index < self.segment(segment).len() {
                return Spot { segment, index };
            }
        }
    }
}

#[cfg(test)]
impl Table {
    /// Checks what must hold between any two changes.
    pub(super) fn check(&self) {
        let segments = || self.chunks.iter().flatten();
        assert_eq!(segments().count(), self.segment_count);
        assert_eq!(segments().map(Segment::len).sum::<usize>(), self.len);
        assert_eq!(segments().map(Segment::footprint_bytes).sum::<usize>(), self.segment_bytes);
        assert!(segments().all(|segment| segment.len() <= self.fullest));
        let (_, full) = self.chunks.split_last().expect("there is a segment");
        assert!(full.iter().all(|chunk| chunk.capacity() == CHUNK_SEGMENTS));
        for (number, segment) in segments().enumerate() {
            for member in segment.iter() {
                let hash = self.hash(member.text(&self.long));
                assert_eq!((self.home_of(hash), tag_of(hash)), (number, member.tag));
            }
        }
    }
}
