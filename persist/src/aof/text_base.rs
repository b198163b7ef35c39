//! A base that is text: commands instead of an RDB file (`aof-use-rdb-preamble no`).
//!
//! Cores write a snapshot in one form, so this one goes into a file of its own first and is told
//! anew from there once it is complete. That takes room for both for a while.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use basalt_shard::journal::write_command;
use basalt_shard::settings::Settings;
use basalt_shard::store::Store;

use crate::disk::{Disk, DiskFile};
use crate::output::{FileOutput, Output};
use crate::reader::{ChecksumUse, Item, RdbReader};

/// Bytes of commands that are written at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// Takes a snapshot, and leaves commands.
pub struct TextBase {
    disk: Arc<dyn Disk>,
    snapshot: Box<dyn DiskFile>,
    snapshot_path: PathBuf,
    commands: Box<FileOutput>,
    settings: Arc<Settings>,
}

impl TextBase {
    /// Begins the file that will be `target` as `temporary` in the same directory, with a line
    /// about the time if that is said.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(
        disk: Arc<dyn Disk>,
        temporary: &Path,
        target: &Path,
        syncs_on_the_way: bool,
        settings: Arc<Settings>,
        unix_seconds: Option<i64>,
    ) -> io::Result<Self> {
        let snapshot_path = temporary.with_extension("rdb");
        let snapshot = disk.create(&snapshot_path)?;
        let mut commands =
            FileOutput::create(Arc::clone(&disk), temporary, target, syncs_on_the_way)?;
        if let Some(seconds) = unix_seconds {
            commands.write(format!("#TS:{seconds}\r\n").as_bytes())?;
        }
        Ok(Self { disk, snapshot, snapshot_path, commands: Box::new(commands), settings })
    }

    /// Tells the snapshot anew.
    fn tell(&mut self) -> io::Result<()> {
        let file = self.disk.open(&self.snapshot_path, 0)?;
        let length = self.disk.length(&self.snapshot_path)?;
        let broken = |fault: crate::fault::RdbFault| io::Error::other(fault.to_string());
        let mut reader = RdbReader::new(file, Some(length), ChecksumUse::Ignore).map_err(broken)?;
        let mut store = Store::new(std::iter::empty(), 0, u64::MAX, Arc::clone(&self.settings));
        let (mut bytes, mut db) = (Vec::new(), 0);
        loop {
            match reader.read_item().map_err(broken)? {
                Item::End => break,
                Item::Function(text) => {
                    let parts: [&[u8]; 3] = [b"FUNCTION", b"LOAD", &text];
                    write_command(&mut bytes, parts.len(), parts.into_iter());
                }
                Item::Key(record) => {
                    if record.db != db {
                        db = record.db;
                        let number = db.to_string();
                        let parts: [&[u8]; 2] = [b"SELECT", number.as_bytes()];
                        write_command(&mut bytes, parts.len(), parts.into_iter());
                    }
                    let told = store.tell(&record, &mut bytes);
                    told.map_err(|fault| io::Error::other(fault.to_string()))?;
                }
                Item::Aux { .. } | Item::Resize { .. } | Item::ModuleAux(_) => {}
            }
            if bytes.len() >= BUFFER_BYTES {
                self.commands.write(&bytes)?;
                bytes.clear();
            }
        }
        self.commands.write(&bytes)
    }

    fn remove_snapshot(&self) {
        // One that stays is overwritten by the next.
        let _ = self.disk.remove(&self.snapshot_path);
    }
}

impl Output for TextBase {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.snapshot.append(&[bytes])
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        let told = self.tell();
        self.remove_snapshot();
        match told {
            Ok(()) => self.commands.finish(),
            Err(error) => {
                self.commands.discard();
                Err(error)
            }
        }
    }

    fn discard(self: Box<Self>) {
        self.remove_snapshot();
        self.commands.discard();
    }
}
