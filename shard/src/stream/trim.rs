//! Cutting old entries off.
//!
//! Approximate trimming removes whole blocks only, which is what makes it cheap; blocks end where
//! they do in Redis, so the same entries go. What becomes of entries that groups still refer to is
//! up to the [`References`].

use super::id::StreamId;
use super::{References, Stream};

/// What is left after trimming.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// At most so many entries, the newest ones.
    Length(usize),
    /// The entries from this id on.
    Id(StreamId),
}

/// How a stream is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// What is left.
    pub threshold: Threshold,
    /// Whether only whole blocks go.
    pub is_approximate: bool,
    /// Most entries to remove; 0 for any number.
    pub limit: usize,
    /// What becomes of references to what goes.
    pub references: References,
}

impl Stream {
    /// Trims. Returns how many entries went. O(blocks and entries removed), and the entries kept
    /// for their references.
    pub fn trim(&mut self, trim: Trim) -> usize {
        let before = self.log().len();
        match trim.references {
            References::Keep => self.trim_blocks(trim),
            References::Remove | References::Spare => self.trim_each(trim),
        }
        before - self.log().len()
    }

    fn trim_blocks(&mut self, trim: Trim) {
        let log = self.log_mut();
        let mut removed = 0;
        while let Some((last, live)) = log.first_block() {
            let goes = match trim.threshold {
                Threshold::Length(length) if log.len() <= length => return,
                Threshold::Length(length) => log.len() - live >= length,
                Threshold::Id(id) => last < id,
            };
            if trim.limit > 0 && removed + live > trim.limit {
                return;
            }
            if !goes {
                break;
            }
            log.remove_first_block();
            removed += live;
        }
        if !trim.is_approximate {
            while !log.is_empty() && trim.threshold.excludes(log.first_id(), log.len()) {
                log.take_out(log.first_id());
            }
        }
    }

    /// Trims entry by entry, looking at what groups hold of each.
    fn trim_each(&mut self, trim: Trim) {
        let mut next = Some(StreamId::MIN);
        let mut removed = 0;
        while let Some(start) = next {
            let Some((ids, last, may_split)) = self.next_block_to_trim(start, trim) else { return };
            if trim.limit > 0 && removed + ids.len() > trim.limit {
                return;
            }
            let kept =
                |id: &StreamId| trim.references == References::Spare && self.is_referenced(*id);
            if trim.is_approximate && (may_split || ids.iter().any(kept)) {
                return;
            }
            for id in ids {
                if trim.threshold.excludes(id, self.log().len())
                    && self.release(id, trim.references)
                {
                    self.log_mut().take_out(id);
                    removed += 1;
                }
            }
            next = last.next();
        }
    }

    /// Ids of the entries of the first block from `start` on, its last id, and whether some of
    /// them stay; `None` if nothing is left to trim.
    fn next_block_to_trim(
        &self,
        start: StreamId,
        trim: Trim,
    ) -> Option<(Vec<StreamId>, StreamId, bool)> {
        let log = self.log();
        let last = log.block_end_from(start)?;
        let ids: Vec<StreamId> = log.range(start, last).map(|entry| entry.id).collect();
        if !trim.threshold.excludes(*ids.first()?, log.len()) {
            return None;
        }
        let stays = match trim.threshold {
            Threshold::Length(length) => log.len() - ids.len() < length,
            Threshold::Id(id) => last >= id,
        };
        Some((ids, last, stays))
    }
}

impl Threshold {
    /// Whether the entry `id` has to go while there are `length` of them.
    fn excludes(self, id: StreamId, length: usize) -> bool {
        match self {
            Self::Length(length_max) => length > length_max,
            Self::Id(first) => id < first,
        }
    }
}
