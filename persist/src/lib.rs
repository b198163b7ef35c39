//! Files: what keeps the data when the process ends.
//!
//! The data itself, and how values look as bytes, is `basalt-shard`'s; this crate brings bytes into
//! files and back, on threads of its own.
//!
//! | module | holds |
//! |---|---|
//! | [`aof`] | the append-only file |
//! | [`save`], `queue` | a snapshot on its way from the cores to one place |
//! | [`output`], [`preamble`] | that place, and what is written in front of the keys |
//! | [`reader`], [`fault`] | RDB files, record by record; what is wrong with one |
//! | [`load`], [`check`] | from a file to the cores; from a file to a report |

pub mod aof;
pub mod check;
pub mod fault;
pub mod load;
pub mod output;
pub mod preamble;
mod queue;
pub mod reader;
pub mod save;
