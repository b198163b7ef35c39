//! The coldest keys that samples have shown so far, coldest last.
//!
//! Better than the coldest of one sample: what was nearly the coldest last time is still known. A
//! pool of 16, as Redis has. Keys are named, not pointed to: whatever happens to them meanwhile,
//! they are looked up again before they go.

use smallvec::SmallVec;

use crate::hash::HashSlot;
use crate::store::Key;

/// Keys a pool holds.
const POOL_MAX: usize = 16;

/// A key that may be evicted.
pub(crate) struct Candidate {
    pub(super) coldness: u64,
    slot: HashSlot,
    db: u32,
    hash: u64,
    name: SmallVec<[u8; 32]>,
}

impl Candidate {
    pub(crate) fn key(&self) -> Key<'_> {
        Key { name: &self.name, db: self.db, slot: self.slot, hash: self.hash }
    }
}

/// Candidates, coldest last.
#[derive(Default)]
pub(super) struct Pool(Vec<Candidate>);

impl Pool {
    /// Whether a key of this coldness would be taken.
    pub(super) fn wants(&self, coldness: u64) -> bool {
        self.0.len() < POOL_MAX || coldness > self.0[0].coldness
    }

    /// Takes a candidate in, unless it is there already; the warmest may have to leave. O(pool).
    pub(super) fn offer(&mut self, key: Key<'_>, coldness: u64) {
        let is_same =
            |other: &Candidate| (other.hash, other.slot, other.db) == (key.hash, key.slot, key.db);
        if !self.wants(coldness) || self.0.iter().any(is_same) {
            return;
        }
        if self.0.len() == POOL_MAX {
            self.0.remove(0);
        }
        let place = self.0.partition_point(|other| other.coldness <= coldness);
        let Key { name, db, slot, hash } = key;
        let candidate = Candidate { coldness, slot, db, hash, name: SmallVec::from_slice(name) };
        self.0.insert(place, candidate);
    }

    /// Takes the coldest out.
    pub(super) fn take_coldest(&mut self) -> Option<Candidate> {
        self.0.pop()
    }

    /// Puts back what was taken and not used.
    pub(super) fn put_back(&mut self, candidate: Candidate) {
        self.0.push(candidate);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &[u8]) -> Key<'_> {
        let hash = u64::from(name[0]);
        Key { name, db: 0, slot: HashSlot::of_key(name), hash }
    }

    #[test]
    fn the_coldest_leave_first_and_the_warmest_are_pushed_out() {
        let mut pool = Pool::default();
        for number in 0..40 {
            pool.offer(key(&[number]), u64::from(number) * 7 % 40);
        }
        let drawn: Vec<u64> =
            std::iter::from_fn(|| pool.take_coldest()).map(|found| found.coldness).collect();
        let expected: Vec<u64> = (24..40).rev().collect();
        assert_eq!(drawn, expected);
    }

    #[test]
    fn a_key_is_in_the_pool_once() {
        let mut pool = Pool::default();
        pool.offer(key(b"a"), 5);
        pool.offer(key(b"a"), 9);
        assert!(pool.take_coldest().is_some());
        assert!(pool.take_coldest().is_none());
    }
}
