//! Sessions that may be resumed: `tls-session-caching` and the two directives beside it.
//!
//! One cache for all cores, since a client that comes back may reach another one. Its lock is taken
//! once or twice in a handshake, which costs a thousand times as much.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::server::StoresServerSessions;

use super::server::SessionCacheLimits;

struct Entry {
    session: Vec<u8>,
    /// Which of those in `order` it is, should a key come twice.
    number: u64,
    until: Instant,
}

#[derive(Default)]
struct Entries {
    by_key: HashMap<Vec<u8>, Entry>,
    /// Keys with the numbers of their entries, oldest first. Some are gone already.
    order: VecDeque<(u64, Vec<u8>)>,
    next_number: u64,
}

impl Entries {
    /// Makes room for one more: what is over, and if need be what is oldest, goes. O(1) amortised.
    fn make_room(&mut self, entries_max: usize, now: Instant) {
        while let Some((number, key)) = self.order.front() {
            let is_needed = match self.by_key.get(key) {
                Some(entry) if entry.number == *number => entry.until > now,
                _ => false,
            };
            if is_needed && self.order.len() < entries_max {
                return;
            }
            if self.by_key.get(key).is_some_and(|entry| entry.number == *number) {
                self.by_key.remove(key);
            }
            self.order.pop_front();
        }
    }
}

/// Remembered sessions, at most so many for at most so long.
pub(super) struct SessionCache {
    limits: SessionCacheLimits,
    entries: Mutex<Entries>,
}

impl SessionCache {
    /// An empty cache.
    pub(super) fn new(limits: SessionCacheLimits) -> SessionCache {
        assert!(limits.entries_max > 0, "a cache with room for nothing");
        SessionCache { limits, entries: Mutex::default() }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Entries) -> T) -> T {
        // Whatever a panic left behind is a cache still: a wrong session is refused by its peer.
        act(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for SessionCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SessionCache").field("limits", &self.limits).finish()
    }
}

impl StoresServerSessions for SessionCache {
    fn put(&self, key: Vec<u8>, session: Vec<u8>) -> bool {
        let now = Instant::now();
        let until = now + Duration::from_secs(u64::from(self.limits.lifetime_seconds));
        self.with(|entries| {
            entries.make_room(self.limits.entries_max, now);
            let number = entries.next_number;
            entries.next_number += 1;
            entries.order.push_back((number, key.clone()));
            entries.by_key.insert(key, Entry { session, number, until });
        });
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let now = Instant::now();
        self.with(|entries| {
            let entry = entries.by_key.get(key)?;
            (entry.until > now).then(|| entry.session.clone())
        })
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let now = Instant::now();
        let entry = self.with(|entries| entries.by_key.remove(key))?;
        (entry.until > now).then_some(entry.session)
    }

    fn can_cache(&self) -> bool {
        self.limits.lifetime_seconds > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(entries_max: usize, lifetime_seconds: u32) -> SessionCache {
        SessionCache::new(SessionCacheLimits { entries_max, lifetime_seconds })
    }

    fn key(number: u32) -> Vec<u8> {
        number.to_le_bytes().to_vec()
    }

    #[test]
    fn the_oldest_makes_room() {
        let cache = cache(3, 300);
        for number in 0..1000 {
            assert!(cache.put(key(number), vec![1]));
            assert!(cache.with(|entries| entries.by_key.len() <= 3 && entries.order.len() <= 3));
        }
        assert_eq!(cache.get(&key(999)), Some(vec![1]));
        assert_eq!(cache.get(&key(996)), None);
    }

    #[test]
    fn a_session_that_was_taken_is_gone() {
        let cache = cache(10, 300);
        cache.put(key(1), vec![7]);
        assert_eq!(cache.take(&key(1)), Some(vec![7]));
        assert_eq!(cache.take(&key(1)), None);
        assert_eq!(cache.get(&key(1)), None);
    }

    #[test]
    fn a_key_that_comes_twice_stays_for_its_second_time() {
        let cache = cache(2, 300);
        cache.put(key(1), vec![1]);
        cache.put(key(1), vec![2]);
        cache.put(key(2), vec![3]);
        assert_eq!(cache.get(&key(1)), Some(vec![2]));
    }

    #[test]
    fn without_a_lifetime_nothing_is_remembered() {
        let cache = cache(10, 0);
        assert!(!cache.can_cache());
        cache.put(key(1), vec![1]);
        assert_eq!(cache.get(&key(1)), None);
    }
}
