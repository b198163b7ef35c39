//! CPU time and memory of processes and threads, as `/proc` tells them.
//!
//! CPU time comes from `/proc/PID/task/TID/schedstat`: nanoseconds on a CPU, user and system
//! together, then nanoseconds ready to run but waiting for a CPU that others held. The second
//! figure tells a server that had nothing to do from one that was kept from doing it. Kernels
//! built without scheduler statistics show zeros there; then `/proc/PID/stat` is read instead, in
//! ticks of 10 ms, and waiting is unknown. A thread that ended inside a window takes its time with
//! it; servers under test keep their threads.

use std::fs;
use std::io;

/// The kernel reports `stat` in these ticks on every Linux architecture in use.
const NS_PER_TICK: u64 = 10_000_000;

/// What one thread got of the CPUs up to an instant, or within a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ThreadTime {
    /// On a CPU.
    pub(crate) ran_ns: u64,
    /// Ready to run, but waiting for a CPU.
    pub(crate) waited_ns: u64,
}

impl ThreadTime {
    /// What it would have run on a CPU of its own.
    pub(crate) fn wanted_ns(self) -> u64 {
        self.ran_ns + self.waited_ns
    }

    /// What was added since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            ran_ns: self.ran_ns.saturating_sub(earlier.ran_ns),
            waited_ns: self.waited_ns.saturating_sub(earlier.waited_ns),
        }
    }
}

/// CPU time of one process at one instant, thread by thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProcessCpu {
    threads: Vec<(u32, ThreadTime)>,
}

/// CPU time that several threads got within a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuSpent {
    /// All threads together on a CPU.
    pub(crate) total_ns: u64,
    /// All threads together waiting for one.
    pub(crate) waited_ns: u64,
    /// The thread that ran longest.
    pub(crate) busiest_thread_ns: u64,
    /// The most that a thread ran and would have run.
    pub(crate) busiest_thread_wanted_ns: u64,
}

impl CpuSpent {
    /// Adds threads up.
    pub(crate) fn sum(threads: impl IntoIterator<Item = ThreadTime>) -> Self {
        threads.into_iter().fold(Self::default(), |sum, thread| Self {
            total_ns: sum.total_ns + thread.ran_ns,
            waited_ns: sum.waited_ns + thread.waited_ns,
            busiest_thread_ns: sum.busiest_thread_ns.max(thread.ran_ns),
            busiest_thread_wanted_ns: sum.busiest_thread_wanted_ns.max(thread.wanted_ns()),
        })
    }
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
            if let Ok(time) = schedstat(&format!("/proc/{pid}/task/{tid}/schedstat")) {
                threads.push((tid, time));
            }
        }
        if threads.iter().any(|(_, time)| time.ran_ns > 0) {
            return Ok(Self { threads });
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let ticks = stat_ticks(&stat).ok_or(io::ErrorKind::InvalidData)?;
        let all = ThreadTime { ran_ns: ticks * NS_PER_TICK, waited_ns: 0 };
        Ok(Self { threads: vec![(pid, all)] })
    }

    /// What was spent since `earlier`. O(threads squared), and servers have few.
    pub(crate) fn since(&self, earlier: &Self) -> CpuSpent {
        let before = |tid: u32| {
            let same = earlier.threads.iter().find(|(other, _)| *other == tid);
            same.map_or_else(ThreadTime::default, |(_, time)| *time)
        };
        CpuSpent::sum(self.threads.iter().map(|(tid, time)| time.since(before(*tid))))
    }
}

/// Identifier of the calling thread, 0 where `/proc` does not tell.
pub(crate) fn own_thread_id() -> u32 {
    let link = fs::read_link("/proc/thread-self").unwrap_or_default();
    let name = link.file_name().and_then(|name| name.to_str());
    name.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// What one thread of this process got so far; zero where unknown.
pub(crate) fn own_thread_time(tid: u32) -> ThreadTime {
    schedstat(&format!("/proc/self/task/{tid}/schedstat")).unwrap_or_default()
}

/// Asks for timers of a microsecond instead of the usual 50, for an open loop that must send on
/// time. Refusal only makes the sends later, which the report shows.
pub(crate) fn sharpen_own_timers() {
    let tid = own_thread_id();
    let _late_sends_are_reported = fs::write(format!("/proc/{tid}/timerslack_ns"), "1000");
}

/// CPU time of a process so far, that of threads which have ended included, in steps of 10 ms.
///
/// # Errors
/// When the process is gone or may not be looked at.
pub(crate) fn total_cpu_ns(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = stat_ticks(&stat).ok_or(io::ErrorKind::InvalidData)?;
    Ok(ticks * NS_PER_TICK)
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

fn schedstat(path: &str) -> io::Result<ThreadTime> {
    parse_schedstat(&fs::read_to_string(path)?).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn parse_schedstat(text: &str) -> Option<ThreadTime> {
    let mut words = text.split_whitespace();
    let ran_ns = words.next()?.parse().ok()?;
    let waited_ns = words.next()?.parse().ok()?;
    Some(ThreadTime { ran_ns, waited_ns })
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
    fn schedstat_has_two_times() {
        let time = parse_schedstat("602773 41 2\n").expect("a line of the kernel");
        assert_eq!((time.ran_ns, time.waited_ns, time.wanted_ns()), (602_773, 41, 602_814));
        assert_eq!(parse_schedstat("7"), None);
    }

    #[test]
    fn the_busiest_thread_is_the_one_that_moved() {
        let at = |threads: &[(u32, u64, u64)]| ProcessCpu {
            threads: threads
                .iter()
                .map(|(tid, ran_ns, waited_ns)| {
                    (*tid, ThreadTime { ran_ns: *ran_ns, waited_ns: *waited_ns })
                })
                .collect(),
        };
        let before = at(&[(1, 40, 5), (2, 10, 0)]);
        let spent = at(&[(1, 40, 35), (2, 35, 3), (3, 20, 9)]).since(&before);
        let expected = CpuSpent {
            total_ns: 45,
            waited_ns: 42,
            busiest_thread_ns: 25,
            busiest_thread_wanted_ns: 30,
        };
        assert_eq!(spent, expected);
    }
}
