//! How vectors inside a sorted set take and give back memory.
//!
//! Doubling would leave a quarter of the memory unused on average. Here a vector asks for an eighth
//! more than it needs, rounded up to what the allocator would hand out anyway.

use crate::table::size_class;

/// Makes room for `additional` more items. Amortised O(1) an item.
#[inline]
pub(super) fn reserve<T>(items: &mut Vec<T>, additional: usize) {
    let needed = items.len() + additional;
    if needed > items.capacity() {
        grow(items, needed);
    }
}

#[cold]
fn grow<T>(items: &mut Vec<T>, needed: usize) {
    let capacity = size_class((needed + needed / 8) * size_of::<T>()) / size_of::<T>();
    items.reserve_exact(capacity - items.len());
}

/// Gives memory back if less than half of it is used.
pub(super) fn trim<T>(items: &mut Vec<T>) {
    if items.capacity() > 2 * items.len() {
        let capacity = size_class(items.len() * size_of::<T>()) / size_of::<T>();
        items.shrink_to(capacity);
    }
}

/// Bytes the allocator reserves for a vector. O(1).
#[inline]
pub(super) fn heap_bytes<T>(items: &Vec<T>) -> usize {
    size_class(items.capacity() * size_of::<T>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_grows_by_whole_size_classes_and_shrinks_when_half_empty() {
        let mut items: Vec<u32> = Vec::new();
        for number in 0..1000 {
            reserve(&mut items, 1);
            items.push(number);
            let bytes = items.capacity() * 4;
            assert_eq!(size_class(bytes), bytes);
            assert!(bytes <= 4 * items.len() * 3 / 2 + 64, "{bytes}");
        }
        items.truncate(400);
        trim(&mut items);
        assert_eq!(heap_bytes(&items), size_class(1600));
    }
}
