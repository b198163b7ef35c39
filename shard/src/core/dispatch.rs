//! From a parsed command to the place where it runs.
//!
//! [`Core::prepare`] looks the command up and works out where its keys live; the driver does this
//! for a whole batch of commands first, so that the memory they need is on its way into the cache
//! when [`Core::execute`] comes to run them.

use super::message::{Batch, Route};
use super::session::{Hold, ReplyMode};
use super::transaction::aborted_by;
use super::{Core, CoreId, Ending, SessionId};
use crate::arguments::Arguments;
use crate::call::Travel;
use crate::command::{self, Command, Handler, KeysHandler, flag};
use crate::error::CommandError;
use crate::hash::HashSlot;
use crate::mutation::{self, Mutation};
use crate::reply::Reply;
use crate::store::ahead::Lookup;

/// A command that was looked up.
#[derive(Clone, Copy)]
pub struct Prepared {
    /// Its row, or `None` when there is no such command or subcommand.
    pub(super) row: Option<&'static Command>,
    pub(super) route: Route,
}

impl Prepared {
    /// Whether it runs a script or function.
    #[inline]
    pub fn is_script(&self) -> bool {
        self.row.is_some_and(|row| row.flags.contains(flag::SCRIPT_RUNNER))
    }
}

/// What became of a command that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It was taken; its reply is written or will come.
    Done,
    /// It was not taken: to be offered again when the session is resumed.
    Refused,
}

/// The same in more detail.
enum Offer {
    /// It was taken, and runs or has run.
    Taken,
    /// It was taken and does not run now: it was answered with an error, or queued.
    Aside,
    /// It was not taken.
    Refused,
}

impl Core {
    /// Looks a command up and finds out where its keys live. The slot of an only key is on its way
    /// into the cache then.
    #[inline]
    pub fn prepare(&self, arguments: Arguments<'_>) -> Prepared {
        let found = self.last_lookup.find(arguments.at(0), || match &self.renames {
            None => command::lookup_line(arguments.at(0), arguments.get(1)),
            Some(renames) => renames.lookup_line(arguments.at(0), arguments.get(1)),
        });
        let Some(row) = found else {
            return Prepared { row: None, route: Route::Home };
        };
        let route = self.store.route(row, arguments);
        if let Route::One(slot, _) = route {
            self.store.prefetch_slot(slot, row.flags.contains(flag::WRITE));
        }
        Prepared { row: Some(row), route }
    }

    /// Brings what prepared commands will look at, each in its database, into the cache.
    #[inline]
    pub fn prefetch<'p>(&self, commands: impl Iterator<Item = (&'p Prepared, u32)> + Clone) {
        let lookup =
            |(prepared, db): (&Prepared, u32)| Lookup::of(prepared.row?, prepared.route, db);
        self.store.prefetch(commands.filter_map(lookup));
    }

    /// Whether a command makes its session turn to another core than the one that an open batch has
    /// commands of the session for: that batch must be sent first.
    #[inline]
    pub fn turns_elsewhere(&self, id: SessionId, prepared: &Prepared) -> bool {
        match (self.session(id).and_then(|session| session.open_target), prepared.route) {
            (Some(target), Route::One(slot, _)) => self.owner(slot) != target,
            (Some(_), Route::Home | Route::Many) => true,
            (None, _) => false,
        }
    }

    /// Runs a command of a session, here or wherever its keys are.
    #[inline]
    pub fn execute(
        &mut self,
        id: SessionId,
        prepared: &Prepared,
        arguments: Arguments<'_>,
    ) -> Flow {
        match self.execute_express(id, prepared, arguments) {
            Some(flow) => flow,
            None => self.execute_with_care(id, prepared, arguments),
        }
    }

    /// Runs a command about which, or about whose client, something may be special.
    fn execute_with_care(
        &mut self,
        id: SessionId,
        prepared: &Prepared,
        arguments: Arguments<'_>,
    ) -> Flow {
        let is_script = prepared.row.is_some_and(|row| row.flags.intersects(flag::SCRIPT_RUNNER));
        let holds_lines = is_script && self.is_monitored();
        if holds_lines {
            self.hold_lines();
        }
        let offer = self.offer(id, prepared, arguments);
        let held_lines = self.take_held_lines();
        let is_shown_ahead = holds_lines && held_lines.is_none();
        if let (Offer::Taken, true, Some(row)) = (&offer, self.is_monitored(), prepared.row)
            && row.name != "exec"
            && !is_shown_ahead
        {
            self.show_command(id, row, arguments);
        }
        held_lines.into_iter().flatten().for_each(|line| self.send_line(line));
        match offer {
            Offer::Refused => Flow::Refused,
            Offer::Aside => Flow::Done,
            Offer::Taken => {
                if self.is_audited()
                    && let Some(row) = prepared.row
                {
                    self.audit_command(id, row, arguments);
                }
                Flow::Done
            }
        }
    }

    fn offer(&mut self, id: SessionId, prepared: &Prepared, arguments: Arguments<'_>) -> Offer {
        let Some(session) = self.session_mut(id) else { return Offer::Aside };
        let (is_held, is_closing) = (!session.holds.is_empty(), session.closing);
        if is_closing || is_held && !self.try_joining_scripts(id, prepared, arguments) {
            return Offer::Refused;
        }
        if self.gate.is_ahead && self.waits_for_others(id, prepared.row) {
            return Offer::Refused;
        }
        if prepared.row.is_none() && is_web_request(arguments.at(0)) {
            self.host.log_warning(
                "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or \
                 Host: commands to Redis. This is likely due to an attacker attempting to use \
                 Cross Protocol Scripting to compromise your Redis instance. Connection aborted.",
            );
            self.close_connection(id, Ending::AtOnce);
            return Offer::Aside;
        }
        let row = match self.admit(id, prepared, arguments) {
            Ok(Some(row)) => row,
            Ok(None) => {
                self.return_token(id, prepared.row);
                return Offer::Refused;
            }
            Err(error) => {
                let error = self.break_transaction(id, prepared.row, error);
                self.reject(id, prepared.row, &error);
                return Offer::Aside;
            }
        };
        let session = self.sessions[id.index as usize].as_deref().expect("seen above");
        if session.transaction.is_some()
            && (!row.flags.contains(flag::IN_MULTI)
                || matches!(row.handler, Some(Handler::Keys(_))))
        {
            self.queue(id, row, prepared.route, arguments);
            return Offer::Aside;
        }
        let is_tracking = session.tracking.is_some();
        let flow = self.execute_by_row(id, row, prepared.route, arguments);
        if flow == Flow::Refused {
            self.return_token(id, Some(row));
            return Offer::Refused;
        }
        if is_tracking {
            self.end_caching(id, row);
        }
        Offer::Taken
    }

    /// `CLIENT CACHING` is for the next command only.
    #[cold]
    fn end_caching(&mut self, id: SessionId, row: &'static Command) {
        if row.container != "client"
            && let Some(session) = self.session_mut(id)
            && session.transaction.is_none()
            && let Some(tracking) = session.tracking.as_deref_mut()
        {
            tracking.caching = false;
        }
    }

    #[inline]
    fn execute_by_row(
        &mut self,
        id: SessionId,
        row: &'static Command,
        route: Route,
        arguments: Arguments<'_>,
    ) -> Flow {
        if self.store.journal.minds_pipelines() && !self.may_go_ahead(id, row, route, arguments) {
            return Flow::Refused;
        }
        match row.handler.expect("rows without code are not found") {
            Handler::Keys(handler) | Handler::Channel(handler) => {
                self.execute_on_keys(id, row, handler, route, arguments)
            }
            Handler::Slot(..) => self.execute_walk(id, row, route, arguments),
            // It may start a tour, which needs credit.
            Handler::Session(_) if self.credit == 0 => {
                self.hold(id, Hold::Credit);
                self.starving.push_back(id);
                Flow::Refused
            }
            // It may start a tour or a transaction, which are barriers.
            Handler::Session(_)
                if row.flags.contains(flag::AFTER_REPLIES) && !self.is_answered(id) =>
            {
                Flow::Refused
            }
            Handler::Session(handler) if self.flush_before_barrier(id) && self.catch_up(id) => {
                // Catching up may have brought what others do not have yet.
                let is_ahead = self.gate.is_ahead && !mutation::is_on(Mutation::AheadOverlooked);
                if is_ahead && self.waits_for_others(id, Some(row)) {
                    return Flow::Refused;
                }
                self.execute_on_session(id, row, handler, arguments);
                Flow::Done
            }
            Handler::Session(_) => Flow::Refused,
        }
    }

    /// This core was brought something that others do not have yet: holds a session until they do,
    /// lest its next command shows it to somebody who then looks elsewhere. Not for what may end
    /// the wait, and while a script keeps the tour waiting too long, clients are told that instead.
    #[cold]
    fn waits_for_others(&mut self, id: SessionId, row: Option<&'static Command>) -> bool {
        if self.shared.watch.is_busy() || row.is_some_and(is_urgent) {
            return false;
        }
        self.hold(id, Hold::Ahead);
        self.gate.sessions.push(id);
        true
    }

    /// A command was refused: if it was to be queued, EXEC will be refused as well; if it is EXEC,
    /// the transaction is over. Returns what the client is told.
    #[cold]
    pub(super) fn break_transaction(
        &mut self,
        id: SessionId,
        row: Option<&'static Command>,
        error: CommandError,
    ) -> CommandError {
        let session = self.session_mut(id).expect("the caller has seen the session");
        let Some(transaction) = session.transaction.as_deref_mut() else { return error };
        transaction.is_broken = true;
        if row.is_none_or(|row| row.name != "exec") {
            return error;
        }
        self.discard_transaction(id);
        aborted_by(&error)
    }

    /// Whether all a session has sent was answered; it is held until then.
    #[cold]
    pub(super) fn is_answered(&mut self, id: SessionId) -> bool {
        if !self.flush_before_barrier(id) {
            return false;
        }
        let is_owed = self.session(id).is_some_and(|session| session.is_owed());
        if is_owed {
            self.hold(id, Hold::Replies);
        }
        !is_owed
    }

    /// Answers a session with an error that is not about a command (input that cannot be parsed).
    pub fn reply_error(&mut self, id: SessionId, error: &CommandError) {
        self.reject(id, None, error);
    }

    pub(super) fn reject(
        &mut self,
        id: SessionId,
        row: Option<&'static Command>,
        error: &CommandError,
    ) {
        self.stats.rejected(row, error);
        let Some(session) = self.session_mut(id) else { return };
        session.figures.commands += 1;
        if session.reply_mode == ReplyMode::On {
            let protocol = session.protocol;
            Reply::new(session.reply_output(), protocol).error(error);
        }
        session.step_reply_mode();
        self.note_change(id);
    }

    /// A command on keys: runs here when all its slots are here, else travels.
    #[inline]
    fn execute_on_keys(
        &mut self,
        id: SessionId,
        row: &'static Command,
        handler: KeysHandler,
        route: Route,
        arguments: Arguments<'_>,
    ) -> Flow {
        if row.flags.contains(flag::SCRIPT_RUNNER)
            && let Some(flow) = self.execute_script(id, row, route, arguments)
        {
            return flow;
        }
        if row.flags.contains(flag::KEEPS_SLOTS) {
            return self.execute_enclosed(id, row, handler, route, arguments);
        }
        match self.target(row, route, arguments) {
            Some(core) if core == self.id => self.run_locally(id, row, handler, route, arguments),
            // What it brings home besides a reply, or instead of one, is not for several.
            Some(_) if row.flags.contains(flag::BLOCKING) || row.flags.contains(flag::IN_MULTI) => {
                self.defer(id, row, route, arguments)
            }
            Some(core) => self.send_command(id, core, row, route, arguments),
            None => self.defer(id, row, route, arguments),
        }
    }

    /// A command that keeps its slots for a while: goes into an envelope, if it needs any.
    #[cold]
    fn execute_enclosed(
        &mut self,
        id: SessionId,
        row: &'static Command,
        handler: KeysHandler,
        route: Route,
        arguments: Arguments<'_>,
    ) -> Flow {
        let mut has_keys = false;
        row.for_each_key(arguments, |_| has_keys = true);
        if !has_keys {
            return self.run_locally(id, row, handler, Route::Home, arguments);
        }
        match self.pack_alone(id, row, route, arguments) {
            Some(batch) => {
                self.hold(id, Hold::Replies);
                self.enclose(batch);
                Flow::Done
            }
            None => Flow::Refused,
        }
    }

    /// A command that walks over slots, of which others may live elsewhere: travels alone.
    fn execute_walk(
        &mut self,
        id: SessionId,
        row: &'static Command,
        route: Route,
        arguments: Arguments<'_>,
    ) -> Flow {
        let is_local = matches!(route, Route::One(slot, _) if self.owner(slot) == self.id);
        if is_local && !self.catch_up(id) {
            return Flow::Refused;
        }
        self.defer(id, row, route, arguments)
    }

    /// Drains the inbox if a session has sent a command to another core since that was done last:
    /// the second half of rule 2 of the order. Returns whether the session's next command may run.
    #[inline]
    pub(super) fn catch_up(&mut self, id: SessionId) -> bool {
        let session = self.sessions[id.index as usize].as_deref_mut().expect("seen by the caller");
        if !session.sent_since_drain {
            return true;
        }
        session.sent_since_drain = false;
        if let Some(target) = session.open_target {
            self.flush_open(target);
        }
        self.send_news();
        if !mutation::is_on(Mutation::DrainSkipped) {
            self.drain();
        }
        // The inbox may have brought a claim, a tour, or an envelope that took the slot.
        !self.is_held(id)
    }

    /// The owner of all keys of a command, or `None` when they have several.
    pub(super) fn common_owner(&self, row: &Command, arguments: Arguments<'_>) -> Option<CoreId> {
        let mut owner = None;
        let mut several = false;
        row.for_each_key(arguments, |key| {
            let this = self.owner(HashSlot::of_key(key));
            several |= owner.is_some_and(|other| other != this);
            owner = Some(this);
        });
        if several { None } else { Some(owner.unwrap_or(self.id)) }
    }

    /// Sends what is kept back of a session before a command of it that takes its own way. Returns
    /// whether that command may go: not while what was sent may have to wait somewhere, for then
    /// the command could overtake it.
    fn flush_before_barrier(&mut self, id: SessionId) -> bool {
        if let Some(target) = self.session(id).and_then(|session| session.open_target) {
            self.flush_open(target);
        }
        !self.is_held(id)
    }

    /// Puts a command into a batch of its own that waits, or travels, until it can run. The session
    /// is held until it has.
    pub(super) fn defer(
        &mut self,
        id: SessionId,
        row: &'static Command,
        route: Route,
        arguments: Arguments<'_>,
    ) -> Flow {
        self.send_alone(id, row, route, arguments, Vec::new())
    }

    /// The same for a command that needs slots besides those of its keys.
    #[cold]
    pub(super) fn send_alone(
        &mut self,
        id: SessionId,
        row: &'static Command,
        route: Route,
        arguments: Arguments<'_>,
        extra_slots: Vec<HashSlot>,
    ) -> Flow {
        match self.pack_alone(id, row, route, arguments) {
            Some(mut batch) => {
                self.hold(id, Hold::Replies);
                batch.extra_slots = extra_slots;
                self.reroute(batch);
                Flow::Done
            }
            None => Flow::Refused,
        }
    }

    /// Makes a batch of one command that is a barrier for its session, which the caller holds; none
    /// if it cannot go now.
    pub(super) fn pack_alone(
        &mut self,
        id: SessionId,
        row: &'static Command,
        route: Route,
        arguments: Arguments<'_>,
    ) -> Option<Box<Batch>> {
        if !self.flush_before_barrier(id) || !self.take_credit(id) {
            return None;
        }
        self.show_script_ahead(id, row, arguments);
        let mut batch = self.spare_batch();
        let session = self.session_mut(id).expect("the caller has seen the session");
        session.figures.note_command(row);
        let place = session.reserve(false, None);
        batch.push(id, place, row, route, session.caller(), arguments);
        if let Some(Handler::Slot(..)) = row.handler {
            batch.travel = Travel::Start;
        }
        session.step_reply_mode();
        Some(batch)
    }
}

/// Whether a command ends what a tour may be waiting for.
#[cold]
fn is_urgent(row: &'static Command) -> bool {
    matches!((row.container, row.name), ("script" | "function", "kill") | ("", "shutdown"))
}

/// Whether a "command" is a line of an HTTP request: a browser was made to talk to us.
fn is_web_request(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}
