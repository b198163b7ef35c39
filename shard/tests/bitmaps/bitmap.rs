//! SETBIT, GETBIT, BITCOUNT, BITPOS.

use basalt_shard::settings::Settings;

use crate::keyspace::Keyspace;

#[test]
fn setbit_makes_grows_and_reports() {
    let mut keys = Keyspace::new();
    keys.check_changes("SETBIT k 9 0", ":0", 1);
    assert_eq!(keys.get(b"k").as_deref(), Some(&b"\0\0"[..]));
    keys.check_changes("SETBIT k 9 1", ":0", 1);
    keys.check_changes("SETBIT k 9 1", ":1", 0);
    keys.check_changes("SETBIT k 30 0", ":0", 1);
    assert_eq!(keys.get(b"k").as_deref(), Some(&b"\0\x40\0\0"[..]));
    keys.check_changes("SETBIT k 9 0", ":1", 1);
    assert!(keys.is_raw(b"k"));
}

#[test]
fn setbit_reaches_beyond_what_lies_in_the_entry() {
    let mut keys = Keyspace::new();
    keys.check("SETBIT far 100000 1", ":0");
    keys.check("GETBIT far 100000", ":1");
    keys.check("BITCOUNT far", ":1");
    keys.set(b"near", b"a");
    keys.check("SETBIT near 8191 1", ":0");
    keys.check("SETBIT near 8192 1", ":0");
    keys.check("BITCOUNT near", ":5");
}

#[test]
fn a_number_is_its_decimal_text() {
    let mut keys = Keyspace::new();
    keys.set(b"n", b"-12");
    keys.check("GETBIT n 2", ":1");
    keys.check("BITCOUNT n", ":10");
    keys.check("BITPOS n 1", ":2");
    keys.check("SETBIT n 22 0", ":1");
    assert_eq!(keys.get(b"n").as_deref(), Some(&b"-10"[..]));
    assert!(keys.is_raw(b"n"));
}

#[test]
fn offsets_and_bits_are_checked_in_order() {
    let mut keys = Keyspace::new();
    let offset = "-ERR bit offset is not an integer or out of range";
    let bit = "-ERR bit is not an integer or out of range";
    for wrong in ["-1", "x", "4294967296", "#1", "1.0", "", "99999999999999999999"] {
        keys.check(&format!("SETBIT k {wrong} 2"), offset);
        keys.check(&format!("GETBIT k {wrong}"), offset);
    }
    for wrong in ["2", "-1", "x", ""] {
        keys.check(&format!("SETBIT k 4294967295 {wrong}"), bit);
    }
    keys.check("GETBIT k 4294967295", ":0");
    assert_eq!(keys.get(b"k"), None);
}

#[test]
fn the_longest_string_is_a_setting() {
    let settings = Settings { proto_max_bulk_len: 2, ..Settings::default() };
    let mut keys = Keyspace::with_settings(settings);
    keys.check("SETBIT k 15 1", ":0");
    keys.check("SETBIT k 16 1", "-ERR bit offset is not an integer or out of range");
}

#[test]
fn other_types_are_refused() {
    let mut keys = Keyspace::new();
    keys.set_list(b"list");
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    for line in [
        "SETBIT list 0 1",
        "GETBIT list 0",
        "BITCOUNT list",
        "BITPOS list 1",
        "BITOP AND k list",
        "BITFIELD list GET u8 0",
        "BITFIELD list SET u8 0 1",
        "BITFIELD_RO list GET u8 0",
        "PFADD list a",
        "PFCOUNT list",
        "PFCOUNT k list",
        "PFMERGE list",
        "PFDEBUG ENCODING list",
    ] {
        keys.check_changes(line, wrong, 0);
    }
}

#[test]
fn bitcount_takes_ranges_of_bytes_and_bits() {
    let mut keys = Keyspace::new();
    keys.set(b"k", b"foobar");
    keys.check("BITCOUNT k", ":26");
    keys.check("BITCOUNT k 0 0", ":4");
    keys.check("BITCOUNT k 1 1 byte", ":6");
    keys.check("BITCOUNT k 5 30 BIT", ":17");
    keys.check("BITCOUNT k -2 -1", ":7");
    keys.check("BITCOUNT k 1", ":22");
    keys.check("BITCOUNT k -1", ":4");
    keys.check("BITCOUNT k -99 -100", ":0");
    keys.check("BITCOUNT k -100 -99", ":4");
    keys.check("BITCOUNT k 3 2", ":0");
    keys.check("BITCOUNT missing", ":0");
    keys.check("BITCOUNT missing -1 -2 BIT", ":0");
}

#[test]
fn bitcount_checks_its_words_even_without_a_key() {
    let mut keys = Keyspace::new();
    let integer = "-ERR value is not an integer or out of range";
    keys.check("BITCOUNT missing x", integer);
    keys.check("BITCOUNT missing 0 x", integer);
    keys.check("BITCOUNT missing 0 x foo", integer);
    keys.check("BITCOUNT missing 0 1 foo", "-ERR syntax error");
    keys.check("BITCOUNT missing 0 1 BIT more", "-ERR syntax error");
}

#[test]
fn bitpos_searches_within_ranges() {
    let mut keys = Keyspace::new();
    keys.set(b"k", b"\xff\xf0\x00");
    keys.check("BITPOS k 0", ":12");
    keys.check("BITPOS k 1 2", ":-1");
    keys.check("BITPOS k 1 1", ":8");
    keys.check("BITPOS k 0 0 0", ":-1");
    keys.check("BITPOS k 0 0 -1", ":12");
    keys.check("BITPOS k 1 7 15 BIT", ":7");
    keys.check("BITPOS k 1 9 -1 bit", ":9");
    keys.check("BITPOS k 0 3 9 BIT", ":-1");
    keys.check("BITPOS k 1 3", ":-1");
    keys.check("BITPOS k 0 3", ":-1");
}

#[test]
fn bitpos_sees_zeros_behind_a_string_without_an_end() {
    let mut keys = Keyspace::new();
    keys.set(b"ones", b"\xff\xff");
    keys.check("BITPOS ones 0", ":16");
    keys.check("BITPOS ones 0 1", ":16");
    keys.check("BITPOS ones 0 0 -1", ":-1");
    keys.check("BITPOS ones 0 0 100", ":-1");
    keys.check("BITPOS missing 0", ":0");
    keys.check("BITPOS missing 0 5 7 BIT", ":0");
    keys.check("BITPOS missing 1", ":-1");
    keys.set(b"empty", b"");
    keys.check("BITPOS empty 0", ":-1");
}

#[test]
fn bitpos_checks_its_words_even_without_a_key() {
    let mut keys = Keyspace::new();
    let integer = "-ERR value is not an integer or out of range";
    keys.check("BITPOS missing x y", integer);
    keys.check("BITPOS missing 2 y", "-ERR The bit argument must be 1 or 0.");
    keys.check("BITPOS missing 1 y", integer);
    keys.check("BITPOS missing 1 0 y", integer);
    keys.check("BITPOS missing 1 0 y foo", "-ERR syntax error");
    keys.check("BITPOS missing 1 0 1 BIT more", "-ERR syntax error");
    keys.check("BITPOS missing", "-ERR wrong number of arguments for 'bitpos' command");
}

#[test]
fn a_change_does_not_reach_a_pinned_reply() {
    use basalt_shard::store::Access;
    use basalt_shard::table::ValueRef;
    let mut keys = Keyspace::new();
    keys.check("SETBIT k 80000 1", ":0");
    let key = keys.store.key(0, b"k");
    let entry = keys.store.find(key, Access::Peek).expect("the key is there");
    let ValueRef::Shared(bytes) = entry.value() else { panic!("a long string is shared") };
    let pinned = bytes.clone();
    keys.check("SETBIT k 0 1", ":0");
    assert_eq!((pinned[0], keys.get(b"k").expect("the key is there")[0]), (0, 0x80));
}
