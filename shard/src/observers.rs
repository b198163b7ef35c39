//! Who is to be told of changes of the keys of a slot: clients that wait, that watch, or that
//! remember what they have read.
//!
//! The funnel of changes comes here for slots that have any. Watchers are marked at once; word for
//! those who remember the key is noted ([`crate::news`]). Keys that
//! somebody waits for are listed as ready, to be served by the core when the command that made the
//! change is over; the list is part of the slot, and a store only remembers which slots have one,
//! so a slot may leave with keys on it, and whoever it arrives at knows.

use std::sync::Arc;

use crate::core::CoreId;
use crate::event::Event;
use crate::field_expiry::is_listed;
use crate::hash::HashSlot;
use crate::interests::Kind;
use crate::key_waits::{Entry, KeyWaiter, KeyWaits};
use crate::readers::Readers;
use crate::slot::Slot;
use crate::store::{Access, Key, Store};
use crate::watches::{Watcher, Watches};

/// Everyone who is to be told of changes of the keys of a slot.
#[derive(Default)]
pub(crate) struct Observers {
    pub(crate) waits: KeyWaits,
    pub(crate) watches: Watches,
    pub(crate) readers: Readers,
}

impl Observers {
    pub(crate) fn is_empty(&self) -> bool {
        self.waits.is_empty() && self.watches.is_empty() && self.readers.is_empty()
    }
}

/// One of them, at one of its keys.
#[derive(Clone)]
pub(crate) enum Observer {
    /// A command that waits, and the argument that is the key.
    Waiter(Arc<KeyWaiter>, usize),
    /// A WATCH, and which of its keys.
    Watcher(Arc<Watcher>, usize),
    /// One client of a core that listens to a channel.
    Listener(Kind, Box<[u8]>, CoreId),
}

impl Observer {
    /// The name of the key, or of the channel.
    pub(crate) fn key(&self) -> &[u8] {
        match self {
            Self::Waiter(waiter, argument) => waiter.key(*argument),
            Self::Watcher(watcher, index) => &watcher.names()[*index],
            Self::Listener(_, name, _) => name,
        }
    }
}

/// A key to be looked at on behalf of those who wait for it.
pub(crate) struct ReadyKey {
    pub(crate) slot: HashSlot,
    pub(crate) db: u32,
    pub(crate) name: Box<[u8]>,
}

impl Store {
    /// A key changed whose slot has observers.
    #[cold]
    pub(crate) fn tell_observers(&mut self, key: Key<'_>, event: Event) {
        let Some(observers) = self.slot_mut(key.slot).observers.as_deref_mut() else { return };
        observers.watches.touch(key.db, key.name);
        if let Some(readers) = observers.readers.take(key.name) {
            self.news.note_forgotten(1);
            self.note_readers(key.name, readers, event.is_by_author());
            self.drop_idle_observers(key.slot);
        }
        self.tell_waiters(key);
    }

    /// Lists a key as ready if anybody waits for it.
    pub(crate) fn tell_waiters(&mut self, key: Key<'_>) {
        let waits = self.waits_mut(key.slot);
        if waits.is_some_and(|waits| waits.note_change(key.db, key.name)) {
            self.ready_slots.push_back(key.slot);
        }
    }

    /// All keys of some databases change, in the slots that are here: of those that `partner` has
    /// an answer for. Whoever watches a key is told if the key is in its database or the partner.
    pub(crate) fn tell_observers_of_databases(&mut self, partner: impl Fn(u32) -> Option<u32>) {
        let observed = |(number, slot): (HashSlot, &Slot)| {
            let is_observed = slot.observers.is_some();
            is_observed.then_some(number)
        };
        let observed: Vec<HashSlot> = self.slots().filter_map(observed).collect();
        for number in observed {
            self.touch_watches_of_databases(number, &partner);
            let Some(waits) = self.waits_mut(number) else { continue };
            for db in waits.databases() {
                if partner(db).is_some() {
                    waits.note_change_of_all(db);
                }
            }
            if waits.has_ready() {
                self.ready_slots.push_back(number);
            }
        }
    }

    /// Removes the watched keys of two databases, and their namesakes in the other, whose time is
    /// over: once the databases have changed places nobody could tell that they were before.
    pub(crate) fn reclaim_watched(&mut self, one: u32, other: u32) {
        let watches = self.slots().filter_map(|(_, slot)| slot.observers.as_deref());
        let watched: Vec<Vec<u8>> = watches
            .flat_map(|observers| observers.watches.keys())
            .filter(|(db, _)| *db == one || *db == other)
            .map(|(_, name)| name.to_vec())
            .collect();
        for (name, db) in watched.iter().flat_map(|name| [(name, one), (name, other)]) {
            self.remove_if_expired(self.key(db, name));
        }
    }

    fn touch_watches_of_databases(&self, number: HashSlot, partner: impl Fn(u32) -> Option<u32>) {
        let observers = self.slot(number).and_then(|slot| slot.observers.as_deref());
        let Some(Observers { watches, .. }) = observers else { return };
        for (db, name) in watches.keys() {
            let is_in = |db: u32| {
                let entry = self.entry(self.key(db, name));
                entry.is_some_and(|entry| is_listed(entry, self.now_ms()))
            };
            if partner(db).is_some_and(|other| is_in(db) || is_in(other)) {
                watches.touch(db, name);
            }
        }
    }

    /// Keys of the slots here that somebody waits for, and those among them that are waited for to
    /// be gone, too. O(slots).
    pub fn blocking_keys(&self) -> (usize, usize) {
        let counts = self.observers().map(|observers| observers.waits.key_counts());
        counts.fold((0, 0), |sum, (keys, missing)| (sum.0 + keys, sum.1 + missing))
    }

    /// Keys of the slots here that are watched. O(slots).
    pub fn watched_keys(&self) -> usize {
        self.observers().map(|observers| observers.watches.key_count()).sum()
    }

    pub(crate) fn observers(&self) -> impl Iterator<Item = &Observers> {
        self.slots().filter_map(|(_, slot)| slot.observers.as_deref())
    }

    /// Whether any key is to be looked at.
    #[inline]
    pub(crate) fn has_ready_keys(&self) -> bool {
        !self.ready_slots.is_empty()
    }

    /// The next key to be looked at. Slots that have left took theirs along.
    pub(crate) fn take_ready_key(&mut self) -> Option<ReadyKey> {
        while let Some(&slot) = self.ready_slots.front() {
            if let Some((db, name)) = self.waits_mut(slot).and_then(KeyWaits::take_ready) {
                return Some(ReadyKey { slot, db, name });
            }
            self.ready_slots.pop_front();
        }
        None
    }

    /// Who stands at a position of a key's queue.
    pub(crate) fn waiting(&self, key: &ReadyKey, position: usize) -> Option<&Entry> {
        self.waits(key.slot)?.entry(key.db, &key.name, position)
    }

    /// Whether it is worth asking who waits for a key: it is there, or its absence is waited for.
    pub(crate) fn is_worth_serving(&mut self, key: &ReadyKey) -> bool {
        if self.waits(key.slot).is_some_and(|waits| waits.wants_missing(key.db, &key.name)) {
            return true;
        }
        let key = self.key(key.db, &key.name);
        self.find(key, Access::Peek).is_some()
    }

    /// Puts a waiter into the queues of all its keys. Their slots are here.
    pub(crate) fn add_waiter(&mut self, waiter: &Arc<KeyWaiter>) {
        for argument in waiter.wait.keys.clone() {
            let name = waiter.key(argument);
            let observers = self.slot_mut(HashSlot::of_key(name)).observers.get_or_insert_default();
            observers.waits.add(waiter.caller.db, name, waiter, argument);
        }
    }

    /// Lets a watcher watch its keys. Their slots are here.
    pub(crate) fn add_watcher(&mut self, watcher: &Arc<Watcher>) {
        for name in watcher.names() {
            let observers = self.slot_mut(HashSlot::of_key(name)).observers.get_or_insert_default();
            observers.watches.add(name, watcher);
        }
    }

    /// Takes an observer away from its key. The slot is here.
    pub(crate) fn remove_observer(&mut self, observer: &Observer) {
        if let Observer::Listener(kind, name, core) = observer {
            return self.leave_channel(*kind, name, *core);
        }
        let slot = self.slot_mut(HashSlot::of_key(observer.key()));
        let Some(observers) = slot.observers.as_deref_mut() else { return };
        match observer {
            Observer::Waiter(waiter, argument) => {
                observers.waits.remove(waiter.caller.db, waiter.key(*argument), waiter);
            }
            Observer::Watcher(watcher, _) => observers.watches.remove(observer.key(), watcher),
            Observer::Listener(..) => unreachable!("seen to above"),
        }
        if observers.is_empty() {
            slot.observers = None;
        }
    }

    fn waits(&self, slot: HashSlot) -> Option<&KeyWaits> {
        Some(&self.slot(slot)?.observers.as_deref()?.waits)
    }

    /// Who waits for keys of a slot, if it is here and anybody does.
    pub(crate) fn waits_mut(&mut self, slot: HashSlot) -> Option<&mut KeyWaits> {
        if !self.has_slot(slot) {
            return None;
        }
        Some(&mut self.slot_mut(slot).observers.as_deref_mut()?.waits)
    }
}
