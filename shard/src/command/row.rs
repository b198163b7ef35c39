//! One command, one row.
//!
//! A [`Command`] holds every fact about a command. COMMAND, ACL, routing, MULTI, replication,
//! statistics, documentation and tests read it; nothing repeats it. Rows are constants, written
//! with the builder below in the files of `rows/`:
//!
//! ```text
//! row("append", 3)
//!     .since("2.0.0")
//!     .flags(&[WRITE, DENYOOM, FAST])
//!     .keys(&[key(1, &[RW, INSERT])])
//!     .syntax("key value")
//!     .summary("Adds bytes to the end of a string, creating it when missing.")
//!     .complexity("O(N), N bytes appended (amortized)")
//!     .handler(handler!(string::append)),
//! ```
//!
//! What follows from other facts is derived at compile time and never written: most ACL categories
//! (from the flags), `movablekeys`, the legacy key range and the key shape (from the key
//! specifications), the `deprecated` mark.
//!
//! Invariants: names are lower case; a row with neither handler nor built subcommands is unknown to
//! clients; a subcommand knows its container; every specification of a row is consistent (asserted
//! at compile time).

use std::fmt;

use super::acl_category::{AclCategories, category};
use super::flags::{CommandFlags, flag};
use super::handler::{Handler, KeysHandler};
use super::key_shape::{KeyResolver, KeyShape, LegacyRange};
use super::key_spec::KeySpec;
use crate::arguments::Arguments;
use crate::core::message::Route;
use crate::hash::HashSlot;

/// Where a command is listed in the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group(pub(crate) &'static str);

impl Group {
    /// The name that COMMAND DOCS shows.
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// Whether the values its commands work on mostly lie outside their entries in the table.
    const fn has_values_apart(self) -> bool {
        matches!(
            self.0.as_bytes(),
            b"hash"
                | b"list"
                | b"set"
                | b"sorted-set"
                | b"stream"
                | b"geo"
                | b"bitmap"
                | b"hyperloglog"
        )
    }
}

/// Since when a command should no longer be used, and what takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deprecation {
    /// The version that deprecated it.
    pub since: &'static str,
    /// The command to use in its place.
    pub replaced_by: &'static str,
}

/// A small number that is unique among registered commands and subcommands.
///
/// Ids are dense: they run from 0 to [`command_count`](super::command_count) and serve as indexes
/// of per-command tables (ACL bit maps, statistics). They may differ between versions of the
/// server and therefore never leave the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub(crate) u16);

impl CommandId {
    /// The id at a table index.
    pub const fn from_index(index: usize) -> Self {
        Self(index as u16)
    }

    /// The id as a table index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Every fact about a command or subcommand.
#[derive(Clone, Copy)]
pub struct Command {
    /// The name in lower case; of a subcommand, its own name without the container's.
    pub name: &'static str,
    /// The container's name, empty for a command of its own.
    pub container: &'static str,
    /// The unique index of this command.
    pub id: CommandId,
    /// The number of arguments, the names included: exact, or below zero the least number.
    pub arity: i16,
    /// What the server must know before it runs the command.
    pub flags: CommandFlags,
    /// The ACL categories, implied ones included.
    pub categories: AclCategories,
    /// Where the keys stand.
    pub key_specs: &'static [KeySpec],
    /// How to find keys where the specifications do not suffice.
    pub key_resolver: Option<KeyResolver>,
    /// The key positions in their simplest form, for routing.
    pub key_shape: KeyShape,
    /// First key, last key and step as COMMAND INFO shows them.
    pub legacy_range: LegacyRange,
    /// Where the documentation lists the command.
    pub group: Group,
    /// The version of Redis or Valkey that introduced it.
    pub since: &'static str,
    /// The time it takes.
    pub complexity: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// The arguments, in the notation that [`Command::arguments`] parses.
    pub syntax: &'static str,
    /// Changes to its behaviour: version, and what changed.
    pub history: &'static [(&'static str, &'static str)],
    /// Hints for clients and proxies.
    pub tips: &'static [&'static str],
    /// Whether it should no longer be used.
    pub deprecated: Option<Deprecation>,
    /// Whether it is meant for the servers themselves, not for users.
    pub system: bool,
    /// The commands it contains.
    pub subcommands: &'static [Self],
    /// The code; a plain container has none.
    pub handler: Option<Handler>,
    /// Whether it is worth while to ask for the value behind an entry ahead of time, too.
    pub(crate) values_are_apart: bool,
}

impl Command {
    /// A row with nothing but its name, arity and group.
    pub(crate) const fn new(group: Group, name: &'static str, arity: i16) -> Self {
        assert!(!name.is_empty() && arity != 0);
        let flags = CommandFlags::EMPTY;
        Self {
            name,
            container: "",
            id: CommandId(u16::MAX),
            arity,
            flags,
            categories: AclCategories::implied_by(flags, AclCategories::EMPTY),
            key_specs: &[],
            key_resolver: None,
            key_shape: KeyShape::None,
            legacy_range: LegacyRange::NONE,
            group,
            since: "",
            complexity: "O(1)",
            summary: "",
            syntax: "",
            history: &[],
            tips: &[],
            deprecated: None,
            system: false,
            subcommands: &[],
            handler: None,
            values_are_apart: group.has_values_apart(),
        }
    }

    /// Makes it a subcommand of `container`.
    pub(crate) const fn within(mut self, container: &'static str) -> Self {
        self.container = container;
        self
    }

    /// Sets the flags and the ACL categories they imply.
    pub(crate) const fn flags(mut self, flags: &[CommandFlags]) -> Self {
        assert!(self.key_specs.is_empty(), "flags come before keys");
        self.flags = CommandFlags::of(flags);
        let own = self.categories.without(category::SLOW);
        self.categories = own.with(AclCategories::implied_by(self.flags, own));
        self
    }

    /// Adds ACL categories that the flags do not imply.
    pub(crate) const fn acl(mut self, categories: &[AclCategories]) -> Self {
        self.categories = self.categories.with(AclCategories::of(categories));
        self
    }

    /// Sets the key specifications and derives shape, legacy range and `movablekeys` from them.
    pub(crate) const fn keys(mut self, specs: &'static [KeySpec]) -> Self {
        assert!(!specs.is_empty());
        let (legacy_range, movable) = LegacyRange::of(specs);
        if movable {
            self.flags = self.flags.with(flag::MOVABLEKEYS);
        }
        self.key_specs = specs;
        self.legacy_range = legacy_range;
        self.key_shape = KeyShape::of(specs, legacy_range, movable);
        self
    }

    /// Finds keys by a rule of their own, where the specifications do not suffice.
    pub(crate) const fn resolver(mut self, resolver: KeyResolver) -> Self {
        assert!(!self.key_specs.is_empty(), "a resolver refines specifications");
        self.key_resolver = Some(resolver);
        self
    }

    /// The version that introduced the command.
    pub(crate) const fn since(mut self, version: &'static str) -> Self {
        self.since = version;
        self
    }

    /// The time it takes, where that is not `O(1)`.
    pub(crate) const fn complexity(mut self, complexity: &'static str) -> Self {
        self.complexity = complexity;
        self
    }

    /// What it does, in one sentence.
    pub(crate) const fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// The arguments.
    pub(crate) const fn syntax(mut self, syntax: &'static str) -> Self {
        self.syntax = syntax;
        self
    }

    /// Changes to its behaviour, oldest first.
    pub(crate) const fn history(
        mut self,
        history: &'static [(&'static str, &'static str)],
    ) -> Self {
        self.history = history;
        self
    }

    /// Hints for clients and proxies.
    pub(crate) const fn tips(mut self, tips: &'static [&'static str]) -> Self {
        self.tips = tips;
        self
    }

    /// Marks it as deprecated.
    pub(crate) const fn deprecated(
        mut self,
        since: &'static str,
        replaced_by: &'static str,
    ) -> Self {
        self.deprecated = Some(Deprecation { since, replaced_by });
        self
    }

    /// Marks it as meant for servers, not for users.
    pub(crate) const fn system(mut self) -> Self {
        self.system = true;
        self
    }

    /// The commands it contains.
    pub(crate) const fn subcommands(mut self, subcommands: &'static [Self]) -> Self {
        self.subcommands = subcommands;
        self
    }

    /// Says that this server has no code for it yet: the row holds facts only, and the command is
    /// unknown to clients.
    pub(crate) const fn not_built(self) -> Self {
        assert!(self.handler.is_none());
        self
    }

    /// The code that runs it.
    pub(crate) const fn handler(mut self, handler: Handler) -> Self {
        self.handler = Some(handler);
        self
    }

    /// Calls `visit` with each key, or channel, that decides where the command runs.
    pub fn for_each_key(&self, arguments: Arguments<'_>, mut visit: impl FnMut(&[u8])) {
        if let Some(Handler::Channel(_)) = self.handler {
            return visit(arguments.at(1));
        }
        for key in self.routing_keys(&arguments) {
            visit(arguments.at(key));
        }
    }

    /// Where a command line runs; `locate` gives the slot and hash of a key.
    #[inline]
    pub fn route(
        &self,
        arguments: Arguments<'_>,
        locate: impl Fn(&[u8]) -> (HashSlot, u64),
    ) -> Route {
        let only_key = match self.key_shape {
            KeyShape::FirstKey(index) => Some(usize::from(index)),
            // `DEL key` and `MSET key value` need no more than `GET key` does.
            KeyShape::AllFrom(first) if arguments.len() == usize::from(first) + 1 => {
                Some(usize::from(first))
            }
            KeyShape::Step { first, step }
                if arguments.len() <= usize::from(first) + usize::from(step) =>
            {
                Some(usize::from(first))
            }
            KeyShape::Counted(count) if arguments.get(count.into()) == Some(b"1") => {
                Some(usize::from(count) + 1)
            }
            KeyShape::None => {
                return match self.handler {
                    Some(Handler::Slot(_, find)) => Route::One(find(arguments), 0),
                    Some(Handler::Channel(_)) => arguments.get(1).map_or(Route::Home, |channel| {
                        let (slot, hash) = locate(channel);
                        Route::One(slot, hash)
                    }),
                    _ => Route::Home,
                };
            }
            _ => None,
        };
        match only_key {
            None => Route::Many,
            Some(index) => match arguments.get(index) {
                Some(key) => {
                    let (slot, hash) = locate(key);
                    Route::One(slot, hash)
                }
                None => Route::Home,
            },
        }
    }

    /// Whether it may reach keys that its arguments do not name. O(key specifications).
    pub fn reaches_unnamed_keys(&self) -> bool {
        self.key_specs.iter().any(KeySpec::is_unknown)
    }

    /// The code of a command on keys. Only such commands travel between cores.
    #[inline]
    pub fn keys_handler(&self) -> KeysHandler {
        self.handler.and_then(Handler::on_keys).expect("only commands on keys travel")
    }

    /// Whether a command line of `count` arguments, the name included, has the right length. O(1).
    pub const fn accepts_argument_count(&self, count: usize) -> bool {
        let arity = self.arity.unsigned_abs() as usize;
        if self.arity > 0 { count == arity } else { count >= arity }
    }

    /// The subcommand of that name, in any letter case. O(subcommands).
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Self> {
        self.subcommands.iter().find(|row| row.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// The name under which clients, ACL rules and statistics know it: `get`, `client|kill`.
    pub fn full_name(&self) -> FullName {
        FullName { container: self.container, name: self.name }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Command({})", self.full_name())
    }
}

/// A command name written with its container: `client|kill`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FullName {
    container: &'static str,
    name: &'static str,
}

impl fmt::Display for FullName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.container.is_empty() {
            write!(formatter, "{}|", self.container)?;
        }
        formatter.write_str(self.name)
    }
}
