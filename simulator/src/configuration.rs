//! The configuration of a simulated process: the directives tests change, kept as the settings they
//! come to.

use std::sync::{Arc, Mutex, MutexGuard};

use basalt_shard::error::CommandError;
use basalt_shard::settings::{Directives, MaxmemoryPolicy, Settings};

/// What all cores of a process have in common.
#[derive(Clone)]
pub struct Configuration(Arc<Mutex<Settings>>);

impl Configuration {
    /// One that starts as `settings`.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Mutex::new(settings)))
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.0.lock().expect("nobody panics with the configuration")
    }

    /// CONFIG SET, of pairs of names and values: all of them or none.
    ///
    /// # Errors
    /// When a directive is not among those that can be set here, or does not take its value.
    pub fn set(&self, pairs: &[(&[u8], &[u8])]) -> Result<Arc<Settings>, CommandError> {
        let mut new = self.settings().clone();
        for (name, value) in pairs {
            let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
            apply(&mut new, &name, &value)?;
        }
        new.directives = Arc::new(Shown {
            set_max_intset_entries: new.set_max_intset_entries.to_string(),
            hash_max_listpack_entries: new.hash_max_listpack_entries.to_string(),
            zset_max_listpack_entries: new.zset_max_listpack_entries.to_string(),
        });
        *self.settings() = new.clone();
        Ok(Arc::new(new))
    }
}

/// What CONFIG GET shows, by name.
#[derive(Debug)]
struct Shown {
    set_max_intset_entries: String,
    hash_max_listpack_entries: String,
    zset_max_listpack_entries: String,
}

impl Directives for Shown {
    fn matching(&self, names: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let value = |name: &&[u8]| match *name {
            b"set-max-intset-entries" => Some(&self.set_max_intset_entries),
            b"hash-max-listpack-entries" => Some(&self.hash_max_listpack_entries),
            b"zset-max-listpack-entries" => Some(&self.zset_max_listpack_entries),
            _ => None,
        };
        let found = names.iter().filter_map(|name| Some((name.to_vec(), value(name)?)));
        found.map(|(name, value)| (name, value.as_bytes().to_vec())).collect()
    }
}

fn apply(settings: &mut Settings, name: &str, value: &str) -> Result<(), CommandError> {
    let refusal = || CommandError::worded(format!("ERR cannot set {name} to {value}"));
    let number = value.parse::<u64>().map_err(|_| refusal());
    match name {
        "requirepass" => settings.requirepass = value.as_bytes().to_vec(),
        "slowlog-max-len" => settings.slowlog_max_len = number? as usize,
        "slowlog-log-slower-than" => {
            settings.slowlog_log_slower_than_us = value.parse().map_err(|_| refusal())?;
        }
        "latency-monitor-threshold" => settings.latency_monitor_threshold_ms = number?,
        "acllog-max-len" => settings.acllog_max_len = number? as usize,
        "maxmemory" => settings.maxmemory = number?,
        "proto-max-bulk-len" => settings.proto_max_bulk_len = number? as usize,
        "set-max-intset-entries" => settings.set_max_intset_entries = number?,
        "hash-max-listpack-entries" => settings.hash_max_listpack_entries = number? as usize,
        "zset-max-listpack-entries" => settings.zset_max_listpack_entries = number? as usize,
        "maxmemory-policy" => {
            settings.maxmemory_policy = MaxmemoryPolicy::from_name(value).ok_or_else(refusal)?;
        }
        _ => return Err(refusal()),
    }
    Ok(())
}
