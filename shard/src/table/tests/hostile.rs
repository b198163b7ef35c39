//! Hashes that a table does not expect: equal ones, and such that differ only where it hurts.

use super::super::shape::GROWN;
use super::super::work;
use super::*;

/// Inserts and removes keys under a mask and checks all along. Returns the peak of bytes.
fn fill_and_empty(count: usize, mask: u64) -> usize {
    let mut table = TestTable::new(Masked { mask });
    for number in 0..count {
        table.put(&key_of(number), number as i64, number.is_multiple_of(2).then_some(5));
        if number.is_power_of_two() {
            table.check_invariants();
        }
    }
    table.check_invariants();
    let peak = table.bytes();
    for number in 0..count {
        assert_eq!(table.look(&key_of(number)).map(number_of), Some(number as i64));
    }
    let mut seen = 0;
    let mut position = table.scan(Default::default(), |_| seen += 1);
    while let Some(next) = position {
        position = table.scan(next, |_| seen += 1);
    }
    assert_eq!(seen, count, "a scan of a table at rest returns every key once");
    assert!(table.random(1).is_some());
    assert_eq!(table.sample(1, 10, |_| {}), 10);
    for number in 0..count {
        assert!(table.take(&key_of(number)));
        if number.is_power_of_two() {
            table.check_invariants();
        }
    }
    assert_eq!((table.len(), table.bytes()), (0, 0));
    peak
}

#[test]
fn equal_hashes_end_in_long_searches_and_nothing_worse() {
    for mask in [0, u64::MAX << 62, 0xffff] {
        let peak = fill_and_empty(3000, mask);
        // 24 bytes are the entry's own; segments may waste as much as they hold, not more.
        assert!(peak < 3000 * (24 + 40), "{peak} bytes under mask {mask:x}");
    }
}

#[test]
fn hashes_that_differ_late_do_not_grow_the_directory_without_end() {
    // 2^11 different hashes that agree in their first 40 bits: no useful split for long.
    let peak = fill_and_empty(4000, 0x7ff << 13);
    assert!(peak < 4000 * (24 + 40), "{peak} bytes");
}

/// Real hashes, but one and the same for all keys that begin with `same`.
struct PartlyEqual;

impl KeyHasher for PartlyEqual {
    fn hash(&self, key: &[u8]) -> u64 {
        Masked::ALL.hash(if key.starts_with(b"same") { b"same" } else { key })
    }
}

#[test]
fn equal_hashes_among_many_others_terminate() {
    let mut table: Table<Blob, PartlyEqual> = Table::new(PartlyEqual);
    let mut put = |key: &[u8]| {
        work::take();
        table.insert(PartlyEqual.hash(key), key, record(Value::Int(0), None));
        table.directory.len()
    };
    for number in 0..50_000 {
        put(&key_of(number));
    }
    let mut slots = 0;
    for number in 0..3000 {
        slots = put(format!("same:{number}").as_bytes());
        let [_, keys_rehashed, _] = work::take();
        // Splits do not help here; they stop when the directory is large for so few keys.
        assert!(keys_rehashed <= 5 * GROWN.capacity(), "{keys_rehashed} keys by one insertion");
    }
    assert!(slots <= 53_000 / 128, "{slots} slots");
    table.check_invariants();
    for number in 0..3000 {
        let key = format!("same:{number}").into_bytes();
        assert!(table.remove(PartlyEqual.hash(&key), &key).is_some());
    }
    table.check_invariants();
}

#[test]
fn removals_among_equal_hashes_do_not_rebuild_each_time() {
    let mut table = table_of(5000, Masked { mask: 0 });
    work::take();
    // The last key is in the last bucket: nothing is displaced by it that would have to move back.
    (0..5000).rev().for_each(|number| assert!(table.take(&key_of(number))));
    let [words_moved, ..] = work::take();
    assert!(words_moved < 5000 * 30, "{words_moved} words moved by 5000 removals");
}

#[test]
fn a_full_segment_of_one_home_spills_over() {
    // All tags are 65,535: the last home bucket, with nothing but spill behind it.
    struct Last;
    impl KeyHasher for Last {
        fn hash(&self, _key: &[u8]) -> u64 {
            u64::MAX
        }
    }
    let mut table: Table<Blob, Last> = Table::new(Last);
    let count = GROWN.capacity() * 2;
    for number in 0..count {
        table.insert(u64::MAX, &key_of(number), record(Value::Int(0), None));
    }
    table.check_invariants();
    for number in (0..count).rev() {
        assert!(table.remove(u64::MAX, &key_of(number)).is_some());
    }
    assert_eq!(table.bytes(), 0);
}
