//! The memory of a server under load, asked for every few milliseconds.
//!
//! A server evicts by `used_memory` without what INFO calls `mem_not_counted_for_evict` (buffers
//! for replicas and for the append-only file), so that is what is held against `maxmemory`.
//!
//! Whoever asks sees only part of it: what lies between two questions goes unseen, and Redis makes
//! room before each command, INFO too. So the server's own record is kept as well
//! (`used_memory_peak`), which Redis brings up to date whenever it has served all that was there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::error::{BenchError, Outcome};
use crate::harness::server::Server;
use crate::resp::client::{Client, info_line};

const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The most memory a server had, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Peak {
    /// By what it answered: without what does not count for eviction.
    pub(super) seen_bytes: u64,
    /// By its own record: all of `used_memory`; 0 where it keeps none.
    pub(super) recorded_bytes: u64,
}

/// The most memory from now until that is over. While the limit has not been reached it is lower
/// than afterwards, so there is no need to wait for that.
///
/// # Errors
/// When the server cannot be asked, or does not tell its memory.
pub(super) fn peak(server: &Server, is_over: &AtomicBool) -> Outcome<Peak> {
    let mut client = server.client()?;
    let mut peak = Peak::default();
    while !is_over.load(Ordering::Relaxed) {
        peak.look(&mut client)?;
        thread::sleep(POLL_INTERVAL);
    }
    peak.look(&mut client)?;
    Ok(peak)
}

impl Peak {
    fn look(&mut self, client: &mut Client) -> Outcome<()> {
        let info = client.call(&["INFO", "memory"])?.text();
        let now = Self::told_by(&info).ok_or_else(|| BenchError::Reply {
            command: "INFO memory".to_owned(),
            text: format!("no used_memory in it: {}", info.trim_end()),
        })?;
        self.seen_bytes = self.seen_bytes.max(now.seen_bytes);
        self.recorded_bytes = self.recorded_bytes.max(now.recorded_bytes);
        Ok(())
    }

    /// All figures come from one answer, lest they belong to different moments.
    fn told_by(info: &str) -> Option<Self> {
        let figure = |name| -> Option<u64> { info_line(info, name)?.trim().parse().ok() };
        // Servers that leave nothing out may leave the line out.
        let uncounted = figure("mem_not_counted_for_evict").unwrap_or(0);
        Some(Self {
            seen_bytes: figure("used_memory")?.saturating_sub(uncounted),
            recorded_bytes: figure("used_memory_peak").unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_count_for_eviction_is_left_out() {
        let info = "# Memory\r\nused_memory:1000\r\nused_memory_rss:9\r\n";
        assert_eq!(Peak::told_by(info), Some(Peak { seen_bytes: 1000, recorded_bytes: 0 }));
        let info = format!("{info}mem_not_counted_for_evict:24\r\nused_memory_peak:1030\r\n");
        assert_eq!(Peak::told_by(&info), Some(Peak { seen_bytes: 976, recorded_bytes: 1030 }));
        assert_eq!(Peak::told_by("# Memory\r\nused_memory_rss:9\r\n"), None);
    }
}
