//! The directive table: one row per directive, in files by what the directives are about.
//!
//! The order of the rows is the order of CONFIG GET, of what CONFIG REWRITE appends and of the
//! documentation. Whoever builds what a row promises ends that row with `.built()`, carries the
//! value in [`Settings`](super::Settings), and is done with configuration.

mod cluster;
mod encodings;
mod memory;
mod network;
mod operations;
mod persistence;
mod replication;
mod security;
mod tls;

use super::table::Directive;

/// Every directive, in parts. Rows are found through [`all`] and [`find`].
const PARTS: &[&[Directive]] = &[
    network::ROWS,
    operations::ROWS,
    security::ROWS,
    memory::ROWS,
    encodings::ROWS,
    persistence::ROWS,
    replication::ROWS,
    cluster::ROWS,
    tls::ROWS,
];

/// Every directive with its position, in table order.
pub fn all() -> impl Iterator<Item = (usize, &'static Directive)> {
    PARTS.iter().flat_map(|part| part.iter()).enumerate()
}

/// Finds a directive by one of its names, whatever their case.
///
/// Returns its position and the name it was found by, in the case of the table. Looks at every
/// row: this is for operators, not for data.
pub fn find(name: &[u8]) -> Option<(usize, &'static Directive, &'static str)> {
    all().find_map(|(index, row)| {
        let found = row.names().find(|known| known.as_bytes().eq_ignore_ascii_case(name))?;
        Some((index, row, found))
    })
}
