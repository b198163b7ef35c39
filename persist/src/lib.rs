//! Files: what keeps the data when the process ends.
//!
//! The data itself, and how values look as bytes, is `basalt-shard`'s; this crate brings bytes into
//! files and back, on threads of its own.
//!
//! | module | holds |
//! |---|---|
//! | [`aof`] | the append-only file |
//! | [`save`], `queue` | a snapshot on its way from the cores to one place |
//! | [`disk`], `system_file` | files behind a trait; those of the system |
//! | `page_buffer` | bytes that stand in pages as they will in a file |
//! | [`memory_disk`] | a disk in memory that forgets and fails |
//! | [`output`], [`preamble`] | that place, and what is written in front of the keys |
//! | [`reader`], [`fault`] | RDB files, record by record; what is wrong with one |
//! | [`load`], [`parallel`] | from a file to the cores; to one store, by several threads |
//! | [`progress`] | how far that has come |
//! | [`check`] | from a file to a report |
//! | [`fuzz`] | what must hold for any bytes whatever |
//!
//! Whoever else needs the data of one moment (the base of an append only file, a replica) makes a
//! [`save::Save`] over an [`output::Output`] of its own, hands its sinks to the cores in a parking
//! tour (`Store::begin_snapshot`), and gives it its [`preamble::Preamble`] when that is over.

pub mod aof;
pub mod check;
pub mod disk;
pub mod fault;
pub mod fuzz;
pub mod load;
pub mod memory_disk;
pub mod output;
mod page_buffer;
pub mod parallel;
pub mod preamble;
pub mod progress;
mod queue;
pub mod reader;
pub mod save;
mod system_file;
