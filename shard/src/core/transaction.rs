//! MULTI and EXEC: commands that run one after the other with nothing in between.
//!
//! Between MULTI and EXEC commands are checked and kept in a batch that belongs to the session.
//! EXEC finds out where they have to run:
//!
//! * **Here**, when every slot they name is at this core: one after the other, now.
//! * **In an envelope** that collects the slots of all of them and of the watched keys, and runs
//!   them all where it has the last. Commands on the connection (PING, CLIENT SETNAME) cannot see
//!   keys and cannot be seen by them; they run when the envelope is back, and are answered in
//!   their place.
//! * **Exclusively** (see [`super::exclusive`]), when one of them has to see all cores or may reach
//!   keys it does not name.
//!
//! Wherever they run, the marks of WATCH are looked at there, with the watched slots at hand.
//!
//! Errors follow Redis: what is refused while queueing makes EXEC fail; a command that fails while
//! running does not keep the others from running.

use std::sync::Arc;

use super::debugging::{DEBUGGED_IN_TRANSACTION, is_debuggable};
use super::message::{Batch, BatchCommand, Errand, Route};
use super::running::run_on_keys;
use super::session::{Debugging, Hold, ReplyMode};
use super::spreading::Author;
use super::tour::TourTask;
use super::{Core, SessionId};
use crate::arguments::{ArgRange, Arguments};
use crate::call::{Sequel, SessionCall};
use crate::command::{self, Command, CommandFlags, Handler, SessionHandler, flag};
use crate::error::CommandError;
use crate::hash::HashSlot;
use crate::number::parse_integer;
use crate::observers::Observer;
use crate::reply::{Output, Reply};
use crate::store::Access;
use crate::trace;
use crate::watches::Watcher;

/// Bytes of arguments one transaction may hold.
const TRANSACTION_BYTES_MAX: usize = 1 << 30;

const TOO_LARGE: CommandError = CommandError::Fixed("ERR Transaction is too large");
const NOT_IN_TRANSACTION: CommandError =
    CommandError::Fixed("ERR Command not allowed inside a transaction");
const NO_WATCH: CommandError = CommandError::Fixed("ERR WATCH inside MULTI is not allowed");

/// Commands a session has queued since MULTI.
pub struct Transaction {
    /// What is queued; the commands' places are not set yet.
    batch: Box<Batch>,
    /// All flags of the commands.
    pub(super) flags: CommandFlags,
    /// A command was refused, so EXEC will be.
    pub is_broken: bool,
}

impl Transaction {
    /// Number of commands that are queued.
    pub fn len(&self) -> usize {
        self.batch.commands.len()
    }

    /// Whether no command is queued.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of their arguments.
    pub fn argument_bytes(&self) -> usize {
        self.batch.argument_bytes()
    }

    /// Memory the commands take, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.batch.memory_bytes()
    }
}

/// What EXEC answers when it is refused.
pub(super) fn aborted_by(error: &CommandError) -> CommandError {
    let text = format!("EXECABORT Transaction discarded because of: {}", error.text());
    CommandError::worded(text)
}

/// A transaction on its way.
#[derive(Default)]
pub struct Execution {
    pub(super) watchers: Vec<Arc<Watcher>>,
    /// Whether it needs all slots, at the core of its client.
    pub(super) is_exclusive: bool,
    /// Whether it is no transaction but one script that is debugged.
    pub(super) is_debugged: bool,
    /// A watched key had changed: nothing was run.
    pub(super) is_aborted: bool,
    /// Commands that are not allowed any more, by their places in the batch.
    pub(super) refused: Vec<(usize, CommandError)>,
}

/// Where a transaction has to run.
enum Scope {
    Here,
    Slots(Vec<HashSlot>),
    Everything,
}

impl Core {
    /// MULTI.
    pub(crate) fn begin_transaction(&mut self, id: SessionId) {
        let batch = self.spare_batch();
        let session = self.session_mut(id).expect("a session is open while its command runs");
        let flags = CommandFlags::EMPTY;
        session.transaction = Some(Box::new(Transaction { batch, flags, is_broken: false }));
    }

    /// DISCARD, and what ends a transaction otherwise: nothing queued runs, nothing is watched.
    pub(crate) fn discard_transaction(&mut self, id: SessionId) {
        let Some(session) = self.session_mut(id) else { return };
        if let Some(transaction) = session.transaction.take() {
            self.keep_batch(transaction.batch);
        }
        self.unwatch(id);
    }

    /// Puts a command into the transaction of a session.
    #[cold]
    pub(super) fn queue(
        &mut self,
        id: SessionId,
        row: &'static Command,
        route: Route,
        arguments: Arguments<'_>,
    ) {
        let flags = self.flags_in_effect(row, arguments);
        let session = self.session_mut(id).expect("seen by the caller");
        let caller = session.caller();
        let is_debugging = session.debugging != Debugging::Off;
        let transaction = session.transaction.as_deref_mut().expect("the caller has seen it");
        let is_too_large =
            transaction.batch.argument_bytes() + arguments.total_bytes() > TRANSACTION_BYTES_MAX;
        let refusal = match row.handler {
            Some(Handler::Keys(_)) if row.flags.contains(flag::IN_MULTI) => Some(NO_WATCH),
            _ if row.flags.contains(flag::NO_MULTI) => Some(NOT_IN_TRANSACTION),
            _ if is_too_large => Some(TOO_LARGE),
            _ if is_debugging && is_debuggable(row) => Some(DEBUGGED_IN_TRANSACTION),
            _ => None,
        };
        if let Some(error) = refusal {
            transaction.is_broken |= !row.flags.contains(flag::IN_MULTI);
            return self.reject(id, Some(row), &error);
        }
        transaction.flags = transaction.flags.with(flags);
        transaction.batch.push(id, 0, row, route, caller, arguments);
        session.figures.note_command(row);
        if session.reply_mode == ReplyMode::On {
            let protocol = session.protocol;
            Reply::new(session.reply_output(), protocol).simple("QUEUED");
        }
        session.step_reply_mode();
        self.note_change(id);
        self.audit_queued(id, row, arguments);
    }

    /// EXEC of a transaction that may run. Its reply comes at once or later.
    pub(super) fn execute_transaction(&mut self, id: SessionId, transaction: Transaction) {
        let Transaction { mut batch, flags, .. } = transaction;
        let session = self.session_mut(id).expect("seen by the caller");
        let watchers = session.take_watchers();
        let needs_room = flags.contains(flag::DENYOOM);
        let has_room = if needs_room { self.check_memory(flags) } else { Ok(()) };
        if let Err(error) = has_room.and_then(|()| self.check_disk(flags)) {
            self.reject(id, None, &aborted_by(&error));
            return self.end_watching(watchers);
        }
        if batch.commands.is_empty() {
            return self.execute_nothing(id, batch, watchers);
        }
        let scope = self.scope_of(&mut batch, &watchers);
        let is_exclusive = matches!(scope, Scope::Everything);
        let mut execution = Execution { watchers, is_exclusive, ..Execution::default() };
        let slots = match scope {
            Scope::Here => return self.execute_here(id, batch, &mut execution),
            Scope::Slots(slots) => slots,
            Scope::Everything => HashSlot::all().collect(),
        };
        if !is_exclusive {
            self.check_all_queued(id, &batch, &mut execution);
        }
        self.credit -= 1;
        let session = self.session_mut(id).expect("seen by the caller");
        let place = session.reserve(false, None);
        session.step_reply_mode();
        for command in &mut batch.commands {
            command.place = place;
        }
        self.hold(id, Hold::Replies);
        batch.errand = Errand::Transaction(Box::new(execution));
        batch.extra_slots = slots;
        self.enclose(batch);
    }

    /// There is nothing to run, but marks may say that it would not have been run.
    fn execute_nothing(&mut self, id: SessionId, batch: Box<Batch>, watchers: Vec<Arc<Watcher>>) {
        let is_aborted = watchers.iter().any(|watcher| watcher.is_touched());
        self.end_watching(watchers);
        self.keep_batch(batch);
        let mut output = Output::default();
        let mut reply = self.reply_writer(id, &mut output);
        if is_aborted {
            reply.null_array()
        } else {
            reply.array_len(0)
        }
        self.show_exec(id);
        self.reply_at_once(id, output);
    }

    fn reply_at_once(&mut self, id: SessionId, mut output: Output) {
        let Some(session) = self.session_mut(id) else { return };
        if session.reply_mode == ReplyMode::On {
            session.reply_output().append(&mut output);
        }
        session.step_reply_mode();
        self.note_change(id);
    }

    /// Finds out where the commands have to run, and under which database each does.
    fn scope_of(&self, batch: &mut Batch, watchers: &[Arc<Watcher>]) -> Scope {
        let mut slots = Vec::new();
        let mut sees_everything = false;
        let mut db = batch.commands.first().map_or(0, |first| first.caller.db);
        for index in 0..batch.commands.len() {
            let row = batch.commands[index].row;
            batch.commands[index].caller.db = db;
            let arguments = batch.arguments(index);
            match row.handler.expect("rows without code are not found") {
                Handler::Keys(_) | Handler::Channel(_) => {
                    row.for_each_key(arguments, |key| slots.push(HashSlot::of_key(key)));
                    sees_everything |= row.reaches_unnamed_keys();
                    sees_everything |= row.flags.contains(flag::SCRIPT_RUNNER)
                        && !self.keeps_to_its_keys(row, arguments);
                }
                Handler::Session(_) if row.name == "select" => db = self.selected(arguments, db),
                Handler::Session(_) => sees_everything |= !row.flags.contains(flag::AT_HOME),
                Handler::Slot(..) => sees_everything = true,
            }
        }
        // Slots are lent even by an only core: to transactions that waited for a tour to pass.
        if self.core_count == 1 && self.gate.is_open() && self.lent.is_empty() {
            return Scope::Here;
        }
        if sees_everything {
            return Scope::Everything;
        }
        let watched = watchers.iter().flat_map(|watcher| watcher.names());
        slots.extend(watched.map(|name| HashSlot::of_key(name)));
        // One that touches no key need not wait for a tour to pass: no slot would come to it.
        let all_here = || slots.iter().all(|slot| self.store.has_slot(*slot));
        let is_here = slots.is_empty() || self.gate.is_open() && all_here();
        if is_here { Scope::Here } else { Scope::Slots(slots) }
    }

    /// The database a queued SELECT leads to.
    fn selected(&self, arguments: Arguments<'_>, db: u32) -> u32 {
        let number = arguments.get(1).and_then(parse_integer);
        let number = number.and_then(|number| u32::try_from(number).ok());
        number.filter(|number| *number < self.store.settings().databases).unwrap_or(db)
    }

    fn execute_here(&mut self, id: SessionId, batch: Box<Batch>, execution: &mut Execution) {
        let mut output = Output::default();
        self.check_watches(execution);
        if execution.is_aborted {
            self.reply_writer(id, &mut output).null_array();
        } else {
            self.reply_writer(id, &mut output).array_len(batch.commands.len());
            self.store.begin_group();
            for index in 0..batch.commands.len() {
                self.run_queued(id, &batch, index, &mut output);
                if !self.stats.slow.is_empty() {
                    self.log_slow(Some(id));
                }
            }
            self.store.end_group();
        }
        self.keep_batch(batch);
        self.show_exec(id);
        self.reply_at_once(id, output);
        self.spread_pending(Some(Author { core: self.id, session: id, place: None }));
        self.note_news_sent(id);
        self.serve_ready_keys();
    }

    pub(super) fn reply_writer<'o>(&self, id: SessionId, output: &'o mut Output) -> Reply<'o> {
        let protocol = self.session(id).map(|session| session.protocol).unwrap_or_default();
        Reply::new(output, protocol)
    }

    /// Runs a queued command at the core of its session.
    fn run_queued(&mut self, id: SessionId, batch: &Batch, index: usize, output: &mut Output) {
        let row = batch.commands[index].row;
        if self.refuse_queued(id, batch, index, output) {
            return;
        }
        self.show_queued(id, batch, index);
        match row.handler.expect("rows without code are not found") {
            Handler::Keys(_) | Handler::Slot(..) | Handler::Channel(_) => {
                self.run_queued_on_keys(batch, index, false, output);
            }
            Handler::Session(handler) => {
                if let Some(task) = self.run_queued_on_session(batch, index, handler, output) {
                    self.visit_alone(id, task, output);
                    let ns = self.stats.lap(self.host.elapsed_ns());
                    self.count_queued(batch, index, ns, None);
                }
            }
        }
    }

    /// Shows a queued command that is about to run to those who monitor.
    pub(super) fn show_queued(&mut self, id: SessionId, batch: &Batch, index: usize) {
        if self.is_monitored() {
            self.show_command(id, batch.commands[index].row, batch.arguments(index));
        }
    }

    /// Shows EXEC, behind what it has run.
    pub(crate) fn show_exec(&mut self, id: SessionId) {
        if self.is_monitored() {
            let name = b"exec";
            let ranges = [ArgRange { start: 0, len: name.len() as u32 }];
            let row = command::lookup(name).expect("EXEC is built");
            self.show_command(id, row, Arguments::new(name, &ranges));
        }
    }

    /// Answers a queued command that is not allowed any more; whether it is so.
    pub(super) fn refuse_queued(
        &mut self,
        id: SessionId,
        batch: &Batch,
        index: usize,
        output: &mut Output,
    ) -> bool {
        let row = batch.commands[index].row;
        let Err(error) = self.check_queued(id, row, batch.arguments(index)) else { return false };
        self.stats.count_error(&error);
        self.reply_writer(id, output).error(&error);
        true
    }

    /// Runs a queued command on keys whose slots are here; all slots if `has_everything`.
    pub(super) fn run_queued_on_keys(
        &mut self,
        batch: &Batch,
        index: usize,
        has_everything: bool,
        output: &mut Output,
    ) {
        let command = &batch.commands[index];
        let (row, route, caller) = (command.row, command.route, command.caller);
        if row.flags.contains(flag::SCRIPT_RUNNER) {
            let arguments = batch.arguments(index);
            let author = batch.author_of(index);
            return self.run_script_to_its_end(
                author,
                row,
                caller,
                arguments,
                has_everything,
                output,
            );
        }
        let Self { store, stats, host, .. } = self;
        let (handler, arguments) = (row.keys_handler(), batch.arguments(index));
        let sequel =
            run_on_keys(store, stats, &**host, row, handler, route, caller, arguments, output);
        match sequel.map(|sequel| *sequel) {
            None => {}
            // Nothing can change while a transaction runs, so it is as if the time were over.
            Some(Sequel::Waits(wait)) => {
                (wait.on_timeout)(&mut Reply::new(output, caller.protocol));
                stats.ran(row, host.elapsed_ns(), None);
            }
            Some(Sequel::Departs(departure)) => {
                self.migrate_at_once(row, route, caller, arguments, departure, output);
            }
            Some(Sequel::NeedsSlots(_) | Sequel::NeedsEverything) => {
                unreachable!("a transaction has all slots its commands may reach")
            }
            Some(Sequel::Watches(_)) => unreachable!("WATCH is not queued"),
        }
        if caller.tracks {
            self.remember_reads(batch.author_of(index), row, batch.arguments(index));
        }
    }

    /// Runs a queued command on the connection or the server. The tour it starts, if it does, is
    /// for the caller to see to. Nothing happens if the connection has ended.
    pub(super) fn run_queued_on_session(
        &mut self,
        batch: &Batch,
        index: usize,
        handler: SessionHandler,
        output: &mut Output,
    ) -> Option<Box<dyn TourTask>> {
        let BatchCommand { session: id, .. } = batch.commands[index];
        self.session(id)?;
        let reply = self.reply_writer(id, output);
        let mut call = SessionCall::new(self, id, batch.arguments(index), reply);
        call.core.is_transacting = true;
        let outcome = handler(&mut call);
        call.core.is_transacting = false;
        if let Err(error) = &outcome {
            call.reply.error(error);
        }
        let (mut tour, block) = (call.tour.take(), call.block.take());
        assert!(call.membership.is_none(), "a transaction has all slots its commands may reach");
        if let Some(block) = block {
            (block.on_timeout)(&mut call.reply);
        }
        let later = tour.take_if(|(_, task)| task.answer_in_transaction().is_some());
        if let Some((kind, task)) = later {
            call.reply.simple(task.answer_in_transaction().unwrap_or_default());
            self.begin_tour_unasked(kind, task);
        }
        if tour.is_none() {
            let ns = self.stats.lap(self.host.elapsed_ns());
            self.count_queued(batch, index, ns, outcome.err().as_ref());
        }
        tour.map(|(_, task)| task)
    }

    /// Counts a queued command on the connection or the server that took so long.
    pub(super) fn count_queued(
        &mut self,
        batch: &Batch,
        index: usize,
        ns: u64,
        error: Option<&CommandError>,
    ) {
        let row = batch.commands[index].row;
        if let Some(ns) = self.stats.took(row, ns, error) {
            let summary = self.summary(row, batch.arguments(index));
            self.stats.note_slow(row, ns, summary);
        }
    }

    /// A queued command visits all cores, of which this one is the only one.
    fn visit_alone(&mut self, id: SessionId, mut task: Box<dyn TourTask>, output: &mut Output) {
        assert!(self.core_count == 1, "with several cores a tour travels");
        task.visit(self);
        self.journal_visit(&*task, true);
        trace::note_everywhere(task.effect());
        if let Some(libraries) = task.take_libraries() {
            self.apply_libraries(libraries);
        }
        let mut reply = self.reply_writer(id, output);
        task.finish(self, id, &mut reply);
    }

    /// All slots are here: looks at the marks of WATCH and takes the watchers out, since what was
    /// watched is watched no more after EXEC.
    pub(super) fn check_watches(&mut self, execution: &mut Execution) {
        for watcher in std::mem::take(&mut execution.watchers) {
            for (index, name) in watcher.names().iter().enumerate() {
                // A key whose time has come since is a key that has changed.
                let key = self.store.key(watcher.db(), name);
                self.store.find(key, Access::Peek);
                self.store.remove_observer(&Observer::Watcher(Arc::clone(&watcher), index));
            }
            execution.is_aborted |= watcher.is_touched();
        }
    }

    /// Runs a transaction in an envelope that has collected what it needs. Commands on the
    /// connection are left for [`Core::finish_transaction`].
    pub(super) fn run_enclosed_transaction(&mut self, batch: &mut Batch) {
        let Errand::Transaction(mut execution) = std::mem::take(&mut batch.errand) else {
            unreachable!("the caller has seen it");
        };
        self.check_watches(&mut execution);
        let mut output = std::mem::take(&mut batch.output);
        self.store.begin_group();
        for index in 0..batch.commands.len() {
            let is_on_keys = batch.commands[index].row.handler.and_then(Handler::on_keys).is_some();
            let refusal = execution.refusal(index);
            if is_on_keys && !execution.is_aborted && refusal.is_none() {
                self.run_queued_on_keys(batch, index, false, &mut output);
            }
            batch.commands[index].reply_end = output.bytes.len();
            if !self.stats.slow.is_empty() {
                let session = batch.commands[index].session;
                self.pack_slow(session, &mut batch.slow);
            }
        }
        self.store.end_group();
        batch.output = output;
        batch.next = batch.commands.len();
        batch.errand = Errand::Transaction(execution);
        self.spread_pending(Some(batch.author_of(0)));
    }

    /// A transaction is back at the core of its session: its reply is put together.
    pub(super) fn finish_transaction(&mut self, batch: &Batch, execution: &Execution) {
        let Some(first) = batch.commands.first() else { return };
        let (id, place) = (first.session, first.place);
        let mut output = Output::default();
        if execution.is_aborted {
            self.reply_writer(id, &mut output).null_array();
        } else {
            self.reply_writer(id, &mut output).array_len(batch.commands.len());
            let mut from = 0;
            for (index, command) in batch.commands.iter().enumerate() {
                if let Some(error) = execution.refusal(index) {
                    self.stats.count_error(error);
                    self.reply_writer(id, &mut output).error(error);
                    continue;
                }
                self.show_queued(id, batch, index);
                match command.row.handler.expect("rows without code are not found") {
                    Handler::Session(handler) => {
                        let tour = self.run_queued_on_session(batch, index, handler, &mut output);
                        assert!(tour.is_none(), "what visits all cores runs exclusively");
                    }
                    _ => output.append_range(&batch.output, from, command.reply_end),
                }
                from = command.reply_end;
            }
        }
        self.show_exec(id);
        self.fill_place(id, place, output);
    }

    /// Puts the reply of a transaction into its place.
    pub(super) fn fill_place(&mut self, id: SessionId, place: u64, mut output: Output) {
        let Some(session) = self.session_mut(id) else { return };
        if session.fill(place, 1, |to| to.append(&mut output)) {
            self.resume(id, Hold::Replies);
        }
        self.note_change(id);
    }

    /// A WATCH of a session has taken effect.
    pub(super) fn note_watcher(&mut self, id: SessionId, watcher: Arc<Watcher>) {
        let is_new = |session: &super::session::Session| {
            let covers =
                |name: &[u8]| session.watchers.iter().any(|other| other.covers(watcher.db(), name));
            !watcher.names().iter().all(|name| covers(name))
        };
        match self.session_mut(id) {
            Some(session) if is_new(session) => {
                session.watched_bytes += watcher.memory_bytes();
                session.watchers.push(watcher);
            }
            _ => self.end_watching(vec![watcher]),
        }
    }

    /// UNWATCH.
    pub(crate) fn unwatch(&mut self, id: SessionId) {
        let Some(session) = self.session_mut(id) else { return };
        let watchers = session.take_watchers();
        self.end_watching(watchers);
    }

    fn end_watching(&mut self, watchers: Vec<Arc<Watcher>>) {
        for watcher in watchers {
            for index in 0..watcher.names().len() {
                self.forget(Observer::Watcher(Arc::clone(&watcher), index));
            }
        }
    }
}
