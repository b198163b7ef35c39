//! The files of a simulated server: segments of the append-only file, their rewrite, snapshots, and
//! what comes back after a power cut.
//!
//! The parts are those of the server (`Segment`, `Generation`, `Held`, the walk of a snapshot, and
//! recovery). What the server does on threads happens here when the scheduler says so: a core's
//! writer does a bit of work ([`Files::work`]) at any moment between two steps of any core.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use basalt_persist::aof::commit::Generation;
use basalt_persist::aof::load::{self, LoadOptions, Location};
use basalt_persist::aof::manifest::{BaseForm, Manifest};
use basalt_persist::aof::segment::{Segment, SyncPolicy};
use basalt_persist::load::load_all;
use basalt_persist::reader::{ChecksumUse, RdbReader};
use basalt_shard::core::CoreId;
use basalt_shard::error::CommandError;
use basalt_shard::hash::HashSlot;
use basalt_shard::host::{Cut, RewriteTarget, SnapshotTarget};
use basalt_shard::loading::LoadRules;
use basalt_shard::settings::Settings;
use basalt_shard::store::Store;

use crate::disk::{Disk, DiskFile, Image};
use crate::snapshots::Collection;

/// What the names of the files begin with.
const PREFIX: &str = "appendonly.aof";

/// Virtual time between two syncs of `everysec`.
const SYNC_INTERVAL_MS: i64 = 1000;

/// Batches that wait for a writer before its core keeps what it tells.
const QUEUE_MAX: usize = 8;

/// What the writer of a core is asked to do.
enum Order {
    Append(Vec<u8>, u64),
    Begin(DiskFile, Arc<Generation>),
}

#[derive(Default)]
struct Writer {
    orders: VecDeque<Order>,
    segment: Option<Segment>,
    last_sync_ms: i64,
    /// What its core tells it to write.
    generation: Option<Arc<Generation>>,
    /// What its segment is part of.
    written: Option<Arc<Generation>>,
}

/// A snapshot on its way, and what it is for.
struct Running {
    collection: Collection,
    /// The first generation that is kept once it is complete, if it is the base of a rewrite.
    first_kept: Option<u64>,
}

struct State {
    disk: Disk,
    policy: SyncPolicy,
    manifest: Manifest,
    writers: Vec<Writer>,
    current: Option<Arc<Generation>>,
    running: Option<Running>,
    next_snapshot: u32,
    /// Snapshots that are complete, as files.
    complete: Vec<Vec<u8>>,
    rewrites: u64,
    now_ms: i64,
}

/// The files of a server.
#[derive(Clone)]
pub struct Files(Arc<Mutex<State>>);

/// A generation whose files wait for their cores.
pub struct NewGeneration {
    generation: Arc<Generation>,
    files: Vec<Option<DiskFile>>,
}

impl Files {
    /// The files of a server of `core_count` cores on `disk`, which is empty or holds what
    /// `manifest` names.
    pub fn new(disk: Disk, policy: SyncPolicy, core_count: u16, manifest: Manifest) -> Self {
        Self(Arc::new(Mutex::new(State {
            disk,
            policy,
            manifest,
            writers: (0..core_count).map(|_| Writer::default()).collect(),
            current: None,
            running: None,
            next_snapshot: 1,
            complete: Vec::new(),
            rewrites: 0,
            now_ms: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding the files")
    }

    /// The disk.
    pub fn disk(&self) -> Disk {
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
        let files = entries.iter().map(|entry| Some(state.disk.create(&entry.name))).collect();
        state.disk.put_manifest(manifest.to_text())?;
        state.manifest = manifest;
        let generation =
            Arc::new(Generation::new(number, core_count as u16, state.current.clone()));
        Ok(NewGeneration { generation, files })
    }

    /// A core turns to a new generation, at the same moment as all others.
    pub fn turn_to(&self, new: &mut NewGeneration, core: CoreId, store: &mut Store) {
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
        state.now_ms = now_ms;
        let policy = state.policy;
        state.writers[core].work(core, order_count, now_ms, policy);
        state.current.as_deref().map_or(0, Generation::error)
    }

    /// Whether a writer has anything to do now: `everysec` waits for its second, and so does a disk
    /// that has failed.
    pub fn has_work(&self, now_ms: i64) -> bool {
        let state = self.state();
        let is_busy = |writer: &Writer| writer.has_work(now_ms, state.policy);
        state.writers.iter().any(is_busy)
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
        self.disk.put(&base.name.clone(), file)?;
        let gone = manifest.replace_base(base, first_kept);
        self.disk.put_manifest(manifest.to_text())?;
        self.manifest = manifest;
        gone.iter().for_each(|name| self.disk.remove(name));
        Ok(())
    }
}

impl Writer {
    fn is_due(&self, now_ms: i64) -> bool {
        now_ms - self.last_sync_ms >= SYNC_INTERVAL_MS
    }

    fn has_work(&self, now_ms: i64, policy: SyncPolicy) -> bool {
        let is_waiting = self.segment.as_ref().is_some_and(|segment| {
            segment.is_dirty() && policy == SyncPolicy::Always && !segment.has_failed()
        });
        let is_dirty = self.segment.as_ref().is_some_and(Segment::is_dirty);
        !self.orders.is_empty() || is_waiting || (is_dirty && self.is_due(now_ms))
    }

    fn work(&mut self, core: usize, order_count: usize, now_ms: i64, policy: SyncPolicy) {
        for _ in 0..order_count {
            match self.orders.pop_front() {
                None => break,
                Some(Order::Append(bytes, items)) => {
                    let segment = self.segment.as_mut().expect("a segment begins before it grows");
                    segment.push(&bytes, items);
                }
                Some(Order::Begin(file, generation)) => {
                    if !self.close_segment() {
                        self.orders.push_front(Order::Begin(file, generation));
                        break;
                    }
                    let durable = Arc::clone(generation.durable(core));
                    self.segment = Some(Segment::new(Box::new(file), 0, policy, durable));
                    self.written = Some(generation);
                }
            }
        }
        let due = self.is_due(now_ms);
        if due {
            self.last_sync_ms = now_ms;
        }
        let may_write = self.may_write();
        if let Some(segment) = &mut self.segment
            && segment.is_dirty()
            && (due || !segment.has_failed())
            && may_write
        {
            segment.flush(due);
        }
    }

    /// Whether all of the generation before the one that is written is on the disk.
    fn may_write(&self) -> bool {
        self.written.as_ref().is_none_or(|generation| generation.may_be_written())
    }

    /// Brings the present segment to the disk, as all there will be of it; whether that worked.
    fn close_segment(&mut self) -> bool {
        let may_write = self.may_write();
        self.segment.as_mut().is_none_or(|segment| may_write && segment.close())
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
    load_all(&mut reader, &mut store, rules).map_err(say)?;
    Ok(store)
}

/// Recovers what a power cut has left: the data, the files as they are afterwards, and what the log
/// says.
///
/// # Errors
/// If recovery refuses to go on.
pub fn recover(
    image: &Image,
    settings: &Settings,
    seed: u64,
) -> Result<(Store, Image, Vec<String>), String> {
    static DIRECTORIES: AtomicU64 = AtomicU64::new(0);
    let number = DIRECTORIES.fetch_add(1, Ordering::Relaxed);
    let name = format!("basalt-simulator-{}-{number}", std::process::id());
    let memory = std::path::Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let location = Location::new(parent.join(name), PREFIX.to_owned());
    let result = recover_in(&location, image, settings, seed);
    let _ = std::fs::remove_dir_all(&location.directory);
    result
}

fn recover_in(
    location: &Location,
    image: &Image,
    settings: &Settings,
    seed: u64,
) -> Result<(Store, Image, Vec<String>), String> {
    let failed = |error: io::Error| format!("the directory of recovery: {error}");
    std::fs::create_dir_all(&location.directory).map_err(failed)?;
    for (name, content) in &image.files {
        std::fs::write(location.file(name), content).map_err(failed)?;
    }
    if !image.manifest.is_empty() {
        std::fs::write(location.manifest(), &image.manifest).map_err(failed)?;
    }
    let manifest = load::open(location).map_err(|error| error.to_string())?;
    let mut store = whole_store(settings, seed);
    let options = LoadOptions {
        cuts_torn_ends: true,
        thread_count: 1 + (seed % 3) as usize,
        ..LoadOptions::default()
    };
    let report = load::load(location, &manifest, options, &mut store);
    let report = report.map_err(|error| error.to_string())?;
    if report.failed > 0 {
        return Err(format!("{} commands failed when they ran again", report.failed));
    }
    let mut after = Image { manifest: manifest.to_text(), ..Image::default() };
    for file in &manifest.files {
        let content = std::fs::read(location.file(&file.name)).map_err(failed)?;
        after.files.insert(file.name.clone(), content);
    }
    Ok((store, after, report.warnings))
}
