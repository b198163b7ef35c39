//! Rows about memory, eviction, expiry and what the freeing of values costs.

use crate::config::table::{
    Directive, INT_MAX, Kind, LONG_MAX, ULONG_MAX, boolean, choice, integer, memory, row,
};

const POLICIES: &[&str] = &[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
    "volatile-lrm",
    "allkeys-lrm",
];

pub(super) const ROWS: &[Directive] = &[
    integer("databases", 1, INT_MAX, "16").immutable().built(),
    memory("maxmemory", 0, ULONG_MAX, "0").built(),
    choice("maxmemory-policy", POLICIES, "noeviction").built(),
    integer("maxmemory-samples", 1, 64, "5").built(),
    integer("maxmemory-eviction-tenacity", 0, 100, "10").built(),
    row(Kind::MemoryOrPercent, "maxmemory-clients", "0").built(),
    integer("lfu-log-factor", 0, INT_MAX, "10").built(),
    integer("lfu-decay-time", 0, INT_MAX, "1").built(),
    integer("active-expire-effort", 1, 10, "1").built(),
    boolean("lazyexpire-nested-arbitrary-keys", "yes").hidden().accepted(),
    boolean("lazyfree-lazy-eviction", "no").built(),
    boolean("lazyfree-lazy-expire", "no").built(),
    boolean("lazyfree-lazy-server-del", "no").built(),
    boolean("lazyfree-lazy-user-del", "no").built(),
    boolean("lazyfree-lazy-user-flush", "no").built(),
    boolean("activerehashing", "yes").accepted(),
    boolean("jemalloc-bg-thread", "yes").built(),
    boolean("activedefrag", "yes").built(),
    memory("active-defrag-ignore-bytes", 1, LONG_MAX, "100mb").built(),
    integer("active-defrag-threshold-lower", 0, 1000, "10").built(),
    integer("active-defrag-threshold-upper", 0, 1000, "100").built(),
    integer("active-defrag-cycle-min", 1, 99, "1").built(),
    integer("active-defrag-cycle-max", 1, 99, "25").built(),
    integer("active-defrag-cycle-us", 0, 100_000, "500").built(),
    integer("active-defrag-max-scan-fields", 1, LONG_MAX, "1000").accepted(),
];
