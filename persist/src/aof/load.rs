//! From an append-only directory to the data: the base first, then each generation.
//!
//! What is left of the last generation after a crash is cut back to a prefix of history (see
//! [`super::cut`]), in the files as well, so that whoever loads them later sees the same. Damage
//! anywhere else stops the start: nothing is dropped in silence.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use basalt_shard::loading::LoadRules;
use basalt_shard::replay::{Replay, ReplayError};
use basalt_shard::store::Store;

use super::cut::{Kept, Survey, cut};
use super::item::{Damage, Reader};
use super::manifest::{FileEntry, FileKind, Manifest, ManifestError};
use super::merge::{Merge, MergeError};
use crate::fault::RdbFault;
use crate::load::{Contents, LoadCounts, load_all};
use crate::reader::{ChecksumUse, RdbReader};

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// Where the append-only file is.
#[derive(Clone, Debug)]
pub struct Location {
    /// The directory of the files (`appenddirname`).
    pub directory: PathBuf,
    /// What their names begin with (`appendfilename`).
    pub prefix: String,
}

impl Location {
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
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// Whether an end that is torn is cut off, rather than fatal (`aof-load-truncated`).
    pub cuts_torn_ends: bool,
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

/// Why the data cannot be loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The system refuses.
    Io(PathBuf, io::Error),
    /// The manifest makes no sense.
    Manifest(ManifestError),
    /// The base is damaged.
    Base(PathBuf, RdbFault),
    /// A file is damaged where it should not be.
    Damaged(PathBuf, u64, Damage),
    /// A file ends in the midst of something, and that is not to be forgiven.
    Torn(PathBuf, u64),
    /// The files of a generation do not fit together.
    Disordered(PathBuf),
    /// Something in a file is no command of a journal.
    Command(PathBuf, ReplayError),
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const ADVICE: &str =
            "make a backup of your AOF directory, then use basalt-check-aof --fix <manifest>";
        match self {
            Self::Io(path, error) => write!(formatter, "{}: {error}", path.display()),
            Self::Manifest(error) => error.fmt(formatter),
            Self::Base(path, fault) => write!(formatter, "{}: {fault}", path.display()),
            Self::Damaged(path, at, damage) => {
                write!(formatter, "{} at byte {at}: {damage}; {ADVICE}", path.display())
            }
            Self::Torn(path, at) => write!(
                formatter,
                "Unexpected end of file reading the append only file {} at byte {at}. You can: 1) \
                 {ADVICE}. 2) Alternatively you can set the 'aof-load-truncated' configuration \
                 option to yes and restart the server.",
                path.display()
            ),
            Self::Disordered(path) => {
                write!(formatter, "{}: records are missing or out of order", path.display())
            }
            Self::Command(path, error) => write!(formatter, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for LoadError {}

type Loaded<T> = Result<T, LoadError>;

/// Finds the manifest. A single file of an older server is taken over as base; without anything
/// there is an empty manifest.
///
/// # Errors
/// If what is there cannot be read.
pub fn open(location: &Location) -> Loaded<Manifest> {
    let path = location.manifest();
    if let Some(manifest) = Manifest::read(&path).map_err(LoadError::Manifest)? {
        return Ok(manifest);
    }
    let io_error = |path: &Path| {
        let path = path.to_owned();
        move |error| LoadError::Io(path, error)
    };
    fs::create_dir_all(&location.directory).map_err(io_error(&location.directory))?;
    let old = PathBuf::from(&location.prefix);
    let mut manifest = Manifest::default();
    if old.is_file() {
        let name = location.prefix.clone();
        let entry = FileEntry { name, sequence: 1, kind: FileKind::Base, generation: None };
        let target = location.file(&entry.name);
        manifest.files.push(entry);
        manifest.write(&path).map_err(io_error(&path))?;
        fs::rename(&old, &target).map_err(io_error(&old))?;
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
    options: LoadOptions,
    store: &mut Store,
) -> Loaded<LoadReport> {
    let mut report = LoadReport::default();
    store.set_loading(true);
    let result = load_files(location, manifest, options, store, &mut report);
    store.set_loading(false);
    result.map(|()| report)
}

fn load_files(
    location: &Location,
    manifest: &Manifest,
    options: LoadOptions,
    store: &mut Store,
    report: &mut LoadReport,
) -> Loaded<()> {
    let generations = manifest.generations();
    if let Some(base) = manifest.base() {
        let is_last = generations.is_empty();
        load_base(&location.file(&base.name), options.cuts_torn_ends && is_last, store, report)?;
        report.base_bytes = report.bytes;
    }
    for (index, files) in generations.iter().enumerate() {
        let paths: Vec<PathBuf> = files.iter().map(|file| location.file(&file.name)).collect();
        let is_last = index + 1 == generations.len();
        load_generation(&paths, options.cuts_torn_ends && is_last, store, report)?;
    }
    Ok(())
}

/// Loads a base: an RDB file, perhaps with commands behind it, or commands alone.
fn load_base(path: &Path, may_cut: bool, store: &mut Store, report: &mut LoadReport) -> Loaded<()> {
    let io_error = |error| LoadError::Io(path.to_owned(), error);
    let mut file = File::open(path).map_err(io_error)?;
    let length = file.metadata().map_err(io_error)?.len();
    let mut signature = [0; 5];
    let is_rdb = length >= 5 && file.read_exact(&mut signature).is_ok() && signature == *b"REDIS";
    drop(file);
    let mut position = 0;
    if is_rdb {
        let file = File::open(path).map_err(io_error)?;
        let fault = |fault| LoadError::Base(path.to_owned(), fault);
        let mut reader = RdbReader::new(file, Some(length), ChecksumUse::Verify).map_err(fault)?;
        // What follows may refer to keys whose time has come.
        let rules = LoadRules { skips_expired: false, replaces: false };
        let (counts, contents) = load_all(&mut reader, store, rules).map_err(fault)?;
        (report.base, report.contents) = (counts, contents);
        position = reader.offset();
    }
    report.bytes += length;
    if position == length {
        return Ok(());
    }
    load_segments(&[(path.to_owned(), position)], may_cut, store, report)
}

fn load_generation(
    paths: &[PathBuf],
    may_cut: bool,
    store: &mut Store,
    report: &mut LoadReport,
) -> Loaded<()> {
    for path in paths {
        let length = path.metadata().map_err(|error| LoadError::Io(path.clone(), error))?.len();
        report.bytes += length;
    }
    let segments: Vec<(PathBuf, u64)> = paths.iter().map(|path| (path.clone(), 0)).collect();
    load_segments(&segments, may_cut, store, report)
}

fn load_segments(
    segments: &[(PathBuf, u64)],
    may_cut: bool,
    store: &mut Store,
    report: &mut LoadReport,
) -> Loaded<()> {
    let surveys: Vec<Survey> = segments
        .iter()
        .map(|(path, position)| Ok(Survey::of(&mut open_at(path, *position)?)))
        .collect::<Loaded<_>>()?;
    let kept = cut(&surveys, None);
    cut_files(segments, &surveys, &kept, may_cut, report)?;
    let readers: Vec<_> = segments
        .iter()
        .zip(&kept)
        .map(|((path, position), kept)| Ok((open_at(path, *position)?, kept.items)))
        .collect::<Loaded<_>>()?;
    let mut merge = Merge::new(readers.into_iter());
    let mut replays: Vec<Replay> = segments.iter().map(|_| Replay::default()).collect();
    loop {
        let next = merge.next_record().map_err(|error| match error {
            MergeError::Damaged(segment, damage) => {
                let (path, position) = segments[segment].clone();
                LoadError::Damaged(path, position, damage)
            }
            MergeError::Disordered => LoadError::Disordered(segments[0].0.clone()),
        })?;
        let Some((segment, record)) = next else { break };
        for command in record.commands() {
            let applied = replays[segment].apply(store, command);
            applied.map_err(|error| LoadError::Command(segments[segment].0.clone(), error))?;
        }
        // What becomes free meanwhile is freed here: nobody waits.
        store.take_garbage();
    }
    report.commands += replays.iter().map(|replay| replay.applied).sum::<u64>();
    report.failed += replays.iter().map(|replay| replay.failed).sum::<u64>();
    Ok(())
}

fn open_at(path: &Path, position: u64) -> Loaded<Reader<BufReader<File>>> {
    let io_error = |error| LoadError::Io(path.to_owned(), error);
    let mut file = File::open(path).map_err(io_error)?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(position)).map_err(io_error)?;
    Ok(Reader::new(BufReader::with_capacity(BUFFER_BYTES, file), position))
}

/// Cuts files back to what counts, or says why they must not be.
fn cut_files(
    segments: &[(PathBuf, u64)],
    surveys: &[Survey],
    kept: &[Kept],
    may_cut: bool,
    report: &mut LoadReport,
) -> Loaded<()> {
    for (((path, _), survey), kept) in segments.iter().zip(surveys).zip(kept) {
        match &survey.damage {
            None | Some(Damage::Truncated) => {}
            Some(Damage::Malformed(what)) => {
                let damage = Damage::Malformed(what);
                return Err(LoadError::Damaged(path.clone(), survey.good_bytes, damage));
            }
            Some(Damage::Io(error)) => {
                let error = io::Error::from(error.kind());
                return Err(LoadError::Io(path.clone(), error));
            }
        }
        let length = path.metadata().map_err(|error| LoadError::Io(path.clone(), error))?.len();
        if kept.bytes.max(survey_start(segments, path)) >= length {
            continue;
        }
        if !may_cut {
            return Err(LoadError::Torn(path.clone(), kept.bytes));
        }
        report.warnings.push(format!(
            "!!! Warning: short read while loading the AOF file {}!!! AOF loaded anyway because \
             aof-load-truncated is enabled: {} of {length} bytes kept, {} items left out because \
             they are incomplete or follow something that was lost",
            path.display(),
            kept.bytes,
            survey.items - kept.items
        ));
    }
    for ((path, position), kept) in segments.iter().zip(kept) {
        let io_error = |error| LoadError::Io(path.clone(), error);
        let file = OpenOptions::new().write(true).open(path).map_err(io_error)?;
        let length = kept.bytes.max(*position);
        if file.metadata().map_err(io_error)?.len() > length {
            file.set_len(length).and_then(|()| file.sync_all()).map_err(io_error)?;
        }
    }
    Ok(())
}

/// Where the commands of a file begin.
fn survey_start(segments: &[(PathBuf, u64)], path: &Path) -> u64 {
    segments.iter().find(|(other, _)| other == path).map_or(0, |(_, position)| *position)
}
