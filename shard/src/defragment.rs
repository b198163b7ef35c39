//! Active defragmentation: what lies in nearly empty pages is moved, so that the pages can be given
//! back.
//!
//! A walk goes over all slots of a store in steps of one home bucket (some seven keys), as SCAN
//! does, and may be left and taken up at any step: the driver bounds each slice by a clock. What is
//! worth moving is the allocator's knowledge and comes in as [`Advice`]. Keys, buffers and
//! collections up to [`RELOCATED_VALUE_MAX`](crate::table::RELOCATED_VALUE_MAX) bytes are moved;
//! larger collections stay.
//!
//! Moving changes nothing that a client can see. Slots that leave while the walk goes on are walked
//! where they are, or by the next walk.

use crate::hash::HashSlot;
use crate::store::Store;
use crate::table::{Advice, Position, Relocated};

/// Where a walk stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    slot: u16,
    db: u32,
    position: Position,
    /// What it has done so far.
    pub relocated: Relocated,
}

impl Walk {
    /// Whether every slot has been walked.
    pub fn is_over(&self) -> bool {
        self.slot == HashSlot::COUNT
    }

    fn go_on_in_slot(&mut self, next_db: Option<u32>) {
        self.position = Position::START;
        match next_db {
            Some(db) => self.db = db,
            None => (self.slot, self.db) = (self.slot + 1, 0),
        }
    }
}

impl Store {
    /// One step of a walk, unless it is over: one bucket, or one slot that has nothing. Expected
    /// O(1), besides what is copied.
    pub fn defragment(&mut self, walk: &mut Walk, advice: &mut dyn Advice) {
        let Some(slot) = HashSlot::new(walk.slot) else { return };
        let Some(content) = self.slot_if_here(slot) else {
            walk.go_on_in_slot(None);
            return;
        };
        let next = match content.table_mut(walk.db) {
            Some(table) => table.relocate(walk.position, advice, &mut walk.relocated),
            None => None,
        };
        match next {
            Some(position) => walk.position = position,
            None => {
                let next_db = content.tables().map(|(db, _)| db).find(|db| *db > walk.db);
                walk.go_on_in_slot(next_db);
            }
        }
    }
}
