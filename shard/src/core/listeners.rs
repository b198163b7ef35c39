//! Which clients of a core listen to what: the end of the way of a message.
//!
//! A session knows the names it listens to ([`Interests`]), its core knows the sessions of each
//! name ([`Listeners`]); the two always agree. How many clients a core has for a name is counted
//! where messages come from (see [`crate::interests`]).

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, Hasher};

use crate::core::SessionId;
use crate::hash::key_hash;
use crate::interests::{KIND_COUNT, Kind};

/// The names one client listens to.
#[derive(Default)]
pub struct Interests {
    names: [BTreeSet<Box<[u8]>>; KIND_COUNT],
    /// Those it is just leaving, and their kind: still listened to, but perhaps counted no more.
    leaving: (Option<Kind>, Vec<Box<[u8]>>),
    name_bytes: usize,
}

/// What a name takes besides its bytes, here and where its messages come from, in bytes.
const NAME_OVERHEAD_BYTES: usize = 64;

impl Interests {
    /// Whether it listens to anything but changes of keys.
    pub fn is_subscriber(&self) -> bool {
        [Kind::Channel, Kind::ShardChannel, Kind::Pattern].iter().any(|kind| self.count(*kind) > 0)
    }

    /// How many names of a kind it listens to.
    pub fn count(&self, kind: Kind) -> usize {
        self.names[kind as usize].len()
    }

    /// Whether it listens to a name.
    pub fn contains(&self, kind: Kind, name: &[u8]) -> bool {
        self.names[kind as usize].contains(name)
    }

    /// All names of a kind, ascending.
    pub fn names(&self, kind: Kind) -> impl Iterator<Item = &[u8]> {
        self.names[kind as usize].iter().map(|name| &**name)
    }

    /// Adds a name; whether it is new.
    pub(super) fn insert(&mut self, kind: Kind, name: &[u8]) -> bool {
        let is_new = self.names[kind as usize].insert(name.into());
        self.name_bytes += if is_new { name.len() + NAME_OVERHEAD_BYTES } else { 0 };
        is_new
    }

    /// Takes a name away; whether it was there.
    pub(super) fn remove(&mut self, kind: Kind, name: &[u8]) -> bool {
        let was_there = self.names[kind as usize].remove(name);
        self.name_bytes -= if was_there { name.len() + NAME_OVERHEAD_BYTES } else { 0 };
        was_there
    }

    /// Memory the names take, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.name_bytes
    }

    /// Notes which names it is about to leave; none when that is over.
    pub(super) fn set_leaving(&mut self, kind: Option<Kind>, names: Vec<Box<[u8]>>) {
        self.leaving = (kind, names);
    }

    /// The names it is about to leave.
    pub(super) fn leaving(&self) -> (Option<Kind>, Vec<Box<[u8]>>) {
        self.leaving.clone()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.iter().all(BTreeSet::is_empty)
    }
}

/// Hashes names under the seed of the server, since clients choose them.
#[derive(Clone, Copy)]
struct Seeded(u64);

impl BuildHasher for Seeded {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        *self
    }
}

impl Hasher for Seeded {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = key_hash(self.0, bytes);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The sessions of a core by what they listen to.
pub(super) struct Listeners {
    names: [HashMap<Box<[u8]>, BTreeSet<SessionId>, Seeded>; KIND_COUNT],
}

impl Listeners {
    pub(super) fn new(seed: u64) -> Self {
        Self { names: std::array::from_fn(|_| HashMap::with_hasher(Seeded(seed))) }
    }

    /// The sessions that listen to a name. O(1).
    pub(super) fn of(&self, kind: Kind, name: &[u8]) -> impl Iterator<Item = SessionId> {
        self.names[kind as usize].get(name).into_iter().flatten().copied()
    }

    /// All names of a kind.
    pub(super) fn names(&self, kind: Kind) -> impl Iterator<Item = &[u8]> {
        self.names[kind as usize].keys().map(|name| &**name)
    }

    /// Lets a session listen to a name. O(log sessions of the name).
    pub(super) fn insert(&mut self, kind: Kind, name: &[u8], session: SessionId) {
        let names = &mut self.names[kind as usize];
        match names.get_mut(name) {
            Some(sessions) => sessions.insert(session),
            None => names.entry(name.into()).or_default().insert(session),
        };
    }

    /// Ends that. O(log sessions of the name).
    pub(super) fn remove(&mut self, kind: Kind, name: &[u8], session: SessionId) {
        let names = &mut self.names[kind as usize];
        let Some(sessions) = names.get_mut(name) else { return };
        sessions.remove(&session);
        if sessions.is_empty() {
            names.remove(name);
        }
    }
}
