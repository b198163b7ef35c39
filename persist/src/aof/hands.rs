//! The records of files, run by several threads.
//!
//! ```text
//! segments --> merge, on the thread that loads --records--> hand 0, with its share of the slots
//!                                              \--records--> hand 1, with its share
//! ```
//!
//! The merge gives records in an order in which they may run, and a single file has one. Records
//! of one slot have to run in it, others need not: each goes to the hand that has its slots, and a
//! hand takes what it is given one after the other. Those over slots of several hands, and what
//! concerns all slots, are gathered ([`Joint`]) and run at one of them; the others give it what it
//! needs when they come to that place, and wait until they have it back:
//!
//! ```text
//! hand 0:  a   b   lends 7 ------------------.    gets 7 back   e
//! hand 1:  c   d   gets 7, runs the records --'   f
//! ```
//!
//! Whoever waits does so for one that has come to the same records, or is still busy with what
//! comes before them, and the first that are not done have nobody to wait for: so nothing stands
//! still for ever, however short the queues are.
//!
//! Segments of several cores name the slots of their records, others have to be asked for the keys
//! of their commands. Nothing is trusted: a command that needs a slot it is not known to need ends
//! the load. Of all records that cannot run the first is told, as if one thread had run them.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use basalt_shard::command::LastLookup;
use basalt_shard::hash::HashSlot;
use basalt_shard::number::parse_integer;
use basalt_shard::replay::{Foreseen, Programs, Reach, Replay, ReplayError, reach};
use basalt_shard::slot::Slot;
use basalt_shard::store::Store;

use super::batch::{Batch, Head, Joint};
use super::item::Record;
use crate::parallel::{part_of, share_out};

/// Batches under way to one hand.
const BATCHES_MAX: usize = 4;
/// Commands that are looked up before the first of them runs. The memory of so many can be on its
/// way into the cache without pushing itself out again.
const FORESEEN_MAX: usize = 32;

type Slots = Vec<(HashSlot, Box<Slot>)>;

/// What a hand is to do next.
enum Task {
    /// Records about slots it has.
    Run(Batch),
    /// These slots go away, and come back.
    Lend(Vec<HashSlot>, SyncSender<Slots>, Receiver<Slots>),
    /// The same, from the other side: records for which others lend slots.
    RunTogether(Batch, Vec<(Receiver<Slots>, SyncSender<Slots>)>),
}

/// A record that could not run.
pub(super) struct HandError {
    /// Which one it is in the order of all.
    number: u64,
    /// The segment it is from.
    pub(super) segment: usize,
    /// Why.
    pub(super) error: ReplayError,
}

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
    replay: Replay,
    /// Hand 0 has them: what goes to them concerns all slots.
    programs: Programs,
    /// Commands that are about to run.
    foreseen: Vec<Result<Foreseen, ReplayError>>,
    /// Where batches go when they are done.
    spent: SyncSender<Batch>,
    error: Option<HandError>,
}

/// The threads, seen from the one that gives them work.
pub(super) struct Hands<'scope> {
    threads: Vec<ScopedJoinHandle<'scope, Hand>>,
    tasks: Vec<SyncSender<Task>>,
    /// Batches that can be filled again.
    spent: Receiver<Batch>,
    /// What each is given next.
    batches: Vec<Batch>,
    /// What runs behind that.
    joint: Joint,
    /// The database each segment has selected.
    selected: Vec<u32>,
    /// How many databases there are.
    databases: u32,
    last_lookup: LastLookup,
    /// Slots of the record at hand.
    slots: Vec<HashSlot>,
    /// Records so far.
    count: u64,
    /// A hand has given up.
    is_over: bool,
}

impl<'scope> Hands<'scope> {
    /// Shares the slots of a store out to so many threads, for records of so many segments.
    pub(super) fn start(
        scope: &'scope Scope<'scope, '_>,
        store: &mut Store,
        programs: Programs,
        hand_count: usize,
        segment_count: usize,
    ) -> Self {
        let (mut tasks, mut threads) = (Vec::new(), Vec::new());
        let (to_filler, spent) = sync_channel(hand_count * (BATCHES_MAX + 2));
        let mut programs = Some(programs);
        for store in share_out(store, hand_count) {
            let (sender, receiver) = sync_channel(BATCHES_MAX);
            let hand = Hand {
                store,
                replay: Replay::of_part(),
                programs: programs.take().unwrap_or_default(),
                foreseen: Vec::with_capacity(FORESEEN_MAX),
                spent: to_filler.clone(),
                error: None,
            };
            tasks.push(sender);
            threads.push(scope.spawn(move || hand.work(&receiver)));
        }
        Self {
            threads,
            tasks,
            spent,
            batches: (0..hand_count).map(|_| Batch::default()).collect(),
            joint: Joint::default(),
            selected: vec![0; segment_count],
            databases: store.settings().databases,
            last_lookup: LastLookup::default(),
            slots: Vec::new(),
            count: 0,
            is_over: false,
        }
    }

    fn of_slot(&self, slot: HashSlot) -> usize {
        part_of(slot, self.tasks.len())
    }

    /// Gives a record that names its slots to whoever has them, behind all before it; whether there
    /// is any use in going on. `is_global` says that it concerns all slots.
    pub(super) fn give(&mut self, segment: usize, record: &Record, is_global: bool) -> bool {
        self.slots.clear();
        self.slots.extend(record.slots.iter().filter_map(|(slot, _)| HashSlot::new(*slot)));
        let is_about_all = is_global || self.slots.is_empty();
        self.give_found(segment, record, is_about_all)
    }

    /// The same for a record of a single file, where the keys of its commands say which slots these
    /// are.
    pub(super) fn give_plain(&mut self, record: &Record) -> bool {
        let mut slots = std::mem::take(&mut self.slots);
        slots.clear();
        let mut is_about_all = false;
        for command in record.commands() {
            let reach = reach(&self.last_lookup, command, |slot| slots.push(slot));
            is_about_all |= reach == Reach::Everything;
        }
        self.slots = slots;
        self.give_found(0, record, is_about_all)
    }

    fn give_found(&mut self, segment: usize, record: &Record, is_about_all: bool) -> bool {
        let (number, db) = (self.count, self.selected[segment]);
        self.count += 1;
        if let Some(db) = last_selected(record).filter(|db| *db < self.databases) {
            self.selected[segment] = db;
        }
        match self.only_hand(is_about_all) {
            Some(hand) => {
                if !self.batches[hand].has_room(record) {
                    self.send(hand);
                }
                self.batches[hand].push(number, segment, db, record);
                if self.batches[hand].is_full() {
                    self.send(hand);
                }
            }
            None => {
                if !self.joint.batch.has_room(record) {
                    self.send_joint();
                }
                self.joint.note(&self.slots, is_about_all);
                self.joint.batch.push(number, segment, db, record);
                if self.joint.batch.is_full() {
                    self.send_joint();
                }
            }
        }
        !self.is_over
    }

    /// Who can run the record at hand alone, and before whatever is gathered to be run together.
    fn only_hand(&self, is_about_all: bool) -> Option<usize> {
        if self.tasks.len() == 1 {
            return Some(0);
        }
        if is_about_all || self.joint.touches(&self.slots) {
            return None;
        }
        let mut hands = self.slots.iter().map(|slot| self.of_slot(*slot));
        // What is about no slot at all can run anywhere.
        let hand = hands.next().unwrap_or(0);
        hands.all(|other| other == hand).then_some(hand)
    }

    /// Sends what was gathered to the first hand that has slots of it, which the others lend
    /// theirs.
    fn send_joint(&mut self) {
        if self.joint.batch.is_empty() {
            return;
        }
        let joint = std::mem::take(&mut self.joint);
        let mut runner = None;
        let mut ways = Vec::new();
        for hand in 0..self.tasks.len() {
            let slots = joint.slots(|slot| self.of_slot(slot) == hand);
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
        let runner = runner.expect("what is gathered is about some slot");
        self.order(runner, Task::RunTogether(joint.batch, ways));
    }

    /// Sends what was put together for a hand.
    fn send(&mut self, hand: usize) {
        if !self.batches[hand].is_empty() {
            let next = self.spent.try_recv().unwrap_or_default();
            let batch = std::mem::replace(&mut self.batches[hand], next);
            self.order(hand, Task::Run(batch));
        }
    }

    fn order(&mut self, hand: usize, task: Task) {
        self.is_over |= self.tasks[hand].send(task).is_err();
    }

    /// Waits until all is done, and gives the slots back to the store they came from.
    ///
    /// # Errors
    /// The first record that could not run. Then slots may be missing.
    pub(super) fn finish(mut self, store: &mut Store) -> (Programs, Result<Done, HandError>) {
        self.send_joint();
        (0..self.tasks.len()).for_each(|hand| self.send(hand));
        drop(self.tasks);
        let (mut programs, mut done) = (None, Done::default());
        let mut first_error: Option<HandError> = None;
        for thread in self.threads {
            let hand = thread.join().expect("a thread that loads does not panic");
            programs.get_or_insert(hand.programs);
            crate::parallel::take_back(store, hand.store);
            done.commands += hand.replay.applied;
            done.failed += hand.replay.failed;
            let errors = first_error.into_iter().chain(hand.error);
            first_error = errors.min_by_key(|error| error.number);
        }
        (programs.unwrap_or_default(), first_error.map_or(Ok(done), Err))
    }
}

impl Hand {
    /// Does what it is given until there is no more, or something cannot be done.
    fn work(mut self, tasks: &Receiver<Task>) -> Self {
        while self.error.is_none()
            && let Ok(task) = tasks.recv()
        {
            match task {
                Task::Run(batch) => self.run(batch),
                Task::Lend(slots, lend, given_back) => self.lend(&slots, &lend, &given_back),
                Task::RunTogether(batch, ways) => self.run_together(batch, ways),
            }
        }
        self
    }

    /// Runs the records of a batch, up to the first that cannot run.
    fn run(&mut self, batch: Batch) {
        let mut lines = batch.lines();
        let mut current = None;
        loop {
            let next = lines.clone().take(FORESEEN_MAX);
            let foresee = |(head, line): (Head, _)| self.replay.foresee(&self.store, head.db, line);
            self.foreseen.extend(next.map(foresee));
            Foreseen::prefetch(&self.store, self.foreseen.iter().flatten());
            if self.foreseen.is_empty() {
                break;
            }
            for (foreseen, (head, line)) in self.foreseen.drain(..).zip(lines.by_ref()) {
                if current.replace(head.number) != Some(head.number) {
                    self.replay.select(head.db);
                }
                let (replay, programs) = (&mut self.replay, &mut self.programs);
                let ran = foreseen
                    .and_then(|foreseen| replay.run(&mut self.store, programs, foreseen, line));
                if let Err(error) = ran {
                    let Head { number, segment, .. } = head;
                    self.error = Some(HandError { number, segment, error });
                    return;
                }
            }
            // What becomes free meanwhile is freed here: nobody waits.
            self.store.take_garbage();
        }
        drop(lines);
        if let Some(batch) = batch.emptied() {
            // One that finds no room is not needed any more.
            let _ = self.spent.try_send(batch);
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

    fn run_together(&mut self, batch: Batch, ways: Vec<(Receiver<Slots>, SyncSender<Slots>)>) {
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
