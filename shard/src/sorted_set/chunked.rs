//! A vector that grows without ever moving more than one chunk.
//!
//! A plain vector of a million nodes would copy tens of megabytes in one go when it grows. This one
//! is a vector of chunks: the first grows little by little, so that small sets stay small; all
//! others are allocated whole.

use super::room;
use crate::table::size_class;

/// Items in a chunk.
const CHUNK_LEN: usize = 128;

/// Items at stable indices, in chunks.
#[derive(Debug)]
pub(super) struct Chunked<T> {
    chunks: Vec<Vec<T>>,
}

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<T> Chunked<T> {
    /// Number of items. O(1).
    #[inline]
    pub(super) fn len(&self) -> usize {
        let last = self.chunks.last().map_or(0, Vec::len);
        self.chunks.len().saturating_sub(1) * CHUNK_LEN + last
    }

    /// Bytes of the chunks, by size class, without what the items own. O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        let whole = size_class(CHUNK_LEN * size_of::<T>());
        let last = self.chunks.last().map_or(0, room::heap_bytes);
        room::heap_bytes(&self.chunks) + self.chunks.len().saturating_sub(1) * whole + last
    }

    /// Item `index`. O(1).
    #[inline]
    pub(super) fn get(&self, index: usize) -> &T {
        &self.chunks[index / CHUNK_LEN][index % CHUNK_LEN]
    }

    /// Item `index` for change. O(1).
    #[inline]
    pub(super) fn get_mut(&mut self, index: usize) -> &mut T {
        &mut self.chunks[index / CHUNK_LEN][index % CHUNK_LEN]
    }

    /// All items, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    /// Adds an item and returns its index. Amortised O(1), at worst O(size of a chunk).
    pub(super) fn push(&mut self, item: T) -> usize {
        let index = self.len();
        if index.is_multiple_of(CHUNK_LEN) {
            room::reserve(&mut self.chunks, 1);
            let capacity = if index == 0 { 0 } else { CHUNK_LEN };
            self.chunks.push(Vec::with_capacity(capacity));
        }
        let chunk = self.chunks.last_mut().expect("one was added if there was none");
        if chunk.len() == chunk.capacity() {
            let target = (chunk.len() + chunk.len() / 4 + 1).min(CHUNK_LEN);
            chunk.reserve_exact(target - chunk.len());
        }
        chunk.push(item);
        index
    }

    /// Takes the last item out. O(1).
    pub(super) fn pop(&mut self) -> Option<T> {
        let chunk = self.chunks.last_mut()?;
        let item = chunk.pop();
        if chunk.is_empty() {
            self.chunks.pop();
            room::trim(&mut self.chunks);
        }
        if let [only] = self.chunks.as_mut_slice() {
            room::trim(only);
        }
        item
    }
}

impl<T: Clone> Clone for Chunked<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        self.iter().for_each(|item| {
            copy.push(item.clone());
        });
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_keep_their_indices() {
        let mut items = Chunked::default();
        for number in 0..1000_usize {
            assert_eq!(items.push(number), number);
        }
        assert_eq!((items.len(), *items.get(0), *items.get(999)), (1000, 0, 999));
        *items.get_mut(500) = 7;
        assert_eq!(items.clone().iter().copied().sum::<usize>(), 499_500 - 500 + 7);
        for number in (501..1000).rev() {
            assert_eq!(items.pop(), Some(number));
        }
        assert_eq!(items.len(), 501);
        while items.pop().is_some() {}
        assert_eq!((items.len(), items.heap_bytes()), (0, 0));
    }
}
