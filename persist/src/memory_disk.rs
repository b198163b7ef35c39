//! A disk in memory for tests and the simulator: it forgets in a crash, and fails on demand.
//!
//! ```text
//! file := what is on the disk | what was appended or cut since, piece by piece
//! names: those on the disk    | changes since, one by one
//! ```
//!
//! Use: make one, put it into a [`crate::aof::load::Location`] (it is a handle, clones are the same
//! disk), let the code under test write, then call [`MemoryDisk::lose_power`] with a source of
//! random numbers and load again. Files opened before refuse to work afterwards, as those of a dead
//! process. Without that call nothing is lost, which is what the end of a process alone means.
//!
//! A simulation wants to know what would have happened: there the power fails at some moment
//! ([`MemoryDisk::fail_power`], [`MemoryDisk::fail_power_after`]), this disk goes on as if it had
//! not, and what the failure leaves is another disk ([`MemoryDisk::after_power_failure`]).
//!
//! What survives of a file is what was synced, the first so many pieces written since, and perhaps
//! a part of the next; each file forgets by itself, so what was written first to one may be lost
//! while what was written later to another is kept. Of the names the first so many changes since
//! the last sync survive.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::disk::{Disk, DiskFile};

/// What a disk is asked to do, as far as it can be told to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Making a file, or opening one to write.
    Create,
    /// Appending.
    Append,
    /// Bringing a file to the disk.
    Sync,
    /// Cutting a file.
    Truncate,
    /// Giving a file another name.
    Rename,
    /// Bringing names to the disk.
    SyncDirectory,
}

#[derive(Clone, Debug)]
enum Piece {
    Append(Vec<u8>),
    Cut(usize),
}

impl Piece {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Append(bytes) => to.extend_from_slice(bytes),
            Self::Cut(length) => to.truncate(*length),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    since: Vec<Piece>,
}

impl Content {
    fn change(&mut self, piece: Piece) {
        piece.apply(&mut self.live);
        self.since.push(piece);
    }

    fn lose_power(&mut self, draw: Draw<'_>) {
        let kept = draw(self.since.len());
        for piece in &self.since[..kept] {
            piece.apply(&mut self.durable);
        }
        if let Some(Piece::Append(bytes)) = self.since.get(kept) {
            self.durable.extend_from_slice(&bytes[..draw(bytes.len())]);
        }
        self.since.clear();
        self.live.clone_from(&self.durable);
    }
}

/// Draws a number from zero to this one, both included.
pub type Draw<'a> = &'a mut dyn FnMut(usize) -> usize;

type Names = BTreeMap<PathBuf, usize>;

#[derive(Clone, Debug)]
enum NameChange {
    Add(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl NameChange {
    fn apply(&self, names: &mut Names) {
        match self {
            Self::Add(path, content) => drop(names.insert(path.clone(), *content)),
            Self::Rename(from, to) => {
                if let Some(content) = names.remove(from) {
                    names.insert(to.clone(), content);
                }
            }
            Self::Remove(path) => drop(names.remove(path)),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct State {
    contents: Vec<Content>,
    names: Names,
    durable_names: Names,
    since: Vec<NameChange>,
    /// Losses of power so far; files opened before the last one are dead.
    age: u64,
    /// What fails, with which number of the system, and how often.
    faults: Vec<(Operation, i32, u32)>,
    /// Bytes all files may have together.
    capacity_bytes: Option<usize>,
    /// Operations until the power fails, if it will.
    power_left: Option<u32>,
    /// How everything was when it failed.
    at_power_failure: Option<Box<State>>,
}

impl State {
    /// Something is asked for: the power may go, and the disk may fail.
    fn begin(&mut self, operation: Operation) -> io::Result<()> {
        if let Some(left) = &mut self.power_left {
            match left.checked_sub(1) {
                Some(fewer) => *left = fewer,
                None => self.fail_power(),
            }
        }
        let fault =
            self.faults.iter_mut().find(|(kind, _, times)| *kind == operation && *times > 0);
        let Some((_, number, times)) = fault else { return Ok(()) };
        *times -= 1;
        Err(io::Error::from_raw_os_error(*number))
    }

    fn fail_power(&mut self) {
        self.power_left = None;
        if self.at_power_failure.is_none() {
            self.at_power_failure = Some(Box::new(self.clone()));
        }
    }

    fn lose_power(&mut self, draw: Draw<'_>) {
        let kept = draw(self.since.len());
        for change in self.since.drain(..).take(kept) {
            change.apply(&mut self.durable_names);
        }
        self.names.clone_from(&self.durable_names);
        self.contents.iter_mut().for_each(|content| content.lose_power(draw));
        self.faults.clear();
        self.age += 1;
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.since.push(change);
    }

    fn content(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn used_bytes(&self) -> usize {
        self.names.values().map(|content| self.contents[*content].live.len()).sum()
    }
}

/// The disk; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Mutex<State>>);

impl MemoryDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding the disk")
    }

    /// The power goes and comes back: what is not on the disk may be lost, in whole or in part.
    pub fn lose_power(&self, draw: Draw<'_>) {
        self.state().lose_power(draw);
    }

    /// The power fails, for what [`MemoryDisk::after_power_failure`] tells; unless it has before.
    pub fn fail_power(&self) {
        self.state().fail_power();
    }

    /// The same within the operation that comes after so many more.
    pub fn fail_power_after(&self, operations: u32) {
        self.state().power_left = Some(operations);
    }

    /// Whether the power has failed.
    pub fn has_power_failed(&self) -> bool {
        self.state().at_power_failure.is_some()
    }

    /// What is left once the power is back, on a disk of its own; `None` if it has not failed.
    pub fn after_power_failure(&self, draw: Draw<'_>) -> Option<Self> {
        let mut left = State::clone(self.state().at_power_failure.as_deref()?);
        left.lose_power(draw);
        Some(Self(Arc::new(Mutex::new(left))))
    }

    /// The next so many operations of a kind fail with this number of the system (`libc::EIO`).
    pub fn fail(&self, operation: Operation, number: i32, times: u32) {
        self.state().faults.push((operation, number, times));
    }

    /// From now on all works, and the power stays.
    pub fn recover(&self) {
        let mut state = self.state();
        state.faults.clear();
        (state.capacity_bytes, state.power_left) = (None, None);
    }

    /// All files together may have so many bytes; what is beyond that is refused with `ENOSPC`,
    /// after as much of it as fits was written.
    pub fn set_capacity(&self, bytes: usize) {
        self.state().capacity_bytes = Some(bytes);
    }

    /// Names of the files that are there.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.state().names.keys().cloned().collect()
    }

    /// What is in a file.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.state();
        Ok(state.contents[state.content(path)?].live.clone())
    }

    /// What of a file is safe.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn read_durable(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.state();
        Ok(state.contents[state.content(path)?].durable.clone())
    }

    /// Puts a file there, safely.
    pub fn write(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state();
        let (live, durable) = (bytes.to_vec(), bytes.to_vec());
        state.contents.push(Content { live, durable, since: Vec::new() });
        let content = state.contents.len() - 1;
        state.names.insert(path.to_owned(), content);
        state.durable_names.insert(path.to_owned(), content);
    }

    fn file(&self, state: &State, content: usize) -> Box<dyn DiskFile> {
        Box::new(MemoryFile { disk: self.clone(), content, age: state.age })
    }
}

/// A file of it.
struct MemoryFile {
    disk: MemoryDisk,
    content: usize,
    age: u64,
}

impl MemoryFile {
    fn state(&self, operation: Operation) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.disk.state();
        if state.age != self.age {
            return Err(io::Error::other("the process that opened the file is dead"));
        }
        state.begin(operation)?;
        Ok(state)
    }
}

impl MemoryFile {
    /// What fails may be there in part.
    fn append_half(&self, bytes: &[u8]) {
        let mut state = self.disk.state();
        if state.age == self.age {
            state.contents[self.content].change(Piece::Append(bytes[..bytes.len() / 2].to_vec()));
        }
    }
}

impl DiskFile for MemoryFile {
    fn append(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        let bytes = pieces.concat();
        let mut state = self.state(Operation::Append).inspect_err(|_| self.append_half(&bytes))?;
        let room = state.capacity_bytes.map(|most| most.saturating_sub(state.used_bytes()));
        let fits = room.unwrap_or(bytes.len()).min(bytes.len());
        state.contents[self.content].change(Piece::Append(bytes[..fits].to_vec()));
        if fits < bytes.len() { Err(io::Error::from_raw_os_error(libc::ENOSPC)) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.state(Operation::Sync)?;
        let Content { durable, since, .. } = &mut state.contents[self.content];
        since.drain(..).for_each(|piece| piece.apply(durable));
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.state(Operation::Truncate)?;
        let length = usize::try_from(length).expect("files in memory are small");
        state.contents[self.content].change(Piece::Cut(length));
        Ok(())
    }
}

impl Disk for MemoryDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.begin(Operation::Create)?;
        // A file that is there is emptied, which may be forgotten like anything else.
        if let Ok(content) = state.content(path) {
            state.contents[content].change(Piece::Cut(0));
            return Ok(self.file(&state, content));
        }
        state.contents.push(Content::default());
        let content = state.contents.len() - 1;
        state.change_name(NameChange::Add(path.to_owned(), content));
        Ok(self.file(&state, content))
    }

    fn open_to_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.begin(Operation::Create)?;
        let content = state.content(path)?;
        Ok(self.file(&state, content))
    }

    fn open(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut cursor = Cursor::new(self.read(path)?);
        cursor.set_position(offset);
        Ok(Box::new(cursor))
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        let state = self.state();
        Ok(state.contents[state.content(path)?].live.len() as u64)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.begin(Operation::Rename)?;
        state.content(from)?;
        state.change_name(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.content(path)?;
        state.change_name(NameChange::Remove(path.to_owned()));
        Ok(())
    }

    fn create_directory(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.begin(Operation::SyncDirectory)?;
        let state = &mut *state;
        state.durable_names.clone_from(&state.names);
        state.since.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        PathBuf::from(name)
    }

    #[test]
    fn what_was_synced_stays_and_the_rest_is_a_prefix() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut draw = |most: usize| random.usize(..=most);
        for _ in 0..200 {
            let disk = MemoryDisk::default();
            let mut file = disk.create(&path("a")).expect("there is room");
            file.append(&[b"safe"]).expect("there is room");
            file.sync().expect("nothing fails");
            disk.sync_directory(&path("a")).expect("nothing fails");
            file.append(&[b"one"]).expect("there is room");
            file.append(&[b"two"]).expect("there is room");
            disk.lose_power(&mut draw);
            let content = disk.read(&path("a")).expect("its name is safe");
            assert!(content.len() >= 4 && b"safeonetwo".starts_with(&content), "{content:?}");
            assert!(file.append(&[b"more"]).is_err(), "the file is that of a dead process");
        }
    }

    #[test]
    fn a_disk_goes_on_behind_a_failure_of_the_power() {
        let disk = MemoryDisk::default();
        let mut file = disk.create(&path("a")).expect("there is room");
        disk.sync_directory(&path("a")).expect("nothing fails");
        file.append(&[b"safe"]).expect("there is room");
        file.sync().expect("nothing fails");
        disk.fail_power_after(1);
        file.append(&[b"one"]).expect("there is room");
        assert!(!disk.has_power_failed());
        file.append(&[b"two"]).expect("nobody here notices");
        assert!(disk.has_power_failed());
        let (all, nothing) = (&mut |most: usize| most, &mut |_: usize| 0);
        for (draw, expected) in [(all as Draw<'_>, "safeone"), (nothing, "safe")] {
            let left = disk.after_power_failure(draw).expect("the power has failed");
            assert_eq!(left.read(&path("a")).expect("it is there"), expected.as_bytes());
        }
        assert_eq!(disk.read(&path("a")).expect("it is there"), b"safeonetwo");
    }

    #[test]
    fn names_change_in_their_order() {
        let mut random = fastrand::Rng::with_seed(8);
        let mut draw = |most: usize| random.usize(..=most);
        let mut seen = [false; 3];
        for _ in 0..200 {
            let disk = MemoryDisk::default();
            disk.write(&path("old"), b"1");
            drop(disk.create(&path("new")).expect("there is room"));
            disk.remove(&path("old")).expect("it is there");
            disk.lose_power(&mut draw);
            let names = disk.paths();
            let expected = [vec![path("old")], vec![path("new"), path("old")], vec![path("new")]];
            let index = expected.iter().position(|expected| *expected == names);
            seen[index.unwrap_or_else(|| panic!("no such order: {names:?}"))] = true;
        }
        assert_eq!(seen, [true; 3]);
    }

    #[test]
    fn a_full_disk_takes_what_fits() {
        let disk = MemoryDisk::default();
        disk.set_capacity(5);
        let mut file = disk.create(&path("a")).expect("names take no room");
        let error = file.append(&[b"1234567"]).expect_err("it is full");
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
        assert_eq!(disk.read(&path("a")).expect("it is there"), b"12345");
        disk.recover();
        disk.fail(Operation::Sync, libc::EIO, 1);
        assert!(file.sync().is_err());
        assert!(file.sync().is_ok());
    }
}
