//! What a script is: its text, its digest, and the flags in its first line.
//!
//! ```text
//! #!lua flags=no-writes,allow-stale
//! ```

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use sha1::{Digest, Sha1};

use super::declared::names_only_declared_keys;
use crate::error::CommandError;

/// A digest in hexadecimal digits, lower case.
pub type Sha = [u8; 40];

/// The digest of a text.
pub fn sha_of(text: &[u8]) -> Sha {
    let mut sha = [0; 40];
    for (index, byte) in Sha1::digest(text).iter().enumerate() {
        sha[2 * index] = b"0123456789abcdef"[usize::from(byte >> 4)];
        sha[2 * index + 1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
    sha
}

/// The digest an argument names, in any letter case.
pub fn sha_from(argument: &[u8]) -> Option<Sha> {
    let mut sha: Sha = argument.try_into().ok()?;
    sha.make_ascii_lowercase();
    Some(sha)
}

/// What a text says about itself in its first line; none if that is broken.
pub(crate) fn flags_of(text: &[u8]) -> Option<ScriptFlags> {
    read_first_line(text).ok().map(|(_, flags)| flags)
}

/// What a script or function says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptFlags(u8);

impl ScriptFlags {
    /// It writes nothing.
    pub const NO_WRITES: Self = Self(1);
    /// It runs though memory is short.
    pub const ALLOW_OOM: Self = Self(2);
    /// It runs on a replica that has lost its primary.
    pub const ALLOW_STALE: Self = Self(4);
    /// It does not run in a cluster.
    pub const NO_CLUSTER: Self = Self(8);
    /// It may touch keys of several slots in a cluster.
    pub const ALLOW_CROSS_SLOT_KEYS: Self = Self(16);
    /// It has no first line that could say anything.
    pub const COMPATIBLE: Self = Self(32);

    /// Names and flags, in the order replies have them.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("no-writes", Self::NO_WRITES),
        ("allow-oom", Self::ALLOW_OOM),
        ("allow-stale", Self::ALLOW_STALE),
        ("no-cluster", Self::NO_CLUSTER),
        ("allow-cross-slot-keys", Self::ALLOW_CROSS_SLOT_KEYS),
    ];

    /// Whether all of `flags` are set.
    pub fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Both.
    pub fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    /// The flag of that name.
    pub fn named(name: &[u8]) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, flag)| *flag)
    }

    /// The names of those that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(_, flag)| self.contains(*flag)).map(|(name, _)| name)
    }
}

/// A script.
#[derive(Debug)]
pub struct Script {
    /// The digest of its text.
    pub sha: Sha,
    /// Its text.
    pub text: Box<[u8]>,
    /// Where the code begins: behind the first line, if that is not code.
    pub code_start: usize,
    /// What it says about itself.
    pub flags: ScriptFlags,
    /// It can be seen from its text that it touches no key it is not given.
    pub is_declared: bool,
    /// It has been found to need all slots at hand.
    needs_all: AtomicBool,
    /// It is in the cache: not flushed, not given up for others.
    is_cached: AtomicBool,
    /// It was run since the cache last looked for one to give up.
    was_run: AtomicBool,
}

impl Script {
    /// Reads a text.
    ///
    /// # Errors
    /// When its first line is none this server understands.
    pub fn new(text: &[u8]) -> Result<Self, CommandError> {
        let (code_start, flags) = read_first_line(text)?;
        Ok(Self {
            sha: sha_of(text),
            text: text.into(),
            code_start,
            flags,
            is_declared: names_only_declared_keys(&text[code_start..]),
            needs_all: AtomicBool::new(false),
            is_cached: AtomicBool::new(true),
            was_run: AtomicBool::new(true),
        })
    }

    /// The code.
    pub fn code(&self) -> &[u8] {
        &self.text[self.code_start..]
    }

    /// The digest as text.
    pub fn name(&self) -> &str {
        std::str::from_utf8(&self.sha).expect("digits are ASCII")
    }

    /// Whether it has been found to need all slots.
    pub fn needs_all(&self) -> bool {
        self.needs_all.load(Relaxed)
    }

    /// Notes that it needs all slots.
    pub fn note_needs_all(&self) {
        self.needs_all.store(true, Relaxed);
    }

    /// Whether the cache has it.
    #[inline]
    pub fn is_cached(&self) -> bool {
        self.is_cached.load(std::sync::atomic::Ordering::SeqCst)
    }

    pub(super) fn give_up(&self) {
        self.is_cached.store(false, std::sync::atomic::Ordering::SeqCst);
    }

    /// Notes that it runs. Writes only what is new, since cores share this.
    #[inline]
    pub fn note_run(&self) {
        if !self.was_run.load(Relaxed) {
            self.was_run.store(true, Relaxed);
        }
    }

    pub(super) fn take_was_run(&self) -> bool {
        self.was_run.swap(false, Relaxed)
    }

    /// Memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.text.len()
    }
}

fn read_first_line(text: &[u8]) -> Result<(usize, ScriptFlags), CommandError> {
    if !text.starts_with(b"#!") {
        return Ok((0, ScriptFlags::COMPATIBLE));
    }
    let end =
        memchr::memchr(b'\n', text).ok_or(CommandError::Fixed("ERR Invalid script shebang"))?;
    let line = String::from_utf8_lossy(&text[..end]);
    let mut words = line.split_ascii_whitespace();
    let engine = words.next().unwrap_or_default();
    if engine != "#!lua" {
        let text = format!("ERR Unexpected engine in script shebang: {engine}");
        return Err(CommandError::worded(text));
    }
    let mut flags = ScriptFlags::default();
    for word in words {
        let Some(names) = word.strip_prefix("flags=") else {
            return Err(CommandError::worded(format!("ERR Unknown lua shebang option: {word}")));
        };
        for name in names.split(',').filter(|name| !name.is_empty()) {
            let flag = ScriptFlags::named(name.as_bytes()).ok_or_else(|| {
                CommandError::worded(format!("ERR Unexpected flag in script shebang: {name}"))
            })?;
            flags = flags.with(flag);
        }
    }
    Ok((end, flags))
}
