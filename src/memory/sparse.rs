//! Which blocks lie in pages that hold little: the advice active defragmentation works by.
//!
//! jemalloc keeps small blocks of one size in *slabs* of some pages, and can tell of any block how
//! many others its slab holds (`experimental.utilization.batch_query`, the interface Valkey's
//! defragmentation has moved to as well). A block is better off elsewhere when its slab is no
//! fuller than the average of those that are not full: jemalloc fills the slab with the lowest
//! address first, so blocks that are moved gather there, and slabs that are left empty go back to
//! the system. Larger blocks have pages of their own and gain nothing.
//!
//! The thread's cache would hand the very block just freed out again, so it is off while blocks are
//! moved ([`without_cache`]).

use std::ffi::{CStr, c_char, c_void};
use std::ptr::{NonNull, null_mut};

use basalt_shard::table::Advice;
use tikv_jemalloc_ctl::epoch;
use tikv_jemalloc_sys as jemalloc;

/// jemalloc's MALLCTL_ARENAS_ALL: in the place of an arena's number, all of them.
const ALL_ARENAS: usize = 4096;

/// A bin whose slabs are filled to this share is left alone, in percent.
const FULL_ENOUGH_PERCENT: usize = 90;

/// A slab is sparse up to the average of its bin and an eighth of it.
const SLACK_SHARE: usize = 8;

/// The path of a figure of jemalloc, looked up once.
#[derive(Clone, Copy)]
struct Path<const LEN: usize>([usize; LEN]);

impl<const LEN: usize> Path<LEN> {
    fn new(name: &CStr) -> Self {
        let (mut parts, mut len) = ([0; LEN], LEN);
        // SAFETY: a name that ends with a zero byte, and room for `len` parts.
        let result = unsafe {
            jemalloc::mallctlnametomib(name.as_ptr().cast::<c_char>(), parts.as_mut_ptr(), &mut len)
        };
        assert!(result == 0 && len == LEN, "jemalloc does not know {name:?} (error {result})");
        Self(parts)
    }

    /// The figure where the path's part `index` is `number`.
    fn at(mut self, index: usize, number: usize) -> Self {
        self.0[index] = number;
        self
    }

    /// The figure, which must be a `T`: a plain number.
    fn read<T: Copy + Default>(self) -> T {
        let (mut value, mut size) = (T::default(), size_of::<T>());
        // SAFETY: room for a value of the size that is told; jemalloc checks that it is the
        // figure's own.
        let result = unsafe {
            jemalloc::mallctlbymib(
                self.0.as_ptr(),
                LEN,
                std::ptr::from_mut(&mut value).cast(),
                &mut size,
                null_mut(),
                0,
            )
        };
        assert_eq!(result, 0, "jemalloc does not tell one of its figures");
        value
    }
}

/// Blocks of one size.
struct Bin {
    block_bytes: usize,
    blocks_per_slab: u32,
    /// A slab with at most so many blocks is sparse.
    sparse_blocks: usize,
}

/// jemalloc's answer about one block.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Utilization {
    free_blocks: usize,
    blocks: usize,
    bytes: usize,
}

/// What is known about the slabs of all bins.
pub struct SparsePages {
    query: Path<3>,
    live_blocks: Path<6>,
    slabs: Path<6>,
    slabs_not_full: Path<6>,
    bins: Vec<Bin>,
    answers: Vec<Utilization>,
}

impl SparsePages {
    /// Looks up where jemalloc keeps its figures; [`SparsePages::refresh`] reads them.
    pub fn new() -> Self {
        let count: u32 = Path::<2>::new(c"arenas.nbins").read();
        let block_bytes = Path::<4>::new(c"arenas.bin.0.size");
        let blocks_per_slab = Path::<4>::new(c"arenas.bin.0.nregs");
        let bins = (0..count as usize).map(|index| Bin {
            block_bytes: block_bytes.at(2, index).read(),
            blocks_per_slab: blocks_per_slab.at(2, index).read(),
            sparse_blocks: 0,
        });
        let figure = |name: &CStr| Path::<6>::new(name).at(2, ALL_ARENAS);
        Self {
            query: Path::new(c"experimental.utilization.batch_query"),
            live_blocks: figure(c"stats.arenas.0.bins.0.curregs"),
            slabs: figure(c"stats.arenas.0.bins.0.curslabs"),
            slabs_not_full: figure(c"stats.arenas.0.bins.0.nonfull_slabs"),
            bins: bins.collect(),
            answers: Vec::new(),
        }
    }

    /// Finds out how full slabs are at present. Some ten microseconds an arena.
    pub fn refresh(&mut self) {
        epoch::advance().expect("jemalloc is built with statistics");
        for (index, bin) in self.bins.iter_mut().enumerate() {
            let per_slab = bin.blocks_per_slab as usize;
            let slabs: usize = self.slabs.at(4, index).read();
            let not_full: usize = self.slabs_not_full.at(4, index).read();
            let live: usize = self.live_blocks.at(4, index).read();
            // The figures are of one moment for each arena, not for all of them.
            let live = live.saturating_sub(slabs.saturating_sub(not_full) * per_slab);
            let is_full_enough = live * 100 >= not_full * per_slab * FULL_ENOUGH_PERCENT;
            bin.sparse_blocks = match not_full {
                0 | 1 => 0,
                _ if is_full_enough => 0,
                _ => (live + live / SLACK_SHARE) / not_full,
            };
        }
    }

    fn is_sparse(&self, slab: Utilization) -> bool {
        if slab.blocks <= 1 || slab.free_blocks == 0 {
            return false;
        }
        let block_bytes = slab.bytes / slab.blocks;
        let bin = self.bins.binary_search_by_key(&block_bytes, |bin| bin.block_bytes);
        bin.is_ok_and(|bin| slab.blocks - slab.free_blocks <= self.bins[bin].sparse_blocks)
    }
}

impl Default for SparsePages {
    fn default() -> Self {
        Self::new()
    }
}

impl Advice for SparsePages {
    fn judge(&mut self, blocks: &[NonNull<u8>], verdicts: &mut [bool]) {
        assert_eq!(blocks.len(), verdicts.len(), "a verdict for each block");
        self.answers.clear();
        self.answers.resize(blocks.len(), Utilization::default());
        let mut answer_bytes = size_of_val(self.answers.as_slice());
        // SAFETY: jemalloc reads the pointers, which are blocks it handed out and got not back, and
        // writes one answer for each. It takes them as mutable and leaves them alone.
        let result = unsafe {
            jemalloc::mallctlbymib(
                self.query.0.as_ptr(),
                self.query.0.len(),
                self.answers.as_mut_ptr().cast::<c_void>(),
                &mut answer_bytes,
                blocks.as_ptr().cast_mut().cast::<c_void>(),
                size_of_val(blocks),
            )
        };
        // It refuses an empty list, and knows no other reason.
        for (verdict, slab) in verdicts.iter_mut().zip(&self.answers) {
            *verdict = result == 0 && self.is_sparse(*slab);
        }
    }
}

/// Runs `work` with the allocator's cache of this thread off: what it frees is free at once, and
/// what it asks for comes from the slabs. Some ten microseconds.
pub fn without_cache<R>(work: impl FnOnce() -> R) -> R {
    set_cache(false);
    let result = work();
    set_cache(true);
    result
}

fn set_cache(mut is_on: bool) {
    // SAFETY: the name ends with a zero byte, and the value is the flag that belongs to it.
    let result = unsafe {
        jemalloc::mallctl(
            c"thread.tcache.enabled".as_ptr().cast(),
            null_mut(),
            null_mut(),
            std::ptr::from_mut(&mut is_on).cast(),
            size_of::<bool>(),
        )
    };
    assert_eq!(result, 0, "jemalloc is built with thread caches");
}

#[cfg(test)]
mod tests {
    use std::alloc::{GlobalAlloc, Layout};

    use super::*;
    use crate::memory::Jemalloc;

    const LAYOUT: Layout = Layout::new::<[u64; 6]>();
    const BLOCKS: usize = 100_000;

    /// A block of jemalloc's, whatever allocates for the test otherwise.
    struct Block(NonNull<u8>);

    impl Block {
        fn new() -> Self {
            // SAFETY: the layout is not empty.
            Self(NonNull::new(unsafe { Jemalloc.alloc(LAYOUT) }).expect("there is memory"))
        }
    }

    impl Drop for Block {
        fn drop(&mut self) {
            // SAFETY: allocated in `new` with the same layout, and not used again.
            unsafe { Jemalloc.dealloc(self.0.as_ptr(), LAYOUT) }
        }
    }

    fn judge(kept: &[Block]) -> Vec<bool> {
        let mut pages = SparsePages::new();
        pages.refresh();
        let mut verdicts = vec![false; kept.len()];
        for (blocks, verdicts) in kept.chunks(16).zip(verdicts.chunks_mut(16)) {
            let blocks: Vec<NonNull<u8>> = blocks.iter().map(|block| block.0).collect();
            pages.judge(&blocks, verdicts);
        }
        verdicts
    }

    #[test]
    fn slabs_of_larger_blocks_hold_sixteen_at_least() {
        // The environment may say otherwise.
        if std::env::var_os("_RJEM_MALLOC_CONF").is_some() {
            return;
        }
        let bins = SparsePages::new().bins;
        let larger: Vec<&Bin> =
            bins.iter().filter(|bin| (512..=8192).contains(&bin.block_bytes)).collect();
        assert_eq!(larger.len(), 17, "four classes for each of four doublings, and one");
        for bin in larger {
            let (bytes, blocks) = (bin.block_bytes, bin.blocks_per_slab);
            assert!(blocks >= 16, "{blocks} blocks of {bytes} bytes in a slab");
        }
    }

    #[test]
    fn blocks_in_thin_slabs_are_sparse_until_they_have_moved() {
        let full: Vec<Block> = (0..BLOCKS).map(|_| Block::new()).collect();
        let mut kept: Vec<Block> = without_cache(|| full.into_iter().step_by(8).collect());
        let verdicts = judge(&kept);
        let sparse = verdicts.iter().filter(|is_sparse| **is_sparse).count();
        assert!(sparse > kept.len() / 2, "{sparse} of {} are sparse", kept.len());
        without_cache(|| {
            for (block, is_sparse) in kept.iter_mut().zip(verdicts) {
                if is_sparse {
                    *block = Block::new();
                }
            }
        });
        let left = judge(&kept).iter().filter(|is_sparse| **is_sparse).count();
        assert!(left < sparse / 2, "{left} of {sparse} are sparse still");
    }
}
