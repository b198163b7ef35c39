//! The configuration as the server uses it: one plain struct of typed fields.
//!
//! Built from a [`Config`] at start and after every CONFIG SET, then handed to the cores as an
//! immutable snapshot; nobody looks up directives by name while serving. Every directive that the
//! table calls built is carried here, and a test changes each of them to see that it arrives.
//!
//! Names say the unit where the directive's own name does not.

use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use basalt_persist::aof::segment::SyncPolicy;
use basalt_persist::reader::VersionCheck;
use basalt_shard::rdb::value_type::RdbVersion;

use super::cores::Cores;
use super::events::KeyspaceEvents;
use super::observation::ObservationSettings;
use super::store::Config;
use super::value::{OutputLimit, PrimaryAddress, SavePoint, Value};

/// A text that must not be shown: its `Debug` form hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(..)")
    }
}

/// Who may use something dangerous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Nobody.
    No,
    /// Everybody.
    Yes,
    /// Clients on this machine.
    Local,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What is rarely useful, yet no noise.
    Verbose,
    /// What operators want to see.
    Notice,
    /// What needs attention.
    Warning,
    /// Nothing at all.
    Nothing,
}

/// Who started the server and waits for a word from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervisor {
    /// Nobody.
    No,
    /// systemd, told through its socket.
    Systemd,
    /// upstart, told by a stop signal to ourselves.
    Upstart,
    /// Whichever of the two the environment names.
    Auto,
}

/// When defragmentation runs, and how much of its time a core gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefragmentationLimits {
    /// Whether it runs at all.
    pub is_on: bool,
    /// Not while less than this is wasted.
    pub ignore_bytes: u64,
    /// Wasted memory, as a share of what is used: below the first not, from the second on with all
    /// it may take.
    pub threshold_percent: (u32, u32),
    /// Share of a core's time at the one and at the other.
    pub cycle_percent: (u32, u32),
    /// Longest piece of it.
    pub slice_us: u32,
}

/// When and how snapshots are made and loaded.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "fields are named after their directives")]
pub struct SnapshotSettings {
    pub save: Vec<SavePoint>,
    pub dbfilename: PathBuf,
    /// Whether strings in files and DUMP payloads are compressed.
    pub rdbcompression: bool,
    /// Which readers files and DUMP payloads are written for.
    pub rdb_version: RdbVersion,
    /// Whether files of versions that are not known are loaded as far as they are.
    pub rdb_version_check: VersionCheck,
    pub rdbchecksum: bool,
    pub rdb_save_incremental_fsync: bool,
    /// A part of a microsecond where negative.
    pub rdb_key_save_delay_microseconds: i32,
    /// A part of a microsecond where negative.
    pub key_load_delay_microseconds: i32,
    pub stop_writes_on_bgsave_error: bool,
}

/// The append-only file.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "fields are named after their directives")]
pub struct AppendOnlySettings {
    pub appendonly: bool,
    pub appendfilename: String,
    pub appenddirname: String,
    pub appendfsync: SyncPolicy,
    pub aof_load_truncated: bool,
    /// Zero for none.
    pub aof_load_corrupt_tail_max_size_bytes: u64,
    /// Whether files that a rewrite has replaced are kept.
    pub aof_disable_auto_gc: bool,
    pub aof_timestamp_enabled: bool,
    pub aof_rewrite_incremental_fsync: bool,
    pub aof_use_rdb_preamble: bool,
    pub no_appendfsync_on_rewrite: bool,
    /// Zero for no rewrites but those asked for.
    pub auto_aof_rewrite_percentage: u32,
    pub auto_aof_rewrite_min_size_bytes: u64,
}

/// The log of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogSettings {
    /// Whether lines of our log go there.
    pub is_enabled: bool,
    /// What they begin with.
    pub ident: Vec<u8>,
    /// `user`, or `local0` to `local7`.
    pub facility: &'static str,
}

/// What is asked of TLS clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsClients {
    /// Nothing.
    Any,
    /// A certificate, if they have one.
    Optional,
    /// A certificate.
    Authenticated,
}

/// Encrypted connections.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are named after their directives")]
pub struct TlsSettings {
    /// Zero for none.
    pub port: u16,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub key_file_pass: Option<Secret>,
    pub ca_cert_file: Option<PathBuf>,
    pub ca_cert_dir: Option<PathBuf>,
    pub auth_clients: TlsClients,
    /// Whether a client is logged in as the user that its certificate names.
    pub auth_clients_user: bool,
    pub protocols: String,
    pub ciphers: String,
    pub ciphersuites: String,
    pub prefer_server_ciphers: bool,
    pub session_caching: bool,
    pub session_cache_size: u32,
    pub session_cache_timeout_seconds: u32,
    /// Zero for never.
    pub auto_reload_interval_seconds: u32,
    /// Steps of handshakes a core takes in one turn.
    pub max_new_connections_per_cycle: u32,
}

/// How the reactor meets the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoBackend {
    /// io_uring where the kernel lets us, else epoll.
    Auto,
    /// io_uring or no start.
    Uring,
    /// epoll.
    Epoll,
}

/// Which keys go when memory is short, and by what order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvictionPolicy {
    /// Least recently used of those with an expiry.
    VolatileLru,
    /// Least often used of those with an expiry.
    VolatileLfu,
    /// Any of those with an expiry.
    VolatileRandom,
    /// Next to expire.
    VolatileTtl,
    /// Least recently used.
    AllkeysLru,
    /// Least often used.
    AllkeysLfu,
    /// Any.
    AllkeysRandom,
    /// Least recently modified of those with an expiry.
    VolatileLrm,
    /// Least recently modified.
    AllkeysLrm,
    /// None: writes fail instead.
    NoEviction,
}

/// How much memory all clients together may make the server hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientsLimit {
    /// So many bytes; zero for any number.
    Bytes(u64),
    /// A share of `maxmemory`, in percent; no limit where there is none on memory.
    PercentOfMaxmemory(u8),
}

impl ClientsLimit {
    /// The limit in bytes where `maxmemory` is this; zero for none.
    pub fn bytes(self, maxmemory_bytes: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::PercentOfMaxmemory(percent) => {
                (u128::from(maxmemory_bytes) * u128::from(percent) / 100) as u64
            }
        }
    }
}

/// What the server does when told to stop by a signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownFlags {
    /// Save even without save points.
    pub save: bool,
    /// Do not save even with save points.
    pub no_save: bool,
    /// Do not wait for replicas.
    pub now: bool,
    /// Stop whatever goes wrong.
    pub force: bool,
}

/// Thresholds at which data types change their encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is the directive of its name")]
pub struct EncodingThresholds {
    pub hash_max_listpack_entries: u64,
    pub hash_max_listpack_value_bytes: u64,
    /// Entries per node where positive, else a class of node sizes, -1 to -5.
    pub list_max_listpack_size: i32,
    pub list_compress_depth: u32,
    pub set_max_intset_entries: u64,
    pub set_max_listpack_entries: u64,
    pub set_max_listpack_value_bytes: u64,
    pub zset_max_listpack_entries: u64,
    pub zset_max_listpack_value_bytes: u64,
    pub hll_sparse_max_bytes: u64,
    pub stream_node_max_bytes: u64,
    pub stream_node_max_entries: u64,
}

/// The configuration as the server uses it.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each field is the directive of its name")]
pub struct Settings {
    // Listening and connections.
    pub bind: Vec<Vec<u8>>,
    pub port: u16,
    pub protected_mode: bool,
    pub tcp_backlog: u32,
    pub tcp_keepalive_seconds: u32,
    pub timeout_seconds: u32,
    pub unixsocket: Option<PathBuf>,
    /// Permission bits; zero leaves them to the umask.
    pub unixsocketperm: u32,
    pub maxclients: u32,
    /// Limits of normal clients, replicas and subscribers.
    pub client_output_buffer_limits: [OutputLimit; 3],
    pub client_query_buffer_limit_bytes: u64,
    pub proto_max_bulk_len_bytes: u64,
    pub cores: Cores,
    pub io_backend: IoBackend,
    pub core_spin_microseconds: u32,

    // The process.
    pub daemonize: bool,
    pub supervised: Supervisor,
    pub pidfile: Option<PathBuf>,
    pub directory: PathBuf,
    pub loglevel: LogLevel,
    /// `None` for standard output.
    pub logfile: Option<PathBuf>,
    pub syslog: SyslogSettings,
    pub always_show_logo: bool,
    pub crash_log_enabled: bool,
    pub shutdown_on_sigint: ShutdownFlags,
    pub shutdown_on_sigterm: ShutdownFlags,
    pub shutdown_timeout_seconds: u32,
    /// 1 to 500.
    pub hz: u32,
    /// How long a script may run before other clients are refused, in milliseconds; 0 for ever.
    // Who may do what.
    pub requirepass: Option<Secret>,
    /// The `user` lines of the file: name and rules.
    pub users: Vec<Vec<Secret>>,
    pub aclfile: Option<PathBuf>,
    pub acllog_max_len: u64,
    /// Whether a new user may use all channels.
    pub acl_pubsub_default_all: bool,
    pub enable_protected_configs: Allowed,
    pub enable_debug_command: Allowed,
    pub enable_module_command: Allowed,
    /// Old and new name of each renamed command; an empty new name removes it.
    pub renamed_commands: Vec<(Vec<u8>, Vec<u8>)>,

    // Keyspace, memory, expiry.
    pub databases: u32,
    /// Zero for no limit.
    pub maxmemory_bytes: u64,
    pub maxmemory_clients: ClientsLimit,
    pub maxmemory_policy: EvictionPolicy,
    pub maxmemory_samples: u32,
    pub maxmemory_eviction_tenacity: u32,
    pub lfu_log_factor: u32,
    pub lfu_decay_time_minutes: u32,
    pub active_expire_effort: u32,
    pub jemalloc_bg_thread: bool,
    pub defragmentation: DefragmentationLimits,
    pub lazyfree_lazy_eviction: bool,
    pub lazyfree_lazy_expire: bool,
    pub lazyfree_lazy_server_del: bool,
    pub lazyfree_lazy_user_del: bool,
    pub lazyfree_lazy_user_flush: bool,

    // Observation and scripts.
    pub observation: ObservationSettings,
    pub notify_keyspace_events: KeyspaceEvents,
    pub tracking_table_max_keys: u64,
    pub busy_reply_threshold_milliseconds: u64,

    /// Thresholds at which data types change their encoding.
    pub encodings: EncodingThresholds,

    pub snapshots: SnapshotSettings,
    pub append_only: AppendOnlySettings,
    pub tls: TlsSettings,

    // Not built yet; here so that whoever builds them finds them.
    pub replicaof: Option<PrimaryAddress>,
}

impl Config {
    /// Builds the typed snapshot of the configuration as it is now.
    pub fn settings(&self) -> Settings {
        Settings {
            bind: self.bind_addresses(),
            port: self.number("port"),
            protected_mode: self.flag("protected-mode"),
            tcp_backlog: self.number("tcp-backlog"),
            tcp_keepalive_seconds: self.number("tcp-keepalive"),
            timeout_seconds: self.number("timeout"),
            unixsocket: self.path("unixsocket"),
            unixsocketperm: self.number("unixsocketperm"),
            maxclients: self.number("maxclients"),
            client_output_buffer_limits: self.output_limits(),
            client_query_buffer_limit_bytes: self.number("client-query-buffer-limit"),
            proto_max_bulk_len_bytes: self.number("proto-max-bulk-len"),
            cores: self.cores(),
            io_backend: self.io_backend(),
            core_spin_microseconds: self.number("core-spin-microseconds"),
            daemonize: self.flag("daemonize"),
            supervised: self.supervisor(),
            pidfile: self.path("pidfile"),
            directory: self.directory(),
            loglevel: self.log_level(),
            logfile: self.path("logfile"),
            syslog: self.syslog(),
            always_show_logo: self.flag("always-show-logo"),
            crash_log_enabled: self.flag("crash-log-enabled"),
            shutdown_on_sigint: self.shutdown_flags("shutdown-on-sigint"),
            shutdown_on_sigterm: self.shutdown_flags("shutdown-on-sigterm"),
            shutdown_timeout_seconds: self.number("shutdown-timeout"),
            hz: self.number("hz"),
            users: self.users(),
            aclfile: self.path("aclfile"),
            acllog_max_len: self.number("acllog-max-len"),
            acl_pubsub_default_all: self.word("acl-pubsub-default") == "allchannels",
            requirepass: Some(self.text("requirepass")).filter(|text| !text.is_empty()).map(Secret),
            enable_protected_configs: self.allowed("enable-protected-configs"),
            enable_debug_command: self.allowed("enable-debug-command"),
            enable_module_command: self.allowed("enable-module-command"),
            renamed_commands: self.renamed_commands(),
            databases: self.number("databases"),
            maxmemory_bytes: self.number("maxmemory"),
            maxmemory_clients: self.clients_limit(),
            maxmemory_policy: self.eviction_policy(),
            maxmemory_samples: self.number("maxmemory-samples"),
            maxmemory_eviction_tenacity: self.number("maxmemory-eviction-tenacity"),
            lfu_log_factor: self.number("lfu-log-factor"),
            lfu_decay_time_minutes: self.number("lfu-decay-time"),
            active_expire_effort: self.number("active-expire-effort"),
            jemalloc_bg_thread: self.flag("jemalloc-bg-thread"),
            defragmentation: self.defragmentation(),
            lazyfree_lazy_eviction: self.flag("lazyfree-lazy-eviction"),
            lazyfree_lazy_expire: self.flag("lazyfree-lazy-expire"),
            lazyfree_lazy_server_del: self.flag("lazyfree-lazy-server-del"),
            lazyfree_lazy_user_del: self.flag("lazyfree-lazy-user-del"),
            lazyfree_lazy_user_flush: self.flag("lazyfree-lazy-user-flush"),
            observation: self.observation(),
            notify_keyspace_events: self.keyspace_events(),
            tracking_table_max_keys: self.number("tracking-table-max-keys"),
            busy_reply_threshold_milliseconds: self.number("busy-reply-threshold"),
            encodings: self.encoding_thresholds(),
            snapshots: self.snapshots(),
            append_only: self.append_only(),
            tls: self.tls(),
            replicaof: self.primary(),
        }
    }
}

impl Config {
    fn snapshots(&self) -> SnapshotSettings {
        SnapshotSettings {
            save: self.save_points(),
            dbfilename: self.path("dbfilename").expect("its check refuses an empty one"),
            rdbcompression: self.flag("rdbcompression"),
            rdb_version: RdbVersion::of_number(self.number("rdb-version"))
                .expect("the bounds of the row are the versions there are"),
            rdb_version_check: match self.word("rdb-version-check") {
                "relaxed" => VersionCheck::Relaxed,
                _ => VersionCheck::Strict,
            },
            rdbchecksum: self.flag("rdbchecksum"),
            rdb_save_incremental_fsync: self.flag("rdb-save-incremental-fsync"),
            rdb_key_save_delay_microseconds: self.number("rdb-key-save-delay"),
            key_load_delay_microseconds: self.number("key-load-delay"),
            stop_writes_on_bgsave_error: self.flag("stop-writes-on-bgsave-error"),
        }
    }

    fn append_only(&self) -> AppendOnlySettings {
        AppendOnlySettings {
            appendonly: self.flag("appendonly"),
            appendfilename: String::from_utf8_lossy(&self.text("appendfilename")).into_owned(),
            appenddirname: String::from_utf8_lossy(&self.text("appenddirname")).into_owned(),
            appendfsync: self.sync_policy(),
            aof_load_truncated: self.flag("aof-load-truncated"),
            aof_load_corrupt_tail_max_size_bytes: self.number("aof-load-corrupt-tail-max-size"),
            aof_disable_auto_gc: self.flag("aof-disable-auto-gc"),
            aof_timestamp_enabled: self.flag("aof-timestamp-enabled"),
            aof_use_rdb_preamble: self.flag("aof-use-rdb-preamble"),
            no_appendfsync_on_rewrite: self.flag("no-appendfsync-on-rewrite"),
            aof_rewrite_incremental_fsync: self.flag("aof-rewrite-incremental-fsync"),
            auto_aof_rewrite_percentage: self.number("auto-aof-rewrite-percentage"),
            auto_aof_rewrite_min_size_bytes: self.number("auto-aof-rewrite-min-size"),
        }
    }

    fn syslog(&self) -> SyslogSettings {
        SyslogSettings {
            is_enabled: self.flag("syslog-enabled"),
            ident: self.text("syslog-ident"),
            facility: self.word("syslog-facility"),
        }
    }

    fn tls(&self) -> TlsSettings {
        let text = |name| String::from_utf8_lossy(&self.text(name)).into_owned();
        let passphrase = Some(self.text("tls-key-file-pass"));
        TlsSettings {
            port: self.number("tls-port"),
            cert_file: self.path("tls-cert-file"),
            key_file: self.path("tls-key-file"),
            key_file_pass: passphrase.filter(|text| !text.is_empty()).map(Secret),
            ca_cert_file: self.path("tls-ca-cert-file"),
            ca_cert_dir: self.path("tls-ca-cert-dir"),
            auth_clients: match self.word("tls-auth-clients") {
                "no" => TlsClients::Any,
                "optional" => TlsClients::Optional,
                _ => TlsClients::Authenticated,
            },
            auth_clients_user: self.word("tls-auth-clients-user") == "CN",
            protocols: text("tls-protocols"),
            ciphers: text("tls-ciphers"),
            ciphersuites: text("tls-ciphersuites"),
            prefer_server_ciphers: self.flag("tls-prefer-server-ciphers"),
            session_caching: self.flag("tls-session-caching"),
            session_cache_size: self.number("tls-session-cache-size"),
            session_cache_timeout_seconds: self.number("tls-session-cache-timeout"),
            auto_reload_interval_seconds: self.number("tls-auto-reload-interval"),
            max_new_connections_per_cycle: self.number("max-new-tls-connections-per-cycle"),
        }
    }

    fn encoding_thresholds(&self) -> EncodingThresholds {
        EncodingThresholds {
            hash_max_listpack_entries: self.number("hash-max-listpack-entries"),
            hash_max_listpack_value_bytes: self.number("hash-max-listpack-value"),
            list_max_listpack_size: self.number("list-max-listpack-size"),
            list_compress_depth: self.number("list-compress-depth"),
            set_max_intset_entries: self.number("set-max-intset-entries"),
            set_max_listpack_entries: self.number("set-max-listpack-entries"),
            set_max_listpack_value_bytes: self.number("set-max-listpack-value"),
            zset_max_listpack_entries: self.number("zset-max-listpack-entries"),
            zset_max_listpack_value_bytes: self.number("zset-max-listpack-value"),
            hll_sparse_max_bytes: self.number("hll-sparse-max-bytes"),
            stream_node_max_bytes: self.number("stream-node-max-bytes"),
            stream_node_max_entries: self.number("stream-node-max-entries"),
        }
    }
}

/// Typed looks at single directives. A directive of another type is a mistake of this file.
impl Config {
    pub(super) fn flag(&self, name: &str) -> bool {
        match self.value(name) {
            Value::Boolean(is_set) => *is_set,
            other => panic!("'{name}' is no yes or no but {other:?}"),
        }
    }

    /// The bounds of the row must fit the type of the field.
    pub(super) fn number<T: TryFrom<i128>>(&self, name: &str) -> T {
        let number = match self.value(name) {
            Value::Number(number) => T::try_from(*number).ok(),
            _ => None,
        };
        number.unwrap_or_else(|| panic!("'{name}' is no number of the type of its field"))
    }

    pub(super) fn word(&self, name: &str) -> &'static str {
        match self.value(name) {
            Value::Choice(word) => word,
            other => panic!("'{name}' is no word of a list but {other:?}"),
        }
    }

    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        let text = Some(self.text(name)).filter(|text| !text.is_empty());
        text.map(|text| PathBuf::from(std::ffi::OsString::from_vec(text)))
    }

    fn bind_addresses(&self) -> Vec<Vec<u8>> {
        match self.value("bind") {
            Value::Addresses(addresses) => addresses.clone(),
            other => panic!("'bind' is no list of addresses but {other:?}"),
        }
    }

    fn output_limits(&self) -> [OutputLimit; 3] {
        match self.value("client-output-buffer-limit") {
            Value::OutputLimits(limits) => *limits,
            other => panic!("'client-output-buffer-limit' holds no limits but {other:?}"),
        }
    }

    fn clients_limit(&self) -> ClientsLimit {
        match self.value("maxmemory-clients") {
            Value::Number(bytes) => ClientsLimit::Bytes(u64::try_from(*bytes).unwrap_or(u64::MAX)),
            Value::Percent(percent) => ClientsLimit::PercentOfMaxmemory(*percent),
            other => panic!("'maxmemory-clients' is no limit but {other:?}"),
        }
    }

    fn cores(&self) -> Cores {
        match Cores::parse(&self.text("cores")) {
            Ok(cores) => cores,
            Err(error) => panic!("'cores' was checked when it was set: {error}"),
        }
    }

    fn io_backend(&self) -> IoBackend {
        match self.word("io-backend") {
            "uring" => IoBackend::Uring,
            "epoll" => IoBackend::Epoll,
            _ => IoBackend::Auto,
        }
    }

    fn supervisor(&self) -> Supervisor {
        match self.word("supervised") {
            "systemd" => Supervisor::Systemd,
            "upstart" => Supervisor::Upstart,
            "auto" => Supervisor::Auto,
            _ => Supervisor::No,
        }
    }

    fn sync_policy(&self) -> SyncPolicy {
        match self.word("appendfsync") {
            "always" => SyncPolicy::Always,
            "no" => SyncPolicy::Never,
            _ => SyncPolicy::EverySecond,
        }
    }

    fn log_level(&self) -> LogLevel {
        match self.word("loglevel") {
            "debug" => LogLevel::Debug,
            "verbose" => LogLevel::Verbose,
            "warning" => LogLevel::Warning,
            "nothing" => LogLevel::Nothing,
            _ => LogLevel::Notice,
        }
    }

    fn shutdown_flags(&self, name: &str) -> ShutdownFlags {
        let Value::Choices(words) = self.value(name) else {
            panic!("'{name}' is no list of words");
        };
        ShutdownFlags {
            save: words.contains(&"save"),
            no_save: words.contains(&"nosave"),
            now: words.contains(&"now"),
            force: words.contains(&"force"),
        }
    }

    fn allowed(&self, name: &str) -> Allowed {
        match self.word(name) {
            "yes" => Allowed::Yes,
            "local" => Allowed::Local,
            _ => Allowed::No,
        }
    }

    fn users(&self) -> Vec<Vec<Secret>> {
        let Value::Lines(lines) = self.value("user") else {
            panic!("'user' holds no lines");
        };
        let secret = |words: &Vec<Vec<u8>>| words.iter().cloned().map(Secret).collect();
        lines.iter().map(secret).collect()
    }

    fn renamed_commands(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let Value::Lines(lines) = self.value("rename-command") else {
            panic!("'rename-command' holds no lines");
        };
        lines.iter().map(|words| (words[0].clone(), words[1].clone())).collect()
    }

    fn defragmentation(&self) -> DefragmentationLimits {
        let range = |from, to| (self.number(from), self.number(to));
        DefragmentationLimits {
            is_on: self.flag("activedefrag"),
            ignore_bytes: self.number("active-defrag-ignore-bytes"),
            threshold_percent: range(
                "active-defrag-threshold-lower",
                "active-defrag-threshold-upper",
            ),
            cycle_percent: range("active-defrag-cycle-min", "active-defrag-cycle-max"),
            slice_us: self.number("active-defrag-cycle-us"),
        }
    }

    fn eviction_policy(&self) -> EvictionPolicy {
        match self.word("maxmemory-policy") {
            "volatile-lru" => EvictionPolicy::VolatileLru,
            "volatile-lfu" => EvictionPolicy::VolatileLfu,
            "volatile-random" => EvictionPolicy::VolatileRandom,
            "volatile-ttl" => EvictionPolicy::VolatileTtl,
            "allkeys-lru" => EvictionPolicy::AllkeysLru,
            "allkeys-lfu" => EvictionPolicy::AllkeysLfu,
            "allkeys-random" => EvictionPolicy::AllkeysRandom,
            "volatile-lrm" => EvictionPolicy::VolatileLrm,
            "allkeys-lrm" => EvictionPolicy::AllkeysLrm,
            _ => EvictionPolicy::NoEviction,
        }
    }

    pub(super) fn percentiles(&self) -> Vec<f64> {
        match self.value("latency-tracking-info-percentiles") {
            Value::Percentiles(percentiles) => percentiles.clone(),
            other => panic!("no percentiles but {other:?}"),
        }
    }

    fn keyspace_events(&self) -> KeyspaceEvents {
        match self.value("notify-keyspace-events") {
            Value::KeyspaceEvents(events) => *events,
            other => panic!("no keyspace events but {other:?}"),
        }
    }

    fn save_points(&self) -> Vec<SavePoint> {
        match self.value("save") {
            Value::SavePoints(points) => points.clone(),
            other => panic!("no save points but {other:?}"),
        }
    }

    fn primary(&self) -> Option<PrimaryAddress> {
        match self.value("replicaof") {
            Value::Primary(primary) => primary.clone(),
            other => panic!("no primary but {other:?}"),
        }
    }
}
