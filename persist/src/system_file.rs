//! A file of the system that takes much at once past the page cache.
//!
//! The kernel's way of keeping a page, marking it, writing it back and finding it again costs
//! several times what the copy does; a log or a snapshot of hundreds of megabytes a second pays for
//! that on the processors that serve clients, and pushes other data out of memory. So whole pages
//! of large appends go straight to the disk (`O_DIRECT`), the rest through the cache:
//!
//! ```text
//! file:    |......|......|....|
//! append:                     |..|......|......|......|...|
//!                        `direct, with the tail'       `-- the new tail, cached
//! ```
//!
//! # What survives
//!
//! The promise of [`crate::disk`] is that of what was appended since the last sync a loss of power
//! leaves a part *from its start on*. It holds for what goes through the cache alone, as the kernel
//! lengthens the file on the disk in the order of its pages, and for direct writes, each of which
//! is over when the next one begins. It would not hold for a direct write behind pages that are
//! still in the cache: the file would be long enough for it, with a hole where they belong. So
//! direct writes begin at the page the file ends in, which they write again with the same bytes,
//! and while any page before that one waits in the cache everything goes through it, until the
//! next sync.
//!
//! Where the file system knows no such writes, all go through the cache.

use std::fs::{File, OpenOptions};
use std::io;
use std::mem;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::disk::DiskFile;

/// Place, length and memory of direct writes are multiples of this: enough for every disk that has
/// no larger blocks, and the size of a page.
const PAGE_BYTES: usize = 4096;

/// Appends that are smaller go through the cache: a direct write waits for the disk each time.
const DIRECT_BYTES_MIN: usize = 128 << 10;

/// Bytes of one direct write at most.
const BUFFER_BYTES: usize = 1 << 20;

/// A file that is written to, always at its end.
pub(crate) struct SystemFile {
    file: File,
    length: u64,
    /// What stands in the last page, if that is not full.
    tail: Vec<u8>,
    /// The first page of which the cache may hold more than the disk.
    first_cached: Option<u64>,
    has_direct: bool,
    is_direct: bool,
    buffer: PageBuffer,
}

impl SystemFile {
    /// Makes an empty file, in place of one that is there.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(true).clone();
        Ok(Self::new(options.open(path)?))
    }

    /// Opens a file that is there, to be cut or appended to.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = Self::new(OpenOptions::new().read(true).write(true).open(path)?);
        let length = file.file.metadata()?.len();
        file.end_at(length)?;
        Ok(file)
    }

    fn new(file: File) -> Self {
        Self {
            file,
            length: 0,
            tail: Vec::new(),
            first_cached: None,
            has_direct: true,
            is_direct: false,
            buffer: PageBuffer::default(),
        }
    }

    /// The file is so long now, and nobody knows which of its pages are on the disk.
    fn end_at(&mut self, length: u64) -> io::Result<()> {
        let tail_bytes = length % PAGE_BYTES as u64;
        self.tail.resize(tail_bytes as usize, 0);
        self.file.read_exact_at(&mut self.tail, length - tail_bytes)?;
        (self.length, self.first_cached) = (length, Some(0));
        Ok(())
    }

    /// The page the file ends in.
    fn last_page(&self) -> u64 {
        self.length / PAGE_BYTES as u64
    }

    /// Turns to direct writes, or back; whether the file system knows such.
    fn set_direct(&mut self, is_direct: bool) -> bool {
        if is_direct != self.is_direct {
            let change = |mut flags: OFlags| {
                flags.set(OFlags::DIRECT, is_direct);
                fcntl_setfl(&self.file, flags)
            };
            if fcntl_getfl(&self.file).and_then(change).is_err() {
                return false;
            }
            self.is_direct = is_direct;
        }
        true
    }

    fn may_write_directly(&self, bytes: usize) -> bool {
        self.has_direct
            && bytes >= DIRECT_BYTES_MIN
            && self.first_cached.is_none_or(|page| page >= self.last_page())
    }

    fn append_through_cache(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if !self.set_direct(false) {
            return Err(io::Error::other("direct writes cannot be ended"));
        }
        self.file.write_all_at(bytes, self.length)?;
        self.first_cached = self.first_cached.or(Some(self.last_page()));
        self.length += bytes.len() as u64;
        let tail_bytes = (self.length % PAGE_BYTES as u64) as usize;
        match tail_bytes.checked_sub(bytes.len()) {
            // The page that was the last one is it still.
            Some(before) if before == self.tail.len() => self.tail.extend_from_slice(bytes),
            _ => {
                self.tail.clear();
                self.tail.extend_from_slice(&bytes[bytes.len() - tail_bytes..]);
            }
        }
        Ok(())
    }

    fn append_directly(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        self.buffer.begin(&self.tail);
        for mut piece in pieces.iter().copied() {
            while !piece.is_empty() {
                piece = self.buffer.push(piece);
                if self.buffer.is_full() {
                    self.write_buffer()?;
                }
            }
        }
        self.write_buffer()
    }

    /// Writes what is in the buffer, and empties it.
    fn write_buffer(&mut self) -> io::Result<()> {
        let mut buffer = mem::take(&mut self.buffer);
        let written = self.write_pages(buffer.bytes());
        buffer.begin(&self.tail);
        self.buffer = buffer;
        written
    }

    /// Writes bytes that begin with the tail of the file: whole pages directly.
    fn write_pages(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (pages, rest) = bytes.split_at(bytes.len() / PAGE_BYTES * PAGE_BYTES);
        let start = self.length - self.tail.len() as u64;
        if self.has_direct && !pages.is_empty() {
            match self.file.write_all_at(pages, start) {
                Ok(()) => {
                    self.length = start + pages.len() as u64;
                    self.tail.clear();
                    self.first_cached = None;
                    return self.append_through_cache(rest);
                }
                // The disk wants larger blocks, and has written nothing.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => self.has_direct = false,
                Err(error) => return Err(error),
            }
        }
        self.append_through_cache(&bytes[self.tail.len()..])
    }
}

impl DiskFile for SystemFile {
    fn append(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        if self.may_write_directly(pieces.iter().map(|piece| piece.len()).sum()) {
            self.has_direct = self.set_direct(true);
            return self.append_directly(pieces);
        }
        pieces.iter().try_for_each(|piece| self.append_through_cache(piece))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.first_cached = None;
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        if !self.set_direct(false) {
            return Err(io::Error::other("direct writes cannot be ended"));
        }
        self.file.set_len(length)?;
        self.end_at(length)
    }
}

/// Memory for direct writes: its bytes begin at a page of memory.
#[derive(Default)]
struct PageBuffer {
    /// A page longer than what is used of it, or empty until it is needed.
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl PageBuffer {
    /// Holds nothing but a tail.
    fn begin(&mut self, tail: &[u8]) {
        if self.memory.is_empty() {
            self.memory = vec![0; BUFFER_BYTES + PAGE_BYTES];
            self.start = self.memory.as_ptr().align_offset(PAGE_BYTES);
        }
        self.len = 0;
        self.push(tail);
    }

    /// Takes as many bytes as there is room for; returns the others.
    fn push<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (now, later) = bytes.split_at(bytes.len().min(BUFFER_BYTES - self.len));
        self.memory[self.start + self.len..][..now.len()].copy_from_slice(now);
        self.len += now.len();
        later
    }

    fn is_full(&self) -> bool {
        self.len == BUFFER_BYTES
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.start..][..self.len]
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Append(usize),
        Sync,
        Truncate(prop::sample::Index),
        Reopen,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0..3 * PAGE_BYTES).prop_map(Step::Append),
            4 => (DIRECT_BYTES_MIN..2 * DIRECT_BYTES_MIN).prop_map(Step::Append),
            1 => (BUFFER_BYTES - PAGE_BYTES..2 * BUFFER_BYTES).prop_map(Step::Append),
            3 => Just(Step::Sync),
            1 => any::<prop::sample::Index>().prop_map(Step::Truncate),
            1 => Just(Step::Reopen),
        ];
        prop::collection::vec(step, 1..20)
    }

    /// An empty directory for one test, gone when that is over.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("basalt-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).expect("it can be made");
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn bytes_of(count: usize, seed: usize) -> Vec<u8> {
        (0..count).map(|at| (at ^ at >> 8 ^ seed) as u8).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_file_holds_what_was_appended(steps in steps()) {
            let folder = Folder::new("appended");
            let path = folder.0.join("file");
            let mut file = SystemFile::create(&path).expect("it can be made");
            let mut model = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Append(count) => {
                        let bytes = bytes_of(count, number);
                        let (one, other) = bytes.split_at(count / 3);
                        file.append(&[one, other]).expect("there is room");
                        model.extend(bytes);
                    }
                    Step::Sync => file.sync().expect("the disk works"),
                    Step::Truncate(at) => {
                        let length = at.index(model.len() + 1);
                        file.truncate(length as u64).expect("it can be cut");
                        model.truncate(length);
                    }
                    Step::Reopen => file = SystemFile::open(&path).expect("it is there"),
                }
                prop_assert!(fs::read(&path).expect("it is there") == model);
                prop_assert_eq!(file.length, model.len() as u64);
                prop_assert_eq!(&file.tail, &model[model.len() / PAGE_BYTES * PAGE_BYTES..]);
            }
        }
    }

    /// A file, and whether the file system it lies in knows direct writes.
    fn new_file(folder: &Folder) -> (SystemFile, bool) {
        let mut file = SystemFile::create(&folder.0.join("file")).expect("it can be made");
        file.append(&[&bytes_of(BUFFER_BYTES, 0)]).expect("there is room");
        let has_direct = file.is_direct;
        (file, has_direct)
    }

    #[test]
    fn no_direct_write_stands_behind_pages_that_wait_in_the_cache() {
        let folder = Folder::new("behind");
        let (mut file, has_direct) = new_file(&folder);
        assert_eq!(file.first_cached.is_none(), has_direct, "it was directly written");
        let large = bytes_of(DIRECT_BYTES_MIN, 1);
        // A part of a page that is written again is no obstacle.
        file.append(&[b"tail"]).expect("there is room");
        file.append(&[&large]).expect("there is room");
        assert_eq!(file.tail, large[large.len() - 4..]);
        let is_last = file.first_cached == Some(file.last_page());
        assert_eq!(is_last, has_direct, "only the last page is in the cache");
        // Whole ones are, until they are on the disk.
        file.append(&[&bytes_of(PAGE_BYTES, 2)]).expect("there is room");
        file.append(&[&large]).expect("there is room");
        assert!(!file.is_direct);
        file.sync().expect("the disk works");
        file.append(&[&large]).expect("there is room");
        assert_eq!(file.first_cached == Some(file.last_page()), has_direct);
        // Nor is it known of a file that is cut, or was there before.
        file.truncate(PAGE_BYTES as u64 + 5).expect("it can be cut");
        file.append(&[&large]).expect("there is room");
        assert_eq!((file.is_direct, file.first_cached), (false, Some(0)));
    }

    #[test]
    fn a_file_system_without_direct_writes_gets_everything_through_the_cache() {
        let folder = Folder::new("cache");
        let (mut file, _) = new_file(&folder);
        file.has_direct = false;
        file.sync().expect("the disk works");
        file.append(&[&bytes_of(DIRECT_BYTES_MIN, 1)]).expect("there is room");
        assert_eq!(file.first_cached, Some((BUFFER_BYTES / PAGE_BYTES) as u64));
    }
}
