//! What must hold for any bytes whatever, callable by a fuzzer.
//!
//! Reading must not panic, and what was accepted must be a value like any other: it can be written,
//! and what was written reads back as the same value and is written the same way again.

use super::intset::Intset;
use super::lzf;
use super::payload;
use super::value::{self, Decoded, Limits};
use super::value_type::RdbVersion;
use super::writer::Compression;
use super::ziplist::Ziplist;
use super::zipmap::Zipmap;
use crate::digest::{self, Digest};
use crate::hash::Seed;
use crate::list::NodeLimit;
use crate::number::parse_integer;
use crate::object::Object;
use crate::packed::Listpack;
use crate::set::SetLimits;
use crate::table::ValueRef;
use crate::{hashes, sorted_set};

/// Versions whose numbering of types differs.
const VERSIONS: [u16; 2] = [11, 80];

/// Small limits, so that few bytes reach all forms, and those of the default settings.
pub(super) fn limits(is_small: bool) -> Limits {
    let seed = Seed(7);
    let (entries, bytes, node) = if is_small { (4, 8, 3) } else { (128, 64, -2) };
    Limits {
        hash: hashes::Limits { packed_fields_max: entries, packed_text_bytes_max: bytes, seed },
        list: NodeLimit::of_setting(node),
        set: SetLimits {
            intset_entries: entries,
            listpack_entries: entries,
            listpack_value_bytes: bytes,
            hash_seed: seed.0,
        },
        sorted_set: sorted_set::Limits { entries_max: entries, member_bytes_max: bytes, seed },
    }
}

/// The value as it would lie in a table.
fn with_value<R>(decoded: &Decoded<'_>, look: impl FnOnce(ValueRef<'_, Object>) -> R) -> R {
    match decoded {
        Decoded::Object(object) => look(ValueRef::Object(object)),
        Decoded::String(text) => {
            let mut digits = itoa::Buffer::new();
            let text = text.bytes(&mut digits);
            look(parse_integer(text).map_or(ValueRef::Bytes(text), ValueRef::Int))
        }
    }
}

/// Any bytes as a value: the first one chooses limits and the numbering of types, the rest is a
/// payload without its footer.
///
/// # Panics
/// If an accepted value does not survive being written and read.
pub fn restore(data: &[u8]) {
    let Some((selector, body)) = data.split_first() else { return };
    let limits = limits(selector & 1 == 0);
    let mut sealed = body.to_vec();
    payload::seal(&mut sealed, VERSIONS[usize::from(selector >> 1 & 1)]);
    let mut reader = payload::open(&sealed).expect("it was just sealed");
    let Ok(first) = payload::restore(&mut reader, &limits) else { return };
    let written = dump(&first, RdbVersion::V11, Compression::On);
    let mut reader = payload::open(&written).expect("it was just sealed");
    let second = payload::restore(&mut reader, &limits).expect("it was just written");
    assert!(reader.rest().is_empty(), "all of it is read");
    assert_same(&first, &second);
    let plain = dump(&second, RdbVersion::V11, Compression::Off);
    let mut reader = payload::open(&plain).expect("it was just sealed");
    let third = payload::restore(&mut reader, &limits).expect("it was just written");
    assert_same(&first, &third);
    let old = dump(&third, RdbVersion::V10, Compression::Off);
    let mut reader = payload::open(&old).expect("it was just sealed");
    let fourth = payload::restore(&mut reader, &limits).expect("it was just written");
    assert!(reader.rest().is_empty(), "all of it is read");
    assert_same_content(&first, &fourth);
}

/// Any bytes as a stream: as [`restore`], but whatever the first byte is, it means one of the types
/// of streams, so that a fuzzer does not have to find those.
///
/// # Panics
/// If an accepted stream does not survive being written and read.
pub fn stream(data: &[u8]) {
    const STREAM_TYPES: [u8; 3] = [15, 19, 21];
    let Some((selector, body)) = data.split_first() else { return };
    let kind = STREAM_TYPES[usize::from(selector >> 2) % STREAM_TYPES.len()];
    // The numbering of types that streams are found in.
    let small_limits = selector & 1;
    restore(&[&[small_limits, kind], body].concat());
}

/// Tables may be walked in another order after they grew another way, which neither digests nor
/// lengths show.
pub(super) fn assert_same(one: &Decoded<'_>, other: &Decoded<'_>) {
    let facts = |decoded: &Decoded<'_>| {
        with_value(decoded, |value| {
            let mut digest = Digest::default();
            digest::take_value(&mut digest, value, i64::MIN);
            let version = RdbVersion::V11;
            let length = payload::serialized_length(value, version, i64::MIN, Compression::Off);
            (value::type_of(value, version), digest, length)
        })
    };
    assert_eq!(facts(one), facts(other));
}

/// The same, of a value that has come by a form that does not tell how it was kept.
pub(super) fn assert_same_content(one: &Decoded<'_>, other: &Decoded<'_>) {
    let digest_of = |decoded: &Decoded<'_>| {
        with_value(decoded, |value| {
            let mut digest = Digest::default();
            digest::take_value(&mut digest, value, i64::MIN);
            digest
        })
    };
    assert_eq!(digest_of(one), digest_of(other));
}

fn dump(decoded: &Decoded<'_>, version: RdbVersion, compression: Compression) -> Vec<u8> {
    with_value(decoded, |value| payload::dump(value, version, i64::MIN, compression))
}

/// Any bytes as a listpack.
///
/// # Panics
/// If an accepted one does not survive being packed and written.
pub fn listpack(data: &[u8]) {
    let Some(listpack) = Listpack::parse(data) else { return };
    let Some(packed) = listpack.to_packed() else { return };
    let mut written = Vec::new();
    packed.write_listpack(&mut written);
    let again = Listpack::parse(&written).expect("it was just written");
    assert!(listpack.iter().eq(again.iter()));
    assert_eq!(again.iter().count(), listpack.len());
}

/// Any bytes as a ziplist, a zipmap and an intset.
///
/// # Panics
/// If an accepted one does not hold as many elements as it says.
pub fn old_encodings(data: &[u8]) {
    if let Some(ziplist) = Ziplist::parse(data) {
        assert_eq!(ziplist.iter().count(), ziplist.len());
    }
    if let Some(zipmap) = Zipmap::parse(data) {
        assert_eq!(zipmap.iter().count(), zipmap.len());
    }
    if let Some(intset) = Intset::parse(data) {
        assert!(intset.iter().is_sorted());
    }
}

/// Any bytes in compressed form, and any bytes to be compressed.
///
/// # Panics
/// If compressed bytes do not come back.
pub fn lzf(data: &[u8]) {
    for length in [0, 1, data.len(), 3 * data.len()] {
        if let Some(text) = lzf::decompress(data, length) {
            assert_eq!(text.len(), length);
        }
    }
    lzf::check_round_trip(data);
}
