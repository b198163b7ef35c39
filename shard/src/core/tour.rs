//! Tours: work that has to see every core.
//!
//! A tour starts at core 0 and visits all cores in ascending order, carrying what it has gathered.
//! There are two kinds:
//!
//! * A **gathering** tour (`INFO`, `CLIENT LIST`) just passes through.
//! * A **parking** tour (`FLUSHALL`, `KEYS`, moving a slot) stops the world: a core it has visited
//!   runs no command on keys until the tour has seen the last core and sends its releases. What
//!   arrives meanwhile waits at the *gate* in order. The tour waits at each core until all slots
//!   the core has lent are home, so it meets every slot exactly once, at rest.
//!
//! Two parking tours meet at core 0 first, where one waits for the other; an envelope that holds a
//! slot of a core keeps a tour from passing that core, and a core the tour has passed has lent
//! nothing. So neither deadlocks.
//!
//! Cost: one message a core, and for a parking tour the time of `cores` hops during which nothing
//! else runs. It is for commands that are rare.

use std::sync::Arc;

use crate::command::Command;
use crate::core::{Core, CoreId, SessionId};
use crate::hash::HashSlot;
use crate::journal::GlobalEffect;
use crate::reply::Reply;
use crate::scripting::functions::Libraries;
use crate::slot::Slot;
use crate::slow_log::Summary;
use crate::store::holding::Holding;

/// What a tour does.
pub trait TourTask: Send {
    /// Called at every core, in ascending order.
    fn visit(&mut self, core: &mut Core);

    /// What a transaction answers instead of waiting for it, where its cut must not lie within one:
    /// it sets out when the transaction is over.
    fn answer_in_transaction(&self) -> Option<&'static str> {
        None
    }

    /// What it does to all slots at once, as the journal tells it.
    fn effect(&self) -> Option<GlobalEffect> {
        None
    }

    /// Whether it changes something that all cores have and show: settings, or users. Cores it has
    /// visited take no commands then until it has visited all: else a client that was shown the new
    /// could be followed by one that is shown the old.
    fn changes_what_cores_share(&self) -> bool {
        false
    }

    /// Slots that get a new owner, asked after the visit to each core of a parking tour. The answer
    /// must be the same at every core from the slot's old owner and from core 0 on.
    fn moves(&self) -> Vec<(HashSlot, CoreId)> {
        Vec::new()
    }

    /// The slots of cores that a parking tour has taken along: asked after the last visit.
    fn take_holdings(&mut self) -> Vec<(CoreId, Box<Holding>)> {
        Vec::new()
    }

    /// Libraries of functions that all cores have from the end of the tour on, if it has brought
    /// others: asked after the last visit.
    fn take_libraries(&mut self) -> Option<Arc<Libraries>> {
        None
    }

    /// Whether the process ends here, asked after the last visit: no core is released then.
    fn ends_process(&self) -> bool {
        false
    }

    /// Called at the core the tour started from, after the last visit: writes the reply.
    fn finish(self: Box<Self>, core: &mut Core, session: SessionId, reply: &mut Reply<'_>);
}

/// Whether a tour stops the cores it has visited until it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TourKind {
    /// Passes through.
    Gathering,
    /// Stops the world.
    Parking,
}

/// Whose visit it is.
pub(super) enum Asker {
    /// Nobody waits for it.
    Nobody,
    /// A command of a session.
    Session(AskingCommand),
    /// The exclusive transaction of the core it started from.
    Transaction,
}

/// A command that waits for its tour.
pub(super) struct AskingCommand {
    pub(super) session: SessionId,
    /// Where its reply goes.
    pub(super) place: u64,
    pub(super) row: &'static Command,
    /// What it was, for the slow log.
    pub(super) summary: Summary,
    /// Time spent on it so far, on whatever core.
    pub(super) spent_ns: u64,
}

/// A visit to all cores on behalf of one command.
pub struct Tour {
    pub(super) kind: TourKind,
    pub(super) task: Box<dyn TourTask>,
    pub(super) origin: CoreId,
    pub(super) asker: Asker,
    /// Slots on their way to a core the tour had already passed.
    pub(super) cargo: Vec<(CoreId, HashSlot, Box<Slot>)>,
}
