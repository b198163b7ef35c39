//! Tests of the command table.
//!
//! Rows without code hold facts only: the registry leaves them out and clients do not see them.
//! Facts are tested on the rows as `written`, what clients see on the registered ones.
//!
//! * `reference`: every row, field by field, against `tests/data/commands.json`, facts gathered
//!   from the documentation and the running servers of Redis 8.10 and Valkey 9.1.
//! * `live`: COMMAND INFO, DOCS and GETKEYS against a redis-server, where one is installed.
//! * `registry`: the registered rows are exactly those with code.
//! * `lookup`, `keys`, `replies`: examples and properties.

mod keys;
mod live;
mod lookup;
mod reference;
mod registry;
mod replies;
mod value;
mod written;

use basalt_shard::command::{Command, commands};

/// All commands and subcommands that clients may call.
fn registered_rows() -> impl Iterator<Item = &'static Command> {
    commands().iter().flat_map(|row| std::iter::once(row).chain(row.subcommands))
}

/// The words of a line; `''` stands for an empty one.
fn words(line: &str) -> Vec<Vec<u8>> {
    let words = line.split(' ').filter(|word| !word.is_empty());
    words.map(|word| if word == "''" { Vec::new() } else { word.as_bytes().to_vec() }).collect()
}
