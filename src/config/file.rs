//! Reading configuration: files, included files, standard input, and the command line's words.
//!
//! The grammar is that of `redis.conf`: one directive a line, words as [`words`](super::words)
//! splits them, `#` starts a comment line. Sources come one after another and the last word
//! counts, except that lines of `save`, `user` and the like add up:
//!
//! ```text
//! file, then standard input (`-`), then --options    joined by line breaks into one text,
//!    |                                               whose lines are counted through
//!    +-- include GLOB     read in place; relative to the working directory, or to `dir`
//!                         where a line before it named one
//! ```
//!
//! Reading stops at the first line that is wrong, and the server does not start: half a
//! configuration is worse than none. Messages are those of Redis, which people search for.
//!
//! Bounds: included files may be nested [`INCLUDE_DEPTH_MAX`] deep and every source may hold
//! [`SOURCE_BYTES_MAX`], so that a file that includes itself ends with a message.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::arguments::StartOptions;
use super::rows;
use super::store::Config;
use super::table::{Directive, Kind};
use super::toml;
use super::value::{ValueError, system_error_text};
use super::words;

/// How deep included files may include others.
pub const INCLUDE_DEPTH_MAX: usize = 16;

/// Most bytes of a file, or of standard input.
pub const SOURCE_BYTES_MAX: u64 = 16 << 20;

/// Most files one include may name.
const INCLUDED_FILES_MAX: usize = 10_000;

/// Why a configuration could not be read. Displayed as the server prints it before it exits.
#[derive(Debug)]
pub enum LoadError {
    /// A file, named in the message as the configuration names it, could not be read.
    Open(PathBuf, io::Error),
    /// A line is wrong.
    Line {
        /// Its number, counted from one.
        number: usize,
        /// The line without the blanks around it.
        line: Vec<u8>,
        /// What is wrong with it.
        error: LineError,
    },
    /// The configuration as a whole is wrong.
    Whole(String),
}

/// What is wrong with a line.
#[derive(Debug)]
pub enum LineError {
    /// A quote is left open, or closed in the middle of a word.
    UnbalancedQuotes,
    /// No directive has this name.
    BadDirective,
    /// A module's directive stands without its value.
    ModuleWithoutValue,
    /// Includes are nested too deep.
    IncludeDepth,
    /// The file is no TOML, or a value has not the type its directive needs.
    Type(String),
    /// The words are no value for the directive.
    Value(ValueError),
}

impl fmt::Display for LineError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineError::UnbalancedQuotes => out.write_str("Unbalanced quotes in configuration line"),
            LineError::BadDirective => out.write_str("Bad directive or wrong number of arguments"),
            LineError::ModuleWithoutValue => out.write_str("Module config specified without value"),
            LineError::IncludeDepth => {
                write!(out, "include directives are nested more than {INCLUDE_DEPTH_MAX} deep")
            }
            LineError::Type(reason) => out.write_str(reason),
            LineError::Value(error) => error.fmt(out),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = env!("CARGO_PKG_VERSION");
        let title = format!("\n*** FATAL CONFIG FILE ERROR (Basalt {version}) ***\n");
        match self {
            LoadError::Open(path, error) => write!(
                out,
                "Fatal error, can't open config file '{}': {}",
                path.display(),
                system_error_text(error)
            ),
            LoadError::Line { number, line, error } => {
                let line = String::from_utf8_lossy(line);
                writeln!(out, "{title}Reading the configuration file, at line {number}")?;
                write!(out, ">>> '{line}'\n{error}")
            }
            LoadError::Whole(error) => write!(out, "{title}{error}"),
        }
    }
}

impl std::error::Error for LoadError {}

impl Config {
    /// Reads the whole configuration that a command line asks for.
    ///
    /// `standard_input` is read only where the command line says so. The directory of `dir` is
    /// looked up but not entered; relative paths in the result start from it.
    ///
    /// # Errors
    ///
    /// Fails on a file that can't be read, on the first wrong line, and where the log file can't
    /// be written.
    pub fn load(
        options: &StartOptions,
        standard_input: &mut dyn Read,
    ) -> Result<Config, LoadError> {
        let mut config = Config::default();
        let mut text = Vec::new();
        if let Some(path) = &options.config_file {
            let path = config.directory().join(path);
            config.config_file = Some(path.clone());
            let source = read_file(&path, &path)?;
            match toml::is_toml(&path) {
                true => toml::apply(&mut config, &source)?,
                false => text = source,
            }
        }
        if options.reads_standard_input {
            let source = read_all(standard_input);
            text.extend(source.map_err(|error| LoadError::Open(PathBuf::from("-"), error))?);
        }
        if !options.directives.is_empty() {
            text.push(b'\n');
            text.extend(&options.directives);
        }
        Loader::new(&mut config).read_text(&text, 0)?;
        config.check_log_file()?;
        Ok(config)
    }

    /// Sees to it that the log can be written, since nobody would hear of it later.
    fn check_log_file(&self) -> Result<(), LoadError> {
        let name = self.text("logfile");
        if name.is_empty() {
            return Ok(());
        }
        let path = self.directory().join(std::ffi::OsStr::from_bytes(&name));
        let opened = File::options().append(true).create(true).open(path);
        opened.map(drop).map_err(|error| {
            LoadError::Whole(format!("Can't open the log file: {}", system_error_text(&error)))
        })
    }

    /// Reads a configuration from text alone, as if it were a file.
    ///
    /// # Errors
    ///
    /// Fails on the first wrong line.
    pub fn apply_text(&mut self, text: &[u8]) -> Result<(), LoadError> {
        Loader::new(self).read_text(text, 0)
    }
}

fn read_file(path: &Path, shown: &Path) -> Result<Vec<u8>, LoadError> {
    let source = File::open(path).and_then(|mut file| read_all(&mut file));
    source.map_err(|error| LoadError::Open(shown.to_owned(), error))
}

fn read_all(source: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    source.take(SOURCE_BYTES_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > SOURCE_BYTES_MAX {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    Ok(text)
}

/// Puts lines into a configuration.
pub(super) struct Loader<'a> {
    config: &'a mut Config,
    /// Whether a line about save points was seen: the first one replaces the defaults.
    has_save: bool,
    files_count: usize,
}

/// Why a line failed: by itself, or by something within the file it includes.
enum Failure {
    Here(LineError),
    Within(LoadError),
}

impl From<LineError> for Failure {
    fn from(error: LineError) -> Failure {
        Failure::Here(error)
    }
}

impl Loader<'_> {
    pub(super) fn new(config: &mut Config) -> Loader<'_> {
        Loader { config, has_save: false, files_count: 0 }
    }

    fn read_text(&mut self, text: &[u8], depth: usize) -> Result<(), LoadError> {
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = words::trim(line);
            self.read_line(line, depth).map_err(|failure| match failure {
                Failure::Here(error) => {
                    LoadError::Line { number: index + 1, line: line.to_vec(), error }
                }
                Failure::Within(error) => error,
            })?;
        }
        Ok(())
    }

    fn read_line(&mut self, line: &[u8], depth: usize) -> Result<(), Failure> {
        if line.is_empty() || line[0] == b'#' {
            return Ok(());
        }
        let words = words::split(line).ok_or(LineError::UnbalancedQuotes)?;
        match words.split_first() {
            None => Ok(()),
            Some((name, [path])) if name.eq_ignore_ascii_case(b"include") => {
                self.include(path, depth)
            }
            Some((name, values)) => Ok(self.set(name, values)?),
        }
    }

    /// Takes a directive: its name and the words after it.
    pub(super) fn set(&mut self, name: &[u8], values: &[Vec<u8>]) -> Result<(), LineError> {
        let Some((index, row, _)) = rows::find(name) else {
            return Err(unknown(name, values));
        };
        let is_whole = match row.kind {
            Kind::Lines { minimum, maximum } => (minimum..=maximum).contains(&values.len()),
            Kind::Ignored => values.len() == 1,
            _ => true,
        };
        match (row.name, is_whole) {
            // What it includes was read by the caller, where files are read at all.
            ("include", true) => return Ok(()),
            // A bare `sentinel` only says which mode the server starts in.
            ("sentinel", false) => return Ok(()),
            (_, true) => {}
            (_, false) => return Err(LineError::BadDirective),
        }
        match (row.kind, values) {
            // One word for a directive of many may hold them all: save "900 1".
            (kind, [word]) if is_splittable(kind) && !word.is_empty() => {
                let words = words::split(word).ok_or(LineError::UnbalancedQuotes)?;
                self.set_row((index, row), &words)
            }
            _ => self.set_row((index, row), values),
        }
    }

    fn set_row(&mut self, row: (usize, &Directive), words: &[Vec<u8>]) -> Result<(), LineError> {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let is_save = matches!(row.1.kind, Kind::SavePoints);
        let is_first = is_save && !self.has_save;
        self.has_save |= is_save;
        self.config.set_from_line(row, &words, is_first).map_err(LineError::Value)
    }

    fn include(&mut self, pattern: &[u8], depth: usize) -> Result<(), Failure> {
        if depth >= INCLUDE_DEPTH_MAX {
            return Err(LineError::IncludeDepth.into());
        }
        for shown in self.included_files(pattern) {
            self.files_count += 1;
            if self.files_count > INCLUDED_FILES_MAX {
                return Err(LineError::IncludeDepth.into());
            }
            let path = self.config.directory().join(&shown);
            let text = read_file(&path, &shown).map_err(Failure::Within)?;
            self.read_text(&text, depth + 1).map_err(Failure::Within)?;
        }
        Ok(())
    }

    /// The files a pattern names, in order of name. Without wildcards that is the name itself,
    /// there or not; with them it may be none.
    fn included_files(&self, pattern: &[u8]) -> Vec<PathBuf> {
        let plain = PathBuf::from(std::ffi::OsStr::from_bytes(pattern));
        if !pattern.iter().any(|byte| b"*?[".contains(byte)) {
            return vec![plain];
        }
        let directory = glob::Pattern::escape(&self.config.directory().to_string_lossy());
        let absolute = Path::new(&directory).join(&plain);
        match glob::glob(&absolute.to_string_lossy()) {
            Ok(paths) => paths.filter_map(Result::ok).take(INCLUDED_FILES_MAX + 1).collect(),
            // No pattern after all, such as one with an unclosed bracket.
            Err(_) => vec![plain],
        }
    }
}

fn is_splittable(kind: Kind) -> bool {
    kind.is_multiple() && !matches!(kind, Kind::Lines { .. })
}

/// What to say about a name that no row has.
fn unknown(name: &[u8], values: &[Vec<u8>]) -> LineError {
    match (name.contains(&b'.'), values.is_empty()) {
        (false, _) => LineError::BadDirective,
        (true, true) => LineError::ModuleWithoutValue,
        (true, false) => LineError::Value(ValueError::Rule(
            "Module Configuration detected without loadmodule directive or no ApplyConfig call: \
             aborting",
        )),
    }
}

/// Feeds arbitrary bytes to the parser of configuration files, for fuzzing.
///
/// Files named by `include` are not read. What is understood must write itself down and be
/// understood to be the same.
pub fn fuzz(data: &[u8]) {
    let mut config = Config::default();
    let mut loader = Loader::new(&mut config);
    for line in data.split(|&byte| byte == b'\n') {
        let line = words::trim(line);
        let Some(words) = words::split(line).filter(|_| line.first() != Some(&b'#')) else {
            continue;
        };
        if let Some((name, values)) = words.split_first() {
            // Most lines are wrong, which must do no harm.
            let _ = loader.set(name, values);
        }
    }
    let written = config.write();
    let mut again = Config::default();
    if let Err(error) = again.apply_text(&written) {
        panic!("{error}\nwas written as\n{}", String::from_utf8_lossy(&written));
    }
    assert!(config.settings() == again.settings(), "{}", String::from_utf8_lossy(&written));
    assert_eq!(config.matching(&[b"*"]), again.matching(&[b"*"]));
}
