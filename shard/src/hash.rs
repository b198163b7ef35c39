//! The two hashes of a key: its cluster slot and its place in a keyspace table.
//!
//! * [`HashSlot`] is CRC16/XMODEM (polynomial 0x1021, start 0, no reflection) modulo 16,384, taken
//!   over the hash tag where the key has one. Clients compute the same number, so it is API.
//! * [`key_hash`] is seeded XXH3 with all 64 bits in use. It orders entries inside a table and
//!   never leaves the process, except as the position in a SCAN cursor.
//!
//! Every command pays for both, so the CRC takes eight bytes per step ("slicing by eight"): table
//! `k` tells what a byte contributes when `k` more bytes follow it, and eight independent look-ups
//! replace a chain of eight dependent ones. The tables take 4 KiB and are built at compile time.

use memchr::memchr;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// One of the 16,384 hash slots of a Redis Cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashSlot(u16);

impl HashSlot {
    /// Number of hash slots.
    pub const COUNT: u16 = 16_384;

    /// The slot with this number, or `None` when there is none.
    pub const fn new(number: u16) -> Option<HashSlot> {
        if number < Self::COUNT { Some(HashSlot(number)) } else { None }
    }

    /// The slot a key belongs to. O(length of the key).
    #[inline]
    pub fn of_key(key: &[u8]) -> HashSlot {
        let tagged = if may_have_tag(key) { hash_tag(key).unwrap_or(key) } else { key };
        HashSlot(crc16(tagged) & (Self::COUNT - 1))
    }

    /// All slots, ascending.
    pub fn all() -> impl Iterator<Item = HashSlot> {
        (0..Self::COUNT).map(HashSlot)
    }

    /// The slot's number as an index.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The slot's number, below [`HashSlot::COUNT`].
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// Whether a key has an opening brace, or is too long to tell here. Most keys are short and have
/// none, and for those a call of `memchr` would take longer than eight bytes at a time do.
#[inline]
fn may_have_tag(key: &[u8]) -> bool {
    const KEY_BYTES_MAX: usize = 40;
    const ONES: u64 = 0x0101_0101_0101_0101;
    if key.len() > KEY_BYTES_MAX {
        return true;
    }
    let (chunks, rest) = key.as_chunks::<8>();
    let mut found = 0;
    for chunk in chunks {
        // A byte that equals the brace is zero now, and the lowest zero borrows into its top bit.
        let word = u64::from_le_bytes(*chunk) ^ (ONES * u64::from(b'{'));
        found |= word.wrapping_sub(ONES) & !word & (ONES << 7);
    }
    found != 0 || rest.contains(&b'{')
}

/// The part of `key` between the first `{` and the first `}` after it, unless that is empty.
///
/// Keys with equal tags share a slot, whatever else their names say.
pub fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let rest = &key[memchr(b'{', key)? + 1..];
    let tag = &rest[..memchr(b'}', rest)?];
    (!tag.is_empty()).then_some(tag)
}

/// The hash that places `key` in a keyspace table. O(length of the key).
///
/// The seed is drawn once per process, so that clients cannot prepare keys that collide.
#[inline]
pub fn key_hash(seed: u64, key: &[u8]) -> u64 {
    xxh3_64_with_seed(key, seed)
}

/// How a keyspace table hashes a key again when it splits a segment.
pub trait KeyHasher {
    /// The 64-bit hash of `key`; always the same for the same key and hasher.
    fn hash(&self, key: &[u8]) -> u64;
}

/// The hasher of production: [`key_hash`] under one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl KeyHasher for Seed {
    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        key_hash(self.0, key)
    }
}

const POLYNOMIAL: u16 = 0x1021;
const TABLES: [[u16; 256]; 8] = build_tables();

const fn build_tables() -> [[u16; 256]; 8] {
    let mut tables = [[0u16; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 != 0 { (crc << 1) ^ POLYNOMIAL } else { crc << 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut following = 1;
    while following < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[following - 1][byte];
            tables[following][byte] = (crc << 8) ^ tables[0][(crc >> 8) as usize];
            byte += 1;
        }
        following += 1;
    }
    tables
}

/// CRC16/XMODEM of `bytes`. O(length).
pub fn crc16(bytes: &[u8]) -> u16 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut crc = 0u16;
    for chunk in chunks {
        let [high, low] = crc.to_be_bytes();
        crc = TABLES[7][usize::from(chunk[0] ^ high)]
            ^ TABLES[6][usize::from(chunk[1] ^ low)]
            ^ TABLES[5][usize::from(chunk[2])]
            ^ TABLES[4][usize::from(chunk[3])]
            ^ TABLES[3][usize::from(chunk[4])]
            ^ TABLES[2][usize::from(chunk[5])]
            ^ TABLES[1][usize::from(chunk[6])]
            ^ TABLES[0][usize::from(chunk[7])];
    }
    for byte in rest {
        crc = (crc << 8) ^ TABLES[0][usize::from((crc >> 8) as u8 ^ byte)];
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn crc16_bit_by_bit(bytes: &[u8]) -> u16 {
        bytes.iter().fold(0u16, |crc, byte| {
            (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
                (crc << 1) ^ if crc & 0x8000 != 0 { POLYNOMIAL } else { 0 }
            })
        })
    }

    fn slot(key: &str) -> u16 {
        HashSlot::of_key(key.as_bytes()).number()
    }

    #[test]
    fn golden_vectors() {
        assert_eq!(crc16(b""), 0);
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot("foo"), 12182);
        assert_eq!(slot("bar"), 5061);
    }

    #[test]
    fn slot_numbers_are_checked() {
        assert_eq!(HashSlot::new(16_383).map(HashSlot::number), Some(16_383));
        assert_eq!(HashSlot::new(16_384), None);
    }

    #[test]
    fn hash_tags_follow_the_cluster_rule() {
        assert_eq!(hash_tag(b"{user1000}.following"), Some(&b"user1000"[..]));
        assert_eq!(hash_tag(b"foo{}{bar}"), None);
        assert_eq!(hash_tag(b"foo{{bar}}zap"), Some(&b"{bar"[..]));
        assert_eq!(hash_tag(b"foo{bar}{zap}"), Some(&b"bar"[..]));
        assert_eq!(hash_tag(b"}foo{bar"), None);
        assert_eq!(hash_tag(b"foo}{bar}"), Some(&b"bar"[..]));
        assert_eq!(hash_tag(b""), None);
        assert_eq!(slot("{foo}:a"), slot("foo"));
        assert_eq!(slot("x{bar}y"), slot("bar"));
        assert_eq!(slot("foo{}{bar}"), crc16_bit_by_bit(b"foo{}{bar}") % HashSlot::COUNT);
    }

    #[test]
    fn hashes_depend_on_the_seed_and_the_whole_key() {
        assert_eq!(Seed(7).hash(b"key"), key_hash(7, b"key"));
        assert_ne!(key_hash(1, b"key"), key_hash(2, b"key"));
        assert_ne!(key_hash(1, b"{key}1"), key_hash(1, b"{key}2"));
    }

    proptest! {
        #[test]
        fn the_quick_look_for_a_tag_misses_none(key in "[{}a-c|~\\x{80}]{0,50}") {
            let (key, tag) = (key.as_bytes(), hash_tag(key.as_bytes()));
            prop_assert!(tag.is_none() || may_have_tag(key));
            let slot = crc16(tag.unwrap_or(key)) % HashSlot::COUNT;
            prop_assert_eq!(HashSlot::of_key(key).number(), slot);
        }

        #[test]
        fn slices_agree_with_single_bits(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(crc16(&bytes), crc16_bit_by_bit(&bytes));
        }
    }
}
