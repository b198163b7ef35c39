//! What is sent: command templates, mixes of them, and the table of named workloads.

pub(crate) mod mix;
pub(crate) mod syntax;
pub(crate) mod template;
pub(crate) mod workloads;
