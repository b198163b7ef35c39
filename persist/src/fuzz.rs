//! What must hold for any bytes whatever as a file, callable by a fuzzer.

use basalt_shard::hash::HashSlot;
use basalt_shard::loading::{LoadRules, Loaded};
use basalt_shard::settings::Settings;
use basalt_shard::store::Store;

use crate::reader::{ChecksumUse, Item, RdbReader};

/// Any bytes as a file: it is read up to its first fault, and keys that are taken are there.
///
/// # Panics
/// If reading does not end, or an accepted key is not there.
pub fn rdb(data: &[u8]) {
    let reader = RdbReader::new(data, Some(data.len() as u64), ChecksumUse::Ignore);
    let Ok(mut reader) = reader else { return };
    let mut store = Store::new(HashSlot::all(), 7, 0, Settings::default().into());
    let rules = LoadRules { skips_expired: false, replaces: true };
    let mut items = 0;
    while let Ok(item) = reader.read_item() {
        items += 1;
        assert!(items <= data.len(), "each item takes a byte at least");
        match item {
            Item::End => return,
            Item::Key(record) => {
                let is_taken = store.load(&record, rules) == Ok(Loaded::Added);
                let table = store.table(HashSlot::of_key(record.name), record.db);
                let has_keys = table.is_some_and(|table| !table.is_empty());
                assert!(!is_taken || has_keys, "a key that was taken is there");
            }
            _ => {}
        }
    }
}
