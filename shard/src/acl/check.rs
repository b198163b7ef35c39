//! Whether a user may run a command line.
//!
//! One selector has to allow all of it: the command, every key the way the command uses it, every
//! channel. What no selector allows is told as Redis tells it: the command if no selector allows
//! that, else the key or channel furthest to the right that a selector stumbled over.
//!
//! Cost: O(selectors) bit tests, and for a selector that is choosy about keys O(keys * patterns)
//! glob matches. Nothing is allocated.

use super::selector::{KeyAccess, Selector};
use super::user::User;
use crate::command::{ArgList, ChannelUse, Command, KeyFlags, flag, key_flag};
use crate::error::{self, CommandError};

/// What of a command line is refused. The order is that of how much was allowed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denial {
    /// The command.
    Command,
    /// The key at this argument.
    Key(usize),
    /// The channel at this argument.
    Channel(usize),
}

/// Checks a command line of `row` for a user.
///
/// # Errors
///
/// What the user may not do.
pub fn check<A: ArgList + ?Sized>(user: &User, row: &Command, args: &A) -> Result<(), Denial> {
    let mut worst = Denial::Command;
    for selector in &user.selectors {
        match selector.check(row, args) {
            Ok(()) => return Ok(()),
            Err(denial) => worst = worst.max(denial),
        }
    }
    Err(worst)
}

impl User {
    /// Whether it may run a command line that reads keys the line does not name, which can be any
    /// (SORT with BY or GET).
    pub fn may_read_any_key<A: ArgList + ?Sized>(&self, row: &Command, args: &A) -> bool {
        let reading = KeyAccess { reads: true, writes: false };
        self.selectors
            .iter()
            .any(|selector| selector.keys.allow_any(reading) && selector.check(row, args).is_ok())
    }
}

impl Selector {
    fn check<A: ArgList + ?Sized>(&self, row: &Command, args: &A) -> Result<(), Denial> {
        if !self.has_all_commands
            && !row.flags.contains(flag::NO_AUTH)
            && !self.commands.contains(row.id)
            && !self.allows_first_argument(row, args)
        {
            return Err(Denial::Command);
        }
        if !self.keys.is_all && row.has_keys() {
            // A line whose keys cannot be told is refused by the command itself.
            for key in row.keys_of(args).into_iter().flatten() {
                if !self.keys.allow(args.get(key.index), needed_access(key.flags)) {
                    return Err(Denial::Key(key.index));
                }
            }
        }
        match row.channel_use() {
            Some(channels) if !self.channels.is_all => self.check_channels(channels, args),
            _ => Ok(()),
        }
    }

    fn allows_first_argument<A: ArgList + ?Sized>(&self, row: &Command, args: &A) -> bool {
        let index = if row.container.is_empty() { 1 } else { 2 };
        args.len() > index
            && self.first_arguments.iter().any(|(id, argument)| {
                *id == row.id && args.get(index).eq_ignore_ascii_case(argument)
            })
    }

    fn check_channels<A: ArgList + ?Sized>(
        &self,
        channels: ChannelUse,
        args: &A,
    ) -> Result<(), Denial> {
        let end = if channels.is_single { 2 } else { args.len() };
        for index in 1..end.min(args.len()) {
            if !self.channels.allow(args.get(index), channels.are_patterns) {
                return Err(Denial::Channel(index));
            }
        }
        Ok(())
    }
}

/// What a key pattern has to allow for a key to be used so.
fn needed_access(flags: KeyFlags) -> KeyAccess {
    const CHANGES: KeyFlags = KeyFlags::of(&[key_flag::INSERT, key_flag::DELETE, key_flag::UPDATE]);
    KeyAccess { reads: flags.contains(key_flag::ACCESS), writes: flags.intersects(CHANGES) }
}

impl Denial {
    /// What a client is told whose command is refused.
    pub fn error(self, user: &User, row: &Command) -> CommandError {
        match self {
            Self::Command => {
                let name = error::printable(&user.name, user.name.len());
                CommandError::worded(format!(
                    "NOPERM User {name} has no permissions to run the '{}' command",
                    row.full_name()
                ))
            }
            Self::Key(_) => CommandError::Fixed("NOPERM No permissions to access a key"),
            Self::Channel(_) => CommandError::Fixed("NOPERM No permissions to access a channel"),
        }
    }

    /// What an administrator is told who asks about a user.
    pub fn explanation<A: ArgList + ?Sized>(self, user: &User, row: &Command, args: &A) -> Vec<u8> {
        let full_name = row.full_name().to_string();
        let (verb, object, kind): (&str, &[u8], &str) = match self {
            Self::Command => ("run", full_name.as_bytes(), "command"),
            Self::Key(index) => ("access", args.get(index), "key"),
            Self::Channel(index) => ("access", args.get(index), "channel"),
        };
        let start = [b"User ", &*user.name, b" has no permissions to "].concat();
        let end = [b"' ", kind.as_bytes()].concat();
        [&start, verb.as_bytes(), b" the '", object, &end].concat()
    }

    /// What a script is told whose command is refused.
    pub fn error_in_script<A: ArgList + ?Sized>(
        self,
        user: &User,
        row: &Command,
        args: &A,
    ) -> CommandError {
        let explanation = self.explanation(user, row, args);
        let explanation = String::from_utf8_lossy(&explanation);
        CommandError::worded(format!("ERR ACL failure in script: {explanation}"))
    }

    /// What EXEC answers in place of a queued command that is not allowed any more.
    pub fn error_at_exec(self) -> CommandError {
        let reason = match self {
            Self::Command => "no permission to execute the command or subcommand",
            Self::Key(_) => "no permission to touch the specified keys",
            Self::Channel(_) => "no permission to access one of the channels used as arguments",
        };
        CommandError::worded(format!(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the \
             EXEC call. This command is no longer allowed for the following reason: {reason}"
        ))
    }
}
