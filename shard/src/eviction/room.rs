//! What a core knows about its own eviction: the limit, the plan, and whom to evict next.

use super::SLACK_SHARE;
use super::board::{NOTHING, UNKNOWN};
use super::census::{Census, Scope};
use super::coldness::{Order, TOLERANCE, plan};
use super::overrun::Overrun;
use super::pool::{Candidate, Pool};
use crate::object::Object;
use crate::random::Random;
use crate::settings::{MaxmemoryPolicy, Settings};
use crate::slot::Slot;
use crate::store::{Key, Store};
use crate::table::{Entry, Table};

/// Keys sampled from one slot at a time. They are neighbours by hash: cheap to look at together,
/// and as good as drawn one by one unless slots differ in age. So they are few.
const RUN_MAX: usize = 3;

/// Attempts at a sample before the core gives up for now: its counts may be out of date.
const ATTEMPTS_MAX: usize = 4;

/// Weight of the latest key in the level of a core: few enough keys to follow a sudden change.
const LEVEL_WEIGHT: f64 = 1.0 / 4.0;

/// A turn may take this many times what one call may take.
const TURN_BUDGETS: u64 = 4;

/// Part of the limit, counted from above, in which a core keeps its level up to date.
const NEAR_SHARE: u64 = 8;

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// Memory is within the limit.
    Enough,
    /// It is not, but something is being done about it.
    Pending,
    /// It is not, and nothing can be evicted.
    Full,
}

/// What [`Eviction::next_victim`] found.
pub(crate) enum Victim {
    Found(Candidate),
    /// None was found, though there are some.
    NotNow,
    /// There are none.
    None,
}

/// Eviction at one core.
#[derive(Default)]
pub(crate) struct Eviction {
    /// `maxmemory`; 0 for none.
    pub(crate) limit_bytes: u64,
    /// Whether work was left for the time between turns.
    pub(crate) is_pending: bool,
    /// When the level is to be looked at next, monotonic milliseconds.
    pub(crate) tick_due_ms: u64,
    policy: MaxmemoryPolicy,
    plan: Option<(Order, Scope)>,
    samples: usize,
    budget_ns: u64,
    spent_ns: u64,
    census: Census,
    pool: Pool,
    level: f64,
    /// Keys evicted lately: the last second counts most.
    recent: f64,
    /// How the store looked when it was found to have nothing to evict.
    barren: Option<(i64, u64)>,
    overrun: Overrun,
}

impl Eviction {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut eviction = Self { level: UNKNOWN, ..Self::default() };
        eviction.apply(settings);
        eviction
    }

    /// Puts settings in force. What was learnt under another policy is forgotten.
    pub(crate) fn apply(&mut self, settings: &Settings) {
        self.limit_bytes = settings.maxmemory;
        self.samples = settings.maxmemory_samples;
        self.budget_ns = budget_ns(settings.maxmemory_eviction_tenacity);
        if settings.maxmemory_policy != self.policy || self.plan.is_none() {
            self.policy = settings.maxmemory_policy;
            self.plan = plan(self.policy);
            self.census.clear();
            self.pool.clear();
            self.level = UNKNOWN;
            self.barren = None;
        }
    }

    /// Whether the policy evicts anything.
    pub(crate) fn has_plan(&self) -> bool {
        self.plan.is_some()
    }

    /// A turn begins: time is counted from here on.
    pub(crate) fn begin_turn(&mut self) {
        self.spent_ns = 0;
    }

    /// How long a call may take now, in nanoseconds. When the calls of this turn have had their
    /// time already, as short as can be.
    pub(crate) fn allowance_ns(&self) -> u64 {
        if self.spent_ns < self.budget_ns.saturating_mul(TURN_BUDGETS) { self.budget_ns } else { 0 }
    }

    /// A call took this long.
    pub(crate) fn spend(&mut self, ns: u64) {
        self.spent_ns += ns;
    }

    /// How far memory may pass the limit while another core is to evict, in bytes.
    pub(crate) fn slack_bytes(&self) -> i64 {
        (self.limit_bytes / SLACK_SHARE) as i64
    }

    /// Whether so much is in use that the level of this core will soon be of interest.
    pub(crate) fn is_near(&self, over_bytes: i64) -> bool {
        over_bytes > -((self.limit_bytes / NEAR_SHARE) as i64)
    }

    /// What this core posts.
    pub(crate) fn level(&self) -> f64 {
        self.level
    }

    /// Whether a core of level `other` should give up a key before this one gives up `candidate`.
    pub(crate) fn is_colder(&self, other: f64, candidate: &Candidate, now_ms: i64) -> bool {
        let (order, _) = self.plan.expect("candidates come of a plan");
        let own = match order {
            Order::Random => self.level,
            Order::Uses => order.level(candidate.coldness, now_ms) + self.survival(),
            Order::Idle | Order::Ttl => order.level(candidate.coldness, now_ms),
        };
        other > own + TOLERANCE
    }

    /// Finds the key that should go next. Expected O(`maxmemory-samples`).
    pub(crate) fn next_victim(&mut self, store: &mut Store) -> Victim {
        let (order, scope) = self.plan.expect("the caller has a plan");
        if self.barren == Some(signature(store, scope)) {
            return Victim::None;
        }
        for _ in 0..ATTEMPTS_MAX {
            self.sample(store);
            while let Some(candidate) = self.pool.take_coldest() {
                let entry = store.entry(candidate.key()).filter(|entry| is_in(scope, *entry));
                let coldness = entry.map(|entry| order.coldness(store, entry));
                if coldness.is_some_and(|coldness| coldness >= candidate.coldness) {
                    self.note_level(order, candidate.coldness, store.now_ms());
                    return Victim::Found(candidate);
                }
            }
            if self.census.total() == 0 {
                self.census.count_all(store, scope);
            }
            if self.census.total() == 0 {
                self.barren = Some(signature(store, scope));
                self.level = NOTHING;
                return Victim::None;
            }
        }
        self.census.count_all(store, scope);
        Victim::NotNow
    }

    /// Puts a key back that another core has something colder than.
    pub(crate) fn spare(&mut self, candidate: Candidate) {
        self.pool.put_back(candidate);
    }

    /// A key was evicted.
    pub(crate) fn note_evicted(&mut self) {
        self.recent += 1.0;
    }

    /// A tenth of a second has passed.
    pub(crate) fn age(&mut self) {
        self.recent *= 0.9;
    }

    /// Looks at what would go next, so that other cores know. Ten times a second.
    pub(crate) fn look(&mut self, store: &mut Store) {
        if let Victim::Found(candidate) = self.next_victim(store) {
            self.pool.put_back(candidate);
        }
    }

    /// Keys were added, or slots came, since nothing was found: whether that was so.
    pub(crate) fn revive(&mut self, store: &Store) -> bool {
        let (Some(barren), Some((_, scope))) = (self.barren, self.plan) else { return false };
        if barren == signature(store, scope) {
            return false;
        }
        self.barren = None;
        self.level = UNKNOWN;
        true
    }

    /// Whether nothing was found when this core last looked.
    #[inline]
    pub(crate) fn is_barren(&self) -> bool {
        self.barren.is_some()
    }

    /// Notes how much room there is.
    pub(crate) fn note_room(&mut self, room: Room, now_ns: u64) {
        match room {
            Room::Enough => self.overrun.end(now_ns),
            Room::Pending | Room::Full => self.overrun.begin(now_ns),
        }
    }

    /// Whether memory was over the limit when that was last noted.
    #[inline]
    pub(crate) fn is_overrun(&self) -> bool {
        self.overrun.is_running()
    }

    /// How long memory has been over the limit: in all and this time, in milliseconds.
    pub(crate) fn overrun_ms(&self, now_ns: u64) -> (u64, u64) {
        (self.overrun.total_ns(now_ns) / 1_000_000, self.overrun.current_ns(now_ns) / 1_000_000)
    }

    /// `CONFIG RESETSTAT`.
    pub(crate) fn reset_stats(&mut self, now_ns: u64) {
        self.overrun.reset(now_ns);
    }

    fn note_level(&mut self, order: Order, coldness: u64, now_ms: i64) {
        let latest = match order {
            Order::Random | Order::Uses => order.level(coldness, now_ms) + self.survival(),
            Order::Idle | Order::Ttl => order.level(coldness, now_ms),
        };
        if order == Order::Random {
            self.level = latest;
            return;
        }
        if self.level.is_finite() {
            self.level += (latest - self.level) * LEVEL_WEIGHT;
        } else {
            self.level = latest;
        }
    }

    /// How well keys of this core have survived lately: the logarithm of their number per one
    /// evicted, by half. Where most victims have the same use counter, or there is none, this
    /// keeps cores from growing at the cost of others.
    fn survival(&self) -> f64 {
        ((1.0 + f64::from(self.census.total())).log2() - (1.0 + self.recent).log2()) / 2.0
    }

    /// Offers some keys to the pool.
    fn sample(&mut self, store: &mut Store) {
        let (order, scope) = self.plan.expect("the caller has a plan");
        self.census.refresh(store, scope);
        let mut wanted = self.samples;
        if order == Order::Random {
            // Nothing is to be remembered: each key is a new draw.
            self.pool.clear();
            wanted = 1;
        }
        let mut random = Random::new(store.random());
        // Of stale counts some draws lead nowhere.
        for _ in 0..self.samples {
            let Some(slot) = self.census.draw(&mut random) else { return };
            let Some(content) = store.slot(slot) else { continue };
            let Some((db, table)) = draw_table(content, scope, &mut random) else {
                continue;
            };
            let offer = |entry: Entry<'_, Object>| {
                let coldness = order.coldness(store, entry);
                if self.pool.wants(coldness) {
                    let key = store.key(db, entry.key());
                    self.pool.offer(Key { slot, ..key }, coldness);
                }
            };
            let count = wanted.min(RUN_MAX);
            let seen = match scope {
                Scope::All => table.sample(random.bits(), count, offer),
                Scope::Expiring => table.sample_expiring(random.bits(), count, offer),
            };
            wanted -= seen;
            if wanted == 0 {
                return;
            }
        }
    }
}

/// A table of a slot, each as likely as it has candidates.
fn draw_table<'a>(
    slot: &'a Slot,
    scope: Scope,
    random: &mut Random,
) -> Option<(u32, &'a Table<Object>)> {
    let count = |table: &Table<Object>| match scope {
        Scope::All => table.len(),
        Scope::Expiring => table.expiring_len(),
    };
    let total: usize = slot.tables().map(|(_, table)| count(table)).sum();
    if total == 0 {
        return None;
    }
    let mut left = random.below(total);
    for (db, table) in slot.tables() {
        if left < count(table) {
            return Some((db, table));
        }
        left -= count(table);
    }
    unreachable!("the draw is below the number of candidates")
}

fn is_in(scope: Scope, entry: Entry<'_, Object>) -> bool {
    scope == Scope::All || entry.expiry_ms().is_some()
}

/// Changes whenever candidates are added at this core or slots come to it.
fn signature(store: &Store, scope: Scope) -> (i64, u64) {
    let counts = store.database_counts().iter().map(|(_, count)| match scope {
        Scope::All => count.keys,
        Scope::Expiring => count.expiring,
    });
    (counts.sum(), store.slots_received())
}

/// How long one call may take, in nanoseconds. As in Redis: to 500 microseconds in steps of 50,
/// then by 15 percent a step, and without a limit at 100.
fn budget_ns(tenacity: u32) -> u64 {
    const STEP_NS: u64 = 50_000;
    match tenacity {
        0..=10 => STEP_NS * u64::from(tenacity),
        11..100 => (STEP_NS as f64 * 10.0 * 1.15_f64.powi(tenacity as i32 - 10)) as u64,
        _ => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenacity_buys_time() {
        assert_eq!(budget_ns(0), 0);
        assert_eq!(budget_ns(10), 500_000);
        assert_eq!(budget_ns(11), 575_000);
        assert!(budget_ns(99) > 100_000_000_000);
        assert_eq!(budget_ns(100), u64::MAX);
    }
}
