//! The bytes of an entry: one allocation per key.
//!
//! ```text
//!  0        4            10         11      27           28                 44
//!  | header | expiry     | key      | key   | value      | value bytes      |   a short string
//!  |        | 0, 6 or 8  | length   |       | length     |                  |
//!
//!  | header | expiry     | key      | key   | pad to 8   | i64 or pointer   |   number, buffer
//!
//!  | header | expiry     | key      | key   | pad to 8   | 24 bytes         |   object
//!
//!  header, 32 bits:  lru 24 | expiry 2 | form 2 | kind 4     (kind in the lowest bits)
//!  length:           0..=253 in one byte; 254 and two bytes; 255 and four bytes
//! ```
//!
//! Offsets above are for a 16-byte key, a 16-byte value and a time of expiry: 44 bytes, 38 without.
//! The time of expiry is in milliseconds: 6 bytes reach to the year 10889, 8 bytes hold whatever
//! else a client may set. It comes first, so that a sweep touches only the first cache line.
//! Padding costs nothing below 64 bytes, where classes lie 8 bytes apart, and lets a pointer be
//! lent out as a reference.
//!
//! This file knows offsets and nothing of ownership. A [`RawEntry`] is a pointer that is trusted:
//! whoever makes one vouches that the entry is alive and that borrows of its parts do not clash.

use std::marker::PhantomData;
use std::ptr::NonNull;

use super::size_class::{allocate, free, size_class};
use super::value::Kind;

/// Entries are aligned so that bit 0 of a pointer is free for the table.
const ALIGNMENT: usize = 8;
const HEADER_SIZE: usize = 4;
/// Size of the cell that holds an integer or a pointer.
const CELL_SIZE: usize = 8;
/// Size of the cell that holds an object, or a smaller one.
const OBJECT_CELL_SIZE: usize = 24;
/// Times of expiry from zero to below this fit into six bytes.
const SHORT_EXPIRY_END_MS: i64 = 1 << 48;

/// The longest key, in bytes; requests are limited far below.
pub const KEY_LENGTH_MAX: usize = u32::MAX as usize;

/// Where a value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Int,
    Inline,
    Shared,
    Object,
}

impl Form {
    /// Size of the cell of values that are not inline.
    #[inline]
    const fn cell_size(self) -> usize {
        if matches!(self, Form::Object) { OBJECT_CELL_SIZE } else { CELL_SIZE }
    }
}

/// The first four bytes of an entry.
#[derive(Clone, Copy)]
pub(super) struct Header(u32);

impl Header {
    pub(super) fn new(kind: Kind, form: Form, expiry_ms: Option<i64>, lru_bits: u32) -> Header {
        let expiry = match expiry_ms {
            None => 0,
            Some(0..SHORT_EXPIRY_END_MS) => 1,
            Some(_) => 2,
        };
        Header(u32::from(kind.bits()) | (form as u32) << 4 | expiry << 6 | lru_bits << 8)
    }

    pub(super) fn kind(self) -> Kind {
        Kind::new((self.0 & 0xf) as u8)
    }

    pub(super) fn form(self) -> Form {
        match self.0 >> 4 & 3 {
            0 => Form::Int,
            1 => Form::Inline,
            2 => Form::Shared,
            _ => Form::Object,
        }
    }

    pub(super) fn lru_bits(self) -> u32 {
        self.0 >> 8
    }

    pub(super) fn with_lru_bits(self, lru_bits: u32) -> Header {
        Header(self.0 & 0xff | lru_bits << 8)
    }

    pub(super) fn with_kind(self, kind: Kind) -> Header {
        Header(self.0 & !0xf | u32::from(kind.bits()))
    }

    pub(super) fn with_form(self, form: Form) -> Header {
        Header(self.0 & !0x30 | (form as u32) << 4)
    }

    /// Bytes of the time of expiry. Two bits shifted into a table of nibbles: no branch on the
    /// path of every lookup.
    #[inline]
    pub(super) fn expiry_size(self) -> usize {
        0x0860 >> ((self.0 >> 6 & 3) * 4) & 0xf
    }
}

/// Bytes that the stored form of a length takes.
fn length_size(length: usize) -> usize {
    match length {
        0..=253 => 1,
        254..=0xffff => 3,
        _ => 5,
    }
}

/// Where the parts of an entry lie, in bytes from its start.
#[derive(Clone, Copy)]
struct Parts {
    key_at: usize,
    key_end: usize,
    value_at: usize,
    /// End of the value, and of what the entry asks of the allocator.
    end: usize,
}

impl Parts {
    fn new(header: Header, key_length: usize, inline_length: usize) -> Parts {
        let key_at = HEADER_SIZE + header.expiry_size() + length_size(key_length);
        Parts::behind_key(header, key_at, key_at + key_length, inline_length)
    }

    fn behind_key(header: Header, key_at: usize, key_end: usize, inline_length: usize) -> Parts {
        let (value_at, length) = if header.form() == Form::Inline {
            (key_end + length_size(inline_length), inline_length)
        } else {
            (key_end.next_multiple_of(ALIGNMENT), header.form().cell_size())
        };
        Parts { key_at, key_end, value_at, end: value_at + length }
    }
}

/// A trusted pointer to an entry; see the head of the file for what that means.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct RawEntry(NonNull<u8>);

impl RawEntry {
    /// Trusts `start`.
    ///
    /// # Safety
    /// `start` came from [`RawEntry::start`], the entry is not freed while the result is in use,
    /// and what the result lends out obeys the rules of borrowing.
    #[inline]
    pub(super) unsafe fn trust(start: NonNull<u8>) -> RawEntry {
        RawEntry(start)
    }

    /// The address that identifies the entry; a multiple of eight.
    #[inline]
    pub(super) fn start(self) -> NonNull<u8> {
        self.0
    }

    /// Allocates an entry and writes all but the value, which the caller must write next: the
    /// `inline_length` bytes of [`RawEntry::inline_start`], or the cell.
    pub(super) fn allocate(
        header: Header,
        expiry_ms: Option<i64>,
        key: &[u8],
        inline_length: usize,
    ) -> RawEntry {
        assert!(key.len() <= KEY_LENGTH_MAX, "a key beyond KEY_LENGTH_MAX");
        let parts = Parts::new(header, key.len(), inline_length);
        let entry = RawEntry(allocate(parts.end, ALIGNMENT));
        entry.set_header(header);
        entry.set_expiry_ms(expiry_ms);
        // SAFETY: `parts` lie within the allocation just made, which nothing else refers to.
        unsafe {
            entry.put_length(HEADER_SIZE + header.expiry_size(), key.len());
            let from = NonNull::from(key).cast::<u8>();
            entry.0.add(parts.key_at).copy_from_nonoverlapping(from, key.len());
            if header.form() == Form::Inline {
                entry.put_length(parts.key_end, inline_length);
            }
        }
        entry
    }

    /// A copy of the bytes, in another block of the same class.
    ///
    /// # Safety
    /// Only one of the two is used as the owner of what a cell points to.
    pub(super) unsafe fn duplicate(self) -> RawEntry {
        let size = self.parts().end;
        let copy = allocate(size, ALIGNMENT);
        // SAFETY: both blocks are of this size, and the new one overlaps with nothing.
        unsafe { copy.copy_from_nonoverlapping(self.0, size) };
        RawEntry(copy)
    }

    /// Frees the memory; what a cell points to is the caller's.
    ///
    /// # Safety
    /// The entry is not used afterwards.
    pub(super) unsafe fn free(self) {
        let size = self.parts().end;
        // SAFETY: an entry always fills the class it was allocated in, also after changes in
        // place, so the present size gives the layout.
        unsafe { free(self.0, size, ALIGNMENT) }
    }

    /// The size class of the entry, in bytes.
    pub(super) fn allocated_bytes(self) -> usize {
        size_class(self.parts().end)
    }

    #[inline]
    pub(super) fn header(self) -> Header {
        // SAFETY: every entry starts with its aligned header; no reference ever covers it.
        Header(unsafe { self.0.cast::<u32>().read() })
    }

    pub(super) fn set_header(self, header: Header) {
        // SAFETY: as in `header`; the table is used by one thread at a time.
        unsafe { self.0.cast::<u32>().write(header.0) }
    }

    #[inline]
    pub(super) fn expiry_ms(self) -> Option<i64> {
        let size = self.header().expiry_size();
        if size == 0 {
            return None;
        }
        let mut bytes = [0; 8];
        // SAFETY: the header says that `size` <= 8 bytes lie behind it; no reference covers them.
        unsafe {
            let from = self.0.as_ptr().add(HEADER_SIZE);
            from.copy_to_nonoverlapping(bytes.as_mut_ptr(), size);
        }
        Some(i64::from_le_bytes(bytes))
    }

    /// Writes the time of expiry, for which the header must already have the place.
    pub(super) fn set_expiry_ms(self, expiry_ms: Option<i64>) {
        let size = self.header().expiry_size();
        assert_eq!(expiry_ms.is_some(), size != 0, "the header disagrees about an expiry");
        let bytes = expiry_ms.unwrap_or(0).to_le_bytes();
        // SAFETY: as in `expiry_ms`.
        unsafe { self.0.as_ptr().add(HEADER_SIZE).copy_from_nonoverlapping(bytes.as_ptr(), size) }
    }

    /// The key, borrowed for as long as the caller may.
    #[inline]
    pub(super) fn key<'a>(self) -> &'a [u8] {
        let (key_at, length) = self.key_span();
        // SAFETY: the key lies there, and is never changed while the entry lives.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().add(key_at), length) }
    }

    /// The bytes of an inline string.
    #[inline]
    pub(super) fn inline<'a>(self) -> &'a [u8] {
        debug_assert_eq!(self.header().form(), Form::Inline);
        let parts = self.parts();
        let length = parts.end - parts.value_at;
        // SAFETY: the form says that so many initialised bytes lie there.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().add(parts.value_at), length) }
    }

    /// Where the bytes of an inline string start.
    pub(super) fn inline_start(self) -> NonNull<u8> {
        debug_assert_eq!(self.header().form(), Form::Inline);
        // SAFETY: all parts lie within the entry.
        unsafe { self.0.add(self.parts().value_at) }
    }

    /// The cell of a value that is not inline; `T` is what its form says.
    #[inline]
    pub(super) fn cell<T>(self, form: Form, _type: PhantomData<T>) -> NonNull<T> {
        const { assert!(size_of::<T>() <= OBJECT_CELL_SIZE && align_of::<T>() <= ALIGNMENT) }
        assert!(size_of::<T>() <= form.cell_size(), "the cell is too small");
        debug_assert!(form != Form::Inline && self.header().form() == form);
        let (key_at, length) = self.key_span();
        // SAFETY: entries that are not inline have an aligned cell behind the key.
        unsafe { self.0.add((key_at + length).next_multiple_of(ALIGNMENT)).cast() }
    }

    /// Overwrites an inline string by another of the same length, where neither expires: no size
    /// and no offset changes, so neither table nor accounts need to know. Otherwise does nothing
    /// and returns `false`.
    #[inline]
    pub(super) fn overwrite_alike(self, kind: Kind, lru_bits: u32, bytes: &[u8]) -> bool {
        let header = self.header();
        if header.form() != Form::Inline || header.expiry_size() != 0 {
            return false;
        }
        let (key_at, key_length) = self.key_span();
        let key_end = key_at + key_length;
        // SAFETY: the length of an inline value lies behind the key.
        let (length, size) = unsafe { self.get_length(key_end) };
        if length != bytes.len() {
            return false;
        }
        self.set_header(Header::new(kind, Form::Inline, None, lru_bits));
        let from = NonNull::from(bytes).cast::<u8>();
        // SAFETY: so many bytes lie there. Nobody borrows them while the table is being changed,
        // so `bytes` lie elsewhere.
        unsafe { self.0.add(key_end + size).copy_from_nonoverlapping(from, length) };
        true
    }

    /// Whether the value can take another form or length without moving the entry.
    pub(super) fn fits(self, form: Form, inline_length: usize) -> bool {
        let header = self.header().with_form(form);
        let parts = Parts::new(header, self.key_span().1, inline_length);
        size_class(parts.end) == self.allocated_bytes()
    }

    /// Notes another form and length, which must [fit](RawEntry::fits). The caller writes the
    /// value next; the bytes of the former one may be anywhere.
    pub(super) fn set_form(self, form: Form, inline_length: usize) {
        debug_assert!(self.fits(form, inline_length));
        let (key_at, length) = self.key_span();
        self.set_header(self.header().with_form(form));
        if form == Form::Inline {
            // SAFETY: the value's length lies behind the key, and all of it fits.
            unsafe { self.put_length(key_at + length, inline_length) }
        }
    }

    /// Copies the cell of another entry, whose value has the same form and is not inline.
    ///
    /// # Safety
    /// What the cell of `other` owns is this entry's from now on.
    pub(super) unsafe fn copy_cell(self, other: RawEntry) {
        let form = self.header().form();
        assert!(form != Form::Inline && other.header().form() == form, "no cell to copy");
        // SAFETY: both have a cell of this size, aligned, and they are different entries.
        unsafe {
            let from = other.0.add(other.parts().value_at);
            self.0.add(self.parts().value_at).copy_from_nonoverlapping(from, form.cell_size());
        }
    }

    /// Makes the entry of an object one of a string of zeros that ends where the object did.
    ///
    /// # Safety
    /// What the cell owned is no longer the entry's.
    pub(super) unsafe fn forget_object(self) {
        let Parts { key_end, end, .. } = self.parts();
        debug_assert_eq!(self.header().form(), Form::Object);
        let length = end - key_end - length_size(0);
        self.set_form(Form::Inline, length);
        // SAFETY: all of it lies within the entry.
        unsafe { self.inline_start().write_bytes(0, length) };
        debug_assert_eq!(self.parts().end, end);
    }

    #[inline]
    fn key_span(self) -> (usize, usize) {
        let at = HEADER_SIZE + self.header().expiry_size();
        // SAFETY: the length of the key lies behind the time of expiry.
        let (length, size) = unsafe { self.get_length(at) };
        (at + size, length)
    }

    fn parts(self) -> Parts {
        let header = self.header();
        let (key_at, length) = self.key_span();
        let key_end = key_at + length;
        let inline_length = match header.form() {
            // SAFETY: the length of an inline value lies behind the key.
            Form::Inline => unsafe { self.get_length(key_end).0 },
            _ => 0,
        };
        Parts::behind_key(header, key_at, key_end, inline_length)
    }

    /// Reads a length and the bytes it takes.
    ///
    /// # Safety
    /// A length was written at this offset.
    #[inline]
    unsafe fn get_length(self, offset: usize) -> (usize, usize) {
        // SAFETY: the first byte tells how many follow; the caller vouches that they were written.
        unsafe {
            let at = self.0.add(offset);
            match at.read() {
                254 => (usize::from(at.add(1).cast::<u16>().read_unaligned()), 3),
                255 => (at.add(1).cast::<u32>().read_unaligned() as usize, 5),
                short => (usize::from(short), 1),
            }
        }
    }

    /// Writes a length.
    ///
    /// # Safety
    /// The entry has room for it at this offset, and nothing refers there.
    unsafe fn put_length(self, offset: usize, length: usize) {
        // SAFETY: the caller vouches for `length_size(length)` bytes of room.
        unsafe {
            let at = self.0.add(offset);
            match length_size(length) {
                1 => at.write(length as u8),
                3 => {
                    at.write(254);
                    at.add(1).cast::<u16>().write_unaligned(length as u16);
                }
                _ => {
                    at.write(255);
                    at.add(1).cast::<u32>().write_unaligned(length as u32);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(form: Form, expiry_ms: Option<i64>) -> Header {
        Header::new(Kind::new(5), form, expiry_ms, 0xabcdef)
    }

    #[test]
    fn short_entries_meet_the_budget() {
        let size = |form, expiry, inline| Parts::new(header(form, expiry), 16, inline).end;
        assert_eq!(size(Form::Inline, None, 16), 38);
        assert_eq!(size(Form::Inline, Some(1 << 40), 16), 44);
        assert_eq!(size(Form::Int, None, 0), 32);
        assert_eq!(size(Form::Shared, Some(1 << 40), 0), 40);
        assert_eq!(size(Form::Object, None, 0), 48);
    }

    #[test]
    fn headers_keep_their_fields_apart() {
        for expiry_ms in [None, Some(0), Some((1 << 48) - 1), Some(1 << 48), Some(-1)] {
            for form in [Form::Int, Form::Inline, Form::Shared, Form::Object] {
                let header = header(form, expiry_ms).with_lru_bits(0x123456);
                assert_eq!(header.form(), form);
                assert_eq!(header.kind().bits(), 5);
                assert_eq!(header.lru_bits(), 0x123456);
                let moved = header.with_form(Form::Object).with_kind(Kind::new(9));
                assert_eq!((moved.form(), moved.kind().bits()), (Form::Object, 9));
                assert_eq!(moved.expiry_size(), header.expiry_size());
            }
        }
        assert_eq!(header(Form::Int, None).expiry_size(), 0);
        assert_eq!(header(Form::Int, Some((1 << 48) - 1)).expiry_size(), 6);
        assert_eq!(header(Form::Int, Some(i64::MIN)).expiry_size(), 8);
    }

    #[test]
    fn what_is_written_is_read_again() {
        for key_length in [0, 1, 253, 254, 255, 65_535, 65_536] {
            for expiry_ms in [None, Some(0), Some((1 << 48) - 1), Some(i64::MAX), Some(-5)] {
                let key = vec![b'k'; key_length];
                for length in [0, 253, 254, 1024] {
                    let entry = RawEntry::allocate(
                        header(Form::Inline, expiry_ms),
                        expiry_ms,
                        &key,
                        length,
                    );
                    // SAFETY: `length` bytes were allocated for the value.
                    unsafe { entry.inline_start().write_bytes(b'v', length) };
                    assert_eq!(entry.key(), key);
                    assert_eq!(entry.expiry_ms(), expiry_ms);
                    assert_eq!(entry.inline(), vec![b'v'; length]);
                    // SAFETY: not used afterwards.
                    unsafe { entry.free() };
                }
            }
        }
    }
}
