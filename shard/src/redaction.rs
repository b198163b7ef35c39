//! Which arguments of a command line are secrets: not for SLOWLOG, MONITOR and logs.

use crate::arguments::Arguments;
use crate::command::Command;
use crate::host::Host;

/// Whether the argument at `index` is a secret. O(arguments) for HELLO and MIGRATE, else O(1).
pub(crate) fn is_secret(
    row: &Command,
    arguments: Arguments<'_>,
    index: usize,
    host: &dyn Host,
) -> bool {
    match (row.container, row.name) {
        ("", "auth") => index >= 1,
        ("", "hello") => follows(arguments, index, 2, "auth", 2),
        ("", "migrate") => {
            follows(arguments, index, 6, "auth", 1) || follows(arguments, index, 6, "auth2", 2)
        }
        ("acl", "setuser" | "deluser" | "getuser") => index >= 2,
        ("config", "set") => {
            index >= 3 && index % 2 == 1 && host.is_sensitive(arguments.at(index - 1))
        }
        _ => false,
    }
}

/// Whether an argument is one of the `count` behind a word that stands at `first` or later.
fn follows(arguments: Arguments<'_>, index: usize, first: usize, word: &str, count: usize) -> bool {
    (1..=count).any(|distance| {
        index.checked_sub(distance).is_some_and(|at| at >= first && arguments.is(at, word))
    })
}
