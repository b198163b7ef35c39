//! The rows as written, with and without code.
//!
//! The registry holds only what clients may call. Rows without code are facts that wait for it;
//! tests of facts find them here.

use basalt_shard::command::{Command, FAMILIES};

/// All commands and subcommands as written.
pub(crate) fn rows() -> impl Iterator<Item = &'static Command> {
    let commands = FAMILIES.iter().flat_map(|family| family.iter());
    commands.flat_map(|row| std::iter::once(row).chain(row.subcommands))
}

/// The row of a command or of a subcommand, written `client|kill`, in lower case.
pub(crate) fn row(full_name: &str) -> Option<&'static Command> {
    let (container, name) = full_name.split_once('|').unwrap_or(("", full_name));
    rows().find(|row| row.container == container && row.name == name)
}

/// The row that a command line runs, found as the registry does among rows that have code.
pub(crate) fn row_of_line(args: &[Vec<u8>]) -> Option<&'static Command> {
    let command = row(&String::from_utf8_lossy(&args[0]).to_ascii_lowercase())?;
    match args.get(1) {
        Some(subcommand) if !command.subcommands.is_empty() => command.subcommand(subcommand),
        _ => Some(command),
    }
}

/// Whether there is code for the row, or for at least one of its subcommands.
pub(crate) fn is_built(row: &Command) -> bool {
    row.handler.is_some() || row.subcommands.iter().any(is_built)
}
