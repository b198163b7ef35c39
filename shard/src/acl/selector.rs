//! A selector: rights to commands, keys and channels that hold together.
//!
//! A user has one, the root, which its plain rules change, and one more for every rule in
//! parentheses. What a selector allows is kept twice: as a bitmap, which is what is looked at, and
//! as the rules that made it, in order, which is what is shown. Applying the rules to an empty
//! selector gives the bitmap again.

use super::command_set::CommandSet;
use super::rules::RuleError;
use crate::command::{AclCategories, Command, CommandId, commands};
use crate::glob::{self, Case};

/// What of a key a pattern lets one do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyAccess {
    pub(super) reads: bool,
    pub(super) writes: bool,
}

impl KeyAccess {
    /// Reading and writing.
    pub(super) const BOTH: Self = Self { reads: true, writes: true };

    /// Whether it is enough for what is `needed`.
    pub(super) fn covers(self, needed: Self) -> bool {
        (self.reads || !needed.reads) && (self.writes || !needed.writes)
    }
}

/// A pattern of keys and what may be done to those that match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyPattern {
    pub(super) access: KeyAccess,
    pub(super) pattern: Box<[u8]>,
}

/// Which keys may be used.
#[derive(Clone, Debug)]
pub struct KeyRights {
    pub(super) is_all: bool,
    pub(super) patterns: Vec<KeyPattern>,
}

/// Which channels may be used.
#[derive(Clone, Debug)]
pub struct ChannelRights {
    pub(super) is_all: bool,
    pub(super) patterns: Vec<Box<[u8]>>,
}

/// A rule about commands, as it is shown: `+get`, `-@write`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommandRule {
    pub(super) is_allowed: bool,
    pub(super) text: Vec<u8>,
}

/// A set of rights.
#[derive(Clone, Debug)]
pub struct Selector {
    pub(super) commands: CommandSet,
    /// Every command is allowed, without exception.
    pub(super) has_all_commands: bool,
    /// It began with all commands: those of later versions are allowed, too.
    pub(super) has_future_commands: bool,
    /// First arguments that are allowed of commands that are not.
    pub(super) first_arguments: Vec<(CommandId, Box<[u8]>)>,
    pub(super) rules: Vec<CommandRule>,
    /// The keys.
    pub keys: KeyRights,
    /// The channels.
    pub channels: ChannelRights,
}

impl Selector {
    /// No right at all, but perhaps to all channels.
    pub(super) fn new(all_channels: bool) -> Self {
        Self {
            commands: CommandSet::EMPTY,
            has_all_commands: false,
            has_future_commands: false,
            first_arguments: Vec::new(),
            rules: Vec::new(),
            keys: KeyRights { is_all: false, patterns: Vec::new() },
            channels: ChannelRights { is_all: all_channels, patterns: Vec::new() },
        }
    }

    /// Every right.
    pub(super) fn everything() -> Self {
        let mut selector = Self::new(true);
        selector.keys.is_all = true;
        selector.set_all_commands(true);
        selector
    }

    /// Whether it leaves nothing to be checked.
    pub(super) fn allows_everything(&self) -> bool {
        self.has_all_commands && self.keys.is_all && self.channels.is_all
    }

    /// `+@all` and `-@all`.
    pub(super) fn set_all_commands(&mut self, is_allowed: bool) {
        self.commands = if is_allowed { CommandSet::FULL } else { CommandSet::EMPTY };
        self.has_all_commands = is_allowed;
        self.has_future_commands = is_allowed;
        self.first_arguments.clear();
        self.rules.clear();
    }

    /// Allows or forbids a command with all its subcommands, or a subcommand.
    pub(super) fn set_command(&mut self, row: &Command, is_allowed: bool) {
        self.first_arguments.retain(|(id, _)| *id != row.id);
        let ids = std::iter::once(row.id).chain(row.subcommands.iter().map(|sub| sub.id));
        for id in ids {
            self.commands.set(id, is_allowed);
            self.has_all_commands &= is_allowed;
        }
    }

    /// Allows or forbids the commands of some categories.
    pub(super) fn set_category(&mut self, category: AclCategories, is_allowed: bool) {
        for row in commands() {
            if row.categories.intersects(category) {
                self.set_command(row, is_allowed);
            }
            for subcommand in row.subcommands {
                if subcommand.categories.intersects(category) {
                    self.set_command(subcommand, is_allowed);
                }
            }
        }
    }

    /// Allows a command with one first argument.
    pub(super) fn add_first_argument(&mut self, id: CommandId, argument: &[u8]) {
        let is_known = self
            .first_arguments
            .iter()
            .any(|(known, text)| *known == id && text.eq_ignore_ascii_case(argument));
        if !is_known {
            self.first_arguments.push((id, argument.into()));
        }
    }

    /// Notes a rule about commands. It takes the place of earlier rules about the same command or
    /// category, and of those about subcommands of the command.
    pub(super) fn note_rule(&mut self, text: Vec<u8>, is_allowed: bool) {
        self.rules.retain(|rule| {
            let rest = rule.text.strip_prefix(&text[..]);
            !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"|"))
        });
        self.rules.push(CommandRule { is_allowed, text });
    }
}

impl KeyRights {
    /// Forgets all patterns; all keys may be used, or none.
    pub(super) fn reset(&mut self, is_all: bool) {
        *self = Self { is_all, patterns: Vec::new() };
    }

    pub(super) fn add(&mut self, access: KeyAccess, pattern: &[u8]) -> Result<(), RuleError> {
        if self.is_all {
            return Err(RuleError::AfterAllKeys);
        }
        if has_space(pattern) {
            return Err(RuleError::Syntax);
        }
        match self.patterns.iter_mut().find(|known| *known.pattern == *pattern) {
            Some(known) => {
                known.access.reads |= access.reads;
                known.access.writes |= access.writes;
            }
            None => self.patterns.push(KeyPattern { access, pattern: pattern.into() }),
        }
        // However it came about; written as it stands, it could not be read again behind `~*`.
        if self.allow_any(KeyAccess::BOTH) {
            self.reset(true);
        }
        Ok(())
    }

    /// Whether a key may be used so. O(patterns).
    pub(super) fn allow(&self, key: &[u8], needed: KeyAccess) -> bool {
        self.is_all
            || self.patterns.iter().any(|known| {
                known.access.covers(needed) && glob::matches(&known.pattern, key, Case::Sensitive)
            })
    }

    /// Whether every key may be used so.
    pub(super) fn allow_any(&self, needed: KeyAccess) -> bool {
        let is_star = |known: &KeyPattern| *known.pattern == *b"*" && known.access.covers(needed);
        self.is_all || self.patterns.iter().any(is_star)
    }
}

impl ChannelRights {
    /// Whether every channel may be used.
    pub fn is_all(&self) -> bool {
        self.is_all
    }

    /// The patterns of channels that may be used, if not all of them may.
    pub fn patterns(&self) -> impl Iterator<Item = &[u8]> {
        self.patterns.iter().map(AsRef::as_ref)
    }

    /// Forgets all patterns; all channels may be used, or none.
    pub(super) fn reset(&mut self, is_all: bool) {
        *self = Self { is_all, patterns: Vec::new() };
    }

    pub(super) fn add(&mut self, pattern: &[u8]) -> Result<(), RuleError> {
        if self.is_all {
            return Err(RuleError::AfterAllChannels);
        }
        if has_space(pattern) {
            return Err(RuleError::Syntax);
        }
        if !self.patterns.iter().any(|known| **known == *pattern) {
            self.patterns.push(pattern.into());
        }
        Ok(())
    }

    /// Whether a channel may be used; one that is a pattern itself must have been allowed in these
    /// very words. O(patterns).
    pub fn allow(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.is_all
            || self.patterns.iter().any(|known| match is_pattern {
                true => **known == *channel,
                false => glob::matches(known, channel, Case::Sensitive),
            })
    }
}

/// Whether a text has characters that would tear a rule apart when it is read again.
pub(super) fn has_space(text: &[u8]) -> bool {
    text.iter().any(|byte| byte.is_ascii_whitespace() || matches!(byte, 0 | 0x0b))
}
