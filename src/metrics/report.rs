//! From the text of INFO to metrics.
//!
//! INFO is what the server has to tell; every number of it is told here under the name it has in
//! redis_exporter. So there is one place where figures are gathered, and the two cannot disagree.

use std::collections::BTreeMap;

use super::catalogue::{
    CORE_COUNTERS, CORE_GAUGES, COUNTERS, GAUGES, INSTANCE_LABELS, OWN_COUNTERS,
};
use super::exposition::{Exposition, Kind};

/// Databases that are told of though they are empty.
const DATABASES_ALWAYS: u32 = 16;

/// The fields of INFO by name.
struct Info<'a> {
    fields: BTreeMap<&'a str, &'a str>,
}

impl<'a> Info<'a> {
    fn parse(text: &'a str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self { fields: lines.filter_map(|line| line.split_once(':')).collect() }
    }

    fn text(&self, name: &str) -> &'a str {
        self.fields.get(name).copied().unwrap_or_default()
    }

    /// A field as a number; the state of something counts as one if it is well.
    fn number(&self, name: &str) -> Option<f64> {
        match self.text(name) {
            "ok" => Some(1.0),
            "err" => Some(0.0),
            text => text.parse().ok().filter(|number: &f64| number.is_finite()),
        }
    }

    /// The fields whose names begin with `prefix`: the rest of the name, and the value.
    fn with_prefix(&self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let from_prefix = self.fields.range(prefix..);
        from_prefix.map_while(move |(name, value)| Some((name.strip_prefix(prefix)?, *value)))
    }
}

/// One value of `a=1,b=2`.
fn part(line: &str, name: &str) -> f64 {
    let mut parts = line.split(',').filter_map(|part| part.split_once('='));
    let found = parts.find(|(known, _)| *known == name);
    found.and_then(|(_, value)| value.parse().ok()).unwrap_or(0.0)
}

/// All metrics, from the text of INFO with all its sections. O(its length).
pub(super) fn metrics(info: &str) -> String {
    let info = Info::parse(info);
    let mut out = Exposition::default();
    out.single("redis_up", Kind::Gauge, "The server answers.", 1);
    instance(&info, &mut out);
    let tables = [
        (GAUGES, Kind::Gauge, "redis"),
        (COUNTERS, Kind::Counter, "redis"),
        (OWN_COUNTERS, Kind::Counter, "basalt"),
    ];
    for (rows, kind, prefix) in tables {
        for (field, name) in rows {
            if let Some(value) = info.number(field) {
                let help = format!("Field {field} of INFO.");
                out.single(&format!("{prefix}_{name}"), kind, &help, value);
            }
        }
    }
    databases(&info, &mut out);
    commands(&info, &mut out);
    latencies(&info, &mut out);
    out.family("redis_errors_total", Kind::Counter, "Error replies by their first word.");
    for (code, line) in info.with_prefix("errorstat_") {
        out.sample("redis_errors_total", &[("err", code)], part(line, "count"));
    }
    cores(&info, &mut out);
    out.into_text()
}

fn instance(info: &Info<'_>, out: &mut Exposition) {
    let labels: Vec<(&str, &str)> =
        INSTANCE_LABELS.iter().map(|name| (*name, info.text(name))).collect();
    out.family("redis_instance_info", Kind::Gauge, "What the server is.");
    out.sample("redis_instance_info", &labels, 1);
    out.family("basalt_build_info", Kind::Gauge, "Version of Basalt.");
    let labels = [("version", info.text("basalt_version")), ("cores", info.text("cores"))];
    out.sample("basalt_build_info", &labels, 1);
    let now = info.number("server_time_usec").unwrap_or(0.0) / 1e6;
    let started = (now - info.number("uptime_in_seconds").unwrap_or(0.0)).floor();
    let help = "When the server started, in seconds since 1970.";
    out.single("redis_start_time_seconds", Kind::Gauge, help, started);
}

fn databases(info: &Info<'_>, out: &mut Exposition) {
    let lines = info.with_prefix("db").filter_map(|(rest, line)| Some((rest.parse().ok()?, line)));
    let mut databases: BTreeMap<u32, &str> = lines.collect();
    for number in 0..DATABASES_ALWAYS {
        databases.entry(number).or_default();
    }
    let families = [
        ("redis_db_keys", "keys", 1.0, "Keys of a database."),
        ("redis_db_keys_expiring", "expires", 1.0, "Keys of a database that expire."),
        ("redis_db_avg_ttl_seconds", "avg_ttl", 1e3, "Mean time to live of keys that expire."),
    ];
    for (name, field, divisor, help) in families {
        out.family(name, Kind::Gauge, help);
        for (number, line) in &databases {
            let db = format!("db{number}");
            out.sample(name, &[("db", &db)], part(line, field) / divisor);
        }
    }
}

fn commands(info: &Info<'_>, out: &mut Exposition) {
    let families = [
        ("redis_commands_total", "calls", 1.0, "Calls of a command."),
        ("redis_commands_duration_seconds_total", "usec", 1e6, "Time spent in a command."),
        ("redis_commands_rejected_calls_total", "rejected_calls", 1.0, "Calls that did not run."),
        ("redis_commands_failed_calls_total", "failed_calls", 1.0, "Calls that ran and failed."),
    ];
    for (name, field, divisor, help) in families {
        out.family(name, Kind::Counter, help);
        for (command, line) in info.with_prefix("cmdstat_") {
            out.sample(name, &[("cmd", command)], part(line, field) / divisor);
        }
    }
}

fn latencies(info: &Info<'_>, out: &mut Exposition) {
    const NAME: &str = "redis_latency_percentiles_usec";
    out.family(NAME, Kind::Summary, "How long calls of a command take, in microseconds.");
    for (command, line) in info.with_prefix("latency_percentiles_usec_") {
        for (percentile, value) in line.split(',').filter_map(|part| part.split_once('=')) {
            let percentile: Option<f64> = percentile.trim_start_matches('p').parse().ok();
            let Some(percentile) = percentile else { continue };
            // Six digits, as many as a percentile may have: 0.999, not 0.9990000000000001.
            let quantile = format!("{:.8}", percentile / 100.0);
            let quantile = quantile.trim_end_matches('0').trim_end_matches('.');
            out.sample(NAME, &[("cmd", command), ("quantile", quantile)], value);
        }
        let counts = info.text(&format!("cmdstat_{command}"));
        out.sample(&format!("{NAME}_sum"), &[("cmd", command)], part(counts, "usec"));
        out.sample(&format!("{NAME}_count"), &[("cmd", command)], part(counts, "calls"));
    }
}

fn cores(info: &Info<'_>, out: &mut Exposition) {
    let lines = info.with_prefix("core").filter_map(|(rest, line)| {
        let number: u32 = rest.parse().ok()?;
        Some((number, line))
    });
    let cores: BTreeMap<u32, &str> = lines.collect();
    for (rows, kind) in [(CORE_COUNTERS, Kind::Counter), (CORE_GAUGES, Kind::Gauge)] {
        for (field, name, divisor, help) in rows {
            out.family(name, kind, help);
            for (number, line) in &cores {
                out.sample(name, &[("core", &number.to_string())], part(line, field) / divisor);
            }
        }
    }
}
