//! Moving entries in memory: nothing that can be seen changes.

use std::ptr::NonNull;

use super::super::{Advice, Position, RELOCATED_VALUE_MAX, Relocated, SharedBytes};
use super::*;

/// Calls every so manieth block sparse, and counts them.
struct EveryNth {
    step: usize,
    asked: usize,
}

impl Advice for EveryNth {
    fn judge(&mut self, blocks: &[NonNull<u8>], verdicts: &mut [bool]) {
        assert_eq!(blocks.len(), verdicts.len());
        for verdict in verdicts {
            self.asked += 1;
            *verdict = self.asked.is_multiple_of(self.step);
        }
    }
}

fn relocate_all(table: &mut TestTable, step: usize) -> Relocated {
    let (mut advice, mut relocated) = (EveryNth { step, asked: 0 }, Relocated::default());
    let mut position = Some(Position::START);
    while let Some(at) = position {
        position = table.relocate(at, &mut advice, &mut relocated);
        assert!(position.is_none_or(|next| next > at), "a walk goes forward");
    }
    assert_eq!(relocated.moved + relocated.left, advice.asked);
    relocated
}

/// Keys of every form, some with a time of expiry.
fn mixed_table(count: usize) -> TestTable {
    let mut table = TestTable::new(Masked::ALL);
    for number in 0..count {
        let text = vec![number as u8; number % 300];
        let value = match number % 4 {
            0 => Value::Int(number as i64),
            1 => Value::Bytes(&text),
            2 => Value::Shared(SharedBytes::new(&text)),
            _ => Value::Object(Blob(text.clone())),
        };
        let expiry_ms = number.is_multiple_of(3).then_some(number as i64);
        let key = key_of(number);
        table.insert(table.hasher.hash(&key), &key, record(value, expiry_ms));
    }
    table
}

fn contents(table: &TestTable) -> Vec<(Vec<u8>, Option<i64>, u32, String)> {
    let describe = |entry: Entry<'_, Blob>| {
        let value = format!("{:?}", entry.value());
        (entry.key().to_vec(), entry.expiry_ms(), entry.lru_bits(), value)
    };
    table.iter().map(describe).collect()
}

#[test]
fn relocation_changes_nothing_that_can_be_seen() {
    for (count, step) in [(0, 1), (1, 1), (7, 1), (600, 1), (600, 3), (5000, 1), (5000, 2)] {
        let mut table = mixed_table(count);
        let before = (contents(&table), table.len(), table.expiring_len(), table.bytes());
        let relocated = relocate_all(&mut table, step);
        table.check_invariants();
        let after = (contents(&table), table.len(), table.expiring_len(), table.bytes());
        assert!(before == after, "{count} keys, every {step}. block");
        assert_eq!(relocated.keys_moved + relocated.keys_left, count);
        if step == 1 {
            assert_eq!((relocated.keys_moved, relocated.left), (count, 0));
        }
    }
}

#[test]
fn a_relocated_entry_lies_elsewhere() {
    let mut table = mixed_table(1);
    let place = |table: &TestTable| table.look(&key_of(0)).expect("it is there").key().as_ptr();
    let before = place(&table);
    relocate_all(&mut table, 1);
    assert_ne!(place(&table), before);
}

#[test]
fn pinned_buffers_and_huge_values_stay() {
    let mut table = TestTable::new(Masked::ALL);
    let (pinned, huge) = (key_of(1), key_of(2));
    let buffer = SharedBytes::new(&[7; 2000]);
    let reply = buffer.clone();
    table.insert(table.hasher.hash(&pinned), &pinned, record(Value::Shared(buffer), None));
    let blob = Blob(vec![1; RELOCATED_VALUE_MAX + 1]);
    table.insert(table.hasher.hash(&huge), &huge, record(Value::Object(blob), None));
    let relocated = relocate_all(&mut table, 1);
    assert!(relocated.bytes < 1000, "{} bytes were copied", relocated.bytes);
    let Some(ValueRef::Shared(held)) = table.look(&pinned).map(Entry::value) else {
        panic!("a buffer became something else")
    };
    assert!(!held.is_unique());
    drop(reply);
    assert!(held.is_unique());
}
