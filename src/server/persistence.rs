//! Snapshots as the process sees them: whether one is due, the one under way, how the last ended.
//!
//! The state is behind one lock that is held for moments, by core 0, by commands of administration
//! and by the thread that writes. What writing makes of it stands in `basalt_persist::save`.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use basalt_persist::disk::SystemDisk;
use basalt_persist::load::{Contents, LoadCounts, load_all};
use basalt_persist::output::{FileOutput, Output};
use basalt_persist::preamble::Preamble;
use basalt_persist::progress::LoadProgress;
use basalt_persist::reader::{ChecksumUse, RdbReader};
use basalt_persist::save::{Outcome, Save, SaveOptions, SaveProgress};
use basalt_shard::commands::connection::REDIS_VERSION;
use basalt_shard::core::CoreId;
use basalt_shard::core::shared::Shared;
use basalt_shard::error::{self, CommandError};
use basalt_shard::host::{AppendOnlyFacts, Cut, PersistenceFacts, SaveKind, SnapshotTarget};
use basalt_shard::loading::LoadRules;
use basalt_shard::rdb::value_type::{RdbVersion, VERSION_WITH_FIELD_DEADLINES};
use basalt_shard::rdb::writer::Compression;
use basalt_shard::scripting::cache::ScriptCache;
use basalt_shard::snapshot::{SnapshotOrder, UsageKept};
use basalt_shard::store::Store;

use super::clock;
use super::process::Process;
use super::processors;
use crate::config::{EvictionPolicy, Settings};
use crate::{memory, notice, warning};

/// After a snapshot that failed the next one is tried no sooner, in seconds.
const RETRY_SECONDS: i64 = 5;

/// How long the end of the process waits for a snapshot that was given up.
const WRITER_PATIENCE: Duration = Duration::from_secs(10);

const ANOTHER_WRITER: CommandError = CommandError::Fixed(
    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in \
     order to schedule a BGSAVE whenever possible.",
);

/// Saving and loading.
pub struct Persistence {
    state: Mutex<State>,
    shared: OnceLock<Arc<Shared>>,
    /// Threads that write.
    writers: Mutex<i32>,
    writer_ended: Condvar,
    pub(super) is_loading: AtomicBool,
    /// How far the load under way is.
    pub(super) progress: Arc<LoadProgress>,
}

struct State {
    running: Option<Running>,
    /// One is to begin when the rewrite of the append-only file is over.
    is_scheduled: bool,
    /// Number of the last one that ended, and whether it succeeded.
    ended: Option<(u32, bool)>,
    /// Snapshots begun so far.
    number: u32,
    /// Those of them in the background, and bases of the append-only file.
    background_writes: u64,
    saves: u64,
    /// When the last good one was made, seconds since 1970.
    last_save_seconds: i64,
    /// When the last one was begun, seconds since 1970.
    last_try_seconds: i64,
    was_last_ok: bool,
    last_took_seconds: i64,
    /// Changes up to the last good one.
    changes_saved: i64,
    /// Libraries of functions that came with the data set.
    functions: Vec<Vec<u8>>,
    loaded: LoadCounts,
    loading_since_seconds: i64,
}

struct Running {
    number: u32,
    kind: SaveKind,
    progress: Option<SaveProgress>,
    begun_seconds: i64,
    keys: u64,
    changes: i64,
}

impl Persistence {
    /// The state at the start.
    pub fn new(now_seconds: i64) -> Self {
        let state = State {
            running: None,
            is_scheduled: false,
            ended: None,
            number: 0,
            background_writes: 0,
            saves: 0,
            last_save_seconds: now_seconds,
            last_try_seconds: 0,
            was_last_ok: true,
            last_took_seconds: -1,
            changes_saved: 0,
            functions: Vec::new(),
            loaded: LoadCounts::default(),
            loading_since_seconds: 0,
        };
        Self {
            state: Mutex::new(state),
            shared: OnceLock::new(),
            writers: Mutex::new(0),
            writer_ended: Condvar::new(),
            is_loading: AtomicBool::new(false),
            progress: Arc::new(LoadProgress::telling(super::loading::tell)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding the state")
    }

    /// Learns where to tell cores what they may not do.
    pub fn share(&self, shared: &Arc<Shared>) {
        shared.is_loading.store(self.is_loading(), Ordering::SeqCst);
        let _ = self.shared.set(Arc::clone(shared));
    }

    /// The scripts of all cores, which are there before anything is loaded.
    pub fn scripts(&self) -> Arc<ScriptCache> {
        Arc::clone(&self.shared.get().expect("cores are started first").scripts)
    }

    /// Whether the data set is being loaded.
    pub fn is_loading(&self) -> bool {
        self.is_loading.load(Ordering::SeqCst)
    }

    /// What INFO tells.
    pub fn facts(&self, settings: &Settings) -> PersistenceFacts {
        let state = self.state();
        let now_seconds = clock::now().unix_seconds();
        let running = state.running.as_ref().filter(|running| running.kind == SaveKind::Background);
        // Nobody can ask while one is made in the foreground.
        let written = state.running.as_ref().filter(|running| running.kind != SaveKind::Foreground);
        let progress = written.and_then(|written| written.progress.as_ref());
        let (is_loading, going) = (self.is_loading(), self.progress.going());
        PersistenceFacts {
            is_loading,
            loading_since_unix_seconds: state.loading_since_seconds,
            loading_total_bytes: going.total_bytes,
            loading_done_bytes: going.bytes,
            loading_used_memory_bytes: self.progress.used_memory_bytes(),
            background_writes: state.background_writes,
            is_saving: state
                .running
                .as_ref()
                .is_some_and(|running| running.kind != SaveKind::Rewrite),
            saving_for_seconds: running.map_or(-1, |running| now_seconds - running.begun_seconds),
            saving_keys_done: progress.map_or(0, SaveProgress::keys),
            saving_keys_total: written.map_or(0, |written| written.keys),
            changes_saved: state.changes_saved,
            last_save_unix_seconds: state.last_save_seconds,
            was_last_save_ok: state.was_last_ok,
            last_save_took_seconds: state.last_took_seconds,
            saves: state.saves,
            loaded_keys_expired: match is_loading {
                true => self.progress.expired(),
                false => state.loaded.expired,
            },
            loaded_keys: if is_loading { going.keys } else { state.loaded.loaded },
            has_save_points: !settings.snapshots.save.is_empty(),
            append_only: AppendOnlyFacts::default(),
        }
    }

    /// Whether a save point is reached: so many changes, so long after the last snapshot.
    pub fn is_save_due(&self, settings: &Settings, changes: i64, now_seconds: i64) -> bool {
        if self.is_loading() {
            return false;
        }
        let mut state = self.state();
        if state.is_scheduled && state.running.is_none() {
            state.is_scheduled = false;
            return true;
        }
        if settings.snapshots.save.is_empty() {
            return false;
        }
        let rests = now_seconds - state.last_try_seconds <= RETRY_SECONDS && !state.was_last_ok;
        if state.running.is_some() || rests {
            return false;
        }
        let changes = changes - state.changes_saved;
        let passed = now_seconds - state.last_save_seconds;
        let due = settings
            .snapshots
            .save
            .iter()
            .find(|point| changes >= point.changes as i64 && passed > point.seconds as i64);
        if let Some(point) = due {
            notice!("{} changes in {} seconds. Saving...", point.changes, point.seconds);
        }
        due.is_some()
    }

    /// Gives up the snapshot that is written in the background; whether there was one.
    pub fn cancel(&self) -> bool {
        let mut state = self.state();
        let running = state.running.take_if(|running| running.kind == SaveKind::Background);
        drop(state);
        if let Some(progress) = running.as_ref().and_then(|running| running.progress.as_ref()) {
            progress.abandon();
            notice!("The snapshot under way was given up.");
        }
        running.is_some()
    }

    /// Gives up the snapshot that waits for the rewrite under way; whether there was one.
    pub fn unschedule(&self) -> bool {
        let was_scheduled = std::mem::take(&mut self.state().is_scheduled);
        if was_scheduled {
            notice!("The snapshot that was scheduled is given up.");
        }
        was_scheduled
    }

    /// Counts a SAVE.
    pub fn count_save(&self) {
        self.state().saves += 1;
    }

    /// Begins to count anew what CONFIG RESETSTAT sets to zero.
    pub fn reset_stats(&self) {
        self.state().saves = 0;
    }

    /// Works out whether writes have to be refused since snapshots fail.
    pub fn judge_writes(&self, settings: &Settings) {
        let fails = !self.state().was_last_ok;
        let refuses = fails
            && settings.snapshots.stop_writes_on_bgsave_error
            && !settings.snapshots.save.is_empty();
        if let Some(shared) = self.shared.get() {
            shared.refuses_writes.store(refuses, Ordering::SeqCst);
        }
    }

    /// The append-only file cannot be written, or can be again: the number of the error, and
    /// whether replies wait for it.
    pub(super) fn set_append_error(&self, number: i32, holds_replies: bool) {
        if let Some(shared) = self.shared.get() {
            shared.holds_replies.store(holds_replies, Ordering::SeqCst);
            shared.append_error.store(number, Ordering::SeqCst);
        }
    }

    /// Keeps other snapshots from being made while the base of the append-only file is.
    pub(super) fn reserve_for_rewrite(&self) -> Option<u32> {
        let mut state = self.state();
        if state.running.is_some() {
            return None;
        }
        (state.number, state.background_writes) = (state.number + 1, state.background_writes + 1);
        let number = state.number;
        state.running = Some(Running {
            number,
            kind: SaveKind::Rewrite,
            progress: None,
            begun_seconds: clock::now().unix_seconds(),
            keys: 0,
            changes: 0,
        });
        Some(number)
    }

    /// It can be given up by this from now on.
    pub(super) fn note_progress(&self, number: u32, progress: SaveProgress) {
        let mut state = self.state();
        if let Some(running) = state.running.as_mut().filter(|running| running.number == number) {
            running.progress = Some(progress);
        }
    }

    /// The cut of what is being written is made: what there is to write is known.
    pub(super) fn note_cut(&self, number: u32, cut: &Cut) {
        let mut state = self.state();
        if let Some(running) = state.running.as_mut().filter(|running| running.number == number) {
            running.keys = cut.databases.iter().map(|(_, keys, _)| keys).sum();
            running.changes = cut.changes;
        }
    }

    /// Whether something is being written.
    pub fn is_writing(&self) -> bool {
        self.state().running.is_some()
    }

    /// Whether what is being written is the base of the append-only file.
    pub(super) fn is_making_base(&self) -> bool {
        let state = self.state();
        state.running.as_ref().is_some_and(|running| running.kind == SaveKind::Rewrite)
    }

    /// Lets a snapshot begin when the rewrite under way is over; whether there is one.
    pub fn schedule(&self) -> bool {
        let mut state = self.state();
        let is_rewriting =
            state.running.as_ref().is_some_and(|running| running.kind == SaveKind::Rewrite);
        state.is_scheduled |= is_rewriting;
        is_rewriting
    }

    /// Gives up the base that is written; with `begins_again` for something that cannot wait.
    pub(super) fn give_up_rewrite(&self, process: &Process, begins_again: bool) {
        let mut state = self.state();
        let running = state.running.take_if(|running| running.kind == SaveKind::Rewrite);
        drop(state);
        if let Some(progress) = running.and_then(|running| running.progress)
            && process.append_only.give_up_rewrite(begins_again)
        {
            notice!("Killing running AOF rewrite child: {}", std::process::id());
            progress.abandon();
        }
    }

    /// That base is made, or given up.
    pub(super) fn release_rewrite(&self, number: u32) {
        drop(self.state().running.take_if(|running| running.number == number));
    }

    /// Libraries of functions that came with the data set.
    pub(super) fn functions(&self) -> Vec<Vec<u8>> {
        self.state().functions.clone()
    }

    /// These libraries of functions come with the data set.
    pub(super) fn set_functions(&self, functions: &[Vec<u8>]) {
        self.state().functions = functions.to_vec();
    }

    /// The data set begins to be loaded.
    pub(super) fn begin_loading(&self, total_bytes: u64) {
        self.state().loading_since_seconds = clock::now().unix_seconds();
        self.progress.begin(total_bytes);
        self.is_loading.store(true, Ordering::SeqCst);
    }

    /// The data set is loaded.
    pub(super) fn end_loading(&self, counts: LoadCounts, contents: &Contents) {
        self.end_loading_quietly(counts, contents);
        self.finish_loading();
    }

    /// What was loaded is known; commands have to wait on.
    pub(super) fn end_loading_quietly(&self, counts: LoadCounts, contents: &Contents) {
        if counts.empty > 0 {
            warning!("{} collections without elements were left out.", counts.empty);
        }
        if counts.reduced > 0 {
            warning!(
                "Idempotent ids of producers are not supported and were left out: {} streams.",
                counts.reduced
            );
        }
        if !contents.aux.is_empty() || counts != LoadCounts::default() {
            let (loaded, expired) = (counts.loaded, counts.expired);
            notice!("Done loading RDB, keys loaded: {loaded}, keys expired: {expired}.");
        }
        let mut state = self.state();
        state.loaded = counts;
        state.functions.clone_from(&contents.functions);
    }

    /// Commands need not wait any more.
    pub(super) fn finish_loading(&self) {
        self.is_loading.store(false, Ordering::SeqCst);
        if let Some(shared) = self.shared.get() {
            shared.is_loading.store(false, Ordering::SeqCst);
        }
    }

    fn end_save(&self, number: u32, settings: &Settings, outcome: &Outcome) {
        let mut state = self.state();
        // One that was given up may end long after.
        let running = state.running.take_if(|running| running.number == number);
        let Some(running) = running else { return };
        state.ended = Some((number, matches!(outcome, Outcome::Done(_))));
        let now_seconds = clock::now().unix_seconds();
        let is_background = running.kind == SaveKind::Background;
        if is_background {
            state.last_took_seconds = now_seconds - running.begun_seconds;
        }
        match outcome {
            Outcome::Done(_) => {
                state.changes_saved = running.changes;
                state.last_save_seconds = now_seconds;
                state.was_last_ok = true;
                notice!("DB saved on disk");
            }
            Outcome::Abandoned => notice!("The snapshot was given up."),
            Outcome::Failed(error) => {
                state.was_last_ok &= !is_background;
                warning!("Write error saving DB on disk: {error}");
            }
        }
        if is_background {
            match outcome {
                Outcome::Done(_) => notice!("Background saving terminated with success"),
                Outcome::Abandoned => {}
                Outcome::Failed(_) => warning!("Background saving error"),
            }
        }
        drop(state);
        self.judge_writes(settings);
    }
}

/// Begins a snapshot.
///
/// # Errors
/// When there is one already, or the system has no thread for it.
pub fn begin(
    process: &Arc<Process>,
    kind: SaveKind,
) -> Result<Box<dyn SnapshotTarget>, CommandError> {
    let settings = process.settings();
    if kind == SaveKind::Foreground {
        process.persistence.give_up_rewrite(process, true);
    }
    let number = {
        let mut state = process.persistence.state();
        if let Some(running) = &state.running {
            return Err(match running.kind {
                SaveKind::Rewrite => ANOTHER_WRITER,
                SaveKind::Foreground | SaveKind::Background => error::SAVE_IN_PROGRESS,
            });
        }
        let now_seconds = clock::now().unix_seconds();
        state.last_try_seconds = now_seconds;
        state.number += 1;
        if kind == SaveKind::Background {
            state.background_writes += 1;
            state.saves += 1;
        }
        let number = state.number;
        state.running = Some(Running {
            number,
            kind,
            progress: None,
            begun_seconds: now_seconds,
            keys: 0,
            changes: 0,
        });
        number
    };
    let save = start_writer(process, kind, number, &settings);
    let mut state = process.persistence.state();
    match save {
        Ok(save) => {
            if let Some(running) = &mut state.running {
                running.progress = Some(save.progress());
            }
            drop(state);
            let process = Arc::clone(process);
            Ok(Box::new(Target { process, settings, number, save: Some(save), is_cut: false }))
        }
        Err(error) => {
            (state.running, state.was_last_ok) = (None, false);
            warning!("Can't save in background: {error}");
            Err(CommandError::worded(format!("ERR {error}")))
        }
    }
}

/// Where a snapshot is written before it takes its place. Redis names it after the process that
/// writes: the server itself in the foreground, else a child.
fn temporary_name(kind: SaveKind, number: u32) -> String {
    let process = std::process::id();
    match kind {
        SaveKind::Foreground => format!("temp-{process}.rdb"),
        SaveKind::Background | SaveKind::Rewrite => format!("temp-{process}-{number}.rdb"),
    }
}

fn start_writer(
    process: &Arc<Process>,
    kind: SaveKind,
    number: u32,
    settings: &Settings,
) -> std::io::Result<Save> {
    let syncs = settings.snapshots.rdb_save_incremental_fsync;
    // The directory of now, should `dir` change while it is written.
    let (directory, name) = (std::env::current_dir(), settings.snapshots.dbfilename.clone());
    let open = move || -> std::io::Result<Box<dyn Output>> {
        // Nobody is served while a snapshot in the foreground is made.
        if kind != SaveKind::Foreground {
            processors::yield_to_cores();
        }
        let directory = directory?;
        let temporary = directory.join(temporary_name(kind, number));
        let output =
            FileOutput::create(Arc::new(SystemDisk), &temporary, &directory.join(name), syncs);
        let output = output.inspect_err(|error| {
            let temporary = temporary.display();
            warning!("Failed opening the temp RDB file {temporary} for saving: {error}");
        })?;
        Ok(Box::new(output))
    };
    let (waking, ending) = (Arc::clone(process), Arc::clone(process));
    let core_count = match kind {
        SaveKind::Foreground => 1,
        SaveKind::Background | SaveKind::Rewrite => process.persistence.core_count(),
    };
    let options = SaveOptions {
        core_count,
        has_checksum: settings.snapshots.rdbchecksum,
        on_room: Box::new(move || waking.wake_cores()),
        on_end: Box::new(move |outcome| {
            let settings = ending.settings();
            ending.persistence.end_save(number, &settings, &outcome);
            ending.append_only.set_policy(&settings, ending.persistence.is_writing());
            ending.persistence.note_writers(-1);
        }),
    };
    if kind == SaveKind::Background {
        notice!("Background saving started");
    }
    process.persistence.note_writers(1);
    process.append_only.set_policy(settings, true);
    Save::begin(Box::new(open), options).inspect_err(|_| process.persistence.note_writers(-1))
}

impl Persistence {
    /// The process ends while a snapshot may be half written: nothing of it stays behind.
    pub fn remove_temporary(&self) {
        if let Some(running) = &self.state().running {
            let _ = std::fs::remove_file(temporary_name(running.kind, running.number));
        }
    }

    pub(super) fn note_writers(&self, change: i32) {
        *self.writers.lock().expect("the lock is held for a sum only") += change;
        self.writer_ended.notify_all();
    }

    /// Waits until no thread writes any more, so that none leaves a file that is half done.
    pub fn wait_for_writers(&self) {
        let writers = self.writers.lock().expect("the lock is held for a sum only");
        let end = self.writer_ended.wait_timeout_while(writers, WRITER_PATIENCE, |left| *left > 0);
        let (left, _) = end.expect("the lock is held for a sum only");
        if *left > 0 {
            warning!("A snapshot is still being written; its temporary file stays behind.");
        }
    }

    pub(super) fn core_count(&self) -> usize {
        self.shared.get().map_or(1, |shared| usize::from(shared.core_count()))
    }
}

/// A snapshot whose cut is being made.
struct Target {
    process: Arc<Process>,
    settings: Arc<Settings>,
    number: u32,
    save: Option<Save>,
    is_cut: bool,
}

impl Target {
    fn save(&self) -> &Save {
        self.save.as_ref().expect("it is there until it is waited for")
    }
}

impl SnapshotTarget for Target {
    fn order(&mut self, core: CoreId) -> SnapshotOrder {
        order_of(&self.settings, self.number, self.save(), core)
    }

    fn cut(&mut self, cut: &Cut) {
        self.process.persistence.note_cut(self.number, cut);
        self.is_cut = true;
        self.save().cut(&preamble_of(&self.settings, cut, "0"));
    }

    fn wait(mut self: Box<Self>) -> bool {
        if let Some(save) = self.save.take() {
            save.wait();
        }
        // It may have ended long before anybody waited for it.
        self.process.persistence.state().ended == Some((self.number, true))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(save) = self.save.as_ref().filter(|_| !self.is_cut) {
            save.progress().abandon();
        }
    }
}

/// What core `core` needs to take part in a snapshot.
pub(super) fn order_of(
    settings: &Settings,
    number: u32,
    save: &Save,
    core: CoreId,
) -> SnapshotOrder {
    SnapshotOrder {
        number,
        sink: save.sink(core.index()),
        version: settings.snapshots.rdb_version,
        compression: if settings.snapshots.rdbcompression {
            Compression::On
        } else {
            Compression::Off
        },
        usage: usage_kept(settings.maxmemory_policy),
        key_delay_us: settings.snapshots.rdb_key_save_delay_microseconds.max(0) as u64,
    }
}

/// What stands in front of the keys. `aof_base` is 1 where the file is the base of the append-only
/// file.
pub(super) fn preamble_of(settings: &Settings, cut: &Cut, aof_base: &'static str) -> Preamble {
    let version = settings.snapshots.rdb_version;
    if cut.has_field_deadlines && version != RdbVersion::default() {
        warning!(
            "Fields of hashes have deadlines, which RDB version {} cannot tell: the file has \
             version {VERSION_WITH_FIELD_DEADLINES}.",
            version.number()
        );
    }
    Preamble {
        version,
        has_field_deadlines: cut.has_field_deadlines,
        aux: vec![
            ("redis-ver", REDIS_VERSION.to_owned()),
            ("redis-bits", "64".to_owned()),
            ("ctime", clock::now().unix_seconds().to_string()),
            ("used-mem", memory::used_bytes().to_string()),
            ("aof-base", aof_base.to_owned()),
        ],
        functions: cut.functions.clone(),
        databases: cut.databases.clone(),
    }
}

fn usage_kept(policy: EvictionPolicy) -> UsageKept {
    match policy {
        EvictionPolicy::VolatileLru | EvictionPolicy::AllkeysLru => UsageKept::Idle,
        EvictionPolicy::VolatileLfu | EvictionPolicy::AllkeysLfu => UsageKept::Counter,
        _ => UsageKept::None,
    }
}

/// Opens an RDB file for reading.
pub(super) fn open_file(
    path: &Path,
    settings: &Settings,
) -> Result<(RdbReader<File>, u64), Box<dyn std::error::Error + Send + Sync>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let checksum =
        if settings.snapshots.rdbchecksum { ChecksumUse::Verify } else { ChecksumUse::Ignore };
    let check = settings.snapshots.rdb_version_check;
    let reader = RdbReader::of_versions(check, file, Some(length), checksum)?;
    if reader.is_newer() {
        let version = reader.version();
        warning!("RDB format version {version} is not known: it is loaded as far as it is.");
    }
    Ok((reader, length))
}

/// Loads the file into a store that has all slots; returns the texts of the libraries in it, `None`
/// if it cannot be loaded. There may be no file: it is the same as an empty one.
pub fn load_at_once(process: &Process, store: &mut Store, replaces: bool) -> Option<Vec<Vec<u8>>> {
    let settings = process.settings();
    if !settings.snapshots.dbfilename.exists() {
        return Some(Vec::new());
    }
    let rules = LoadRules { skips_expired: true, replaces };
    let loaded =
        open_file(&settings.snapshots.dbfilename, &settings).and_then(|(mut reader, length)| {
            let progress = &process.persistence.progress;
            progress.begin(length);
            Ok(load_all(&mut reader, store, rules, progress)?)
        });
    match loaded {
        Ok((counts, contents)) => {
            process.persistence.end_loading(counts, &contents);
            Some(contents.functions)
        }
        Err(error) => {
            warning!("Error loading {}: {error}", settings.snapshots.dbfilename.display());
            None
        }
    }
}
