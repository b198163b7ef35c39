//! Rows about snapshots and the append only file.

use crate::config::checks;
use crate::config::table::{
    Directive, INT_MAX, INT_MIN, Kind, LONG_MAX, boolean, checked_text, choice, integer, memory,
    row,
};

pub(super) const ROWS: &[Directive] = &[
    row(Kind::SavePoints, "save", "3600 1 300 100 60 10000").built(),
    checked_text("dbfilename", checks::dump_file_name, "dump.rdb").protected().built(),
    boolean("rdbcompression", "yes").built(),
    boolean("rdbchecksum", "yes").immutable().built(),
    // Our own: Redis writes the version it has.
    integer("rdb-version", 10, 11, "11").built(),
    choice("rdb-version-check", &["strict", "relaxed"], "strict").built(),
    boolean("rdb-del-sync-files", "no").accepted(),
    boolean("rdb-save-incremental-fsync", "yes").built(),
    integer("rdb-key-save-delay", INT_MIN, INT_MAX, "0").hidden().built(),
    integer("key-load-delay", INT_MIN, INT_MAX, "0").hidden().built(),
    integer("loading-process-events-interval-bytes", 1024, INT_MAX, "2097152").hidden().accepted(),
    boolean("stop-writes-on-bgsave-error", "yes").built(),
    // Whatever it says, all that comes from outside is checked whole: there is no way without.
    choice("sanitize-dump-payload", &["no", "yes", "clients"], "no").accepted(),
    boolean("appendonly", "no").deny_loading().built(),
    checked_text("appendfilename", checks::append_file_name, "appendonly.aof").immutable().built(),
    checked_text("appenddirname", checks::append_directory_name, "appendonlydir")
        .immutable()
        .built(),
    choice("appendfsync", &["everysec", "always", "no"], "everysec").built(),
    boolean("no-appendfsync-on-rewrite", "no").built(),
    integer("auto-aof-rewrite-percentage", 0, INT_MAX, "100").built(),
    memory("auto-aof-rewrite-min-size", 0, LONG_MAX, "64mb").built(),
    boolean("aof-load-truncated", "yes").built(),
    memory("aof-load-corrupt-tail-max-size", 0, LONG_MAX, "0").built(),
    boolean("aof-use-rdb-preamble", "yes").built(),
    boolean("aof-timestamp-enabled", "no").built(),
    boolean("aof-rewrite-incremental-fsync", "yes").built(),
    boolean("aof-disable-auto-gc", "no").hidden().built(),
];
