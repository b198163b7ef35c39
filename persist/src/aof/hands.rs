//! The records of several segments, run by several threads.
//!
//! ```text
//! segments --> merge, on the thread that loads --records--> hand 0, with its share of the slots
//!                                              \--records--> hand 1, with its share
//! ```
//!
//! The merge gives records in an order in which they may run. Those of one slot have to run in it,
//! others need not: each goes to the hand that has its slots, and a hand takes what it is given one
//! after the other. A record over slots of several hands, and what concerns all slots, runs at one
//! of them; the others give it what it needs when they come to that place, and wait until they have
//! it back:
//!
//! ```text
//! hand 0:  a   b   lends 7 ------------------.   gets 7 back   e
//! hand 1:  c   d   gets 7, runs the record --'   f
//! ```
//!
//! Whoever waits does so for one that has come to the same record, or is still busy with what comes
//! before it, and the first record that is not done has nobody to wait for: so nothing stands still
//! for ever, however short the queues are.
//!
//! Nothing is trusted: a command that needs a slot its record does not name ends the load.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use basalt_shard::hash::HashSlot;
use basalt_shard::number::parse_integer;
use basalt_shard::replay::{Replay, ReplayError};
use basalt_shard::scripting::texts::LibraryTexts;
use basalt_shard::slot::Slot;
use basalt_shard::store::Store;

use super::item::Record;
use crate::parallel::share_out;

/// Records of a batch at most ...
const RECORDS_MAX: usize = 512;
/// ... and bytes of their commands, from which on it is sent.
const BATCH_BYTES: usize = 256 * 1024;
/// Batches under way to one hand.
const BATCHES_MAX: usize = 4;

type Slots = Vec<(HashSlot, Box<Slot>)>;

/// Some records, one behind the other.
#[derive(Default)]
struct Batch {
    /// The commands of all of them.
    commands: Record,
    heads: Vec<Head>,
}

/// A record of a batch.
struct Head {
    /// The segment it is from.
    segment: usize,
    /// The database that is selected before it.
    db: u32,
    /// Commands in it.
    count: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.heads.len() >= RECORDS_MAX || self.commands.byte_count() >= BATCH_BYTES
    }

    fn push(&mut self, segment: usize, db: u32, record: &Record) {
        self.commands.append(record);
        self.heads.push(Head { segment, db, count: record.commands().len() });
    }
}

/// What a hand is to do next.
enum Task {
    /// Records about slots it has.
    Run(Batch),
    /// These slots go away, and come back.
    Lend(Vec<HashSlot>, SyncSender<Slots>, Receiver<Slots>),
    /// The same, from the other side: a record for which others lend slots.
    RunTogether(Batch, Vec<(Receiver<Slots>, SyncSender<Slots>)>),
}

/// Which record could not run, by its segment, and why.
pub(super) type HandError = (usize, ReplayError);

/// What came of a load.
#[derive(Default)]
pub(super) struct Done {
    /// Commands that ran.
    pub(super) commands: u64,
    /// Commands that answered with an error.
    pub(super) failed: u64,
}

/// A thread with some of the slots.
struct Hand {
    store: Store,
    /// One for each segment.
    replays: Vec<Replay>,
    /// Hand 0 has them: what changes them concerns all slots.
    libraries: LibraryTexts,
    error: Option<HandError>,
}

/// The threads, seen from the one that gives them work.
pub(super) struct Hands<'scope> {
    threads: Vec<ScopedJoinHandle<'scope, Hand>>,
    tasks: Vec<SyncSender<Task>>,
    /// What each is given next.
    batches: Vec<Batch>,
    /// The database each segment has selected.
    selected: Vec<u32>,
    /// How many databases there are.
    databases: u32,
    /// A hand has given up.
    is_over: bool,
}

impl<'scope> Hands<'scope> {
    /// Shares the slots of a store out to so many threads, for records of so many segments.
    pub(super) fn start(
        scope: &'scope Scope<'scope, '_>,
        store: &mut Store,
        libraries: LibraryTexts,
        hand_count: usize,
        segment_count: usize,
    ) -> Self {
        let (mut tasks, mut threads) = (Vec::new(), Vec::new());
        let mut libraries = Some(libraries);
        for store in share_out(store, hand_count) {
            let (sender, receiver) = sync_channel(BATCHES_MAX);
            let hand = Hand {
                store,
                replays: (0..segment_count).map(|_| Replay::of_part()).collect(),
                libraries: libraries.take().unwrap_or_default(),
                error: None,
            };
            tasks.push(sender);
            threads.push(scope.spawn(move || hand.work(&receiver)));
        }
        let batches = (0..hand_count).map(|_| Batch::default()).collect();
        let (selected, databases) = (vec![0; segment_count], store.settings().databases);
        Self { threads, tasks, batches, selected, databases, is_over: false }
    }

    fn of_slot(&self, slot: u16) -> usize {
        usize::from(slot) * self.tasks.len() / usize::from(HashSlot::COUNT)
    }

    /// Gives a record to whoever has its slots, behind all before it; whether there is any use in
    /// going on. `is_global` says that it concerns all slots.
    pub(super) fn give(&mut self, segment: usize, record: &Record, is_global: bool) -> bool {
        let db = self.selected[segment];
        if let Some(db) = last_selected(record).filter(|db| *db < self.databases) {
            self.selected[segment] = db;
        }
        let mut hands = record.slots.iter().map(|(slot, _)| self.of_slot(*slot));
        match hands.next() {
            Some(hand) if !is_global && hands.all(|other| other == hand) => {
                let batch = &self.batches[hand];
                if !batch.heads.is_empty()
                    && batch.commands.byte_count() + record.byte_count() > BATCH_BYTES
                {
                    self.send(hand);
                }
                self.batches[hand].push(segment, db, record);
                if self.batches[hand].is_full() {
                    self.send(hand);
                }
            }
            Some(_) if !is_global => self.give_together(segment, db, record, |hands, hand| {
                let slots = record.slots.iter().filter(|(slot, _)| hands.of_slot(*slot) == hand);
                slots.filter_map(|(slot, _)| HashSlot::new(*slot)).collect()
            }),
            _ => self.give_together(segment, db, record, |hands, hand| {
                HashSlot::all().filter(|slot| hands.of_slot(slot.number()) == hand).collect()
            }),
        }
        !self.is_over
    }

    /// Gives a record to the first hand that has slots of it, which the others lend theirs.
    fn give_together(
        &mut self,
        segment: usize,
        db: u32,
        record: &Record,
        slots_of: impl Fn(&Self, usize) -> Vec<HashSlot>,
    ) {
        let mut runner = None;
        let mut ways = Vec::new();
        for hand in 0..self.tasks.len() {
            let slots = slots_of(self, hand);
            if slots.is_empty() {
                continue;
            }
            self.send(hand);
            if runner.is_none() {
                runner = Some(hand);
                continue;
            }
            let (lend, lent) = sync_channel(1);
            let (give_back, given_back) = sync_channel(1);
            self.order(hand, Task::Lend(slots, lend, given_back));
            ways.push((lent, give_back));
        }
        let mut batch = Batch::default();
        batch.push(segment, db, record);
        let runner = runner.expect("every slot is with some hand");
        self.order(runner, Task::RunTogether(batch, ways));
    }

    /// Sends what was put together for a hand.
    fn send(&mut self, hand: usize) {
        if !self.batches[hand].heads.is_empty() {
            let batch = std::mem::take(&mut self.batches[hand]);
            self.order(hand, Task::Run(batch));
        }
    }

    fn order(&mut self, hand: usize, task: Task) {
        self.is_over |= self.tasks[hand].send(task).is_err();
    }

    /// Waits until all is done, and gives the slots back to the store they came from.
    ///
    /// # Errors
    /// A record that could not run. Then slots may be missing.
    pub(super) fn finish(mut self, store: &mut Store) -> (LibraryTexts, Result<Done, HandError>) {
        (0..self.tasks.len()).for_each(|hand| self.send(hand));
        drop(self.tasks);
        let (mut libraries, mut result) = (None, Ok(Done::default()));
        for thread in self.threads {
            let hand = thread.join().expect("a thread that loads does not panic");
            libraries.get_or_insert(hand.libraries);
            crate::parallel::take_back(store, hand.store);
            result = result.and_then(|mut done: Done| {
                done.commands += hand.replays.iter().map(|replay| replay.applied).sum::<u64>();
                done.failed += hand.replays.iter().map(|replay| replay.failed).sum::<u64>();
                hand.error.map_or(Ok(done), Err)
            });
        }
        (libraries.unwrap_or_default(), result)
    }
}

impl Hand {
    /// Does what it is given until there is no more, or something cannot be done.
    fn work(mut self, tasks: &Receiver<Task>) -> Self {
        while self.error.is_none()
            && let Ok(task) = tasks.recv()
        {
            match task {
                Task::Run(batch) => self.run(&batch),
                Task::Lend(slots, lend, given_back) => self.lend(&slots, &lend, &given_back),
                Task::RunTogether(batch, ways) => self.run_together(&batch, ways),
            }
        }
        self
    }

    fn run(&mut self, batch: &Batch) {
        let mut commands = batch.commands.commands();
        for head in &batch.heads {
            let replay = &mut self.replays[head.segment];
            replay.select(head.db);
            for command in commands.by_ref().take(head.count) {
                if let Err(error) = replay.apply(&mut self.store, &mut self.libraries, command) {
                    self.error = Some((head.segment, error));
                    return;
                }
            }
            // What becomes free meanwhile is freed here: nobody waits.
            self.store.take_garbage();
        }
    }

    /// Whoever is to get or return slots and has given up has an error to tell: then they are lost,
    /// and so is the load.
    fn lend(&mut self, slots: &[HashSlot], lend: &SyncSender<Slots>, back: &Receiver<Slots>) {
        let take = |slot: &HashSlot| Some((*slot, self.store.take_slot(*slot)?));
        if lend.send(slots.iter().filter_map(take).collect()).is_ok()
            && let Ok(slots) = back.recv()
        {
            slots.into_iter().for_each(|(slot, content)| self.store.put_slot(slot, content));
        }
    }

    fn run_together(&mut self, batch: &Batch, ways: Vec<(Receiver<Slots>, SyncSender<Slots>)>) {
        let mut lent = Vec::new();
        for (way, back) in ways {
            let slots = way.recv().unwrap_or_default();
            lent.push((slots.iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), back));
            slots.into_iter().for_each(|(slot, content)| self.store.put_slot(slot, content));
        }
        self.run(batch);
        for (slots, back) in lent {
            let take = |slot: HashSlot| Some((slot, self.store.take_slot(slot)?));
            // Nobody waits for them if its hand has given up.
            let _ = back.send(slots.into_iter().filter_map(take).collect());
        }
    }
}

/// The database the last SELECT of a record leads to, if there is one; what is no number is for
/// whoever runs it to complain about.
fn last_selected(record: &Record) -> Option<u32> {
    let selects = record.commands().filter(|command| command.is(0, "select"));
    selects.last()?.get(1).and_then(parse_integer)?.try_into().ok()
}
