//! What waits at a core: for a slot that is lent out, or behind the gate of a parked core.
//!
//! Invariants:
//! * A slot of this core is either in the keyspace or has an entry in `Lent` (never both while a
//!   turn is not inside [`crate::core::Core`]'s settling loop).
//! * Queues are first come, first served; a slot that came home serves its whole queue, or as much
//!   as it can until it is lent again, before anything newer gets to it.
//! * Queues hold boxes (batches, envelopes, tours), which are bounded by the senders' credit, and a
//!   note for each client that stopped waiting for a key of a slot that is out, or watching it.

use std::collections::{BTreeMap, VecDeque};

use crate::core::SessionId;
use crate::core::message::{Batch, Envelope};
use crate::core::tour::Tour;
use crate::hash::HashSlot;
use crate::observers::Observer;
use crate::slot::Slot;

/// Something that will go on once what it waits for is there.
pub(super) enum Waiter {
    Batch(Box<Batch>),
    Envelope(Box<Envelope>),
    Tour(Box<Tour>),
    /// Word that a client waits for a key, or watches it, no more.
    Forget(Observer),
}

/// A slot that is out, what waits for it, and the slot itself while it is home but still serving.
#[derive(Default)]
pub(super) struct LentSlot {
    pub(super) queue: VecDeque<Waiter>,
    pub(super) arrived: Option<Box<Slot>>,
}

/// All slots of a core that are out.
#[derive(Default)]
pub(super) struct Lent {
    pub(super) slots: BTreeMap<HashSlot, LentSlot>,
    /// Slots that have come home and have not served their queue yet.
    pub(super) arrivals: VecDeque<HashSlot>,
}

impl Lent {
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Queues `waiter` behind a slot that is out.
    pub(super) fn wait(&mut self, slot: HashSlot, waiter: Waiter) {
        let lent = self.slots.get_mut(&slot).expect("only a lent slot is waited for");
        lent.queue.push_back(waiter);
    }
}

/// Whether a core runs commands on keys.
#[derive(Default)]
pub(super) enum GateState {
    #[default]
    Open,
    /// A tour is here and waits for the slots this core has lent.
    Parking(Box<Tour>),
    /// A tour has passed; its release is awaited.
    Parked,
}

/// The gate of a core and what waits in front of it.
#[derive(Default)]
pub(super) struct Gate {
    pub(super) state: GateState,
    pub(super) queue: VecDeque<Waiter>,
    /// Whether a tour has changed something here that not all cores may have yet.
    pub(super) is_ahead: bool,
    /// Sessions that wait for the others, each once.
    pub(super) sessions: Vec<SessionId>,
    /// Other cores that have too much news of this one to deliver yet.
    pub(super) congested_ways: usize,
}

impl Gate {
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, GateState::Open) && self.congested_ways == 0
    }

    /// Whether other cores have to deliver news of this one first.
    pub(super) fn is_congested(&self) -> bool {
        self.congested_ways > 0
    }

    /// Whether a tour has seen the keys of this core and not released it.
    pub(super) fn is_parked(&self) -> bool {
        matches!(self.state, GateState::Parked)
    }
}
