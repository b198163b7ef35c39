//! INFO: what the server tells about itself.
//!
//! A gathering tour adds the counters of all cores up; the text is made where it was asked for.
//! Field names and their order are Redis' (a client may look for any of them); a field whose
//! subject this server does not have shows the value that says so.

mod memory;
mod persistence;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use crate::call::SessionCall;
use crate::command::{self, CommandId};
use crate::commands::connection::REDIS_VERSION;
use crate::core::tour::{TourKind, TourTask};
use crate::core::{Core, CoreId, SessionId};
use crate::error::Outcome;
use crate::host::ProcessFacts;
use crate::interests::Kind;
use crate::reply::Reply;
use crate::scripting::cache::CacheFigures;
use crate::scripting::functions::Libraries;
use crate::settings::Settings;
use crate::stats::Stats;
use crate::store::{DatabaseCount, KeyspaceStats};

/// Appends the lines of a section.
type WriteSection = fn(&Report, &mut String);

/// What shows a section.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// Plain INFO.
    Always,
    /// INFO ALL.
    InAll,
    /// Nothing but its name.
    ByName,
}

/// The sections, with their names in INFO.
const SECTIONS: &[(&str, Shown, WriteSection)] = &[
    ("Server", Shown::Always, Report::server),
    ("Clients", Shown::Always, Report::clients),
    ("Memory", Shown::Always, Report::memory),
    ("Persistence", Shown::Always, Report::persistence),
    ("Stats", Shown::Always, Report::stats),
    ("Replication", Shown::Always, Report::replication),
    ("CPU", Shown::Always, Report::cpu),
    ("Modules", Shown::Always, Report::modules),
    ("Commandstats", Shown::InAll, Report::commandstats),
    ("Errorstats", Shown::Always, Report::errorstats),
    ("Latencystats", Shown::InAll, Report::latencystats),
    ("Cluster", Shown::Always, Report::cluster),
    ("Keyspace", Shown::Always, Report::keyspace),
    ("TLS", Shown::InAll, Report::tls),
    ("Cores", Shown::InAll, Report::cores),
    ("Debug", Shown::ByName, Report::debug),
];

/// INFO.
pub fn info(call: &mut SessionCall<'_>) -> Outcome {
    let wanted = Selection::parse(call);
    let report = Report::new(call.core, wanted);
    call.tour(TourKind::Gathering, report);
    Ok(())
}

/// Gathers what INFO tells, all sections, for somebody who is no client.
pub fn survey(core: &mut Core, deliver: impl FnOnce(Survey) + Send + 'static) {
    let report = Report::new(core, Selection { all: true, ..Selection::default() });
    let deliver = Some(Box::new(deliver) as _);
    core.begin_tour_unasked(TourKind::Gathering, Box::new(SurveyTask { report, deliver }));
}

/// What [`survey`] has gathered: INFO, but for what the process knows of itself.
pub struct Survey(Report);

impl Survey {
    /// The text, as INFO shows it. Takes as long as making it for a client does.
    pub fn text(mut self, facts: ProcessFacts) -> String {
        self.0.facts = facts;
        self.0.text()
    }
}

struct SurveyTask {
    report: Report,
    deliver: Option<Box<dyn FnOnce(Survey) + Send>>,
}

impl TourTask for SurveyTask {
    fn visit(&mut self, core: &mut Core) {
        self.report.visit(core);
    }

    fn finish(mut self: Box<Self>, core: &mut Core, _: SessionId, _: &mut Reply<'_>) {
        self.report.conclude(core);
        if let Some(deliver) = self.deliver.take() {
            deliver(Survey(self.report));
        }
    }
}

/// Which sections were asked for.
#[derive(Default)]
struct Selection {
    names: Vec<String>,
    default: bool,
    all: bool,
}

impl Selection {
    fn parse(call: &SessionCall<'_>) -> Self {
        let mut selection = Self { default: call.arguments.len() == 1, ..Self::default() };
        for name in call.arguments.from(1) {
            match String::from_utf8_lossy(name).to_ascii_lowercase().as_str() {
                "default" => selection.default = true,
                "all" | "everything" => selection.all = true,
                name => selection.names.push(name.to_owned()),
            }
        }
        selection
    }

    fn includes(&self, name: &str, shown: Shown) -> bool {
        (self.all && shown != Shown::ByName)
            || (self.default && shown == Shown::Always)
            || self.names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
    }
}

/// Figures of one core.
#[derive(Default)]
struct CoreFigures {
    id: u16,
    clients: usize,
    commands: u64,
    commands_ns: u64,
    turns_ns: u64,
    slots: usize,
    lent_slots: usize,
    boxes: usize,
}

#[derive(Default)]
struct Report {
    wanted: Selection,
    settings: Settings,
    used_bytes: u64,
    stats: Stats,
    keyspace_stats: KeyspaceStats,
    databases: BTreeMap<u32, DatabaseCount>,
    /// Times to live of some keys of each database: their sum in milliseconds, and how many.
    ttl_samples: BTreeMap<u32, (i64, usize)>,
    connected_clients: usize,
    blocked_clients: usize,
    clients_with_deadline: usize,
    watching_clients: usize,
    watched_keys: usize,
    /// Keys that clients wait for, and those among them they wait for to be gone, too.
    blocking_keys: (usize, usize),
    tracking_clients: usize,
    pubsub_clients: usize,
    channels: usize,
    patterns: usize,
    shard_channels: usize,
    /// Keys that are remembered for clients, and clients that remember them.
    tracked: (usize, usize),
    prefixes: usize,
    query_bytes_max: usize,
    output_bytes_max: usize,
    client_bytes: usize,
    table_bytes: usize,
    /// Records that cores have not handed over to be written.
    journal_bytes: u64,
    pause: Option<(i64, bool)>,
    /// Longest time a core has seen memory over the limit: in all and this time.
    overrun_ms: (u64, u64),
    /// Share of its time that the busiest core spends on defragmentation, in percent.
    defragmentation_percent: u32,
    now_us: i64,
    core_figures: Vec<CoreFigures>,
    facts: ProcessFacts,
    scripts: CacheFigures,
    /// Memory of the machines for scripts and for functions, in bytes.
    machine_bytes: (usize, usize),
    libraries: Arc<Libraries>,
}

impl TourTask for Report {
    fn visit(&mut self, core: &mut Core) {
        self.stats.add(&core.stats);
        self.keyspace_stats.add(&core.store.stats);
        self.defragmentation_percent =
            self.defragmentation_percent.max(core.store.defragmentation_percent);
        let (scripts, functions) = core.scripting.machine_bytes();
        self.machine_bytes.0 += scripts;
        self.machine_bytes.1 += functions;
        for &(db, count) in core.store.database_counts() {
            let sum = self.databases.entry(db).or_default();
            sum.keys += count.keys;
            sum.expiring += count.expiring;
        }
        if self.wanted.includes("keyspace", Shown::Always) {
            self.sample_ttl(core);
        }
        let mut clients = 0;
        for (_, session) in core.sessions() {
            clients += 1;
            self.query_bytes_max = self.query_bytes_max.max(session.figures.query_bytes);
            self.output_bytes_max = self.output_bytes_max.max(session.figures.unsent_bytes);
            self.client_bytes += session.memory_bytes();
            self.watching_clients += usize::from(session.watched_keys() > 0);
            self.pubsub_clients += usize::from(session.is_subscriber());
            self.tracking_clients += usize::from(session.tracking.is_some());
        }
        self.count_listeners(core);
        self.journal_bytes += core.store.journal().text_bytes() as u64;
        self.connected_clients += clients;
        self.blocked_clients += core.blocked_clients();
        self.clients_with_deadline += core.clients_with_deadline();
        // Every slot is looked at for these: not for whoever asks for something else.
        if self.wanted.includes("clients", Shown::Always) {
            self.watched_keys += core.store.watched_keys();
            let (keys, missing) = core.store.blocking_keys();
            self.blocking_keys.0 += keys;
            self.blocking_keys.1 += missing;
        }
        self.pause = core.pause_state();
        let (total_ms, current_ms) = core.eviction_overrun_ms();
        self.overrun_ms = (self.overrun_ms.0.max(total_ms), self.overrun_ms.1.max(current_ms));
        if self.wanted.includes("memory", Shown::Always) {
            self.table_bytes += core.store.overhead_bytes();
        }
        self.core_figures.push(CoreFigures {
            id: core.id().0,
            clients,
            commands: core.stats.commands_processed,
            commands_ns: core.stats.commands_ns,
            turns_ns: core.stats.turns_ns,
            slots: core.owned_slots(),
            lent_slots: core.lent_slots(),
            boxes: core.boxes_under_way(),
        });
    }

    fn finish(mut self: Box<Self>, core: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        self.conclude(core);
        self.facts = core.host.facts();
        reply.verbatim("txt", self.text().as_bytes());
    }
}

impl Report {
    fn new(core: &Core, wanted: Selection) -> Self {
        let settings = core.store.settings().as_ref().clone();
        // Before the report takes memory itself.
        let used_bytes = core.host.used_bytes();
        Self { wanted, settings, used_bytes, ..Self::default() }
    }

    /// All cores were visited.
    fn conclude(&mut self, core: &Core) {
        self.scripts = core.shared().scripts.figures();
        self.libraries = Arc::clone(&core.scripting.libraries);
        self.now_us = core.store.now().unix_us;
    }

    fn text(&self) -> String {
        let mut text = String::with_capacity(8 * 1024);
        for (name, shown, write) in SECTIONS {
            if !self.wanted.includes(name, *shown) {
                continue;
            }
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            let _ = write!(text, "# {name}\r\n");
            write(self, &mut text);
        }
        text
    }
}

/// Appends `name:value` lines.
macro_rules! fields {
    ($text:expr; $($name:literal: $value:expr),* $(,)?) => {
        $( write!($text, concat!($name, ":{}\r\n"), $value).expect("a string takes all"); )*
    };
}
use fields;

/// A byte count as Redis shows it to humans.
fn human(bytes: u64) -> String {
    let size = bytes as f64;
    match bytes {
        0..1024 => format!("{bytes}B"),
        1024..0x10_0000 => format!("{:.2}K", size / 1024.0),
        0x10_0000..0x4000_0000 => format!("{:.2}M", size / 1_048_576.0),
        0x4000_0000..0x100_0000_0000 => format!("{:.2}G", size / 1_073_741_824.0),
        _ => format!("{:.2}T", size / 1_099_511_627_776.0),
    }
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        "0.00%".to_owned()
    } else {
        format!("{:.2}%", part as f64 * 100.0 / whole as f64)
    }
}

fn ratio(part: u64, whole: u64) -> String {
    if whole == 0 { "0.00".to_owned() } else { format!("{:.2}", part as f64 / whole as f64) }
}

/// Seconds with six digits, as the CPU section shows them.
fn seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

impl Report {
    fn count_listeners(&mut self, core: &Core) {
        let everywhere = &core.store.news.everywhere;
        if core.id() == CoreId(0) {
            self.channels += everywhere.len(Kind::Channel);
            self.patterns = everywhere.len(Kind::Pattern);
            self.prefixes = everywhere.len(Kind::Prefix);
        }
        for directory in core.store.directories() {
            self.channels += directory.len(Kind::Channel);
            self.shard_channels += directory.len(Kind::ShardChannel);
        }
        let (keys, clients) = core.store.reader_counts();
        self.tracked = (self.tracked.0 + keys, self.tracked.1 + clients);
    }

    fn sample_ttl(&mut self, core: &mut Core) {
        let counts = core.store.database_counts();
        let expiring = counts.iter().filter(|(_, count)| count.expiring != 0);
        let databases: Vec<u32> = expiring.map(|(db, _)| *db).collect();
        for db in databases {
            let (sum_ms, seen) = core.store.sample_ttl_ms(db);
            let sums = self.ttl_samples.entry(db).or_default();
            *sums = (sums.0.saturating_add(sum_ms), sums.1 + seen);
        }
    }

    fn average_ttl_ms(&self, db: u32) -> i64 {
        let (sum_ms, seen) = self.ttl_samples.get(&db).copied().unwrap_or_default();
        sum_ms.checked_div(seen as i64).unwrap_or(0)
    }

    fn server(&self, text: &mut String) {
        let facts = &self.facts;
        let uptime = (self.now_us / 1_000_000 - facts.started_unix_seconds).max(0);
        fields!(text;
            "redis_version": REDIS_VERSION,
            "server_name": "basalt",
            "basalt_version": facts.version,
            "redis_git_sha1": facts.commit,
            "redis_git_dirty": 0,
            "redis_build_id": facts.commit,
            "redis_mode": "standalone",
            "os": facts.os,
            "arch_bits": usize::BITS,
            "monotonic_clock": "POSIX clock_gettime",
            "multiplexing_api": facts.io_backend,
            "io_backend": facts.io_backend,
            "cores": self.core_figures.len(),
            "atomicvar_api": "rust-core-atomic",
            "gcc_version": "0.0.0",
            "process_id": facts.process_id,
            "process_supervised": facts.supervised,
            "run_id": facts.run_id,
            "tcp_port": facts.tcp_port,
            "server_time_usec": self.now_us,
            "uptime_in_seconds": uptime,
            "uptime_in_days": uptime / 86_400,
            "hz": self.settings.hz,
            "configured_hz": self.settings.hz,
            "lru_clock": (self.now_us / 1_000_000) & 0xff_ffff,
            "executable": facts.executable,
            "config_file": facts.config_file,
            "io_threads_active": 0,
        );
        for (index, listener) in facts.listeners.iter().enumerate() {
            let _ = write!(text, "listener{index}:{listener}\r\n");
        }
    }

    fn clients(&self, text: &mut String) {
        fields!(text;
            "connected_clients": self.connected_clients,
            "cluster_connections": 0,
            "maxclients": self.settings.maxclients,
            "client_recent_max_input_buffer": self.query_bytes_max,
            "client_recent_max_output_buffer": self.output_bytes_max,
            "blocked_clients": self.blocked_clients,
            "tracking_clients": self.tracking_clients,
            "pubsub_clients": self.pubsub_clients,
            "watching_clients": self.watching_clients,
            "clients_in_timeout_table": self.clients_with_deadline,
            "total_watched_keys": self.watched_keys,
            "total_blocking_keys": self.blocking_keys.0,
            "total_blocking_keys_on_nokey": self.blocking_keys.1,
        );
        let (reason, actions, left_ms) = match self.pause {
            Some((until_ms, all)) => {
                let actions = if all { "all" } else { "write" };
                ("client_pause", actions, (until_ms - self.now_us / 1000).max(0))
            }
            None => ("none", "none", 0),
        };
        fields!(text;
            "paused_reason": reason,
            "paused_actions": actions,
            "paused_timeout_milliseconds": left_ms,
        );
    }

    fn stats(&self, text: &mut String) {
        let (stats, keys) = (&self.stats, &self.keyspace_stats);
        let kilobytes = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
        fields!(text;
            "total_connections_received": stats.connections_received,
            "total_commands_processed": stats.commands_processed,
            "instantaneous_ops_per_sec": stats.rates.commands,
            "total_net_input_bytes": stats.input_bytes,
            "total_net_output_bytes": stats.output_bytes,
            "total_net_repl_input_bytes": 0,
            "total_net_repl_output_bytes": 0,
            "instantaneous_input_kbps": kilobytes(stats.rates.input_bytes),
            "instantaneous_output_kbps": kilobytes(stats.rates.output_bytes),
            "instantaneous_input_repl_kbps": "0.00",
            "instantaneous_output_repl_kbps": "0.00",
            "rejected_connections": stats.connections_rejected,
            "sync_full": 0,
            "sync_partial_ok": 0,
            "sync_partial_err": 0,
            "expired_subkeys": keys.expired_fields,
            "expired_keys": keys.expired,
            "expired_stale_perc": "0.00",
            "expired_time_cap_reached_count": keys.expire_cycles_capped,
            "expire_cycle_cpu_milliseconds": keys.expire_cycles_us / 1000,
            "evicted_keys": keys.evicted,
            "evicted_clients": stats.evicted_clients,
            "evicted_scripts": self.scripts.evicted,
            "total_eviction_exceeded_time": self.overrun_ms.0,
            "current_eviction_exceeded_time": self.overrun_ms.1,
            "keyspace_hits": keys.hits,
            "keyspace_misses": keys.misses,
            "pubsub_channels": self.channels,
            "pubsub_patterns": self.patterns,
            "pubsubshard_channels": self.shard_channels,
            "latest_fork_usec": 0,
            "total_forks": self.facts.persistence.background_writes,
            "migrate_cached_sockets": self.facts.migrate_cached_sockets,
            "slave_expires_tracked_keys": 0,
            "active_defrag_hits": keys.relocated.moved,
            "active_defrag_misses": keys.relocated.left,
            "active_defrag_key_hits": keys.relocated.keys_moved,
            "active_defrag_key_misses": keys.relocated.keys_left,
            "total_active_defrag_time": keys.defragmentation_us / 1000,
            "current_active_defrag_time": keys.defragmentation_now_us / 1000,
            "tracking_total_keys": self.tracked.0,
            "tracking_total_items": self.tracked.1,
            "tracking_total_prefixes": self.prefixes,
        );
        self.more_stats(text);
    }

    fn more_stats(&self, text: &mut String) {
        let stats = &self.stats;
        let duration_us = stats.turns_ns / 1000;
        // Of one loop, as others tell it: here every core has one.
        let turns_per_core = stats.rates.turns / self.core_figures.len().max(1) as u64;
        let per_turn_us = duration_us.checked_div(stats.turns).unwrap_or(0);
        fields!(text;
            "unexpected_error_replies": 0,
            "total_error_replies": stats.error_replies,
            "dump_payload_sanitizations": 0,
            "total_reads_processed": stats.reads,
            "total_writes_processed": stats.writes,
            "io_threaded_reads_processed": 0,
            "io_threaded_writes_processed": 0,
            "client_query_buffer_limit_disconnections": stats.query_buffer_disconnections,
            "client_output_buffer_limit_disconnections": stats.output_buffer_disconnections,
            "reply_buffer_shrinks": 0,
            "reply_buffer_expands": 0,
            "eventloop_cycles": stats.turns,
            "eventloop_duration_sum": duration_us,
            "eventloop_duration_cmd_sum": stats.commands_ns / 1000,
            "instantaneous_eventloop_cycles_per_sec": turns_per_core,
            "instantaneous_eventloop_duration_usec": per_turn_us,
            "acl_access_denied_auth": stats.denials.auth,
            "acl_access_denied_cmd": stats.denials.command,
            "acl_access_denied_key": stats.denials.key,
            "acl_access_denied_channel": stats.denials.channel,
            "throttled_commands": stats.throttled_commands,
            "audit_log_dropped": self.facts.audit_log_dropped,
            "acl_access_denied_tls_cert": stats.denials.certificate,
        );
    }

    fn tls(&self, text: &mut String) {
        let now_seconds = self.now_us / 1_000_000;
        let [server, authority] = &self.facts.tls_certificates;
        // There are no connections yet for which the server would be a client.
        for (name, certificate) in [("server", server), ("client", &None), ("ca", authority)] {
            let (serial, left_seconds) = match certificate {
                Some((serial, end)) => (&serial[..], (end - now_seconds).max(0)),
                None => ("none", 0),
            };
            let _ = write!(text, "tls_{name}_cert_serial:{serial}\r\n");
            let _ = write!(text, "tls_{name}_cert_expires_in_seconds:{left_seconds}\r\n");
        }
    }

    fn replication(&self, text: &mut String) {
        fields!(text;
            "role": "master",
            "connected_slaves": 0,
            "master_failover_state": "no-failover",
            "master_replid": self.facts.run_id,
            "master_replid2": "0".repeat(40),
            "master_repl_offset": 0,
            "second_repl_offset": -1,
            "repl_backlog_active": 0,
            "repl_backlog_size": 1_048_576,
            "repl_backlog_first_byte_offset": 0,
            "repl_backlog_histlen": 0,
        );
    }

    fn cpu(&self, text: &mut String) {
        let facts = &self.facts;
        fields!(text;
            "used_cpu_sys": seconds(facts.cpu_system_us),
            "used_cpu_user": seconds(facts.cpu_user_us),
            "used_cpu_sys_children": seconds(facts.cpu_children_system_us),
            "used_cpu_user_children": seconds(facts.cpu_children_user_us),
            "used_cpu_sys_main_thread": seconds(facts.cpu_system_us),
            "used_cpu_user_main_thread": seconds(facts.cpu_user_us),
        );
    }

    fn modules(&self, _: &mut String) {}

    /// How the loops of all cores spend their time, and the extremes of any of them.
    fn debug(&self, text: &mut String) {
        let stats = &self.stats;
        fields!(text;
            "eventloop_duration_aof_sum": stats.journal_ns / 1000,
            "eventloop_duration_cron_sum": stats.cron_ns / 1000,
            "eventloop_duration_max": stats.turn_ns_max / 1000,
            "eventloop_cmd_per_cycle_max": stats.turn_commands_max,
        );
    }

    fn commandstats(&self, text: &mut String) {
        for (index, stats) in self.stats.commands().iter().enumerate() {
            if stats.calls == 0 && stats.rejected == 0 {
                continue;
            }
            let name = command::by_id(CommandId::from_index(index)).full_name();
            let us = stats.ns / 1000;
            let per_call = stats.ns as f64 / 1000.0 / stats.calls.max(1) as f64;
            let _ = write!(
                text,
                "cmdstat_{name}:calls={},usec={us},usec_per_call={per_call:.2},\
                 rejected_calls={},failed_calls={}\r\n",
                stats.calls, stats.rejected, stats.failed,
            );
        }
    }

    fn errorstats(&self, text: &mut String) {
        for (code, count) in &self.stats.errors {
            let _ = write!(text, "errorstat_{code}:count={count}\r\n");
        }
    }

    fn latencystats(&self, text: &mut String) {
        for (index, stats) in self.stats.commands().iter().enumerate() {
            let Some(latency) = &stats.latency else { continue };
            let name = command::by_id(CommandId::from_index(index)).full_name();
            let figures: Vec<String> = self
                .settings
                .latency_tracking_percentiles
                .iter()
                .map(|percentile| {
                    let us = latency.percentile_ns(*percentile) as f64 / 1000.0;
                    format!("p{percentile}={us:.3}")
                })
                .collect();
            let _ = write!(text, "latency_percentiles_usec_{name}:{}\r\n", figures.join(","));
        }
    }

    fn cluster(&self, text: &mut String) {
        fields!(text; "cluster_enabled": 0);
    }

    fn keyspace(&self, text: &mut String) {
        for (db, count) in &self.databases {
            if count.keys > 0 {
                let _ = write!(
                    text,
                    "db{db}:keys={},expires={},avg_ttl={}\r\n",
                    count.keys,
                    count.expiring,
                    self.average_ttl_ms(*db),
                );
            }
        }
    }

    fn cores(&self, text: &mut String) {
        for core in &self.core_figures {
            let _ = write!(
                text,
                "core{}:clients={},slots={},lent_slots={},messages_under_way={},commands={},\
                 commands_usec={},turns_usec={}\r\n",
                core.id,
                core.clients,
                core.slots,
                core.lent_slots,
                core.boxes,
                core.commands,
                core.commands_ns / 1000,
                core.turns_ns / 1000,
            );
        }
    }
}
