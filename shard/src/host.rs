//! What a core asks of the process around it. The server implements this over the real system, the
//! simulator over a made-up one; commands know no other way to the outside.

use std::sync::Arc;

use crate::arguments::OwnedArguments;
use crate::audit::AuditRecord;
use crate::core::{Core, CoreId};
use crate::error::CommandError;
use crate::hash::HashSlot;
use crate::migration::{CANNOT_CONNECT, Delivery, Journey, Shipment};
use crate::settings::Settings;
use crate::snapshot::SnapshotOrder;
use crate::store::Store;

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

/// How a snapshot is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveKind {
    /// At once, by one core that has all slots, while nothing else runs.
    Foreground,
    /// By all cores, beside what else they do.
    Background,
    /// Like that, as the base of the append-only file.
    Rewrite,
}

/// What a snapshot holds, added up over the cores at its cut.
#[derive(Clone, Debug, Default)]
pub struct Cut {
    /// Number, keys and expiring keys of each database that has any.
    pub databases: Vec<(u32, u64, u64)>,
    /// Whether there are hashes whose fields have deadlines.
    pub has_field_deadlines: bool,
    /// Changes that were counted since the start.
    pub changes: i64,
    /// The text of each library of functions.
    pub functions: Vec<Vec<u8>>,
}

impl Cut {
    /// Adds what a core has. O(slots).
    pub fn add(&mut self, core: &Core) {
        // All cores have the same.
        self.functions = core.function_texts();
        let store = &core.store;
        self.changes += store.stats.changes;
        for slot in HashSlot::all().filter_map(|slot| store.slot(slot)) {
            self.has_field_deadlines |= slot.first_field_deadline_ms() != i64::MAX;
            for (db, table) in slot.tables().filter(|(_, table)| !table.is_empty()) {
                let (keys, expiring) = (table.len() as u64, table.expiring_len() as u64);
                match self.databases.iter_mut().find(|(number, ..)| *number == db) {
                    Some(sum) => (sum.1, sum.2) = (sum.1 + keys, sum.2 + expiring),
                    None => self.databases.push((db, keys, expiring)),
                }
            }
        }
        self.databases.sort_unstable();
    }
}

/// A snapshot that is about to be made. Dropped before [`SnapshotTarget::cut`], it is given up.
pub trait SnapshotTarget: Send {
    /// What core `core` needs to take part. One that works alone is core 0.
    fn order(&mut self, core: CoreId) -> SnapshotOrder;

    /// All cores that take part have their orders.
    fn cut(&mut self, cut: &Cut);

    /// Waits until it has ended; whether it succeeded.
    fn wait(self: Box<Self>) -> bool;
}

/// What came of listening to a client past the reactor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// So many bytes.
    Bytes(usize),
    /// Nothing so far.
    Nothing,
    /// It has gone.
    Ended,
}

/// Which directives CONFIG REWRITE writes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RewriteExtent {
    /// Those that the file mentions already or that are not at their default.
    Changed,
    /// All that have a value.
    Everything,
}

/// What INFO tells about saving and loading.
#[derive(Clone, Debug, Default)]
pub struct PersistenceFacts {
    /// The data set is being loaded.
    pub is_loading: bool,
    /// Since when, seconds since 1970.
    pub loading_since_unix_seconds: i64,
    /// Bytes of the file that is loaded.
    pub loading_total_bytes: u64,
    /// How many of them are done.
    pub loading_done_bytes: u64,
    /// Memory the data took where the file that is loaded was written, in bytes.
    pub loading_used_memory_bytes: u64,
    /// Snapshots, and bases of the append-only file, begun in the background.
    pub background_writes: u64,
    /// A snapshot is being written.
    pub is_saving: bool,
    /// Since when it is, in seconds; -1 if none is.
    pub saving_for_seconds: i64,
    /// Keys the present snapshot has written.
    pub saving_keys_done: u64,
    /// Keys it has to write.
    pub saving_keys_total: u64,
    /// Changes that were counted up to the cut of the last good snapshot.
    pub changes_saved: i64,
    /// When that was, seconds since 1970; the start of the server before the first.
    pub last_save_unix_seconds: i64,
    /// Whether the last one made in the background succeeded.
    pub was_last_save_ok: bool,
    /// How long that one took, in seconds; -1 before the first.
    pub last_save_took_seconds: i64,
    /// Snapshots that SAVE has asked for, and those in the background, whatever came of them.
    pub saves: u64,
    /// Keys that were found expired in the file loaded last.
    pub loaded_keys_expired: u64,
    /// Keys that were loaded from it.
    pub loaded_keys: u64,
    /// Whether `save` names any point.
    pub has_save_points: bool,
    /// The append-only file.
    pub append_only: AppendOnlyFacts,
}

/// What INFO tells about the append-only file.
#[derive(Clone, Debug, Default)]
pub struct AppendOnlyFacts {
    /// Changes are written, or are to be as soon as the cut can be made from which on they are.
    pub is_enabled: bool,
    /// A rewrite is under way.
    pub is_rewriting: bool,
    /// It makes the first base of what was turned on while there was data.
    pub is_first_rewrite: bool,
    /// One begins as soon as it can.
    pub is_rewrite_scheduled: bool,
    /// For how long, in seconds; -1 if none is.
    pub rewriting_for_seconds: i64,
    /// How long the last one took, in seconds; -1 before the first.
    pub last_rewrite_took_seconds: i64,
    /// Whether it succeeded.
    pub was_last_rewrite_ok: bool,
    /// Rewrites that succeeded.
    pub rewrites: u64,
    /// Rewrites in a row that failed.
    pub rewrite_failures: u64,
    /// Whether the disk takes what is written.
    pub was_last_write_ok: bool,
    /// Size of all files, in bytes.
    pub current_bytes: u64,
    /// Size after the last rewrite, or at the start, in bytes.
    pub base_bytes: u64,
    /// Bytes that cores have handed over and that are not in a file yet.
    pub unwritten_bytes: u64,
    /// Files for which an fsync is under way, or due and not done.
    pub pending_syncs: u64,
    /// Flushes that took so long that records had to wait for seconds.
    pub delayed_syncs: u64,
}

/// How far something is on its way to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DurableState {
    /// It is not there yet.
    Pending,
    /// It is there.
    Reached,
    /// It will not come there: the append-only file was turned off.
    Off,
}

/// Everything that all cores had told the append-only file by some moment.
pub trait DurableMark: Send {
    /// How far that is. A few atomic reads.
    fn state(&self) -> DurableState;
}

/// A rewrite of the append-only file that is about to be made. Dropped before
/// [`RewriteTarget::cut`], it is given up.
pub trait RewriteTarget: Send {
    /// Core `core` turns to its new file and takes part in the base. All cores do at one moment.
    fn visit(&mut self, core: CoreId, store: &mut Store);

    /// All cores were visited.
    fn cut(&mut self, cut: &Cut);
}

/// What a CONFIG SET has led to.
pub struct ConfigChange {
    /// The settings from now on.
    pub settings: Arc<Settings>,
    /// The rewrite that turns the append-only file on, if that was asked for and can begin now.
    pub rewrite: Option<Box<dyn RewriteTarget>>,
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
    /// The server's own certificate, and the one it trusts that ends first: number and last second
    /// since 1970.
    pub tls_certificates: [Option<(String, i64)>; 2],
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
    /// Connections to other servers that MIGRATE keeps.
    pub migrate_cached_sockets: u64,
    /// Records the audit log has lost.
    pub audit_log_dropped: u64,
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
    /// Saving and loading.
    pub persistence: PersistenceFacts,
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

    /// Wall clock at this very moment, microseconds since 1970: for TIME, which scripts ask until
    /// it has moved. Whatever else has a time goes by that of the turn.
    fn unix_us(&self) -> i64;

    /// Facts for INFO. May take milliseconds.
    fn facts(&self) -> ProcessFacts;

    /// Memory in use that counts against `maxmemory`, in bytes: what all threads have taken from
    /// the allocator and not given back, but for garbage that waits to be freed. Exact for what
    /// this thread does, within some kilobytes for each other one. A few nanoseconds.
    fn used_bytes(&self) -> u64;

    /// Changes directives, all or none, and returns what results. `is_local` says that the client
    /// is on this machine.
    fn config_set(
        &mut self,
        pairs: &[(&[u8], &[u8])],
        is_local: bool,
    ) -> Result<ConfigChange, CommandError>;

    /// Writes the configuration file anew. `users` are the lines about users, `user alice on ...`;
    /// they belong there unless users have a file of their own. `extent` says which directives get
    /// a line.
    fn config_rewrite(
        &mut self,
        users: &[Vec<u8>],
        extent: RewriteExtent,
    ) -> Result<(), CommandError>;

    /// Whether what a directive is set to must not be shown; true for names that are none.
    fn is_sensitive(&self, directive: &[u8]) -> bool;

    /// The configured ACL file: its name, and what is in it or why that cannot be read. `None` if
    /// none is configured.
    fn read_acl_file(&self) -> Option<(String, Result<Vec<u8>, String>)>;

    /// Puts `text` in place of the configured ACL file; on an error the old one is still there.
    /// `None` if none is configured.
    fn write_acl_file(&mut self, text: &[u8]) -> Option<Result<(), String>>;

    /// Fills `bytes` with random ones that nobody can foretell, or says why that cannot be done.
    fn fill_with_secrets(&mut self, bytes: &mut [u8]) -> Result<(), CommandError>;

    /// Saving and loading. A few locks, no system calls.
    fn persistence(&self) -> PersistenceFacts;

    /// Begins a snapshot; for one in the foreground a rewrite under way is put off.
    fn begin_save(&mut self, kind: SaveKind) -> Result<Box<dyn SnapshotTarget>, CommandError>;

    /// Begins a rewrite of the append-only file, turning it on if it is not and should be; `None`
    /// if it has to wait for a snapshot under way and begins later.
    fn begin_rewrite(&mut self) -> Result<Option<Box<dyn RewriteTarget>>, CommandError> {
        Err(CommandError::Fixed("ERR there is no append only file here"))
    }

    /// All that was told by now; `None` if nothing is told. Whoever waits for it is woken when it
    /// may have come further.
    fn durable_mark(&self) -> Option<Box<dyn DurableMark>> {
        None
    }

    /// Whether the append-only file is on, or about to be, though the configuration says no.
    fn is_append_only_unwanted(&self) -> bool {
        false
    }

    /// Puts every write to the append-only file off by so many microseconds.
    fn delay_append_only(&mut self, _us: u64) {}

    /// Core `core` stops telling what it changes.
    fn end_append_only(&mut self, _core: CoreId, _store: &mut Store) {}

    /// Lets a snapshot in the background begin when the rewrite under way is over; whether there is
    /// one.
    fn schedule_save(&mut self) -> bool {
        false
    }

    /// Gives the snapshot up that is under way in the background; whether there was one.
    fn cancel_save(&mut self) -> bool;

    /// Gives the snapshot up that waits for the rewrite under way; whether there was one.
    fn unschedule_save(&mut self) -> bool {
        false
    }

    /// Counts a SAVE. Those in the background count by themselves; what else makes a snapshot does
    /// not count.
    fn count_save(&mut self) {}

    /// Begins to count anew what CONFIG RESETSTAT sets to zero: snapshots and rewrites.
    fn reset_stats(&mut self) {}

    /// Loads the file of snapshots into a store that has all slots, and returns the texts of the
    /// libraries in it; `None` if it could not, and the log says why. `replaces` allows keys that
    /// are there already.
    fn load_snapshot(&mut self, store: &mut Store, replaces: bool) -> Option<Vec<Vec<u8>>>;

    /// Brings what core `core` has told into its file, and waits until it is there.
    fn write_out_append_only(&mut self, _core: CoreId, _store: &mut Store) {}

    /// Loads the append-only file into an empty store that has all slots and tells nothing, and
    /// returns the texts of the libraries in it; `None` if it could not, and the process ends.
    fn load_append_only(&mut self, _store: &mut Store) -> Option<Vec<Vec<u8>>> {
        None
    }

    /// Ends the process, or says why not. Does not return until the caller's turn is over; the
    /// process ends soon after.
    fn shutdown(&mut self, options: ShutdownOptions) -> Result<(), CommandError>;

    /// Cancels a shutdown under way; whether there was one.
    fn abort_shutdown(&mut self) -> bool;

    /// A shutdown has failed; the server goes on.
    fn note_shutdown_over(&mut self) {}

    /// Blocks the whole core for `us` microseconds (`DEBUG SLEEP`).
    fn sleep_us(&mut self, us: u64);

    /// Writes a line to the log about what goes its usual way.
    fn log_notice(&self, text: &str);

    /// Writes a line to the log (`DEBUG LOG`).
    fn log_warning(&self, text: &str);

    /// Writes a line to the log if its level is shown (`redis.log`).
    fn log(&self, level: LogLevel, text: &str) {
        if level == LogLevel::Warning {
            self.log_warning(text);
        }
    }

    /// Takes a record for the audit log. Never waits; what cannot be taken is dropped and counted.
    fn audit(&mut self, _record: AuditRecord) {}

    /// Whether the process has been told to end.
    fn is_ending(&self) -> bool {
        false
    }

    /// Whether the process is to end as soon as the first core has time for that.
    fn is_asked_to_end(&self) -> bool {
        false
    }

    /// A script has run for long and goes on: the next command each of these sockets has brought in
    /// full, taken off the socket, with the index of the socket. Takes little time.
    fn receive_while_busy(&mut self, _descriptors: &[i32]) -> Vec<(usize, OwnedArguments)> {
        Vec::new()
    }

    /// Sends a short reply to such a command at once.
    fn send_while_busy(&mut self, _descriptor: i32, _bytes: &[u8]) {}

    /// What the client of a debugging session says, of whose socket nobody else knows now: waits
    /// for a small part of a second. A host without sockets has nobody there.
    fn receive_from_debugger(&mut self, _descriptor: i32, _bytes: &mut [u8]) -> Heard {
        Heard::Ended
    }

    /// Says something to such a client; whether it has taken all of it, for which it has seconds.
    fn send_to_debugger(&mut self, _descriptor: i32, _bytes: &[u8]) -> bool {
        false
    }

    /// Sends keys to another server, or says why it will not even try. Never waits: the core is
    /// woken when there is news of the journey.
    fn ship(&mut self, _shipment: Shipment) -> Result<Box<dyn Journey>, CommandError> {
        Err(CANNOT_CONNECT)
    }

    /// The same, and waits until it is over.
    fn ship_at_once(&mut self, _shipment: Shipment) -> Delivery {
        Delivery::failed(CANNOT_CONNECT)
    }

    /// Gives something large to a thread that has time to free it.
    fn discard(&mut self, garbage: Garbage);

    /// Asks the allocator to give unused pages back to the system.
    fn purge_memory(&mut self);

    /// What the allocator tells about itself.
    fn allocator_report(&self) -> String;
}
