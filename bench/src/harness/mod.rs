//! Starts servers, measures them side by side, and writes down what came of it.

pub(crate) mod certificate;
pub(crate) mod compare;
pub(crate) mod comparison;
pub(crate) mod eviction;
pub(crate) mod idle;
pub(crate) mod memory;
pub(crate) mod memory_types;
pub(crate) mod options;
pub(crate) mod placement;
pub(crate) mod restart;
pub(crate) mod results;
pub(crate) mod scale;
pub(crate) mod server;
pub(crate) mod snapshot;
pub(crate) mod spread;
pub(crate) mod window;
