//! Bytes for a file, gathered where they can be written past the page cache.
//!
//! A direct write takes whole pages of memory to whole pages of the file. So the bytes stand in
//! pages of memory as they will stand in those of the file:
//!
//! ```text
//! file:    ..|....xx|......|......|       `position', in the midst of a page
//! memory:    |    xx|......|......|
//! ```

/// Bytes of a page. Place, length and memory of direct writes are multiples of this: enough for
/// every disk that has no larger blocks.
pub(crate) const PAGE_BYTES: usize = 4096;

/// Memory of a fixed size for the bytes of a file from some position on.
#[derive(Debug)]
pub(crate) struct PageBuffer {
    /// A page longer than what is used of it, which begins at the first page that lies in it.
    memory: Vec<u8>,
    pages_at: usize,
    /// What is held, counted from there.
    start: usize,
    end: usize,
}

impl PageBuffer {
    /// An empty one of `capacity_bytes`, whole pages, for a file from its start on. Pages that are
    /// never filled are not there.
    pub(crate) fn new(capacity_bytes: usize) -> Self {
        assert!(capacity_bytes.is_multiple_of(PAGE_BYTES), "a buffer is of whole pages");
        let memory = vec![0; capacity_bytes + PAGE_BYTES];
        let pages_at = memory.as_ptr().align_offset(PAGE_BYTES);
        Self { memory, pages_at, start: 0, end: 0 }
    }

    fn capacity(&self) -> usize {
        self.memory.len() - PAGE_BYTES
    }

    /// Holds nothing, and is for the bytes from `position` of the file on.
    pub(crate) fn begin_at(&mut self, position: u64) {
        self.start = (position % PAGE_BYTES as u64) as usize;
        self.end = self.start;
    }

    /// Takes as many bytes as there is room for; returns the others. O(bytes).
    pub(crate) fn push<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (now, later) = bytes.split_at(bytes.len().min(self.capacity() - self.end));
        self.memory[self.pages_at + self.end..][..now.len()].copy_from_slice(now);
        self.end += now.len();
        later
    }

    /// Whether there is no room.
    pub(crate) fn is_full(&self) -> bool {
        self.end == self.capacity()
    }

    /// What is held.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.memory[self.pages_at..][self.start..self.end]
    }
}

/// Whether these bytes begin so many bytes behind the start of a page of memory.
pub(crate) fn starts_in_page_at(bytes: &[u8], in_page: usize) -> bool {
    bytes.as_ptr().addr() % PAGE_BYTES == in_page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stand_in_their_page_as_in_the_file() {
        let mut buffer = PageBuffer::new(2 * PAGE_BYTES);
        for position in [0, 1, 4095, 4096, 8191, 1 << 40] {
            buffer.begin_at(position);
            assert!(buffer.bytes().is_empty() && !buffer.is_full());
            let in_page = (position % 4096) as usize;
            let bytes = vec![position as u8; 2 * PAGE_BYTES - in_page];
            assert_eq!(buffer.push(&bytes[..5]), b"");
            assert_eq!(buffer.bytes(), &bytes[..5]);
            assert!(starts_in_page_at(buffer.bytes(), in_page));
            assert_eq!(buffer.push(&[&bytes[5..], b"more"].concat()), b"more");
            assert!(buffer.is_full());
            assert_eq!(buffer.bytes(), bytes);
        }
    }
}
