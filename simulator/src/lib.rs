//! A whole server on one thread, under one seed.
//!
//! | module | holds |
//! |---|---|
//! | [`cluster`] | cores, the messages between them, clients and a clock, stepped by a scheduler |
//! | [`host`], [`mesh`] | the process and the way between cores, made up |
//! | [`resp`], [`seeds`] | requests and replies as bytes; seeds of random tests |

pub mod cluster;
pub mod host;
pub mod mesh;
pub mod resp;
pub mod seeds;

pub use cluster::{ClientId, Cluster, START_MS, settings};
pub use seeds::{seed, under_seeds};

/// A request: its arguments, the command's name first.
pub type Request = Vec<Vec<u8>>;
