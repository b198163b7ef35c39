//! Rows about the thresholds at which data types change their encoding.

use crate::config::table::{Directive, INT_MAX, INT_MIN, LONG_MAX, integer, memory};

pub(super) const ROWS: &[Directive] = &[
    integer("hash-max-listpack-entries", 0, LONG_MAX, "512")
        .aliases(&["hash-max-ziplist-entries"])
        .built(),
    memory("hash-max-listpack-value", 0, LONG_MAX, "64")
        .aliases(&["hash-max-ziplist-value"])
        .built(),
    integer("list-max-listpack-size", INT_MIN, INT_MAX, "-2")
        .aliases(&["list-max-ziplist-size"])
        .built(),
    integer("list-compress-depth", 0, INT_MAX, "0").built(),
    integer("set-max-intset-entries", 0, LONG_MAX, "512").built(),
    integer("set-max-listpack-entries", 0, LONG_MAX, "128").built(),
    integer("set-max-listpack-value", 0, LONG_MAX, "64").built(),
    integer("zset-max-listpack-entries", 0, LONG_MAX, "128")
        .aliases(&["zset-max-ziplist-entries"])
        .built(),
    memory("zset-max-listpack-value", 0, LONG_MAX, "64")
        .aliases(&["zset-max-ziplist-value"])
        .built(),
    memory("hll-sparse-max-bytes", 0, LONG_MAX, "3000").built(),
    memory("stream-node-max-bytes", 0, LONG_MAX, "4096").built(),
    integer("stream-node-max-entries", 0, LONG_MAX, "100").built(),
];
