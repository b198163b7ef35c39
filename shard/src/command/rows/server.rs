//! Commands on the server: configuration, users, persistence, replication, diagnostics.

use super::prelude::*;
use super::server_containers::{
    ACL_ROWS, COMMAND_ROWS, COMMANDLOG_ROWS, CONFIG_ROWS, LATENCY_ROWS, MEMORY_ROWS, MODULE_ROWS,
    SLOWLOG_ROWS,
};

const GROUP: Group = Group("server");

const fn row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity)
}

/// The server family.
pub(super) const ROWS: &[Command] = &[
    Command::new(GROUP, "acl", -2)
        .since("6.0.0")
        .flags(&[SENTINEL])
        .summary("Groups the commands that manage users and their rights.")
        .complexity("Depends on the subcommand")
        .subcommands(ACL_ROWS),
    row("bgrewriteaof", 1)
        .since("1.0.0")
        .flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING])
        .summary("Compacts the append only file in the background.")
        .complexity("O(1) to start")
        .handler(on_session!(rewrite::bgrewriteaof)),
    row("bgsave", -1)
        .since("1.0.0")
        .flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING])
        .syntax("[SCHEDULE]")
        .summary("Writes an RDB snapshot in the background.")
        .complexity("O(1) to start")
        .history(&[("3.2.2", "Accepts `SCHEDULE`.")])
        .handler(on_session!(save::bgsave)),
    Command::new(GROUP, "command", -1)
        .since("2.8.13")
        .flags(&[LOADING, STALE, SENTINEL])
        .acl(&[category::CONNECTION])
        .summary("Describes every command, or groups the commands that do so in part.")
        .complexity("O(N), N commands")
        .tips(&["nondeterministic_output_order"])
        .subcommands(COMMAND_ROWS)
        .handler(on_session!(introspection::command)),
    Command::new(GROUP, "commandlog", -2)
        .since("8.1.0")
        .summary("Groups the logs of slow commands, large requests and large replies.")
        .complexity("Depends on the subcommand")
        .subcommands(COMMANDLOG_ROWS),
    Command::new(GROUP, "config", -2)
        .since("2.0.0")
        .summary("Groups the commands that read and change directives of the running server.")
        .complexity("Depends on the subcommand")
        .subcommands(CONFIG_ROWS),
    row("dbsize", 1)
        .since("1.0.0")
        .flags(&[READONLY, FAST])
        .acl(&[category::KEYSPACE])
        .summary("Counts the keys of the selected database.")
        .tips(&["request_policy:all_shards", "response_policy:agg_sum"])
        .handler(on_session!(keyspace::dbsize)),
    row("debug", -2)
        .since("1.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, PROTECTED])
        .summary("Groups the test hooks and diagnostics meant for developers.")
        .complexity("Depends on the subcommand")
        .system()
        .handler(on_session!(debug::debug)),
    row("failover", -1)
        .since("6.2.0")
        .flags(&[ADMIN, NOSCRIPT, STALE])
        .syntax("[TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]")
        .summary("Hands the primary role over to a replica in an orderly way.")
        .complexity("O(1) to start")
        .handler(on_session!(replication::failover)),
    row("flushall", -1)
        .since("1.0.0")
        .flags(&[WRITE])
        .acl(&[category::KEYSPACE, category::DANGEROUS])
        .syntax("[ASYNC|SYNC]")
        .summary("Empties all databases.")
        .complexity("O(N), N keys of all databases; O(1) on the command path with ASYNC")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .history(&[("4.0.0", "Accepts `ASYNC`."), ("6.2.0", "Accepts `SYNC`.")])
        .handler(on_session!(keyspace::flushall)),
    row("flushdb", -1)
        .since("1.0.0")
        .flags(&[WRITE])
        .acl(&[category::KEYSPACE, category::DANGEROUS])
        .syntax("[ASYNC|SYNC]")
        .summary("Empties the selected database.")
        .complexity("O(N), N keys of the database; O(1) on the command path with ASYNC")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .history(&[("4.0.0", "Accepts `ASYNC`."), ("6.2.0", "Accepts `SYNC`.")])
        .handler(on_session!(keyspace::flushdb)),
    row("info", -1)
        .since("1.0.0")
        .flags(&[LOADING, STALE, SENTINEL])
        .acl(&[category::DANGEROUS])
        .syntax("[section [section ...]]")
        .summary("Reports state and statistics of the server by section.")
        .complexity("O(N), N lines of the sections asked for")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .history(&[("7.0.0", "Accepts more than one section.")])
        .handler(on_session!(info::info)),
    row("lastsave", 1)
        .since("1.0.0")
        .flags(&[LOADING, STALE, FAST])
        .acl(&[category::ADMIN, category::DANGEROUS])
        .summary("Tells the Unix time of the last good snapshot.")
        .tips(&["nondeterministic_output"])
        .handler(on_session!(save::lastsave)),
    Command::new(GROUP, "latency", -2)
        .since("2.8.13")
        .summary("Groups the commands that watch for latency spikes.")
        .complexity("Depends on the subcommand")
        .subcommands(LATENCY_ROWS),
    row("lolwut", -1)
        .since("5.0.0")
        .flags(&[READONLY, FAST, AT_HOME])
        .syntax("[VERSION version]")
        .summary("Draws a piece of generative art next to the server version.")
        .complexity("O(N), N characters drawn")
        .handler(on_session!(server::lolwut)),
    Command::new(GROUP, "memory", -2)
        .since("4.0.0")
        .summary("Groups the commands that examine memory use.")
        .complexity("Depends on the subcommand")
        .subcommands(MEMORY_ROWS),
    Command::new(GROUP, "module", -2)
        .since("4.0.0")
        .summary("Groups the commands that manage modules.")
        .complexity("Depends on the subcommand")
        .subcommands(MODULE_ROWS),
    row("monitor", 1)
        .since("1.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .summary("Streams every command the server runs to this connection.")
        .complexity("O(1) to start")
        .handler(on_session!(monitor::monitor)),
    row("psync", -3)
        .since("2.8.0")
        .flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING, NO_MULTI])
        .syntax("replicationid offset")
        .summary("Starts or resumes the replication stream for a replica.")
        .complexity("O(1) to start")
        .not_built(),
    row("replconf", -1)
        .since("3.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, ALLOW_BUSY])
        .summary("Exchanges settings and progress between a replica and its primary.")
        .system()
        .not_built(),
    row("replicaof", 3)
        .since("5.0.0")
        .flags(&[ADMIN, NOSCRIPT, STALE, NO_ASYNC_LOADING])
        .syntax("<host port|NO ONE>")
        .summary("Makes this server a replica of another one, or a primary again.")
        .handler(on_session!(replication::replicaof)),
    row("restore-asking", -4)
        .since("3.0.0")
        .flags(&[WRITE, DENYOOM, ASKING])
        .acl(&[category::KEYSPACE, category::DANGEROUS])
        .keys(&[key(1, &[OW, UPDATE])])
        .syntax("key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]")
        .summary("Recreates a key in a slot that is being imported.")
        .complexity("O(N), N bytes of payload, O(N*log(N)) for a sorted set")
        .history(&[
            ("3.0.0", "Accepts `REPLACE`."),
            ("5.0.0", "Accepts `ABSTTL`, `IDLETIME` and `FREQ`."),
        ])
        .system()
        .handler(on_keys!(dump::restore)),
    row("role", 1)
        .since("2.8.12")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, SENTINEL])
        .acl(&[category::ADMIN, category::DANGEROUS])
        .summary("Tells the replication role and its progress.")
        .complexity("O(N), N replicas")
        .handler(on_session!(replication::role)),
    row("save", 1)
        .since("1.0.0")
        .flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING, NO_MULTI])
        .summary("Writes an RDB snapshot before it answers.")
        .complexity("O(N), N keys of all databases")
        .handler(on_session!(save::save)),
    row("shutdown", -1)
        .since("1.0.0")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, SENTINEL, NO_MULTI, ALLOW_BUSY])
        .syntax("[NOSAVE|SAVE] [NOW] [FORCE] [ABORT]")
        .summary("Stops the server, saving first when that is configured.")
        .complexity("O(N) when saving, N keys of all databases, else O(1)")
        .history(&[("7.0.0", "Accepts `NOW`, `FORCE` and `ABORT`.")])
        .handler(on_session!(save::shutdown)),
    row("slaveof", 3)
        .since("1.0.0")
        .flags(&[ADMIN, NOSCRIPT, STALE, NO_ASYNC_LOADING])
        .syntax("<host port|NO ONE>")
        .summary("Makes this server a replica of another one, or a primary again.")
        .deprecated("5.0.0", "`REPLICAOF`")
        .handler(on_session!(replication::replicaof)),
    Command::new(GROUP, "slowlog", -2)
        .since("2.2.12")
        .summary("Groups the commands that read the log of slow commands.")
        .complexity("Depends on the subcommand")
        .subcommands(SLOWLOG_ROWS),
    row("swapdb", 3)
        .since("4.0.0")
        .flags(&[WRITE, FAST])
        .acl(&[category::KEYSPACE, category::DANGEROUS])
        .syntax("index1 index2")
        .summary("Exchanges the contents of two databases.")
        .complexity("O(N), N clients that watch or wait for keys of the two")
        .handler(on_session!(keyspace::swapdb)),
    row("sync", 1)
        .since("1.0.0")
        .flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING, NO_MULTI])
        .summary("Starts a full replication stream in the old manner.")
        .complexity("O(1) to start")
        .not_built(),
    row("time", 1)
        .since("2.6.0")
        .flags(&[LOADING, STALE, FAST, AT_HOME])
        .summary("Tells the time of the server in seconds and microseconds.")
        .tips(&["nondeterministic_output"])
        .handler(on_session!(server::time)),
];
