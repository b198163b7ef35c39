//! INFO persistence: snapshots, the append-only file, and how far a load is.

use std::fmt::Write;

use super::{Report, fields, percent};

impl Report {
    /// Bytes of records that are not in a file of the append-only file yet.
    pub(super) fn append_only_buffer_bytes(&self) -> u64 {
        self.journal_bytes + self.facts.persistence.append_only.unwritten_bytes
    }

    pub(super) fn persistence(&self, text: &mut String) {
        let facts = &self.facts.persistence;
        let ok = |is_ok: bool| if is_ok { "ok" } else { "err" };
        let total = facts.saving_keys_total.max(facts.saving_keys_done);
        fields!(text;
            "loading": u8::from(facts.is_loading),
            "async_loading": 0,
            "current_cow_peak": 0,
            "current_cow_size": 0,
            "current_cow_size_age": 0,
            "current_fork_perc": percent(facts.saving_keys_done, total).trim_end_matches('%'),
            "current_save_keys_processed": facts.saving_keys_done,
            "current_save_keys_total": total,
            "rdb_changes_since_last_save": self.keyspace_stats.changes - facts.changes_saved,
            "rdb_bgsave_in_progress": u8::from(facts.is_saving),
            "rdb_last_save_time": facts.last_save_unix_seconds,
            "rdb_last_bgsave_status": ok(facts.was_last_save_ok),
            "rdb_last_bgsave_time_sec": facts.last_save_took_seconds,
            "rdb_current_bgsave_time_sec": facts.saving_for_seconds,
            "rdb_saves": facts.saves,
            "rdb_last_cow_size": 0,
            "rdb_last_load_keys_expired": facts.loaded_keys_expired,
            "rdb_last_load_keys_loaded": facts.loaded_keys,
        );
        self.append_only_file(text);
        if facts.is_loading {
            self.loading(text);
        }
    }

    fn loading(&self, text: &mut String) {
        let facts = &self.facts.persistence;
        let (done, total) = (facts.loading_done_bytes, facts.loading_total_bytes);
        let spent = (self.now_us / 1_000_000 - facts.loading_since_unix_seconds).max(1);
        let left = total.saturating_sub(done) as i64;
        let eta = if done == 0 { 1 } else { spent.saturating_mul(left) / done as i64 };
        fields!(text;
            "loading_start_time": facts.loading_since_unix_seconds,
            "loading_total_bytes": total,
            "loading_rdb_used_mem": facts.loading_used_memory_bytes,
            "loading_loaded_bytes": done,
            "loading_loaded_perc": percent(done, total).trim_end_matches('%'),
            "loading_eta_seconds": eta,
        );
    }

    fn append_only_file(&self, text: &mut String) {
        let facts = &self.facts.persistence.append_only;
        let ok = |is_ok: bool| if is_ok { "ok" } else { "err" };
        fields!(text;
            "aof_enabled": u8::from(facts.is_enabled),
            "aof_rewrite_in_progress": u8::from(facts.is_rewriting),
            "aof_rewrite_scheduled": u8::from(facts.is_rewrite_scheduled),
            "aof_last_rewrite_time_sec": facts.last_rewrite_took_seconds,
            "aof_current_rewrite_time_sec": facts.rewriting_for_seconds,
            "aof_last_bgrewrite_status": ok(facts.was_last_rewrite_ok),
            "aof_rewrites": facts.rewrites,
            "aof_rewrites_consecutive_failures": facts.rewrite_failures,
            "aof_last_write_status": ok(facts.was_last_write_ok),
            "aof_last_cow_size": 0,
            "module_fork_in_progress": 0,
            "module_fork_last_cow_size": 0,
        );
        if facts.is_enabled {
            fields!(text;
                "aof_current_size": facts.current_bytes,
                "aof_base_size": facts.base_bytes,
                "aof_pending_rewrite": u8::from(facts.is_rewrite_scheduled),
                "aof_buffer_length": self.append_only_buffer_bytes(),
                "aof_pending_bio_fsync": facts.pending_syncs,
                "aof_delayed_fsync": facts.delayed_syncs,
            );
        }
    }
}
