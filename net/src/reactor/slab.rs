//! A table with dense, reused indices and generations.
//!
//! Invariants: an index is in exactly one of three states: occupied, free, or resting (freed since
//! the last [`Slab::wake_resting`]). The generation of an index grows whenever it is freed.

use super::event::ConnectionId;

#[derive(Debug)]
pub(super) struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
    resting: Vec<u32>,
}

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Slab<T> {
        Slab { entries: Vec::new(), free: Vec::new(), resting: Vec::new() }
    }

    /// Amortised O(1). The index freed last comes first: its memory is warm.
    pub(super) fn insert(&mut self, value: T) -> ConnectionId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry { generation: 0, value: None });
            u32::try_from(self.entries.len() - 1).expect("fewer than 2^32 connections")
        });
        let entry = &mut self.entries[index as usize];
        assert!(entry.value.is_none());
        entry.value = Some(value);
        ConnectionId { index, generation: entry.generation }
    }

    #[inline]
    pub(super) fn get(&self, id: ConnectionId) -> Option<&T> {
        let entry = self.entries.get(id.index as usize)?;
        entry.value.as_ref().filter(|_| entry.generation == id.generation)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut T> {
        let entry = self.entries.get_mut(id.index as usize)?;
        entry.value.as_mut().filter(|_| entry.generation == id.generation)
    }

    /// The current connection of an index, if there is one.
    #[inline]
    pub(super) fn id_at(&self, index: u32) -> Option<ConnectionId> {
        let entry = self.entries.get(index as usize)?;
        entry.value.as_ref()?;
        Some(ConnectionId { index, generation: entry.generation })
    }

    /// # Panics
    /// If there is no such entry.
    pub(super) fn remove(&mut self, id: ConnectionId) -> T {
        let entry = &mut self.entries[id.index as usize];
        assert_eq!(entry.generation, id.generation);
        entry.generation = entry.generation.wrapping_add(1);
        self.resting.push(id.index);
        entry.value.take().expect("an occupied entry")
    }

    /// Makes the indices freed since the last call free to be given out again.
    #[inline]
    pub(super) fn wake_resting(&mut self) {
        self.free.append(&mut self.resting);
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len() - self.resting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_dense_and_rest_before_reuse() {
        let mut slab = Slab::new();
        let first = slab.insert('a');
        let second = slab.insert('b');
        assert_eq!((first.index, second.index), (0, 1));
        assert_eq!(slab.remove(first), 'a');
        assert_eq!(slab.insert('c').index, 2);
        slab.wake_resting();
        let again = slab.insert('d');
        assert_eq!((again.index, again.generation), (0, 1));
        assert_eq!((slab.get(first), slab.get(again)), (None, Some(&'d')));
        assert_eq!(slab.get_mut(second), Some(&mut 'b'));
        assert_eq!(slab.len(), 3);
    }
}
