//! Strings.

use crate::draw::{Draw, FLOATS, NUMBERS, STRINGS, Words};
use crate::keys;

const NAMES: [&str; 24] = [
    "set",
    "set",
    "set",
    "get",
    "setnx",
    "setex",
    "psetex",
    "getset",
    "getdel",
    "getex",
    "mget",
    "mset",
    "msetnx",
    "append",
    "strlen",
    "setrange",
    "getrange",
    "substr",
    "incr",
    "decr",
    "incrby",
    "decrby",
    "incrbyfloat",
    "lcs",
];

/// A command on strings.
pub(crate) fn draw(draw: &mut Draw) -> Words {
    let name = draw.pick(&NAMES);
    let mut words = vec![draw.word(name), draw.key(&STRINGS)];
    match name {
        "set" => {
            words.push(draw.value());
            set_options(draw, &mut words);
        }
        "setnx" | "getset" | "append" => words.push(draw.value()),
        "setex" | "psetex" => {
            let form = if name == "setex" { "ex" } else { "px" };
            words.extend([keys::time(draw, form), draw.value()]);
        }
        "getex" if draw.random.bool() => lifetime_options(draw, &mut words),
        "mget" => words.extend([draw.key(&STRINGS), draw.key(&STRINGS)]),
        "mset" | "msetnx" => words.extend([draw.value(), draw.key(&STRINGS), draw.value()]),
        "setrange" => {
            let offset = draw.pick(&["0", "1", "5", "60", "500", "-1", "x", "536870912"]);
            words.extend([offset.to_owned(), draw.value()]);
        }
        "getrange" | "substr" => {
            let places = ["0", "-1", "3", "-3", "100", "-100", "9223372036854775807", "x"];
            words.extend([draw.pick(&places).to_owned(), draw.pick(&places).to_owned()]);
        }
        "incrby" | "decrby" => words.push(draw.pick(&NUMBERS).to_owned()),
        "incrbyfloat" => words.push(draw.pick(&FLOATS).to_owned()),
        "lcs" => lcs_options(draw, &mut words),
        _ => {}
    }
    words
}

fn lifetime_options(draw: &mut Draw, words: &mut Words) {
    let form = draw.pick(&["ex", "px", "exat", "pxat", "keepttl", "persist"]);
    words.push(draw.word(form));
    if !matches!(form, "keepttl" | "persist") && !draw.one_in(20) {
        words.push(keys::time(draw, form));
    }
}

fn set_options(draw: &mut Draw, words: &mut Words) {
    for _ in 0..draw.random.u32(..3) {
        match draw.random.u32(..6) {
            0 => words.push(draw.word("nx")),
            1 => words.push(draw.word("xx")),
            2 => words.push(draw.word("get")),
            3 if draw.one_in(5) => words.push("foo".to_owned()),
            _ => lifetime_options(draw, words),
        }
    }
}

/// LCS takes time in proportion to the product of the lengths, so mostly it is told its options
/// wrong or finds short strings.
fn lcs_options(draw: &mut Draw, words: &mut Words) {
    words.push(draw.key(&STRINGS));
    for _ in 0..draw.random.u32(..3) {
        match draw.random.u32(..5) {
            0 => words.push(draw.word("len")),
            1 => words.push(draw.word("idx")),
            2 => words.push(draw.word("withmatchlen")),
            3 => words.extend([draw.word("minmatchlen"), draw.pick(&["0", "2", "x"]).to_owned()]),
            _ => words.push("foo".to_owned()),
        }
    }
}
