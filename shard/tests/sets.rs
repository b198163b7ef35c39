//! Conversations about sets: every command, its options and errors, in all three encodings.

mod support;

use std::collections::BTreeSet;

use basalt_shard::settings::Settings;
use support::resp::{split_replies, texts};
use support::scenario::{Scenario, each, each_with};
use support::settings;

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
const NOT_POSITIVE: &str = "ERR value is out of range, must be positive";
const SYNTAX: &str = "ERR syntax error";

/// Holds a conversation with small sets, and with sets that are hash tables from the start.
fn each_encoding(talk: impl Fn(&mut Scenario)) {
    each(&talk);
    let tables = Settings { set_max_intset_entries: 0, set_max_listpack_entries: 0, ..settings() };
    each_with(&tables, &talk);
}

#[test]
fn members_come_and_go() {
    each_encoding(|talk| {
        talk.check_integer("SADD s 1 2 3 2", 3);
        talk.check_integer("SADD s 3 a \"\"", 2);
        talk.check_integer("SADD s a", 0);
        talk.check("TYPE s", "+set\r\n");
        talk.check_integer("SCARD s", 5);
        talk.check_set("SMEMBERS s", &["1", "2", "3", "a", ""]);
        talk.check_integer("SISMEMBER s 2", 1);
        talk.check_integer("SISMEMBER s 02", 0);
        talk.check("SMISMEMBER s a b \"\"", "*3\r\n:1\r\n:0\r\n:1\r\n");
        talk.check_integer("SREM s 1 b a", 2);
        talk.check_integer("SREM s 2 3 \"\" 4", 3);
        talk.check_integer("EXISTS s", 0);
        talk.check_integer("SREM s 1", 0);
        talk.check_integer("SCARD s", 0);
        talk.check_integer("SISMEMBER s 1", 0);
        talk.check("SMISMEMBER s a b", "*2\r\n:0\r\n:0\r\n");
        talk.check_set("SMEMBERS s", &[]);
    });
}

#[test]
fn other_types_are_refused() {
    each(|talk| {
        talk.check_ok("SET s text");
        talk.run("SADD t a");
        for request in [
            "SADD s a",
            "SREM s a",
            "SISMEMBER s a",
            "SMISMEMBER s a",
            "SCARD s",
            "SMEMBERS s",
            "SPOP s",
            "SPOP s 1",
            "SRANDMEMBER s",
            "SRANDMEMBER s 1",
            "SMOVE s t a",
            "SMOVE t s a",
            "SMOVE t s x",
            "SINTER t s",
            "SUNION t s",
            "SDIFF t s",
            "SINTER x s",
            "SINTERCARD 2 t s",
            "SINTERSTORE d t s",
            "SUNIONSTORE d s",
            "SDIFFSTORE d x s",
            "SSCAN s 0",
            "SSCAN s 0 COUNT x",
        ] {
            talk.check_error(request, WRONG_TYPE);
        }
        talk.check_integer("SMOVE x s a", 0);
        talk.check_integer("EXISTS d", 0);
    });
}

#[test]
fn moves() {
    each_encoding(|talk| {
        talk.run("SADD a 1 x");
        talk.run("SADD b x");
        talk.check_integer("SMOVE a b 1", 1);
        talk.check_integer("SMOVE a b 1", 0);
        talk.check_integer("SMOVE a b x", 1);
        talk.check_integer("EXISTS a", 0);
        talk.check_set("SMEMBERS b", &["1", "x"]);
        talk.check_integer("SMOVE b b x", 1);
        talk.check_integer("SMOVE b b y", 0);
        talk.check_integer("SMOVE b c x", 1);
        talk.check_set("SMEMBERS c", &["x"]);
    });
}

#[test]
fn unions_intersections_and_differences() {
    each_encoding(|talk| {
        talk.run("SADD a 1 2 3 x y");
        talk.run("SADD b 2 3 4 y z");
        talk.run("SADD c 3 y");
        talk.check_set("SINTER a b c", &["3", "y"]);
        talk.check_set("SINTER a", &["1", "2", "3", "x", "y"]);
        talk.check_set("SINTER a a", &["1", "2", "3", "x", "y"]);
        talk.check_set("SINTER a nothing b", &[]);
        talk.check_set("SUNION a b c nothing", &["1", "2", "3", "4", "x", "y", "z"]);
        talk.check_set("SUNION nothing", &[]);
        talk.check_set("SDIFF a b", &["1", "x"]);
        talk.check_set("SDIFF a", &["1", "2", "3", "x", "y"]);
        talk.check_set("SDIFF a b a", &[]);
        talk.check_set("SDIFF nothing a", &[]);
        talk.check_integer("SINTERSTORE d a b", 3);
        talk.check_set("SMEMBERS d", &["2", "3", "y"]);
        talk.check_integer("SUNIONSTORE d d c x", 3);
        talk.check_integer("SDIFFSTORE a a b", 2);
        talk.check_set("SMEMBERS a", &["1", "x"]);
        talk.check_ok("SET d text EX 100");
        talk.check_integer("SUNIONSTORE d a", 2);
        talk.check_integer("TTL d", -1);
        talk.check_integer("SINTERSTORE d a nothing", 0);
        talk.check_integer("EXISTS d", 0);
    });
}

#[test]
fn counting_an_intersection() {
    each_encoding(|talk| {
        talk.run("SADD a 1 2 3 x");
        talk.run("SADD b 2 3 x y");
        talk.check_integer("SINTERCARD 2 a b", 3);
        talk.check_integer("SINTERCARD 2 a b LIMIT 2", 2);
        talk.check_integer("SINTERCARD 2 a b limit 0", 3);
        talk.check_integer("SINTERCARD 2 a b LIMIT 10 LIMIT 1", 1);
        talk.check_integer("SINTERCARD 2 a nothing", 0);
        talk.check_integer("SINTERCARD 1 a", 4);
        talk.check_error("SINTERCARD 0 a", "ERR numkeys should be greater than 0");
        talk.check_error("SINTERCARD x a", "ERR numkeys should be greater than 0");
        let too_many = "ERR Number of keys can't be greater than number of args";
        talk.check_error("SINTERCARD 3 a b", too_many);
        talk.check_error("SINTERCARD 2 a b LIMIT -1", "ERR LIMIT can't be negative");
        talk.check_error("SINTERCARD 2 a b LIMIT x", "ERR LIMIT can't be negative");
        talk.check_error("SINTERCARD 2 a b LIMIT", SYNTAX);
        talk.check_error("SINTERCARD 1 a b", SYNTAX);
    });
}

#[test]
fn random_members() {
    let all: BTreeSet<_> = (0..40).map(|number| number.to_string()).collect();
    let line = all.iter().cloned().collect::<Vec<_>>().join(" ");
    each_encoding(|talk| {
        talk.run(&format!("SADD s {line}"));
        for count in [1, 5, 39] {
            let drawn: BTreeSet<_> =
                talk.texts_of(&format!("SRANDMEMBER s {count}")).into_iter().collect();
            assert!(drawn.len() == count && drawn.is_subset(&all));
            let drawn = talk.texts_of(&format!("SRANDMEMBER s -{}", 3 * count));
            assert!(drawn.len() == 3 * count && drawn.iter().all(|text| all.contains(text)));
        }
        assert_eq!(talk.texts_of("SRANDMEMBER s 100").len(), 40);
        talk.check_array("SRANDMEMBER s 0", &[]);
        talk.check_array("SRANDMEMBER x 5", &[]);
        talk.check_null("SRANDMEMBER x");
        talk.check_error("SRANDMEMBER s x", NOT_AN_INTEGER);
        talk.check_error("SRANDMEMBER s 1 2", SYNTAX);
        let range = "ERR value is out of range, value must between -9223372036854775807 and \
                     9223372036854775807";
        talk.check_error("SRANDMEMBER s -9223372036854775808", range);
        talk.check_error("SRANDMEMBER s -9223372036854775807", range);
    });
}

#[test]
fn popped_members_are_gone() {
    let all: BTreeSet<_> = (0..40).map(|number| format!("m{number}")).collect();
    let line = all.iter().cloned().collect::<Vec<_>>().join(" ");
    each_encoding(|talk| {
        talk.run(&format!("SADD s {line}"));
        talk.check_error("SPOP s x", NOT_POSITIVE);
        talk.check_error("SPOP s -1", NOT_POSITIVE);
        talk.check_error("SPOP s 1 2", SYNTAX);
        talk.check_set("SPOP s 0", &[]);
        talk.check_integer("SCARD s", 40);
        let mut popped = BTreeSet::new();
        for count in [1, 7, 20] {
            popped.extend(talk.texts_of(&format!("SPOP s {count}")));
        }
        assert_eq!(popped.len(), 28, "no member is popped twice");
        talk.run("SPOP s");
        talk.check_integer("SCARD s", 11);
        popped.extend(talk.texts_of("SPOP s 100"));
        assert!(popped.len() == 39 && popped.is_subset(&all));
        talk.check_integer("EXISTS s", 0);
        talk.check_null("SPOP s");
        talk.check_set("SPOP s 3", &[]);
        talk.run("SADD s only");
        talk.check_bulk("SPOP s", "only");
        talk.check_integer("EXISTS s", 0);
    });
}

/// Walks a set to the end and returns what came, in order.
fn walk(talk: &mut Scenario, options: &str, mut between: impl FnMut(&mut Scenario)) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = "0".to_owned();
    loop {
        let reply = talk.reply_to(&format!("SSCAN s {cursor} {options}"));
        let after_header = reply.iter().position(|byte| *byte == b'\n').expect("a header") + 1;
        let parts = split_replies(&reply[after_header..]);
        found.extend(texts(&parts[1]));
        cursor = texts(&[b"*1\r\n".to_vec(), parts[0].clone()].concat()).remove(0);
        if cursor == "0" {
            return found;
        }
        between(talk);
    }
}

#[test]
fn walks_see_every_member_that_stays() {
    each_encoding(|talk| {
        let stays: BTreeSet<_> = (0..200).map(|number| format!("stays:{number}")).collect();
        for member in &stays {
            talk.run(&format!("SADD s {member}"));
        }
        let mut added = 0;
        let found = walk(talk, "COUNT 20", |talk| {
            (added..added + 40).for_each(|number| talk.run(&format!("SADD s new:{number}")));
            added += 40;
        });
        let found: BTreeSet<_> = found.into_iter().collect();
        assert!(stays.is_subset(&found));
        assert!(added > 0, "the walk took several calls");
        let found = walk(talk, "COUNT 20", |talk| {
            (0..added).for_each(|number| talk.run(&format!("SREM s new:{number}")));
        });
        let found: BTreeSet<_> = found.into_iter().collect();
        assert!(stays.is_subset(&found));
    });
}

#[test]
fn walks_filter_and_refuse() {
    each_encoding(|talk| {
        talk.run("SADD s 1 2 3 a1 a2");
        let found: BTreeSet<_> = walk(talk, "MATCH a* COUNT 100", |_| ()).into_iter().collect();
        assert_eq!(found, BTreeSet::from(["a1".to_owned(), "a2".to_owned()]));
        talk.check("SSCAN x 0", "*2\r\n$1\r\n0\r\n*0\r\n");
        talk.check_error("SSCAN s x", "ERR invalid cursor");
        talk.check_error("SSCAN x x", "ERR invalid cursor");
        talk.check_error("SSCAN s 18446744073709551616", "ERR invalid cursor");
        talk.check_error("SSCAN s 0 COUNT 0", SYNTAX);
        talk.check_error("SSCAN s 0 COUNT x", NOT_AN_INTEGER);
        talk.check_error("SSCAN s 0 TYPE set", SYNTAX);
        talk.check_error("SSCAN s 0 TYPE set COUNT x", SYNTAX);
        talk.check_error("SSCAN s 0 MATCH", SYNTAX);
    });
}

#[test]
fn encodings_follow_the_settings() {
    let low = Settings {
        set_max_intset_entries: 3,
        set_max_listpack_entries: 4,
        set_max_listpack_value_bytes: 5,
        ..settings()
    };
    each_with(&low, |talk| {
        talk.run("SADD s 1 2 3");
        talk.check_bulk("OBJECT ENCODING s", "intset");
        talk.run("SADD s a");
        talk.check_bulk("OBJECT ENCODING s", "listpack");
        talk.check_integer("COPY s copy", 1);
        talk.run("SADD s b");
        talk.check_bulk("OBJECT ENCODING s", "hashtable");
        talk.run("SREM s b a 3 2");
        talk.check_bulk("OBJECT ENCODING s", "hashtable");
        talk.run("SADD copy longer");
        talk.check_bulk("OBJECT ENCODING copy", "hashtable");
        talk.check_set("SMEMBERS copy", &["1", "2", "3", "a", "longer"]);
        talk.run("SADD ints 1 2 3 4");
        talk.check_bulk("OBJECT ENCODING ints", "listpack");
        talk.run("SADD many 1 2 3 4 5");
        talk.check_bulk("OBJECT ENCODING many", "hashtable");
        talk.run("SADD others 1 3 x y z");
        talk.check_integer("SINTERSTORE shared many others", 2);
        talk.check_bulk("OBJECT ENCODING shared", "intset");
    });
}
