//! The records of several segments in an order in which they may run again.
//!
//! A slot has an order of its own, by the numbers of its records, wherever these were written; a
//! barrier has a place in every segment. A segment is read on for as long as its next record is the
//! next of all its slots; then the turn goes to another. Records that no order fits are damage: the
//! segments have been cut to a prefix of history before, so every predecessor is there. Where that
//! has not happened, because there is most likely nothing to cut off, the segments are surveyed on
//! the way, so that it can be found out behind the last record.

use super::ahead::Items;
use super::cut::{Survey, Surveyor};
use super::item::{Damage, Item, Record};

/// Number of hash slots.
const SLOTS: usize = 16_384;

/// A segment that is merged.
struct Source<R> {
    reader: R,
    /// Items of it to be taken; as many as there are, where that is not known.
    left: Option<u64>,
    /// Whether there are no more.
    is_over: bool,
    surveyor: Surveyor,
    /// What was read and not taken yet.
    ahead: Option<Item>,
}

/// What is wrong with segments that are merged.
#[derive(Debug)]
pub enum MergeError {
    /// Segment number so is damaged.
    Damaged(usize, Damage),
    /// The records of the segments fit no order: something is missing, or stands twice.
    Disordered,
}

impl std::fmt::Display for MergeError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged(_, damage) => damage.fmt(formatter),
            Self::Disordered => {
                formatter.write_str("records of a slot are missing or out of order")
            }
        }
    }
}

/// Merges segments.
pub struct Merge<R> {
    sources: Vec<Source<R>>,
    /// The number of the last record of each slot.
    sequences: Vec<u64>,
    /// Barriers passed.
    barriers: u64,
    /// The segment whose turn it is.
    turn: usize,
    /// Segments in a row that could not go on.
    stuck: usize,
    /// The segment that tells what the last barrier was about, until it has.
    teller: Option<usize>,
}

impl<R: Items> Merge<R> {
    /// Merges segments, of each of which so many items count, or all if that is not known.
    pub fn new(segments: impl Iterator<Item = (R, Option<u64>)>) -> Self {
        let source = |(reader, left)| Source {
            reader,
            left,
            is_over: left == Some(0),
            surveyor: Surveyor::default(),
            ahead: None,
        };
        Self {
            sources: segments.map(source).collect(),
            sequences: vec![0; SLOTS],
            barriers: 0,
            turn: 0,
            stuck: 0,
            teller: None,
        }
    }

    /// The next record, the segment it comes from, and whether it is what a barrier was about;
    /// `None` once all were taken.
    ///
    /// # Errors
    /// If a segment is damaged where it should not be, or records fit no order.
    pub fn next_record(&mut self) -> Result<Option<(usize, &Record, bool)>, MergeError> {
        loop {
            if self.stuck == self.sources.len() {
                if self.sources.iter().all(|source| source.is_over && source.ahead.is_none()) {
                    return Ok(None);
                }
                if !self.pass_barrier() {
                    return Err(MergeError::Disordered);
                }
            }
            let turn = self.teller.unwrap_or(self.turn);
            let source = &mut self.sources[turn];
            source.look().map_err(|damage| MergeError::Damaged(turn, damage))?;
            if source.ahead == Some(Item::Record)
                && is_next(&self.sequences, source.reader.record())
            {
                source.take();
                let is_told = self.teller.take().is_some();
                self.stuck = 0;
                let record = self.sources[turn].reader.record();
                for &(slot, sequence) in &record.slots {
                    self.sequences[usize::from(slot)] = sequence;
                }
                return Ok(Some((turn, record, is_told)));
            }
            if self.teller.take().is_some() && !matches!(source.ahead, Some(Item::Barrier { .. })) {
                return Err(MergeError::Disordered);
            }
            self.stuck += 1;
            self.turn = (turn + 1) % self.sources.len();
        }
    }

    /// All segments wait: goes on if all of them do so for the same barrier.
    fn pass_barrier(&mut self) -> bool {
        let next = self.barriers + 1;
        let is_there = |source: &Source<R>| match source.ahead {
            Some(Item::Barrier { number, .. }) => number == next,
            _ => false,
        };
        if !self.sources.iter().all(is_there) {
            return false;
        }
        self.barriers = next;
        let tells =
            |source: &Source<R>| matches!(source.ahead, Some(Item::Barrier { tells: true, .. }));
        self.teller = self.sources.iter().position(tells);
        self.sources.iter_mut().for_each(Source::take);
        self.stuck = 0;
        true
    }

    /// The surveys of segments that were read to their ends.
    pub fn into_surveys(self) -> Vec<Survey> {
        let survey = |source: Source<R>| source.surveyor.finish(source.reader.good_bytes(), None);
        self.sources.into_iter().map(survey).collect()
    }
}

impl<R: Items> Source<R> {
    /// Takes what was read.
    fn take(&mut self) {
        self.ahead = None;
        if let Some(left) = &mut self.left {
            *left -= 1;
            self.is_over = *left == 0;
        }
    }

    /// Sees to it that the next record or barrier is read.
    fn look(&mut self) -> Result<(), Damage> {
        while self.ahead.is_none() && !self.is_over {
            let start = self.reader.good_bytes();
            let item = self.reader.next_item()?;
            if self.left.is_none()
                && let Some(item) = &item
            {
                self.surveyor.note(item, start);
            }
            match item {
                None if self.left.is_some() => return Err(Damage::Truncated),
                None => self.is_over = true,
                Some(Item::Needs(_) | Item::Open(_) | Item::Time(_)) => {}
                item => self.ahead = item,
            }
        }
        Ok(())
    }
}

/// Whether a record comes right behind the records of its slots so far.
fn is_next(sequences: &[u64], record: &Record) -> bool {
    let follows = |&(slot, sequence): &(u16, u64)| {
        sequences.get(usize::from(slot)).is_some_and(|last| last + 1 == sequence)
    };
    record.slots.iter().all(follows)
}

#[cfg(test)]
mod tests {
    use super::super::item::Reader;
    use super::*;

    fn names(texts: &[&str], items: &[u64]) -> Result<Vec<String>, MergeError> {
        let readers = texts.iter().map(|text| Reader::new(text.as_bytes(), 0));
        let mut merge = Merge::new(readers.zip(items.iter().map(|items| Some(*items))));
        let mut names = Vec::new();
        while let Some((_, record, _)) = merge.next_record()? {
            let command = record.commands().next().expect("a record has a command");
            names.push(String::from_utf8_lossy(command.at(0)).into_owned());
        }
        Ok(names)
    }

    fn command(slots: &str, name: &str) -> String {
        format!("#S:{slots}\r\n*1\r\n${}\r\n{name}\r\n", name.len())
    }

    #[test]
    fn records_of_a_slot_keep_their_order_across_segments() {
        let one = command("7:1", "a") + &command("7:3,8:2", "d");
        let other = command("7:2", "b") + &command("8:1", "c");
        let order = names(&[&other, &one], &[2, 2]).expect("there is an order");
        assert_eq!(order, ["a", "b", "c", "d"]);
    }

    #[test]
    fn a_barrier_waits_for_all() {
        let one = "#T:1\r\n*1\r\n$5\r\nflush\r\n".to_owned() + &command("7:2", "after");
        let other = command("7:1", "before") + "#G:1\r\n" + &command("8:1", "late");
        let order = names(&[&other, &one], &[3, 3]).expect("there is an order");
        assert_eq!(order, ["before", "flush", "late", "after"]);
    }

    #[test]
    fn a_missing_record_is_found() {
        let gap = command("7:2", "b");
        assert!(matches!(names(&[&gap], &[1]), Err(MergeError::Disordered)));
    }
}
