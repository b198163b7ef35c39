//! Tests of the table as a whole: against a model, under hostile hashes, and for the bounds that
//! the head of `table` promises.

mod bounds;
mod hostile;
mod model;
mod relocation;
mod walks;

use std::ptr::NonNull;

use super::{Entry, Footprint, Kind, Record, Table, Value, ValueRef, size_class};
use crate::hash::{KeyHasher, Seed};

/// An object that owns memory.
#[derive(Clone, Debug, Default, PartialEq)]
struct Blob(Vec<u8>);

impl Footprint for Blob {
    fn footprint_bytes(&self) -> usize {
        size_class(self.0.capacity())
    }

    fn first_block(&self) -> Option<NonNull<u8>> {
        (self.0.capacity() > 0).then(|| NonNull::from(self.0.as_slice()).cast())
    }
}

/// Real hashes, of which only some bits may count.
#[derive(Clone, Copy, Debug)]
struct Masked {
    mask: u64,
}

impl Masked {
    const ALL: Masked = Masked { mask: u64::MAX };
}

impl KeyHasher for Masked {
    fn hash(&self, key: &[u8]) -> u64 {
        Seed(0x5eed).hash(key) & self.mask
    }
}

type TestTable = Table<Blob, Masked>;

impl TestTable {
    /// Inserts a key with an integer as its value.
    fn put(&mut self, key: &[u8], number: i64, expiry_ms: Option<i64>) {
        let hash = self.hasher.hash(key);
        self.insert(hash, key, record(Value::Int(number), expiry_ms));
    }

    /// Removes a key, and tells whether it was there.
    fn take(&mut self, key: &[u8]) -> bool {
        self.remove(self.hasher.hash(key), key).is_some()
    }

    fn look(&self, key: &[u8]) -> Option<Entry<'_, Blob>> {
        self.get(self.hasher.hash(key), key)
    }
}

fn record(value: Value<'_, Blob>, expiry_ms: Option<i64>) -> Record<'_, Blob> {
    Record { kind: Kind::new(1), lru_bits: 0, expiry_ms, value }
}

fn key_of(number: usize) -> Vec<u8> {
    format!("key:{number:012}").into_bytes()
}

/// A table with an integer under each of the first `count` keys.
fn table_of(count: usize, hasher: Masked) -> TestTable {
    let mut table = TestTable::new(hasher);
    (0..count).for_each(|number| table.put(&key_of(number), number as i64, None));
    table
}

fn number_of(entry: Entry<'_, Blob>) -> i64 {
    match entry.value() {
        ValueRef::Int(number) => number,
        other => panic!("not a number: {other:?}"),
    }
}

#[test]
fn an_empty_table_holds_no_memory() {
    let mut table = table_of(1, Masked::ALL);
    assert!(table.bytes() > 0);
    assert!(table.take(&key_of(0)));
    assert_eq!((table.len(), table.bytes()), (0, 0));
    assert!(table.look(b"any").is_none() && table.get_mut(7, b"any").is_none());
    table.prefetch_bucket(1);
    assert!(table.prefetch_entry(1).is_none());
    table.check_invariants();
}

#[test]
fn entries_are_found_by_key_and_not_by_hash() {
    let table = table_of(5000, Masked::ALL);
    for number in 0..5000 {
        let key = key_of(number);
        table.prefetch_bucket(table.hasher.hash(&key));
        // It may lie behind its home, and then another one may be asked for, or none.
        let _ = table.prefetch_entry(table.hasher.hash(&key));
        assert_eq!(table.look(&key).map(number_of), Some(number as i64));
        assert!(table.get(table.hasher.hash(&key), b"another key").is_none());
    }
}

#[test]
fn what_is_asked_for_ahead_need_not_be_there() {
    let table = table_of(40, Masked::ALL);
    // Every tag, also that of empty places.
    for hash in (0..=u16::MAX).flat_map(|high| [u64::from(high) << 48, u64::from(high)]) {
        table.prefetch_bucket(hash);
        let candidate = table.prefetch_entry(hash);
        assert!(candidate.is_none_or(|entry| table.look(entry.key()).is_some()));
    }
}

#[test]
fn access_bits_are_set_through_a_shared_borrow() {
    let mut table = table_of(1, Masked::ALL);
    let key = key_of(0);
    let entry = table.look(&key).expect("it was inserted");
    entry.set_lru_bits(0x00ab_cdef);
    assert_eq!((entry.lru_bits(), entry.kind()), (0x00ab_cdef, Kind::new(1)));
    // Other changes keep them.
    let mut guard = table.get_mut(table.hasher.hash(&key), &key).expect("it was inserted");
    guard.set_expiry_ms(Some(1));
    guard.set_value(Kind::new(2), Value::Bytes(b"text"));
    guard.set_kind(Kind::new(3));
    assert_eq!((guard.as_entry().lru_bits(), guard.as_entry().kind().bits()), (0x00ab_cdef, 3));
}

#[test]
fn an_entry_can_move_between_tables_and_names() {
    let mut source = TestTable::new(Masked::ALL);
    let hash = source.hasher.hash(b"old");
    let object = Value::Object(Blob(vec![1; 100]));
    source.insert(hash, b"old", record(object, Some(9)));
    let mut target = table_of(1, Masked::ALL);
    let entry = source.remove(hash, b"old").expect("it was inserted");
    assert!(target.insert_entry(hash, entry).is_none());
    let mut entry = target.remove(hash, b"old").expect("it was moved");
    let renamed = Record { expiry_ms: Some(9), ..record(entry.take_value(), None) };
    target.insert(target.hasher.hash(b"new"), b"new", renamed);
    drop(entry);
    let entry = target.look(b"new").expect("it was renamed");
    assert!(matches!(entry.value(), ValueRef::Object(blob) if blob.0.len() == 100));
    assert_eq!(entry.expiry_ms(), Some(9));
    target.check_invariants();
    assert_eq!((source.len(), source.bytes()), (0, 0));
}

#[test]
fn cleared_tables_are_freed_in_steps() {
    let mut table = table_of(10_000, Masked::ALL);
    for number in 0..100 {
        let key = format!("blob:{number}").into_bytes();
        let object = Value::Object(Blob(vec![0; number]));
        table.insert(table.hasher.hash(&key), &key, record(object, None));
    }
    let mut garbage = table.clear();
    assert_eq!((table.len(), table.bytes()), (0, 0));
    table.check_invariants();
    let (mut steps, mut objects) = (1, 0);
    while !garbage.step(100, |_| objects += 1) {
        steps += 1;
    }
    assert!((95..=130).contains(&steps), "{steps} steps for 10,100 entries");
    assert_eq!(objects, 100);
    assert!(garbage.step(1, |_| panic!("nothing is left")));
    drop(table_of(3000, Masked::ALL).clear());
}

#[test]
#[should_panic(expected = "the value is no object")]
fn lending_an_object_where_none_is_panics() {
    let mut table = table_of(1, Masked::ALL);
    let key = key_of(0);
    let hash = table.hasher.hash(&key);
    table.get_mut(hash, &key).expect("it was inserted").object_mut();
}

#[test]
#[should_panic(expected = "the value is no string of bytes")]
fn changing_the_bytes_of_a_number_panics() {
    let mut table = table_of(1, Masked::ALL);
    let key = key_of(0);
    let hash = table.hasher.hash(&key);
    table.get_mut(hash, &key).expect("it was inserted").bytes_mut(5);
}
