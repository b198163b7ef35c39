//! The table against `HashMap`, with a scan that goes on while the table changes.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::super::{INLINE_VALUE_MAX, Position, SharedBytes};
use super::*;

#[derive(Clone, Debug, PartialEq)]
enum Content {
    Int(i64),
    Bytes(Vec<u8>),
    Blob(Vec<u8>),
}

#[derive(Clone, Debug)]
enum Operation {
    Insert(usize, Content, Option<i64>),
    SetValue(usize, Content),
    SetExpiry(usize, Option<i64>),
    Append(usize, usize),
    GrowBlob(usize, usize),
    RemoveByGuard(usize),
    Pin(usize),
    InsertMany(usize, usize),
    RemoveMany(usize, usize),
    ScanSome(usize),
    Clear,
}

const KEYS: usize = 4000;

fn content() -> impl Strategy<Value = Content> {
    let bytes = |length| Content::Bytes(vec![b'x'; length]);
    prop_oneof![
        any::<i64>().prop_map(Content::Int),
        (0usize..60).prop_map(bytes),
        (230usize..280).prop_map(bytes),
        (INLINE_VALUE_MAX - 20..INLINE_VALUE_MAX + 200).prop_map(bytes),
        (0usize..500).prop_map(|length| Content::Blob(vec![b'o'; length])),
    ]
}

fn expiry() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![Just(None), (0i64..1000).prop_map(Some), any::<i64>().prop_map(Some)]
}

fn operation() -> impl Strategy<Value = Operation> {
    // Single operations meet often on few keys; ranges make segments grow, split and merge.
    let key = || 0usize..12;
    prop_oneof![
        4 => (key(), content(), expiry()).prop_map(|(k, c, e)| Operation::Insert(k, c, e)),
        2 => (key(), content()).prop_map(|(k, c)| Operation::SetValue(k, c)),
        2 => (key(), expiry()).prop_map(|(k, e)| Operation::SetExpiry(k, e)),
        2 => (key(), 0usize..400).prop_map(|(k, n)| Operation::Append(k, n)),
        2 => (key(), 0usize..400).prop_map(|(k, n)| Operation::GrowBlob(k, n)),
        1 => key().prop_map(Operation::RemoveByGuard),
        1 => key().prop_map(Operation::Pin),
        3 => (0..KEYS, 0..KEYS).prop_map(|(k, n)| Operation::InsertMany(k, n)),
        3 => (0..KEYS, 0..KEYS).prop_map(|(k, n)| Operation::RemoveMany(k, n)),
        4 => (0usize..150).prop_map(Operation::ScanSome),
        1 => Just(Operation::Clear),
    ]
}

fn hasher() -> impl Strategy<Value = Masked> {
    prop_oneof![
        6 => Just(Masked::ALL),
        1 => Just(Masked { mask: 0xfff0_0000_0000_0000 }),
        1 => Just(Masked { mask: 0x0000_0fff_ffff_ffff }),
        1 => Just(Masked { mask: 0xf000_0000_0000_00ff }),
    ]
}

/// A scan under way: keys it must return, keys it has returned.
#[derive(Default)]
struct Scan {
    position: Position,
    owed: HashSet<Vec<u8>>,
    seen: HashSet<Vec<u8>>,
}

struct Twin {
    table: TestTable,
    model: HashMap<Vec<u8>, (Content, Option<i64>)>,
    scan: Scan,
    pinned: Vec<(SharedBytes, Vec<u8>)>,
}

impl Twin {
    fn new(hasher: Masked) -> Twin {
        let table = TestTable::new(hasher);
        Twin { table, model: HashMap::new(), scan: Scan::default(), pinned: Vec::new() }
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Insert(key, content, expiry) => self.insert(key, content, expiry),
            Operation::SetValue(key, content) => self.set_value(key, content),
            Operation::SetExpiry(key, expiry) => self.set_expiry(key, expiry),
            Operation::Append(key, length) => self.append(key, length),
            Operation::GrowBlob(key, length) => self.grow_blob(key, length),
            Operation::RemoveByGuard(key) => self.remove_by_guard(key),
            Operation::Pin(key) => self.pin(key),
            Operation::InsertMany(first, count) => {
                (first..(first + count).min(KEYS)).for_each(|k| self.insert_number(k));
            }
            Operation::RemoveMany(first, count) => {
                (first..(first + count).min(KEYS)).for_each(|k| self.remove(k));
            }
            Operation::ScanSome(steps) => (0..steps).for_each(|_| self.scan_step()),
            Operation::Clear => {
                self.table.clear().step(1000, drop);
                self.model.clear();
                self.scan.owed.clear();
            }
        }
    }

    fn hash(&self, key: &[u8]) -> u64 {
        self.table.hasher.hash(key)
    }

    fn insert(&mut self, number: usize, content: Content, expiry_ms: Option<i64>) {
        let key = key_of(number);
        let hash = self.hash(&key);
        let old = self.table.insert(hash, &key, record(value_of(&content), expiry_ms));
        let known = self.model.insert(key, (content, expiry_ms));
        assert_eq!(old.is_some(), known.is_some());
    }

    fn insert_number(&mut self, number: usize) {
        let expiry_ms = number.is_multiple_of(3).then_some(number as i64);
        self.insert(number, Content::Int(number as i64), expiry_ms);
    }

    fn remove(&mut self, number: usize) {
        let key = key_of(number);
        let removed = self.table.remove(self.hash(&key), &key);
        let known = self.model.remove(&key);
        self.scan.owed.remove(&key);
        assert_eq!(removed.is_some(), known.is_some());
        if let (Some(removed), Some((content, expiry_ms))) = (removed, known) {
            assert_eq!(removed.as_entry().key(), key);
            assert_eq!(content_of(removed.as_entry()), content);
            assert_eq!(removed.as_entry().expiry_ms(), expiry_ms);
        }
    }

    fn remove_by_guard(&mut self, number: usize) {
        let key = key_of(number);
        let hash = self.hash(&key);
        if let Some(mut guard) = self.table.get_mut(hash, &key) {
            if matches!(guard.as_entry().value(), ValueRef::Object(_)) {
                guard.object_mut().0.resize(3000, 0);
            }
            assert_eq!(guard.remove().as_entry().key(), key);
        }
        self.model.remove(&key);
        self.scan.owed.remove(&key);
    }

    fn set_value(&mut self, number: usize, content: Content) {
        let key = key_of(number);
        let hash = self.hash(&key);
        if let Some(mut guard) = self.table.get_mut(hash, &key) {
            guard.set_value(Kind::new(4), value_of(&content));
            assert_eq!(guard.as_entry().kind(), Kind::new(4));
        }
        self.model.entry(key).and_modify(|known| known.0 = content);
    }

    fn set_expiry(&mut self, number: usize, expiry_ms: Option<i64>) {
        let key = key_of(number);
        let hash = self.hash(&key);
        if let Some(mut guard) = self.table.get_mut(hash, &key) {
            guard.set_expiry_ms(expiry_ms);
        }
        self.model.entry(key).and_modify(|known| known.1 = expiry_ms);
    }

    fn append(&mut self, number: usize, length: usize) {
        let key = key_of(number);
        let hash = self.hash(&key);
        let Some((Content::Bytes(bytes), _)) = self.model.get_mut(&key) else { return };
        let present = bytes.len();
        bytes.resize(present + length, b'+');
        let mut guard = self.table.get_mut(hash, &key).expect("the model has it");
        let lent = guard.bytes_mut(present + length);
        assert!(lent[present..].iter().all(|byte| *byte == 0));
        lent[present..].fill(b'+');
    }

    fn grow_blob(&mut self, number: usize, length: usize) {
        let key = key_of(number);
        let hash = self.hash(&key);
        let Some((Content::Blob(bytes), expiry_ms)) = self.model.get_mut(&key) else { return };
        let mut guard = self.table.get_mut(hash, &key).expect("the model has it");
        guard.object_mut().0.resize(length, b'+');
        guard.object_mut().0.shrink_to_fit();
        // A change of the entry between two loans must not count anything twice.
        *expiry_ms = Some(77);
        guard.set_expiry_ms(Some(77));
        guard.object_mut().0.push(b'!');
        bytes.resize(length, b'+');
        bytes.push(b'!');
    }

    fn pin(&mut self, number: usize) {
        if let Some(ValueRef::Shared(bytes)) = self.table.look(&key_of(number)).map(Entry::value) {
            self.pinned.push((bytes.clone(), bytes.to_vec()));
        }
    }

    fn scan_step(&mut self) {
        if self.scan.position == Position::START {
            self.scan.owed = self.model.keys().cloned().collect();
            self.scan.seen.clear();
        }
        let seen = &mut self.scan.seen;
        let next = self.table.scan(self.scan.position, |entry| {
            assert!(self.model.contains_key(entry.key()), "a scan returns what is not there");
            seen.insert(entry.key().to_vec());
        });
        assert!(next.is_none_or(|next| next > self.scan.position), "a scan stands still");
        self.scan.position = next.unwrap_or_default();
        if next.is_none() {
            assert!(self.scan.owed.is_subset(seen), "a scan lost keys");
        }
    }

    fn finish_scan(&mut self) {
        while self.scan.position != Position::START {
            self.scan_step();
        }
    }

    fn compare(&self) {
        self.table.check_invariants();
        assert_eq!(self.table.len(), self.model.len());
        let expiring_len = self.model.values().filter(|(_, expiry)| expiry.is_some()).count();
        assert_eq!(self.table.expiring_len(), expiring_len);
        for entry in &self.table {
            let known = self.model.get(entry.key()).expect("the model has it");
            assert_eq!((content_of(entry), entry.expiry_ms()), known.clone());
        }
        for (pin, bytes) in &self.pinned {
            assert_eq!(**pin, *bytes, "a pinned value changed");
        }
    }
}

fn value_of(content: &Content) -> Value<'_, Blob> {
    match content {
        Content::Int(number) => Value::Int(*number),
        Content::Bytes(bytes) => Value::Bytes(bytes),
        Content::Blob(bytes) => Value::Object(Blob(bytes.clone())),
    }
}

fn content_of(entry: Entry<'_, Blob>) -> Content {
    match entry.value() {
        ValueRef::Int(number) => Content::Int(number),
        ValueRef::Bytes(bytes) => Content::Bytes(bytes.to_vec()),
        ValueRef::Shared(bytes) => Content::Bytes(bytes.to_vec()),
        ValueRef::Object(blob) => Content::Blob(blob.0.clone()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_table_behaves_like_a_map(
        hasher in hasher(),
        operations in prop::collection::vec(operation(), 1..40),
    ) {
        let mut twin = Twin::new(hasher);
        for operation in operations {
            twin.apply(operation);
            twin.compare();
        }
        twin.finish_scan();
        (0..KEYS).for_each(|key| twin.remove(key));
        twin.compare();
    }

    #[test]
    fn few_keys_meet_every_change(
        operations in prop::collection::vec(operation(), 1..200),
    ) {
        let mut twin = Twin::new(Masked::ALL);
        for operation in operations {
            match operation {
                Operation::InsertMany(..) | Operation::RemoveMany(..) => {}
                operation => twin.apply(operation),
            }
            twin.compare();
        }
        twin.finish_scan();
    }
}
