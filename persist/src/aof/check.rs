//! Looking through an append-only directory or file without loading it, and mending it.
//!
//! What is checked is what loading would check: every item of every file, and that the files of a
//! generation are a prefix of history. Mending cuts files, never writes into them.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use super::cut::{Kept, Survey, cut};
use super::item::{Item, Reader};
use super::load::Location;
use super::manifest::{FileKind, Manifest};
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

/// A generation: files, and where the commands of each begin.
struct Part {
    /// What its files are called.
    style: &'static str,
    files: Vec<(PathBuf, u64)>,
}

/// The generations of what was named, oldest first.
struct Parts {
    generations: Vec<Part>,
    /// Whether they are one file, or files a stock server would load one after the other.
    is_plain: bool,
}

impl Parts {
    /// The files behind a manifest, or a single file.
    fn of(path: &Path, report: &mut dyn Write) -> io::Result<Option<Self>> {
        let is_manifest = path.extension().is_some_and(|extension| extension == "manifest");
        if !is_manifest {
            writeln!(report, "Start checking Old-Style AOF")?;
            let Some(position) = after_preamble(path, report)? else { return Ok(None) };
            let generations = vec![Part { style: "AOF", files: vec![(path.to_owned(), position)] }];
            return Ok(Some(Self { generations, is_plain: true }));
        }
        writeln!(report, "Start checking Multi Part AOF")?;
        let manifest = match Manifest::read(&SystemDisk, path) {
            Ok(Some(manifest)) => manifest,
            Ok(None) => return Err(io::ErrorKind::NotFound.into()),
            Err(error) => {
                writeln!(report, "{error}")?;
                return Ok(None);
            }
        };
        let directory = path.parent().unwrap_or(Path::new(".")).to_owned();
        let location = Location::new(directory, String::new());
        let mut generations = Vec::new();
        if let Some(base) = manifest.base() {
            let base = location.file(&base.name);
            let form = if is_rdb(&base)? { "RDB" } else { "RESP" };
            writeln!(report, "Start to check BASE AOF ({form} format).")?;
            let Some(position) = after_preamble(&base, report)? else { return Ok(None) };
            generations.push(Part { style: "BASE AOF", files: vec![(base, position)] });
        }
        for files in manifest.generations() {
            let files = files.iter().map(|file| (location.file(&file.name), 0)).collect();
            generations.push(Part { style: "INCR AOF", files });
        }
        let is_plain = manifest.files.iter().all(|file| file.kind != FileKind::Segment);
        Ok(Some(Self { generations, is_plain }))
    }
}

fn is_rdb(path: &Path) -> io::Result<bool> {
    let mut signature = [0; 5];
    let read = io::Read::read(&mut File::open(path)?, &mut signature)?;
    Ok(read == 5 && signature == *b"REDIS")
}

/// Where the commands of a file begin: behind an RDB preamble, if it has one. `None` if that is
/// damaged.
fn after_preamble(path: &Path, report: &mut dyn Write) -> io::Result<Option<u64>> {
    if !is_rdb(path)? {
        return Ok(Some(0));
    }
    let length = path.metadata()?.len();
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
    let mut is_over = false;
    for (index, part) in parts.generations.iter().enumerate() {
        let follows_increments = index > 0 && parts.generations[index - 1].style == part.style;
        if part.style == "INCR AOF" && !follows_increments {
            writeln!(report, "Start to check INCR files.")?;
        }
        if is_over {
            // History ended in an earlier generation: nothing of this one remains.
            let nothing = vec![Kept { items: 0, bytes: 0 }; part.files.len()];
            cut_all(&part.files, &nothing, report)?;
            continue;
        }
        // Nothing of a generation is written before all of the one before is on the disk.
        let is_bare =
            |(path, _): &(PathBuf, u64)| path.metadata().is_ok_and(|file| file.len() == 0);
        let is_last =
            parts.generations[index + 1..].iter().flat_map(|part| &part.files).all(is_bare);
        match check_part(part, options, (is_last, parts.is_plain), report)? {
            (Verdict::Good, was_cut) => is_over = was_cut && options.until_unix_seconds.is_some(),
            (verdict, _) => return Ok(verdict),
        }
    }
    Ok(Verdict::Good)
}

/// Checks a generation, and mends it; whether something was cut off.
fn check_part(
    part: &Part,
    options: CheckOptions,
    (is_last, is_plain): (bool, bool),
    report: &mut dyn Write,
) -> io::Result<(Verdict, bool)> {
    let surveys = survey(&part.files)?;
    let kept = cut(&surveys, options.until_unix_seconds);
    let mut short = None;
    for (((path, position), survey), kept) in part.files.iter().zip(&surveys).zip(&kept) {
        let (length, bytes) = (path.metadata()?.len(), kept.bytes.max(*position));
        if let Some(damage) = &survey.damage {
            writeln!(report, "0x{:16x}: {damage}", survey.good_bytes)?;
        }
        writeln!(
            report,
            "AOF analyzed: filename={}, size={length}, ok_up_to={bytes}, ok_up_to_line={}, diff={}",
            name_of(path),
            line_at(path, *position, bytes)?,
            length - bytes
        )?;
        if bytes < length {
            short = short.or(Some((path, bytes)));
        } else {
            writeln!(report, "{} {} is valid", part.style, name_of(path))?;
        }
    }
    let Some((path, bytes)) = short else { return Ok((Verdict::Good, false)) };
    if let Some(seconds) = options.until_unix_seconds {
        let refusal = match () {
            () if is_plain && bytes == 0 => {
                format!("AOF {} has nothing before timestamp {seconds}, aborting...", name_of(path))
            }
            () if is_plain && !is_last => format!(
                "Failed to truncate AOF {} to timestamp {seconds} to offset {bytes} because it is \
                 not the last file.",
                name_of(path)
            ),
            () => String::new(),
        };
        if !refusal.is_empty() {
            writeln!(report, "{refusal}")?;
            return Ok((Verdict::Hopeless, false));
        }
    } else if options.fixes && !is_last {
        let name = name_of(path);
        writeln!(report, "Failed to truncate AOF {name} because it is not the last file")?;
        return Ok((Verdict::Hopeless, false));
    } else if !options.fixes {
        let name = name_of(path);
        writeln!(report, "AOF {name} is not valid. Use the --fix option to try fixing it.")?;
        return Ok((Verdict::Damaged, false));
    }
    cut_all(&part.files, &kept, report)?;
    Ok((Verdict::Good, true))
}

fn name_of(path: &Path) -> std::path::Display<'_> {
    Path::new(path.file_name().unwrap_or(path.as_os_str())).display()
}

/// The number of the line that begins at byte `end`, counted from where commands begin.
fn line_at(path: &Path, start: u64, end: u64) -> io::Result<u64> {
    let mut file = File::open(path)?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(start))?;
    let mut reader = BufReader::new(io::Read::take(file, end - start));
    let mut lines = 1;
    loop {
        let bytes = io::BufRead::fill_buf(&mut reader)?;
        if bytes.is_empty() {
            return Ok(lines);
        }
        lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let count = bytes.len();
        io::BufRead::consume(&mut reader, count);
    }
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
            writeln!(report, "Successfully truncated AOF {} to {bytes} bytes", name_of(path))?;
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
    for Part { files, .. } in &parts.generations {
        if let [(path, position @ 1..)] = &files[..] {
            io::copy(&mut io::Read::take(File::open(path)?, *position), to)?;
        }
        let surveys = survey(files)?;
        let kept = cut(&surveys, None);
        let readers: Vec<_> = files
            .iter()
            .zip(&kept)
            .map(|((path, position), kept)| Ok((open_at(path, *position)?, Some(kept.items))))
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
            let (segment, record, _) = record;
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
    let mut merge = Merge::new([(Reader::new(bytes, 0), Some(kept[0].items))].into_iter());
    while let Ok(Some((_, record, _))) = merge.next_record() {
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
