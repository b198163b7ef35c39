//! Bytes of a connection that were received and have not run yet, first in first out.
//!
//! ```text
//!   bytes:  [ ran already | to run ................ ]
//!           0             start                     len
//! ```
//!
//! A client that sends a long stream has some of it run in each turn. What ran is only passed
//! over; the rest moves to the front once it is the smaller part. So a byte is moved less than once
//! on the average, however the stream is cut up.
//!
//! Invariant: `start <= len - start`, unless both are zero: at most half of `bytes` is waste.

use std::ops::Deref;

/// A buffer that is larger than this is given back when it is empty.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// What waits, as a slice of the bytes to run.
#[derive(Debug, Default)]
pub struct Pending {
    bytes: Vec<u8>,
    start: usize,
}

impl Deref for Pending {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

impl From<Vec<u8>> for Pending {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, start: 0 }
    }
}

impl Pending {
    /// Bytes of memory that are held.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Adds bytes behind all others.
    pub fn append(&mut self, more: &[u8]) {
        self.bytes.extend_from_slice(more);
    }

    /// Makes room for `additional` bytes, and no more.
    pub fn reserve_exact(&mut self, additional: usize) {
        self.close_up();
        self.bytes.reserve_exact(additional);
    }

    /// Puts bytes that had been taken in front of all others.
    pub fn put_back(&mut self, taken: Vec<u8>) {
        if self.is_empty() {
            *self = taken.into();
        } else {
            self.bytes.splice(..self.start, taken);
            self.start = 0;
        }
    }

    /// Passes over the first `len` bytes, which ran. O(1) amortized.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn consume(&mut self, len: usize) {
        self.start += len;
        assert!(self.start <= self.bytes.len(), "only what was received runs");
        if self.start == self.bytes.len() {
            self.clear();
        } else if self.start > self.bytes.len() - self.start {
            self.close_up();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.start = 0;
        if self.bytes.capacity() > KEPT_BYTES_MAX {
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
        }
    }

    /// Takes the bytes to run, and nothing before them.
    pub fn take(&mut self) -> Vec<u8> {
        self.close_up();
        std::mem::take(&mut self.bytes)
    }

    fn close_up(&mut self) {
        self.bytes.drain(..self.start);
        self.start = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Append(Vec<u8>),
        Consume(prop::sample::Index),
        PutBack(Vec<u8>),
        Reserve(usize),
        Take,
        Clear,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..40);
        let step = prop_oneof![
            4 => bytes().prop_map(Step::Append),
            4 => any::<prop::sample::Index>().prop_map(Step::Consume),
            2 => bytes().prop_map(Step::PutBack),
            1 => (0..100_usize).prop_map(Step::Reserve),
            1 => Just(Step::Take),
            1 => Just(Step::Clear),
        ];
        prop::collection::vec(step, 0..60)
    }

    proptest! {
        #[test]
        fn it_is_a_queue_that_wastes_at_most_half(steps in steps()) {
            let (mut pending, mut model) = (Pending::default(), VecDeque::new());
            for step in steps {
                match step {
                    Step::Append(more) => {
                        pending.append(&more);
                        model.extend(more);
                    }
                    Step::Consume(index) => {
                        let len = index.index(model.len() + 1);
                        pending.consume(len);
                        model.drain(..len);
                    }
                    Step::PutBack(taken) => {
                        pending.put_back(taken.clone());
                        taken.into_iter().rev().for_each(|byte| model.push_front(byte));
                    }
                    Step::Reserve(additional) => pending.reserve_exact(additional),
                    Step::Take => {
                        let taken = pending.take();
                        prop_assert!(taken.iter().eq(model.iter()));
                        model.clear();
                    }
                    Step::Clear => {
                        pending.clear();
                        model.clear();
                    }
                }
                prop_assert!(pending.iter().eq(model.iter()));
                prop_assert!(pending.start <= pending.len());
            }
        }
    }
}
