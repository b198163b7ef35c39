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
//! The disk takes them from where they are, so they have to stand in pages of memory as they will
//! stand in those of the file ([`crate::page_buffer`]). Bytes that do not go through the cache.
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
use std::io::{self, IoSlice};
use std::iter::once;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::pwritev;

use crate::disk::DiskFile;
use crate::page_buffer::{PAGE_BYTES, PageBuffer, starts_in_page_at};

/// Appends that are smaller go through the cache: a direct write waits for the disk each time.
const DIRECT_BYTES_MIN: usize = 128 << 10;

/// Pieces of one direct write at most; the system takes no more than a thousand.
const PIECES_MAX: usize = if cfg!(test) { 3 } else { 64 };

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
    /// The tail and what fills its page.
    first_page: PageBuffer,
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
            first_page: PageBuffer::new(PAGE_BYTES),
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

    /// Turns to direct writes, unless it turns out that the file system knows none.
    fn turn_to_direct(&mut self) -> bool {
        self.has_direct = self.has_direct && self.set_direct(true);
        self.has_direct
    }

    fn may_write_directly(&self, pieces: &[&[u8]]) -> bool {
        self.has_direct
            && pieces.iter().map(|piece| piece.len()).sum::<usize>() >= DIRECT_BYTES_MIN
            && self.first_cached.is_none_or(|page| page >= self.last_page())
            && stand_in_pages(pieces, self.length)
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

    /// Writes pieces that stand in pages as the file will: whole pages directly.
    fn append_directly(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        let head_bytes = (PAGE_BYTES - self.tail.len()) % PAGE_BYTES;
        let (head, first) = pieces[0].split_at(head_bytes);
        self.first_page.begin_at(0);
        self.first_page.push(&self.tail);
        self.first_page.push(head);
        let all: Vec<&[u8]> = once(first).chain(pieces[1..].iter().copied()).collect();
        let (last, others) = all.split_last().expect("there is the first");
        let (pages, rest) = last.split_at(last.len() / PAGE_BYTES * PAGE_BYTES);
        let slices = once(self.first_page.bytes()).chain(others.iter().copied()).chain(once(pages));
        let mut slices: Vec<IoSlice<'_>> = slices.map(IoSlice::new).collect();
        let written: usize = slices.iter().map(|slice| slice.len()).sum();
        let start = self.length - self.tail.len() as u64;
        match write_all_at(&self.file, &mut slices, start) {
            Ok(()) => {
                self.length = start + written as u64;
                self.tail.clear();
                self.first_cached = None;
                self.append_through_cache(rest)
            }
            // The disk wants larger blocks.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                self.has_direct = false;
                pieces.iter().try_for_each(|piece| self.append_through_cache(piece))
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether each of these pieces begins in its page of memory where it will begin in that of a file
/// which is so long, and fills its last page, unless it is the last one.
fn stand_in_pages(pieces: &[&[u8]], mut length: u64) -> bool {
    let mut is_between = true;
    pieces.iter().all(|piece| {
        let in_page = (length % PAGE_BYTES as u64) as usize;
        let stands = is_between && starts_in_page_at(piece, in_page);
        length += piece.len() as u64;
        is_between = length.is_multiple_of(PAGE_BYTES as u64);
        stands
    })
}

/// Writes all of several pieces behind each other.
fn write_all_at(file: &File, mut slices: &mut [IoSlice<'_>], mut at: u64) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match pwritev(file, slices, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                at += written as u64;
                IoSlice::advance_slices(&mut slices, written);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

impl DiskFile for SystemFile {
    fn append(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        let may_be_direct = self.may_write_directly(pieces);
        for some in pieces.chunks(PIECES_MAX) {
            match may_be_direct && self.turn_to_direct() {
                true => self.append_directly(some)?,
                false => some.iter().try_for_each(|piece| self.append_through_cache(piece))?,
            }
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        /// Of so many bytes, in pages as the file will be.
        Place(usize),
        /// Anywhere in memory.
        Append(usize),
        Sync,
        Truncate(prop::sample::Index),
        Reopen,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            2 => (0..3 * PAGE_BYTES).prop_map(Step::Append),
            2 => (0..3 * PAGE_BYTES).prop_map(Step::Place),
            1 => (DIRECT_BYTES_MIN..2 * DIRECT_BYTES_MIN).prop_map(Step::Append),
            5 => (DIRECT_BYTES_MIN..8 * DIRECT_BYTES_MIN).prop_map(Step::Place),
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

    /// Bytes of a buffer in a test.
    const PLACED_BYTES: usize = 16 * PAGE_BYTES;

    /// Appends bytes from buffers in which they stand as they will in the file.
    fn place(file: &mut SystemFile, mut bytes: &[u8]) {
        let (mut buffers, mut position) = (Vec::new(), file.length);
        while !bytes.is_empty() {
            let mut buffer = PageBuffer::new(PLACED_BYTES);
            buffer.begin_at(position);
            bytes = buffer.push(bytes);
            position += buffer.bytes().len() as u64;
            buffers.push(buffer);
        }
        let pieces: Vec<&[u8]> = buffers.iter().map(PageBuffer::bytes).collect();
        file.append(&pieces).expect("there is room");
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
                    Step::Place(count) => {
                        let bytes = bytes_of(count, number);
                        place(&mut file, &bytes);
                        model.extend(bytes);
                    }
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

    const FIRST_BYTES: usize = 2 * DIRECT_BYTES_MIN;

    /// A file, and whether the file system it lies in knows direct writes.
    fn new_file(folder: &Folder) -> (SystemFile, bool) {
        let mut file = SystemFile::create(&folder.0.join("file")).expect("it can be made");
        place(&mut file, &bytes_of(FIRST_BYTES, 0));
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
        place(&mut file, &large);
        assert_eq!(file.tail, large[large.len() - 4..]);
        let is_last = file.first_cached == Some(file.last_page());
        assert_eq!(is_last, has_direct, "only the last page is in the cache");
        // Whole ones are, until they are on the disk.
        file.append(&[&bytes_of(PAGE_BYTES, 2)]).expect("there is room");
        place(&mut file, &large);
        assert!(!file.is_direct);
        file.sync().expect("the disk works");
        place(&mut file, &large);
        assert_eq!(file.first_cached == Some(file.last_page()), has_direct);
        // Nor is it known of a file that is cut, or was there before.
        file.truncate(PAGE_BYTES as u64 + 5).expect("it can be cut");
        place(&mut file, &large);
        assert_eq!((file.is_direct, file.first_cached), (false, Some(0)));
    }

    #[test]
    fn bytes_that_stand_otherwise_go_through_the_cache() {
        let folder = Folder::new("otherwise");
        let (mut file, _) = new_file(&folder);
        let mut buffer = PageBuffer::new(2 * DIRECT_BYTES_MIN);
        buffer.begin_at(1);
        buffer.push(&bytes_of(DIRECT_BYTES_MIN, 1));
        file.append(&[buffer.bytes()]).expect("there is room");
        assert_eq!(file.first_cached, Some((FIRST_BYTES / PAGE_BYTES) as u64));
        // So does what leaves a gap in a page of memory.
        buffer.begin_at(0);
        buffer.push(&bytes_of(2 * DIRECT_BYTES_MIN, 2));
        let (file_length, one) = (PAGE_BYTES as u64, &buffer.bytes()[..5]);
        let other = &buffer.bytes()[PAGE_BYTES + 5..];
        assert!(!stand_in_pages(&[one, other], file_length));
        assert!(stand_in_pages(&[&buffer.bytes()[..PAGE_BYTES], one], file_length));
        place(&mut file, b"the tail");
        assert!(!file.is_direct);
    }

    #[test]
    fn a_file_system_without_direct_writes_gets_everything_through_the_cache() {
        let folder = Folder::new("cache");
        let (mut file, _) = new_file(&folder);
        file.has_direct = false;
        file.sync().expect("the disk works");
        place(&mut file, &bytes_of(DIRECT_BYTES_MIN, 1));
        assert_eq!(file.first_cached, Some((FIRST_BYTES / PAGE_BYTES) as u64));
    }
}
