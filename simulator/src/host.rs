//! The process around a core, made up: a clock that moves when it is told to, a configuration that
//! all cores have in common, nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use basalt_shard::error::CommandError;
use basalt_shard::host::{
    ConfigChange, Garbage, Host, PersistenceFacts, ProcessFacts, RewriteExtent, RewriteTarget,
    SaveKind, ShutdownOptions, SnapshotTarget,
};
use basalt_shard::migration::{Delivery, Journey, Shipment};
use basalt_shard::store::Store;

use crate::configuration::Configuration;
use crate::files::Files;
use crate::shipping::{Shipping, all_arrived};

const NO_FILES: CommandError = CommandError::Fixed("ERR There are no files here");

/// A wall clock that all cores of a cluster share.
#[derive(Clone)]
pub struct VirtualClock(Arc<AtomicI64>);

impl VirtualClock {
    /// A clock that shows `ms` milliseconds since 1970.
    pub fn starting_at_ms(ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(ms)))
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Moves it on.
    pub fn advance_ms(&self, ms: i64) {
        assert!(ms >= 0, "time only goes on");
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

/// Says how much memory is in use.
pub type Meter = fn() -> u64;

/// A host without a process.
pub struct TestHost {
    configuration: Configuration,
    clock: VirtualClock,
    meter: Meter,
    acl_file: Option<Vec<u8>>,
    files: Option<Files>,
    shipping: Shipping,
}

impl TestHost {
    /// A host of a process with this configuration.
    pub fn new(configuration: Configuration, clock: VirtualClock, meter: Meter) -> Self {
        let shipping = Shipping::default();
        Self { configuration, clock, meter, acl_file: None, files: None, shipping }
    }

    /// The same with files.
    pub fn with_files(self, files: Option<Files>) -> Self {
        Self { files, ..self }
    }

    /// The same with other servers.
    pub fn with_shipping(self, shipping: Shipping) -> Self {
        Self { shipping, ..self }
    }
}

impl Host for TestHost {
    fn elapsed_ns(&self) -> u64 {
        self.clock.now_ms() as u64 * 1_000_000
    }

    fn unix_us(&self) -> i64 {
        self.clock.now_ms() * 1000
    }

    fn used_bytes(&self) -> u64 {
        (self.meter)()
    }

    fn facts(&self) -> ProcessFacts {
        ProcessFacts::default()
    }

    fn config_set(
        &mut self,
        pairs: &[(&[u8], &[u8])],
        _: bool,
    ) -> Result<ConfigChange, CommandError> {
        let settings = self.configuration.set(pairs)?;
        Ok(ConfigChange { settings, rewrite: None })
    }

    fn is_sensitive(&self, directive: &[u8]) -> bool {
        directive == b"requirepass"
    }

    fn read_acl_file(&self) -> Option<(String, Result<Vec<u8>, String>)> {
        self.acl_file.clone().map(|text| ("users.acl".to_owned(), Ok(text)))
    }

    fn write_acl_file(&mut self, text: &[u8]) -> Option<Result<(), String>> {
        self.acl_file = Some(text.to_vec());
        Some(Ok(()))
    }

    fn fill_with_secrets(&mut self, bytes: &mut [u8]) -> Result<(), CommandError> {
        bytes.fill(0x5a);
        Ok(())
    }

    fn config_rewrite(&mut self, _: &[Vec<u8>], _: RewriteExtent) -> Result<(), CommandError> {
        Err(CommandError::Fixed("ERR The server is running without a config file"))
    }

    fn persistence(&self) -> PersistenceFacts {
        PersistenceFacts::default()
    }

    fn begin_save(&mut self, _: SaveKind) -> Result<Box<dyn SnapshotTarget>, CommandError> {
        self.files.as_ref().ok_or(NO_FILES)?.begin_save()
    }

    fn begin_rewrite(&mut self) -> Result<Option<Box<dyn RewriteTarget>>, CommandError> {
        self.files.as_ref().ok_or(NO_FILES)?.begin_rewrite().map(Some)
    }

    fn cancel_save(&mut self) -> bool {
        false
    }

    fn load_snapshot(&mut self, _: &mut Store, _: bool) -> Option<Vec<Vec<u8>>> {
        None
    }

    fn shutdown(&mut self, _: ShutdownOptions) -> Result<(), CommandError> {
        Err(CommandError::Fixed("ERR Errors trying to SHUTDOWN. Check logs."))
    }

    fn abort_shutdown(&mut self) -> bool {
        false
    }

    fn sleep_us(&mut self, us: u64) {
        self.clock.advance_ms(us as i64 / 1000);
    }

    fn log_notice(&self, _: &str) {}

    fn log_warning(&self, _: &str) {}

    fn ship(&mut self, shipment: Shipment) -> Result<Box<dyn Journey>, CommandError> {
        Ok(self.shipping.accept(shipment))
    }

    fn ship_at_once(&mut self, shipment: Shipment) -> Delivery {
        all_arrived(&shipment)
    }

    fn discard(&mut self, garbage: Garbage) {
        drop(garbage);
    }

    fn purge_memory(&mut self) {}

    fn allocator_report(&self) -> String {
        String::new()
    }
}
