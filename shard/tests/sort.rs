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
fn patterns_reach_keys_of_all_cores() {
    each(|talk| {
        talk.run("RPUSH l 1 2 3 4 5 6 7 8 9");
        for number in 1..10 {
            talk.run(&format!("SET weight_{number} {}", number * 7 % 10));
            talk.run(&format!("HSET object_{number} name n{number}"));
        }
        talk.check_array("SORT l BY weight_*", &["3", "6", "9", "2", "5", "8", "1", "4", "7"]);
        talk.check_array(
            "SORT_RO l BY weight_* DESC LIMIT 0 2 GET # GET object_*->name",
            &["7", "n7", "4", "n4"],
        );
        talk.check_integer("SORT l BY weight_* GET object_*->name STORE sorted", 9);
        talk.check_array("LRANGE sorted 0 1", &["n3", "n6"]);
        talk.run("SET weight_5 heavy");
        talk.check_error(
            "SORT l BY weight_*",
            "ERR One or more scores can't be converted into double",
        );
    });
}

/// What a list is sorted by changes under way: an answer fits one moment.
#[test]
fn sorting_across_cores_is_atomic() {
    let seed = support::seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut cluster = Cluster::new(4, seed);
    let clients: Vec<_> = (0..4).map(|core| cluster.connect(core)).collect();
    cluster.execute(clients[0], "RPUSH l a b c d e");
    cluster.execute(clients[0], "MSET w_a 1 w_b 1 w_c 1 w_d 1 w_e 1");
    for round in 2..300 {
        let weights: Vec<String> =
            ["a", "b", "c", "d", "e"].iter().map(|name| format!("w_{name} {round}")).collect();
        cluster.send(clients[1], resp::split_line(&format!("MSET {}", weights.join(" "))));
        cluster.send(clients[2], resp::split_line("SORT l BY w_* GET w_*"));
        let slot = random.u32(..16384);
        let target = random.u32(..4);
        let line = format!("DEBUG MOVE-SLOT {slot} {target}");
        cluster.send(clients[3], resp::split_line(&line));
    }
    cluster.run_until_idle();
    for reply in resp::split_replies(&cluster.take_replies(clients[2])) {
        let texts = resp::texts(&reply);
        assert!(texts.len() == 5, "seed {seed}: {texts:?}");
        assert!(texts.iter().all(|text| *text == texts[0]), "seed {seed}: {texts:?}");
    }
}

#[test]
fn a_script_sees_the_members_of_a_set_in_order() {
    each(|talk| {
        talk.check("SADD s c aa b a", ":4\r\n");
        let sorted = ["a", "aa", "b", "c"];
        talk.check_array("EVAL \"return redis.call('SORT', KEYS[1], 'BY', '_')\" 1 s", &sorted);
        talk.check_array("EVAL_RO \"return redis.call('SORT_RO', 's', 'BY', '_')\" 0", &sorted);
    });
}
