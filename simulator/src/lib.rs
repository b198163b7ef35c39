//! A whole server on one thread, under one seed.
//!
//! | module | holds |
//! |---|---|
//! | [`cluster`] | cores, the messages between them, clients and a clock, stepped by a scheduler |
//! | [`host`], [`mesh`] | the process and the way between cores, made up |
//! | [`disk`], [`files`], [`snapshots`] | a disk that forgets, and the files of a server on it |
//! | [`resp`], [`seeds`] | requests and replies as bytes; seeds of random tests |

pub mod cluster;
pub mod coda;
pub mod disk;
pub mod files;
pub mod history;
pub mod host;
pub mod invariants;
pub mod mesh;
pub mod op;
pub mod order;
pub mod plan;
pub mod recovery;
pub mod resp;
pub mod run;
pub mod seeds;
pub mod snapshots;
pub mod socket;
pub mod trial;
pub mod value;

pub use cluster::{ClientId, Cluster, START_MS, settings};
pub use seeds::{seed, under_seeds};

/// A request: its arguments, the command's name first.
pub type Request = Vec<Vec<u8>>;
