//! Commands that run on another core: batches on their way out, at work, and back.

use std::ops::Range;

use super::dispatch::Flow;
use super::message::{Batch, BatchCommand, Caller, Errand, Message, Route};
use super::running::run_on_keys;
use super::session::Hold;
use super::spreading::Author;
use super::waiting::Waiter;
use super::{Core, CoreId, SessionId};
use crate::arguments::Arguments;
use crate::call::{Call, Sequel, Travel};
use crate::command::{Command, Handler, flag};
use crate::error::CommandError;
use crate::hash::HashSlot;
use crate::mutation::{self, Mutation};
use crate::reply::{Output, Reply};
use crate::slot::Slot;
use crate::store::ahead::Lookup;

/// Spare batches a core keeps for reuse.
const SPARE_BATCHES_MAX: usize = 64;

impl Core {
    pub(super) fn spare_batch(&mut self) -> Box<Batch> {
        let mut batch = self.spare_batches.pop().unwrap_or_default();
        batch.origin = self.id;
        batch
    }

    /// Takes the right to have one more box under way. Without any left the session is held until
    /// one comes back.
    pub(super) fn take_credit(&mut self, id: SessionId) -> bool {
        if self.credit > 0 {
            self.credit -= 1;
            return true;
        }
        self.hold(id, Hold::Credit);
        self.starving.push_back(id);
        false
    }

    pub(super) fn return_credit(&mut self) {
        self.credit += 1;
        if let Some(id) = self.starving.pop_front() {
            self.resume(id, Hold::Credit);
        }
    }

    /// Adds a command to the batch for `target` that is open.
    pub(super) fn send_command(
        &mut self,
        id: SessionId,
        target: CoreId,
        row: &'static Command,
        route: Route,
        arguments: Arguments<'_>,
    ) -> Flow {
        let publishes = matches!(row.handler, Some(Handler::Channel(_)));
        let session = self.session_mut(id).expect("the caller has seen the session");
        // Behind a message, even in its batch, only messages: what else is done takes effect when
        // the batch is sent, and the message is on its way only once it has run.
        let is_behind_message =
            session.publishes && !publishes && !mutation::is_on(Mutation::MessageFollowed);
        if let Some(other) = session.open_target
            && (other != target || is_behind_message)
        {
            self.flush_open(other);
            if self.is_held(id) {
                return Flow::Refused;
            }
        }
        if self.open_batches[target.index()].is_none() {
            if !self.take_credit(id) {
                return Flow::Refused;
            }
            self.open_batches[target.index()] = Some(self.spare_batch());
            self.open_count += 1;
        }
        let session = self.sessions[id.index as usize].as_deref_mut().expect("seen above");
        let batch = self.open_batches[target.index()].as_deref_mut().expect("opened above");
        session.figures.note_command(row);
        // Only what stands right behind the session's last command in the same batch shares its
        // place: other sessions' commands in between would split the run of replies.
        let extends = session.open_target == Some(target)
            && batch.commands.last().is_some_and(|last| last.session == id);
        if !session.is_owed() {
            session.owed_in_batch = Some(target);
        }
        let place = session.reserve(extends, Some(target));
        batch.push(id, place, row, route, session.caller(), arguments);
        session.step_reply_mode();
        session.open_target = Some(target);
        session.sent_since_drain = true;
        session.publishes |= publishes;
        if batch.is_full() {
            self.flush_open(target);
        }
        Flow::Done
    }

    /// Sends the open batch for `target`, if there is one. Its sessions are held when a slot in it
    /// may be lent out, for then it may wait there while later commands run elsewhere.
    pub(super) fn flush_open(&mut self, target: CoreId) {
        let Some(batch) = self.open_batches[target.index()].take() else { return };
        self.open_count -= 1;
        let mut previous = None;
        let mut senders: smallvec::SmallVec<[SessionId; 8]> = smallvec::SmallVec::new();
        for command in &batch.commands {
            if previous != Some(command.session) {
                previous = Some(command.session);
                senders.push(command.session);
            }
        }
        for &id in &senders {
            if let Some(session) = self.session_mut(id) {
                session.open_target = None;
                session.owed_in_batch = None;
                if std::mem::take(&mut session.publishes)
                    && !mutation::is_on(Mutation::PublishOvertaken)
                {
                    // Once it is answered, the message is on its way to all who receive it.
                    session.holds.insert(Hold::Replies);
                }
            }
        }
        self.send(target, Message::Batch(batch));
        // After the enqueue: see `shared` for why the order matters.
        if self.shared.any_claim() {
            for id in senders {
                self.hold(id, Hold::Replies);
            }
        }
    }

    /// Sends all open batches.
    pub fn flush_all_open(&mut self) {
        if self.open_count == 0 {
            return;
        }
        for target in 0..self.core_count {
            self.flush_open(CoreId(target));
        }
    }

    /// Runs the commands of a batch from where it stands, as far as it gets.
    pub(super) fn run_batch(&mut self, batch: Box<Batch>) {
        if !self.gate.is_open() {
            self.gate.queue.push_back(Waiter::Batch(batch));
            return;
        }
        self.continue_batch(batch);
    }

    /// Like [`Core::run_batch`] for a batch that had its turn at the gate already.
    pub(super) fn continue_batch(&mut self, mut batch: Box<Batch>) {
        self.prefetch_batch(&batch);
        self.take_aboard(batch.origin);
        let obstacle = self.run_commands(&mut batch);
        batch.news = self.unload();
        self.note_new_candidates();
        if obstacle == Obstacle::None || batch.next > 0 {
            // Replies that wait could be overtaken by news of what is done meanwhile.
            return self.send_home(batch);
        }
        self.send_ahead(&mut batch);
        match obstacle {
            Obstacle::None => unreachable!("seen to above"),
            Obstacle::Lent(slot) => self.lent.wait(slot, Waiter::Batch(batch)),
            Obstacle::Elsewhere => self.send_on(batch),
            Obstacle::SeveralLent => self.enclose(batch),
            Obstacle::Everything => self.run_everywhere(batch),
        }
    }

    /// Runs the commands of a batch until one of them cannot run here and now; what keeps it.
    fn run_commands(&mut self, batch: &mut Batch) -> Obstacle {
        while !batch.is_done() {
            let command = &batch.commands[batch.next];
            let (row, route, caller) = (command.row, command.route, command.caller);
            self.set_aboard_index(batch.next);
            match self.obstacle(row, route, batch.arguments(batch.next)) {
                Obstacle::None => {}
                Obstacle::Lent(slot) if mutation::is_on(Mutation::LentSlotWritten) => {
                    let seed = self.store.seed();
                    self.store.put_slot(slot, Box::new(Slot::new(seed)));
                    let obstacle = self.run_commands(batch);
                    self.store.take_slot(slot);
                    return obstacle;
                }
                obstacle => return obstacle,
            }
            if !matches!(batch.travel, Travel::None) {
                if self.walk_on(batch) {
                    batch.advance();
                }
                continue;
            }
            if let Err(error) = self.check_memory(row.flags) {
                self.refuse(batch, &error);
                batch.advance();
                continue;
            }
            let author = batch.author_of(batch.next);
            let (arguments, output) = batch.arguments_and_output(batch.next);
            let sequel = self.run_traveller(author, row, route, caller, arguments, output);
            self.conclude_in(batch, sequel.is_none());
            match sequel.map(|sequel| *sequel) {
                None => {}
                Some(Sequel::Watches(watcher)) => batch.watcher = Some(watcher),
                Some(Sequel::Waits(wait)) => self.wait_in_batch(batch, wait),
                Some(Sequel::NeedsSlots(slots)) => {
                    batch.extra_slots = slots;
                    return Obstacle::SeveralLent;
                }
                Some(Sequel::NeedsEverything) => return Obstacle::Everything,
                Some(Sequel::Departs(_)) => return Obstacle::SeveralLent,
            }
            if !self.stats.slow.is_empty() {
                let session = batch.commands[batch.next].session;
                self.pack_slow(session, &mut batch.slow);
            }
            batch.advance();
            self.serve_ready_keys();
        }
        Obstacle::None
    }

    /// Runs a command that has come here, whose slots are all here.
    #[inline]
    pub(super) fn run_traveller(
        &mut self,
        author: Author,
        row: &'static Command,
        route: Route,
        caller: Caller,
        arguments: Arguments<'_>,
        output: &mut Output,
    ) -> Option<Box<Sequel>> {
        if row.flags.contains(flag::SCRIPT_RUNNER) {
            return self.run_script(author, row, caller, arguments, false, output);
        }
        let handler = row.keys_handler();
        let Self { store, stats, host, .. } = self;
        run_on_keys(store, stats, &**host, row, handler, route, caller, arguments, output)
    }

    /// The command at `next` of a batch is over: see [`Core::conclude`]. What it has read is to be
    /// remembered only if it has its reply.
    pub(super) fn conclude_in(&mut self, batch: &Batch, is_answered: bool) {
        let command = &batch.commands[batch.next];
        let author = batch.author_of(batch.next);
        let caller = Caller { tracks: command.caller.tracks && is_answered, ..command.caller };
        self.conclude(author, command.row, caller, batch.arguments(batch.next));
    }

    /// Runs the walk a batch consists of as far as it gets here; whether it has its reply.
    fn walk_on(&mut self, batch: &mut Batch) -> bool {
        let command = &batch.commands[batch.next];
        let (row, route, caller) = (command.row, command.route, command.caller);
        let travel = std::mem::take(&mut batch.travel);
        let (arguments, output) = batch.arguments_and_output(batch.next);
        let reply = Reply::new(output, caller.protocol);
        let mut call = Call::new(&mut self.store, row, arguments, caller, route, reply);
        call.travel = travel;
        let outcome = row.keys_handler()(&mut call);
        if let Err(error) = &outcome {
            call.reply.error(error);
        }
        if let Travel::Onward(walk) = call.travel {
            batch.commands[batch.next].route = Route::One(walk.slot, 0);
            batch.travel = Travel::Onward(walk);
            return false;
        }
        let error = outcome.err();
        if let Some(ns) = self.stats.ran(row, self.host.elapsed_ns(), error.as_ref()) {
            let summary = self.summary(row, batch.arguments(batch.next));
            self.stats.note_slow(row, ns, summary);
            let session = batch.commands[batch.next].session;
            self.pack_slow(session, &mut batch.slow);
        }
        true
    }

    /// A batch whose next command's slot lives elsewhere goes home, to be routed anew. A walk goes
    /// straight on: its session has nothing else under way that it could overtake.
    fn send_on(&mut self, batch: Box<Batch>) {
        match &batch.travel {
            Travel::Onward(walk) => {
                let owner = self.owner(walk.slot);
                self.send(owner, Message::Batch(batch));
            }
            Travel::None | Travel::Start => self.send_home(batch),
        }
    }

    /// Answers the next command of a batch with an error instead of running it.
    pub(super) fn refuse(&mut self, batch: &mut Batch, error: &CommandError) {
        let command = &batch.commands[batch.next];
        self.stats.rejected(Some(command.row), error);
        let protocol = command.caller.protocol;
        let (_, output) = batch.arguments_and_output(batch.next);
        Reply::new(output, protocol).error(error);
    }

    fn prefetch_batch(&self, batch: &Batch) {
        let upcoming = &batch.commands[batch.next..];
        if upcoming.len() < 2 {
            return;
        }
        for command in upcoming {
            if let Route::One(slot, _) = command.route {
                self.store.prefetch_slot(slot, command.row.flags.contains(flag::WRITE));
            }
        }
        let lookup = |it: &BatchCommand| Lookup::of(it.row, it.route, it.caller.db);
        self.store.prefetch(upcoming.iter().filter_map(lookup));
    }

    /// Sends a batch back to where it came from: done, or to be routed anew.
    pub(super) fn send_home(&mut self, mut batch: Box<Batch>) {
        let origin = batch.origin;
        batch.ran_at = self.id;
        if origin == self.id && !batch.is_done() {
            // Not after what is delivered here meanwhile.
            self.hand_out_done(&mut batch);
        }
        let message =
            if batch.is_done() { Message::Answer(batch) } else { Message::Bounced(batch) };
        match message {
            Message::Answer(batch) if origin == self.id => self.finish_batch(batch),
            message => self.send(origin, message),
        }
    }

    /// What keeps a command from running here.
    fn obstacle(&self, row: &Command, route: Route, arguments: Arguments<'_>) -> Obstacle {
        match route {
            Route::Home => Obstacle::None,
            Route::One(slot, _) if self.store.has_slot(slot) => Obstacle::None,
            Route::One(slot, _) if self.owner(slot) == self.id => Obstacle::Lent(slot),
            Route::One(..) => Obstacle::Elsewhere,
            Route::Many => {
                let mut obstacle = Obstacle::None;
                row.for_each_key(arguments, |key| {
                    let slot = HashSlot::of_key(key);
                    if self.owner(slot) != self.id {
                        obstacle = Obstacle::Elsewhere;
                    } else if !self.store.has_slot(slot) && obstacle == Obstacle::None {
                        obstacle = Obstacle::SeveralLent;
                    }
                });
                obstacle
            }
        }
    }

    /// A batch is back at its origin, done: its replies go to their places.
    pub(super) fn finish_batch(&mut self, mut batch: Box<Batch>) {
        for (id, command) in batch.slow.drain(..) {
            self.log_slow_command(Some(id), command);
        }
        match std::mem::take(&mut batch.errand) {
            Errand::Commands => {}
            Errand::Service(_) => {
                self.deliver_all(std::mem::take(&mut batch.news));
                self.keep_batch(batch);
                return self.finish_service();
            }
            Errand::Transaction(execution) => {
                self.finish_transaction(&batch, &execution);
                self.deliver_all(std::mem::take(&mut batch.news));
                self.keep_batch(batch);
                return self.return_credit();
            }
            Errand::Membership(request) => {
                self.finish_membership(&batch, &request);
                self.keep_batch(batch);
                return self.return_credit();
            }
        }
        if let Some(watcher) = batch.watcher.take() {
            self.note_watcher(batch.commands[0].session, watcher);
        }
        match batch.waiter.take() {
            Some(waiter) => {
                self.block_on_keys(waiter);
                self.deliver_all(std::mem::take(&mut batch.news));
            }
            None => self.hand_out(&mut batch),
        }
        self.keep_batch(batch);
        self.return_credit();
    }

    pub(super) fn keep_batch(&mut self, mut batch: Box<Batch>) {
        batch.reset();
        if self.spare_batches.len() < SPARE_BATCHES_MAX {
            self.spare_batches.push(batch);
        }
    }

    /// Hands out what came of the commands that ran, and lets the batch go on without them.
    fn hand_out_done(&mut self, batch: &mut Batch) {
        if batch.next > 0 {
            self.hand_out(batch);
            batch.drop_done();
        }
    }

    /// Hands out the replies of all commands that ran, and the news among them.
    fn hand_out(&mut self, batch: &mut Batch) {
        let mut first = 0;
        self.hears_from = Some(batch.ran_at);
        for (index, (author, notice)) in std::mem::take(&mut batch.news) {
            let next = (index + 1).min(batch.next).max(first);
            self.hand_out_replies(batch, first..next);
            first = next;
            let author = author.map(|author| batch.author_when_handed_out(index, author));
            self.deliver_notice(author, notice);
        }
        self.hears_from = None;
        self.hand_out_replies(batch, first..batch.next);
    }

    fn hand_out_replies(&mut self, batch: &Batch, commands: Range<usize>) {
        let mut first = commands.start;
        let mut from = match first {
            0 => 0,
            _ => batch.commands[first - 1].reply_end,
        };
        while first < commands.end {
            let (id, place) = (batch.commands[first].session, batch.commands[first].place);
            let mut end = first + 1;
            while end < commands.end
                && (batch.commands[end].session, batch.commands[end].place) == (id, place)
            {
                end += 1;
            }
            let to = batch.commands[end - 1].reply_end;
            if let Some(session) = self.session_mut(id) {
                let nothing_owed = session.fill(place, (end - first) as u32, |output| {
                    output.append_range(&batch.output, from, to);
                });
                if nothing_owed {
                    self.resume(id, Hold::Replies);
                }
                self.note_change(id);
            }
            first = end;
            from = to;
        }
    }

    /// A batch is back because its next command's slots are lent out or live elsewhere by now:
    /// sends it there. Its sessions are held, so nothing of theirs can overtake it.
    pub(super) fn reroute(&mut self, mut batch: Box<Batch>) {
        self.hand_out_done(&mut batch);
        for index in batch.next..batch.commands.len() {
            self.hold(batch.commands[index].session, Hold::Replies);
        }
        let command = &batch.commands[batch.next];
        let target = match command.route {
            _ if !batch.extra_slots.is_empty() => None,
            Route::Home => Some(self.id),
            Route::One(slot, _) => Some(self.owner(slot)),
            Route::Many => self.common_owner(command.row, batch.arguments(batch.next)),
        };
        match target {
            Some(core) if core == self.id => self.run_batch(batch),
            Some(core) => self.send(core, Message::Batch(batch)),
            None => self.enclose(batch),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    None,
    /// The only slot is lent out: wait for it.
    Lent(HashSlot),
    /// One of several slots is lent out: collect them in order.
    SeveralLent,
    /// A slot lives on another core by now.
    Elsewhere,
    /// It is a script that can only be run with all slots at hand.
    Everything,
}
