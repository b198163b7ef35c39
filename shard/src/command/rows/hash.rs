//! Commands on hashes and on fields with a time to live of their own.

use super::prelude::*;

const GROUP: Group = Group("hash");

const fn row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).acl(&[category::HASH])
}

const fn himport_row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).within("himport").acl(&[category::HASH])
}

/// The hash family.
pub(super) const ROWS: &[Command] = &[
    row("hdel", -3)
        .since("2.0.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, DELETE])])
        .syntax("key field [field ...]")
        .summary("Removes fields from a hash, and the hash when none is left.")
        .complexity("O(N), N fields")
        .history(&[("2.4.0", "Accepts more than one field.")])
        .handler(on_keys!(hash::hdel)),
    row("hexists", 3)
        .since("2.0.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO])])
        .syntax("key field")
        .summary("Tells whether a hash has a field.")
        .handler(on_keys!(hash::hexists)),
    row("hexpire", -6)
        .since("7.4.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key seconds [NX|XX|GT|LT] FIELDS numfields field [field ...]")
        .summary("Gives hash fields a time to live in seconds.")
        .complexity("O(N), N fields")
        .handler(on_keys!(hash::hexpire)),
    row("hexpireat", -6)
        .since("7.4.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key unix-time-seconds [NX|XX|GT|LT] FIELDS numfields field [field ...]")
        .summary("Sets the Unix time in seconds at which hash fields go away.")
        .complexity("O(N), N fields")
        .handler(on_keys!(hash::hexpireat)),
    row("hexpiretime", -5)
        .since("7.4.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key FIELDS numfields field [field ...]")
        .summary("Tells the Unix time in seconds at which hash fields will go away.")
        .complexity("O(N), N fields")
        .handler(on_keys!(hash::hexpiretime)),
    row("hget", 3)
        .since("2.0.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key field")
        .summary("Reads one field of a hash.")
        .handler(on_keys!(hash::hget)),
    row("hgetall", 2)
        .since("2.0.0")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key")
        .summary("Reads all fields of a hash with their values.")
        .complexity("O(N), N fields of the hash")
        .tips(&["nondeterministic_output_order"])
        .handler(on_keys!(hash::hgetall)),
    row("hgetdel", -5)
        .since("8.0.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, ACCESS, DELETE])])
        .syntax("key FIELDS numfields field [field ...]")
        .summary("Reads fields of a hash and removes them in the same step.")
        .complexity("O(N), N fields")
        .handler(on_keys!(hash::hgetdel)),
    row("hgetex", -5)
        .since("8.0.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .syntax(
            "key [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT \
             unix-time-milliseconds|PERSIST] FIELDS numfields field [field ...]",
        )
        .summary("Reads fields of a hash and optionally changes their time to live.")
        .complexity("O(N), N fields")
        .handler(on_keys!(hash::hgetex)),
    Command::new(GROUP, "himport", -2)
        .since("8.10.0")
        .acl(&[category::HASH])
        .summary("Groups the commands that fill hashes from prepared field sets.")
        .complexity("Depends on the subcommand")
        .subcommands(HIMPORT_ROWS),
    row("hincrby", 4)
        .since("2.0.0")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .syntax("key field increment")
        .summary("Adds an amount to the integer in a hash field, starting from 0.")
        .handler(on_keys!(hash::hincrby)),
    row("hincrbyfloat", 4)
        .since("2.6.0")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .syntax("key field increment")
        .summary("Adds a decimal amount to the number in a hash field, starting from 0.")
        .handler(on_keys!(hash::hincrbyfloat)),
    row("hkeys", 2)
        .since("2.0.0")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key")
        .summary("Lists the field names of a hash.")
        .complexity("O(N), N fields of the hash")
        .tips(&["nondeterministic_output_order"])
        .handler(on_keys!(hash::hkeys)),
    row("hlen", 2)
        .since("2.0.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO])])
        .syntax("key")
        .summary("Counts the fields of a hash.")
        .handler(on_keys!(hash::hlen)),
    row("hmget", -3)
        .since("2.0.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key field [field ...]")
        .summary("Reads several fields of a hash at once.")
        .complexity("O(N), N fields")
        .handler(on_keys!(hash::hmget)),
    row("hmset", -4)
        .since("2.0.0")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key field value [field value ...]")
        .summary("Writes several fields of a hash at once.")
        .complexity("O(N), N fields")
        .deprecated("4.0.0", "`HSET`")
        .handler(on_keys!(hash::hmset)),
    row("hpersist", -5)
        .since("7.4.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key FIELDS numfields field [field ...]")
        .summary("Takes the time to live off hash fields, so that they stay.")
        .complexity("O(N), N fields")
        .handler(on_keys!(hash::hpersist)),
    row("hpexpire", -6)
        .since("7.4.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key milliseconds [NX|XX|GT|LT] FIELDS numfields field [field ...]")
        .summary("Gives hash fields a time to live in milliseconds.")
        .complexity("O(N), N fields")
        .handler(on_keys!(hash::hpexpire)),
    row("hpexpireat", -6)
        .since("7.4.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key unix-time-milliseconds [NX|XX|GT|LT] FIELDS numfields field [field ...]")
        .summary("Sets the Unix time in milliseconds at which hash fields go away.")
        .complexity("O(N), N fields")
        .handler(on_keys!(hash::hpexpireat)),
    row("hpexpiretime", -5)
        .since("7.4.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key FIELDS numfields field [field ...]")
        .summary("Tells the Unix time in milliseconds at which hash fields will go away.")
        .complexity("O(N), N fields")
        .handler(on_keys!(hash::hpexpiretime)),
    row("hpttl", -5)
        .since("7.4.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key FIELDS numfields field [field ...]")
        .summary("Tells how many milliseconds hash fields have left to live.")
        .complexity("O(N), N fields")
        .tips(&["nondeterministic_output"])
        .handler(on_keys!(hash::hpttl)),
    row("hrandfield", -2)
        .since("6.2.0")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key [count [WITHVALUES]]")
        .summary("Picks random fields of a hash.")
        .complexity("O(N), N fields returned")
        .tips(&["nondeterministic_output"])
        .handler(on_keys!(hash::hrandfield)),
    row("hscan", -3)
        .since("2.8.0")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key cursor [MATCH pattern] [COUNT count] [NOVALUES]")
        .summary("Walks the fields of a hash in small steps.")
        .complexity("O(1) per call, O(N) for the whole walk, N fields")
        .tips(&["nondeterministic_output"])
        .handler(on_keys!(hash::hscan)),
    row("hset", -4)
        .since("2.0.0")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key field value [field value ...]")
        .summary("Writes fields of a hash, creating it when missing.")
        .complexity("O(N), N fields")
        .history(&[("4.0.0", "Accepts more than one field with its value.")])
        .handler(on_keys!(hash::hset)),
    row("hsetex", -6)
        .since("8.0.0")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax(
            "key [FNX|FXX] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT \
             unix-time-milliseconds|KEEPTTL] FIELDS numfields field value [field value ...]",
        )
        .summary("Writes fields of a hash along with their time to live.")
        .complexity("O(N), N fields")
        .handler(on_keys!(hash::hsetex)),
    row("hsetnx", 4)
        .since("2.0.0")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, INSERT])])
        .syntax("key field value")
        .summary("Writes a field of a hash only when it does not exist yet.")
        .handler(on_keys!(hash::hsetnx)),
    row("hstrlen", 3)
        .since("3.2.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO])])
        .syntax("key field")
        .summary("Counts the bytes of the value in a hash field.")
        .handler(on_keys!(hash::hstrlen)),
    row("httl", -5)
        .since("7.4.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key FIELDS numfields field [field ...]")
        .summary("Tells how many seconds hash fields have left to live.")
        .complexity("O(N), N fields")
        .tips(&["nondeterministic_output"])
        .handler(on_keys!(hash::httl)),
    row("hvals", 2)
        .since("2.0.0")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key")
        .summary("Lists the values of a hash.")
        .complexity("O(N), N fields of the hash")
        .tips(&["nondeterministic_output_order"])
        .handler(on_keys!(hash::hvals)),
];

const HIMPORT_ROWS: &[Command] = &[
    himport_row("discard", 3)
        .since("8.10.0")
        .syntax("fieldset-name")
        .summary("Drops one prepared field set of this connection.")
        .tips(&["request_policy:all_shards"])
        .not_built(),
    himport_row("discardall", 2)
        .since("8.10.0")
        .summary("Drops all prepared field sets of this connection.")
        .complexity("O(N), N field sets")
        .tips(&["request_policy:all_shards"])
        .not_built(),
    himport_row("prepare", -4)
        .since("8.10.0")
        .flags(&[DENYOOM])
        .syntax("fieldset-name field [field ...]")
        .summary("Names a list of fields for hashes to be written later.")
        .complexity("O(N), N fields")
        .tips(&["request_policy:all_shards"])
        .not_built(),
    himport_row("set", -5)
        .since("8.10.0")
        .flags(&[WRITE, DENYOOM])
        .keys(&[key(2, &[OW, UPDATE])])
        .syntax("key fieldset-name value [value ...]")
        .summary("Writes a hash whose fields come from a prepared set.")
        .complexity("O(N), N fields")
        .not_built(),
];
