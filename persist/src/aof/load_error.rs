//! What can be wrong with an append-only directory, in the words of a log: what the system refuses,
//! what is damaged where, and what the administrator can do about it.

use std::io;
use std::path::PathBuf;

use basalt_shard::replay::ReplayError;

use super::item::Damage;
use super::manifest::ManifestError;
use crate::fault::RdbFault;

/// Why the data cannot be loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The system refuses.
    Io(PathBuf, io::Error),
    /// The manifest makes no sense.
    Manifest(ManifestError),
    /// A file the manifest names is not there.
    Missing(String),
    /// The base is damaged.
    Base(PathBuf, RdbFault),
    /// A file is damaged where it should not be.
    Damaged(PathBuf, u64, Damage),
    /// A file ends in the midst of something, and that is not to be forgiven.
    Torn(PathBuf, u64),
    /// The files of a generation do not fit together.
    Disordered(PathBuf),
    /// Something in a file is no command of a journal.
    Command(PathBuf, ReplayError),
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const ADVICE: &str =
            "make a backup of your AOF file, then use basalt-check-aof --fix <filename.manifest>";
        match self {
            Self::Io(path, error) => write!(formatter, "{}: {error}", path.display()),
            Self::Manifest(error) => error.fmt(formatter),
            Self::Missing(name) => {
                write!(formatter, "The AOF file {name} cannot be opened: No such file or directory")
            }
            Self::Base(path, fault) => write!(formatter, "{}: {fault}", path.display()),
            Self::Damaged(path, at, damage) => write!(
                formatter,
                "Bad file format reading the append only file {}: {damage} behind byte {at}; \
                 {ADVICE}",
                path.display()
            ),
            Self::Torn(path, at) => write!(
                formatter,
                "Unexpected end of file reading the append only file {} behind byte {at}. You \
                 can: 1) {ADVICE}. 2) Alternatively you can set the 'aof-load-truncated' \
                 configuration option to yes and restart the server.",
                path.display()
            ),
            Self::Disordered(path) => {
                write!(formatter, "{}: records are missing or out of order", path.display())
            }
            Self::Command(path, error) => {
                write!(formatter, "{error} reading the append only file {}", path.display())
            }
        }
    }
}

impl std::error::Error for LoadError {}
