//! Clients that wait for keys, as the slots of those keys know them.
//!
//! A blocking command that finds nothing leaves a [`KeyWaiter`] in the slot of each of its keys. It
//! is part of the slot and goes wherever the slot goes, so whoever changes a key has its waiters at
//! hand. All entries of one command share the waiter, and the waiter holds the *claim*: a word that
//! exactly one party wins, be it a core that has something to serve, the client's own core when the
//! time is over, or the end of the connection. Whoever loses leaves the waiter alone.
//!
//! ```text
//! slot of a: a -> [ waiter 1, waiter 2 ]        BLPOP a b  = waiter 1 (client of core 0)
//! slot of b: b -> [ waiter 1 ]                  BLPOP a    = waiter 2 (client of core 3)
//! ```
//!
//! Some waits end without a change, because time passes (see [`crate::core`], `alarms`). The waiter
//! knows when its keys are to be looked at next, and its client's core sees to it.
//!
//! Invariants:
//! * The queue of a key is in the order in which the commands found nothing: first come, first
//!   served. A waiter stands in it once.
//! * A key that changed while it had waiters is listed as ready until it was looked at.
//! * Nothing is held for a waiter: no slot, no credit. Entries of a waiter that is done are taken
//!   out by its client's core (see [`crate::core`]).

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use crate::arguments::{Arguments, OwnedArguments};
use crate::call::Call;
use crate::command::Command;
use crate::core::message::Caller;
use crate::core::{CoreId, SessionId};
use crate::error::Outcome;
use crate::mutation::{self, Mutation};
use crate::reply::Reply;

/// Writes what a blocking command answers when its time is over.
pub type TimeoutReply = fn(&mut Reply<'_>);

/// What a blocking command that found nothing asks for.
pub struct KeyWait {
    /// Which arguments are the keys it waits for.
    pub keys: Range<usize>,
    /// When its time is over, monotonic milliseconds; `None` for never.
    pub deadline_ms: Option<u64>,
    /// Whether the key at this argument has what it waits for. Changes nothing.
    pub is_ready: fn(&mut Call<'_>, usize) -> bool,
    /// When the key at this argument, which is not ready, will be without another change of it,
    /// monotonic milliseconds; for waits that time alone may end with something to give.
    pub ready_at_ms: Option<fn(&mut Call<'_>, usize) -> Option<u64>>,
    /// Takes it and answers. Called right after `is_ready` said so.
    pub serve: fn(&mut Call<'_>, usize) -> Outcome,
    /// What it answers when its time is over.
    pub on_timeout: TimeoutReply,
    /// Whether it wants to know that a key is gone, too.
    pub wants_missing: bool,
    /// The argument that is a key `serve` needs besides the one that became ready.
    pub companion: Option<usize>,
    /// Arguments whose meaning was fixed when the wait began (`$` of XREAD).
    pub resolved: Vec<(usize, Vec<u8>)>,
}

/// Where the reply of a waiting command goes.
#[derive(Clone, Copy, Debug)]
pub struct Address {
    /// The core of the connection.
    pub core: CoreId,
    /// The connection.
    pub session: SessionId,
    /// The reply place.
    pub place: u64,
}

/// A command that waits for keys.
pub struct KeyWaiter {
    /// Its row.
    pub row: &'static Command,
    /// Its arguments.
    pub arguments: OwnedArguments,
    /// Database, protocol and manners of the client.
    pub caller: Caller,
    /// Where the reply goes.
    pub address: Address,
    /// What it waits for.
    pub wait: KeyWait,
    is_claimed: AtomicBool,
    /// When its keys are to be looked at again, monotonic milliseconds; `u64::MAX` for not at all.
    alarm_ms: AtomicU64,
}

impl KeyWaiter {
    /// A waiter that nobody has claimed.
    pub fn new(
        row: &'static Command,
        arguments: Arguments<'_>,
        caller: Caller,
        address: Address,
        wait: KeyWait,
    ) -> Self {
        let arguments = OwnedArguments::copy_with(arguments, &wait.resolved);
        let (is_claimed, alarm_ms) = (AtomicBool::new(false), AtomicU64::new(u64::MAX));
        Self { row, arguments, caller, address, wait, is_claimed, alarm_ms }
    }

    /// Wants its keys looked at by `at_ms`; whether that is sooner than it was wanted before.
    pub(crate) fn want_alarm(&self, at_ms: u64) -> bool {
        self.alarm_ms.fetch_min(at_ms, SeqCst) > at_ms
    }

    /// When its keys are to be looked at again.
    pub(crate) fn alarm_ms(&self) -> Option<u64> {
        Some(self.alarm_ms.load(SeqCst)).filter(|at_ms| *at_ms != u64::MAX)
    }

    /// Its keys are about to be looked at: whoever does so sets the next alarm.
    pub(crate) fn clear_alarm(&self) {
        self.alarm_ms.store(u64::MAX, SeqCst);
    }

    /// Takes the right to answer. True once.
    pub fn claim(&self) -> bool {
        !self.is_claimed.swap(true, SeqCst) || mutation::is_on(Mutation::ServedTwice)
    }

    /// Whether somebody has answered or is about to.
    pub fn is_claimed(&self) -> bool {
        self.is_claimed.load(SeqCst) && !mutation::is_on(Mutation::ServedTwice)
    }

    /// The name of the key at an argument.
    pub fn key(&self, argument: usize) -> &[u8] {
        self.arguments.borrow().at(argument)
    }
}

/// A waiter in the queue of a key.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) waiter: Arc<KeyWaiter>,
    /// Which of its arguments the key is.
    pub(crate) argument: usize,
    /// An envelope is under way to serve it. Nobody behind it is served until that has run.
    pub(crate) is_under_way: bool,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Entry>,
    is_ready: bool,
    /// How many of the waiters want to know that the key is gone.
    wanting_missing: usize,
}

/// All waiters of a slot.
#[derive(Default)]
pub struct KeyWaits {
    databases: BTreeMap<u32, BTreeMap<Box<[u8]>, Queue>>,
    ready: VecDeque<(u32, Box<[u8]>)>,
}

impl KeyWaits {
    /// Whether nobody waits for a key of this slot.
    pub fn is_empty(&self) -> bool {
        self.databases.is_empty()
    }

    /// Number of keys somebody waits for, and how many of these for being gone, too.
    pub fn key_counts(&self) -> (usize, usize) {
        let queues = self.databases.values().flat_map(BTreeMap::values);
        queues.fold((0, 0), |(keys, missing), queue| {
            (keys + 1, missing + usize::from(queue.wanting_missing > 0))
        })
    }

    /// Puts a waiter at the end of a key's queue, unless it stands there.
    pub(crate) fn add(&mut self, db: u32, name: &[u8], waiter: &Arc<KeyWaiter>, argument: usize) {
        let names = self.databases.entry(db).or_default();
        let queue = names.entry(name.into()).or_default();
        if !queue.entries.iter().any(|entry| Arc::ptr_eq(&entry.waiter, waiter)) {
            let entry = Entry { waiter: Arc::clone(waiter), argument, is_under_way: false };
            queue.entries.push_back(entry);
            queue.wanting_missing += usize::from(waiter.wait.wants_missing);
        }
    }

    /// Takes a waiter out of a key's queue. O(its position).
    pub(crate) fn remove(&mut self, db: u32, name: &[u8], waiter: &Arc<KeyWaiter>) {
        let Some(queue) = self.queue(db, name) else { return };
        let is_it = |entry: &Entry| Arc::ptr_eq(&entry.waiter, waiter);
        let Some(position) = queue.entries.iter().position(is_it) else { return };
        queue.entries.remove(position);
        queue.wanting_missing -= usize::from(waiter.wait.wants_missing);
        if !queue.entries.is_empty() {
            return;
        }
        if let Some(names) = self.databases.get_mut(&db) {
            names.remove(name);
            if names.is_empty() {
                self.databases.remove(&db);
            }
        }
    }

    /// Lists a key as ready if anybody waits for it; whether it came to the list just now.
    pub(crate) fn note_change(&mut self, db: u32, name: &[u8]) -> bool {
        let Some(queue) = self.queue(db, name) else { return false };
        if queue.is_ready || mutation::is_on(Mutation::WakeLost) {
            return false;
        }
        queue.is_ready = true;
        self.ready.push_back((db, name.into()));
        true
    }

    /// Lists all keys of a database as ready; whether there are any.
    pub(crate) fn note_change_of_all(&mut self, db: u32) -> bool {
        let Some(names) = self.databases.get_mut(&db) else { return false };
        for (name, queue) in names.iter_mut().filter(|(_, queue)| !queue.is_ready) {
            queue.is_ready = true;
            self.ready.push_back((db, name.clone()));
        }
        true
    }

    /// Databases that have waiters.
    pub(crate) fn databases(&self) -> Vec<u32> {
        self.databases.keys().copied().collect()
    }

    /// Whether a key is listed as ready.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The key that has been ready for longest, off the list.
    pub(crate) fn take_ready(&mut self) -> Option<(u32, Box<[u8]>)> {
        let (db, name) = self.ready.pop_front()?;
        if let Some(queue) = self.queue(db, &name) {
            queue.is_ready = false;
        }
        Some((db, name))
    }

    /// The entry at a position of a key's queue.
    pub(crate) fn entry(&self, db: u32, name: &[u8], position: usize) -> Option<&Entry> {
        self.databases.get(&db)?.get(name)?.entries.get(position)
    }

    /// Whether a waiter of the key wants to know that it is gone.
    pub(crate) fn wants_missing(&self, db: u32, name: &[u8]) -> bool {
        let queue = self.databases.get(&db).and_then(|names| names.get(name));
        queue.is_some_and(|queue| queue.wanting_missing > 0)
    }

    /// Notes whether an envelope is under way to serve a waiter of a key.
    pub(crate) fn set_under_way(
        &mut self,
        (db, name): (u32, &[u8]),
        waiter: &Arc<KeyWaiter>,
        is_under_way: bool,
    ) {
        let Some(queue) = self.queue(db, name) else { return };
        for entry in queue.entries.iter_mut().filter(|entry| Arc::ptr_eq(&entry.waiter, waiter)) {
            entry.is_under_way = is_under_way;
        }
    }

    fn queue(&mut self, db: u32, name: &[u8]) -> Option<&mut Queue> {
        self.databases.get_mut(&db)?.get_mut(name)
    }
}
