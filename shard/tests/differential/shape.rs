//! What runs differ in: cores, protocol, and the thresholds between the forms of a value.

use basalt_shard::settings::Settings;

use crate::contest::line;
use crate::support::{Request, settings};

/// One kind of run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) core_count: u16,
    pub(crate) protocol: u8,
    pub(crate) thresholds: Thresholds,
}

/// How large a value may grow in its small form.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Thresholds {
    /// As every server is delivered.
    Default,
    /// So small that values change their form all the time.
    Small,
}

impl Shape {
    /// All kinds of runs.
    pub(crate) fn all() -> Vec<Self> {
        let mut shapes = Vec::new();
        for thresholds in [Thresholds::Small, Thresholds::Default] {
            for protocol in [2, 3] {
                for core_count in [1, 2, 8] {
                    shapes.push(Self { core_count, protocol, thresholds });
                }
            }
        }
        shapes
    }

    /// The settings of the cluster.
    pub(crate) fn settings(&self) -> Settings {
        match self.thresholds {
            Thresholds::Default => settings(),
            Thresholds::Small => Settings {
                hash_max_listpack_entries: 6,
                hash_max_listpack_value_bytes: 20,
                zset_max_listpack_entries: 8,
                zset_max_listpack_value_bytes: 20,
                list_max_listpack_size: 4,
                set_max_intset_entries: 5,
                set_max_listpack_entries: 8,
                set_max_listpack_value_bytes: 20,
                stream_node_max_bytes: 300,
                stream_node_max_entries: 3,
                hll_sparse_max_bytes: 100,
                ..settings()
            },
        }
    }

    /// The same for the real server. What an older release does not know, it refuses.
    pub(crate) fn directives(&self) -> Vec<Request> {
        let settings = self.settings();
        [
            ("hash-max-listpack-entries", settings.hash_max_listpack_entries as i64),
            ("hash-max-listpack-value", settings.hash_max_listpack_value_bytes as i64),
            ("zset-max-listpack-entries", settings.zset_max_listpack_entries as i64),
            ("zset-max-listpack-value", settings.zset_max_listpack_value_bytes as i64),
            ("list-max-listpack-size", i64::from(settings.list_max_listpack_size)),
            ("set-max-intset-entries", settings.set_max_intset_entries as i64),
            ("set-max-listpack-entries", settings.set_max_listpack_entries as i64),
            ("set-max-listpack-value", settings.set_max_listpack_value_bytes as i64),
            ("stream-node-max-bytes", settings.stream_node_max_bytes as i64),
            ("stream-node-max-entries", settings.stream_node_max_entries as i64),
            ("hll-sparse-max-bytes", settings.hll_sparse_max_bytes as i64),
        ]
        .map(|(name, value)| line(&format!("config set {name} {value}")))
        .to_vec()
    }
}
