//! A bucket: one cache line of eight words, each an entry's address and 16 bits of its hash.
//!
//! ```text
//! word:    | tag 16 | address 48, a multiple of 8 | bit 0: the entry has a time of expiry
//! bucket:  | word | word | word | 0 | 0 | 0 | 0 | 0 |      64 bytes; sorted by tag, then zeros
//! ```
//!
//! A bucket is full when its last word is set, and that word has the highest tag. Tags are
//! compared eight at a time; a tag of a few bits' worth of luck decides whether the entry itself
//! (another cache line) is looked at. User space addresses have at most 48 bits unless a process
//! asks for more; that is checked for every entry.

use std::ptr::{NonNull, null_mut};

use super::layout::RawEntry;

/// Words in a bucket.
pub(super) const BUCKET_WORDS: usize = 8;

const _: () = assert!(usize::BITS == 64, "words hold 16 bits besides a 48-bit address");
const ADDRESS_BITS: u32 = 48;
const ADDRESS: usize = (1 << ADDRESS_BITS) - 8;
const EXPIRES: usize = 1;

/// From the start of an entry to where its second cache line is asked for, if there is one: entries
/// lie at multiples of eight, so this hits it for every entry of 33 to 40 bytes that has one.
const SECOND_LINE_BYTES: usize = 32;

/// The place of one entry in a bucket, or nothing.
///
/// Kept as a pointer, with tag and flag in bits that no address uses, so that the compiler knows
/// which allocation it belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Word(*mut u8);

impl Word {
    pub(super) const EMPTY: Word = Word(null_mut());

    pub(super) fn new(entry: RawEntry, tag: u16) -> Word {
        let start = entry.start().as_ptr();
        let address = start.addr();
        assert!(address & !ADDRESS == 0, "an entry beyond 48 bits of address space");
        let expires = usize::from(entry.header().expiry_size() != 0);
        Word(start.map_addr(|address| address | usize::from(tag) << ADDRESS_BITS | expires))
    }

    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.0.is_null()
    }

    #[inline]
    pub(super) fn tag(self) -> u16 {
        (self.0.addr() >> ADDRESS_BITS) as u16
    }

    /// Whether the entry has a time of expiry.
    #[inline]
    pub(super) fn expires(self) -> bool {
        self.0.addr() & EXPIRES != 0
    }

    /// The entry of a word that is not empty.
    #[inline]
    pub(super) fn entry(self) -> RawEntry {
        let start = NonNull::new(self.0.map_addr(|address| address & ADDRESS));
        // SAFETY: words are made of live entries, and leave the table before their entry is freed.
        unsafe { RawEntry::trust(start.expect("a word without entry")) }
    }

    /// The same entry under another tag.
    pub(super) fn with_tag(self, tag: u16) -> Word {
        let low = (1 << ADDRESS_BITS) - 1;
        Word(self.0.map_addr(|address| address & low | usize::from(tag) << ADDRESS_BITS))
    }

    /// Asks the processor to load the entry, as far as short keys and values reach.
    #[inline]
    pub(super) fn prefetch_entry(self) {
        let start = self.0.map_addr(|address| address & ADDRESS);
        prefetch(start);
        // Half of all entries of 40 bytes, the commonest size, go on in the next cache line.
        prefetch(start.wrapping_add(SECOND_LINE_BYTES));
    }
}

/// One cache line of words.
#[repr(C, align(64))]
pub(super) struct Bucket {
    words: [Word; BUCKET_WORDS],
}

impl Bucket {
    /// All eight places, the empty ones last.
    #[inline]
    pub(super) fn words(&self) -> &[Word; BUCKET_WORDS] {
        &self.words
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        !self.words[BUCKET_WORDS - 1].is_empty()
    }

    /// Number of words, up to eight.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.words.iter().position(|word| word.is_empty()).unwrap_or(BUCKET_WORDS)
    }

    /// The places whose tag is `tag`. Empty places match tag 0.
    #[inline]
    pub(super) fn matches(&self, tag: u16) -> Matches {
        Matches(match_mask(&self.words, tag))
    }

    /// Whether a word of this tag cannot be in a later bucket: here is a place for it, or a word
    /// that would have given way to it.
    #[inline]
    pub(super) fn ends_search(&self, tag: u16) -> bool {
        let last = self.words[BUCKET_WORDS - 1];
        last.is_empty() || last.tag() > tag
    }

    /// Puts a word in order. Returns the highest word if the bucket was full, else none.
    #[inline]
    pub(super) fn insert(&mut self, mut word: Word) -> Word {
        for place in &mut self.words {
            if place.is_empty() {
                return std::mem::replace(place, word);
            }
            if place.tag() > word.tag() {
                std::mem::swap(place, &mut word);
            }
        }
        word
    }

    /// Writes a word behind the `used` ones of a bucket that is not full, none of them higher.
    #[inline]
    pub(super) fn append(&mut self, used: usize, word: Word) {
        debug_assert!(
            used == self.len() && (used == 0 || self.words[used - 1].tag() <= word.tag())
        );
        self.words[used] = word;
    }

    /// Replaces the word in `place` by one of the same tag, and returns it.
    pub(super) fn replace(&mut self, place: usize, word: Word) -> Word {
        let old = std::mem::replace(&mut self.words[place], word);
        debug_assert!(!old.is_empty() && old.tag() == word.tag());
        old
    }

    /// Takes a word out; the later ones move up.
    pub(super) fn take(&mut self, place: usize) -> Word {
        let taken = self.words[place];
        debug_assert!(!taken.is_empty());
        self.words.copy_within(place + 1.., place);
        self.words[BUCKET_WORDS - 1] = Word::EMPTY;
        taken
    }
}

/// Places of a bucket, four bits each: bit `4 * place + 3` is set for a match.
pub(super) struct Matches(u32);

impl Iterator for Matches {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let place = self.0.trailing_zeros() / 4;
        self.0 &= self.0 - 1;
        Some(place as usize)
    }
}

/// Compares all tags at once. Of every word only the highest 16 bits matter: two packs narrow each
/// 16-bit comparison to a byte, so the byte of a word's tag is every fourth one.
#[cfg(target_arch = "x86_64")]
#[inline]
fn match_mask(words: &[Word; BUCKET_WORDS], tag: u16) -> u32 {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi16, _mm_loadu_si128, _mm_movemask_epi8, _mm_packs_epi16,
        _mm_set1_epi16,
    };
    let lanes = words.as_ptr().cast::<__m128i>();
    // SAFETY: SSE2 belongs to every x86_64, and four loads of 16 bytes are the eight words.
    unsafe {
        let wanted = _mm_set1_epi16(tag as i16);
        let equal = |lane| _mm_cmpeq_epi16(_mm_loadu_si128(lanes.add(lane)), wanted);
        let low = _mm_movemask_epi8(_mm_packs_epi16(equal(0), equal(1))) as u32;
        let high = _mm_movemask_epi8(_mm_packs_epi16(equal(2), equal(3))) as u32;
        (low | high << 16) & 0x8888_8888
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn match_mask(words: &[Word; BUCKET_WORDS], tag: u16) -> u32 {
    match_mask_portable(words, tag)
}

/// The same, one tag at a time.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn match_mask_portable(words: &[Word; BUCKET_WORDS], tag: u16) -> u32 {
    let bits = words.iter().enumerate();
    bits.fold(0, |mask, (place, word)| mask | u32::from(word.tag() == tag) << (4 * place + 3))
}

/// Asks the processor to load a cache line that is needed soon. Never faults.
#[inline]
pub(crate) fn prefetch<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint; any address is allowed.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

#[cfg(test)]
mod tests {
    use super::super::value::{Kind, Record, Value};
    use super::super::{Entry, OwnedEntry};
    use super::*;
    use proptest::prelude::*;

    fn bucket_of(tags: &[u16], entry: RawEntry) -> Bucket {
        let mut bucket = Bucket { words: [Word::EMPTY; BUCKET_WORDS] };
        for tag in tags {
            assert!(bucket.insert(Word::new(entry, *tag)).is_empty());
        }
        bucket
    }

    fn entry(expiry_ms: Option<i64>) -> OwnedEntry<()> {
        let value = Value::Bytes(b"value");
        OwnedEntry::new(b"key", Record { kind: Kind::new(0), lru_bits: 0, expiry_ms, value })
    }

    #[test]
    fn a_word_keeps_address_tag_and_flag() {
        for expiry_ms in [None, Some(5)] {
            let entry = entry(expiry_ms);
            let word = Word::new(entry.raw(), 0xfedc).with_tag(0xffff);
            assert_eq!((word.tag(), word.expires()), (0xffff, expiry_ms.is_some()));
            // SAFETY: the entry outlives the view.
            let view: Entry<'_, ()> = unsafe { Entry::lend(word.entry()) };
            assert_eq!((view.key(), view.expiry_ms()), (&b"key"[..], expiry_ms));
        }
    }

    proptest! {
        #[test]
        fn fast_and_plain_comparison_agree(
            tags in prop::collection::vec(prop_oneof![0u16..3, any::<u16>()], 0..=8),
            wanted in prop_oneof![0u16..3, any::<u16>()],
        ) {
            let entry = entry(None);
            let bucket = bucket_of(&tags, entry.raw());
            let mask = match_mask(&bucket.words, wanted);
            prop_assert_eq!(mask, match_mask_portable(&bucket.words, wanted));
            let mut full = tags.clone();
            full.sort_unstable();
            full.resize(BUCKET_WORDS, 0);
            let places: Vec<usize> = (0..8).filter(|place| full[*place] == wanted).collect();
            prop_assert_eq!(bucket.matches(wanted).collect::<Vec<_>>(), places);
            prop_assert_eq!((bucket.len(), bucket.is_full()), (tags.len(), tags.len() == 8));
        }

        #[test]
        fn insertion_sorts_and_gives_way_to_the_lowest(
            tags in prop::collection::vec(prop_oneof![0u16..3, any::<u16>()], 0..=20),
        ) {
            let entry = entry(None);
            let mut bucket = bucket_of(&[], entry.raw());
            let mut expected = Vec::new();
            for tag in tags {
                let pushed_out = bucket.insert(Word::new(entry.raw(), tag));
                expected.push(tag);
                expected.sort_unstable();
                let highest = (expected.len() > BUCKET_WORDS).then(|| expected.pop()).flatten();
                prop_assert_eq!((!pushed_out.is_empty()).then(|| pushed_out.tag()), highest);
                let words = &bucket.words[..bucket.len()];
                prop_assert_eq!(words.iter().map(|w| w.tag()).collect::<Vec<_>>(), &expected[..]);
            }
        }

        #[test]
        fn taking_keeps_the_order(count in 1usize..=8, place in 0usize..8) {
            let entry = entry(None);
            let mut tags: Vec<u16> = (1..=count as u16).collect();
            let place = place % count;
            let mut bucket = bucket_of(&tags, entry.raw());
            prop_assert_eq!(bucket.take(place).tag(), tags.remove(place));
            let left: Vec<u16> = bucket.words[..bucket.len()].iter().map(|w| w.tag()).collect();
            prop_assert_eq!(left, tags);
        }
    }
}
