//! Configuration: one table of directives, and everything that reads it.
//!
//! ```text
//!                         +------------------+
//!   redis.conf  file.rs   |                  |  get, matching   CONFIG GET
//!   basalt.toml toml.rs ->|  Config          |  set, revert     CONFIG SET
//!   --name value          |  one value       |  rewrite.rs      CONFIG REWRITE
//!        arguments.rs     |  per row         |  settings.rs     Settings, for the cores
//!                         +------------------+
//!                           rows/ + table.rs: names, kinds, bounds, defaults, flags, support
//! ```
//!
//! Basalt takes the files, the command line and the CONFIG commands of Redis as they are, so
//! errors speak the words of Redis too. What Basalt can't do yet it refuses instead of accepting
//! it silently; the table says which directives those are.
//!
//! Deliberately absent: side effects. Reading a configuration opens no socket and changes no
//! directory, and CONFIG SET changes values only. Acting on them is the server's business.

pub mod arguments;
mod checks;
mod cores;
mod error;
mod events;
mod file;
mod observation;
mod rewrite;
pub mod rows;
mod settings;
mod store;
pub mod table;
#[cfg(test)]
mod tests;
mod toml;
pub(crate) mod value;
mod words;

pub use cores::{CORES_MAX, Cores};
pub use error::ConfigError;
pub use events::KeyspaceEvents;
pub use file::{INCLUDE_DEPTH_MAX, LineError, LoadError, SOURCE_BYTES_MAX, fuzz};
pub use observation::{AuditTarget, ObservationSettings};
pub(crate) use rewrite::replace_file;
pub use settings::{
    Allowed, AppendOnlySettings, ClientsLimit, DefragmentationLimits, EncodingThresholds,
    EvictionPolicy, IoBackend, LogLevel, Secret, Settings, ShutdownFlags, SnapshotSettings,
    Supervisor, TlsClients, TlsSettings,
};
pub use store::{Changed, Config, SetContext};
pub use value::{OutputLimit, PrimaryAddress, SavePoint, Value, ValueError};
