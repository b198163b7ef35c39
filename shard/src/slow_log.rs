//! Commands that took long, and those with large requests or replies: SLOWLOG, and COMMANDLOG of
//! Valkey.
//!
//! A command is timed by the one look at the clock that commandstats needs anyway; only one that
//! passes the threshold costs anything more. Its entry is kept at the core of its client. One that
//! ran elsewhere travels home with the batch it came in, since what an entry tells about the client
//! is known there only.
//!
//! Requests are measured by the bytes of the protocol, replies by what was written; with both that
//! is one comparison a command.
//!
//! Bounds: `slowlog-max-len` entries a core (and as many as is said for the others), of [`ARGUMENTS_MAX`] arguments with
//! [`ARGUMENT_BYTES_MAX`] bytes each.

use std::collections::VecDeque;

use crate::arguments::Arguments;
use crate::command::Command;

/// Arguments of an entry; of a command with more the last one tells how many are missing.
pub const ARGUMENTS_MAX: usize = 32;

/// Bytes shown of an argument.
pub const ARGUMENT_BYTES_MAX: usize = 128;

/// A command line as an entry shows it: shortened, without secrets.
pub type Summary = Vec<Box<[u8]>>;

/// Shortens a command line; `is_secret` says which arguments are not to be shown.
pub fn summarize(arguments: Arguments<'_>, is_secret: impl Fn(usize) -> bool) -> Summary {
    let count = arguments.len();
    let shown = if count > ARGUMENTS_MAX { ARGUMENTS_MAX - 1 } else { count };
    let mut summary: Summary = (0..shown)
        .map(|index| match is_secret(index) {
            true => (*b"(redacted)").into(),
            false => shorten(arguments.at(index)),
        })
        .collect();
    if shown < count {
        summary.push(format!("... ({} more arguments)", count - shown).into_bytes().into());
    }
    summary
}

fn shorten(argument: &[u8]) -> Box<[u8]> {
    match argument.split_at_checked(ARGUMENT_BYTES_MAX) {
        Some((shown, rest)) if !rest.is_empty() => {
            [shown, format!("... ({} more bytes)", rest.len()).as_bytes()].concat().into()
        }
        _ => argument.into(),
    }
}

/// Which log a command belongs into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// It took long.
    Slow,
    /// It was long itself.
    LargeRequest,
    /// What it answered was long.
    LargeReply,
}

/// A slow or large command that no log has yet.
#[derive(Clone, Debug)]
pub struct SlowCommand {
    /// Its row.
    pub row: &'static Command,
    /// What is remarkable about it.
    pub kind: LogKind,
    /// How long it took, in nanoseconds, or how large it was, in bytes.
    pub amount: u64,
    /// What it was.
    pub summary: Summary,
}

/// A slow command and whose it was.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Number of the entry, never used again.
    pub id: u64,
    /// When it ended, in seconds since 1970.
    pub unix_seconds: i64,
    /// How long it took, in microseconds, or how large it was, in bytes.
    pub amount: u64,
    /// What it was.
    pub summary: Summary,
    /// Address of the client; empty if it had left.
    pub peer: String,
    /// Name of the client.
    pub client_name: Box<[u8]>,
}

/// The slow (or large) commands of the clients of one core, the latest first.
#[derive(Debug, Default)]
pub struct SlowLog {
    entries: VecDeque<Entry>,
}

impl SlowLog {
    /// Keeps an entry, and at most `entries_max` in all.
    pub fn add(&mut self, entry: Entry, entries_max: usize) {
        self.entries.push_front(entry);
        self.entries.truncate(entries_max);
    }

    /// The entries, the latest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.entries.clear();
    }
}
