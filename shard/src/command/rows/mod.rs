//! The rows, one file per family.
//!
//! A family is what the documentation calls a group. Its file holds the rows in alphabetical
//! order, then the subcommands of each container in a list of their own. Small functions at the
//! head of a file set what the rows below share.

mod bitmap;
mod cluster;
mod connection;
mod generic;
mod geo;
mod hash;
mod hyperloglog;
mod list;
mod pubsub;
mod scripting;
mod server;
mod server_containers;
mod set;
mod sorted_set;
mod stream;
mod string;
mod transactions;

use super::row::Command;

pub use pubsub::ChannelUse;

/// All families of rows as they are written, those without code included.
///
/// The server answers the commands that have code and no others; the registry numbers them. Read
/// [`commands`](super::commands) for what clients may use.
pub const FAMILIES: &[&[Command]] = &[
    string::ROWS,
    generic::ROWS,
    connection::ROWS,
    server::ROWS,
    bitmap::ROWS,
    list::ROWS,
    hash::ROWS,
    set::ROWS,
    sorted_set::ROWS,
    stream::ROWS,
    geo::ROWS,
    hyperloglog::ROWS,
    pubsub::ROWS,
    transactions::ROWS,
    scripting::ROWS,
    cluster::ROWS,
];

/// What the files of the families write rows with.
mod prelude {
    pub(super) use crate::command::acl_category::category;
    pub(super) use crate::command::flags::flag::*;
    pub(super) use crate::command::handler::{on_channel, on_keys, on_session, on_slot};
    pub(super) use crate::command::key_shape::KeyResolver;
    pub(super) use crate::command::key_spec::key_flag::*;
    pub(super) use crate::command::key_spec::{counted_keys, key, keys, keys_after, unknown_keys};
    pub(super) use crate::command::row::{Command, Group};
}
