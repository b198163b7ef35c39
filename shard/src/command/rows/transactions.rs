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
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY, IN_MULTI])
        .summary("Drops the commands queued since MULTI.")
        .complexity("O(N), N commands queued")
        .handler(on_session!(transaction::discard)),
    row("exec", 1)
        .since("1.2.0")
        .flags(&[NOSCRIPT, LOADING, STALE, SKIP_SLOWLOG, IN_MULTI])
        .summary("Runs the commands queued since MULTI as one transaction.")
        .complexity("The sum of the commands queued")
        .handler(on_session!(transaction::exec)),
    row("multi", 1)
        .since("1.2.0")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY, IN_MULTI])
        .summary("Opens a transaction: later commands are queued until EXEC.")
        .handler(on_session!(transaction::multi)),
    row("unwatch", 1)
        .since("2.2.0")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY, AT_HOME])
        .summary("Forgets all keys watched by this connection.")
        .complexity("O(N), N keys watched")
        .handler(on_session!(transaction::unwatch)),
    row("watch", -2)
        .since("2.2.0")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY, IN_MULTI])
        .keys(&[keys(1, -1, 1, &[RO])])
        .syntax("key [key ...]")
        .summary("Makes the next EXEC fail if one of the keys changes before it.")
        .complexity("O(N), N keys")
        .handler(on_keys!(transaction::watch)),
];
