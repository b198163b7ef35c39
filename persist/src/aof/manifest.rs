//! The manifest of an append-only directory: which files there are, and in which order they count.
//!
//! One line a file, as Redis 7 writes it; keys a reader does not know are skipped:
//!
//! ```text
//! file appendonly.aof.4.base.rdb seq 4 type b
//! file appendonly.aof.7.incr.aof seq 7 type i
//! file appendonly.aof.8.incr.aof seq 8 type s generation 3
//! file appendonly.aof.9.incr.aof seq 9 type s generation 3
//! ```
//!
//! A *generation* is what was written between two cuts, one file per core. That of a single core is
//! an increment any Redis can load (`i`), and goes on growing after a restart. Of several cores the
//! files only mean something together; they are segments (`s`), which makes a stock Redis refuse
//! the directory instead of loading the files one after the other.

use std::io::{self, Read};
use std::path::Path;

use crate::disk::Disk;

/// Longest line, as in Redis.
pub(crate) const LINE_BYTES_MAX: usize = 1024;

const LINE_TOO_LONG: &str = "The AOF manifest file contains too long line";
/// Greatest number that is read, as in Redis: the next one always has room.
const NUMBER_MAX: u64 = i64::MAX as u64;
/// Longest manifest that is read.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// The data at a cut.
    Base,
    /// What happened since, told by one core.
    Increment,
    /// What happened since, told by one of several cores.
    Segment,
    /// Nothing any more: to be deleted.
    History,
}

impl FileKind {
    fn letter(self) -> char {
        match self {
            Self::Base => 'b',
            Self::Increment => 'i',
            Self::Segment => 's',
            Self::History => 'h',
        }
    }

    fn from_letter(letter: char) -> Option<Self> {
        let all = [Self::Base, Self::Increment, Self::Segment, Self::History];
        all.into_iter().find(|kind| kind.letter() == letter)
    }
}

/// What is in a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseForm {
    /// An RDB file.
    Rdb,
    /// Commands (`aof-use-rdb-preamble no`).
    Commands,
}

/// A file of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Its name.
    pub name: String,
    /// Its number; bases and others count apart.
    pub sequence: u64,
    /// What it is.
    pub kind: FileKind,
    /// Which generation it is part of, if that has several files.
    pub generation: Option<u64>,
}

impl FileEntry {
    /// Whether it is a base, or was one.
    fn is_base(&self) -> bool {
        match self.kind {
            FileKind::Base => true,
            FileKind::History => self.name.contains(".base."),
            FileKind::Increment | FileKind::Segment => false,
        }
    }

    /// The line that names it, without its end.
    fn line(&self) -> String {
        let Self { name, sequence, kind, generation } = self;
        let line = format!("file {} seq {sequence} type {}", quoted(name), kind.letter());
        match generation {
            None => line,
            Some(generation) => format!("{line} generation {generation}"),
        }
    }
}

/// The files of a directory, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// All of them.
    pub files: Vec<FileEntry>,
}

/// Why a manifest cannot be used.
#[derive(Debug)]
pub enum ManifestError {
    /// It cannot be read.
    Io(io::Error),
    /// A line makes no sense: its number, from 1, and why.
    Line(usize, &'static str),
}

impl std::fmt::Display for ManifestError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(formatter, "cannot read the AOF manifest: {error}"),
            Self::Line(number, reason) => {
                write!(formatter, "error in AOF manifest file, line {number}: {reason}")
            }
        }
    }
}

impl Manifest {
    /// Reads the manifest at `path`; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read or makes no sense.
    pub fn read(disk: &dyn Disk, path: &Path) -> Result<Option<Self>, ManifestError> {
        let size = match disk.length(path) {
            Ok(size) => size,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ManifestError::Io(error)),
        };
        if size > MANIFEST_BYTES_MAX {
            return Err(ManifestError::Io(io::Error::other("it is too large")));
        }
        let mut text = Vec::new();
        let mut file = disk.open(path, 0).map_err(ManifestError::Io)?;
        file.read_to_end(&mut text).map_err(ManifestError::Io)?;
        Self::parse(&text).map(Some)
    }

    /// Reads the text of a manifest.
    ///
    /// # Errors
    /// If it makes no sense.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        let text =
            std::str::from_utf8(text).map_err(|_| ManifestError::Line(1, "it is no text"))?;
        let mut manifest = Self::default();
        for (index, line) in text.lines().enumerate() {
            let error = |reason| Err(ManifestError::Line(index + 1, reason));
            if line.len() > LINE_BYTES_MAX {
                return error(LINE_TOO_LONG);
            }
            if line.starts_with('#') {
                continue;
            }
            let entry =
                parse_line(line).map_err(|reason| ManifestError::Line(index + 1, reason))?;
            // It grows if its name has letters that are written with backslashes here.
            if entry.line().len() > LINE_BYTES_MAX {
                return error(LINE_TOO_LONG);
            }
            let is_base = |kind| matches!(kind, FileKind::Base);
            if is_base(entry.kind) && manifest.files.iter().any(|other| is_base(other.kind)) {
                return error("Found duplicate base file information");
            }
            let counts = |kind| matches!(kind, FileKind::Increment | FileKind::Segment);
            let last = manifest.files.iter().rev().find(|other| counts(other.kind));
            if counts(entry.kind) && last.is_some_and(|last| last.sequence >= entry.sequence) {
                return error("Found a non-monotonic sequence number");
            }
            manifest.files.push(entry);
        }
        if manifest.files.is_empty() {
            return Err(ManifestError::Line(1, "Found an empty AOF manifest"));
        }
        Ok(manifest)
    }

    /// The text.
    pub fn to_text(&self) -> String {
        self.files.iter().map(|file| file.line() + "\n").collect()
    }

    /// Puts the manifest in the place of the one at `path`: whoever is killed at any moment leaves
    /// the old one or this one, whole.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write(&self, disk: &dyn Disk, path: &Path) -> io::Result<()> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("manifest");
        let temporary = path.with_file_name(format!("temp-{name}"));
        let mut file = disk.create(&temporary)?;
        file.append(&[self.to_text().as_bytes()])?;
        file.sync()?;
        disk.rename(&temporary, path)?;
        disk.sync_directory(path)
    }

    /// The base, if there is one.
    pub fn base(&self) -> Option<&FileEntry> {
        self.files.iter().find(|file| file.kind == FileKind::Base)
    }

    /// The generations, oldest first, each with the files of its cores in their order.
    pub fn generations(&self) -> Vec<Vec<&FileEntry>> {
        let mut generations: Vec<Vec<&FileEntry>> = Vec::new();
        let counts =
            |file: &&FileEntry| matches!(file.kind, FileKind::Increment | FileKind::Segment);
        for file in self.files.iter().filter(counts) {
            let is_same = |last: &Vec<&FileEntry>| {
                file.generation.is_some() && last[0].generation == file.generation
            };
            match generations.last_mut().filter(|last| is_same(last)) {
                Some(last) => last.push(file),
                None => generations.push(vec![file]),
            }
        }
        generations
    }

    /// The last file, if a server of one core can go on with it.
    pub fn last_increment(&self) -> Option<&FileEntry> {
        self.files.last().filter(|file| file.kind == FileKind::Increment)
    }

    /// Adds the files of a new generation of so many cores, which are made by the caller.
    pub fn add_generation(&mut self, prefix: &str, core_count: usize) -> Vec<FileEntry> {
        let generation =
            self.files.iter().filter_map(|file| file.generation).max().unwrap_or(0) + 1;
        let counts = self.files.iter().filter(|file| !file.is_base());
        let mut sequence = counts.map(|file| file.sequence).max().unwrap_or(0);
        let kind = if core_count == 1 { FileKind::Increment } else { FileKind::Segment };
        let files = (0..core_count).map(|_| {
            sequence += 1;
            let name = format!("{prefix}.{sequence}.incr.aof");
            let generation = (core_count > 1).then_some(generation);
            FileEntry { name, sequence, kind, generation }
        });
        let files: Vec<FileEntry> = files.collect();
        self.files.extend(files.iter().cloned());
        files
    }

    /// The entry of the base that would come next: an RDB file, or commands.
    pub fn next_base(&self, prefix: &str, form: BaseForm) -> FileEntry {
        let bases = self.files.iter().filter(|file| file.is_base());
        let sequence = bases.map(|file| file.sequence).max().unwrap_or(0) + 1;
        let extension = match form {
            BaseForm::Rdb => "rdb",
            BaseForm::Commands => "aof",
        };
        let name = format!("{prefix}.{sequence}.base.{extension}");
        FileEntry { name, sequence, kind: FileKind::Base, generation: None }
    }

    /// A base replaces everything up to the file of number `first_kept`. Returns the files that
    /// mean nothing any more.
    pub fn replace_base(&mut self, base: FileEntry, first_kept: u64) -> Vec<FileEntry> {
        let stays = |file: &FileEntry| {
            matches!(file.kind, FileKind::Increment | FileKind::Segment)
                && file.sequence >= first_kept
        };
        let (kept, gone): (Vec<_>, Vec<_>) = self.files.drain(..).partition(stays);
        self.files.push(base);
        self.files.extend(kept);
        gone
    }

    /// Goes on naming files that mean nothing any more, what went last in front, as Redis does.
    pub fn add_history(&mut self, gone: Vec<FileEntry>) {
        let (mut history, fresh): (Vec<_>, Vec<_>) =
            gone.into_iter().partition(|file| file.kind == FileKind::History);
        for file in fresh {
            history.insert(0, FileEntry { kind: FileKind::History, ..file });
        }
        let behind_base = usize::from(self.base().is_some());
        self.files.splice(behind_base..behind_base, history);
    }

    /// Names them no more, and returns them.
    pub fn take_history(&mut self) -> Vec<FileEntry> {
        self.files.extract_if(.., |file| file.kind == FileKind::History).collect()
    }
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number| *number <= NUMBER_MAX)
}

fn parse_line(line: &str) -> Result<FileEntry, &'static str> {
    const FORMAT: &str = "Invalid AOF manifest file format";
    let words = words(line).ok_or(FORMAT)?;
    if words.len() < 6 || !words.len().is_multiple_of(2) {
        return Err(FORMAT);
    }
    let (mut name, mut sequence, mut kind, mut generation) = (None, None, None, None);
    for pair in words.chunks_exact(2) {
        let (key, value) = (pair[0].to_ascii_lowercase(), pair[1].as_str());
        match key.as_str() {
            "file" => name = Some(value.to_owned()),
            "seq" => sequence = number(value).filter(|number| *number > 0),
            "type" => kind = value.chars().next(),
            "generation" => generation = number(value),
            _ => {}
        }
    }
    let name = name.ok_or(FORMAT)?;
    if name.is_empty() || name.contains('/') {
        return Err("File can't be a path, just a filename");
    }
    let kind = FileKind::from_letter(kind.ok_or(FORMAT)?).ok_or("Unknown AOF file type")?;
    Ok(FileEntry { name, sequence: sequence.ok_or(FORMAT)?, kind, generation })
}

/// The words of a line; one may stand between double quotes, with a backslash before what would end
/// it.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let mut word = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut characters = quoted.char_indices();
            let end = loop {
                match characters.next()? {
                    (index, '"') => break index,
                    (_, '\\') => word.push(unescaped(&mut characters)?),
                    (_, character) => word.push(character),
                }
            };
            rest = &quoted[end + 1..];
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            word.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        words.push(word);
        rest = rest.trim_start();
    }
    Some(words)
}

fn quoted(name: &str) -> String {
    let needs_quotes = |letter: char| letter.is_whitespace() || letter.is_control();
    if !name.contains(needs_quotes) && !name.contains(['"', '\\']) {
        return name.to_owned();
    }
    let mut text = String::from("\"");
    for letter in name.chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            '\n' => text += "\\n",
            '\r' => text += "\\r",
            '\t' => text += "\\t",
            letter if letter.is_ascii_control() => text += &format!("\\x{:02x}", letter as u32),
            letter => text.push(letter),
        }
    }
    text + "\""
}

/// What stands behind a backslash.
fn unescaped(letters: &mut std::str::CharIndices<'_>) -> Option<char> {
    Some(match letters.next()?.1 {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'a' => '\x07',
        'b' => '\x08',
        'x' => {
            let digits = letters.as_str().get(..2)?;
            let code = u8::from_str_radix(digits, 16).ok()?;
            letters.nth(1);
            char::from(code)
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_the_same() {
        let mut manifest = Manifest::default();
        manifest.add_generation("my\n\"\\\x01 file", 1);
        let base = manifest.next_base("my file", BaseForm::Rdb);
        manifest.replace_base(base, 1);
        manifest.add_generation("my file", 3);
        let read = Manifest::parse(manifest.to_text().as_bytes()).expect("it is sound");
        assert_eq!(read, manifest);
        let sizes: Vec<usize> = read.generations().iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 3]);
        assert_eq!(read.files.last().map(|file| file.sequence), Some(4));
    }

    #[test]
    fn odd_names_read_the_same() {
        for name in ["a b", "a\tb", "a\u{a0}b", "\"", "\\", "a\\\"b", " "] {
            let mut manifest = Manifest::default();
            manifest.add_generation(name, 1);
            let read = Manifest::parse(manifest.to_text().as_bytes());
            assert_eq!(read.expect("it is sound"), manifest, "{name:?}");
        }
    }

    #[test]
    fn a_name_that_grows_beyond_a_line_is_refused() {
        let text = format!("file {} seq 1 type b\n", "\u{1}".repeat(300));
        let error = Manifest::parse(text.as_bytes()).expect_err("it could not be read again");
        assert!(error.to_string().contains("too long line"), "{error}");
    }

    #[test]
    fn a_manifest_of_redis_is_read() {
        let text = b"file appendonly.aof.1.base.rdb seq 1 type b\nfile a.incr seq 2 type i\n\
            # a note\nfile b.incr seq 3 type i startoffset 5\n";
        let manifest = Manifest::parse(text).expect("it is sound");
        assert_eq!(manifest.base().map(|base| base.sequence), Some(1));
        assert_eq!(manifest.generations().len(), 2, "each increment stands by itself");
    }

    #[test]
    fn history_is_named_until_it_is_taken() {
        let mut manifest = Manifest::default();
        for _ in 0..2 {
            let kept = manifest.add_generation("a", 1)[0].sequence;
            let base = manifest.next_base("a", BaseForm::Rdb);
            let gone = manifest.replace_base(base, kept);
            manifest.add_history(gone);
        }
        manifest.add_generation("a", 1);
        // Bases and increments count apart even when both are history.
        let text = "file a.2.base.rdb seq 2 type b\nfile a.1.incr.aof seq 1 type h\n\
            file a.1.base.rdb seq 1 type h\nfile a.2.incr.aof seq 2 type i\n\
            file a.3.incr.aof seq 3 type i\n";
        assert_eq!(manifest.to_text(), text);
        assert_eq!(Manifest::parse(text.as_bytes()).expect("it is sound"), manifest);
        assert_eq!(manifest.take_history().len(), 2);
        assert_eq!(manifest.files.len(), 3);
        assert!(manifest.take_history().is_empty());
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "file a seq 1",
            "file a/b seq 1 type i",
            "file a seq 0 type i",
            "file a seq 9223372036854775808 type i",
            "file a seq 1 type x",
            "file a seq 2 type i\nfile b seq 1 type i",
            "file a seq 1 type b\nfile b seq 2 type b",
            "file \"a seq 1 type b",
        ] {
            assert!(Manifest::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
