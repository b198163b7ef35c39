//! HyperLogLogs.

use crate::draw::{Draw, HASHES, SKETCHES, Words};

/// A command on HyperLogLogs.
pub(crate) fn draw(draw: &mut Draw) -> Words {
    let names = [
        "pfadd", "pfadd", "pfadd", "pfadd", "pfcount", "pfcount", "pfmerge", "get", "strlen",
        "del", "pfdebug", "copy", "set",
    ];
    let name = draw.pick(&names);
    let mut words = vec![draw.word(name), key(draw)];
    match name {
        "pfadd" => {
            // Small pools keep sketches sparse.
            let pool = [100, 3000, 1 << 40][draw.random.usize(..3)];
            let count = [3, 3, 40, 300][draw.random.usize(..4)];
            for _ in 0..draw.random.usize(..count) {
                words.push(draw.random.u64(..pool).to_string());
            }
        }
        "pfcount" | "pfmerge" => {
            words.extend((0..draw.random.usize(..4)).map(|_| key(draw)));
        }
        "pfdebug" => {
            words.insert(1, draw.pick(&["encoding", "decode", "getreg", "todense"]).to_owned());
        }
        "copy" => words.extend([draw.pick(&SKETCHES).to_owned(), "replace".to_owned()]),
        "set" => words = ["set", "p2", "no sketch"].map(str::to_owned).to_vec(),
        _ => {}
    }
    words
}

fn key(draw: &mut Draw) -> String {
    let family: &[&str] = if draw.one_in(20) { &HASHES } else { &SKETCHES };
    draw.pick(family).to_owned()
}
