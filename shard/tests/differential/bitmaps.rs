//! Bitmaps.

use crate::draw::{Draw, STRINGS, Words};

/// A command on the bits of a string.
pub(crate) fn draw(draw: &mut Draw) -> Words {
    let names =
        ["setbit", "setbit", "getbit", "bitcount", "bitpos", "bitop", "bitfield", "bitfield_ro"];
    let name = draw.pick(&names);
    let mut words = vec![draw.word(name)];
    if name == "bitop" {
        let operation = draw.pick(&["and", "or", "xor", "not", "foo"]);
        words.push(draw.word(operation));
        let count = if operation == "not" { 2 } else { draw.random.usize(2..6) };
        words.extend((0..count).map(|_| draw.key(&STRINGS)));
        return words;
    }
    words.push(draw.key(&STRINGS));
    match name {
        "setbit" => {
            let offset = offset(draw);
            words.extend([offset, draw.pick(&["0", "1", "1", "2"]).to_owned()]);
        }
        "getbit" => words.push(offset(draw)),
        "bitcount" => range(draw, &mut words),
        "bitpos" => {
            words.push(draw.pick(&["0", "1", "1", "2"]).to_owned());
            range(draw, &mut words);
        }
        _ => (0..draw.random.usize(..4)).for_each(|_| operation(draw, &mut words)),
    }
    words
}

fn offset(draw: &mut Draw) -> String {
    let end = [20, 400, 8_000][draw.random.usize(..3)];
    draw.random.i64(-1..end).to_string()
}

/// Start, end and unit, not all of them always.
fn range(draw: &mut Draw, words: &mut Words) {
    let reach = [20, 300, 10_000][draw.random.usize(..3)];
    let count = draw.random.usize(..4);
    for _ in 0..count.min(2) {
        words.push(draw.random.i64(-reach..reach).to_string());
    }
    if count == 3 {
        words.push(draw.pick(&["BIT", "byte", "bit", "foo"]).to_owned());
    }
}

fn operation(draw: &mut Draw, words: &mut Words) {
    let verb = draw.pick(&["get", "set", "incrby", "overflow"]);
    words.push(draw.word(verb));
    if verb == "overflow" {
        return words.push(draw.pick(&["WRAP", "sat", "FAIL", "foo"]).to_owned());
    }
    let is_signed = draw.random.bool();
    let width = draw.random.u32(1..if is_signed { 65 } else { 64 });
    words.push(format!("{}{width}", if is_signed { 'i' } else { 'u' }));
    let mark = if draw.one_in(4) { "#" } else { "" };
    words.push(format!("{mark}{}", draw.random.u32(..120)));
    if verb != "get" {
        let bits = draw.random.u32(..64);
        words.push((draw.random.i64(..) >> bits).to_string());
    }
}
