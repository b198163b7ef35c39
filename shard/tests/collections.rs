//! Lists and sets against a real server: the same random commands, the same replies.
//!
//! Replies without an order are compared as sets. Commands that draw at random are asked for all
//! members, so that nothing is left to chance. Encodings are compared with servers that have the
//! present ones, from 7.2 on; name one in `BASALT_TEST_REFERENCE`.
//!
//! Each run draws the thresholds of encodings for both sides, low ones mostly, so that a few dozen
//! elements pass through every form.

mod support;

use basalt_shard::settings::Settings;
use support::redis::RealServer;
use support::resp::{show, show_request, sorted_elements};
use support::{ClientId, Cluster, Request, seed, settings};

/// Thresholds that are drawn in a run, each with keys emptied.
const ROUNDS: usize = 12;

/// Commands of one round.
const COMMANDS: usize = 2_000;

/// Commands whose replies have no order.
const UNORDERED: [&str; 6] = ["smembers", "sinter", "sunion", "sdiff", "spop", "srandmember"];

/// Draws commands over a few keys.
struct Generator {
    random: fastrand::Rng,
    /// Whether encodings are the same on both sides.
    compares_encodings: bool,
}

const LIST_COMMANDS: [&str; 18] = [
    "lpush",
    "rpush",
    "rpush",
    "lpushx",
    "rpushx",
    "lpop",
    "rpop",
    "llen",
    "lindex",
    "lset",
    "lrange",
    "ltrim",
    "lrem",
    "linsert",
    "lpos",
    "lmove",
    "rpoplpush",
    "lmpop",
];
const SET_COMMANDS: [&str; 18] = [
    "sadd",
    "sadd",
    "sadd",
    "srem",
    "sismember",
    "smismember",
    "scard",
    "smembers",
    "spop",
    "srandmember",
    "smove",
    "sinter",
    "sintercard",
    "sunion",
    "sdiff",
    "sinterstore",
    "sunionstore",
    "sdiffstore",
];
const KEY_COMMANDS: [&str; 6] = ["object", "object", "copy", "del", "type", "rename"];

const COUNTS: [&str; 12] =
    ["0", "1", "2", "3", "5", "30", "-1", "-2", "-5", "9223372036854775807", "x", "1.0"];

impl Generator {
    fn pick<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.random.usize(..choices.len())]
    }

    /// A key: of a list, of a set, or of a string for errors.
    fn key(&mut self, kind: char) -> String {
        match self.random.u32(..60) {
            0 => "string".into(),
            1 => format!("{}1", if kind == 'l' { 's' } else { 'l' }),
            _ => format!("{kind}{}", self.random.u32(..4)),
        }
    }

    fn element(&mut self) -> String {
        match self.random.u32(..40) {
            0..14 => self.random.i32(-8..8).to_string(),
            14..18 => self.random.i32(-100_000..100_000).to_string(),
            18 => self.random.i64(..).to_string(),
            19 => "0".repeat(self.random.usize(..30)),
            20 => "x".repeat(self.random.usize(60..70)),
            21 => "y".repeat(self.random.usize(1000..5000)),
            22 if self.random.u32(..6) == 0 => "z".repeat(self.random.usize(8_000..9_000)),
            _ => format!("e{}", self.random.u32(..25)),
        }
    }

    fn elements(&mut self) -> Vec<String> {
        let count = if self.random.u32(..30) == 0 { 40 } else { 6 };
        (0..self.random.usize(1..=count)).map(|_| self.element()).collect()
    }

    fn keys(&mut self, kind: char) -> Vec<String> {
        (0..self.random.usize(1..4)).map(|_| self.key(kind)).collect()
    }

    /// A key for a set that is made of others. Its encoding depends on the order in which members
    /// come out of those, so nobody asks for it.
    fn target(&mut self) -> String {
        self.pick(&["t0", "t1"]).into()
    }

    /// Keys of sets to read.
    fn operands(&mut self) -> Vec<String> {
        let mut keys = self.keys('s');
        if self.random.u32(..4) == 0 {
            keys.push(self.target());
        }
        keys
    }

    fn count(&mut self) -> String {
        self.pick(&COUNTS).into()
    }

    fn end(&mut self) -> String {
        self.pick(&["left", "RIGHT", "Left", "right", "left", "right", "up"]).into()
    }

    fn list_command(&mut self) -> Vec<String> {
        let name = self.pick(&LIST_COMMANDS);
        let mut words = vec![name.to_owned()];
        if name == "lmpop" {
            let keys = self.keys('l');
            words.push(keys.len().to_string());
            words.extend(keys);
            words.push(self.end());
            if self.random.bool() {
                words.extend(["count".into(), self.count()]);
            }
            return words;
        }
        words.push(self.key('l'));
        match name {
            "lpush" | "rpush" | "lpushx" | "rpushx" => words.extend(self.elements()),
            "lpop" | "rpop" if self.random.bool() => words.push(self.count()),
            "lindex" => words.push(self.count()),
            "lset" => {
                // Redis 7.2 cuts the index to 32 bits, which is not to be had here.
                let index = self.pick(&COUNTS).replace("9223372036854775807", "2147483647");
                words.extend([index, self.element()]);
            }
            "lrange" => words.extend([self.count(), self.count()]),
            "ltrim" => words.extend([self.count(), self.count()]),
            "lrem" => words.extend([self.count(), self.element()]),
            "linsert" => {
                let side = self.pick(&["before", "AFTER", "beside"]).to_owned();
                words.extend([side, self.element(), self.element()]);
            }
            "lpos" => {
                words.push(self.element());
                for option in ["rank", "count", "maxlen"] {
                    if self.random.u32(..3) == 0 {
                        words.extend([option.into(), self.count()]);
                    }
                }
            }
            "lmove" => words.extend([self.key('l'), self.end(), self.end()]),
            "rpoplpush" => words.push(self.key('l')),
            _ => {}
        }
        words
    }

    fn set_command(&mut self) -> Vec<String> {
        let name = self.pick(&SET_COMMANDS);
        let mut words = vec![name.to_owned()];
        if name == "sintercard" {
            let keys = self.keys('s');
            words.push(keys.len().to_string());
            words.extend(keys);
            if self.random.bool() {
                words.extend(["LIMIT".into(), self.count()]);
            }
            return words;
        }
        if name.ends_with("store") {
            words.push(self.target());
            words.extend(self.operands());
            return words;
        }
        words.push(self.key('s'));
        match name {
            "sadd" | "srem" | "smismember" => words.extend(self.elements()),
            "sismember" => words.push(self.element()),
            "spop" | "srandmember" => words.push("10000".into()),
            "smove" => words.extend([self.key('s'), self.element()]),
            "sinter" | "sunion" | "sdiff" => words.extend(self.operands()),
            _ => {}
        }
        words
    }

    fn key_command(&mut self) -> Vec<String> {
        let kind = if self.random.bool() { 'l' } else { 's' };
        match self.pick(&KEY_COMMANDS) {
            "object" if self.compares_encodings => {
                vec!["object".into(), "encoding".into(), self.key(kind)]
            }
            "copy" => vec!["copy".into(), self.key(kind), self.key(kind), "replace".into()],
            "rename" => vec!["rename".into(), self.key(kind), self.key(kind)],
            "del" if self.random.u32(..4) == 0 => vec!["del".into(), self.key(kind)],
            _ => vec!["type".into(), self.key(kind)],
        }
    }

    fn request(&mut self) -> Request {
        let words = match self.random.u32(..10) {
            0..5 => self.list_command(),
            5..8 => self.set_command(),
            _ => self.key_command(),
        };
        words.into_iter().map(String::into_bytes).collect()
    }

    /// Thresholds for our side, and for the other.
    fn thresholds(&mut self) -> (Settings, Vec<(&'static str, i64)>) {
        let mut entries = || match self.random.u32(..5) {
            0 => 0,
            1 => 512,
            _ => self.random.i64(1..24),
        };
        let (intset, listpack) = (entries(), entries());
        let value = [0, 4, 64][self.random.usize(..3)];
        let list = [-5, -2, -1, 0, 1, 2, 3, 8, 128][self.random.usize(..9)];
        let settings = Settings {
            list_max_listpack_size: list as i32,
            set_max_intset_entries: intset as u64,
            set_max_listpack_entries: listpack as u64,
            set_max_listpack_value_bytes: value as u64,
            ..settings()
        };
        let directives = vec![
            ("list-max-listpack-size", list),
            ("set-max-intset-entries", intset),
            ("set-max-listpack-entries", listpack),
            ("set-max-listpack-value", value),
        ];
        (settings, directives)
    }
}

fn words(words: &[&str]) -> Request {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

struct Round<'a> {
    real: &'a mut RealServer,
    cluster: Cluster,
    client: ClientId,
    seed: u64,
}

impl Round<'_> {
    fn compare(&mut self, request: &Request) {
        let mut theirs = self.real.execute(request);
        let mut ours = self.cluster.execute_request(self.client, request.clone());
        let name = String::from_utf8_lossy(&request[0]);
        if UNORDERED.contains(&name.as_ref()) {
            (ours, theirs) = (sorted_elements(&ours), sorted_elements(&theirs));
        }
        assert_eq!(
            show(&ours),
            show(&theirs),
            "seed {}, {} cores: {}",
            self.seed,
            self.cluster.core_count(),
            show_request(request),
        );
        assert!(ours == theirs, "seed {}: {}", self.seed, show_request(request));
    }
}

fn compare_random_commands(core_count: u16, resp3: bool) {
    let seed = seed();
    let Some(mut real) = RealServer::start() else { return };
    let compares_encodings = real.version() >= (7, 2);
    let random = fastrand::Rng::with_seed(seed);
    let mut generator = Generator { random, compares_encodings };
    for _ in 0..ROUNDS {
        let (settings, directives) = generator.thresholds();
        for (name, value) in directives {
            real.execute(&words(&["CONFIG", "SET", name, &value.to_string()]));
        }
        real.execute(&words(&["FLUSHALL"]));
        let mut cluster = Cluster::with_settings(core_count, seed, settings);
        let client = cluster.connect(0);
        let mut round = Round { real: &mut real, cluster, client, seed };
        if resp3 {
            let hello = words(&["HELLO", "3"]);
            round.real.execute(&hello);
            round.cluster.execute_request(client, hello);
        }
        round.compare(&words(&["SET", "string", "value"]));
        for _ in 0..COMMANDS {
            let request = generator.request();
            round.compare(&request);
        }
    }
}

#[test]
fn random_commands_on_one_core() {
    compare_random_commands(1, false);
}

#[test]
fn random_commands_on_three_cores() {
    compare_random_commands(3, true);
}
