//! The files of a simulated server: segments of the append-only file, their rewrite, snapshots, and
//! what comes back after a power cut.
//!
//! The parts are those of the server (`SegmentWriter`, `Generation`, `Held`, `Manifest`, the walk
//! of a snapshot, and recovery), and the disk is the one its own tests use. What the server does on
//! threads happens here when the scheduler says so: a core's writer does a bit of work
//! ([`Files::work`]) at any moment between two steps of any core.
//!
//! A life ends with a failure of the power: at some moment, or within the next operations on the
//! disk. What that leaves is a disk of its own, while the one here goes on as if nothing had
//! happened: the cluster runs on to its end, so that the order of what was going on is known.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use basalt_persist::aof::commit::Generation;
use basalt_persist::aof::load::{self, LoadOptions, Location};
use basalt_persist::aof::manifest::{BaseForm, FileEntry, Manifest};
use basalt_persist::aof::segment::SyncPolicy;
use basalt_persist::aof::writer::SegmentWriter;
use basalt_persist::disk::{Disk, DiskFile};
use basalt_persist::load::load_all;
use basalt_persist::memory_disk::{Draw, MemoryDisk, Operation};
use basalt_persist::output::{FileOutput, Output};
use basalt_persist::progress::LoadProgress;
use basalt_persist::reader::{ChecksumUse, RdbReader};
use basalt_shard::core::CoreId;
use basalt_shard::error::CommandError;
use basalt_shard::hash::HashSlot;
use basalt_shard::host::{Cut, RewriteTarget, SnapshotTarget};
use basalt_shard::loading::LoadRules;
use basalt_shard::settings::Settings;
use basalt_shard::store::Store;

use crate::snapshots::Collection;

/// Where the files are, and what their names begin with.
const DIRECTORY: &str = "appendonlydir";
const PREFIX: &str = "appendonly.aof";

/// What fails of a disk, and how.
const FAILING: [Operation; 6] = [
    Operation::Append,
    Operation::Sync,
    Operation::Truncate,
    Operation::Create,
    Operation::Rename,
    Operation::SyncDirectory,
];
const ERRORS: [i32; 2] = [ENOSPC, EIO];
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// Kinds of operations that may fail together, and how often each.
const FAULTS_MAX: u32 = 4;

/// Virtual time between two syncs of `everysec`.
const SYNC_INTERVAL_MS: i64 = 1000;

/// Batches that wait for a writer before its core keeps what it tells.
const QUEUE_MAX: usize = 8;

/// What the writer of a core is asked to do.
enum Order {
    Append(Vec<u8>, u64),
    Begin(Box<dyn DiskFile>, Arc<Generation>),
}

struct Writer {
    orders: VecDeque<Order>,
    segments: SegmentWriter,
    last_sync_ms: i64,
    /// What its core tells it to write.
    generation: Option<Arc<Generation>>,
}

/// A snapshot on its way, and what it is for.
struct Running {
    collection: Collection,
    /// The first generation that is kept once it is complete, if it is the base of a rewrite.
    first_kept: Option<u64>,
}

struct State {
    disk: MemoryDisk,
    location: Location,
    policy: SyncPolicy,
    manifest: Manifest,
    writers: Vec<Writer>,
    current: Option<Arc<Generation>>,
    running: Option<Running>,
    next_snapshot: u32,
    /// Snapshots that are complete, as files.
    complete: Vec<Vec<u8>>,
    rewrites: u64,
}

/// The files of a server.
#[derive(Clone)]
pub struct Files(Arc<Mutex<State>>);

/// A generation whose files wait for their cores.
pub struct NewGeneration {
    generation: Arc<Generation>,
    files: Vec<Option<Box<dyn DiskFile>>>,
}

fn location_on(disk: &MemoryDisk) -> Location {
    Location {
        disk: Arc::new(disk.clone()),
        directory: DIRECTORY.into(),
        prefix: PREFIX.to_owned(),
    }
}

/// Makes what comes next on a disk fail, in one of many ways.
pub fn break_disk(disk: &MemoryDisk, random: &mut fastrand::Rng) {
    for _ in 0..random.u32(1..=FAULTS_MAX) {
        // Mostly what is asked for all the time.
        let kind = FAILING[random.usize(..FAILING.len()).min(random.usize(..FAILING.len()))];
        let number = ERRORS[random.usize(..ERRORS.len())];
        disk.fail(kind, number, random.u32(1..=FAULTS_MAX));
    }
}

/// What survives where anything may: nothing, everything and something in between are all likely.
pub fn draw_from(random: &mut fastrand::Rng) -> impl FnMut(usize) -> usize {
    |most| match random.u32(..4) {
        0 => 0,
        1 => most,
        _ => random.usize(..=most),
    }
}

impl Files {
    /// The files of a server of `core_count` cores on `disk`, which may be empty.
    ///
    /// # Errors
    /// When what is there cannot be read.
    pub fn open(disk: MemoryDisk, policy: SyncPolicy, core_count: u16) -> Result<Self, String> {
        let location = location_on(&disk);
        let manifest = load::open(&location).map_err(|error| error.to_string())?;
        let writer = |core| Writer {
            orders: VecDeque::new(),
            segments: SegmentWriter::new(core, policy),
            last_sync_ms: 0,
            generation: None,
        };
        Ok(Self(Arc::new(Mutex::new(State {
            disk,
            location,
            policy,
            manifest,
            writers: (0..usize::from(core_count)).map(writer).collect(),
            current: None,
            running: None,
            next_snapshot: 1,
            complete: Vec::new(),
            rewrites: 0,
        }))))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding the files")
    }

    /// The disk.
    pub fn disk(&self) -> MemoryDisk {
        self.state().disk.clone()
    }

    /// When replies may leave.
    pub fn policy(&self) -> SyncPolicy {
        self.state().policy
    }

    /// Rewrites of the append-only file that were completed.
    pub fn rewrites(&self) -> u64 {
        self.state().rewrites
    }

    /// Begins a generation of files, and names it in the manifest.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn new_generation(&self) -> io::Result<NewGeneration> {
        let mut state = self.state();
        let core_count = state.writers.len();
        let mut manifest = state.manifest.clone();
        let entries = manifest.add_generation(PREFIX, core_count);
        let number = entries[0].sequence;
        let create = |entry: &FileEntry| state.disk.create(&state.location.file(&entry.name));
        let files = entries.iter().map(|entry| create(entry).map(Some));
        let files = files.collect::<io::Result<_>>()?;
        manifest.write(&state.disk, &state.location.manifest())?;
        state.manifest = manifest;
        let generation =
            Arc::new(Generation::new(number, core_count as u16, state.current.clone()));
        Ok(NewGeneration { generation, files })
    }

    /// A core turns to a new generation, at the same moment as all others.
    pub fn turn_to(&self, new: &mut NewGeneration, core: CoreId, store: &mut Store) {
        store.settle_journal();
        self.hand_over(core, store, true);
        let file = new.files[core.index()].take().expect("a core turns to a generation once");
        let mut state = self.state();
        let writer = &mut state.writers[core.index()];
        writer.orders.push_back(Order::Begin(file, Arc::clone(&new.generation)));
        writer.generation = Some(Arc::clone(&new.generation));
        state.current = Some(Arc::clone(&new.generation));
        drop(state);
        store.restart_sequences();
        store.journal_mut().begin(core.index(), Arc::clone(new.generation.board()));
    }

    /// The newest generation.
    pub fn generation(&self) -> Option<Arc<Generation>> {
        self.state().current.clone()
    }

    /// The generation a core writes to.
    pub fn generation_of(&self, core: usize) -> Option<Arc<Generation>> {
        self.state().writers[core].generation.clone()
    }

    /// Hands over what a core has told; not if its writer is busy, unless it `must` go.
    pub fn hand_over(&self, core: CoreId, store: &mut Store, must: bool) {
        let journal = store.journal_mut();
        if !journal.is_on() || !journal.has_text() {
            return;
        }
        let mut state = self.state();
        let writer = &mut state.writers[core.index()];
        if writer.orders.len() < QUEUE_MAX || must {
            let mut bytes = Vec::new();
            journal.take(&mut bytes, None);
            writer.orders.push_back(Order::Append(bytes, journal.items()));
        }
    }

    /// Lets the writer of a core take `order_count` orders at most and bring them to the disk.
    /// Returns the number of the error that keeps any segment from being written.
    pub fn work(&self, core: usize, order_count: usize, now_ms: i64) -> i32 {
        let mut state = self.state();
        state.writers[core].work(order_count, now_ms);
        state.current.as_deref().map_or(0, Generation::error)
    }

    /// Whether a writer has anything to do now: `everysec` waits for its second, and so does a disk
    /// that has failed.
    pub fn has_work(&self, now_ms: i64) -> bool {
        let state = self.state();
        state.writers.iter().any(|writer| writer.has_work(now_ms))
    }

    /// Whether any snapshot is being made.
    pub fn is_saving(&self) -> bool {
        self.state().running.is_some()
    }

    /// Begins a snapshot, to which `first_kept` belongs if it is a base.
    fn begin_snapshot(&self, first_kept: Option<u64>) -> Result<(Collection, u32), CommandError> {
        let mut state = self.state();
        if state.running.is_some() {
            return Err(CommandError::Fixed("ERR Background save already in progress"));
        }
        let collection = Collection::new(state.writers.len());
        state.running = Some(Running { collection: collection.clone(), first_kept });
        state.next_snapshot += 1;
        Ok((collection, state.next_snapshot))
    }

    /// Begins a snapshot in the background.
    ///
    /// # Errors
    /// If one is under way.
    pub fn begin_save(&self) -> Result<Box<dyn SnapshotTarget>, CommandError> {
        let (collection, number) = self.begin_snapshot(None)?;
        Ok(Box::new(collection.target(number)))
    }

    /// Begins a rewrite of the append-only file.
    ///
    /// # Errors
    /// If a snapshot is under way, or the disk fails.
    pub fn begin_rewrite(&self) -> Result<Box<dyn RewriteTarget>, CommandError> {
        if self.state().running.is_some() || self.state().current.is_none() {
            return Err(CommandError::Fixed("ERR Can't execute an AOF background rewriting."));
        }
        let failed = |error| CommandError::worded(format!("ERR {error}"));
        let new = self.new_generation().map_err(failed)?;
        let (collection, number) = self.begin_snapshot(Some(new.generation.number()))?;
        Ok(Box::new(Rewrite { files: self.clone(), new, collection, number }))
    }

    /// Looks whether the snapshot under way is complete, and puts it where it belongs.
    pub fn finish_snapshot(&self) {
        let mut state = self.state();
        let Some(file) = state.running.as_ref().and_then(|run| run.collection.file()) else {
            return;
        };
        let run = state.running.take().expect("it was there above");
        match run.first_kept {
            None => state.complete.push(file),
            // A base that cannot be put in place is given up; the generations before stay.
            Some(first_kept) => {
                if state.put_base(file, first_kept).is_ok() {
                    state.rewrites += 1;
                }
            }
        }
    }

    /// Snapshots that were completed since this was last asked, as files.
    pub fn take_snapshots(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.state().complete)
    }
}

impl State {
    fn put_base(&mut self, file: Vec<u8>, first_kept: u64) -> io::Result<()> {
        let mut manifest = self.manifest.clone();
        let base = manifest.next_base(PREFIX, BaseForm::Rdb);
        let (temporary, target) =
            (self.location.file("temp-rewrite.aof"), self.location.file(&base.name));
        let disk = Arc::clone(&self.location.disk);
        let mut output = Box::new(FileOutput::create(disk, &temporary, &target, true)?);
        output.write(&file)?;
        output.finish()?;
        let gone = manifest.replace_base(base, first_kept);
        manifest.write(&self.disk, &self.location.manifest())?;
        self.manifest = manifest;
        for file in gone {
            // One that stays takes room and nothing else: the manifest does not name it.
            let _ = self.disk.remove(&self.location.file(&file.name));
        }
        Ok(())
    }
}

impl Writer {
    fn is_due(&self, now_ms: i64) -> bool {
        now_ms - self.last_sync_ms >= SYNC_INTERVAL_MS
    }

    fn has_work(&self, now_ms: i64) -> bool {
        !self.orders.is_empty() || self.segments.is_behind(self.is_due(now_ms))
    }

    fn work(&mut self, order_count: usize, now_ms: i64) {
        for _ in 0..order_count {
            match self.orders.pop_front() {
                None => break,
                Some(Order::Append(bytes, items)) => self.segments.append(&bytes, items),
                Some(Order::Begin(file, generation)) => self.segments.begin(file, 0, generation),
            }
        }
        let due = self.is_due(now_ms);
        if due {
            self.last_sync_ms = now_ms;
        }
        self.segments.flush(due);
    }
}

/// A rewrite whose cut is being made.
struct Rewrite {
    files: Files,
    new: NewGeneration,
    collection: Collection,
    number: u32,
}

impl RewriteTarget for Rewrite {
    fn visit(&mut self, core: CoreId, store: &mut Store) {
        self.files.turn_to(&mut self.new, core, store);
        store.begin_snapshot(self.collection.order(self.number, core));
    }

    fn cut(&mut self, cut: &Cut) {
        self.collection.cut(cut);
    }
}

/// A store with all slots.
fn whole_store(settings: &Settings, seed: u64) -> Store {
    Store::new(HashSlot::all(), seed, 0, Arc::new(settings.clone()))
}

/// Loads a snapshot.
///
/// # Errors
/// If it is damaged.
pub fn load_snapshot(file: &[u8], settings: &Settings, seed: u64) -> Result<Store, String> {
    let mut store = whole_store(settings, seed);
    let say = |fault: basalt_persist::fault::RdbFault| fault.to_string();
    let mut reader =
        RdbReader::new(file, Some(file.len() as u64), ChecksumUse::Verify).map_err(say)?;
    let rules = LoadRules { skips_expired: false, replaces: false };
    load_all(&mut reader, &mut store, rules, &LoadProgress::default()).map_err(say)?;
    Ok(store)
}

/// Recovers what a power failure has left on `disk`: the data, and what the log says. The files are
/// cut to what counts.
///
/// # Errors
/// If recovery refuses to go on.
pub fn recover(
    disk: &MemoryDisk,
    settings: &Settings,
    seed: u64,
) -> Result<(Store, Vec<String>), String> {
    let location = location_on(disk);
    let manifest = load::open(&location).map_err(|error| error.to_string())?;
    let mut store = whole_store(settings, seed);
    let options = LoadOptions {
        cuts_torn_ends: true,
        thread_count: 1 + (seed % 3) as usize,
        ..LoadOptions::default()
    };
    let report = load::load(&location, &manifest, options, &mut store);
    let report = report.map_err(|error| error.to_string())?;
    if report.failed > 0 {
        return Err(format!("{} commands failed when they ran again", report.failed));
    }
    Ok((store, report.warnings))
}

/// The same where the power fails once more within recovery, perhaps, and is back in the end.
///
/// # Errors
/// If recovery refuses to go on.
pub fn recover_at_last(
    disk: MemoryDisk,
    settings: &Settings,
    seed: u64,
    draw: Draw<'_>,
) -> Result<(Store, MemoryDisk, Vec<String>), String> {
    disk.fail_power_after(draw(OPERATIONS_OF_RECOVERY) as u32);
    let (store, log) = recover(&disk, settings, seed)?;
    let Some(left) = disk.after_power_failure(draw) else {
        disk.recover();
        return Ok((store, disk, log));
    };
    let (store, more) = recover(&left, settings, seed)?;
    Ok((store, left, [log, more].concat()))
}

/// Operations on the disk within which the power may fail again.
const OPERATIONS_OF_RECOVERY: usize = 8;
