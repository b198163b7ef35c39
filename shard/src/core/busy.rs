//! Clients of a core whose script takes long.
//!
//! While a script runs its core does nothing else. Other cores see on the board
//! ([`crate::scripting::watch`]) that a script is busy, and refuse commands. Clients of the busy
//! core itself are looked after from within the script, every so many instructions: of those with
//! nothing under way (no reply that has not left, no command that was begun or waits) the next
//! command is taken straight off the socket and answered with an error, or, if it is one of the few
//! that help, done. All others, those of TLS, and new connections, wait until the script is over;
//! with several cores new connections come to other cores as well.

use super::session::Rights;
use super::{Core, SessionId};
use crate::arguments::Arguments;
use crate::call::SessionCall;
use crate::command::{self, Command, Handler};
use crate::reply::{Output, Reply};

/// A threshold below which scripts are expected to pass it, in milliseconds.
const EXPECTED_MS: u64 = 1000;

/// Sockets looked at in one call.
const PEERS_MAX: usize = 256;

impl Core {
    /// Whether scripts should run only when all that has arrived is taken in and done: then every
    /// other client can be looked after while one runs. Costs a little, so not until scripts are
    /// known, or meant, to take long.
    #[inline]
    pub fn runs_scripts_last(&self) -> bool {
        let threshold_ms = self.store.settings().busy_reply_threshold_ms;
        self.has_been_busy || (1..=EXPECTED_MS).contains(&threshold_ms)
    }

    /// Answers clients of this core, a command each at most; whether the process is to end.
    pub(crate) fn serve_while_busy(&mut self) -> bool {
        if self.is_taking_in {
            return false;
        }
        let peers = self.quiet_peers();
        let descriptors: Vec<i32> = peers.iter().map(|&(_, descriptor)| descriptor).collect();
        let mut is_ending = false;
        for (index, words) in self.host.receive_while_busy(&descriptors) {
            let (id, descriptor) = peers[index];
            let mut output = Output::default();
            is_ending |= self.answer_while_busy(id, words.borrow(), &mut output);
            self.host.send_while_busy(descriptor, &output.bytes);
        }
        is_ending
    }

    /// Sessions with nothing under way, and their sockets.
    fn quiet_peers(&self) -> Vec<(SessionId, i32)> {
        let peers = self.sessions().filter(|(id, session)| {
            // What was received in this turn may wait in the stage.
            session.figures.active_turn < self.turn
                && !session.origin.is_tls
                && session.is_quiet()
                && Some(*id) != self.scripting_session
        });
        peers.map(|(id, session)| (id, session.origin.descriptor)).take(PEERS_MAX).collect()
    }

    /// Answers one command; whether it ends the process.
    fn answer_while_busy(
        &mut self,
        id: SessionId,
        arguments: Arguments<'_>,
        output: &mut Output,
    ) -> bool {
        let protocol = self.session(id).map(|session| session.protocol).unwrap_or_default();
        let row = command::lookup_line(arguments.at(0), arguments.get(1));
        let helpful = row.filter(|row| helps(row) && row.accepts_argument_count(arguments.len()));
        if self.session(id).is_some_and(|session| session.transaction.is_some()) {
            self.answer_in_transaction(id, row, Reply::new(output, protocol));
            return false;
        }
        let Some(row) = helpful else {
            let error = self.busy_error();
            self.stats.rejected(row, &error);
            Reply::new(output, protocol).error(&error);
            return false;
        };
        let is_free = self.session(id).is_some_and(|session| session.rights == Rights::All);
        if !is_free && let Err(error) = self.check_rights(id, row, arguments) {
            self.stats.rejected(Some(row), &error);
            Reply::new(output, protocol).error(&error);
            return false;
        }
        let Some(Handler::Session(handler)) = row.handler else { return false };
        let mut call = SessionCall::new(self, id, arguments, Reply::new(output, protocol));
        let outcome = handler(&mut call);
        if let Err(error) = &outcome {
            call.reply.error(error);
        }
        row.name == "shutdown" && outcome.is_ok()
    }
}

impl Core {
    /// Answers a client that queues a transaction: it may give it up, and nothing else.
    fn answer_in_transaction(
        &mut self,
        id: SessionId,
        row: Option<&'static Command>,
        mut reply: Reply<'_>,
    ) {
        let error = self.busy_error();
        match row.map(|row| row.name) {
            Some("discard") => {
                self.discard_transaction(id);
                reply.ok();
            }
            _ => {
                let error = self.break_transaction(id, row, error);
                self.stats.rejected(row, &error);
                reply.error(&error);
            }
        }
    }
}

/// Whether a command does something about the script, says who the client is, or begins a
/// transaction (which then fails as a whole), and is over at once.
fn helps(row: &Command) -> bool {
    match row.container {
        "script" => row.name == "kill",
        "function" => matches!(row.name, "kill" | "stats"),
        _ => matches!(row.name, "shutdown" | "multi" | "auth" | "hello" | "quit"),
    }
}
