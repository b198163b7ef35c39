//! OBJECT: encodings, reference counts, idle time and access frequency.

mod support;

use support::{Expect, NIL, OK, bulk, each, each_with, eventually};

const NOT_LFU: &str = "-ERR An LFU maxmemory policy is not selected, access frequency not tracked. \
    Please note that when switching between policies at runtime LRU and LFU data will take some \
    time to adjust.";
const LFU: &str = "-ERR An LFU maxmemory policy is selected, idle time not tracked. Please note \
    that when switching between policies at runtime LRU and LFU data will take some time to \
    adjust.";

#[test]
fn encodings_of_strings() {
    each(|t| {
        for (value, encoding) in [
            ("12345", "int"),
            ("-9223372036854775808", "int"),
            ("9223372036854775808", "embstr"),
            ("012", "embstr"),
            ("", "embstr"),
            ("short", "embstr"),
            (&"x".repeat(44), "embstr"),
            (&"x".repeat(45), "raw"),
        ] {
            t.check(["SET", "k", value], OK);
            t.check("OBJECT ENCODING k", bulk(encoding));
        }
        t.check("SET k short", OK);
        t.check("APPEND k er", 7);
        t.check("OBJECT ENCODING k", bulk("raw"));
        t.check("SET k 1", OK);
        t.check("INCRBYFLOAT k 0.5", bulk("1.5"));
        t.check("OBJECT ENCODING k", bulk("embstr"));
    });
}

#[test]
fn missing_keys_have_nothing_to_tell() {
    each(|t| {
        t.check("OBJECT ENCODING missing", NIL);
        t.check("OBJECT REFCOUNT missing", NIL);
        t.check("OBJECT IDLETIME missing", NIL);
        t.check("OBJECT FREQ missing", NIL);
    });
}

#[test]
fn refcount_and_idletime() {
    each_with(&[], |t| {
        t.check("SET k some-value", OK);
        t.check("OBJECT REFCOUNT k", 1);
        t.check("OBJECT IDLETIME k", 0);
        eventually("the key idles", || t.integer("OBJECT IDLETIME k") >= 1);
        t.check("TOUCH k", 1);
        t.check("OBJECT IDLETIME k", 0);
        t.check("OBJECT FREQ k", NOT_LFU);
    });
}

#[test]
fn frequency_under_an_lfu_policy() {
    each(|t| {
        t.with_config("maxmemory-policy", "allkeys-lfu", |t| {
            t.check("SET k v", OK);
            t.check("OBJECT IDLETIME k", LFU);
            let fresh = t.integer("OBJECT FREQ k");
            for _ in 0..200 {
                t.check("GET k", bulk("v"));
            }
            let used = t.integer("OBJECT FREQ k");
            assert!(used > fresh, "frequency must grow with use: {fresh}, then {used}");
            assert!(used <= 255, "the counter saturates at 255, not at {used}");
        });
    });
}

#[test]
fn errors() {
    each(|t| {
        let arity = |name: &str| -> Expect {
            format!("-ERR wrong number of arguments for '{name}' command").into()
        };
        t.check("OBJECT", arity("object"));
        t.check("OBJECT ENCODING", arity("object|encoding"));
        t.check("OBJECT FREQ a b", arity("object|freq"));
        t.check("OBJECT nosuch k", "-ERR unknown subcommand 'nosuch'. Try OBJECT HELP.");
    });
}

#[test]
fn help() {
    each(|t| {
        // The last line was reworded between versions.
        let help = t.call("OBJECT HELP").texts();
        assert_eq!(help[0], "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
        for subcommand in ["ENCODING", "FREQ", "IDLETIME", "REFCOUNT", "HELP"] {
            assert!(help.iter().any(|line| line.starts_with(subcommand)), "{subcommand}: {help:?}");
        }
    });
}
