//! The settings commands need: an immutable snapshot that every core holds.
//!
//! `CONFIG SET` makes a new snapshot and carries it to all cores by a tour, so that no command sees
//! half of a change and no two cores disagree at any moment.

use std::sync::Arc;

use crate::audit::AuditClasses;
use crate::event::EventClasses;
use crate::rate_limit::RateLimits;
use crate::rdb::value_type::RdbVersion;
use crate::slow_log::LogKind;

/// A crash takes so many milliseconds more of history than what was not on the disk, at most. Long
/// against the time it takes to settle, short against the second of `appendfsync everysec`.
pub const SETTLE_INTERVAL_MS: u64 = 100;

/// What is evicted when `maxmemory` is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MaxmemoryPolicy {
    /// Nothing: writes are refused.
    #[default]
    NoEviction,
    /// The least recently used of all keys.
    AllKeysLru,
    /// The least often used of all keys.
    AllKeysLfu,
    /// The least recently modified of all keys.
    AllKeysLrm,
    /// Any key.
    AllKeysRandom,
    /// The least recently used of the keys with an expiry.
    VolatileLru,
    /// The least often used of the keys with an expiry.
    VolatileLfu,
    /// The least recently modified of the keys with an expiry.
    VolatileLrm,
    /// Any key with an expiry.
    VolatileRandom,
    /// The key that expires soonest.
    VolatileTtl,
}

impl MaxmemoryPolicy {
    /// The name the directive takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoEviction => "noeviction",
            Self::AllKeysLru => "allkeys-lru",
            Self::AllKeysLfu => "allkeys-lfu",
            Self::AllKeysLrm => "allkeys-lrm",
            Self::AllKeysRandom => "allkeys-random",
            Self::VolatileLru => "volatile-lru",
            Self::VolatileLfu => "volatile-lfu",
            Self::VolatileLrm => "volatile-lrm",
            Self::VolatileRandom => "volatile-random",
            Self::VolatileTtl => "volatile-ttl",
        }
    }

    /// The policy of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        use MaxmemoryPolicy::*;
        [
            NoEviction,
            AllKeysLru,
            AllKeysLfu,
            AllKeysLrm,
            AllKeysRandom,
            VolatileLru,
            VolatileLfu,
            VolatileLrm,
            VolatileRandom,
            VolatileTtl,
        ]
        .into_iter()
        .find(|policy| policy.name() == name)
    }

    /// Whether it counts how often keys are used rather than when.
    pub fn is_lfu(self) -> bool {
        matches!(self, Self::AllKeysLfu | Self::VolatileLfu)
    }
}

/// Who may use something that is off by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Permission {
    /// Nobody.
    #[default]
    No,
    /// Everybody.
    Yes,
    /// Connections from this machine.
    Local,
}

impl Permission {
    /// Whether a connection, from this machine or not, has it.
    pub fn includes(self, is_local: bool) -> bool {
        match self {
            Self::No => false,
            Self::Yes => true,
            Self::Local => is_local,
        }
    }
}

/// The configuration that settings were made of, as CONFIG GET shows it.
///
/// It comes with them, so what a core shows is what is in force there.
pub trait Directives: std::fmt::Debug + Send + Sync {
    /// Names and values of the directives that match any of some patterns.
    fn matching(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)>;
}

/// Nothing is configured.
#[derive(Debug)]
struct NoDirectives;

impl Directives for NoDirectives {
    fn matching(&self, _: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        Vec::new()
    }
}

/// Settings of the commands.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What CONFIG GET shows.
    pub directives: Arc<dyn Directives>,
    /// Number of databases.
    pub databases: u32,
    /// Password of the default user; empty for none.
    pub requirepass: Vec<u8>,
    /// Whether a new user may use all channels.
    pub acl_pubsub_default_all: bool,
    /// Entries of ACL LOG that are kept.
    pub acllog_max_len: usize,
    /// Longest string value, in bytes.
    pub proto_max_bulk_len: usize,
    /// Connections allowed.
    pub maxclients: u64,
    /// Longest sparse HyperLogLog, in bytes.
    pub hll_sparse_max_bytes: usize,
    /// Memory limit in bytes; 0 for none.
    pub maxmemory: u64,
    /// Limit on what all clients together make the server hold, in bytes; 0 for none.
    pub maxmemory_clients_bytes: u64,
    /// What to evict at the limit.
    pub maxmemory_policy: MaxmemoryPolicy,
    /// Keys looked at per key evicted.
    pub maxmemory_samples: usize,
    /// How long a command may evict before it runs, 0 to 100.
    pub maxmemory_eviction_tenacity: u32,
    /// Growth of the LFU counter.
    pub lfu_log_factor: u32,
    /// Minutes after which the LFU counter falls by one.
    pub lfu_decay_minutes: u32,
    /// Calls of the periodic work per second.
    pub hz: u32,
    /// Share of a core that active expiry may take, 1 to 10.
    pub active_expire_effort: u32,
    /// Free evicted values in the background.
    pub lazyfree_lazy_eviction: bool,
    /// Free expired values in the background.
    pub lazyfree_lazy_expire: bool,
    /// Free overwritten and implicitly deleted values in the background.
    pub lazyfree_lazy_server_del: bool,
    /// `DEL` behaves as `UNLINK`.
    pub lazyfree_lazy_user_del: bool,
    /// `FLUSHALL` without a word behaves as `FLUSHALL ASYNC`.
    pub lazyfree_lazy_user_flush: bool,
    /// `appendfsync always`: a reply leaves when what it tells of is on the disk.
    pub replies_wait_for_disk: bool,
    /// How long the journals may be open before that is settled (`core/succession.rs`), in
    /// milliseconds.
    pub settle_interval_ms: u64,
    /// Who may use `DEBUG`.
    pub enable_debug_command: Permission,
    /// Who may use `MODULE LOAD` and its like.
    pub enable_module_command: Permission,
    /// Whether the TCP port answers to local clients only unless a password is set.
    pub protected_mode: bool,
    /// Most fields of a packed hash.
    pub hash_max_listpack_entries: usize,
    /// Longest name or value of a field in a packed hash, in bytes.
    pub hash_max_listpack_value_bytes: usize,
    /// Most entries of a sorted set in packed form.
    pub zset_max_listpack_entries: usize,
    /// Longest member of a sorted set in packed form, in bytes.
    pub zset_max_listpack_value_bytes: usize,
    /// Percentiles INFO latencystats shows.
    pub latency_tracking_percentiles: Vec<f64>,
    /// Whether latencies are recorded per command.
    pub latency_tracking: bool,
    /// From how many microseconds on a command goes into the slow log; none does below zero.
    pub slowlog_log_slower_than_us: i64,
    /// Entries of the slow log that are kept.
    pub slowlog_max_len: usize,
    /// From how many bytes on a request is logged; none is below zero.
    pub large_request_bytes: i64,
    /// Entries of that log that are kept.
    pub large_request_max_len: usize,
    /// From how many bytes on a command is logged for its reply; none is below zero.
    pub large_reply_bytes: i64,
    /// Entries of that log that are kept.
    pub large_reply_max_len: usize,
    /// From how many milliseconds on the latency monitor notes an event; 0 for never.
    pub latency_monitor_threshold_ms: u64,
    /// Size of one run of a list: elements if positive, a class of bytes if negative.
    pub list_max_listpack_size: i32,
    /// Whether strings in payloads and files are compressed.
    pub rdbcompression: bool,
    /// Which readers payloads are written for.
    pub rdb_version: RdbVersion,
    /// Most members of a set that is kept as an intset.
    pub set_max_intset_entries: u64,
    /// Most members of a set that is kept as a listpack.
    pub set_max_listpack_entries: u64,
    /// Longest member of a set that is kept as a listpack, in bytes.
    pub set_max_listpack_value_bytes: u64,
    /// Size of one block of a stream, in bytes; 0 for the greatest possible.
    pub stream_node_max_bytes: usize,
    /// Most entries in one block of a stream; 0 for any number.
    pub stream_node_max_entries: u64,
    /// How many commands users may send.
    pub rate_limits: Arc<RateLimits>,
    /// What the audit log is told; nothing where there is none.
    pub audit_classes: AuditClasses,
    /// Which keyspace events are published.
    pub notify_keyspace_events: EventClasses,
    /// Most keys that are remembered for clients which track what they read; 0 for any number.
    pub tracking_table_max_keys: u64,
    /// How long a script may run before other clients are told that the server is busy, in
    /// milliseconds; 0 for any time.
    pub busy_reply_threshold_ms: u64,
}

impl Settings {
    /// Entries of a log of commands that are kept.
    pub fn log_max_len(&self, kind: LogKind) -> usize {
        match kind {
            LogKind::Slow => self.slowlog_max_len,
            LogKind::LargeRequest => self.large_request_max_len,
            LogKind::LargeReply => self.large_reply_max_len,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            directives: Arc::new(NoDirectives),
            databases: 16,
            requirepass: Vec::new(),
            acl_pubsub_default_all: false,
            acllog_max_len: 128,
            proto_max_bulk_len: 512 << 20,
            maxclients: 10_000,
            hll_sparse_max_bytes: 3000,
            maxmemory: 0,
            maxmemory_clients_bytes: 0,
            maxmemory_policy: MaxmemoryPolicy::NoEviction,
            maxmemory_samples: 5,
            maxmemory_eviction_tenacity: 10,
            lfu_log_factor: 10,
            lfu_decay_minutes: 1,
            hz: 10,
            active_expire_effort: 1,
            lazyfree_lazy_eviction: false,
            lazyfree_lazy_expire: false,
            lazyfree_lazy_server_del: false,
            lazyfree_lazy_user_del: false,
            lazyfree_lazy_user_flush: false,
            replies_wait_for_disk: false,
            settle_interval_ms: SETTLE_INTERVAL_MS,
            enable_debug_command: Permission::No,
            enable_module_command: Permission::No,
            protected_mode: true,
            hash_max_listpack_entries: 512,
            hash_max_listpack_value_bytes: 64,
            zset_max_listpack_entries: 128,
            zset_max_listpack_value_bytes: 64,
            latency_tracking_percentiles: vec![50.0, 99.0, 99.9],
            latency_tracking: true,
            slowlog_log_slower_than_us: 10_000,
            slowlog_max_len: 128,
            large_request_bytes: 1 << 20,
            large_request_max_len: 128,
            large_reply_bytes: 1 << 20,
            large_reply_max_len: 128,
            latency_monitor_threshold_ms: 0,
            list_max_listpack_size: -2,
            rdbcompression: true,
            rdb_version: RdbVersion::default(),
            set_max_intset_entries: 512,
            set_max_listpack_entries: 128,
            set_max_listpack_value_bytes: 64,
            stream_node_max_bytes: 4096,
            stream_node_max_entries: 100,
            rate_limits: Arc::default(),
            audit_classes: AuditClasses::default(),
            notify_keyspace_events: EventClasses::default(),
            tracking_table_max_keys: 1_000_000,
            busy_reply_threshold_ms: 5000,
        }
    }
}
