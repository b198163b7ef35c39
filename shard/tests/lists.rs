//! Conversations about lists: every command, its options and errors, in both encodings.

mod support;

use basalt_shard::settings::Settings;
use support::scenario::{Scenario, each, each_with};
use support::settings;

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
const NOT_POSITIVE: &str = "ERR value is out of range, must be positive";
const SYNTAX: &str = "ERR syntax error";

/// Holds a conversation with lists of one run, and with lists of runs of two elements.
fn each_encoding(talk: impl Fn(&mut Scenario)) {
    each(&talk);
    each_with(&Settings { list_max_listpack_size: 2, ..settings() }, &talk);
}

#[test]
fn pushes_and_pops() {
    each_encoding(|talk| {
        talk.check_integer("LPUSHX l a", 0);
        talk.check_integer("RPUSHX l a", 0);
        talk.check_integer("EXISTS l", 0);
        talk.check_integer("RPUSH l a b c", 3);
        talk.check_integer("LPUSH l 1 2", 5);
        talk.check_integer("LPUSHX l 007", 6);
        talk.check_integer("RPUSHX l -5 \"\"", 8);
        talk.check("TYPE l", "+list\r\n");
        talk.check_integer("LLEN l", 8);
        talk.check_array("LRANGE l 0 -1", &["007", "2", "1", "a", "b", "c", "-5", ""]);
        talk.check_bulk("LPOP l", "007");
        talk.check_bulk("RPOP l", "");
        talk.check_array("RPOP l 2", &["-5", "c"]);
        talk.check_array("LPOP l 3", &["2", "1", "a"]);
        talk.check_array("LPOP l 0", &[]);
        talk.check_array("LPOP l 9223372036854775807", &["b"]);
        talk.check_integer("EXISTS l", 0);
        talk.check_null("LPOP l");
        talk.check_null_array("RPOP l 3");
        talk.check_null_array("RPOP l 0");
        talk.check_integer("LLEN l", 0);
    });
}

#[test]
fn errors_of_pushes_and_pops() {
    each(|talk| {
        talk.check_ok("SET s text");
        for request in [
            "LPUSH s a",
            "RPUSHX s a",
            "LPOP s",
            "RPOP s 1",
            "LPOP s 0",
            "LLEN s",
            "LINDEX s 0",
            "LRANGE s 0 1",
            "LSET s 0 a",
            "LINSERT s BEFORE a b",
            "LREM s 0 a",
            "LTRIM s 0 1",
            "LPOS s a",
            "LMPOP 2 x s LEFT",
            "RPOPLPUSH s l",
            "LMOVE s l LEFT LEFT",
        ] {
            talk.check_error(request, WRONG_TYPE);
        }
        talk.check_error("LPOP l x", NOT_POSITIVE);
        talk.check_error("RPOP l -1", NOT_POSITIVE);
        talk.check_error("LPOP l 1 2", "ERR wrong number of arguments for 'lpop' command");
        talk.check_error("LPUSH l", "ERR wrong number of arguments for 'lpush' command");
        talk.check_bulk("GET s", "text");
    });
}

#[test]
fn positions() {
    each_encoding(|talk| {
        talk.run("RPUSH l a b c d e");
        talk.check_bulk("LINDEX l 0", "a");
        talk.check_bulk("LINDEX l -1", "e");
        talk.check_bulk("LINDEX l 2", "c");
        talk.check_null("LINDEX l 5");
        talk.check_null("LINDEX l -6");
        talk.check_null("LINDEX l -9223372036854775808");
        talk.check_null("LINDEX x y");
        talk.check_error("LINDEX l x", NOT_AN_INTEGER);
        talk.check_array("LRANGE l 1 3", &["b", "c", "d"]);
        talk.check_array("LRANGE l -2 100", &["d", "e"]);
        talk.check_array("LRANGE l 3 1", &[]);
        talk.check_array(
            "LRANGE l -9223372036854775808 9223372036854775807",
            &["a", "b", "c", "d", "e"],
        );
        talk.check_array("LRANGE x 0 -1", &[]);
        talk.check_error("LRANGE x a 1", NOT_AN_INTEGER);
    });
}

#[test]
fn edits() {
    each_encoding(|talk| {
        talk.run("RPUSH l a b c b a");
        talk.check_ok("LSET l 1 B");
        talk.check_ok("LSET l -1 12");
        talk.check_error("LSET l 5 x", "ERR index out of range");
        talk.check_error("LSET l -6 x", "ERR index out of range");
        talk.check_error("LSET l x x", NOT_AN_INTEGER);
        talk.check_error("LSET x x x", "ERR no such key");
        talk.check_array("LRANGE l 0 -1", &["a", "B", "c", "b", "12"]);
        talk.check_integer("LINSERT l before a 0", 6);
        talk.check_integer("LINSERT l AFTER 12 13", 7);
        talk.check_integer("LINSERT l Before 12 11", 8);
        talk.check_integer("LINSERT l AFTER nothing x", -1);
        talk.check_integer("LINSERT x AFTER a x", 0);
        talk.check_error("LINSERT l beside a x", SYNTAX);
        talk.check_array("LRANGE l 0 -1", &["0", "a", "B", "c", "b", "11", "12", "13"]);
        talk.check_ok("LTRIM l 1 -2");
        talk.check_array("LRANGE l 0 -1", &["a", "B", "c", "b", "11", "12"]);
        talk.check_ok("LTRIM l 5 2");
        talk.check_integer("EXISTS l", 0);
        talk.check_ok("LTRIM l 0 1");
        talk.check_error("LTRIM l x 1", NOT_AN_INTEGER);
    });
}

#[test]
fn removals_by_value() {
    each_encoding(|talk| {
        talk.run("RPUSH l 1 a 1 b 1 c 1");
        talk.check_integer("LREM l 1 1", 1);
        talk.check_array("LRANGE l 0 -1", &["a", "1", "b", "1", "c", "1"]);
        talk.check_integer("LREM l -2 1", 2);
        talk.check_array("LRANGE l 0 -1", &["a", "1", "b", "c"]);
        talk.check_integer("LREM l 5 x", 0);
        talk.check_integer("LREM x 0 1", 0);
        talk.check_error("LREM l x 1", NOT_AN_INTEGER);
        let range = "ERR value is out of range, value must between -9223372036854775807 and \
                     9223372036854775807";
        talk.check_error("LREM l -9223372036854775808 1", range);
        talk.run("RPUSH same s s s s s");
        talk.check_integer("LREM same 0 s", 5);
        talk.check_integer("EXISTS same", 0);
    });
}

#[test]
fn searches() {
    each_encoding(|talk| {
        talk.run("RPUSH l a b c 1 2 3 c c");
        talk.check_integer("LPOS l c", 2);
        talk.check_integer("LPOS l c RANK 2", 6);
        talk.check_integer("LPOS l c rank -1", 7);
        talk.check_integer("LPOS l 3", 5);
        talk.check_null("LPOS l d");
        talk.check_null("LPOS l c RANK 4");
        talk.check_null("LPOS l c MAXLEN 2");
        talk.check_integer("LPOS l c MAXLEN 3", 2);
        talk.check("LPOS l c COUNT 0", "*3\r\n:2\r\n:6\r\n:7\r\n");
        talk.check("LPOS l c COUNT 2 RANK -1", "*2\r\n:7\r\n:6\r\n");
        talk.check("LPOS l c COUNT 0 RANK -2 MAXLEN 2", "*1\r\n:6\r\n");
        talk.check("LPOS l d COUNT 1", "*0\r\n");
        talk.check("LPOS x c COUNT 1", "*0\r\n");
        talk.check_null("LPOS x c");
        let zero = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second \
                    ... or use negative to start from the end of the list";
        talk.check_error("LPOS x c RANK 0", zero);
        talk.check_error("LPOS l c RANK x", NOT_AN_INTEGER);
        talk.check_error("LPOS l c COUNT -1", "ERR COUNT can't be negative");
        talk.check_error("LPOS l c COUNT x", "ERR COUNT can't be negative");
        talk.check_error("LPOS l c MAXLEN -1", "ERR MAXLEN can't be negative");
        talk.check_error("LPOS l c COUNT", SYNTAX);
        talk.check_error("LPOS l c FIRST 1", SYNTAX);
    });
}

#[test]
fn moves() {
    each_encoding(|talk| {
        talk.run("RPUSH from a b c");
        talk.check_bulk("RPOPLPUSH from to", "c");
        talk.check_bulk("LMOVE from to LEFT right", "a");
        talk.check_array("LRANGE to 0 -1", &["c", "a"]);
        talk.check_bulk("LMOVE from to RIGHT LEFT", "b");
        talk.check_integer("EXISTS from", 0);
        talk.check_null("LMOVE from to LEFT LEFT");
        talk.check_null("RPOPLPUSH from to");
        talk.check_bulk("LMOVE to to LEFT RIGHT", "b");
        talk.check_array("LRANGE to 0 -1", &["c", "a", "b"]);
        talk.check_bulk("RPOPLPUSH to to", "b");
        talk.check_array("LRANGE to 0 -1", &["b", "c", "a"]);
        talk.check_error("LMOVE to to UP LEFT", SYNTAX);
        talk.check_ok("SET s text");
        talk.check_error("RPOPLPUSH to s", WRONG_TYPE);
        talk.check_null("RPOPLPUSH from s");
        talk.check_integer("LLEN to", 3);
        talk.run("RPUSH one 1");
        talk.check_integer("EXPIRE one 100", 1);
        talk.check_bulk("RPOPLPUSH one one", "1");
        talk.check_integer("TTL one", 100);
    });
}

#[test]
fn pops_from_the_first_list_that_has_any() {
    each_encoding(|talk| {
        talk.run("RPUSH l a b c d");
        talk.check("LMPOP 2 x l LEFT", "*2\r\n$1\r\nl\r\n*1\r\n$1\r\na\r\n");
        talk.check("LMPOP 1 l right COUNT 2", "*2\r\n$1\r\nl\r\n*2\r\n$1\r\nd\r\n$1\r\nc\r\n");
        talk.check("LMPOP 1 l LEFT COUNT 9", "*2\r\n$1\r\nl\r\n*1\r\n$1\r\nb\r\n");
        talk.check_null_array("LMPOP 2 x l LEFT");
        talk.check_error("LMPOP 0 l LEFT", "ERR numkeys should be greater than 0");
        talk.check_error("LMPOP x l LEFT", "ERR numkeys should be greater than 0");
        talk.check_error("LMPOP 1 l UP", SYNTAX);
        talk.check_error("LMPOP 2 l LEFT", SYNTAX);
        talk.check_error("LMPOP 1 l LEFT COUNT 0", "ERR count should be greater than 0");
        talk.check_error("LMPOP 1 l LEFT COUNT x", "ERR count should be greater than 0");
        talk.check_error("LMPOP 1 l LEFT COUNT", SYNTAX);
        talk.check_error("LMPOP 1 l LEFT COUNT 1 COUNT 1", SYNTAX);
    });
}

#[test]
fn encodings_follow_the_setting() {
    each_with(&Settings { list_max_listpack_size: 4, ..settings() }, |talk| {
        talk.run("RPUSH l 1 2 3 4");
        talk.check_bulk("OBJECT ENCODING l", "listpack");
        talk.run("RPUSH l 5");
        talk.check_bulk("OBJECT ENCODING l", "quicklist");
        talk.check_integer("COPY l copy", 1);
        talk.run("LPOP l 2");
        talk.check_bulk("OBJECT ENCODING l", "quicklist");
        talk.run("LPOP l 2");
        talk.check_bulk("OBJECT ENCODING l", "listpack");
        talk.check_array("LRANGE copy 0 -1", &["1", "2", "3", "4", "5"]);
        talk.check_bulk("OBJECT ENCODING copy", "quicklist");
        talk.check_integer("UNLINK copy", 1);
    });
    each(|talk| {
        talk.run(&format!("RPUSH l {}", "x".repeat(8000)));
        talk.check_bulk("OBJECT ENCODING l", "listpack");
        talk.run(&format!("RPUSH l {}", "y".repeat(8000)));
        talk.check_bulk("OBJECT ENCODING l", "quicklist");
        talk.check_bulk("LINDEX l 1", &"y".repeat(8000));
    });
}

#[test]
fn a_key_that_is_emptied_takes_its_memory_along() {
    each(|talk| {
        for element in 0..3000 {
            talk.run(&format!("RPUSH l element:{element}"));
        }
        talk.check_bulk("LINDEX l 1999", "element:1999");
        let usage = talk.reply_to("MEMORY USAGE l");
        let usage = String::from_utf8(usage).expect("a number")[1..].trim_end().to_owned();
        let usage: usize = usage.parse().expect("a number");
        // Up to 12 bytes of text and 2 of framing an element.
        assert!((3000 * 13..3000 * 16).contains(&usage), "{usage} bytes");
        talk.check_ok("LTRIM l 2999 2999");
        talk.check_bulk("OBJECT ENCODING l", "listpack");
        talk.check_integer("DEL l", 1);
        talk.check_integer("DBSIZE", 0);
    });
}

#[test]
fn suites_can_give_short_elements_nodes_of_their_own() {
    each_with(&Settings { list_max_listpack_size: 2, ..settings() }, |talk| {
        let refused = "ERR argument must be a memory value bigger than 1 and smaller than 4gb";
        for size in ["4gb", "-1", "x", "1tb"] {
            talk.check_error(&format!("DEBUG QUICKLIST-PACKED-THRESHOLD {size}"), refused);
        }
        talk.check_ok("DEBUG QUICKLIST-PACKED-THRESHOLD 30b");
        let (long, short) = ("x".repeat(30), "y".repeat(29));
        talk.check_integer(&format!("RPUSH l 1 2 3 {long} 4 {short} 5"), 7);
        let apart = talk.reply_to("MEMORY USAGE l");
        talk.check_ok(&format!("LSET l 0 {long}"));
        talk.check_array("LRANGE l 0 -1", &[&long, "2", "3", &long, "4", &short, "5"]);
        talk.check_ok("DEBUG QUICKLIST-PACKED-THRESHOLD 0");
        talk.check_integer(&format!("RPUSH m 1 2 3 {long} 4 {short} 5"), 7);
        assert_ne!(talk.reply_to("MEMORY USAGE m"), apart);
    });
}
