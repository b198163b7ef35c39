//! How many commands a user may send: `user-rate-limit`.
//!
//! The directive holds entries `name:per-second[:burst]`; the name `*` stands for every user that
//! has no entry of its own, each counted by itself. Without a burst it is the rate.
//!
//! ```text
//! user-rate-limit "reports:100 app:50000:100000 *:1000"
//! ```
//!
//! A user has one bucket of tokens for the whole server, whatever cores its connections are at. A
//! command takes one where it arrives; it is refused where there is none. A bucket is one number:
//! the moment at which it would be full again if nobody took from it (the *generic cell rate
//! algorithm*). So taking a token is one compare-and-swap, and only users that are limited pay it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// Most tokens a second, and most in a bucket.
const TOKENS_MAX: u64 = 1_000_000_000;

const NS_PER_SECOND: u64 = 1_000_000_000;

/// The name that stands for users without an entry of their own.
const OTHERS: &[u8] = b"*";

/// The tokens of one user.
#[derive(Debug)]
pub struct Bucket {
    /// Commands a second, in the long run.
    pub per_second: u64,
    /// Commands at once.
    pub burst: u64,
    full_at_ns: AtomicU64,
}

impl Bucket {
    fn new(per_second: u64, burst: u64) -> Self {
        Self { per_second, burst, full_at_ns: AtomicU64::new(0) }
    }

    fn interval_ns(&self) -> u64 {
        (NS_PER_SECOND / self.per_second).max(1)
    }

    /// Takes a token at `now_ns` on some monotonic clock; whether there was one.
    pub fn take(&self, now_ns: u64) -> bool {
        let interval_ns = self.interval_ns();
        let spare_ns = (self.burst - 1).saturating_mul(interval_ns);
        let taken = |full_at_ns: u64| {
            let full_at_ns = full_at_ns.max(now_ns);
            (full_at_ns - now_ns <= spare_ns).then(|| full_at_ns.saturating_add(interval_ns))
        };
        self.full_at_ns.fetch_update(Relaxed, Relaxed, taken).is_ok()
    }

    /// Gives back a token that was taken for a command that is offered again.
    pub fn give_back(&self) {
        let given = |full_at_ns: u64| Some(full_at_ns.saturating_sub(self.interval_ns()));
        let _ = self.full_at_ns.fetch_update(Relaxed, Relaxed, given);
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    name: Box<[u8]>,
    per_second: u64,
    burst: u64,
}

/// The limits of all users. Two are equal if they say the same.
#[derive(Debug, Default)]
pub struct RateLimits {
    rules: Vec<Rule>,
    /// Of users that were asked for. Locked when somebody connects or logs in.
    buckets: Mutex<BTreeMap<Box<[u8]>, Arc<Bucket>>>,
}

impl PartialEq for RateLimits {
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules
    }
}

impl RateLimits {
    /// Reads the value of the directive.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let entries = text.split(|byte| *byte == b' ').filter(|entry| !entry.is_empty());
        let mut rules: Vec<Rule> = Vec::new();
        for entry in entries {
            let rule = parse_rule(entry)?;
            if rules.iter().any(|known| known.name == rule.name) {
                return Err("user-rate-limit names a user twice");
            }
            rules.push(rule);
        }
        Ok(Self { rules, buckets: Mutex::default() })
    }

    /// Whether nobody is limited.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The bucket of a user; none if it is not limited. O(entries).
    pub fn of(&self, user: &[u8]) -> Option<Arc<Bucket>> {
        let with_name = |name: &[u8]| self.rules.iter().find(|rule| *rule.name == *name);
        let rule = with_name(user).or_else(|| with_name(OTHERS))?;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets
            .entry(user.into())
            .or_insert_with(|| Arc::new(Bucket::new(rule.per_second, rule.burst)));
        Some(Arc::clone(bucket))
    }
}

fn parse_rule(entry: &[u8]) -> Result<Rule, &'static str> {
    const SHAPE: &str = "user-rate-limit takes entries name:per-second[:burst]";
    let number = |text: &[u8]| {
        let number: Option<u64> = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        number
            .filter(|number| (1..=TOKENS_MAX).contains(number))
            .ok_or("user-rate-limit takes numbers from 1 to 1000000000")
    };
    let parts: Vec<&[u8]> = entry.split(|byte| *byte == b':').collect();
    let (name, per_second, burst) = match parts[..] {
        [name, per_second] => (name, number(per_second)?, number(per_second)?),
        [name, per_second, burst] => (name, number(per_second)?, number(burst)?),
        _ => return Err(SHAPE),
    };
    if name.is_empty() {
        return Err(SHAPE);
    }
    Ok(Rule { name: name.into(), per_second, burst })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_bucket_holds_the_burst_and_fills_at_the_rate() {
        let limits = RateLimits::parse(b"alice:10:3").expect("an entry");
        let bucket = limits.of(b"alice").expect("a limit");
        let now = 5000 * MS;
        assert_eq!([(); 4].map(|()| bucket.take(now)), [true, true, true, false]);
        assert!(!bucket.take(now + 99 * MS));
        assert!(bucket.take(now + 100 * MS));
        assert!(!bucket.take(now + 199 * MS));
        bucket.give_back();
        assert!(bucket.take(now + 199 * MS));
        // However long nobody asks, it holds no more.
        let later = now + 60_000 * MS;
        assert_eq!((0..10).filter(|_| bucket.take(later)).count(), 3);
    }

    #[test]
    fn users_share_a_bucket_with_themselves_only() {
        let limits = RateLimits::parse(b"alice:1 *:2:2").expect("entries");
        let bucket = |name: &[u8]| limits.of(name).expect("a limit");
        assert!(Arc::ptr_eq(&bucket(b"alice"), &bucket(b"alice")));
        assert_eq!((bucket(b"alice").per_second, bucket(b"alice").burst), (1, 1));
        assert!(!Arc::ptr_eq(&bucket(b"bob"), &bucket(b"carol")));
        assert_eq!(bucket(b"bob").burst, 2);
        assert!(RateLimits::parse(b"").expect("nothing").of(b"alice").is_none());
    }

    #[test]
    fn broken_entries_are_refused() {
        for bad in
            ["alice", "alice:", "alice:0", ":5", "a:1:2:3", "a:x", "a:1 a:2", "a:-1", "a:1:0"]
        {
            assert!(RateLimits::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(RateLimits::parse(b" a:1:2  b:3 "), RateLimits::parse(b"a:1:2 b:3"));
    }
}
