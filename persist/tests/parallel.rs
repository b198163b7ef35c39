//! A file that several threads load gives what one thread makes of it, or the same fault.

use basalt_persist::fault::Reason;
use basalt_persist::load::{LoadCounts, load_all};
use basalt_persist::parallel::load_all_on;
use basalt_persist::preamble::{Preamble, ending};
use basalt_persist::progress::LoadProgress;
use basalt_persist::reader::{ChecksumUse, RdbReader};
use basalt_shard::hash::HashSlot;
use basalt_shard::loading::{LoadFault, LoadRules};
use basalt_shard::rdb::crc64::crc64;
use basalt_shard::rdb::opcode;
use basalt_shard::settings::Settings;
use basalt_shard::store::Store;

const RULES: LoadRules = LoadRules { skips_expired: false, replaces: false };
const KEYS: u32 = 20_000;

/// A file of strings in three databases, some of which expire, behind which stands `more`.
fn file(more: &[u8]) -> Vec<u8> {
    let mut bytes = Preamble::default().to_bytes();
    for number in 0..KEYS {
        if number % (KEYS / 3) == 0 {
            bytes.extend_from_slice(&[opcode::SELECT_DB, (number / (KEYS / 3)) as u8]);
        }
        if number % 3 == 0 {
            bytes.push(opcode::EXPIRY_MS);
            bytes.extend_from_slice(&(4_000_000_000_000 + i64::from(number)).to_le_bytes());
        }
        let name = format!("key:{number}");
        bytes.extend_from_slice(&[0, name.len() as u8]);
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&[2, b'v', b'0' + (number % 10) as u8]);
    }
    bytes.extend_from_slice(more);
    bytes.push(opcode::EOF);
    let checksum = crc64(&bytes);
    bytes.extend_from_slice(&ending(checksum));
    bytes
}

fn store() -> Store {
    Store::new(HashSlot::all(), 7, 0, Settings::default().into())
}

fn reader(bytes: &[u8]) -> RdbReader<&[u8]> {
    RdbReader::new(bytes, None, ChecksumUse::Verify).expect("it begins as it should")
}

/// How many keys each slot has in each database, and how many of them expire; and what is counted
/// over all slots.
fn inventory(store: &Store) -> Vec<String> {
    let mut lines = Vec::new();
    for (slot, content) in store.slots() {
        for (db, table) in content.tables() {
            let (keys, expiring) = (table.len(), table.expiring_len());
            lines.push(format!("slot {} {db}: {keys} {expiring}", slot.index()));
        }
    }
    let counts = store.database_counts().iter();
    lines.extend(counts.map(|(db, count)| format!("{db}: {} {}", count.keys, count.expiring)));
    lines.sort_unstable();
    lines
}

#[test]
fn several_threads_load_what_one_does() {
    let bytes = file(&[]);
    let mut alone = store();
    let (counts, _) = load_all(&mut reader(&bytes), &mut alone, RULES, &LoadProgress::default())
        .expect("it is whole");
    assert_eq!(counts, LoadCounts { loaded: u64::from(KEYS), expired: 0, empty: 0, reduced: 0 });
    for thread_count in [1, 2, 3, 8] {
        let mut together = store();
        let loaded = load_all_on(
            thread_count,
            &mut reader(&bytes),
            &mut together,
            RULES,
            &LoadProgress::default(),
        );
        assert_eq!(loaded.expect("it is whole").0, counts);
        assert_eq!(inventory(&together), inventory(&alone), "{thread_count} threads");
    }
}

#[test]
fn a_fault_is_told_and_no_slot_gets_lost() {
    // The last key comes twice, and then many more, which nobody waits for.
    let twice = [0, 5, b'k', b'e', b'y', b':', b'1', 1, b'x'];
    let bytes = file(&[&[opcode::SELECT_DB, 0][..], &twice].concat());
    let mut store = store();
    let fault = load_all_on(3, &mut reader(&bytes), &mut store, RULES, &LoadProgress::default())
        .expect_err("it comes twice");
    assert!(matches!(fault.reason, Reason::Key(LoadFault::DuplicateKey)), "{fault}");
    assert_eq!(fault.key.as_deref(), Some(&b"key:1"[..]));
    assert!(HashSlot::all().all(|slot| store.has_slot(slot)));
}

#[test]
fn a_file_that_ends_early_is_told_and_no_slot_gets_lost() {
    let mut bytes = file(&[]);
    bytes.truncate(bytes.len() / 2);
    let mut store = store();
    let fault = load_all_on(2, &mut reader(&bytes), &mut store, RULES, &LoadProgress::default())
        .expect_err("it ends");
    assert!(fault.to_string().ends_with("the file ends early"), "{fault}");
    assert!(HashSlot::all().all(|slot| store.has_slot(slot)));
}
