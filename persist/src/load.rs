//! From a file to the cores: one thread finds the records, and each core decodes and keeps its own.
//!
//! ```text
//! file --> reader --> batch for core 0 --> core 0
//!                \--> batch for core 1 --> core 1
//! ```
//!
//! Finding a record's end takes a fraction of what decoding it takes, so one reader feeds several
//! cores. What is under way is bounded by whoever takes the batches.

use std::io::Read;
use std::ops::Range;

use basalt_shard::hash::HashSlot;
use basalt_shard::loading::{LoadFault, LoadRules, Loaded, Record, Usage};
use basalt_shard::rdb::opcode;
use basalt_shard::rdb::value_type::{Project, ValueType};
use basalt_shard::store::Store;

use crate::fault::{RdbFault, Reason};
use crate::progress::LoadProgress;
use crate::reader::{Item, RdbReader};

/// A batch is sent when it holds so much ...
const BATCH_BYTES: usize = 256 * 1024;
/// ... or so many.
const BATCH_RECORDS: usize = 4096;
/// Keys whose memory is asked for before the first of them is stored. That of so many can be on its
/// way into the cache without pushing itself out again.
const KEYS_AHEAD: usize = 32;

/// Records for one core.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Bytes of the file its records take.
    file_bytes: u64,
    records: Vec<Place>,
}

/// A record in the bytes of its batch.
#[derive(Debug)]
struct Place {
    offset: u64,
    db: u32,
    expiry_ms: Option<i64>,
    usage: Usage,
    value_type: ValueType,
    project: Project,
    name: Range<usize>,
    value: Range<usize>,
}

/// What became of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadCounts {
    /// Keys that are there now.
    pub loaded: u64,
    /// Keys whose time had come.
    pub expired: u64,
    /// Collections without elements.
    pub empty: u64,
    /// Those of the keys that are there without something nothing here can hold.
    pub reduced: u64,
}

impl LoadCounts {
    /// Adds those of another part.
    pub fn add(&mut self, other: Self) {
        self.loaded += other.loaded;
        self.expired += other.expired;
        self.empty += other.empty;
        self.reduced += other.reduced;
    }

    /// What was added since they were `before`.
    fn since(self, before: Self) -> Self {
        Self {
            loaded: self.loaded - before.loaded,
            expired: self.expired - before.expired,
            empty: self.empty - before.empty,
            reduced: self.reduced - before.reduced,
        }
    }

    fn note(&mut self, outcome: Loaded) {
        match outcome {
            Loaded::Added => self.loaded += 1,
            Loaded::Reduced => (self.loaded, self.reduced) = (self.loaded + 1, self.reduced + 1),
            Loaded::Expired => self.expired += 1,
            Loaded::Empty => self.empty += 1,
        }
    }
}

impl Batch {
    fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES || self.records.len() >= BATCH_RECORDS
    }

    /// Bytes of the file its records take.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    fn push(&mut self, record: &Record<'_>, offset: u64) {
        let name_start = self.bytes.len();
        self.bytes.extend_from_slice(record.name);
        let value_start = self.bytes.len();
        self.bytes.extend_from_slice(record.value);
        self.records.push(Place {
            offset,
            db: record.db,
            expiry_ms: record.expiry_ms,
            usage: record.usage,
            value_type: record.value_type,
            project: record.project,
            name: name_start..value_start,
            value: value_start..self.bytes.len(),
        });
    }

    /// Puts all records into a store that has their slots.
    ///
    /// # Errors
    /// The first record that cannot be taken; those before it are there.
    pub fn load_into(&self, store: &mut Store, rules: LoadRules) -> Result<LoadCounts, RdbFault> {
        let mut counts = LoadCounts::default();
        let mut keys = Vec::with_capacity(KEYS_AHEAD);
        for places in self.records.chunks(KEYS_AHEAD) {
            keys.clear();
            let key = |place: &Place| store.key(place.db, &self.bytes[place.name.clone()]);
            keys.extend(places.iter().map(key));
            store.prefetch_keys(&keys);
            for (place, key) in places.iter().zip(&keys) {
                let record = self.record(place);
                let outcome = store.load_at(*key, &record, rules);
                counts.note(outcome.map_err(|fault| fault_of(&record, place.offset, fault))?);
            }
        }
        Ok(counts)
    }

    fn record(&self, place: &Place) -> Record<'_> {
        Record {
            db: place.db,
            name: &self.bytes[place.name.clone()],
            expiry_ms: place.expiry_ms,
            usage: place.usage,
            value_type: place.value_type,
            project: place.project,
            value: &self.bytes[place.value.clone()],
        }
    }
}

fn fault_of(record: &Record<'_>, offset: u64, fault: LoadFault) -> RdbFault {
    RdbFault {
        offset,
        opcode: Some(record.value_type.code()),
        key: Some(record.name.to_vec()),
        reason: Reason::Key(fault),
    }
}

/// What a file tells besides its keys.
#[derive(Debug, Default)]
pub struct Contents {
    /// Names and values about the file.
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    /// The code of each library of functions.
    pub functions: Vec<Vec<u8>>,
}

/// Takes what is found in a file.
pub trait Receiver {
    /// Takes records for the slots of core `core`; whether there is any use in going on.
    fn take(&mut self, core: usize, batch: Batch) -> bool;
}

/// Divides a file among cores, `core_of` saying which one has a slot. Ends early where the receiver
/// has no use for more.
///
/// # Errors
/// When the file cannot be read or is damaged; batches sent by then are with their cores.
pub fn divide<R: Read>(
    reader: &mut RdbReader<R>,
    core_count: usize,
    core_of: impl Fn(HashSlot) -> usize,
    receiver: &mut dyn Receiver,
    progress: &LoadProgress,
) -> Result<Contents, RdbFault> {
    let mut contents = Contents::default();
    let mut batches: Vec<Batch> = (0..core_count).map(|_| Batch::default()).collect();
    loop {
        let offset = reader.offset();
        let core = match reader.read_item()? {
            Item::Key(record) => {
                let core = core_of(HashSlot::of_key(record.name));
                batches[core].push(&record, offset);
                core
            }
            Item::End => break,
            item => {
                contents.note(item, offset, progress)?;
                continue;
            }
        };
        batches[core].file_bytes += reader.offset() - offset;
        if batches[core].is_full() && !receiver.take(core, std::mem::take(&mut batches[core])) {
            return Ok(contents);
        }
    }
    for (core, batch) in batches.into_iter().enumerate() {
        if !receiver.take(core, batch) {
            break;
        }
    }
    Ok(contents)
}

/// Loads a whole file into a store that has all slots.
///
/// # Errors
/// When the file cannot be read, is damaged, or holds what cannot be taken.
pub fn load_all<R: Read>(
    reader: &mut RdbReader<R>,
    store: &mut Store,
    rules: LoadRules,
    progress: &LoadProgress,
) -> Result<(LoadCounts, Contents), RdbFault> {
    let (mut counts, mut contents) = (LoadCounts::default(), Contents::default());
    let mut told = (LoadCounts::default(), reader.offset());
    loop {
        let offset = reader.offset();
        match reader.read_item()? {
            Item::Key(record) => {
                let outcome = store.load(&record, rules);
                counts.note(outcome.map_err(|fault| fault_of(&record, offset, fault))?);
            }
            Item::End => return Ok((counts, contents)),
            item => contents.note(item, offset, progress)?,
        }
        if offset - told.1 >= BATCH_BYTES as u64
            || counts.loaded - told.0.loaded >= BATCH_RECORDS as u64
        {
            progress.note(counts.since(told.0), offset - told.1);
            told = (counts, offset);
        }
    }
}

impl Contents {
    fn note(
        &mut self,
        item: Item<'_>,
        offset: u64,
        progress: &LoadProgress,
    ) -> Result<(), RdbFault> {
        match item {
            Item::Aux { name, value } => {
                progress.note_aux(&name, &value);
                self.aux.push((name, value));
            }
            Item::Function(code) => self.functions.push(code),
            // To leave it out would be to lose it at the next snapshot.
            Item::ModuleAux(id) => {
                let (opcode, reason) = (Some(opcode::MODULE_AUX), Reason::ModuleAux(id));
                return Err(RdbFault { offset, opcode, key: None, reason });
            }
            Item::Resize { .. } | Item::Key(_) | Item::End => {}
        }
        Ok(())
    }
}
