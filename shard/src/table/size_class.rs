//! What an allocation really costs, and the one place where the table allocates.
//!
//! Memory limits are only as good as the accounting behind them, so the table counts what the
//! allocator hands out and not what was asked for. The server runs on jemalloc built with a
//! quantum of 8 bytes: classes lie 8 bytes apart up to 64, then four classes divide every
//! doubling (80, 96, 112, 128, 160, ...), for large allocations too.
//!
//! Table code always *asks* for a whole class. Then an entry may change its length within its class
//! in place, and the layout needed to free it follows from its present length.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Bytes the allocator reserves for a request of `bytes`: its size class. O(1).
///
/// Zero stays zero, for nothing is allocated then.
///
/// # Panics
/// When `bytes` exceeds half the address space.
#[inline]
pub const fn size_class(bytes: usize) -> usize {
    if bytes <= 64 {
        return (bytes + 7) & !7;
    }
    assert!(bytes <= isize::MAX as usize / 2, "an allocation beyond half the address space");
    let spacing = 1 << ((bytes - 1).ilog2() - 2);
    (bytes + spacing - 1) & !(spacing - 1)
}

/// Allocates the whole size class of `bytes`, aligned to `alignment`, contents undefined.
pub(super) fn allocate(bytes: usize, alignment: usize) -> NonNull<u8> {
    let layout = layout_of(bytes, alignment);
    // SAFETY: `layout_of` never returns an empty layout.
    let start = unsafe { alloc(layout) };
    NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout))
}

/// As [`allocate`], filled with zeros.
pub(super) fn allocate_zeroed(bytes: usize, alignment: usize) -> NonNull<u8> {
    let layout = layout_of(bytes, alignment);
    // SAFETY: `layout_of` never returns an empty layout.
    let start = unsafe { alloc_zeroed(layout) };
    NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Gives back what [`allocate`] or [`allocate_zeroed`] returned.
///
/// # Safety
/// `start` came from one of them with the same alignment and a size of the same class, and is not
/// used afterwards.
pub(super) unsafe fn free(start: NonNull<u8>, bytes: usize, alignment: usize) {
    // SAFETY: equal classes and alignments give equal layouts; the rest is the caller's promise.
    unsafe { dealloc(start.as_ptr(), layout_of(bytes, alignment)) }
}

/// The layout of a whole class.
fn layout_of(bytes: usize, alignment: usize) -> Layout {
    assert!(bytes > 0, "an empty allocation");
    let layout = Layout::from_size_align(size_class(bytes), alignment);
    layout.expect("size_class bounds the size")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn classes_are_those_of_jemalloc_with_an_eight_byte_quantum() {
        let classes = [
            8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448,
            512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096, 5120, 6144,
            7168, 8192, 10240, 12288, 14336, 16384, 20480, 24576, 28672, 32768, 40960, 49152,
        ];
        assert_eq!(size_class(0), 0);
        for pair in classes.windows(2) {
            assert_eq!(size_class(pair[0] + 1), pair[1]);
            assert_eq!(size_class(pair[1]), pair[1]);
        }
    }

    proptest! {
        #[test]
        fn a_class_holds_its_request_with_little_waste(bytes in 1usize..1 << 40) {
            let class = size_class(bytes);
            prop_assert!(class >= bytes && class.is_multiple_of(8));
            prop_assert_eq!(size_class(class), class);
            prop_assert!(class - bytes < 8.max(bytes / 4));
        }
    }
}
