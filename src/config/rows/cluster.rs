//! Rows about cluster mode.

use crate::config::checks;
use crate::config::table::{
    Directive, INT_MAX, LONG_MAX, ULONG_MAX, boolean, checked_text, choice, integer, memory,
    optional_text,
};

const CLUSTER: &str = "cluster mode is not built into Basalt yet";

const ENDPOINTS: &[&str] = &["ip", "hostname", "unknown-endpoint"];

pub(super) const ROWS: &[Directive] = &[
    boolean("cluster-enabled", "no").immutable().refused(CLUSTER),
    checked_text("cluster-config-file", checks::cluster_file_name, "nodes.conf")
        .immutable()
        .accepted(),
    integer("cluster-node-timeout", 0, LONG_MAX, "15000").accepted(),
    integer("cluster-ping-interval", 0, LONG_MAX, "0").hidden().accepted(),
    integer("cluster-port", 0, 65535, "0").immutable().accepted(),
    integer("cluster-databases", 1, INT_MAX, "1").immutable().accepted(),
    integer("cluster-replica-validity-factor", 0, INT_MAX, "10")
        .aliases(&["cluster-slave-validity-factor"])
        .accepted(),
    integer("cluster-migration-barrier", 0, INT_MAX, "1").accepted(),
    boolean("cluster-allow-replica-migration", "yes").accepted(),
    boolean("cluster-require-full-coverage", "yes").accepted(),
    boolean("cluster-replica-no-failover", "no").aliases(&["cluster-slave-no-failover"]).accepted(),
    boolean("cluster-allow-reads-when-down", "no").accepted(),
    boolean("cluster-allow-pubsubshard-when-down", "yes").accepted(),
    memory("cluster-link-sendbuf-limit", 0, ULONG_MAX, "0").accepted(),
    integer("cluster-blacklist-ttl", 0, ULONG_MAX, "60").accepted(),
    integer("cluster-manual-failover-timeout", 1, INT_MAX, "5000").accepted(),
    boolean("cluster-slot-stats-enabled", "no").accepted(),
    optional_text("cluster-announce-ip").accepted(),
    optional_text("cluster-announce-client-ipv4").accepted(),
    optional_text("cluster-announce-client-ipv6").accepted(),
    integer("cluster-announce-port", 0, 65535, "0").accepted(),
    integer("cluster-announce-tls-port", 0, 65535, "0").accepted(),
    integer("cluster-announce-bus-port", 0, 65535, "0").accepted(),
    optional_text("cluster-announce-hostname").accepted(),
    optional_text("cluster-announce-human-nodename").accepted(),
    choice("cluster-preferred-endpoint-type", ENDPOINTS, "ip").accepted(),
];
