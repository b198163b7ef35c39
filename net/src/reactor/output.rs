//! What a connection has to send.
//!
//! ```text
//!   chunks   [ reply bytes | shared value | reply bytes | reply bytes ]
//!              ^ sent       `-- locked --'                 ^ appended to
//! ```
//!
//! Small replies are gathered in one owned chunk; big values are queued between such chunks
//! without being copied. A chunk that an operation in the kernel may be reading is locked: it is
//! neither changed nor freed before that operation has ended.
//!
//! Invariants: no chunk is empty; `sent` is less than the length of the first chunk (0 if there is
//! none); `queued` is the sum of all lengths less `sent`; `locked <= chunks.len()`.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Bytes that lie elsewhere and stay there until they are sent.
pub type SharedBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Replies up to this length are copied behind what is queued already; a longer one is cheaper
/// to send from a chunk of its own.
const COPY_BYTES_MAX: usize = 16 * 1024;

/// Chunks sent by one operation.
pub(super) const GATHER_MAX: usize = 8;

enum Chunk {
    Owned(Vec<u8>),
    Shared { bytes: SharedBytes, range: Range<usize> },
}

impl Chunk {
    fn as_slice(&self) -> &[u8] {
        match self {
            Chunk::Owned(bytes) => bytes,
            Chunk::Shared { bytes, range } => &(**bytes).as_ref()[range.clone()],
        }
    }
}

/// Empty vectors with memory, shared by all connections of a reactor: a connection that has
/// nothing to send holds no buffer.
#[derive(Debug, Default)]
pub(super) struct Spares {
    vectors: Vec<Vec<u8>>,
}

impl Spares {
    /// Bounds what is kept to 4 MiB.
    const COUNT_MAX: usize = 64;
    const CAPACITY_MAX: usize = 64 * 1024;

    fn take(&mut self) -> Vec<u8> {
        self.vectors.pop().unwrap_or_default()
    }

    fn give(&mut self, mut vector: Vec<u8>) {
        if self.vectors.len() < Self::COUNT_MAX && vector.capacity() <= Self::CAPACITY_MAX {
            vector.clear();
            self.vectors.push(vector);
        }
    }
}

/// The output queue of one connection.
#[derive(Default)]
pub(super) struct Output {
    chunks: VecDeque<Chunk>,
    sent: usize,
    queued: usize,
    locked: usize,
    /// The turn in which the queue became non-empty.
    since_turn: u32,
}

impl Output {
    /// Takes all of `bytes` and leaves an empty vector there. O(1), or a copy of at most
    /// [`COPY_BYTES_MAX`].
    pub(super) fn push(&mut self, bytes: &mut Vec<u8>, turn: u32, spares: &mut Spares) {
        if bytes.is_empty() {
            return;
        }
        self.count(bytes.len(), turn);
        let unlocked = self.chunks.len() > self.locked;
        match self.chunks.back_mut() {
            Some(Chunk::Owned(last)) if unlocked && bytes.len() <= COPY_BYTES_MAX => {
                last.append(bytes);
            }
            _ => {
                let full = std::mem::replace(bytes, spares.take());
                self.chunks.push_back(Chunk::Owned(full));
            }
        }
    }

    /// Queues `range` of `bytes`. O(1).
    ///
    /// # Panics
    /// If `range` does not lie in `bytes`.
    pub(super) fn push_shared(&mut self, bytes: SharedBytes, range: Range<usize>, turn: u32) {
        assert!(range.start <= range.end && range.end <= (*bytes).as_ref().len());
        if !range.is_empty() {
            self.count(range.len(), turn);
            self.chunks.push_back(Chunk::Shared { bytes, range });
        }
    }

    fn count(&mut self, len: usize, turn: u32) {
        if self.queued == 0 {
            self.since_turn = turn;
        }
        self.queued += len;
    }

    /// Bytes not yet in the kernel.
    #[inline]
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.queued == 0
    }

    /// The turn in which the queue last became non-empty.
    #[inline]
    pub(super) fn since_turn(&self) -> u32 {
        self.since_turn
    }

    /// What to send next, in order: at most [`GATHER_MAX`] non-empty slices.
    pub(super) fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let mut skip = self.sent;
        self.chunks.iter().take(GATHER_MAX).map(move |chunk| {
            let slice = &chunk.as_slice()[skip..];
            skip = 0;
            slice
        })
    }

    /// How many slices [`Output::slices`] has.
    #[inline]
    pub(super) fn slice_count(&self) -> usize {
        self.chunks.len().min(GATHER_MAX)
    }

    /// Locks the first `count` chunks: the kernel reads them.
    pub(super) fn lock(&mut self, count: usize) {
        assert!(self.locked == 0 && count <= self.chunks.len());
        self.locked = count;
    }

    /// Unlocks all chunks: the kernel is done.
    pub(super) fn unlock(&mut self) {
        self.locked = 0;
    }

    /// Drops the first `len` bytes: they are in the kernel.
    pub(super) fn advance(&mut self, len: usize, spares: &mut Spares) {
        assert!(self.locked == 0 && len <= self.queued);
        self.queued -= len;
        self.sent += len;
        while let Some(first) = self.chunks.front() {
            let first_len = first.as_slice().len();
            if self.sent < first_len {
                return;
            }
            self.sent -= first_len;
            if let Some(Chunk::Owned(vector)) = self.chunks.pop_front() {
                spares.give(vector);
            }
        }
        assert!(self.sent == 0 && self.queued == 0);
    }

    /// Drops everything that is not locked: it will never be sent.
    pub(super) fn discard(&mut self) {
        self.chunks.truncate(self.locked);
        let kept: usize = self.chunks.iter().map(|chunk| chunk.as_slice().len()).sum();
        self.sent = self.sent.min(kept);
        self.queued = kept - self.sent;
    }
}

#[cfg(test)]
#[expect(clippy::print_stdout, reason = "the seed of a failing run")]
mod tests {
    use super::*;

    fn content(output: &Output) -> Vec<u8> {
        output.slices().flatten().copied().collect()
    }

    #[test]
    fn order_is_kept_whatever_is_queued_and_sent() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut output, mut spares) = (Output::default(), Spares::default());
        let mut model: VecDeque<u8> = VecDeque::new();
        for turn in 0..5_000 {
            let len = if random.u8(..) == 0 { random.usize(..40_000) } else { random.usize(..200) };
            let mut bytes: Vec<u8> = (0..len).map(|_| random.u8(..)).collect();
            if random.bool() {
                model.extend(&bytes);
                output.push(&mut bytes, turn, &mut spares);
                assert!(bytes.is_empty());
            } else {
                let range = len / 3..len;
                model.extend(&bytes[range.clone()]);
                output.push_shared(Arc::new(bytes), range, turn);
            }
            assert_eq!(output.slices().count(), output.slice_count());
            assert!(output.slices().all(|slice| !slice.is_empty()));
            let next = content(&output);
            assert!(model.iter().take(next.len()).eq(&next));
            let sent = random.usize(..=next.len());
            output.advance(sent, &mut spares);
            model.drain(..sent);
            assert_eq!(output.queued(), model.len());
        }
    }

    #[test]
    fn locked_chunks_are_left_alone() {
        let (mut output, mut spares) = (Output::default(), Spares::default());
        output.push(&mut b"first".to_vec(), 0, &mut spares);
        let address = output.slices().next().unwrap().as_ptr();
        output.lock(1);
        output.push(&mut b"second".to_vec(), 0, &mut spares);
        output.push(&mut b"third".to_vec(), 0, &mut spares);
        assert_eq!(output.slice_count(), 2);
        output.discard();
        assert_eq!((output.queued(), output.slices().next().unwrap().as_ptr()), (5, address));
        output.unlock();
        output.discard();
        assert!(output.is_empty());
    }

    #[test]
    fn a_drained_queue_gives_its_memory_back() {
        let (mut output, mut spares) = (Output::default(), Spares::default());
        let mut reply = Vec::with_capacity(100);
        reply.extend_from_slice(b"+OK\r\n");
        output.push(&mut reply, 7, &mut spares);
        assert_eq!((reply.capacity(), output.since_turn()), (0, 7));
        output.advance(5, &mut spares);
        reply.push(b'x');
        output.push(&mut reply, 8, &mut spares);
        assert_eq!((reply.capacity(), output.since_turn()), (100, 8));
    }
}
