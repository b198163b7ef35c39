//! INFO memory: what is taken, by what, and what of it lies idle.

use std::fmt::Write;

use super::{Report, fields, human, percent, ratio};

impl Report {
    pub(super) fn memory(&self, text: &mut String) {
        let facts = &self.facts;
        let used = self.used_bytes;
        let peak = facts.peak_used_bytes.max(used);
        let startup = facts.startup_used_bytes;
        let overhead = startup + self.table_bytes as u64 + self.client_bytes as u64;
        let dataset = used.saturating_sub(overhead);
        fields!(text;
            "used_memory": used,
            "used_memory_human": human(used),
            "used_memory_rss": facts.resident_bytes,
            "used_memory_rss_human": human(facts.resident_bytes),
            "used_memory_peak": peak,
            "used_memory_peak_human": human(peak),
            "used_memory_peak_time": facts.peak_unix_seconds,
            "used_memory_peak_perc": percent(used, peak),
            "used_memory_overhead": overhead.min(used),
            "used_memory_startup": startup,
            "used_memory_dataset": dataset,
            "used_memory_dataset_perc": percent(dataset, used.saturating_sub(startup)),
            "allocator_allocated": facts.allocated_bytes,
            "allocator_active": facts.active_bytes,
            "allocator_resident": facts.allocator_resident_bytes,
            "allocator_muzzy": 0,
            "total_system_memory": facts.total_system_bytes,
            "total_system_memory_human": human(facts.total_system_bytes),
        );
        self.scripting_memory(text);
        fields!(text;
            "maxmemory": self.settings.maxmemory,
            "maxmemory_human": human(self.settings.maxmemory),
            "maxmemory_policy": self.settings.maxmemory_policy.name(),
        );
        self.fragmentation(text);
    }

    fn scripting_memory(&self, text: &mut String) {
        let (eval, functions) = (self.machine_bytes.0 as u64, self.machine_bytes.1 as u64);
        let library_bytes = self.libraries.bytes() as u64;
        let script_bytes = self.scripts.bytes as u64;
        fields!(text;
            "used_memory_lua": eval,
            "used_memory_vm_eval": eval,
            "used_memory_lua_human": human(eval),
            "used_memory_scripts_eval": script_bytes,
            "number_of_cached_scripts": self.scripts.count,
            "number_of_functions": self.libraries.function_count(),
            "number_of_libraries": self.libraries.iter().len(),
            "used_memory_vm_functions": functions,
            "used_memory_vm_total": eval + functions,
            "used_memory_vm_total_human": human(eval + functions),
            "used_memory_functions": library_bytes,
            "used_memory_scripts": script_bytes + library_bytes,
            "used_memory_scripts_human": human(script_bytes + library_bytes),
        );
    }

    fn fragmentation(&self, text: &mut String) {
        let facts = &self.facts;
        let (allocated, active) = (facts.allocated_bytes, facts.active_bytes);
        let used = self.used_bytes;
        let (resident, rss) = (facts.allocator_resident_bytes, facts.resident_bytes);
        fields!(text;
            "allocator_frag_ratio": ratio(active, allocated),
            "allocator_frag_bytes": active.saturating_sub(allocated),
            "allocator_rss_ratio": ratio(resident, active),
            "allocator_rss_bytes": resident as i64 - active as i64,
            "rss_overhead_ratio": ratio(rss, resident),
            "rss_overhead_bytes": rss as i64 - resident as i64,
            "mem_fragmentation_ratio": ratio(rss, used),
            "mem_fragmentation_bytes": rss as i64 - used as i64,
            "mem_not_counted_for_evict": 0,
            "mem_replication_backlog": 0,
            "mem_total_replication_buffers": 0,
            "mem_clients_slaves": 0,
            "mem_clients_normal": self.client_bytes,
            "mem_cluster_links": 0,
            "mem_aof_buffer": self.append_only_buffer_bytes(),
            "mem_allocator": "jemalloc-5.3.1",
            "mem_overhead_db_hashtable_rehashing": 0,
            "active_defrag_running": self.defragmentation_percent,
            "lazyfree_pending_objects": facts.garbage_count,
            "lazyfreed_objects": self.keyspace_stats.lazy_freed,
        );
    }
}
