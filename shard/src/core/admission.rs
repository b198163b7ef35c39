//! What has to hold before a command runs: that it is known and well formed, that its client may
//! run it, and that the server is in a state to.

use super::dispatch::Prepared;
use super::session::{Hold, Rights, Session};
use super::shared::Restrictions;
use super::{Core, SessionId};
use crate::arguments::Arguments;
use crate::command::{self, Command, CommandFlags, flag};
use crate::error::{self, CommandError};
use crate::reply::Protocol;

impl Core {
    /// Checks what has to hold before any command runs. `Ok(None)` puts it off.
    #[inline]
    pub(super) fn admit(
        &mut self,
        id: SessionId,
        prepared: &Prepared,
        arguments: Arguments<'_>,
    ) -> Result<Option<&'static Command>, CommandError> {
        let row = prepared.row.ok_or_else(|| self.unknown(arguments))?;
        if !row.accepts_argument_count(arguments.len()) {
            return Err(error::wrong_arity(&row.full_name().to_string()));
        }
        let session = self.session(id).expect("the caller has seen the session");
        if session.rights != Rights::All {
            self.check_rights(id, row, arguments)?;
        }
        if self.pause.until_ms != 0 && self.must_pause(id, row, arguments) {
            self.hold(id, Hold::Pause);
            self.pause.waiting.push(id);
            return Ok(None);
        }
        if self.shared.watch.is_busy() && !row.flags.contains(flag::ALLOW_BUSY) {
            return Err(self.busy_error());
        }
        self.check_memory(row.flags)?;
        self.check_restrictions(row)?;
        let session = self.session(id).expect("the caller has seen the session");
        if session.interests.is_some() {
            check_subscriber(session, row)?;
        }
        Ok(Some(row))
    }

    /// Checks what the state of files and of loading forbids for now.
    #[inline]
    pub(crate) fn check_restrictions(&self, row: &Command) -> Result<(), CommandError> {
        if self.restrictions == Restrictions::default() {
            return Ok(());
        }
        // Who asks for the health of the server is told that it takes no writes.
        let is_ping = row.name == "ping";
        self.check_disk(if is_ping { row.flags.with(flag::WRITE) } else { row.flags })?;
        if self.restrictions.is_loading && !row.flags.contains(flag::LOADING) {
            return Err(error::LOADING);
        }
        Ok(())
    }

    /// Checks whether commands that together have these flags may run, or whether the disk fails.
    pub(super) fn check_disk(&self, flags: CommandFlags) -> Result<(), CommandError> {
        let Restrictions { refuses_writes, append_error, hides_data, .. } = self.restrictions;
        let is_write = flags.contains(flag::WRITE);
        if refuses_writes && is_write {
            return Err(error::SNAPSHOTS_FAIL);
        }
        let is_hidden = hides_data && flags.contains(flag::READONLY);
        if append_error != 0 && (is_write || is_hidden) {
            return Err(error::append_fails(append_error));
        }
        Ok(())
    }

    /// Whether nothing of the data may be told now: the disk fails, and nobody is to be told of
    /// what it does not hold. What is answered since this turn began tells nothing of it.
    pub fn hides_data(&self) -> bool {
        self.restrictions.hides_data
    }

    /// The error for a command that is not in the table.
    #[cold]
    fn unknown(&self, arguments: Arguments<'_>) -> CommandError {
        let found = match &self.renames {
            None => command::lookup(arguments.at(0)),
            Some(renames) => renames.lookup(arguments.at(0)),
        };
        match (found, arguments.get(1)) {
            (Some(container), Some(subcommand)) => {
                error::unknown_subcommand(container.name, subcommand)
            }
            _ => error::unknown_command(arguments),
        }
    }

    #[cold]
    fn must_pause(&self, id: SessionId, row: &Command, arguments: Arguments<'_>) -> bool {
        if self.pause.until_ms <= self.store.now().unix_ms() {
            return false;
        }
        // EXEC does what the commands do that it runs.
        let queued = self.session(id).and_then(|session| session.transaction.as_deref());
        let flags = match queued {
            Some(transaction) if row.name == "exec" => transaction.flags,
            _ => self.flags_in_effect(row, arguments),
        };
        self.pause.all || flags.intersects(flag::WRITE.with(flag::MAY_REPLICATE))
    }
}

/// A subscriber that speaks RESP2 could not tell replies from messages, so most commands are
/// refused.
#[cold]
fn check_subscriber(session: &Session, row: &Command) -> Result<(), CommandError> {
    const ALLOWED: [&str; 9] = [
        "ping",
        "subscribe",
        "ssubscribe",
        "psubscribe",
        "unsubscribe",
        "sunsubscribe",
        "punsubscribe",
        "quit",
        "reset",
    ];
    let is_allowed = row.container.is_empty() && ALLOWED.contains(&row.name);
    if session.protocol == Protocol::Resp3 || !session.is_subscriber() || is_allowed {
        return Ok(());
    }
    Err(CommandError::worded(format!(
        "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
         allowed in this context",
        row.full_name()
    )))
}
