//! MONITOR. How lines are made and travel: see `core/monitoring.rs`.

use crate::call::SessionCall;
use crate::core::tour::{TourKind, TourTask};
use crate::core::{Core, CoreId, SessionId};
use crate::error::Outcome;
use crate::reply::Reply;

/// MONITOR.
pub fn monitor(call: &mut SessionCall<'_>) -> Outcome {
    let (core, session) = (call.core.id(), call.session);
    call.session().is_monitor = true;
    call.tour(TourKind::Gathering, Start { core, session });
    Ok(())
}

/// Tells every core whom to show its commands.
struct Start {
    core: CoreId,
    session: SessionId,
}

impl TourTask for Start {
    fn visit(&mut self, core: &mut Core) {
        core.add_monitor(self.core, self.session);
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        reply.ok();
    }
}
