//! An allocation of a whole size class behind one word, for collections that are one run of bytes:
//!
//! ```text
//! handle:   | multiplier 8 | shift 8 | address 48 |      its class is multiplier << shift
//! memory:   | end 4 | start 2 | note 2 | bytes ... |     a whole class
//! ```
//!
//! The eight bytes in front are mostly free: they come out of what rounding to a class wastes.
//! Eight bytes more beside the pointer would be eight bytes more for every key.

use std::ptr::NonNull;

use super::size_class::{allocate_zeroed, free, size_class};

/// What lies in front of the bytes of a [`Block`]; its owner says what it means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(8))]
pub(crate) struct Head {
    /// Where the content ends.
    pub(crate) end: u32,
    /// Where the content starts.
    pub(crate) start: u16,
    /// Whatever else there is to know.
    pub(crate) note: u16,
}

/// The head of all blocks without memory.
static NO_HEAD: Head = Head { end: 0, start: 0, note: 0 };

const ADDRESS_BITS: u32 = 48;
const MULTIPLIER_BITS: u32 = 56;

/// A head and bytes in one allocation of a whole class, or none.
pub(crate) struct Block(NonNull<u8>);

// SAFETY: a block owns its bytes, which are plain data.
unsafe impl Send for Block {}
// SAFETY: as above; they are changed through `&mut` only.
unsafe impl Sync for Block {}

impl Block {
    /// Size of the head in bytes.
    pub(crate) const HEAD_BYTES: usize = size_of::<Head>();

    /// A block without memory, whose head is zero.
    #[inline]
    pub(crate) fn none() -> Block {
        Block(NonNull::from(&NO_HEAD).cast())
    }

    /// A block of zeros in the smallest class that has room for `bytes` behind the head; none if
    /// there are none. O(bytes).
    pub(crate) fn zeroed(bytes: usize) -> Block {
        if bytes == 0 {
            return Block::none();
        }
        let class = size_class(bytes + Block::HEAD_BYTES);
        let shift = class.trailing_zeros() as usize;
        let memory = allocate_zeroed(class, align_of::<Head>());
        assert!(memory.addr().get() >> ADDRESS_BITS == 0, "a block beyond 48 bits of addresses");
        let bits = (class >> shift) << MULTIPLIER_BITS | shift << ADDRESS_BITS;
        let handle = memory.as_ptr().map_addr(|address| address | bits);
        Block(NonNull::new(handle).expect("an address that was not null"))
    }

    /// Size of the allocation in bytes, head included. O(1).
    #[inline]
    pub(crate) fn allocated_bytes(&self) -> usize {
        let handle = self.0.addr().get();
        (handle >> MULTIPLIER_BITS) << (handle >> ADDRESS_BITS & 0xff)
    }

    /// How many bytes there are behind the head. O(1).
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.allocated_bytes().saturating_sub(Block::HEAD_BYTES)
    }

    /// Where the allocation lies, if there is one.
    #[inline]
    pub(crate) fn address(&self) -> Option<NonNull<u8>> {
        (self.allocated_bytes() > 0).then(|| self.start())
    }

    #[inline]
    pub(crate) fn head(&self) -> Head {
        // SAFETY: every block leads to an initialised head, its own or that of all without memory.
        unsafe { self.start().cast::<Head>().read() }
    }

    /// Writes the head.
    ///
    /// # Panics
    /// When the content it tells of is not within the bytes, or when there is no memory and the
    /// head is not zero.
    #[inline]
    pub(crate) fn set_head(&mut self, head: Head) {
        let is_within =
            usize::from(head.start) <= head.end as usize && head.end as usize <= self.capacity();
        assert!(is_within, "content beyond its block");
        if self.allocated_bytes() == 0 {
            assert_eq!(head, NO_HEAD, "a block without memory has no head");
            return;
        }
        // SAFETY: the block has memory of its own, which begins with the head.
        unsafe { self.start().cast::<Head>().write(head) };
    }

    /// The bytes from `start` to `end` of the head. O(1).
    #[inline]
    pub(crate) fn content(&self) -> &[u8] {
        let Head { end, start, .. } = self.head();
        // SAFETY: `set_head` has seen that they lie within the block; without memory it is none.
        unsafe {
            let first = self.start().add(Block::HEAD_BYTES + usize::from(start));
            std::slice::from_raw_parts(first.as_ptr(), end as usize - usize::from(start))
        }
    }

    /// The same, for change.
    #[inline]
    pub(crate) fn content_mut(&mut self) -> &mut [u8] {
        let Head { end, start, .. } = self.head();
        // SAFETY: as in `content`.
        unsafe {
            let first = self.start().add(Block::HEAD_BYTES + usize::from(start));
            std::slice::from_raw_parts_mut(first.as_ptr(), end as usize - usize::from(start))
        }
    }

    /// The bytes behind the head.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes lie behind the head, all initialised; without memory it is none.
        unsafe {
            let start = self.start().add(Block::HEAD_BYTES);
            std::slice::from_raw_parts(start.as_ptr(), self.capacity())
        }
    }

    /// The bytes behind the head, for change.
    #[inline]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`.
        unsafe {
            let start = self.start().add(Block::HEAD_BYTES);
            std::slice::from_raw_parts_mut(start.as_ptr(), self.capacity())
        }
    }

    #[inline]
    fn start(&self) -> NonNull<u8> {
        let low = (1 << ADDRESS_BITS) - 1;
        // SAFETY: no block leads to the address zero.
        unsafe { NonNull::new_unchecked(self.0.as_ptr().map_addr(|address| address & low)) }
    }
}

impl Clone for Block {
    fn clone(&self) -> Block {
        let mut copy = Block::zeroed(self.capacity());
        copy.set_head(self.head());
        copy.bytes_mut().copy_from_slice(self.bytes());
        copy
    }
}

impl Default for Block {
    fn default() -> Block {
        Block::none()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let bytes = self.allocated_bytes();
        if bytes > 0 {
            // SAFETY: allocated with this size and alignment, and not used again.
            unsafe { free(self.start(), bytes, align_of::<Head>()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_without_memory_is_empty() {
        let mut block = Block::default();
        assert_eq!((block.capacity(), block.allocated_bytes()), (0, 0));
        assert!(block.bytes().is_empty() && block.bytes_mut().is_empty());
        block.set_head(Head::default());
        assert_eq!(block.clone().head(), Head::default());
        assert!(block.address().is_none());
    }

    #[test]
    fn a_block_keeps_head_and_bytes_apart() {
        for bytes in [1, 8, 9, 56, 57, 100, 2040, 2041, 300_000] {
            let mut block = Block::zeroed(bytes);
            assert_eq!(block.allocated_bytes(), size_class(bytes + Block::HEAD_BYTES));
            assert!(block.capacity() >= bytes && block.bytes().iter().all(|byte| *byte == 0));
            let head = Head { end: bytes as u32, start: 1, note: u16::MAX };
            block.set_head(head);
            block.bytes_mut().fill(b'x');
            assert_eq!(block.content().len(), bytes - 1);
            let copy = block.clone();
            drop(block);
            assert_eq!(copy.head(), head);
            assert!(copy.bytes().iter().all(|byte| *byte == b'x'));
        }
    }
}
