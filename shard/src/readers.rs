//! Client-side caching: which clients have read which keys, as the slots of these keys know it.
//!
//! A client with `CLIENT TRACKING` keeps copies of what it reads and wants to be told when they
//! are no longer right. Whoever reads a key on its behalf remembers it here, in the slot of the
//! key; the first change forgets all readers of the key and notes word for each. As in Redis, a
//! name stands for the keys of that name in all databases.
//!
//! Readers that are gone by the time are found out where they were; nothing is done about them
//! here. The number of keys that are remembered is bounded by `tracking-table-max-keys`: beyond
//! it, readers of some key are told as if it had changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::{CoreId, SessionId};
use crate::hash::HashSlot;
use crate::news::Notice;
use crate::store::Store;

/// Clients that have read a key, by core.
type Clients = BTreeSet<(CoreId, SessionId)>;

/// The keys of a slot that somebody remembers.
#[derive(Default)]
pub(crate) struct Readers {
    keys: BTreeMap<Box<[u8]>, Clients>,
}

impl Readers {
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Number of keys, and of clients that remember them.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.keys.len(), self.keys.values().map(BTreeSet::len).sum())
    }

    /// Remembers that a client has read a key; whether the key is new.
    fn add(&mut self, name: &[u8], reader: (CoreId, SessionId)) -> bool {
        if let Some(clients) = self.keys.get_mut(name) {
            clients.insert(reader);
            return false;
        }
        self.keys.insert(name.into(), Clients::from([reader]));
        true
    }

    /// Forgets who has read a key, and tells who that was.
    pub(crate) fn take(&mut self, name: &[u8]) -> Option<Clients> {
        self.keys.remove(name)
    }
}

impl Store {
    /// Remembers that a client has read a key, whose slot is here; whether the key is new.
    pub(crate) fn add_reader(&mut self, name: &[u8], reader: (CoreId, SessionId)) -> bool {
        let slot = self.slot_mut(HashSlot::of_key(name));
        slot.observers.get_or_insert_default().readers.add(name, reader)
    }

    /// Notes word for the readers of a key, who were forgotten.
    #[cold]
    pub(crate) fn note_readers(&mut self, name: &[u8], clients: Clients, is_by_author: bool) {
        let key: Arc<[u8]> = name.into();
        let mut clients = clients.into_iter().peekable();
        while let Some((core, first)) = clients.next() {
            let mut readers = vec![first];
            while let Some((_, reader)) = clients.next_if(|(other, _)| *other == core) {
                readers.push(reader);
            }
            self.news.push(core, Notice::Changed { key: Arc::clone(&key), readers, is_by_author });
        }
    }

    /// Forgets the readers of some key of the first slot from `from` on that has any here, as if
    /// the key had changed, and returns the slot; the caller counts. O(slots) where few have any.
    pub(crate) fn forget_some_readers(&mut self, from: HashSlot) -> Option<HashSlot> {
        let has_readers = |slot: &HashSlot| {
            let observers = self.slot(*slot).and_then(|slot| slot.observers.as_deref());
            observers.is_some_and(|observers| !observers.readers.is_empty())
        };
        let (before, after) = (0..from.number(), from.number()..HashSlot::COUNT);
        let found = after.chain(before).filter_map(HashSlot::new).find(has_readers)?;
        let observers = self.slot_mut(found).observers.as_deref_mut()?;
        let (name, clients) = observers.readers.keys.pop_first()?;
        self.drop_idle_observers(found);
        self.note_readers(&name, clients, false);
        Some(found)
    }

    /// Forgets all readers of the slots that are here without a word to them. O(slots).
    pub(crate) fn forget_all_readers(&mut self) {
        for number in HashSlot::all() {
            if !self.has_slot(number) {
                continue;
            }
            let Some(observers) = self.slot_mut(number).observers.as_deref_mut() else { continue };
            let keys = std::mem::take(&mut observers.readers).counts().0;
            self.news.note_forgotten(keys);
            self.drop_idle_observers(number);
        }
    }

    pub(crate) fn drop_idle_observers(&mut self, number: HashSlot) {
        let slot = self.slot_mut(number);
        if slot.observers.as_deref().is_some_and(|observers| observers.is_empty()) {
            slot.observers = None;
        }
    }

    /// Keys that are remembered in the slots that are here, and clients that remember them.
    /// O(slots).
    pub(crate) fn reader_counts(&self) -> (usize, usize) {
        let counts = self.observers().map(|observers| observers.readers.counts());
        counts.fold((0, 0), |sum, (keys, clients)| (sum.0 + keys, sum.1 + clients))
    }
}
