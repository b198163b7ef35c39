//! Drawing commands: a generator of random numbers, the keys all families share, and values that
//! are awkward in one way or another.
//!
//! Every family has keys of its own, so that most of its commands find a value of their type, and
//! in one case of eight takes any key there is, so that types meet. A word holds bytes as the
//! characters of the same numbers, `\u{0}` to `\u{ff}`.

use crate::support::Request;

/// The words of a command, its name first.
pub(crate) type Words = Vec<String>;

/// The keys of strings and bitmaps.
pub(crate) const STRINGS: [&str; 6] = ["s1", "s2", "{s1}2", "", "\u{1}\r\n", "b1"];
/// The keys of HyperLogLogs. Nothing else writes to them, since Redis and Basalt differ in what
/// remains of a sketch that is found to be corrupt.
pub(crate) const SKETCHES: [&str; 3] = ["p1", "p2", "{p1}2"];
/// The keys of hashes.
pub(crate) const HASHES: [&str; 3] = ["h1", "h2", "{h1}2"];
/// The keys of lists.
pub(crate) const LISTS: [&str; 4] = ["l1", "l2", "{l1}2", "l3"];
/// The keys of sets.
pub(crate) const SETS: [&str; 4] = ["u1", "u2", "{u1}2", "u3"];
/// The keys of sorted sets. All members of "lex" have one score, and nothing else writes to it: the
/// order by members means nothing where scores differ.
pub(crate) const SORTED_SETS: [&str; 4] = ["z1", "z2", "{z1}2", "z3"];
/// The keys of geo indexes.
pub(crate) const PLACES: [&str; 3] = ["g1", "g2", "{g1}2"];
/// The keys of streams.
pub(crate) const STREAMS: [&str; 4] = ["x1", "x1", "x2", "{x1}2"];

const FAMILIES: [&[&str]; 8] =
    [&STRINGS, &HASHES, &LISTS, &SETS, &SORTED_SETS, &PLACES, &STREAMS, &["missing"]];

/// Integers, and what is nearly one.
pub(crate) const NUMBERS: [&str; 16] = [
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

/// Floating-point numbers as text. None is beyond the range of C's `strtod`: that leaves a mark in
/// `errno` which a later SORT of Redis takes for its own.
pub(crate) const FLOATS: [&str; 13] = [
    "0.1", "-0.1", "3", "1e3", "1.5e-5", "0x1.8p3", "1e30", "-1e30", ".5", "5.", "1e-20", "inf",
    "nan",
];

/// How many of something.
pub(crate) const COUNTS: [&str; 8] = ["0", "1", "2", "5", "100", "-1", "-3", "x"];

/// Positions in a sequence.
pub(crate) const RANKS: [&str; 9] = ["0", "-1", "1", "3", "-3", "100", "-100", "0", "x"];

/// Draws the commands of one run.
pub(crate) struct Draw {
    pub(crate) random: fastrand::Rng,
    pub(crate) started_ms: i64,
    /// The greatest stream id drawn so far, in milliseconds.
    pub(crate) stream_top: u64,
    /// Whether streams are trimmed exactly by id (see [`crate::streams`]).
    pub(crate) exact_trimming: bool,
}

impl Draw {
    pub(crate) fn new(seed: u64, started_ms: i64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let exact_trimming = random.bool();
        Self { random, started_ms, stream_top: 1, exact_trimming }
    }

    pub(crate) fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.random.usize(..words.len())]
    }

    pub(crate) fn one_in(&mut self, chances: u32) -> bool {
        self.random.u32(..chances) == 0
    }

    /// A key of the family, mostly.
    pub(crate) fn key(&mut self, family: &[&str]) -> String {
        if self.one_in(8) { self.any_key() } else { self.pick(family).to_owned() }
    }

    /// A key of any family but that of HyperLogLogs.
    pub(crate) fn any_key(&mut self) -> String {
        let family = FAMILIES[self.random.usize(..FAMILIES.len())];
        self.pick(family).to_owned()
    }

    /// A word in some mixture of cases.
    pub(crate) fn word(&mut self, word: &str) -> String {
        if self.random.bool() { word.to_uppercase() } else { word.to_lowercase() }
    }

    /// Appends up to two of `options`, each a line of words.
    pub(crate) fn options(&mut self, words: &mut Words, options: &[&str]) {
        for _ in 0..self.random.usize(..3) {
            let option = self.pick(options);
            words.extend(option.split_whitespace().map(str::to_owned));
        }
    }

    /// Appends LIMIT with an offset and a count, or not.
    pub(crate) fn limit(&mut self, words: &mut Words) {
        if self.one_in(3) {
            words.push(self.word("limit"));
            words.push(self.pick(&COUNTS).to_owned());
            words.push(self.pick(&COUNTS).to_owned());
        }
    }

    /// A value of a string or an element of a collection.
    pub(crate) fn value(&mut self) -> String {
        match self.random.u32(..12) {
            0..4 => self.pick(&NUMBERS).to_owned(),
            4 => self.pick(&FLOATS).to_owned(),
            5 => String::new(),
            6 => "x".repeat(self.random.usize(40..70)),
            7 if self.one_in(3) => "y".repeat(self.random.usize(1000..1050)),
            8 if self.one_in(20) => "z".repeat(self.random.usize(16_000..20_000)),
            9 => (0..self.random.usize(..12)).map(|_| char::from(self.random.u8(..))).collect(),
            _ => format!("text{}", self.random.u32(..4)),
        }
    }

    /// A member of a set or a field of a hash, out of few, so that it is met again.
    pub(crate) fn member(&mut self) -> String {
        match self.random.u32(..16) {
            0..5 => self.random.u32(..20).to_string(),
            5 => self.random.i64(-70_000..70_000).to_string(),
            6 => String::new(),
            7 => "x".repeat(self.random.usize(60..70)),
            8 => format!("longer-than-twenty-{}", self.random.u32(..3)),
            _ => format!("m{}", self.random.u32(..30)),
        }
    }

    /// Now and then one argument too few or too many; but SPOP must not come to take out members at
    /// random.
    pub(crate) fn spoil(&mut self, words: &mut Words) {
        if words[0].eq_ignore_ascii_case("spop") {
            return;
        }
        match self.random.u32(..120) {
            0 => drop(words.pop()),
            1 => words.push(self.pick(&NUMBERS).to_owned()),
            _ => {}
        }
    }
}

/// The bytes that words stand for.
pub(crate) fn request(words: &[String]) -> Request {
    let byte = |character| u8::try_from(character).expect("a word holds bytes");
    words.iter().map(|word| word.chars().map(byte).collect()).collect()
}
