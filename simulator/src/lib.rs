//! A whole server on one thread, under one seed.
//!
//! | module | holds |
//! |---|---|
//! | [`cluster`] | cores, the messages between them, clients and a clock, stepped by a scheduler |
//! | [`host`], [`configuration`] | the process, made up |
//! | [`mesh`], [`shipping`] | the ways to others, made up |
//! | [`files`], [`snapshots`] | the files of a server, on a disk that forgets |
//! | [`plan`], [`op`], [`run`], [`coda`] | what clients do in a simulation, and doing it |
//! | [`reform`] | the configuration, set and looked at |
//! | [`any`], [`free`] | any command on any type, compared with a single core |
//! | [`history`], [`order`] | what they saw, and whether some order explains it |
//! | [`meter`] | an allocator that counts |
//! | [`recovery`], [`invariants`] | what a power cut may leave; what holds of a server at rest |
//! | [`trial`], [`tally`] | a simulation that is judged, and made smaller; what was reached |
//! | [`campaign`] | many simulations, side by side |
//! | [`socket`] | the same clients and checkers for a real server |
//! | [`value`], [`values`] | replies; everything a server holds |
//! | [`resp`], [`seeds`] | requests and replies as bytes; seeds of random tests |

pub mod any;
pub mod campaign;
pub mod cluster;
pub mod coda;
pub mod configuration;
pub mod files;
pub mod free;
pub mod history;
pub mod host;
pub mod invariants;
mod listener;
pub mod mesh;
pub mod meter;
pub mod op;
pub mod order;
pub mod plan;
pub mod recovery;
pub mod reform;
pub mod resp;
pub mod run;
pub mod seeds;
pub mod shipping;
pub mod snapshots;
pub mod socket;
pub mod tally;
pub mod trial;
pub mod value;
pub mod values;

pub use cluster::{ClientId, Cluster, START_MS, settings};
pub use seeds::{seed, under_seeds};

/// A request: its arguments, the command's name first.
pub type Request = Vec<Vec<u8>>;
