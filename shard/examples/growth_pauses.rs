//! How long single writes take while one slot grows: all keys share a hash tag.
//!
//! `cargo run --profile quick -p basalt-shard --example growth_pauses [keys]`
//!
//! A table that grows does so at the same keys in every run under one seed, whereas the scheduler
//! interrupts elsewhere each time. So the keys are written in several runs, and what counts for a
//! write is the shortest time it ever took. The same keys written once more into the grown table
//! are the measure for what remains.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use basalt_shard::clock::Now;
use basalt_shard::hash::HashSlot;
use basalt_shard::settings::Settings;
use basalt_shard::store::Store;
use basalt_shard::table::Value;
use basalt_shard::types::Type;

const KEY_COUNT_DEFAULT: usize = 10_000_000;
const RUN_COUNT: usize = 3;
const LONGEST_SHOWN: usize = 5;

/// Writes all keys in order and notes for each the time it took, in nanoseconds, where that is
/// less than what is noted.
fn write_all(store: &mut Store, shortest_ns: &mut [u32]) {
    let mut name = Vec::new();
    for (number, shortest_ns) in shortest_ns.iter_mut().enumerate() {
        name.clear();
        write!(name, "{{one}}:{number:012}").expect("memory");
        let begun = Instant::now();
        let key = store.key(0, &name);
        store.set(key, Type::String, Value::Bytes(b"0123456789abcdef"), None);
        let ns = u32::try_from(begun.elapsed().as_nanos()).unwrap_or(u32::MAX);
        *shortest_ns = ns.min(*shortest_ns);
    }
}

fn report(what: &str, times_ns: &[u32]) -> io::Result<()> {
    let mut sorted_ns = times_ns.to_vec();
    sorted_ns.sort_unstable();
    let at = |share: f64| {
        let index = ((sorted_ns.len() - 1) as f64 * share) as usize;
        f64::from(sorted_ns[index]) / 1000.0
    };
    let (p50, p999, p99999) = (at(0.5), at(0.999), at(0.99999));
    let mut out = io::stdout();
    writeln!(out, "{what}: p50 {p50:.2}  p99.9 {p999:.2}  p99.999 {p99999:.1} us; the longest:")?;
    let mut order: Vec<usize> = (0..times_ns.len()).collect();
    order.sort_unstable_by_key(|number| std::cmp::Reverse(times_ns[*number]));
    for &number in order.iter().take(LONGEST_SHOWN) {
        let us = f64::from(times_ns[number]) / 1000.0;
        writeln!(out, "    {us:.1} us, key {number}")?;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let argument = std::env::args().nth(1).map(|text| text.parse());
    let key_count = argument.map_or(KEY_COUNT_DEFAULT, |count| count.expect("a number of keys"));
    let mut growing_ns = vec![u32::MAX; key_count];
    let mut grown_ns = vec![u32::MAX; key_count];
    for _ in 0..RUN_COUNT {
        let mut store = Store::new(HashSlot::all(), 1, 0, Arc::new(Settings::default()));
        store.set_now(Now { unix_us: 1_700_000_000_000_000, monotonic_us: 0 });
        write_all(&mut store, &mut growing_ns);
        write_all(&mut store, &mut grown_ns);
    }
    report("growing", &growing_ns)?;
    report("grown", &grown_ns)
}
