//! The keyspace of one core: the slots it holds and what commands need to work on them.
//!
//! Everything that changes keys goes through here, so that expiry, byte and key counts, and the
//! report of effects ([`Store::changed`]) are kept in one place. An expired key is gone for every
//! reader from the millisecond on, whether or not its memory was reclaimed yet.
//!
//! Key counts per database are kept as differences: a command that runs here on borrowed slots
//! counts here. The sum over all cores is right at any moment; the share of one core means nothing.

use std::sync::Arc;

use crate::clock::Now;
use crate::command::Command;
use crate::core::message::Route;
use crate::arguments::Arguments;
use crate::event::Event;
use crate::hash::{HashSlot, SLOT_COUNT, key_hash};
use crate::object::Object;
use crate::settings::Settings;
use crate::slot::Slot;
use crate::table::{Entry, Table};

/// A key of a command: its name, where it lives, and its hash.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The name.
    pub name: &'a [u8],
    /// Database.
    pub db: u32,
    /// Hash slot.
    pub slot: HashSlot,
    /// Hash of the name under this server's seed.
    pub hash: u64,
}

/// Counters of the keyspace for INFO.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyspaceStats {
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Keys removed because their time had come.
    pub expired: u64,
    /// Keys removed to make room.
    pub evicted: u64,
    /// Changes since the last save.
    pub changes: i64,
    /// Active expiry cycles that ran out of time.
    pub expire_cycles_capped: u64,
    /// Time spent in active expiry, in microseconds.
    pub expire_cycles_us: u64,
    /// Values handed to the background to be freed.
    pub lazy_freed: u64,
}

/// Keys of one database, as differences; see the module's head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseCount {
    /// Keys.
    pub keys: i64,
    /// Keys with an expiry.
    pub expiring: i64,
}

/// The slots of a core.
pub struct Store {
    slots: Box<[Option<Box<Slot>>]>,
    seed: u64,
    random_state: u64,
    now: Now,
    now_ms: i64,
    settings: Arc<Settings>,
    counts: Vec<(u32, DatabaseCount)>,
    /// Counters for INFO.
    pub stats: KeyspaceStats,
    /// Whether expired keys are removed without being asked for (`DEBUG SET-ACTIVE-EXPIRE`).
    pub active_expiry: bool,
    expiry_cursor: crate::expiry::Cursor,
    garbage: Vec<Box<dyn Send>>,
}

impl Store {
    /// A store that holds `owned`, all empty. `stream` makes the random choices of stores with the
    /// same seed differ.
    pub fn new(
        owned: impl Iterator<Item = HashSlot>,
        seed: u64,
        stream: u64,
        settings: Arc<Settings>,
    ) -> Self {
        let mut slots: Box<[Option<Box<Slot>>]> = (0..SLOT_COUNT).map(|_| None).collect();
        for slot in owned {
            slots[slot.index()] = Some(Box::new(Slot::new()));
        }
        Self {
            slots,
            seed,
            random_state: seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15),
            now: Now::default(),
            now_ms: 0,
            settings,
            counts: Vec::new(),
            stats: KeyspaceStats::default(),
            active_expiry: true,
            expiry_cursor: crate::expiry::Cursor::default(),
            garbage: Vec::new(),
        }
    }

    /// The time of this turn.
    pub fn now(&self) -> Now {
        self.now
    }

    /// Wall clock of this turn, milliseconds since 1970.
    #[inline]
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Starts a turn.
    pub fn set_now(&mut self, now: Now) {
        self.now = now;
        self.now_ms = now.unix_ms();
    }

    /// Settings of the commands.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Puts new settings in force.
    pub fn set_settings(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
    }

    /// The next number of this store's random sequence (SplitMix64, Steele et al. 2014).
    pub fn random(&mut self) -> u64 {
        self.random_state = self.random_state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random_state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Works out where a key lives.
    #[inline]
    pub fn key<'k>(&self, db: u32, name: &'k [u8]) -> Key<'k> {
        Key { name, db, slot: HashSlot::of_key(name), hash: key_hash(self.seed, name) }
    }

    /// Works out where the keys of a command live.
    #[inline]
    pub fn route(&self, row: &Command, arguments: Arguments<'_>) -> Route {
        row.route(arguments, |name| {
            (HashSlot::of_key(name), key_hash(self.seed, name))
        })
    }

    /// Brings the bucket of a key into the cache.
    #[inline]
    pub fn prefetch_bucket(&self, slot: HashSlot, hash: u64, db: u32) {
        if let Some(table) = self.table(slot, db) {
            table.prefetch_bucket(hash);
        }
    }

    /// Brings the entry of a key into the cache; its bucket should be there.
    #[inline]
    pub fn prefetch_entry(&self, slot: HashSlot, hash: u64, db: u32) {
        if let Some(table) = self.table(slot, db) {
            table.prefetch_entry(hash);
        }
    }

    /// Whether `slot` is here: owned and not lent, or borrowed.
    #[inline]
    pub fn has_slot(&self, slot: HashSlot) -> bool {
        self.slots[slot.index()].is_some()
    }

    /// Takes a slot out, to hand it to somebody.
    pub fn take_slot(&mut self, slot: HashSlot) -> Option<Box<Slot>> {
        self.slots[slot.index()].take()
    }

    /// Puts a slot in.
    pub fn put_slot(&mut self, slot: HashSlot, content: Box<Slot>) {
        let before = self.slots[slot.index()].replace(content);
        assert!(before.is_none(), "a slot is in one place");
    }

    /// The slots that are here, ascending.
    pub fn slots(&self) -> impl Iterator<Item = (HashSlot, &Slot)> {
        HashSlot::all().filter_map(|slot| Some((slot, self.slots[slot.index()].as_deref()?)))
    }

    /// The slot, which must be here.
    #[inline]
    pub fn slot_mut(&mut self, slot: HashSlot) -> &mut Slot {
        self.slots[slot.index()].as_deref_mut().expect("a command runs where its slots are")
    }

    /// The table of a database of a slot, if it is here and was ever written to.
    #[inline]
    pub fn table(&self, slot: HashSlot, db: u32) -> Option<&Table<Object>> {
        self.slots[slot.index()].as_deref()?.table(db)
    }
}
