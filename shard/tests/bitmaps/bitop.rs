//! BITOP.

use crate::keyspace::Keyspace;

/// Four sources in which every combination of X, Y1, Y2 occurs.
fn sources() -> Keyspace {
    let mut keys = Keyspace::new();
    keys.set(b"x", b"\x0f");
    keys.set(b"y1", b"\x33");
    keys.set(b"y2", b"\x55\xff");
    keys
}

#[track_caller]
fn check(operation: &str, names: &str, expected: &[u8]) {
    let mut keys = sources();
    keys.check_changes(
        &format!("BITOP {operation} target {names}"),
        &format!(":{}", expected.len()),
        1,
    );
    assert_eq!(keys.get(b"target").as_deref(), Some(expected), "{operation}");
    assert!(keys.is_raw(b"target"));
}

#[test]
fn every_operation_combines_its_sources() {
    check("AND", "x y1 y2", b"\x01\x00");
    check("or", "x y1 y2", b"\x7f\xff");
    check("Xor", "x y1 y2", b"\x69\xff");
    check("NOT", "y2", b"\xaa\x00");
    check("DIFF", "x y1 y2", b"\x08\x00");
    check("DIFF1", "x y1 y2", b"\x70\xff");
    check("ANDOR", "x y1 y2", b"\x07\x00");
    check("ONE", "x y1 y2", b"\x68\xff");
    check("ONE", "x", b"\x0f");
    check("AND", "x", b"\x0f");
    check("AND", "x missing", b"\x00");
    check("DIFF", "missing x", b"\x00");
    check("DIFF1", "missing x", b"\x0f");
}

#[test]
fn the_target_may_be_a_source_and_loses_its_expiry() {
    let mut keys = sources();
    let x = keys.store.key(0, b"x");
    keys.store.set_expiry(x, Some(i64::MAX));
    keys.check("BITOP NOT x x", ":1");
    assert_eq!(keys.get(b"x").as_deref(), Some(&b"\xf0"[..]));
    assert_eq!(keys.store.database_counts()[0].1.expiring, 0);
    keys.set(b"n", b"7");
    keys.check("BITOP OR n n y1", ":1");
    assert_eq!(keys.get(b"n").as_deref(), Some(&b"7"[..]));
}

#[test]
fn nothing_from_nothing_removes_the_target() {
    let mut keys = sources();
    keys.set(b"empty", b"");
    keys.check_changes("BITOP OR x missing empty", ":0", 1);
    assert_eq!(keys.get(b"x"), None);
    keys.check_changes("BITOP OR x missing", ":0", 0);
    keys.set_list(b"list");
    keys.check_changes("BITOP NOT list y1", ":1", 1);
    assert_eq!(keys.get(b"list").as_deref(), Some(&b"\xcc"[..]));
}

#[test]
fn long_results_are_made_of_many_blocks() {
    let mut keys = Keyspace::new();
    keys.set(b"long", &[0xf0; 10_000]);
    keys.set(b"short", &[0xff; 5_000]);
    keys.check("BITOP XOR target long short", ":10000");
    let expected = [[0x0f; 5_000], [0xf0; 5_000]].concat();
    assert_eq!(keys.get(b"target"), Some(expected));
}

#[test]
fn operations_and_numbers_of_sources_are_checked_first() {
    let mut keys = Keyspace::new();
    keys.set_list(b"list");
    keys.check("BITOP NAND target list", "-ERR syntax error");
    keys.check(
        "BITOP NOT target list x",
        "-ERR BITOP NOT must be called with a single source key.",
    );
    for operation in ["DIFF", "DIFF1", "ANDOR"] {
        keys.check(
            &format!("BITOP {} target list", operation.to_lowercase()),
            &format!("-ERR BITOP {operation} must be called with at least two source keys."),
        );
    }
}
