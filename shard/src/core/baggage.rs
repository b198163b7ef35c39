//! The slots of all cores at one of them, for what has to see everything and cannot be done in
//! parts: SAVE, DEBUG RELOAD, a script that may touch any key.
//!
//! A parking tour takes the slots of each core along to the last one; there they are put in, the
//! work is done, and they are taken out again, to go home with the releases. While the tour is on
//! no core runs a command on keys, so all this is one moment for everybody.

use super::{Core, CoreId};
use crate::hash::HashSlot;
use crate::slot::Slot;

/// Slots on the way, with their owners.
#[derive(Default)]
pub(crate) struct Baggage(Vec<(CoreId, HashSlot, Box<Slot>)>);

impl Baggage {
    /// Takes the slots of a parked core along, unless they are all that was missing; returns
    /// whether they were, so that the work can be done here. O(slots).
    pub(crate) fn collect(&mut self, core: &mut Core) -> bool {
        let here: Vec<HashSlot> = core.store.slots().map(|(slot, _)| slot).collect();
        if self.0.len() + here.len() == usize::from(HashSlot::COUNT) {
            return true;
        }
        self.0.extend(here.into_iter().map(|slot| {
            let content = core.store.take_slot(slot).expect("it was listed above");
            (core.id(), slot, content)
        }));
        false
    }

    /// Does the work at a core that has the slots of all for as long as it takes. O(slots).
    pub(crate) fn unpacked<R>(&mut self, core: &mut Core, work: impl FnOnce(&mut Core) -> R) -> R {
        let mut guests = Vec::with_capacity(self.0.len());
        for (owner, slot, content) in self.0.drain(..) {
            guests.push((owner, slot));
            core.store.put_slot(slot, content);
        }
        let result = work(core);
        self.0.extend(guests.into_iter().map(|(owner, slot)| {
            let content = core.store.take_slot(slot).expect("it was put in above");
            (owner, slot, content)
        }));
        result
    }

    /// What is to go home.
    pub(crate) fn take(&mut self) -> Vec<(CoreId, HashSlot, Box<Slot>)> {
        std::mem::take(&mut self.0)
    }
}
