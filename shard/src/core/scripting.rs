//! Scripts: where one runs, with which slots at hand, and what it may do there.
//!
//! A script is one unit, like a transaction: it runs at one core with all slots it touches, and
//! nothing comes in between. It says which keys it will touch, but need not keep to them. So:
//!
//! * With **one core** all slots are here.
//! * A script that can be **seen to keep to its keys** (`scripting/declared.rs`) is a command like
//!   any other: it runs where its keys are, or in an envelope that collects them.
//! * **Any other** starts where its declared keys are and may read. A key in a slot that is
//!   elsewhere stops it: it runs again, from its start, with that slot too. Before its first write
//!   it stops as well and runs again with *everything*; that is remembered with the script, which
//!   from then on is run that way at once. Having written nothing it leaves no trace when it stops.
//!
//! **Everything** is a parking tour that takes the slots of all cores along to the last one, where
//! the script runs; the releases bring them home. While the tour is on no core runs a command on
//! keys, so the script takes effect at one moment that lies between sending and answering it, as
//! for every tour; and whatever it touches is there, wherever slots have moved. Scripts that come
//! to a core while its tour is under way share the next. Inside a
//! transaction that has all slots (`exclusive.rs`) it has everything anyway, and a transaction with
//! such a script is made to be one of those.
//!
//! What a script writes is reported change by change; [`Core::run_script`] is the place where one
//! unit of changes begins and ends: for the journal it is one record.

use std::sync::Arc;

use super::baggage::Baggage;
use super::debugging::is_debuggable;
use super::dispatch::{Flow, Prepared};
use super::message::{Batch, Caller, Route};
use super::monitoring::FROM_SCRIPT;
use super::running::run_on_keys;
use super::session::{Hold, Origin, Session};
use super::spreading::Author;
use super::tour::{TourKind, TourTask};
use super::{CREDIT_MAX, Core, CoreId, SessionId};
use crate::arguments::Arguments;
use crate::call::{Sequel, SessionCall};
use crate::command::{Command, CommandFlags, Handler, SessionHandler, flag};
use crate::error::CommandError;
use crate::reply::{Output, Reply};
use crate::scripting::engine::Asked;
use crate::scripting::functions::Libraries;
use crate::scripting::run::{EXTRA_SLOTS_MAX, Need, Reach};
use crate::scripting::source::{ScriptFlags, flags_of};
use crate::store::holding::Holding;

/// Scripts that wait for one tour, from which on no more are taken ahead of the replies to earlier
/// ones: what one client sends in a row must not take all credit of the core.
const WAITING_SCRIPTS_MAX: usize = CREDIT_MAX / 8;

const BUSY_SCRIPT: CommandError = CommandError::Fixed(
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
);
const BUSY_FUNCTION: CommandError = CommandError::Fixed(
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
);
const UNFORESEEN: CommandError =
    CommandError::Fixed("ERR Script attempted to access keys it could not be given");
const CANNOT_MOVE: CommandError = CommandError::Fixed("ERR slots cannot move inside a script");

impl Core {
    /// What is answered while a script is busy.
    pub fn busy_error(&self) -> CommandError {
        match self.shared.watch.busy_kind() {
            Some(false) => BUSY_FUNCTION,
            _ => BUSY_SCRIPT,
        }
    }

    /// EVAL, EVALSHA, FCALL and their like, at the core of the session.
    pub(super) fn execute_script(
        &mut self,
        id: SessionId,
        row: &'static Command,
        route: Route,
        arguments: Arguments<'_>,
    ) -> Option<Flow> {
        if is_debuggable(row) && self.is_debugging(id) {
            return Some(self.execute_debugged(id, row, route, arguments));
        }
        if self.core_count == 1 || self.keeps_to_its_keys(row, arguments) {
            return None;
        }
        if self.needs_everything(row, arguments) {
            return Some(self.send_everywhere(id, row, route, arguments));
        }
        // It may have to wait for slots: nothing of its session may overtake it.
        let is_here = self.common_owner(row, arguments) == Some(self.id);
        (!is_here).then(|| self.defer(id, row, route, arguments))
    }

    /// Whether a script, or the library of a function, is seen to keep to its keys.
    pub(super) fn keeps_to_its_keys(&self, row: &Command, arguments: Arguments<'_>) -> bool {
        if row.name.starts_with("fcall") {
            let function =
                arguments.get(1).and_then(|name| self.scripting.libraries.function(name));
            return function.is_some_and(|(_, library)| library.is_declared);
        }
        let script = self.scripting.known_script(&self.shared.scripts, row, arguments);
        script.is_some_and(|script| script.is_declared)
    }

    /// The flags of a command; a script that says it writes nothing is not taken for one that may.
    pub(super) fn flags_in_effect(&self, row: &Command, arguments: Arguments<'_>) -> CommandFlags {
        let may_write = flag::WRITE.with(flag::MAY_REPLICATE);
        match row.flags.contains(flag::SCRIPT_RUNNER) && self.declares_no_writes(row, arguments) {
            true => row.flags.without(may_write),
            false => row.flags,
        }
    }

    /// Whether a script or function says that it writes nothing.
    fn declares_no_writes(&self, row: &Command, arguments: Arguments<'_>) -> bool {
        let Some(subject) = arguments.get(1) else { return false };
        let flags = match row.name {
            "fcall" | "fcall_ro" => {
                let found = self.scripting.libraries.function(subject);
                found.map(|(function, _)| function.flags)
            }
            "eval" | "eval_ro" => flags_of(subject),
            _ => {
                let script = self.scripting.known_script(&self.shared.scripts, row, arguments);
                script.map(|script| script.flags)
            }
        };
        flags.is_some_and(|flags| flags.contains(ScriptFlags::NO_WRITES))
    }

    fn needs_everything(&self, row: &Command, arguments: Arguments<'_>) -> bool {
        let script = self.scripting.known_script(&self.shared.scripts, row, arguments);
        script.is_some_and(|script| script.needs_all())
    }

    /// Runs a script, whose declared slots are here, and counts it if it was answered.
    /// `has_everything` says that all slots are here.
    pub(super) fn run_script(
        &mut self,
        author: Author,
        row: &'static Command,
        caller: Caller,
        arguments: Arguments<'_>,
        has_everything: bool,
        output: &mut Output,
    ) -> Option<Box<Sequel>> {
        let (before, position) = (output.mark(), output.bytes.len());
        let started_ns = self.host.elapsed_ns();
        let asked = Asked { row, caller, arguments };
        // Even an only core lends slots, to transactions that waited for a tour to pass.
        let all_here = has_everything || self.core_count == 1 && self.lent.is_empty();
        let reach = if all_here { Reach::Everything } else { Reach::Unknown };
        let mut reply = Reply::new(output, caller.protocol);
        self.script_author = Some(author);
        self.store.begin_group();
        let outcome = asked.run(self, reach, &mut reply);
        self.store.end_group();
        self.script_author = None;
        let error = match outcome {
            Ok(None) => None,
            Ok(Some(need)) => {
                reply.truncate(position);
                return Some(Box::new(match need {
                    Need::Slots(slots) => Sequel::NeedsSlots(slots),
                    Need::Everything => Sequel::NeedsEverything,
                }));
            }
            Err(error) => {
                reply.error(&error);
                Some(error)
            }
        };
        let now_ns = self.host.elapsed_ns();
        let ns = now_ns.saturating_sub(started_ns);
        if self.stats.took(row, ns, error.as_ref()).is_some() {
            let summary = self.summary(row, arguments);
            self.stats.note_slow(row, ns, summary);
        }
        if output.is_large_since(before, self.stats.large_reply_bytes) {
            let (bytes, summary) = (output.len_since(before), self.summary(row, arguments));
            self.stats.note_large_reply(row, bytes, summary);
        }
        self.stats.mark(now_ns);
        None
    }

    /// Whether memory is over the limit and nothing can be evicted.
    pub(crate) fn is_short_of_memory(&mut self) -> bool {
        self.check_memory(flag::DENYOOM).is_err()
    }

    /// Runs a command of a script, whose slots are here; returns the selected database.
    pub(crate) fn run_scripted(
        &mut self,
        row: &'static Command,
        caller: Caller,
        arguments: Arguments<'_>,
        has_everything: bool,
        output: &mut Output,
    ) -> Result<u32, Need> {
        self.store.is_scripted = true;
        let result = self.run_for_script(row, caller, arguments, has_everything, output);
        self.store.is_scripted = false;
        result
    }

    fn run_for_script(
        &mut self,
        row: &'static Command,
        caller: Caller,
        arguments: Arguments<'_>,
        has_everything: bool,
        output: &mut Output,
    ) -> Result<u32, Need> {
        let handler = match row.handler.expect("rows without code are refused") {
            Handler::Keys(handler) | Handler::Slot(handler, _) | Handler::Channel(handler) => {
                handler
            }
            Handler::Session(handler) => {
                return Ok(self.run_scripted_on_session(row, handler, caller, arguments, output));
            }
        };
        if self.is_monitored() {
            self.show_to_monitors(caller.db, FROM_SCRIPT, row, arguments);
        }
        let route = self.store.route(row, arguments);
        let Self { store, stats, host, .. } = self;
        let sequel =
            run_on_keys(store, stats, &**host, row, handler, route, caller, arguments, output);
        if let (true, Some(author)) = (caller.tracks && sequel.is_none(), self.script_author) {
            self.remember_reads(author, row, arguments);
        }
        match sequel.map(|sequel| *sequel) {
            None => {}
            // Nothing can change while a script runs, so it is as if the time were over.
            Some(Sequel::Waits(wait)) => {
                (wait.on_timeout)(&mut Reply::new(output, caller.protocol));
                self.stats.ran(row, self.host.elapsed_ns(), None);
            }
            Some(Sequel::Departs(departure)) => {
                self.migrate_at_once(row, route, caller, arguments, departure, output);
            }
            Some(Sequel::NeedsSlots(slots)) => {
                assert!(!has_everything, "all slots are here");
                return Err(Need::Slots(slots));
            }
            Some(Sequel::NeedsEverything | Sequel::Watches(_)) => {
                unreachable!("scripts run no scripts and watch nothing")
            }
        }
        Ok(caller.db)
    }

    /// A command on the connection or the server, on behalf of a connection that is made up for it.
    fn run_scripted_on_session(
        &mut self,
        row: &'static Command,
        handler: SessionHandler,
        caller: Caller,
        arguments: Arguments<'_>,
        output: &mut Output,
    ) -> u32 {
        if row.name == "dbsize" {
            // Counters of other cores do not come along with their slots.
            let tables = self.store.slots().filter_map(|(_, slot)| slot.table(caller.db));
            let keys: usize = tables.map(crate::table::Table::len).sum();
            Reply::new(output, caller.protocol).integer(keys as i64);
            self.stats.ran(row, self.host.elapsed_ns(), None);
            return caller.db;
        }
        let id = SessionId { index: self.sessions.len() as u32, generation: 0 };
        let origin = Origin {
            peer: String::new(),
            local: String::new(),
            descriptor: -1,
            is_unix: true,
            is_tls: false,
        };
        let acl = self.acl();
        let known = caller.user.and_then(|id| acl.by_id(id));
        let user = Arc::clone(known.unwrap_or(acl.default_user()));
        let mut session = Session::new(0, origin, user, self.store.now().monotonic_ms());
        (session.db, session.protocol) = (caller.db, caller.protocol);
        self.sessions.push(Some(Box::new(session)));
        let mut call = SessionCall::new(self, id, arguments, Reply::new(output, caller.protocol));
        let mut outcome = handler(&mut call);
        let (tour, block) = (call.tour.take(), call.block.take());
        if let Some(block) = block {
            (block.on_timeout)(&mut call.reply);
        }
        if let Some((_, mut task)) = tour {
            task.visit(self);
            if task.moves().is_empty() {
                task.finish(self, id, &mut Reply::new(output, caller.protocol));
            } else {
                outcome = Err(CANNOT_MOVE);
            }
        }
        if let Err(error) = &outcome {
            Reply::new(output, caller.protocol).error(error);
        }
        self.stats.ran(row, self.host.elapsed_ns(), outcome.err().as_ref());
        let session = self.sessions.pop().flatten();
        session.map_or(caller.db, |session| session.db)
    }

    /// A script needs all slots: sends it to where they are brought together. More of this kind
    /// may follow it before it is answered, nothing else.
    #[cold]
    pub(super) fn send_everywhere(
        &mut self,
        id: SessionId,
        row: &'static Command,
        route: Route,
        arguments: Arguments<'_>,
    ) -> Flow {
        match self.pack_alone(id, row, route, arguments) {
            Some(batch) => {
                self.hold(id, Hold::Scripts);
                self.wait_for_everything(batch);
                Flow::Done
            }
            None => Flow::Refused,
        }
    }

    /// Whether a command may follow the scripts its session waits for. If not, the session is held
    /// until they are answered, as by any barrier.
    #[cold]
    pub(super) fn try_joining_scripts(
        &mut self,
        id: SessionId,
        prepared: &Prepared,
        arguments: Arguments<'_>,
    ) -> bool {
        let lets_scripts_pass =
            self.session(id).is_some_and(|session| session.holds.let_scripts_pass());
        let joins = prepared.row.is_some_and(|row| {
            row.flags.contains(flag::SCRIPT_RUNNER) && self.needs_everything(row, arguments)
        });
        let has_room = self.everything.waiting.len() < WAITING_SCRIPTS_MAX;
        if lets_scripts_pass && !(joins && has_room) {
            self.hold(id, Hold::Replies);
        }
        lets_scripts_pass && joins && has_room
    }

    /// The same for one that is under way already.
    pub(super) fn run_everywhere(&mut self, batch: Box<Batch>) {
        for command in &batch.commands[batch.next..] {
            if batch.origin == self.id {
                self.hold(command.session, Hold::Replies);
            }
        }
        self.wait_for_everything(batch);
    }

    fn wait_for_everything(&mut self, batch: Box<Batch>) {
        self.everything.waiting.push(batch);
        if !self.everything.is_called {
            self.call_for_everything();
        }
    }

    /// Sends for the slots of all cores, for all scripts that wait for them.
    fn call_for_everything(&mut self) {
        self.everything.is_called = true;
        let batches = std::mem::take(&mut self.everything.waiting);
        let task = Everything { batches, done: 0, baggage: Baggage::default() };
        self.begin_tour_unasked(TourKind::Parking, Box::new(task));
    }

    /// Whether an envelope has set out for more slots so often that it had better have all.
    pub(super) fn wants_too_many(batch: &Batch) -> bool {
        batch.extra_slots.len() > EXTRA_SLOTS_MAX
    }

    /// Runs a script that was queued, or that has everything; it must not need more.
    pub(super) fn run_script_to_its_end(
        &mut self,
        author: Author,
        row: &'static Command,
        caller: Caller,
        arguments: Arguments<'_>,
        has_everything: bool,
        output: &mut Output,
    ) {
        let sequel = self.run_script(author, row, caller, arguments, has_everything, output);
        if sequel.is_some() {
            // A script was loaded or a library changed after the transaction was looked through.
            Reply::new(output, caller.protocol).error(&UNFORESEEN);
        }
    }
}

/// The scripts of a core that need the slots of all cores.
///
/// One tour is under way for them at a time; what comes meanwhile shares the next one. That keeps
/// the order of any session: whose script waits here may send more such scripts, which run behind
/// it, and is held otherwise until it is answered; and the tour sets out later than anything the
/// session has sent before.
#[derive(Default)]
pub(super) struct EverythingCalls {
    /// Batches whose next command is such a script, in order. Their sessions wait, and whoever sent
    /// them has given credit for each, so there are no more than the cores have together.
    #[expect(clippy::vec_box, reason = "the boxes themselves travel")]
    waiting: Vec<Box<Batch>>,
    /// Whether a tour is under way.
    is_called: bool,
}

/// A visit to all cores that brings their slots to the last one and runs scripts there.
struct Everything {
    #[expect(clippy::vec_box, reason = "the boxes themselves travel")]
    batches: Vec<Box<Batch>>,
    /// How many of them ran.
    done: usize,
    baggage: Baggage,
}

impl TourTask for Everything {
    fn visit(&mut self, core: &mut Core) {
        if self.baggage.collect(core) {
            let Self { batches, done, baggage } = self;
            *done = baggage.unpacked(core, false, |core| run_in_line(core, batches));
        }
    }

    fn take_holdings(&mut self) -> Vec<(CoreId, Box<Holding>)> {
        self.baggage.take()
    }

    fn finish(mut self: Box<Self>, core: &mut Core, _: SessionId, _: &mut Reply<'_>) {
        core.everything.is_called = false;
        let rest = self.batches.split_off(self.done);
        core.everything.waiting.splice(..0, rest);
        if !core.everything.waiting.is_empty() {
            core.call_for_everything();
        }
        for batch in self.batches {
            core.send_home(batch);
        }
    }
}

/// Runs scripts one after the other, up to one that has something for clients who wait for keys:
/// they are served before the next. Returns how many ran.
fn run_in_line(core: &mut Core, batches: &mut [Box<Batch>]) -> usize {
    for (index, batch) in batches.iter_mut().enumerate() {
        run_with_everything(core, batch);
        if core.store.has_ready_keys() {
            return index + 1;
        }
    }
    batches.len()
}

/// Runs the script a batch has come with, at the core where all slots are.
fn run_with_everything(core: &mut Core, batch: &mut Batch) {
    let command = &batch.commands[batch.next];
    let (row, caller, author) = (command.row, command.caller, batch.author_of(batch.next));
    core.take_aboard(batch.origin);
    core.set_aboard_index(batch.next);
    let (arguments, output) = batch.arguments_and_output(batch.next);
    core.run_script_to_its_end(author, row, caller, arguments, true, output);
    core.spread_pending(Some(author));
    batch.news = core.unload();
    batch.advance();
}

/// Looks after the libraries of this core.
impl Core {
    /// Puts libraries in force at this core.
    pub(crate) fn apply_libraries(&mut self, libraries: Arc<Libraries>) {
        self.scripting.libraries = libraries;
    }

    /// Puts libraries in force here, and at the other cores as soon as word of them comes there.
    pub(super) fn bring_libraries(&mut self, libraries: Arc<Libraries>) {
        self.apply_libraries(Arc::clone(&libraries));
        self.begin_tour_unasked(TourKind::Parking, Box::new(Bring(libraries)));
    }
}

/// Libraries on their way to all cores.
struct Bring(Arc<Libraries>);

impl TourTask for Bring {
    fn visit(&mut self, core: &mut Core) {
        core.apply_libraries(Arc::clone(&self.0));
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, _: &mut Reply<'_>) {}
}
