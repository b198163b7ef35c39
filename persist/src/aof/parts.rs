//! What an append-only directory is made of, for tools that read it without loading it: its
//! generations, oldest first, each with its files and where the commands of these begin.
//!
//! A file may be named without its manifest, as those of older servers are. Then it is all there
//! is, which a segment is not: what it holds counts only together with the others of its
//! generation, so who meets one alone must not judge it, much less cut it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::item::{Item, Reader};
use super::load::Location;
use super::manifest::{FileKind, Manifest};
use crate::disk::SystemDisk;
use crate::reader::{ChecksumUse, Item as RdbItem, RdbReader};

/// What the files of a generation are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// All there is, in one file.
    Alone,
    /// The data at a cut.
    Base,
    /// What happened since.
    Increment,
}

impl Style {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Alone => "AOF",
            Self::Base => "BASE AOF",
            Self::Increment => "INCR AOF",
        }
    }
}

/// A generation.
pub(super) struct Part {
    pub(super) style: Style,
    /// Its files, and where the commands of each begin.
    pub(super) files: Vec<(PathBuf, u64)>,
}

impl Part {
    /// Whether nothing was ever written to it.
    pub(super) fn is_bare(&self) -> io::Result<bool> {
        for (path, _) in &self.files {
            if length_of(path)? > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The generations of what was named, oldest first.
pub(super) struct Parts {
    pub(super) generations: Vec<Part>,
    /// Whether they are one file, or files a stock server would load one after the other.
    pub(super) is_plain: bool,
}

impl Parts {
    /// The files behind a manifest, or a single file. `None` if they make no sense, of which the
    /// report tells.
    pub(super) fn of(path: &Path, report: &mut dyn Write) -> io::Result<Option<Self>> {
        if path.extension().is_none_or(|extension| extension != "manifest") {
            writeln!(report, "Start checking Old-Style AOF")?;
            let Some(position) = after_preamble(path, report)? else { return Ok(None) };
            let files = vec![(path.to_owned(), position)];
            let generations = vec![Part { style: Style::Alone, files }];
            return Ok(Some(Self { generations, is_plain: true }));
        }
        writeln!(report, "Start checking Multi Part AOF")?;
        match Manifest::read(&SystemDisk, path) {
            Ok(Some(manifest)) => {
                Self::of_manifest(&manifest, path.parent().unwrap_or(Path::new(".")), report)
            }
            Ok(None) => Err(explained("Cannot open file", path)(io::ErrorKind::NotFound.into())),
            Err(error) => {
                writeln!(report, "{error}")?;
                Ok(None)
            }
        }
    }

    fn of_manifest(
        manifest: &Manifest,
        directory: &Path,
        report: &mut dyn Write,
    ) -> io::Result<Option<Self>> {
        let location = Location::new(directory.to_owned(), String::new());
        let mut generations = Vec::new();
        if let Some(base) = manifest.base() {
            let base = location.file(&base.name);
            let form = if is_rdb(&base)? { "RDB" } else { "RESP" };
            writeln!(report, "Start to check BASE AOF ({form} format).")?;
            let Some(position) = after_preamble(&base, report)? else { return Ok(None) };
            generations.push(Part { style: Style::Base, files: vec![(base, position)] });
        }
        for files in manifest.generations() {
            let files = files.iter().map(|file| (location.file(&file.name), 0)).collect();
            generations.push(Part { style: Style::Increment, files });
        }
        let is_plain = manifest.files.iter().all(|file| file.kind != FileKind::Segment);
        Ok(Some(Self { generations, is_plain }))
    }

    /// Whether this is one segment of several, named without its manifest; says so if it is.
    ///
    /// The first record tells: that of a segment names its slots, or stands behind a line about
    /// other segments, and that of any other file does neither.
    pub(super) fn is_lone_segment(&self, report: &mut dyn Write) -> io::Result<bool> {
        let [Part { style: Style::Alone, files }] = &self.generations[..] else {
            return Ok(false);
        };
        let (path, position) = &files[0];
        let mut reader = open_at(path, *position)?;
        let is_segment = loop {
            match reader.next_item() {
                Ok(Some(Item::Time(_))) => {}
                Ok(Some(Item::Barrier { .. } | Item::Needs(_) | Item::Open(_))) => break true,
                Ok(Some(Item::Record) | None) | Err(_) => break !reader.record().slots.is_empty(),
            }
        };
        if is_segment {
            let name = name_of(path);
            writeln!(
                report,
                "AOF {name} is one segment of several, and counts only together with the others. \
                 Name the manifest of its directory instead."
            )?;
        }
        Ok(is_segment)
    }
}

/// What it says of an error of the system: what failed, and with which file.
pub(super) fn explained<'a>(
    what: &'a str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> io::Error + 'a {
    move |error| io::Error::new(error.kind(), format!("{what} {}: {error}", path.display()))
}

pub(super) fn name_of(path: &Path) -> std::path::Display<'_> {
    Path::new(path.file_name().unwrap_or(path.as_os_str())).display()
}

pub(super) fn open(path: &Path) -> io::Result<File> {
    File::open(path).map_err(explained("Cannot open file", path))
}

pub(super) fn length_of(path: &Path) -> io::Result<u64> {
    Ok(path.metadata().map_err(explained("Cannot open file", path))?.len())
}

/// Reads a file as a segment, from byte `position` on.
pub(super) fn open_at(path: &Path, position: u64) -> io::Result<Reader<BufReader<File>>> {
    let mut file = open(path)?;
    file.seek(SeekFrom::Start(position))?;
    Ok(Reader::new(BufReader::new(file), position))
}

fn is_rdb(path: &Path) -> io::Result<bool> {
    let mut signature = [0; 5];
    let read = open(path)?.read(&mut signature).map_err(explained("Cannot read file", path))?;
    Ok(read == 5 && signature == *b"REDIS")
}

/// Where the commands of a file begin: behind an RDB preamble, if it has one. `None` if that is
/// damaged.
fn after_preamble(path: &Path, report: &mut dyn Write) -> io::Result<Option<u64>> {
    if !is_rdb(path)? {
        return Ok(Some(0));
    }
    let checked = RdbReader::new(open(path)?, Some(length_of(path)?), ChecksumUse::Verify)
        .and_then(|mut reader| {
            while !matches!(reader.read_item()?, RdbItem::End) {}
            Ok(reader.offset())
        });
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
