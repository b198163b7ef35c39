//! What was refused lately: ACL LOG.
//!
//! Every core notes what its own clients were refused; ACL LOG puts the notes of all cores
//! together, the latest first. The same thing refused to the same user within a minute is one
//! entry with a count, on one core and over several.
//!
//! Bound: `acllog-max-len` entries a core. O(10) to add one.

use std::collections::VecDeque;

use super::Denial;
use crate::command::{ArgList, Command};

/// Entries this far apart in time are not put together, in milliseconds.
const GROUPING_MAX_MS: i64 = 60_000;

/// How many of the latest entries are looked at for one to add to.
const GROUPING_LOOK_BACK: usize = 10;

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A command.
    Command,
    /// A key.
    Key,
    /// A channel.
    Channel,
    /// A login.
    Auth,
    /// A certificate that names nobody who may log in.
    Certificate,
}

impl Reason {
    /// The word ACL LOG shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Key => "key",
            Self::Channel => "channel",
            Self::Auth => "auth",
            Self::Certificate => "tls-cert",
        }
    }
}

/// In what course it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// A command by itself.
    TopLevel,
    /// Between MULTI and EXEC.
    Multi,
    /// In a script.
    Script,
}

impl Context {
    /// The word ACL LOG shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::TopLevel => "toplevel",
            Self::Multi => "multi",
            Self::Script => "lua",
        }
    }
}

/// A refusal, counted as often as it happened.
#[derive(Clone, Debug)]
pub struct Entry {
    /// How often.
    pub count: u64,
    /// What was refused.
    pub reason: Reason,
    /// In what course.
    pub context: Context,
    /// The command, key or channel.
    pub object: Box<[u8]>,
    /// The user, or who it claimed to be.
    pub user_name: Box<[u8]>,
    /// The client that was refused last, as CLIENT LIST shows it.
    pub client: String,
    /// Number of the entry.
    pub id: u64,
    /// When it first happened, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it last happened, in milliseconds since 1970.
    pub updated_ms: i64,
}

impl Entry {
    fn is_like(&self, other: &Self) -> bool {
        self.reason == other.reason
            && self.context == other.context
            && self.updated_ms.abs_diff(other.updated_ms) <= GROUPING_MAX_MS as u64
            && self.object == other.object
            && self.user_name == other.user_name
    }

    /// Takes the count of another entry about the same thing.
    fn absorb(&mut self, other: Self) {
        self.count += other.count;
        self.id = self.id.min(other.id);
        self.created_ms = self.created_ms.min(other.created_ms);
        if other.updated_ms >= self.updated_ms {
            self.updated_ms = other.updated_ms;
            self.client = other.client;
        }
    }
}

/// How often what was refused since the start or CONFIG RESETSTAT.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Logins.
    pub auth: u64,
    /// Commands.
    pub command: u64,
    /// Keys.
    pub key: u64,
    /// Channels.
    pub channel: u64,
    /// Certificates of TLS clients.
    pub certificate: u64,
}

impl Counts {
    /// Counts a refusal.
    pub fn count(&mut self, reason: Reason) {
        match reason {
            Reason::Auth => self.auth += 1,
            Reason::Command => self.command += 1,
            Reason::Key => self.key += 1,
            Reason::Channel => self.channel += 1,
            Reason::Certificate => self.certificate += 1,
        }
    }

    /// Adds the counts of another core.
    pub fn add(&mut self, other: Self) {
        self.auth += other.auth;
        self.command += other.command;
        self.key += other.key;
        self.channel += other.channel;
        self.certificate += other.certificate;
    }
}

/// The refusals of one core, the latest first.
#[derive(Debug, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
}

impl Log {
    /// Notes a refusal; if it makes a new entry, that gets the number `next_id` gives.
    pub fn add(&mut self, mut entry: Entry, entries_max: usize, next_id: impl FnOnce() -> u64) {
        if let Some(index) =
            self.entries.iter().take(GROUPING_LOOK_BACK).position(|known| known.is_like(&entry))
        {
            let mut known = self.entries.remove(index).expect("it was found there");
            entry.id = known.id;
            known.absorb(entry);
            self.entries.push_front(known);
        } else {
            entry.id = next_id();
            self.entries.push_front(entry);
        }
        self.entries.truncate(entries_max);
    }

    /// The entries, the latest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.entries.clear();
    }
}

/// Puts the entries of all cores together, the latest first, at most `entries_max`.
pub fn merge(mut entries: Vec<Entry>, entries_max: usize) -> Vec<Entry> {
    entries.sort_by_key(|entry| std::cmp::Reverse((entry.updated_ms, entry.id)));
    let mut merged: Vec<Entry> = Vec::new();
    for entry in entries {
        match merged.iter().position(|known| known.is_like(&entry)) {
            Some(index) => merged[index].absorb(entry),
            None if merged.len() < entries_max => merged.push(entry),
            None => {}
        }
    }
    merged
}

/// What a denial is about: why, and the name of what was refused.
pub fn subject<A: ArgList + ?Sized>(
    denial: Denial,
    row: &Command,
    args: &A,
) -> (Reason, Box<[u8]>) {
    match denial {
        Denial::Command => (Reason::Command, row.full_name().to_string().into_bytes().into()),
        Denial::Key(index) => (Reason::Key, args.get(index).into()),
        Denial::Channel(index) => (Reason::Channel, args.get(index).into()),
    }
}
