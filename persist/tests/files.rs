//! Files that are damaged in any way are refused with a place and a reason, or read; nothing
//! panics, and no length that lies makes anybody wait for bytes that are not there.

use basalt_persist::check::check;
use basalt_persist::fault::Reason;
use basalt_persist::load::load_all;
use basalt_persist::preamble::{Preamble, empty_file, ending};
use basalt_persist::progress::LoadProgress;
use basalt_persist::reader::{ChecksumUse, Item, RdbReader, VersionCheck};
use basalt_shard::hash::HashSlot;
use basalt_shard::loading::LoadRules;
use basalt_shard::rdb::crc64::crc64;
use basalt_shard::rdb::opcode;
use basalt_shard::rdb::value_type::RdbVersion;
use basalt_shard::settings::Settings;
use basalt_shard::store::Store;
use proptest::prelude::*;

/// Keys in forms of all ages, as records.
fn records() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| bytes.extend_from_slice(part));
    put(&[&[0, 1, b'a', 5], b"value"]);
    put(&[&[0, 1, b'b', 0xc1, 0x39, 0x30]]);
    put(&[&[opcode::EXPIRY_MS], &4_000_000_000_000_i64.to_le_bytes(), &[0, 1, b'c', 1, b'x']]);
    put(&[&[opcode::EXPIRY_SECONDS], &4_000_000_i32.to_le_bytes(), &[0, 1, b'd', 1, b'x']]);
    put(&[&[opcode::IDLE, 7, 1, 1, b'l', 2, 1, b'x', 1, b'y']]);
    put(&[&[opcode::FREQUENCY, 9, 2, 1, b's', 2, 1, b'x', 1, b'y']]);
    put(&[&[4, 1, b'h', 1, 1, b'f', 1, b'v']]);
    put(&[&[3, 1, b'z', 1, 1, b'm', 3], b"1.5"]);
    put(&[&[5, 1, b'Z', 1, 1, b'm'], &2.5_f64.to_le_bytes()]);
    put(&[&[opcode::SELECT_DB, 3, opcode::RESIZE_DB, 1, 0]]);
    put(&[&[opcode::SLOT_INFO, 1, 2, 3]]);
    put(&[&[24, 1, b't'], &4_000_000_000_000_i64.to_le_bytes(), &[1, 1, 1, b'f', 1, b'v']]);
    bytes
}

/// A whole file around records.
fn file(records: &[u8]) -> Vec<u8> {
    let preamble = Preamble {
        aux: vec![("redis-ver", "7.2.0".to_owned())],
        functions: vec![b"#!lua name=library\n".to_vec()],
        databases: vec![(0, 7, 2)],
        has_field_deadlines: true,
        ..Preamble::default()
    };
    let mut bytes = preamble.to_bytes();
    bytes.extend_from_slice(records);
    bytes.push(opcode::EOF);
    let checksum = crc64(&bytes);
    bytes.extend_from_slice(&ending(checksum));
    bytes
}

fn store() -> Store {
    Store::new(HashSlot::all(), 7, 0, Settings::default().into())
}

const RULES: LoadRules = LoadRules { skips_expired: true, replaces: false };

/// How many keys a file gives, or what is wrong with it.
fn load(bytes: &[u8]) -> Result<u64, String> {
    let length = Some(bytes.len() as u64);
    let reader = RdbReader::new(bytes, length, ChecksumUse::Verify);
    let mut reader = reader.map_err(|fault| fault.to_string())?;
    let loaded = load_all(&mut reader, &mut store(), RULES, &LoadProgress::default());
    loaded.map(|(counts, _)| counts.loaded).map_err(|fault| fault.to_string())
}

#[test]
fn forms_of_all_ages_are_read() {
    assert_eq!(load(&file(&records())), Ok(10));
    let bytes = file(&records());
    let mut reader = RdbReader::new(&bytes[..], None, ChecksumUse::Verify).expect("a header");
    let (_, contents) =
        load_all(&mut reader, &mut store(), RULES, &LoadProgress::default()).expect("it is whole");
    assert_eq!(contents.functions, [b"#!lua name=library\n"]);
    assert_eq!(contents.aux, [(b"redis-ver".to_vec(), b"7.2.0".to_vec())]);
}

#[test]
fn what_follows_the_end_is_left_to_others() {
    let mut bytes = file(&records());
    bytes.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
    let mut reader = RdbReader::new(&bytes[..], None, ChecksumUse::Verify).expect("a header");
    load_all(&mut reader, &mut store(), RULES, &LoadProgress::default()).expect("it is whole");
    assert_eq!(reader.into_rest().0, b"*1\r\n$4\r\nPING\r\n");
}

#[test]
fn a_file_that_ends_early_is_told_so_wherever_it_does() {
    let bytes = file(&records());
    for length in 0..bytes.len() {
        let said = load(&bytes[..length]).expect_err("a part is no whole");
        let is_told = said.ends_with("the file ends early");
        assert!(is_told, "{length} bytes: {said}");
    }
}

#[test]
fn a_fault_has_a_place_an_opcode_and_a_key() {
    let whole = records();
    let mut twice = whole.clone();
    twice.extend_from_slice(&[opcode::SELECT_DB, 0]);
    twice.extend_from_slice(&whole[..9]);
    let said = load(&file(&twice)).expect_err("a key comes twice");
    assert!(said.contains(", value type 0, key 'a': the key comes twice"), "{said}");
    let said = load(&file(&[7, 1, b'm', 1])).expect_err("a module's");
    assert!(said.contains("value type 7, key 'm': values of modules"), "{said}");
    let said =
        load(&file(&[opcode::SELECT_DB, 0x40, 99, 0, 1, b'k', 1, b'v'])).expect_err("no such");
    assert!(said.contains("there is no database 99"), "{said}");
    let said = load(&file(&[opcode::FUNCTION_BEFORE_RELEASE])).expect_err("unreleased");
    assert!(said.contains("opcode 246 (function)"), "{said}");
    let mut wrong = file(&whole);
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    let said = load(&wrong).expect_err("a wrong checksum");
    assert!(said.contains("RDB CRC error"), "{said}");
    for header in [&b"REDIS0000"[..], b"REDIS9999", b"REDIS00x1", b"RADIS0011", b"VALKEY081"] {
        let known = header == b"VALKEY081";
        let said = load(&[header, &[opcode::EOF], &[0; 8]].concat());
        assert_eq!(said.is_ok(), known, "{}: {said:?}", header.escape_ascii());
    }
}

/// A stream with one group as type 26 or 27, with so many idempotent ids and entries given back.
fn newer_stream(code: u8, ids: u8, given_back: u8) -> Vec<u8> {
    let mut bytes = vec![code, 1, b's', 0, 0, 5, 0, 0, 0, 0, 0, 5];
    bytes.extend_from_slice(&[1, 1, b'g', 5, 0, 5, given_back]);
    for number in 0..given_back {
        bytes.extend_from_slice(&[0; 15]);
        bytes.extend_from_slice(&[number]);
        bytes.extend_from_slice(&[0; 8]);
        bytes.push(1);
    }
    bytes.push(0);
    if code == 27 {
        bytes.push(given_back);
        (0..given_back)
            .for_each(|number| bytes.extend_from_slice(&[&[0; 15][..], &[number]].concat()));
    }
    bytes.extend_from_slice(&[0x40, 100, 0x40, 100, 1, 1, b'p', ids]);
    (0..ids).for_each(|number| bytes.extend_from_slice(&[1, b'a' + number, 5, 0]));
    bytes.extend_from_slice(&[ids, 0]);
    bytes
}

#[test]
fn streams_of_newer_servers_are_read_but_for_what_has_no_place_here() {
    for (records, reduced) in [
        (newer_stream(26, 0, 0), 0),
        (newer_stream(26, 2, 0), 1),
        (newer_stream(27, 0, 0), 0),
        (newer_stream(27, 3, 0), 1),
    ] {
        let bytes = file(&[records, vec![0, 1, b'k', 1, b'v']].concat());
        let mut reader = RdbReader::new(&bytes[..], None, ChecksumUse::Verify).expect("a header");
        let progress = LoadProgress::default();
        let loaded = load_all(&mut reader, &mut store(), RULES, &progress);
        let (counts, _) = loaded.expect("it is whole");
        assert_eq!((counts.loaded, counts.reduced), (2, reduced));
    }
    let said = load(&file(&newer_stream(27, 0, 2))).expect_err("they belong to nobody");
    let reason = "entries of streams that consumers have given back (XNACK) are not supported";
    assert!(
        said.contains(", key 's': written by a newer server") && said.ends_with(reason),
        "{said}"
    );
}

#[test]
fn what_has_no_place_here_is_refused_by_name() {
    for (code, name) in [
        (22, "written by a release candidate of Redis 7.4: hashes whose fields have deadlines"),
        (28, "written by a newer server: arrays"),
        (30, "written by a newer server: hashes with templates"),
        (33, "written by a newer server: rate limiters (GCRA)"),
        (243, "written by a newer server: metadata that modules keep of keys"),
        (242, "written by a newer server: hashes with templates"),
    ] {
        let said = load(&file(&[code, 1, b'k', 1, 1])).expect_err("nothing here can hold it");
        assert!(said.ends_with(&format!("{name} are not supported")), "{said}");
    }
    let moved = [b"VALKEY080", &[243, 1, b'j', 1, 0, 5, opcode::EOF][..], &[0; 8]].concat();
    let said = load(&moved).expect_err("their keys are not whole");
    assert!(said.ends_with("slots that were being moved to it are not supported"), "{said}");
    // Whoever numbers types otherwise has other ones.
    let other = [b"VALKEY080", &[28, 1, b'k', 1, 1, opcode::EOF][..], &[0; 8]].concat();
    let said = load(&other).expect_err("nobody knows it");
    assert!(said.ends_with("value type 28 is not known"), "{said}");
}

#[test]
fn data_of_a_module_that_belongs_to_no_key_is_refused_and_checked() {
    // "abcdefghi" with version 3.
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let six_bits = |letter: &u8| letters.iter().position(|it| it == letter).expect("one of them");
    let name = b"abcdefghi".iter().fold(0, |id, letter| id << 6 | six_bits(letter) as u64);
    let mut records = vec![opcode::MODULE_AUX, 0x81];
    records.extend_from_slice(&(name << 10 | 3).to_be_bytes());
    records.extend_from_slice(&[2, 2, 1, 4, 3, 0, 0, 0, 0, 5, 2, b'h', b'i', 0]);
    let bytes = file(&records);
    let said = load(&bytes).expect_err("no module has it");
    let reason =
        "The RDB file contains AUX module data I can't load: no matching module 'abcdefghi'";
    assert!(said.ends_with(reason), "{said}");
    let verdict = check(&bytes[..], None, &mut Vec::new()).expect("a report");
    assert!(verdict.fault.is_none(), "a check needs no modules");
}

#[test]
fn versions_nobody_knows_are_read_as_far_as_they_can_be_if_that_is_wanted() {
    let read = |header: &[u8], records: &[u8], version_check| {
        let bytes = [header, records, &[opcode::EOF], &[0; 8]].concat();
        let reader = RdbReader::of_versions(version_check, &bytes[..], None, ChecksumUse::Verify);
        let mut reader = reader.map_err(|fault| fault.to_string())?;
        assert!(reader.is_newer());
        let progress = LoadProgress::default();
        let loaded = load_all(&mut reader, &mut store(), RULES, &progress);
        loaded.map(|(counts, _)| counts.loaded).map_err(|fault| fault.to_string())
    };
    let known = [0, 1, b'k', 1, b'v'];
    for header in [&b"REDIS0017"[..], b"REDIS0079", b"VALKEY099"] {
        let said = read(header, &known, VersionCheck::Strict).expect_err("nobody knows it");
        assert!(said.contains("Can't handle RDB format version"), "{said}");
        assert_eq!(read(header, &known, VersionCheck::Relaxed), Ok(1));
        let said = read(header, &[0x60, 1, b'k', 1, 1], VersionCheck::Relaxed);
        let said = said.expect_err("the type is not known");
        assert!(said.ends_with("value type 96 is not known"), "{said}");
    }
    for header in [&b"REDIS0000"[..], b"VALKEY050"] {
        read(header, &known, VersionCheck::Relaxed).expect_err("there is no such version");
    }
}

#[test]
fn how_far_a_load_is_can_be_seen() {
    let aux = Preamble { aux: vec![("used-mem", "123456".to_owned())], ..Preamble::default() };
    let mut bytes = aux.to_bytes();
    for number in 0..10_000_u32 {
        bytes.extend_from_slice(&[0, 5]);
        bytes.extend_from_slice(format!("{number:05}").as_bytes());
        bytes.extend_from_slice(b"\x01v");
    }
    // The last record cannot be taken: what was counted by then is what is there.
    bytes.extend_from_slice(&[28, 1, b'k', opcode::EOF]);
    let mut reader = RdbReader::new(&bytes[..], None, ChecksumUse::Ignore).expect("a header");
    let progress = LoadProgress::default();
    progress.begin(bytes.len() as u64);
    load_all(&mut reader, &mut store(), RULES, &progress).expect_err("it is no key");
    let going = progress.going();
    assert_eq!((going.keys, progress.used_memory_bytes()), (8192, 123_456));
    assert!((8192 * 9..10_000 * 9).contains(&going.bytes), "{going}");
}

#[test]
fn the_header_says_whose_readers_are_served() {
    let header_of = |version, has_field_deadlines| {
        let preamble = Preamble { version, has_field_deadlines, ..Preamble::default() };
        preamble.to_bytes()
    };
    assert_eq!(header_of(RdbVersion::V11, false), b"REDIS0011");
    assert_eq!(header_of(RdbVersion::V10, false), b"REDIS0010");
    // No older version knows such hashes.
    assert_eq!(header_of(RdbVersion::V11, true), b"REDIS0012");
    assert_eq!(header_of(RdbVersion::V10, true), b"REDIS0012");
    for version in [RdbVersion::V10, RdbVersion::V11] {
        let empty = empty_file(Preamble { version, ..Preamble::default() });
        assert!(empty.starts_with(b"REDIS0010"), "{}", empty.escape_ascii());
        assert_eq!(load(&empty), Ok(0));
    }
}

#[test]
fn lengths_that_lie_cost_nothing() {
    let mut bytes = Preamble::default().to_bytes();
    bytes.extend_from_slice(&[0, 1, b'k', 0x81, 0x7f, 0, 0, 0, 0, 0, 0, 0]);
    let endless = std::io::Read::chain(&bytes[..], std::io::repeat(0));
    let mut reader = RdbReader::new(endless, Some(1 << 40), ChecksumUse::Ignore).expect("a header");
    let fault = reader.read_item().expect_err("nobody has so many bytes");
    assert!(matches!(fault.reason, Reason::Truncated), "{fault}");
}

#[test]
fn a_check_tells_what_it_found() {
    let mut report = Vec::new();
    let bytes = file(&records());
    let verdict = check(&bytes[..], Some(bytes.len() as u64), &mut report).expect("a report");
    verdict.write(&mut report).expect("a report");
    let report = String::from_utf8(report).expect("text");
    assert!(report.contains("AUX FIELD redis-ver = '7.2.0'"), "{report}");
    assert!(
        report.ends_with(
            "\\o/ RDB looks OK! \\o/\n[info] 10 keys read\n[info] 2 expires\n\
         [info] 1 already expired\n[info] 1 function libraries\n"
        ),
        "{report}"
    );
}

proptest! {
    #[test]
    fn damage_never_panics(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = file(&records());
        for (index, byte) in damage {
            *index.get_mut(&mut bytes) = byte;
        }
        let mut reader = match RdbReader::new(&bytes[..], None, ChecksumUse::Ignore) {
            Ok(reader) => reader,
            Err(_) => return Ok(()),
        };
        let mut store = store();
        // Until the first fault, or the end.
        let mut items = 0;
        loop {
            match reader.read_item() {
                Ok(Item::End) | Err(_) => break,
                Ok(Item::Key(record)) => drop(store.load(&record, RULES)),
                Ok(_) => {}
            }
            items += 1;
            prop_assert!(items < bytes.len(), "each item takes a byte at least");
        }
    }
}

#[test]
fn what_fuzzers_start_from_is_sound() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds/rdb");
    let mut count = 0;
    for seed in std::fs::read_dir(folder).expect("the target has seeds") {
        let bytes = std::fs::read(seed.expect("it is listed").path()).expect("a file");
        assert!(load(&bytes).is_ok(), "a seed is a whole file");
        basalt_persist::fuzz::rdb(&bytes);
        count += 1;
    }
    assert!(count > 1, "{count} seeds");
}

/// The manifests a fuzzer starts from.
fn manifests() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds/manifest");
    let seeds = std::fs::read_dir(folder).expect("the target has seeds");
    seeds.map(|seed| std::fs::read(seed.expect("it is listed").path()).expect("a file")).collect()
}

proptest! {
    #[test]
    fn damaged_manifests_are_refused_or_read_the_same_once_written(
        seed in prop::sample::select(manifests()),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut text = seed;
        for (index, byte) in damage {
            *index.get_mut(&mut text) = byte;
        }
        basalt_persist::fuzz::manifest(&text);
    }
}
