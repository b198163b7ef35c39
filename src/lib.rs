//! Wiring of the Basalt server: boot, configuration, cores.

pub mod audit;
pub mod banner;
pub mod config;
pub mod daemon;
pub mod json;
pub mod logging;
pub mod memory;
pub mod metrics;
pub mod server;
pub mod signals;
pub mod supervision;
pub mod syslog;
