//! A whole RDB file into one store, by several threads.
//!
//! ```text
//! store --its slots--> part 0 .. part n     file --> records by slot --> part 0 .. part n
//!       <--its slots, filled-------------------------------------------/
//! ```
//!
//! Decoding a value takes several times as long as finding its end. So the slots of the store are
//! shared out to as many stores as there are threads, each decodes what is for its slots, as cores
//! do with a file of their own ([`crate::load::divide`]), and the slots come back. Handing a slot
//! over is handing a pointer over, so this costs nothing worth mentioning.

use std::io::Read;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use basalt_shard::hash::HashSlot;
use basalt_shard::loading::LoadRules;
use basalt_shard::store::Store;

use crate::fault::RdbFault;
use crate::load::{self, Batch, Contents, LoadCounts, divide, load_all};
use crate::progress::LoadProgress;
use crate::reader::RdbReader;

/// Batches under way to one thread.
const BATCHES_MAX: usize = 4;

/// Loads a whole file into a store that has all slots, on `thread_count` threads beside this one;
/// with less than two, on this one alone.
///
/// # Errors
/// When the file cannot be read, is damaged, or holds what cannot be taken. What was loaded by then
/// is in the store.
pub fn load_all_on<R: Read>(
    thread_count: usize,
    reader: &mut RdbReader<R>,
    store: &mut Store,
    rules: LoadRules,
    progress: &LoadProgress,
) -> Result<(LoadCounts, Contents), RdbFault> {
    if thread_count < 2 {
        return load_all(reader, store, rules, progress);
    }
    let part_of = |slot| part_of(slot, thread_count);
    let parts = share_out(store, thread_count);
    std::thread::scope(|scope| {
        let start = |part| {
            let (sender, batches) = sync_channel(BATCHES_MAX);
            (sender, scope.spawn(move || fill(part, &batches, rules, progress)))
        };
        let (senders, threads): (Vec<_>, Vec<_>) = parts.into_iter().map(start).unzip();
        let mut receiver = ToThreads(senders);
        let contents = divide(reader, thread_count, part_of, &mut receiver, progress);
        drop(receiver);
        let mut result = Ok(LoadCounts::default());
        for thread in threads {
            let (part, counts) = thread.join().expect("a thread that loads does not panic");
            take_back(store, part);
            result = result.and_then(|mut all| {
                all.add(counts?);
                Ok(all)
            });
        }
        Ok((result?, contents?))
    })
}

/// Which of `count` parts has a slot.
pub(crate) fn part_of(slot: HashSlot, count: usize) -> usize {
    slot.index() * count / usize::from(HashSlot::COUNT)
}

/// Shares the slots of a store out to others; see [`part_of`].
pub(crate) fn share_out(store: &mut Store, count: usize) -> Vec<Store> {
    let mut parts: Vec<Store> = (0..count).map(|_| store.sibling()).collect();
    for slot in HashSlot::all() {
        let content = store.take_slot(slot).expect("the store has all slots");
        parts[part_of(slot, count)].put_slot(slot, content);
    }
    parts
}

/// Gives the slots of one of them back.
///
/// # Panics
/// If the store has any of them.
pub(crate) fn take_back(store: &mut Store, mut part: Store) {
    for slot in HashSlot::all() {
        if let Some(content) = part.take_slot(slot) {
            store.put_slot(slot, content);
        }
    }
    store.adopt(Vec::new(), part.database_counts());
}

/// Takes batches until there are no more, or one cannot be taken.
fn fill(
    mut part: Store,
    batches: &Receiver<Batch>,
    rules: LoadRules,
    progress: &LoadProgress,
) -> (Store, Result<LoadCounts, RdbFault>) {
    let mut counts = LoadCounts::default();
    for batch in batches {
        match batch.load_into(&mut part, rules) {
            Ok(loaded) => {
                progress.note(loaded, batch.file_bytes());
                counts.add(loaded);
            }
            Err(fault) => return (part, Err(fault)),
        }
    }
    (part, Ok(counts))
}

struct ToThreads(Vec<SyncSender<Batch>>);

impl load::Receiver for ToThreads {
    fn take(&mut self, part: usize, batch: Batch) -> bool {
        self.0[part].send(batch).is_ok()
    }
}
