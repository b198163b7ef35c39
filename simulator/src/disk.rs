//! A disk that forgets: what is written is safe once it was synchronised, and not before.
//!
//! A power cut keeps of each file what was synchronised, and of the rest any beginning. It may come
//! at a moment between two steps of the cluster, or within the next operations on the disk; what it
//! left is an [`Image`], while the disk itself goes on as if nothing had happened: the cluster runs
//! on to its end, so that the order of what was going on is known.
//!
//! ```text
//! file:  | synchronised | written since |        image:  | synchronised | some of it |
//! ```
//!
//! Files of a segment grow at the end and are cut back to what was synchronised; all others are put
//! in place whole, or not at all.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use basalt_persist::disk::DiskFile as PersistedFile;

/// Numbers of the system's errors that a disk answers with.
const ERRORS: [i32; 2] = [ENOSPC, EIO];
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// What a power cut has left: files by name, and the text of the manifest.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Files by name.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The text of the manifest; empty if there was none.
    pub manifest: String,
}

#[derive(Clone, Default)]
struct FileState {
    content: Vec<u8>,
    /// How much of it is safe.
    synced: usize,
}

struct State {
    files: BTreeMap<String, FileState>,
    manifest: String,
    random: fastrand::Rng,
    /// Operations that will fail.
    failures: u32,
    /// Operations until the power cut.
    power_left: Option<u32>,
    image: Option<Image>,
    syncs: u64,
}

/// A disk.
#[derive(Clone)]
pub struct Disk(Arc<Mutex<State>>);

impl Disk {
    /// A disk that holds `image`; its faults follow `seed`.
    pub fn new(seed: u64, image: Image) -> Self {
        let keep = |(name, content): (String, Vec<u8>)| {
            let synced = content.len();
            (name, FileState { content, synced })
        };
        Self(Arc::new(Mutex::new(State {
            files: image.files.into_iter().map(keep).collect(),
            manifest: image.manifest,
            random: fastrand::Rng::with_seed(seed ^ 0xd15c),
            failures: 0,
            power_left: None,
            image: None,
            syncs: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding the disk")
    }

    /// Makes the next operations fail, `count` of them.
    pub fn fail(&self, count: u32) {
        self.state().failures = count;
    }

    /// Cuts the power within the operation that comes after `operations` more.
    pub fn cut_power_after(&self, operations: u32) {
        self.state().power_left = Some(operations);
    }

    /// Nothing goes wrong any more, unless it is asked for anew.
    pub fn calm(&self) {
        let mut state = self.state();
        (state.failures, state.power_left) = (0, None);
    }

    /// Cuts the power now, if that has not happened.
    pub fn cut_power(&self) {
        self.state().take_image();
    }

    /// What the power cut has left, once it has come.
    pub fn image(&self) -> Option<Image> {
        self.state().image.clone()
    }

    /// Whether the power was cut.
    pub fn is_cut(&self) -> bool {
        self.state().image.is_some()
    }

    /// Times anything was brought to the disk.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// A new, empty file that grows at its end.
    pub fn create(&self, name: &str) -> DiskFile {
        self.state().files.insert(name.to_owned(), FileState::default());
        DiskFile { disk: self.clone(), name: name.to_owned() }
    }

    /// Puts a file in place, whole.
    ///
    /// # Errors
    /// When the disk fails; then nothing has changed.
    pub fn put(&self, name: &str, content: Vec<u8>) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        let synced = content.len();
        state.files.insert(name.to_owned(), FileState { content, synced });
        Ok(())
    }

    /// Puts a manifest in the place of the last.
    ///
    /// # Errors
    /// When the disk fails; then the old one is still there.
    pub fn put_manifest(&self, text: String) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        state.manifest = text;
        Ok(())
    }

    /// Removes a file that no manifest names.
    pub fn remove(&self, name: &str) {
        self.state().files.remove(name);
    }
}

impl State {
    /// Anything happens to the disk: the power may go, the disk may fail.
    fn operate(&mut self) -> io::Result<()> {
        if let Some(left) = &mut self.power_left {
            match left.checked_sub(1) {
                Some(fewer) => *left = fewer,
                None => self.take_image(),
            }
        }
        if self.failures > 0 {
            self.failures -= 1;
            let number = ERRORS[self.random.usize(..ERRORS.len())];
            return Err(io::Error::from_raw_os_error(number));
        }
        Ok(())
    }

    fn take_image(&mut self) {
        if self.image.is_some() {
            return;
        }
        let Self { files, random, .. } = self;
        let left_of = |(name, file): (&String, &FileState)| {
            // Nothing, everything and something in between are all likely.
            let fresh = file.content.len() - file.synced;
            let kept = match random.u32(..4) {
                0 => 0,
                1 => fresh,
                _ => random.usize(..=fresh),
            };
            (name.clone(), file.content[..file.synced + kept].to_vec())
        };
        let files = files.iter().map(left_of).collect();
        self.image = Some(Image { files, manifest: self.manifest.clone() });
    }
}

/// A file of the disk that grows at its end.
pub struct DiskFile {
    disk: Disk,
    name: String,
}

impl DiskFile {
    fn with<T>(&self, work: impl FnOnce(&mut FileState) -> T) -> T {
        let mut state = self.disk.state();
        work(state.files.entry(self.name.clone()).or_default())
    }
}

impl PersistedFile for DiskFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let result = self.disk.state().operate();
        let written = match result {
            Ok(()) => bytes.len(),
            Err(_) => self.disk.state().random.usize(..=bytes.len()),
        };
        self.with(|file| file.content.extend_from_slice(&bytes[..written]));
        result
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.state().operate()?;
        self.disk.state().syncs += 1;
        self.with(|file| file.synced = file.content.len());
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.disk.state().operate()?;
        self.with(|file| {
            file.content.truncate(length as usize);
            file.synced = file.synced.min(file.content.len());
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_cut_keeps_what_was_synchronised_and_a_beginning_of_the_rest() {
        for seed in 0..50 {
            let disk = Disk::new(seed, Image::default());
            let mut file = disk.create("a");
            file.append(b"safe").expect("the disk is well");
            file.sync().expect("the disk is well");
            file.append(b"unsafe").expect("the disk is well");
            disk.cut_power();
            file.append(b"after").expect("the disk goes on");
            let image = disk.image().expect("the power was cut");
            let left = &image.files["a"];
            assert!(left.starts_with(b"safe") && b"safeunsafe".starts_with(left), "seed {seed}");
        }
    }

    #[test]
    fn a_disk_that_fails_recovers() {
        let disk = Disk::new(1, Image::default());
        let mut file = disk.create("a");
        disk.fail(2);
        assert!(file.append(b"x").is_err() && file.sync().is_err());
        assert!(file.truncate(0).is_ok() && file.append(b"y").is_ok());
        file.sync().expect("the disk is well again");
        disk.cut_power();
        assert_eq!(disk.image().expect("the power was cut").files["a"], b"y");
    }
}
