//! Who is interested in what: the names clients listen to, and the cores these clients are at.
//!
//! A [`Directory`] maps a name to the cores that have clients for it and how many each has. It
//! knows no client: which those are only their own core knows. There is one kind of directory in
//! two places:
//!
//! ```text
//! slot of a channel     channel  -> [(core, clients), ...]     moves with the slot
//! every core, equal     pattern  -> [(core, clients), ...]     changed by a tour of all cores
//! ```
//!
//! A channel belongs to the hash slot of its name, so subscribing to it and publishing on it are
//! done by one core at a time, in one order. Patterns and prefixes have no slot, and channels of
//! keyspace events are published on by whatever core changed a key; they are few, so every core
//! keeps all of them.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::core::CoreId;

/// What a name is to those who listen to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// SUBSCRIBE.
    Channel,
    /// SSUBSCRIBE.
    ShardChannel,
    /// PSUBSCRIBE.
    Pattern,
    /// `CLIENT TRACKING ON BCAST PREFIX`.
    Prefix,
}

/// How many kinds there are.
pub(crate) const KIND_COUNT: usize = 4;

/// What the names of the channels of keyspace events start with: those of keys, those of fields.
const EVENT_CHANNELS: [&[u8]; 2] = [b"__key", b"__subkey"];

impl Kind {
    /// Whether every core knows who listens to this name, rather than the owner of its slot.
    pub fn is_everywhere(self, name: &[u8]) -> bool {
        match self {
            Self::Channel => EVENT_CHANNELS.iter().any(|start| name.starts_with(start)),
            Self::ShardChannel => false,
            Self::Pattern | Self::Prefix => true,
        }
    }
}

/// The cores that have clients for a name, and how many each has.
pub type Members = SmallVec<[(CoreId, u32); 1]>;

/// Names of all kinds and the cores that have clients for each.
#[derive(Debug, Default)]
pub struct Directory {
    names: [BTreeMap<Box<[u8]>, Members>; KIND_COUNT],
}

impl Directory {
    /// Whether nobody listens to anything.
    pub fn is_empty(&self) -> bool {
        self.names.iter().all(BTreeMap::is_empty)
    }

    /// Counts one more client of a core. O(log names + cores).
    pub fn add(&mut self, kind: Kind, name: &[u8], core: CoreId) {
        let members = self.names[kind as usize].entry(name.into()).or_default();
        match members.iter_mut().find(|(other, _)| *other == core) {
            Some((_, count)) => *count += 1,
            None => members.push((core, 1)),
        }
    }

    /// Counts one client of a core less. O(log names + cores).
    ///
    /// # Panics
    /// If the core has none: whoever leaves has joined before.
    pub fn remove(&mut self, kind: Kind, name: &[u8], core: CoreId) {
        let names = &mut self.names[kind as usize];
        let members = names.get_mut(name).expect("who leaves a name has joined it");
        let index = members.iter().position(|(other, _)| *other == core);
        let index = index.expect("who leaves a name has joined it at this core");
        members[index].1 -= 1;
        if members[index].1 == 0 {
            members.remove(index);
        }
        if members.is_empty() {
            names.remove(name);
        }
    }

    /// The cores that have clients for a name. O(log names).
    pub fn members(&self, kind: Kind, name: &[u8]) -> &[(CoreId, u32)] {
        self.names[kind as usize].get(name).map_or(&[], |members| members)
    }

    /// Clients that listen to a name.
    pub fn count(&self, kind: Kind, name: &[u8]) -> i64 {
        self.members(kind, name).iter().map(|(_, count)| i64::from(*count)).sum()
    }

    /// All names of a kind, ascending, with the cores that have clients for each.
    pub fn names(&self, kind: Kind) -> impl Iterator<Item = (&[u8], &[(CoreId, u32)])> {
        self.names[kind as usize].iter().map(|(name, members)| (&**name, &**members))
    }

    /// How many names of a kind somebody listens to.
    pub fn len(&self, kind: Kind) -> usize {
        self.names[kind as usize].len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_core_and_forgets_who_left() {
        let mut directory = Directory::default();
        for core in [0, 1, 1] {
            directory.add(Kind::Channel, b"news", CoreId(core));
        }
        assert_eq!(directory.count(Kind::Channel, b"news"), 3);
        assert_eq!(directory.count(Kind::ShardChannel, b"news"), 0);
        directory.remove(Kind::Channel, b"news", CoreId(0));
        assert_eq!(directory.members(Kind::Channel, b"news"), &[(CoreId(1), 2)]);
        directory.remove(Kind::Channel, b"news", CoreId(1));
        directory.remove(Kind::Channel, b"news", CoreId(1));
        assert!(directory.is_empty());
    }

    #[test]
    fn channels_of_keyspace_events_are_known_everywhere() {
        assert!(Kind::Channel.is_everywhere(b"__keyspace@0__:key"));
        assert!(Kind::Channel.is_everywhere(b"__subkeyevent@0__:hset"));
        assert!(!Kind::Channel.is_everywhere(b"news"));
        assert!(!Kind::ShardChannel.is_everywhere(b"__keyspace@0__:key"));
        assert!(Kind::Pattern.is_everywhere(b"news.*"));
    }
}
