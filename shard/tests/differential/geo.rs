//! Geo indexes.

use crate::draw::{Draw, PLACES, Words};

fn degrees(draw: &mut Draw, max: f64) -> String {
    if draw.one_in(60) {
        return draw.pick(&["181", "-90", "x", "inf", "0", "180", "-180", "85.05112878"]).into();
    }
    // Near each other, mostly, so that something is found.
    let scale = if draw.one_in(4) { max } else { 3.0 };
    format!("{:.6}", (draw.random.f64() * 2.0 - 1.0) * scale)
}

fn place(draw: &mut Draw) -> [String; 2] {
    [degrees(draw, 180.0), degrees(draw, 85.0)]
}

fn unit(draw: &mut Draw) -> String {
    let unit = draw.pick(&["m", "km", "KM", "ft", "mi", "km", "km", "yd"]);
    unit.to_owned()
}

fn length(draw: &mut Draw) -> String {
    match draw.random.u32(..12) {
        0 => draw.pick(&["0", "-1", "x", "1e9"]).to_owned(),
        1 => draw.random.u32(..20_000).to_string(),
        _ => format!("{:.2}", draw.random.f64() * 600.0),
    }
}

fn options(draw: &mut Draw, words: &mut Words) {
    for _ in 0..draw.random.usize(..4) {
        let option = draw.pick(&[
            "withdist",
            "WITHHASH",
            "withcoord",
            "asc",
            "desc",
            "count 3",
            "count 2 any",
            "any",
            "count 0",
            "foo",
            "storedist",
        ]);
        words.extend(option.split_whitespace().map(str::to_owned));
    }
}

/// A command on geo indexes.
pub(crate) fn draw(draw: &mut Draw) -> Words {
    let names = [
        "geoadd",
        "geoadd",
        "geoadd",
        "geodist",
        "geohash",
        "geopos",
        "geosearch",
        "geosearch",
        "geosearch",
        "geosearchstore",
        "georadius",
        "georadius",
        "georadiusbymember",
        "georadius_ro",
        "zrem",
        "zrange",
    ];
    let name = draw.pick(&names);
    let mut words = vec![draw.word(name), draw.key(&PLACES)];
    match name {
        "geoadd" => {
            draw.options(&mut words, &["nx", "xx", "ch"]);
            for _ in 0..draw.random.usize(1..4) {
                words.extend(place(draw));
                words.push(draw.member());
            }
        }
        "geodist" => {
            words.extend([draw.member(), draw.member()]);
            if draw.random.bool() {
                words.push(unit(draw));
            }
        }
        "zrange" => words.extend(["0".to_owned(), "-1".to_owned()]),
        "zrem" | "geohash" | "geopos" => words.extend([draw.member(), draw.member()]),
        "georadius" | "georadius_ro" => {
            words.extend(place(draw));
            words.extend([length(draw), unit(draw)]);
            radius_options(draw, &mut words);
        }
        "georadiusbymember" => {
            words.extend([draw.member(), length(draw), unit(draw)]);
            radius_options(draw, &mut words);
        }
        _ => search_words(draw, name, &mut words),
    }
    words
}

fn radius_options(draw: &mut Draw, words: &mut Words) {
    options(draw, words);
    if draw.one_in(4) {
        let target = draw.pick(&["store", "storedist"]);
        words.extend([draw.word(target), draw.pick(&PLACES).to_owned()]);
    }
}

fn search_words(draw: &mut Draw, name: &str, words: &mut Words) {
    if name == "geosearchstore" {
        words.insert(1, draw.pick(&PLACES).to_owned());
    }
    if !draw.one_in(20) {
        if draw.random.bool() {
            words.push(draw.word("fromlonlat"));
            words.extend(place(draw));
        } else {
            words.extend([draw.word("frommember"), draw.member()]);
        }
    }
    if !draw.one_in(20) {
        if draw.random.bool() {
            words.extend([draw.word("byradius"), length(draw), unit(draw)]);
        } else {
            let box_words = [draw.word("bybox"), length(draw), length(draw), unit(draw)];
            words.extend(box_words);
        }
    }
    options(draw, words);
}
