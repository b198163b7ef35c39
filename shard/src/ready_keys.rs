//! Keys that somebody waits for and that have changed since: what the funnel of changes notes, and
//! what the core serves when the command that made the change is over.
//!
//! The list itself is part of the slot; a store only remembers which slots have one, so a slot may
//! leave with keys on it, and whoever it arrives at knows.

use std::sync::Arc;

use crate::hash::HashSlot;
use crate::key_waits::{Entry, KeyWaiter, KeyWaits};
use crate::store::{Access, Key, Store};

/// A key to be looked at on behalf of those who wait for it.
pub(crate) struct ReadyKey {
    pub(crate) slot: HashSlot,
    pub(crate) db: u32,
    pub(crate) name: Box<[u8]>,
}

impl Store {
    /// Whether any key is to be looked at.
    #[inline]
    pub(crate) fn has_ready_keys(&self) -> bool {
        !self.ready_slots.is_empty()
    }

    /// A key changed whose slot has waiters.
    #[cold]
    pub(crate) fn note_ready(&mut self, key: Key<'_>) {
        let slot = self.slot_mut(key.slot);
        if slot.key_waits.as_deref_mut().is_some_and(|waits| waits.note_change(key.db, key.name)) {
            self.ready_slots.push_back(key.slot);
        }
    }

    /// All keys of some databases changed, in the slots that are here.
    pub(crate) fn note_ready_databases(&mut self, is_meant: impl Fn(u32) -> bool) {
        let all: Vec<HashSlot> = self
            .slots()
            .filter(|(_, slot)| slot.key_waits.is_some())
            .map(|(number, _)| number)
            .collect();
        for number in all {
            let Some(waits) = self.slot_mut(number).key_waits.as_deref_mut() else { continue };
            for db in waits.databases().into_iter().filter(|db| is_meant(*db)) {
                waits.note_change_of_all(db);
            }
            if waits.has_ready() {
                self.ready_slots.push_back(number);
            }
        }
    }

    /// Keys of the slots here that somebody waits for, and those among them that are waited for to
    /// be gone, too. O(slots).
    pub fn blocking_keys(&self) -> (usize, usize) {
        let waits = self.slots().filter_map(|(_, slot)| slot.key_waits.as_deref());
        waits
            .map(KeyWaits::key_counts)
            .fold((0, 0), |sum, (keys, missing)| (sum.0 + keys, sum.1 + missing))
    }

    /// The next key to be looked at. Slots that have left took theirs along.
    pub(crate) fn take_ready_key(&mut self) -> Option<ReadyKey> {
        while let Some(&slot) = self.ready_slots.front() {
            let waits = self.has_slot(slot).then(|| self.slot_mut(slot).key_waits.as_deref_mut());
            if let Some((db, name)) = waits.flatten().and_then(|waits| waits.take_ready()) {
                return Some(ReadyKey { slot, db, name });
            }
            self.ready_slots.pop_front();
        }
        None
    }

    /// Who stands at a position of a key's queue.
    pub(crate) fn waiting(&self, key: &ReadyKey, position: usize) -> Option<&Entry> {
        self.slot(key.slot)?.key_waits.as_deref()?.entry(key.db, &key.name, position)
    }

    /// Whether it is worth asking who waits for a key: it is there, or its absence is waited for.
    pub(crate) fn is_worth_serving(&mut self, key: &ReadyKey) -> bool {
        let waits = self.slot(key.slot).and_then(|slot| slot.key_waits.as_deref());
        if waits.is_some_and(|waits| waits.wants_missing(key.db, &key.name)) {
            return true;
        }
        let key = self.key(key.db, &key.name);
        self.find(key, Access::Peek).is_some()
    }

    /// Puts a waiter into the queues of all its keys. Their slots are here.
    pub(crate) fn add_waiter(&mut self, waiter: &Arc<KeyWaiter>) {
        for argument in waiter.wait.keys.clone() {
            let name = waiter.key(argument);
            let waits = self.slot_mut(HashSlot::of_key(name)).key_waits.get_or_insert_default();
            waits.add(waiter.caller.db, name, waiter, argument);
        }
    }

    /// Takes a waiter out of the queue of one of its keys. The slot is here.
    pub(crate) fn remove_waiter(&mut self, waiter: &Arc<KeyWaiter>, argument: usize) {
        let name = waiter.key(argument);
        let slot = self.slot_mut(HashSlot::of_key(name));
        let Some(waits) = slot.key_waits.as_deref_mut() else { return };
        waits.remove(waiter.caller.db, name, waiter);
        if waits.is_empty() {
            slot.key_waits = None;
        }
    }
}
