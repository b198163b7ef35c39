//! The data set at the start: from the file to the cores, while clients are told to wait.
//!
//! ```text
//! thread "load": finds records --> a few batches per core --> each core decodes its own
//! ```
//!
//! Cores serve from the first moment on, but answer LOADING to whatever needs the data. A file that
//! is damaged ends the process: to go on with half of the data would be to lose the other half at
//! the next snapshot.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use basalt_persist::fault::RdbFault;
use basalt_persist::load::{self, Batch, Contents, LoadCounts, divide};
use basalt_persist::reader::RdbReader;
use basalt_shard::hash::HashSlot;
use basalt_shard::loading::LoadRules;
use basalt_shard::store::Store;

use super::persistence::open_file;
use super::process::Process;
use crate::config::Settings;
use crate::{notice, warning};

/// Batches under way to one core.
const BATCHES_MAX: usize = 4;

/// How long a core waits for a batch before it looks after its clients again.
const PATIENCE: Duration = Duration::from_millis(1);

/// One core's end of the way.
pub struct CoreLoading {
    batches: Receiver<Batch>,
    report: Sender<Result<LoadCounts, RdbFault>>,
    counts: LoadCounts,
    /// When the next batch is taken (`key-load-delay`).
    next: Instant,
}

/// The other end.
pub struct Batches {
    senders: Vec<SyncSender<Batch>>,
    reports: Receiver<Result<LoadCounts, RdbFault>>,
}

/// The way of batches to so many cores, if there is a file.
pub fn channels(is_wanted: bool, core_count: usize) -> (Vec<Option<CoreLoading>>, Batches) {
    let (report, reports) = channel();
    let mut senders = Vec::new();
    let cores = (0..core_count).map(|_| {
        is_wanted.then(|| {
            let (sender, batches) = sync_channel(BATCHES_MAX);
            senders.push(sender);
            CoreLoading {
                batches,
                report: report.clone(),
                counts: LoadCounts::default(),
                next: Instant::now(),
            }
        })
    });
    let cores = cores.collect();
    (cores, Batches { senders, reports })
}

/// A file that is about to be loaded.
pub struct Opened {
    reader: RdbReader<File>,
}

/// Opens the file of the data set, if there is one.
///
/// # Errors
/// When it cannot be opened, or is no RDB file of a known version.
pub fn open(process: &Process) -> Result<Option<Opened>, Box<dyn std::error::Error>> {
    let settings = process.settings();
    let path = &settings.dbfilename;
    if matches!(path.metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let (reader, length) = open_file(path, &settings).map_err(|error| {
        format!("Fatal error loading the DB {}: {error}. Exiting.", path.display())
    })?;
    process.persistence.begin_loading(length);
    notice!("Loading RDB of format version {}", reader.version());
    Ok(Some(Opened { reader }))
}

/// A load under way.
pub struct Loading {
    thread: std::thread::JoinHandle<Result<Contents, RdbFault>>,
    reports: Receiver<Result<LoadCounts, RdbFault>>,
    begun: Instant,
}

/// Starts the thread that reads.
///
/// # Errors
/// When there can be no thread.
pub fn start(process: &Arc<Process>, file: Opened, batches: Batches) -> io::Result<Loading> {
    let Batches { senders, reports } = batches;
    let process = Arc::clone(process);
    let thread = std::thread::Builder::new().name("load".into()).spawn(move || {
        let mut reader = file.reader;
        let core_count = senders.len();
        // As cores divide the slots at the start; no slot moves while the data set is loaded.
        let core_of = |slot: HashSlot| slot.index() * core_count / usize::from(HashSlot::COUNT);
        let mut receiver = ToCores { senders, process };
        divide(&mut reader, core_count, core_of, &mut receiver)
    })?;
    Ok(Loading { thread, reports, begun: Instant::now() })
}

struct ToCores {
    senders: Vec<SyncSender<Batch>>,
    process: Arc<Process>,
}

impl load::Receiver for ToCores {
    fn take(&mut self, core: usize, batch: Batch) -> bool {
        self.senders[core].send(batch).is_ok()
    }

    fn progress(&mut self, offset: u64) {
        self.process.persistence.loading_done_bytes.store(offset, Ordering::Relaxed);
    }
}

impl Loading {
    /// Waits until all is loaded.
    ///
    /// # Errors
    /// When the file is damaged, or holds what cannot be taken.
    pub fn wait(self, process: &Process) -> Result<(), String> {
        let contents = self.thread.join().expect("reading does not panic");
        let mut counts = LoadCounts::default();
        let mut result = Ok(());
        // Each core reports once, and ends by itself when there are no batches any more.
        for report in self.reports {
            match report {
                Ok(part) => counts.add(part),
                Err(fault) => result = result.and(Err(fault)),
            }
        }
        if process.is_stopping() {
            return Ok(());
        }
        match contents.and_then(|contents| result.map(|()| contents)) {
            Ok(contents) => {
                process.persistence.end_loading(counts, &contents);
                notice!("DB loaded from disk: {:.3} seconds", self.begun.elapsed().as_secs_f64());
                Ok(())
            }
            Err(fault) => {
                let settings = process.settings();
                let path = settings.dbfilename.display();
                warning!("{path}: {fault}. Terminating server after rdb file reading failure.");
                Err(format!("Fatal error loading the DB {path}: {fault}. Exiting."))
            }
        }
    }
}

impl CoreLoading {
    /// Takes a batch, if one comes soon; whether there may be more.
    pub fn step(&mut self, store: &mut Store, settings: &Settings) -> bool {
        let early = self.next.saturating_duration_since(Instant::now());
        if !early.is_zero() {
            std::thread::sleep(early.min(PATIENCE));
            return true;
        }
        let batch = match self.batches.recv_timeout(PATIENCE) {
            Ok(batch) => batch,
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => {
                // Nobody listens any more when the process is about to end.
                let _ = self.report.send(Ok(self.counts));
                return false;
            }
        };
        let rules = LoadRules { skips_expired: true, replaces: false };
        match batch.load_into(store, rules) {
            Ok(counts) => {
                self.counts.add(counts);
                let delay_us = settings.key_load_delay_microseconds.max(0) as u64;
                self.next = Instant::now() + Duration::from_micros(delay_us * counts.loaded);
                true
            }
            Err(fault) => {
                let _ = self.report.send(Err(fault));
                false
            }
        }
    }
}
