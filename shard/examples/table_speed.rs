//! Measures the keyspace table: nanoseconds per operation and the longest single operations.
//!
//! `cargo run --release -p basalt-shard --example table_speed [keys in the big table]`
//!
//! Each row does the same operations on another shape of data: one small table that fits the
//! nearest caches, 16,384 tables of 610 keys as a server has them, one table with everything.

use std::hint::black_box;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use basalt_shard::hash::{KeyHasher, Seed};
use basalt_shard::table::{Footprint, Kind, Record, Table, Value};

struct NoObject;

impl Footprint for NoObject {
    fn first_block(&self) -> Option<std::ptr::NonNull<u8>> {
        None
    }

    fn footprint_bytes(&self) -> usize {
        0
    }
}

type Keys = Vec<[u8; 16]>;

const SEED: Seed = Seed(0x0123_4567_89ab_cdef);
const BATCH: usize = 32;

fn record(value: &[u8]) -> Record<'_, NoObject> {
    Record { kind: Kind::new(0), lru_bits: 0, expiry_ms: None, value: Value::Bytes(value) }
}

fn keys(first: usize, count: usize) -> Keys {
    let text = |number: usize| format!("key:{number:012}").into_bytes();
    (first..first + count).map(|number| text(number).try_into().expect("16 bytes")).collect()
}

/// Several tables and the keys to use with them; a key's table follows from its hash.
struct Setting {
    tables: Vec<Table<NoObject>>,
    keys: Keys,
}

impl Setting {
    fn table_of(&self, hash: u64) -> usize {
        hash as usize % self.tables.len()
    }

    fn new(tables: usize, count: usize) -> Setting {
        let tables = (0..tables).map(|_| Table::new(SEED)).collect();
        Setting { tables, keys: keys(0, count) }
    }

    fn shuffle(&mut self) {
        fastrand::Rng::with_seed(1).shuffle(&mut self.keys);
    }

    /// Applies an operation to every key in turn.
    fn each(&mut self, mut operation: impl FnMut(&mut Table<NoObject>, u64, &[u8; 16])) -> f64 {
        let started = Instant::now();
        for index in 0..self.keys.len() {
            let key = self.keys[index];
            let hash = SEED.hash(&key);
            let table = self.table_of(hash);
            operation(&mut self.tables[table], hash, &key);
        }
        nanos_each(started, self.keys.len())
    }

    fn insert_all(&mut self) -> f64 {
        self.each(|table, hash, key| {
            black_box(table.insert(hash, key, record(key)));
        })
    }

    fn remove_all(&mut self) -> f64 {
        self.each(|table, hash, key| drop(table.remove(hash, key)))
    }

    /// The longest insertions and removals, each timed.
    fn longest(&mut self) -> [Vec<Duration>; 2] {
        let noted = |started: Instant| Some(started.elapsed()).filter(|took| *took > NOTED_MIN);
        let (mut inserts, mut removals) = (Vec::new(), Vec::new());
        self.each(|table, hash, key| {
            let started = Instant::now();
            table.insert(hash, key, record(key));
            inserts.extend(noted(started));
        });
        self.each(|table, hash, key| {
            let started = Instant::now();
            drop(table.remove(hash, key));
            removals.extend(noted(started));
        });
        [inserts, removals]
    }

    fn get_all(&self, keys: &Keys) -> f64 {
        let started = Instant::now();
        for key in keys {
            let hash = SEED.hash(key);
            black_box(self.tables[self.table_of(hash)].get(hash, key));
        }
        nanos_each(started, keys.len())
    }

    fn get_all_in_batches(&self, keys: &Keys) -> f64 {
        let started = Instant::now();
        for batch in keys.chunks(BATCH) {
            let mut hashes = [0; BATCH];
            for (hash, key) in hashes.iter_mut().zip(batch) {
                *hash = SEED.hash(key);
                self.tables[self.table_of(*hash)].prefetch_bucket(*hash);
            }
            for hash in &hashes[..batch.len()] {
                self.tables[self.table_of(*hash)].prefetch_entry(*hash);
            }
            for (hash, key) in hashes.iter().zip(batch) {
                black_box(self.tables[self.table_of(*hash)].get(*hash, key));
            }
        }
        nanos_each(started, keys.len())
    }
}

/// Operations below this are not worth noting.
const NOTED_MIN: Duration = Duration::from_micros(10);

fn nanos_each(started: Instant, count: usize) -> f64 {
    started.elapsed().as_nanos() as f64 / count as f64
}

/// Quantiles of the operations that took long. On a busy machine the highest ones tell of
/// interruptions; the median tells what a split or a rebuilt segment takes.
fn micros(mut longest: Vec<Duration>) -> String {
    longest.sort_unstable();
    let at = |share: f64| {
        let index = (longest.len() as f64 * share) as usize;
        longest.get(index).map_or(0.0, |took| took.as_nanos() as f64 / 1e3)
    };
    let count = longest.len();
    format!("{count} above 10 us, p50 {:.0} p90 {:.0} p99 {:.0} us", at(0.5), at(0.9), at(0.99))
}

fn measure(out: &mut impl Write, name: &str, tables: usize, count: usize) -> io::Result<()> {
    let mut setting = Setting::new(tables, count);
    let absent = keys(count, count.min(1 << 20));
    // The first round takes memory from the system, which costs more than anything else.
    let rounds = (2_000_000 / count).max(2);
    let mut best = [f64::INFINITY; 6];
    let mut overhead = 0.0;
    for _ in 0..rounds {
        let insert = setting.insert_all();
        let bytes: usize = setting.tables.iter().map(Table::bytes).sum();
        let tables_bytes = tables * size_of::<Table<NoObject>>();
        overhead = (bytes + tables_bytes) as f64 / count as f64 - 32.0;
        setting.shuffle();
        let get = setting.get_all(&setting.keys);
        let batched = setting.get_all_in_batches(&setting.keys);
        let miss = setting.get_all(&absent);
        let round = [get, batched, miss, insert, setting.insert_all(), setting.remove_all()];
        best.iter_mut().zip(round).for_each(|(best, nanos)| *best = best.min(nanos));
    }
    let [get, batched, miss, insert, overwrite, remove] = best;
    let [inserts, removals] = setting.longest();
    writeln!(out, "{name}: {count} keys in {tables} tables, overhead {overhead:.2} B per key")?;
    writeln!(out, "  best round, ns: get {get:.0}, in batches {batched:.0}, miss {miss:.0}")?;
    writeln!(
        out,
        "  best round, ns: insert {insert:.0}, overwrite {overwrite:.0}, remove {remove:.0}"
    )?;
    writeln!(out, "  long inserts: {}", micros(inserts))?;
    writeln!(out, "  long removals: {}", micros(removals))
}

fn main() -> io::Result<()> {
    let argument = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let count: usize = argument.unwrap_or(5_000_000);
    let mut out = io::stdout().lock();
    measure(&mut out, "near", 1, 610)?;
    measure(&mut out, "server", 16_384, count)?;
    measure(&mut out, "one hash tag", 1, count)
}
