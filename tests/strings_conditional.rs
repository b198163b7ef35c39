//! String commands younger than 7.0: conditions on the value and its digest, many keys with one
//! expiry, bounded counters.
//!
//! | since | commands |
//! |---|---|
//! | Redis 8.4 | SET IFEQ, IFNE, IFDEQ, IFDNE; DELEX; DIGEST; MSETEX |
//! | Redis 8.8 | INCREX |
//! | Valkey 9.0 | DELIFEQ |
//!
//! An older server skips them. Digests are XXH3 with 64 bits, as 16 hexadecimal digits; the
//! constants below were computed with an independent implementation.

mod support;

use support::{NIL, OK, Reply, Test, array, bulk, each};

const SYNTAX: &str = "-ERR syntax error";
const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
const DIGEST_OF_EMPTY: &str = "2d06800538d394c2";
const DIGEST_OF_V: &str = "f7042be43fb80714";
const DIGEST_OF_W: &str = "aceee8f5de193e29";
const DIGEST_OF_HELLO_WORLD: &str = "b6acb9d84a38ff74";

#[track_caller]
fn assert_error(t: &mut Test, command: &str) {
    let reply = t.call(command);
    assert!(matches!(reply, Reply::Error(_)), "{command}: {reply:?}");
}

#[test]
fn set_ifeq_replaces_a_known_value() {
    each(|t| {
        if !t.since("8.4") {
            return;
        }
        t.check("SET k v IFEQ v", NIL);
        t.check("EXISTS k", 0);
        t.check("SET k v", OK);
        t.check("SET k w IFEQ other", NIL);
        t.check("GET k", bulk("v"));
        t.check("SET k w ifeq v EX 100", OK);
        t.check("GET k", bulk("w"));
        t.check("TTL k", 100);
        t.check("SET k x IFEQ w KEEPTTL", OK);
        t.check("TTL k", 100);
        t.check("SET k y IFEQ other GET", bulk("x"));
        t.check("GET k", bulk("x"));
        t.check("SET k y IFEQ x GET", bulk("x"));
        t.check("GET k", bulk("y"));
        t.check("SET missing y IFEQ x GET", NIL);
        t.check("EXISTS missing", 0);
        t.check("SET n 10", OK);
        t.check("SET n 11 IFEQ 10", OK);
        t.check("SET n 12 IFEQ 011", NIL);
    });
}

#[test]
fn set_ifne_replaces_any_other_value_and_creates() {
    each(|t| {
        if !t.since("8.4") {
            return;
        }
        t.check("SET k v IFNE v", OK);
        t.check("SET k w IFNE v", NIL);
        t.check("GET k", bulk("v"));
        t.check("SET k w IFNE other", OK);
        t.check("GET k", bulk("w"));
        t.check("SET k x IFNE w GET", bulk("w"));
        t.check("GET k", bulk("w"));
    });
}

#[test]
fn set_with_conditions_on_the_digest() {
    each(|t| {
        if !t.since("8.4") {
            return;
        }
        let set = |value, option, digest| ["SET", "k", value, option, digest];
        t.check(set("v", "IFDEQ", DIGEST_OF_V), NIL);
        t.check("EXISTS k", 0);
        t.check(set("v", "IFDNE", DIGEST_OF_V), OK);
        t.check(set("w", "IFDNE", DIGEST_OF_V), NIL);
        t.check(set("w", "IFDEQ", DIGEST_OF_W), NIL);
        t.check(set("w", "IFDEQ", DIGEST_OF_V), OK);
        t.check(set("v", "IFDNE", DIGEST_OF_V), OK);
        t.check("GET k", bulk("v"));
        assert_error(t, "SET k w IFDEQ 123");
        t.check("GET k", bulk("v"));
    });
}

#[test]
fn set_conditions_exclude_each_other() {
    each(|t| {
        if !t.since("8.4") {
            return;
        }
        t.check("SET k v", OK);
        for options in ["IFEQ v NX", "XX IFEQ v", "IFEQ v IFNE w", "IFNE w IFEQ v", "IFEQ"] {
            t.check(format!("SET k w {options}"), SYNTAX);
        }
        t.check("GET k", bulk("v"));
        if t.has_command("RPUSH") {
            t.check("RPUSH list e", 1);
            t.check("SET list v IFEQ v", WRONG_TYPE);
            t.check("SET list v IFNE v", WRONG_TYPE);
            t.check("LLEN list", 1);
        }
    });
}

#[test]
fn digest() {
    each(|t| {
        if !t.since("8.4") {
            return;
        }
        t.check("DIGEST missing", NIL);
        for (value, digest) in [
            ("", DIGEST_OF_EMPTY),
            ("v", DIGEST_OF_V),
            ("w", DIGEST_OF_W),
            ("Hello world", DIGEST_OF_HELLO_WORLD),
        ] {
            t.check(["SET", "k", value], OK);
            t.check("DIGEST k", bulk(digest));
        }
        t.check("DIGEST", "-ERR wrong number of arguments for 'digest' command");
        if t.has_command("RPUSH") {
            t.check("RPUSH list e", 1);
            t.check("DIGEST list", WRONG_TYPE);
        }
    });
}

#[test]
fn digests_of_numbers_and_long_values_follow_the_text() {
    each(|t| {
        if !t.since("8.4") {
            return;
        }
        t.check("SET n 12", OK);
        let digest = t.text("DIGEST n");
        t.check("SET raw 1", OK);
        t.check("APPEND raw 2", 2);
        t.check("DIGEST raw", bulk(&digest));
        t.check(["SET", "n", "13", "IFDEQ", &digest], OK);
        t.check(["SET", "long", &"x".repeat(100_000)], OK);
        let digest = t.text("DIGEST long");
        assert!(digest.len() == 16 && digest.bytes().all(|digit| digit.is_ascii_hexdigit()));
    });
}

#[test]
fn delex() {
    each(|t| {
        if !t.since("8.4") {
            return;
        }
        t.check("DELEX missing", 0);
        t.check("DELEX missing IFEQ v", 0);
        t.check("SET k v", OK);
        t.check("DELEX k", 1);
        for (passing, failing) in [
            ("IFEQ v".to_owned(), "IFEQ w".to_owned()),
            ("IFNE w".to_owned(), "IFNE v".to_owned()),
            (format!("IFDEQ {DIGEST_OF_V}"), format!("IFDEQ {DIGEST_OF_W}")),
            (format!("IFDNE {DIGEST_OF_W}"), format!("IFDNE {DIGEST_OF_V}")),
        ] {
            t.check("SET k v", OK);
            t.check(format!("DELEX k {failing}"), 0);
            t.check("EXISTS k", 1);
            t.check(format!("DELEX k {passing}"), 1);
            t.check("EXISTS k", 0);
        }
        t.check("DELEX k nonsense v", 0);
        t.check("SET k v", OK);
        assert_error(t, "DELEX k nonsense v");
        assert_error(t, "DELEX k IFEQ");
        t.check("DELEX", "-ERR wrong number of arguments for 'delex' command");
    });
}

#[test]
fn delifeq() {
    each(|t| {
        if !t.has_command("DELIFEQ") {
            return;
        }
        t.check("DELIFEQ missing v", 0);
        t.check("SET k v", OK);
        t.check("DELIFEQ k w", 0);
        t.check("GET k", bulk("v"));
        t.check("DELIFEQ k v", 1);
        t.check("EXISTS k", 0);
        t.check("SET n 10", OK);
        t.check("DELIFEQ n 10", 1);
        t.check("DELIFEQ k", "-ERR wrong number of arguments for 'delifeq' command");
        if t.has_command("RPUSH") {
            t.check("RPUSH list e", 1);
            t.check("DELIFEQ list e", WRONG_TYPE);
        }
    });
}

#[test]
fn msetex() {
    each(|t| {
        if !t.since("8.4") {
            return;
        }
        t.check("MSETEX 2 a 1 b 2", 1);
        t.check("MGET a b", [bulk("1"), bulk("2")]);
        t.check("TTL a", -1);
        t.check("MSETEX 2 a 3 b 4 EX 100", 1);
        t.check("TTL a", 100);
        t.check("TTL b", 100);
        t.check("MSETEX 1 a 5 KEEPTTL", 1);
        t.check("TTL a", 100);
        t.check("GET a", bulk("5"));
        t.check("MSETEX 1 a 6", 1);
        t.check("TTL a", -1);
        t.check("MSETEX 2 a 7 b 8 PXAT 33177117420123", 1);
        t.check("PEXPIRETIME a", 33_177_117_420_123);
        t.check("PEXPIRETIME b", 33_177_117_420_123);
    });
}

#[test]
fn msetex_conditions_hold_for_all_or_none() {
    each(|t| {
        if !t.since("8.4") {
            return;
        }
        t.check("MSETEX 2 a 1 b 2 XX", 0);
        t.check("EXISTS a b", 0);
        t.check("SET a 0", OK);
        t.check("MSETEX 2 a 1 b 2 NX", 0);
        t.check("MSETEX 2 a 1 b 2 XX EX 10", 0);
        t.check("MGET a b", [bulk("0"), NIL]);
        t.check("MSETEX 2 c 1 d 2 NX PX 100000", 1);
        t.check("TTL d", 100);
        t.check("MSETEX 2 c 3 d 4 XX", 1);
        t.check("MGET c d", [bulk("3"), bulk("4")]);
    });
}

#[test]
fn msetex_errors() {
    each(|t| {
        if !t.since("8.4") {
            return;
        }
        for command in [
            "MSETEX 0 a 1",
            "MSETEX -1 a 1",
            "MSETEX x a 1",
            "MSETEX 2 a 1",
            "MSETEX 2 a 1 b",
            "MSETEX 1 a 1 NX XX",
            "MSETEX 1 a 1 EX 0",
            "MSETEX 1 a 1 EX 10 KEEPTTL",
            "MSETEX 1 a 1 EX 10 PX 10",
            "MSETEX 1 a 1 nonsense",
            "MSETEX 9223372036854775807 a 1",
        ] {
            assert_error(t, command);
        }
        t.check("EXISTS a", 0);
        t.check("MSETEX 1 a", "-ERR wrong number of arguments for 'msetex' command");
    });
}

#[test]
fn increx_counts_within_bounds() {
    each(|t| {
        if !t.since("8.8") {
            return;
        }
        t.check("INCREX n", [1, 1]);
        t.check("INCREX n BYINT 5", [6, 5]);
        t.check("INCREX n BYINT -2", [4, -2]);
        t.check("INCREX n BYINT 10 UBOUND 10", [4, 0]);
        t.check("GET n", bulk("4"));
        t.check("INCREX n BYINT 10 UBOUND 10 SATURATE", [10, 6]);
        t.check("INCREX n UBOUND 10", [10, 0]);
        t.check("INCREX n BYINT -100 LBOUND 0", [10, 0]);
        t.check("INCREX n BYINT -100 LBOUND 0 SATURATE", [0, -10]);
        t.check("INCREX n BYINT 5 LBOUND -5 UBOUND 5", [5, 5]);
        t.check("GET n", bulk("5"));
    });
}

#[test]
fn increx_with_expiry() {
    each(|t| {
        if !t.since("8.8") {
            return;
        }
        t.check("INCREX n EX 100", [1, 1]);
        t.check("TTL n", 100);
        t.check("INCREX n", [2, 1]);
        t.check("TTL n", 100);
        t.check("INCREX n EX 200 ENX", [3, 1]);
        t.check("TTL n", 100);
        t.check("INCREX n PERSIST", [4, 1]);
        t.check("TTL n", -1);
        t.check("INCREX n EX 200 ENX", [5, 1]);
        t.check("TTL n", 200);
        t.check("INCREX n PXAT 33177117420123", [6, 1]);
        t.check("PEXPIRETIME n", 33_177_117_420_123);
    });
}

#[test]
fn increx_with_floats() {
    each(|t| {
        if !t.since("8.8") {
            return;
        }
        let reply = t.call("INCREX f BYFLOAT 0.5");
        assert_eq!(reply.texts(), ["0.5", "0.5"]);
        let reply = t.call("INCREX f BYFLOAT 2 UBOUND 1.75 SATURATE");
        assert_eq!(reply.texts(), ["1.75", "1.25"]);
        t.check("GET f", bulk("1.75"));
        t.check("SET text abc", OK);
        assert_error(t, "INCREX text BYFLOAT 1");
    });
}

#[test]
fn increx_errors() {
    each(|t| {
        if !t.since("8.8") {
            return;
        }
        for command in [
            "INCREX n BYINT x",
            "INCREX n BYINT 1.5",
            "INCREX n BYFLOAT x",
            "INCREX n BYINT 1 BYFLOAT 1",
            "INCREX n LBOUND 5 UBOUND 1",
            "INCREX n EX 0",
            "INCREX n EX 10 PX 10",
            "INCREX n EX 10 PERSIST",
            "INCREX n nonsense",
        ] {
            assert_error(t, command);
        }
        t.check("EXISTS n", 0);
        t.check("SET text abc", OK);
        t.check("INCREX text", "-ERR value is not an integer or out of range");
        t.check("MGET text n", array([bulk("abc"), NIL]));
    });
}
