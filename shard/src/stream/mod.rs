//! Streams: entries in the order of their ids, and groups of consumers that share reading them.
//!
//! | file | holds |
//! |---|---|
//! | `log`, `range`, `trim` | the entries: adding, finding, walking, cutting off |
//! | `block`, `entry`, `varint` | how entries are written: about a hundred in a run of bytes |
//! | `group`, `groups` | consumer groups, their consumers and pending entries |
//! | `idle` | pending entries by when they were delivered |
//! | `transfer` | blocks whole, on their way to files and from them |
//! | `runs` | the sorted sequence all of them are kept in |
//! | `id` | ids |
//!
//! Nothing here knows of commands, events or replies. Files and replication walk a stream by
//! [`Stream::log`] and [`Stream::groups`], and build one with [`Log::push_block`], the setters of
//! [`Log`], [`Stream::create_group`] and, within [`Stream::change_group`],
//! [`Group::create_consumer`] and [`Group::assign`].
//!
//! An empty stream is a value: it keeps its last id and its groups, and its key stays.

mod block;
mod entry;
mod group;
mod groups;
mod id;
mod idle;
mod log;
mod range;
mod runs;
mod transfer;
mod trim;
mod varint;

#[cfg(test)]
mod tests;

pub use block::BlockLimit;
pub use entry::{Entry, Fields};
pub use group::{Consumer, ConsumerId, Group, Pending};
pub use id::StreamId;
pub use log::{AppendError, Log, fits};
pub use range::{Range, ReversedRange};
pub(crate) use transfer::{BlockBuilder, BlockView};
pub use trim::{Threshold, Trim};

use crate::table::{Footprint, size_class};
use groups::Groups;
use std::ptr::NonNull;

/// A stream.
#[derive(Clone, Debug, Default)]
pub struct Stream(Box<Parts>);

#[derive(Clone, Debug, Default)]
struct Parts {
    log: Log,
    groups: Groups,
}

/// What becomes of pending entries whose entry is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// They stay (`KEEPREF`).
    #[default]
    Keep,
    /// They go too (`DELREF`).
    Remove,
    /// The entry stays as long as there are some, or a group has yet to read it (`ACKED`).
    Spare,
}

/// What came of deleting an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// There is no such entry.
    Missing,
    /// It is gone.
    Done,
    /// It stays, for groups still refer to it.
    Spared,
}

impl Footprint for Stream {
    fn footprint_bytes(&self) -> usize {
        size_class(size_of::<Parts>())
            + self.0.log.footprint_bytes()
            + self.0.groups.footprint_bytes()
    }

    #[inline]
    fn first_block(&self) -> Option<NonNull<u8>> {
        Some(NonNull::from(&*self.0).cast())
    }
}

impl Stream {
    /// The entries.
    pub fn log(&self) -> &Log {
        &self.0.log
    }

    /// The entries, for change.
    pub fn log_mut(&mut self) -> &mut Log {
        &mut self.0.log
    }

    /// Sets the greatest id that was given out. O(1), and O(groups) if it was greater: then ids of
    /// entries that are gone may come again, and what groups have noted of these is void.
    pub fn set_last_id(&mut self, id: StreamId) {
        if id < self.log().last_id() {
            self.0.groups.forget_delivery_orders();
        }
        self.log_mut().set_last_id(id);
    }

    /// Number of groups. O(1).
    pub fn group_len(&self) -> usize {
        self.0.groups.len()
    }

    /// The groups, by name.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.0.groups.iter()
    }

    /// The group of that name. O(log groups).
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.0.groups.get(name)
    }

    /// Lets `change` work on the group of that name, beside the entries. O(log groups).
    pub fn change_group<R>(
        &mut self,
        name: &[u8],
        change: impl FnOnce(&mut Group, &Log) -> R,
    ) -> Option<R> {
        let Parts { log, groups } = &mut *self.0;
        groups.change(name, |group| change(group, log))
    }

    /// Adds a group that has read up to `last_id`; whether that name was free. O(log groups).
    pub fn create_group(
        &mut self,
        name: &[u8],
        last_id: StreamId,
        entries_read: Option<u64>,
    ) -> bool {
        self.0.groups.create(name, last_id, entries_read)
    }

    /// Removes a group; whether there was one. O(log groups).
    pub fn destroy_group(&mut self, name: &[u8]) -> bool {
        self.0.groups.destroy(name)
    }

    /// Whether a group has yet to read an entry, or has it pending. O(groups * log pending).
    pub fn is_referenced(&self, id: StreamId) -> bool {
        self.groups().any(|group| group.last_id() < id || group.find_pending(id).is_some())
    }

    /// Deletes an entry. O(log n), and O(groups * log pending) if references matter.
    pub fn delete(&mut self, id: StreamId, references: References) -> Deletion {
        if !self.log().contains(id) {
            return Deletion::Missing;
        }
        if !self.release(id, references) {
            return Deletion::Spared;
        }
        self.log_mut().delete(id);
        Deletion::Done
    }

    /// Does with the references to an entry what is to be done; whether the entry may go.
    fn release(&mut self, id: StreamId, references: References) -> bool {
        match references {
            References::Keep => true,
            References::Remove => {
                self.0.groups.forget(id);
                true
            }
            References::Spare => !self.is_referenced(id),
        }
    }
}
