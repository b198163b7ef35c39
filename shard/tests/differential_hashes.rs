//! Hashes against a real redis-server: the same random commands, the same replies.
//!
//! Each test draws a seed, or takes the one in `BASALT_TEST_SEED`, and tells it when it fails. On a
//! machine without redis-server the tests say so and pass.
//!
//! A small hash has its fields in the order they were added, as there; the order of a large one is
//! its own, and compared as a multiset. What is drawn at random is compared by its length.

mod support;

use support::redis::RealServer;
use support::resp::{show, show_request};
use support::{Cluster, Request, settings};

/// Commands of one run.
const COMMANDS: usize = 12_000;

/// Requests that are sent to the real server at once.
const PIPELINE: usize = 200;

/// `hash-max-listpack-entries` and `hash-max-listpack-value` of a run.
const LIMITS: (usize, usize) = (6, 20);

const KEYS: [&str; 5] = ["a", "b", "{a}1", "missing", "text"];

const NUMBERS: [&str; 10] =
    ["0", "1", "-1", "7", "12345", "9223372036854775807", "-9223372036854775808", "x", "1.5", ""];

const FLOATS: [&str; 8] = ["0.1", "-0.1", "3", "1e3", "1e30", "inf", "nan", "0x10"];

const COUNTS: [&str; 8] = ["0", "1", "2", "5", "100", "-1", "-3", "x"];

struct Generator {
    random: fastrand::Rng,
}

impl Generator {
    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.random.usize(..words.len())]
    }

    fn field(&mut self) -> String {
        match self.random.u32(..20) {
            0 => "a field whose name is long".to_owned(),
            1..6 => self.random.u32(..12).to_string(),
            _ => format!("f{}", self.random.u32(..8)),
        }
    }

    fn value(&mut self) -> String {
        match self.random.u32(..20) {
            0 => "v".repeat(self.random.usize(15..25)),
            1 => "v".repeat(self.random.usize(1000..1050)),
            2 => "v".repeat(self.random.usize(16_000..18_000)),
            3..12 => self.pick(&NUMBERS).to_owned(),
            _ => format!("text{}", self.random.u32(..4)),
        }
    }

    fn words(&mut self) -> Vec<String> {
        let names = [
            "hset",
            "hset",
            "hset",
            "hmset",
            "hsetnx",
            "hget",
            "hmget",
            "hdel",
            "hdel",
            "hlen",
            "hstrlen",
            "hexists",
            "hgetall",
            "hkeys",
            "hvals",
            "hincrby",
            "hincrbyfloat",
            "hrandfield",
            "hscan",
            "object",
            "del",
            "copy",
            "rename",
            "type",
            "set",
        ];
        let name = self.pick(&names);
        let mut words = vec![name.to_owned(), self.pick(&KEYS).to_owned()];
        match name {
            "hset" | "hmset" => {
                for _ in 0..self.random.usize(1..4) {
                    words.extend([self.field(), self.value()]);
                }
            }
            "hsetnx" => words.extend([self.field(), self.value()]),
            "hget" | "hstrlen" | "hexists" => words.push(self.field()),
            "hmget" | "hdel" => words.extend([self.field(), self.field()]),
            "hincrby" => words.extend([self.field(), self.pick(&NUMBERS).to_owned()]),
            "hincrbyfloat" => words.extend([self.field(), self.pick(&FLOATS).to_owned()]),
            "hrandfield" => self.random_options(&mut words),
            "hscan" => self.scan_options(&mut words),
            "object" => words.insert(1, "encoding".to_owned()),
            "copy" | "rename" => words.push(self.pick(&["a", "b", "{a}1"]).to_owned()),
            // One key in five holds no hash.
            "set" => words = vec!["set".to_owned(), "text".to_owned(), self.value()],
            _ => {}
        }
        words
    }

    fn random_options(&mut self, words: &mut Vec<String>) {
        if self.random.bool() {
            words.push(self.pick(&COUNTS).to_owned());
            match self.random.u32(..4) {
                0 => words.push("withvalues".to_owned()),
                1 => words.push(self.pick(&["WITHVALUES", "withscores"]).to_owned()),
                _ => {}
            }
        }
    }

    fn scan_options(&mut self, words: &mut Vec<String>) {
        words.push(if self.random.u32(..20) == 0 { "x" } else { "0" }.to_owned());
        for _ in 0..self.random.u32(..3) {
            let option = self.pick(&["count", "match", "COUNT", "MATCH", "type", "foo"]);
            words.push(option.to_owned());
            // The count exceeds every hash here, so that one page holds all of it.
            let argument = self.pick(&["1000", "1000", "1000", "f*", "*", "0", "x"]);
            words.push(if option.eq_ignore_ascii_case("count") && argument.contains('*') {
                "1000".to_owned()
            } else {
                argument.to_owned()
            });
        }
        words.extend(["COUNT".to_owned(), "1000".to_owned()]);
    }

    fn request(&mut self) -> Request {
        let mut words = self.words();
        // Now and then one argument too few or too many.
        match self.random.u32(..40) {
            0 => drop(words.pop()),
            1 => words.push(self.pick(&NUMBERS).to_owned()),
            _ => {}
        }
        words.into_iter().map(String::into_bytes).collect()
    }
}

fn agree(request: &Request, ours: &[u8], theirs: &[u8]) -> bool {
    if ours == theirs {
        return true;
    }
    match request[0].as_slice() {
        b"hgetall" | b"hkeys" | b"hvals" | b"hscan" => {
            let sorted = |reply: &[u8]| {
                let mut lines: Vec<_> =
                    reply.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
                lines.sort();
                lines
            };
            sorted(ours) == sorted(theirs)
        }
        // Which fields are drawn is chance; how many, and whether any, is not.
        b"hrandfield" => {
            let head = |reply: &[u8]| match reply {
                [b'$', b'-', ..] => b"$-".to_vec(),
                [b'$', ..] => b"$".to_vec(),
                _ => reply
                    .split(|byte| *byte == b'\r')
                    .next()
                    .map(<[u8]>::to_vec)
                    .unwrap_or_default(),
            };
            !ours.starts_with(b"-") && head(ours) == head(theirs)
        }
        _ => false,
    }
}

fn compare_random_commands(core_count: u16, resp3: bool) {
    let given = std::env::var("BASALT_TEST_SEED").ok().map(|text| text.parse::<u64>());
    let seed = given.map_or_else(|| fastrand::u64(..), |seed| seed.expect("a seed is a number"));
    let Some(mut real) = RealServer::start() else { return };
    let (fields_max, bytes_max) = LIMITS;
    let mut settings = settings();
    settings.hash_max_listpack_entries = fields_max;
    settings.hash_max_listpack_value_bytes = bytes_max;
    let mut cluster = Cluster::with_settings(core_count, seed, settings);
    let client = cluster.connect(0);
    let words =
        |line: &str| -> Request { line.split(' ').map(|word| word.as_bytes().to_vec()).collect() };
    real.execute(&words(&format!("CONFIG SET hash-max-listpack-entries {fields_max}")));
    real.execute(&words(&format!("CONFIG SET hash-max-listpack-value {bytes_max}")));
    if resp3 {
        real.execute(&words("HELLO 3"));
        cluster.execute(client, "HELLO 3");
    }
    let mut generator = Generator { random: fastrand::Rng::with_seed(seed) };
    for _ in 0..COMMANDS / PIPELINE {
        let requests: Vec<Request> = (0..PIPELINE).map(|_| generator.request()).collect();
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
fn random_commands_on_one_core() {
    compare_random_commands(1, false);
}

#[test]
fn random_commands_on_four_cores() {
    compare_random_commands(4, true);
}
