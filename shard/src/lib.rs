//! Slots, keyspace, data types and commands of Basalt.
