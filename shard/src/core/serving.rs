//! Serving clients that wait for keys (see [`crate::key_waits`] for how they wait).
//!
//! A change of a key that has waiters lists the key; when the command that made it is over, and
//! before the next runs, the core looks at the listed keys: for each waiter in line that the key
//! satisfies it wins the claim, runs the command's second half on that one key, and sends the reply
//! to where the client is. What that changes may list further keys (a BLMOVE feeds another list),
//! which are looked at the same way until none is left.
//!
//! A waiter may also be looked at because time has passed (see `alarms`).
//!
//! Some need a second key (the target of BLMOVE). If its slot is here the same happens; else an
//! envelope is sent to collect both slots, and nobody behind that waiter in the line is served
//! before it has run. Should another client have emptied the list meanwhile, the waiter stays where
//! it stands in the line.
//!
//! Nothing is served while the core is parked: the keys stay listed, with their slot, and are
//! looked at once the core is released.

use std::sync::Arc;

use super::Core;
use super::message::{Batch, Errand, Route};
use super::parcels::Parcel;
use super::spreading::Author;
use super::waiting::Waiter;
use crate::arguments::Arguments;
use crate::call::Call;
use crate::command::Command;
use crate::core::message::Caller;
use crate::error::CommandError;
use crate::hash::HashSlot;
use crate::key_waits::{Address, KeyWait, KeyWaiter};
use crate::observers::{Observer, ReadyKey};
use crate::reply::{Output, Reply};
use crate::slow_log::summarize;

/// Envelopes a core may have under way on behalf of waiters; further ones wait for these.
pub(super) const SERVICES_MAX: usize = 64;

/// What came of an attempt to serve a waiter.
enum Attempt {
    /// It is done, served by this attempt or otherwise.
    Done,
    /// The key has nothing for it.
    NotReady,
    /// An envelope is under way for it.
    UnderWay,
}

impl Core {
    /// Lets a command that found nothing wait for its keys, whose slots are here.
    pub(super) fn start_waiting(
        &mut self,
        wait: KeyWait,
        row: &'static Command,
        arguments: Arguments<'_>,
        caller: Caller,
        address: Address,
    ) -> Arc<KeyWaiter> {
        let waiter = Arc::new(KeyWaiter::new(row, arguments, caller, address, wait));
        self.store.add_waiter(&waiter);
        self.note_first_alarm(&waiter);
        waiter
    }

    /// Serves whoever waits for keys that have changed. To be called when a command is over.
    #[inline]
    pub(super) fn serve_ready_keys(&mut self) {
        if self.store.has_ready_keys() && !self.gate.is_parked() {
            self.serve_listed();
        }
    }

    #[cold]
    fn serve_listed(&mut self) {
        while let Some(key) = self.store.take_ready_key() {
            self.serve_key(&key);
        }
    }

    fn serve_key(&mut self, key: &ReadyKey) {
        let mut position = 0;
        while self.store.is_worth_serving(key) {
            let Some(entry) = self.store.waiting(key, position) else { return };
            if entry.is_under_way {
                return;
            }
            let (waiter, argument) = (Arc::clone(&entry.waiter), entry.argument);
            match self.attempt(&waiter, argument) {
                Attempt::Done => {
                    self.store.remove_observer(&Observer::Waiter(waiter, argument));
                }
                Attempt::NotReady => position += 1,
                Attempt::UnderWay => return,
            }
        }
    }

    fn attempt(&mut self, waiter: &Arc<KeyWaiter>, argument: usize) -> Attempt {
        if waiter.is_claimed() {
            return Attempt::Done;
        }
        let mut output = Output::default();
        let Self { store, .. } = self;
        if !(waiter.wait.is_ready)(&mut call_of(store, waiter, &mut output), argument) {
            self.note_alarm(waiter, argument);
            return Attempt::NotReady;
        }
        if let Err(error) = self.check_waiter(waiter) {
            return self.dismiss(waiter, &error);
        }
        let Self { store, .. } = self;
        let companion = waiter.wait.companion.map(|index| HashSlot::of_key(waiter.key(index)));
        if companion.is_some_and(|slot| !store.has_slot(slot)) {
            self.request_service(waiter, argument);
            return Attempt::UnderWay;
        }
        if waiter.claim() {
            self.serve(waiter, argument, output);
        }
        Attempt::Done
    }

    /// Runs the second half of a command that was claimed, and delivers its reply.
    fn serve(&mut self, waiter: &Arc<KeyWaiter>, argument: usize, mut output: Output) {
        let Self { store, stats, host, .. } = self;
        let is_journaled = store.journal.is_on();
        if is_journaled {
            store.begin_journaled();
        }
        let mut call = call_of(store, waiter, &mut output);
        let outcome = (waiter.wait.serve)(&mut call, argument);
        if let Err(error) = &outcome {
            call.reply.error(error);
        }
        if is_journaled {
            let arguments = waiter.arguments.borrow();
            call.store.end_journaled(waiter.row, Route::Many, waiter.caller.db, arguments);
        }
        let slow = stats.ran(waiter.row, host.elapsed_ns(), outcome.err().as_ref());
        if let Some(ns) = slow {
            stats.note_slow(waiter.row, ns, summarize(waiter.arguments.borrow(), |_| false));
            self.log_slow_service(waiter.address);
        }
        let Address { core, session, place } = waiter.address;
        self.deliver_reply(waiter.address, output);
        self.spread_pending(Some(Author { core, session, place: Some(place) }));
    }

    /// Answers somebody who must not be served.
    fn dismiss(&mut self, waiter: &Arc<KeyWaiter>, error: &CommandError) -> Attempt {
        if waiter.claim() {
            let mut output = Output::default();
            Reply::new(&mut output, waiter.caller.protocol).error(error);
            self.stats.rejected(Some(waiter.row), error);
            self.deliver_reply(waiter.address, output);
        }
        Attempt::Done
    }

    /// What was just served was slow: the core of the client is told.
    #[cold]
    fn log_slow_service(&mut self, address: Address) {
        if address.core == self.id {
            return self.log_slow(Some(address.session));
        }
        let mut slow = Vec::new();
        self.pack_slow(address.session, &mut slow);
        for (session, command) in slow {
            self.post(address.core, Parcel::Slow(session, command));
        }
    }

    fn deliver_reply(&mut self, address: Address, output: Output) {
        if address.core == self.id {
            self.end_wait(address, output);
        } else {
            self.post(address.core, Parcel::Reply(address, output));
        }
    }

    /// Has an envelope collect the slots of a waiter's command.
    fn request_service(&mut self, waiter: &Arc<KeyWaiter>, argument: usize) {
        let name = waiter.key(argument);
        let waits = self.store.waits_mut(HashSlot::of_key(name));
        let waits = waits.expect("the waiter is in the line of this key");
        waits.set_under_way((waiter.caller.db, name), waiter, true);
        self.send_service_or_put_off(waiter);
    }

    /// Sends an envelope for a waiter, or has it wait for those under way.
    pub(super) fn send_service_or_put_off(&mut self, waiter: &Arc<KeyWaiter>) {
        if self.services_under_way == SERVICES_MAX {
            self.services_put_off.push_back(Arc::clone(waiter));
        } else {
            self.send_service(waiter);
        }
    }

    fn send_service(&mut self, waiter: &Arc<KeyWaiter>) {
        self.services_under_way += 1;
        let mut batch = self.spare_batch();
        let Address { session, place, .. } = waiter.address;
        let arguments = waiter.arguments.borrow();
        batch.push(session, place, waiter.row, Route::Many, waiter.caller, arguments);
        batch.errand = Errand::Service(Arc::clone(waiter));
        self.enclose(batch);
    }

    /// The slots of a waiter's command are here: lists its keys again, so that the line it stands
    /// in is served from where it stopped.
    pub(super) fn retry(&mut self, waiter: &Arc<KeyWaiter>) {
        for argument in waiter.wait.keys.clone() {
            let name = waiter.key(argument);
            let Some(waits) = self.store.waits_mut(HashSlot::of_key(name)) else { continue };
            waits.set_under_way((waiter.caller.db, name), waiter, false);
            let key = self.store.key(waiter.caller.db, name);
            self.store.tell_waiters(key);
        }
    }

    /// An envelope sent on behalf of a waiter is back: the next may leave.
    pub(super) fn finish_service(&mut self) {
        self.services_under_way -= 1;
        if let Some(waiter) = self.services_put_off.pop_front() {
            self.send_service(&waiter);
        }
    }

    /// A waiter is done: takes it out of the lines it stands in, here and elsewhere.
    pub(super) fn forget_waiter(&mut self, waiter: &Arc<KeyWaiter>) {
        for argument in waiter.wait.keys.clone() {
            self.forget(Observer::Waiter(Arc::clone(waiter), argument));
        }
    }

    /// Takes an observer away from its key: here, or where the slot is, or when it is back.
    pub(super) fn forget(&mut self, observer: Observer) {
        let slot = HashSlot::of_key(observer.key());
        if self.store.has_slot(slot) {
            self.store.remove_observer(&observer);
        } else if self.owner(slot) != self.id {
            self.post(self.owner(slot), Parcel::Forget(observer));
        } else if self.gate.is_parked() {
            self.gate.queue.push_back(Waiter::Forget(observer));
        } else {
            self.lent.wait(slot, Waiter::Forget(observer));
        }
    }

    /// Runs a command of a batch that is alone in it, and lets it wait if it found nothing.
    pub(super) fn wait_in_batch(&mut self, batch: &mut Batch, wait: KeyWait) {
        assert!(batch.commands.len() == 1, "a command that may wait travels alone");
        let command = &batch.commands[0];
        let address =
            Address { core: batch.origin, session: command.session, place: command.place };
        let (row, caller) = (command.row, command.caller);
        let waiter = self.start_waiting(wait, row, batch.arguments(0), caller, address);
        batch.waiter = Some(waiter);
    }
}

/// The call of a waiter's command on slots that are here.
pub(super) fn call_of<'a>(
    store: &'a mut crate::store::Store,
    waiter: &'a KeyWaiter,
    output: &'a mut Output,
) -> Call<'a> {
    let KeyWaiter { row, arguments, caller, .. } = waiter;
    let reply = Reply::new(output, caller.protocol);
    Call::new(store, row, arguments.borrow(), *caller, Route::Many, reply)
}
