//! What a segment keeps in memory until it is safe, so that it can be written again.
//!
//! ```text
//! chunks:  [  1 MiB][1 MiB][1 MiB][17 KiB    ]     spare: [1 MiB][1 MiB]
//!            ^ as far from the start of a page as in the file
//! ```
//!
//! Bytes never move: one block that grew would be copied, and the memory of its earlier sizes given
//! back and faulted in again, many times a second. They are written from where they are, past the
//! page cache if they are many ([`crate::page_buffer`]). Chunks of one interval serve the next one,
//! but not more of them than it needed.

use crate::page_buffer::{PAGE_BYTES, PageBuffer};

/// Bytes of a chunk: so many that one is worth a write past the page cache. Pages of it that are
/// never used are never there.
const CHUNK_BYTES: usize = if cfg!(test) { 4 * PAGE_BYTES } else { 1 << 20 };

#[derive(Debug)]
pub(super) struct Unsynced {
    /// All full but the last.
    chunks: Vec<PageBuffer>,
    spare: Vec<PageBuffer>,
    /// Where the first byte is, or will be, in the file.
    position: u64,
    len: usize,
}

impl Unsynced {
    /// Nothing, behind so many bytes of the file that are safe.
    pub(super) fn behind_safe(position: u64) -> Self {
        Self { chunks: Vec::new(), spare: Vec::new(), position, len: 0 }
    }

    /// Bytes that are kept.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of the file that are safe.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Keeps more. O(bytes).
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.chunks.last().is_none_or(PageBuffer::is_full) {
                let mut chunk = self.spare.pop().unwrap_or_else(|| PageBuffer::new(CHUNK_BYTES));
                chunk.begin_at(self.position + self.len as u64);
                self.chunks.push(chunk);
            }
            let last = self.chunks.last_mut().expect("there is one now");
            let later = last.push(bytes);
            self.len += bytes.len() - later.len();
            bytes = later;
        }
    }

    /// What comes after the first `offset` bytes, in pieces.
    pub(super) fn behind(&self, offset: usize) -> impl Iterator<Item = &[u8]> {
        // The first chunk is shorter by what lies before it in its page.
        let before_bytes = (self.position % PAGE_BYTES as u64) as usize;
        let (first, in_first) =
            ((before_bytes + offset) / CHUNK_BYTES, (before_bytes + offset) % CHUNK_BYTES);
        let pieces = self.chunks.iter().enumerate().skip(first);
        pieces.map(move |(number, chunk)| {
            let skipped_bytes = if number == 0 { before_bytes } else { 0 };
            let start = if number == first { in_first - skipped_bytes } else { 0 };
            &chunk.bytes()[start..]
        })
    }

    /// All of it is safe.
    pub(super) fn clear(&mut self) {
        self.position += self.len as u64;
        self.len = 0;
        self.spare.truncate(self.chunks.len());
        self.spare.append(&mut self.chunks);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::page_buffer::starts_in_page_at;

    proptest! {
        #[test]
        fn what_was_kept_is_there_from_any_offset_on(
            rounds in prop::collection::vec(
                (prop::collection::vec(0..3 * CHUNK_BYTES, 0..5), any::<prop::sample::Index>()),
                1..4,
            ),
            mut position in 0..3 * PAGE_BYTES as u64,
        ) {
            let mut unsynced = Unsynced::behind_safe(position);
            for (sizes, offset) in rounds {
                let mut model = Vec::new();
                for size in sizes {
                    let bytes: Vec<u8> = (0..size).map(|at| (at + size) as u8).collect();
                    unsynced.push(&bytes);
                    model.extend(bytes);
                }
                prop_assert_eq!(unsynced.len(), model.len());
                prop_assert_eq!(unsynced.is_empty(), model.is_empty());
                let offset = offset.index(model.len() + 1);
                let pieces: Vec<&[u8]> = unsynced.behind(offset).collect();
                prop_assert_eq!(pieces.concat(), &model[offset..]);
                let mut at = position as usize + offset;
                for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
                    prop_assert!(starts_in_page_at(piece, at % PAGE_BYTES));
                    at += piece.len();
                }
                let chunks = unsynced.chunks.len();
                unsynced.clear();
                position += model.len() as u64;
                prop_assert_eq!(unsynced.position(), position);
                prop_assert!(unsynced.is_empty() && unsynced.behind(0).next().is_none());
                prop_assert!(unsynced.spare.len() <= 2 * chunks);
            }
        }
    }
}
