//! Long string values: one reference-counted buffer, shared with replies that are being sent.
//!
//! ```text
//! SharedBytes --> | references | length | capacity | bytes ... | slack |
//!                 0            8        16         24        24+length
//! ```
//!
//! A reply clones the handle and sends from the buffer; the handle may be dropped on another
//! thread, hence the atomic count. Whoever changes the bytes must be the only holder: a write to a
//! pinned buffer copies it first, so a reply never sees a later write.
//!
//! Unlike `Arc<Vec<u8>>` this is one allocation, one pointer wide, and one cache miss.
//!
//! Buffers that grow get a quarter of their length as slack (at most [`SLACK_MAX`]), so that
//! APPEND in small steps copies each byte a bounded number of times.

use std::alloc::{Layout, handle_alloc_error, realloc};
use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering, fence};

use super::bucket::prefetch;
use super::size_class::{allocate, free, size_class};

const ALIGNMENT: usize = align_of::<Header>();
const HEADER_SIZE: usize = size_of::<Header>();

/// The most slack that growth adds, in bytes.
const SLACK_MAX: usize = 64 << 20;

#[repr(C)]
struct Header {
    references: AtomicUsize,
    length: usize,
    /// Bytes of content the allocation can hold; header and capacity fill a size class.
    capacity: usize,
}

/// A reference-counted byte string; cloning shares it. O(1) unless stated.
pub struct SharedBytes {
    at: NonNull<Header>,
}

// SAFETY: the count is atomic, and bytes are changed only through `&mut` by a sole holder.
unsafe impl Send for SharedBytes {}
// SAFETY: as above; a shared borrow only reads bytes and touches the atomic count.
unsafe impl Sync for SharedBytes {}

impl SharedBytes {
    /// A buffer with a copy of `bytes` and no more slack than its size class leaves. O(length).
    pub fn new(bytes: &[u8]) -> SharedBytes {
        let mut shared = SharedBytes::with_capacity(bytes.len());
        shared.extend_from_slice(bytes);
        shared
    }

    /// Asks the processor to load what tells its length, and its first bytes.
    #[inline]
    pub(crate) fn prefetch(&self) {
        prefetch(self.at.as_ptr());
    }

    /// An empty buffer with room for `capacity_min` bytes or a little more.
    pub fn with_capacity(capacity_min: usize) -> SharedBytes {
        let class = size_class(capacity_min + HEADER_SIZE);
        let at = allocate(class, ALIGNMENT).cast::<Header>();
        let references = AtomicUsize::new(1);
        let header = Header { references, length: 0, capacity: class - HEADER_SIZE };
        // SAFETY: freshly allocated, aligned, and at least as large as the header.
        unsafe { at.write(header) };
        SharedBytes { at }
    }

    /// Bytes that fit without another allocation.
    pub fn capacity(&self) -> usize {
        self.header().capacity
    }

    /// Size of the allocation in bytes, header included.
    pub fn allocated_bytes(&self) -> usize {
        HEADER_SIZE + self.capacity()
    }

    /// The address of the allocation.
    pub(super) fn block(&self) -> NonNull<u8> {
        self.at.cast()
    }

    /// Whether no other handle shares the buffer.
    pub fn is_unique(&self) -> bool {
        self.header().references.load(Ordering::Acquire) == 1
    }

    /// The bytes for change, or `None` while other handles share them.
    pub fn get_mut(&mut self) -> Option<&mut [u8]> {
        self.is_unique().then(|| self.bytes_mut())
    }

    /// Appends `bytes`. A shared buffer is copied first. Amortised O(length of `bytes`).
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        let length = self.len();
        self.reserve_unique(length + bytes.len());
        // SAFETY: `reserve_unique` made room for these bytes behind the present ones, and nobody
        // else holds the buffer; `bytes` cannot overlap it, for we hold it by `&mut`.
        unsafe {
            let end = self.start().add(length);
            end.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
            self.at.as_mut().length = length + bytes.len();
        }
    }

    /// Lengthens the content to `length` with zeros, if it is shorter, and returns it for change.
    /// A shared buffer is copied first. Amortised O(bytes added), else O(length).
    pub fn grow(&mut self, length: usize) -> &mut [u8] {
        let present = self.len();
        let length = length.max(present);
        self.reserve_unique(length);
        // SAFETY: `reserve_unique` made room for `length` bytes and nobody else holds the buffer.
        unsafe {
            self.start().add(present).write_bytes(0, length - present);
            self.at.as_mut().length = length;
        }
        self.bytes_mut()
    }

    /// Makes this handle the only one of a buffer with room for `length` bytes.
    fn reserve_unique(&mut self, length: usize) {
        if !self.is_unique() {
            let mut copy = SharedBytes::with_capacity(length.max(self.len()));
            copy.extend_from_slice(self);
            *self = copy;
        } else if length > self.capacity() {
            self.reallocate(length + (length / 4).min(SLACK_MAX));
        }
    }

    /// Moves the buffer of a sole holder to a larger class; large ones often grow in place.
    fn reallocate(&mut self, capacity_min: usize) {
        let old_size = self.allocated_bytes();
        let new_size = size_class(capacity_min + HEADER_SIZE);
        let layout = Layout::from_size_align(old_size, ALIGNMENT).expect("it was allocated so");
        // SAFETY: `with_capacity` or an earlier call allocated exactly this layout; the new size
        // is a class, hence not empty and within bounds; the old pointer is not used again.
        let moved = unsafe { realloc(self.at.as_ptr().cast(), layout, new_size) };
        let moved = NonNull::new(moved.cast::<Header>());
        let larger = Layout::from_size_align(new_size, ALIGNMENT).expect("size_class bounds it");
        self.at = moved.unwrap_or_else(|| handle_alloc_error(larger));
        // SAFETY: the header moved along, and this is the only handle.
        unsafe { self.at.as_mut().capacity = new_size - HEADER_SIZE };
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        debug_assert!(self.is_unique());
        // SAFETY: `length` bytes are initialised, and callers made sure that no one shares them.
        unsafe { std::slice::from_raw_parts_mut(self.start().as_ptr(), self.len()) }
    }

    fn header(&self) -> &Header {
        // SAFETY: the header lives as long as any handle. Other handles read it too; it is written
        // through `&mut self` of a sole holder only, its atomic count aside.
        unsafe { self.at.as_ref() }
    }

    fn start(&self) -> NonNull<u8> {
        // SAFETY: the allocation is at least `HEADER_SIZE` bytes long.
        unsafe { self.at.cast::<u8>().add(HEADER_SIZE) }
    }
}

impl Deref for SharedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let length = self.header().length;
        // SAFETY: `length` bytes are initialised, and nobody changes them while handles share them.
        unsafe { std::slice::from_raw_parts(self.start().as_ptr(), length) }
    }
}

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Clone for SharedBytes {
    fn clone(&self) -> SharedBytes {
        let before = self.header().references.fetch_add(1, Ordering::Relaxed);
        assert!(before < isize::MAX as usize, "reference count of a buffer overflowed");
        SharedBytes { at: self.at }
    }
}

impl Drop for SharedBytes {
    fn drop(&mut self) {
        if self.header().references.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // Reads by the former holders must happen before the memory is used for something else.
        fence(Ordering::Acquire);
        let size = self.allocated_bytes();
        // SAFETY: the last handle is going away, and `size` is the class it was allocated with.
        unsafe { free(self.at.cast(), size, ALIGNMENT) }
    }
}

impl fmt::Debug for SharedBytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_pins_the_bytes_against_later_writes() {
        let mut value = SharedBytes::new(b"before");
        let reply = value.clone();
        assert!(value.get_mut().is_none());
        value.grow(8)[0] = b'B';
        assert_eq!(&*reply, b"before");
        assert_eq!(&*value, b"Before\0\0");
        assert!(value.is_unique() && reply.is_unique());
    }

    #[test]
    fn a_handle_may_be_dropped_on_another_thread() {
        let value = SharedBytes::new(&[7; 5000]);
        let reply = value.clone();
        let sum =
            std::thread::spawn(move || reply.iter().map(|byte| u64::from(*byte)).sum::<u64>());
        assert_eq!(sum.join().expect("the thread ends well"), 35_000);
        assert!(value.is_unique());
    }

    #[test]
    fn small_appends_reallocate_rarely() {
        let mut value = SharedBytes::with_capacity(0);
        let mut moves = 0;
        for step in 0..100_000u32 {
            let before = value.capacity();
            value.extend_from_slice(&step.to_le_bytes());
            moves += usize::from(value.capacity() != before);
        }
        assert_eq!(value.len(), 400_000);
        assert_eq!(value[399_996..], 99_999u32.to_le_bytes());
        assert!(moves < 50, "{moves} reallocations");
        assert_eq!(value.allocated_bytes(), size_class(value.allocated_bytes()));
    }

    #[test]
    fn growing_never_shortens() {
        let mut value = SharedBytes::new(b"abc");
        assert_eq!(value.grow(1), b"abc");
        assert_eq!(value.grow(5), b"abc\0\0");
    }
}
