//! Commands on keys of any type: DEL, UNLINK, EXISTS, TOUCH, TYPE, RENAME, COPY, KEYS, RANDOMKEY,
//! WAIT. Expiry is in `ttl.rs`, databases in `databases.rs`, OBJECT in `object.rs`.

mod support;

use support::{Expect, NIL, OK, Reply, Test, array, bulk, each};

const NO_SUCH_KEY: &str = "-ERR no such key";
const SYNTAX: &str = "-ERR syntax error";
const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range";
const SAME_OBJECT: &str = "-ERR source and destination objects are the same";

fn wrong_arity(command: &str) -> Expect {
    format!("-ERR wrong number of arguments for '{command}' command").into()
}

/// The texts of an array reply in byte order.
fn sorted(t: &mut Test, command: &str) -> Vec<String> {
    let mut texts = t.call(command).texts();
    texts.sort();
    texts
}

#[test]
fn del_and_unlink_count_what_was_there() {
    each(|t| {
        for command in ["DEL", "UNLINK"] {
            t.check("MSET a 1 b 2 c 3", OK);
            t.check([command, "a"], 1);
            t.check([command, "a"], 0);
            t.check([command, "b", "missing", "c", "b"], 2);
            t.check("DBSIZE", 0);
            t.check([command], wrong_arity(&command.to_lowercase()));
        }
    });
}

#[test]
fn a_deleted_key_leaves_no_expiry_behind() {
    each(|t| {
        t.check("SET k v EX 100", OK);
        t.check("DEL k", 1);
        t.check("SET k v", OK);
        t.check("TTL k", -1);
    });
}

#[test]
fn exists_and_touch_count_repetitions() {
    each(|t| {
        for command in ["EXISTS", "TOUCH"] {
            t.check("MSET a 1 b 2", OK);
            t.check([command, "a"], 1);
            t.check([command, "missing"], 0);
            t.check([command, "a", "a", "missing", "b"], 3);
            t.check([command], wrong_arity(&command.to_lowercase()));
        }
    });
}

#[test]
fn type_names() {
    each(|t| {
        t.check("TYPE missing", "+none");
        t.check("SET k v", OK);
        t.check("TYPE k", "+string");
        t.check("SET n 1", OK);
        t.check("TYPE n", "+string");
        for (command, name) in [
            ("RPUSH l e", "list"),
            ("SADD s e", "set"),
            ("ZADD z 1 e", "zset"),
            ("HSET h f v", "hash"),
            ("XADD x 1-1 f v", "stream"),
        ] {
            let (first, rest) = command.split_once(' ').expect("a command with arguments");
            if t.has_command(first) {
                t.call(command);
                let key = &rest[..1];
                t.check(["TYPE", key], format!("+{name}"));
            }
        }
        t.check("TYPE", wrong_arity("type"));
    });
}

#[test]
fn rename_moves_value_and_expiry() {
    each(|t| {
        t.check("SET a v EX 100", OK);
        t.check("SET b old", OK);
        t.check("RENAME a b", OK);
        t.check("EXISTS a", 0);
        t.check("GET b", bulk("v"));
        t.check("TTL b", 100);
        t.check("SET a w", OK);
        t.check("RENAME a b", OK);
        t.check("TTL b", -1);
        t.check("RENAME b b", OK);
        t.check("GET b", bulk("w"));
        t.check("RENAME missing b", NO_SUCH_KEY);
        t.check("RENAME missing missing", NO_SUCH_KEY);
        t.check("GET b", bulk("w"));
        t.check("RENAME a", wrong_arity("rename"));
    });
}

#[test]
fn renamenx_never_overwrites() {
    each(|t| {
        t.check("MSET a 1 b 2", OK);
        t.check("RENAMENX a b", 0);
        t.check("MGET a b", [bulk("1"), bulk("2")]);
        t.check("RENAMENX a c", 1);
        t.check("MGET a c", [NIL, bulk("1")]);
        t.check("RENAMENX c c", 0);
        t.check("RENAMENX missing x", NO_SUCH_KEY);
        t.check("RENAMENX a", wrong_arity("renamenx"));
    });
}

#[test]
fn rename_works_between_any_two_slots() {
    each(|t| {
        let sets = (0..200).map(|number| format!("SET from:{number} 'value {number}'"));
        let renames = (0..200).map(|number| format!("RENAME from:{number} to:{number}"));
        for reply in t.pipeline(sets.chain(renames)) {
            assert_eq!(reply, Reply::Simple("OK".into()));
        }
        for number in 0..200 {
            t.check(["GET", &format!("to:{number}")], bulk(format!("value {number}")));
            t.check(["EXISTS", &format!("from:{number}")], 0);
        }
        t.check("DBSIZE", 200);
    });
}

#[test]
fn copy() {
    each(|t| {
        t.check("SET a v EX 100", OK);
        t.check("COPY a b", 1);
        t.check("MGET a b", [bulk("v"), bulk("v")]);
        t.check("TTL b", 100);
        t.check("APPEND a x", 2);
        t.check("GET b", bulk("v"));
        t.check("COPY a b", 0);
        t.check("COPY a b replace", 1);
        t.check("GET b", bulk("vx"));
        t.check("COPY missing b", 0);
        t.check("COPY missing b REPLACE", 0);
        t.check("GET b", bulk("vx"));
    });
}

#[test]
fn copy_errors() {
    each(|t| {
        t.check("SET a v", OK);
        t.check("COPY a a", SAME_OBJECT);
        t.check("COPY a a DB 0", SAME_OBJECT);
        t.check("COPY a a REPLACE", SAME_OBJECT);
        t.check("COPY a b DB 99", "-ERR DB index is out of range");
        t.check("COPY a b DB -1", "-ERR DB index is out of range");
        t.check("COPY a b DB x", NOT_AN_INTEGER);
        t.check("COPY a b DB", SYNTAX);
        t.check("COPY a b nonsense", SYNTAX);
        t.check("COPY a", wrong_arity("copy"));
    });
}

#[test]
fn keys_with_patterns() {
    each(|t| {
        t.check("MSET hello 1 hallo 2 hxllo 3 hllo 4 heeeello 5 h*llo 6", OK);
        t.check(r#"SET "h\x00llo" 7"#, OK);
        for (pattern, expected) in [
            ("h?llo", vec!["h\0llo", "h*llo", "hallo", "hello", "hxllo"]),
            ("h*llo", vec!["h\0llo", "h*llo", "hallo", "heeeello", "hello", "hllo", "hxllo"]),
            ("h[ae]llo", vec!["hallo", "hello"]),
            ("h[^e]llo", vec!["h\0llo", "h*llo", "hallo", "hxllo"]),
            ("h[a-e]llo", vec!["hallo", "hello"]),
            ("h[e-a]llo", vec!["hallo", "hello"]),
            ("h\\*llo", vec!["h*llo"]),
            ("hell", vec![]),
            ("HELLO", vec![]),
            ("*x*", vec!["hxllo"]),
            ("", vec![]),
        ] {
            let mut texts = t.call(["KEYS", pattern]).texts();
            texts.sort();
            assert_eq!(texts, expected, "KEYS {pattern}");
        }
        assert_eq!(sorted(t, "KEYS *").len(), 7);
        t.check("KEYS", wrong_arity("keys"));
    });
}

#[test]
fn a_pattern_with_a_hash_tag_finds_its_slot_only() {
    each(|t| {
        t.check("MSET {tag}a 1 {tag}b 2 {other}a 3 tag 4", OK);
        assert_eq!(sorted(t, "KEYS {tag}*"), ["{tag}a", "{tag}b"]);
        assert_eq!(sorted(t, "KEYS *a"), ["{other}a", "{tag}a"]);
    });
}

#[test]
fn keys_see_no_expired_key() {
    each(|t| {
        t.check("DEBUG SET-ACTIVE-EXPIRE 0", OK);
        t.check("SET stays v", OK);
        t.check("SET gone v PX 1", OK);
        support::eventually("the key expires", || t.integer("EXISTS gone") == 0);
        t.check("SET stale v EX 100", OK);
        t.check("PEXPIREAT stale 1", 1);
        t.check("KEYS *", [bulk("stays")]);
        t.check("DEBUG SET-ACTIVE-EXPIRE 1", OK);
    });
}

#[test]
fn randomkey_returns_every_key_some_time() {
    each(|t| {
        t.check("RANDOMKEY", NIL);
        t.check("SET only v", OK);
        t.check("RANDOMKEY", bulk("only"));
        t.check("MSET a 1 b 2 c 3", OK);
        let mut seen = std::collections::BTreeSet::new();
        support::eventually("all keys drawn", || {
            seen.insert(t.text("RANDOMKEY"));
            seen.len() == 4
        });
        t.check("RANDOMKEY x", wrong_arity("randomkey"));
    });
}

#[test]
fn wait_without_replicas() {
    each(|t| {
        t.check("WAIT 0 0", 0);
        t.check("WAIT 1 10", 0);
        t.check("WAIT x 0", NOT_AN_INTEGER);
        t.check("WAIT 0 x", "-ERR timeout is not an integer or out of range");
        t.check("WAIT 0 -1", "-ERR timeout is negative");
        t.check("WAIT 0", wrong_arity("wait"));
    });
}

#[test]
fn commands_over_many_keys_reach_every_slot() {
    each(|t| {
        let keys: Vec<String> = (0..3000).map(|number| format!("k{number}")).collect();
        let sets = keys.iter().map(|key| ["SET", key.as_str(), "v"]);
        for reply in t.pipeline(sets) {
            assert_eq!(reply, Reply::Simple("OK".into()));
        }
        t.check("DBSIZE", 3000);
        let with = |command: &str| [command.to_owned()].into_iter().chain(keys.clone());
        t.check(with("EXISTS").collect::<Vec<_>>(), 3000);
        t.check(with("TOUCH").collect::<Vec<_>>(), 3000);
        t.check(with("MGET").collect::<Vec<_>>(), array(keys.iter().map(|_| bulk("v"))));
        t.check(with("UNLINK").collect::<Vec<_>>(), 3000);
        t.check("DBSIZE", 0);
    });
}
