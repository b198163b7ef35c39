//! The journal of effects: what changed at this core, as commands that make the same change again.
//!
//! Every change is told here once, in the order of changes, in the words a stock Redis knows: the
//! command itself where it would do the same anywhere, else what it came to (an absolute time of
//! expiry, the members SPOP drew, the id XADD gave). The append-only file is made of these bytes,
//! and replication will be.
//!
//! # Text
//!
//! A *record* is what one command did, or one transaction: the slots it depends on, each with its
//! next number, and the commands, between MULTI and EXEC if there are several. Lines that start
//! with `#` are skipped by Redis.
//!
//! ```text
//! #S:12539:4,866:1      slot 12539 for the 4th time, slot 866 for the 1st
//! *3 $3 SET ...         the effects
//!
//! #G:2                  a barrier: all cores write this line, or the next,
//! #T:2                  once everything before it is done; what follows the latter
//! *1 $8 FLUSHALL        concerns all slots, and comes before what follows the former
//!
//! #D:1:17               what follows may depend on the first 17 items of core 1
//!
//! #O:3                  what follows is open: it counts only with the 3rd barrier
//! ```
//!
//! With one core there is one file with one order, and none of these lines is written: it is what a
//! stock Redis would have written.
//!
//! *Items* are records and barriers, counted per core. Numbers start anew with each generation of
//! files.
//!
//! # Why a reader can trust it
//!
//! * A slot is in one place, so the records of a slot have an order of their own, wherever they
//!   were written: a reader takes a record once its slots are exactly one number behind it.
//! * What a record depends on reached this core by a message or a socket, and was counted on the
//!   [`JournalBoard`] before it was sent. So the counts are read whenever a core takes in what has
//!   arrived, and told (`#D`) before the next item if they have grown. They never tell of anything
//!   later than what they stand before: "needs" leads back in time only, journals whose ends are
//!   lost can be cut back to a prefix of history, and no further than that. For the same reason
//!   everything counted at some moment is safe once all of it is on the disk.
//! * A barrier is no such need, for it leads ahead in time: it counts only with those of cores
//!   which have not got to it yet. So a core that is not there yet takes the items before it.
//! * What a client sends in one pipeline is run by several cores, each when it gets to it: a later
//!   command may be told here before an earlier one is elsewhere. From there on what any core tells
//!   is *open* until the next barrier, whatever that is for (`core/succession.rs`).
//!
//! While nobody listens all of this costs one test of a flag per change.

mod board;
mod text;

use std::sync::Arc;

use smallvec::SmallVec;

pub use board::JournalBoard;
pub use text::write_command;
use text::{append_pair, end_line, write_sequence};

use crate::arguments::Arguments;
use crate::command::Command;
use crate::core::message::Route;
use crate::hash::HashSlot;
use crate::mutation::{self, Mutation};
use crate::store::{Key, Store};

/// An effect on all slots at once.
#[derive(Clone, Debug)]
pub struct GlobalEffect {
    /// The database it is told in.
    pub db: u32,
    /// The command.
    pub parts: Vec<Vec<u8>>,
}

/// The journal of one core.
#[derive(Debug, Default)]
pub struct Journal {
    is_on: bool,
    /// Whether there are other journals beside this one.
    has_others: bool,
    core: usize,
    board: Option<Arc<JournalBoard>>,
    /// How many commands and groups are open, one in the other.
    depth: u32,
    /// Slots the open record is about; some more than once.
    slots: SmallVec<[HashSlot; 4]>,
    /// Effects of the open record.
    effects: Vec<u8>,
    effect_count: u32,
    /// Barriers the open record stands behind.
    record_barriers: u64,
    /// Whether the command that runs has changed anything.
    is_changed: bool,
    /// Whether it has said itself what it did.
    is_replaced: bool,
    selected: Option<u32>,
    /// Records that are complete.
    text: Vec<u8>,
    items: u64,
    barriers: u64,
    /// Items up to the last barrier, with it, and those before it and others right ahead of it.
    last_barrier: u64,
    before_barrier: u64,
    /// Items of every core when this one last took in what had arrived, and those it has told.
    noted: Vec<u64>,
    told: Vec<u64>,
    /// Whether the two differ.
    has_news: bool,
    /// Whether what is told is open, and whether that is told.
    is_open: bool,
    is_open_told: bool,
    timestamp: i64,
}

impl Journal {
    /// Whether anybody listens.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether others listen at other cores.
    pub fn has_others(&self) -> bool {
        self.has_others
    }

    /// Whether it matters that a command is run before an earlier one of its pipeline is: there are
    /// other journals, and what this one tells is not open anyway.
    #[inline]
    pub(crate) fn minds_pipelines(&self) -> bool {
        self.has_others & !self.is_open
    }

    /// A command is about to run, here or elsewhere, before an earlier one of its pipeline has:
    /// from now on what all cores tell is open. Returns whether this core is the first to say so
    /// since the last barrier.
    pub(crate) fn open(&mut self) -> bool {
        self.is_open = true;
        self.board.as_ref().is_some_and(|board| board.open_until(self.barriers + 1))
    }

    /// Begins a generation: every number starts anew. All cores do at one moment, at rest.
    pub fn begin(&mut self, core: usize, board: Arc<JournalBoard>) {
        let (depth, noted) = (self.depth, vec![0; board.core_count()]);
        let has_others = noted.len() > 1;
        let (told, board) = (noted.clone(), Some(board));
        *self =
            Self { is_on: true, has_others, core, depth, noted, told, board, ..Self::default() };
    }

    /// Nobody listens any more.
    pub fn end(&mut self) {
        *self = Self { depth: self.depth, ..Self::default() };
    }

    /// Notes what others have made by now. To be called after the core has looked how far its inbox
    /// is filled and what its sockets have received, and before it runs any of that.
    pub(crate) fn note_others(&mut self) {
        let Some(board) = &self.board else { return };
        // Of what has arrived, that it is open was said before it was sent.
        self.is_open |= self.has_others && board.opened() > self.barriers;
        for core in (0..self.noted.len()).filter(|core| *core != self.core) {
            let items = board.items_before_barrier(core, self.barriers).max(self.told[core]);
            self.has_news |= items != self.told[core];
            self.noted[core] = items;
        }
    }

    /// Tells what the next item may depend on, if that is more than before.
    #[inline]
    fn tell_needs(&mut self) {
        if self.has_news {
            self.has_news = false;
            self.tell_news();
        }
    }

    #[cold]
    fn tell_news(&mut self) {
        if mutation::is_on(Mutation::NeedsUntold) {
            return;
        }
        let mut line = String::new();
        for core in 0..self.noted.len() {
            if self.noted[core] != self.told[core] {
                self.told[core] = self.noted[core];
                append_pair(&mut line, 'D', core as u64, self.noted[core], &mut self.text);
            }
        }
        end_line(&mut line, &mut self.text);
    }

    /// Tells that what follows is open, if it is and that is not told yet.
    #[inline]
    fn tell_open(&mut self) {
        if self.is_open && !self.is_open_told && !mutation::is_on(Mutation::OpenUntold) {
            self.is_open_told = true;
            self.text.extend_from_slice(format!("#O:{}\r\n", self.barriers + 1).as_bytes());
        }
    }

    /// Tells that a slot has changed.
    pub(crate) fn touch(&mut self, slot: HashSlot) {
        self.is_changed = true;
        self.depend_on(slot);
    }

    fn depend_on(&mut self, slot: HashSlot) {
        if self.slots.last() != Some(&slot) {
            self.slots.push(slot);
        }
    }

    /// Adds an effect to the open record, beside what the command that runs is told as.
    pub(crate) fn add(&mut self, db: u32, parts: &[&[u8]]) {
        if self.is_on {
            self.write_effect(db, parts.len(), parts.iter().copied());
        }
    }

    /// Adds an effect instead of the command that runs, which is not told any more.
    pub(crate) fn replace(&mut self, db: u32, parts: &[&[u8]]) {
        if self.is_on {
            self.write_effect(db, parts.len(), parts.iter().copied());
            self.is_replaced = true;
        }
    }

    /// The command that runs reported a change that is none to anybody else.
    pub(crate) fn retract(&mut self) {
        self.is_replaced = true;
    }

    fn write_effect<'a>(
        &mut self,
        db: u32,
        count: usize,
        parts: impl Iterator<Item = &'a [u8]> + Clone,
    ) {
        select(&mut self.selected, db, &mut self.effects);
        write_command(&mut self.effects, count, parts);
        self.effect_count += 1;
    }

    /// Whether the command that runs is a record of its own: it stands in no group, has told
    /// nothing yet and changed one slot.
    #[inline]
    fn is_alone(&self) -> bool {
        (self.depth == 1)
            & (self.effect_count == 0)
            & (self.record_barriers == 0)
            & (self.slots.len() == 1)
    }

    /// An item is complete.
    #[inline]
    fn count_item(&mut self) {
        self.items += 1;
        let board = self.board.as_ref().expect("a journal that is on has a board");
        if self.last_barrier + 1 == self.items {
            // A barrier that tells counts with what it tells.
            board.publish_settled(self.core, self.items, self.barriers);
        } else {
            board.publish(self.core, self.items);
        }
    }

    /// Adds an effect on all slots to what this core tells; the others write the same barrier.
    fn stand_behind_barrier(&mut self, effect: &GlobalEffect) {
        self.record_barriers += 1;
        let parts = effect.parts.iter().map(Vec::as_slice);
        self.write_effect(effect.db, effect.parts.len(), parts);
    }

    fn write_barrier(&mut self, kind: char) {
        self.tell_needs();
        if self.items != self.last_barrier || self.barriers == 0 {
            self.before_barrier = self.items;
        }
        self.barriers += 1;
        (self.is_open, self.is_open_told) = (false, false);
        if let Some(board) = &self.board {
            board.publish_barrier(self.core, self.barriers, self.before_barrier);
        }
        self.items += 1;
        self.last_barrier = self.items;
        if self.has_others {
            self.text.extend_from_slice(format!("#{kind}:{}\r\n", self.barriers).as_bytes());
        }
    }

    /// All cores do something at one moment, of which another core tells, or which is nothing.
    fn stand_at_barrier(&mut self) {
        self.write_barrier('G');
        let board = self.board.as_ref().expect("a journal that is on has a board");
        board.publish_settled(self.core, self.items, self.barriers);
    }

    /// Whether there is something to take.
    #[inline]
    pub fn has_text(&self) -> bool {
        !self.text.is_empty()
    }

    /// Bytes that wait to be taken.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Items made so far.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Appends all complete records to `to`. With `unix_seconds` a line with the time goes ahead of
    /// them, if that has changed. If `to` is empty its memory serves the next records: nothing is
    /// copied.
    pub fn take(&mut self, to: &mut Vec<u8>, unix_seconds: Option<i64>) {
        if let Some(seconds) = unix_seconds.filter(|seconds| *seconds != self.timestamp) {
            self.timestamp = seconds;
            to.extend_from_slice(format!("#TS:{seconds}\r\n").as_bytes());
        }
        match to.is_empty() {
            true => std::mem::swap(to, &mut self.text),
            false => to.append(&mut self.text),
        }
    }
}

/// Turns what is told to a database, if it is in another.
#[inline]
fn select(selected: &mut Option<u32>, db: u32, to: &mut Vec<u8>) {
    if *selected != Some(db) {
        *selected = Some(db);
        write_select(db, to);
    }
}

#[cold]
fn write_select(db: u32, to: &mut Vec<u8>) {
    let number = db.to_string();
    let select: [&[u8]; 2] = [b"SELECT", number.as_bytes()];
    write_command(to, select.len(), select.into_iter());
}

impl Store {
    /// The journal of this core.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The same, to be drained, or turned on and off.
    pub fn journal_mut(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// Lets the slots that are here count their records from the start, for a new generation.
    pub fn restart_sequences(&mut self) {
        for slot in HashSlot::all() {
            if self.has_slot(slot) {
                self.slot_mut(slot).sequence = 0;
            }
        }
    }

    /// A command begins.
    #[inline]
    pub(crate) fn begin_journaled(&mut self) {
        self.journal.depth += 1;
    }

    /// A command that began with [`Store::begin_journaled`] is over: tells what it did, if it did
    /// anything and has not said so itself.
    pub(crate) fn end_journaled(
        &mut self,
        row: &Command,
        route: Route,
        db: u32,
        arguments: Arguments<'_>,
    ) {
        if self.journal.is_changed && !self.journal.is_replaced {
            if route != Route::Many && self.journal.is_alone() {
                return self.tell_alone(db, arguments);
            }
            self.journal.write_effect(db, arguments.len(), arguments.from(0));
            if route == Route::Many && !mutation::is_on(Mutation::ReadsUntold) {
                // What is only read has to be as it was when this runs again.
                row.for_each_key(arguments, |key| self.journal.depend_on(HashSlot::of_key(key)));
            }
        }
        self.end_group();
    }

    /// Tells a command that is a record of its own, as nearly all are, and so without a detour: the
    /// same text as [`Self::close_record`] would make of it.
    fn tell_alone(&mut self, db: u32, arguments: Arguments<'_>) {
        let slot = self.journal.slots[0];
        let sequence = self.journal.has_others.then(|| self.next_sequence(slot));
        let journal = &mut self.journal;
        journal.slots.clear();
        (journal.is_changed, journal.depth) = (false, 0);
        journal.tell_open();
        journal.tell_needs();
        if let Some(sequence) = sequence {
            write_sequence(slot.index() as u64, sequence, &mut journal.text);
        }
        select(&mut journal.selected, db, &mut journal.text);
        match arguments.as_request() {
            Some(request) => journal.text.extend_from_slice(request),
            None => write_command(&mut journal.text, arguments.len(), arguments.from(0)),
        }
        journal.count_item();
    }

    /// The number of the next record of a slot, which is counted.
    fn next_sequence(&mut self, slot: HashSlot) -> u64 {
        let content = self.slot_mut(slot);
        content.sequence += 1;
        content.sequence
    }

    /// Begins a group: whatever changes until its end is one record. Groups may lie in each other.
    /// Transactions are groups; whoever runs scripts makes each of them one.
    pub(crate) fn begin_group(&mut self) {
        self.journal.depth += u32::from(!mutation::is_on(Mutation::GroupSplit));
    }

    /// Ends a group. The slots of what changed must still be here.
    pub(crate) fn end_group(&mut self) {
        self.journal.is_changed = false;
        self.journal.is_replaced = false;
        self.journal.depth = self.journal.depth.saturating_sub(1);
        self.close_if_outside();
    }

    /// Closes the open record, unless a command or group runs that may add to it.
    pub(crate) fn close_if_outside(&mut self) {
        if self.journal.is_on && self.journal.depth == 0 {
            self.close_record();
        }
    }

    fn close_record(&mut self) {
        for _ in 0..std::mem::take(&mut self.journal.record_barriers) {
            self.journal.write_barrier('T');
        }
        if self.journal.effect_count == 0 {
            self.journal.slots.clear();
            return;
        }
        let mut slots = std::mem::take(&mut self.journal.slots);
        if !self.journal.has_others {
            slots.clear();
        }
        slots.sort_unstable();
        slots.dedup();
        self.journal.tell_open();
        self.journal.tell_needs();
        let mut line = String::new();
        for &slot in &slots {
            let sequence = self.next_sequence(slot);
            append_pair(&mut line, 'S', slot.index() as u64, sequence, &mut self.journal.text);
        }
        let Journal { text, effects, effect_count, .. } = &mut self.journal;
        end_line(&mut line, text);
        let is_group = std::mem::take(effect_count) > 1;
        if is_group {
            text.extend_from_slice(b"*1\r\n$5\r\nMULTI\r\n");
        }
        text.append(effects);
        if is_group {
            text.extend_from_slice(b"*1\r\n$4\r\nEXEC\r\n");
        }
        self.journal.count_item();
    }

    /// A key went away by itself: because its time had come, or to make room.
    pub(crate) fn journal_removal(&mut self, key: Key<'_>, lazily: bool) {
        let name: &[u8] = if lazily { b"UNLINK" } else { b"DEL" };
        self.journal_by_itself(key, &[name, key.name]);
    }

    /// Something happened to a key that no command did.
    pub(crate) fn journal_by_itself(&mut self, key: Key<'_>, parts: &[&[u8]]) {
        if self.journal.is_on {
            self.journal.add(key.db, parts);
            self.journal.depend_on(key.slot);
            self.close_if_outside();
        }
    }

    /// All cores do something at one moment. The core that `tells` writes the effect, or adds it
    /// to the transaction it is part of; the others only say when it was.
    pub(crate) fn journal_globally(&mut self, effect: &GlobalEffect, tells: bool) {
        if !self.journal.is_on {
            return;
        }
        if tells {
            self.journal.stand_behind_barrier(effect);
            self.close_if_outside();
        } else {
            self.journal.stand_at_barrier();
        }
    }

    /// Writes a barrier, as all cores do at one moment at which nobody runs anything: what was told
    /// before it is not open any more. Nothing happens where there are no other journals.
    pub fn settle_journal(&mut self) {
        if self.journal.has_others {
            self.journal.stand_at_barrier();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `journal` has told since this was last asked.
    fn text_of(journal: &mut Journal) -> String {
        let mut text = Vec::new();
        journal.take(&mut text, None);
        String::from_utf8(text).expect("lines are ASCII")
    }

    #[test]
    fn what_is_open_is_told_by_all_until_the_next_barrier() {
        let board = Arc::new(JournalBoard::new(2));
        let (mut one, mut other) = (Journal::default(), Journal::default());
        one.begin(0, Arc::clone(&board));
        other.begin(1, Arc::clone(&board));
        assert!(one.open(), "it is the first");
        assert!(!one.minds_pipelines() && other.minds_pipelines());
        other.note_others();
        assert!(!other.minds_pipelines() && !other.open(), "the other has said so");
        for journal in [&mut one, &mut other] {
            journal.tell_open();
            journal.tell_open();
            assert_eq!(text_of(journal), "#O:1\r\n");
            journal.stand_at_barrier();
            journal.note_others();
            journal.tell_open();
            assert_eq!(text_of(journal), "#G:1\r\n");
        }
        assert!(board.has_settled(board.opened()));
        assert!(other.open() && !board.has_settled(board.opened()));
        other.tell_open();
        assert_eq!(text_of(&mut other), "#O:2\r\n");
    }

    #[test]
    fn what_others_have_made_is_told_before_the_next_item() {
        let board = Arc::new(JournalBoard::new(3));
        let mut journal = Journal::default();
        journal.begin(1, Arc::clone(&board));
        journal.write_barrier('G');
        board.publish(2, 7);
        journal.write_barrier('G');
        journal.note_others();
        journal.write_barrier('G');
        journal.note_others();
        journal.write_barrier('G');
        let mut text = Vec::new();
        journal.take(&mut text, Some(5));
        assert_eq!(text, b"#TS:5\r\n#G:1\r\n#G:2\r\n#D:2:7\r\n#G:3\r\n#G:4\r\n");
        assert_eq!(journal.items(), 4);
    }

    #[test]
    fn a_barrier_that_is_still_to_come_is_no_need() {
        let board = Arc::new(JournalBoard::new(2));
        let (mut one, mut other) = (Journal::default(), Journal::default());
        one.begin(0, Arc::clone(&board));
        other.begin(1, Arc::clone(&board));
        (one.items, one.barriers) = (3, 0);
        one.write_barrier('G');
        one.write_barrier('G');
        board.publish(0, one.items);
        other.note_others();
        assert_eq!(other.noted, [3, 0], "both barriers are ahead of the other core");
        other.write_barrier('G');
        other.write_barrier('G');
        other.note_others();
        assert_eq!(other.noted, [5, 0]);
    }
}
