//! Commands under other names: `rename-command`.
//!
//! ```text
//! rename-command CONFIG secret-config     CONFIG is unknown, SECRET-CONFIG is CONFIG
//! rename-command DEBUG ""                 DEBUG is unknown
//! ```
//!
//! Only what clients write is renamed. Rights, statistics and logs go by the real names, as with
//! Redis. The table of commands is fixed when the server is compiled, so names that differ stand in
//! a small table in front of it, which a server without any does not have.

use std::collections::HashMap;
use std::fmt;

use super::registry::{lookup, lookup_line};
use super::row::Command;

/// Why a command cannot be renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenameError {
    /// There is no command of the old name.
    NoSuchCommand,
    /// There is a command of the new name.
    NameTaken,
}

impl fmt::Display for RenameError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoSuchCommand => "No such command in rename-command",
            Self::NameTaken => "Target command name already exists",
        })
    }
}

impl std::error::Error for RenameError {}

/// Names that mean something else than the table of commands says.
#[derive(Clone, Debug, Default)]
pub struct Renames {
    /// By name in lower case: the command, or none where the name means nothing any more.
    names: HashMap<Box<[u8]>, Option<&'static Command>>,
}

impl Renames {
    /// Renames a command, or hides it if the new name is empty.
    ///
    /// # Errors
    ///
    /// One of the names does not fit; nothing has changed then.
    pub fn rename(&mut self, old: &[u8], new: &[u8]) -> Result<(), RenameError> {
        let row = self.lookup(old).ok_or(RenameError::NoSuchCommand)?;
        if !new.is_empty() {
            if self.lookup(new).is_some() {
                return Err(RenameError::NameTaken);
            }
            self.names.insert(new.to_ascii_lowercase().into(), Some(row));
        }
        self.names.insert(old.to_ascii_lowercase().into(), None);
        Ok(())
    }

    /// Whether every command has its own name.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The command a name means. O(1).
    pub fn lookup(&self, name: &[u8]) -> Option<&'static Command> {
        match self.names.get(name.to_ascii_lowercase().as_slice()) {
            Some(meaning) => *meaning,
            None => lookup(name),
        }
    }

    /// The command or subcommand a command line of these first two arguments runs. O(1).
    pub fn lookup_line(&self, name: &[u8], next: Option<&[u8]>) -> Option<&'static Command> {
        let row = self.lookup(name)?;
        lookup_line(row.name.as_bytes(), next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_be_changed_hidden_and_swapped() {
        let mut renames = Renames::default();
        assert_eq!(renames.rename(b"nosuch", b"x"), Err(RenameError::NoSuchCommand));
        assert_eq!(renames.rename(b"GET", b"set"), Err(RenameError::NameTaken));
        assert!(renames.is_empty());
        renames.rename(b"GET", b"old").expect("a free name");
        renames.rename(b"set", b"Get").expect("a name that is free by now");
        renames.rename(b"OLD", b"set").expect("a name that is free by now");
        renames.rename(b"config", b"").expect("a command");
        let name = |text: &[u8]| renames.lookup_line(text, Some(b"get")).map(|row| row.name);
        assert_eq!(name(b"get"), Some("set"));
        assert_eq!(name(b"SET"), Some("get"));
        assert_eq!(name(b"old"), None);
        assert_eq!(name(b"config"), None);
        assert_eq!(name(b"del"), Some("del"));
    }
}
