//! What a segment keeps in memory until it is safe, so that it can be written again.
//!
//! ```text
//! chunks:  [1 MiB][1 MiB][1 MiB][17 KiB    ]     spare: [1 MiB][1 MiB]
//! ```
//!
//! Bytes never move: one block that grew would be copied, and the memory of its earlier sizes given
//! back and faulted in again, many times a second. Chunks of one interval serve the next one, but
//! not more of them than it needed.

/// Bytes of a chunk: so many that one is worth a write past the page cache. Pages of it that are
/// never used are never there.
const CHUNK_BYTES: usize = if cfg!(test) { 16 << 10 } else { 1 << 20 };

#[derive(Debug, Default)]
pub(super) struct Unsynced {
    /// All full but the last.
    chunks: Vec<Vec<u8>>,
    /// Empty ones.
    spare: Vec<Vec<u8>>,
    len: usize,
}

impl Unsynced {
    /// Bytes that are kept.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Keeps more. O(bytes).
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        self.len += bytes.len();
        while !bytes.is_empty() {
            if self.chunks.last().is_none_or(|last| last.len() == CHUNK_BYTES) {
                let chunk = self.spare.pop();
                self.chunks.push(chunk.unwrap_or_else(|| Vec::with_capacity(CHUNK_BYTES)));
            }
            let last = self.chunks.last_mut().expect("there is one now");
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK_BYTES - last.len()));
            last.extend_from_slice(now);
            bytes = later;
        }
    }

    /// What comes after the first `offset` bytes, in pieces.
    pub(super) fn behind(&self, offset: usize) -> impl Iterator<Item = &[u8]> {
        let first = offset / CHUNK_BYTES;
        let pieces = self.chunks.iter().enumerate().skip(first);
        pieces.map(move |(number, chunk)| {
            let start = if number == first { offset % CHUNK_BYTES } else { 0 };
            &chunk[start..]
        })
    }

    /// All of it is safe.
    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.spare.truncate(self.chunks.len());
        self.spare.append(&mut self.chunks);
        self.spare.iter_mut().for_each(Vec::clear);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_kept_is_there_from_any_offset_on(
            rounds in prop::collection::vec(
                (prop::collection::vec(0..3 * CHUNK_BYTES, 0..5), any::<prop::sample::Index>()),
                1..4,
            )
        ) {
            let mut unsynced = Unsynced::default();
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
                let chunks = unsynced.chunks.len();
                unsynced.clear();
                prop_assert!(unsynced.is_empty() && unsynced.behind(0).next().is_none());
                prop_assert!(unsynced.spare.len() <= 2 * chunks);
            }
        }
    }
}
