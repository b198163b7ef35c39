//! What replies wait for: `appendfsync always` as a state machine, without threads or sockets.
//!
//! What a core answers may tell of changes that are not on the disk yet, its own and those of other
//! cores. So the replies of a turn are put aside with the number of items every core had made by
//! then, and leave once all of these are on the disk. Cores go on meanwhile, which is what makes
//! one fsync serve all commands of several turns.
//!
//! ```text
//! turn 7: made [12, 9]    replies of turn 7 |            on the disk: [12, 8]
//! turn 8: made [14, 9]    replies of turn 8 |            turn 7 leaves with item 9 of core 1
//! ```
//!
//! Cores turn to a new generation one after the other. What the last of them still told in the old
//! one may be known to the first, which writes the new one already: so nothing of a generation is
//! written, and nothing that waits for it is told, before all of the one before is on the disk.
//! After a crash only the last generation that holds anything has to be cut.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use basalt_shard::journal::JournalBoard;
use basalt_shard::mutation::{self, Mutation};

use super::segment::Durable;

/// What was written between two cuts, or is being written: a segment of every core.
#[derive(Debug)]
pub struct Generation {
    number: u64,
    board: Arc<JournalBoard>,
    durable: Vec<Arc<Durable>>,
    /// The one before, until all of it is on the disk.
    before: Mutex<Option<Arc<Self>>>,
    /// Whether it was when this was last looked at.
    is_turn: AtomicBool,
}

impl Generation {
    /// A generation of so many cores in which nothing was made, and the one that is written now, if
    /// any is.
    pub fn new(number: u64, core_count: u16, before: Option<Arc<Self>>) -> Self {
        let durable = (0..core_count).map(|_| Arc::default()).collect();
        let (is_turn, before) = (AtomicBool::new(before.is_none()), Mutex::new(before));
        let board = Arc::new(JournalBoard::new(core_count));
        Self { number, board, durable, before, is_turn }
    }

    /// Whether everything of the generation before is on the disk: nothing of this one is written,
    /// or counts as safe, any earlier. O(1) once it is.
    pub fn may_be_written(&self) -> bool {
        if self.is_turn.load(SeqCst) {
            return true;
        }
        let mut before = self.before.lock().expect("nobody panics while holding it");
        let is_over = before.as_ref().is_none_or(|before| {
            before.durable.iter().all(|durable| durable.is_over()) && before.may_be_written()
        });
        if is_over {
            *before = None;
            self.is_turn.store(true, SeqCst);
        }
        is_over
    }

    /// Its number in the manifest.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where cores count what they make.
    pub fn board(&self) -> &Arc<JournalBoard> {
        &self.board
    }

    /// How far the segment of core number `core` is.
    pub fn durable(&self, core: usize) -> &Arc<Durable> {
        &self.durable[core]
    }

    /// Items every core has made by now.
    pub fn made(&self) -> Vec<u64> {
        (0..self.durable.len()).map(|core| self.board.items(core)).collect()
    }

    /// Whether so many items of every core are as safe as `appendfsync` wants them.
    pub fn is_durable(&self, items: &[u64]) -> bool {
        let is_enough = |(durable, items): (&Arc<Durable>, &u64)| durable.items() >= *items;
        mutation::is_on(Mutation::AcknowledgedEarly)
            || self.durable.iter().zip(items).all(is_enough) && self.may_be_written()
    }

    /// Whether so many items of every core are on the disk, whatever `appendfsync` wants.
    pub fn is_synced(&self, items: &[u64]) -> bool {
        let is_enough = |(durable, items): (&Arc<Durable>, &u64)| durable.synced_items() >= *items;
        self.durable.iter().zip(items).all(is_enough) && self.may_be_written()
    }

    /// Bytes of all segments.
    pub fn written_bytes(&self) -> u64 {
        self.durable.iter().map(|durable| durable.bytes()).sum()
    }

    /// Bytes that are not in the files of this generation and of those before yet.
    pub fn unwritten_bytes(&self) -> u64 {
        self.sum(|durable| durable.unwritten_bytes())
    }

    /// Segments of this generation and of those before for which an fsync is under way, or due and
    /// not done.
    pub fn pending_syncs(&self) -> u64 {
        self.sum(|durable| u64::from(durable.is_sync_pending()))
    }

    /// Adds up what there is of all segments that may not be on the disk.
    fn sum(&self, figure: impl Fn(&Durable) -> u64 + Copy) -> u64 {
        let own: u64 = self.durable.iter().map(|durable| figure(durable)).sum();
        let before = self.before.lock().expect("nobody panics while holding it").clone();
        own + before.map_or(0, |before| before.sum(figure))
    }

    /// Number of the error that keeps any segment from being written; 0 for none.
    pub fn error(&self) -> i32 {
        let errors = self.durable.iter().map(|durable| durable.error());
        errors.into_iter().find(|error| *error != 0).unwrap_or(0)
    }
}

/// What a turn has to tell, and what that waits for.
struct Turn<T> {
    generation: Arc<Generation>,
    items: Vec<u64>,
    content: T,
    bytes: usize,
}

/// What the turns of one core have to tell, in order, while it waits for the disk.
pub struct Held<T> {
    turns: VecDeque<Turn<T>>,
    bytes: usize,
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self { turns: VecDeque::new(), bytes: 0 }
    }
}

impl<T> Held<T> {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What waits, oldest first.
    pub fn contents(&self) -> impl Iterator<Item = &T> {
        self.turns.iter().map(|turn| &turn.content)
    }

    /// What a turn that ends now would have to wait for; `None` if it may be told at once. To be
    /// asked after everything that the turn answers was done. O(cores).
    pub fn wait_for(&self, generation: &Generation) -> Option<Vec<u64>> {
        let items = generation.made();
        let is_free = self.is_empty() && generation.is_durable(&items);
        (!is_free).then_some(items)
    }

    /// Puts something of `bytes` bytes aside until `items` of `generation` are on the disk.
    pub fn push(&mut self, generation: Arc<Generation>, items: Vec<u64>, content: T, bytes: usize) {
        self.bytes += bytes;
        self.turns.push_back(Turn { generation, items, content, bytes });
    }

    /// The oldest of what waits, if it waits for nothing any more. O(cores).
    pub fn pop(&mut self) -> Option<T> {
        let front = self.turns.front()?;
        if !front.generation.is_durable(&front.items) {
            return None;
        }
        let turn = self.turns.pop_front()?;
        self.bytes -= turn.bytes;
        Some(turn.content)
    }
}

#[cfg(test)]
mod tests {
    use super::super::segment::{Segment, SyncPolicy};
    use super::*;
    use crate::disk::DiskFile;

    /// A file that takes everything.
    struct Nowhere;

    impl DiskFile for Nowhere {
        fn append(&mut self, _: &[&[u8]]) -> std::io::Result<()> {
            Ok(())
        }

        fn sync(&mut self) -> std::io::Result<()> {
            Ok(())
        }

        fn truncate(&mut self, _: u64) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn turns_leave_in_order_once_all_they_may_tell_of_is_safe() {
        let generation = Arc::new(Generation::new(1, 2, None));
        let mut held = Held::default();
        assert_eq!(held.wait_for(&generation), None);
        held.push(Arc::clone(&generation), vec![1, 1], "first", 5);
        held.push(Arc::clone(&generation), vec![1, 2], "second", 6);
        assert_eq!((held.bytes(), held.pop()), (11, None));
        assert!(held.wait_for(&generation).is_some(), "nothing overtakes what waits");
        let mut segments = [0, 1].map(|core| {
            let durable = Arc::clone(generation.durable(core));
            Segment::new(Box::new(Nowhere), 0, SyncPolicy::Always, durable)
        });
        let mut write = |core: usize, items: u64| {
            segments[core].push(b"x", items);
            segments[core].flush(false);
        };
        write(1, 2);
        assert_eq!(held.pop(), None, "the other core's item is missing");
        write(0, 1);
        assert_eq!(held.pop(), Some("first"));
        assert_eq!(held.pop(), Some("second"));
        assert_eq!((held.bytes(), held.pop()), (0, None));
    }
}
