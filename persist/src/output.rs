//! Where the bytes of a snapshot end up.
//!
//! A file comes into being beside the one it replaces: written under a temporary name, brought to
//! the disk, renamed, and the directory brought to the disk as well. Whoever is killed at any
//! moment leaves the old file or the new one, whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A place for the bytes of a snapshot.
pub trait Output: Send {
    /// Takes bytes.
    ///
    /// # Errors
    /// When the system refuses them.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// All bytes were taken: makes them last.
    ///
    /// # Errors
    /// When the system refuses that.
    fn finish(self: Box<Self>) -> io::Result<()>;

    /// The bytes are not wanted: leaves nothing behind.
    fn discard(self: Box<Self>);
}

/// After so many bytes a file is brought to the disk while it is written, so that there is no long
/// pause at its end (`rdb-save-incremental-fsync`).
const SYNC_BYTES: u64 = 4 << 20;

/// A file that takes the place of another once it is complete.
pub struct FileOutput {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    syncs_on_the_way: bool,
    unsynced_bytes: u64,
}

impl FileOutput {
    /// Begins the file that will be `target` as `temporary` in the same directory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(temporary: &Path, target: &Path, syncs_on_the_way: bool) -> io::Result<Self> {
        let file = File::create(temporary)?;
        Ok(Self {
            file,
            temporary: temporary.to_owned(),
            target: target.to_owned(),
            syncs_on_the_way,
            unsynced_bytes: 0,
        })
    }
}

impl Output for FileOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.unsynced_bytes += bytes.len() as u64;
        if self.syncs_on_the_way && self.unsynced_bytes >= SYNC_BYTES {
            self.unsynced_bytes = 0;
            self.file.sync_data()?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        let result = self.file.sync_all().and_then(|()| fs::rename(&self.temporary, &self.target));
        if let Err(error) = result {
            self.discard();
            return Err(error);
        }
        sync_directory(&self.target)
    }

    fn discard(self: Box<Self>) {
        // Nothing can be done about a file that cannot be removed; the next one overwrites it.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Brings to the disk that a file has its name.
///
/// # Errors
/// When the system refuses.
pub fn sync_directory(file: &Path) -> io::Result<()> {
    let directory = file.parent().filter(|path| !path.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}
