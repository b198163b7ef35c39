//! The rules of ACL SETUSER, read.
//!
//! ```text
//! on off nopass resetpass >word <word #hash !hash sanitize-payload skip-sanitize-payload reset
//! ~pattern %R~pattern %W~pattern %RW~pattern allkeys resetkeys
//! &pattern allchannels resetchannels
//! +command -command +command|subcommand +command|argument +@category -@category
//! (rules of a further selector) clearselectors
//! ```
//!
//! Commands this server knows of but has no code for yet may be named: there is nothing to allow
//! or forbid then, and the rule is kept for the day there is.

use std::fmt;

use super::selector::{KeyAccess, Selector, has_space};
use super::user::{self, User};
use crate::command::{self, AclCategories, Command, FAMILIES};

/// Why a rule cannot be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// There is no such command or category.
    Unknown,
    /// It is no rule at all.
    Syntax,
    /// All keys are allowed already.
    AfterAllKeys,
    /// All channels are allowed already.
    AfterAllChannels,
    /// The password to remove is none of the user's.
    NoSuchPassword,
    /// That is no SHA-256 in hexadecimal.
    BadHash,
    /// Subcommands have no first arguments to allow.
    ArgumentOfSubcommand,
}

impl fmt::Display for RuleError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unknown => "Unknown command or category name in ACL",
            Self::Syntax => "Syntax error",
            Self::AfterAllKeys => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and \
                 does not have any effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            Self::AfterAllChannels => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and \
                 does not have any effect. Try 'resetchannels' to start with an empty list of \
                 channels"
            }
            Self::NoSuchPassword => {
                "The password you are trying to remove from the user does not exist"
            }
            Self::BadHash => {
                "The password hash must be exactly 64 characters and contain only lowercase \
                 hexadecimal characters"
            }
            Self::ArgumentOfSubcommand => "Allowing first-arg of a subcommand is not supported",
        })
    }
}

/// Joins the words of each selector in parentheses, which a client may send in pieces.
///
/// # Errors
///
/// The first word of a selector that is not closed.
pub(super) fn join_selectors<'a>(words: &[&'a [u8]]) -> Result<Vec<Vec<u8>>, &'a [u8]> {
    let mut rules: Vec<Vec<u8>> = Vec::with_capacity(words.len());
    let mut open: Option<&[u8]> = None;
    for word in words {
        if open.is_some() {
            let selector = rules.last_mut().expect("an open selector has its first word");
            selector.push(b' ');
            selector.extend_from_slice(word);
        } else {
            rules.push(word.to_vec());
        }
        let is_closed = word.last() == Some(&b')');
        if open.is_none() && word.first() == Some(&b'(') && !is_closed {
            open = Some(word);
        } else if is_closed {
            open = None;
        }
    }
    match open {
        Some(start) => Err(start),
        None => Ok(rules),
    }
}

impl User {
    /// Applies one rule; on an error nothing has changed. `all_channels` is what a user that is
    /// reset, and what a further selector, may use (`acl-pubsub-default`).
    pub(super) fn apply(&mut self, rule: &[u8], all_channels: bool) -> Result<(), RuleError> {
        let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
        match rule {
            [] => {}
            _ if is("on") => self.is_enabled = true,
            _ if is("off") => self.is_enabled = false,
            _ if is("skip-sanitize-payload") => self.skips_sanitizing = true,
            _ if is("sanitize-payload") => self.skips_sanitizing = false,
            _ if is("nopass") || is("resetpass") => {
                self.passwords.clear();
                self.needs_no_password = is("nopass");
            }
            [b'>', password @ ..] => self.add_password(user::hash(password)),
            [b'#', hash @ ..] => self.add_password(user::parse_hash(hash)?),
            [b'<', password @ ..] => self.remove_password(user::hash(password))?,
            [b'!', hash @ ..] => self.remove_password(user::parse_hash(hash)?)?,
            [b'(', rules @ .., b')'] => {
                let mut selector = Selector::new(all_channels);
                for rule in rules.split(u8::is_ascii_whitespace).filter(|rule| !rule.is_empty()) {
                    selector.apply(rule)?;
                }
                self.selectors.push(selector);
            }
            _ if is("clearselectors") => self.selectors.truncate(1),
            _ if is("reset") => *self = Self::new(&self.name, self.id, all_channels),
            _ => self.selectors[0].apply(rule)?,
        }
        Ok(())
    }
}

impl Selector {
    /// Applies one rule; on an error nothing has changed.
    pub(super) fn apply(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
        match rule {
            _ if is("allkeys") || is("~*") => self.keys.reset(true),
            _ if is("resetkeys") => self.keys.reset(false),
            _ if is("allchannels") || is("&*") => self.channels.reset(true),
            _ if is("resetchannels") => self.channels.reset(false),
            _ if is("allcommands") || is("+@all") => self.set_all_commands(true),
            _ if is("nocommands") || is("-@all") => self.set_all_commands(false),
            [b'~', pattern @ ..] => self.keys.add(KeyAccess::BOTH, pattern)?,
            [b'%', ..] if self.keys.is_all => return Err(RuleError::AfterAllKeys),
            [b'%', rest @ ..] => {
                let (access, pattern) = parse_key_access(rest)?;
                self.keys.add(access, pattern)?;
            }
            [b'&', pattern @ ..] => self.channels.add(pattern)?,
            [sign @ (b'+' | b'-'), b'@', name @ ..] => self.apply_category(name, *sign == b'+')?,
            [b'+', name @ ..] => self.apply_allowed(name)?,
            [b'-', name @ ..] => {
                let row = find(name).ok_or(RuleError::Unknown)?;
                self.change_command(row, false);
            }
            _ => return Err(RuleError::Syntax),
        }
        Ok(())
    }

    fn apply_category(&mut self, name: &[u8], is_allowed: bool) -> Result<(), RuleError> {
        let category = AclCategories::from_name(name).ok_or(RuleError::Unknown)?;
        self.set_category(category, is_allowed);
        self.note_rule([b"@", &name.to_ascii_lowercase()[..]].concat(), is_allowed);
        Ok(())
    }

    /// `+command`, `+command|subcommand` and `+command|argument`.
    fn apply_allowed(&mut self, name: &[u8]) -> Result<(), RuleError> {
        let Some(bar) = name.iter().rposition(|byte| *byte == b'|') else {
            let row = find(name).ok_or(RuleError::Unknown)?;
            self.change_command(row, true);
            return Ok(());
        };
        let (container, argument) = (&name[..bar], &name[bar + 1..]);
        let row = find(container).ok_or(RuleError::Unknown)?;
        if !row.container.is_empty() {
            return Err(RuleError::ArgumentOfSubcommand);
        }
        // With white space in it the rule could not be read back from a file.
        if argument.is_empty() || has_space(argument) {
            return Err(RuleError::Syntax);
        }
        if row.subcommands.is_empty() {
            if is_registered(row) {
                self.add_first_argument(row.id, argument);
            }
            self.note_rule(name.to_ascii_lowercase(), true);
        } else {
            let row = find(name).ok_or(RuleError::Unknown)?;
            self.change_command(row, true);
        }
        Ok(())
    }

    fn change_command(&mut self, row: &Command, is_allowed: bool) {
        if is_registered(row) {
            self.set_command(row, is_allowed);
        } else if !is_allowed {
            self.has_all_commands = false;
        }
        self.note_rule(row.full_name().to_string().into_bytes(), is_allowed);
    }
}

/// Reads the letters between `%` and `~`, and what follows.
fn parse_key_access(text: &[u8]) -> Result<(KeyAccess, &[u8]), RuleError> {
    let mut access = KeyAccess::default();
    for (index, byte) in text.iter().enumerate() {
        match byte.to_ascii_uppercase() {
            b'R' if !access.reads => access.reads = true,
            b'W' if !access.writes => access.writes = true,
            b'~' if access != KeyAccess::default() => return Ok((access, &text[index + 1..])),
            _ => return Err(RuleError::Syntax),
        }
    }
    Err(RuleError::Syntax)
}

/// The command or subcommand of that name, built or not.
fn find(name: &[u8]) -> Option<&'static Command> {
    if let Some(row) = command::lookup_full_name(name) {
        return Some(row);
    }
    let mut words = name.split(|byte| *byte == b'|');
    let (command, subcommand) = (words.next()?, words.next());
    let row = FAMILIES
        .iter()
        .flat_map(|rows| rows.iter())
        .find(|row| row.name.as_bytes().eq_ignore_ascii_case(command))?;
    match (subcommand, words.next()) {
        (None, _) => Some(row),
        (Some(subcommand), None) => row.subcommand(subcommand),
        (Some(_), Some(_)) => None,
    }
}

/// Whether a row is one of a command that has code, and so an id.
fn is_registered(row: &Command) -> bool {
    row.id.index() < command::command_count()
}
