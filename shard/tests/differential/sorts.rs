//! SORT, and the keys its patterns name.

use crate::draw::{Draw, LISTS, SETS, SORTED_SETS, Words};

/// A command that sorts, or sets a weight.
pub(crate) fn draw(draw: &mut Draw) -> Words {
    let element = draw.random.i32(-5..20);
    match draw.random.u32(..8) {
        0 => {
            let weight = draw.random.i32(-9..9).to_string();
            return vec!["set".to_owned(), format!("w_{element}"), weight];
        }
        1 => return vec!["hset".to_owned(), format!("o_{element}"), "f".to_owned(), draw.value()],
        2 => {
            let numbers = (0..draw.random.u32(1..6)).map(|_| draw.random.i32(-5..20).to_string());
            let head = ["rpush", "l2"].map(str::to_owned).into_iter();
            return head.chain(numbers).collect();
        }
        _ => {}
    }
    let family = [&LISTS[..], &LISTS, &SETS, &SORTED_SETS][draw.random.usize(..4)];
    let name = draw.pick(&["sort", "sort", "sort_ro"]);
    let mut words = vec![draw.word(name), draw.key(family)];
    // Elements with equal texts at the keys that BY names may come in any order.
    let by = draw.pick(&["", "", "by w_*", "by o_*->f", "by nosort", "alpha", "alpha"]);
    words.extend(by.split_whitespace().map(str::to_owned));
    let options = ["desc", "asc", "get #", "get o_*->f", "get w_*", "get x", "foo", "get"];
    draw.options(&mut words, &options);
    draw.limit(&mut words);
    if draw.one_in(4) {
        words.extend([draw.word("store"), draw.key(&LISTS)]);
    }
    words
}
