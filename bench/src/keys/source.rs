//! Where the keys of a connection come from: a sampler over a population, addressed or not.
//!
//! A *plain* population is the numbers below a count. A *slotted* population is a list of slots
//! with so many numbers each; number `i` lies in slot `slots[i % len]` with digits `i / len`.
//! A key is thus the same key whichever list names it: connections that know different slots
//! share one data set, and one prefill over all slots serves every list.

use std::sync::Arc;

use crate::keys::distribution::{Distribution, Sampler};
use crate::keys::shape::Key;
use crate::keys::slot::{self, Tag};

/// The keys a group of connections may use.
#[derive(Clone, Debug)]
pub(crate) enum Population {
    /// Numbers below `count`, in whatever slots they fall.
    Plain {
        /// How many keys.
        count: u64,
    },
    /// Numbers below `per_slot` in each of these slots.
    Slotted {
        /// One tag for each place in the list; a slot may be listed more than once.
        tags: Arc<[Tag]>,
        /// Keys of each slot.
        per_slot: u64,
    },
}

impl Population {
    /// The population of a list of slots.
    pub(crate) fn of_slots(slots: impl IntoIterator<Item = usize>, per_slot: u64) -> Self {
        let tags: Arc<[Tag]> = slots.into_iter().map(|slot| slot::tags()[slot]).collect();
        assert!(!tags.is_empty() && per_slot > 0, "a population without keys");
        Self::Slotted { tags, per_slot }
    }

    /// How many keys there are.
    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Plain { count } => *count,
            Self::Slotted { tags, per_slot } => tags.len() as u64 * per_slot,
        }
    }

    /// Whether keys carry a hash tag.
    pub(crate) fn is_tagged(&self) -> bool {
        matches!(self, Self::Slotted { .. })
    }

    /// Numbers that the digits of a key must be able to show.
    pub(crate) fn number_count(&self) -> u64 {
        match self {
            Self::Plain { count } => *count,
            Self::Slotted { per_slot, .. } => *per_slot,
        }
    }
}

/// Draws keys from a population. Clones share a sequential position.
#[derive(Clone, Debug)]
pub(crate) struct KeySource {
    population: Population,
    sampler: Sampler,
}

impl KeySource {
    /// A source over all keys of the population.
    pub(crate) fn new(population: Population, distribution: Distribution) -> Self {
        let sampler = Sampler::new(distribution, population.count());
        Self { population, sampler }
    }

    /// Whether every key was drawn by a distribution that visits each once.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.sampler.is_exhausted()
    }

    /// Starts a request: the keys drawn from the result lie in one slot, as multi-key commands
    /// demand of a cluster.
    pub(crate) fn request(&self) -> RequestKeys<'_> {
        RequestKeys { source: self, slot_index: None }
    }
}

/// Draws the keys of one request.
#[derive(Debug)]
pub(crate) struct RequestKeys<'a> {
    source: &'a KeySource,
    slot_index: Option<usize>,
}

impl RequestKeys<'_> {
    /// The next key of the request.
    #[inline]
    pub(crate) fn draw(&mut self, random: &mut fastrand::Rng) -> Key {
        let drawn = self.source.sampler.draw(random);
        match &self.source.population {
            Population::Plain { .. } => Key { tag: None, number: drawn },
            Population::Slotted { tags, .. } => {
                let slot_count = tags.len() as u64;
                let slot_index = self.slot_index.unwrap_or((drawn % slot_count) as usize);
                self.slot_index = Some(slot_index);
                Key { tag: Some(tags[slot_index]), number: drawn / slot_count }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::keys::slot::slot_of_tag;

    #[test]
    fn each_slotted_key_is_visited_once() {
        let slots = [5, 9, 16_383];
        let source = KeySource::new(Population::of_slots(slots, 4), Distribution::Once { step: 1 });
        let mut random = fastrand::Rng::with_seed(1);
        let mut seen = HashSet::new();
        while !source.is_exhausted() {
            let key = source.request().draw(&mut random);
            let slot = slot_of_tag(key.tag.expect("a slotted key"));
            assert!(slots.contains(&slot) && key.number < 4);
            assert!(seen.insert((slot, key.number)));
        }
        assert_eq!(seen.len(), 12);
    }

    #[test]
    fn keys_of_one_request_share_their_slot() {
        let source = KeySource::new(Population::of_slots(0..100, 50), Distribution::Uniform);
        let mut random = fastrand::Rng::with_seed(2);
        for _ in 0..100 {
            let mut request = source.request();
            let first = request.draw(&mut random);
            for _ in 0..10 {
                let next = request.draw(&mut random);
                assert_eq!(next.tag, first.tag);
                assert!(next.number < 50);
            }
        }
    }

    #[test]
    fn plain_keys_have_no_tag() {
        let source = KeySource::new(Population::Plain { count: 3 }, Distribution::Uniform);
        let key = source.request().draw(&mut fastrand::Rng::with_seed(3));
        assert!(key.tag.is_none() && key.number < 3);
    }
}
