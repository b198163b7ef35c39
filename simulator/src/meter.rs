//! An allocator that counts what each thread has in use, by jemalloc's size classes.
//!
//! A program of simulations installs it ([`Counting`]). A simulation is the work of one thread, so
//! what it has in use follows from its seed alone, whatever runs beside it. Two things need it:
//! lives in which memory is short, and the recount of what a value takes: what is given back when
//! the value is dropped, allocation by allocation, is what it had.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use basalt_shard::table::size_class;

thread_local! {
    static IN_USE: Cell<i64> = const { Cell::new(0) };
}

/// The allocator of the system, with a count.
pub struct Counting;

fn count(bytes: usize, sign: i64) {
    // A thread that ends gives back after its counter has gone: nobody asks any more.
    let _ = IN_USE.try_with(|in_use| in_use.set(in_use.get() + sign * size_class(bytes) as i64));
}

// SAFETY: everything is passed on to the allocator of the system as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(layout.size(), -1);
        count(new_size, 1);
        // SAFETY: the caller's promise is the same.
        unsafe { System.realloc(block, layout, new_size) }
    }
}

/// What this thread has taken and not given back, in bytes; what other threads gave back for it
/// counts with them. Does not move where [`Counting`] is not installed.
pub fn in_use_bytes() -> u64 {
    IN_USE.get().max(0) as u64
}

/// Whether anything is counted in this program.
pub fn is_counting() -> bool {
    let before = IN_USE.get();
    let probe = std::hint::black_box(Box::new(0_u64));
    let has_moved = IN_USE.get() != before;
    drop(probe);
    has_moved
}

/// What is given back when a value is dropped, in bytes.
pub fn weigh<T>(value: T) -> i64 {
    let before = IN_USE.get();
    drop(value);
    before - IN_USE.get()
}
