//! Basalt against a real redis-server: the same random commands, byte for byte the same replies.
//!
//! Each test draws a seed, or takes the one in `BASALT_TEST_SEED`, and tells it when it fails. On a
//! machine without redis-server the tests say so and pass.
//!
//! The two clocks cannot be the same, so no key expires while a test runs, and the answers about
//! times may differ by as much as the test can take.

mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use support::redis::RealServer;
use support::resp::{show, show_request};
use support::{ClientId, Cluster, Request, seed};

/// Commands of one run.
const COMMANDS: usize = 20_000;

/// Requests that are sent to the real server at once.
const PIPELINE: usize = 200;

/// How far apart two answers about the same time may be, in milliseconds.
const CLOCK_TOLERANCE_MS: i64 = 120_000;

fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is past 1970");
    elapsed.as_millis() as i64
}

/// Draws commands over a few keys and awkward values.
struct Generator {
    random: fastrand::Rng,
    started_ms: i64,
}

const KEYS: [&str; 8] = ["a", "b", "c", "{a}1", "{a}2", "long-name-of-a-key", "", "\u{1}\r\n"];

const NUMBERS: [&str; 16] = [
    "0",
    "1",
    "-1",
    "7",
    "42",
    "-100",
    "9999",
    "10000",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "+1",
    "01",
    "1.5",
    " 1",
    "x",
];

const FLOATS: [&str; 14] = [
    "0.1", "-0.1", "3", "1e3", "1.5e-5", "0x1.8p3", "1e30", "-1e30", ".5", "5.", "1e-20", "inf",
    "nan", "1e5000",
];

impl Generator {
    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.random.usize(..words.len())]
    }

    fn key(&mut self) -> String {
        self.pick(&KEYS).to_owned()
    }

    fn value(&mut self) -> String {
        match self.random.u32(..10) {
            0..4 => self.pick(&NUMBERS).to_owned(),
            4 => self.pick(&FLOATS).to_owned(),
            5 => String::new(),
            6 => "x".repeat(self.random.usize(40..50)),
            7 => "y".repeat(self.random.usize(1000..1050)),
            8 if self.random.u32(..10) == 0 => "z".repeat(self.random.usize(16_000..20_000)),
            _ => format!("text{}", self.random.u32(..4)),
        }
    }

    /// A word in some mixture of cases.
    fn word(&mut self, word: &str) -> String {
        if self.random.bool() { word.to_uppercase() } else { word.to_lowercase() }
    }

    fn far_seconds(&mut self) -> i64 {
        self.random.i64(10_000..1_000_000_000)
    }

    /// A time as the argument of one of the forms EX, PX, EXAT, PXAT; some are nonsense.
    fn time(&mut self, form: &str) -> String {
        if self.random.u32(..12) == 0 {
            let nonsense =
                ["0", "-1", "x", "1.0", "9223372036854775807", "-9223372036854775808", "1"];
            let nonsense = self.pick(&nonsense);
            // One second or millisecond from now would come true while the test runs.
            return if nonsense == "1" && !form.ends_with("at") { "0" } else { nonsense }
                .to_owned();
        }
        let seconds = self.far_seconds();
        let unix_seconds = self.started_ms / 1000 + seconds;
        let fraction = self.random.i64(..1000);
        match form {
            "ex" | "expire" => seconds,
            "px" | "pexpire" => seconds * 1000 + fraction,
            "exat" | "expireat" => unix_seconds,
            "pxat" | "pexpireat" => unix_seconds * 1000 + fraction,
            _ => unreachable!("there are no other forms"),
        }
        .to_string()
    }

    fn lifetime_options(&mut self, words: &mut Vec<String>) {
        let form = self.pick(&["ex", "px", "exat", "pxat", "keepttl", "persist"]);
        let name = self.word(form);
        words.push(name);
        if !matches!(form, "keepttl" | "persist") && self.random.u32(..20) != 0 {
            let time = self.time(form);
            words.push(time);
        }
    }

    fn set_options(&mut self, words: &mut Vec<String>) {
        for _ in 0..self.random.u32(..3) {
            match self.random.u32(..6) {
                0 => words.push(self.word("nx")),
                1 => words.push(self.word("xx")),
                2 => words.push(self.word("get")),
                3 if self.random.u32(..5) == 0 => words.push("foo".to_owned()),
                _ => self.lifetime_options(words),
            }
        }
    }

    fn words(&mut self) -> Vec<String> {
        match self.random.u32(..10) {
            0..5 => self.string_words(),
            5..7 => self.expiry_words(),
            _ => self.key_words(),
        }
    }

    fn string_words(&mut self) -> Vec<String> {
        let names = [
            "set",
            "set",
            "set",
            "get",
            "setnx",
            "setex",
            "psetex",
            "getset",
            "getdel",
            "getex",
            "mget",
            "mset",
            "msetnx",
            "append",
            "strlen",
            "setrange",
            "getrange",
            "substr",
            "incr",
            "decr",
            "incrby",
            "decrby",
            "incrbyfloat",
            "lcs",
        ];
        let name = self.pick(&names);
        let mut words = vec![self.word(name), self.key()];
        match name {
            "set" => {
                words.push(self.value());
                self.set_options(&mut words);
            }
            "setnx" | "getset" | "append" => words.push(self.value()),
            "setex" | "psetex" => {
                let form = if name == "setex" { "ex" } else { "px" };
                words.extend([self.time(form), self.value()]);
            }
            "getex" if self.random.bool() => self.lifetime_options(&mut words),
            "mget" => words.extend([self.key(), self.key()]),
            "mset" | "msetnx" => words.extend([self.value(), self.key(), self.value()]),
            "setrange" => {
                let offset = self.pick(&["0", "1", "5", "60", "2000", "-1", "x", "536870912"]);
                words.extend([offset.to_owned(), self.value()]);
            }
            "getrange" | "substr" => {
                let places = ["0", "-1", "3", "-3", "100", "-100", "9223372036854775807", "x"];
                words.extend([self.pick(&places).to_owned(), self.pick(&places).to_owned()]);
            }
            "incrby" | "decrby" => words.push(self.pick(&NUMBERS).to_owned()),
            "incrbyfloat" => words.push(self.pick(&FLOATS).to_owned()),
            "lcs" => self.lcs_options(&mut words),
            _ => {}
        }
        words
    }

    fn lcs_options(&mut self, words: &mut Vec<String>) {
        words.push(self.key());
        for _ in 0..self.random.u32(..3) {
            match self.random.u32(..5) {
                0 => words.push(self.word("len")),
                1 => words.push(self.word("idx")),
                2 => words.push(self.word("withmatchlen")),
                3 => words.extend([self.word("minmatchlen"), self.pick(&["0", "2", "x"]).into()]),
                _ => words.push("foo".to_owned()),
            }
        }
    }

    fn expiry_words(&mut self) -> Vec<String> {
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
        ];
        let name = self.pick(&names);
        let mut words = vec![self.word(name), self.key()];
        if name.contains("expire") && !name.ends_with("time") {
            words.push(self.time(name));
            for _ in 0..self.random.u32(..3) {
                let option = self.pick(&["nx", "xx", "gt", "lt", "lt", "foo"]);
                words.push(self.word(option));
            }
        }
        words
    }

    fn key_words(&mut self) -> Vec<String> {
        let names = [
            "del", "unlink", "exists", "touch", "type", "rename", "renamenx", "copy", "move",
            "object", "select",
        ];
        let name = self.pick(&names);
        let database = self.pick(&["0", "1", "1", "0", "16", "-1", "x", "99999999999"]).to_owned();
        match name {
            "del" | "unlink" | "exists" | "touch" => vec![self.word(name), self.key(), self.key()],
            "rename" | "renamenx" => vec![self.word(name), self.key(), self.key()],
            "copy" => {
                let mut words = vec![self.word(name), self.key(), self.key()];
                if self.random.bool() {
                    words.extend([self.word("db"), database]);
                }
                if self.random.bool() {
                    words.push(self.word("replace"));
                }
                words
            }
            "move" => vec![self.word(name), self.key(), database],
            "object" => vec![self.word(name), self.word("encoding"), self.key()],
            "select" => vec![self.word(name), self.pick(&["0", "1"]).to_owned()],
            _ => vec![self.word(name), self.key()],
        }
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

/// Whether two replies to a question about a time agree as well as two clocks do.
fn agree_about_time(request: &Request, ours: &[u8], theirs: &[u8]) -> bool {
    let name = request[0].to_ascii_lowercase();
    let unit_ms = match name.as_slice() {
        b"ttl" | b"expiretime" => 1000,
        b"pttl" | b"pexpiretime" => 1,
        _ => return false,
    };
    let number = |reply: &[u8]| {
        let text = std::str::from_utf8(reply.strip_prefix(b":")?).ok()?;
        text.trim_end().parse::<i64>().ok().filter(|number| *number >= 0)
    };
    match (number(ours), number(theirs)) {
        (Some(ours), Some(theirs)) => (ours - theirs).abs() <= CLOCK_TOLERANCE_MS / unit_ms,
        _ => false,
    }
}

struct Contest {
    real: RealServer,
    cluster: Cluster,
    client: ClientId,
    seed: u64,
}

impl Contest {
    fn begin(core_count: u16, seed: u64) -> Option<Self> {
        let real = RealServer::start()?;
        let mut cluster = Cluster::new(core_count, seed);
        let client = cluster.connect(0);
        cluster.advance_ms(now_ms() - cluster.now_ms());
        Some(Self { real, cluster, client, seed })
    }

    fn compare(&mut self, requests: &[Request]) {
        let expected = self.real.execute_all(requests);
        for (request, theirs) in requests.iter().zip(expected) {
            self.cluster.advance_ms((now_ms() - self.cluster.now_ms()).max(0));
            let ours = self.cluster.execute_request(self.client, request.clone());
            assert!(
                ours == theirs || agree_about_time(request, &ours, &theirs),
                "seed {}, {} cores: {}\n  ours   {}\n  theirs {}",
                self.seed,
                self.cluster.core_count(),
                show_request(request),
                show(&ours),
                show(&theirs),
            );
        }
    }
}

fn compare_random_commands(core_count: u16, resp3: bool) {
    let seed = seed();
    let Some(mut contest) = Contest::begin(core_count, seed) else { return };
    let random = fastrand::Rng::with_seed(seed);
    let mut generator = Generator { random, started_ms: now_ms() };
    if resp3 {
        let hello: Request = vec![b"HELLO".to_vec(), b"3".to_vec()];
        contest.real.execute(&hello);
        contest.cluster.execute_request(contest.client, hello);
    }
    for _ in 0..COMMANDS / PIPELINE {
        let requests: Vec<Request> = (0..PIPELINE).map(|_| generator.request()).collect();
        contest.compare(&requests);
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

/// A number as text in one of the ways `strtold` reads.
fn random_float(random: &mut fastrand::Rng) -> String {
    let sign = if random.bool() { "-" } else { "" };
    let digits = |random: &mut fastrand::Rng, count_max: usize| -> String {
        let count = random.usize(1..=count_max);
        (0..count).map(|_| random.digit(10)).collect()
    };
    let whole = digits(random, 22);
    let fraction = digits(random, 22);
    match random.u32(..8) {
        0 => format!("{sign}{whole}"),
        1..4 => format!("{sign}{whole}.{fraction}"),
        4 => format!("{sign}0.{fraction}e{}", random.i32(-40..40)),
        5 => format!("{sign}{whole}.{fraction}e{}", random.i32(-5000..5000)),
        6 => format!("{sign}0x{:x}.{:x}p{}", random.u64(..), random.u64(..), random.i32(-80..80)),
        _ => {
            let huge: String = (0..random.usize(1..300)).map(|_| random.digit(10)).collect();
            format!("{sign}{huge}.{fraction}")
        }
    }
}

/// Sums of numbers of all sizes print the same digits.
#[test]
fn random_floating_point_sums() {
    let seed = seed();
    let Some(mut contest) = Contest::begin(1, seed) else { return };
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..60 {
        let mut requests = Vec::new();
        for _ in 0..PIPELINE / 2 {
            let (one, other) = (random_float(&mut random), random_float(&mut random));
            // Close numbers of different signs cancel.
            let other =
                if random.u32(..8) == 0 { format!("-{}9", one.trim_matches('-')) } else { other };
            let bytes = |words: [&str; 3]| words.map(|word| word.as_bytes().to_vec()).to_vec();
            requests.push(bytes(["SET", "sum", &one]));
            requests.push(bytes(["INCRBYFLOAT", "sum", &other]));
        }
        contest.compare(&requests);
    }
}
