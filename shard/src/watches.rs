//! WATCH: who wants to know that a key has changed, as the slot of the key knows them.
//!
//! All keys of one WATCH share a [`Watcher`], which is part of the slots of these keys and of the
//! session. The first change of any of them marks it, wherever that happens; EXEC, which has all
//! those slots at hand, looks at the mark.
//!
//! Invariant: a watcher stands at a key once, and is taken out when its session watches no more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// What a watched key takes besides its name, in bytes.
const KEY_OVERHEAD_BYTES: usize = 64;

/// The keys of one WATCH.
#[derive(Debug)]
pub struct Watcher {
    db: u32,
    names: Vec<Box<[u8]>>,
    is_touched: AtomicBool,
}

impl Watcher {
    /// Watches keys of a database; of those named twice, one.
    pub fn new<'a>(db: u32, names: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut names: Vec<Box<[u8]>> = names.map(Into::into).collect();
        names.sort_unstable();
        names.dedup();
        Self { db, names, is_touched: AtomicBool::new(false) }
    }

    /// Database of the keys.
    pub fn db(&self) -> u32 {
        self.db
    }

    /// Names of the keys, each once.
    pub fn names(&self) -> &[Box<[u8]>] {
        &self.names
    }

    /// Memory it takes, here and in the slots of its keys, in bytes.
    pub fn memory_bytes(&self) -> usize {
        let names: usize = self.names.iter().map(|name| 2 * name.len() + KEY_OVERHEAD_BYTES).sum();
        size_of::<Self>() + names
    }

    /// Whether any of the keys has changed.
    pub fn is_touched(&self) -> bool {
        self.is_touched.load(SeqCst)
    }

    /// Whether it watches this key.
    pub fn covers(&self, db: u32, name: &[u8]) -> bool {
        self.db == db && self.names.binary_search_by(|own| (**own).cmp(name)).is_ok()
    }

    fn touch(&self) {
        self.is_touched.store(true, SeqCst);
    }
}

/// All watchers of a slot.
#[derive(Default)]
pub struct Watches {
    databases: BTreeMap<u32, WatchedKeys>,
}

/// The watched keys of a database, and who watches each.
type WatchedKeys = BTreeMap<Box<[u8]>, Vec<Arc<Watcher>>>;

impl Watches {
    /// Whether no key of this slot is watched.
    pub fn is_empty(&self) -> bool {
        self.databases.is_empty()
    }

    /// Number of keys that are watched.
    pub fn key_count(&self) -> usize {
        self.databases.values().map(BTreeMap::len).sum()
    }

    /// The keys that are watched, by database.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.databases.iter().flat_map(|(db, names)| names.keys().map(|name| (*db, &**name)))
    }

    /// Lets a watcher watch a key.
    pub(crate) fn add(&mut self, name: &[u8], watcher: &Arc<Watcher>) {
        let names = self.databases.entry(watcher.db).or_default();
        names.entry(name.into()).or_default().push(Arc::clone(watcher));
    }

    /// Ends that. O(watchers of the key).
    pub(crate) fn remove(&mut self, name: &[u8], watcher: &Arc<Watcher>) {
        let Some(names) = self.databases.get_mut(&watcher.db) else { return };
        let Some(watchers) = names.get_mut(name) else { return };
        watchers.retain(|other| !Arc::ptr_eq(other, watcher));
        if watchers.is_empty() {
            names.remove(name);
        }
        if names.is_empty() {
            self.databases.remove(&watcher.db);
        }
    }

    /// Marks everyone who watches a key.
    pub(crate) fn touch(&self, db: u32, name: &[u8]) {
        let watchers = self.databases.get(&db).and_then(|names| names.get(name));
        watchers.into_iter().flatten().for_each(|watcher| watcher.touch());
    }
}
