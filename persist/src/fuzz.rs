//! What must hold for any bytes whatever as a file, callable by a fuzzer.

use basalt_shard::hash::HashSlot;
use basalt_shard::loading::{LoadRules, Loaded};
use basalt_shard::settings::Settings;
use basalt_shard::store::Store;

use crate::aof::manifest::{BaseForm, LINE_BYTES_MAX, Manifest};
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

/// Any bytes as a manifest: what is accepted reads the same once it is written, and so it does
/// after everything a rewrite does to it.
///
/// # Panics
/// If it does not.
pub fn manifest(data: &[u8]) {
    let Ok(mut manifest) = Manifest::parse(data) else { return };
    assert_reads_the_same(&manifest);
    // What follows the greatest numbers could not be read.
    if manifest.files.iter().any(|file| file.sequence.max(file.generation.unwrap_or(0)) > 1 << 32) {
        return;
    }
    let kept = manifest.add_generation("a b", 1 + data.len() % 2)[0].sequence;
    let base = manifest.next_base("a b", BaseForm::Rdb);
    let gone = manifest.replace_base(base, kept);
    assert_reads_the_same(&manifest);
    manifest.add_history(gone);
    assert_reads_the_same(&manifest);
    manifest.take_history();
    assert_reads_the_same(&manifest);
}

fn assert_reads_the_same(manifest: &Manifest) {
    let text = manifest.to_text();
    // Quotes may make a line longer than any reader takes.
    if text.lines().all(|line| line.len() <= LINE_BYTES_MAX) {
        let again = Manifest::parse(text.as_bytes()).expect("it was just written");
        assert_eq!(&again, manifest);
    }
}
