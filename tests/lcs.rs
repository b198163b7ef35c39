//! LCS in all its forms.

mod support;

use support::{Expect, OK, Test, array, bulk, each, map};

const ONE: &str = "ohmytext";
const TWO: &str = "mynewtext";

fn range(start: i64, end: i64) -> Expect {
    array([start, end])
}

fn stored(t: &mut Test) {
    t.check(["MSET", "{k}1", ONE, "{k}2", TWO], OK);
}

#[test]
fn text_and_length() {
    each(|t| {
        stored(t);
        t.check("LCS {k}1 {k}2", bulk("mytext"));
        t.check("LCS {k}1 {k}2 LEN", 6);
        t.check("LCS {k}1 {k}1", bulk(ONE));
        t.check("LCS {k}1 {k}missing", bulk(""));
        t.check("LCS {k}1 {k}missing LEN", 0);
        t.check("LCS {k}none {k}missing", bulk(""));
    });
}

#[test]
fn keys_of_different_slots_meet() {
    each(|t| {
        t.check("MSET a abcdef b xbxdxf", OK);
        t.check("LCS a b", bulk("bdf"));
    });
}

#[test]
fn matches_from_the_end() {
    each(|t| {
        stored(t);
        let text = array([range(4, 7), range(5, 8)]);
        let my = array([range(2, 3), range(0, 1)]);
        t.check(
            "LCS {k}1 {k}2 IDX",
            map([("matches", array([text.clone(), my])), ("len", 6.into())]),
        );
        t.check(
            "LCS {k}1 {k}2 IDX MINMATCHLEN 4",
            map([("matches", array([text])), ("len", 6.into())]),
        );
        t.check(
            "LCS {k}1 {k}2 IDX MINMATCHLEN -5 WITHMATCHLEN",
            map([
                (
                    "matches",
                    array([
                        array([range(4, 7), range(5, 8), 4.into()]),
                        array([range(2, 3), range(0, 1), 2.into()]),
                    ]),
                ),
                ("len", 6.into()),
            ]),
        );
    });
}

#[test]
fn matches_of_missing_keys_are_empty() {
    each(|t| {
        let none: [Expect; 0] = [];
        let expected = map([("matches", array(none)), ("len", 0.into())]);
        t.check("LCS {k}none {k}missing IDX", expected);
    });
}

#[test]
fn errors() {
    each(|t| {
        stored(t);
        t.check(
            "LCS {k}1 {k}2 LEN IDX",
            "-ERR If you want both the length and indexes, please just use IDX.",
        );
        t.check("LCS {k}1 {k}2 nonsense", "-ERR syntax error");
        t.check("LCS {k}1 {k}2 MINMATCHLEN", "-ERR syntax error");
        t.check("LCS {k}1 {k}2 IDX MINMATCHLEN x", "-ERR value is not an integer or out of range");
        t.check("LCS {k}1", "-ERR wrong number of arguments for 'lcs' command");
        if t.has_command("RPUSH") {
            t.check("RPUSH {k}list e", 1);
            t.check("LCS {k}list {k}1", "-ERR The specified keys must contain string values");
        }
    });
}
