//! How a core takes part in tours. See [`super::tour`] for what they are.

use super::message::{Message, Release};
use super::session::Hold;
use super::tour::{Asker, AskingCommand, Tour, TourKind, TourTask};
use super::waiting::{GateState, Waiter};
use super::{Core, CoreId, SessionId};
use crate::arguments::Arguments;
use crate::command::Command;
use crate::hash::HashSlot;
use crate::mutation::{self, Mutation};
use crate::reply::{Output, Reply};
use crate::slot::Slot;
use crate::trace;

impl Core {
    /// Starts a tour for a command of a session, which is held until it is over. That there is
    /// credit for it was checked before the command ran.
    pub(super) fn begin_tour(
        &mut self,
        id: SessionId,
        row: &'static Command,
        arguments: Arguments<'_>,
        (kind, task): (TourKind, Box<dyn TourTask>),
    ) {
        let spent_ns = self.stats.lap(self.host.elapsed_ns());
        let summary = self.summary(row, arguments);
        let Some(session) = self.session_mut(id) else { return };
        assert!(session.open_target.is_none(), "nothing is kept back before a barrier");
        let place = session.reserve(false, None);
        session.step_reply_mode();
        self.credit -= 1;
        self.hold(id, Hold::Replies);
        let asker = AskingCommand { session: id, place, row, summary, spent_ns };
        self.send_tour(kind, task, Asker::Session(asker));
    }

    /// Starts a tour that nobody waits for.
    pub fn begin_tour_unasked(&mut self, kind: TourKind, task: Box<dyn TourTask>) {
        self.send_tour(kind, task, Asker::Nobody);
    }

    pub(super) fn send_tour(&mut self, kind: TourKind, task: Box<dyn TourTask>, asker: Asker) {
        if kind == TourKind::Parking {
            self.shared.tour_begins();
        }
        let tour = Tour { kind, task, origin: self.id, asker, cargo: Vec::new() };
        self.send(CoreId(0), Message::Tour(Box::new(tour)));
    }

    pub(super) fn receive_tour(&mut self, mut tour: Box<Tour>) {
        match tour.kind {
            TourKind::Gathering => {
                self.visit(&mut tour);
                self.send_tour_on(tour);
            }
            TourKind::Parking if self.gate.is_open() => {
                self.gate.state = GateState::Parking(tour);
                // `settle` parks once every lent slot is home.
            }
            TourKind::Parking => self.gate.queue.push_back(Waiter::Tour(tour)),
        }
    }

    fn visit(&mut self, tour: &mut Tour) {
        self.stats.mark(self.host.elapsed_ns());
        match &mut tour.asker {
            Asker::Transaction if tour.origin == self.id => {
                self.visit_for_exclusive(&mut *tour.task);
            }
            Asker::Transaction | Asker::Nobody => tour.task.visit(self),
            Asker::Session(asker) => {
                tour.task.visit(self);
                asker.spent_ns += self.stats.lap(self.host.elapsed_ns());
            }
        }
        if tour.task.changes_what_cores_share() && !mutation::is_on(Mutation::ShownEarly) {
            self.gate.is_ahead = true;
        }
        self.journal_visit(&*tour.task, tour.origin == self.id);
        let has_all_slots = match tour.asker {
            Asker::Transaction => tour.origin == self.id,
            Asker::Session(_) | Asker::Nobody => self.id.0 + 1 == self.core_count,
        };
        if has_all_slots {
            trace::note_everywhere(tour.task.effect());
        }
    }

    /// Tells the journal what a visit has done to all slots, if it has.
    pub(super) fn journal_visit(&mut self, task: &dyn TourTask, tells: bool) {
        if self.store.journal.is_on()
            && let Some(effect) = task.effect()
        {
            self.store.journal_globally(&effect, tells);
        }
    }

    /// Everything is home: the tour does its work here and goes on.
    pub(super) fn park(&mut self) {
        let state = std::mem::replace(&mut self.gate.state, GateState::Parked);
        let GateState::Parking(mut tour) = state else { panic!("a tour waits to park") };
        // What was put together under the present owners leaves under them, and while the tour is
        // still counted: its senders wait, so that nothing of theirs overtakes it if it comes back.
        self.flush_all_open();
        self.visit(&mut tour);
        for (slot, owner) in tour.task.moves() {
            self.apply_move(&mut tour, slot, owner);
        }
        self.send_tour_on(tour);
    }

    fn apply_move(&mut self, tour: &mut Tour, slot: HashSlot, owner: CoreId) {
        let before = std::mem::replace(&mut self.owners[slot.index()], owner);
        if before == self.id && owner != self.id {
            let mut content = self.store.take_slot(slot).expect("a parked core has all its slots");
            forget_some(&mut content);
            tour.cargo.push((owner, slot, content));
        }
    }

    fn send_tour_on(&mut self, tour: Box<Tour>) {
        let next = CoreId(self.id.0 + 1);
        if next.0 < self.core_count {
            self.send(next, Message::Tour(tour));
        } else {
            self.end_tour(tour);
        }
    }

    /// The last core has been visited: lets the parked cores go and sends the tour home.
    fn end_tour(&mut self, mut tour: Box<Tour>) {
        let origin = tour.origin;
        if tour.kind == TourKind::Gathering {
            return self.send(origin, Message::TourDone(tour));
        }
        if tour.task.ends_process() {
            return;
        }
        let mut cargo = std::mem::take(&mut tour.cargo);
        let libraries = tour.task.take_libraries();
        let mut holdings = tour.task.take_holdings();
        // The reply is made before any core goes on, so that what it tells is true of one moment;
        // it is enqueued before the releases for the same reason.
        self.send(origin, Message::TourDone(tour));
        for core in (0..self.core_count).map(CoreId) {
            let (here, rest): (Vec<_>, Vec<_>) =
                cargo.into_iter().partition(|&(target, _, _)| target == core);
            cargo = rest;
            let slots = here.into_iter().map(|(_, slot, content)| (slot, content)).collect();
            let lent = holdings.iter().position(|&(home, _)| home == core);
            let holding = lent.map(|index| holdings.swap_remove(index).1);
            let libraries = libraries.clone();
            self.send(core, Message::Release(Release { slots, holding, libraries }));
        }
        // Only now: who sees no tour any more enqueues behind the releases.
        self.shared.tour_ends();
    }

    /// The tour that parked this core is over: what waited at the gate goes on, in order, until
    /// the next tour in the queue closes it again.
    pub(super) fn release(&mut self, release: Release) {
        assert!(matches!(self.gate.state, GateState::Parked), "only a parked core is released");
        if let Some(holding) = release.holding {
            self.store.take_back(*holding);
        }
        for (slot, content) in release.slots {
            assert!(self.owner(slot) == self.id, "a slot moves to its new owner");
            self.store.put_slot(slot, content);
        }
        if let Some(libraries) = release.libraries {
            self.apply_libraries(libraries);
        }
        self.gate.state = GateState::Open;
        self.catch_up_with_others();
        self.serve_ready_keys();
        self.let_in_who_waits();
    }

    /// All cores have what this one was brought: sessions go on.
    pub(super) fn catch_up_with_others(&mut self) {
        self.gate.is_ahead = false;
        for id in std::mem::take(&mut self.gate.sessions) {
            self.resume(id, Hold::Ahead);
        }
    }

    /// The gate may be open again: who waits in front of it goes on, in order, until it closes.
    pub(super) fn let_in_who_waits(&mut self) {
        while self.gate.is_open() {
            let Some(waiter) = self.gate.queue.pop_front() else { return };
            match waiter {
                Waiter::Batch(batch) => self.continue_batch(batch),
                Waiter::Envelope(envelope) => self.continue_collecting(envelope),
                Waiter::Tour(tour) => self.receive_tour(tour),
                Waiter::Forget(observer) => self.forget(observer),
            }
            while let Some(slot) = self.lent.arrivals.pop_front() {
                self.serve_waiters(slot);
            }
        }
    }

    pub(super) fn finish_tour(&mut self, tour: Tour) {
        let asker = match tour.asker {
            Asker::Session(asker) => asker,
            Asker::Transaction => return self.finish_exclusive_tour(tour.task),
            Asker::Nobody => {
                let mut output = Output::default();
                let nobody = SessionId { index: u32::MAX, generation: u32::MAX };
                let mut reply = Reply::new(&mut output, Default::default());
                return tour.task.finish(self, nobody, &mut reply);
            }
        };
        self.return_credit();
        self.stats.mark(self.host.elapsed_ns());
        let (id, summary) = (asker.session, asker.summary);
        let protocol = self.session(id).map(|session| session.protocol).unwrap_or_default();
        let mut output = Output::default();
        tour.task.finish(self, id, &mut Reply::new(&mut output, protocol));
        let spent_ns = asker.spent_ns + self.stats.lap(self.host.elapsed_ns());
        if let Some(ns) = self.stats.took(asker.row, spent_ns, None) {
            self.stats.note_slow(asker.row, ns, summary.clone());
            self.log_slow(Some(id));
        }
        if output.len_hint() >= self.stats.large_reply_bytes {
            self.stats.note_large_reply(asker.row, output.len(), summary);
            self.log_slow(Some(id));
        }
        let Some(session) = self.session_mut(id) else { return };
        if session.fill(asker.place, 1, |to| to.append(&mut output)) {
            self.resume(id, Hold::Replies);
        }
        self.note_change(id);
    }
}

/// What a slot that moves leaves behind, where that is a bug to be found.
#[inline]
fn forget_some(content: &mut Slot) {
    if let Some(observers) = &mut content.observers {
        if mutation::is_on(Mutation::WatchLost) {
            observers.watches = Default::default();
        }
        if mutation::is_on(Mutation::WaitersLost) {
            observers.waits = Default::default();
        }
    }
    if mutation::is_on(Mutation::ListenersLost) {
        content.channels = None;
    }
    if mutation::is_on(Mutation::WalkLost) {
        content.snapshot = Default::default();
    }
    if mutation::is_on(Mutation::SequenceLost) {
        content.sequence = 0;
    }
}
