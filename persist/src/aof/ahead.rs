//! A segment that is read ahead: one thread finds its items, another does something with them.
//!
//! ```text
//! file --> Reader, on a thread --batches--> ReadAhead
//!                      ^--------spent batches--/
//! ```
//!
//! Finding items takes about as long as running the commands in them, so this halves the time of a
//! load. Batches go back and are filled again: nothing is allocated on the way.

use std::io::BufRead;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::item::{Damage, Item, Reader, Record};

/// Items of a batch at most ...
const ITEMS_MAX: usize = 512;
/// ... and bytes of their commands, from which on it is sent.
const BATCH_BYTES: usize = 256 * 1024;
/// Batches under way.
const BATCHES_MAX: usize = 4;

/// Whatever gives the items of a segment one by one.
pub trait Items {
    /// The next item; `None` at the end.
    ///
    /// # Errors
    /// If the rest is damaged: [`Items::good_bytes`] says from where on.
    fn next_item(&mut self) -> Result<Option<Item>, Damage>;

    /// The record that was read last.
    fn record(&self) -> &Record;

    /// Where the last complete item ended, in bytes from the start of the file.
    fn good_bytes(&self) -> u64;
}

impl<R: BufRead> Items for Reader<R> {
    fn next_item(&mut self) -> Result<Option<Item>, Damage> {
        Self::next_item(self)
    }

    fn record(&self) -> &Record {
        Self::record(self)
    }

    fn good_bytes(&self) -> u64 {
        Self::good_bytes(self)
    }
}

/// Some items, each with where it ended and what is in it, if it is a record.
#[derive(Default)]
struct Batch {
    items: Vec<(Item, u64)>,
    /// Records, of which the first `record_count` count.
    records: Vec<Record>,
    record_count: usize,
    /// How the segment ended, if it did.
    end: Option<Result<(), Damage>>,
}

impl Batch {
    /// Fills it anew.
    fn fill<R: BufRead>(&mut self, reader: &mut Reader<R>) {
        self.items.clear();
        self.record_count = 0;
        let start = reader.good_bytes();
        while self.items.len() < ITEMS_MAX
            && reader.good_bytes() - start < BATCH_BYTES as u64
            && self.end.is_none()
        {
            match reader.next_item() {
                Ok(None) => self.end = Some(Ok(())),
                Err(damage) => self.end = Some(Err(damage)),
                Ok(Some(item)) => {
                    if item == Item::Record {
                        if self.records.len() == self.record_count {
                            self.records.push(Record::default());
                        }
                        reader.swap_record(&mut self.records[self.record_count]);
                        self.record_count += 1;
                    }
                    self.items.push((item, reader.good_bytes()));
                }
            }
        }
    }
}

/// A segment that is read ahead.
pub struct ReadAhead {
    filled: Receiver<Batch>,
    spent: SyncSender<Batch>,
    batch: Batch,
    /// Items and records of the batch that were taken.
    taken: usize,
    records_taken: usize,
    good_bytes: u64,
    nothing: Record,
}

impl ReadAhead {
    /// Starts the thread that reads. It ends with the segment, or when this is dropped.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start<R: BufRead + Send + 'static>(mut reader: Reader<R>) -> std::io::Result<Self> {
        let (to_taker, filled) = sync_channel(BATCHES_MAX);
        let (spent, to_reader) = sync_channel::<Batch>(2 * BATCHES_MAX);
        let good_bytes = reader.good_bytes();
        std::thread::Builder::new().name("read-ahead".into()).spawn(move || {
            loop {
                let mut batch = to_reader.try_recv().unwrap_or_default();
                batch.fill(&mut reader);
                let is_over = batch.end.is_some();
                if to_taker.send(batch).is_err() || is_over {
                    return;
                }
            }
        })?;
        let batch = Batch::default();
        let nothing = Record::default();
        Ok(Self { filled, spent, batch, taken: 0, records_taken: 0, good_bytes, nothing })
    }

    /// Takes the next batch.
    fn turn_over(&mut self) {
        let next = self.filled.recv().expect("the thread sends how the segment ends");
        let spent = std::mem::replace(&mut self.batch, next);
        (self.taken, self.records_taken) = (0, 0);
        // One that finds no room is not needed any more.
        let _ = self.spent.try_send(spent);
    }
}

impl Items for ReadAhead {
    fn next_item(&mut self) -> Result<Option<Item>, Damage> {
        while self.taken == self.batch.items.len() {
            match &self.batch.end {
                None => self.turn_over(),
                Some(Ok(())) => return Ok(None),
                Some(Err(damage)) => return Err(damage.again()),
            }
        }
        let (item, good_bytes) = &mut self.batch.items[self.taken];
        self.taken += 1;
        self.good_bytes = *good_bytes;
        self.records_taken += usize::from(*item == Item::Record);
        Ok(Some(std::mem::replace(item, Item::Record)))
    }

    fn record(&self) -> &Record {
        match self.records_taken {
            0 => &self.nothing,
            count => &self.batch.records[count - 1],
        }
    }

    fn good_bytes(&self) -> u64 {
        self.good_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_ahead_is_what_is_read() {
        let mut text = Vec::new();
        for number in 0..3000 {
            text.extend_from_slice(format!("#S:7:{number}\r\n*1\r\n$4\r\nPING\r\n").as_bytes());
            if number % 5 == 0 {
                text.extend_from_slice(b"#TS:9\r\n");
            }
        }
        text.extend_from_slice(b"*1\r\n$4\r\nPI");
        let mut plain = Reader::new(&text[..], 0);
        let copy: &'static [u8] = text.clone().leak();
        let mut ahead = ReadAhead::start(Reader::new(copy, 0)).expect("there is a thread");
        loop {
            let (one, other) = (plain.next_item(), ahead.next_item());
            assert_eq!(plain.good_bytes(), ahead.good_bytes());
            match (one, other) {
                (Ok(Some(one)), Ok(Some(other))) => {
                    assert_eq!(one, other);
                    if one == Item::Record {
                        assert_eq!(plain.record(), ahead.record());
                    }
                }
                (Err(Damage::Truncated), Err(Damage::Truncated)) => return,
                other => panic!("{other:?}"),
            }
        }
    }
}
