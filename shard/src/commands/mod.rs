//! The code of the commands, a file per family. Which command runs what stands in the command table.

mod bounded_increment;
pub mod client;
mod client_filter;
mod comparison;
pub mod config;
pub mod connection;
pub mod debug;
pub mod expire;
pub mod generic;
mod increment;
pub mod info;
pub mod introspection;
pub mod keyspace;
mod lcs;
mod lifetime;
pub mod memory;
mod multi_set;
pub mod object;
pub mod scan;
pub mod server;
pub mod string;
mod string_edit;
mod string_set;
