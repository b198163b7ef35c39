//! Rows about primaries and replicas.

use crate::config::table::{
    Directive, INT_MAX, Kind, LONG_MAX, boolean, choice, integer, memory, optional_text, row,
};

const REPLICATION: &str = "replication is not built into Basalt yet";
const ENOUGH_REPLICAS: &str = "waiting for enough replicas is not built into Basalt yet";

const LOADING: &[&str] = &["disabled", "on-empty-db", "swapdb"];
const ON_ERROR: &[&str] = &["ignore", "panic", "panic-on-replicas"];

pub(super) const ROWS: &[Directive] = &[
    row(Kind::Primary, "replicaof", "").aliases(&["slaveof"]).immutable().refused(REPLICATION),
    optional_text("masterauth").aliases(&["primaryauth"]).sensitive().accepted(),
    optional_text("masteruser").aliases(&["primaryuser"]).sensitive().accepted(),
    boolean("replica-serve-stale-data", "yes").aliases(&["slave-serve-stale-data"]).accepted(),
    boolean("replica-read-only", "yes").aliases(&["slave-read-only"]).accepted(),
    boolean("replica-lazy-flush", "no").aliases(&["slave-lazy-flush"]).accepted(),
    boolean("replica-ignore-maxmemory", "yes").aliases(&["slave-ignore-maxmemory"]).accepted(),
    boolean("replica-ignore-disk-write-errors", "no").accepted(),
    integer("replica-priority", 0, INT_MAX, "100").aliases(&["slave-priority"]).accepted(),
    boolean("replica-announced", "yes").accepted(),
    optional_text("replica-announce-ip").aliases(&["slave-announce-ip"]).accepted(),
    integer("replica-announce-port", 0, 65535, "0").aliases(&["slave-announce-port"]).accepted(),
    memory("replica-full-sync-buffer-limit", 0, LONG_MAX, "0").accepted(),
    integer("min-replicas-to-write", 0, INT_MAX, "0")
        .aliases(&["min-slaves-to-write"])
        .refused(ENOUGH_REPLICAS),
    integer("min-replicas-max-lag", 0, INT_MAX, "10").aliases(&["min-slaves-max-lag"]).accepted(),
    boolean("repl-diskless-sync", "yes").accepted(),
    integer("repl-diskless-sync-delay", 0, INT_MAX, "5").accepted(),
    integer("repl-diskless-sync-max-replicas", 0, INT_MAX, "0").accepted(),
    choice("repl-diskless-load", LOADING, "disabled").deny_loading().accepted(),
    boolean("repl-rdb-channel", "no").hidden().accepted(),
    boolean("dual-channel-replication-enabled", "no").accepted(),
    integer("repl-ping-replica-period", 1, INT_MAX, "10")
        .aliases(&["repl-ping-slave-period"])
        .accepted(),
    integer("repl-timeout", 1, INT_MAX, "60").accepted(),
    boolean("repl-disable-tcp-nodelay", "no").accepted(),
    memory("repl-backlog-size", 1, LONG_MAX, "1mb").accepted(),
    integer("repl-backlog-ttl", 0, LONG_MAX, "3600").accepted(),
    choice("propagation-error-behavior", ON_ERROR, "ignore").accepted(),
];
