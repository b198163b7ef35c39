//! A set of commands and subcommands: a bit for each command id.

use crate::command::{CommandId, command_count};

const WORDS: usize = command_count().div_ceil(u64::BITS as usize);

/// Commands and subcommands by id. All operations are O(1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommandSet([u64; WORDS]);

impl CommandSet {
    /// No command.
    pub(super) const EMPTY: Self = Self([0; WORDS]);

    /// Every command there is.
    pub(super) const FULL: Self = Self([u64::MAX; WORDS]);

    /// Whether a command is in.
    #[inline]
    pub(super) fn contains(&self, id: CommandId) -> bool {
        let (word, bit) = Self::place(id);
        self.0[word] & bit != 0
    }

    /// Puts a command in or takes it out.
    pub(super) fn set(&mut self, id: CommandId, is_member: bool) {
        let (word, bit) = Self::place(id);
        match is_member {
            true => self.0[word] |= bit,
            false => self.0[word] &= !bit,
        }
    }

    fn place(id: CommandId) -> (usize, u64) {
        let bits = u64::BITS as usize;
        (id.index() / bits, 1 << (id.index() % bits))
    }
}
