//! An entry as callers see it: borrowed from a table, or owned outside of one.
//!
//! [`Entry`] is a handle for reading, [`OwnedEntry`] owns the allocation and everything behind it,
//! like a `Box`. All changes are written once, on `OwnedEntry`; inside a table the guard
//! [`EntryMut`](super::EntryMut) applies them and keeps the accounts.
//!
//! A change stays in place when the entry remains in its size class and its key stays where it is;
//! otherwise the entry moves, which costs one allocation and a copy of at most the key and
//! [`INLINE_VALUE_MAX`] bytes.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use super::layout::{Form, Header, RawEntry};
use super::shared::SharedBytes;
use super::value::{Footprint, INLINE_VALUE_MAX, Kind, OldValue, Record, Value, ValueRef};

/// An entry of a table, borrowed. Every accessor is O(1).
pub struct Entry<'a, O> {
    raw: RawEntry,
    _borrows: PhantomData<&'a OwnedEntry<O>>,
}

impl<O> Clone for Entry<'_, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for Entry<'_, O> {}

impl<'a, O> Entry<'a, O> {
    /// Lends out an entry.
    ///
    /// # Safety
    /// The entry holds values of `O`, lives during `'a`, and is not changed meanwhile.
    #[inline]
    pub(super) unsafe fn lend(raw: RawEntry) -> Entry<'a, O> {
        Entry { raw, _borrows: PhantomData }
    }

    /// The key.
    #[inline]
    pub fn key(self) -> &'a [u8] {
        self.raw.key()
    }

    /// The value.
    #[inline]
    pub fn value(self) -> ValueRef<'a, O> {
        let raw = self.raw;
        // SAFETY: the form tells the type in the cell, and the borrow of the entry covers it.
        unsafe {
            match raw.header().form() {
                Form::Inline => ValueRef::Bytes(raw.inline()),
                Form::Int => ValueRef::Int(raw.cell(Form::Int, PhantomData::<i64>).read()),
                Form::Shared => ValueRef::Shared(raw.cell(Form::Shared, PhantomData).as_ref()),
                Form::Object => ValueRef::Object(raw.cell(Form::Object, PhantomData::<O>).as_ref()),
            }
        }
    }

    /// The caller's tag.
    #[inline]
    pub fn kind(self) -> Kind {
        self.raw.header().kind()
    }

    /// Absolute time of expiry in milliseconds.
    #[inline]
    pub fn expiry_ms(self) -> Option<i64> {
        self.raw.expiry_ms()
    }

    /// The 24 bits of access clock or counter.
    #[inline]
    pub fn lru_bits(self) -> u32 {
        self.raw.header().lru_bits()
    }

    /// Notes an access. Takes a shared borrow, since reads must be able to do this; nothing that
    /// is lent out depends on these bits.
    #[inline]
    pub fn set_lru_bits(self, lru_bits: u32) {
        self.raw.set_header(self.raw.header().with_lru_bits(lru_bits));
    }

    /// Memory of the entry and of all it owns, in bytes, as the allocator counts.
    pub fn bytes(self) -> usize
    where
        O: Footprint,
    {
        self.raw.allocated_bytes() + value_bytes(self.value())
    }
}

/// Memory of a value outside its entry, in bytes.
fn value_bytes<O: Footprint>(value: ValueRef<'_, O>) -> usize {
    match value {
        ValueRef::Int(_) | ValueRef::Bytes(_) => 0,
        ValueRef::Shared(bytes) => bytes.allocated_bytes(),
        ValueRef::Object(object) => object.footprint_bytes(),
    }
}

/// An entry outside of any table, with all it owns.
pub struct OwnedEntry<O> {
    raw: RawEntry,
    _owns: PhantomData<O>,
}

// SAFETY: an entry owns its key and its value: bytes, a `SharedBytes` (which is `Send`), or an `O`.
unsafe impl<O: Send> Send for OwnedEntry<O> {}

impl<O> OwnedEntry<O> {
    /// Makes an entry. O(length of key and value).
    ///
    /// # Panics
    /// When the key is longer than [`KEY_LENGTH_MAX`](super::KEY_LENGTH_MAX).
    pub fn new(key: &[u8], record: Record<'_, O>) -> OwnedEntry<O> {
        let Record { kind, lru_bits, expiry_ms, value } = record;
        let value = settle(value);
        let (form, inline_length) = form_of(&value);
        let header = Header::new(kind, form, expiry_ms, lru_bits);
        let raw = RawEntry::allocate(header, expiry_ms, key, inline_length);
        // SAFETY: allocated for a value of this form and length, which is yet to be written.
        unsafe { write_value(raw, value) };
        OwnedEntry { raw, _owns: PhantomData }
    }

    /// Takes an entry over.
    ///
    /// # Safety
    /// `raw` came from [`OwnedEntry::into_raw`] of the same `O`, and nobody else owns it.
    pub(super) unsafe fn from_raw(raw: RawEntry) -> OwnedEntry<O> {
        OwnedEntry { raw, _owns: PhantomData }
    }

    /// Gives up ownership without freeing anything.
    pub(super) fn into_raw(self) -> RawEntry {
        ManuallyDrop::new(self).raw
    }

    /// Where the entry is at present.
    pub(super) fn raw(&self) -> RawEntry {
        self.raw
    }

    /// A view of the entry.
    pub fn as_entry(&self) -> Entry<'_, O> {
        // SAFETY: the entry is ours, and borrowed for as long as the view lives.
        unsafe { Entry::lend(self.raw) }
    }

    /// Takes the value out, to put it under another key; the entry keeps a value that owns nothing:
    /// for a string inside the entry, the string. O(1).
    pub fn take_value(&mut self) -> Value<'_, O> {
        match self.as_entry().value() {
            ValueRef::Int(number) => Value::Int(number),
            ValueRef::Bytes(_) => Value::Bytes(self.raw.inline()),
            ValueRef::Shared(_) | ValueRef::Object(_) => match self.detach_value() {
                OldValue::Shared(bytes) => Value::Shared(bytes),
                OldValue::Object(object) => Value::Object(object),
                OldValue::Inline => unreachable!("the value is in a cell"),
            },
        }
    }

    /// Replaces all but the key. O(length of key and value).
    pub fn overwrite(&mut self, record: Record<'_, O>) -> OldValue<O> {
        let Record { kind, lru_bits, expiry_ms, value } = record;
        let header = self.raw.header();
        if Header::new(kind, header.form(), expiry_ms, 0).expiry_size() != header.expiry_size() {
            let old = self.detach_value();
            *self = OwnedEntry::new(self.raw.key(), Record { kind, lru_bits, expiry_ms, value });
            return old;
        }
        self.raw.set_header(header.with_lru_bits(lru_bits));
        self.raw.set_expiry_ms(expiry_ms);
        self.set_value(kind, value)
    }

    /// Replaces value and tag; time of expiry and access bits stay. O(length of key and value).
    pub fn set_value(&mut self, kind: Kind, value: Value<'_, O>) -> OldValue<O> {
        let value = settle(value);
        let (form, inline_length) = form_of(&value);
        let old = self.detach_value();
        let raw = self.raw;
        let header = raw.header().with_kind(kind);
        if raw.fits(form, inline_length) {
            raw.set_header(header);
            raw.set_form(form, inline_length);
            // SAFETY: it fits, and what was there has been detached.
            unsafe { write_value(raw, value) };
        } else {
            let expiry_ms = raw.expiry_ms();
            let header = header.with_form(form);
            let moved = RawEntry::allocate(header, expiry_ms, raw.key(), inline_length);
            // SAFETY: allocated for this value; the old allocation owns nothing any more.
            unsafe {
                write_value(moved, value);
                self.raw = moved;
                raw.free();
            }
        }
        old
    }

    /// Sets or clears the absolute time of expiry in milliseconds. O(length of key and inline
    /// value) when the entry has to move, else O(1).
    pub fn set_expiry_ms(&mut self, expiry_ms: Option<i64>) {
        let raw = self.raw;
        let old = raw.header();
        let new = Header::new(old.kind(), old.form(), expiry_ms, old.lru_bits());
        if old.expiry_size() == new.expiry_size() {
            raw.set_expiry_ms(expiry_ms);
            return;
        }
        let moved = if old.form() == Form::Inline {
            let value = raw.inline();
            let moved = RawEntry::allocate(new, expiry_ms, raw.key(), value.len());
            // SAFETY: another allocation, made for a value of this length.
            unsafe { copy_inline(moved, value) };
            moved
        } else {
            let moved = RawEntry::allocate(new, expiry_ms, raw.key(), 0);
            // SAFETY: whatever the cell holds moves along, and the old one is forgotten.
            unsafe { moved.copy_cell(raw) };
            moved
        };
        self.raw = moved;
        // SAFETY: the value has moved out, and `raw` is not used again.
        unsafe { raw.free() }
    }

    /// Moves the entry to other memory, whatever its value; returns its bytes. O(bytes).
    pub(super) fn relocate(&mut self) -> usize {
        let raw = self.raw;
        // SAFETY: what the value owns moves along with the bytes, and the old block is not used
        // again.
        unsafe {
            self.raw = raw.duplicate();
            raw.free();
        }
        self.raw.allocated_bytes()
    }

    /// Replaces the caller's tag. O(1).
    pub fn set_kind(&mut self, kind: Kind) {
        self.raw.set_header(self.raw.header().with_kind(kind));
    }

    /// The string value for change in place, lengthened to `length` with zeros if it is shorter. A
    /// buffer that a reply pins is copied first. Amortised O(bytes added), else O(length).
    ///
    /// # Panics
    /// When the value is no string of bytes; give a number its decimal text first.
    pub fn bytes_mut(&mut self, length: usize) -> &mut [u8] {
        match self.raw.header().form() {
            Form::Inline => self.grow_inline(length),
            Form::Shared => {}
            Form::Int | Form::Object => panic!("the value is no string of bytes"),
        }
        if self.raw.header().form() == Form::Shared {
            // SAFETY: the form tells the type, and `&mut self` guards the handle.
            unsafe { self.raw.cell(Form::Shared, PhantomData::<SharedBytes>).as_mut() }
                .grow(length);
        }
        // SAFETY: `&mut self` is borrowed for as long as the bytes; `grow` ended any sharing.
        unsafe { lend_bytes_mut(self.raw) }
    }

    /// The object for change.
    ///
    /// # Panics
    /// When the value is no object.
    pub fn object_mut(&mut self) -> &mut O {
        // SAFETY: `&mut self` is borrowed for as long as the object.
        unsafe { lend_object_mut(self.raw) }
    }

    /// Frees the entry and returns what it leaves outside of itself. O(1).
    pub fn into_old_value(mut self) -> OldValue<O> {
        self.detach_value()
    }

    /// Takes what is no plain bytes out of the entry, leaving a value that owns nothing and is as
    /// long in its place.
    fn detach_value(&mut self) -> OldValue<O> {
        let raw = self.raw;
        // SAFETY: the form tells the type; the cell is overwritten at once, so that nothing is
        // owned twice. The end of the value, and so the size, does not change.
        unsafe {
            match raw.header().form() {
                Form::Int | Form::Inline => OldValue::Inline,
                Form::Shared => {
                    let old = OldValue::Shared(raw.cell(Form::Shared, PhantomData).read());
                    raw.set_form(Form::Int, 0);
                    raw.cell(Form::Int, PhantomData::<i64>).write(0);
                    old
                }
                Form::Object => {
                    let old = OldValue::Object(raw.cell(Form::Object, PhantomData).read());
                    raw.forget_object();
                    old
                }
            }
        }
    }

    /// Lengthens an inline string to `length` with zeros; it may become a buffer.
    fn grow_inline(&mut self, length: usize) {
        let present = self.raw.inline();
        if length <= present.len() {
            return;
        }
        if length > INLINE_VALUE_MAX {
            let mut bytes = SharedBytes::with_capacity(length + length / 4);
            bytes.extend_from_slice(present);
            self.set_value(self.raw.header().kind(), Value::Shared(bytes));
            return;
        }
        let mut grown = [0; INLINE_VALUE_MAX];
        grown[..present.len()].copy_from_slice(present);
        self.set_value(self.raw.header().kind(), Value::Bytes(&grown[..length]));
    }
}

impl<O> Drop for OwnedEntry<O> {
    fn drop(&mut self) {
        drop(self.detach_value());
        // SAFETY: the entry is ours and goes away; the value has been taken out.
        unsafe { self.raw.free() }
    }
}

/// Lends out an object for change.
///
/// # Safety
/// The entry is borrowed for change during `'a`, and its objects are `O`.
pub(super) unsafe fn lend_object_mut<'a, O: 'a>(raw: RawEntry) -> &'a mut O {
    assert_eq!(raw.header().form(), Form::Object, "the value is no object");
    // SAFETY: the form tells the type; the rest is the caller's promise.
    unsafe { raw.cell(Form::Object, PhantomData::<O>).as_mut() }
}

/// Lends out a string of bytes for change.
///
/// # Safety
/// The entry is borrowed for change during `'a`, and a buffer of it is not shared.
pub(super) unsafe fn lend_bytes_mut<'a>(raw: RawEntry) -> &'a mut [u8] {
    // SAFETY: the form tells the type; the rest is the caller's promise.
    unsafe {
        if raw.header().form() == Form::Shared {
            let bytes = raw.cell(Form::Shared, PhantomData::<SharedBytes>).as_mut();
            return bytes.get_mut().expect("a buffer lent for change is not shared");
        }
        let length = raw.inline().len();
        std::slice::from_raw_parts_mut(raw.inline_start().as_ptr(), length)
    }
}

/// Turns a string that is too long for an entry into a buffer.
fn settle<O>(value: Value<'_, O>) -> Value<'_, O> {
    match value {
        Value::Bytes(bytes) if bytes.len() > INLINE_VALUE_MAX => {
            Value::Shared(SharedBytes::new(bytes))
        }
        settled => settled,
    }
}

/// The form a settled value takes, and its length where it lies inside the entry.
fn form_of<O>(value: &Value<'_, O>) -> (Form, usize) {
    match value {
        Value::Int(_) => (Form::Int, 0),
        Value::Bytes(bytes) => (Form::Inline, bytes.len()),
        Value::Shared(_) => (Form::Shared, 0),
        Value::Object(_) => (Form::Object, 0),
    }
}

/// Writes a value into its place.
///
/// # Safety
/// The entry's form and length are those of the value, and it owns no other.
unsafe fn write_value<O>(raw: RawEntry, value: Value<'_, O>) {
    // SAFETY: the form tells the type of the cell, and what is overwritten owns nothing.
    unsafe {
        match value {
            Value::Bytes(bytes) => copy_inline(raw, bytes),
            Value::Int(number) => raw.cell(Form::Int, PhantomData).write(number),
            Value::Shared(bytes) => raw.cell(Form::Shared, PhantomData).write(bytes),
            Value::Object(object) => raw.cell(Form::Object, PhantomData).write(object),
        }
    }
}

/// Writes the bytes of an inline string.
///
/// # Safety
/// The entry was made for a string of this length, and `bytes` lie outside of it.
unsafe fn copy_inline(raw: RawEntry, bytes: &[u8]) {
    let from = NonNull::from(bytes).cast::<u8>();
    // SAFETY: the caller's promise.
    unsafe { raw.inline_start().copy_from_nonoverlapping(from, bytes.len()) }
}
