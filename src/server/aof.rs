//! The append-only file as the process sees it: its directory, its generations, and the threads
//! that write.
//!
//! ```text
//! core 0: journal --batches--> thread aof-0 --> segment of core 0 \
//! core 1: journal --batches--> thread aof-1 --> segment of core 1  > a generation
//! ```
//!
//! Every start begins a new generation of files, and so does every rewrite: at its cut, between two
//! transactions, each core turns to a new file and takes part in a snapshot, which becomes the base
//! of everything that follows. When the base is complete the manifest names it and the new
//! generation, and what was before is deleted.
//!
//! The state is behind one lock, held for moments by administration; a core looks at its own part
//! once a turn.

mod history;
mod rewriting;

use std::cell::OnceCell;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use basalt_persist::aof::commit::Generation;
use basalt_persist::aof::load::{self, LoadOptions, LoadReport, Location};
use basalt_persist::aof::manifest::{BaseForm, FileEntry, FileKind, Manifest};
use basalt_persist::aof::segment::SyncPolicy;
use basalt_persist::aof::thread::SegmentThread;
use basalt_persist::disk::DiskFile;
use basalt_persist::preamble::empty_file;
use basalt_persist::progress::LoadProgress;
use basalt_shard::core::CoreId;
use basalt_shard::host::{AppendOnlyFacts, Cut, DurableMark, DurableState};
use basalt_shard::scripting::from_file::FileScripts;
use basalt_shard::store::Store;

use self::rewriting::Rewrite;
use super::clock;
use super::persistence::preamble_of;
use super::process::Process;
use crate::config::Settings;
use crate::notice;

/// Who waits for the disk: everything all cores had told by some moment, and the barrier without
/// which that may not count.
struct Mark {
    process: Arc<Process>,
    generation: Arc<Generation>,
    barrier: u64,
    /// Known once they have told that barrier.
    items: OnceCell<Vec<u64>>,
}

impl Mark {
    fn is_reached(&self) -> bool {
        if self.items.get().is_none() && self.generation.board().has_settled(self.barrier) {
            self.items.get_or_init(|| self.generation.made());
        }
        self.items.get().is_some_and(|items| self.generation.is_synced(items))
    }
}

impl DurableMark for Mark {
    fn state(&self) -> DurableState {
        match () {
            () if !self.process.append_only.is_on() => DurableState::Off,
            () if self.is_reached() => DurableState::Reached,
            () => DurableState::Pending,
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.process.append_only.marks.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A generation whose files wait for their cores.
pub struct NewGeneration {
    generation: Arc<Generation>,
    /// Each with the bytes that are in it.
    files: Vec<Option<(Box<dyn DiskFile>, u64)>>,
}

impl NewGeneration {
    /// Number of its first file in the manifest.
    pub fn number(&self) -> u64 {
        self.generation.number()
    }
}

/// The end of one core.
struct CoreEnd {
    thread: SegmentThread,
    generation: Mutex<Option<Arc<Generation>>>,
}

/// The append-only file.
pub struct AppendOnly {
    cores: OnceLock<Vec<CoreEnd>>,
    state: Mutex<State>,
    is_on: AtomicBool,
    /// Bytes of the files that are not written any more, the base among them.
    closed_bytes: AtomicU64,
    /// How many wait for the disk.
    marks: AtomicU64,
}

#[derive(Default)]
struct State {
    manifest: Manifest,
    current: Option<Arc<Generation>>,
    rewrite: Option<Rewrite>,
    /// One is to begin as soon as nothing stands in its way.
    is_scheduled: bool,
    /// Size of everything after the last rewrite, or the load.
    base_bytes: u64,
    rewrites: u64,
    was_last_ok: bool,
    /// Those in a row that failed, or could not begin.
    failures: u32,
    last_took_seconds: i64,
    retry_after_seconds: i64,
    /// What was there before the append-only file was turned on has no base yet: until then the
    /// manifest names nothing new.
    lacks_base: bool,
}

impl Default for AppendOnly {
    /// Nothing is written yet.
    fn default() -> Self {
        let state = State { last_took_seconds: -1, was_last_ok: true, ..State::default() };
        Self {
            cores: OnceLock::new(),
            state: Mutex::new(state),
            is_on: AtomicBool::new(false),
            closed_bytes: AtomicU64::new(0),
            marks: AtomicU64::new(0),
        }
    }
}

impl AppendOnly {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding the state")
    }

    /// Whether cores tell what they change.
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Acquire)
    }

    /// Finds the directory and what is in it.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn open(&self, settings: &Settings) -> Result<u64, load::LoadError> {
        let location = location(settings);
        let manifest = load::open(&location)?;
        let size =
            |file: &FileEntry| location.disk.length(&location.file(&file.name)).unwrap_or_default();
        let bytes = manifest.files.iter().map(size).sum();
        self.state().manifest = manifest;
        Ok(bytes)
    }

    /// Finds out what is in the directory, which nobody loads or writes as long as the append-only
    /// file is off: should it be turned on, its files come after these.
    ///
    /// # Errors
    /// When the manifest makes no sense.
    pub fn look(&self, settings: &Settings) -> Result<(), load::LoadError> {
        let location = location(settings);
        let manifest = Manifest::read(&*location.disk, &location.manifest());
        if let Some(manifest) = manifest.map_err(load::LoadError::Manifest)? {
            self.state().manifest = manifest;
        }
        Ok(())
    }

    /// Loads what is in the directory into a store that has all slots, on so many threads, and
    /// counts the bytes that are read.
    ///
    /// # Errors
    /// When something is damaged that must not be.
    pub fn load(
        &self,
        settings: &Settings,
        store: &mut Store,
        scripts: FileScripts,
        thread_count: usize,
        progress: Arc<LoadProgress>,
    ) -> Result<LoadReport, load::LoadError> {
        let report = self.load_again(settings, store, scripts, thread_count, progress)?;
        self.closed_bytes.store(report.bytes, Ordering::Relaxed);
        self.state().base_bytes = report.bytes;
        Ok(report)
    }

    /// The same, of files that go on being written.
    ///
    /// # Errors
    /// When something is damaged that must not be.
    pub fn load_again(
        &self,
        settings: &Settings,
        store: &mut Store,
        scripts: FileScripts,
        thread_count: usize,
        progress: Arc<LoadProgress>,
    ) -> Result<LoadReport, load::LoadError> {
        let manifest = self.state().manifest.clone();
        let cuts_torn_ends = settings.append_only.aof_load_truncated;
        let options = LoadOptions {
            cuts_torn_ends,
            corrupt_tail_bytes_max: settings.append_only.aof_load_corrupt_tail_max_size_bytes,
            thread_count,
            version_check: settings.snapshots.rdb_version_check,
            progress,
            scripts: Some(scripts),
        };
        load::load(&location(settings), &manifest, options, store)
    }

    /// Forgets files in which nothing was written, of starts that brought no change.
    fn forget_empty(&self, location: &Location) -> io::Result<()> {
        let mut state = self.state();
        let is_bare = |file: &FileEntry| {
            let length = location.disk.length(&location.file(&file.name));
            file.kind != FileKind::Base && length.is_ok_and(|length| length == 0)
        };
        // The files of a generation go together: their places say whose they are.
        let full: Vec<u64> = state
            .manifest
            .files
            .iter()
            .filter(|file| !is_bare(file))
            .filter_map(|file| file.generation)
            .collect();
        let is_part = |generation: u64| full.contains(&generation);
        let is_empty = |file: &FileEntry| is_bare(file) && !file.generation.is_some_and(is_part);
        let (empty, kept): (Vec<_>, Vec<_>) =
            state.manifest.files.iter().cloned().partition(is_empty);
        if empty.is_empty() || kept.is_empty() {
            return Ok(());
        }
        let manifest = Manifest { files: kept };
        manifest.write(&*location.disk, &location.manifest())?;
        state.manifest = manifest;
        history::delete(location, &empty);
        Ok(())
    }

    /// Starts the threads that write, one per core.
    ///
    /// # Errors
    /// When the system has none.
    pub fn start_threads(&self, process: &Arc<Process>, core_count: usize) -> io::Result<()> {
        if self.cores.get().is_some() {
            return Ok(());
        }
        let policy = process.settings().append_only.appendfsync;
        let end_of = |core| {
            let waking = Arc::clone(process);
            let on_durable = move || waking.append_only.note_progress(&waking);
            let thread = SegmentThread::start(core, policy, on_durable)?;
            Ok(CoreEnd { thread, generation: Mutex::new(None) })
        };
        let ends: Vec<CoreEnd> = (0..core_count).map(end_of).collect::<io::Result<_>>()?;
        let _ = self.cores.set(ends);
        Ok(())
    }

    /// Something has reached the disk, or failed to: tells the cores.
    fn note_progress(&self, process: &Process) {
        let is_always = process.settings().append_only.appendfsync == SyncPolicy::Always;
        process.persistence.set_append_error(self.error(), is_always);
        if is_always || self.marks.load(Ordering::Relaxed) > 0 {
            process.wake_cores();
        }
    }

    /// Number of the error that keeps any segment from being written; 0 for none.
    pub fn error(&self) -> i32 {
        self.state().current.as_deref().map_or(0, Generation::error)
    }

    /// All that was told by now, if anything is told.
    pub fn mark(process: &Arc<Process>) -> Option<Box<dyn DurableMark>> {
        let append_only = &process.append_only;
        let generation = append_only.state().current.clone().filter(|_| append_only.is_on())?;
        append_only.marks.fetch_add(1, Ordering::Relaxed);
        let (barrier, process) = (generation.board().opened(), Arc::clone(process));
        Some(Box::new(Mark { process, generation, barrier, items: OnceCell::new() }))
    }

    /// Makes the files of a new generation, and names them in the manifest if `is_named`.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new_generation(
        &self,
        settings: &Settings,
        core_count: usize,
        is_named: bool,
    ) -> io::Result<NewGeneration> {
        let location = location(settings);
        location.disk.create_directory(&location.directory)?;
        let mut state = self.state();
        let mut manifest = state.manifest.clone();
        let entries = manifest.add_generation(&location.prefix, core_count);
        let number = entries[0].sequence;
        let create =
            |entry: &FileEntry| Ok(Some((location.disk.create(&location.file(&entry.name))?, 0)));
        let files = entries.iter().map(create).collect::<io::Result<_>>()?;
        if is_named {
            manifest.write(&*location.disk, &location.manifest())?;
        }
        state.manifest = manifest;
        let generation =
            Arc::new(Generation::new(number, core_count as u16, state.current.clone()));
        Ok(NewGeneration { generation, files })
    }

    /// The generation a start goes on with: a new one, or with one core the last file if that holds
    /// nothing but an order of its own. Without a base there will be an empty one.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn resume(&self, settings: &Settings, core_count: usize) -> io::Result<NewGeneration> {
        let location = location(settings);
        self.delete_history(settings);
        self.create_first_base(settings, &location)?;
        let last = self.state().manifest.last_increment().cloned();
        let Some(last) = last.filter(|_| core_count == 1) else {
            self.forget_empty(&location)?;
            let new = self.new_generation(settings, core_count, true)?;
            let state = self.state();
            let is_new = |file: &&FileEntry| file.generation == Some(new.number());
            for file in state.manifest.files.iter().filter(is_new) {
                notice!("Creating AOF incr file {} on server start", file.name);
            }
            return Ok(new);
        };
        notice!("Opening AOF incr file {} on server start", last.name);
        let path = location.file(&last.name);
        let (file, length) = (location.disk.open_to_write(&path)?, location.disk.length(&path)?);
        self.closed_bytes.fetch_sub(length, Ordering::Relaxed);
        let generation = Arc::new(Generation::new(last.sequence, core_count as u16, None));
        Ok(NewGeneration { generation, files: vec![Some((file, length))] })
    }

    /// A directory without anything begins with an empty base, as that of Redis does.
    fn create_first_base(&self, settings: &Settings, location: &Location) -> io::Result<()> {
        let mut state = self.state();
        if !state.manifest.files.is_empty() {
            return Ok(());
        }
        location.disk.create_directory(&location.directory)?;
        let form = base_form(settings);
        let base = state.manifest.next_base(&location.prefix, form);
        let mut file = location.disk.create(&location.file(&base.name))?;
        if form == BaseForm::Rdb {
            file.append(&[&empty_file(preamble_of(settings, &Cut::default(), "1"))])?;
        }
        file.sync()?;
        notice!("Creating AOF base file {} on server start", base.name);
        state.manifest.files.push(base);
        Ok(())
    }

    /// A core turns to a new generation, at the same moment as all others.
    pub fn turn_to(&self, new: &mut NewGeneration, core: CoreId, store: &mut Store) {
        store.settle_journal();
        self.hand_over(core, store, None, true);
        let end = self.end_of(core);
        let file = new.files[core.index()].take();
        let (file, length) = file.expect("a core turns to a generation once");
        end.thread.begin(file, length, Arc::clone(&new.generation));
        store.restart_sequences();
        store.journal_mut().begin(core.index(), Arc::clone(new.generation.board()));
        *end.generation.lock().expect("the lock is held for moments") =
            Some(Arc::clone(&new.generation));
        self.is_on.store(true, Ordering::Release);
        let mut state = self.state();
        let is_known = |current: &Arc<Generation>| Arc::ptr_eq(current, &new.generation);
        if !state.current.as_ref().is_some_and(is_known) {
            let before = state.current.replace(Arc::clone(&new.generation));
            let written = before.map_or(0, |before| before.written_bytes());
            self.closed_bytes.fetch_add(written, Ordering::Relaxed);
        }
    }

    /// A core stops telling.
    pub fn turn_off(&self, core: CoreId, store: &mut Store) {
        if self.cores.get().is_none() {
            return;
        }
        store.settle_journal();
        self.hand_over(core, store, None, true);
        store.journal_mut().end();
        let end = self.end_of(core);
        end.thread.end();
        *end.generation.lock().expect("the lock is held for moments") = None;
        self.is_on.store(false, Ordering::Release);
        let mut state = self.state();
        (state.current, state.is_scheduled) = (None, false);
    }

    fn end_of(&self, core: CoreId) -> &CoreEnd {
        &self.cores.get().expect("threads are started before cores tell anything")[core.index()]
    }

    /// The generation a core writes to.
    pub fn generation(&self, core: CoreId) -> Option<Arc<Generation>> {
        self.end_of(core).generation.lock().expect("the lock is held for moments").clone()
    }

    /// Hands over what a core has told. Records stay where they are if there is no room, unless
    /// they `must` go.
    pub fn hand_over(
        &self,
        core: CoreId,
        store: &mut Store,
        unix_seconds: Option<i64>,
        must: bool,
    ) {
        let journal = store.journal_mut();
        if !journal.is_on() || !journal.has_text() {
            return;
        }
        let end = self.end_of(core);
        if !must && !end.thread.has_room() {
            return;
        }
        let mut bytes = end.thread.spare();
        journal.take(&mut bytes, unix_seconds);
        end.thread.append(bytes, journal.items());
    }

    /// Brings what a core has told to its file, and waits until it is there.
    pub fn write_out(&self, core: CoreId, store: &mut Store) {
        if self.is_on() && store.journal().is_on() {
            self.hand_over(core, store, None, true);
            self.end_of(core).thread.wait_until_written();
        }
    }

    /// Puts every write off by so much.
    pub fn set_delay(&self, delay: Duration) {
        self.cores.get().into_iter().flatten().for_each(|end| end.thread.set_delay(delay));
    }

    /// Follows `appendfsync`, and `no-appendfsync-on-rewrite` while something `is_written` in the
    /// background.
    pub fn set_policy(&self, settings: &Settings, is_written: bool) {
        let rests = is_written && settings.append_only.no_appendfsync_on_rewrite;
        let policy = if rests { SyncPolicy::Never } else { settings.append_only.appendfsync };
        for end in self.cores.get().into_iter().flatten() {
            end.thread.set_policy(policy);
        }
    }

    /// Brings what a core has told to the disk, and ends its thread.
    pub fn stop(&self, core: CoreId, store: &mut Store) {
        if let Some(ends) = self.cores.get() {
            self.hand_over(core, store, None, true);
            ends[core.index()].thread.stop();
        }
    }

    /// Bytes of all files.
    pub fn total_bytes(&self) -> u64 {
        let current = self.state().current.clone();
        let written = current.map_or(0, |generation| generation.written_bytes());
        self.closed_bytes.load(Ordering::Relaxed) + written
    }
}

/// Where the files are.
pub fn location(settings: &Settings) -> Location {
    let directory = PathBuf::from(&settings.append_only.appenddirname);
    Location::new(directory, settings.append_only.appendfilename.clone())
}

fn base_form(settings: &Settings) -> BaseForm {
    if settings.append_only.aof_use_rdb_preamble { BaseForm::Rdb } else { BaseForm::Commands }
}

impl AppendOnly {
    /// Makes the directory of the files, unless it is there.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn create_directory(&self, settings: &Settings) -> io::Result<()> {
        let location = location(settings);
        location.disk.create_directory(&location.directory)
    }

    /// What INFO tells. While the data set `is_loading`, nothing waits to be turned on: it is at
    /// the end of that.
    pub fn facts(&self, settings: &Settings, is_loading: bool) -> AppendOnlyFacts {
        let total = self.total_bytes();
        let error = self.error();
        let current = self.state().current.clone();
        let current = current.as_deref();
        let ends = || self.cores.get().into_iter().flatten();
        let queued_bytes: u64 = ends().map(|end| end.thread.queued_bytes()).sum();
        let state = self.state();
        let running = state.rewrite.as_ref();
        let now_seconds = clock::now().unix_seconds();
        let waits_to_be_on = self.waits_to_be_on(settings) && running.is_none() && !is_loading;
        AppendOnlyFacts {
            is_enabled: settings.append_only.appendonly || self.is_on(),
            is_rewriting: running.is_some(),
            is_first_rewrite: running.is_some() && state.lacks_base,
            is_rewrite_scheduled: state.is_scheduled || waits_to_be_on,
            rewriting_for_seconds: running
                .map_or(-1, |running| now_seconds - running.begun_seconds),
            last_rewrite_took_seconds: state.last_took_seconds,
            was_last_rewrite_ok: state.was_last_ok,
            rewrites: state.rewrites,
            rewrite_failures: u64::from(state.failures),
            was_last_write_ok: error == 0,
            current_bytes: total,
            base_bytes: state.base_bytes,
            unwritten_bytes: queued_bytes + current.map_or(0, Generation::unwritten_bytes),
            pending_syncs: current.map_or(0, Generation::pending_syncs),
            delayed_syncs: ends().map(|end| end.thread.delayed_syncs()).sum(),
        }
    }

    /// Begins to count anew what CONFIG RESETSTAT sets to zero.
    pub fn reset_stats(&self) {
        let mut state = self.state();
        (state.rewrites, state.failures) = (0, 0);
        drop(state);
        self.cores.get().into_iter().flatten().for_each(|end| end.thread.reset_stats());
    }
}
