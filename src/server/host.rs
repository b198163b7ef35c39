//! The process as cores see it: [`Host`] over the real system.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use basalt_net::tls::TlsServer;
use basalt_persist::aof::segment::SyncPolicy;
use basalt_shard::arguments::OwnedArguments;
use basalt_shard::audit::AuditRecord;
use basalt_shard::core::CoreId;
use basalt_shard::error::CommandError;
use basalt_shard::event::EventClasses;
use basalt_shard::host::{
    ConfigChange, DurableMark, Garbage, Heard, Host, LogLevel, PersistenceFacts, ProcessFacts,
    RewriteExtent, RewriteTarget, SaveKind, ShutdownOptions, SnapshotTarget,
};
use basalt_shard::migration::{Delivery, Journey, Shipment};
use basalt_shard::rate_limit::RateLimits;
use basalt_shard::scripting::from_file::FileScripts;
use basalt_shard::settings::{
    MaxmemoryPolicy, Permission, SETTLE_INTERVAL_MS, Settings as CommandSettings,
};
use basalt_shard::store::Store;

use super::aof::AppendOnly;
use super::listening::{self, ListenerKind, NewSockets};
use super::process::Process;
use super::{busy, clock, migration, persistence, rewrite, tls_files};
use crate::config::{Allowed, Config, EvictionPolicy, SetContext, Settings};
use crate::{banner, debug, logging, memory, notice, process_title, verbose, warning};

/// One core's way to the process.
pub struct CoreHost {
    process: Arc<Process>,
    garbage: SyncSender<Garbage>,
}

impl CoreHost {
    /// The way of one core. `garbage` leads to the thread that frees.
    pub fn new(process: Arc<Process>, garbage: SyncSender<Garbage>) -> Self {
        Self { process, garbage }
    }

    /// What runs the scripts of a file, with a way of its own.
    pub fn file_scripts(&self) -> FileScripts {
        let host = Self::new(Arc::clone(&self.process), self.garbage.clone());
        FileScripts::new(Box::new(host), self.process.persistence.scripts())
    }
}

impl Host for CoreHost {
    #[inline]
    fn elapsed_ns(&self) -> u64 {
        clock::elapsed_ns()
    }

    fn unix_us(&self) -> i64 {
        clock::now().unix_us
    }

    fn facts(&self) -> ProcessFacts {
        facts(&self.process)
    }

    #[inline]
    fn used_bytes(&self) -> u64 {
        let garbage_bytes = self.process.garbage_bytes.load(Ordering::Relaxed);
        memory::used_bytes().saturating_sub(garbage_bytes)
    }

    fn config_set(
        &mut self,
        pairs: &[(&[u8], &[u8])],
        is_local: bool,
    ) -> Result<ConfigChange, CommandError> {
        let mut config = self.process.config();
        let is_loading = self.process.persistence.is_loading();
        let context = SetContext { is_loading, is_local };
        let changed =
            config.set(pairs, context).map_err(|error| CommandError::worded(error.to_string()))?;
        let rewrite = act_on(&self.process, &config, &changed).map_err(|(name, reason)| {
            config.revert(&changed);
            // What was done before that failed is undone the way it was done.
            let _ = act_on_process(&self.process, &config, &changed);
            let error = crate::config::ConfigError::Apply(name, reason);
            CommandError::worded(error.to_string())
        })?;
        let settings = self.process.publish_settings(&config);
        self.process.persistence.judge_writes(&settings);
        if changed.contains("appendfsync") || changed.contains("no-appendfsync-on-rewrite") {
            let is_written = self.process.persistence.is_writing();
            self.process.append_only.set_policy(&settings, is_written);
        }
        Ok(ConfigChange { settings: Arc::new(core_settings(&config, &settings)), rewrite })
    }

    fn config_rewrite(
        &mut self,
        users: &[Vec<u8>],
        extent: RewriteExtent,
    ) -> Result<(), CommandError> {
        let has_own_file = self.process.settings().aclfile.is_some();
        let config = self.process.config();
        config.rewrite(if has_own_file { &[] } else { users }, extent).map_err(|error| {
            warning!("CONFIG REWRITE failed: {error}");
            CommandError::worded(error.to_string())
        })?;
        crate::notice!("CONFIG REWRITE executed with success.");
        Ok(())
    }

    fn persistence(&self) -> PersistenceFacts {
        persistence_facts(&self.process)
    }

    fn begin_save(&mut self, kind: SaveKind) -> Result<Box<dyn SnapshotTarget>, CommandError> {
        persistence::begin(&self.process, kind)
    }

    fn begin_rewrite(&mut self) -> Result<Option<Box<dyn RewriteTarget>>, CommandError> {
        rewrite::begin(&self.process, self.process.settings())
    }

    fn durable_mark(&self) -> Option<Box<dyn DurableMark>> {
        AppendOnly::mark(&self.process)
    }

    fn schedule_save(&mut self) -> bool {
        self.process.persistence.schedule()
    }

    fn is_append_only_unwanted(&self) -> bool {
        let is_wanted = self.process.settings().append_only.appendonly;
        !is_wanted && self.process.append_only.is_on_or_begins()
    }

    fn delay_append_only(&mut self, us: u64) {
        self.process.append_only.set_delay(Duration::from_micros(us));
    }

    fn end_append_only(&mut self, core: CoreId, store: &mut Store) {
        self.process.persistence.give_up_rewrite(&self.process, false);
        self.process.append_only.turn_off(core, store);
    }

    fn write_out_append_only(&mut self, core: CoreId, store: &mut Store) {
        self.process.append_only.write_out(core, store);
    }

    fn load_append_only(&mut self, store: &mut Store) -> Option<Vec<Vec<u8>>> {
        super::loading::append_only_at_once(&self.process, store, self.file_scripts())
    }

    fn cancel_save(&mut self) -> bool {
        self.process.persistence.cancel()
    }

    fn unschedule_save(&mut self) -> bool {
        self.process.persistence.unschedule()
    }

    fn count_save(&mut self) {
        self.process.persistence.count_save();
    }

    fn reset_stats(&mut self) {
        self.process.persistence.reset_stats();
        self.process.append_only.reset_stats();
    }

    fn load_snapshot(&mut self, store: &mut Store, replaces: bool) -> Option<Vec<Vec<u8>>> {
        persistence::load_at_once(&self.process, store, replaces)
    }

    fn is_sensitive(&self, directive: &[u8]) -> bool {
        Config::is_sensitive(directive)
    }

    fn read_acl_file(&self) -> Option<(String, Result<Vec<u8>, String>)> {
        let path = self.process.settings().aclfile.clone()?;
        let text = std::fs::read(&path).map_err(|error| plain_reason(&error));
        Some((path.display().to_string(), text))
    }

    fn write_acl_file(&mut self, text: &[u8]) -> Option<Result<(), String>> {
        let path = self.process.settings().aclfile.clone()?;
        Some(crate::config::replace_file(&path, text).map_err(|error| plain_reason(&error)))
    }

    fn fill_with_secrets(&mut self, bytes: &mut [u8]) -> Result<(), CommandError> {
        let read = std::fs::File::open("/dev/urandom")
            .and_then(|mut source| std::io::Read::read_exact(&mut source, bytes));
        read.map_err(|error| {
            CommandError::worded(format!("ERR no random bytes: {}", plain_reason(&error)))
        })
    }

    fn shutdown(&mut self, options: ShutdownOptions) -> Result<(), CommandError> {
        crate::notice!("User requested shutdown...");
        self.process.stop(options);
        Ok(())
    }

    fn note_shutdown_over(&mut self) {
        crate::signals::note_shutdown_over();
    }

    fn abort_shutdown(&mut self) -> bool {
        // A shutdown has nobody to wait for yet, so one that has begun cannot be caught up with.
        let is_aborted = self.process.take_shutdown_wish().is_some();
        if is_aborted {
            crate::signals::note_shutdown_over();
            crate::notice!("Shutdown manually aborted.");
        }
        is_aborted
    }

    fn sleep_us(&mut self, us: u64) {
        std::thread::sleep(Duration::from_micros(us));
    }

    fn log_notice(&self, text: &str) {
        crate::notice!("{text}");
    }

    fn log_warning(&self, text: &str) {
        warning!("{text}");
    }

    fn log(&self, level: LogLevel, text: &str) {
        match level {
            LogLevel::Debug => debug!("{text}"),
            LogLevel::Verbose => verbose!("{text}"),
            LogLevel::Notice => notice!("{text}"),
            LogLevel::Warning => warning!("{text}"),
        }
    }

    fn audit(&mut self, record: AuditRecord) {
        self.process.audit.tell(record);
    }

    fn is_ending(&self) -> bool {
        self.process.is_stopping()
    }

    fn is_asked_to_end(&self) -> bool {
        self.process.has_shutdown_wish()
    }

    fn receive_while_busy(&mut self, descriptors: &[i32]) -> Vec<(usize, OwnedArguments)> {
        busy::receive(descriptors)
    }

    fn send_while_busy(&mut self, descriptor: i32, bytes: &[u8]) {
        busy::send(descriptor, bytes);
    }

    fn receive_from_debugger(&mut self, descriptor: i32, bytes: &mut [u8]) -> Heard {
        busy::listen(descriptor, bytes)
    }

    fn send_to_debugger(&mut self, descriptor: i32, bytes: &[u8]) -> bool {
        busy::speak(descriptor, bytes)
    }

    fn ship(&mut self, shipment: Shipment) -> Result<Box<dyn Journey>, CommandError> {
        migration::ship(&self.process, shipment)
    }

    fn ship_at_once(&mut self, shipment: Shipment) -> Delivery {
        migration::ship_at_once(&self.process, &shipment)
    }

    fn discard(&mut self, garbage: Garbage) {
        self.process.garbage_queued(garbage.bytes);
        // With the queue full the other thread is far behind: then whoever makes garbage frees it.
        if let Err(TrySendError::Full(garbage) | TrySendError::Disconnected(garbage)) =
            self.garbage.try_send(garbage)
        {
            self.process.free(garbage);
        }
    }

    fn purge_memory(&mut self) {
        memory::purge();
    }

    fn allocator_report(&self) -> String {
        memory::report()
    }
}

/// Facts about the process for INFO. Takes milliseconds.
pub fn facts(process: &Process) -> ProcessFacts {
    let allocator = memory::figures();
    let used_bytes = memory::used_bytes();
    process.note_used(used_bytes, clock::now().unix_seconds());
    let cpu = cpu_times(libc::RUSAGE_SELF);
    let children = cpu_times(libc::RUSAGE_CHILDREN);
    ProcessFacts {
        version: banner::VERSION,
        commit: banner::COMMIT,
        run_id: process.run_id.clone(),
        process_id: std::process::id(),
        tcp_port: match process.settings().port {
            0 => process.settings().tls.port,
            port => port,
        },
        os: operating_system(),
        io_backend: process.io_backend.get().cloned().unwrap_or_default(),
        executable: std::env::current_exe()
            .map(|path| path.display().to_string())
            .unwrap_or_default(),
        config_file: process
            .config()
            .config_file()
            .map(|path| path.display().to_string())
            .unwrap_or_default(),
        supervised: process.supervised.to_owned(),
        listeners: listening::describe(&process.settings()),
        tls_certificates: tls_certificates(process),
        started_unix_seconds: process.started_unix_seconds,
        used_bytes,
        allocated_bytes: allocator.allocated,
        active_bytes: allocator.active,
        allocator_resident_bytes: allocator.resident,
        resident_bytes: resident_bytes(),
        peak_used_bytes: process.peak_used_bytes.load(Ordering::Relaxed),
        peak_unix_seconds: process.peak_unix_seconds.load(Ordering::Relaxed) as i64,
        startup_used_bytes: process.startup_used_bytes.load(Ordering::Relaxed),
        garbage_count: process.garbage_count.load(Ordering::Relaxed),
        migrate_cached_sockets: process.migrations.kept() as u64,
        audit_log_dropped: process.audit.dropped(),
        total_system_bytes: total_system_bytes(),
        cpu_system_us: cpu.0,
        cpu_user_us: cpu.1,
        cpu_children_system_us: children.0,
        cpu_children_user_us: children.1,
        persistence: persistence_facts(process),
    }
}

/// What saving and loading have come to.
pub fn persistence_facts(process: &Process) -> PersistenceFacts {
    let settings = process.settings();
    let facts = process.persistence.facts(&settings);
    let append_only = process.append_only.facts(&settings, facts.is_loading);
    PersistenceFacts { append_only, ..facts }
}

/// What the system says about an error, as C programs print it.
pub fn plain_reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Acts on changed directives that concern the process as a whole; what concerns cores they see
/// in the settings. Returns the rewrite that turns the append-only file on.
fn act_on(
    process: &Arc<Process>,
    config: &Config,
    changed: &crate::config::Changed,
) -> Result<Option<Box<dyn RewriteTarget>>, (&'static str, String)> {
    act_on_process(process, config, changed)?;
    let settings = Arc::new(config.settings());
    let connections = NewConnections::prepare(process, &settings, changed)?;
    let turns_on = changed.contains("appendonly")
        && settings.append_only.appendonly
        && !process.append_only.is_on();
    let rewrite = match turns_on {
        true => rewrite::begin(process, Arc::clone(&settings))
            .map_err(|_| ("appendonly", "Unable to turn on AOF. Check server logs.".to_owned()))?,
        false => None,
    };
    // Nothing can fail from here on.
    connections.put_in_force(process, &settings);
    Ok(rewrite)
}

/// The part of that which has nothing to do with connections.
fn act_on_process(
    process: &Process,
    config: &Config,
    changed: &crate::config::Changed,
) -> Result<(), (&'static str, String)> {
    let settings = config.settings();
    if changed.contains("dir") {
        std::env::set_current_dir(&settings.directory)
            .map_err(|error| ("dir", format!("Changing directory: {error}")))?;
    }
    if changed.contains("loglevel") {
        logging::set_level(settings.loglevel);
    }
    if changed.contains("aof-disable-auto-gc") {
        process.append_only.delete_history(&settings);
    }
    if changed.contains("maxmemory") {
        warn_of_small_limit(settings.maxmemory_bytes);
    }
    let title = ["proc-title-template", "port", "tls-port", "bind"];
    if title.iter().any(|name| changed.contains(name)) {
        process_title::show(config, &process.program);
    }
    if changed.contains("oom-score-adj") || changed.contains("oom-score-adj-values") {
        let apply = process.oom_score.follow(&settings);
        apply.map_err(|reason| ("oom-score-adj", reason.to_owned()))?;
    }
    let audit = ["audit-log", "audit-log-file", "audit-log-classes"];
    if audit.iter().any(|name| changed.contains(name)) {
        process.audit.follow(&settings).map_err(|error| ("audit-log", plain_reason(&error)))?;
    }
    if changed.contains("maxclients") {
        match crate::daemon::raise_open_files(settings.maxclients) {
            Ok(possible) if possible >= settings.maxclients => {}
            _ => {
                let reason = format!(
                    "The operating system is not able to handle the specified number of clients, \
                     try with {}",
                    settings.maxclients / 2
                );
                return Err(("maxclients", reason));
            }
        }
    }
    Ok(())
}

/// What changed directives make of connections. Dropped before it is put in force, nothing has
/// happened.
#[derive(Default)]
struct NewConnections {
    /// What TLS connections use, if that changes; none without a port for them.
    tls: Option<Option<Arc<TlsServer>>>,
    sockets: Option<NewSockets>,
}

impl NewConnections {
    /// Opens what there will be.
    fn prepare(
        process: &Process,
        settings: &Settings,
        changed: &crate::config::Changed,
    ) -> Result<Self, (&'static str, String)> {
        let mut new = Self::default();
        let of_tls = |name: &&str| name.starts_with("tls-") && *name != "tls-auto-reload-interval";
        if let Some(name) = changed.names().find(of_tls) {
            new.tls = Some(tls_files::load(&settings.tls).map_err(|why| {
                warning!("{why}");
                (name, "Unable to update TLS configuration. Check server logs.".to_owned())
            })?);
        }
        let mut kinds = Vec::new();
        for (name, kind) in [("port", ListenerKind::Tcp), ("tls-port", ListenerKind::Tls)] {
            if changed.contains(name) || changed.contains("bind") {
                kinds.push(kind);
            }
        }
        if kinds.is_empty() {
            return Ok(new);
        }
        let prepared = process.listening().prepare(settings, &kinds);
        new.sockets = Some(prepared.map_err(|failure| {
            warning!("{}", failure.error);
            match (changed.contains("bind"), failure.kind) {
                (true, _) => ("bind", "Failed to bind to specified addresses.".to_owned()),
                (false, kind) => (
                    if kind == ListenerKind::Tls { "tls-port" } else { "port" },
                    "Unable to listen on this port. Check server logs.".to_owned(),
                ),
            }
        })?);
        Ok(new)
    }

    /// From now on clients come this way. Whoever takes a new TLS port has to find its certificate.
    fn put_in_force(self, process: &Process, settings: &Settings) {
        if let Some(server) = self.tls {
            process.tls.replace(server, &settings.tls);
        }
        if let Some(sockets) = self.sockets {
            process.listening().exchange(sockets);
        }
    }
}

/// The certificates INFO tells of, with their numbers and ends.
fn tls_certificates(process: &Process) -> [Option<(String, i64)>; 2] {
    let Some(server) = process.tls.server() else { return [None, None] };
    [&server.certificate, &server.authority].map(|facts| {
        let facts = facts.as_ref()?;
        Some((facts.serial.clone(), facts.expires_unix_seconds))
    })
}

fn warn_of_small_limit(limit_bytes: u64) {
    let used_bytes = memory::used_bytes();
    if limit_bytes != 0 && limit_bytes < used_bytes {
        warning!(
            "WARNING: the new maxmemory value set via CONFIG SET ({limit_bytes}) is smaller than \
             the current memory usage ({used_bytes}). This will result in key eviction and/or the \
             inability to accept new write commands depending on the maxmemory-policy."
        );
    }
}

fn maxmemory_policy(policy: EvictionPolicy) -> MaxmemoryPolicy {
    match policy {
        EvictionPolicy::VolatileLru => MaxmemoryPolicy::VolatileLru,
        EvictionPolicy::VolatileLfu => MaxmemoryPolicy::VolatileLfu,
        EvictionPolicy::VolatileRandom => MaxmemoryPolicy::VolatileRandom,
        EvictionPolicy::VolatileTtl => MaxmemoryPolicy::VolatileTtl,
        EvictionPolicy::AllkeysLru => MaxmemoryPolicy::AllKeysLru,
        EvictionPolicy::AllkeysLfu => MaxmemoryPolicy::AllKeysLfu,
        EvictionPolicy::AllkeysRandom => MaxmemoryPolicy::AllKeysRandom,
        EvictionPolicy::VolatileLrm => MaxmemoryPolicy::VolatileLrm,
        EvictionPolicy::AllkeysLrm => MaxmemoryPolicy::AllKeysLrm,
        EvictionPolicy::NoEviction => MaxmemoryPolicy::NoEviction,
    }
}

/// The part of the settings that cores have, with the configuration they were made of.
pub fn core_settings(config: &Config, settings: &Settings) -> CommandSettings {
    CommandSettings { directives: Arc::new(config.clone()), ..command_settings(settings) }
}

/// The part of the settings that commands see.
pub fn command_settings(settings: &Settings) -> CommandSettings {
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    CommandSettings {
        directives: CommandSettings::default().directives,
        databases: settings.databases,
        requirepass: settings
            .requirepass
            .as_ref()
            .map(|secret| secret.0.clone())
            .unwrap_or_default(),
        acl_pubsub_default_all: settings.acl_pubsub_default_all,
        acllog_max_len: size(settings.acllog_max_len),
        proto_max_bulk_len: usize::try_from(settings.proto_max_bulk_len_bytes)
            .unwrap_or(usize::MAX),
        maxclients: u64::from(settings.maxclients),
        maxmemory: settings.maxmemory_bytes,
        maxmemory_clients_bytes: settings.maxmemory_clients.bytes(settings.maxmemory_bytes),
        maxmemory_policy: maxmemory_policy(settings.maxmemory_policy),
        maxmemory_samples: settings.maxmemory_samples as usize,
        maxmemory_eviction_tenacity: settings.maxmemory_eviction_tenacity,
        lfu_log_factor: settings.lfu_log_factor,
        lfu_decay_minutes: settings.lfu_decay_time_minutes,
        hz: settings.hz,
        active_expire_effort: settings.active_expire_effort,
        lazyfree_lazy_eviction: settings.lazyfree_lazy_eviction,
        lazyfree_lazy_expire: settings.lazyfree_lazy_expire,
        lazyfree_lazy_server_del: settings.lazyfree_lazy_server_del,
        lazyfree_lazy_user_del: settings.lazyfree_lazy_user_del,
        lazyfree_lazy_user_flush: settings.lazyfree_lazy_user_flush,
        settle_interval_ms: SETTLE_INTERVAL_MS,
        replies_wait_for_disk: settings.append_only.appendfsync == SyncPolicy::Always,
        enable_debug_command: permission(settings.enable_debug_command),
        enable_module_command: permission(settings.enable_module_command),
        protected_mode: settings.protected_mode,
        hash_max_listpack_entries: size(settings.encodings.hash_max_listpack_entries),
        hash_max_listpack_value_bytes: size(settings.encodings.hash_max_listpack_value_bytes),
        zset_max_listpack_entries: size(settings.encodings.zset_max_listpack_entries),
        zset_max_listpack_value_bytes: size(settings.encodings.zset_max_listpack_value_bytes),
        latency_tracking_percentiles: settings
            .observation
            .latency_tracking_info_percentiles
            .clone(),
        latency_tracking: settings.observation.latency_tracking,
        slowlog_log_slower_than_us: settings.observation.slowlog_log_slower_than_microseconds,
        slowlog_max_len: size(settings.observation.slowlog_max_len),
        large_request_bytes: settings.observation.commandlog_request_larger_than_bytes,
        large_request_max_len: size(settings.observation.commandlog_large_request_max_len),
        large_reply_bytes: settings.observation.commandlog_reply_larger_than_bytes,
        large_reply_max_len: size(settings.observation.commandlog_large_reply_max_len),
        latency_monitor_threshold_ms: settings.observation.latency_monitor_threshold_milliseconds,
        list_max_listpack_size: settings.encodings.list_max_listpack_size,
        rdbcompression: settings.snapshots.rdbcompression,
        rdb_version: settings.snapshots.rdb_version,
        set_max_intset_entries: settings.encodings.set_max_intset_entries,
        set_max_listpack_entries: settings.encodings.set_max_listpack_entries,
        set_max_listpack_value_bytes: settings.encodings.set_max_listpack_value_bytes,
        stream_node_max_bytes: size(settings.encodings.stream_node_max_bytes),
        stream_node_max_entries: settings.encodings.stream_node_max_entries,
        busy_reply_threshold_ms: settings.busy_reply_threshold_milliseconds,
        hll_sparse_max_bytes: size(settings.encodings.hll_sparse_max_bytes),
        audit_classes: settings.observation.audit_classes(),
        rate_limits: Arc::new(
            RateLimits::parse(&settings.observation.user_rate_limit)
                .expect("it was checked when it was set"),
        ),
        notify_keyspace_events: EventClasses::from_bits(settings.notify_keyspace_events.bits()),
        tracking_table_max_keys: settings.tracking_table_max_keys,
    }
}

/// Time in the kernel and in user space, in microseconds.
fn cpu_times(who: libc::c_int) -> (u64, u64) {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to memory of the right size, and a zeroed rusage is a valid one.
    let usage = unsafe {
        libc::getrusage(who, usage.as_mut_ptr());
        usage.assume_init()
    };
    let us = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    (us(usage.ru_stime), us(usage.ru_utime))
}

fn operating_system() -> String {
    let read = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/kernel/{name}"));
        text.map(|text| text.trim().to_owned()).unwrap_or_default()
    };
    format!("{} {} {}", read("ostype"), read("osrelease"), std::env::consts::ARCH)
}

/// The page size Linux reports `statm` in on every machine this server is built for.
const PAGE_BYTES: u64 = 4096;

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 =
        statm.split_ascii_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    pages * PAGE_BYTES
}

fn total_system_bytes() -> u64 {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

fn permission(allowed: Allowed) -> Permission {
    match allowed {
        Allowed::No => Permission::No,
        Allowed::Yes => Permission::Yes,
        Allowed::Local => Permission::Local,
    }
}
