//! The promises that make tails and memory good: the work of the worst operation, the bytes of a
//! key. Counted, not timed.

use super::super::bare::BARE_LEN_MAX;
use super::super::shape::GROWN;
use super::super::work;
use super::*;

/// The most work of any operation, kind by kind, and the most together.
#[derive(Debug, Default)]
struct Worst {
    words_moved: usize,
    keys_rehashed: usize,
    slots_written: usize,
    slots_written_by_a_split: usize,
}

impl Worst {
    fn measure(&mut self, operation: impl FnOnce()) {
        work::take();
        operation();
        let [words_moved, keys_rehashed, slots_written] = work::take();
        self.words_moved = self.words_moved.max(words_moved);
        self.keys_rehashed = self.keys_rehashed.max(keys_rehashed);
        self.slots_written = self.slots_written.max(slots_written);
        if keys_rehashed > 0 {
            self.slots_written_by_a_split = self.slots_written_by_a_split.max(slots_written);
        }
    }
}

#[test]
fn no_operation_does_more_than_one_segments_work() {
    const COUNT: usize = 1_000_000;
    let mut table = TestTable::new(Masked::ALL);
    let mut worst = Worst::default();
    for number in 0..COUNT {
        worst.measure(|| table.put(&key_of(number), 0, None));
    }
    let peak_bytes = table.bytes();
    let slots = table.directory.len();
    assert!(worst.keys_rehashed <= GROWN.capacity(), "{worst:?}");
    assert!(worst.words_moved <= 2 * GROWN.capacity(), "{worst:?}");
    assert!(slots <= 2048 && worst.slots_written <= slots + 8, "{worst:?}");
    assert!(worst.slots_written_by_a_split <= 64, "doubling met a split: {worst:?}");
    table.check_invariants();

    let mut worst = Worst::default();
    for number in (0..COUNT).step_by(2) {
        worst.measure(|| assert!(table.take(&key_of(number))));
    }
    assert!(table.bytes() * 100 <= peak_bytes * 53, "{} of {peak_bytes}", table.bytes());
    table.check_invariants();
    for number in (1..COUNT).step_by(2) {
        worst.measure(|| assert!(table.take(&key_of(number))));
    }
    assert_eq!(worst.keys_rehashed, 0, "removals never hash a key");
    assert!(worst.words_moved <= 2 * GROWN.capacity(), "{worst:?}");
    assert!(worst.slots_written <= 3 * slots, "{worst:?}");
    assert_eq!((table.len(), table.bytes()), (0, 0));
}

#[test]
fn growth_and_shrinking_cost_little_per_operation() {
    let mut table = TestTable::new(Masked::ALL);
    work::take();
    (0..100_000).for_each(|number| table.put(&key_of(number), 0, None));
    let [words_moved, keys_rehashed, slots_written] = work::take();
    assert!(words_moved < 12 * 100_000, "{words_moved} words moved");
    assert!(keys_rehashed < 2 * 100_000, "{keys_rehashed} keys hashed again");
    assert!(slots_written < 100_000 / 10, "{slots_written} slots written");
    (0..100_000).for_each(|number| assert!(table.take(&key_of(number))));
    let [words_moved, ..] = work::take();
    assert!(words_moved < 12 * 100_000, "{words_moved} words moved by removals");
}

#[test]
fn coming_and_going_at_any_size_is_not_costly() {
    for count in [1, 7, 8, 15, 16, 17, 21, 100, 437, 438, 763, 764, 874, 875, 876, 1750] {
        let mut table = table_of(count, Masked::ALL);
        work::take();
        for guest in 0..2000 {
            table.put(&key_of(1_000_000 + guest), 0, None);
            assert!(table.take(&key_of(1_000_000 + guest)));
        }
        let [words_moved, keys_rehashed, slots_written] = work::take();
        let each = (words_moved + keys_rehashed + slots_written) / 4000;
        let most = if count < BARE_LEN_MAX { BARE_LEN_MAX } else { 6 };
        assert!(each <= most, "{each} words, keys and slots per operation at {count} entries");
    }
}

/// Fills 1000 tables with keys spread as hash slots spread them, and returns the bytes of a key
/// beyond its own 16 and those of its value.
fn overhead(count: usize, value: &[u8], expiry_ms: Option<i64>) -> f64 {
    let mut tables: Vec<TestTable> = (0..1000).map(|_| TestTable::new(Masked::ALL)).collect();
    for number in 0..count {
        let key = key_of(number);
        let hash = Masked::ALL.hash(&key);
        let table = &mut tables[usize::from(crate::hash::crc16(&key)) % 1000];
        table.insert(hash, &key, record(Value::Bytes(value), expiry_ms));
    }
    let inline: usize = tables.iter().map(|table| table.bytes() + size_of::<TestTable>()).sum();
    inline as f64 / count as f64 - (16 + value.len()) as f64
}

#[test]
fn a_key_costs_at_most_twenty_bytes() {
    let overhead = overhead(610_000, &[b'v'; 16], None);
    assert!(overhead <= 20.0, "{overhead} bytes");
    assert!(overhead >= 8.0 + 8.0, "{overhead} bytes are too good to be true");
}

#[test]
fn a_key_that_expires_costs_six_bytes_more_and_rounding() {
    let overhead = overhead(610_000, &[b'v'; 16], Some(1_800_000_000_000));
    assert!(overhead <= 26.5, "{overhead} bytes with a time of expiry");
}

#[test]
fn a_small_table_holds_words_and_nothing_else() {
    let mut table = TestTable::new(Masked::ALL);
    for number in 0..BARE_LEN_MAX {
        table.put(&key_of(number), 0, None);
        assert_eq!(table.index_bytes(), size_class((number + 1) * 8), "at {} entries", number + 1);
        table.check_invariants();
    }
    table.put(&key_of(BARE_LEN_MAX), 0, None);
    assert!(!table.directory.segment(0).is_bare());
    for number in (0..=BARE_LEN_MAX).rev() {
        assert!(table.take(&key_of(number)));
        table.check_invariants();
        if number < 4 {
            assert_eq!(table.index_bytes(), size_class(number * 8), "{number} entries are left");
        }
    }
}

#[test]
fn a_large_table_that_shrinks_ends_bare() {
    let mut table = table_of(3000, Masked::ALL);
    for number in 0..2998 {
        assert!(table.take(&key_of(number)));
    }
    table.check_invariants();
    assert_eq!(table.index_bytes(), 16);
}
