//! Replies of a TLS connection that are not sealed yet.
//!
//! A long value is queued by reference and sealed piece by piece, as its peer reads: sealing it at
//! once would hold up its core for as long as that takes, and its bytes twice.
//!
//! Invariants: no chunk is empty; `taken` is less than the length of the first chunk (0 if there is
//! none); `queued` is the sum of all lengths less `taken`.

use std::collections::VecDeque;

use crate::reactor::SharedBytes;

/// Plain bytes of one record at most.
pub const RECORD_BYTES_MAX: usize = 16 * 1024;

/// Up to here bytes are copied behind those that wait, as one chunk.
const JOIN_BYTES_MAX: usize = 4 * 1024;

enum Chunk {
    Owned(Vec<u8>),
    Shared(SharedBytes),
}

impl Chunk {
    fn as_slice(&self) -> &[u8] {
        match self {
            Chunk::Owned(bytes) => bytes,
            Chunk::Shared(bytes) => (**bytes).as_ref(),
        }
    }
}

/// Plain bytes on their way out, in order.
#[derive(Default)]
pub struct PlainQueue {
    chunks: VecDeque<Chunk>,
    taken: usize,
    queued: usize,
}

impl PlainQueue {
    /// Bytes that wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.queued
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.queued == 0
    }

    /// Queues bytes; short ones are copied.
    pub fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.queued += bytes.len();
        match self.chunks.back_mut() {
            Some(Chunk::Owned(last)) if bytes.len() <= JOIN_BYTES_MAX => {
                last.extend_from_slice(bytes);
            }
            _ => self.chunks.push_back(Chunk::Owned(bytes.to_vec())),
        }
    }

    /// Queues all of `bytes` without copying them. O(1).
    pub fn push_owned(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.queued += bytes.len();
            self.chunks.push_back(Chunk::Owned(bytes));
        }
    }

    /// Queues bytes that lie elsewhere, without copying them. O(1).
    pub fn push_shared(&mut self, bytes: SharedBytes) {
        let len = (*bytes).as_ref().len();
        if len > 0 {
            self.queued += len;
            self.chunks.push_back(Chunk::Shared(bytes));
        }
    }

    /// What the next record is to hold: a piece of one chunk where that fills a record or is all
    /// there is, else several, gathered in `gathered`. Empty if nothing waits.
    pub fn next_record<'a>(&'a self, gathered: &'a mut Vec<u8>) -> &'a [u8] {
        let Some(first) = self.chunks.front() else { return &[] };
        let first = &first.as_slice()[self.taken..];
        if first.len() >= RECORD_BYTES_MAX {
            return &first[..RECORD_BYTES_MAX];
        }
        if self.chunks.len() == 1 {
            return first;
        }
        gathered.clear();
        gathered.extend_from_slice(first);
        for chunk in self.chunks.iter().skip(1) {
            let room = RECORD_BYTES_MAX - gathered.len();
            let bytes = chunk.as_slice();
            gathered.extend_from_slice(&bytes[..bytes.len().min(room)]);
            if gathered.len() == RECORD_BYTES_MAX {
                break;
            }
        }
        gathered
    }

    /// Drops the first `len` bytes: they are sealed.
    ///
    /// # Panics
    /// If fewer wait.
    pub fn advance(&mut self, len: usize) {
        assert!(len <= self.queued, "more than what waits");
        self.queued -= len;
        self.taken += len;
        while let Some(first) = self.chunks.front() {
            let first_len = first.as_slice().len();
            if self.taken < first_len {
                return;
            }
            self.taken -= first_len;
            self.chunks.pop_front();
        }
        assert!(self.taken == 0 && self.queued == 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;

    proptest! {
        #[test]
        fn bytes_leave_in_order_in_full_records(
            pieces in proptest::collection::vec((0_usize..40_000, any::<bool>()), 1..20),
        ) {
            let (mut queue, mut expected) = (PlainQueue::default(), Vec::new());
            for (index, (len, is_shared)) in pieces.into_iter().enumerate() {
                let bytes = vec![index as u8; len];
                expected.extend_from_slice(&bytes);
                match is_shared {
                    true => queue.push_shared(Arc::new(bytes)),
                    false => queue.push(&bytes),
                }
            }
            prop_assert_eq!(queue.len(), expected.len());
            let (mut left, mut gathered) = (Vec::new(), Vec::new());
            while !queue.is_empty() {
                let record = queue.next_record(&mut gathered);
                let len = record.len();
                left.extend_from_slice(record);
                // Only the last record may be short.
                prop_assert!(len == RECORD_BYTES_MAX || left.len() == expected.len());
                queue.advance(len);
            }
            prop_assert!(queue.next_record(&mut gathered).is_empty());
            prop_assert!(left == expected);
        }
    }
}
