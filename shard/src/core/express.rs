//! The short way: a command on one key that is here, of a client about whom nothing is special.
//!
//! Nearly every command of nearly every server is such a one, and what it costs beyond its own work
//! is what [`Core::execute`] has to find out before it may run. The long way asks one question
//! after another, each with an answer of its own; here all questions have the same answer, "take
//! the long way", so they are asked together and early, and nothing is decided twice.
//!
//! What is asked must cover everything the long way could answer otherwise for a command it would
//! run at once; it does not matter if it covers more.

use super::dispatch::Prepared;
use super::message::Route;
use super::session::{ReplyMode, Rights, Session};
use super::shared::Restrictions;
use super::{Core, Flow, SessionId};
use crate::arguments::Arguments;
use crate::command::{Command, CommandFlags, Handler, KeysHandler, flag};

/// Commands that take ways of their own.
const SPECIAL: CommandFlags = flag::SCRIPT_RUNNER.with(flag::KEEPS_SLOTS);

impl Core {
    /// Runs a command if it, its client and this core are as ordinary as can be; `None` if they
    /// are not, and then nothing has happened.
    #[inline]
    pub(super) fn execute_express(
        &mut self,
        id: SessionId,
        prepared: &Prepared,
        arguments: Arguments<'_>,
    ) -> Option<Flow> {
        let (row, handler) = express_row(prepared.row?)?;
        let Route::One(slot, _) = prepared.route else { return None };
        let is_ordinary = row.accepts_argument_count(arguments.len())
            & self.session(id).is_some_and(Session::is_ordinary)
            & self.is_ordinary();
        if !is_ordinary || !self.store.has_slot(slot) {
            return None;
        }
        // It may have to wait, or to be told as open: see `succession`.
        if self.store.journal.minds_pipelines() && self.session(id).is_some_and(Session::is_owed) {
            return None;
        }
        debug_assert!(self.owner(slot) == self.id, "slots are borrowed while the gate is closed");
        Some(self.run_now(id, row, handler, prepared.route, arguments))
    }

    /// Whether nothing about this core keeps a command from running, or wants to know of it.
    #[inline]
    fn is_ordinary(&self) -> bool {
        self.gate.is_open()
            & (self.pause.until_ms == 0)
            & !self.shared.watch.is_busy()
            & self.is_within_memory()
            & (self.restrictions == Restrictions::default())
            & !self.is_monitored()
            & !self.is_audited()
    }
}

/// The code of a command that runs like any other.
#[inline]
fn express_row(row: &'static Command) -> Option<(&'static Command, KeysHandler)> {
    match row.handler {
        Some(Handler::Keys(handler)) if !row.flags.intersects(SPECIAL) => Some((row, handler)),
        _ => None,
    }
}

impl Session {
    /// Whether its commands run as they come, and are answered at once.
    #[inline]
    fn is_ordinary(&self) -> bool {
        self.holds.is_empty()
            & !self.closing
            & (self.rights == Rights::All)
            & (self.reply_mode == ReplyMode::On)
            & !self.sent_since_drain
            & self.open_target.is_none()
            & self.transaction.is_none()
            & self.interests.is_none()
            & self.tracking.is_none()
    }
}
