//! PFADD, PFCOUNT, PFMERGE, PFDEBUG, PFSELFTEST.

use basalt_shard::settings::Settings;

use crate::keyspace::Keyspace;

const NO_SKETCH: &str = "-WRONGTYPE Key is not a valid HyperLogLog string value.";
const CORRUPTED: &str = "-INVALIDOBJ Corrupted HLL object detected";

fn add_numbers(keys: &mut Keyspace, name: &str, numbers: std::ops::Range<u32>) {
    let mut words = vec![b"PFADD".to_vec(), name.as_bytes().to_vec()];
    words.extend(numbers.map(|number| number.to_string().into_bytes()));
    keys.run(&words);
}

#[test]
fn elements_are_counted_once() {
    let mut keys = Keyspace::new();
    keys.check_changes("PFADD h", ":1", 1);
    keys.check_changes("PFADD h", ":0", 0);
    keys.check_changes("PFADD h a b c", ":1", 1);
    keys.check_changes("PFADD h c b a", ":0", 0);
    keys.check("PFDEBUG DECODE h", "$44|Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603");
    keys.check_changes("PFCOUNT h", ":3", 1);
    keys.check_changes("PFCOUNT h", ":3", 0);
    keys.check("PFADD other c d", ":1");
    keys.check_changes("PFCOUNT h other missing", ":4", 0);
    keys.check("PFCOUNT missing", ":0");
    assert!(keys.is_raw(b"h"));
}

#[test]
fn the_count_is_kept_in_the_value() {
    let mut keys = Keyspace::new();
    keys.check("PFADD h a b c", ":1");
    assert_eq!(keys.get(b"h").expect("made")[8..16], [0, 0, 0, 0, 0, 0, 0, 0x80]);
    keys.check("PFCOUNT h", ":3");
    assert_eq!(keys.get(b"h").expect("made")[8..16], [3, 0, 0, 0, 0, 0, 0, 0]);
    keys.check("PFADD h d", ":1");
    assert_eq!(keys.get(b"h").expect("made")[8..16], [3, 0, 0, 0, 0, 0, 0, 0x80]);
    keys.check("PFCOUNT h", ":4");
}

#[test]
fn a_sparse_one_becomes_dense_at_the_limit() {
    let settings = Settings { hll_sparse_max_bytes: 100, ..Settings::default() };
    let mut keys = Keyspace::with_settings(settings);
    add_numbers(&mut keys, "h", 0..20);
    keys.check("PFDEBUG ENCODING h", "+sparse");
    add_numbers(&mut keys, "h", 0..100);
    keys.check("PFDEBUG ENCODING h", "+dense");
    assert_eq!(keys.get(b"h").map(|bytes| bytes.len()), Some(12_304));
    keys.check("PFCOUNT h", ":100");
    keys.check_changes("PFADD h 7", ":0", 0);
}

#[test]
fn merging_takes_the_higher_registers() {
    let mut keys = Keyspace::new();
    add_numbers(&mut keys, "one", 0..60);
    add_numbers(&mut keys, "other", 40..100);
    keys.check_changes("PFMERGE union one other missing", "+OK", 1);
    add_numbers(&mut keys, "all", 0..100);
    assert_eq!(keys.run(&crate::words("PFCOUNT union")), keys.run(&crate::words("PFCOUNT all")));
    keys.check("PFDEBUG ENCODING union", "+sparse");
    keys.check("PFDEBUG TODENSE other", ":1");
    keys.check("PFMERGE one other", "+OK");
    keys.check("PFDEBUG ENCODING one", "+dense");
    assert_eq!(keys.run(&crate::words("PFCOUNT one")), keys.run(&crate::words("PFCOUNT all")));
    keys.check("PFMERGE fresh", "+OK");
    keys.check("PFCOUNT fresh", ":0");
}

#[test]
fn debugging_shows_and_converts() {
    let mut keys = Keyspace::new();
    keys.check("PFDEBUG GETREG h", "-ERR The specified key does not exist");
    keys.check("PFADD h a b c", ":1");
    keys.check("PFDEBUG what h", "-ERR Unknown PFDEBUG subcommand 'what'");
    keys.check_changes("PFDEBUG TODENSE h", ":1", 1);
    keys.check_changes("PFDEBUG todense h", ":0", 0);
    keys.check("PFDEBUG DECODE h", "-ERR HLL encoding is not sparse");
    keys.check("PFDEBUG encoding h", "+dense");
    keys.check("PFCOUNT h", ":3");
    keys.check("PFADD g a b c", ":1");
    let registers = keys.run(&crate::words("PFDEBUG GETREG g"));
    assert!(registers.starts_with(b"*16384\r\n:0\r\n"));
    assert_eq!(registers.len(), "*16384\r\n".len() + 16_384 * ":0\r\n".len());
    keys.check("PFDEBUG ENCODING g", "+dense");
}

#[test]
fn other_strings_are_refused() {
    let mut keys = Keyspace::new();
    keys.check("PFADD h a", ":1");
    let whole = keys.get(b"h").expect("made");
    keys.set(b"cut", &whole[..15]);
    keys.set(b"number", b"1234567890123456");
    let mut claims_dense = whole.clone();
    claims_dense[4] = 0;
    keys.set(b"claims_dense", &claims_dense);
    let mut unknown = whole.clone();
    unknown[4] = 2;
    keys.set(b"unknown", &unknown);
    for name in ["cut", "number", "claims_dense", "unknown"] {
        for line in ["PFADD {} x", "PFCOUNT {}", "PFCOUNT h {}", "PFMERGE h {}", "PFDEBUG x {}"] {
            keys.check_changes(&line.replace("{}", name), NO_SKETCH, 0);
        }
    }
    assert_eq!(keys.get(b"h"), Some(whole));
}

#[test]
fn corrupted_runs_are_told_and_nothing_changes() {
    let mut keys = Keyspace::new();
    keys.check("PFADD h a b c", ":1");
    let whole = keys.get(b"h").expect("made");
    let cases: [Vec<u8>; 4] = [
        [&whole[..], b"x"].concat(),
        [&whole[..], b"\x7f"].concat(),
        whole[..whole.len() - 1].to_vec(),
        whole[..16].to_vec(),
    ];
    for bytes in cases {
        keys.set(b"bad", &bytes);
        for line in ["PFCOUNT bad", "PFCOUNT h bad", "PFMERGE h bad", "PFDEBUG TODENSE bad"] {
            keys.check_changes(line, CORRUPTED, 0);
        }
        assert_eq!(keys.get(b"bad"), Some(bytes));
    }
    // Half of the registers are missing: some elements could be added before one fails.
    keys.set(b"bad", &[&whole[..16], b"\x60\x00"].concat());
    keys.check_changes("PFADD bad a b c d e f g h i j k l m n o p q r s t", CORRUPTED, 0);
    assert_eq!(keys.get(b"h"), Some(whole));
}

#[test]
fn the_self_test_passes() {
    let mut keys = Keyspace::new();
    keys.check_changes("PFSELFTEST", "+OK", 0);
}
