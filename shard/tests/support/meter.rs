//! An allocator that counts: what a thread has taken and not given back.
//!
//! A cluster lives on one thread, so that is what the cluster has in use, the same in every run of
//! the same seed. A test binary that wants it makes it its global allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use basalt_shard::table::size_class;

thread_local! {
    static TAKEN: Cell<i64> = const { Cell::new(0) };
}

/// The system's allocator with a count.
pub(crate) struct Counting;

impl Counting {
    /// Bytes this thread has taken and not given back, in the size classes of a server.
    pub(crate) fn taken() -> u64 {
        TAKEN.get().max(0) as u64
    }

    fn count(bytes: i64) {
        // A thread that ends frees after its counter is gone; nobody asks for it any more.
        let _ = TAKEN.try_with(|taken| taken.set(taken.get() + bytes));
    }
}

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(size_class(layout.size()) as i64);
        // SAFETY: the caller keeps the promises that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        Self::count(-(size_class(layout.size()) as i64));
        // SAFETY: as above; the block came from `System`.
        unsafe { System.dealloc(block, layout) }
    }
}
