//! Slots, keyspace, data types and commands of Basalt.
//!
//! This crate does no I/O, reads no clock and draws no randomness: time, seeds and the way to other
//! cores come in as arguments. What a server does with sockets, files and threads lies elsewhere;
//! what it answers, and why in that order, lies here.
//!
//! | module | holds |
//! |---|---|
//! | [`core`] | one core: dispatch, messages, envelopes, tours, sessions |
//! | [`command`] | the command table: one row per command |
//! | [`commands`] | the code of the commands, a file per family |
//! | [`store`], [`slot`], [`table`] | the keyspace: a core's slots, a slot's databases, a table |
//! | [`packed`] | small collections as one run of bytes |
//! | [`list`], [`set`], `hashes`, [`sorted_set`], [`stream`] | the data types |
//! | [`geo`] | places as scores: cells, distances, shapes |
//! | [`key_waits`], [`watches`], `observers` | clients that wait for keys, and that watch them |
//! | [`expiry`], `field_expiry`, `deadlines` | expiry of keys and of hash fields |
//! | `eviction` | which keys go when memory is short |
//! | [`journal`], [`replay`] | what changed, as commands for files and replicas, and back |
//! | [`access`], [`random`] | use counts of keys; random choices within a command |
//! | [`scripting`] | Lua scripts and functions |
//! | [`reply`], [`error`] | RESP replies and error texts |
//! | [`hash`], [`glob`] | key hashes, patterns |
//! | [`rdb`], `digest` | values as bytes for files and other servers, and as digests |
//! | [`snapshot`], [`loading`] | the data of one moment as bytes, while commands go on; and back |
//! | [`number`], `long_double` | numbers as Redis reads, adds and prints them |
//! | [`bits`], [`hyperloglog`] | strings as rows of bits, and as estimates of a count |
//! | [`acl`] | users and their rights |
//! | [`slow_log`], [`latency`], `redaction` | what took long, and what logs must not tell |
//! | [`host`], [`settings`], [`clock`], [`migration`] | what the process around provides |
//! | [`mutation`], [`trace`] | deliberate bugs, for tests of the tests; what ran, for simulations |

mod access;
pub mod acl;
pub mod arguments;
pub mod audit;
pub mod bits;
pub mod call;
pub mod client_weights;
pub mod clock;
pub mod command;
pub mod commands;
pub mod core;
mod deadlines;
pub mod defragment;
mod digest;
pub mod error;
pub mod event;
mod eviction;
pub mod expiry;
mod field_expiry;
mod field_news;
pub mod geo;
pub mod glob;
pub mod hash;
mod hashes;
pub mod host;
pub mod hyperloglog;
pub mod interests;
pub mod journal;
pub mod key_waits;
pub mod latency;
pub mod list;
pub mod loading;
mod long_double;
pub mod migration;
pub mod mutation;
mod news;
pub mod number;
pub mod object;
mod observers;
pub mod packed;
pub mod random;
pub mod rate_limit;
pub mod rdb;
mod readers;
mod redaction;
pub mod replay;
pub mod reply;
pub mod scripting;
pub mod set;
pub mod settings;
pub mod slot;
pub mod slow_log;
pub mod snapshot;
pub mod sorted_set;
pub mod stats;
pub mod store;
pub mod stream;
pub mod table;
pub mod trace;
pub mod types;
pub mod watches;
