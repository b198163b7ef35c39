//! Commands on strings: the bytes, numbers and counters stored under a key.

use super::prelude::*;

const GROUP: Group = Group("string");

const fn row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).acl(&[category::STRING])
}

/// The string family.
pub(super) const ROWS: &[Command] = &[
    row("append", 3)
        .since("2.0.0")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, INSERT])])
        .syntax("key value")
        .summary("Adds bytes to the end of a string, creating it when missing.")
        .complexity("O(N), N bytes appended (amortized)")
        .handler(on_keys!(string::append)),
    row("decr", 2)
        .since("1.0.0")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .syntax("key")
        .summary("Subtracts one from the integer held by a key, starting from 0 when missing.")
        .handler(on_keys!(string::decr)),
    row("decrby", 3)
        .since("1.0.0")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .syntax("key decrement")
        .summary("Subtracts the given amount from the integer held by a key, starting from 0.")
        .handler(on_keys!(string::decrby)),
    row("delex", -2)
        .since("8.4.0")
        .flags(&[WRITE, FAST])
        .keys(&[
            key(1, &[RW, DELETE, VARIABLE_FLAGS]).note("Looks at the value only under a condition")
        ])
        .resolver(KeyResolver::DeleteIf)
        .syntax("key [IFEQ ifeq-value|IFNE ifne-value|IFDEQ ifdeq-digest|IFDNE ifdne-digest]")
        .summary("Removes a string key if its value or digest passes the given comparison.")
        .complexity("O(1) to compare by value, O(N) by digest, N bytes of the value")
        .handler(on_keys!(string::delex)),
    row("delifeq", 3)
        .since("9.0.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RM, DELETE])])
        .syntax("key value")
        .summary("Removes a string key only while it still holds the given value.")
        .handler(on_keys!(string::delifeq)),
    row("digest", 2)
        .since("8.4.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key")
        .summary("Gives the XXH3 hash of a string value as hexadecimal digits.")
        .complexity("O(N), N bytes of the value")
        .handler(on_keys!(string::digest)),
    row("get", 2)
        .since("1.0.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key")
        .summary("Reads the value of a string key.")
        .handler(on_keys!(string::get)),
    row("getdel", 2)
        .since("6.2.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, ACCESS, DELETE])])
        .syntax("key")
        .summary("Reads a string and removes its key in the same step.")
        .handler(on_keys!(string::getdel)),
    row("getex", -2)
        .since("6.2.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE]).note("May change the time to live")])
        .syntax(
            "key [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT \
             unix-time-milliseconds|PERSIST]",
        )
        .summary("Reads a string and optionally changes or drops its time to live.")
        .handler(on_keys!(string::getex)),
    row("getrange", 4)
        .since("2.4.0")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key start end")
        .summary("Reads the part of a string between two byte offsets.")
        .complexity("O(N), N bytes returned")
        .handler(on_keys!(string::getrange)),
    row("getset", 3)
        .since("1.0.0")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .syntax("key value")
        .summary("Stores a new string and hands back the one it replaced.")
        .deprecated("6.2.0", "`SET` with `GET`")
        .handler(on_keys!(string::getset)),
    row("incr", 2)
        .since("1.0.0")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .syntax("key")
        .summary("Adds one to the integer held by a key, starting from 0 when missing.")
        .handler(on_keys!(string::incr)),
    row("incrby", 3)
        .since("1.0.0")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .syntax("key increment")
        .summary("Adds the given amount to the integer held by a key, starting from 0.")
        .handler(on_keys!(string::incrby)),
    row("incrbyfloat", 3)
        .since("2.6.0")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .syntax("key increment")
        .summary("Adds a decimal amount to the number held by a key, starting from 0.")
        .handler(on_keys!(string::incrbyfloat)),
    row("increx", -2)
        .since("8.8.0")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, ACCESS, UPDATE])])
        .syntax(
            "key [BYFLOAT float|BYINT integer] [SATURATE] [LBOUND lowerbound] [UBOUND \
             upperbound] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT \
             unix-time-milliseconds|PERSIST] [ENX]",
        )
        .summary("Adds to a number within bounds and can set its time to live at once.")
        .handler(on_keys!(string::increx)),
    row("lcs", -3)
        .since("7.0.0")
        .flags(&[READONLY])
        .keys(&[keys(1, 1, 1, &[RO, ACCESS])])
        .syntax("key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]")
        .summary("Finds the longest common subsequence of two strings.")
        .complexity("O(N*M), N and M the lengths of the two strings")
        .handler(on_keys!(string::lcs)),
    row("mget", -2)
        .since("1.0.0")
        .flags(&[READONLY, FAST])
        .keys(&[keys(1, -1, 1, &[RO, ACCESS])])
        .syntax("key [key ...]")
        .summary("Reads several string keys at once.")
        .complexity("O(N), N keys")
        .tips(&["request_policy:multi_shard"])
        .handler(on_keys!(string::mget)),
    row("mset", -3)
        .since("1.0.1")
        .flags(&[WRITE, DENYOOM])
        .keys(&[keys(1, -1, 2, &[OW, UPDATE])])
        .syntax("key value [key value ...]")
        .summary("Writes several string keys as one atomic step.")
        .complexity("O(N), N keys")
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"])
        .handler(on_keys!(string::mset)),
    row("msetex", -4)
        .since("8.4.0")
        .flags(&[WRITE, DENYOOM])
        .keys(&[counted_keys(1, 2, &[OW, UPDATE])])
        .syntax(
            "numkeys key value [key value ...] [NX|XX] [EX seconds|PX milliseconds|EXAT \
             unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]",
        )
        .summary("Writes several string keys at once with a shared time to live and condition.")
        .complexity("O(N), N keys")
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"])
        .handler(on_keys!(string::msetex)),
    row("msetnx", -3)
        .since("1.0.1")
        .flags(&[WRITE, DENYOOM])
        .keys(&[keys(1, -1, 2, &[OW, INSERT])])
        .syntax("key value [key value ...]")
        .summary("Writes several string keys, but only when none of them exists yet.")
        .complexity("O(N), N keys")
        .handler(on_keys!(string::msetnx)),
    row("psetex", 4)
        .since("2.6.0")
        .flags(&[WRITE, DENYOOM])
        .keys(&[key(1, &[OW, UPDATE])])
        .syntax("key milliseconds value")
        .summary("Stores a string that expires after a number of milliseconds.")
        .deprecated("2.6.12", "`SET` with `PX`")
        .handler(on_keys!(string::psetex)),
    row("set", -3)
        .since("1.0.0")
        .flags(&[WRITE, DENYOOM])
        .keys(&[key(1, &[RW, ACCESS, UPDATE, VARIABLE_FLAGS])
            .note("Reads the old value only with `GET`")])
        .resolver(KeyResolver::Set)
        .syntax(
            "key value [NX|XX|IFEQ ifeq-value|IFNE ifne-value|IFDEQ ifdeq-digest|IFDNE \
             ifdne-digest] [GET] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT \
             unix-time-milliseconds|KEEPTTL]",
        )
        .summary("Stores a string under a key, whatever the key held before.")
        .history(&[
            ("2.6.12", "Accepts `EX`, `PX`, `NX` and `XX`."),
            ("6.0.0", "Accepts `KEEPTTL`."),
            ("6.2.0", "Accepts `GET`, `EXAT` and `PXAT`."),
            ("7.0.0", "`NX` and `GET` go together."),
            ("8.4.0", "Accepts `IFEQ`, `IFNE`, `IFDEQ` and `IFDNE`."),
        ])
        .handler(on_keys!(string::set)),
    row("setex", 4)
        .since("2.0.0")
        .flags(&[WRITE, DENYOOM])
        .keys(&[key(1, &[OW, UPDATE])])
        .syntax("key seconds value")
        .summary("Stores a string that expires after a number of seconds.")
        .deprecated("2.6.12", "`SET` with `EX`")
        .handler(on_keys!(string::setex)),
    row("setnx", 3)
        .since("1.0.0")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[OW, INSERT])])
        .syntax("key value")
        .summary("Stores a string only when the key does not exist yet.")
        .deprecated("2.6.12", "`SET` with `NX`")
        .handler(on_keys!(string::setnx)),
    row("setrange", 4)
        .since("2.2.0")
        .flags(&[WRITE, DENYOOM])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key offset value")
        .summary("Overwrites bytes of a string from an offset on, padding with zero bytes.")
        .complexity("O(N), N bytes written, plus the padding")
        .handler(on_keys!(string::setrange)),
    row("strlen", 2)
        .since("2.2.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO])])
        .syntax("key")
        .summary("Counts the bytes of a string value.")
        .handler(on_keys!(string::strlen)),
    row("substr", 4)
        .since("1.0.0")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key start end")
        .summary("Reads the part of a string between two byte offsets.")
        .complexity("O(N), N bytes returned")
        .deprecated("2.0.0", "`GETRANGE`")
        .handler(on_keys!(string::getrange)),
];
