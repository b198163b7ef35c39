//! CPU time and memory of processes and threads, as `/proc` tells them.
//!
//! CPU time comes from `/proc/PID/task/TID/schedstat`, whose first number is nanoseconds on a
//! CPU, user and system together. Kernels built without scheduler statistics show zeros there;
//! then `/proc/PID/stat` is read instead, in ticks of 10 ms. A thread that ended inside a window
//! takes its time with it; servers under test keep their threads.

use std::fs;
use std::io;

/// The kernel reports `stat` in these ticks on every Linux architecture in use.
const NS_PER_TICK: u64 = 10_000_000;

/// CPU time of one process at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProcessCpu {
    total_ns: u64,
    /// Thread identifier and its nanoseconds; empty where the kernel keeps no such statistics.
    threads: Vec<(u32, u64)>,
}

/// CPU time a process spent between two instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CpuSpent {
    /// All threads together.
    pub(crate) total_ns: u64,
    /// The thread that spent most.
    pub(crate) busiest_thread_ns: u64,
}

impl ProcessCpu {
    /// Reads the present figures.
    ///
    /// # Errors
    /// When the process is gone or may not be looked at.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let mut threads = Vec::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let name = entry?.file_name();
            let Some(tid) = name.to_str().and_then(|text| text.parse().ok()) else { continue };
            // A thread may end between the listing and this read.
            if let Ok(thread_ns) = schedstat_ns(&format!("/proc/{pid}/task/{tid}/schedstat")) {
                threads.push((tid, thread_ns));
            }
        }
        let total_ns = threads.iter().map(|(_, thread_ns)| thread_ns).sum();
        if total_ns > 0 {
            return Ok(Self { total_ns, threads });
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let ticks = stat_ticks(&stat).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { total_ns: ticks * NS_PER_TICK, threads: Vec::new() })
    }

    /// What was spent since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> CpuSpent {
        let before = |tid: u32| {
            let same = earlier.threads.iter().find(|(other, _)| *other == tid);
            same.map_or(0, |(_, thread_ns)| *thread_ns)
        };
        let spent = |(tid, now): &(u32, u64)| now.saturating_sub(before(*tid));
        let total_ns = self.total_ns.saturating_sub(earlier.total_ns);
        let busiest_thread_ns = self.threads.iter().map(spent).max().unwrap_or(total_ns);
        CpuSpent { total_ns, busiest_thread_ns }
    }
}

/// Identifier of the calling thread, 0 where `/proc` does not tell.
pub(crate) fn own_thread_id() -> u32 {
    let link = fs::read_link("/proc/thread-self").unwrap_or_default();
    let name = link.file_name().and_then(|name| name.to_str());
    name.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// CPU time of one thread of this process in nanoseconds, 0 where unknown.
pub(crate) fn own_thread_cpu_ns(tid: u32) -> u64 {
    schedstat_ns(&format!("/proc/self/task/{tid}/schedstat")).unwrap_or(0)
}

/// Asks for timers of a microsecond instead of the usual 50, for an open loop that must send on
/// time. Refusal only makes the sends later, which the report shows.
pub(crate) fn sharpen_own_timers() {
    let tid = own_thread_id();
    let _late_sends_are_reported = fs::write(format!("/proc/{tid}/timerslack_ns"), "1000");
}

/// Resident memory of a process in bytes.
///
/// # Errors
/// When the process is gone or may not be looked at.
pub(crate) fn resident_bytes(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    resident_bytes_in(&status).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn resident_bytes_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

fn schedstat_ns(path: &str) -> io::Result<u64> {
    let text = fs::read_to_string(path)?;
    let first = text.split_whitespace().next().and_then(|word| word.parse().ok());
    first.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// User and system ticks are words 14 and 15; the name in word 2 may hold blanks and brackets,
/// so counting starts behind its last closing bracket.
fn stat_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_whitespace().skip(11);
    let user: u64 = words.next()?.parse().ok()?;
    let system: u64 = words.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_survives_names_with_brackets() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 9 9";
        assert_eq!(stat_ticks(stat), Some(300));
        assert_eq!(stat_ticks("7 (short) S 1"), None);
    }

    #[test]
    fn resident_memory_is_found() {
        assert_eq!(resident_bytes_in("Name:\tx\nVmRSS:\t    12 kB\n"), Some(12 * 1024));
        assert_eq!(resident_bytes_in("Name:\tx\n"), None);
        assert!(resident_bytes(std::process::id()).expect("own memory") > 4096);
    }

    #[test]
    fn own_work_is_seen() {
        let pid = std::process::id();
        let before = ProcessCpu::of(pid).expect("own CPU time");
        let mut sum = 0_u64;
        let mut after = before.clone();
        // Ticks of 10 ms may be the only clock, so work until the figure moves.
        while after.since(&before).total_ns == 0 {
            sum = (0..100_000).fold(sum, |sum, term| std::hint::black_box(sum ^ term));
            after = ProcessCpu::of(pid).expect("own CPU time");
        }
        let spent = after.since(&before);
        assert!(spent.busiest_thread_ns <= spent.total_ns);
        assert!(own_thread_id() > 0);
    }

    #[test]
    fn the_busiest_thread_is_the_one_that_moved() {
        let at =
            |total_ns, threads: &[(u32, u64)]| ProcessCpu { total_ns, threads: threads.into() };
        let spent = at(100, &[(1, 40), (2, 35), (3, 25)]).since(&at(50, &[(1, 40), (2, 10)]));
        assert_eq!(spent, CpuSpent { total_ns: 50, busiest_thread_ns: 25 });
    }
}
