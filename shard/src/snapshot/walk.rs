//! The walk over the slots of a core, and what is written ahead of it.
//!
//! Within a table the walk follows the order of hashes, as SCAN does: what lies before its position
//! is written, what lies behind is not, but for the hashes in `ahead`. Positions are compared for
//! every single key, since a merge of two segments may show keys of one step again.
//!
//! ```text
//! slot:   | finished: the last snapshot it was written for |
//!         | walk, once begun:  part for db 3, part for db 0  |    the last one is walked
//! part:   | db at the cut | table | position | ahead |
//! table:  Live(db as it is called now), or Detached: flushed, and kept until it is written
//! ```
//!
//! A slot's walk begins when the walker comes to it or when its first key changes, whichever is
//! first: until then nothing in it has changed since the cut.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use super::{Snapshot, SnapshotOrder, WalkState};
use std::time::Duration;

use crate::access::AccessClock;
use crate::field_expiry::{has_content, position_of};
use crate::hash::{HashSlot, KeyHasher, Seed};
use crate::mutation::{self, Mutation};
use crate::object::Object;
use crate::slot::Slot;
use crate::store::{Key, Store};
use crate::table::{Position, Table};

/// What looking at a slot, or at a bucket, counts in terms of bytes written: about the same time.
const STEP_COST_BYTES: u64 = 16;

/// Where a slot stands in snapshots.
#[derive(Default)]
pub(crate) struct SlotSnapshot {
    /// The last snapshot it was finished for.
    finished: u32,
    walk: Option<Box<SlotWalk>>,
}

/// A slot's walk under way.
struct SlotWalk {
    number: u32,
    /// Tables that are not finished.
    parts: Vec<TableWalk>,
}

struct TableWalk {
    /// The number the database had at the cut.
    db: u32,
    source: Source,
    position: Position,
    /// Hashes behind the position whose keys are written already, or were not there at the cut.
    ahead: HashSet<u64, BuildHasherDefault<AsItIs>>,
}

enum Source {
    /// The table of the database that has this number now.
    Live(u32),
    /// A table that was flushed.
    Detached(Table<Object>),
}

/// A hasher for what is a hash already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are kept, which are numbers");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Slot {
    /// The walk of a snapshot in this slot, begun if need be; `None` if it is finished.
    fn snapshot_walk(&mut self, number: u32) -> Option<&mut SlotWalk> {
        if self.snapshot.finished == number {
            return None;
        }
        if self.snapshot.walk.as_ref().is_none_or(|walk| walk.number != number) {
            let tables = self.tables().filter(|(_, table)| !table.is_empty());
            let parts = tables
                .map(|(db, _)| TableWalk {
                    db,
                    source: Source::Live(db),
                    position: Position::START,
                    ahead: HashSet::default(),
                })
                .collect();
            self.snapshot.walk = Some(Box::new(SlotWalk { number, parts }));
        }
        self.snapshot.walk.as_deref_mut()
    }

    /// The walk of a database's table that is not finished, by its present number.
    fn table_walk(&mut self, number: u32, db: u32) -> Option<&mut TableWalk> {
        let walk = self.snapshot_walk(number)?;
        walk.parts.iter_mut().find(|part| matches!(part.source, Source::Live(now) if now == db))
    }

    /// Takes a flushed table over if its walk is not finished; else gives it back.
    fn detach(&mut self, number: u32, db: u32, table: Table<Object>) -> Option<Table<Object>> {
        match self.table_walk(number, db) {
            Some(part) => {
                part.source = Source::Detached(table);
                None
            }
            None => Some(table),
        }
    }

    /// Two databases are exchanged.
    fn swap_walks(&mut self, number: u32, one: u32, other: u32) {
        let Some(walk) = self.snapshot_walk(number) else { return };
        for part in &mut walk.parts {
            if let Source::Live(db) = &mut part.source {
                *db = match *db {
                    db if db == one => other,
                    db if db == other => one,
                    db => db,
                };
            }
        }
    }
}

impl Snapshot {
    /// Writes a key that is about to change, or to be made, unless that is done.
    fn write_ahead(&mut self, slot: &mut Slot, key: Key<'_>, seed: Seed, access: &AccessClock) {
        let Some(part) = slot.table_walk(self.number, key.db) else { return };
        if position_of(key.hash) < part.position || !part.ahead.insert(key.hash) {
            return;
        }
        let db = part.db;
        let Some(table) = slot.table(key.db) else { return };
        // All keys of the hash at once, for the hash is what is remembered.
        table.scan(position_of(key.hash), |entry| {
            if seed.hash(entry.key()) == key.hash && has_content(entry, self.cut_ms) {
                self.write(db, entry, access);
            }
        });
    }

    /// Goes on in one slot until about `budget_bytes`, before compression, are written or the slot
    /// is finished. Returns what that cost, and tables that are to be freed.
    fn walk_slot(
        &mut self,
        slot: &mut Slot,
        seed: Seed,
        access: &AccessClock,
        budget_bytes: u64,
    ) -> (u64, Vec<Table<Object>>) {
        let (mut cost, mut freed) = (STEP_COST_BYTES, Vec::new());
        slot.snapshot_walk(self.number);
        let Some(mut walk) = slot.snapshot.walk.take() else { return (cost, freed) };
        while let Some(part) = walk.parts.last_mut() {
            if cost >= budget_bytes {
                slot.snapshot.walk = Some(walk);
                return (cost, freed);
            }
            let before = self.writer.worked_bytes();
            let next = self.walk_bucket(slot, part, seed, access);
            cost += STEP_COST_BYTES + (self.writer.worked_bytes() - before);
            if self.key_delay_us > 0 {
                cost = budget_bytes;
            }
            match next {
                Some(position) => part.position = position,
                None => {
                    let part = walk.parts.pop().expect("it is the one at hand");
                    if let Source::Detached(table) = part.source {
                        freed.push(table);
                    }
                }
            }
        }
        slot.snapshot.finished = self.number;
        self.writer.sink().slot_done();
        (cost, freed)
    }

    /// Writes what is left to write of one bucket; returns where to go on.
    fn walk_bucket(
        &mut self,
        slot: &Slot,
        part: &TableWalk,
        seed: Seed,
        access: &AccessClock,
    ) -> Option<Position> {
        let table = match &part.source {
            Source::Live(db) => slot.table(*db)?,
            Source::Detached(table) => table,
        };
        table.scan(part.position, |entry| {
            let hash = seed.hash(entry.key());
            let is_due = position_of(hash) >= part.position && !part.ahead.contains(&hash);
            if is_due && has_content(entry, self.cut_ms) {
                self.write(part.db, entry, access);
                self.next_us = self.next_us.saturating_add(self.key_delay_us);
            }
        })
    }
}

impl Store {
    /// Makes the cut at this core: what is in the slots now is what the snapshot will hold. To be
    /// called at all cores within one parking tour. A snapshot under way is given up.
    pub fn begin_snapshot(&mut self, order: SnapshotOrder) {
        self.snapshot = Some(Box::new(Snapshot::new(order, self.now_ms())));
    }

    /// Whether a snapshot is being written.
    pub fn has_snapshot(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Has a key written that is about to change, while a snapshot is being made.
    #[inline]
    pub(crate) fn preserve(&mut self, key: Key<'_>) {
        if self.snapshot.is_some() && !mutation::is_on(Mutation::PreimageMissed) {
            self.preserve_now(key);
        }
    }

    #[cold]
    fn preserve_now(&mut self, key: Key<'_>) {
        let seed = self.seed();
        let (snapshot, slot, access) = self.snapshot_parts(key.slot);
        if let (Some(snapshot), Some(slot)) = (snapshot, slot) {
            snapshot.write_ahead(slot, key, seed, access);
        }
    }

    /// A table was flushed: the snapshot keeps it if it has not written all of it.
    pub(crate) fn preserve_flushed(
        &mut self,
        slot: HashSlot,
        db: u32,
        table: Table<Object>,
    ) -> Option<Table<Object>> {
        let (Some(snapshot), Some(content), _) = self.snapshot_parts(slot) else {
            return Some(table);
        };
        content.detach(snapshot.number, db, table)
    }

    /// Has the walks of all slots here begun: their tables are about to be taken out.
    pub(crate) fn begin_walks(&mut self) {
        let Some(number) = self.snapshot.as_ref().map(|snapshot| snapshot.number) else { return };
        for slot in self.slots_mut() {
            slot.snapshot_walk(number);
        }
    }

    /// Two databases are exchanged: the walks follow.
    pub(crate) fn swap_walks(&mut self, one: u32, other: u32) {
        let Some(number) = self.snapshot.as_ref().map(|snapshot| snapshot.number) else { return };
        for slot in self.slots_mut() {
            slot.swap_walks(number, one, other);
        }
    }

    /// Goes on with the snapshot for about `budget_bytes`, before compression, or until there is
    /// nothing to do.
    pub fn walk_snapshot(&mut self, budget_bytes: u64) -> WalkState {
        let now_us = self.now().monotonic_us;
        let is_lent = self.is_lent();
        let Some(snapshot) = self.snapshot.as_deref_mut() else { return WalkState::None };
        if is_lent {
            // A round without the slots would take them for finished.
            return WalkState::Waiting;
        }
        if snapshot.writer.sink().is_abandoned() {
            self.abandon_snapshot();
            return WalkState::None;
        }
        if snapshot.writer.sink().all_slots_done() {
            self.finish_snapshot();
            return WalkState::None;
        }
        if snapshot.next_us > now_us || !snapshot.writer.sink().has_room() {
            return WalkState::Waiting;
        }
        snapshot.next_us = now_us;
        let mut left = budget_bytes;
        while self.snapshot.as_ref().is_some_and(|snapshot| snapshot.next_us <= now_us) {
            match self.walk_next_slot(left) {
                Some(cost) if cost < left => left -= cost,
                Some(_) => return WalkState::Busy,
                None => break,
            }
        }
        WalkState::Waiting
    }

    /// Writes all there is in the slots here, and ends this core's part. Takes as long as it takes,
    /// and `rdb-key-save-delay` if that is asked for: nobody is served meanwhile, as in Redis.
    pub fn write_snapshot(&mut self) {
        while let Some(snapshot) = self.snapshot.as_deref_mut() {
            let delay_us = std::mem::take(&mut snapshot.next_us);
            if delay_us > 0 {
                std::thread::sleep(Duration::from_micros(delay_us));
            }
            if self.walk_next_slot(u64::MAX).is_none() {
                break;
            }
        }
        self.finish_snapshot();
    }

    /// Whether the walk would do something now.
    pub fn snapshot_state(&mut self) -> WalkState {
        let (now_us, is_lent) = (self.now().monotonic_us, self.is_lent());
        let Some(snapshot) = self.snapshot.as_deref_mut() else { return WalkState::None };
        if is_lent {
            return WalkState::Waiting;
        }
        let is_round = snapshot.idle_slots >= HashSlot::COUNT;
        let sink = snapshot.writer.sink();
        let may_end = sink.is_abandoned() || sink.all_slots_done();
        let may_walk = !is_round && sink.has_room() && snapshot.next_us <= now_us;
        if may_end || may_walk { WalkState::Busy } else { WalkState::Waiting }
    }

    /// Goes on in the slot the walk is at. Returns what that cost, or `None` if no slot that is
    /// here has anything left to write.
    fn walk_next_slot(&mut self, budget_bytes: u64) -> Option<u64> {
        let seed = self.seed();
        let snapshot = self.snapshot.as_deref_mut()?;
        if snapshot.idle_slots >= HashSlot::COUNT {
            return None;
        }
        let slot = HashSlot::new(snapshot.cursor).expect("the cursor is in range");
        let (snapshot, content, access) = self.snapshot_parts(slot);
        let snapshot = snapshot.expect("it was there above");
        let mut is_finished = true;
        let (mut cost, mut freed) = (1, Vec::new());
        match content {
            Some(content) if content.snapshot.finished != snapshot.number => {
                (cost, freed) = snapshot.walk_slot(content, seed, access, budget_bytes);
                is_finished = content.snapshot.finished == snapshot.number;
                snapshot.idle_slots = 0;
            }
            _ => snapshot.idle_slots += 1,
        }
        if is_finished {
            snapshot.cursor = (snapshot.cursor + 1) % HashSlot::COUNT;
        }
        for table in freed {
            let bytes = table.bytes();
            self.discard(Box::new(table), bytes);
        }
        Some(cost)
    }

    /// A slot comes here: the walk looks round once more if it is not finished.
    #[inline]
    pub(crate) fn note_slot_for_snapshot(&mut self, slot: &Slot) {
        if let Some(snapshot) = &mut self.snapshot
            && slot.snapshot.finished != snapshot.number
        {
            snapshot.idle_slots = 0;
        }
    }

    fn finish_snapshot(&mut self) {
        if let Some(mut snapshot) = self.snapshot.take() {
            snapshot.send_last();
        }
    }

    /// Nobody wants the snapshot any more: what the slots here keep for it goes.
    fn abandon_snapshot(&mut self) {
        self.snapshot = None;
        let walks: Vec<_> = self.slots_mut().filter_map(|slot| slot.snapshot.walk.take()).collect();
        for part in walks.into_iter().flat_map(|walk| walk.parts) {
            if let Source::Detached(table) = part.source {
                let bytes = table.bytes();
                self.discard(Box::new(table), bytes);
            }
        }
    }
}
