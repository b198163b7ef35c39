//! Transactions that have to see everything: FLUSHALL, DBSIZE or CONFIG SET between MULTI and EXEC.
//!
//! Such a transaction collects all slots of the server in one envelope and brings them to the core
//! of its client. While it has them no core runs any command on keys, so what is done one step
//! after the other is atomic. A command that visits all cores does so here as well, by a gathering
//! tour: there is nothing left to park. Between its steps the transaction keeps the slots to
//! itself; only while a step runs, or a tour of its own visits this core, are they in the store.
//!
//! There is at most one at a time, since it has all slots. It takes the time of `cores` hops, and
//! as many again for each command that visits all cores.
//!
//! A script that is debugged (see [`super::debugging`]) runs here as well: it has to be where its
//! client's socket is.

use super::message::{Envelope, Errand};
use super::tour::{Asker, TourKind, TourTask};
use super::{Core, CoreId, Ending, SessionId};
use crate::command::Handler;
use crate::error::CommandError;
use crate::hash::HashSlot;
use crate::reply::{Output, Reply};

const CANNOT_MOVE: CommandError = CommandError::Fixed("ERR slots cannot move inside a transaction");

/// A transaction that has all slots.
pub(super) struct Exclusive {
    envelope: Envelope,
    homes: Vec<(HashSlot, CoreId)>,
    /// The next command.
    next: usize,
    /// When the tour under way set out.
    tour_begun_ns: u64,
    /// It is no transaction but one script that is debugged.
    is_debugged: bool,
    output: Output,
}

/// Word that a tour of a transaction, which does not park, has brought something to all cores. It
/// goes ahead of the slots, but those of the transaction's own core are home at once: if that is
/// the first core, a tour that waited for them parks before this word comes.
struct AllHaveIt;

impl TourTask for AllHaveIt {
    fn visit(&mut self, core: &mut Core) {
        // Who has parked the core may have brought more, and says itself when all have that.
        if !core.gate.is_parked() {
            core.catch_up_with_others();
        }
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, _: &mut Reply<'_>) {}
}

impl Core {
    /// All slots are here, at the core of the client.
    pub(super) fn begin_exclusive(&mut self, mut envelope: Envelope) {
        assert!(self.exclusive.is_none(), "nobody else can have all slots");
        let homes = envelope.held.iter().map(|&(slot, home, _)| (slot, home)).collect();
        let Errand::Transaction(mut execution) = std::mem::take(&mut envelope.batch.errand) else {
            unreachable!("only transactions need everything");
        };
        let command_count = envelope.batch.commands.len();
        let id = envelope.batch.commands[0].session;
        let mut exclusive = Box::new(Exclusive {
            envelope,
            homes,
            next: 0,
            tour_begun_ns: 0,
            is_debugged: false,
            output: Output::default(),
        });
        self.unpack(&mut exclusive);
        self.check_watches(&mut execution);
        self.store.begin_group();
        if execution.is_debugged {
            self.run_debugged(id, &mut exclusive);
            return self.end_exclusive(*exclusive);
        }
        if execution.is_aborted {
            exclusive.next = command_count;
            self.reply_writer(id, &mut exclusive.output).null_array();
        } else {
            self.reply_writer(id, &mut exclusive.output).array_len(command_count);
        }
        self.continue_exclusive(exclusive);
    }

    /// Runs a script that is debugged, with the slots in the store.
    fn run_debugged(&mut self, id: SessionId, exclusive: &mut Exclusive) {
        exclusive.is_debugged = true;
        let Exclusive { envelope: Envelope { batch, .. }, output, .. } = exclusive;
        if !self.refuse_queued(id, batch, 0, output) {
            self.debug_script(id, batch, output);
            self.spread_pending(Some(batch.author_of(0)));
        }
    }

    /// Puts the slots into the store.
    fn unpack(&mut self, exclusive: &mut Exclusive) {
        for (slot, _, content) in exclusive.envelope.held.drain(..) {
            self.store.put_slot(slot, content);
        }
    }

    /// Takes them out again.
    fn pack(&mut self, exclusive: &mut Exclusive) {
        for &(slot, home) in &exclusive.homes {
            let content = self.store.take_slot(slot).expect("an exclusive transaction has it");
            exclusive.envelope.held.push((slot, home, content));
        }
    }

    /// Runs commands, with the slots in the store, until one has to visit the other cores.
    fn continue_exclusive(&mut self, mut exclusive: Box<Exclusive>) {
        while exclusive.next < exclusive.envelope.batch.commands.len() {
            let index = exclusive.next;
            exclusive.next += 1;
            let batch = &exclusive.envelope.batch;
            let row = batch.commands[index].row;
            let id = batch.commands[index].session;
            if self.refuse_queued(id, batch, index, &mut exclusive.output) {
                continue;
            }
            self.show_queued(id, &exclusive.envelope.batch, index);
            let batch = &exclusive.envelope.batch;
            let Some(Handler::Session(handler)) = row.handler else {
                self.run_queued_on_keys(batch, index, true, &mut exclusive.output);
                let author = batch.author_of(index);
                self.spread_pending(Some(author));
                continue;
            };
            let output = &mut exclusive.output;
            let tour = self.run_queued_on_session(batch, index, handler, output);
            let Some(task) = tour else { continue };
            if !task.moves().is_empty() {
                self.reply_writer(id, &mut exclusive.output).error(&CANNOT_MOVE);
                continue;
            }
            // Keys that others wait for stay listed in their slots: nobody is served between steps.
            self.pack(&mut exclusive);
            exclusive.tour_begun_ns = self.host.elapsed_ns();
            self.exclusive = Some(exclusive);
            return self.send_tour(TourKind::Gathering, task, Asker::Transaction);
        }
        self.end_exclusive(*exclusive);
    }

    /// A tour of this core's transaction visits it.
    pub(super) fn visit_for_exclusive(&mut self, task: &mut dyn TourTask) {
        let mut exclusive = self.exclusive.take().expect("its tour is under way");
        self.unpack(&mut exclusive);
        task.visit(self);
        self.pack(&mut exclusive);
        self.exclusive = Some(exclusive);
    }

    /// The tour of a command is over: the transaction goes on.
    pub(super) fn finish_exclusive_tour(&mut self, mut task: Box<dyn TourTask>) {
        let mut exclusive = self.exclusive.take().expect("its tour was under way");
        self.unpack(&mut exclusive);
        if let Some(libraries) = task.take_libraries() {
            self.bring_libraries(libraries);
        }
        if task.changes_what_cores_share() {
            self.begin_tour_unasked(TourKind::Gathering, Box::new(AllHaveIt));
        }
        let id = exclusive.envelope.batch.commands[0].session;
        let mut reply = self.reply_writer(id, &mut exclusive.output);
        task.finish(self, id, &mut reply);
        let author = exclusive.envelope.batch.author_of(0);
        self.spread_pending(Some(author));
        let ns = self.host.elapsed_ns().saturating_sub(exclusive.tour_begun_ns);
        self.count_queued(&exclusive.envelope.batch, exclusive.next - 1, ns, None);
        self.stats.mark(self.host.elapsed_ns());
        self.continue_exclusive(exclusive);
    }

    fn end_exclusive(&mut self, mut exclusive: Exclusive) {
        self.store.end_group();
        self.serve_ready_keys();
        if !self.stats.slow.is_empty() {
            self.log_slow(Some(exclusive.envelope.batch.commands[0].session));
        }
        self.pack(&mut exclusive);
        let Exclusive { envelope, is_debugged, output, .. } = exclusive;
        let Envelope { batch, wanted, held } = envelope;
        self.send_slots_home(held);
        self.shared.unclaim(&wanted);
        let (id, place) = (batch.commands[0].session, batch.commands[0].place);
        if !is_debugged {
            self.show_exec(id);
        }
        self.fill_place(id, place, output);
        if is_debugged {
            // The client sees by that that the session is over.
            self.close_connection(id, Ending::AfterOutput);
        }
        self.keep_batch(batch);
        self.return_credit();
    }
}
