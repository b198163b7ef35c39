//! The code of the commands, a file per family. Which command runs what stands in the command table.

pub mod bitfield;
pub mod bitmap;
pub mod bitop;
pub mod client;
mod client_filter;
pub mod config;
pub mod connection;
pub mod debug;
pub mod expire;
pub mod generic;
pub mod hyperloglog;
pub mod info;
pub mod introspection;
pub mod keyspace;
pub mod memory;
pub mod object;
pub mod scan;
pub mod server;
pub mod string;
mod string_bytes;
