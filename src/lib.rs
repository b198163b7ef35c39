//! Wiring of the Basalt server: boot, configuration, cores.

pub mod config;
