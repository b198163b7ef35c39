//! A segment: one array of buckets that holds the entries of one range of hashes, almost sorted.
//!
//! ```text
//! handle:   | homes 16 | address 42 .. | depth 6 |                            one word
//! memory:   | header | bucket 0 | bucket 1 | ... | bucket homes-1 | spill |   64 bytes each
//!
//! hash:     | depth bits: which segment | tag 16 | rest |
//! home:     tag * homes / 65536
//! ```
//!
//! The home bucket is *monotone* in the tag: lower hashes live in lower buckets. Hence growing and
//! shrinking read words in order and write them in order, and never look at an entry; and a scan
//! in hash order is a scan over buckets.
//!
//! A word that finds its home full goes on to the next bucket (linear probing; spill buckets behind
//! the last home instead of a wrap-around, which would spoil the order). On its way it changes
//! places with higher tags, so all words stay sorted. That keeps failing searches as short as
//! successful ones (simulated for 93 homes at the highest load, a miss reads 1.3 buckets instead of
//! 3.9), and lets a rebuild append words instead of searching places for them.
//!
//! Invariants:
//!
//! * A word in bucket `b` with home `h` means that buckets `h..b` are full.
//! * Tags never fall from one word to the next, within a bucket and from bucket to bucket. So a
//!   search may stop at a bucket that is not full, or whose last tag is higher than the one wanted.
//! * The last bucket is never full, so a search stops without knowing the number of buckets: a
//!   lookup reads the handle and buckets, never the header.
//!
//! The handle holds all that a lookup needs. It is copied into every directory slot that leads to
//! the segment; [`Segment::alias`] is the one place that does so.
//!
//! The only segment of a small table has another form, without header or empty places; see `bare`.
//! It passes for one with a single home and as many buckets as its words fill.

use std::marker::PhantomData;
use std::ptr::{NonNull, null_mut};

use super::bare::BARE_LEN_MAX;
use super::bucket::{BUCKET_WORDS, Bucket, Word, prefetch};
use super::shape::{BUCKET_BYTES, Shape};
use super::size_class::{allocate, allocate_zeroed, free, size_class};
use super::work::{Work, note};

pub(super) const HOMES_SHIFT: u32 = 48;
const ADDRESS: usize = (1 << HOMES_SHIFT) - BUCKET_BYTES;
/// Set in the handle of a bare segment; other segments have fewer homes.
pub(super) const BARE: usize = 1 << (usize::BITS - 1);
const BARE_ADDRESS: usize = (1 << HOMES_SHIFT) - size_of::<Word>();
const DEPTH: usize = BUCKET_BYTES - 1;

/// Bits of hash that a tag holds.
pub(super) const TAG_BITS: u32 = 16;

/// What only changes need to know; in a cache line of its own.
#[repr(C, align(64))]
struct Header {
    /// Entries in the segment.
    len: usize,
    /// Entries among them that have a time of expiry.
    expiring_len: usize,
    /// Entries it may hold before it grows.
    capacity: usize,
    /// It is worth trying to shrink when `len` falls below this.
    shrink_below: usize,
    homes: usize,
    buckets: usize,
}

const _: () = assert!(size_of::<Header>() == BUCKET_BYTES && size_of::<Bucket>() == BUCKET_BYTES);

/// Where a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(super) bucket: usize,
    pub(super) word: usize,
}

/// How tags change on the way into another segment.
#[derive(Clone, Copy)]
pub(super) struct Retag {
    shift: u32,
    high: u16,
}

impl Retag {
    /// The other segment has the same depth.
    pub(super) const SAME: Retag = Retag { shift: 0, high: 0 };
    /// The segment was the half with the low hashes; the other one is the whole.
    pub(super) const FROM_LOW_HALF: Retag = Retag { shift: 1, high: 0 };
    /// The segment was the half with the high hashes.
    pub(super) const FROM_HIGH_HALF: Retag = Retag { shift: 1, high: 1 << (TAG_BITS - 1) };

    #[inline]
    fn apply(self, word: Word) -> Word {
        word.with_tag(word.tag() >> self.shift | self.high)
    }
}

/// Words, up to the first empty one, on their way into another segment.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) words: &'a [Word],
    pub(super) retag: Retag,
}

/// The handle of a segment, or of none.
#[repr(transparent)]
pub(super) struct Segment(*mut u8, PhantomData<Bucket>);

impl Segment {
    pub(super) const NONE: Segment = Segment(null_mut(), PhantomData);

    /// An empty segment.
    pub(super) fn allocate(shape: Shape, depth: u32) -> Segment {
        assert!(depth as usize <= DEPTH, "depth does not fit the handle");
        let memory = allocate_zeroed(shape.bytes(), BUCKET_BYTES);
        assert!(memory.addr().get() & !ADDRESS == 0, "a segment beyond 48 bits of address space");
        let header = Header {
            len: 0,
            expiring_len: 0,
            capacity: shape.capacity(),
            shrink_below: 0,
            homes: shape.homes,
            buckets: shape.buckets,
        };
        // SAFETY: the allocation is aligned and begins with room for the header.
        unsafe { memory.cast::<Header>().write(header) };
        let bits = shape.homes << HOMES_SHIFT | depth as usize;
        Segment(memory.as_ptr().map_addr(|address| address | bits), PhantomData)
    }

    /// A segment of the words given, in about that shape, with room for one more word of the tag
    /// `incoming`. O(words). If probing runs past the end (equal hashes, or bad luck), a second
    /// attempt knows how much spill is needed.
    pub(super) fn build<'a>(
        runs: impl Iterator<Item = Run<'a>> + Clone,
        shape: Shape,
        depth: u32,
        incoming: Option<u16>,
    ) -> Segment {
        let mut segment = Segment::allocate(shape, depth);
        let missing = segment.fill(runs.clone(), incoming);
        if missing > 0 {
            segment.free();
            segment = Segment::allocate(shape.extended(missing), depth);
            let missing = segment.fill(runs, incoming);
            assert_eq!(missing, 0, "spill was extended to suffice");
        }
        let header = segment.header_mut();
        header.shrink_below = (header.capacity / 8 * 5).min(header.len - header.len / 8);
        segment
    }

    /// Places all words. Returns how many did not fit, and adds one if `incoming` would not.
    ///
    /// Words come sorted, or nearly so after a split, so that almost every one belongs behind all
    /// that were placed before: into bucket `end`, which holds `used` words, or a later one. That
    /// makes a rebuild linear, also where most tags are equal.
    fn fill<'a>(&mut self, runs: impl Iterator<Item = Run<'a>>, incoming: Option<u16>) -> usize {
        let last = self.header().buckets - 1;
        let (mut len, mut expiring_len, mut missing) = (0, 0, 0);
        let (mut end, mut used, mut highest_tag) = (0, 0, 0);
        for run in runs {
            for word in run.words.iter().take_while(|word| !word.is_empty()) {
                let word = run.retag.apply(*word);
                len += 1;
                expiring_len += usize::from(word.expires());
                if word.tag() < highest_tag {
                    missing += usize::from(!self.put(word));
                    end = self.first_vacant(end);
                    used = self.bucket(end).len();
                    continue;
                }
                highest_tag = word.tag();
                let home = self.home_of(word.tag());
                if home > end || used == BUCKET_WORDS {
                    (end, used) = (home.max(end + 1), 0);
                }
                if end < last || used < BUCKET_WORDS - 1 {
                    self.bucket_mut(end).append(used, word);
                    used += 1;
                } else {
                    missing += 1;
                }
            }
        }
        note(Work::WordMoved, len);
        let header = self.header_mut();
        (header.len, header.expiring_len) = (len, expiring_len);
        missing + usize::from(incoming.is_some_and(|tag| self.vacancy(tag).is_none()))
    }

    /// A bare segment of words that come sorted.
    pub(super) fn of_words(words: &[Word]) -> Segment {
        assert!((1..=BARE_LEN_MAX).contains(&words.len()), "too many words for a bare segment");
        let memory = allocate(size_of_val(words), align_of::<Word>());
        assert!(memory.addr().get() & !BARE_ADDRESS == 0, "a segment beyond 48 bits of addresses");
        // SAFETY: the allocation was made for these words, and overlaps with nothing.
        unsafe {
            let from = NonNull::from(words).cast::<Word>();
            memory.cast::<Word>().copy_from_nonoverlapping(from, words.len());
        }
        note(Work::WordMoved, words.len());
        let bits = BARE | words.len() << HOMES_SHIFT;
        Segment(memory.as_ptr().map_addr(|address| address | bits), PhantomData)
    }

    /// The words of a bare segment, by which a lookup may be done.
    #[inline]
    pub(super) fn bare_words(&self) -> &[Word] {
        debug_assert!(self.is_bare());
        let start = self.0.map_addr(|address| address & BARE_ADDRESS).cast::<Word>();
        // SAFETY: a bare segment has so many words, and the borrow of the handle guards them.
        unsafe { std::slice::from_raw_parts(start, self.bare_len()) }
    }

    /// The words of a bare segment, for change.
    pub(super) fn bare_words_mut(&mut self) -> &mut [Word] {
        debug_assert!(self.is_bare());
        let start = self.0.map_addr(|address| address & BARE_ADDRESS).cast::<Word>();
        // SAFETY: as in `bare_words`.
        unsafe { std::slice::from_raw_parts_mut(start, self.bare_len()) }
    }

    /// Frees the memory of the words. The entries they lead to are the caller's.
    pub(super) fn free(self) {
        let alignment = if self.is_bare() { align_of::<Word>() } else { BUCKET_BYTES };
        let bytes = self.bytes();
        let memory = self.start();
        // SAFETY: allocated with this size and alignment. A handle is freed by its directory only,
        // which at the same time replaces all aliases.
        unsafe { free(memory, bytes, alignment) }
    }

    /// The address of its memory.
    pub(super) fn start(&self) -> NonNull<u8> {
        NonNull::new(self.memory()).expect("no segment, no address")
    }

    /// Another handle of the same segment, for another slot of the same directory.
    pub(super) fn alias(&self) -> Segment {
        Segment(self.0, PhantomData)
    }

    /// Whether both handles lead to the same segment.
    pub(super) fn is_alias_of(&self, other: &Segment) -> bool {
        self.0 == other.0
    }

    #[inline]
    pub(super) fn is_none(&self) -> bool {
        self.0.is_null()
    }

    /// Whether it has words and nothing else.
    #[inline]
    pub(super) fn is_bare(&self) -> bool {
        self.0.addr() & BARE != 0
    }

    #[inline]
    fn bare_len(&self) -> usize {
        (self.0.addr() & !BARE) >> HOMES_SHIFT
    }

    /// Bits of hash above the tag; all entries share them.
    #[inline]
    pub(super) fn depth(&self) -> u32 {
        if self.is_bare() { 0 } else { (self.0.addr() & DEPTH) as u32 }
    }

    #[inline]
    pub(super) fn homes(&self) -> usize {
        if self.is_bare() { 1 } else { self.0.addr() >> HOMES_SHIFT }
    }

    /// Entries in the segment.
    pub(super) fn len(&self) -> usize {
        if self.is_bare() { self.bare_len() } else { self.header().len }
    }

    /// Entries in the segment that have a time of expiry.
    pub(super) fn expiring_len(&self) -> usize {
        match self.is_bare() {
            true => self.bare_words().iter().filter(|word| word.expires()).count(),
            false => self.header().expiring_len,
        }
    }

    /// Number of buckets, or of parts of a bare segment that are as long.
    pub(super) fn bucket_count(&self) -> usize {
        match self.is_bare() {
            true => self.bare_len().div_ceil(BUCKET_WORDS),
            false => self.header().buckets,
        }
    }

    /// Size of the allocation in bytes.
    pub(super) fn bytes(&self) -> usize {
        match self.is_bare() {
            true => size_class(self.bare_len() * size_of::<Word>()),
            false => self.shape().bytes(),
        }
    }

    /// The words of a bucket up to the first empty one, or all eight places of it.
    #[inline]
    pub(super) fn words(&self, index: usize) -> &[Word] {
        if self.is_bare() {
            let rest = &self.bare_words()[index * BUCKET_WORDS..];
            return &rest[..rest.len().min(BUCKET_WORDS)];
        }
        self.bucket(index).words()
    }

    /// Whether a word of this tag cannot be in a later bucket.
    pub(super) fn ends_search(&self, index: usize, tag: u16) -> bool {
        match self.is_bare() {
            true => index + 1 == self.bucket_count(),
            false => self.bucket(index).ends_search(tag),
        }
    }

    /// Puts another word of the same tag into a place.
    pub(super) fn replace(&mut self, place: Place, word: Word) {
        if self.is_bare() {
            self.bare_words_mut()[place.bucket * BUCKET_WORDS + place.word] = word;
            return;
        }
        let old = self.bucket_mut(place.bucket).replace(place.word, word);
        let header = self.header_mut();
        header.expiring_len -= usize::from(old.expires());
        header.expiring_len += usize::from(word.expires());
    }

    pub(super) fn shape(&self) -> Shape {
        Shape { homes: self.header().homes, buckets: self.header().buckets }
    }

    #[inline]
    pub(super) fn tag_of(&self, hash: u64) -> u16 {
        (hash << self.depth() >> (u64::BITS - TAG_BITS)) as u16
    }

    #[inline]
    pub(super) fn home_of(&self, tag: u16) -> usize {
        (usize::from(tag) * self.homes()) >> TAG_BITS
    }

    /// The lowest tag whose home is `home` or a later bucket; 65,536 behind the last home.
    pub(super) fn first_tag_of(&self, home: usize) -> u32 {
        ((home << TAG_BITS).div_ceil(self.homes())) as u32
    }

    /// The first word in the home bucket of `hash` that has its tag.
    #[inline]
    pub(super) fn first_match(&self, hash: u64) -> Option<Word> {
        if self.is_bare() {
            return self.first_bare_match(hash);
        }
        let tag = self.tag_of(hash);
        let bucket = self.bucket(self.home_of(tag));
        let word = bucket.words()[bucket.matches(tag).next()?];
        (!word.is_empty()).then_some(word)
    }

    /// Finds the entry of a key. Expected O(1): one bucket and one entry, seldom a second bucket.
    #[inline]
    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<(Place, Word)> {
        if self.is_bare() {
            return self.find_bare(hash, key);
        }
        let tag = self.tag_of(hash);
        let mut index = self.home_of(tag);
        loop {
            let bucket = self.bucket(index);
            for place in bucket.matches(tag) {
                let word = bucket.words()[place];
                if !word.is_empty() && word.entry().key() == key {
                    return Some((Place { bucket: index, word: place }, word));
                }
            }
            if bucket.ends_search(tag) {
                return None;
            }
            index += 1;
        }
    }

    /// Adds a word, or returns `false` if there is no place for it. Expected O(1).
    pub(super) fn insert(&mut self, word: Word) -> bool {
        if !self.put(word) {
            return false;
        }
        let header = self.header_mut();
        header.len += 1;
        header.expiring_len += usize::from(word.expires());
        true
    }

    /// Takes a word out, and moves back what had been displaced by it. Expected O(1).
    pub(super) fn remove(&mut self, place: Place) -> Word {
        let mut vacant = place.bucket;
        let mut was_full = self.bucket(vacant).is_full();
        let removed = self.bucket_mut(vacant).take(place.word);
        while was_full {
            let next = self.bucket(vacant + 1);
            let lowest = next.words()[0];
            if lowest.is_empty() || self.home_of(lowest.tag()) > vacant {
                break;
            }
            was_full = next.is_full();
            self.bucket_mut(vacant + 1).take(0);
            let used = BUCKET_WORDS - 1;
            self.bucket_mut(vacant).append(used, lowest);
            note(Work::WordMoved, 1);
            vacant += 1;
        }
        let header = self.header_mut();
        header.len -= 1;
        header.expiring_len -= usize::from(removed.expires());
        removed
    }

    /// Puts a word where it belongs, or returns `false` if there is no place up to the end.
    #[inline]
    fn put(&mut self, mut word: Word) -> bool {
        if self.vacancy(word.tag()).is_none() {
            return false;
        }
        let mut index = self.home_of(word.tag());
        loop {
            word = self.bucket_mut(index).insert(word);
            note(Work::WordMoved, 1);
            if word.is_empty() {
                return true;
            }
            index += 1;
        }
    }

    /// The first bucket with a place for `tag`, its home or later, or `None` if there is none.
    #[inline]
    fn vacancy(&self, tag: u16) -> Option<usize> {
        let index = self.first_vacant(self.home_of(tag));
        self.has_room(index).then_some(index)
    }

    /// The first bucket from `index` on that is not full; the last one never is.
    #[inline]
    fn first_vacant(&self, mut index: usize) -> usize {
        while self.bucket(index).is_full() {
            index += 1;
        }
        index
    }

    /// Whether a bucket that is not full may take one more word.
    #[inline]
    fn has_room(&self, index: usize) -> bool {
        index + 1 < self.header().buckets || self.bucket(index).len() < BUCKET_WORDS - 1
    }

    /// Whether one more entry needs a larger segment, by number.
    pub(super) fn is_at_capacity(&self) -> bool {
        self.is_bare() || self.header().len >= self.header().capacity
    }

    /// Whether the segment holds about as many entries as it may. If it does not and yet has no
    /// place, then hashes are equal and more homes would not help.
    pub(super) fn is_crowded(&self) -> bool {
        self.header().len >= self.header().capacity / 4 * 3
    }

    /// Whether it is time to look for a smaller shape; asks again only after more removals.
    pub(super) fn wants_to_shrink(&mut self) -> bool {
        let header = self.header_mut();
        let wants = header.len < header.shrink_below;
        if wants {
            header.shrink_below = header.len - header.len / 8;
        }
        wants
    }

    /// All words in the order of their tags, to be placed in another segment.
    pub(super) fn runs(&self, retag: Retag) -> impl Iterator<Item = Run<'_>> + Clone {
        (0..self.bucket_count()).map(move |index| Run { words: self.words(index), retag })
    }

    /// Asks the processor to load the home bucket of `hash`.
    #[inline]
    pub(super) fn prefetch_bucket(&self, hash: u64) {
        if self.is_bare() {
            return self.prefetch_bare();
        }
        prefetch(self.bucket_address(self.home_of(self.tag_of(hash))));
    }

    #[inline]
    fn header(&self) -> &Header {
        debug_assert!(!self.is_bare());
        // SAFETY: every segment starts with its header; the borrow of the handle guards it, as
        // aliases are used through the same borrow of the directory.
        unsafe { &*self.bucket_address(0).wrapping_sub(1).cast::<Header>() }
    }

    fn header_mut(&mut self) -> &mut Header {
        debug_assert!(!self.is_bare());
        // SAFETY: as in `header`.
        unsafe { &mut *self.bucket_address(0).wrapping_sub(1).cast::<Header>() }
    }

    #[inline]
    pub(super) fn bucket(&self, index: usize) -> &Bucket {
        debug_assert!(index < self.header().buckets);
        // SAFETY: callers stay within the buckets: homes do, and probing stops at the last bucket,
        // which is never full. The borrow of the handle guards the bucket.
        unsafe { &*self.bucket_address(index) }
    }

    #[inline]
    pub(super) fn bucket_mut(&mut self, index: usize) -> &mut Bucket {
        debug_assert!(index < self.header().buckets);
        // SAFETY: as in `bucket`.
        unsafe { &mut *self.bucket_address(index) }
    }

    #[inline]
    fn bucket_address(&self, index: usize) -> *mut Bucket {
        debug_assert!(!self.is_bare());
        let memory = self.0.map_addr(|address| address & ADDRESS);
        memory.cast::<Bucket>().wrapping_add(index + 1)
    }

    #[inline]
    fn memory(&self) -> *mut u8 {
        let mask = if self.is_bare() { BARE_ADDRESS } else { ADDRESS };
        self.0.map_addr(|address| address & mask)
    }
}
