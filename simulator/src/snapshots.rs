//! A snapshot of a simulated server: what the cores send is kept, and is a file once all is there.

use std::sync::{Arc, Mutex, MutexGuard};

use basalt_persist::preamble::{Preamble, ending};
use basalt_shard::core::CoreId;
use basalt_shard::hash::HashSlot;
use basalt_shard::host::{Cut, SnapshotTarget};
use basalt_shard::rdb::crc64::Checksum;
use basalt_shard::rdb::opcode;
use basalt_shard::rdb::value_type::RdbVersion;
use basalt_shard::rdb::writer::Compression;
use basalt_shard::snapshot::{Part, SnapshotOrder, SnapshotSink, UsageKept};

#[derive(Default)]
struct CoreParts {
    bytes: Vec<u8>,
    is_over: bool,
}

struct State {
    header: Option<Vec<u8>>,
    cores: Vec<CoreParts>,
    slots_left: u32,
}

/// A snapshot on its way.
#[derive(Clone)]
pub struct Collection(Arc<Mutex<State>>);

impl Collection {
    /// Of so many cores.
    pub fn new(core_count: usize) -> Self {
        let cores = (0..core_count).map(|_| CoreParts::default()).collect();
        let slots_left = u32::from(HashSlot::COUNT);
        Self(Arc::new(Mutex::new(State { header: None, cores, slots_left })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding a snapshot")
    }

    /// What a core needs to take part.
    pub fn order(&self, number: u32, core: CoreId) -> SnapshotOrder {
        SnapshotOrder {
            number,
            sink: Box::new(Sink { collection: self.clone(), core: core.index() }),
            version: RdbVersion::default(),
            compression: Compression::On,
            usage: UsageKept::None,
            key_delay_us: 0,
        }
    }

    /// The cut has seen every core.
    pub fn cut(&self, cut: &Cut) {
        let preamble = Preamble {
            version: RdbVersion::default(),
            has_field_deadlines: cut.has_field_deadlines,
            aux: Vec::new(),
            functions: cut.functions.clone(),
            databases: cut.databases.clone(),
        };
        self.state().header = Some(preamble.to_bytes());
    }

    /// As the target of a command.
    pub fn target(&self, number: u32) -> impl SnapshotTarget + use<> {
        Target { collection: self.clone(), number }
    }

    /// The file, once it is complete.
    pub fn file(&self) -> Option<Vec<u8>> {
        let state = self.state();
        let header = state.header.as_ref()?;
        if !state.cores.iter().all(|core| core.is_over) {
            return None;
        }
        let mut file = header.clone();
        state.cores.iter().for_each(|core| file.extend_from_slice(&core.bytes));
        file.push(opcode::EOF);
        let mut checksum = Checksum::default();
        checksum.update(&file);
        file.extend_from_slice(&ending(checksum.value()));
        Some(file)
    }
}

struct Target {
    collection: Collection,
    number: u32,
}

impl SnapshotTarget for Target {
    fn order(&mut self, core: CoreId) -> SnapshotOrder {
        self.collection.order(self.number, core)
    }

    fn cut(&mut self, cut: &Cut) {
        self.collection.cut(cut);
    }

    fn wait(self: Box<Self>) -> bool {
        self.collection.file().is_some()
    }
}

struct Sink {
    collection: Collection,
    core: usize,
}

impl SnapshotSink for Sink {
    fn has_room(&self) -> bool {
        true
    }

    fn send(&mut self, part: Part) {
        let mut state = self.collection.state();
        let core = &mut state.cores[self.core];
        assert!(!core.is_over, "a core sends nothing after its end");
        core.bytes.extend_from_slice(&part.bytes);
        core.is_over = part.is_last;
    }

    fn slot_done(&mut self) {
        let mut state = self.collection.state();
        state.slots_left = state.slots_left.checked_sub(1).expect("a slot is finished once");
    }

    fn all_slots_done(&self) -> bool {
        self.collection.state().slots_left == 0
    }

    fn is_abandoned(&self) -> bool {
        false
    }
}
