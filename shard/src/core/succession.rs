//! Commands that are run before earlier ones of their pipeline, and why the append-only file keeps
//! a prefix of history all the same.
//!
//! ```text
//! pipeline at core 0:   c1 --> core 1 (not run yet)      c2 runs here
//! core 0's journal:     ... c2            core 1's journal: ...            power fails: c1 is lost
//! ```
//!
//! Cores run a pipeline without waiting for each other, and in order for every observer, since a
//! command takes effect where it stands in an inbox. A journal is no such observer: it is told when
//! a command *runs*, so c2 would be told before c1, with nothing to say which item of core 1 it
//! needs. Nor can such a need be added later: one that leads ahead has no end under load, since at
//! no moment there is nothing under way.
//!
//! # Open stretches
//!
//! So a core that is about to run or send a command that changes something, for a session that is
//! owed replies, first says on the [`JournalBoard`] that everything from here on is *open*: it
//! counts only with the next barrier. Every core reads that whenever it takes in what has arrived,
//! and tells it (`#O`) before its next record. Recovery cuts a segment where it is open unless all
//! segments have that barrier (`basalt_persist::aof::cut`).
//!
//! A barrier comes with each parking tour that changes all slots, and if there is none for
//! `Settings::settle_interval_ms` the core that was the first to open sends one that does nothing
//! else. So what a crash takes beyond what was not on the disk is bounded by that time. A parking
//! tour, because it is a moment at which nothing is under way between two commands of a pipeline:
//!
//! * c1 was enqueued before the tour set out. Then it stands ahead of the tour in that inbox and is
//!   run before the tour has passed, also if it waits for a slot, since the tour waits for that as
//!   well: it is told before the barrier.
//! * Or it was not. Then its session has seen the tour among the claims ([`super::shared`]) and is
//!   held until c1 is answered: c2 is not run before c1 is told.
//!
//! A core does nothing between its barrier and the moment all have theirs, so whatever comes before
//! the barriers depends on nothing behind them. And of what comes behind, c2 was told after the
//! core that told it had read that it is open: it got c2 by a message that was sent after that was
//! said. The same holds for all who depend on c2, also where c2 itself is not told (PUBLISH).
//!
//! The price is one look a command at two flags, a line a core, and a stop of all cores for about
//! as many hops as there are cores; all of it only while pipelines change keys of several cores.
//! Waiting for each reply instead halves the speed of such pipelines.
//!
//! # `appendfsync always`
//!
//! Whoever has a reply must find the change after a crash, so nothing that was answered may be
//! open, and replies cannot wait for a barrier. There a command that changes something does wait
//! until all its session has sent to other cores is answered, unless it follows in the same
//! message: nothing is ever open. CONFIG SET writes a barrier when it turns `always` on.

use super::message::Route;
use super::tour::{TourKind, TourTask};
use super::{Core, CoreId, SessionId};
use crate::arguments::Arguments;
use crate::command::{Command, CommandFlags, Handler, flag};
use crate::mutation::{self, Mutation};
use crate::reply::Reply;

#[cfg(doc)]
use crate::journal::JournalBoard;

/// Commands that change something, or tell somebody.
const CHANGES: CommandFlags = flag::WRITE.with(flag::MAY_REPLICATE);

/// What a core has to do about what is open.
#[derive(Debug, Default)]
pub(super) struct Succession {
    /// When this core, which was the first to open, settles that; monotonic milliseconds.
    due_ms: Option<u64>,
    /// Whether a tour of this core does so.
    is_settling: bool,
}

impl Core {
    /// Whether a command may go ahead of what its session is owed; its session is held if not. To
    /// be asked while [`crate::journal::Journal::minds_pipelines`].
    #[cold]
    pub(super) fn may_go_ahead(
        &mut self,
        id: SessionId,
        row: &Command,
        route: Route,
        arguments: Arguments<'_>,
    ) -> bool {
        let session = self.session(id).expect("the caller has seen the session");
        let follows = session.owed_in_batch;
        // Scripts that join others are run where these are, and behind them.
        if !session.is_owed() || session.holds.let_scripts_pass() {
            return true;
        }
        if !self.changes_something(id, row, arguments) {
            return true;
        }
        if follows.is_some() && self.target(row, route, arguments) == follows {
            return true;
        }
        if self.store.settings().replies_wait_for_disk {
            return mutation::is_on(Mutation::EarlierUnawaited) || self.is_answered(id);
        }
        if self.store.journal.open() {
            let now_ms = self.store.now().monotonic_ms();
            self.succession.due_ms = Some(now_ms + self.store.settings().settle_interval_ms);
        }
        true
    }

    fn changes_something(&self, id: SessionId, row: &Command, arguments: Arguments<'_>) -> bool {
        match row.handler {
            Some(Handler::Keys(_)) => self.flags_in_effect(row, arguments).intersects(CHANGES),
            Some(Handler::Channel(_)) => true,
            // Others see every core, by tours that are barriers themselves.
            _ => {
                let session = self.session(id);
                let queued = session.and_then(|session| session.transaction.as_deref());
                row.name == "exec" && queued.is_some_and(|it| it.flags.intersects(CHANGES))
            }
        }
    }

    /// The core that has all keys of a command, if one has.
    #[inline]
    pub(super) fn target(
        &self,
        row: &Command,
        route: Route,
        arguments: Arguments<'_>,
    ) -> Option<CoreId> {
        match route {
            Route::Home => Some(self.id),
            Route::One(slot, _) => Some(self.owner(slot)),
            Route::Many => self.common_owner(row, arguments),
        }
    }

    /// Settles what is open if that is due. Not while a script takes long, for which all cores
    /// would have to wait.
    #[inline]
    pub(super) fn settle_if_due(&mut self) {
        if let Some(due_ms) = self.succession.due_ms
            && due_ms <= self.store.now().monotonic_ms()
            && !self.succession.is_settling
            && !self.shared.watch.is_busy()
        {
            self.succession = Succession { due_ms: None, is_settling: true };
            self.begin_tour_unasked(TourKind::Parking, Box::new(Settle));
        }
    }
}

/// Writes a barrier into the journals of all cores.
struct Settle;

impl TourTask for Settle {
    fn visit(&mut self, core: &mut Core) {
        core.store.settle_journal();
    }

    fn finish(self: Box<Self>, core: &mut Core, _: SessionId, _: &mut Reply<'_>) {
        core.succession.is_settling = false;
    }
}
