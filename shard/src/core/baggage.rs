//! The slots of all cores at one of them, for what has to see everything and cannot be done in
//! parts: SAVE, DEBUG RELOAD, a script that may touch any key.
//!
//! A parking tour takes the slots of each core along to the last one; there they are put in, the
//! work is done, and they are taken out again, to go home with the releases. While the tour is on
//! no core runs a command on keys, so all this is one moment for everybody. Slots travel as whole
//! lists ([`Holding`]), so that it costs little per core and nothing per key.

use std::ops::Range;

use super::{Core, CoreId};
use crate::hash::HashSlot;
use crate::store::holding::{Guest, Holding};

/// Slots on the way, with their owners.
#[derive(Default)]
pub(crate) struct Baggage(Vec<Guest>);

impl Baggage {
    /// Takes the slots of a parked core along, unless they are all that was missing; returns
    /// whether they were, so that the work can be done here. O(slots), none of which is looked at.
    pub(crate) fn collect(&mut self, core: &mut Core) -> bool {
        let elsewhere: usize = self.0.iter().map(|guest| guest.holding.count()).sum();
        let here = core.store.slot_count();
        if elsewhere + here == usize::from(HashSlot::COUNT) {
            return true;
        }
        // A core whose slots a transaction has taken along has none.
        if here > 0 {
            let ranges = core.owned_ranges();
            assert!(here == ranges.iter().map(Range::len).sum(), "a parked core has all its slots");
            let holding = core.store.lend_all(here);
            self.0.push(Guest { home: core.id(), holding, ranges });
        }
        false
    }

    /// Does the work at a core that has the slots of all for as long as it takes.
    /// `replaces_slots` says whether it may put others in their places. O(slots).
    pub(crate) fn unpacked<R>(
        &mut self,
        core: &mut Core,
        replaces_slots: bool,
        work: impl FnOnce(&mut Core) -> R,
    ) -> R {
        let aside = core.store.host(&mut self.0);
        let result = work(core);
        core.store.unhost(&mut self.0, aside, replaces_slots);
        result
    }

    /// What is to go home, and where.
    pub(crate) fn take(&mut self) -> Vec<(CoreId, Box<Holding>)> {
        self.0.drain(..).map(|guest| (guest.home, guest.holding)).collect()
    }
}
