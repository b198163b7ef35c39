//! The keyspace of one core: the slots it holds and what commands need to work on them.
//!
//! Everything that changes keys goes through here, so that expiry, byte and key counts, and the
//! report of effects ([`Store::changed`]) are kept in one place. An expired key is gone for every
//! reader from the millisecond on, whether or not its memory was reclaimed yet.
//!
//! Key counts per database are kept as differences: a command that runs here on borrowed slots
//! counts here. The sum over all cores is right at any moment; the share of one core means nothing.

pub(crate) mod ahead;
mod databases;
mod disposal;
pub mod holding;
mod reports;

use std::collections::VecDeque;
use std::sync::Arc;

use self::holding::SlotList;
use crate::access::AccessClock;
use crate::acl::Acl;
use crate::arguments::Arguments;
use crate::clock::Now;
use crate::command::Command;
use crate::core::message::Route;
use crate::event::{Event, EventClasses};
use crate::field_expiry::{first_deadline_ms, first_deadline_of};
use crate::hash::{HashSlot, Seed, key_hash};
use crate::host::Garbage;
use crate::journal::Journal;
use crate::mutation::{self, Mutation};
use crate::news::News;
use crate::object::Object;
use crate::random::Random;
use crate::rdb::payload::ChecksumCheck;
use crate::settings::Settings;
use crate::slot::Slot;
use crate::snapshot::Snapshot;
use crate::table::{Entry, EntryMut, OldValue, OwnedEntry, Place, Record, Relocated, Table, Value};
use crate::trace;
use crate::types::Type;

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
    /// Hash fields removed because their time had come.
    pub expired_fields: u64,
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
    /// What defragmentation has moved and left.
    pub relocated: Relocated,
    /// Time spent on it, in microseconds.
    pub defragmentation_us: u64,
    /// Time spent on it in the present walk, in microseconds.
    pub defragmentation_now_us: u64,
}

impl KeyspaceStats {
    /// Adds the counters of another core.
    pub fn add(&mut self, other: &Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.expired += other.expired;
        self.expired_fields += other.expired_fields;
        self.evicted += other.evicted;
        self.changes += other.changes;
        self.expire_cycles_capped += other.expire_cycles_capped;
        self.expire_cycles_us += other.expire_cycles_us;
        self.lazy_freed += other.lazy_freed;
        self.relocated.add(&other.relocated);
        self.defragmentation_us += other.defragmentation_us;
        self.defragmentation_now_us += other.defragmentation_now_us;
    }

    /// `CONFIG RESETSTAT`; changes since the last save are no statistic.
    pub fn reset(&mut self) {
        *self = Self { changes: self.changes, ..Self::default() };
    }
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
    slots: SlotList,
    /// The empty list that takes the place of `slots` while they are lent as a whole.
    spare_slots: Option<SlotList>,
    /// Whether they are.
    is_lent: bool,
    seed: u64,
    random: Random,
    now: Now,
    now_ms: i64,
    is_loading: bool,
    settings: Arc<Settings>,
    acl: Arc<Acl>,
    counts: Vec<(u32, DatabaseCount)>,
    /// Counters for INFO.
    pub stats: KeyspaceStats,
    /// Share of its time that the core spends on defragmentation at present, in percent.
    pub defragmentation_percent: u32,
    /// Whether expired keys are removed without being asked for (`DEBUG SET-ACTIVE-EXPIRE`).
    pub active_expiry: bool,
    /// Whether clients are paused (`CLIENT PAUSE`), so that nothing changes: no key is evicted, and
    /// those whose time has come stay, invisible, unless a write meets them.
    pub(crate) is_paused: bool,
    /// Whether what runs is a command of a script.
    pub(crate) is_scripted: bool,
    /// From how many bytes on an element of a list gets a node of its own, if that is less than the
    /// settings say (`DEBUG QUICKLIST-PACKED-THRESHOLD`).
    pub(crate) large_element_bytes: u64,
    /// Whether RESTORE looks at the checksums of payloads.
    pub(crate) payload_checksums: ChecksumCheck,
    pub(crate) expiry_cursor: crate::expiry::Cursor,
    garbage: Vec<Garbage>,
    garbage_bytes: usize,
    slots_received: u64,
    access: AccessClock,
    pub(crate) journal: Journal,
    /// The snapshot this core takes part in.
    pub(crate) snapshot: Option<Box<Snapshot>>,
    /// Slots with keys that somebody waits for and that changed, in order.
    pub(crate) ready_slots: VecDeque<HashSlot>,
    /// Who wants to hear of changes, and what there is to tell.
    pub(crate) news: News,
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
        let mut slots = holding::empty_list();
        for slot in owned {
            slots[slot.index()] = Some(Box::new(Slot::new(Seed(seed))));
        }
        let mut access = AccessClock::default();
        access.apply(&settings);
        let mut news = News::default();
        news.apply(&settings);
        Self {
            slots,
            spare_slots: None,
            is_lent: false,
            seed,
            random: Random::new(seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            now: Now::default(),
            now_ms: 0,
            is_loading: false,
            settings,
            acl: Arc::default(),
            counts: Vec::new(),
            stats: KeyspaceStats::default(),
            defragmentation_percent: 0,
            active_expiry: true,
            is_paused: false,
            is_scripted: false,
            large_element_bytes: u64::MAX,
            payload_checksums: ChecksumCheck::Done,
            expiry_cursor: crate::expiry::Cursor::default(),
            garbage: Vec::new(),
            garbage_bytes: 0,
            slots_received: 0,
            access,
            journal: Journal::default(),
            snapshot: None,
            ready_slots: VecDeque::new(),
            news,
        }
    }

    /// A store like this one, at the same time, without slots: for a thread that fills some.
    pub fn sibling(&self) -> Self {
        let settings = Arc::clone(&self.settings);
        let mut sibling = Self::new(std::iter::empty(), self.seed, u64::MAX, settings);
        sibling.acl = Arc::clone(&self.acl);
        sibling.is_loading = self.is_loading;
        sibling.set_now(self.now);
        sibling
    }

    /// The time of this turn.
    pub fn now(&self) -> Now {
        self.now
    }

    /// What deadlines are compared with, milliseconds since 1970: the wall clock of this turn,
    /// unless commands come from a file (see [`Store::set_loading`]).
    #[inline]
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Starts a turn.
    pub fn set_now(&mut self, now: Now) {
        self.now = now;
        self.now_ms = if self.is_loading { 0 } else { now.unix_ms() };
        self.access.set_seconds(now.unix_seconds());
    }

    /// Says whether commands come from a file rather than from clients. For them time stands still
    /// at 0, so that nothing expires but by what the file says. Lifetimes they give count from
    /// [`Store::now`] all the same.
    pub fn set_loading(&mut self, is_loading: bool) {
        self.is_loading = is_loading;
        self.set_now(self.now);
    }

    /// Whether commands come from a file.
    pub(crate) fn is_loading(&self) -> bool {
        self.is_loading
    }

    /// Settings of the commands.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// All users.
    pub fn acl(&self) -> &Arc<Acl> {
        &self.acl
    }

    /// Puts other users in force.
    pub fn set_acl(&mut self, acl: Arc<Acl>) {
        self.acl = acl;
    }

    /// Puts new settings in force.
    pub fn set_settings(&mut self, settings: Arc<Settings>) {
        self.access.apply(&settings);
        self.news.apply(&settings);
        self.settings = settings;
    }

    /// The next number of this store's random sequence.
    pub fn random(&mut self) -> u64 {
        self.random.bits()
    }

    /// The seed of all hashes of this server.
    pub(crate) fn seed(&self) -> Seed {
        Seed(self.seed)
    }

    /// Works out where a key lives.
    #[inline]
    pub fn key<'k>(&self, db: u32, name: &'k [u8]) -> Key<'k> {
        Key { name, db, slot: HashSlot::of_key(name), hash: key_hash(self.seed, name) }
    }

    /// Works out where the keys of a command live.
    #[inline]
    pub fn route(&self, row: &Command, arguments: Arguments<'_>) -> Route {
        row.route(arguments, |name| (HashSlot::of_key(name), key_hash(self.seed, name)))
    }

    /// Brings what a lookup reads of a slot into the cache; what a change writes too, if `changes`.
    #[inline]
    pub fn prefetch_slot(&self, slot: HashSlot, changes: bool) {
        if let Some(slot) = &self.slots[slot.index()] {
            slot.prefetch(changes);
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
        self.expiry_cursor.note(content.next_expiry_ms());
        self.expiry_cursor.note(content.first_field_deadline_ms());
        if content.observers.as_deref().is_some_and(|observers| observers.waits.has_ready()) {
            self.ready_slots.push_back(slot);
        }
        self.note_slot_for_snapshot(&content);
        let before = self.slots[slot.index()].replace(content);
        assert!(before.is_none(), "a slot is in one place");
        self.slots_received += 1;
    }

    /// Takes slots in that were filled elsewhere, in place of those that are here, and the keys
    /// they bring into account.
    ///
    /// # Panics
    /// If a slot that is here is not empty.
    pub fn adopt(&mut self, slots: Vec<(HashSlot, Box<Slot>)>, counts: &[(u32, DatabaseCount)]) {
        for (number, content) in slots {
            let before = self.take_slot(number).expect("only slots that are here are replaced");
            assert!(before.tables().all(|(_, table)| table.is_empty()), "nothing gets lost");
            self.put_slot(number, content);
        }
        for (db, count) in counts {
            self.count(*db, count.keys, count.expiring);
        }
    }

    /// The slots that are here, ascending.
    pub fn slots(&self) -> impl Iterator<Item = (HashSlot, &Slot)> {
        HashSlot::all().filter_map(|slot| Some((slot, self.slots[slot.index()].as_deref()?)))
    }

    /// The slot, if it is here.
    #[inline]
    pub fn slot(&self, slot: HashSlot) -> Option<&Slot> {
        self.slots[slot.index()].as_deref()
    }

    /// The slots that are here, for change.
    pub(crate) fn slots_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut().filter_map(|slot| slot.as_deref_mut())
    }

    /// What writing a slot's keys into the snapshot takes.
    pub(crate) fn snapshot_parts(
        &mut self,
        slot: HashSlot,
    ) -> (Option<&mut Snapshot>, Option<&mut Slot>, &AccessClock) {
        let slot = self.slots[slot.index()].as_deref_mut();
        (self.snapshot.as_deref_mut(), slot, &self.access)
    }

    /// The slot, which must be here.
    #[inline]
    pub fn slot_mut(&mut self, slot: HashSlot) -> &mut Slot {
        self.slots[slot.index()].as_deref_mut().expect("a command runs where its slots are")
    }

    /// The slot for change, if it is here.
    pub(crate) fn slot_if_here(&mut self, slot: HashSlot) -> Option<&mut Slot> {
        self.slots[slot.index()].as_deref_mut()
    }

    /// The table of a database of a slot, if it is here and was ever written to.
    #[inline]
    pub fn table(&self, slot: HashSlot, db: u32) -> Option<&Table<Object>> {
        self.slots[slot.index()].as_deref()?.table(db)
    }
}

/// How a read is noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Counts as a hit or a miss and as a use of the key.
    Read,
    /// Counts as a hit or a miss; the key's access bits stay (`CLIENT NO-TOUCH`).
    ReadQuietly,
    /// The same, and nobody is told of a miss (`OBJECT`).
    ReadUnheard,
    /// Leaves no trace (`OBJECT`, `TTL`, `TYPE`...).
    Peek,
}

impl Store {
    fn table_mut(&mut self, slot: HashSlot, db: u32) -> Option<&mut Table<Object>> {
        self.slots[slot.index()].as_deref_mut()?.table_mut(db)
    }

    /// The entry of a key for reading, unless it is missing or expired.
    #[inline]
    pub fn find(&mut self, key: Key<'_>, access: Access) -> Option<Entry<'_, Object>> {
        // Where nothing expires, the lookup need not come in two halves.
        let place = if self.may_expire(key) { Some(self.locate_to_read(key)) } else { None };
        let table = self.slots[key.slot.index()].as_deref().and_then(|slot| slot.table(key.db));
        let found = table.and_then(|table| match place {
            Some(place) => Some(table.at(key.hash, place?)),
            None => table.get(key.hash, key.name),
        });
        let Some(entry) = found else {
            if access != Access::Peek {
                self.stats.misses += 1;
                if access != Access::ReadUnheard && self.news.wants(EventClasses::KEY_MISS) {
                    self.news.publish_event(key, "keymiss");
                }
            }
            return None;
        };
        match access {
            Access::Peek => {}
            Access::ReadQuietly | Access::ReadUnheard => self.stats.hits += 1,
            Access::Read => {
                self.stats.hits += 1;
                entry.set_lru_bits(self.access.read(entry.lru_bits()));
            }
        }
        Some(entry)
    }

    /// The entry of a key for change, unless it is missing or expired.
    #[inline]
    pub fn find_mut(&mut self, key: Key<'_>) -> Option<EntryMut<'_, Object, Seed>> {
        let place = self.locate(key)?;
        self.preserve(key);
        let table = self.slots[key.slot.index()].as_deref_mut()?.table_mut(key.db)?;
        let entry = table.at_mut(key.hash, place);
        let view = entry.as_entry();
        view.set_lru_bits(self.access.changed(view.lru_bits()));
        Some(entry)
    }

    /// Whether the key is there.
    pub fn exists(&mut self, key: Key<'_>) -> bool {
        self.find(key, Access::Peek).is_some()
    }

    /// Stores a value under a key, overwriting whatever was there. Returns whether there was
    /// something. Reports nothing: see [`Store::changed`].
    pub fn set(
        &mut self,
        key: Key<'_>,
        kind: Type,
        value: Value<'_, Object>,
        expiry_ms: Option<i64>,
    ) -> bool {
        self.remove_if_expired(key);
        let record =
            Record { kind: kind.kind(), lru_bits: self.written_lru_bits(key), expiry_ms, value };
        self.insert(key, record)
    }

    /// Stores what an entry held under another name: its value, expiry and access bits.
    pub fn put_renamed(&mut self, key: Key<'_>, mut entry: OwnedEntry<Object>) {
        self.remove_if_expired(key);
        let view = entry.as_entry();
        let (kind, lru_bits, expiry_ms) = (view.kind(), view.lru_bits(), view.expiry_ms());
        let record = Record { kind, lru_bits, expiry_ms, value: entry.take_value() };
        // What was there counts as removed before.
        if self.insert(key, record) {
            self.note_new(key);
        }
    }

    fn insert(&mut self, key: Key<'_>, record: Record<'_, Object>) -> bool {
        self.preserve(key);
        let expiry_ms = record.expiry_ms;
        let new_field_ms = match &record.value {
            Value::Object(object) => first_deadline_ms(object),
            _ => None,
        };
        let table = self.slot_mut(key.slot).table_or_new(key.db);
        let expiring_before = table.expiring_len();
        let old = table.insert(key.hash, key.name, record);
        let expiring = table.expiring_len() as i64 - expiring_before as i64;
        self.note_expiry(key.slot, expiry_ms);
        let old_field_ms = match &old {
            Some(OldValue::Object(object)) => first_deadline_ms(object),
            _ => None,
        };
        if old_field_ms != new_field_ms {
            self.move_field_deadline(key, old_field_ms, new_field_ms);
        }
        self.count(key.db, i64::from(old.is_none()), expiring);
        let existed = old.is_some();
        if !existed {
            self.note_new(key);
        }
        if let Some(old) = old
            && self.settings.lazyfree_lazy_server_del
        {
            self.dispose_value(old);
        }
        existed
    }

    /// Puts an entry that was taken from elsewhere under a key of the same name.
    pub fn put_entry(&mut self, key: Key<'_>, entry: OwnedEntry<Object>) {
        self.preserve(key);
        let expiry_ms = entry.as_entry().expiry_ms();
        let new_field_ms = first_deadline_of(entry.as_entry().value());
        let table = self.slot_mut(key.slot).table_or_new(key.db);
        let expiring_before = table.expiring_len();
        let old = table.insert_entry(key.hash, entry);
        let expiring = table.expiring_len() as i64 - expiring_before as i64;
        self.note_expiry(key.slot, expiry_ms);
        self.count(key.db, i64::from(old.is_none()), expiring);
        self.note_new(key);
        let old_field_ms = old.as_ref().and_then(|old| first_deadline_of(old.as_entry().value()));
        if old_field_ms != new_field_ms {
            self.move_field_deadline(key, old_field_ms, new_field_ms);
        }
        if let Some(old) = old
            && self.settings.lazyfree_lazy_server_del
        {
            self.dispose_entry(old);
        }
    }

    /// Sets or clears the expiry of a key that is there.
    pub fn set_expiry(&mut self, key: Key<'_>, expiry_ms: Option<i64>) {
        self.preserve(key);
        let Some(table) = self.table_mut(key.slot, key.db) else { return };
        let before = table.expiring_len();
        if let Some(mut entry) = table.get_mut(key.hash, key.name) {
            entry.set_expiry_ms(expiry_ms);
        }
        let expiring = table.expiring_len() as i64 - before as i64;
        self.note_expiry(key.slot, expiry_ms);
        self.count(key.db, 0, expiring);
    }

    /// Removes a key and frees its value; large values are freed in the background when `lazily`.
    /// Returns whether it was there.
    pub fn remove(&mut self, key: Key<'_>, lazily: bool) -> bool {
        let Some(entry) = self.take(key) else { return false };
        if lazily {
            self.dispose_entry(entry);
        }
        true
    }

    /// Removes a key and returns its entry.
    pub fn take(&mut self, key: Key<'_>) -> Option<OwnedEntry<Object>> {
        self.remove_if_expired(key);
        self.take_entry(key)
    }

    pub(crate) fn take_entry(&mut self, key: Key<'_>) -> Option<OwnedEntry<Object>> {
        self.preserve(key);
        let slot = self.slots[key.slot.index()].as_deref_mut()?;
        let entry = slot.table_mut(key.db)?.remove(key.hash, key.name)?;
        slot.let_go_if_empty(key.db);
        let expiring = i64::from(entry.as_entry().expiry_ms().is_some());
        self.count(key.db, -1, -expiring);
        let field_ms = first_deadline_of(entry.as_entry().value());
        if field_ms.is_some() {
            self.move_field_deadline(key, field_ms, None);
        }
        Some(entry)
    }

    /// Where the entry of a key is, unless it is missing. Removes it if its time has come, and
    /// fields of a hash whose time has come. The one lookup of whoever needs the entry.
    #[inline]
    fn locate(&mut self, key: Key<'_>) -> Option<Place> {
        if self.slot(key.slot)?.first_field_deadline_ms() < self.now_ms {
            self.reclaim_looked_up(key);
        }
        let (place, entry) = self.table(key.slot, key.db)?.locate(key.hash, key.name)?;
        let grace_ms = i64::from(mutation::is_on(Mutation::ExpiredSeen));
        if entry.expiry_ms().is_some_and(|at_ms| at_ms < self.now_ms - grace_ms) {
            self.expire(key);
            return None;
        }
        Some(place)
    }

    /// The same for a reader, who removes nothing while clients are paused.
    #[inline]
    fn locate_to_read(&mut self, key: Key<'_>) -> Option<Place> {
        match self.is_paused {
            false => self.locate(key),
            true => self.locate_unexpired(key),
        }
    }

    #[cold]
    fn locate_unexpired(&self, key: Key<'_>) -> Option<Place> {
        let (place, entry) = self.table(key.slot, key.db)?.locate(key.hash, key.name)?;
        let is_expired = entry.expiry_ms().is_some_and(|at_ms| at_ms < self.now_ms);
        (!is_expired).then_some(place)
    }

    /// Removes a key whose time has come, and fields of a hash whose time has come, for those who
    /// do not need the entry: without a lookup where nothing expires.
    #[inline]
    pub(crate) fn remove_if_expired(&mut self, key: Key<'_>) {
        if self.may_expire(key) {
            let _ = self.locate(key);
        }
    }

    /// Whether a key may have to be removed, or fields of it, for all that is known without a
    /// lookup.
    #[inline]
    fn may_expire(&self, key: Key<'_>) -> bool {
        self.slot(key.slot).is_some_and(|slot| {
            slot.first_field_deadline_ms() < self.now_ms
                || slot.table(key.db).is_some_and(|table| table.expiring_len() > 0)
        })
    }

    /// Removes a key because its time has come.
    #[cold]
    pub(crate) fn expire(&mut self, key: Key<'_>) {
        let Some(entry) = self.take_entry(key) else { return };
        self.stats.expired += 1;
        let lazily = self.settings.lazyfree_lazy_expire;
        self.changed_by_itself(key, Event::Expired);
        if !mutation::is_on(Mutation::ExpiryUntold) {
            self.journal_removal(key, lazily);
        }
        self.stats.changes += 1;
        if lazily {
            self.dispose_entry(entry);
        }
    }

    fn note_expiry(&mut self, slot: HashSlot, expiry_ms: Option<i64>) {
        if let Some(expiry_ms) = expiry_ms {
            self.expiry_cursor.note(expiry_ms);
            self.slot_mut(slot).note_expiry(expiry_ms);
        }
    }

    /// Access bits of a key that is written now. A counter survives its key being overwritten.
    #[inline]
    fn written_lru_bits(&mut self, key: Key<'_>) -> u32 {
        if !self.access.counts_uses() {
            return self.access.fresh();
        }
        match self.entry(key).map(Entry::lru_bits) {
            Some(bits) => self.access.changed(bits),
            None => self.access.fresh(),
        }
    }

    /// The entry of a key, expired or not, without a trace.
    pub(crate) fn entry(&self, key: Key<'_>) -> Option<Entry<'_, Object>> {
        self.table(key.slot, key.db)?.get(key.hash, key.name)
    }

    /// Removes a key to make room.
    pub(crate) fn evict(&mut self, key: Key<'_>) {
        let Some(entry) = self.take_entry(key) else { return };
        self.stats.evicted += 1;
        trace::note_evicted(key.db, key.name);
        let lazily = self.settings.lazyfree_lazy_eviction;
        self.changed_by_itself(key, Event::Evicted);
        if !mutation::is_on(Mutation::EvictionUntold) {
            self.journal_removal(key, lazily);
        }
        if lazily {
            self.dispose_entry(entry);
        }
    }

    /// How many slots were put in since the start.
    pub(crate) fn slots_received(&self) -> u64 {
        self.slots_received
    }

    /// The use counter in the access bits of a key by now, under an LFU policy.
    pub fn use_counter(&self, lru_bits: u32) -> u32 {
        self.access.counter(lru_bits)
    }

    /// Makes a key that is there look as if it had not been used for so many seconds; under an LFU
    /// policy, which does not keep that, nothing happens.
    pub fn set_idle_seconds(&mut self, key: Key<'_>, seconds: i64) {
        if self.access.counts_uses() {
            return;
        }
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        self.set_lru_bits(key, self.access.idle_for(seconds));
    }

    /// Sets the use counter of a key that is there; without an LFU policy nothing happens.
    pub fn set_use_counter(&mut self, key: Key<'_>, counter: u8) {
        if self.access.counts_uses() {
            self.set_lru_bits(key, self.access.with_counter(counter));
        }
    }

    fn set_lru_bits(&mut self, key: Key<'_>, bits: u32) {
        if let Some(entry) = self.entry(key) {
            entry.set_lru_bits(bits);
        }
    }

    /// Seconds since the use (or change) that the access bits of a key tell of, under any policy
    /// but LFU.
    pub fn idle_seconds(&self, lru_bits: u32) -> u32 {
        self.access.idle_seconds(lru_bits)
    }

    /// Bytes of tables beyond the entries in them: what INFO calls overhead.
    pub fn overhead_bytes(&self) -> usize {
        self.slots.iter().flatten().count() * size_of::<Slot>()
    }
}
