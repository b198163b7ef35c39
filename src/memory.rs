//! The allocator: jemalloc, built with 8-byte spaced size classes (see `.cargo/config.toml`).
//!
//! The wrapper of our own differs from the usual one in one point. With classes 8 bytes apart,
//! jemalloc aligns a block to 16 bytes only if its size class is a multiple of 16. So every request
//! that is aligned above 8 bytes says so, where the usual wrapper trusts jemalloc's default.
//!
//! # Huge pages
//!
//! Keys are drawn from all over memory, and with small pages nearly every access to one misses the
//! translation cache as well; in a virtual machine that costs more than the miss of the data. So
//! jemalloc asks for huge pages wherever the system leaves that to the program (`madvise`, the
//! usual setting) or grants them anyway. What speaks against them in Redis, copying whole huge
//! pages while a child writes a snapshot, does not exist here. `_RJEM_MALLOC_CONF=thp:never` in the
//! environment turns them off.
//!
//! # Slabs
//!
//! jemalloc keeps small blocks of one size in slabs, and a note of 128 bytes about each. It makes a
//! slab of as few pages as divide evenly, which for some sizes is one block or two: then the note
//! costs every block of 2048 bytes 64 more, and a packed collection of a hundred short elements is
//! such a block. Other sizes have sixteen blocks in a slab by nature. So all have from 512 bytes to
//! 8 KiB, and the note costs a block 8 bytes.
//!
//! # What is in use
//!
//! `maxmemory` needs a figure before every command. jemalloc's `stats.allocated` takes microseconds
//! and counts what lies in thread caches; but it also keeps, per thread, how many bytes the thread
//! took and gave back, in two words that the thread can read like its own. The sum of the
//! differences over all threads is exactly what is in use. Each thread posts its share to one
//! shared sum whenever it has moved by a grain, so asking costs three loads.

pub mod sparse;

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicI64, Ordering};

use tikv_jemalloc_ctl::thread::{ThreadLocal, allocatedp, deallocatedp};
use tikv_jemalloc_ctl::{background_thread, epoch, stats};
use tikv_jemalloc_sys as jemalloc;

/// What jemalloc reads at its start: huge pages for data, and for its own notes once it needs many;
/// sizes of blocks, from and to, with the pages of their slabs.
// SAFETY: under this name jemalloc declares a pointer to a text, or none.
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static JEMALLOC_OPTIONS: Option<&c_char> = {
    let text = c"thp:always,metadata_thp:auto,slab_sizes:\
        512-512:2|1024-1024:4|1536-1536:6|2048-2048:8|2560-2560:10|3072-3072:12|3584-3584:14|\
        4096-4096:16|5120-5120:20|6144-6144:24|7168-7168:28|8192-8192:32";
    // SAFETY: the pointer leads to a text that lives as long as the process.
    Some(unsafe { &*text.as_ptr() })
};

/// jemalloc as the allocator of the process.
pub struct Jemalloc;

/// Alignment jemalloc guarantees for every size when it is built with a quantum of 8.
const QUANTUM: usize = 8;

#[inline]
fn flags(layout: Layout) -> c_int {
    if layout.align() <= QUANTUM { 0 } else { layout.align().trailing_zeros() as c_int }
}

// SAFETY: blocks come from jemalloc with at least the size and the alignment asked for, and go back
// to it with the layout they were asked for with.
unsafe impl GlobalAlloc for Jemalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises that the layout is not empty.
        unsafe { jemalloc::mallocx(layout.size(), flags(layout)).cast() }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        /// jemalloc's MALLOCX_ZERO.
        const ZERO: c_int = 0x40;
        // SAFETY: the caller promises that the layout is not empty.
        unsafe { jemalloc::mallocx(layout.size(), flags(layout) | ZERO).cast() }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller promises that the block was allocated here with this layout.
        unsafe { jemalloc::sdallocx(block.cast::<c_void>(), layout.size(), flags(layout)) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the block is of this layout and the new size not zero.
        unsafe { jemalloc::rallocx(block.cast::<c_void>(), new_size, flags(layout)).cast() }
    }
}

/// How far the share of a thread may move before it is posted, in bytes.
static GRAIN_BYTES: AtomicI64 = AtomicI64::new(GRAIN_BYTES_MAX);

/// What it is where memory is not scarce.
const GRAIN_BYTES_MAX: i64 = 16 * 1024;

/// What it is at least: below, threads would do little but post.
const GRAIN_BYTES_MIN: i64 = 512;

/// One part in this many of the limit does not matter.
const GRAIN_SHARE: u64 = 16 * 1024;

/// What all threads have posted.
static POSTED_BYTES: AtomicI64 = AtomicI64::new(0);

/// What one thread takes and gives back.
struct ThreadMeter {
    taken: ThreadLocal<u64>,
    given_back: ThreadLocal<u64>,
    posted_bytes: Cell<i64>,
}

impl ThreadMeter {
    fn new() -> Self {
        let reason = "jemalloc is built with statistics";
        Self {
            taken: allocatedp::read().expect(reason),
            given_back: deallocatedp::read().expect(reason),
            posted_bytes: Cell::new(0),
        }
    }

    /// What this thread has not posted yet. Memory may be given back by another thread than the
    /// one that took it, so shares may be negative.
    #[inline]
    fn unposted_bytes(&self) -> i64 {
        self.taken.get().wrapping_sub(self.given_back.get()) as i64 - self.posted_bytes.get()
    }

    fn post(&self, bytes: i64) {
        POSTED_BYTES.fetch_add(bytes, Ordering::Relaxed);
        self.posted_bytes.set(self.posted_bytes.get() + bytes);
    }
}

thread_local! {
    static METER: ThreadMeter = ThreadMeter::new();
}

/// Memory in use by the process, in bytes: exact for what this thread does, within
/// a grain for each other thread that asks or posts now and then. A few nanoseconds.
#[inline]
pub fn used_bytes() -> u64 {
    METER.with(|meter| {
        let mut unposted = meter.unposted_bytes();
        if unposted.abs() >= GRAIN_BYTES.load(Ordering::Relaxed) {
            meter.post(unposted);
            unposted = 0;
        }
        (POSTED_BYTES.load(Ordering::Relaxed) + unposted).max(0) as u64
    })
}

/// Memory this thread has taken and not given back, in bytes, whoever gave it back instead.
pub fn used_bytes_of_this_thread() -> u64 {
    METER.with(|meter| (meter.unposted_bytes() + meter.posted_bytes.get()).max(0) as u64)
}

/// Sets how exact [`used_bytes`] is to be, for a limit of so many bytes; 0 for none.
pub fn set_precision(limit_bytes: u64) {
    let grain = match limit_bytes {
        0 => GRAIN_BYTES_MAX,
        _ => i64::try_from(limit_bytes / GRAIN_SHARE).unwrap_or(GRAIN_BYTES_MAX),
    };
    GRAIN_BYTES.store(grain.clamp(GRAIN_BYTES_MIN, GRAIN_BYTES_MAX), Ordering::Relaxed);
}

/// Lets other threads know what this one has in use.
pub fn post_used_bytes() {
    METER.with(|meter| meter.post(meter.unposted_bytes()));
}

/// What the allocator has in use, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllocatorFigures {
    /// Handed out.
    pub allocated: u64,
    /// In pages that hold something handed out.
    pub active: u64,
    /// In pages that are resident.
    pub resident: u64,
}

/// Asks the allocator for its figures. Takes some microseconds.
pub fn figures() -> AllocatorFigures {
    let read = || -> Result<AllocatorFigures, tikv_jemalloc_ctl::Error> {
        epoch::advance()?;
        Ok(AllocatorFigures {
            allocated: stats::allocated::read()? as u64,
            active: stats::active::read()? as u64,
            resident: stats::resident::read()? as u64,
        })
    };
    read().expect("jemalloc is built with statistics")
}

/// Gives unused pages of all arenas back to the system.
pub fn purge() {
    /// jemalloc's MALLCTL_ARENAS_ALL.
    const PURGE_ALL: &[u8] = b"arena.4096.purge\0";
    // SAFETY: the name ends with a zero byte, and the command takes and gives nothing.
    let result = unsafe {
        jemalloc::mallctl(
            PURGE_ALL.as_ptr().cast(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            0,
        )
    };
    if result != 0 {
        log::warn!("jemalloc refused to purge its arenas (error {result})");
    }
}

/// Has threads of the allocator give unused pages back, so that it also happens while nobody asks
/// for memory, and not on the way of a command.
pub fn set_background_purging(is_on: bool) {
    // In an address space without room for another thread it goes on as before.
    if let Err(error) = background_thread::write(is_on) {
        log::warn!("jemalloc did not switch its background threads: {error}");
    }
}

/// What the allocator reports about itself, as MEMORY MALLOC-STATS shows it.
pub fn report() -> String {
    extern "C" fn append(report: *mut c_void, text: *const c_char) {
        // SAFETY: jemalloc passes on the pointer it was given below and a text that ends with a
        // zero byte; the string outlives the call.
        unsafe {
            let text = std::ffi::CStr::from_ptr(text);
            (*report.cast::<String>()).push_str(&text.to_string_lossy());
        }
    }
    let mut report = String::new();
    // SAFETY: the callback gets the string it expects, which is not touched meanwhile.
    unsafe {
        jemalloc::malloc_stats_print(
            Some(append),
            std::ptr::from_mut(&mut report).cast(),
            std::ptr::null(),
        );
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_pages_are_asked_for() {
        // The environment may say otherwise.
        if std::env::var_os("_RJEM_MALLOC_CONF").is_none() {
            assert!(report().contains("opt.thp: \"always\""), "{}", report());
        }
    }

    #[test]
    fn blocks_are_aligned_as_asked_for() {
        for align in [1, 8, 16, 32, 64, 4096] {
            for size in [1, 24, 40, 56, 100, 5000] {
                let layout = Layout::from_size_align(size, align).expect("a valid layout");
                // SAFETY: the layout is not empty, and the block is freed with the same layout.
                unsafe {
                    let block = Jemalloc.alloc(layout);
                    assert_eq!(block.addr() % align, 0, "size {size}, alignment {align}");
                    let block = Jemalloc.realloc(block, layout, size + 16);
                    assert_eq!(block.addr() % align, 0, "size {size}, alignment {align}");
                    let layout = Layout::from_size_align(size + 16, align).expect("valid");
                    Jemalloc.dealloc(block, layout);
                }
            }
        }
    }

    #[test]
    fn small_classes_are_eight_bytes_apart() {
        // SAFETY: the size is not zero.
        let class = unsafe { jemalloc::nallocx(33, 0) };
        assert_eq!(class, 40, "jemalloc was built without JEMALLOC_SYS_WITH_LG_QUANTUM=3");
    }
}
