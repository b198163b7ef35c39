//! What an exact LRU cache would have found: the yardstick of a policy that samples.
//!
//! A server that needs less memory for a key holds more of them, and finds more for that alone.
//! A cache of as many keys that always drops the one unused for longest tells how much of a hit
//! rate is owed to the room, and how near the policy comes.
//!
//! Keys are indices into two arrays, which link those held into a ring, the most recent first. One
//! index beyond the keys is the ring's head:
//!
//! ```text
//!          older                older                older
//!   head --------> most recent --------> ... --------> least recent --------> head
//! ```

use crate::harness::eviction::sequence::{Demand, Hits, Sequence};

/// Most keys an index can tell apart, the head and the mark of absent ones aside.
pub(super) const KEY_COUNT_MAX: u64 = ABSENT as u64 - 1;

/// Stands for the newer neighbour of a key that is not held.
const ABSENT: u32 = u32::MAX;

/// A cache of so many keys.
#[derive(Debug)]
struct ExactLru {
    newer: Vec<u32>,
    older: Vec<u32>,
    head: u32,
    held: u64,
    capacity: u64,
}

impl ExactLru {
    /// An empty cache for keys below `key_count`. Takes 8 bytes for each of them.
    fn new(key_count: u64, capacity: u64) -> Self {
        assert!(key_count <= KEY_COUNT_MAX, "{key_count} keys are too many for an index");
        let head = key_count as u32;
        let places = key_count as usize + 1;
        let mut cache = Self {
            newer: vec![ABSENT; places],
            older: vec![ABSENT; places],
            head,
            held: 0,
            capacity,
        };
        cache.newer[head as usize] = head;
        cache.older[head as usize] = head;
        cache
    }

    /// Whether a key is held; if so, it becomes the most recent. O(1).
    fn find(&mut self, key: u64) -> bool {
        let key = key as u32;
        if self.newer[key as usize] == ABSENT {
            return false;
        }
        self.unlink(key);
        self.link(key);
        true
    }

    /// Holds a key as the most recent, for which the least recent may have to go. O(1).
    fn insert(&mut self, key: u64) {
        if self.find(key) {
            return;
        }
        self.link(key as u32);
        self.held += 1;
        if self.held > self.capacity {
            let victim = self.newer[self.head as usize];
            self.unlink(victim);
            self.held -= 1;
        }
    }

    fn link(&mut self, key: u32) {
        let second = self.older[self.head as usize];
        self.older[key as usize] = second;
        self.newer[key as usize] = self.head;
        self.newer[second as usize] = key;
        self.older[self.head as usize] = key;
    }

    fn unlink(&mut self, key: u32) {
        let (newer, older) = (self.newer[key as usize], self.older[key as usize]);
        debug_assert!(newer != ABSENT && key != self.head, "only held keys are in the ring");
        self.older[newer as usize] = older;
        self.newer[older as usize] = newer;
        self.newer[key as usize] = ABSENT;
    }
}

/// What a cache of `capacity` keys finds when it is asked as a server is: for all keys of a round
/// at once, and then given those that were not there. O(requests).
pub(super) fn simulate(demand: &Demand, seed: u64, capacity: u64) -> Hits {
    let mut cache = ExactLru::new(demand.key_count, capacity);
    let mut sequence = Sequence::new(demand, seed);
    let (mut keys, mut missed) = (Vec::new(), Vec::new());
    let mut hits = Hits::default();
    while let Some(phase) = sequence.next_round(&mut keys) {
        missed.clear();
        missed.extend(keys.iter().copied().filter(|key| !cache.find(*key)));
        missed.iter().for_each(|key| cache.insert(*key));
        hits.add(phase, keys.len(), keys.len() - missed.len());
    }
    hits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::distribution::Distribution;

    #[test]
    fn the_least_recent_key_goes() {
        let mut cache = ExactLru::new(5, 2);
        cache.insert(0);
        cache.insert(4);
        assert!(cache.find(0));
        cache.insert(2);
        assert_eq!([0, 2, 4].map(|key| cache.find(key)), [true, true, false]);
        cache.insert(2);
        assert!(cache.find(0), "a key that is held takes no other's place");
    }

    #[test]
    fn a_cache_without_room_holds_nothing() {
        let mut cache = ExactLru::new(3, 0);
        cache.insert(1);
        assert!(!cache.find(1));
        assert_eq!(cache.held, 0);
    }

    #[test]
    fn it_does_what_a_plain_list_does() {
        let seed = 21;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut cache = ExactLru::new(40, 13);
        let mut list: Vec<u64> = Vec::new();
        for step in 0..20_000 {
            let key = random.u64(0..40);
            let place = list.iter().position(|held| *held == key);
            assert_eq!(cache.find(key), place.is_some(), "seed {seed}, step {step}");
            match place {
                Some(index) => drop(list.remove(index)),
                None => cache.insert(key),
            }
            list.insert(0, key);
            list.truncate(13);
            assert_eq!(cache.held, list.len() as u64, "seed {seed}, step {step}");
        }
    }

    #[test]
    fn room_for_all_misses_each_key_once_and_more_room_finds_more() {
        let distribution = Distribution::Zipf { theta: 0.99 };
        let demand =
            Demand { distribution, key_count: 3000, request_count: 60_000, connections: 2 };
        let cyclic = Demand { distribution: Distribution::Sequential, ..demand };
        assert_eq!(simulate(&cyclic, 1, 3000), Hits { requests: 39_968, found: 39_968 });
        assert_eq!(simulate(&cyclic, 1, 2000).found, 0, "each key goes just before its turn");
        let found = [300, 600, 1200].map(|capacity| simulate(&demand, 3, capacity).found);
        assert!(found[0] < found[1] && found[1] < found[2], "{found:?}");
    }
}
