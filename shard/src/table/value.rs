//! What a key may hold, as it goes into the table and as it is seen inside.
//!
//! ```text
//! form      in the entry              for
//! Int       8 bytes                   strings that are the decimal text of an i64
//! inline    length + bytes            strings up to INLINE_VALUE_MAX bytes
//! Shared    pointer                   longer strings, reference counted: a reply can pin them
//! Object    the object, 24 bytes      lists, hashes, sets, ...: whatever `O` the caller chooses
//! ```

use std::ptr::NonNull;

use super::shared::SharedBytes;

/// The longest string value kept inside its entry, in bytes.
///
/// Inline wins on memory at any length: it saves a pointer, a buffer header and one rounding to a
/// size class. What a separate buffer gains is that a reply can send it from where it lies, and
/// that pays only from some 3 KB. One KiB keeps the copy that a changed length may cost (about
/// 30 ns) below the price of the allocation that goes with it; beyond, the saving is under 3 %.
pub const INLINE_VALUE_MAX: usize = 1024;

/// A tag of four bits that the caller keeps with each entry: its type and encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Kind(u8);

impl Kind {
    /// The kind with these bits.
    ///
    /// # Panics
    /// When `bits` is above 15.
    pub const fn new(bits: u8) -> Kind {
        assert!(bits < 16, "a kind has four bits");
        Kind(bits)
    }

    /// The bits, below 16.
    pub const fn bits(self) -> u8 {
        self.0
    }
}

/// Memory an object holds.
pub trait Footprint {
    /// Bytes on the heap; the object itself lies in its entry. Every allocation rounded by
    /// [`size_class`](super::size_class). Must be O(1): it is asked before and after each change.
    fn footprint_bytes(&self) -> usize;

    /// The block on the heap that a look at the object leads to first, if there is one: what is
    /// asked for ahead of time, and what tells whether it is worth making the object anew
    /// elsewhere. Must be O(1).
    fn first_block(&self) -> Option<NonNull<u8>>;
}

/// A value on its way into the table, or taken out of it.
#[derive(Debug)]
pub enum Value<'a, O> {
    /// A string that is the decimal text of this number.
    Int(i64),
    /// A string, copied: into the entry up to [`INLINE_VALUE_MAX`] bytes, else into a buffer.
    Bytes(&'a [u8]),
    /// A string in a buffer, kept as it is whatever its length.
    Shared(SharedBytes),
    /// An object.
    Object(O),
}

/// A value as it lies in the table.
#[derive(Debug)]
pub enum ValueRef<'a, O> {
    /// A string that is the decimal text of this number.
    Int(i64),
    /// A string inside its entry.
    Bytes(&'a [u8]),
    /// A string in a buffer of its own; clone the handle to pin it.
    Shared(&'a SharedBytes),
    /// An object.
    Object(&'a O),
}

impl<O> Clone for ValueRef<'_, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for ValueRef<'_, O> {}

/// What an overwritten value leaves behind. Dropping it frees it; a caller that must not pause
/// hands large remains to somebody who may.
#[derive(Debug)]
pub enum OldValue<O> {
    /// The value lay in the entry and is gone.
    Inline,
    /// A buffer, which replies may still pin.
    Shared(SharedBytes),
    /// An object.
    Object(O),
}

/// Everything an entry holds besides its key.
#[derive(Debug)]
pub struct Record<'a, O> {
    /// The caller's type and encoding tag.
    pub kind: Kind,
    /// Access clock or counter; only the low 24 bits are kept.
    pub lru_bits: u32,
    /// Absolute time of expiry in milliseconds.
    pub expiry_ms: Option<i64>,
    /// The value.
    pub value: Value<'a, O>,
}
