//! How far a load has come: counted by whoever puts keys into stores, there for whoever asks
//! meanwhile, and told every few seconds.
//!
//! Bytes of an RDB file count when their keys are in their store, not when they are read; those of
//! commands when they are read, which is moments before they run.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::aof::manifest::FileKind;
use crate::load::LoadCounts;

/// How often it is told that a load goes on.
const PERIOD: Duration = Duration::from_secs(5);

/// Something to tell the log.
#[derive(Debug)]
pub enum LoadEvent<'a> {
    /// The file says this about itself.
    Aux {
        /// What it is called.
        name: &'a [u8],
        /// What it is.
        value: &'a [u8],
    },
    /// A file of the append-only file is loaded.
    Loaded {
        /// Which part it is.
        kind: FileKind,
        /// Its name.
        name: &'a str,
        /// How long that took.
        seconds: f64,
    },
    /// The load goes on.
    Going(Going),
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Going {
    /// Bytes that are done.
    pub bytes: u64,
    /// Bytes of all files.
    pub total_bytes: u64,
    /// Keys of RDB files that are there.
    pub keys: u64,
    /// How long it has taken.
    pub seconds: f64,
}

impl fmt::Display for Going {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, total_bytes, keys, seconds } = *self;
        let share = bytes as f64 / total_bytes.max(1) as f64;
        let percent = (share * 100.0).min(100.0);
        write!(
            out,
            "Loading DB in memory: {percent:.1}% ({bytes} of {total_bytes} bytes), keys loaded: \
             {keys}, {seconds:.1} seconds"
        )?;
        if share > 0.0 {
            let rest_seconds = (seconds / share - seconds).max(0.0);
            write!(out, ", about {rest_seconds:.0} seconds left")?;
        }
        Ok(())
    }
}

type Teller = Box<dyn Fn(LoadEvent<'_>) + Send + Sync>;

/// Counts of a load.
pub struct LoadProgress {
    total_bytes: AtomicU64,
    bytes: AtomicU64,
    loaded: AtomicU64,
    expired: AtomicU64,
    /// Memory the data took where the file was written.
    used_memory_bytes: AtomicU64,
    /// What times count from.
    origin: Instant,
    begun_ms: AtomicU64,
    next_told_ms: AtomicU64,
    period: Duration,
    teller: Option<Teller>,
}

impl Default for LoadProgress {
    /// Nobody is told.
    fn default() -> Self {
        Self {
            total_bytes: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            loaded: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            used_memory_bytes: AtomicU64::new(0),
            origin: Instant::now(),
            begun_ms: AtomicU64::new(0),
            next_told_ms: AtomicU64::new(0),
            period: PERIOD,
            teller: None,
        }
    }
}

impl fmt::Debug for LoadProgress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("LoadProgress").field("going", &self.going()).finish_non_exhaustive()
    }
}

impl LoadProgress {
    /// Tells `teller` what there is to tell.
    pub fn telling(teller: impl Fn(LoadEvent<'_>) + Send + Sync + 'static) -> Self {
        Self { teller: Some(Box::new(teller)), ..Self::default() }
    }

    /// A load of so many bytes begins.
    pub fn begin(&self, total_bytes: u64) {
        self.total_bytes.store(total_bytes, Relaxed);
        self.used_memory_bytes.store(0, Relaxed);
        self.rewind(0);
        let now_ms = self.now_ms();
        self.begun_ms.store(now_ms, Relaxed);
        self.next_told_ms.store(now_ms + self.period.as_millis() as u64, Relaxed);
    }

    /// What follows the first so many bytes is loaded once more.
    pub fn rewind(&self, bytes: u64) {
        self.bytes.store(bytes, Relaxed);
        self.loaded.store(0, Relaxed);
        self.expired.store(0, Relaxed);
    }

    /// So many bytes more are done, and what was in them is there.
    pub fn note(&self, counts: LoadCounts, bytes: u64) {
        self.bytes.fetch_add(bytes, Relaxed);
        self.loaded.fetch_add(counts.loaded, Relaxed);
        self.expired.fetch_add(counts.expired, Relaxed);
        self.tell_if_due();
    }

    /// Everything up to here is done, what stands between the keys as well.
    pub fn settle(&self, bytes: u64) {
        self.bytes.store(bytes, Relaxed);
    }

    /// The file says this about itself.
    pub fn note_aux(&self, name: &[u8], value: &[u8]) {
        let number = || std::str::from_utf8(value).ok()?.parse().ok();
        if name == b"used-mem"
            && let Some(bytes) = number()
        {
            self.used_memory_bytes.store(bytes, Relaxed);
        }
        self.tell(LoadEvent::Aux { name, value });
    }

    /// Tells something.
    pub fn tell(&self, event: LoadEvent<'_>) {
        if let Some(teller) = &self.teller {
            teller(event);
        }
    }

    fn now_ms(&self) -> u64 {
        self.origin.elapsed().as_millis() as u64
    }

    /// Tells how far it is, if that was long ago. One of those who load does so.
    fn tell_if_due(&self) {
        let (now_ms, due_ms) = (self.now_ms(), self.next_told_ms.load(Relaxed));
        let next_ms = now_ms + self.period.as_millis() as u64;
        if self.teller.is_some()
            && now_ms >= due_ms
            && self.next_told_ms.compare_exchange(due_ms, next_ms, Relaxed, Relaxed).is_ok()
        {
            self.tell(LoadEvent::Going(self.going()));
        }
    }

    /// How far it is.
    pub fn going(&self) -> Going {
        let passed_ms = self.now_ms().saturating_sub(self.begun_ms.load(Relaxed));
        Going {
            bytes: self.bytes.load(Relaxed),
            total_bytes: self.total_bytes.load(Relaxed),
            keys: self.loaded.load(Relaxed),
            seconds: passed_ms as f64 / 1000.0,
        }
    }

    /// Keys whose time had come.
    pub fn expired(&self) -> u64 {
        self.expired.load(Relaxed)
    }

    /// Memory the data took where the file was written, if it says so.
    pub fn used_memory_bytes(&self) -> u64 {
        self.used_memory_bytes.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn it_is_told_once_a_period_how_far_a_load_is() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&lines);
        let teller = move |event: LoadEvent<'_>| {
            if let LoadEvent::Going(going) = event {
                told.lock().expect("nobody panics").push((going.bytes, going.keys));
            }
        };
        let mut progress = LoadProgress::telling(teller);
        progress.period = Duration::from_secs(3600);
        progress.begin(100);
        let counts = LoadCounts { loaded: 3, ..LoadCounts::default() };
        progress.note(counts, 25);
        assert_eq!(*lines.lock().expect("nobody panics"), [], "it is not time yet");
        progress.period = Duration::ZERO;
        progress.begin(100);
        progress.note(counts, 25);
        progress.note(counts, 25);
        assert_eq!(*lines.lock().expect("nobody panics"), [(25, 3), (50, 6)]);
    }

    #[test]
    fn what_is_left_is_estimated() {
        let going = Going { bytes: 250, total_bytes: 1000, keys: 7, seconds: 3.0 };
        let said = "Loading DB in memory: 25.0% (250 of 1000 bytes), keys loaded: 7, 3.0 seconds, \
                    about 9 seconds left";
        assert_eq!(going.to_string(), said);
    }
}
