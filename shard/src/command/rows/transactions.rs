//! Commands that queue and run transactions.

use super::prelude::*;

const GROUP: Group = Group("transactions");

const fn row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).acl(&[category::TRANSACTION])
}

/// The transactions family.
pub(super) const ROWS: &[Command] = &[
    row("discard", 1)
        .since("2.0.0")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY])
        .summary("Drops the commands queued since MULTI.")
        .complexity("O(N), N commands queued")
        .not_built(),
    row("exec", 1)
        .since("1.2.0")
        .flags(&[NOSCRIPT, LOADING, STALE, SKIP_SLOWLOG])
        .summary("Runs the commands queued since MULTI as one transaction.")
        .complexity("The sum of the commands queued")
        .not_built(),
    row("multi", 1)
        .since("1.2.0")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY])
        .summary("Opens a transaction: later commands are queued until EXEC.")
        .not_built(),
    row("unwatch", 1)
        .since("2.2.0")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY])
        .summary("Forgets all keys watched by this connection.")
        .complexity("O(N), N keys watched")
        .not_built(),
    row("watch", -2)
        .since("2.2.0")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY])
        .keys(&[keys(1, -1, 1, &[RO])])
        .syntax("key [key ...]")
        .summary("Makes the next EXEC fail if one of the keys changes before it.")
        .complexity("O(N), N keys")
        .not_built(),
];
