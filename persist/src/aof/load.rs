//! From an append-only directory to the data: the base first, then each generation.
//!
//! What is left of the last generation after a crash is cut back to a prefix of history (see
//! [`super::cut`]), in the files as well, so that whoever loads them later sees the same. Damage
//! anywhere else stops the start: nothing is dropped in silence.
//!
//! To find out what to cut off takes reading everything twice. After a clean end there is nothing,
//! and it shows at the end of the segments that this is likely: then they are run at once, and
//! surveyed meanwhile. If something is missing after all, everything is loaded once more, with the
//! survey ahead.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use basalt_shard::loading::LoadRules;
use basalt_shard::replay::Programs;
use basalt_shard::scripting::from_file::FileScripts;
use basalt_shard::scripting::texts::LibraryTexts;
use basalt_shard::store::Store;

use super::ahead::ReadAhead;
use super::cut::{Kept, Survey, cut, is_closed};
use super::hands::{HandError, Hands};
use super::item::{Damage, Item, Reader};
pub use super::load_error::LoadError;
use super::manifest::{FileEntry, FileKind, Manifest};
use super::merge::{Merge, MergeError};
use crate::disk::{Disk, SystemDisk};
use crate::fault::{RdbFault, Reason};
use crate::load::{Contents, LoadCounts};
use crate::parallel::load_all_on;
use crate::progress::{LoadEvent, LoadProgress};
use crate::reader::{ChecksumUse, RdbReader, VersionCheck};

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// Bytes at the end of a segment that hold its last barrier, if that is the last thing in it.
const END_BYTES: u64 = 32;

/// Where the append-only file is.
#[derive(Clone, Debug)]
pub struct Location {
    /// Where files are at all.
    pub disk: Arc<dyn Disk>,
    /// The directory of the files (`appenddirname`).
    pub directory: PathBuf,
    /// What their names begin with (`appendfilename`).
    pub prefix: String,
}

impl Location {
    /// A directory of the system.
    pub fn new(directory: PathBuf, prefix: String) -> Self {
        Self { disk: Arc::new(SystemDisk), directory, prefix }
    }

    /// The manifest.
    pub fn manifest(&self) -> PathBuf {
        self.directory.join(format!("{}.manifest", self.prefix))
    }

    /// A file of the directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// How files are loaded.
#[derive(Default)]
pub struct LoadOptions {
    /// Whether an end that is torn is cut off, rather than fatal (`aof-load-truncated`).
    pub cuts_torn_ends: bool,
    /// Longest damaged end of a segment that is cut off, rather than fatal
    /// (`aof-load-corrupt-tail-max-size`).
    pub corrupt_tail_bytes_max: u64,
    /// Threads that decode the base at the same time, or run the records of several segments.
    pub thread_count: usize,
    /// Which versions of RDB a base may have.
    pub version_check: VersionCheck,
    /// How far it is.
    pub progress: Arc<LoadProgress>,
    /// What runs scripts that files tell as such; without it they are refused.
    pub scripts: Option<FileScripts>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// The base.
    pub base: LoadCounts,
    /// What the base holds besides keys.
    pub contents: Contents,
    /// Commands that ran.
    pub commands: u64,
    /// Commands that answered with an error.
    pub failed: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes of the base.
    pub base_bytes: u64,
    /// What there is to tell the log.
    pub warnings: Vec<String>,
}

type Loaded<T> = Result<T, LoadError>;

/// Finds the manifest. A single file of an older server is taken over as base; without anything
/// there is an empty manifest.
///
/// # Errors
/// If what is there cannot be read.
pub fn open(location: &Location) -> Loaded<Manifest> {
    let path = location.manifest();
    let disk = &*location.disk;
    if let Some(manifest) = Manifest::read(disk, &path).map_err(LoadError::Manifest)? {
        return take_over_old(location, manifest);
    }
    let io_error = |path: &Path| {
        let path = path.to_owned();
        move |error| LoadError::Io(path, error)
    };
    disk.create_directory(&location.directory).map_err(io_error(&location.directory))?;
    let old = PathBuf::from(&location.prefix);
    let mut manifest = Manifest::default();
    if disk.exists(&old) {
        let name = location.prefix.clone();
        let entry = FileEntry { name, sequence: 1, kind: FileKind::Base, generation: None };
        let target = location.file(&entry.name);
        manifest.files.push(entry);
        manifest.write(disk, &path).map_err(io_error(&path))?;
        disk.rename(&old, &target).map_err(io_error(&old))?;
        disk.sync_directory(&target).map_err(io_error(&target))?;
    }
    Ok(manifest)
}

/// A start that was interrupted may have named a single file of an older server in the manifest,
/// but not moved it yet.
fn take_over_old(location: &Location, manifest: Manifest) -> Loaded<Manifest> {
    let (disk, old) = (&*location.disk, PathBuf::from(&location.prefix));
    let target = location.file(&location.prefix);
    let names_old = manifest.base().is_some_and(|base| base.name == location.prefix);
    if names_old && !disk.exists(&target) && disk.exists(&old) {
        let moved = disk.rename(&old, &target).and_then(|()| disk.sync_directory(&target));
        moved.map_err(|error| LoadError::Io(old, error))?;
    }
    Ok(manifest)
}

/// Loads everything the manifest names into a store that has all slots.
///
/// # Errors
/// If anything is missing or damaged that must not be.
pub fn load(
    location: &Location,
    manifest: &Manifest,
    mut options: LoadOptions,
    store: &mut Store,
) -> Loaded<LoadReport> {
    store.set_loading(true);
    let scripts = options.scripts.take();
    let mut loader = Loader {
        disk: &*location.disk,
        is_last: false,
        may_trust: true,
        went_too_far: false,
        options: &options,
        store: &mut *store,
        programs: Programs { scripts, ..Programs::default() },
        report: LoadReport::default(),
    };
    let done_before_bytes = options.progress.going().bytes;
    let mut result = loader.load_files(location, manifest);
    if loader.went_too_far {
        options.progress.rewind(done_before_bytes);
        loader.begin_again();
        result = loader.load_files(location, manifest);
    }
    let Loader { programs, mut report, .. } = loader;
    store.set_loading(false);
    report.contents.functions = programs.libraries.into_texts();
    result.map(|()| report)
}

/// A load under way.
struct Loader<'a> {
    disk: &'a dyn Disk,
    /// Whether nothing follows what is being loaded, so that it may be cut back.
    is_last: bool,
    /// Whether segments that look whole may be run before that is certain.
    may_trust: bool,
    /// Segments that were trusted are not whole: what was loaded is not the data.
    went_too_far: bool,
    options: &'a LoadOptions,
    store: &'a mut Store,
    programs: Programs,
    report: LoadReport,
}

/// A file whose bytes are counted.
struct Counted {
    input: Box<dyn Read + Send>,
    progress: Arc<LoadProgress>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.progress.note(LoadCounts::default(), count as u64);
        Ok(count)
    }
}

/// A file, and where in it commands begin.
type Part = (PathBuf, u64);

impl Loader<'_> {
    fn load_files(&mut self, location: &Location, manifest: &Manifest) -> Loaded<()> {
        let is_missing = |file: &&FileEntry| {
            file.kind != FileKind::History && !self.disk.exists(&location.file(&file.name))
        };
        if let Some(file) = manifest.files.iter().find(is_missing) {
            return Err(LoadError::Missing(file.name.clone()));
        }
        let generations = manifest.generations();
        if let Some(base) = manifest.base() {
            self.is_last = generations.is_empty();
            let begun = Instant::now();
            self.load_base(&location.file(&base.name))?;
            self.tell_loaded(base, begun);
            self.report.base_bytes = self.report.bytes;
        }
        // Nothing of a generation is written before all of the one before is on the disk.
        let is_filled = |files: &Vec<&FileEntry>| {
            let length = |file: &&FileEntry| self.disk.length(&location.file(&file.name));
            files.iter().any(|file| length(file).is_ok_and(|length| length > 0))
        };
        let last = generations.iter().rposition(is_filled).unwrap_or(0);
        for (index, files) in generations.iter().enumerate() {
            let begun = Instant::now();
            let paths: Vec<PathBuf> = files.iter().map(|file| location.file(&file.name)).collect();
            self.is_last = index >= last;
            for path in &paths {
                self.report.bytes += self.length(path)?;
            }
            let parts: Vec<Part> = paths.into_iter().map(|path| (path, 0)).collect();
            // A later generation has something because this one was whole.
            if self.may_trust && parts.len() > 1 && (index < last || self.end_alike(&parts)?) {
                self.load_trusted(&parts)?;
            } else {
                self.load_segments(&parts)?;
            }
            files.iter().for_each(|file| self.tell_loaded(file, begun));
        }
        Ok(())
    }

    /// Tells that a file is loaded. Those of one generation take as long as all of them together.
    fn tell_loaded(&self, file: &FileEntry, begun: Instant) {
        let seconds = begun.elapsed().as_secs_f64();
        self.options.progress.tell(LoadEvent::Loaded {
            kind: file.kind,
            name: &file.name,
            seconds,
        });
    }

    /// Forgets all that was loaded.
    fn begin_again(&mut self) {
        drop(self.store.flush(None));
        (self.may_trust, self.went_too_far) = (false, false);
        self.programs.libraries = LibraryTexts::default();
        self.report = LoadReport::default();
    }

    /// Whether segments end with the same barrier, as those do whose process was shut down. That
    /// is a guess: a value may look like this, and other parts may be missing.
    fn end_alike(&self, parts: &[Part]) -> Loaded<bool> {
        let mut first = None;
        for (path, _) in parts {
            let start = self.length(path)?.saturating_sub(END_BYTES);
            let mut end = Vec::new();
            let file = self.disk.open(path, start);
            let read = file.and_then(|file| file.take(END_BYTES).read_to_end(&mut end));
            read.map_err(|error| LoadError::Io(path.clone(), error))?;
            let Some(barrier) = last_barrier(&end) else { return Ok(false) };
            if first.get_or_insert(barrier) != &barrier {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Loads segments that are most likely whole, and finds out whether they are on the way: that
    /// saves reading them twice.
    fn load_trusted(&mut self, parts: &[Part]) -> Loaded<()> {
        let lengths: Vec<u64> =
            parts.iter().map(|(path, _)| self.length(path)).collect::<Loaded<_>>()?;
        let readers: Vec<_> =
            parts.iter().map(|part| Ok((self.read_ahead(part)?, None))).collect::<Loaded<_>>()?;
        let (merge, merged) = self.apply_merged(parts, Merge::new(readers.into_iter()))?;
        let is_whole = merged.is_ok() && is_closed(&merge.into_surveys(), &lengths);
        self.went_too_far = !is_whole;
        // Nobody gets to see this one: the load begins again.
        if is_whole { Ok(()) } else { Err(LoadError::Disordered(parts[0].0.clone())) }
    }

    fn length(&self, path: &Path) -> Loaded<u64> {
        self.disk.length(path).map_err(|error| LoadError::Io(path.to_owned(), error))
    }

    /// Loads a base: an RDB file, perhaps with commands behind it, or commands alone.
    fn load_base(&mut self, path: &Path) -> Loaded<()> {
        let io_error = |error| LoadError::Io(path.to_owned(), error);
        let length = self.length(path)?;
        let mut signature = Vec::new();
        let file = self.disk.open(path, 0).map_err(io_error)?;
        file.take(5).read_to_end(&mut signature).map_err(io_error)?;
        let mut position = 0;
        if signature == *b"REDIS" || signature == *b"VALKE" {
            position = self.load_rdb(path, length)?;
        }
        self.report.bytes += length;
        if position == length {
            return Ok(());
        }
        self.load_segments(&[(path.to_owned(), position)])
    }

    /// Loads the RDB file that a base is, or begins with; returns where that ends.
    fn load_rdb(&mut self, path: &Path, length: u64) -> Loaded<u64> {
        let file = self.disk.open(path, 0);
        let file = file.map_err(|error| LoadError::Io(path.to_owned(), error))?;
        let fault = |fault| LoadError::Base(path.to_owned(), fault);
        let (check, progress) = (self.options.version_check, &self.options.progress);
        let done_before_bytes = progress.going().bytes;
        let mut reader = RdbReader::of_versions(check, file, Some(length), ChecksumUse::Verify)
            .map_err(fault)?;
        // What follows may refer to keys whose time has come.
        let rules = LoadRules { skips_expired: false, replaces: false };
        let (counts, contents) =
            load_all_on(self.options.thread_count, &mut reader, self.store, rules, progress)
                .map_err(fault)?;
        progress.settle(done_before_bytes + reader.offset());
        for text in &contents.functions {
            self.programs.libraries.load(text).map_err(|error| {
                let reason = Reason::Function(error.text().to_string());
                fault(RdbFault { offset: 0, opcode: None, key: None, reason })
            })?;
        }
        (self.report.base, self.report.contents) = (counts, contents);
        Ok(reader.offset())
    }

    fn load_segments(&mut self, parts: &[Part]) -> Loaded<()> {
        if let [part] = parts {
            return self.load_one(part);
        }
        let surveys = self.survey(parts)?;
        let kept = cut(&surveys, None);
        self.cut_files(parts, &surveys, &kept)?;
        let readers: Vec<_> = parts
            .iter()
            .zip(&kept)
            .map(|(part, kept)| Ok((self.read_ahead(part)?, Some(kept.items))))
            .collect::<Loaded<_>>()?;
        let (_, merged) = self.apply_merged(parts, Merge::new(readers.into_iter()))?;
        merged.map_err(|error| in_parts(error, parts))
    }

    /// Runs the records of several segments; how far that came, if all records could run.
    fn apply_merged(
        &mut self,
        parts: &[Part],
        mut merge: Merge<ReadAhead>,
    ) -> Loaded<(Merge<ReadAhead>, Result<(), MergeError>)> {
        let merged = self.apply_by_hands(parts, |hands| {
            while let Some((segment, record, is_global)) = merge.next_record()? {
                if !hands.give(segment, record, is_global) {
                    break;
                }
            }
            Ok(())
        })?;
        Ok((merge, merged))
    }

    /// Lets hands run what `give` gives them; returns what that returned, if all could run.
    fn apply_by_hands<T>(
        &mut self,
        parts: &[Part],
        give: impl FnOnce(&mut Hands<'_>) -> T,
    ) -> Loaded<T> {
        let (store, hand_count) = (&mut *self.store, self.options.thread_count.max(1));
        let programs = std::mem::take(&mut self.programs);
        let (programs, given, done) = std::thread::scope(|scope| {
            let mut hands = Hands::start(scope, store, programs, hand_count, parts.len());
            let given = give(&mut hands);
            let (programs, done) = hands.finish(store);
            (programs, given, done)
        });
        self.programs = programs;
        let done = done.map_err(|HandError { segment, error, .. }| {
            let path = parts[segment].0.clone();
            LoadError::Command(path, error)
        })?;
        self.report.commands += done.commands;
        self.report.failed += done.failed;
        Ok(given)
    }

    /// Loads a segment that stands for itself, in one go. What is torn was not applied, and is cut
    /// off behind that.
    fn load_one(&mut self, part: &Part) -> Loaded<()> {
        let (path, position) = part;
        let file = BufReader::with_capacity(BUFFER_BYTES, self.open_counted(path, *position)?);
        let mut reader = Reader::new(file, *position);
        let mut items = 0;
        let damage = self.apply_by_hands(std::slice::from_ref(part), |hands| {
            loop {
                match reader.next_item() {
                    Ok(None) => return None,
                    Err(damage) => return Some(damage),
                    Ok(Some(Item::Needs(_) | Item::Open(_) | Item::Time(_))) => {}
                    Ok(Some(Item::Barrier { .. })) => items += 1,
                    Ok(Some(Item::Record)) => {
                        items += 1;
                        if !hands.give_plain(reader.record()) {
                            return None;
                        }
                    }
                }
            }
        })?;
        let bytes = reader.good_bytes();
        let survey = Survey::of_one(items, bytes, damage);
        self.cut_files(std::slice::from_ref(part), &[survey], &[Kept { items, bytes }])
    }

    /// Looks through all segments, each on a thread of its own.
    fn survey(&self, parts: &[Part]) -> Loaded<Vec<Survey>> {
        let readers: Vec<_> = parts.iter().map(|part| self.open_at(part)).collect::<Loaded<_>>()?;
        Ok(std::thread::scope(|scope| {
            let survey = |mut reader| scope.spawn(move || Survey::of(&mut reader));
            let threads: Vec<_> = readers.into_iter().map(survey).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, Survey>| {
                thread.join().expect("looking through a segment does not panic")
            };
            threads.into_iter().map(join).collect()
        }))
    }

    fn read_ahead(&self, part: &Part) -> Loaded<ReadAhead> {
        let (path, position) = part;
        let file = BufReader::with_capacity(BUFFER_BYTES, self.open_counted(path, *position)?);
        let ahead = ReadAhead::start(Reader::new(file, *position));
        ahead.map_err(|error| LoadError::Io(path.clone(), error))
    }

    /// Opens a file whose bytes count as progress.
    fn open_counted(&self, path: &Path, position: u64) -> Loaded<Counted> {
        let input = self.disk.open(path, position);
        let input = input.map_err(|error| LoadError::Io(path.to_owned(), error))?;
        Ok(Counted { input, progress: Arc::clone(&self.options.progress) })
    }

    fn open_at(&self, (path, position): &Part) -> Loaded<Reader<impl io::BufRead + Send + use<>>> {
        let file = self.disk.open(path, *position);
        let file = file.map_err(|error| LoadError::Io(path.clone(), error))?;
        Ok(Reader::new(BufReader::with_capacity(BUFFER_BYTES, file), *position))
    }

    /// Whether the damaged end of a segment may be cut off.
    fn may_cut_corrupt(&self, path: &Path, survey: &Survey) -> Loaded<bool> {
        let tail_bytes = self.length(path)?.saturating_sub(survey.good_bytes);
        Ok(self.is_last && tail_bytes <= self.options.corrupt_tail_bytes_max)
    }

    /// Whether files may be cut back; an error if one is damaged in a way that must stop the start.
    fn judge_damage(&mut self, parts: &[Part], surveys: &[Survey]) -> Loaded<bool> {
        let (mut is_torn, mut is_corrupt) = (false, false);
        for ((path, _), survey) in parts.iter().zip(surveys) {
            match &survey.damage {
                None => {}
                Some(Damage::Truncated) => is_torn = true,
                Some(Damage::Malformed(what)) if self.may_cut_corrupt(path, survey)? => {
                    is_corrupt = true;
                    self.report.warnings.push(format!(
                        "!!! Warning: corrupt tail of the AOF file {}: {what} behind byte {}!!! \
                         AOF loaded anyway because aof-load-corrupt-tail-max-size is enabled",
                        path.display(),
                        survey.good_bytes
                    ));
                }
                Some(Damage::Malformed(what)) => {
                    let damage = Damage::Malformed(what);
                    return Err(LoadError::Damaged(path.clone(), survey.good_bytes, damage));
                }
                Some(Damage::Io(error)) => {
                    let error = io::Error::from(error.kind());
                    return Err(LoadError::Io(path.clone(), error));
                }
            }
        }
        // What others have told after what is lost goes with it, whichever way it was lost.
        let may_cut_torn = self.is_last && self.options.cuts_torn_ends;
        Ok(may_cut_torn || (is_corrupt && !is_torn))
    }

    /// Cuts files back to what counts, or says why they must not be.
    fn cut_files(&mut self, parts: &[Part], surveys: &[Survey], kept: &[Kept]) -> Loaded<()> {
        let may_cut = self.judge_damage(parts, surveys)?;
        for (((path, position), survey), kept) in parts.iter().zip(surveys).zip(kept) {
            let length = self.length(path)?;
            if kept.bytes.max(*position) >= length {
                continue;
            }
            if !may_cut {
                return Err(LoadError::Torn(path.clone(), kept.bytes));
            }
            if matches!(survey.damage, Some(Damage::Malformed(_))) && survey.items == kept.items {
                continue;
            }
            self.report.warnings.push(format!(
                "!!! Warning: short read while loading the AOF file {}!!! AOF loaded anyway \
                 because aof-load-truncated is enabled: {} of {length} bytes kept, {} items left \
                 out because they are incomplete or follow something that was lost",
                path.display(),
                kept.bytes,
                survey.items - kept.items
            ));
        }
        for ((path, position), kept) in parts.iter().zip(kept) {
            let length = kept.bytes.max(*position);
            if self.length(path)? > length {
                let cut = self.disk.open_to_write(path).and_then(|mut file| {
                    file.truncate(length)?;
                    file.sync()
                });
                cut.map_err(|error| LoadError::Io(path.clone(), error))?;
            }
        }
        Ok(())
    }
}

/// The number of the barrier that is the last line of a segment, of which this is the end.
fn last_barrier(end: &[u8]) -> Option<u64> {
    let lines = end.strip_suffix(b"\r\n")?;
    let start = lines.iter().rposition(|byte| *byte == b'\n')? + 1;
    let number = lines[start..].strip_prefix(b"#G:")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// What is wrong with segments that are merged, as the files they are.
fn in_parts(error: MergeError, parts: &[Part]) -> LoadError {
    match error {
        MergeError::Damaged(segment, damage) => {
            let (path, position) = parts[segment].clone();
            LoadError::Damaged(path, position, damage)
        }
        MergeError::Disordered => LoadError::Disordered(parts[0].0.clone()),
    }
}
