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
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use basalt_persist::aof::load::LoadError;
use basalt_persist::aof::manifest::FileKind;
use basalt_persist::fault::{RdbFault, Reason};
use basalt_persist::load::{self, Batch, Contents, LoadCounts, divide};
use basalt_persist::progress::LoadEvent;
use basalt_persist::reader::RdbReader;
use basalt_shard::core::Core;
use basalt_shard::hash::HashSlot;
use basalt_shard::host::ShutdownOptions;
use basalt_shard::loading::LoadRules;
use basalt_shard::rdb::opcode;
use basalt_shard::replay::ReplayError;
use basalt_shard::scripting::from_file::FileScripts;
use basalt_shard::slot::Slot;
use basalt_shard::store::{DatabaseCount, Store};

use super::aof::NewGeneration;
use super::clock;
use super::host::{CoreHost, command_settings};
use super::persistence::open_file;
use super::process::Process;
use crate::config::Settings;
use crate::{notice, warning};

/// Batches under way to one core.
const BATCHES_MAX: usize = 4;

/// How long a core waits for a batch before it looks after its clients again.
const PATIENCE: Duration = Duration::from_millis(1);

/// One core's end of the way.
pub enum CoreLoading {
    /// Records of a snapshot, to be decoded here.
    Records(RecordLoading),
    /// Slots that come filled, from the append-only file.
    Slots(Receiver<Delivery>),
}

/// What one core gets of an append-only file: its slots, and a new file to write to.
pub struct Delivery {
    slots: Vec<(HashSlot, Box<Slot>)>,
    counts: Vec<(u32, DatabaseCount)>,
    generation: Arc<Mutex<NewGeneration>>,
}

/// One core's end of the way of records.
pub struct RecordLoading {
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
            CoreLoading::Records(RecordLoading {
                batches,
                report: report.clone(),
                counts: LoadCounts::default(),
                next: Instant::now(),
            })
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
    let path = &settings.snapshots.dbfilename;
    if matches!(path.metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let (reader, length) = open_file(path, &settings).map_err(|error| {
        format!("Fatal error loading the DB {}: {error}. Exiting.", path.display())
    })?;
    process.persistence.begin_loading(length);
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
        let mut receiver = ToCores { senders };
        let progress = &process.persistence.progress;
        let contents = divide(&mut reader, core_count, core_of, &mut receiver, progress)?;
        // Cores look for them when the receiver, which goes after this, gives them no more records.
        process.persistence.set_functions(&contents.functions);
        Ok(contents)
    })?;
    Ok(Loading { thread, reports, begun: Instant::now() })
}

struct ToCores {
    senders: Vec<SyncSender<Batch>>,
}

impl load::Receiver for ToCores {
    fn take(&mut self, core: usize, batch: Batch) -> bool {
        self.senders[core].send(batch).is_ok()
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
                let path = settings.snapshots.dbfilename.display();
                warning!("{path}: {fault}. Terminating server after rdb file reading failure.");
                Err(format!("Fatal error loading the DB {path}: {fault}. Exiting."))
            }
        }
    }
}

impl CoreLoading {
    /// Takes what comes, if something comes soon; whether there may be more.
    pub fn step(&mut self, core: &mut Core, process: &Process, settings: &Settings) -> bool {
        match self {
            Self::Records(records) => records.step(core, process, settings),
            Self::Slots(deliveries) => match deliveries.recv_timeout(PATIENCE) {
                Ok(delivery) => {
                    core.store.adopt(delivery.slots, &delivery.counts);
                    if let Err(fault) = adopt_functions(core, process) {
                        warning!("{fault}");
                    }
                    let mut new = delivery.generation.lock().expect("no core panics here");
                    let id = core.id();
                    process.append_only.turn_to(&mut new, id, &mut core.store);
                    false
                }
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => false,
            },
        }
    }
}

impl RecordLoading {
    /// Takes a batch, if one comes soon; whether there may be more.
    fn step(&mut self, core: &mut Core, process: &Process, settings: &Settings) -> bool {
        let early = self.next.saturating_duration_since(Instant::now());
        if !early.is_zero() {
            std::thread::sleep(early.min(PATIENCE));
            return true;
        }
        let batch = match self.batches.recv_timeout(PATIENCE) {
            Ok(batch) => batch,
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => {
                let result = adopt_functions(core, process).map(|()| self.counts);
                // Nobody listens any more when the process is about to end.
                let _ = self.report.send(result);
                return false;
            }
        };
        let rules = LoadRules { skips_expired: true, replaces: false };
        match batch.load_into(&mut core.store, rules) {
            Ok(counts) => {
                self.counts.add(counts);
                process.persistence.progress.note(counts, batch.file_bytes());
                let delay_us = settings.snapshots.key_load_delay_microseconds.max(0) as u64;
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

/// Takes the libraries of functions that came with the data set.
fn adopt_functions(core: &mut Core, process: &Process) -> Result<(), RdbFault> {
    let texts = process.persistence.functions();
    core.adopt_functions(&texts).map_err(|error| RdbFault {
        offset: 0,
        opcode: Some(opcode::FUNCTION),
        key: None,
        reason: Reason::Function(error.text().to_string()),
    })
}

/// What each core takes its part from, and what feeds them.
pub type Ways = (Vec<Option<CoreLoading>>, Source);

/// Where the data set comes from.
pub enum Source {
    /// From nowhere.
    Nothing,
    /// From a snapshot.
    Snapshot(Opened, Batches),
    /// From the append-only file.
    AppendOnly(Vec<SyncSender<Delivery>>),
}

/// Tells the log what a load has to tell, in the words of Redis.
pub(super) fn tell(event: LoadEvent<'_>) {
    match event {
        LoadEvent::Aux { name, value } => tell_aux(name, value),
        LoadEvent::Loaded { kind: FileKind::Base, name, seconds } => {
            notice!("DB loaded from base file {name}: {seconds:.3} seconds");
        }
        LoadEvent::Loaded { name, seconds, .. } => {
            notice!("DB loaded from incr file {name}: {seconds:.3} seconds");
        }
        LoadEvent::Going(going) => notice!("{going}"),
    }
}

/// Tells what a file says about itself.
fn tell_aux(name: &[u8], value: &[u8]) {
    let number = || std::str::from_utf8(value).ok()?.parse::<i64>().ok();
    match (name, number()) {
        (b"redis-ver" | b"valkey-ver", _) => {
            notice!("Loading RDB produced by version {}", value.escape_ascii());
        }
        (b"ctime", Some(made_seconds)) => {
            let age_seconds = (clock::now().unix_seconds() - made_seconds).max(0);
            notice!("RDB age {age_seconds} seconds");
        }
        (b"used-mem", Some(bytes)) => {
            let megabytes = bytes as f64 / f64::from(1 << 20);
            notice!("RDB memory usage when created {megabytes:.2} Mb");
        }
        (b"aof-base", Some(1)) => notice!("RDB is base AOF"),
        _ => {}
    }
}

/// The data set on its way.
pub enum Load {
    /// Nothing is.
    Nothing,
    /// From a snapshot.
    Snapshot(Loading),
    /// From the append-only file.
    AppendOnly(AppendLoading),
}

impl Source {
    /// Finds out where the data set is, and makes the ways to so many cores. With an append-only
    /// file that is the data set, whether there is one yet or not.
    ///
    /// # Errors
    /// When what is there cannot be opened.
    pub fn open(process: &Process, core_count: usize) -> Result<Ways, Box<dyn std::error::Error>> {
        let settings = process.settings();
        if settings.append_only.appendonly {
            let bytes = process.append_only.open(&settings)?;
            process.persistence.begin_loading(bytes);
            let (cores, ways) = deliveries(core_count);
            return Ok((cores, Self::AppendOnly(ways)));
        }
        process.append_only.look(&settings)?;
        let file = open(process)?;
        let (cores, batches) = channels(file.is_some(), core_count);
        Ok((cores, file.map_or(Self::Nothing, |file| Self::Snapshot(file, batches))))
    }

    /// Starts the thread that loads it. `host` is its way to the process.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(self, process: &Arc<Process>, seed: u64, host: CoreHost) -> io::Result<Load> {
        Ok(match self {
            Self::Nothing => Load::Nothing,
            Self::Snapshot(file, batches) => Load::Snapshot(start(process, file, batches)?),
            Self::AppendOnly(ways) => {
                Load::AppendOnly(start_append_only(process, seed, ways, host)?)
            }
        })
    }
}

impl Load {
    /// Waits until all is loaded.
    ///
    /// # Errors
    /// When a file is damaged.
    pub fn wait(self, process: &Process) -> Result<(), String> {
        match self {
            Self::Nothing => Ok(()),
            Self::Snapshot(loading) => loading.wait(process),
            Self::AppendOnly(loading) => loading.wait(),
        }
    }
}

/// The ways of filled slots to so many cores.
fn deliveries(core_count: usize) -> (Vec<Option<CoreLoading>>, Vec<SyncSender<Delivery>>) {
    (0..core_count)
        .map(|_| {
            let (sender, receiver) = sync_channel(1);
            (Some(CoreLoading::Slots(receiver)), sender)
        })
        .unzip()
}

/// An append-only file that is loaded.
pub struct AppendLoading(std::thread::JoinHandle<Result<(), String>>);

/// Starts the thread that loads the append-only file: all of it into one store, whose slots then go
/// to their cores. `seed` is that of the cores.
///
/// # Errors
/// When there can be no thread.
fn start_append_only(
    process: &Arc<Process>,
    seed: u64,
    ways: Vec<SyncSender<Delivery>>,
    host: CoreHost,
) -> io::Result<AppendLoading> {
    let process = Arc::clone(process);
    let work = move || {
        let result = load_append_only(&process, seed, &ways, &host);
        result.or_else(|error| {
            process.stop(ShutdownOptions::default());
            if was_interrupted(&*error) {
                notice!("Loading the append only file was given up.");
                return Ok(());
            }
            Err(format!("Fatal error loading the append only file: {error}. Exiting."))
        })
    };
    Ok(AppendLoading(std::thread::Builder::new().name("load".into()).spawn(work)?))
}

/// Whether a load has ended because the process is to end.
fn was_interrupted(error: &(dyn std::error::Error + 'static)) -> bool {
    let interrupted =
        |error: &LoadError| matches!(error, LoadError::Command(_, ReplayError::Interrupted(_)));
    error.downcast_ref::<LoadError>().is_some_and(interrupted)
}

impl AppendLoading {
    /// Waits until all is loaded.
    ///
    /// # Errors
    /// When the files are damaged.
    pub fn wait(self) -> Result<(), String> {
        self.0.join().expect("loading does not panic")
    }
}

/// Loads the append-only file into an empty store that has all slots, while nothing else runs;
/// returns the texts of the libraries in it. If it cannot be loaded the process ends: what is in
/// memory is not the data.
pub fn append_only_at_once(
    process: &Process,
    store: &mut Store,
    scripts: FileScripts,
) -> Option<Vec<Vec<u8>>> {
    let settings = process.settings();
    // By this thread alone: others would share the processor of its core.
    match process.append_only.load_again(&settings, store, scripts, 1, Arc::default()) {
        Ok(report) => {
            report.warnings.iter().for_each(|line| warning!("{line}"));
            notice!("DB loaded from append only file");
            Some(report.contents.functions)
        }
        Err(error) => {
            warning!("Error loading the append only file: {error}");
            process.stop(ShutdownOptions::default());
            None
        }
    }
}

fn load_append_only(
    process: &Arc<Process>,
    seed: u64,
    ways: &[SyncSender<Delivery>],
    host: &CoreHost,
) -> Result<(), Box<dyn std::error::Error>> {
    let (settings, begun) = (process.settings(), Instant::now());
    let commands = Arc::new(command_settings(&settings));
    let mut store = Store::new(HashSlot::all(), seed, u64::MAX, commands);
    store.set_now(clock::now());
    let progress = Arc::clone(&process.persistence.progress);
    let (scripts, threads) = (host.file_scripts(), ways.len());
    let report = process.append_only.load(&settings, &mut store, scripts, threads, progress)?;
    for line in &report.warnings {
        warning!("{line}");
    }
    if report.failed > 0 {
        warning!("{} commands of the append only file answered with an error.", report.failed);
    }
    process.append_only.start_threads(process, ways.len())?;
    let new = process.append_only.resume(&settings, ways.len())?;
    let generation = Arc::new(Mutex::new(new));
    process.persistence.end_loading_quietly(report.base, &report.contents);
    let mut counts = store.database_counts().to_vec();
    for (core, way) in ways.iter().enumerate() {
        let is_of_core =
            |slot: &HashSlot| slot.index() * ways.len() / usize::from(HashSlot::COUNT) == core;
        let take = |slot| Some((slot, store.take_slot(slot)?));
        let slots = HashSlot::all().filter(is_of_core).filter_map(take).collect();
        let generation = Arc::clone(&generation);
        // Counts are sums over all cores: the first gets them all.
        let delivery = Delivery { slots, counts: std::mem::take(&mut counts), generation };
        if way.send(delivery).is_err() {
            return Ok(());
        }
    }
    // Each core drops its share of the generation once it has turned to it.
    while Arc::strong_count(&generation) > 1 && !process.is_stopping() {
        std::thread::sleep(PATIENCE);
    }
    process.persistence.finish_loading();
    let seconds = begun.elapsed().as_secs_f64();
    notice!("DB loaded from append only file: {seconds:.3} seconds");
    Ok(())
}
