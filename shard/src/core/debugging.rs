//! Scripts of clients who debug them (`SCRIPT DEBUG SYNC`).
//!
//! Such a script stops and is talked to through its client's socket, so it runs at the core that
//! socket belongs to: in the envelope of a transaction that has to see everything (`exclusive.rs`),
//! which brings all slots there. It may touch any key, then, and nobody else touches one until the
//! session is over. What is said in between: see [`crate::scripting::debugger`].
//!
//! In Redis a session can run in a fork as well, and nothing it writes stays (`SCRIPT DEBUG YES`).
//! This server does not fork. Clients as redis-cli do not look at the answer to SCRIPT DEBUG, and
//! would run a script for good of which the user thinks that it leaves no trace; so after that
//! answer EVAL is refused, too.

use super::message::{Batch, Errand, Route};
use super::session::{Debugging, Hold};
use super::transaction::Execution;
use super::{Core, Flow, SessionId};
use crate::arguments::Arguments;
use crate::command::Command;
use crate::error::CommandError;
use crate::hash::HashSlot;
use crate::reply::Output;
use crate::scripting::debugger::Debugger;

/// What SCRIPT DEBUG YES comes to.
pub(crate) const NO_FORKS: CommandError = CommandError::Fixed(
    "ERR a debugging session whose changes are undone needs a fork, and this server never forks: \
     use SCRIPT DEBUG SYNC (redis-cli --ldb-sync-mode), whose changes stay",
);
pub(super) const DEBUGGED_IN_TRANSACTION: CommandError =
    CommandError::Fixed("ERR scripts cannot be debugged inside a transaction");
const NO_DIGESTS: CommandError =
    CommandError::Fixed("ERR Please use EVAL instead of EVALSHA for debugging");
const IN_PIPELINE: CommandError =
    CommandError::Fixed("ERR a script that is debugged must be called outside a pipeline");

/// Whether SCRIPT DEBUG is about such commands.
pub(super) fn is_debuggable(row: &Command) -> bool {
    row.name.starts_with("eval")
}

impl Core {
    pub(super) fn is_debugging(&self, id: SessionId) -> bool {
        self.session(id).is_some_and(|session| session.debugging != Debugging::Off)
    }

    /// EVAL of a client who has said SCRIPT DEBUG.
    #[cold]
    pub(super) fn execute_debugged(
        &mut self,
        id: SessionId,
        row: &'static Command,
        route: Route,
        arguments: Arguments<'_>,
    ) -> Flow {
        let session = self.session(id).expect("seen by the caller");
        let refusal = if session.debugging == Debugging::Refused {
            Some(NO_FORKS)
        } else if row.name.starts_with("evalsha") {
            Some(NO_DIGESTS)
        } else if session.has_replies_pending() {
            // What the debugger says would overtake them.
            Some(IN_PIPELINE)
        } else {
            None
        };
        if let Some(error) = refusal {
            self.reject(id, Some(row), &error);
            return Flow::Done;
        }
        let Some(mut batch) = self.pack_alone(id, row, route, arguments) else {
            return Flow::Refused;
        };
        self.hold(id, Hold::Replies);
        let execution = Execution { is_exclusive: true, is_debugged: true, ..Execution::default() };
        batch.errand = Errand::Transaction(Box::new(execution));
        batch.extra_slots = HashSlot::all().collect();
        self.enclose(batch);
        Flow::Done
    }

    /// Runs the script of a batch, whose client is of this core, in a session; all slots are here.
    /// If the client has gone meanwhile, there is nobody to debug it: it just runs.
    pub(super) fn debug_script(&mut self, id: SessionId, batch: &Batch, output: &mut Output) {
        let descriptor = self.session(id).map(|session| session.origin.descriptor);
        if let Some(descriptor) = descriptor {
            let now_ns = self.host.elapsed_ns();
            let debugger = Debugger::new(descriptor, batch.arguments(0).at(1), now_ns);
            self.debugger = Some(Box::new(debugger));
            self.scripting_session = Some(id);
            self.host.log_notice("A script is debugged: the session begins.");
        }
        self.run_queued_on_keys(batch, 0, true, output);
        if let Some(debugger) = self.debugger.take() {
            debugger.end(&mut *self.host);
            self.scripting_session = None;
            self.host.log_notice("A script was debugged: the session is over.");
        }
    }
}
