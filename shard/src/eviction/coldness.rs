//! How much a key deserves to go, under each policy.
//!
//! *Coldness* orders keys within a core: whole numbers, higher goes first. A *level* compares
//! cores: the logarithm of the same thing, so that "colder by a fifth" is the same difference
//! everywhere and an average is not ruled by outliers. Random policies know no colder key; there
//! the level is how well the keys of a core survive, so that all give up equally.

use super::census::Scope;
use crate::object::Object;
use crate::settings::MaxmemoryPolicy;
use crate::store::Store;
use crate::table::Entry;

/// A core whose level is higher than one's own by more than this is colder. For idle times and
/// times to live that is a fifth, for use counters one step.
pub(super) const TOLERANCE: f64 = 0.25;

/// What a policy goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Seconds since the last use or change.
    Idle,
    /// Use counter.
    Uses,
    /// Time to live.
    Ttl,
    /// Nothing.
    Random,
}

/// The order and the scope of a policy, or `None` if it evicts nothing.
pub(super) fn plan(policy: MaxmemoryPolicy) -> Option<(Order, Scope)> {
    use MaxmemoryPolicy::*;
    Some(match policy {
        NoEviction => return None,
        AllKeysLru | AllKeysLrm => (Order::Idle, Scope::All),
        AllKeysLfu => (Order::Uses, Scope::All),
        AllKeysRandom => (Order::Random, Scope::All),
        VolatileLru | VolatileLrm => (Order::Idle, Scope::Expiring),
        VolatileLfu => (Order::Uses, Scope::Expiring),
        VolatileRandom => (Order::Random, Scope::Expiring),
        VolatileTtl => (Order::Ttl, Scope::Expiring),
    })
}

impl Order {
    /// How cold a key is; never falls unless the key is used or changed.
    pub(super) fn coldness(self, store: &Store, entry: Entry<'_, Object>) -> u64 {
        match self {
            Self::Idle => u64::from(store.idle_seconds(entry.lru_bits())),
            Self::Uses => u64::from(255 - store.use_counter(entry.lru_bits()).min(255)),
            Self::Ttl => (i64::MAX - entry.expiry_ms().unwrap_or(i64::MAX).max(0)) as u64,
            Self::Random => 0,
        }
    }

    /// The level of a core whose coldest key is this cold, as far as that key tells.
    pub(super) fn level(self, coldness: u64, now_ms: i64) -> f64 {
        match self {
            Self::Idle => (1.0 + coldness as f64).log2(),
            Self::Uses => coldness as f64 * TOLERANCE,
            Self::Ttl => {
                let left_ms = (i64::MAX - coldness as i64).saturating_sub(now_ms).max(0);
                -(1.0 + left_ms as f64 / 1000.0).log2()
            }
            Self::Random => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_rise_with_coldness() {
        for order in [Order::Idle, Order::Uses] {
            assert!(order.level(7, 0) < order.level(200, 0), "{order:?}");
        }
        let expiring_at = |ms: i64| (i64::MAX - ms) as u64;
        let now_ms = 1_000_000;
        let soon = Order::Ttl.level(expiring_at(now_ms + 1000), now_ms);
        let late = Order::Ttl.level(expiring_at(now_ms + 9000), now_ms);
        assert!(soon > late && soon == -1.0, "{soon} {late}");
    }

    #[test]
    fn one_step_of_a_counter_is_within_the_tolerance_and_two_are_not() {
        let level = |coldness| Order::Uses.level(coldness, 0);
        assert!(level(250) + TOLERANCE >= level(251));
        assert!(level(250) + TOLERANCE < level(252));
    }
}
