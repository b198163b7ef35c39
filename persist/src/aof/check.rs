//! Looking through an append-only directory or file without loading it, and mending it.
//!
//! What is checked is what loading would check: every item of every file, and that the files of a
//! generation are a prefix of history. Mending cuts files, never writes into them.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cut::{Kept, Survey, cut};
use super::item::{Item, Reader};
use super::load::Location;
use super::manifest::Manifest;
use super::merge::Merge;
use crate::disk::SystemDisk;
use crate::reader::{ChecksumUse, Item as RdbItem, RdbReader};
use basalt_shard::journal::write_command;

/// What is to be done besides looking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// Cut off what is damaged at the end.
    pub fixes: bool,
    /// Cut off what happened after this, in seconds since 1970.
    pub until_unix_seconds: Option<i64>,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well, or is now.
    Good,
    /// Something has to be cut off.
    Damaged,
    /// Something is wrong that cutting does not mend.
    Hopeless,
}

/// The generations of what was named, oldest first: files, and where the commands of each begin.
struct Parts {
    generations: Vec<Vec<(PathBuf, u64)>>,
}

impl Parts {
    /// The files behind a manifest, or a single file.
    fn of(path: &Path, report: &mut dyn Write) -> io::Result<Option<Self>> {
        let is_manifest = path.extension().is_some_and(|extension| extension == "manifest");
        if !is_manifest {
            let Some(position) = after_preamble(path, report)? else { return Ok(None) };
            return Ok(Some(Self { generations: vec![vec![(path.to_owned(), position)]] }));
        }
        let manifest = match Manifest::read(&SystemDisk, path) {
            Ok(Some(manifest)) => manifest,
            Ok(None) => return Err(io::ErrorKind::NotFound.into()),
            Err(error) => {
                writeln!(report, "{error}")?;
                return Ok(None);
            }
        };
        let directory = path.parent().unwrap_or(Path::new(".")).to_owned();
        let location = Location { disk: Arc::new(SystemDisk), directory, prefix: String::new() };
        let mut generations = Vec::new();
        if let Some(base) = manifest.base() {
            let base = location.file(&base.name);
            writeln!(report, "Start to check BASE AOF {}", base.display())?;
            let Some(position) = after_preamble(&base, report)? else { return Ok(None) };
            generations.push(vec![(base, position)]);
        }
        for files in manifest.generations() {
            generations.push(files.iter().map(|file| (location.file(&file.name), 0)).collect());
        }
        Ok(Some(Self { generations }))
    }
}

/// Where the commands of a file begin: behind an RDB preamble, if it has one. `None` if that is
/// damaged.
fn after_preamble(path: &Path, report: &mut dyn Write) -> io::Result<Option<u64>> {
    let length = path.metadata()?.len();
    let mut signature = [0; 5];
    let read = io::Read::read(&mut File::open(path)?, &mut signature)?;
    if read < 5 || signature != *b"REDIS" {
        return Ok(Some(0));
    }
    let checked = RdbReader::new(File::open(path)?, Some(length), ChecksumUse::Verify).and_then(
        |mut reader| {
            while !matches!(reader.read_item()?, RdbItem::End) {}
            Ok(reader.offset())
        },
    );
    match checked {
        Ok(position) => {
            writeln!(report, "RDB preamble is OK, proceeding with AOF tail...")?;
            Ok(Some(position))
        }
        Err(fault) => {
            writeln!(report, "RDB preamble of {} is not sane: {fault}", path.display())?;
            Ok(None)
        }
    }
}

/// Checks, and mends if that is asked for.
///
/// # Errors
/// When files cannot be read or cut, or the report cannot be written.
pub fn check(path: &Path, options: CheckOptions, report: &mut dyn Write) -> io::Result<Verdict> {
    let Some(parts) = Parts::of(path, report)? else { return Ok(Verdict::Hopeless) };
    let mut verdict = Verdict::Good;
    let mut is_over = false;
    for (index, files) in parts.generations.iter().enumerate() {
        let is_last = index + 1 == parts.generations.len();
        if is_over {
            // History ended in an earlier generation: nothing of this one remains.
            cut_all(files, &vec![Kept { items: 0, bytes: 0 }; files.len()], report)?;
            continue;
        }
        let surveys = survey(files)?;
        let kept = cut(&surveys, options.until_unix_seconds);
        let mut is_short = false;
        for (((path, position), survey), kept) in files.iter().zip(&surveys).zip(&kept) {
            let length = path.metadata()?.len();
            let bytes = kept.bytes.max(*position);
            writeln!(
                report,
                "AOF analyzed: filename={}, size={length}, ok_up_to={bytes}, diff={}",
                path.display(),
                length - bytes
            )?;
            if let Some(damage) = &survey.damage {
                writeln!(report, "{} at byte {}: {damage}", path.display(), survey.good_bytes)?;
            }
            is_short |= bytes < length;
        }
        if !is_short {
            continue;
        }
        is_over = options.until_unix_seconds.is_some();
        if is_over || options.fixes && is_last {
            cut_all(files, &kept, report)?;
        } else if is_last {
            verdict = Verdict::Damaged;
        } else {
            writeln!(report, "Only the last generation of files may end early.")?;
            return Ok(Verdict::Hopeless);
        }
    }
    Ok(verdict)
}

fn survey(files: &[(PathBuf, u64)]) -> io::Result<Vec<Survey>> {
    files.iter().map(|(path, position)| Ok(Survey::of(&mut open_at(path, *position)?))).collect()
}

fn open_at(path: &Path, position: u64) -> io::Result<Reader<BufReader<File>>> {
    let mut file = File::open(path)?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(position))?;
    Ok(Reader::new(BufReader::new(file), position))
}

fn cut_all(files: &[(PathBuf, u64)], kept: &[Kept], report: &mut dyn Write) -> io::Result<()> {
    for ((path, position), kept) in files.iter().zip(kept) {
        let file = OpenOptions::new().write(true).open(path)?;
        let (length, bytes) = (file.metadata()?.len(), kept.bytes.max(*position));
        if bytes < length {
            file.set_len(bytes)?;
            file.sync_all()?;
            writeln!(report, "Successfully truncated AOF {} to {bytes} bytes", path.display())?;
        }
    }
    Ok(())
}

/// Writes everything behind a manifest as one plain append-only file, which any server loads: the
/// base as it is, and the commands of all segments behind it in an order in which they may run.
/// Returns `false` if the files are damaged.
///
/// # Errors
/// When files cannot be read, or the export cannot be written.
pub fn export(path: &Path, to: &mut dyn Write, report: &mut dyn Write) -> io::Result<bool> {
    let Some(parts) = Parts::of(path, report)? else { return Ok(false) };
    let mut selected: Vec<u8> = Vec::new();
    for files in &parts.generations {
        if let [(path, position @ 1..)] = &files[..] {
            io::copy(&mut io::Read::take(File::open(path)?, *position), to)?;
        }
        let surveys = survey(files)?;
        let kept = cut(&surveys, None);
        let readers: Vec<_> = files
            .iter()
            .zip(&kept)
            .map(|((path, position), kept)| Ok((open_at(path, *position)?, kept.items)))
            .collect::<io::Result<_>>()?;
        let mut merge = Merge::new(readers.into_iter());
        // Each segment has a database of its own; in one file they share one.
        let mut databases: Vec<Vec<u8>> = vec![b"0".to_vec(); files.len()];
        loop {
            let record = match merge.next_record() {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(error) => {
                    writeln!(report, "{error}")?;
                    return Ok(false);
                }
            };
            let (segment, record) = record;
            let mut text = Vec::new();
            for command in record.commands() {
                if command.is(0, "select") {
                    databases[segment] = command.at(1).to_vec();
                    continue;
                }
                if !command.is(0, "exec") && selected != databases[segment] {
                    let words: [&[u8]; 2] = [b"SELECT", &databases[segment]];
                    write_command(&mut text, words.len(), words.into_iter());
                    selected.clone_from(&databases[segment]);
                }
                write_command(&mut text, command.len(), command.from(0));
            }
            to.write_all(&text)?;
        }
    }
    Ok(true)
}

/// Reads bytes as a segment, and asks everything that can be asked of it: for fuzzing.
#[doc(hidden)]
pub fn read_anything(bytes: &[u8]) {
    let survey = Survey::of(&mut Reader::new(bytes, 0));
    assert!(survey.good_bytes <= bytes.len() as u64, "no more is good than is there");
    let kept = cut(&[survey], None);
    let mut merge = Merge::new([(Reader::new(bytes, 0), kept[0].items)].into_iter());
    while let Ok(Some((_, record))) = merge.next_record() {
        record.commands().for_each(|command| assert!(command.len() > 0));
    }
    let mut reader = Reader::new(bytes, 0);
    while let Ok(Some(item)) = reader.next_item() {
        if item == Item::Record {
            assert!(reader.record().commands().len() > 0, "a record has commands");
        }
    }
    let _ = Manifest::parse(bytes).map(|manifest| {
        let again =
            Manifest::parse(manifest.to_text().as_bytes()).expect("what was read reads again");
        assert_eq!(again, manifest);
    });
}
