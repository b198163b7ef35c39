//! Where the bytes of a snapshot end up.
//!
//! A file comes into being beside the one it replaces: written under a temporary name, brought to
//! the disk, renamed, and the directory brought to the disk as well. Whoever is killed at any
//! moment leaves the old file or the new one, whole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};
use crate::page_buffer::PageBuffer;

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

/// What is written at once, a whole number of pages: so much goes past the page cache.
const GATHERED_BYTES: usize = 1 << 20;

/// A file that takes the place of another once it is complete.
pub struct FileOutput {
    disk: Arc<dyn Disk>,
    file: Box<dyn DiskFile>,
    temporary: PathBuf,
    target: PathBuf,
    gathered: PageBuffer,
    syncs_on_the_way: bool,
    unsynced_bytes: u64,
}

impl FileOutput {
    /// Begins the file that will be `target` as `temporary` in the same directory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(
        disk: Arc<dyn Disk>,
        temporary: &Path,
        target: &Path,
        syncs_on_the_way: bool,
    ) -> io::Result<Self> {
        let file = disk.create(temporary)?;
        let (temporary, target) = (temporary.to_owned(), target.to_owned());
        let gathered = PageBuffer::new(GATHERED_BYTES);
        Ok(Self { disk, file, temporary, target, gathered, syncs_on_the_way, unsynced_bytes: 0 })
    }

    /// Writes what has been gathered.
    fn write_gathered(&mut self) -> io::Result<()> {
        self.file.append(&[self.gathered.bytes()])?;
        self.unsynced_bytes += self.gathered.bytes().len() as u64;
        // All but the last fill whole pages.
        self.gathered.begin_at(0);
        if self.syncs_on_the_way && self.unsynced_bytes >= SYNC_BYTES {
            self.unsynced_bytes = 0;
            self.file.sync()?;
        }
        Ok(())
    }
}

impl Output for FileOutput {
    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            bytes = self.gathered.push(bytes);
            if self.gathered.is_full() {
                self.write_gathered()?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        let synced = self.write_gathered().and_then(|()| self.file.sync());
        if let Err(error) = synced.and_then(|()| self.disk.rename(&self.temporary, &self.target)) {
            self.discard();
            return Err(error);
        }
        self.disk.sync_directory(&self.target)
    }

    fn discard(self: Box<Self>) {
        // Nothing can be done about a file that cannot be removed; the next one overwrites it.
        let _ = self.disk.remove(&self.temporary);
    }
}
