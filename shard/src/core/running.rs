//! Commands that run at this core: on keys that are all here, or on the connection itself.

use super::dispatch::Flow;
use super::message::{Caller, Route};
use super::session::{Hold, ReplyMode};
use super::spreading::Author;
use super::{Core, SessionId};
use crate::arguments::Arguments;
use crate::call::{Call, Sequel, SessionCall};
use crate::command::{Command, KeysHandler, SessionHandler, flag};
use crate::hash::HashSlot;
use crate::host::{Host, LogLevel};
use crate::key_waits::{Address, KeyWait};
use crate::reply::{Output, Reply};
use crate::slow_log::summarize;
use crate::stats::Stats;
use crate::store::Store;
use crate::trace;

impl Core {
    pub(super) fn run_locally(
        &mut self,
        id: SessionId,
        row: &'static Command,
        handler: KeysHandler,
        route: Route,
        arguments: Arguments<'_>,
    ) -> Flow {
        if !self.catch_up(id) {
            return Flow::Refused;
        }
        if !self.is_runnable(row, route, arguments) {
            return self.defer(id, row, route, arguments);
        }
        self.run_now(id, row, handler, route, arguments)
    }

    /// Whether a command may run at this core at this moment: it owns all slots, has lent none of
    /// them, and is not parked.
    #[inline]
    pub(super) fn is_runnable(
        &self,
        row: &Command,
        route: Route,
        arguments: Arguments<'_>,
    ) -> bool {
        if !self.gate.is_open() {
            return false;
        }
        match route {
            Route::Home => true,
            Route::One(slot, _) => self.store.has_slot(slot),
            Route::Many => {
                let mut all_here = true;
                row.for_each_key(arguments, |key| {
                    all_here &= self.store.has_slot(HashSlot::of_key(key));
                });
                all_here
            }
        }
    }

    #[inline]
    pub(super) fn run_now(
        &mut self,
        id: SessionId,
        row: &'static Command,
        handler: KeysHandler,
        route: Route,
        arguments: Arguments<'_>,
    ) -> Flow {
        let Self { sessions, store, stats, host, scratch, .. } = self;
        let session = sessions[id.index as usize].as_deref_mut().expect("seen by the caller");
        let caller = session.caller();
        let answers = session.reply_mode == ReplyMode::On;
        if row.flags.contains(flag::SCRIPT_RUNNER) {
            return self.run_script_now(id, row, route, arguments);
        }
        let output = if answers { session.reply_output() } else { &mut *scratch };
        let sequel =
            run_on_keys(store, stats, &**host, row, handler, route, caller, arguments, output);
        let watcher = match sequel.map(|sequel| *sequel) {
            None => None,
            Some(Sequel::Waits(wait)) => return self.wait_here(id, row, arguments, wait),
            Some(Sequel::NeedsSlots(slots)) => {
                return self.send_alone(id, row, route, arguments, slots);
            }
            Some(Sequel::NeedsEverything) => unreachable!("only scripts need everything"),
            Some(Sequel::Departs(_)) => unreachable!("what keeps slots runs in an envelope"),
            Some(Sequel::Watches(watcher)) => Some(watcher),
        };
        session.figures.note_command(row);
        if !answers {
            scratch.clear();
            session.step_reply_mode();
        }
        if let Some(watcher) = watcher {
            self.note_watcher(id, watcher);
        }
        if !self.stats.slow.is_empty() {
            self.log_slow(Some(id));
        }
        self.note_new_candidates();
        self.note_change(id);
        let author = Author { core: self.id, session: id, place: None };
        self.conclude(author, row, caller, arguments);
        self.note_news_sent(id);
        self.serve_ready_keys();
        Flow::Done
    }

    fn run_script_now(
        &mut self,
        id: SessionId,
        row: &'static Command,
        route: Route,
        arguments: Arguments<'_>,
    ) -> Flow {
        let mut output = std::mem::take(&mut self.scratch);
        let caller = self.session(id).expect("seen by the caller").caller();
        let author = Author { core: self.id, session: id, place: None };
        self.scripting_session = Some(id);
        let sequel = self.run_script(author, row, caller, arguments, false, &mut output);
        self.scripting_session = None;
        match sequel.map(|sequel| *sequel) {
            None => {}
            Some(Sequel::NeedsSlots(slots)) => {
                self.scratch = output;
                return self.send_alone(id, row, route, arguments, slots);
            }
            Some(_) => {
                self.scratch = output;
                return self.send_everywhere(id, row, route, arguments);
            }
        }
        let session = self.session_mut(id).expect("seen by the caller");
        session.figures.note_command(row);
        if session.reply_mode == ReplyMode::On {
            session.reply_output().append(&mut output);
        }
        session.step_reply_mode();
        output.clear();
        self.scratch = output;
        if !self.stats.slow.is_empty() {
            self.log_slow(Some(id));
        }
        self.note_new_candidates();
        self.note_change(id);
        self.spread_pending(Some(author));
        self.serve_ready_keys();
        Flow::Done
    }

    #[cold]
    fn wait_here(
        &mut self,
        id: SessionId,
        row: &'static Command,
        arguments: Arguments<'_>,
        wait: KeyWait,
    ) -> Flow {
        let session = self.session_mut(id).expect("seen by the caller");
        session.figures.note_command(row);
        let place = session.reserve(false, None);
        session.step_reply_mode();
        let caller = session.caller();
        let address = Address { core: self.id, session: id, place };
        self.hold(id, Hold::Replies);
        let waiter = self.start_waiting(wait, row, arguments, caller, address);
        self.block_on_keys(waiter);
        self.serve_ready_keys();
        Flow::Done
    }

    /// A command that concerns the connection or the server, not keys: runs here.
    pub(super) fn execute_on_session(
        &mut self,
        id: SessionId,
        row: &'static Command,
        handler: SessionHandler,
        arguments: Arguments<'_>,
    ) {
        let mut output = std::mem::take(&mut self.scratch);
        let session = self.session_mut(id).expect("the caller has seen the session");
        session.figures.note_command(row);
        let reply = Reply::new(&mut output, session.protocol);
        let mut call = SessionCall::new(self, id, arguments, reply);
        let outcome = handler(&mut call);
        let (tour, block) = (call.tour.take(), call.block.take());
        let mark = call.mark.take();
        let transaction = call.transaction.take();
        let membership = call.membership.take();
        if let Err(error) = &outcome {
            call.reply.error(error);
        }
        if tour.is_none() {
            let error = outcome.err();
            if let Some(ns) = self.stats.ran(row, self.host.elapsed_ns(), error.as_ref()) {
                let summary = self.summary(row, arguments);
                self.stats.note_slow(row, ns, summary);
                self.log_slow(Some(id));
            }
        }
        if tour.is_none() && output.len_hint() >= self.stats.large_reply_bytes {
            self.note_large_reply(id, row, arguments, &output);
        }
        if let Some(session) = self.session_mut(id) {
            if session.reply_mode == ReplyMode::On && !output.is_empty() {
                session.reply_output().append(&mut output);
            }
            let is_over = tour.is_none() && block.is_none();
            if is_over && transaction.is_none() && membership.is_none() {
                session.step_reply_mode();
            }
            self.note_change(id);
        }
        output.clear();
        self.scratch = output;
        if let Some(block) = block {
            self.block(id, block, mark);
        }
        if let Some(tour) = tour {
            self.begin_tour(id, row, arguments, tour);
        }
        if let Some(transaction) = transaction {
            self.execute_transaction(id, *transaction);
        }
        if let Some((request, slots)) = membership {
            self.send_membership(id, row, arguments, request, slots);
        }
    }
}

/// Runs one command on keys that are all here, and counts it if it was answered.
#[inline]
#[expect(clippy::too_many_arguments, reason = "the parts of a core it works on, borrowed apart")]
pub(super) fn run_on_keys(
    store: &mut Store,
    stats: &mut Stats,
    host: &dyn Host,
    row: &'static Command,
    handler: KeysHandler,
    route: Route,
    caller: Caller,
    arguments: Arguments<'_>,
    output: &mut Output,
) -> Option<Box<Sequel>> {
    let before = output.mark();
    let reply = Reply::new(output, caller.protocol);
    let is_journaled = store.journal.is_on();
    if is_journaled {
        store.begin_journaled();
    }
    let mut call = Call::new(store, row, arguments, caller, route, reply);
    let outcome = handler(&mut call);
    if let Err(error) = &outcome {
        call.reply.error(error);
        if let Some(text) = error.explanation() {
            host.log(LogLevel::Verbose, text);
        }
    }
    let sequel = call.sequel.take();
    if is_journaled {
        call.store.end_journaled(row, route, caller.db, arguments);
    }
    if sequel.as_ref().is_none_or(|sequel| sequel.is_answered()) {
        let slow = stats.ran(row, host.elapsed_ns(), outcome.err().as_ref());
        if let Some(ns) = slow {
            stats.note_slow(row, ns, summarize(arguments, |_| false));
        }
        if output.is_large_since(before, stats.large_reply_bytes) {
            let bytes = output.len_since(before);
            stats.note_large_reply(row, bytes, summarize(arguments, |_| false));
        }
        if trace::is_on() {
            trace::note_command(store, row, caller.db, arguments, output.copy_since(before));
        }
    }
    sequel
}
