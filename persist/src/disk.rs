//! Files as this crate needs them, behind one trait, so that tests can pull the plug.
//!
//! [`SystemDisk`] is the real one. [`crate::memory_disk::MemoryDisk`] lies in memory, knows what
//! has been brought to the disk and what has not, fails when it is told to, and forgets in a crash
//! what a real disk may forget. Whoever writes or reads files of the append-only file or snapshots
//! gets a `&dyn Disk` (in a [`crate::aof::load::Location`]) and uses nothing of `std::fs` beside
//! it.
//!
//! # What a disk promises
//!
//! * What was appended is read again at once, and survives the end of the process.
//! * What was appended before [`DiskFile::sync`] survives a loss of power; what came later may be
//!   there in part, from its start on.
//! * Names (a file made, renamed, removed) survive once [`Disk::sync_directory`] is through; those
//!   changed later may be the old ones or the new ones, in the order in which they were changed.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::system_file::SystemFile;

/// A file that is written to, always at its end.
pub trait DiskFile: Send {
    /// Appends bytes at the end, one piece behind the other.
    ///
    /// # Errors
    /// When the system refuses; any part of them may be there then, and nothing may be appended
    /// before the file is cut.
    fn append(&mut self, pieces: &[&[u8]]) -> io::Result<()>;

    /// Brings everything to the disk.
    ///
    /// # Errors
    /// When the system refuses; nobody knows then what of it is there.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file.
    ///
    /// # Errors
    /// When the system refuses.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// A place for files. Paths are those of the system, relative ones from the working directory.
pub trait Disk: Debug + Send + Sync {
    /// Makes an empty file, in place of one that is there.
    ///
    /// # Errors
    /// When the system refuses.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file that is there, to be cut or appended to.
    ///
    /// # Errors
    /// When the system refuses.
    fn open_to_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for reading from `offset` bytes on.
    ///
    /// # Errors
    /// When the system refuses.
    fn open(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>>;

    /// The length of a file in bytes.
    ///
    /// # Errors
    /// When the system refuses.
    fn length(&self, path: &Path) -> io::Result<u64>;

    /// Gives a file another name, in place of one that is there. O(1), at one moment.
    ///
    /// # Errors
    /// When the system refuses.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// When the system refuses.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory and those it lies in, unless they are there.
    ///
    /// # Errors
    /// When the system refuses.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// Brings to the disk which names the directory of `file` holds.
    ///
    /// # Errors
    /// When the system refuses.
    fn sync_directory(&self, file: &Path) -> io::Result<()>;

    /// Whether there is such a file.
    fn exists(&self, path: &Path) -> bool {
        self.length(path).is_ok()
    }
}

/// The disk of the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SystemFile::create(path)?))
    }

    fn open_to_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SystemFile::open(path)?))
    }

    fn open(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Box::new(file))
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        fs::metadata(path).map(|metadata| metadata.len())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn sync_directory(&self, file: &Path) -> io::Result<()> {
        let directory = file.parent().filter(|path| !path.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }
}
