//! Asking for the memory of several commands before the first of them runs.
//!
//! A lookup follows pointers: slot, bucket, entry, and for a collection what it keeps its elements
//! in. Each step may miss the cache, and waits for the one before. So one step
//! is taken for all commands before the next: while the memory of the last is asked for, that of
//! the first arrives.
//!
//! What is found on the way may be another key's: only tags are compared. Nothing depends on it.

use super::{Key, Store};
use crate::command::Command;
use crate::core::message::Route;
use crate::hash::HashSlot;
use crate::object::Object;
use crate::table::{Entry, Footprint, ValueRef, prefetch};

/// Commands whose values are asked for, too; more than that would push each other out of the
/// nearest cache.
const VALUES_MAX: usize = 64;

/// Where a command with a single key will look.
#[derive(Clone, Copy)]
pub(crate) struct Lookup {
    slot: HashSlot,
    /// Of the key.
    hash: u64,
    db: u32,
    /// Whether it is likely to follow the entry to a value that lies elsewhere.
    goes_on: bool,
}

impl Lookup {
    /// Where a command that goes this way will look in database `db`; none if it has no only key.
    #[inline]
    pub(crate) fn of(row: &Command, route: Route, db: u32) -> Option<Self> {
        match route {
            Route::One(slot, hash) => Some(Self { slot, hash, db, goes_on: row.values_are_apart }),
            Route::Home | Route::Many => None,
        }
    }
}

impl Store {
    /// Brings what will be looked at and changed when these keys are stored into the cache.
    pub fn prefetch_keys(&self, keys: &[Key<'_>]) {
        keys.iter().for_each(|key| self.prefetch_slot(key.slot, true));
        let lookup =
            |&Key { slot, hash, db, .. }: &Key<'_>| Lookup { slot, hash, db, goes_on: false };
        self.prefetch(keys.iter().map(lookup));
    }

    /// Brings what commands will look at into the cache; their slots should be there.
    #[inline]
    pub(crate) fn prefetch(&self, lookups: impl Iterator<Item = Lookup> + Clone) {
        let tables = || {
            let lookups = lookups.clone();
            lookups.filter_map(|it| self.table(it.slot, it.db).map(|table| (it, table)))
        };
        let mut goes_on = false;
        for (lookup, table) in tables() {
            table.prefetch_bucket(lookup.hash);
            goes_on |= lookup.goes_on;
        }
        if !goes_on {
            for (lookup, table) in tables() {
                let _ = table.prefetch_entry(lookup.hash);
            }
            return;
        }
        let mut entries = [None; VALUES_MAX];
        let mut count = 0;
        for (lookup, table) in tables() {
            let entry = table.prefetch_entry(lookup.hash);
            if lookup.goes_on && count < VALUES_MAX && entry.is_some() {
                entries[count] = entry;
                count += 1;
            }
        }
        prefetch_values(entries[..count].iter().flatten());
    }
}

/// From entries to the blocks of their values, and from there to what a search will read.
fn prefetch_values<'a>(entries: impl Iterator<Item = &'a Entry<'a, Object>>) {
    let mut objects = [None; VALUES_MAX];
    let mut count = 0;
    for entry in entries {
        match entry.value() {
            ValueRef::Object(object) => {
                if let Some(block) = object.first_block() {
                    prefetch(block.as_ptr());
                }
                objects[count] = Some(object);
                count += 1;
            }
            ValueRef::Shared(bytes) => bytes.prefetch(),
            ValueRef::Bytes(_) | ValueRef::Int(_) => {}
        }
    }
    objects[..count].iter().flatten().for_each(|object: &&Object| object.prefetch_content());
}
