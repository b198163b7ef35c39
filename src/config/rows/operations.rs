//! Rows about running the server: process, logs, shutdown, observation, scripts, files.

use crate::config::checks;
use crate::config::table::{
    Directive, INT_MAX, Kind, LONG_MAX, boolean, checked_text, choice, ignored, integer, lines,
    optional_text, row, text,
};

const SHUTDOWN: &[&str] = &["default", "save", "nosave", "now", "force"];
const OOM: &[&str] = &["no", "yes", "relative", "absolute"];
const FACILITIES: &[&str] =
    &["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"];
const LOG_LEVELS: &[&str] = &["debug", "verbose", "notice", "warning", "nothing"];
const TIMESTAMPS: &[&str] = &["legacy", "iso8601", "milliseconds"];

const AUDIT_CLASSES: &[&str] = &["none", "connection", "auth", "admin", "write", "read", "denied"];

const LOG_FORMATS: &str = "only the legacy log format is built into Basalt yet";
const MODULES: &str = "loadable modules are not built into Basalt";
const SENTINEL: &str = "sentinel directive while not in sentinel mode";

pub(super) const ROWS: &[Directive] = &[
    lines("include", 1, 1).built(),
    boolean("daemonize", "no").immutable().built(),
    choice("supervised", &["upstart", "systemd", "auto", "no"], "no").immutable().built(),
    optional_text("pidfile").immutable().built(),
    row(Kind::Directory, "dir", "").deny_loading().protected().built(),
    choice("loglevel", LOG_LEVELS, "notice").built(),
    text("logfile", "").immutable().built(),
    choice("log-format", &["legacy", "logfmt", "json"], "legacy").refused(LOG_FORMATS),
    choice("log-timestamp-format", TIMESTAMPS, "legacy").refused(LOG_FORMATS),
    boolean("syslog-enabled", "no").immutable().built(),
    text("syslog-ident", "redis").immutable().built(),
    choice("syslog-facility", FACILITIES, "local0").immutable().built(),
    boolean("always-show-logo", "no").immutable().built(),
    boolean("crash-log-enabled", "yes").built(),
    boolean("crash-memcheck-enabled", "yes").accepted(),
    boolean("use-exit-on-panic", "no").hidden().accepted(),
    boolean("hide-user-data-from-log", "no").accepted(),
    boolean("set-proc-title", "yes").immutable().accepted(),
    checked_text(
        "proc-title-template",
        checks::process_title,
        "{title} {listen-addr} {server-mode}",
    )
    .accepted(),
    text("locale-collate", "").accepted(),
    text("ignore-warnings", "").accepted(),
    text("availability-zone", "").accepted(),
    boolean("extended-redis-compatibility", "no").accepted(),
    boolean("disable-thp", "yes").immutable().accepted(),
    choice("oom-score-adj", OOM, "no").accepted(),
    row(Kind::OomScores, "oom-score-adj-values", "0 200 800").accepted(),
    row(Kind::Choices(SHUTDOWN), "shutdown-on-sigint", "default").built(),
    row(Kind::Choices(SHUTDOWN), "shutdown-on-sigterm", "default").built(),
    integer("shutdown-timeout", 0, INT_MAX, "10").built(),
    integer("watchdog-period", 0, INT_MAX, "0").hidden().accepted(),
    // Time keeping.
    integer("hz", 0, INT_MAX, "10").built(),
    boolean("dynamic-hz", "yes").accepted(),
    // Observation.
    integer("slowlog-log-slower-than", -1, LONG_MAX, "10000")
        .aliases(&["commandlog-execution-slower-than"])
        .built(),
    integer("slowlog-max-len", 0, LONG_MAX, "128")
        .aliases(&["commandlog-slow-execution-max-len"])
        .built(),
    integer("commandlog-request-larger-than", -1, LONG_MAX, "1048576").built(),
    integer("commandlog-large-request-max-len", 0, LONG_MAX, "128").built(),
    integer("commandlog-reply-larger-than", -1, LONG_MAX, "1048576").built(),
    integer("commandlog-large-reply-max-len", 0, LONG_MAX, "128").built(),
    integer("latency-monitor-threshold", 0, LONG_MAX, "0").built(),
    boolean("latency-tracking", "yes").built(),
    row(Kind::Percentiles, "latency-tracking-info-percentiles", "50 99 99.9").built(),
    choice("audit-log", &["off", "file", "syslog"], "off").protected().built(),
    text("audit-log-file", "audit.log").protected().built(),
    row(Kind::Choices(AUDIT_CLASSES), "audit-log-classes", "connection auth admin denied")
        .protected()
        .built(),
    row(Kind::KeyspaceEvents, "notify-keyspace-events", "").built(),
    integer("tracking-table-max-keys", 0, LONG_MAX, "1000000").built(),
    integer("metrics-port", 0, 65535, "0").immutable().built(),
    text("metrics-bind", "127.0.0.1").immutable().built(),
    // Scripts and modules.
    integer("busy-reply-threshold", 0, LONG_MAX, "5000").aliases(&["lua-time-limit"]).built(),
    lines("loadmodule", 1, usize::MAX).refused(MODULES),
    lines("rename-command", 2, 2).built(),
    lines("sentinel", 1, usize::MAX).refused(SENTINEL),
    ignored("lua-replicate-commands"),
    ignored("list-max-ziplist-entries"),
    ignored("list-max-ziplist-value"),
];
