//! How large segments are: which sizes exist, how many entries each may hold.
//!
//! ```text
//! | header | home buckets ............................ | spill |      64 bytes each
//! ```
//!
//! Sizes follow the allocator's classes, which grow by 1.14 to 1.25, so a segment never wastes part
//! of its allocation and its load stays between 0.70 and 0.875 of the home buckets. Spill buckets
//! take what the last home bucket cannot hold. How much that is follows a random walk that drifts
//! down by one word per bucket: at the highest load two buckets suffice for 98 of 100 segments, and
//! the others grow one step early.

use super::bucket::BUCKET_WORDS;
use super::size_class::size_class;

/// Size of a bucket in bytes.
pub(super) const BUCKET_BYTES: usize = 64;

/// Entries a segment may hold per home bucket.
const LOAD_MAX: usize = 7;

/// Home buckets are chosen by 16 bits of hash and counted in 15 bits of a segment's handle.
const HOMES_MAX: usize = i16::MAX as usize;

/// The largest segment that grows; one that needs more is split, if that helps.
///
/// A split hashes all keys again, and with 8 million keys in one table nearly every entry is in no
/// cache: 875 of them took 28 us at best and 48 us in the median, on a busy virtual machine. A
/// smaller limit would shorten that, but double the directory once more and split the tables of
/// an ordinary server, which hold some 610 keys.
pub(super) const GROWN: Shape = Shape::of_class(8 * 1024);

/// Segments are merged when both together hold at most this many entries: half of what makes
/// one split, so that a merge is never followed by a split soon.
pub(super) const MERGED_LEN_MAX: usize = GROWN.capacity() / 2;

const _: () = assert!(GROWN.bytes() == 8 * 1024 && GROWN.homes == 125);
const _: () = assert!(Shape::SMALLEST.bytes() == 128 && Shape::SMALLEST.capacity() == 7);

/// The size of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Buckets that are home to some tags.
    pub(super) homes: usize,
    /// All buckets, spill included, header not.
    pub(super) buckets: usize,
}

impl Shape {
    /// One bucket.
    pub(super) const SMALLEST: Shape = Shape::of_class(2 * BUCKET_BYTES);

    /// The ordinary shape of a size class.
    const fn of_class(bytes: usize) -> Shape {
        let buckets = bytes / BUCKET_BYTES - 1;
        let spill = match buckets {
            0..=1 => 0,
            2..=15 => 1,
            _ => 2,
        };
        let homes = buckets - spill;
        Shape { homes: if homes < HOMES_MAX { homes } else { HOMES_MAX }, buckets }
    }

    /// Size of the allocation in bytes.
    pub(super) const fn bytes(self) -> usize {
        (self.buckets + 1) * BUCKET_BYTES
    }

    /// Entries it may hold before it must grow. Without a bound where more homes cannot be had:
    /// such a segment grows when its spill buckets are full.
    pub(super) const fn capacity(self) -> usize {
        if self.homes == HOMES_MAX { usize::MAX } else { self.homes * LOAD_MAX }
    }

    /// The smallest ordinary shape that may hold `len` entries.
    pub(super) fn for_len(len: usize) -> Shape {
        let mut shape = Shape::SMALLEST;
        while shape.capacity() < len {
            shape = shape.next();
        }
        shape
    }

    /// The shape for `len` entries that leaves an eighth of room, for a segment that shrank.
    pub(super) fn roomy_for_len(len: usize) -> Shape {
        Shape::for_len(len + len / 8)
    }

    /// The ordinary shape with the same homes.
    pub(super) fn without_extra_spill(self) -> Shape {
        Shape::for_len(self.capacity())
    }

    /// The next larger ordinary shape by class.
    fn next(self) -> Shape {
        Shape::of_class(size_class(self.bytes() + BUCKET_BYTES))
    }

    /// The same homes, with spill for `missing` more words and some to come.
    pub(super) fn extended(self, missing: usize) -> Shape {
        let missing_buckets = missing.div_ceil(BUCKET_WORDS);
        let slack = (self.buckets - self.homes + missing_buckets) / 4;
        let bytes = self.bytes() + (missing_buckets + slack) * BUCKET_BYTES;
        Shape { homes: self.homes, buckets: size_class(bytes) / BUCKET_BYTES - 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_fill_their_class_and_grow_gently() {
        let mut shape = Shape::SMALLEST;
        while shape.homes < HOMES_MAX {
            let next = shape.next();
            assert_eq!(shape.bytes(), size_class(shape.bytes()));
            assert!(next.homes >= shape.homes && next.bytes() > shape.bytes());
            assert_eq!(Shape::for_len(shape.capacity()).capacity(), shape.capacity());
            if shape.buckets > 16 && next.homes < HOMES_MAX {
                let growth = next.capacity() as f64 / shape.capacity() as f64;
                assert!((1.13..1.28).contains(&growth), "{shape:?} grows by {growth}");
            }
            shape = next;
        }
        assert_eq!(shape.capacity(), usize::MAX);
    }

    #[test]
    fn extended_shapes_hold_what_was_missing() {
        for missing in [1, 7, 8, 9, 1000, 100_000] {
            let extended = GROWN.extended(missing);
            assert_eq!(extended.homes, GROWN.homes);
            assert!((extended.buckets - GROWN.buckets) * BUCKET_WORDS >= missing);
            assert_eq!(extended.bytes(), size_class(extended.bytes()));
        }
    }
}
