//! Commands on keys of any type: lifetime, names, iteration, sorting, moving between servers.

use super::prelude::*;

const GROUP: Group = Group("generic");

const fn row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).acl(&[category::KEYSPACE])
}

const fn object_row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).within("object").acl(&[category::KEYSPACE])
}

/// The generic family.
pub(super) const ROWS: &[Command] = &[
    row("copy", -3)
        .since("6.2.0")
        .flags(&[WRITE, DENYOOM])
        .keys(&[key(1, &[RO, ACCESS]), key(2, &[OW, UPDATE])])
        .syntax("source destination [DB destination-db] [REPLACE]")
        .summary("Duplicates a value under another key, in this or another database.")
        .complexity("O(N), N elements of the value, O(1) for a string")
        .handler(on_keys!(generic::copy)),
    row("del", -2)
        .since("1.0.0")
        .flags(&[WRITE])
        .keys(&[keys(1, -1, 1, &[RM, DELETE])])
        .syntax("key [key ...]")
        .summary("Removes keys together with their values.")
        .complexity("O(N), N keys, plus the elements of the collections removed")
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .handler(on_keys!(generic::del)),
    row("dump", 2)
        .since("2.6.0")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key")
        .summary("Serializes the value of a key in the format RESTORE reads.")
        .complexity("O(N), N bytes of the value")
        .tips(&["nondeterministic_output"])
        .handler(on_keys!(dump::dump)),
    row("exists", -2)
        .since("1.0.0")
        .flags(&[READONLY, FAST])
        .keys(&[keys(1, -1, 1, &[RO])])
        .syntax("key [key ...]")
        .summary("Counts how many of the given keys are present.")
        .complexity("O(N), N keys")
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .history(&[("3.0.3", "Accepts more than one key.")])
        .handler(on_keys!(generic::exists)),
    row("expire", -3)
        .since("1.0.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key seconds [NX|XX|GT|LT]")
        .summary("Gives a key a time to live in seconds.")
        .history(&[("7.0.0", "Accepts `NX`, `XX`, `GT` and `LT`.")])
        .handler(on_keys!(expire::expire)),
    row("expireat", -3)
        .since("1.2.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key unix-time-seconds [NX|XX|GT|LT]")
        .summary("Sets the Unix time in seconds at which a key goes away.")
        .history(&[("7.0.0", "Accepts `NX`, `XX`, `GT` and `LT`.")])
        .handler(on_keys!(expire::expireat)),
    row("expiretime", 2)
        .since("7.0.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key")
        .summary("Tells the Unix time in seconds at which a key will go away.")
        .handler(on_keys!(expire::expiretime)),
    row("keys", 2)
        .since("1.0.0")
        .flags(&[READONLY])
        .acl(&[category::DANGEROUS])
        .syntax("pattern")
        .summary("Lists every key whose name matches a glob pattern.")
        .complexity("O(N), N keys in the database")
        .tips(&["request_policy:all_shards", "nondeterministic_output_order"])
        .handler(on_session!(keyspace::keys)),
    row("migrate", -6)
        .since("2.6.0")
        .flags(&[WRITE, KEEPS_SLOTS])
        .acl(&[category::DANGEROUS])
        .keys(&[
            key(3, &[RW, ACCESS, DELETE]),
            keys_after("KEYS", -2, -1, 0, &[RW, ACCESS, DELETE, INCOMPLETE]),
        ])
        .resolver(KeyResolver::Migrate)
        .syntax(
            "host port <key|\"\"> destination-db timeout [COPY] [REPLACE] [AUTH password|AUTH2 \
             username password] [KEYS key [key ...]]",
        )
        .summary("Moves keys to another server, one atomic hand-over at a time.")
        .complexity("O(N), N bytes moved, plus DUMP here and RESTORE there")
        .tips(&["nondeterministic_output"])
        .history(&[
            ("3.0.0", "Accepts `COPY` and `REPLACE`."),
            ("3.0.6", "Accepts `KEYS`."),
            ("4.0.7", "Accepts `AUTH`."),
            ("6.0.0", "Accepts `AUTH2`."),
        ])
        .handler(on_keys!(migrate::migrate)),
    row("move", 3)
        .since("1.0.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .syntax("key db")
        .summary("Transfers a key to another database of this server.")
        .handler(on_keys!(generic::move_key)),
    Command::new(GROUP, "object", -2)
        .since("2.2.3")
        .summary("Groups the commands that look inside stored values.")
        .complexity("Depends on the subcommand")
        .subcommands(OBJECT_ROWS),
    row("persist", 2)
        .since("2.2.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key")
        .summary("Takes the time to live off a key, so that it stays.")
        .handler(on_keys!(expire::persist)),
    row("pexpire", -3)
        .since("2.6.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key milliseconds [NX|XX|GT|LT]")
        .summary("Gives a key a time to live in milliseconds.")
        .history(&[("7.0.0", "Accepts `NX`, `XX`, `GT` and `LT`.")])
        .handler(on_keys!(expire::pexpire)),
    row("pexpireat", -3)
        .since("2.6.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key unix-time-milliseconds [NX|XX|GT|LT]")
        .summary("Sets the Unix time in milliseconds at which a key goes away.")
        .history(&[("7.0.0", "Accepts `NX`, `XX`, `GT` and `LT`.")])
        .handler(on_keys!(expire::pexpireat)),
    row("pexpiretime", 2)
        .since("7.0.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key")
        .summary("Tells the Unix time in milliseconds at which a key will go away.")
        .handler(on_keys!(expire::pexpiretime)),
    row("pttl", 2)
        .since("2.6.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key")
        .summary("Tells how many milliseconds a key has left to live.")
        .tips(&["nondeterministic_output"])
        .history(&[("2.8.0", "Answers -2 when there is no such key.")])
        .handler(on_keys!(expire::pttl)),
    row("randomkey", 1)
        .since("1.0.0")
        .flags(&[READONLY, TOUCHES_ARBITRARY_KEYS])
        .summary("Picks the name of any key of the database.")
        .tips(&["request_policy:all_shards", "response_policy:special", "nondeterministic_output"])
        .handler(on_session!(keyspace::randomkey)),
    row("rename", 3)
        .since("1.0.0")
        .flags(&[WRITE])
        .keys(&[key(1, &[RW, ACCESS, DELETE]), key(2, &[OW, UPDATE])])
        .syntax("key newkey")
        .summary("Gives a key another name, replacing whatever stood there.")
        .complexity("O(1), plus freeing the value replaced")
        .handler(on_keys!(generic::rename)),
    row("renamenx", 3)
        .since("1.0.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, ACCESS, DELETE]), key(2, &[OW, INSERT])])
        .syntax("key newkey")
        .summary("Gives a key another name unless that name is taken.")
        .history(&[("3.2.0", "Both names may be the same.")])
        .handler(on_keys!(generic::renamenx)),
    row("restore", -4)
        .since("2.6.0")
        .flags(&[WRITE, DENYOOM])
        .acl(&[category::DANGEROUS])
        .keys(&[key(1, &[OW, UPDATE])])
        .syntax("key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]")
        .summary("Recreates a key from a payload made by DUMP.")
        .complexity("O(N), N bytes of payload, O(N*log(N)) for a sorted set")
        .history(&[
            ("3.0.0", "Accepts `REPLACE`."),
            ("5.0.0", "Accepts `ABSTTL`, `IDLETIME` and `FREQ`."),
        ])
        .handler(on_keys!(dump::restore)),
    row("scan", -2)
        .since("2.8.0")
        .flags(&[READONLY, TOUCHES_ARBITRARY_KEYS])
        .syntax("cursor [MATCH pattern] [COUNT count] [TYPE type]")
        .summary("Walks the key names of a database in small steps.")
        .complexity("O(1) per call, O(N) for the whole walk, N keys")
        .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"])
        .history(&[("6.0.0", "Accepts `TYPE`.")])
        .handler(on_slot!(scan::scan, cursor_slot)),
    Command::new(GROUP, "sort", -2)
        .since("1.0.0")
        .flags(&[WRITE, DENYOOM])
        .acl(&[category::SET, category::SORTEDSET, category::LIST, category::DANGEROUS])
        .keys(&[
            key(1, &[RO, ACCESS]),
            unknown_keys(&[RO, ACCESS]).note("`BY` and `GET` name keys by the data sorted"),
            unknown_keys(&[OW, UPDATE]).note("`STORE` may stand anywhere among the options"),
        ])
        .resolver(KeyResolver::Sort)
        .syntax(
            "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC|DESC] \
             [ALPHA] [STORE destination]",
        )
        .summary("Sorts a list, set or sorted set, and can store the outcome.")
        .complexity("O(N+M*log(M)), N elements held and M returned")
        .handler(on_keys!(sort::sort)),
    Command::new(GROUP, "sort_ro", -2)
        .since("7.0.0")
        .flags(&[READONLY])
        .acl(&[category::SET, category::SORTEDSET, category::LIST, category::DANGEROUS])
        .keys(&[
            key(1, &[RO, ACCESS]),
            unknown_keys(&[RO, ACCESS]).note("`BY` and `GET` name keys by the data sorted"),
        ])
        .resolver(KeyResolver::SortReadOnly)
        .syntax(
            "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC|DESC] \
             [ALPHA]",
        )
        .summary("Sorts a list, set or sorted set without ever writing.")
        .complexity("O(N+M*log(M)), N elements held and M returned")
        .handler(on_keys!(sort::sort_ro)),
    row("touch", -2)
        .since("3.2.1")
        .flags(&[READONLY, FAST])
        .keys(&[keys(1, -1, 1, &[RO])])
        .syntax("key [key ...]")
        .summary("Refreshes the last access time of keys and counts those found.")
        .complexity("O(N), N keys")
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .handler(on_keys!(generic::touch)),
    row("ttl", 2)
        .since("1.0.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key")
        .summary("Tells how many seconds a key has left to live.")
        .tips(&["nondeterministic_output"])
        .history(&[("2.8.0", "Answers -2 when there is no such key.")])
        .handler(on_keys!(expire::ttl)),
    row("type", 2)
        .since("1.0.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO])])
        .syntax("key")
        .summary("Names the data type stored under a key.")
        .handler(on_keys!(generic::type_of)),
    row("unlink", -2)
        .since("4.0.0")
        .flags(&[WRITE, FAST])
        .keys(&[keys(1, -1, 1, &[RM, DELETE])])
        .syntax("key [key ...]")
        .summary("Removes keys at once and frees their memory in the background.")
        .complexity("O(N), N keys; memory is freed off the command path")
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .handler(on_keys!(generic::unlink)),
    Command::new(GROUP, "wait", 3)
        .since("3.0.0")
        .flags(&[BLOCKING, AT_HOME])
        .acl(&[category::CONNECTION])
        .syntax("numreplicas timeout")
        .summary("Blocks until enough replicas confirm the writes of this connection.")
        .tips(&["request_policy:all_shards", "response_policy:agg_min"])
        .handler(on_session!(wait::wait)),
    Command::new(GROUP, "waitaof", 4)
        .since("7.2.0")
        .flags(&[BLOCKING, AFTER_REPLIES])
        .acl(&[category::CONNECTION])
        .syntax("numlocal numreplicas timeout")
        .summary("Blocks until the writes of this connection are on disk here and on replicas.")
        .tips(&["request_policy:all_shards", "response_policy:agg_min"])
        .handler(on_session!(wait::waitaof)),
];

const OBJECT_ROWS: &[Command] = &[
    object_row("encoding", 3)
        .since("2.2.3")
        .flags(&[READONLY])
        .keys(&[key(2, &[RO])])
        .syntax("key")
        .summary("Names the internal representation of a value.")
        .tips(&["nondeterministic_output"])
        .handler(on_keys!(object::encoding)),
    object_row("freq", 3)
        .since("4.0.0")
        .flags(&[READONLY])
        .keys(&[key(2, &[RO])])
        .syntax("key")
        .summary("Shows the logarithmic access counter kept for LFU eviction.")
        .tips(&["nondeterministic_output"])
        .handler(on_keys!(object::freq)),
    object_row("help", 2)
        .since("6.2.0")
        .flags(&[LOADING, STALE])
        .summary("Lists the OBJECT subcommands.")
        .handler(on_session!(introspection::help)),
    object_row("idletime", 3)
        .since("2.2.3")
        .flags(&[READONLY])
        .keys(&[key(2, &[RO])])
        .syntax("key")
        .summary("Shows for how many seconds a key has not been accessed.")
        .tips(&["nondeterministic_output"])
        .handler(on_keys!(object::idletime)),
    object_row("refcount", 3)
        .since("2.2.3")
        .flags(&[READONLY])
        .keys(&[key(2, &[RO])])
        .syntax("key")
        .summary("Shows how many references a value has.")
        .tips(&["nondeterministic_output"])
        .handler(on_keys!(object::refcount)),
];
