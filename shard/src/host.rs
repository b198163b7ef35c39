//! What a core asks of the process around it. The server implements this over the real system, the
//! simulator over a made-up one; commands know no other way to the outside.

use std::sync::Arc;

use crate::arguments::OwnedArguments;
use crate::error::CommandError;
use crate::settings::Settings;

/// How `SHUTDOWN` was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownOptions {
    /// `SAVE` (`Some(true)`), `NOSAVE` (`Some(false)`), or as configured.
    pub save: Option<bool>,
    /// `NOW`: do not wait for anybody.
    pub now: bool,
    /// `FORCE`: leave even if saving fails.
    pub force: bool,
}

/// Facts about the process for INFO and the like.
#[derive(Clone, Debug, Default)]
pub struct ProcessFacts {
    /// Version of the server.
    pub version: &'static str,
    /// Commit it was built from, or `00000000`.
    pub commit: &'static str,
    /// Random hexadecimal id of this run, 40 digits.
    pub run_id: String,
    /// Process id.
    pub process_id: u32,
    /// TCP port it listens on.
    pub tcp_port: u16,
    /// Kernel name, release and machine.
    pub os: String,
    /// `io_uring` or `epoll`.
    pub io_backend: String,
    /// Full path of the running program.
    pub executable: String,
    /// Full path of the configuration file, empty without one.
    pub config_file: String,
    /// How the process is supervised: `no`, `systemd`, `upstart`.
    pub supervised: String,
    /// Listening addresses as INFO shows them (`name=tcp,bind=*,port=6379`).
    pub listeners: Vec<String>,
    /// When the process started, seconds since 1970.
    pub started_unix_seconds: i64,
    /// Memory in use, in bytes.
    pub used_bytes: u64,
    /// Memory the allocator has handed out, what lies in its caches included, in bytes.
    pub allocated_bytes: u64,
    /// Memory in pages the allocator uses, in bytes.
    pub active_bytes: u64,
    /// Memory of the allocator that is resident, in bytes.
    pub allocator_resident_bytes: u64,
    /// Resident memory of the process, in bytes.
    pub resident_bytes: u64,
    /// Highest `used_bytes` seen.
    pub peak_used_bytes: u64,
    /// When that was, seconds since 1970.
    pub peak_unix_seconds: i64,
    /// `used_bytes` right after the start.
    pub startup_used_bytes: u64,
    /// Things that wait to be freed in the background.
    pub garbage_count: u64,
    /// Memory of the machine, in bytes.
    pub total_system_bytes: u64,
    /// CPU time in the kernel, in microseconds.
    pub cpu_system_us: u64,
    /// CPU time in user space, in microseconds.
    pub cpu_user_us: u64,
    /// CPU time of finished children in the kernel, in microseconds.
    pub cpu_children_system_us: u64,
    /// CPU time of finished children in user space, in microseconds.
    pub cpu_children_user_us: u64,
}

/// How important a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For those who look for mistakes.
    Debug,
    /// A lot, seldom of use.
    Verbose,
    /// What one wants to know in production.
    Notice,
    /// What one must know.
    Warning,
}

/// Something that takes long to free: freed when it is dropped, by whoever has time.
pub struct Garbage {
    /// Memory that will be free then, in bytes.
    pub bytes: usize,
    _content: Box<dyn Send>,
}

impl Garbage {
    /// Takes something over that holds `bytes` of memory.
    pub fn new(content: Box<dyn Send>, bytes: usize) -> Self {
        Self { bytes, _content: content }
    }
}

/// Services of the process.
pub trait Host: Send {
    /// Nanoseconds since some fixed point, for measuring how long commands take. Cheap.
    fn elapsed_ns(&self) -> u64;

    /// Facts for INFO. May take milliseconds.
    fn facts(&self) -> ProcessFacts;

    /// Memory in use that counts against `maxmemory`, in bytes: what all threads have taken from
    /// the allocator and not given back, but for garbage that waits to be freed. Exact for what
    /// this thread does, within some kilobytes for each other one. A few nanoseconds.
    fn used_bytes(&self) -> u64;

    /// Names and values of the directives that match any of `patterns`.
    fn config_get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)>;

    /// Changes directives, all or none, and returns the settings that result. `is_local` says that
    /// the client is on this machine.
    fn config_set(
        &mut self,
        pairs: &[(&[u8], &[u8])],
        is_local: bool,
    ) -> Result<Arc<Settings>, CommandError>;

    /// Writes the configuration file anew.
    fn config_rewrite(&mut self) -> Result<(), CommandError>;

    /// Ends the process, or says why not. Does not return until the caller's turn is over; the
    /// process ends soon after.
    fn shutdown(&mut self, options: ShutdownOptions) -> Result<(), CommandError>;

    /// Cancels a shutdown under way; whether there was one.
    fn abort_shutdown(&mut self) -> bool;

    /// Blocks the whole core for `us` microseconds (`DEBUG SLEEP`).
    fn sleep_us(&mut self, us: u64);

    /// Writes a line to the log (`DEBUG LOG`).
    fn log_warning(&self, text: &str);

    /// Writes a line to the log if its level is shown (`redis.log`).
    fn log(&self, level: LogLevel, text: &str) {
        if level == LogLevel::Warning {
            self.log_warning(text);
        }
    }

    /// A script has run for long and goes on: the next command each of these sockets has brought in
    /// full, taken off the socket, with the index of the socket. Takes little time.
    fn receive_while_busy(&mut self, _descriptors: &[i32]) -> Vec<(usize, OwnedArguments)> {
        Vec::new()
    }

    /// Sends a short reply to such a command at once.
    fn send_while_busy(&mut self, _descriptor: i32, _bytes: &[u8]) {}

    /// Gives something large to a thread that has time to free it.
    fn discard(&mut self, garbage: Garbage);

    /// Asks the allocator to give unused pages back to the system.
    fn purge_memory(&mut self);

    /// What the allocator tells about itself.
    fn allocator_report(&self) -> String;
}
