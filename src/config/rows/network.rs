//! Rows about listening, connections and the cores that serve them.

use crate::config::cores;
use crate::config::table::{
    Directive, INT_MAX, Kind, LONG_MAX, UINT_MAX, boolean, checked_text, choice, integer, memory,
    optional_text, row,
};

const MEGABYTE: i128 = 1 << 20;

const FIREWALL_MARKS: &str = "marking sockets is not built into Basalt yet";
const SOCKET_GROUP: &str = "a group for the unix socket is not built into Basalt yet";
const MULTIPATH: &str = "multipath TCP is not built into Basalt yet";

pub(super) const ROWS: &[Directive] = &[
    row(Kind::Addresses, "bind", "* -::*").built(),
    integer("port", 0, 65535, "6379").built(),
    boolean("protected-mode", "yes").built(),
    integer("tcp-backlog", 0, INT_MAX, "511").immutable().built(),
    integer("tcp-keepalive", 0, INT_MAX, "300").built(),
    integer("timeout", 0, INT_MAX, "0").built(),
    optional_text("unixsocket").immutable().built(),
    row(Kind::Octal { maximum: 0o777 }, "unixsocketperm", "0").immutable().built(),
    optional_text("unixsocketgroup").immutable().refused(SOCKET_GROUP),
    integer("maxclients", 1, UINT_MAX, "10000").built(),
    row(
        Kind::OutputLimits,
        "client-output-buffer-limit",
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    )
    .built(),
    memory("client-query-buffer-limit", MEGABYTE, LONG_MAX, "1gb").built(),
    memory("proto-max-bulk-len", MEGABYTE, LONG_MAX, "512mb").built(),
    integer("max-new-connections-per-cycle", 1, 1000, "10").accepted(),
    integer("max-new-tls-connections-per-cycle", 1, 1000, "1").built(),
    optional_text("bind-source-addr").accepted(),
    integer("socket-mark-id", 0, UINT_MAX, "0").immutable().refused(FIREWALL_MARKS),
    boolean("mptcp", "no").immutable().refused(MULTIPATH),
    boolean("repl-mptcp", "no").refused(MULTIPATH),
    // Basalt's own: the cores that serve, and how they meet the kernel.
    checked_text("cores", cores::check, "").immutable().built(),
    choice("io-backend", &["auto", "uring", "epoll"], "auto").immutable().built(),
    integer("core-spin-microseconds", 0, 1_000_000, "50").built(),
    // What other servers offer to spread work over threads; here `cores` decides.
    integer("io-threads", 1, 128, "1").immutable().accepted(),
    boolean("io-threads-do-reads", "no").immutable().accepted(),
    boolean("io-threads-always-active", "no").hidden().accepted(),
    integer("events-per-io-thread", 0, INT_MAX, "2").hidden().accepted(),
    integer("prefetch-batch-max-size", 0, 128, "16").accepted(),
    integer("lookahead", 1, INT_MAX, "16").accepted(),
    integer("min-io-threads-avoid-copy-reply", 0, INT_MAX, "7").hidden().accepted(),
    integer("min-string-size-avoid-copy-reply", 0, INT_MAX, "16384").hidden().accepted(),
    integer("min-string-size-avoid-copy-reply-threaded", 0, INT_MAX, "65536").hidden().accepted(),
    optional_text("server-cpulist").aliases(&["server_cpulist"]).immutable().accepted(),
    optional_text("bio-cpulist").aliases(&["bio_cpulist"]).immutable().accepted(),
    optional_text("aof-rewrite-cpulist").aliases(&["aof_rewrite_cpulist"]).immutable().accepted(),
    optional_text("bgsave-cpulist").aliases(&["bgsave_cpulist"]).immutable().accepted(),
];
