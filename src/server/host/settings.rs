//! The part of the settings that cores have.

use std::sync::Arc;

use basalt_persist::aof::segment::SyncPolicy;
use basalt_shard::event::EventClasses;
use basalt_shard::rate_limit::RateLimits;
use basalt_shard::settings::{
    MaxmemoryPolicy, Permission, SETTLE_INTERVAL_MS, Settings as CommandSettings,
};

use crate::config::{Allowed, Config, EvictionPolicy, Settings};

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

fn permission(allowed: Allowed) -> Permission {
    match allowed {
        Allowed::No => Permission::No,
        Allowed::Yes => Permission::Yes,
        Allowed::Local => Permission::Local,
    }
}
