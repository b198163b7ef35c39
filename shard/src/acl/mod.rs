//! Who may do what: users, their passwords and their rules (Redis' ACL version 2).
//!
//! All users together are one immutable [`Acl`]. Every core holds the same one; a change makes a
//! new one and carries it to all cores by a parking tour, so that a right is given or taken at one
//! moment for everybody. A session holds the [`User`] it is logged in as, and knows whether that
//! user may do everything: then nothing at all is checked on the way of its commands.
//!
//! | file | holds |
//! |---|---|
//! | `user` | a user: name, state, passwords, selectors |
//! | `selector` | a set of rights: commands, keys, channels |
//! | `command_set` | commands as a bitmap by command id |
//! | `rules` | the words of ACL SETUSER, read |
//! | `describe` | the same words, written |
//! | `check` | whether a user may run a command line |
//! | `file` | ACL files and `user` lines of configuration files |
//! | `log` | what was refused lately |
//!
//! ```text
//! user  alice  on  #2bd8...  ~cache:* -@all +get      (~queue:* +lpush)
//!              |   password  `---- root selector ---'  `- selector ---'
//! ```
//!
//! Rights add up over selectors, but one selector alone must allow a whole command line. Behaviour
//! and texts follow Redis 7.2: <https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/>.
//!
//! Invariants: there always is a user named `default`; ids are never used again.

mod check;
mod command_set;
mod describe;
mod file;
pub mod log;
mod rules;
mod selector;
mod user;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use check::{Denial, check};
pub use file::LoadError;
pub use rules::RuleError;
pub use selector::{ChannelRights, KeyRights, Selector};
pub use user::{User, UserId};

use crate::error::{self, CommandError};

/// The user that a connection is before it says who it is.
pub const DEFAULT_USER: &[u8] = b"default";

/// All users of a server.
#[derive(Clone, Debug)]
pub struct Acl {
    users: BTreeMap<Box<[u8]>, Arc<User>>,
    /// The same users.
    by_id: BTreeMap<UserId, Arc<User>>,
    default_user: Arc<User>,
    next_id: u32,
}

impl Default for Acl {
    /// The default user alone, who may do everything without a password.
    fn default() -> Self {
        let default_user = Arc::new(User::omnipotent(DEFAULT_USER, UserId(0)));
        let users = BTreeMap::from([(DEFAULT_USER.into(), Arc::clone(&default_user))]);
        let by_id = BTreeMap::from([(default_user.id, Arc::clone(&default_user))]);
        Self { users, by_id, default_user, next_id: 1 }
    }
}

impl Acl {
    /// The user of that name. O(log users).
    pub fn user(&self, name: &[u8]) -> Option<&Arc<User>> {
        self.users.get(name)
    }

    /// The user with that id, unless it was deleted. O(log users).
    pub fn by_id(&self, id: UserId) -> Option<&Arc<User>> {
        self.by_id.get(&id)
    }

    /// The default user.
    pub fn default_user(&self) -> &Arc<User> {
        &self.default_user
    }

    /// Whether a connection is logged in as the default user from its beginning.
    pub fn is_open(&self) -> bool {
        self.default_user.is_enabled && self.default_user.needs_no_password
    }

    /// All users by name.
    pub fn users(&self) -> impl ExactSizeIterator<Item = &Arc<User>> {
        self.users.values()
    }

    /// The user of that name, if it is enabled and the password is one of its own.
    pub fn authenticate(&self, name: &[u8], password: &[u8]) -> Option<&Arc<User>> {
        self.user(name).filter(|user| user.is_enabled && user.accepts(password))
    }

    /// Puts a user in, in place of the one of the same name.
    fn put(&mut self, user: User) {
        let user = Arc::new(user);
        if *user.name == *DEFAULT_USER {
            self.default_user = Arc::clone(&user);
        }
        self.by_id.insert(user.id, Arc::clone(&user));
        self.users.insert(user.name.clone(), user);
    }

    /// The user of that name to work on, or a new one.
    fn draft(&mut self, name: &[u8], all_channels: bool) -> User {
        if let Some(user) = self.user(name) {
            return user.as_ref().clone();
        }
        self.next_id += 1;
        User::new(name, UserId(self.next_id - 1), all_channels)
    }

    /// What results when rules are applied to a user, who is made if there is none. A new user may
    /// use all channels if `all_channels` says so (`acl-pubsub-default`).
    ///
    /// # Errors
    ///
    /// As ACL SETUSER answers.
    pub fn with_rules(
        &self,
        name: &[u8],
        rules: &[&[u8]],
        all_channels: bool,
    ) -> Result<Self, CommandError> {
        let mut changed = self.clone();
        let mut user = changed.draft(name, all_channels);
        let rules = rules::join_selectors(rules).map_err(|start| {
            let start = error::printable(start, start.len());
            CommandError::worded(format!(
                "ERR Unmatched parenthesis in acl selector starting at '{start}'."
            ))
        })?;
        for rule in &rules {
            user.apply(rule, all_channels).map_err(|error| {
                let rule = error::printable(rule, rule.len());
                CommandError::worded(format!("ERR Error in ACL SETUSER modifier '{rule}': {error}"))
            })?;
        }
        changed.put(user);
        Ok(changed)
    }

    /// What is left without some users, and how many of them there were.
    ///
    /// # Errors
    ///
    /// As ACL DELUSER answers: the default user stays.
    pub fn without(&self, names: &[&[u8]]) -> Result<(Self, usize), CommandError> {
        if names.contains(&DEFAULT_USER) {
            return Err(CommandError::Fixed("ERR The 'default' user cannot be removed"));
        }
        let mut changed = self.clone();
        for name in names {
            if let Some(user) = changed.users.remove(*name) {
                changed.by_id.remove(&user.id);
            }
        }
        let deleted = self.users.len() - changed.users.len();
        Ok((changed, deleted))
    }

    /// What results when `requirepass` changes: the default user gets this one password, or none
    /// if it is empty.
    pub fn with_default_password(&self, password: &[u8]) -> Self {
        let mut changed = self.clone();
        let mut user = self.default_user.as_ref().clone();
        user.set_only_password(password);
        changed.put(user);
        changed
    }
}

#[cfg(test)]
mod tests;
