//! MIGRATE under way: keys travel to another server, and their slots wait with the command.
//!
//! The command runs in an envelope even where all its slots are here, since an envelope is what can
//! keep slots. Where it has run, its keys are packed, and the host carries them; the slots are kept
//! here, lent by their owners as to any envelope, and the core goes on with everything else. So
//! whatever is meant for these slots waits in line, nothing can be lost between here and there, and
//! no core waits for a network. A tour that parks cores waits as well, for as long as the client
//! has allowed the other server to take.
//!
//! Within a transaction or script there is no such place to stop: there the core carries the keys
//! itself, and waits, as it does for whatever else is slow there.
//!
//! At most [`super::CREDIT_MAX`] commands of a core are under way, these among them.

use super::message::{Batch, Route};
use super::{Core, CoreId};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::command::Command;
use crate::commands::migrate::{self, Departure, Luggage};
use crate::core::message::Caller;
use crate::hash::HashSlot;
use crate::migration::{Delivery, Journey};
use crate::reply::{Output, Reply};
use crate::slot::Slot;

/// A command whose keys travel.
pub(super) struct Departed {
    /// The command is the next one.
    batch: Box<Batch>,
    wanted: Vec<HashSlot>,
    held: Vec<(HashSlot, CoreId, Box<Slot>)>,
    luggage: Luggage,
    journey: Box<dyn Journey>,
    begun_ns: u64,
}

impl Core {
    /// The command of an envelope has packed its keys: they leave, and the slots stay aside.
    pub(super) fn depart(
        &mut self,
        mut batch: Box<Batch>,
        departure: Departure,
        homes: Vec<(HashSlot, CoreId)>,
        wanted: &[HashSlot],
    ) {
        let Departure { shipment, luggage } = departure;
        let journey = match self.host.ship(shipment) {
            Ok(journey) => journey,
            Err(error) => {
                self.conclude_departed(&mut batch, &luggage, Delivery::failed(error), 0);
                self.send_home(batch);
                return self.end_envelope(homes, wanted);
            }
        };
        let take = |(slot, home)| (slot, home, self.store.take_slot(slot).expect("it came along"));
        let held = homes.into_iter().map(take).collect();
        let (wanted, begun_ns) = (wanted.to_vec(), self.host.elapsed_ns());
        self.departed.push(Departed { batch, wanted, held, luggage, journey, begun_ns });
    }

    /// Whether keys are under way to other servers.
    #[inline]
    pub fn has_departed(&self) -> bool {
        !self.departed.is_empty()
    }

    /// Goes on with the commands whose keys have arrived, or failed to. O(commands under way).
    pub fn take_deliveries(&mut self) {
        for index in (0..self.departed.len()).rev() {
            if let Some(delivery) = self.departed[index].journey.delivery() {
                let departed = self.departed.remove(index);
                self.arrive(departed, delivery);
                self.settle();
            }
        }
    }

    fn arrive(&mut self, departed: Departed, delivery: Delivery) {
        let Departed { mut batch, wanted, held, luggage, begun_ns, .. } = departed;
        let mut homes = Vec::with_capacity(held.len());
        for (slot, home, content) in held {
            self.store.put_slot(slot, content);
            homes.push((slot, home));
        }
        self.take_aboard(batch.origin);
        self.set_aboard_index(batch.next);
        let ns = self.host.elapsed_ns().saturating_sub(begun_ns);
        self.conclude_departed(&mut batch, &luggage, delivery, ns);
        self.serve_ready_keys();
        batch.news = self.unload();
        self.send_home(batch);
        self.end_envelope(homes, &wanted);
        self.stats.mark(self.host.elapsed_ns());
    }

    /// Answers the next command of a batch, whose slots are here again.
    fn conclude_departed(
        &mut self,
        batch: &mut Batch,
        luggage: &Luggage,
        delivery: Delivery,
        ns: u64,
    ) {
        let command = &batch.commands[batch.next];
        let (row, route, caller) = (command.row, command.route, command.caller);
        let session = command.session;
        let (arguments, output) = batch.arguments_and_output(batch.next);
        self.conclude_migration(row, route, caller, arguments, luggage, delivery, ns, output);
        self.conclude_in(batch, true);
        if !self.stats.slow.is_empty() {
            self.pack_slow(session, &mut batch.slow);
        }
        batch.advance();
    }

    /// A command in a transaction or script has packed its keys: carries them and waits.
    pub(super) fn migrate_at_once(
        &mut self,
        row: &'static Command,
        route: Route,
        caller: Caller,
        arguments: Arguments<'_>,
        departure: Departure,
        output: &mut Output,
    ) {
        let Departure { shipment, luggage } = departure;
        let delivery = self.host.ship_at_once(shipment);
        let ns = self.stats.lap(self.host.elapsed_ns());
        self.conclude_migration(row, route, caller, arguments, &luggage, delivery, ns, output);
    }

    /// The second half of the command, which took so long in all, and its reply.
    #[expect(clippy::too_many_arguments, reason = "the parts of a command")]
    fn conclude_migration(
        &mut self,
        row: &'static Command,
        route: Route,
        caller: Caller,
        arguments: Arguments<'_>,
        luggage: &Luggage,
        delivery: Delivery,
        ns: u64,
        output: &mut Output,
    ) {
        let is_journaled = self.store.journal.is_on();
        if is_journaled {
            self.store.begin_journaled();
        }
        let reply = Reply::new(output, caller.protocol);
        let mut call = Call::new(&mut self.store, row, arguments, caller, route, reply);
        let outcome = migrate::conclude(&mut call, luggage, delivery);
        if let Err(error) = &outcome {
            call.reply.error(error);
        }
        if is_journaled {
            self.store.end_journaled(row, route, caller.db, arguments);
        }
        if let Some(ns) = self.stats.took(row, ns, outcome.err().as_ref()) {
            let summary = self.summary(row, arguments);
            self.stats.note_slow(row, ns, summary);
        }
    }
}
