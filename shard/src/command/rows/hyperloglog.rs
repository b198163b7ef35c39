//! Commands on HyperLogLogs: estimates of how many different elements were seen.

use super::prelude::*;

const GROUP: Group = Group("hyperloglog");

const fn row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).acl(&[category::HYPERLOGLOG])
}

/// The HyperLogLog family.
pub(super) const ROWS: &[Command] = &[
    row("pfadd", -2)
        .since("2.8.9")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, INSERT])])
        .syntax("key [element [element ...]]")
        .summary("Counts elements into a HyperLogLog, creating it when missing.")
        .complexity("O(N), N elements")
        .handler(on_keys!(hyperloglog::pfadd)),
    row("pfcount", -2)
        .since("2.8.9")
        .flags(&[READONLY, MAY_REPLICATE])
        .keys(&[keys(1, -1, 1, &[RW, ACCESS]).note("May store the estimate inside the value")])
        .syntax("key [key ...]")
        .summary("Estimates how many different elements HyperLogLogs have seen.")
        .complexity("O(1) for one key, O(N) for N keys to merge")
        .handler(on_keys!(hyperloglog::pfcount)),
    row("pfdebug", 3)
        .since("2.8.9")
        .flags(&[WRITE, DENYOOM, ADMIN])
        .keys(&[key(2, &[RW, ACCESS])])
        .syntax("subcommand key")
        .summary("Shows the inner state of a HyperLogLog to developers.")
        .complexity("O(1), its size is fixed")
        .system()
        .handler(on_keys!(hyperloglog::pfdebug)),
    row("pfmerge", -2)
        .since("2.8.9")
        .flags(&[WRITE, DENYOOM])
        .keys(&[key(1, &[RW, ACCESS, INSERT]), keys(2, -1, 1, &[RO, ACCESS])])
        .syntax("destkey [sourcekey [sourcekey ...]]")
        .summary("Merges HyperLogLogs into one.")
        .complexity("O(N), N keys to merge")
        .handler(on_keys!(hyperloglog::pfmerge)),
    row("pfselftest", 1)
        .since("2.8.9")
        .flags(&[ADMIN])
        .summary("Tests the HyperLogLog implementation.")
        .complexity("O(1), but slow: a fixed battery of trials")
        .system()
        .handler(on_keys!(hyperloglog::pfselftest)),
];
