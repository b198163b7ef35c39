//! Sorted sets.
//!
//! Scores are sums of halves, which every release prints with the same digits, and weights are
//! greater than zero: packed sets lose the sign of minus zero, and releases differ in when a set of
//! about the largest size is packed.

use crate::draw::{COUNTS, Draw, RANKS, SETS, SORTED_SETS, Words};
use crate::hashes::scan_options;

const SCORES: [&str; 14] =
    ["0", "1", "-1", "2", "3", "10", "0.5", "-2.5", "1e3", "inf", "-inf", "0x10", "nan", "x"];

const SCORE_BOUNDS: [&str; 12] =
    ["0", "(0", "1", "(1", "-inf", "+inf", "(inf", "3", "(-2.5", "x", "nan", "(10"];

const LEX_BOUNDS: [&str; 10] = ["-", "+", "[m1", "(m1", "[m3", "(m7", "[m", "[z", "(", "x"];

fn score(draw: &mut Draw) -> String {
    if draw.one_in(6) {
        return draw.pick(&SCORES).to_owned();
    }
    (f64::from(draw.random.i32(-20..20)) / 2.0).to_string()
}

/// A command on sorted sets.
pub(crate) fn draw(draw: &mut Draw) -> Words {
    match draw.random.u32(..20) {
        0..7 => change(draw),
        7..10 => question(draw),
        10..14 => range(draw),
        14..17 => combination(draw),
        17 => vec![draw.word("zadd"), "lex".to_owned(), "0".to_owned(), draw.member()],
        _ => pop(draw),
    }
}

fn change(draw: &mut Draw) -> Words {
    let name = draw.pick(&["zadd", "zadd", "zadd", "zadd", "zincrby", "zrem"]);
    let mut words = vec![draw.word(name), draw.key(&SORTED_SETS)];
    match name {
        "zadd" => {
            draw.options(&mut words, &["nx", "xx", "gt", "lt", "ch", "incr"]);
            let count = if draw.one_in(20) { 60 } else { 4 };
            for _ in 0..draw.random.usize(1..count) {
                words.extend([score(draw), draw.member()]);
            }
        }
        "zincrby" => words.extend([score(draw), draw.member()]),
        _ => words.extend([draw.member(), draw.member()]),
    }
    words
}

fn question(draw: &mut Draw) -> Words {
    let names = [
        "zcard",
        "zscore",
        "zmscore",
        "zrank",
        "zrevrank",
        "zcount",
        "zlexcount",
        "zremrangebylex",
    ];
    let name = draw.pick(&names);
    let mut words = vec![draw.word(name), draw.key(&SORTED_SETS)];
    match name {
        "zscore" | "zrank" | "zrevrank" => words.push(draw.member()),
        "zmscore" => words.extend([draw.member(), draw.member()]),
        "zcount" => {
            words.extend([draw.pick(&SCORE_BOUNDS).into(), draw.pick(&SCORE_BOUNDS).into()]);
        }
        // Members are in order only where all scores are equal.
        "zlexcount" | "zremrangebylex" => {
            words[1] = "lex".to_owned();
            words.extend([draw.pick(&LEX_BOUNDS).to_owned(), draw.pick(&LEX_BOUNDS).to_owned()]);
        }
        _ => {}
    }
    words
}

fn range(draw: &mut Draw) -> Words {
    let names = [
        "zrange",
        "zrange",
        "zrange",
        "zrevrange",
        "zrangebyscore",
        "zrevrangebyscore",
        "zrangebylex",
        "zrevrangebylex",
        "zrangestore",
        "zremrangebyrank",
        "zremrangebyscore",
    ];
    let name = draw.pick(&names);
    let by = match name {
        "zrange" | "zrangestore" => draw.pick(&["", "byscore", "bylex"]),
        "zrangebyscore" | "zrevrangebyscore" | "zremrangebyscore" => "byscore",
        "zrangebylex" | "zrevrangebylex" => "bylex",
        _ => "",
    };
    let mut words = vec![draw.word(name)];
    if name == "zrangestore" {
        words.push(draw.key(&SORTED_SETS));
    }
    words.push(if by == "bylex" { "lex".to_owned() } else { draw.key(&SORTED_SETS) });
    for _ in 0..2 {
        words.push(match by {
            "byscore" => draw.pick(&SCORE_BOUNDS).to_owned(),
            "bylex" => draw.pick(&LEX_BOUNDS).to_owned(),
            _ => draw.pick(&RANKS).to_owned(),
        });
    }
    if name.starts_with("zremrange") {
        return words;
    }
    if matches!(name, "zrange" | "zrangestore") && !by.is_empty() {
        words.push(draw.word(by));
    }
    draw.options(&mut words, &["withscores", "rev", "withscores"]);
    draw.limit(&mut words);
    words
}

fn combination(draw: &mut Draw) -> Words {
    let names =
        ["zunion", "zinter", "zdiff", "zintercard", "zunionstore", "zinterstore", "zdiffstore"];
    let name = draw.pick(&names);
    let mut words = vec![draw.word(name)];
    if name.ends_with("store") {
        words.push(draw.key(&SORTED_SETS));
    }
    let count = draw.random.usize(1..4);
    let told = if draw.one_in(20) { draw.random.usize(..6) } else { count };
    words.push(told.to_string());
    for _ in 0..count {
        let family: &[&str] = if draw.one_in(4) { &SETS } else { &SORTED_SETS };
        words.push(draw.key(family));
    }
    if draw.one_in(3) {
        words.push(draw.word("weights"));
        words.extend((0..count).map(|_| draw.pick(&["1", "2", "0.5", "1", "x"]).to_owned()));
    }
    if draw.one_in(3) {
        words.push(draw.word("aggregate"));
        words.push(draw.pick(&["sum", "MIN", "max", "foo"]).to_owned());
    }
    draw.options(&mut words, &["withscores", "withscores", "limit 2", "limit -1"]);
    words
}

fn pop(draw: &mut Draw) -> Words {
    let name = draw.pick(&["zpopmin", "zpopmax", "zmpop", "zrandmember", "zscan"]);
    let mut words = vec![draw.word(name)];
    match name {
        "zmpop" => {
            words.extend(["2".to_owned(), draw.key(&SORTED_SETS), draw.key(&SORTED_SETS)]);
            words.push(draw.pick(&["min", "MAX", "min", "foo"]).to_owned());
            draw.options(&mut words, &["count 1", "count 3", "count 0", "count"]);
        }
        "zscan" => {
            words.push(draw.key(&SORTED_SETS));
            scan_options(draw, &mut words);
        }
        _ => {
            words.push(draw.key(&SORTED_SETS));
            if draw.random.bool() {
                words.push(draw.pick(&COUNTS).to_owned());
            }
            if name == "zrandmember" {
                draw.options(&mut words, &["withscores", "foo"]);
            }
        }
    }
    words
}

/// A command that waits, with what it finds in front of it.
pub(crate) fn draw_wait(draw: &mut Draw) -> Vec<Words> {
    let key = draw.key(&SORTED_SETS);
    let add = vec![draw.word("zadd"), key.clone(), "1.5".to_owned(), draw.member()];
    let name = draw.pick(&["bzpopmin", "bzpopmax", "bzmpop"]);
    let mut words = vec![draw.word(name)];
    if name == "bzmpop" {
        words.extend(["0", "2"].map(str::to_owned));
        words.extend([draw.any_key(), key, draw.pick(&["min", "MAX", "foo"]).to_owned()]);
        draw.options(&mut words, &["count 1", "count 3"]);
    } else {
        words.extend([draw.any_key(), key, draw.pick(&["0", "0", "0", "-1", "x"]).to_owned()]);
    }
    vec![add, words]
}
