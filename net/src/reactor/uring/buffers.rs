//! The ring of receive buffers that the kernel takes from.
//!
//! ```text
//!   entries   [ addr len bid | tail ][ addr len bid ][ ... ]   shared with the kernel
//!   memory    [ buffer 0 ]..[ buffer 1 ]..[ buffer 2 ]..
//!                         ^ one cache line between them
//! ```
//!
//! The tail lives in the spare field of entry 0, so entries are written field by field. Without
//! the gap between buffers, the first lines of all of them would compete for the same few places
//! in the processor's caches.
//!
//! The kernel takes buffers in the order in which they were offered, so whatever circulates is
//! touched, all of it, again and again. Hence only as many are offered as are in demand: a few at
//! first, twice as many whenever the kernel runs out. The others lie in reserve, and the one that
//! came back last, whose lines are still in the processor's caches, is offered first. Once nothing
//! is received any more, the pages of all of them go back to the kernel ([`Buffers::rest`]): a
//! burst of an hour ago costs no memory.
//!
//! Invariant: a buffer is in reserve, or the kernel's (its entry lies between the kernel's head and
//! `tail`), or ours, from the completion that names it until [`Buffers::recycle`]. Only ours are
//! looked at.

use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

/// The group that receives take their buffers from. There is one.
pub(super) const GROUP: u16 = 0;

const CACHE_LINE_BYTES: usize = 64;

/// Buffers that are offered at first.
const OFFERED_AT_FIRST: u16 = 32;

/// Zeroed pages of anonymous memory.
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

impl Mapping {
    fn new(len: usize) -> io::Result<Mapping> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Mapping { start, len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing borrowed from it outlives it. The ring, which
        // the kernel would go on writing for, is emptied before its buffers are dropped.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

pub(super) struct Buffers {
    entries: Mapping,
    memory: Mapping,
    count: u16,
    buffer_bytes: u32,
    stride_bytes: usize,
    tail: u16,
    /// How many the kernel has.
    offered: u16,
    /// How many it should have at the end of a turn.
    demand: u16,
    /// Buffers that nobody has; the last one goes first.
    reserve: Vec<u16>,
    /// Whether anything was received since the pages were given back.
    touched: bool,
}

impl Buffers {
    /// Makes `count` buffers, a power of two, and registers them with `ring`. The ring must be
    /// dropped first.
    pub(super) fn new(ring: &IoUring, count: u16, buffer_bytes: u32) -> io::Result<Buffers> {
        assert!(count.is_power_of_two());
        let stride_bytes = (buffer_bytes as usize).next_multiple_of(CACHE_LINE_BYTES);
        let stride_bytes = stride_bytes + CACHE_LINE_BYTES;
        let memory_len = stride_bytes * usize::from(count);
        if buffer_bytes == 0 || u32::try_from(memory_len).is_err() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "receive buffers over 4 GiB"));
        }
        let entries = Mapping::new(usize::from(count) * size_of::<BufRingEntry>())?;
        let memory = Mapping::new(memory_len)?;
        let address = entries.start.as_ptr() as u64;
        // SAFETY: the mapping is page-aligned, long enough for `count` entries, and outlives the
        // ring, as demanded above.
        unsafe { ring.submitter().register_buf_ring_with_flags(address, count, GROUP, 0)? };
        let mut buffers = Buffers {
            entries,
            memory,
            count,
            buffer_bytes,
            stride_bytes,
            tail: 0,
            offered: 0,
            demand: count.min(OFFERED_AT_FIRST),
            reserve: (0..count).rev().collect(),
            touched: false,
        };
        buffers.publish();
        Ok(buffers)
    }

    /// Where a buffer starts in the memory of all.
    #[inline]
    pub(super) fn offset(&self, buffer: u16) -> usize {
        usize::from(buffer) * self.stride_bytes
    }

    /// The bytes of a buffer of ours, or a part of one.
    #[inline]
    pub(super) fn slice(&self, offset: usize, len: usize) -> &[u8] {
        assert!(offset + len <= self.memory.len);
        // SAFETY: in bounds; initialised, since new pages are zero; and not written to by the
        // kernel, since the buffer is ours.
        unsafe { std::slice::from_raw_parts(self.memory.start.as_ptr().add(offset), len) }
    }

    /// As [`slice`](Self::slice), to be changed.
    #[inline]
    pub(super) fn slice_mut(&mut self, offset: usize, len: usize) -> &mut [u8] {
        assert!(offset + len <= self.memory.len);
        // SAFETY: as above, and no other slice of the memory lives while this is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.memory.start.as_ptr().add(offset), len) }
    }

    /// Notes that a completion named a buffer, which is ours now.
    #[inline]
    pub(super) fn take(&mut self, buffer: u16) {
        assert!(buffer < self.count && self.offered > 0, "a buffer the kernel did not have");
        self.offered -= 1;
        self.touched = true;
    }

    /// Notes that the kernel ran out of buffers: it gets twice as many from now on, if there are.
    #[cold]
    pub(super) fn ran_out(&mut self) {
        self.demand = self.demand.saturating_mul(2).min(self.count);
    }

    /// Gives the pages of all buffers back to the kernel, unless some are ours; they come again,
    /// zeroed, when they are received into. To be called when nothing has been received for a
    /// while. O(pages in use), nothing if they are back already.
    pub(super) fn rest(&mut self) {
        let are_all_back =
            usize::from(self.offered) + self.reserve.len() == usize::from(self.count);
        if !self.touched || !are_all_back {
            return;
        }
        // SAFETY: the mapping is ours, and no buffer of it is, so nobody minds that its bytes
        // become zeros; the kernel, which has the others, only ever writes to them.
        let result = unsafe {
            libc::madvise(self.memory.start.as_ptr().cast(), self.memory.len, libc::MADV_DONTNEED)
        };
        assert_eq!(result, 0, "memory of our own can be given back");
        self.touched = false;
        self.demand = self.count.min(OFFERED_AT_FIRST);
    }

    /// Puts a buffer of ours back.
    #[inline]
    pub(super) fn recycle(&mut self, buffer: u16) {
        assert!(self.reserve.len() < usize::from(self.count), "a buffer that was not ours");
        self.reserve.push(buffer);
    }

    /// Writes the entry of a buffer, for the kernel to see after [`Buffers::publish`].
    #[inline]
    fn offer(&mut self, buffer: u16) {
        self.offered += 1;
        let place = usize::from(self.tail & (self.count - 1));
        let offset = self.offset(buffer);
        // SAFETY: `buffer` is in bounds, so `offset` is.
        let address = unsafe { self.memory.start.as_ptr().add(offset) };
        // SAFETY: `place` is in bounds, the mapping is aligned for entries and zeroed. The kernel
        // reads an entry only after the tail has passed it, and the fields set here are not the
        // tail.
        let entry = unsafe { &mut *self.entries.start.as_ptr().cast::<BufRingEntry>().add(place) };
        entry.set_addr(address as u64);
        entry.set_len(self.buffer_bytes);
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Offers buffers up to the demand, as far as there are any in reserve.
    #[inline]
    pub(super) fn publish(&mut self) {
        while self.offered < self.demand
            && let Some(buffer) = self.reserve.pop()
        {
            self.offer(buffer);
        }
        // SAFETY: the mapping starts with an initialised entry.
        let tail = unsafe { BufRingEntry::tail(self.entries.start.as_ptr().cast()) };
        // SAFETY: aligned for a u16, lives as long as `self`, and is shared with the kernel only,
        // which reads it atomically.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_back_only_while_no_buffer_is_ours() {
        let Ok(ring) = IoUring::new(4) else { return };
        let mut buffers = Buffers::new(&ring, 4, 4096).expect("a ring takes buffers");
        let offset = buffers.offset(2);
        buffers.take(2);
        buffers.slice_mut(offset, 3).copy_from_slice(b"abc");
        buffers.rest();
        assert_eq!(buffers.slice(offset, 3), b"abc");
        buffers.recycle(2);
        buffers.rest();
        assert_eq!(buffers.slice(offset, 3), [0; 3]);
        assert!(!buffers.touched, "once is enough");
        // Before the buffers, as it has to be.
        drop(ring);
    }
}
