//! The append-only file on demand: BGREWRITEAOF, and what CONFIG SET appendonly leads to.
//!
//! Both make their cut by a parking tour, at which every core turns to a new file and takes part in
//! the snapshot that becomes the base.

use crate::call::SessionCall;
use crate::core::tour::{TourKind, TourTask};
use crate::core::{Core, SessionId};
use crate::error::Outcome;
use crate::host::{Cut, RewriteTarget};
use crate::reply::Reply;

const SCHEDULED: &str = "Background append only file rewriting scheduled";

/// BGREWRITEAOF.
pub fn bgrewriteaof(call: &mut SessionCall<'_>) -> Outcome {
    match call.core.host.begin_rewrite()? {
        Some(target) => call.tour(TourKind::Parking, Rewrite::new(target)),
        None => call.reply.simple(SCHEDULED),
    }
    Ok(())
}

/// The cut of a rewrite.
struct Rewrite {
    target: Box<dyn RewriteTarget>,
    cut: Cut,
}

impl Rewrite {
    fn new(target: Box<dyn RewriteTarget>) -> Self {
        Self { target, cut: Cut::default() }
    }
}

impl TourTask for Rewrite {
    fn visit(&mut self, core: &mut Core) {
        self.cut.add(core);
        let id = core.id();
        self.target.visit(id, &mut core.store);
    }

    fn answer_in_transaction(&self) -> Option<&'static str> {
        Some(SCHEDULED)
    }

    fn finish(mut self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        self.target.cut(&self.cut);
        reply.simple("Background append only file rewriting started");
    }
}

/// Nothing is told from now on.
struct TurnOff;

impl TourTask for TurnOff {
    fn visit(&mut self, core: &mut Core) {
        let id = core.id();
        core.host.end_append_only(id, &mut core.store);
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        reply.ok();
    }
}

impl Core {
    /// Begins a rewrite that nobody has asked for by a command. Where it cannot, the host has told
    /// the log, counts that as a failure, and tries again later if it is still due.
    pub fn begin_background_rewrite(&mut self) {
        if let Ok(Some(target)) = self.host.begin_rewrite() {
            self.begin_tour_unasked(TourKind::Parking, Box::new(Rewrite::new(target)));
        }
    }

    /// Turns the append-only file on, whose first rewrite a CONFIG SET has `begun`, or off, if the
    /// configuration says so. Where a transaction has changed that (`is_queued`), it happens when
    /// the transaction is over.
    pub(crate) fn follow_append_only_setting(
        &mut self,
        begun: Option<Box<dyn RewriteTarget>>,
        is_queued: bool,
    ) {
        if let Some(target) = begun {
            if is_queued {
                self.host.log_notice(
                    "AOF was enabled during a transaction. An AOF background was scheduled to \
                     start when possible.",
                );
            }
            self.begin_tour_unasked(TourKind::Parking, Box::new(Rewrite::new(target)));
        } else if self.host.is_append_only_unwanted() {
            self.begin_tour_unasked(TourKind::Parking, Box::new(TurnOff));
        }
    }
}
