//! Commands on streams and their consumer groups.

use super::prelude::*;

const GROUP: Group = Group("stream");

const fn row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).acl(&[category::STREAM])
}

const fn xgroup_row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).within("xgroup").acl(&[category::STREAM])
}

const fn xinfo_row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).within("xinfo").acl(&[category::STREAM])
}

/// The stream family.
pub(super) const ROWS: &[Command] = &[
    row("xack", -4)
        .since("5.0.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key group id [id ...]")
        .summary("Confirms entries a consumer group has delivered.")
        .complexity("O(N), N entries")
        .handler(on_keys!(stream::xack)),
    row("xackdel", -6)
        .since("8.2.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE, DELETE])])
        .syntax("key group [KEEPREF|DELREF|ACKED] IDS numids id [id ...]")
        .summary("Confirms delivered entries and deletes them from the stream.")
        .complexity("O(N), N entries")
        .handler(on_keys!(stream::xackdel)),
    row("xadd", -5)
        .since("5.0.0")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, UPDATE]).note("May also trim the stream")])
        .syntax(
            "key [NOMKSTREAM] [KEEPREF|DELREF|ACKED] [IDMPAUTO pid|IDMP pid iid] \
             [<MAXLEN|MINID> [=|~] threshold [LIMIT count]] <*|id> field value [field value \
             ...]",
        )
        .summary("Appends an entry to a stream, and can trim the stream.")
        .complexity("O(1), plus O(N) for N entries trimmed")
        .tips(&["nondeterministic_output"])
        .history(&[
            ("6.2.0", "Accepts `NOMKSTREAM`, `MINID` and `LIMIT`."),
            ("7.0.0", "The id may leave its sequence open, as in `1526919030474-*`."),
            ("8.2.0", "Accepts `KEEPREF`, `DELREF` and `ACKED`."),
        ])
        .handler(on_keys!(stream::xadd)),
    row("xautoclaim", -6)
        .since("6.2.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, DELETE])])
        .syntax("key group consumer min-idle-time start [COUNT count] [JUSTID]")
        .summary("Hands long pending entries over to another consumer, walking the list.")
        .complexity("O(N), N entries looked at")
        .tips(&["nondeterministic_output"])
        .history(&[(
            "7.0.0",
            "Drops entries deleted meanwhile from the pending list and names them.",
        )])
        .handler(on_keys!(stream::xautoclaim)),
    row("xcfgset", -2)
        .since("8.6.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key [IDMP-DURATION idmp-duration] [IDMP-MAXSIZE idmp-maxsize]")
        .summary("Sets the duplicate detection parameters of a stream.")
        .not_built(),
    row("xclaim", -6)
        .since("5.0.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax(
            "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME \
             unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]",
        )
        .summary("Hands the given pending entries over to another consumer.")
        .complexity("O(M*log(N)), N entries pending and M given")
        .tips(&["nondeterministic_output"])
        .handler(on_keys!(stream::xclaim)),
    row("xdel", -3)
        .since("5.0.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, DELETE])])
        .syntax("key id [id ...]")
        .summary("Deletes entries from a stream.")
        .complexity("O(N), N entries")
        .handler(on_keys!(stream::xdel)),
    row("xdelex", -5)
        .since("8.2.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, DELETE])])
        .syntax("key [KEEPREF|DELREF|ACKED] IDS numids id [id ...]")
        .summary("Deletes entries and chooses what becomes of references held by groups.")
        .complexity("O(N), N entries, plus the groups that refer to them")
        .handler(on_keys!(stream::xdelex)),
    Command::new(GROUP, "xgroup", -2)
        .since("5.0.0")
        .summary("Groups the commands that manage consumer groups.")
        .complexity("Depends on the subcommand")
        .subcommands(XGROUP_ROWS),
    row("xidmprecord", 5)
        .since("8.6.2")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key pid iid stream-id")
        .summary("Records the producer id and message id an entry was added under.")
        .not_built(),
    Command::new(GROUP, "xinfo", -2)
        .since("5.0.0")
        .summary("Groups the commands that describe streams.")
        .complexity("Depends on the subcommand")
        .subcommands(XINFO_ROWS),
    row("xlen", 2)
        .since("5.0.0")
        .flags(&[READONLY, FAST])
        .keys(&[key(1, &[RO])])
        .syntax("key")
        .summary("Counts the entries of a stream.")
        .handler(on_keys!(stream::xlen)),
    row("xnack", -7)
        .since("8.8.0")
        .flags(&[WRITE, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key group <SILENT|FAIL|FATAL> IDS numids id [id ...] [RETRYCOUNT count] [FORCE]")
        .summary("Gives delivered entries back so that another consumer may take them.")
        .complexity("O(N), N entries")
        .not_built(),
    row("xpending", -3)
        .since("5.0.0")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key group [[IDLE min-idle-time] start end count [consumer]]")
        .summary("Shows what a consumer group has delivered but not seen confirmed.")
        .complexity("O(N), N entries shown, plus the entries skipped by IDLE")
        .tips(&["nondeterministic_output"])
        .history(&[("6.2.0", "Accepts `IDLE` and ranges that exclude their ends.")])
        .handler(on_keys!(stream::xpending)),
    row("xrange", -4)
        .since("5.0.0")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key start end [COUNT count]")
        .summary("Reads the entries between two ids, oldest first.")
        .complexity("O(N), N entries returned")
        .history(&[("6.2.0", "Ranges may exclude their ends.")])
        .handler(on_keys!(stream::xrange)),
    row("xread", -4)
        .since("5.0.0")
        .flags(&[READONLY, BLOCKING])
        .keys(&[keys_after("STREAMS", 1, -1, 2, &[RO, ACCESS, INCOMPLETE])])
        .resolver(KeyResolver::Streams)
        .syntax(
            "[COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] STREAMS \
             key [key ...] id [id ...]",
        )
        .summary("Reads entries newer than the given ids from streams, and can wait for some.")
        .complexity("O(N), N entries returned")
        .history(&[("8.10.0", "Accepts `MAXCOUNT` and `MAXSIZE`.")])
        .handler(on_keys!(stream::xread)),
    row("xreadgroup", -7)
        .since("5.0.0")
        .flags(&[WRITE, BLOCKING])
        .keys(&[keys_after("STREAMS", 4, -1, 2, &[RO, ACCESS, INCOMPLETE])])
        .resolver(KeyResolver::Streams)
        .syntax(
            "GROUP group consumer [COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK \
             milliseconds] [CLAIM min-idle-time] [NOACK] STREAMS key [key ...] id [id ...]",
        )
        .summary("Reads entries from streams on behalf of a consumer of a group.")
        .complexity(
            "O(N), N entries returned, and O(log M) for each that is claimed, M entries pending; \
             the first CLAIM of a group sorts these",
        )
        .history(&[("8.4.0", "Accepts `CLAIM`."), ("8.10.0", "Accepts `MAXCOUNT` and `MAXSIZE`.")])
        .handler(on_keys!(stream::xreadgroup)),
    row("xrevrange", -4)
        .since("5.0.0")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key end start [COUNT count]")
        .summary("Reads the entries between two ids, newest first.")
        .complexity("O(N), N entries returned")
        .history(&[("6.2.0", "Ranges may exclude their ends.")])
        .handler(on_keys!(stream::xrevrange)),
    row("xsetid", -3)
        .since("5.0.0")
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]")
        .summary("Sets the last generated id of a stream.")
        .history(&[("7.0.0", "Accepts `ENTRIESADDED` and `MAXDELETEDID`.")])
        .handler(on_keys!(stream::xsetid)),
    row("xtrim", -4)
        .since("5.0.0")
        .flags(&[WRITE])
        .keys(&[key(1, &[RW, DELETE])])
        .syntax("key <MAXLEN|MINID> [=|~] threshold [LIMIT count] [KEEPREF|DELREF|ACKED]")
        .summary("Cuts old entries off a stream.")
        .complexity("O(N), N entries removed")
        .tips(&["nondeterministic_output"])
        .history(&[
            ("6.2.0", "Accepts `MINID` and `LIMIT`."),
            ("8.2.0", "Accepts `KEEPREF`, `DELREF` and `ACKED`."),
        ])
        .handler(on_keys!(stream::xtrim)),
];

const XGROUP_ROWS: &[Command] = &[
    xgroup_row("create", -5)
        .since("5.0.0")
        .flags(&[WRITE, DENYOOM])
        .keys(&[key(2, &[RW, INSERT])])
        .syntax("key group <id|$> [MKSTREAM] [ENTRIESREAD entries-read]")
        .summary("Starts a consumer group on a stream.")
        .history(&[("7.0.0", "Accepts `ENTRIESREAD`.")])
        .handler(on_keys!(stream::xgroup_create)),
    xgroup_row("createconsumer", 5)
        .since("6.2.0")
        .flags(&[WRITE, DENYOOM])
        .keys(&[key(2, &[RW, INSERT])])
        .syntax("key group consumer")
        .summary("Adds a consumer to a group.")
        .handler(on_keys!(stream::xgroup_createconsumer)),
    xgroup_row("delconsumer", 5)
        .since("5.0.0")
        .flags(&[WRITE])
        .keys(&[key(2, &[RW, DELETE])])
        .syntax("key group consumer")
        .summary("Removes a consumer and its pending entries from a group.")
        .complexity("O(N), N entries pending for the consumer")
        .handler(on_keys!(stream::xgroup_delconsumer)),
    xgroup_row("destroy", 4)
        .since("5.0.0")
        .flags(&[WRITE])
        .keys(&[key(2, &[RW, DELETE])])
        .syntax("key group")
        .summary("Removes a consumer group.")
        .complexity("O(N), N entries pending in the group")
        .handler(on_keys!(stream::xgroup_destroy)),
    xgroup_row("help", 2)
        .since("5.0.0")
        .flags(&[LOADING, STALE])
        .summary("Lists the XGROUP subcommands.")
        .handler(on_session!(stream::xgroup_help)),
    xgroup_row("setid", -5)
        .since("5.0.0")
        .flags(&[WRITE])
        .keys(&[key(2, &[RW, UPDATE])])
        .syntax("key group <id|$> [ENTRIESREAD entries-read]")
        .summary("Moves the last delivered position of a group.")
        .history(&[("7.0.0", "Accepts `ENTRIESREAD`.")])
        .handler(on_keys!(stream::xgroup_setid)),
];

const XINFO_ROWS: &[Command] = &[
    xinfo_row("consumers", 4)
        .since("5.0.0")
        .flags(&[READONLY])
        .keys(&[key(2, &[RO, ACCESS])])
        .syntax("key group")
        .summary("Describes the consumers of a group.")
        .complexity("O(N), N consumers")
        .tips(&["nondeterministic_output"])
        .history(&[("7.2.0", "Shows `inactive`.")])
        .handler(on_keys!(stream::xinfo_consumers)),
    xinfo_row("groups", 3)
        .since("5.0.0")
        .flags(&[READONLY])
        .keys(&[key(2, &[RO, ACCESS])])
        .syntax("key")
        .summary("Describes the consumer groups of a stream.")
        .complexity("O(N), N groups")
        .history(&[("7.0.0", "Shows `entries-read` and `lag`.")])
        .handler(on_keys!(stream::xinfo_groups)),
    xinfo_row("help", 2)
        .since("5.0.0")
        .flags(&[LOADING, STALE])
        .summary("Lists the XINFO subcommands.")
        .handler(on_session!(stream::xinfo_help)),
    xinfo_row("stream", -3)
        .since("5.0.0")
        .flags(&[READONLY])
        .keys(&[key(2, &[RO, ACCESS])])
        .syntax("key [FULL [COUNT count]]")
        .summary("Describes a stream, in full detail on request.")
        .complexity("O(1), O(N) with FULL, N entries shown")
        .history(&[
            ("6.0.0", "Accepts `FULL`."),
            ("7.0.0", "Shows `max-deleted-entry-id`, `entries-added` and what groups have read."),
            ("7.2.0", "`FULL` shows `active-time` of the consumers."),
            ("8.6.0", "Shows the state of duplicate detection."),
            ("8.8.0", "Groups show `nacked-count`."),
        ])
        .handler(on_keys!(stream::xinfo_stream)),
];
