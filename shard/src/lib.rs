//! Slots, keyspace, data types and commands of Basalt.

pub mod hash;
pub mod table;
