//! Facts about the process.

use std::sync::atomic::Ordering;

use basalt_shard::host::{PersistenceFacts, ProcessFacts};

use crate::server::process::Process;
use crate::server::{clock, listening};
use crate::{banner, memory};

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

/// The certificates INFO tells of, with their numbers and ends.
fn tls_certificates(process: &Process) -> [Option<(String, i64)>; 2] {
    let Some(server) = process.tls.server() else { return [None, None] };
    [&server.certificate, &server.authority].map(|facts| {
        let facts = facts.as_ref()?;
        Some((facts.serial.clone(), facts.expires_unix_seconds))
    })
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
