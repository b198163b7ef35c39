//! Commands on keys of any type: lifetimes, names, databases.

use crate::draw::{Draw, SKETCHES, Words};

/// A command on a key whatever it holds.
pub(crate) fn draw(draw: &mut Draw) -> Words {
    match draw.random.u32(..400) {
        0 => vec![draw.word("flushdb")],
        1..4 => ["swapdb", "0", "1"].map(str::to_owned).to_vec(),
        4..20 => survey(draw),
        20..160 => lifetime(draw),
        160..260 => removal(draw),
        _ => naming(draw),
    }
}

/// Names of many keys. What the order and the choice is left to chance is compared as such.
fn survey(draw: &mut Draw) -> Words {
    match draw.pick(&["keys", "keys", "dbsize", "randomkey"]) {
        "keys" => vec!["keys".to_owned(), draw.pick(&["*", "?1", "{*", "[a-m]*", "x"]).to_owned()],
        name => vec![draw.word(name)],
    }
}

fn removal(draw: &mut Draw) -> Words {
    let name = draw.pick(&["del", "unlink", "exists", "touch", "exists"]);
    let mut words = vec![draw.word(name), draw.any_key()];
    if draw.one_in(3) {
        words.push(draw.any_key());
    }
    if draw.one_in(10) {
        words.push(draw.pick(&SKETCHES).to_owned());
    }
    words
}

fn naming(draw: &mut Draw) -> Words {
    let names =
        ["type", "object", "object", "rename", "renamenx", "copy", "copy", "move", "select"];
    let name = draw.pick(&names);
    let database = draw.pick(&["0", "1", "1", "0", "16", "-1", "x", "99999999999"]).to_owned();
    match name {
        "rename" | "renamenx" => vec![draw.word(name), draw.any_key(), draw.any_key()],
        "copy" => {
            let mut words = vec![draw.word(name), draw.any_key(), draw.any_key()];
            if draw.one_in(4) {
                words.extend([draw.word("db"), database]);
            }
            if draw.random.bool() {
                words.push(draw.word("replace"));
            }
            words
        }
        "move" => vec![draw.word(name), draw.any_key(), database],
        "object" => vec![draw.word(name), draw.word("encoding"), draw.any_key()],
        "select" => vec![draw.word(name), draw.pick(&["0", "0", "0", "1"]).to_owned()],
        _ => vec![draw.word(name), draw.any_key()],
    }
}

fn lifetime(draw: &mut Draw) -> Words {
    let names = [
        "expire",
        "pexpire",
        "expireat",
        "pexpireat",
        "ttl",
        "pttl",
        "expiretime",
        "pexpiretime",
        "persist",
        "persist",
    ];
    let name = draw.pick(&names);
    let mut words = vec![draw.word(name), draw.any_key()];
    if name.contains("expire") && !name.ends_with("time") {
        words.push(time(draw, name));
        for _ in 0..draw.random.u32(..3) {
            let option = draw.pick(&["nx", "xx", "gt", "lt", "lt", "foo"]);
            words.push(draw.word(option));
        }
    }
    words
}

/// A time as the argument of one of the forms EX, PX, EXAT, PXAT. Some are nonsense, some past.
pub(crate) fn time(draw: &mut Draw, form: &str) -> String {
    if draw.one_in(12) {
        let nonsense = ["0", "-1", "x", "1.0", "9223372036854775807", "-9223372036854775808", "1"];
        let nonsense = draw.pick(&nonsense);
        // One second or millisecond from now would come true while the test runs.
        return if nonsense == "1" && !form.ends_with("at") { "0" } else { nonsense }.to_owned();
    }
    let seconds = draw.random.i64(10_000..1_000_000_000);
    let unix_seconds = draw.started_ms / 1000 + seconds;
    let fraction = draw.random.i64(..1000);
    match form {
        "ex" | "expire" => seconds,
        "px" | "pexpire" => seconds * 1000 + fraction,
        "exat" | "expireat" => unix_seconds,
        "pxat" | "pexpireat" => unix_seconds * 1000 + fraction,
        _ => unreachable!("there are no other forms"),
    }
    .to_string()
}
