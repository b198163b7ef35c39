//! BITFIELD, BITFIELD_RO.

use basalt_shard::reply::Protocol;

use crate::keyspace::Keyspace;

#[test]
fn integers_are_read_and_written() {
    let mut keys = Keyspace::new();
    keys.check("BITFIELD k SET u8 0 255 GET u8 0 SET u8 0 100 GET i8 0", "*4|:0|:255|:255|:100");
    keys.check("BITFIELD k SET i5 #1 -3 GET i5 5 GET u5 #1", "*3|:-16|:-3|:29");
    keys.check("BITFIELD k INCRBY u4 100 9 GET u4 100", "*2|:9|:9");
    assert_eq!(keys.get(b"k").map(|bytes| bytes.len()), Some(13));
    keys.check("BITFIELD k GET i64 9999", "*1|:0");
    keys.check("BITFIELD k", "*0");
    keys.check("BITFIELD_RO k GET u8 0 get u4 100", "*2|:103|:9");
}

#[test]
fn overflow_is_treated_as_asked() {
    let mut keys = Keyspace::new();
    keys.set(b"k", b"\xff\x7f\x80");
    keys.check("BITFIELD k INCRBY u8 0 10", "*1|:9");
    keys.check("BITFIELD k OVERFLOW SAT INCRBY u8 0 1000 INCRBY i8 8 1", "*2|:255|:127");
    keys.check("BITFIELD k OVERFLOW SAT INCRBY i8 16 -1 INCRBY u8 0 -999", "*2|:-128|:0");
    keys.check(
        "BITFIELD k OVERFLOW FAIL INCRBY i8 8 1 OVERFLOW WRAP INCRBY i8 8 1",
        "*2|$-1|:-128",
    );
    keys.check("BITFIELD k SET u8 0 -1 OVERFLOW SAT SET u8 0 -1 SET i8 0 999", "*3|:0|:255|:-1");
    keys.check("BITFIELD k OVERFLOW FAIL SET u4 0 16 SET u4 0 15", "*2|$-1|:7");
    keys.protocol = Protocol::Resp3;
    keys.check("BITFIELD k OVERFLOW fail SET u4 0 16", "*1|_");
    let edge = "9223372036854775807";
    keys.check(
        &format!("BITFIELD new SET i64 0 {edge} INCRBY i64 0 1 OVERFLOW sat INCRBY i64 0 -1"),
        "*3|:0|:-9223372036854775808|:-9223372036854775808",
    );
}

#[test]
fn changes_are_reported_once_and_reading_makes_no_key() {
    let mut keys = Keyspace::new();
    keys.check_changes("BITFIELD k GET u8 0", "*1|:0", 0);
    assert_eq!(keys.get(b"k"), None);
    keys.check_changes("BITFIELD k SET u8 0 0 SET u8 8 0", "*2|:0|:0", 1);
    keys.check_changes("BITFIELD k SET u8 0 0 INCRBY u8 8 0", "*2|:0|:0", 0);
    keys.check_changes("BITFIELD k SET u8 0 1 SET u8 8 1", "*2|:0|:0", 1);
    keys.check_changes("BITFIELD k OVERFLOW FAIL SET u8 0 999", "*1|$-1", 0);
    keys.check_changes("BITFIELD k OVERFLOW FAIL SET u8 24 999", "*1|$-1", 1);
    assert_eq!(keys.get(b"k").map(|bytes| bytes.len()), Some(4));
}

#[test]
fn a_wrong_word_anywhere_changes_nothing() {
    let mut keys = Keyspace::new();
    let kind = "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not \
                supported but i64 is.";
    let offset = "-ERR bit offset is not an integer or out of range";
    for (words, expected) in [
        ("GET u64 0", kind),
        ("GET i65 x", kind),
        ("GET u8 -1", offset),
        ("GET u8 #-1", offset),
        ("GET u8 #4611686018427387904", offset),
        ("SET u8 4294967296 1", offset),
        ("SET u8 x y", offset),
        ("SET u8 0 y", "-ERR value is not an integer or out of range"),
        ("SET u8 0", "-ERR syntax error"),
        ("GET u8", "-ERR syntax error"),
        ("PUT u8 0 1", "-ERR syntax error"),
        ("OVERFLOW", "-ERR syntax error"),
        ("OVERFLOW LOUD", "-ERR Invalid OVERFLOW type specified"),
    ] {
        keys.check_changes(&format!("BITFIELD k SET u8 0 1 {words}"), expected, 0);
    }
    keys.check("BITFIELD_RO k SET u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand");
    assert_eq!(keys.get(b"k"), None);
}
