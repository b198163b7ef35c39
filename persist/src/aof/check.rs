//! Looking through an append-only directory or file without loading it, and mending it.
//!
//! What is checked is what loading would check: every item of every file, and that the files of a
//! generation are a prefix of history. Mending cuts files, never writes into them.
//!
//! The lines are those of `redis-check-aof`, since scripts read them. What that asks before it cuts
//! a file is asked here once for all files of a generation, since they are cut together. Nothing is
//! cut before it is certain that everything will be.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::cut::{Survey, cut};
use super::item::{Damage, Item, Reader};
use super::manifest::Manifest;
use super::merge::Merge;
use super::parts::{Part, Parts, Style, explained, length_of, name_of, open, open_at};
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
    /// What was asked for is not done, and no file was touched; the report says why.
    Refused,
}

/// A file of a generation, and how much of it stays.
struct Finding<'a> {
    path: &'a Path,
    /// Where its commands begin.
    start: u64,
    /// Bytes it has.
    length: u64,
    /// Bytes of it that stay.
    kept: u64,
    /// Bytes of it that would stay if time did not matter.
    sound: u64,
    /// How its commands end.
    survey: &'a Survey,
}

impl Finding<'_> {
    fn is_short(&self) -> bool {
        self.kept < self.length
    }

    /// Whether it is cut for what is lost, not for what came too late.
    fn is_unsound(&self) -> bool {
        self.is_short() && self.kept == self.sound
    }
}

/// Checks, and mends if that is asked for; `answers` is where whoever is asked answers.
///
/// # Errors
/// When files cannot be read or cut, or the report cannot be written.
pub fn check(
    path: &Path,
    options: CheckOptions,
    answers: &mut dyn BufRead,
    report: &mut dyn Write,
) -> io::Result<Verdict> {
    let Some(parts) = Parts::of(path, report)? else { return Ok(Verdict::Hopeless) };
    if parts.is_lone_segment(report)? {
        return Ok(Verdict::Refused);
    }
    Checker { options, answers, report, has_history: false }.check(&parts)
}

struct Checker<'a> {
    options: CheckOptions,
    answers: &'a mut dyn BufRead,
    report: &'a mut dyn Write,
    /// Whether there was a generation behind the base that had anything in it.
    has_history: bool,
}

impl Checker<'_> {
    /// Goes through the generations up to the first of which something is to be cut off: that is
    /// where history ends.
    fn check(&mut self, parts: &Parts) -> io::Result<Verdict> {
        let mut previous = Style::Base;
        for (index, part) in parts.generations.iter().enumerate() {
            if part.style == Style::Increment && previous != part.style {
                writeln!(self.report, "Start to check INCR files.")?;
            }
            previous = part.style;
            let surveys = survey(part)?;
            let findings = self.findings(part, &surveys)?;
            self.tell(part.style, &findings)?;
            if findings.iter().any(Finding::is_short) {
                let later = &parts.generations[index + 1..];
                return self.mend(&findings, parts.is_plain || part.style == Style::Base, later);
            }
            let is_bare = findings.iter().all(|finding| finding.length == 0);
            self.has_history |= part.style == Style::Increment && !is_bare;
        }
        Ok(Verdict::Good)
    }

    fn findings<'a>(&self, part: &'a Part, surveys: &'a [Survey]) -> io::Result<Vec<Finding<'a>>> {
        let sound = cut(surveys, None);
        let kept = cut(surveys, self.options.until_unix_seconds);
        let files = part.files.iter().zip(surveys).zip(sound.iter().zip(&kept));
        files
            .map(|(((path, start), survey), (sound, kept))| {
                Ok(Finding {
                    path,
                    start: *start,
                    length: length_of(path)?,
                    kept: kept.bytes.max(*start),
                    sound: sound.bytes.max(*start),
                    survey,
                })
            })
            .collect()
    }

    /// Says how the files of a generation are.
    fn tell(&mut self, style: Style, findings: &[Finding<'_>]) -> io::Result<()> {
        for finding in findings {
            let (style, name) = (style.name(), name_of(finding.path));
            if finding.length == 0 {
                writeln!(self.report, "{style} {name} is empty")?;
                continue;
            }
            match self.options.until_unix_seconds {
                // Damage behind that time does no harm.
                Some(_) if finding.is_short() && !finding.is_unsound() => {}
                Some(seconds) if !finding.is_short() => {
                    let report = &mut self.report;
                    writeln!(report, "Truncate nothing in AOF {name} to timestamp {seconds}")?;
                }
                _ => self.analyze(finding)?,
            }
            if !finding.is_short() {
                writeln!(self.report, "{style} {name} is valid")?;
            }
        }
        Ok(())
    }

    fn analyze(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        let Finding { path, start, length, kept, survey, .. } = *finding;
        if let Some(damage) = &survey.damage {
            writeln!(self.report, "0x{:16x}: {damage}", survey.good_bytes)?;
        }
        writeln!(
            self.report,
            "AOF analyzed: filename={}, size={length}, ok_up_to={kept}, ok_up_to_line={}, diff={}",
            name_of(path),
            line_at(path, start, kept)?,
            length - kept
        )
    }

    /// Cuts a generation, and what came `later`, if that is asked for and nothing speaks against
    /// it. Only if it `stands_alone` would a stock server load it, too.
    fn mend(
        &mut self,
        findings: &[Finding<'_>],
        stands_alone: bool,
        later: &[Part],
    ) -> io::Result<Verdict> {
        let unsound = findings.iter().find(|finding| finding.is_unsound());
        if let Some(finding) = unsound.filter(|_| !self.options.fixes) {
            let name = name_of(finding.path);
            let report = &mut self.report;
            writeln!(report, "AOF {name} is not valid. Use the --fix option to try fixing it.")?;
            return Ok(Verdict::Damaged);
        }
        let mut is_last = true;
        for part in later {
            // Nothing of a generation is written before all of the one before is on the disk.
            is_last &= part.is_bare()?;
        }
        if let Some(refusal) = self.refusal(findings, stands_alone, is_last) {
            writeln!(self.report, "{refusal}")?;
            return Ok(Verdict::Refused);
        }
        if unsound.is_some() && !self.is_agreed(findings)? {
            writeln!(self.report, "Aborting...")?;
            return Ok(Verdict::Refused);
        }
        self.truncate(findings, later)?;
        Ok(Verdict::Good)
    }

    /// Why these files must not be cut, if there is a reason.
    fn refusal(
        &self,
        findings: &[Finding<'_>],
        stands_alone: bool,
        is_last: bool,
    ) -> Option<String> {
        let first = findings.iter().find(|finding| finding.is_short())?;
        let (name, kept) = (name_of(first.path), first.kept);
        let Some(seconds) = self.options.until_unix_seconds else {
            let refusal =
                || format!("Failed to truncate AOF {name} because it is not the last file");
            return (!is_last).then(refusal);
        };
        // What a base holds has no time, and may all have come later.
        let is_nothing = findings.iter().all(|finding| finding.kept == 0);
        if is_nothing && (stands_alone || !self.has_history) {
            return Some(format!("AOF {name} has nothing before timestamp {seconds}, aborting..."));
        }
        (stands_alone && !is_last).then(|| {
            format!(
                "Failed to truncate AOF {name} to timestamp {seconds} to offset {kept} because it \
                 is not the last file."
            )
        })
    }

    /// Says what would be lost, and asks whether it may be. Anything but a yes is a no, and so is
    /// no answer.
    fn is_agreed(&mut self, findings: &[Finding<'_>]) -> io::Result<bool> {
        for finding in findings.iter().filter(|finding| finding.is_short()) {
            let Finding { path, length, kept, .. } = *finding;
            writeln!(
                self.report,
                "This will shrink the AOF {} from {length} bytes, with {} bytes, to {kept} bytes",
                name_of(path),
                length - kept
            )?;
        }
        write!(self.report, "Continue? [y/N]: ")?;
        self.report.flush()?;
        let mut answer = [0];
        let count = self.answers.read(&mut answer)?;
        Ok(count == 1 && answer[0].eq_ignore_ascii_case(&b'y'))
    }

    /// Cuts the files, and all that came `later`, the last first: whoever is stopped half way
    /// leaves a prefix of history.
    fn truncate(&mut self, findings: &[Finding<'_>], later: &[Part]) -> io::Result<()> {
        let later = later.iter().rev().flat_map(|part| &part.files).map(|(path, _)| (&**path, 0));
        let these = findings.iter().map(|finding| (finding.path, finding.kept));
        let mut files = Vec::new();
        for (path, kept) in later.chain(these) {
            if kept < length_of(path)? {
                let file = OpenOptions::new().write(true).open(path);
                files.push((path, file.map_err(explained("Cannot open file", path))?, kept));
            }
        }
        for (path, file, kept) in files {
            let cut = file.set_len(kept).and_then(|()| file.sync_all());
            cut.map_err(explained("Failed to truncate AOF", path))?;
            let name = name_of(path);
            match self.options.until_unix_seconds {
                None => writeln!(self.report, "Successfully truncated AOF {name}")?,
                Some(seconds) => writeln!(
                    self.report,
                    "Successfully truncated AOF {name} to timestamp {seconds}"
                )?,
            }
        }
        Ok(())
    }
}

/// The number of the line that begins at byte `end`, counted from where commands begin.
fn line_at(path: &Path, start: u64, end: u64) -> io::Result<u64> {
    let mut file = open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut reader = BufReader::new(file.take(end - start));
    let mut lines = 1;
    loop {
        let bytes = reader.fill_buf().map_err(explained("Cannot read file", path))?;
        if bytes.is_empty() {
            return Ok(lines);
        }
        lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let count = bytes.len();
        reader.consume(count);
    }
}

/// Looks through the files of a generation.
fn survey(part: &Part) -> io::Result<Vec<Survey>> {
    let survey = |(path, position): &(PathBuf, u64)| {
        let survey = Survey::of(&mut open_at(path, *position)?);
        match survey.damage {
            // What cannot be read may still be whole.
            Some(Damage::Io(error)) => Err(explained("Cannot read file", path)(error)),
            _ => Ok(survey),
        }
    };
    part.files.iter().map(survey).collect()
}

/// Writes everything behind a manifest as one plain append-only file, which any server loads: the
/// base as it is, and the commands of all segments behind it in an order in which they may run.
/// Returns `false` if the files are damaged, or only one of several.
///
/// # Errors
/// When files cannot be read, or the export cannot be written.
pub fn export(path: &Path, to: &mut dyn Write, report: &mut dyn Write) -> io::Result<bool> {
    let Some(parts) = Parts::of(path, report)? else { return Ok(false) };
    if parts.is_lone_segment(report)? {
        return Ok(false);
    }
    let mut selected: Vec<u8> = Vec::new();
    for part in &parts.generations {
        let files = &part.files;
        if let [(path, position @ 1..)] = &files[..] {
            io::copy(&mut open(path)?.take(*position), to)?;
        }
        let surveys = survey(part)?;
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
