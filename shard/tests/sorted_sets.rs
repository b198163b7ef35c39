//! Conversations about sorted sets: each request with the exact bytes of its reply, in both forms.

mod support;

use support::scenario::{Scenario, each_with};
use support::settings;

/// Holds a conversation with packed sets, with indexed ones, and with sets that start packed.
fn each(talk: impl Fn(&mut Scenario)) {
    for entries_max in [128, 0, 2] {
        let mut settings = settings();
        settings.zset_max_listpack_entries = entries_max;
        each_with(&settings, &talk);
    }
}

/// A score as a reply in RESP2 and RESP3.
#[track_caller]
fn check_score(talk: &mut Scenario, request: &str, score: &str) {
    let bulk = format!("${}\r\n{score}\r\n", score.len());
    talk.check_either(request, &bulk, &format!(",{score}\r\n"));
}

/// Members with their scores: flat in RESP2, in pairs in RESP3.
#[track_caller]
fn check_scored(talk: &mut Scenario, request: &str, entries: &[(&str, &str)]) {
    let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
    let mut resp2 = format!("*{}\r\n", 2 * entries.len());
    let mut resp3 = format!("*{}\r\n", entries.len());
    for (member, score) in entries {
        resp2 += &(bulk(member) + &bulk(score));
        resp3 += &format!("*2\r\n{},{score}\r\n", bulk(member));
    }
    talk.check_either(request, &resp2, &resp3);
}

fn add_letters(talk: &mut Scenario) {
    talk.check_integer("ZADD z 1 a 2 b 3 c 4 d 5 e", 5);
}

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

#[test]
fn zadd_counts_what_it_adds_and_changes() {
    each(|talk| {
        talk.check_integer("ZADD z 1 a 2 b", 2);
        talk.check_integer("ZADD z 1 a 3 b 4 c", 1);
        talk.check_integer("ZADD z CH 1 a 5 b 6 d", 2);
        talk.check_integer("ZADD z NX 9 a 9 e", 1);
        talk.check_integer("ZADD z XX CH 9 a 9 f", 1);
        talk.check_integer("ZADD missing XX 1 a", 0);
        talk.check_integer("EXISTS missing", 0);
        check_scored(
            talk,
            "ZRANGE z 0 -1 WITHSCORES",
            &[("c", "4"), ("b", "5"), ("d", "6"), ("a", "9"), ("e", "9")],
        );
    });
}

#[test]
fn zadd_raises_and_lowers() {
    each(|talk| {
        talk.check_integer("ZADD z 5 a 5 b 5 c", 3);
        talk.check_integer("ZADD z GT CH 4 a 6 b 5 c 1 d", 2);
        talk.check_integer("ZADD z LT CH 4 a 7 b", 1);
        talk.check_integer("ZADD z GT XX CH 9 a 9 x", 1);
        check_score(talk, "ZSCORE z a", "9");
        check_score(talk, "ZSCORE z b", "6");
        talk.check_null("ZSCORE z x");
    });
}

#[test]
fn zadd_increments() {
    each(|talk| {
        check_score(talk, "ZADD z INCR 5 a", "5");
        check_score(talk, "ZADD z INCR 2.5 a", "7.5");
        talk.check_null("ZADD z NX INCR 1 a");
        talk.check_null("ZADD z XX INCR 1 b");
        talk.check_null("ZADD z LT INCR 1 a");
        check_score(talk, "ZINCRBY z -10 a", "-2.5");
        check_score(talk, "ZINCRBY z inf a", "inf");
        talk.check_error("ZINCRBY z -inf a", "ERR resulting score is not a number (NaN)");
        check_score(talk, "ZSCORE z a", "inf");
        check_score(talk, "ZINCRBY new 0.1 m", "0.1");
    });
}

#[test]
fn zadd_refuses_what_makes_no_sense() {
    each(|talk| {
        let bounds = "ERR GT, LT, and/or NX options at the same time are not compatible";
        talk.check_error("ZADD z", "ERR wrong number of arguments for 'zadd' command");
        talk.check_error("ZADD z NX CH", "ERR syntax error");
        talk.check_error("ZADD z 1 a 2", "ERR syntax error");
        talk.check_error(
            "ZADD z NX XX 1 a",
            "ERR XX and NX options at the same time are not compatible",
        );
        talk.check_error("ZADD z GT LT 1 a", bounds);
        talk.check_error("ZADD z NX GT 1 a", bounds);
        talk.check_error(
            "ZADD z INCR 1 a 2 b",
            "ERR INCR option supports a single increment-element pair",
        );
        for score in ["x", "nan", "1e400", "1e-400", "\" 1\"", "\"\""] {
            talk.check_error(&format!("ZADD z 1 fine {score} a"), "ERR value is not a valid float");
        }
        talk.check_integer("EXISTS z", 0);
        talk.check_ok("SET text x");
        talk.check_error("ZADD text 1 a", WRONG_TYPE);
        talk.check_error("ZADD text XX 1 a", WRONG_TYPE);
        talk.check_error("ZADD text x a", "ERR value is not a valid float");
        talk.check_error("ZSCORE text a", WRONG_TYPE);
        talk.check_error("ZRANGE text 0 -1", WRONG_TYPE);
        talk.check_error("GET text2 z", "ERR wrong number of arguments for 'get' command");
    });
}

#[test]
fn members_are_asked_for() {
    each(|talk| {
        add_letters(talk);
        talk.check_integer("ZCARD z", 5);
        talk.check_integer("ZCARD missing", 0);
        check_score(talk, "ZSCORE z c", "3");
        talk.check_either(
            "ZMSCORE z a x e",
            "*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n5\r\n",
            "*3\r\n,1\r\n_\r\n,5\r\n",
        );
        talk.check_either("ZMSCORE missing a", "*1\r\n$-1\r\n", "*1\r\n_\r\n");
        talk.check_integer("ZRANK z a", 0);
        talk.check_integer("ZREVRANK z a", 4);
        talk.check_null("ZRANK z x");
        talk.check_null("ZRANK missing a");
        talk.check_either("ZRANK z b WITHSCORE", "*2\r\n:1\r\n$1\r\n2\r\n", "*2\r\n:1\r\n,2\r\n");
        talk.check_either(
            "ZREVRANK z b withscore",
            "*2\r\n:3\r\n$1\r\n2\r\n",
            "*2\r\n:3\r\n,2\r\n",
        );
        talk.check_null_array("ZRANK z x WITHSCORE");
        talk.check_null_array("ZRANK missing x WITHSCORE");
        talk.check_error("ZRANK z a WITHSCORES", "ERR syntax error");
        talk.check_error(
            "ZRANK z a WITHSCORE b",
            "ERR wrong number of arguments for 'zrank' command",
        );
        talk.check_integer("ZCOUNT z 2 (5", 3);
        talk.check_integer("ZCOUNT z -inf +inf", 5);
        talk.check_integer("ZCOUNT z 5 1", 0);
        talk.check_error("ZCOUNT z x 1", "ERR min or max is not a float");
        talk.check_error("ZLEXCOUNT z x +", "ERR min or max not valid string range item");
    });
}

#[test]
fn ranges_by_rank() {
    each(|talk| {
        add_letters(talk);
        talk.check_array("ZRANGE z 1 2", &["b", "c"]);
        talk.check_array("ZRANGE z -2 -1", &["d", "e"]);
        talk.check_array("ZRANGE z 0 0 REV", &["e"]);
        talk.check_array("ZREVRANGE z 1 2", &["d", "c"]);
        talk.check_array("ZRANGE z 3 2", &[]);
        talk.check_array("ZRANGE missing 0 -1", &[]);
        check_scored(talk, "ZREVRANGE z 0 1 WITHSCORES", &[("e", "5"), ("d", "4")]);
        talk.check_error("ZRANGE z x 1", "ERR value is not an integer or out of range");
        talk.check_error(
            "ZRANGE z 0 -1 LIMIT 0 1",
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
        );
        talk.check_array("ZRANGE z 0 -1 LIMIT 1 -1", &["a", "b", "c", "d", "e"]);
        talk.check_error("ZRANGE z 0 -1 BYSCORE BYLEX", "ERR syntax error");
        talk.check_error("ZREVRANGE z 0 -1 REV", "ERR syntax error");
        talk.check_error("ZREVRANGE z 0 -1 BYSCORE", "ERR syntax error");
    });
}

#[test]
fn ranges_by_score() {
    each(|talk| {
        add_letters(talk);
        talk.check_array("ZRANGEBYSCORE z 2 4", &["b", "c", "d"]);
        talk.check_array("ZRANGEBYSCORE z (2 (4", &["c"]);
        talk.check_array("ZRANGEBYSCORE z -inf +inf LIMIT 1 2", &["b", "c"]);
        talk.check_array("ZRANGEBYSCORE z -inf +inf LIMIT 4 -1", &["e"]);
        talk.check_array("ZRANGEBYSCORE z -inf +inf LIMIT -1 2", &[]);
        talk.check_array("ZREVRANGEBYSCORE z 4 2", &["d", "c", "b"]);
        talk.check_array("ZREVRANGEBYSCORE z +inf -inf LIMIT 1 2", &["d", "c"]);
        talk.check_array("ZRANGE z (4 2 BYSCORE REV", &["c", "b"]);
        check_scored(talk, "ZRANGE z 4 inf BYSCORE WITHSCORES", &[("d", "4"), ("e", "5")]);
        talk.check_error("ZRANGEBYSCORE z a b", "ERR min or max is not a float");
        talk.check_error("ZRANGEBYSCORE z 0 1 LIMIT 0", "ERR syntax error");
        talk.check_error(
            "ZRANGEBYSCORE z 0 1 LIMIT x 1",
            "ERR value is not an integer or out of range",
        );
    });
}

#[test]
fn ranges_by_member() {
    each(|talk| {
        talk.run("ZADD z 0 a 0 aa 0 b 0 bb 0 c");
        talk.check_array("ZRANGEBYLEX z - +", &["a", "aa", "b", "bb", "c"]);
        talk.check_array("ZRANGEBYLEX z [aa (bb", &["aa", "b"]);
        talk.check_array("ZRANGEBYLEX z (a [b LIMIT 1 5", &["b"]);
        talk.check_array("ZREVRANGEBYLEX z + [b", &["c", "bb", "b"]);
        talk.check_array("ZRANGE z [b - BYLEX REV LIMIT 0 2", &["b", "aa"]);
        talk.check_array("ZRANGEBYLEX z + -", &[]);
        talk.check_integer("ZLEXCOUNT z [aa +", 4);
        talk.check_integer("ZREMRANGEBYLEX z [aa [b", 2);
        talk.check_array("ZRANGE z 0 -1", &["a", "bb", "c"]);
        talk.check_error("ZRANGEBYLEX z a +", "ERR min or max not valid string range item");
        talk.check_error(
            "ZRANGE z - + BYLEX WITHSCORES",
            "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
        );
    });
}

#[test]
fn ranges_are_stored() {
    each(|talk| {
        add_letters(talk);
        talk.check_integer("ZRANGESTORE {z}1 z 1 3", 3);
        check_scored(talk, "ZRANGE {z}1 0 -1 WITHSCORES", &[("b", "2"), ("c", "3"), ("d", "4")]);
        talk.check_integer("ZRANGESTORE {z}1 z (4 -inf BYSCORE REV LIMIT 0 2", 2);
        talk.check_array("ZRANGE {z}1 0 -1", &["b", "c"]);
        talk.check_integer("ZRANGESTORE z z 0 0", 1);
        talk.check_integer("ZCARD z", 1);
        talk.check_integer("ZRANGESTORE z missing 0 -1", 0);
        talk.check_integer("EXISTS z", 0);
        talk.check_ok("SET other text EX 100");
        talk.check_integer("ZRANGESTORE other {z}1 0 -1", 2);
        talk.check_integer("TTL other", -1);
        talk.check_error("ZRANGESTORE other {z}1 0 -1 WITHSCORES", "ERR syntax error");
    });
}

#[test]
fn removals_end_with_the_key() {
    each(|talk| {
        add_letters(talk);
        talk.check_integer("ZREM z a x a", 1);
        talk.check_integer("ZREMRANGEBYRANK z -1 -1", 1);
        talk.check_integer("ZREMRANGEBYSCORE z (2 3", 1);
        talk.check_array("ZRANGE z 0 -1", &["b", "d"]);
        talk.check_integer("ZREMRANGEBYRANK z 5 9", 0);
        talk.check_integer("ZREM z b d", 2);
        talk.check_integer("EXISTS z", 0);
        talk.check_integer("ZREM z b", 0);
        talk.check_integer("ZREMRANGEBYSCORE z -inf inf", 0);
        talk.check_error("ZREMRANGEBYRANK z a 1", "ERR value is not an integer or out of range");
    });
}

#[test]
fn pops() {
    each(|talk| {
        add_letters(talk);
        talk.check_either("ZPOPMIN z", "*2\r\n$1\r\na\r\n$1\r\n1\r\n", "*2\r\n$1\r\na\r\n,1\r\n");
        check_scored(talk, "ZPOPMAX z 2", &[("e", "5"), ("d", "4")]);
        talk.check_array("ZPOPMAX z 0", &[]);
        check_scored(talk, "ZPOPMIN z 10", &[("b", "2"), ("c", "3")]);
        talk.check_integer("EXISTS z", 0);
        talk.check_array("ZPOPMIN z", &[]);
        talk.check_array("ZPOPMIN z 3", &[]);
        talk.check_error("ZPOPMIN z -1", "ERR value is out of range, must be positive");
        talk.check_error("ZPOPMIN z x", "ERR value is out of range, must be positive");
        talk.check_error("ZPOPMIN z 1 2", "ERR syntax error");
        talk.check_ok("SET text x");
        talk.check_error("ZPOPMIN text 0", WRONG_TYPE);
    });
}

#[test]
fn pops_from_several_keys() {
    each(|talk| {
        add_letters(talk);
        talk.check_either(
            "ZMPOP 2 missing z MIN",
            "*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n",
            "*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\na\r\n,1\r\n",
        );
        talk.check_either(
            "ZMPOP 1 z max COUNT 2",
            "*2\r\n$1\r\nz\r\n*2\r\n*2\r\n$1\r\ne\r\n$1\r\n5\r\n*2\r\n$1\r\nd\r\n$1\r\n4\r\n",
            "*2\r\n$1\r\nz\r\n*2\r\n*2\r\n$1\r\ne\r\n,5\r\n*2\r\n$1\r\nd\r\n,4\r\n",
        );
        talk.check_null_array("ZMPOP 1 missing MIN");
        talk.check_error("ZMPOP 0 z MIN", "ERR numkeys should be greater than 0");
        talk.check_error("ZMPOP x z MIN", "ERR numkeys should be greater than 0");
        talk.check_error("ZMPOP 2 z MIN", "ERR syntax error");
        talk.check_error("ZMPOP 1 z foo", "ERR syntax error");
        talk.check_error("ZMPOP 1 z MIN COUNT 0", "ERR count should be greater than 0");
        talk.check_error("ZMPOP 1 z MIN COUNT", "ERR syntax error");
        talk.check_error("ZMPOP 1 z MIN COUNT 1 COUNT 1", "ERR syntax error");
        talk.check_ok("SET text x");
        talk.check_error("ZMPOP 2 text z MIN", WRONG_TYPE);
    });
}

#[test]
fn random_members() {
    each(|talk| {
        talk.check_null("ZRANDMEMBER z");
        talk.check_array("ZRANDMEMBER z 5", &[]);
        talk.check_array("ZRANDMEMBER z -5", &[]);
        add_letters(talk);
        talk.check_array_unordered("ZRANDMEMBER z 10", &["a", "b", "c", "d", "e"]);
        for count in 1..5 {
            let mut drawn = talk.texts_of(&format!("ZRANDMEMBER z {count}"));
            drawn.sort();
            drawn.dedup();
            assert_eq!(drawn.len(), count, "{drawn:?}");
        }
        assert_eq!(talk.texts_of("ZRANDMEMBER z -20").len(), 20);
        talk.check_array("ZRANDMEMBER z 0", &[]);
        talk.check_integer("ZADD one 7 m", 1);
        talk.check_bulk("ZRANDMEMBER one", "m");
        check_scored(talk, "ZRANDMEMBER one -2 WITHSCORES", &[("m", "7"), ("m", "7")]);
        check_scored(talk, "ZRANDMEMBER one 2 WITHSCORES", &[("m", "7")]);
        talk.check_error("ZRANDMEMBER z x", "ERR value is not an integer or out of range");
        talk.check_error("ZRANDMEMBER z 1 foo", "ERR syntax error");
        talk.check_error(
            "ZRANDMEMBER z 9223372036854775807 WITHSCORES",
            "ERR value is out of range",
        );
        talk.check_error(
            "ZRANDMEMBER z -9223372036854775808",
            "ERR value is out of range, value must between -9223372036854775807 and \
             9223372036854775807",
        );
    });
}

#[test]
fn all_members_are_drawn_sooner_or_later() {
    each(|talk| {
        add_letters(talk);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20 {
            seen.extend(talk.texts_of("ZRANDMEMBER z 2"));
            seen.extend(talk.texts_of("ZRANDMEMBER z -2"));
        }
        assert_eq!(seen.len(), 5);
    });
}

#[test]
fn scans() {
    each(|talk| {
        talk.check("ZSCAN missing 0", "*2\r\n$1\r\n0\r\n*0\r\n");
        talk.check_integer("ZADD z 1.5 one", 1);
        talk.check("ZSCAN z 0", "*2\r\n$1\r\n0\r\n*2\r\n$3\r\none\r\n$3\r\n1.5\r\n");
        talk.check("ZSCAN z 0 NOSCORES", "*2\r\n$1\r\n0\r\n*1\r\n$3\r\none\r\n");
        talk.check("ZSCAN z 0 MATCH x* COUNT 5", "*2\r\n$1\r\n0\r\n*0\r\n");
        talk.check("ZSCAN z 0 MATCH * COUNT 5 noscores", "*2\r\n$1\r\n0\r\n*1\r\n$3\r\none\r\n");
        talk.check_error("ZSCAN z x", "ERR invalid cursor");
        talk.check_error("ZSCAN z 0 COUNT 0", "ERR syntax error");
        talk.check_error("ZSCAN z 0 COUNT x", "ERR value is not an integer or out of range");
        talk.check_error("ZSCAN z 0 MATCH", "ERR syntax error");
        talk.check_error("ZSCAN z 0 TYPE zset", "ERR syntax error");
    });
}

#[test]
fn a_scan_in_steps_returns_everything_once() {
    each(|talk| {
        for number in 0..300 {
            talk.run(&format!("ZADD z {} member:{number}", number % 7));
        }
        let mut cursor = "0".to_owned();
        let mut seen = Vec::new();
        let mut calls = 0;
        loop {
            let reply = talk.reply_to(&format!("ZSCAN z {cursor} COUNT 20 NOSCORES"));
            let text = String::from_utf8(reply).expect("members are text");
            let mut lines = text.split("\r\n").skip(2);
            cursor = lines.next().expect("a cursor").to_owned();
            seen.extend(lines.filter(|line| line.starts_with("member")).map(str::to_owned));
            calls += 1;
            if cursor == "0" {
                break;
            }
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 300);
        assert!(calls > 10, "{calls}");
    });
}

#[test]
fn unions() {
    each(|talk| {
        talk.run("ZADD x 1 a 2 b");
        talk.run("ZADD y 10 b 20 c");
        talk.check_array("ZUNION 2 x y", &["a", "b", "c"]);
        check_scored(
            talk,
            "ZUNION 3 x y missing WITHSCORES",
            &[("a", "1"), ("b", "12"), ("c", "20")],
        );
        check_scored(
            talk,
            "ZUNION 2 x y WEIGHTS 2 0.5 WITHSCORES",
            &[("a", "2"), ("b", "9"), ("c", "10")],
        );
        check_scored(
            talk,
            "ZUNION 2 x y AGGREGATE MIN WITHSCORES",
            &[("a", "1"), ("b", "2"), ("c", "20")],
        );
        check_scored(
            talk,
            "ZUNION 2 x y AGGREGATE count WITHSCORES",
            &[("a", "1"), ("c", "1"), ("b", "2")],
        );
        check_scored(
            talk,
            "ZUNION 2 x y WEIGHTS 3 4 AGGREGATE COUNT WITHSCORES",
            &[("a", "3"), ("c", "4"), ("b", "7")],
        );
        talk.check_integer("ZUNIONSTORE x 2 x y AGGREGATE MAX", 3);
        check_scored(talk, "ZRANGE x 0 -1 WITHSCORES", &[("a", "1"), ("b", "10"), ("c", "20")]);
        check_scored(talk, "ZUNION 2 y y WITHSCORES", &[("b", "20"), ("c", "40")]);
    });
}

#[test]
fn infinities_cancel_out() {
    each(|talk| {
        talk.run("ZADD x inf a 0 b");
        talk.run("ZADD y -inf a 5 b");
        check_scored(talk, "ZUNION 2 x y WITHSCORES", &[("a", "0"), ("b", "5")]);
        check_scored(talk, "ZINTER 2 x y WEIGHTS 1 1 WITHSCORES", &[("a", "0"), ("b", "5")]);
        check_scored(talk, "ZUNION 1 x WEIGHTS 0 WITHSCORES", &[("a", "0"), ("b", "0")]);
    });
}

#[test]
fn intersections_and_differences() {
    each(|talk| {
        talk.run("ZADD x 1 a 2 b 3 c");
        talk.run("ZADD y 10 b 20 c 30 d");
        check_scored(talk, "ZINTER 2 x y WITHSCORES", &[("b", "12"), ("c", "23")]);
        talk.check_array("ZINTER 2 x missing", &[]);
        talk.check_integer("ZINTERCARD 2 x y", 2);
        talk.check_integer("ZINTERCARD 2 x y LIMIT 1", 1);
        talk.check_integer("ZINTERCARD 2 x y LIMIT 0", 2);
        check_scored(talk, "ZDIFF 2 x y WITHSCORES", &[("a", "1")]);
        talk.check_array("ZDIFF 2 missing y", &[]);
        talk.check_integer("ZINTERSTORE out 2 x y WEIGHTS 1 0", 2);
        check_scored(talk, "ZRANGE out 0 -1 WITHSCORES", &[("b", "2"), ("c", "3")]);
        talk.check_integer("ZDIFFSTORE out 2 y x", 1);
        check_scored(talk, "ZRANGE out 0 -1 WITHSCORES", &[("d", "30")]);
        talk.check_integer("ZDIFFSTORE out 2 x x", 0);
        talk.check_integer("EXISTS out", 0);
    });
}

#[test]
fn plain_sets_count_as_one_each() {
    each(|talk| {
        talk.run("ZADD x 5 a 5 b");
        talk.run("SADD s a 7");
        check_scored(talk, "ZUNION 2 x s WITHSCORES", &[("7", "1"), ("b", "5"), ("a", "6")]);
        check_scored(talk, "ZINTER 2 s x WEIGHTS 3 1 WITHSCORES", &[("a", "8")]);
        check_scored(talk, "ZDIFF 2 s x WITHSCORES", &[("7", "1")]);
        talk.check_integer("ZINTERCARD 2 s s LIMIT 1", 1);
        talk.check_integer("ZUNIONSTORE s 1 s", 2);
        check_scored(talk, "ZRANGE s 0 -1 WITHSCORES", &[("7", "1"), ("a", "1")]);
    });
}

#[test]
fn combinations_refuse_what_makes_no_sense() {
    each(|talk| {
        let none = |name: &str| format!("ERR at least 1 input key is needed for '{name}' command");
        talk.check_error("ZUNION 0 x", &none("zunion"));
        talk.check_error("ZINTERSTORE d 0 x", &none("zinterstore"));
        talk.check_error("ZUNION x x", "ERR value is not an integer or out of range");
        talk.check_error("ZUNION 2 x", "ERR syntax error");
        talk.check_error("ZUNION 1 x WEIGHTS", "ERR syntax error");
        talk.check_error("ZUNION 1 x WEIGHTS a", "ERR weight value is not a float");
        talk.check_error("ZUNION 1 x AGGREGATE foo", "ERR syntax error");
        talk.check_error("ZDIFF 1 x WEIGHTS 1", "ERR syntax error");
        talk.check_error("ZUNIONSTORE d 1 x WITHSCORES", "ERR syntax error");
        talk.check_error("ZINTERCARD 1 x LIMIT -1", "ERR LIMIT can't be negative");
        talk.check_error("ZINTERCARD 1 x LIMIT x", "ERR LIMIT can't be negative");
        talk.check_error("ZINTERCARD 1 x WITHSCORES", "ERR syntax error");
        talk.check_ok("SET text x");
        talk.check_error("ZUNION 1 text", WRONG_TYPE);
        talk.check_error("ZDIFF 2 missing text", WRONG_TYPE);
    });
}

#[test]
fn encodings_change_where_those_of_redis_change() {
    let mut settings = settings();
    settings.zset_max_listpack_entries = 3;
    settings.zset_max_listpack_value_bytes = 5;
    each_with(&settings, |talk| {
        talk.run("ZADD z 1 a 2 b 3 c");
        talk.check_bulk("OBJECT ENCODING z", "listpack");
        talk.run("ZADD z 9 a");
        talk.check_bulk("OBJECT ENCODING z", "listpack");
        talk.run("ZADD z 4 d");
        talk.check_bulk("OBJECT ENCODING z", "skiplist");
        talk.run("ZREM z d c");
        talk.check_bulk("OBJECT ENCODING z", "skiplist");
        talk.run("ZUNIONSTORE {z}1 1 z");
        talk.check_bulk("OBJECT ENCODING {z}1", "listpack");
        talk.run("ZADD long 1 123456");
        talk.check_bulk("OBJECT ENCODING long", "skiplist");
        talk.check_integer("COPY z copy", 1);
        talk.check_bulk("OBJECT ENCODING copy", "skiplist");
        talk.check_array("ZRANGE copy 0 -1", &["b", "a"]);
        talk.check_integer("ZREM z a b", 2);
        talk.check_array("ZRANGE copy 0 -1", &["b", "a"]);
        talk.check("TYPE copy", "+zset\r\n");
    });
}

#[test]
fn large_sets_are_unlinked() {
    each(|talk| {
        for number in 0..2000 {
            talk.run(&format!("ZADD z {number} member:{number:032}"));
        }
        talk.check_integer("ZCOUNT z 500 (1500", 1000);
        talk.check_integer("UNLINK z", 1);
        talk.check_integer("ZCARD z", 0);
    });
}
