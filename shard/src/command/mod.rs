//! The command table: one row per command, and what is derived from it.
//!
//! | file | holds |
//! |---|---|
//! | `row` | [`Command`], the row, and the builder rows are written with |
//! | `flags`, `acl_category`, `key_spec` | the sets of facts a row is made of |
//! | `key_shape` | key positions boiled down at compile time |
//! | `handler` | how a row names its code |
//! | `rows/` | the rows, one file per family |
//! | `registry` | all registered rows; [`lookup`] |
//! | `renames` | names that `rename-command` gives and takes |
//! | `keys` | the keys of a command line |
//! | `syntax`, `syntax_names` | the argument tree of COMMAND DOCS, parsed from a syntax line |
//! | `docs`, `reply` | the replies of COMMAND INFO, DOCS, LIST, GETKEYS |
//!
//! # Life of a lookup
//!
//! [`lookup`] turns the first argument into a row. Routing branches on [`Command::key_shape`], ACL
//! tests [`Command::id`] or [`Command::categories`] and, for restricted keys, [`Command::keys_of`];
//! then the row's handler runs.
//!
//! Invariant: nothing outside `rows/` repeats a fact about a command.

mod acl_category;
mod bits;
pub mod docs;
mod flags;
mod handler;
mod key_shape;
mod key_spec;
mod keys;
mod registry;
mod renames;
mod reply;
mod row;
mod rows;
mod syntax;
mod syntax_names;

pub use acl_category::{AclCategories, category};
pub use flags::{CommandFlags, flag};
pub use handler::{Handler, KeysHandler, SessionHandler};
pub use key_shape::{KeyResolver, KeyShape, LegacyRange};
pub use key_spec::{BeginSearch, FindKeys, KeyFlags, KeySpec, key_flag};
pub use keys::{ArgList, InvalidKeys, KeyPositions, KeyRef, RoutingKeys};
pub use registry::{
    LastLookup, by_id, command_count, commands, lookup, lookup_full_name, lookup_line,
};
pub use renames::{RenameError, Renames};
pub use reply::ReplyWriter;
pub use row::{Command, CommandId, Deprecation, FullName, Group};
pub use rows::{ChannelUse, FAMILIES};
pub use syntax::{Argument, ArgumentType};
