//! Values of every type and form, written and read back; and what a fuzzer starts from, damaged.

use std::path::Path;

use proptest::prelude::*;

use super::fuzz;
use super::payload;
use super::value::{Decoded, type_of};
use super::value_type::{RdbVersion, ValueType};
use super::writer::Compression;
use crate::hashes::{Hash, Lifetime};
use crate::list::{End, List};
use crate::object::Object;
use crate::set::{Member, Set};
use crate::sorted_set::{Entry, SortedSet};
use crate::stream::{BlockLimit, Pending, Stream, StreamId};
use crate::table::ValueRef;

/// Texts of every kind, small ones most often.
fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (-300_i64..300).prop_map(|number| number.to_string().into_bytes()),
        1 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        4 => prop::collection::vec(any::<u8>(), 0..12),
        1 => prop::collection::vec(0_u8..3, 20..100),
        1 => (4090_usize..9000).prop_map(|length| vec![b'x'; length]),
    ]
}

fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(text(), 1..40)
}

/// Writes a value and reads it back, compressed and not, for readers of each version.
fn check(object: Object, is_small: bool) {
    let limits = fuzz::limits(is_small);
    let value = ValueRef::Object(&object);
    let types = [RdbVersion::V10, RdbVersion::V11].map(|version| type_of(value, version));
    let payloads = [Compression::Off, Compression::On].map(|compression| {
        [RdbVersion::V10, RdbVersion::V11]
            .map(|version| payload::dump(value, version, i64::MIN, compression))
    });
    let before = Decoded::Object(object);
    for [old, new] in payloads {
        let read_back = |bytes: &[u8], value_type: ValueType| {
            assert_eq!(bytes[0], value_type.code());
            let mut reader = payload::open(bytes).expect("it was just sealed");
            let after = payload::restore(&mut reader, &limits).expect("it was just written");
            assert!(reader.rest().is_empty());
            if value_type == types[1] {
                fuzz::assert_same(&before, &after);
            } else {
                fuzz::assert_same_content(&before, &after);
            }
        };
        read_back(&old, types[0]);
        read_back(&new, types[1]);
        // What a version is said to be read by, it is.
        let has_deadlines = matches!(types[0], ValueType::HashMetadata | ValueType::HashListpackEx);
        let (old_version, new_version) = if has_deadlines { (12, 12) } else { (10, 11) };
        assert_eq!(payload::version_of(&old), Some(old_version));
        assert_eq!(payload::version_of(&new), Some(new_version));
        assert!(types[0].oldest_version() <= old_version);
        assert!(types[1].oldest_version() <= new_version);
    }
}

proptest! {
    #[test]
    fn lists_come_back(texts in texts(), is_small: bool) {
        let limits = fuzz::limits(is_small);
        let mut list = List::default();
        texts.iter().for_each(|text| list.push(End::Tail, text, limits.list));
        check(Object::List(list), is_small);
    }

    #[test]
    fn sets_come_back(texts in texts(), is_small: bool) {
        let limits = fuzz::limits(is_small);
        let mut set = Set::default();
        for text in &texts {
            set.insert(Member::Text(text), &limits.set);
        }
        check(Object::Set(set), is_small);
    }

    #[test]
    fn sets_of_numbers_come_back(numbers in prop::collection::vec(any::<i64>(), 1..300)) {
        let limits = fuzz::limits(false);
        let mut set = Set::default();
        for number in &numbers {
            set.insert(Member::Int(*number), &limits.set);
        }
        check(Object::Set(set), false);
    }

    #[test]
    fn sorted_sets_come_back(
        texts in texts(),
        scores in prop::collection::vec(any::<f64>(), 40),
        is_small: bool,
    ) {
        let limits = fuzz::limits(is_small);
        let mut set = SortedSet::default();
        for (member, score) in texts.iter().zip(scores).filter(|(_, score)| !score.is_nan()) {
            set.insert(Entry { score, member }, &limits.sorted_set);
        }
        if !set.is_empty() {
            check(Object::SortedSet(set), is_small);
        }
    }

    // A name is given once: a table stays a table when a long value makes way for a short one, but
    // what is read anew is as small as its values allow.
    #[test]
    fn hashes_come_back(
        fields in prop::collection::btree_map(
            text(),
            (text(), prop::option::of(1_i64..1 << 46)),
            1..40,
        ),
        is_small: bool,
    ) {
        let limits = fuzz::limits(is_small);
        let mut hash = Hash::default();
        for (name, (value, deadline_ms)) in &fields {
            let lifetime = deadline_ms.map_or(Lifetime::Endless, Lifetime::Until);
            hash.set(name, value, lifetime, i64::MIN, &limits.hash);
        }
        check(Object::Hash(hash), is_small);
    }

    #[test]
    fn streams_come_back(
        entries in prop::collection::vec(
            (0_u64..3, 1_u64..5, prop::collection::vec(text(), 1..4)),
            0..20,
        ),
        deleted in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        pending in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..2), 0..9),
    ) {
        let mut stream = Stream::default();
        let (limit, mut id) = (BlockLimit { bytes_max: 300, entries_max: 7 }, StreamId::MIN);
        let mut ids = Vec::new();
        for (ms, seq, texts) in &entries {
            id = StreamId::new(id.ms + ms, id.seq + seq);
            let names = [&b"name"[..], b"other"].into_iter().cycle();
            let fields = names.zip(texts.iter().map(|text| &**text));
            stream.log_mut().append(id, fields, limit).expect("ids ascend");
            ids.push(id);
        }
        stream.create_group(b"group", id, Some(3));
        stream.change_group(b"group", |group, _| {
            let consumers = [b"one", b"two"]
                .map(|name| group.create_consumer(name, 5).expect("the names differ"));
            for (index, owner) in pending.iter().filter(|_| !ids.is_empty()) {
                let (id, consumer) = (*index.get(&ids), consumers[*owner]);
                group.assign(Pending { id, delivered_ms: 9, deliveries: 2, consumer });
            }
        });
        if !ids.is_empty() {
            deleted.iter().for_each(|index| _ = stream.log_mut().delete(*index.get(&ids)));
        }
        check(Object::Stream(stream), true);
    }
}

/// The inputs a fuzz target starts from.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let files = std::fs::read_dir(folder).expect("each target has seeds");
    files.map(|file| std::fs::read(file.expect("it is listed").path()).expect("a file")).collect()
}

#[test]
fn what_fuzzers_start_from_is_sound() {
    for seed in seeds("restore") {
        let (selector, body) = seed.split_first().expect("it has a selector");
        let mut sealed = body.to_vec();
        payload::seal(&mut sealed, if *selector & 2 == 0 { 11 } else { 80 });
        let mut reader = payload::open(&sealed).expect("it was just sealed");
        let result = payload::restore(&mut reader, &fuzz::limits(true));
        assert!(result.is_ok(), "{}: {}", body.escape_ascii(), result.expect_err("it is not"));
        fuzz::restore(&seed);
    }
    seeds("listpack").iter().for_each(|seed| fuzz::listpack(seed));
    seeds("old_encodings").iter().for_each(|seed| fuzz::old_encodings(seed));
    seeds("lzf").iter().for_each(|seed| fuzz::lzf(seed));
}

proptest! {
    #[test]
    fn damaged_values_are_refused_or_values_like_others(
        seed in prop::sample::select(seeds("restore")),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut data = seed;
        for (index, byte) in damage {
            *index.get_mut(&mut data) = byte;
        }
        fuzz::restore(&data);
        fuzz::listpack(&data);
        fuzz::old_encodings(&data);
        fuzz::lzf(&data);
    }
}
