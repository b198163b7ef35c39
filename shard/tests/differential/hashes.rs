//! Hashes.

use crate::draw::{COUNTS, Draw, FLOATS, HASHES, NUMBERS, Words};

const NAMES: [&str; 20] = [
    "hset",
    "hset",
    "hset",
    "hset",
    "hmset",
    "hsetnx",
    "hget",
    "hmget",
    "hdel",
    "hdel",
    "hlen",
    "hstrlen",
    "hexists",
    "hgetall",
    "hkeys",
    "hvals",
    "hincrby",
    "hincrbyfloat",
    "hrandfield",
    "hscan",
];

/// A command on hashes.
pub(crate) fn draw(draw: &mut Draw) -> Words {
    let name = draw.pick(&NAMES);
    let mut words = vec![draw.word(name), draw.key(&HASHES)];
    match name {
        "hset" | "hmset" => {
            let count = if draw.one_in(20) { 40 } else { 4 };
            for _ in 0..draw.random.usize(1..count) {
                words.extend([draw.member(), draw.value()]);
            }
        }
        "hsetnx" => words.extend([draw.member(), draw.value()]),
        "hget" | "hstrlen" | "hexists" => words.push(draw.member()),
        "hmget" | "hdel" => words.extend([draw.member(), draw.member()]),
        "hincrby" => words.extend([draw.member(), draw.pick(&NUMBERS).to_owned()]),
        "hincrbyfloat" => words.extend([draw.member(), draw.pick(&FLOATS).to_owned()]),
        "hrandfield" if draw.random.bool() => {
            words.push(draw.pick(&COUNTS).to_owned());
            draw.options(&mut words, &["withvalues", "WITHVALUES", "withscores"]);
        }
        "hscan" => scan_options(draw, &mut words),
        _ => {}
    }
    words
}

/// The rest of HSCAN, SSCAN and ZSCAN: the count exceeds every value here, so that one page holds
/// all of it.
pub(crate) fn scan_options(draw: &mut Draw, words: &mut Words) {
    words.push(if draw.one_in(20) { "x" } else { "0" }.to_owned());
    draw.options(
        words,
        &["match m*", "match *", "match 1?", "count 0", "count x", "foo", "type s"],
    );
    words.extend(["count".to_owned(), "100000".to_owned()]);
}
