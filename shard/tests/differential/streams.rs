//! Streams.
//!
//! Ids are given, never made by the clock; least idle times are none or an age, since the clocks of
//! the two servers differ.
//!
//! Redis keeps a node whose entries all went by exact trimming behind a deleted one that did not;
//! here blocks without entries go. So where exact trimming by id is drawn, nothing that depends on
//! blocks is.

use crate::draw::{COUNTS, Draw, STREAMS, Words};

const GROUPS: [&str; 4] = ["g", "h", "h", "nogroup"];
const CONSUMERS: [&str; 4] = ["alice", "bob", "carol", "dan"];
const AGE_MS: &str = "86400000";

const GREATEST_ID: &str = "18446744073709551615-18446744073709551615";

const BAD_IDS: [&str; 8] = ["x", "-", "1-x", "1-", "0-0", GREATEST_ID, "007", "1-1-1"];

/// An id that may well be there.
fn id(draw: &mut Draw) -> String {
    if draw.one_in(40) {
        return draw.pick(&BAD_IDS).to_owned();
    }
    let back = draw.random.u64(..80);
    let ms = draw.stream_top.saturating_sub(back);
    match draw.random.u32(..6) {
        0 => ms.to_string(),
        1 => format!("{ms}-1"),
        _ => format!("{ms}-0"),
    }
}

fn new_id(draw: &mut Draw) -> String {
    if draw.one_in(15) {
        let id = id(draw);
        return if id == GREATEST_ID { "5".to_owned() } else { id };
    }
    draw.stream_top += draw.random.u64(..3);
    match draw.random.u32(..8) {
        0 => format!("{}-*", draw.stream_top),
        1 => format!("{}-{}", draw.stream_top, draw.random.u32(..3)),
        _ => draw.stream_top.to_string(),
    }
}

fn bound(draw: &mut Draw) -> String {
    match draw.random.u32(..8) {
        0 | 1 => "-".to_owned(),
        2 | 3 => "+".to_owned(),
        4 => format!("({}", id(draw)),
        _ => id(draw),
    }
}

fn value(draw: &mut Draw) -> String {
    match draw.random.u32(..10) {
        0..4 => draw.random.i64(-200..70_000).to_string(),
        4 => draw.random.i64(..).to_string(),
        5 => "x".repeat(draw.random.usize(..200)),
        6 if draw.one_in(10) => "y".repeat(5000),
        _ => format!("v{}", draw.random.u32(..100)),
    }
}

fn fields(draw: &mut Draw, words: &mut Words) {
    let names = match draw.random.u32(..6) {
        0 => vec!["a"],
        1 => vec!["b", "a"],
        2 => vec!["a", "b", "3"],
        _ => vec!["a", "b"],
    };
    for name in names {
        words.extend([name.to_owned(), value(draw)]);
    }
}

fn trim_option(draw: &mut Draw, words: &mut Words) {
    let name = draw.pick(&["maxlen", "maxlen", "minid"]);
    words.push(draw.word(name));
    let mark = match (draw.exact_trimming, name) {
        (true, _) => draw.pick(&["=", ""]),
        (false, "minid") => "~",
        (false, _) => draw.pick(&["~", "~", "=", ""]),
    };
    words.extend((!mark.is_empty()).then(|| mark.to_owned()));
    if name == "maxlen" {
        words.push(draw.random.i32(-1..150).to_string());
    } else {
        words.push(id(draw));
    }
    if draw.one_in(6) {
        words.extend([draw.word("limit"), draw.random.i32(-1..60).to_string()]);
    }
}

/// A command on streams.
pub(crate) fn draw(draw: &mut Draw) -> Words {
    match draw.random.u32(..100) {
        0..33 => add_words(draw),
        33..48 => range_words(draw),
        48..56 => change_words(draw),
        56..66 => read_words(draw),
        66..78 => group_read_words(draw),
        78..85 => group_words(draw),
        85..93 => claim_words(draw),
        _ => info_words(draw),
    }
}

fn add_words(draw: &mut Draw) -> Words {
    let mut words = vec![draw.word("xadd"), draw.key(&STREAMS)];
    if draw.one_in(12) {
        words.push(draw.word("nomkstream"));
    }
    if draw.one_in(6) {
        trim_option(draw, &mut words);
    }
    words.push(new_id(draw));
    fields(draw, &mut words);
    words
}

fn range_words(draw: &mut Draw) -> Words {
    let name = draw.pick(&["xrange", "xrevrange", "xlen"]);
    let mut words = vec![draw.word(name), draw.key(&STREAMS)];
    if name != "xlen" {
        words.extend([bound(draw), bound(draw)]);
        if draw.one_in(3) {
            words.extend([draw.word("count"), draw.pick(&COUNTS).to_owned()]);
        }
    }
    words
}

fn change_words(draw: &mut Draw) -> Words {
    let name = draw.pick(&["xdel", "xdel", "xdel", "xtrim", "xsetid"]);
    let mut words = vec![draw.word(name), draw.key(&STREAMS)];
    match name {
        "xdel" => words.extend((0..draw.random.usize(1..6)).map(|_| id(draw))),
        "xtrim" => trim_option(draw, &mut words),
        _ => {
            words.push(new_id(draw));
            if draw.random.bool() {
                let count = draw.random.u32(..2000).to_string();
                words.extend([draw.word("entriesadded"), count]);
            }
            if draw.random.bool() {
                words.extend([draw.word("maxdeletedid"), id(draw)]);
            }
        }
    }
    words
}

fn read_words(draw: &mut Draw) -> Words {
    let mut words = vec![draw.word("xread")];
    if draw.random.bool() {
        words.extend([draw.word("count"), draw.pick(&COUNTS).to_owned()]);
    }
    if draw.one_in(30) {
        let option = draw.pick(&["noack", "group g c", "foo"]);
        words.extend(option.split(' ').map(str::to_owned));
    }
    streams(draw, &mut words, &["$", "0", "0-0", ">"]);
    words
}

fn streams(draw: &mut Draw, words: &mut Words, marks: &[&str]) {
    words.push(draw.word("streams"));
    let count = draw.random.usize(1..4);
    words.extend((0..count).map(|_| draw.key(&STREAMS)));
    for _ in 0..count {
        let id = if draw.random.bool() { draw.pick(marks).to_owned() } else { id(draw) };
        words.push(id);
    }
}

fn group_read_words(draw: &mut Draw) -> Words {
    let mut words = vec![draw.word("xreadgroup"), draw.word("group")];
    words.extend([draw.pick(&["g", "h", "h"]).to_owned(), draw.pick(&CONSUMERS).to_owned()]);
    if draw.random.bool() {
        words.extend([draw.word("count"), draw.pick(&COUNTS).to_owned()]);
    }
    if draw.one_in(6) {
        words.push(draw.word("noack"));
    }
    if draw.random.bool() {
        words.extend(["streams", "a", ">"].map(str::to_owned));
    } else {
        streams(draw, &mut words, &[">", ">", "0", "$"]);
    }
    words
}

fn group_words(draw: &mut Draw) -> Words {
    let names = [
        "create",
        "create",
        "create",
        "setid",
        "destroy",
        "createconsumer",
        "delconsumer",
        "delconsumer",
    ];
    let name = draw.pick(&names);
    let mut words = vec![draw.word("xgroup"), draw.word(name), draw.key(&STREAMS)];
    words.push(draw.pick(&GROUPS).to_owned());
    match name {
        "create" | "setid" => {
            words.push(if draw.random.bool() { "$".to_owned() } else { id(draw) });
            let options = ["mkstream", "entriesread 3", "entriesread -1", "entriesread -2"];
            for _ in 0..draw.random.usize(..2) {
                let option = draw.pick(&options);
                words.extend(option.split(' ').map(str::to_owned));
            }
        }
        "destroy" if !draw.one_in(3) => words[3] = "nogroup".to_owned(),
        "destroy" => {}
        _ => words.push(draw.pick(&CONSUMERS).to_owned()),
    }
    words
}

fn claim_words(draw: &mut Draw) -> Words {
    let name = draw.pick(&["xack", "xack", "xclaim", "xclaim", "xautoclaim"]);
    let mut words = vec![draw.word(name), draw.key(&STREAMS), draw.pick(&GROUPS).to_owned()];
    if name != "xack" {
        words.push(draw.pick(&CONSUMERS).to_owned());
        words.push(draw.pick(&["0", "0", "0", "-1", AGE_MS, "x"]).to_owned());
    }
    if name == "xautoclaim" {
        words.push(bound(draw));
        draw.options(&mut words, &["count 2", "count 0", "justid", "count 50"]);
        return words;
    }
    words.extend((0..draw.random.usize(1..8)).map(|_| id(draw)));
    if name == "xclaim" {
        let options = [
            "justid",
            "force",
            "retrycount 7",
            "retrycount -1",
            "idle 0",
            "idle x",
            "time 5",
            "lastid 5",
            "foo",
        ];
        draw.options(&mut words, &options);
    }
    words
}

fn info_words(draw: &mut Draw) -> Words {
    let key = draw.key(&STREAMS);
    let group = draw.pick(&GROUPS).to_owned();
    match draw.random.u32(..6) {
        0 => vec![draw.word("xinfo"), draw.word("stream"), key],
        1 => {
            let mut words = vec!["xinfo".to_owned(), draw.word("stream"), key];
            draw.options(&mut words, &["full", "count 3", "full count 0", "full count 2"]);
            words
        }
        2 => vec!["xinfo".to_owned(), draw.word("groups"), key],
        3 => vec!["xinfo".to_owned(), draw.word("consumers"), key, group],
        4 => vec![draw.word("xpending"), key, group],
        _ => {
            let mut words = vec![draw.word("xpending"), key, group];
            if draw.one_in(4) {
                words.extend(["idle".to_owned(), draw.pick(&["0", "x", AGE_MS]).to_owned()]);
            }
            words.extend([bound(draw), bound(draw), draw.pick(&COUNTS).to_owned()]);
            if draw.random.bool() {
                words.push(draw.pick(&CONSUMERS).to_owned());
            }
            words
        }
    }
}

/// A command that may wait, with what it finds in front of it; time runs out where it finds nothing
/// all the same.
pub(crate) fn draw_wait(draw: &mut Draw) -> Vec<Words> {
    let key = draw.key(&STREAMS);
    draw.stream_top += 1;
    let id = draw.stream_top.to_string();
    let mut add = vec![draw.word("xadd"), key.clone(), id];
    fields(draw, &mut add);
    let head = draw.pick(&["xread block 1", "xreadgroup group h bob block 1"]);
    let mut words: Words = head.split(' ').map(str::to_owned).collect();
    let start = if head.starts_with("xreadgroup") { ">" } else { "0" };
    words.extend(["streams", &key, start].map(str::to_owned));
    vec![add, words]
}
