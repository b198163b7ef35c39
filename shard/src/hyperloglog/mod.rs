//! HyperLogLog: how many different elements were seen, within 0.81 %, in at most 12 KiB.
//!
//! An element's hash picks one of 16,384 registers and offers it a rank: the position of the first
//! one bit in the rest of the hash. A register keeps the highest rank it was offered; the
//! distribution of ranks tells the count. (Flajolet, Fusy, Gandouet, Meunier 2007; the estimator is
//! Ertl's, arXiv:1702.01284.)
//!
//! A HyperLogLog is an ordinary string that clients may GET, SET and keep in files, so every byte
//! is format:
//!
//! ```text
//! 0      4          5       8                         16
//! | HYLL | encoding | 0 0 0 | count, little endian u64 | registers ...
//!          0 dense            top bit set: out of date
//!          1 sparse
//!
//! dense    12,288 bytes: registers of 6 bits, register 0 in the lowest bits of the first byte
//! sparse   runs of equal registers:
//!          00nnnnnn            n + 1 registers are 0
//!          01nnnnnn nnnnnnnn   n + 1 registers are 0
//!          1vvvvvnn            n + 1 registers are v + 1
//! ```
//!
//! A sparse one becomes dense when a rank above 32 comes, or when it would grow past a limit; never
//! the other way round. The same elements in the same order make the same bytes as in Redis.
//!
//! | file | holds |
//! |---|---|
//! | `observation` | an element's register and rank |
//! | `header` | the first 16 bytes |
//! | `dense`, `sparse`, `run` | registers in either encoding, and the runs of the sparse one |
//! | `registers` | all registers, a byte each: what unions are made in |
//! | `estimate` | from ranks to a count |
//! | `sketch` | a whole string, read or changed whatever its encoding |
//! | `self_test` | what PFSELFTEST runs |
//!
//! Bytes come from clients: whatever they say, functions here answer or return [`Corrupted`].

mod dense;
mod estimate;
mod header;
mod observation;
mod registers;
mod run;
mod self_test;
mod sketch;
mod sparse;

pub use estimate::Histogram;
pub use header::{Encoding, HEADER_SIZE};
pub use observation::Observation;
pub use registers::Registers;
pub use self_test::self_test;
pub use sketch::{Sketch, SketchBuf, raise_dense, set_cached_count};
pub use sparse::Mark;

/// Number of registers.
pub const REGISTER_COUNT: usize = 1 << 14;

/// Bytes of all registers in the dense encoding.
const DENSE_REGISTERS_SIZE: usize = REGISTER_COUNT * 6 / 8;

/// Length of a dense HyperLogLog in bytes.
pub const DENSE_SIZE: usize = HEADER_SIZE + DENSE_REGISTERS_SIZE;

/// The runs of a sparse HyperLogLog do not make up its registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupted;
