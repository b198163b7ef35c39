//! Sorted sets and geo indexes against a real redis-server: the same random commands, the same
//! replies.
//!
//! Each test draws a seed, or takes the one in `BASALT_TEST_SEED`, and tells it when it fails. On a
//! machine without redis-server the tests say so and pass.
//!
//! Scores are sums of halves, which every release prints with the same digits. What is drawn at
//! random or walked in an order of its own is compared as a multiset, or by its shape.

mod support;

use support::redis::RealServer;
use support::resp::{show, show_request};
use support::{Cluster, Request};

/// Commands of one run.
const COMMANDS: usize = 12_000;

/// Requests that are sent to the real server at once.
const PIPELINE: usize = 200;

fn seed() -> u64 {
    let given = std::env::var("BASALT_TEST_SEED").ok().map(|text| text.parse::<u64>());
    given.map_or_else(|| fastrand::u64(..), |seed| seed.expect("a seed is a number"))
}

const KEYS: [&str; 6] = ["a", "b", "c", "{a}1", "missing", "text"];
const GEO_KEYS: [&str; 3] = ["g", "h", "{g}1"];

const SCORES: [&str; 16] = [
    "0", "1", "-1", "2", "3", "10", "0.5", "-2.5", "1e3", "inf", "-inf", "0x10", "nan", "x",
    "1e999", "-0",
];

const SCORE_BOUNDS: [&str; 12] =
    ["0", "(0", "1", "(1", "-inf", "+inf", "(inf", "3", "(-2.5", "x", "nan", "(10"];

const LEX_BOUNDS: [&str; 10] = ["-", "+", "[m1", "(m1", "[m3", "(m7", "[m", "[z", "(", "x"];

const RANKS: [&str; 8] = ["0", "-1", "1", "3", "-3", "100", "-100", "x"];

const COUNTS: [&str; 8] = ["0", "1", "2", "5", "100", "-1", "-3", "x"];

struct Generator {
    random: fastrand::Rng,
}

impl Generator {
    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.random.usize(..words.len())]
    }

    fn one_in(&mut self, chances: u32) -> bool {
        self.random.u32(..chances) == 0
    }

    fn key(&mut self) -> String {
        self.pick(&KEYS).to_owned()
    }

    fn member(&mut self) -> String {
        match self.random.u32(..12) {
            0 => self.random.u32(..20).to_string(),
            1 => String::new(),
            2 => "x".repeat(self.random.usize(60..70)),
            _ => format!("m{}", self.random.u32(..30)),
        }
    }

    fn score(&mut self) -> String {
        if self.one_in(6) {
            return self.pick(&SCORES).to_owned();
        }
        (f64::from(self.random.i32(-20..20)) / 2.0).to_string()
    }

    fn word(&mut self, word: &str) -> String {
        if self.random.bool() { word.to_uppercase() } else { word.to_lowercase() }
    }

    /// Appends some of `options`, each a line of words.
    fn options(&mut self, words: &mut Vec<String>, options: &[&str]) {
        for _ in 0..self.random.usize(..3) {
            let option = self.pick(options);
            words.extend(option.split_whitespace().map(str::to_owned));
        }
    }

    fn limit(&mut self, words: &mut Vec<String>) {
        if self.one_in(3) {
            words.push(self.word("limit"));
            words.push(self.pick(&COUNTS).to_owned());
            words.push(self.pick(&COUNTS).to_owned());
        }
    }

    fn words(&mut self) -> Vec<String> {
        match self.random.u32(..20) {
            0..7 => self.change_words(),
            7..10 => self.ask_words(),
            10..14 => self.range_words(),
            14..17 => self.combine_words(),
            17 => self.pop_words(),
            _ => self.key_words(),
        }
    }

    fn change_words(&mut self) -> Vec<String> {
        let name = self.pick(&["zadd", "zadd", "zadd", "zadd", "zincrby", "zrem"]);
        let mut words = vec![self.word(name), self.key()];
        match name {
            "zadd" => {
                self.options(&mut words, &["nx", "xx", "gt", "lt", "ch", "incr"]);
                for _ in 0..self.random.usize(1..4) {
                    words.extend([self.score(), self.member()]);
                }
            }
            "zincrby" => words.extend([self.score(), self.member()]),
            _ => words.extend([self.member(), self.member()]),
        }
        words
    }

    fn ask_words(&mut self) -> Vec<String> {
        let name =
            self.pick(&["zcard", "zscore", "zmscore", "zrank", "zrevrank", "zcount", "zlexcount"]);
        let mut words = vec![self.word(name), self.key()];
        match name {
            "zscore" | "zrank" | "zrevrank" => words.push(self.member()),
            "zmscore" => words.extend([self.member(), self.member()]),
            "zcount" => {
                words.extend([self.pick(&SCORE_BOUNDS).into(), self.pick(&SCORE_BOUNDS).into()]);
            }
            // Members are in order only where all scores are equal.
            "zlexcount" => return self.lex_words(name),
            _ => {}
        }
        words
    }

    fn lex_words(&mut self, name: &str) -> Vec<String> {
        let bounds = [self.pick(&LEX_BOUNDS).to_owned(), self.pick(&LEX_BOUNDS).to_owned()];
        let mut words = vec![self.word(name), "lex".to_owned()];
        words.extend(bounds);
        words
    }

    fn range_words(&mut self) -> Vec<String> {
        let names = [
            "zrange",
            "zrange",
            "zrange",
            "zrevrange",
            "zrangebyscore",
            "zrevrangebyscore",
            "zrangebylex",
            "zrevrangebylex",
            "zrangestore",
            "zremrangebyrank",
            "zremrangebyscore",
        ];
        let name = self.pick(&names);
        let by = match name {
            "zrange" | "zrangestore" => self.pick(&["", "byscore", "bylex"]),
            "zrangebyscore" | "zrevrangebyscore" | "zremrangebyscore" => "byscore",
            "zrangebylex" | "zrevrangebylex" => "bylex",
            _ => "",
        };
        let mut words = vec![self.word(name)];
        if name == "zrangestore" {
            words.push(self.key());
        }
        words.push(if by == "bylex" { "lex".to_owned() } else { self.key() });
        for _ in 0..2 {
            words.push(match by {
                "byscore" => self.pick(&SCORE_BOUNDS).to_owned(),
                "bylex" => self.pick(&LEX_BOUNDS).to_owned(),
                _ => self.pick(&RANKS).to_owned(),
            });
        }
        if name.starts_with("zremrange") {
            return words;
        }
        if matches!(name, "zrange" | "zrangestore") && !by.is_empty() {
            words.push(self.word(by));
        }
        self.options(&mut words, &["withscores", "rev", "withscores"]);
        self.limit(&mut words);
        words
    }

    fn combine_words(&mut self) -> Vec<String> {
        let names =
            ["zunion", "zinter", "zdiff", "zintercard", "zunionstore", "zinterstore", "zdiffstore"];
        let name = self.pick(&names);
        let mut words = vec![self.word(name)];
        if name.ends_with("store") {
            words.push(self.key());
        }
        let count = self.random.usize(1..4);
        let told = if self.one_in(20) { self.random.usize(..6) } else { count };
        words.push(told.to_string());
        words.extend((0..count).map(|_| self.key()));
        if self.one_in(3) {
            words.push(self.word("weights"));
            for _ in 0..count {
                words.push(self.pick(&["1", "2", "0.5", "-1", "0", "inf", "1", "x"]).to_owned());
            }
        }
        if self.one_in(3) {
            words.push(self.word("aggregate"));
            words.push(self.pick(&["sum", "MIN", "max", "foo"]).to_owned());
        }
        self.options(&mut words, &["withscores", "withscores", "limit 2", "limit -1"]);
        words
    }

    fn pop_words(&mut self) -> Vec<String> {
        let name = self.pick(&["zpopmin", "zpopmax", "zmpop", "zrandmember", "zscan"]);
        let mut words = vec![self.word(name)];
        match name {
            "zmpop" => {
                words.extend(["2".to_owned(), self.key(), self.key()]);
                words.push(self.pick(&["min", "MAX", "min", "foo"]).to_owned());
                self.options(&mut words, &["count 1", "count 3", "count 0", "count"]);
            }
            "zscan" => {
                words.extend([self.key(), "0".to_owned(), "count".to_owned(), "1000".to_owned()]);
                self.options(&mut words, &["match m1*", "match *", "count 0", "foo"]);
            }
            _ => {
                words.push(self.key());
                if self.random.bool() {
                    words.push(self.pick(&COUNTS).to_owned());
                }
                if name == "zrandmember" {
                    self.options(&mut words, &["withscores", "foo"]);
                }
            }
        }
        words
    }

    fn key_words(&mut self) -> Vec<String> {
        let name = self.pick(&["del", "exists", "type", "copy", "rename", "set", "zadd"]);
        match name {
            "copy" | "rename" => vec![self.word(name), self.key(), self.key()],
            "set" => vec![self.word(name), "text".to_owned(), "1".to_owned()],
            "zadd" => {
                vec![self.word(name), "lex".to_owned(), "0".to_owned(), self.member()]
            }
            _ => vec![self.word(name), self.key()],
        }
    }

    fn request(&mut self) -> Request {
        let mut words = self.words();
        if self.one_in(50) {
            words.pop();
        }
        words.into_iter().map(String::into_bytes).collect()
    }
}

/// Lines of a reply, in an order that means nothing.
fn sorted_lines(reply: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = reply.split(|byte| *byte == b'\n').collect();
    lines.sort_unstable();
    lines
}

/// A reply with minus zero as zero. Packed sets lose the sign, and releases differ in when a set of
/// about the largest size is packed.
fn without_signs_of_zero(reply: &[u8]) -> String {
    let text = String::from_utf8_lossy(reply);
    text.replace("$2\r\n-0\r\n", "$1\r\n0\r\n").replace(",-0\r\n", ",0\r\n")
}

fn agree(request: &Request, ours: &[u8], theirs: &[u8]) -> bool {
    let (ours, theirs) = (without_signs_of_zero(ours), without_signs_of_zero(theirs));
    let (ours, theirs) = (ours.as_bytes(), theirs.as_bytes());
    if ours == theirs {
        return true;
    }
    match request[0].to_ascii_lowercase().as_slice() {
        b"zscan" => sorted_lines(ours) == sorted_lines(theirs),
        // Drawn at random: as many of them.
        b"zrandmember" => {
            ours[0] == theirs[0] && ours[0] != b'-' && {
                ours[0] == b'$'
                    || ours.split(|byte| *byte == b'\r').next()
                        == theirs.split(|byte| *byte == b'\r').next()
            }
        }
        _ => false,
    }
}

fn bytes(words: &[&str]) -> Request {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// Runs what `draw` makes on both servers, with packed sets of up to `entries_max` entries.
fn compare(core_count: u16, resp3: bool, entries_max: usize, draw: fn(&mut Generator) -> Request) {
    let seed = seed();
    let Some(mut real) = RealServer::start() else { return };
    real.execute(&bytes(&["config", "set", "zset-max-listpack-entries", &entries_max.to_string()]));
    let mut settings = support::settings();
    settings.zset_max_listpack_entries = entries_max;
    let mut cluster = Cluster::with_settings(core_count, seed, settings);
    let client = cluster.connect(0);
    if resp3 {
        real.execute(&bytes(&["hello", "3"]));
        cluster.execute_request(client, bytes(&["hello", "3"]));
    }
    let mut generator = Generator { random: fastrand::Rng::with_seed(seed) };
    for _ in 0..COMMANDS / PIPELINE {
        let requests: Vec<Request> = (0..PIPELINE).map(|_| draw(&mut generator)).collect();
        let expected = real.execute_all(&requests);
        for (request, theirs) in requests.iter().zip(expected) {
            let ours = cluster.execute_request(client, request.clone());
            assert!(
                agree(request, &ours, &theirs),
                "seed {seed}, {core_count} cores: {}\n  ours   {}\n  theirs {}",
                show_request(request),
                show(&ours),
                show(&theirs),
            );
        }
    }
}

#[test]
fn random_commands_on_packed_sets() {
    compare(1, false, 128, Generator::request);
}

#[test]
fn random_commands_on_indexed_sets() {
    compare(1, true, 0, Generator::request);
}

#[test]
fn random_commands_on_sets_that_change_their_form() {
    compare(3, false, 8, Generator::request);
}

impl Generator {
    fn geo_key(&mut self) -> String {
        self.pick(&GEO_KEYS).to_owned()
    }

    fn degrees(&mut self, max: f64) -> String {
        if self.one_in(60) {
            return self
                .pick(&["181", "-90", "x", "inf", "0", "180", "-180", "85.05112878"])
                .into();
        }
        // Near each other, mostly, so that something is found.
        let scale = if self.one_in(4) { max } else { 3.0 };
        format!("{:.6}", (self.random.f64() * 2.0 - 1.0) * scale)
    }

    fn place(&mut self) -> [String; 2] {
        [self.degrees(180.0), self.degrees(85.0)]
    }

    fn unit(&mut self) -> String {
        let unit = self.pick(&["m", "km", "KM", "ft", "mi", "km", "km", "yd"]);
        unit.to_owned()
    }

    fn length(&mut self) -> String {
        match self.random.u32(..12) {
            0 => self.pick(&["0", "-1", "x", "1e9"]).to_owned(),
            1 => self.random.u32(..20_000).to_string(),
            _ => format!("{:.2}", self.random.f64() * 600.0),
        }
    }

    fn geo_options(&mut self, words: &mut Vec<String>) {
        for _ in 0..self.random.usize(..4) {
            let option = self.pick(&[
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

    fn geo_words(&mut self) -> Vec<String> {
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
        let name = self.pick(&names);
        let mut words = vec![self.word(name), self.geo_key()];
        match name {
            "geoadd" => {
                self.options(&mut words, &["nx", "xx", "ch"]);
                for _ in 0..self.random.usize(1..4) {
                    words.extend(self.place());
                    words.push(self.member());
                }
            }
            "geodist" => {
                words.extend([self.member(), self.member()]);
                if self.random.bool() {
                    words.push(self.unit());
                }
            }
            "zrange" => words.extend(["0".to_owned(), "-1".to_owned()]),
            "zrem" | "geohash" | "geopos" => words.extend([self.member(), self.member()]),
            "georadius" | "georadius_ro" => {
                words.extend(self.place());
                words.extend([self.length(), self.unit()]);
                self.radius_options(&mut words);
            }
            "georadiusbymember" => {
                words.extend([self.member(), self.length(), self.unit()]);
                self.radius_options(&mut words);
            }
            _ => self.search_words(name, &mut words),
        }
        words
    }

    fn radius_options(&mut self, words: &mut Vec<String>) {
        self.geo_options(words);
        if self.one_in(4) {
            let target = self.pick(&["store", "storedist"]);
            words.extend([self.word(target), "stored".to_owned()]);
        }
    }

    fn search_words(&mut self, name: &str, words: &mut Vec<String>) {
        if name == "geosearchstore" {
            words.insert(1, "stored".to_owned());
        }
        if !self.one_in(20) {
            if self.random.bool() {
                words.push(self.word("fromlonlat"));
                words.extend(self.place());
            } else {
                words.extend([self.word("frommember"), self.member()]);
            }
        }
        if !self.one_in(20) {
            if self.random.bool() {
                words.extend([self.word("byradius"), self.length(), self.unit()]);
            } else {
                let box_words = [self.word("bybox"), self.length(), self.length(), self.unit()];
                words.extend(box_words);
            }
        }
        self.geo_options(words);
    }

    fn geo_request(&mut self) -> Request {
        let mut words = self.geo_words();
        if self.one_in(50) {
            words.pop();
        }
        if self.one_in(20) {
            words = vec!["zrange".to_owned(), "stored".to_owned(), "0".to_owned(), "-1".to_owned()];
        }
        words.into_iter().map(String::into_bytes).collect()
    }
}

#[test]
fn random_commands_on_packed_geo_indexes() {
    compare(1, false, 128, Generator::geo_request);
}

#[test]
fn random_commands_on_indexed_geo_indexes() {
    compare(3, true, 0, Generator::geo_request);
}

const SORT_KEYS: [&str; 5] = ["list", "numbers", "set", "scored", "missing"];

impl Generator {
    fn sort_words(&mut self) -> Vec<String> {
        let element = match self.random.u32(..6) {
            0 => format!("m{}", self.random.u32(..10)),
            1 => "1.5".to_owned(),
            _ => self.random.i32(-5..30).to_string(),
        };
        match self.random.u32(..16) {
            0..2 => return vec!["rpush".to_owned(), "list".to_owned(), element],
            2 => {
                let number = self.random.i32(..100).to_string();
                return vec!["rpush".to_owned(), "numbers".to_owned(), number];
            }
            3 => return vec!["sadd".to_owned(), "set".to_owned(), element],
            4 => {
                let score = self.random.i32(..10).to_string();
                return vec!["zadd".to_owned(), "scored".to_owned(), score, element];
            }
            5 => {
                let key = format!("w_{element}");
                return vec!["set".to_owned(), key, self.random.i32(-9..9).to_string()];
            }
            6 => return vec!["set".to_owned(), format!("o_{element}"), self.member()],
            7 => return vec!["del".to_owned(), self.pick(&SORT_KEYS).to_owned()],
            8 => return ["lrange", "target", "0", "-1"].map(str::to_owned).to_vec(),
            9 => return ["sunionstore", "p", "set"].map(str::to_owned).to_vec(),
            10 => {
                return ["zunion", "2", "set", "scored", "withscores"].map(str::to_owned).to_vec();
            }
            11 => {
                return ["zinter", "2", "scored", "set", "withscores"].map(str::to_owned).to_vec();
            }
            12 => return ["zdiff", "2", "set", "scored"].map(str::to_owned).to_vec(),
            _ => {}
        }
        let name = self.pick(&["sort", "sort", "sort_ro"]);
        let mut words = vec![self.word(name), self.pick(&SORT_KEYS).to_owned()];
        let by = self.pick(&["", "by w_*", "by o_*", "by nosort", "by *->f"]);
        words.extend(by.split_whitespace().map(str::to_owned));
        let options =
            ["alpha", "ALPHA", "desc", "asc", "get #", "get o_*", "get w_*", "get x", "foo", "get"];
        self.options(&mut words, &options);
        self.limit(&mut words);
        if self.one_in(4) {
            words.extend([self.word("store"), "target".to_owned()]);
        }
        // Elements with equal texts at the keys that `BY` names may come in any order.
        if by.contains('*') {
            words.retain(|word| !word.eq_ignore_ascii_case("alpha"));
        }
        // A set that is not sorted comes in an order of its own.
        if words[1] == "set" && by == "by nosort" {
            words[1] = "list".to_owned();
        }
        words
    }

    fn sort_request(&mut self) -> Request {
        self.sort_words().into_iter().map(String::into_bytes).collect()
    }
}

#[test]
fn random_sorts() {
    compare(1, false, 128, Generator::sort_request);
    compare(1, true, 4, Generator::sort_request);
}
