//! The values of all directives: CONFIG GET and CONFIG SET.
//!
//! A [`Config`] holds one value per row of the table, by the row's position. It is plain data
//! without side effects: whoever owns it acts on what changed, and takes the change back with
//! [`Config::revert`] where acting failed. The cores never see it; they are given immutable
//! [`Settings`](super::Settings) built from it.
//!
//! Invariants: every value was read by the kind of its row and passed its bounds; no directive
//! promises something that is not built (see [`Support`]).

use std::fmt;
use std::path::{Path, PathBuf};

use basalt_shard::glob::{self, Case};
use basalt_shard::settings::Directives;

use super::error::ConfigError;
use super::rows;
use super::table::{Directive, Flags, Kind, Support};
use super::value::{Value, ValueError};

/// Most pairs of one CONFIG SET, far above the number of rows.
const PAIRS_MAX: usize = 4096;

/// Who asks for a change, and when.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetContext {
    /// The data set is being loaded.
    pub is_loading: bool,
    /// The client is on this machine: connected over loopback or the unix socket.
    pub is_local: bool,
}

/// What a successful CONFIG SET changed.
#[derive(Debug, Default)]
#[must_use = "somebody has to act on the change"]
pub struct Changed {
    previous: Vec<(usize, &'static str, Value)>,
}

impl Changed {
    /// Canonical names of the directives whose value is another now.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.previous.iter().map(|(_, name, _)| *name)
    }

    /// Whether a directive, by its canonical name, has another value now.
    pub fn contains(&self, name: &str) -> bool {
        self.names().any(|changed| changed == name)
    }
}

/// The values of all directives.
#[derive(Clone)]
pub struct Config {
    values: Vec<Value>,
    /// Where the configuration was read from: what CONFIG REWRITE writes.
    pub(super) config_file: Option<PathBuf>,
}

impl fmt::Debug for Config {
    /// Shows no values, for there are passwords among them.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Config").field("config_file", &self.config_file).finish_non_exhaustive()
    }
}

impl Default for Config {
    /// Every directive at its default; `dir` at the working directory of the process.
    fn default() -> Config {
        let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let values = rows::all().map(|(_, row)| default_value(row, &directory)).collect();
        Config { values, config_file: None }
    }
}

/// The value of a row when nothing is said. The table is ours, so it must parse.
pub(super) fn default_value(row: &Directive, directory: &Path) -> Value {
    use std::os::unix::ffi::OsStrExt;
    let nothing = Value::Lines(Vec::new());
    let words: Vec<&[u8]> = match row.kind {
        Kind::Lines { .. } | Kind::Ignored => return nothing,
        Kind::Directory => return Value::Text(directory.as_os_str().as_bytes().to_vec()),
        kind if kind.is_multiple() => row.default.split(' ').map(str::as_bytes).collect(),
        _ => vec![row.default.as_bytes()],
    };
    match row.kind.parse(&words, &nothing, directory) {
        Ok(value) => value,
        Err(error) => panic!("the default of '{}' is no value for it: {error}", row.name),
    }
}

impl Directives for Config {
    fn matching(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        Config::matching(self, patterns)
    }
}

impl Config {
    /// The value of a directive by any of its names, as CONFIG GET prints it.
    ///
    /// Looks at every row of the table.
    pub fn get(&self, name: &[u8]) -> Option<Vec<u8>> {
        let (index, row, _) = rows::find(name)?;
        let is_shown = !row.flags.contains(Flags::FILE_ONLY);
        is_shown.then(|| self.values[index].print(row.kind))
    }

    /// Names and values that CONFIG GET answers to some patterns.
    ///
    /// A pattern without `*`, `?` and `[` is a name: it finds hidden directives too and is given
    /// back as it was written. Other patterns find every name and alias that matches, whatever
    /// the case. Each name comes once. Takes O(patterns * rows) glob matches.
    pub fn matching(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for pattern in patterns {
            if !pattern.iter().any(|byte| b"*?[".contains(byte)) {
                if let Some(value) = self.get(pattern)
                    && seen.insert(pattern.to_ascii_lowercase())
                {
                    found.push((pattern.to_vec(), value));
                }
                continue;
            }
            for (index, row) in rows::all() {
                if row.flags.contains(Flags::HIDDEN) || row.flags.contains(Flags::FILE_ONLY) {
                    continue;
                }
                for name in row.names() {
                    if glob::matches(pattern, name.as_bytes(), Case::Insensitive)
                        && seen.insert(name.as_bytes().to_vec())
                    {
                        found.push((name.into(), self.values[index].print(row.kind)));
                    }
                }
            }
        }
        found
    }

    /// Sets directives by name, all of them or none.
    ///
    /// # Errors
    ///
    /// Fails on the first name that is unknown, fixed, protected, not to be changed while
    /// loading, or named twice (an alias counts as the name it stands for); then on the first
    /// value that is none for its directive.
    pub fn set(
        &mut self,
        pairs: &[(&[u8], &[u8])],
        context: SetContext,
    ) -> Result<Changed, ConfigError> {
        let mut targets: Vec<(usize, &'static Directive, &'static str)> = Vec::new();
        for (name, _) in pairs {
            let target = self.settable(name, context)?;
            let is_repeated = targets.iter().any(|(index, _, _)| *index == target.0);
            if is_repeated || targets.len() >= PAIRS_MAX {
                return Err(ConfigError::Duplicate(name.to_vec()));
            }
            targets.push(target);
        }
        let directory = self.directory();
        let mut values = Vec::with_capacity(targets.len());
        for ((index, row, name), (_, text)) in targets.iter().zip(pairs) {
            let words: Vec<&[u8]> = match row.kind.is_multiple() {
                true => text.split(|&byte| byte == b' ').collect(),
                false => vec![text],
            };
            let value = parse(row, &words, &self.values[*index], &directory);
            values.push(value.map_err(|error| ConfigError::Value(name, error))?);
        }
        let mut changed = Changed::default();
        for ((index, row, _), value) in targets.into_iter().zip(values) {
            if self.values[index] != value {
                let previous = std::mem::replace(&mut self.values[index], value);
                changed.previous.push((index, row.name, previous));
            }
        }
        Ok(changed)
    }

    /// Finds a directive that this client may set now.
    fn settable(
        &self,
        name: &[u8],
        context: SetContext,
    ) -> Result<(usize, &'static Directive, &'static str), ConfigError> {
        let target = rows::find(name).filter(|(_, row, _)| !row.flags.contains(Flags::FILE_ONLY));
        let Some(target) = target else {
            return Err(ConfigError::UnknownOption(name.to_vec()));
        };
        let flags = target.1.flags;
        if flags.contains(Flags::IMMUTABLE) {
            return Err(ConfigError::Immutable(name.to_vec()));
        }
        if flags.contains(Flags::PROTECTED) && !self.allows_protected(context) {
            return Err(ConfigError::Protected(name.to_vec()));
        }
        if flags.contains(Flags::DENY_LOADING) && context.is_loading {
            return Err(ConfigError::Loading);
        }
        Ok(target)
    }

    fn allows_protected(&self, context: SetContext) -> bool {
        match self.value("enable-protected-configs") {
            Value::Choice("yes") => true,
            Value::Choice("local") => context.is_local,
            _ => false,
        }
    }

    /// Takes back what a CONFIG SET changed, because acting on it failed.
    pub fn revert(&mut self, changed: &Changed) {
        for (index, _, previous) in &changed.previous {
            self.values[*index] = previous.clone();
        }
    }

    /// Lowers `maxclients` to what the limit of open files allows, so that CONFIG GET tells.
    ///
    /// # Panics
    ///
    /// Panics on zero, which no server starts with.
    pub fn lower_maxclients(&mut self, clients: u32) {
        assert!(clients > 0, "a server without clients");
        let index = rows::all().position(|(_, row)| row.name == "maxclients");
        match index.map(|index| &mut self.values[index]) {
            Some(Value::Number(now)) => *now = i128::from(clients).min(*now),
            other => panic!("'maxclients' is no number but {other:?}"),
        }
    }

    /// Whether the value of a directive must not be shown in logs, the slow log or MONITOR.
    ///
    /// True for unknown names, since a misspelt `requirepass` is followed by a password.
    pub fn is_sensitive(name: &[u8]) -> bool {
        rows::find(name).is_none_or(|(_, row, _)| row.flags.contains(Flags::SENSITIVE))
    }

    /// The file the configuration was read from, as an absolute path.
    pub fn config_file(&self) -> Option<&Path> {
        self.config_file.as_deref()
    }

    /// The directory that relative paths start from.
    pub(super) fn directory(&self) -> PathBuf {
        use std::os::unix::ffi::OsStringExt;
        PathBuf::from(std::ffi::OsString::from_vec(self.text("dir")))
    }

    /// Takes a line of a configuration file: the position of a row and the words after the name.
    ///
    /// Lines about save points add to what earlier lines said, unless `is_first` says that none
    /// did; so do lines that are kept as lines.
    pub(super) fn set_from_line(
        &mut self,
        (index, row): (usize, &Directive),
        words: &[&[u8]],
        is_first: bool,
    ) -> Result<(), ValueError> {
        let directory = self.directory();
        let value = parse(row, words, &self.values[index], &directory)?;
        match (&mut self.values[index], value) {
            (Value::SavePoints(points), Value::SavePoints(more))
                if !is_first && !more.is_empty() =>
            {
                points.extend(more);
            }
            (Value::Lines(lines), Value::Lines(more)) => lines.extend(more),
            (current, value) => *current = value,
        }
        Ok(())
    }

    /// The value of the row at a position of the table.
    pub(super) fn value_at(&self, index: usize) -> &Value {
        &self.values[index]
    }

    /// The value of a directive by its canonical name, which must be in the table.
    pub(super) fn value(&self, name: &str) -> &Value {
        match rows::all().find(|(_, row)| row.name == name) {
            Some((index, _)) => &self.values[index],
            None => panic!("the table has no directive '{name}'"),
        }
    }

    /// The value of a text directive.
    pub(super) fn text(&self, name: &str) -> Vec<u8> {
        match self.value(name) {
            Value::Text(text) => text.clone(),
            other => panic!("'{name}' is no text but {other:?}"),
        }
    }
}

/// Reads a value for a row and sees to it that it promises nothing that is not there.
fn parse(
    row: &Directive,
    words: &[&[u8]],
    current: &Value,
    directory: &Path,
) -> Result<Value, ValueError> {
    let mut value = row.kind.parse(words, current, directory)?;
    if row.name == "hz"
        && let Value::Number(hz) = &mut value
    {
        // Any number is taken, as ever, and brought into the range that works.
        *hz = (*hz).clamp(1, 500);
    }
    match row.support {
        Support::Built | Support::Accepted => Ok(value),
        Support::Refused { unless, message } => {
            let printed = value.print(row.kind);
            let promises_nothing = value == default_value(row, directory)
                || unless.iter().any(|harmless| harmless.as_bytes() == printed);
            if promises_nothing { Ok(value) } else { Err(ValueError::Rule(message)) }
        }
    }
}
