//! Lists.

use crate::draw::{COUNTS, Draw, LISTS, NUMBERS, RANKS, Words};

const NAMES: [&str; 24] = [
    "lpush",
    "rpush",
    "rpush",
    "lpush",
    "rpush",
    "lpushx",
    "rpushx",
    "lpop",
    "rpop",
    "llen",
    "lrange",
    "lrange",
    "lindex",
    "lset",
    "linsert",
    "linsert",
    "lrem",
    "ltrim",
    "lpos",
    "lpos",
    "lmove",
    "rpoplpush",
    "lmpop",
    "lmove",
];

/// A command on lists.
pub(crate) fn draw(draw: &mut Draw) -> Words {
    let name = draw.pick(&NAMES);
    if name == "lmpop" {
        return many_pop(draw);
    }
    let mut words = vec![draw.word(name), draw.key(&LISTS)];
    match name {
        "lpush" | "rpush" | "lpushx" | "rpushx" => {
            let count = if draw.one_in(20) { 60 } else { 4 };
            words.extend((0..draw.random.usize(1..count)).map(|_| draw.value()));
        }
        "lpop" | "rpop" if draw.random.bool() => words.push(draw.pick(&COUNTS).to_owned()),
        "lrange" | "ltrim" => {
            words.extend([draw.pick(&RANKS).to_owned(), draw.pick(&RANKS).to_owned()]);
        }
        "lindex" => words.push(draw.pick(&RANKS).to_owned()),
        "lset" => words.extend([draw.pick(&RANKS).to_owned(), draw.value()]),
        "linsert" => {
            let place = draw.pick(&["before", "after", "before", "after", "foo"]);
            words.extend([draw.word(place), draw.value(), draw.value()]);
        }
        "lrem" => words.extend([draw.pick(&COUNTS).to_owned(), draw.value()]),
        "lpos" => {
            words.push(draw.value());
            let options =
                ["rank 1", "rank -1", "rank 2", "rank 0", "count 0", "count 2", "maxlen 3"];
            draw.options(&mut words, &options);
            draw.options(&mut words, &["count -1", "rank x", "maxlen 0", "count 1", "rank -2"]);
        }
        "lmove" => {
            words.push(draw.key(&LISTS));
            words.extend([side(draw), side(draw)]);
        }
        "rpoplpush" => words.push(draw.key(&LISTS)),
        _ => {}
    }
    words
}

fn side(draw: &mut Draw) -> String {
    let side = draw.pick(&["left", "right", "left", "right", "right", "left", "foo"]);
    draw.word(side)
}

fn many_pop(draw: &mut Draw) -> Words {
    let told = draw.pick(&["2", "2", "2", "2", "1", "0", "x"]).to_owned();
    let mut words = vec![draw.word("lmpop"), told, draw.key(&LISTS), draw.key(&LISTS), side(draw)];
    draw.options(&mut words, &["count 1", "count 3", "count 0", "count", "foo"]);
    words
}

/// A command that waits, with what it finds in front of it. Should the key hold another type, both
/// are errors.
pub(crate) fn draw_wait(draw: &mut Draw) -> Vec<Words> {
    let key = draw.key(&LISTS);
    let push = vec![draw.word("rpush"), key.clone(), draw.value()];
    let name = draw.pick(&["blpop", "brpop", "blmpop", "blmove", "brpoplpush"]);
    let mut words = vec![draw.word(name)];
    match name {
        "blmpop" => {
            words.extend(["0".to_owned(), "2".to_owned(), draw.any_key(), key, side(draw)]);
            draw.options(&mut words, &["count 1", "count 3"]);
        }
        "blmove" => words.extend([key, draw.key(&LISTS), side(draw), side(draw), "0".to_owned()]),
        "brpoplpush" => words.extend([key, draw.key(&LISTS), "0".to_owned()]),
        _ => {
            words.extend([draw.any_key(), key]);
            words.push(draw.pick(&["0", "0", "0", "-1", "x", "0.1"]).to_owned());
        }
    }
    if draw.one_in(30) {
        let number = draw.pick(&NUMBERS).to_owned();
        *words.last_mut().expect("it has words") = number;
    }
    vec![push, words]
}
