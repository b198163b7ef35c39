//! Many cores evict like one: where keys differ between cores, and by the rate of hits.

use std::collections::{BTreeMap, HashMap};

use basalt_shard::settings::MaxmemoryPolicy;

use crate::support::seed;
use crate::{CORE_COUNTS, Limited};

/// Keys under one hash tag live in one slot, hence on one core.
#[test]
fn a_core_that_grows_takes_room_from_cores_whose_keys_are_cold() {
    for core_count in CORE_COUNTS {
        let mut server = Limited::new(core_count, 7, MaxmemoryPolicy::AllKeysLru, 1 << 20);
        let value = "x".repeat(500);
        for number in 0..1000 {
            server.run(number, &format!("SET cold{number} {value}"));
        }
        server.cluster.advance_ms(100_000);
        for number in 0..1000 {
            server.run(number, &format!("SET {{tag}}{number} {value}"));
            server.cluster.advance_ms(10);
        }
        let (cold, hot) = (server.count("cold", 1000), server.count("{tag}", 1000));
        assert!(hot >= 980, "{core_count} cores: {hot} hot keys, {cold} cold ones are left");
        assert!(server.excess() < 0.01, "{core_count} cores");
    }
}

#[test]
fn random_eviction_takes_its_share_everywhere() {
    for core_count in [2, 8] {
        let mut server = Limited::new(core_count, 7, MaxmemoryPolicy::AllKeysRandom, 1 << 20);
        let value = "x".repeat(500);
        for number in 0..1000 {
            server.run(number, &format!("SET spread{number} {value}"));
        }
        for number in 0..3000 {
            server.run(number, &format!("SET {{tag}}{number} {value}"));
            server.cluster.advance_ms(1);
        }
        // Of a cache that was filled twice over, some of the first keys survive, and not most.
        let spread = server.count("spread", 1000);
        assert!((50..500).contains(&spread), "{core_count} cores: {spread} are left");
    }
}

/// Numbers drawn with a chance that falls with a power of the number.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(count: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=count).map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        });
        Self(sums.collect())
    }

    fn draw(&self, random: &mut fastrand::Rng) -> usize {
        let drawn = random.f64() * self.0.last().expect("there are numbers");
        self.0.partition_point(|sum| *sum < drawn)
    }
}

/// The least recently used of exactly so many keys goes.
struct ExactLru {
    capacity: usize,
    used: HashMap<usize, u64>,
    order: BTreeMap<u64, usize>,
    clock: u64,
}

impl ExactLru {
    fn new(capacity: usize) -> Self {
        Self { capacity, used: HashMap::new(), order: BTreeMap::new(), clock: 0 }
    }

    /// Uses a key; whether it was there.
    fn uses(&mut self, key: usize) -> bool {
        self.clock += 1;
        let before = self.used.insert(key, self.clock);
        if let Some(before) = before {
            self.order.remove(&before);
        }
        self.order.insert(self.clock, key);
        if self.order.len() > self.capacity
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.used.remove(&oldest);
        }
        before.is_some()
    }
}

const KEYS: usize = 20_000;
const REQUESTS: usize = 60_000;

/// Reads keys, sets those that are not there, and returns the share of hits after a while and how
/// many keys there was room for.
fn hit_rate(core_count: u16, policy: MaxmemoryPolicy, seed: u64) -> (f64, usize) {
    let settings = basalt_shard::settings::Settings {
        maxmemory_policy: policy,
        maxmemory_samples: 10,
        ..crate::settings()
    };
    let mut server = Limited::with_settings(core_count, seed, settings, 600_000);
    let zipf = Zipf::new(KEYS, 0.9);
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut hits, mut keys) = (0, 0);
    let value = "x".repeat(100);
    for request in 0..REQUESTS {
        let key = zipf.draw(&mut random);
        let is_hit = server.run(request, &format!("GET key{key:09}")) != "$-1\r\n";
        if !is_hit {
            assert_eq!(server.run(request, &format!("SET key{key:09} {value}")), "+OK\r\n");
        }
        server.cluster.advance_ms(2);
        if request >= REQUESTS / 3 {
            hits += usize::from(is_hit);
        }
        if request % 10_000 == 0 {
            keys = server.integer("DBSIZE") as usize;
        }
    }
    (hits as f64 / (REQUESTS - REQUESTS / 3) as f64, keys)
}

fn exact_lru_hit_rate(capacity: usize, seed: u64) -> f64 {
    let zipf = Zipf::new(KEYS, 0.9);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut cache = ExactLru::new(capacity);
    let hits = (0..REQUESTS)
        .filter(|request| cache.uses(zipf.draw(&mut random)) && *request >= REQUESTS / 3);
    hits.count() as f64 / (REQUESTS - REQUESTS / 3) as f64
}

#[test]
fn any_number_of_cores_hits_as_often_as_one_exact_lru() {
    let seed = seed();
    for core_count in CORE_COUNTS {
        let (rate, keys) = hit_rate(core_count, MaxmemoryPolicy::AllKeysLru, seed);
        let exact = exact_lru_hit_rate(keys, seed);
        let message = format!("{core_count} cores, {keys} keys, seed {seed}");
        assert!((rate - exact).abs() < 0.01, "{rate:.4} of {exact:.4}; {message}");
    }
}

#[test]
fn counting_uses_hits_more_often_than_the_last_use() {
    let seed = seed();
    let (one, keys) = hit_rate(1, MaxmemoryPolicy::AllKeysLfu, seed);
    let exact = exact_lru_hit_rate(keys, seed);
    assert!(one > exact, "{one:.4} with {keys} keys, LRU {exact:.4}; seed {seed}");
    for core_count in [2, 8] {
        let (rate, _) = hit_rate(core_count, MaxmemoryPolicy::AllKeysLfu, seed);
        // Eight cores have some 200 keys each here, of which a pool of 16 is so much that eviction
        // is stricter than sampling means it to be; that costs up to 1.4 hits of a hundred. With
        // some thousand keys a core the difference is gone.
        assert!((rate - one).abs() < 0.02, "{core_count} cores: {rate:.4}, one {one:.4}; {seed}");
    }
}
