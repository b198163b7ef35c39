//! Commands over slots of several cores: the slots come to the command.
//!
//! An envelope takes its slots one after the other, ascending by (owner, slot), waiting in line
//! wherever one is out. It holds what it has while it waits; the order makes a circle of waiting
//! envelopes impossible, the lines make starvation impossible. Should a slot have moved since the
//! envelope set out to where it comes before one the envelope holds (on this very core as well),
//! taking it would break the order: then it sends home what it holds and starts again, which is
//! always possible because it has executed nothing.

use std::sync::Arc;

use super::message::{Batch, Envelope, Errand, Message};
use super::waiting::{GateState, Waiter};
use super::{Core, CoreId};
use crate::call::Sequel;
use crate::command::flag;
use crate::commands::migrate::Departure;
use crate::error::CommandError;
use crate::hash::HashSlot;
use crate::mutation::{self, Mutation};
use crate::slot::Slot;

/// What came of running an envelope.
enum Ending {
    /// That was all.
    Over,
    /// It has to set out again for more slots.
    NeedsSlots,
    /// It has to set out again for all slots.
    NeedsEverything,
    /// It keeps the slots while its keys travel.
    Departs(Departure),
}

impl Core {
    /// Puts the next command of a batch into an envelope and sends it to collect its slots.
    pub(super) fn enclose(&mut self, batch: Box<Batch>) {
        let mut wanted = Vec::new();
        let arguments = batch.arguments(batch.next);
        let row = batch.commands[batch.next].row;
        row.for_each_key(arguments, |key| wanted.push(HashSlot::of_key(key)));
        wanted.extend(&batch.extra_slots);
        self.sort_by_owner(&mut wanted);
        assert!(!wanted.is_empty(), "only commands with keys need slots");
        self.shared.claim(&wanted);
        let first = self.owner(wanted[0]);
        let envelope = Box::new(Envelope { batch, wanted, held: Vec::new() });
        self.send(first, Message::Envelope(envelope));
    }

    fn sort_by_owner(&self, slots: &mut Vec<HashSlot>) {
        slots.sort_unstable_by_key(|&slot| (self.owner(slot), slot));
        slots.dedup();
    }

    /// An envelope is here: takes what it wants, then runs it or sends it on.
    pub(super) fn collect(&mut self, envelope: Box<Envelope>) {
        // One that has everything keeps tours from passing, so it does not wait for any.
        let is_complete = envelope.held.len() == envelope.wanted.len();
        if !self.gate.is_open() && !is_complete {
            self.gate.queue.push_back(Waiter::Envelope(envelope));
            return;
        }
        self.continue_collecting(envelope);
    }

    /// Like [`Core::collect`] for an envelope that had its turn at the gate already.
    pub(super) fn continue_collecting(&mut self, mut envelope: Box<Envelope>) {
        while let Some(&slot) = envelope.wanted.get(envelope.held.len()) {
            let owner = self.owner(slot);
            let last = envelope.held.last().map(|&(held, core, _)| (core, held));
            if mutation::is_on(Mutation::SlotMissing)
                && envelope.held.len() + 1 == envelope.wanted.len()
            {
                break;
            }
            if last.is_some_and(|last| last > (owner, slot)) {
                return self.start_again(envelope);
            }
            if owner != self.id {
                return self.send(owner, Message::Envelope(envelope));
            }
            let Some(content) = self.store.take_slot(slot) else {
                return self.lent.wait(slot, Waiter::Envelope(envelope));
            };
            self.lent.slots.entry(slot).or_default();
            envelope.held.push((slot, self.id, content));
        }
        self.run_envelope(*envelope);
    }

    /// Sends home what an envelope holds and lets it collect in the order that is right now.
    fn start_again(&mut self, mut envelope: Box<Envelope>) {
        self.send_slots_home(std::mem::take(&mut envelope.held));
        self.sort_by_owner(&mut envelope.wanted);
        let first = self.owner(envelope.wanted[0]);
        self.send(first, Message::Envelope(envelope));
    }

    /// All slots are here: the command runs as if they always had been.
    fn run_envelope(&mut self, mut envelope: Envelope) {
        if let Errand::Transaction(execution) = &envelope.batch.errand
            && execution.is_exclusive
        {
            return if envelope.batch.origin == self.id {
                self.begin_exclusive(envelope);
            } else {
                self.send(envelope.batch.origin, Message::Envelope(Box::new(envelope)));
            };
        }
        // Before the slots of other cores are put here: only our own keys may be evicted.
        let row = envelope.batch.commands[envelope.batch.next].row;
        let room = self.check_memory(row.flags);
        let mut homes = Vec::with_capacity(envelope.held.len());
        for (slot, home, content) in envelope.held.drain(..) {
            self.store.put_slot(slot, content);
            homes.push((slot, home));
        }
        let batch = envelope.batch;
        if let Errand::Membership(_) = &batch.errand {
            self.run_membership(batch);
            return self.end_envelope(homes, &envelope.wanted);
        }
        self.run_errand(batch, room, homes, &envelope.wanted);
    }

    /// Does what the envelope is for, and sends slots and batch home.
    fn run_errand(
        &mut self,
        mut batch: Box<Batch>,
        room: Result<(), CommandError>,
        homes: Vec<(HashSlot, CoreId)>,
        wanted: &[HashSlot],
    ) {
        self.take_aboard(batch.origin);
        self.set_aboard_index(batch.next);
        let ending = match (&batch.errand, room) {
            (Errand::Transaction(_), _) => {
                self.run_enclosed_transaction(&mut batch);
                Ending::Over
            }
            (Errand::Service(waiter), _) => {
                self.retry(&Arc::clone(waiter));
                batch.advance();
                Ending::Over
            }
            (Errand::Commands, Ok(())) => self.run_enclosed(&mut batch),
            (Errand::Commands, Err(error)) => {
                self.refuse(&mut batch, &error);
                batch.advance();
                Ending::Over
            }
            (Errand::Membership(_), _) => unreachable!("the caller has seen to it"),
        };
        self.serve_ready_keys();
        batch.news = self.unload();
        // The replies first: from a slot that is home news may go out that would overtake them.
        if matches!(ending, Ending::Over) {
            self.send_home(batch);
            return self.end_envelope(homes, wanted);
        }
        self.send_ahead(&mut batch);
        if let Ending::Departs(departure) = ending {
            return self.depart(batch, departure, homes, wanted);
        }
        self.end_envelope(homes, wanted);
        match ending {
            Ending::NeedsEverything => self.run_everywhere(batch),
            _ => self.enclose(batch),
        }
    }

    /// The slots an envelope had collected go home.
    pub(super) fn end_envelope(&mut self, homes: Vec<(HashSlot, CoreId)>, wanted: &[HashSlot]) {
        let held = homes
            .into_iter()
            .map(|(slot, home)| {
                let content = self.store.take_slot(slot).expect("it was put there above");
                (slot, home, content)
            })
            .collect();
        self.send_slots_home(held);
        // Only now: who sees no claim any more enqueues behind the slots that go home.
        self.shared.unclaim(wanted);
    }

    /// Runs the command an envelope was made for.
    fn run_enclosed(&mut self, batch: &mut Batch) -> Ending {
        let command = &batch.commands[batch.next];
        let (row, route, caller) = (command.row, command.route, command.caller);
        let author = batch.author_of(batch.next);
        let (arguments, output) = batch.arguments_and_output(batch.next);
        let sequel = self.run_traveller(author, row, route, caller, arguments, output);
        self.conclude_in(batch, sequel.is_none());
        match sequel.map(|sequel| *sequel) {
            None => {}
            Some(Sequel::Watches(watcher)) => batch.watcher = Some(watcher),
            Some(Sequel::Waits(wait)) => self.wait_in_batch(batch, wait),
            Some(Sequel::NeedsSlots(slots)) => {
                batch.extra_slots.extend(slots);
                let is_script = row.flags.contains(flag::SCRIPT_RUNNER);
                return match is_script && Self::wants_too_many(batch) {
                    true => Ending::NeedsEverything,
                    false => Ending::NeedsSlots,
                };
            }
            Some(Sequel::NeedsEverything) => return Ending::NeedsEverything,
            Some(Sequel::Departs(departure)) => return Ending::Departs(departure),
        }
        if !self.stats.slow.is_empty() {
            let session = batch.commands[batch.next].session;
            self.pack_slow(session, &mut batch.slow);
        }
        batch.advance();
        Ending::Over
    }

    pub(super) fn send_slots_home(&mut self, mut held: Vec<(HashSlot, CoreId, Box<Slot>)>) {
        while let Some(&(_, home, _)) = held.first() {
            let (here, rest): (Vec<_>, Vec<_>) =
                held.into_iter().partition(|&(_, core, _)| core == home);
            held = rest;
            let slots = here.into_iter().map(|(slot, _, content)| (slot, content)).collect();
            if home == self.id {
                self.welcome(slots);
            } else {
                self.send(home, Message::Home(slots));
            }
        }
    }

    /// Slots are home again. Those who wait for them are served by [`Core::settle`].
    pub(super) fn welcome(&mut self, slots: Vec<(HashSlot, Box<Slot>)>) {
        for (slot, content) in slots {
            let lent = self.lent.slots.get_mut(&slot).expect("a slot comes home where it was lent");
            assert!(lent.arrived.is_none(), "a slot comes home once");
            lent.arrived = Some(content);
            self.lent.arrivals.push_back(slot);
        }
    }

    /// Serves everyone who waits for a slot that has come home, then lets a tour in that waited
    /// for the last of them. Runs after every message and before anything newer.
    pub(super) fn settle(&mut self) {
        while let Some(slot) = self.lent.arrivals.pop_front() {
            self.serve_waiters(slot);
        }
        if matches!(self.gate.state, GateState::Parking(_)) && self.lent.is_empty() {
            self.park();
        }
        self.note_new_candidates();
    }

    /// Serves the queue of one slot until it is empty or the slot is lent again. In between the
    /// slot lies in `arrived`, so that a batch resumed for another slot cannot slip in.
    pub(super) fn serve_waiters(&mut self, slot: HashSlot) {
        loop {
            let lent = self.lent.slots.get_mut(&slot).expect("an arrival was lent");
            let content = lent.arrived.take().expect("an arrival is home");
            self.store.put_slot(slot, content);
            let Some(waiter) = lent.queue.pop_front() else {
                self.lent.slots.remove(&slot);
                return;
            };
            match waiter {
                Waiter::Batch(batch) => self.continue_batch(batch),
                Waiter::Envelope(envelope) => self.continue_collecting(envelope),
                Waiter::Forget(observer) => self.forget(observer),
                Waiter::Tour(_) => unreachable!("tours wait at the gate"),
            }
            let Some(content) = self.store.take_slot(slot) else { return };
            let lent = self.lent.slots.get_mut(&slot).expect("it stays listed while serving");
            lent.arrived = Some(content);
        }
    }
}
