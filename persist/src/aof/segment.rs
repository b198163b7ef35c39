//! The writing end of a segment: what has to reach a file, and what has reached the disk.
//!
//! A core hands batches over and goes on; a thread of its own ([`super::thread`]) writes them, and
//! brings them to the disk as `appendfsync` says:
//!
//! * `always`: what came together is written at once and followed by one fsync. Replies wait for
//!   [`Durable`], not the core.
//! * `everysec`: an fsync a second, if there is anything.
//! * `no`: whenever the system likes; so it is while `no-appendfsync-on-rewrite` is at work.
//!
//! # When the disk fails
//!
//! After a failed write the file may end anywhere, and after a failed fsync nobody knows which
//! pages reached the disk. So everything since the last good fsync is kept in memory; the file is
//! cut back to that point, and all of it written again, once a second until it works. Meanwhile
//! [`Durable::error`] says what is wrong, and writes of clients are refused. With `no`, what was
//! written counts as good.
//!
//! A segment that cannot be finished when the next generation begins is kept until it can be, and
//! the new one waits: only the last generation of files may end early.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::SeqCst};

use basalt_shard::mutation::{self, Mutation};

use super::unsynced::Unsynced;
use crate::disk::DiskFile;

/// Bytes after which an fsync is due before its time, since they are kept in memory until then.
const UNSYNCED_BYTES_MAX: usize = 32 << 20;

/// `appendfsync`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before any reply.
    Always,
    /// Once a second.
    #[default]
    EverySecond,
    /// When the system likes.
    Never,
}

/// How far the segment of one core is, in one generation.
#[derive(Debug, Default)]
pub struct Durable {
    items: AtomicU64,
    synced: AtomicU64,
    bytes: AtomicU64,
    unwritten_bytes: AtomicU64,
    is_sync_pending: AtomicBool,
    error: AtomicI32,
    is_over: AtomicBool,
}

impl Durable {
    /// Items that are as safe as the policy wants them: on the disk, or with `no` in the file.
    pub fn items(&self) -> u64 {
        self.items.load(SeqCst)
    }

    /// Items on the disk.
    pub fn synced_items(&self) -> u64 {
        self.synced.load(SeqCst)
    }

    /// Bytes written to the file.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(SeqCst)
    }

    /// Bytes that are to be written and are not in the file, or were there when a write failed.
    pub fn unwritten_bytes(&self) -> u64 {
        self.unwritten_bytes.load(SeqCst)
    }

    /// Whether an fsync is under way, or due and not done: its turn has not come, or it has failed.
    pub fn is_sync_pending(&self) -> bool {
        self.is_sync_pending.load(SeqCst)
    }

    /// Whether nothing more will be written, and all of it is on the disk.
    pub fn is_over(&self) -> bool {
        self.is_over.load(SeqCst)
    }

    /// Number of the error of the system that keeps the segment from being written; 0 for none.
    pub fn error(&self) -> i32 {
        self.error.load(SeqCst)
    }
}

/// What is written and what is safe, without a thread.
pub struct Segment {
    file: Box<dyn DiskFile>,
    durable: Arc<Durable>,
    policy: SyncPolicy,
    /// Everything since the file was safe for the last time.
    unsafe_bytes: Unsynced,
    /// How much of it is in the file.
    written: usize,
    /// Items in the file once all is written.
    items: u64,
    has_failed: bool,
}

impl Segment {
    /// A segment that goes on at the end of `file`, `length` bytes long.
    pub fn new(
        file: Box<dyn DiskFile>,
        length: u64,
        policy: SyncPolicy,
        durable: Arc<Durable>,
    ) -> Self {
        durable.bytes.store(length, SeqCst);
        Self {
            file,
            durable,
            policy,
            unsafe_bytes: Unsynced::behind_safe(length),
            written: 0,
            items: 0,
            has_failed: false,
        }
    }

    /// Takes a batch, after which the segment has so many items.
    pub fn push(&mut self, bytes: &[u8], items: u64) {
        self.unsafe_bytes.push(bytes);
        self.items = items;
        self.note_written();
    }

    /// Tells how much has to be written yet.
    fn note_written(&self) {
        let unwritten = self.unsafe_bytes.len() - self.written;
        self.durable.unwritten_bytes.store(unwritten as u64, SeqCst);
    }

    /// Changes the policy.
    pub fn set_policy(&mut self, policy: SyncPolicy) {
        self.policy = policy;
    }

    /// Whether there is something to bring to the disk.
    pub fn is_dirty(&self) -> bool {
        let is_behind = self.durable.synced_items() < self.items;
        !self.unsafe_bytes.is_empty() || is_behind && self.policy != SyncPolicy::Never
    }

    /// Whether the disk failed the last time.
    pub fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Number of the error of the system that keeps it from being written; 0 for none.
    pub fn error(&self) -> i32 {
        self.durable.error()
    }

    /// What comes before this segment cannot be written, for this reason; 0 if it can.
    pub fn note_error(&self, number: i32) {
        self.durable.error.store(number, SeqCst);
    }

    /// A flush begins soon; whether an fsync belongs to it. That counts as pending from here on.
    pub fn announce_flush(&mut self, due: bool) -> bool {
        let due = due || self.policy == SyncPolicy::Always;
        let due = due || self.unsafe_bytes.len() > UNSYNCED_BYTES_MAX;
        if due && self.policy != SyncPolicy::Never {
            self.durable.is_sync_pending.store(true, SeqCst);
        }
        due
    }

    /// Writes what was pushed, and brings it to the disk if that is `due`, or always done.
    pub fn flush(&mut self, due: bool) {
        let due = self.announce_flush(due);
        let result = self.try_flush(due);
        self.note_written();
        match result {
            Ok(()) => {
                self.has_failed = false;
                if due || self.policy == SyncPolicy::Never {
                    self.durable.is_sync_pending.store(false, SeqCst);
                }
                self.durable.error.store(0, SeqCst);
            }
            Err(error) => {
                self.has_failed = true;
                let number = error.raw_os_error().filter(|number| *number != 0);
                self.durable.error.store(number.unwrap_or(libc::EIO), SeqCst);
            }
        }
    }

    fn try_flush(&mut self, due: bool) -> io::Result<()> {
        if self.has_failed && !mutation::is_on(Mutation::FailureNotCut) {
            self.file.truncate(self.unsafe_bytes.position())?;
            self.written = 0;
        }
        // Whatever goes wrong from here on, the file is cut back before it is written to again.
        if self.written < self.unsafe_bytes.len() {
            let pieces: Vec<&[u8]> = self.unsafe_bytes.behind(self.written).collect();
            self.file.append(&pieces)?;
            self.written = self.unsafe_bytes.len();
            let length = self.unsafe_bytes.position() + self.written as u64;
            self.durable.bytes.store(length, SeqCst);
        }
        match self.policy {
            SyncPolicy::Never => {}
            SyncPolicy::Always | SyncPolicy::EverySecond if !due => return Ok(()),
            SyncPolicy::Always | SyncPolicy::EverySecond => {
                self.file.sync()?;
                self.durable.synced.store(self.items, SeqCst);
            }
        }
        self.unsafe_bytes.clear();
        self.written = 0;
        self.durable.items.store(self.items, SeqCst);
        Ok(())
    }

    /// Brings everything to the disk, whatever the policy; whether that worked.
    pub fn finish(&mut self) -> bool {
        let policy = std::mem::replace(&mut self.policy, SyncPolicy::Always);
        self.flush(true);
        self.policy = policy;
        !self.has_failed
    }

    /// Brings everything to the disk, which is all there will be; whether that worked.
    pub fn close(&mut self) -> bool {
        let is_over = self.finish();
        self.durable.is_over.store(is_over, SeqCst);
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;
    use crate::memory_disk::{MemoryDisk, Operation};
    use std::path::Path;

    /// Makes what comes next fail, in one of many ways.
    fn break_something(disk: &MemoryDisk, random: &mut fastrand::Rng) {
        let kinds = [Operation::Append, Operation::Sync, Operation::Truncate];
        for _ in 0..random.u32(..4) {
            let kind = kinds[random.usize(..kinds.len())];
            disk.fail(kind, [libc::EIO, libc::ENOSPC][random.usize(..2)], random.u32(1..4));
        }
    }

    #[test]
    fn what_is_not_in_the_file_or_not_on_the_disk_is_shown() {
        let durable = Arc::new(Durable::default());
        let (disk, path) = (MemoryDisk::default(), Path::new("segment"));
        let file = disk.create(path).expect("there is room");
        let mut segment = Segment::new(file, 0, SyncPolicy::EverySecond, Arc::clone(&durable));
        let shown = || (durable.unwritten_bytes(), durable.is_sync_pending());
        segment.push(b"one", 1);
        assert_eq!(shown(), (3, false));
        segment.flush(false);
        assert_eq!(shown(), (0, false), "its time has not come");
        disk.fail(Operation::Sync, libc::EIO, 1);
        segment.flush(true);
        assert_eq!(shown(), (0, true), "it has failed");
        segment.push(b"two", 2);
        disk.fail(Operation::Append, libc::ENOSPC, 1);
        segment.flush(true);
        assert_eq!(shown(), (6, true), "the file was cut back");
        segment.flush(true);
        assert_eq!(shown(), (0, false));
    }

    #[test]
    fn what_counts_as_durable_is_on_the_disk_in_order() {
        let seed = std::env::var("BASALT_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..));
        let mut random = fastrand::Rng::with_seed(seed);
        for policy in [SyncPolicy::Always, SyncPolicy::EverySecond] {
            let durable = Arc::new(Durable::default());
            let (disk, path) = (MemoryDisk::default(), Path::new("segment"));
            let file = disk.create(path).expect("there is room");
            let mut segment = Segment::new(file, 0, policy, Arc::clone(&durable));
            let mut pushed = Vec::new();
            for item in 1..=2000_u64 {
                let text = format!("{item};");
                pushed.extend_from_slice(text.as_bytes());
                segment.push(text.as_bytes(), item);
                if random.u32(..20) == 0 {
                    break_something(&disk, &mut random);
                }
                segment.flush(random.u32(..4) == 0);
                let on_disk = disk.read_durable(path).expect("the file is there");
                let count = on_disk.iter().filter(|byte| **byte == b';').count() as u64;
                assert!(count >= durable.items(), "BASALT_TEST_SEED={seed}");
                assert!(pushed.starts_with(&on_disk), "BASALT_TEST_SEED={seed}");
                assert_eq!(segment.has_failed(), durable.error() != 0);
            }
            disk.recover();
            assert!(segment.finish());
            let on_disk = disk.read_durable(path).expect("the file is there");
            assert_eq!(on_disk, pushed, "BASALT_TEST_SEED={seed}");
            assert_eq!(durable.items(), 2000);
            assert_eq!(durable.bytes(), pushed.len() as u64);
        }
    }
}
