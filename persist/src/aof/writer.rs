//! The segments of one core, one after the other: what a thread does for them, without the thread,
//! so that a simulation can do it step by step.
//!
//! ```text
//! unfinished: generation 4, 5 (over, not all of it is on the disk)    part: generation 6 (grows)
//! ```
//!
//! Nothing of a generation is written before everything of the one before is on the disk, at every
//! core. So a segment that is over may have to wait for another core, or for a disk that fails; the
//! next one is kept in memory meanwhile.

use std::sync::Arc;

use super::commit::Generation;
use super::segment::{Segment, SyncPolicy};
use crate::disk::DiskFile;

/// A segment, and the generation it is part of.
struct Part {
    segment: Segment,
    generation: Arc<Generation>,
}

impl Part {
    /// Whether there is any point in trying now: a disk that fails is tried again when that is
    /// `due`, not with every batch.
    fn may_try(&self, due: bool) -> bool {
        (due || !self.segment.has_failed()) && self.generation.may_be_written()
    }
}

/// What writes the segments of one core.
pub struct SegmentWriter {
    core: usize,
    policy: SyncPolicy,
    /// Segments that are over, but not on the disk yet, oldest first.
    unfinished: Vec<Part>,
    part: Option<Part>,
}

impl SegmentWriter {
    /// What writes for core number `core`; nothing, yet.
    pub fn new(core: usize, policy: SyncPolicy) -> Self {
        Self { core, policy, unfinished: Vec::new(), part: None }
    }

    /// From now on batches go to `file`, behind `length` bytes that are safe; it is part of
    /// `generation`. The segment before is over.
    pub fn begin(&mut self, file: Box<dyn DiskFile>, length: u64, generation: Arc<Generation>) {
        self.close();
        let durable = Arc::clone(generation.durable(self.core));
        let segment = Segment::new(file, length, self.policy, durable);
        self.part = Some(Part { segment, generation });
    }

    /// Takes a batch, after which the core has told so many items.
    ///
    /// # Panics
    /// If no segment has begun.
    pub fn append(&mut self, bytes: &[u8], items: u64) {
        let part = self.part.as_mut().expect("a segment begins before it grows");
        part.segment.push(bytes, items);
    }

    /// Changes the policy.
    pub fn set_policy(&mut self, policy: SyncPolicy) {
        self.policy = policy;
        if let Some(part) = &mut self.part {
            part.segment.set_policy(policy);
        }
    }

    /// Whether replies wait for what is written.
    pub fn is_awaited(&self) -> bool {
        self.policy == SyncPolicy::Always
    }

    /// Whether it is the turn of the oldest segment that is not on the disk.
    pub fn may_write(&self) -> bool {
        let first = self.unfinished.first().or(self.part.as_ref());
        first.is_none_or(|part| part.generation.may_be_written())
    }

    /// Whether segments that are over have to be brought to the disk yet.
    pub fn has_unfinished(&self) -> bool {
        !self.unfinished.is_empty()
    }

    /// Whether [`Self::flush`] would bring anything to the disk now.
    pub fn is_behind(&self, due: bool) -> bool {
        match self.unfinished.first() {
            Some(oldest) => oldest.may_try(due),
            None => self.may_write_on(due) && (due || self.is_awaited()),
        }
    }

    /// Whether the present segment has something to write and may.
    pub fn may_write_on(&self, due: bool) -> bool {
        let is_ready = |part: &Part| part.segment.is_dirty() && part.may_try(due);
        self.unfinished.is_empty() && self.part.as_ref().is_some_and(is_ready)
    }

    /// A flush of the present segment begins soon.
    pub fn announce_flush(&mut self, due: bool) {
        if let Some(part) = &mut self.part {
            part.segment.announce_flush(due);
        }
    }

    /// Writes what there is, the oldest first, and brings it to the disk if that is `due`, or
    /// always done. Returns whether anything was tried.
    pub fn flush(&mut self, due: bool) -> bool {
        let is_late = match self.unfinished.first() {
            Some(oldest) if !oldest.may_try(due) => return false,
            oldest => oldest.is_some(),
        };
        if is_late && !self.finish_older() {
            return true;
        }
        let writes_on = self.may_write_on(due);
        if let Some(part) = self.part.as_mut().filter(|_| writes_on) {
            part.segment.flush(due);
        }
        is_late || writes_on
    }

    /// The present segment is over.
    pub fn close(&mut self) {
        if let Some(mut part) = self.part.take() {
            let is_next = self.unfinished.is_empty() && part.generation.may_be_written();
            if !is_next || !part.segment.close() {
                self.unfinished.push(part);
            }
        }
    }

    /// Brings segments that are over to the disk; whether that worked for all of them.
    pub fn finish_older(&mut self) -> bool {
        while let Some(oldest) = self.unfinished.first_mut() {
            if !oldest.generation.may_be_written() || !oldest.segment.close() {
                break;
            }
            self.unfinished.remove(0);
        }
        let error = self.unfinished.first().map_or(0, |oldest| oldest.segment.error());
        if let Some(part) = &self.part {
            part.segment.note_error(error);
        }
        self.unfinished.is_empty()
    }
}
