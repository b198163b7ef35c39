//! What tests of this crate share. The server on one thread they talk to is `basalt-simulator`'s.

#![allow(dead_code, unused_imports, reason = "every test binary uses another part of it")]

pub(crate) mod model;
pub(crate) mod redis;
pub(crate) mod scenario;

pub(crate) use basalt_simulator::{
    ClientId, Cluster, Request, START_MS, host, resp, seed, settings, under_seeds,
};
