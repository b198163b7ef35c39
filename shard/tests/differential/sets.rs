//! Sets.

use crate::draw::{COUNTS, Draw, SETS, Words};
use crate::hashes::scan_options;

const NAMES: [&str; 24] = [
    "sadd",
    "sadd",
    "sadd",
    "sadd",
    "sadd",
    "srem",
    "srem",
    "scard",
    "sismember",
    "smismember",
    "smembers",
    "smembers",
    "smove",
    "sinter",
    "sunion",
    "sdiff",
    "sinterstore",
    "sunionstore",
    "sdiffstore",
    "sintercard",
    "srandmember",
    "spop",
    "sscan",
    "sadd",
];

/// A command on sets.
pub(crate) fn draw(draw: &mut Draw) -> Words {
    let name = draw.pick(&NAMES);
    let mut words = vec![draw.word(name)];
    if name == "sintercard" {
        words.push(draw.pick(&["2", "2", "2", "1", "0", "3", "x"]).to_owned());
    }
    words.push(draw.key(&SETS));
    match name {
        "sadd" => {
            // Sets of numbers alone have a form of their own.
            let numbers_only = draw.random.bool();
            let count = if draw.one_in(20) { 80 } else { 5 };
            for _ in 0..draw.random.usize(1..count) {
                words.push(if numbers_only { number(draw) } else { draw.member() });
            }
        }
        "srem" => words.extend([draw.member(), number(draw), draw.member()]),
        "sismember" => words.push(draw.member()),
        "smismember" => words.extend([draw.member(), number(draw)]),
        "smove" => words.extend([draw.key(&SETS), draw.member()]),
        "sinter" | "sunion" | "sdiff" => {
            words.extend((0..draw.random.usize(..3)).map(|_| draw.key(&SETS)));
        }
        "sinterstore" | "sunionstore" | "sdiffstore" => {
            words.extend((0..draw.random.usize(1..4)).map(|_| draw.key(&SETS)));
        }
        "sintercard" => {
            words.push(draw.key(&SETS));
            draw.options(&mut words, &["limit 1", "limit 0", "limit -1", "limit x"]);
        }
        "srandmember" if draw.random.bool() => words.push(draw.pick(&COUNTS).to_owned()),
        // All or nothing: what is left of the set is no matter of chance.
        "spop" => words.push(draw.pick(&["100000", "0", "-1", "x"]).to_owned()),
        "sscan" => scan_options(draw, &mut words),
        _ => {}
    }
    words
}

fn number(draw: &mut Draw) -> String {
    match draw.random.u32(..10) {
        0 => draw.random.i64(..).to_string(),
        1 => draw.random.i64(-3_000_000_000..3_000_000_000).to_string(),
        2 => draw.random.i64(-40_000..40_000).to_string(),
        _ => draw.random.i64(-5..20).to_string(),
    }
}

/// Takes members out at random, and then all that is left.
pub(crate) fn draw_pop(draw: &mut Draw) -> Vec<Words> {
    let key = draw.key(&SETS);
    let mut pop = vec![draw.word("spop"), key.clone()];
    if draw.random.bool() {
        pop.push(draw.pick(&["1", "2", "5"]).to_owned());
    }
    vec![pop, vec!["scard".to_owned(), key.clone()], vec!["del".to_owned(), key]]
}
