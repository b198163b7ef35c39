//! Users from text: ACL files, and the `user` lines of configuration files.
//!
//! ```text
//! user alice on #2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90 ~cache:* +get
//! ```
//!
//! A file is taken as a whole or not at all; all that is wrong with it is told at once, in the
//! words of Redis.

use std::fmt;

use super::rules::{self, RuleError};
use super::selector::has_space;
use super::{Acl, DEFAULT_USER, User};
use crate::error::printable;

/// Why users could not be read: the whole text for the log or the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError(pub String);

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for LoadError {}

impl Acl {
    /// The users of an ACL file. Users that were there before under the same name keep their ids;
    /// a file without a default user leaves that one all rights.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file called `name`.
    pub fn from_file(
        &self,
        name: &str,
        text: &[u8],
        all_channels: bool,
    ) -> Result<Self, LoadError> {
        let mut loaded = Self { next_id: self.next_id, ..Self::default() };
        loaded.users.clear();
        loaded.by_id.clear();
        let mut errors = String::new();
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let place = format!("{name}:{}", index + 1);
            let words: Vec<&[u8]> =
                line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
            if let Err(error) = self.load_line(&mut loaded, &place, &words, all_channels) {
                errors.push_str(&error);
            }
        }
        if !errors.is_empty() {
            errors.push_str(
                "WARNING: ACL errors detected, no change to the previously active ACL rules was \
                 performed",
            );
            return Err(LoadError(errors));
        }
        if loaded.user(DEFAULT_USER).is_none() {
            loaded.put(User::omnipotent(DEFAULT_USER, self.default_user.id));
        }
        Ok(loaded)
    }

    fn load_line(
        &self,
        loaded: &mut Self,
        place: &str,
        words: &[&[u8]],
        all_channels: bool,
    ) -> Result<(), String> {
        let (user_name, rule_words) = match words {
            [] => return Ok(()),
            [b"user", user_name, rule_words @ ..] => (*user_name, rule_words),
            _ => {
                return Err(format!(
                    "{place} should start with user keyword followed by the username. "
                ));
            }
        };
        let shown = printable(user_name, user_name.len());
        if has_space(user_name) {
            return Err(format!("'{place}: username '{shown}' contains invalid characters. "));
        }
        if loaded.user(user_name).is_some() {
            let number = place.rsplit(':').next().unwrap_or_default();
            return Err(format!("WARNING: Duplicate user '{shown}' found on line {number}. "));
        }
        let mut user = loaded.draft(user_name, all_channels);
        if let Some(known) = self.user(user_name) {
            user.id = known.id;
        }
        let rules = rules::join_selectors(rule_words)
            .map_err(|_| format!("{place}: Unmatched parenthesis in selector definition."))?;
        let mut errors = String::new();
        let mut has_told = false;
        for rule in &rules {
            match user.apply(rule, all_channels) {
                Ok(()) => {}
                // Names of commands are no secret, other rules may be.
                Err(error @ RuleError::Unknown) => {
                    let rule = printable(rule, rule.len());
                    errors.push_str(&format!(
                        "{place}: Error in applying operation '{rule}': {error}. "
                    ));
                }
                Err(error) if !has_told => {
                    has_told = true;
                    errors.push_str(&format!("{place}: {error}. "));
                }
                Err(_) => {}
            }
        }
        loaded.put(user);
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// The users of the `user` lines of a configuration file, each line without its first word,
    /// beside the default user as it is.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn with_lines(
        &self,
        lines: &[Vec<Vec<u8>>],
        all_channels: bool,
    ) -> Result<Self, LoadError> {
        let mut loaded = self.clone();
        let mut names: Vec<&[u8]> = Vec::new();
        for line in lines {
            let Some((name, rule_words)) = line.split_first() else { continue };
            let shown = printable(name, name.len());
            if has_space(name) {
                return Err(LoadError("Spaces not allowed in ACL usernames".to_owned()));
            }
            if names.contains(&name.as_slice()) {
                return Err(LoadError(format!(
                    "Error in user declaration '{shown}': Duplicate user found. A user can only be \
                     defined once in config files"
                )));
            }
            names.push(name);
            let id = loaded.draft(name, all_channels).id;
            let mut user = User::new(name, id, all_channels);
            let rule_words: Vec<&[u8]> = rule_words.iter().map(Vec::as_slice).collect();
            let rules = rules::join_selectors(&rule_words).map_err(|start| {
                let start = printable(start, start.len());
                LoadError(format!("Error in user declaration '{start}': Wrong format"))
            })?;
            for rule in &rules {
                user.apply(rule, all_channels).map_err(|error| {
                    let rule = printable(rule, rule.len());
                    LoadError(format!(
                        "Error loading ACL rule '{rule}' for the user named '{shown}': {error}"
                    ))
                })?;
            }
            loaded.put(user);
        }
        Ok(loaded)
    }
}
