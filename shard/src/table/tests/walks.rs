//! Scans, sweeps, random entries and samples.

use std::collections::{HashMap, HashSet};

use super::super::Position;
use super::*;

fn scan_all(table: &TestTable) -> Vec<i64> {
    let mut numbers = Vec::new();
    let mut position = Some(Position::START);
    while let Some(at) = position {
        assert_eq!(Position::from_bits(at.to_bits()), at);
        assert!(at.to_bits() >> Position::BITS == 0);
        position = table.scan(at, |entry| numbers.push(number_of(entry)));
    }
    numbers
}

#[test]
fn a_table_at_rest_is_scanned_without_repeats() {
    for count in [0, 1, 7, 8, 600, 875, 876, 20_000] {
        let table = table_of(count, Masked::ALL);
        let numbers = scan_all(&table);
        assert_eq!(numbers.len(), count);
        assert_eq!(numbers.iter().collect::<HashSet<_>>().len(), count);
        assert_eq!(table.iter().count(), count);
    }
}

#[test]
fn growth_during_a_scan_repeats_nothing() {
    let mut table = table_of(1000, Masked::ALL);
    let mut seen: HashMap<i64, usize> = HashMap::new();
    let mut position = Some(Position::START);
    let mut next_number = 1000;
    while let Some(at) = position {
        position = table.scan(at, |entry| *seen.entry(number_of(entry)).or_default() += 1);
        for _ in 0..if next_number < 30_000 { 50 } else { 0 } {
            table.put(&key_of(next_number), next_number as i64, None);
            next_number += 1;
        }
    }
    assert!(next_number >= 30_000, "the table must have been split under the scan");
    assert!((0..1000).all(|number| seen.contains_key(&number)), "a scan lost keys");
    assert!(seen.values().all(|times| *times == 1), "a scan repeated keys");
}

#[test]
fn any_bits_are_a_position() {
    let table = table_of(5000, Masked::ALL);
    for seed in 0..1000 {
        let position = Position::from_bits(fastrand::Rng::with_seed(seed).u64(..));
        let next = table.scan(position, |_| {});
        assert!(next.is_none_or(|next| next > position), "seed {seed}");
    }
    assert_eq!(TestTable::new(Masked::ALL).scan(Position::from_bits(u64::MAX), |_| {}), None);
}

#[test]
fn a_sweep_finds_what_is_due_and_nothing_else() {
    let mut table = TestTable::new(Masked::ALL);
    for number in 0..10_000usize {
        let expiry_ms = number.is_multiple_of(5).then_some(number as i64);
        table.put(&key_of(number), number as i64, expiry_ms);
    }
    let (mut due, mut checked, mut calls) = (HashSet::new(), 0, 0);
    let mut position = Some(Position::START);
    while let Some(at) = position {
        let swept = table.sweep_expired(at, 5000, 64, |entry| {
            assert!(due.insert(number_of(entry)), "an entry was visited twice");
        });
        assert!(swept.checked < 64 + 40, "{} entries in one call", swept.checked);
        (position, checked, calls) = (swept.next, checked + swept.checked, calls + 1);
    }
    assert_eq!(due, (0..5000).step_by(5).collect());
    assert_eq!(checked, 2000);
    assert!(calls > 30, "{calls} calls with a budget of 64 each");
}

#[test]
fn a_sweep_ends_at_once_where_nothing_expires() {
    let mut table = table_of(20_000, Masked::ALL);
    let swept = table.sweep_expired(Position::START, i64::MAX, 1, |_| panic!("nothing expires"));
    assert_eq!((swept.next, swept.checked), (None, 0));
    // With one such key, whole segments are skipped.
    table.put(&key_of(7), 7, Some(0));
    let (mut found, mut units) = (0, 0);
    let mut position = Some(Position::START);
    while let Some(at) = position {
        position = table.sweep_expired(at, 1, 1, |_| found += 1).next;
        units += 1;
    }
    assert_eq!(found, 1);
    assert!(units < 400, "{units} buckets and segments visited");
}

#[test]
fn random_entries_are_nearly_uniform() {
    const DRAWS_PER_KEY: usize = 100;
    for count in [1, 5, 600, 4000] {
        let table = table_of(count, Masked::ALL);
        let mut drawn: HashMap<i64, usize> = HashMap::new();
        let mut random = fastrand::Rng::with_seed(count as u64);
        for _ in 0..count * DRAWS_PER_KEY {
            let entry = table.random(random.u64(..)).expect("the table is not empty");
            *drawn.entry(number_of(entry)).or_default() += 1;
        }
        assert_eq!(drawn.len(), count, "seed {count}");
        // Six standard deviations of a fair draw, and some percent between segments.
        let bounds = DRAWS_PER_KEY * 3 / 10..=DRAWS_PER_KEY * 18 / 10;
        let unfair = drawn.values().find(|times| !bounds.contains(times));
        assert!(unfair.is_none(), "seed {count}: a key was drawn {unfair:?} times");
    }
    assert!(TestTable::new(Masked::ALL).random(5).is_none());
}

#[test]
fn samples_have_different_entries_as_many_as_wanted() {
    for count in [0, 1, 9, 700, 10_000] {
        let table = table_of(count, Masked::ALL);
        for seed in 0..50 {
            let mut sampled = HashSet::new();
            let visited = table.sample(seed, 16, |entry| {
                assert!(sampled.insert(number_of(entry)), "seed {seed}: sampled twice");
            });
            assert_eq!(visited, sampled.len());
            assert_eq!(visited, count.min(16), "seed {seed}");
        }
    }
}

#[test]
fn samples_of_expiring_entries_find_the_few_there_are() {
    for (count, every) in
        [(0, 1), (1, 1), (9, 3), (700, 1), (700, 350), (10_000, 5000), (10_000, 1)]
    {
        let mut table = table_of(count, Masked::ALL);
        let mut expected = HashSet::new();
        for number in (0..count).step_by(every) {
            let key = key_of(number);
            let hash = Masked::ALL.hash(&key);
            table.get_mut(hash, &key).expect("it was added").set_expiry_ms(Some(5));
            expected.insert(number as i64);
        }
        for seed in 0..50 {
            let mut sampled = HashSet::new();
            let visited = table.sample_expiring(seed, 16, |entry| {
                assert_eq!(entry.expiry_ms(), Some(5), "seed {seed}");
                assert!(sampled.insert(number_of(entry)), "seed {seed}: sampled twice");
            });
            assert_eq!(visited, sampled.len(), "seed {seed}");
            assert_eq!(visited, expected.len().min(16), "seed {seed}, {count} by {every}");
            assert!(sampled.is_subset(&expected), "seed {seed}");
        }
    }
}
