//! The process as cores see it: [`Host`] over the real system.

mod changes;
mod facts;
mod settings;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use basalt_shard::arguments::OwnedArguments;
use basalt_shard::audit::AuditRecord;
use basalt_shard::core::CoreId;
use basalt_shard::error::CommandError;
use basalt_shard::host::{
    ConfigChange, DurableMark, Garbage, Heard, Host, LogLevel, PersistenceFacts, ProcessFacts,
    RewriteExtent, RewriteTarget, SaveKind, ShutdownOptions, SnapshotTarget,
};
use basalt_shard::migration::{Delivery, Journey, Shipment};
use basalt_shard::scripting::from_file::FileScripts;
use basalt_shard::store::Store;

use self::changes::{act_on, act_on_process};
pub use self::facts::{facts, persistence_facts};
pub use self::settings::{command_settings, core_settings};
use super::aof::AppendOnly;
use super::process::Process;
use super::{busy, clock, migration, persistence, rewrite};
use crate::config::{Config, SetContext};
use crate::{debug, memory, notice, verbose, warning};

/// One core's way to the process.
pub struct CoreHost {
    process: Arc<Process>,
    garbage: SyncSender<Garbage>,
}

impl CoreHost {
    /// The way of one core. `garbage` leads to the thread that frees.
    pub fn new(process: Arc<Process>, garbage: SyncSender<Garbage>) -> Self {
        Self { process, garbage }
    }

    /// What runs the scripts of a file, with a way of its own.
    pub fn file_scripts(&self) -> FileScripts {
        let host = Self::new(Arc::clone(&self.process), self.garbage.clone());
        FileScripts::new(Box::new(host), self.process.persistence.scripts())
    }
}

impl Host for CoreHost {
    #[inline]
    fn elapsed_ns(&self) -> u64 {
        clock::elapsed_ns()
    }

    fn unix_us(&self) -> i64 {
        clock::now().unix_us
    }

    fn facts(&self) -> ProcessFacts {
        facts(&self.process)
    }

    #[inline]
    fn used_bytes(&self) -> u64 {
        let garbage_bytes = self.process.garbage_bytes.load(Ordering::Relaxed);
        memory::used_bytes().saturating_sub(garbage_bytes)
    }

    fn config_set(
        &mut self,
        pairs: &[(&[u8], &[u8])],
        is_local: bool,
    ) -> Result<ConfigChange, CommandError> {
        let mut config = self.process.config();
        let is_loading = self.process.persistence.is_loading();
        let context = SetContext { is_loading, is_local };
        let changed =
            config.set(pairs, context).map_err(|error| CommandError::worded(error.to_string()))?;
        let rewrite = act_on(&self.process, &config, &changed).map_err(|(name, reason)| {
            config.revert(&changed);
            // What was done before that failed is undone the way it was done.
            let _ = act_on_process(&self.process, &config, &changed);
            let error = crate::config::ConfigError::Apply(name, reason);
            CommandError::worded(error.to_string())
        })?;
        let settings = self.process.publish_settings(&config);
        self.process.persistence.judge_writes(&settings);
        if changed.contains("appendfsync") || changed.contains("no-appendfsync-on-rewrite") {
            let is_written = self.process.persistence.is_writing();
            self.process.append_only.set_policy(&settings, is_written);
        }
        Ok(ConfigChange { settings: Arc::new(core_settings(&config, &settings)), rewrite })
    }

    fn config_rewrite(
        &mut self,
        users: &[Vec<u8>],
        extent: RewriteExtent,
    ) -> Result<(), CommandError> {
        let has_own_file = self.process.settings().aclfile.is_some();
        let config = self.process.config();
        config.rewrite(if has_own_file { &[] } else { users }, extent).map_err(|error| {
            warning!("CONFIG REWRITE failed: {error}");
            CommandError::worded(error.to_string())
        })?;
        crate::notice!("CONFIG REWRITE executed with success.");
        Ok(())
    }

    fn persistence(&self) -> PersistenceFacts {
        persistence_facts(&self.process)
    }

    fn begin_save(&mut self, kind: SaveKind) -> Result<Box<dyn SnapshotTarget>, CommandError> {
        persistence::begin(&self.process, kind)
    }

    fn begin_rewrite(&mut self) -> Result<Option<Box<dyn RewriteTarget>>, CommandError> {
        rewrite::begin(&self.process, self.process.settings())
    }

    fn durable_mark(&self) -> Option<Box<dyn DurableMark>> {
        AppendOnly::mark(&self.process)
    }

    fn schedule_save(&mut self) -> bool {
        self.process.persistence.schedule()
    }

    fn is_append_only_unwanted(&self) -> bool {
        let is_wanted = self.process.settings().append_only.appendonly;
        !is_wanted && self.process.append_only.is_on_or_begins()
    }

    fn delay_append_only(&mut self, us: u64) {
        self.process.append_only.set_delay(Duration::from_micros(us));
    }

    fn end_append_only(&mut self, core: CoreId, store: &mut Store) {
        self.process.persistence.give_up_rewrite(&self.process, false);
        self.process.append_only.turn_off(core, store);
    }

    fn write_out_append_only(&mut self, core: CoreId, store: &mut Store) {
        self.process.append_only.write_out(core, store);
    }

    fn load_append_only(&mut self, store: &mut Store) -> Option<Vec<Vec<u8>>> {
        super::loading::append_only_at_once(&self.process, store, self.file_scripts())
    }

    fn cancel_save(&mut self) -> bool {
        self.process.persistence.cancel()
    }

    fn unschedule_save(&mut self) -> bool {
        self.process.persistence.unschedule()
    }

    fn count_save(&mut self) {
        self.process.persistence.count_save();
    }

    fn reset_stats(&mut self) {
        self.process.persistence.reset_stats();
        self.process.append_only.reset_stats();
    }

    fn load_snapshot(&mut self, store: &mut Store, replaces: bool) -> Option<Vec<Vec<u8>>> {
        persistence::load_at_once(&self.process, store, replaces)
    }

    fn is_sensitive(&self, directive: &[u8]) -> bool {
        Config::is_sensitive(directive)
    }

    fn read_acl_file(&self) -> Option<(String, Result<Vec<u8>, String>)> {
        let path = self.process.settings().aclfile.clone()?;
        let text = std::fs::read(&path).map_err(|error| plain_reason(&error));
        Some((path.display().to_string(), text))
    }

    fn write_acl_file(&mut self, text: &[u8]) -> Option<Result<(), String>> {
        let path = self.process.settings().aclfile.clone()?;
        Some(crate::config::replace_file(&path, text).map_err(|error| plain_reason(&error)))
    }

    fn fill_with_secrets(&mut self, bytes: &mut [u8]) -> Result<(), CommandError> {
        let read = std::fs::File::open("/dev/urandom")
            .and_then(|mut source| std::io::Read::read_exact(&mut source, bytes));
        read.map_err(|error| {
            CommandError::worded(format!("ERR no random bytes: {}", plain_reason(&error)))
        })
    }

    fn shutdown(&mut self, options: ShutdownOptions) -> Result<(), CommandError> {
        crate::notice!("User requested shutdown...");
        self.process.stop(options);
        Ok(())
    }

    fn note_shutdown_over(&mut self) {
        crate::signals::note_shutdown_over();
    }

    fn abort_shutdown(&mut self) -> bool {
        // A shutdown has nobody to wait for yet, so one that has begun cannot be caught up with.
        let is_aborted = self.process.take_shutdown_wish().is_some();
        if is_aborted {
            crate::signals::note_shutdown_over();
            crate::notice!("Shutdown manually aborted.");
        }
        is_aborted
    }

    fn sleep_us(&mut self, us: u64) {
        std::thread::sleep(Duration::from_micros(us));
    }

    fn log_notice(&self, text: &str) {
        crate::notice!("{text}");
    }

    fn log_warning(&self, text: &str) {
        warning!("{text}");
    }

    fn log(&self, level: LogLevel, text: &str) {
        match level {
            LogLevel::Debug => debug!("{text}"),
            LogLevel::Verbose => verbose!("{text}"),
            LogLevel::Notice => notice!("{text}"),
            LogLevel::Warning => warning!("{text}"),
        }
    }

    fn audit(&mut self, record: AuditRecord) {
        self.process.audit.tell(record);
    }

    fn is_ending(&self) -> bool {
        self.process.is_stopping()
    }

    fn is_asked_to_end(&self) -> bool {
        self.process.has_shutdown_wish()
    }

    fn receive_while_busy(&mut self, descriptors: &[i32]) -> Vec<(usize, OwnedArguments)> {
        busy::receive(descriptors)
    }

    fn send_while_busy(&mut self, descriptor: i32, bytes: &[u8]) {
        busy::send(descriptor, bytes);
    }

    fn receive_from_debugger(&mut self, descriptor: i32, bytes: &mut [u8]) -> Heard {
        busy::listen(descriptor, bytes)
    }

    fn send_to_debugger(&mut self, descriptor: i32, bytes: &[u8]) -> bool {
        busy::speak(descriptor, bytes)
    }

    fn ship(&mut self, shipment: Shipment) -> Result<Box<dyn Journey>, CommandError> {
        migration::ship(&self.process, shipment)
    }

    fn ship_at_once(&mut self, shipment: Shipment) -> Delivery {
        migration::ship_at_once(&self.process, &shipment)
    }

    fn discard(&mut self, garbage: Garbage) {
        self.process.garbage_queued(garbage.bytes);
        // With the queue full the other thread is far behind: then whoever makes garbage frees it.
        if let Err(TrySendError::Full(garbage) | TrySendError::Disconnected(garbage)) =
            self.garbage.try_send(garbage)
        {
            self.process.free(garbage);
        }
    }

    fn purge_memory(&mut self) {
        memory::purge();
    }

    fn allocator_report(&self) -> String {
        memory::report()
    }
}

/// What the system says about an error, as C programs print it.
pub fn plain_reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
