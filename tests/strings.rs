//! String commands: values, ranges, conditions, expiry options, every error text.
//!
//! Counters and floats are in `numbers.rs`, LCS in `lcs.rs`, the newer conditional commands in
//! `strings_conditional.rs`.

mod support;

use support::{Expect, NIL, OK, Test, array, bulk, each};

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
const SYNTAX: &str = "-ERR syntax error";
const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range";
const TOO_LONG: &str = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)";

fn wrong_arity(command: &str) -> Expect {
    format!("-ERR wrong number of arguments for '{command}' command").into()
}

fn invalid_expire(command: &str) -> Expect {
    format!("-ERR invalid expire time in '{command}' command").into()
}

/// Stores a list under `key`; false (and reported) when the server has no lists.
fn with_list(t: &mut Test, key: &str) -> bool {
    if !t.has_command("RPUSH") {
        return false;
    }
    t.check(["RPUSH", key, "element"], 1);
    true
}

#[test]
fn set_and_get() {
    each(|t| {
        t.check("GET missing", NIL);
        t.check("SET k v", OK);
        t.check("GET k", bulk("v"));
        t.check("set K other", OK);
        t.check("gEt K", bulk("other"));
        t.check("GET k", bulk("v"));
        t.check(r#"SET "" empty-key"#, OK);
        t.check(r#"GET """#, bulk("empty-key"));
        t.check(r#"SET k """#, OK);
        t.check("GET k", bulk(""));
        t.check(r#"SET "\x00\xff\r\n" "\r\n\x00""#, OK);
        t.check(r#"GET "\x00\xff\r\n""#, bulk(b"\r\n\0"));
    });
}

#[test]
fn values_of_every_size_class_survive() {
    each(|t| {
        for length in [0, 1, 8, 22, 23, 39, 44, 45, 127, 128, 4095, 4096, 16_383, 16_384, 100_000] {
            let value: Vec<u8> = (0..length).map(|index| (index * 7 % 256) as u8).collect();
            let key = format!("size:{length}");
            t.check([b"SET", key.as_bytes(), &value], OK);
            t.check(["GET", &key], bulk(&value));
            t.check(["STRLEN", &key], length);
        }
    });
}

#[test]
fn set_overwrites_any_type_and_drops_the_expiry() {
    each(|t| {
        t.check("SET k v EX 100", OK);
        t.check("SET k w", OK);
        t.check("TTL k", -1);
        if with_list(t, "list") {
            t.check("SET list v", OK);
            t.check("GET list", bulk("v"));
        }
    });
}

#[test]
fn set_with_conditions() {
    each(|t| {
        t.check("SET k v XX", NIL);
        t.check("EXISTS k", 0);
        t.check("SET k v NX", OK);
        t.check("SET k w NX", NIL);
        t.check("GET k", bulk("v"));
        t.check("SET k w xx", OK);
        t.check("GET k", bulk("w"));
        t.check("SET k v NX XX", SYNTAX);
        t.check("SET k v XX NX", SYNTAX);
    });
}

#[test]
fn set_with_get() {
    each(|t| {
        t.check("SET k v GET", NIL);
        t.check("SET k w GET", bulk("v"));
        t.check("SET k x XX GET", bulk("w"));
        t.check("SET k y NX GET", bulk("x"));
        t.check("GET k", bulk("x"));
        t.check("SET other v GET XX", NIL);
        t.check("EXISTS other", 0);
        t.check("SET other v GET NX", NIL);
        t.check("GET other", bulk("v"));
        t.check("SET k z GET EX 100", bulk("x"));
        t.check("TTL k", 100);
        if with_list(t, "list") {
            t.check("SET list v GET", WRONG_TYPE);
            t.check("LLEN list", 1);
        }
    });
}

#[test]
fn set_with_expiry_options() {
    each(|t| {
        t.check("SET k v EX 100", OK);
        t.check("TTL k", 100);
        t.check("SET k v PX 100000", OK);
        t.check("TTL k", 100);
        t.check("SET k v EXAT 33177117420", OK);
        t.check("EXPIRETIME k", 33_177_117_420);
        t.check("SET k v PXAT 33177117420123", OK);
        t.check("PEXPIRETIME k", 33_177_117_420_123);
        t.check("SET k w KEEPTTL", OK);
        t.check("PEXPIRETIME k", 33_177_117_420_123);
        t.check("GET k", bulk("w"));
        t.check("SET k w keepttl xx get", bulk("w"));
        t.check("SET k v NX EX 10", NIL);
        t.check("PEXPIRETIME k", 33_177_117_420_123);
        t.check("SET k v EX 10 EX 200", OK);
        t.check("TTL k", 200);
        t.check("SET new v KEEPTTL", OK);
        t.check("TTL new", -1);
    });
}

#[test]
fn set_with_a_past_time_stores_nothing_that_can_be_seen() {
    each(|t| {
        t.check("SET k v", OK);
        t.check("SET k w EXAT 1", OK);
        t.check("GET k", NIL);
        t.check("SET k w PXAT 1", OK);
        t.check("EXISTS k", 0);
    });
}

#[test]
fn set_refuses_bad_expiry() {
    each(|t| {
        for option in ["EX", "PX", "EXAT", "PXAT"] {
            t.check(["SET", "k", "v", option, "0"], invalid_expire("set"));
            t.check(["SET", "k", "v", option, "-1"], invalid_expire("set"));
            t.check(["SET", "k", "v", option, "ten"], NOT_AN_INTEGER);
            t.check(["SET", "k", "v", option, "1.5"], NOT_AN_INTEGER);
            t.check(["SET", "k", "v", option, "9223372036854775808"], NOT_AN_INTEGER);
            t.check(["SET", "k", "v", option], SYNTAX);
        }
        t.check("SET k v EX 9223372036854775807", invalid_expire("set"));
        t.check("SET k v EX 9223372036854776", invalid_expire("set"));
        t.check("SET k v PX 9223372036854775807", invalid_expire("set"));
        t.check("SET k v EXAT 9223372036854776", invalid_expire("set"));
        t.check("EXISTS k", 0);
    });
}

#[test]
fn set_refuses_contradictions() {
    each(|t| {
        t.check("SET k v EX 10 PX 10", SYNTAX);
        t.check("SET k v EX 10 KEEPTTL", SYNTAX);
        t.check("SET k v KEEPTTL PX 10", SYNTAX);
        t.check("SET k v EXAT 10 PXAT 10", SYNTAX);
        t.check("SET k v PERSIST", SYNTAX);
        t.check("SET k v GET nonsense", SYNTAX);
        t.check("SET k v 10 EX", SYNTAX);
        t.check("SET k", wrong_arity("set"));
        t.check("SET", wrong_arity("set"));
        t.check("EXISTS k", 0);
    });
}

#[test]
fn setnx_setex_psetex() {
    each(|t| {
        t.check("SETNX k v", 1);
        t.check("SETNX k w", 0);
        t.check("GET k", bulk("v"));
        t.check("SETEX k 100 w", OK);
        t.check("TTL k", 100);
        t.check("PSETEX k 50000 x", OK);
        t.check("TTL k", 50);
        t.check("GET k", bulk("x"));
        t.check("SETEX k 0 v", invalid_expire("setex"));
        t.check("SETEX k -1 v", invalid_expire("setex"));
        t.check("SETEX k nan v", NOT_AN_INTEGER);
        t.check("SETEX k 9223372036854776 v", invalid_expire("setex"));
        t.check("PSETEX k 0 v", invalid_expire("psetex"));
        t.check("PSETEX k 9223372036854775807 v", invalid_expire("psetex"));
        t.check("PSETEX k x v", NOT_AN_INTEGER);
        t.check("GET k", bulk("x"));
        t.check("SETNX k", wrong_arity("setnx"));
        t.check("SETEX k 1", wrong_arity("setex"));
        t.check("PSETEX k 1", wrong_arity("psetex"));
    });
}

#[test]
fn getset() {
    each(|t| {
        t.check("GETSET k v", NIL);
        t.check("EXPIRE k 100", 1);
        t.check("GETSET k w", bulk("v"));
        t.check("TTL k", -1);
        t.check("GETSET k", wrong_arity("getset"));
        if with_list(t, "list") {
            t.check("GETSET list v", WRONG_TYPE);
        }
    });
}

#[test]
fn getdel() {
    each(|t| {
        t.check("GETDEL k", NIL);
        t.check("SET k v", OK);
        t.check("GETDEL k", bulk("v"));
        t.check("EXISTS k", 0);
        t.check("GETDEL k extra", wrong_arity("getdel"));
        if with_list(t, "list") {
            t.check("GETDEL list", WRONG_TYPE);
            t.check("EXISTS list", 1);
        }
    });
}

#[test]
fn getex_changes_only_the_expiry() {
    each(|t| {
        t.check("GETEX k", NIL);
        t.check("GETEX k EX 10", NIL);
        t.check("SET k v", OK);
        t.check("GETEX k", bulk("v"));
        t.check("TTL k", -1);
        t.check("GETEX k EX 100", bulk("v"));
        t.check("TTL k", 100);
        t.check("GETEX k", bulk("v"));
        t.check("TTL k", 100);
        t.check("GETEX k PX 50000", bulk("v"));
        t.check("TTL k", 50);
        t.check("GETEX k EXAT 33177117420", bulk("v"));
        t.check("EXPIRETIME k", 33_177_117_420);
        t.check("GETEX k pxat 33177117420123", bulk("v"));
        t.check("PEXPIRETIME k", 33_177_117_420_123);
        t.check("GETEX k PERSIST", bulk("v"));
        t.check("TTL k", -1);
        t.check("GETEX k PXAT 1", bulk("v"));
        t.check("EXISTS k", 0);
    });
}

#[test]
fn getex_errors() {
    each(|t| {
        t.check("SET k v", OK);
        t.check("GETEX k EX 0", invalid_expire("getex"));
        t.check("GETEX k PX -5", invalid_expire("getex"));
        t.check("GETEX k EX 9223372036854776", invalid_expire("getex"));
        t.check("GETEX k EX x", NOT_AN_INTEGER);
        t.check("GETEX k EX", SYNTAX);
        t.check("GETEX k EX 1 PX 1", SYNTAX);
        t.check("GETEX k EX 1 PERSIST", SYNTAX);
        t.check("GETEX k PERSIST PX 1", SYNTAX);
        t.check("GETEX k KEEPTTL", SYNTAX);
        t.check("GETEX k NX", SYNTAX);
        t.check("GETEX", wrong_arity("getex"));
        t.check("TTL k", -1);
        if with_list(t, "list") {
            t.check("GETEX list EX 10", WRONG_TYPE);
            t.check("TTL list", -1);
        }
    });
}

#[test]
fn append_and_strlen() {
    each(|t| {
        t.check("STRLEN k", 0);
        t.check("APPEND k ab", 2);
        t.check("APPEND k cd", 4);
        t.check(r#"APPEND k """#, 4);
        t.check("GET k", bulk("abcd"));
        t.check(r#"APPEND empty """#, 0);
        t.check("EXISTS empty", 1);
        t.check("SET n 12", OK);
        t.check("APPEND n 34", 4);
        t.check("GET n", bulk("1234"));
        t.check("INCR n", 1235);
        t.check("EXPIRE k 100", 1);
        t.check("APPEND k e", 5);
        t.check("TTL k", 100);
        t.check("SET n -9223372036854775808", OK);
        t.check("STRLEN n", 20);
        t.check("APPEND k", wrong_arity("append"));
        t.check("STRLEN", wrong_arity("strlen"));
        if with_list(t, "list") {
            t.check("APPEND list x", WRONG_TYPE);
            t.check("STRLEN list", WRONG_TYPE);
        }
    });
}

#[test]
fn append_grows_through_every_size() {
    each(|t| {
        let mut expected = Vec::new();
        for round in 0..200_u8 {
            let piece = vec![round; 97];
            expected.extend_from_slice(&piece);
            t.check([&b"APPEND"[..], b"k", &piece], expected.len() as i64);
        }
        t.check("GET k", bulk(&expected));
    });
}

#[test]
fn setrange() {
    each(|t| {
        t.check("SETRANGE k 3 abc", 6);
        t.check("GET k", bulk(b"\0\0\0abc"));
        t.check("SETRANGE k 1 xy", 6);
        t.check("GET k", bulk(b"\0xyabc"));
        t.check("SETRANGE k 6 z", 7);
        t.check("GET k", bulk(b"\0xyabcz"));
        t.check(r#"SETRANGE k 100 """#, 7);
        t.check(r#"SETRANGE missing 5 """#, 0);
        t.check("EXISTS missing", 0);
        t.check("SET n 1234", OK);
        t.check("SETRANGE n 1 99", 4);
        t.check("GET n", bulk("1994"));
        t.check("EXPIRE n 100", 1);
        t.check("SETRANGE n 0 7", 4);
        t.check("TTL n", 100);
    });
}

#[test]
fn setrange_errors() {
    each(|t| {
        t.check("SETRANGE k -1 x", "-ERR offset is out of range");
        t.check("SETRANGE k one x", NOT_AN_INTEGER);
        t.check("SETRANGE k 536870912 x", TOO_LONG);
        t.check("SETRANGE k 536870911 xx", TOO_LONG);
        t.check("SETRANGE k 9223372036854775807 x", TOO_LONG);
        t.check("EXISTS k", 0);
        t.check("SET k v", OK);
        t.check("SETRANGE k 536870912 x", TOO_LONG);
        t.check("GET k", bulk("v"));
        t.check("SETRANGE k 1", wrong_arity("setrange"));
        if with_list(t, "list") {
            t.check("SETRANGE list 0 x", WRONG_TYPE);
        }
    });
}

#[test]
fn getrange_and_substr() {
    each(|t| {
        t.check("SET k Hello", OK);
        for (start, end, expected) in [
            ("0", "-1", "Hello"),
            ("0", "0", "H"),
            ("1", "3", "ell"),
            ("-3", "-1", "llo"),
            ("-100", "100", "Hello"),
            ("4", "4", "o"),
            ("5", "10", ""),
            ("3", "1", ""),
            ("-1", "-3", ""),
            ("-9223372036854775808", "9223372036854775807", "Hello"),
        ] {
            t.check(["GETRANGE", "k", start, end], bulk(expected));
            t.check(["SUBSTR", "k", start, end], bulk(expected));
        }
        t.check("GETRANGE missing 0 -1", bulk(""));
        t.check("SET n 12345", OK);
        t.check("GETRANGE n 1 2", bulk("23"));
        t.check("GETRANGE k a 1", NOT_AN_INTEGER);
        t.check("GETRANGE k 0 b", NOT_AN_INTEGER);
        t.check("GETRANGE k 0", wrong_arity("getrange"));
        t.check("SUBSTR k 0", wrong_arity("substr"));
        if with_list(t, "list") {
            t.check("GETRANGE list 0 -1", WRONG_TYPE);
        }
    });
}

#[test]
fn mset_and_mget() {
    each(|t| {
        t.check("MSET a 1 b 2 c 3", OK);
        t.check("MGET a missing b c a", [bulk("1"), NIL, bulk("2"), bulk("3"), bulk("1")]);
        t.check("MSET a x a y", OK);
        t.check("GET a", bulk("y"));
        t.check("EXPIRE b 100", 1);
        t.check("MSET b z", OK);
        t.check("TTL b", -1);
        t.check("MSET a", wrong_arity("mset"));
        t.check("MSET a 1 b", wrong_arity("mset"));
        t.check("MGET", wrong_arity("mget"));
        if with_list(t, "list") {
            t.check("MGET list a", [NIL, bulk("y")]);
            t.check("MSET list v", OK);
            t.check("GET list", bulk("v"));
        }
    });
}

#[test]
fn mset_over_a_thousand_keys() {
    each(|t| {
        let keys: Vec<String> = (0..1000).map(|number| format!("key:{number}")).collect();
        let pairs = keys.iter().flat_map(|key| [key.clone(), format!("value of {key}")]);
        t.check([String::from("MSET")].into_iter().chain(pairs).collect::<Vec<_>>(), OK);
        let command = [String::from("MGET")].into_iter().chain(keys.clone()).collect::<Vec<_>>();
        t.check(command, array(keys.iter().map(|key| bulk(format!("value of {key}")))));
        t.check("DBSIZE", 1000);
    });
}

#[test]
fn msetnx_sets_all_or_none() {
    each(|t| {
        t.check("MSETNX a 1 b 2", 1);
        t.check("MSETNX b 3 c 4", 0);
        t.check("MGET a b c", [bulk("1"), bulk("2"), NIL]);
        t.check("MSETNX c 1 c 2", 1);
        t.check("GET c", bulk("2"));
        t.check("MSETNX a", wrong_arity("msetnx"));
        t.check("MSETNX a 1 b", wrong_arity("msetnx"));
    });
}

#[test]
fn reading_another_type_is_refused() {
    each(|t| {
        if with_list(t, "list") {
            t.check("GET list", WRONG_TYPE);
            t.check("SETNX list v", 0);
            t.check("SET list v NX", NIL);
            t.check("LLEN list", 1);
        }
    });
}
