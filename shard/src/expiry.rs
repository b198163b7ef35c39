//! Active expiry: keys whose time has come are removed though nobody asks for them.
//!
//! Every slot, and the store as a whole, knows a time before which none of its keys expires. So a
//! cycle on a store with nothing due is one comparison; otherwise it visits the slots where
//! something may be due, and there the table shows it only entries that have an expiry at all.
//!
//! A sweep of a slot may take several cycles. Its state is part of the slot, so it goes on wherever
//! the slot is. While it runs, the slot's bound is rebuilt from two sides: by what is set meanwhile
//! and by what the sweep saw and left.
//!
//! A cycle is bounded by work units, not by a clock, which makes it the same in every run; the
//! driver asks for another while there is time.

use crate::hash::HashSlot;
use crate::random::Random;
use crate::slot::Slot;
use crate::store::Store;
use crate::table::Position;

/// Keys looked at for the average time to live.
const TTL_SAMPLES: usize = 64;

/// How many of them lie in one slot.
const TTL_SAMPLES_PER_SLOT: usize = 8;

/// Where the sweep of a slot stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sweep {
    is_running: bool,
    db: u32,
    position: Position,
    /// Earliest expiry the sweep has seen and left.
    earliest_ms: i64,
}

/// Where a store's cycles stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    slot: u16,
    /// No key of the store expires before this.
    next_expiry_ms: i64,
    /// Slots left of the present round.
    slots_left: u16,
    /// Earliest bound of the slots the round has passed.
    earliest_ms: i64,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { slot: 0, next_expiry_ms: i64::MAX, slots_left: 0, earliest_ms: i64::MAX }
    }
}

impl Cursor {
    /// A key that expires at `expiry_ms` was set or came along with a slot.
    #[inline]
    pub(crate) fn note(&mut self, expiry_ms: i64) {
        self.next_expiry_ms = self.next_expiry_ms.min(expiry_ms);
    }

    /// No key that was noted, and no other of the store, expires before this.
    pub(crate) fn next_expiry_ms(&self) -> i64 {
        self.next_expiry_ms
    }
}

/// What a cycle did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cycle {
    /// Keys removed.
    pub expired: usize,
    /// Hash fields removed.
    pub expired_fields: usize,
    /// Whether it stopped because its work was used up, not because nothing was left.
    pub more: bool,
}

impl Slot {
    /// No key of the slot expires before this, in milliseconds since 1970.
    pub(crate) fn next_expiry_ms(&self) -> i64 {
        if self.sweep.is_running { i64::MIN } else { self.expiry_bound_ms }
    }

    /// A key that expires at `expiry_ms` was set.
    #[inline]
    pub(crate) fn note_expiry(&mut self, expiry_ms: i64) {
        self.expiry_bound_ms = self.expiry_bound_ms.min(expiry_ms);
    }

    fn begin_sweep(&mut self) {
        if !self.sweep.is_running {
            self.sweep =
                Sweep { is_running: true, db: 0, position: Position::START, earliest_ms: i64::MAX };
            self.expiry_bound_ms = i64::MAX;
        }
    }

    /// Goes on to the next database, or ends the sweep.
    fn end_table_sweep(&mut self) {
        let next = self.tables().map(|(db, _)| db).find(|db| *db > self.sweep.db);
        match next {
            Some(db) => (self.sweep.db, self.sweep.position) = (db, Position::START),
            None => {
                self.sweep.is_running = false;
                self.note_expiry(self.sweep.earliest_ms);
            }
        }
    }
}

impl Store {
    /// Looks at up to about `work` entries with an expiry and removes those whose time has come.
    pub fn expire_cycle(&mut self, work: usize) -> Cycle {
        let mut cycle = Cycle::default();
        if !self.active_expiry || self.is_paused || self.is_lent() {
            return cycle;
        }
        if self.expiry_cursor.slots_left == 0 {
            if self.expiry_cursor.next_expiry_ms >= self.now_ms() {
                return cycle;
            }
            self.expiry_cursor.next_expiry_ms = i64::MAX;
            self.expiry_cursor.earliest_ms = i64::MAX;
            self.expiry_cursor.slots_left = HashSlot::COUNT;
        }
        let mut work_left = work;
        while self.expiry_cursor.slots_left > 0 {
            if work_left == 0 {
                cycle.more = true;
                self.stats.expire_cycles_capped += 1;
                return cycle;
            }
            let slot = HashSlot::new(self.expiry_cursor.slot).expect("the cursor is in range");
            let field_ms = self.slot(slot).map_or(i64::MAX, Slot::first_field_deadline_ms);
            if field_ms < self.now_ms() {
                let (used, fields) = self.reclaim_due_hashes(slot, work_left);
                work_left = work_left.saturating_sub(used);
                cycle.expired_fields += fields;
                continue;
            }
            let next_ms = self.slot(slot).map_or(i64::MAX, Slot::next_expiry_ms).min(field_ms);
            if next_ms < self.now_ms() {
                let used = self.sweep_slot(slot, work_left, &mut cycle);
                work_left = work_left.saturating_sub(used);
                continue;
            }
            let cursor = &mut self.expiry_cursor;
            cursor.earliest_ms = cursor.earliest_ms.min(next_ms);
            cursor.slot = (cursor.slot + 1) % HashSlot::COUNT;
            cursor.slots_left -= 1;
        }
        let earliest_ms = self.expiry_cursor.earliest_ms;
        self.expiry_cursor.note(earliest_ms);
        cycle
    }

    /// Adds up the times to live, in milliseconds, of some keys of a database that expire, from a
    /// random slot on, and tells how many keys these are: all there are, if they are few. O(slots)
    /// where they are few.
    pub fn sample_ttl_ms(&mut self, db: u32) -> (i64, usize) {
        let (now_ms, mut random) = (self.now_ms(), Random::new(self.random()));
        let first = random.below(usize::from(HashSlot::COUNT));
        let (mut sum_ms, mut seen) = (0_i64, 0);
        for index in 0..usize::from(HashSlot::COUNT) {
            let index = (first + index) % usize::from(HashSlot::COUNT);
            let slot = HashSlot::new(index as u16).expect("the index is in range");
            let Some(table) = self.table(slot, db) else { continue };
            seen += table.sample_expiring(random.bits(), TTL_SAMPLES_PER_SLOT, |entry| {
                let left_ms = entry.expiry_ms().unwrap_or(now_ms).saturating_sub(now_ms);
                sum_ms = sum_ms.saturating_add(left_ms.max(0));
            });
            if seen >= TTL_SAMPLES {
                break;
            }
        }
        (sum_ms, seen)
    }

    /// Sweeps on in one slot; returns the work it took, at least 1.
    fn sweep_slot(&mut self, slot: HashSlot, work: usize, cycle: &mut Cycle) -> usize {
        let now_ms = self.now_ms();
        let content = self.slot_mut(slot);
        content.begin_sweep();
        let Sweep { db, position, .. } = content.sweep;
        let Some(table) = content.table(db) else {
            content.end_table_sweep();
            return 1;
        };
        let mut due = Vec::new();
        let swept =
            table.sweep_expired(position, now_ms, work, |entry| due.push(entry.key().to_vec()));
        let sweep = &mut content.sweep;
        sweep.earliest_ms = sweep.earliest_ms.min(swept.earliest_left_ms);
        match swept.next {
            Some(next) => sweep.position = next,
            None => content.end_table_sweep(),
        }
        cycle.expired += due.len();
        for name in &due {
            let key = self.key(db, name);
            self.expire(key);
        }
        swept.checked + 1
    }
}
