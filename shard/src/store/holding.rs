//! All slots of a core at once, on their way to another core and back.
//!
//! A script that may touch any key needs the slots of all cores at one of them, and there may be
//! thousands of such scripts a second. Handing over 16,384 boxes one by one, and looking at what
//! each holds when it comes home, costs more than the script. So a store gives away its whole list
//! of slots and keeps an empty one in its place; who has it for a while changes the ranges that
//! belong to it with the same ranges of its own list, back and forth. Nobody looks at a slot on the
//! way: whatever is noted there of the slots (times of expiry, keys somebody waits for) is put down
//! in the holding and comes along.
//!
//! ```text
//! home      [ a a a a . . . . ]      lends, keeps [ . . . . . . . . ] until it is back
//! guest     [ . . . . b b b b ]      exchanges the range of a: [ a a a a b b b b ]
//! ```

use std::collections::VecDeque;
use std::ops::Range;

use super::Store;
use crate::core::CoreId;
use crate::expiry::Cursor;
use crate::hash::HashSlot;
use crate::slot::Slot;

/// A place for every slot there is.
pub(super) type SlotList = Box<[Option<Box<Slot>>]>;

pub(super) fn empty_list() -> SlotList {
    HashSlot::all().map(|_| None).collect()
}

/// The slots of a core, lent as a whole.
pub struct Holding {
    slots: SlotList,
    /// How many there are.
    count: usize,
    /// Whether each slot has to be looked at when it is back, because others may have come.
    is_replaced: bool,
    /// Slots with keys that somebody waits for and that changed, in order.
    ready_slots: Vec<HashSlot>,
    /// No key and no field that got a time to live meanwhile expires before this.
    earliest_expiry_ms: i64,
}

impl Holding {
    /// How many slots it has.
    pub(crate) fn count(&self) -> usize {
        self.count
    }
}

/// A holding at a core that is not its home.
pub(crate) struct Guest {
    pub(crate) home: CoreId,
    pub(crate) holding: Box<Holding>,
    /// Where its slots lie in the list, ascending.
    pub(crate) ranges: Vec<Range<usize>>,
}

impl Guest {
    fn owns(&self, slot: HashSlot) -> bool {
        self.ranges.iter().any(|range| range.contains(&slot.index()))
    }
}

/// What a store has noted of its own slots, put aside while it has guests.
pub(crate) struct Aside {
    expiry_cursor: Cursor,
    ready_slots: VecDeque<HashSlot>,
}

impl Store {
    /// How many slots are here. O(slots).
    pub(crate) fn slot_count(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// Whether all slots are away.
    pub(crate) fn is_lent(&self) -> bool {
        self.is_lent
    }

    /// Gives away all `count` slots there are. O(1) but for the first time.
    pub(crate) fn lend_all(&mut self, count: usize) -> Box<Holding> {
        assert!(!self.is_lent, "slots can be lent once");
        self.is_lent = true;
        let spare = self.spare_slots.take().unwrap_or_else(empty_list);
        Box::new(Holding {
            slots: std::mem::replace(&mut self.slots, spare),
            count,
            is_replaced: false,
            ready_slots: Vec::new(),
            earliest_expiry_ms: i64::MAX,
        })
    }

    /// Takes the slots back that were given away. O(1), and O(slots) if they may be others now.
    pub(crate) fn take_back(&mut self, holding: Holding) {
        assert!(self.is_lent, "only what was lent comes back");
        self.is_lent = false;
        self.spare_slots = Some(std::mem::replace(&mut self.slots, holding.slots));
        self.slots_received += 1;
        self.expiry_cursor.note(holding.earliest_expiry_ms);
        self.ready_slots.extend(holding.ready_slots);
        if holding.is_replaced {
            for slot in HashSlot::all() {
                if let Some(content) = self.slots[slot.index()].take() {
                    self.put_slot(slot, content);
                }
            }
        }
    }

    /// Takes the slots of others in for a while. O(slots), without looking at any of them. What is
    /// noted from now on is kept apart from what was noted before.
    pub(crate) fn host(&mut self, guests: &mut [Guest]) -> Aside {
        for guest in guests {
            self.exchange(guest);
        }
        Aside {
            expiry_cursor: std::mem::take(&mut self.expiry_cursor),
            ready_slots: std::mem::take(&mut self.ready_slots),
        }
    }

    /// Gives the guests back, with what was noted of them; `replaces_slots` says whether some of
    /// their slots may be others now. O(slots), without looking at any of them.
    pub(crate) fn unhost(&mut self, guests: &mut [Guest], aside: Aside, replaces_slots: bool) {
        let noted = std::mem::replace(&mut self.expiry_cursor, aside.expiry_cursor);
        let ready_slots = std::mem::replace(&mut self.ready_slots, aside.ready_slots);
        self.expiry_cursor.note(noted.next_expiry_ms());
        for slot in ready_slots {
            match guests.iter_mut().find(|guest| guest.owns(slot)) {
                Some(guest) => guest.holding.ready_slots.push(slot),
                None => self.ready_slots.push_back(slot),
            }
        }
        for guest in guests {
            guest.holding.earliest_expiry_ms = noted.next_expiry_ms();
            guest.holding.is_replaced |= replaces_slots;
            self.exchange(guest);
        }
    }

    fn exchange(&mut self, guest: &mut Guest) {
        for range in &guest.ranges {
            let theirs = &mut guest.holding.slots[range.clone()];
            self.slots[range.clone()].swap_with_slice(theirs);
        }
    }
}
