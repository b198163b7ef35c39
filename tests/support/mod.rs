//! What every end-to-end test stands on: a server process, a raw client, exact expectations.
//!
//! A test body is written once and runs against every point of a matrix (cores x I/O backend x
//! protocol), because a client must not be able to tell these apart. The parts:
//!
//! ```text
//! matrix   each(|t| ...): which servers run, shared within one test binary
//! server   one process: directory, port, log, certain death
//! client   one connection: raw bytes out, exactly one reply in
//! args     "SET k \"a b\"" -> argument vector -> RESP
//! expect   bulk("v"), NIL, map([...]) -> exact bytes in RESP2 or RESP3
//! reply    exact bytes -> a tree, for what cannot be compared byte by byte
//! info     field:value lines of INFO and CLIENT LIST
//! poll     waiting for a condition under a deadline; the only place that waits
//! random   seeded generator; the seed is always printed
//! tls      certificates, and a TLS port beside the other
//! slot     key -> hash slot, computed apart from the server
//! ```
//!
//! Environment:
//!
//! * `BASALT_TEST_SERVER`: the binary under test, instead of the one just built. With Debian's
//!   `/usr/bin/redis-server` the same tests state what the original does.
//! * `BASALT_TEST_MATRIX`: `full` or `quick` (the default).
//! * `BASALT_TEST_BACKENDS`: comma-separated subset of `uring,epoll`, for machines whose kernel
//!   or sandbox forbids one of them.
//! * `BASALT_TEST_CORES`: comma-separated numbers of cores, instead of those of the matrix or of a
//!   test that brings its own.
//! * `BASALT_TEST_SEED`: replays a random test.

#![allow(dead_code, unused_imports, reason = "every test target uses its own part of the harness")]

mod args;
mod client;
mod expect;
mod info;
mod matrix;
mod poll;
mod random;
mod reply;
mod server;
mod slot;
mod tls;

pub(crate) use args::{Command, argument_vector, encode};
pub(crate) use client::{Client, Resp};
pub(crate) use expect::{
    Expect, NIL, NIL_ARRAY, OK, array, bulk, double, line, map, set, verbatim,
};
pub(crate) use info::Fields;
pub(crate) use matrix::{
    Test, announce, backends, core_counts, each, each_backend, each_core_count, each_with,
    is_full_matrix, skip, two_core_configs,
};
pub(crate) use poll::{eventually, eventually_within, wait_until};
pub(crate) use random::{Seeded, environment_number};
pub(crate) use reply::{Reply, measure, parse};
pub(crate) use server::{
    IoBackend, Launch, Process, ReservedPort, Server, ServerConfig, TestDirectory, is_basalt,
    outside_address, owned, server_path, signal,
};
pub(crate) use slot::{key_in_slot, slot_of};
pub(crate) use tls::{Authority, Identity, Secured};
