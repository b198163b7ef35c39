//! Conversations about SORT: each request with the exact bytes of its reply.

mod support;

use support::scenario::each;
use support::{Cluster, resp};

#[test]
fn numbers_and_texts() {
    each(|talk| {
        talk.run("RPUSH l 10 9 1.5 -3 9");
        talk.check_array("SORT l", &["-3", "1.5", "9", "9", "10"]);
        talk.check_array("SORT l DESC", &["10", "9", "9", "1.5", "-3"]);
        talk.check_array("SORT_RO l ALPHA", &["-3", "1.5", "10", "9", "9"]);
        talk.check_array("SORT l LIMIT 1 2", &["1.5", "9"]);
        talk.check_array("SORT l LIMIT 4 -1", &["10"]);
        talk.check_array("SORT l LIMIT 9 2", &[]);
        talk.check_array("SORT l LIMIT -5 1", &["-3"]);
        talk.check_array("SORT missing", &[]);
        talk.run("SADD s 3 1 2");
        talk.check_array("SORT s", &["1", "2", "3"]);
        talk.run("ZADD z 5 1 4 2 3 3");
        talk.check_array("SORT z", &["1", "2", "3"]);
    });
}

#[test]
fn order_may_be_kept() {
    each(|talk| {
        talk.run("RPUSH l c a b");
        talk.check_array("SORT l BY nosort", &["c", "a", "b"]);
        talk.check_array("SORT l BY nosort DESC LIMIT 0 2", &["b", "a"]);
        talk.run("ZADD z 1 c 2 a 3 b");
        talk.check_array("SORT z BY nosort", &["c", "a", "b"]);
        talk.check_array("SORT z BY nosort DESC", &["b", "a", "c"]);
        talk.check_array("SORT z BY nosort GET # LIMIT 1 1", &["a"]);
        talk.run("SADD s x y z");
        talk.check_integer("SORT s BY nosort STORE out", 3);
        talk.check_array("LRANGE out 0 -1", &["x", "y", "z"]);
    });
}

#[test]
fn results_are_stored() {
    each(|talk| {
        talk.run("RPUSH l 3 1 2");
        talk.check_integer("SORT l STORE {l}out", 3);
        talk.check_array("LRANGE {l}out 0 -1", &["1", "2", "3"]);
        talk.check_bulk("OBJECT ENCODING {l}out", "listpack");
        talk.check_integer("SORT l DESC STORE l", 3);
        talk.check_array("LRANGE l 0 -1", &["3", "2", "1"]);
        talk.check_integer("SORT missing STORE l", 0);
        talk.check_integer("EXISTS l", 0);
        talk.check_error("SORT_RO l STORE out", "ERR syntax error");
    });
}

#[test]
fn what_makes_no_sense_is_refused() {
    each(|talk| {
        talk.run("RPUSH l a 1");
        let no_numbers = "ERR One or more scores can't be converted into double";
        talk.check_error("SORT l", no_numbers);
        talk.check_error("SORT l STORE l", no_numbers);
        talk.check_integer("LLEN l", 2);
        talk.check_error("SORT l FOO", "ERR syntax error");
        talk.check_error("SORT l BY", "ERR syntax error");
        talk.check_error("SORT l LIMIT 1", "ERR syntax error");
        talk.check_error("SORT l LIMIT x 1", "ERR value is not an integer or out of range");
        talk.check_ok("SET text x");
        talk.check_error(
            "SORT text",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    });
}

/// Keys that patterns name are looked for where the command runs: all are there if they share a
/// slot, or if there is one core.
#[test]
fn patterns_lead_to_other_keys() {
    each(|talk| {
        talk.run("RPUSH {t}l 1 2 3 4");
        for (element, weight) in [("1", "30"), ("2", "10"), ("3", "20")] {
            talk.run(&format!("SET {{t}}w_{element} {weight}"));
            talk.run(&format!("SET {{t}}o_{element} name{element}"));
        }
        talk.check_array("SORT {t}l BY {t}w_*", &["4", "2", "3", "1"]);
        talk.check_array("SORT {t}l BY {t}w_* DESC", &["1", "3", "2", "4"]);
        talk.check_array("SORT {t}l BY {t}o_* ALPHA", &["4", "1", "2", "3"]);
        talk.check(
            "SORT {t}l BY {t}w_* LIMIT 0 2 GET # GET {t}o_*",
            "*4\r\n$1\r\n4\r\n$-1\r\n$1\r\n2\r\n$5\r\nname2\r\n",
        );
        talk.check("SORT {t}l LIMIT 0 1 GET constant", "*1\r\n$-1\r\n");
        talk.check_integer("SORT {t}l GET {t}o_* STORE {t}out", 4);
        talk.check_array("LRANGE {t}out 0 -1", &["name1", "name2", "name3", ""]);
        talk.run("SET {t}w_1 heavy");
        talk.check_error(
            "SORT {t}l BY {t}w_*",
            "ERR One or more scores can't be converted into double",
        );
        talk.check_array("SORT {t}l BY {t}l->field_*", &["1", "2", "3", "4"]);
    });
}

#[test]
fn patterns_lead_to_fields_of_hashes() {
    each(|talk| {
        talk.run("RPUSH {t}l 1 2 3");
        talk.run("HSET {t}h_1 age 30 name one");
        talk.run("HSET {t}h_2 age 10");
        talk.run("SET {t}h_3 text");
        talk.check_array("SORT {t}l BY {t}h_*->age", &["3", "2", "1"]);
        talk.check(
            "SORT {t}l GET {t}h_*->name GET {t}h_*->age",
            "*6\r\n$3\r\none\r\n$2\r\n30\r\n$-1\r\n$2\r\n10\r\n$-1\r\n$-1\r\n",
        );
    });
}

#[test]
fn keys_on_other_cores_are_out_of_reach() {
    let mut cluster = Cluster::new(3, 7);
    let client = cluster.connect(0);
    cluster.execute(client, "RPUSH l 1 2 3 4 5 6 7 8 9");
    let reply = cluster.execute(client, "SORT l GET # GET elsewhere_*");
    let expected = "-ERR SORT cannot reach a key that BY or GET names, as it belongs to another \
                    core\r\n";
    assert_eq!(resp::show(&reply), resp::show(expected.as_bytes()));
}
