//! Streams against a real redis-server: the same random commands, the same replies.
//!
//! Each test draws a seed, or takes the one in `BASALT_TEST_SEED`, and tells it when it fails. On a
//! machine without redis-server the tests say so and pass.
//!
//! Ids are given, never made by the clock; least idle times are none or an age, since the clocks of
//! the two servers differ. What a reply tells of time is masked, and so is the number of nodes of a
//! radix tree. What a release before 7.2 does not tell yet is not compared with one.

mod support;

use support::redis::RealServer;
use support::resp::{show, show_request};
use support::{Cluster, Request, seed};

/// Commands of one run.
const COMMANDS: usize = 12_000;

/// Requests that are sent to the real server at once.
const PIPELINE: usize = 200;

const KEYS: [&str; 6] = ["a", "b", "{a}1", "c", "missing", "text"];
const GROUPS: [&str; 4] = ["g", "h", "h", "nogroup"];
const CONSUMERS: [&str; 4] = ["alice", "bob", "carol", "dan"];
const AGE_MS: &str = "86400000";

const GREATEST_ID: &str = "18446744073709551615-18446744073709551615";

const BAD_IDS: [&str; 8] = ["x", "-", "1-x", "1-", "0-0", GREATEST_ID, "007", "1-1-1"];

const COUNTS: [&str; 8] = ["0", "1", "2", "5", "100", "-1", "-3", "x"];

struct Generator {
    random: fastrand::Rng,
    /// The greatest id drawn so far, in milliseconds.
    top: u64,
    trimming: Trimming,
}

/// Redis keeps a node whose entries all went by exact trimming behind a deleted one that did not;
/// here blocks without entries go. So where exact trimming by id is drawn, nothing that depends on
/// blocks is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trimming {
    Blocks,
    Exact,
}

impl Generator {
    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.random.usize(..words.len())]
    }

    fn one_in(&mut self, chances: u32) -> bool {
        self.random.u32(..chances) == 0
    }

    fn key(&mut self) -> String {
        // Mostly one key, so that much happens to it.
        if self.random.bool() { "a".to_owned() } else { self.pick(&KEYS).to_owned() }
    }

    fn word(&mut self, word: &str) -> String {
        if self.random.bool() { word.to_uppercase() } else { word.to_lowercase() }
    }

    /// An id that may well be there.
    fn id(&mut self) -> String {
        if self.one_in(40) {
            return self.pick(&BAD_IDS).to_owned();
        }
        let back = self.random.u64(..80);
        let ms = self.top.saturating_sub(back);
        match self.random.u32(..6) {
            0 => ms.to_string(),
            1 => format!("{ms}-1"),
            _ => format!("{ms}-0"),
        }
    }

    fn new_id(&mut self) -> String {
        if self.one_in(15) {
            let id = self.id();
            return if id == GREATEST_ID { "5".to_owned() } else { id };
        }
        self.top += self.random.u64(..3);
        match self.random.u32(..8) {
            0 => format!("{}-*", self.top),
            1 => format!("{}-{}", self.top, self.random.u32(..3)),
            _ => self.top.to_string(),
        }
    }

    fn bound(&mut self) -> String {
        match self.random.u32(..8) {
            0 | 1 => "-".to_owned(),
            2 | 3 => "+".to_owned(),
            4 => format!("({}", self.id()),
            _ => self.id(),
        }
    }

    fn value(&mut self) -> String {
        match self.random.u32(..10) {
            0..4 => self.random.i64(-200..70_000).to_string(),
            4 => self.random.i64(..).to_string(),
            5 => "x".repeat(self.random.usize(..200)),
            6 if self.one_in(10) => "y".repeat(5000),
            _ => format!("v{}", self.random.u32(..100)),
        }
    }

    fn fields(&mut self, words: &mut Vec<String>) {
        let names = match self.random.u32(..6) {
            0 => vec!["a"],
            1 => vec!["b", "a"],
            2 => vec!["a", "b", "3"],
            _ => vec!["a", "b"],
        };
        for name in names {
            words.extend([name.to_owned(), self.value()]);
        }
    }

    fn trim_option(&mut self, words: &mut Vec<String>) {
        let name = self.pick(&["maxlen", "maxlen", "minid"]);
        words.push(self.word(name));
        let mark = match (self.trimming, name) {
            (Trimming::Exact, _) => self.pick(&["=", ""]),
            (Trimming::Blocks, "minid") => "~",
            (Trimming::Blocks, _) => self.pick(&["~", "~", "=", ""]),
        };
        words.extend((!mark.is_empty()).then(|| mark.to_owned()));
        if name == "maxlen" {
            words.push(self.random.i32(-1..150).to_string());
        } else {
            words.push(self.id());
        }
        if self.one_in(6) {
            words.extend([self.word("limit"), self.random.i32(-1..60).to_string()]);
        }
    }

    fn words(&mut self) -> Vec<String> {
        match self.random.u32(..100) {
            0..30 => self.add_words(),
            30..45 => self.range_words(),
            45..53 => self.change_words(),
            53..63 => self.read_words(),
            63..75 => self.group_read_words(),
            75..82 => self.group_words(),
            82..90 => self.claim_words(),
            90..97 => self.info_words(),
            _ => self.key_words(),
        }
    }

    fn add_words(&mut self) -> Vec<String> {
        let mut words = vec![self.word("xadd"), self.key()];
        if self.one_in(12) {
            words.push(self.word("nomkstream"));
        }
        if self.one_in(6) {
            self.trim_option(&mut words);
        }
        words.push(self.new_id());
        self.fields(&mut words);
        words
    }

    fn range_words(&mut self) -> Vec<String> {
        let name = self.pick(&["xrange", "xrevrange", "xlen"]);
        let mut words = vec![self.word(name), self.key()];
        if name != "xlen" {
            words.extend([self.bound(), self.bound()]);
            if self.one_in(3) {
                words.extend([self.word("count"), self.pick(&COUNTS).to_owned()]);
            }
        }
        words
    }

    fn change_words(&mut self) -> Vec<String> {
        let name = self.pick(&["xdel", "xdel", "xdel", "xtrim", "xsetid"]);
        let mut words = vec![self.word(name), self.key()];
        match name {
            "xdel" => words.extend((0..self.random.usize(1..6)).map(|_| self.id())),
            "xtrim" => self.trim_option(&mut words),
            _ => {
                words.push(self.new_id());
                if self.random.bool() {
                    let count = self.random.u32(..2000).to_string();
                    words.extend([self.word("entriesadded"), count]);
                }
                if self.random.bool() {
                    words.extend([self.word("maxdeletedid"), self.id()]);
                }
            }
        }
        words
    }

    fn read_words(&mut self) -> Vec<String> {
        let mut words = vec![self.word("xread")];
        if self.random.bool() {
            words.extend([self.word("count"), self.pick(&COUNTS).to_owned()]);
        }
        if self.one_in(30) {
            let option = self.pick(&["noack", "group g c", "foo"]);
            words.extend(option.split(' ').map(str::to_owned));
        }
        self.streams(&mut words, &["$", "0", "0-0", ">"]);
        words
    }

    fn streams(&mut self, words: &mut Vec<String>, marks: &[&str]) {
        words.push(self.word("streams"));
        let count = self.random.usize(1..4);
        words.extend((0..count).map(|_| self.key()));
        for _ in 0..count {
            let id = if self.random.bool() { self.pick(marks).to_owned() } else { self.id() };
            words.push(id);
        }
    }

    fn group_read_words(&mut self) -> Vec<String> {
        let mut words = vec![self.word("xreadgroup"), self.word("group")];
        words.extend([self.pick(&["g", "h", "h"]).to_owned(), self.pick(&CONSUMERS).to_owned()]);
        if self.random.bool() {
            words.extend([self.word("count"), self.pick(&COUNTS).to_owned()]);
        }
        if self.one_in(6) {
            words.push(self.word("noack"));
        }
        if self.random.bool() {
            words.extend(["streams", "a", ">"].map(str::to_owned));
        } else {
            self.streams(&mut words, &[">", ">", "0", "$"]);
        }
        words
    }

    fn group_words(&mut self) -> Vec<String> {
        let names = [
            "create",
            "create",
            "create",
            "setid",
            "destroy",
            "createconsumer",
            "delconsumer",
            "delconsumer",
        ];
        let name = self.pick(&names);
        let mut words = vec![self.word("xgroup"), self.word(name), self.key()];
        words.push(self.pick(&GROUPS).to_owned());
        match name {
            "create" | "setid" => {
                words.push(if self.random.bool() { "$".to_owned() } else { self.id() });
                let options = ["mkstream", "entriesread 3", "entriesread -1", "entriesread -2"];
                for _ in 0..self.random.usize(..2) {
                    let option = self.pick(&options);
                    words.extend(option.split(' ').map(str::to_owned));
                }
            }
            "destroy" if !self.one_in(3) => words[3] = "nogroup".to_owned(),
            "destroy" => {}
            _ => words.push(self.pick(&CONSUMERS).to_owned()),
        }
        words
    }

    fn claim_words(&mut self) -> Vec<String> {
        let name = self.pick(&["xack", "xack", "xclaim", "xclaim", "xautoclaim"]);
        let mut words = vec![self.word(name), self.key(), self.pick(&GROUPS).to_owned()];
        if name != "xack" {
            words.push(self.pick(&CONSUMERS).to_owned());
            words.push(self.pick(&["0", "0", "0", "-1", AGE_MS, "x"]).to_owned());
        }
        if name == "xautoclaim" {
            words.push(self.bound());
            self.options(&mut words, &["count 2", "count 0", "justid", "count 50"]);
            return words;
        }
        words.extend((0..self.random.usize(1..8)).map(|_| self.id()));
        if name == "xclaim" {
            let options = [
                "justid",
                "force",
                "retrycount 7",
                "retrycount -1",
                "idle 0",
                "idle x",
                "time 5",
                "lastid 5",
                "foo",
            ];
            self.options(&mut words, &options);
        }
        words
    }

    fn options(&mut self, words: &mut Vec<String>, options: &[&str]) {
        for _ in 0..self.random.usize(..3) {
            let option = self.pick(options);
            words.extend(option.split(' ').map(str::to_owned));
        }
    }

    fn info_words(&mut self) -> Vec<String> {
        let key = self.key();
        let group = self.pick(&GROUPS).to_owned();
        match self.random.u32(..6) {
            0 => vec![self.word("xinfo"), self.word("stream"), key],
            1 => {
                let mut words = vec!["xinfo".to_owned(), self.word("stream"), key];
                self.options(&mut words, &["full", "count 3", "full count 0", "full count 2"]);
                words
            }
            2 => vec!["xinfo".to_owned(), self.word("groups"), key],
            3 => vec!["xinfo".to_owned(), self.word("consumers"), key, group],
            4 => vec![self.word("xpending"), key, group],
            _ => {
                let mut words = vec![self.word("xpending"), key, group];
                if self.one_in(4) {
                    words.extend(["idle".to_owned(), self.pick(&["0", "x", AGE_MS]).to_owned()]);
                }
                words.extend([self.bound(), self.bound(), self.pick(&COUNTS).to_owned()]);
                if self.random.bool() {
                    words.push(self.pick(&CONSUMERS).to_owned());
                }
                words
            }
        }
    }

    fn key_words(&mut self) -> Vec<String> {
        let key = if self.one_in(4) { self.key() } else { "b".to_owned() };
        match self.pick(&["del", "exists", "type", "copy", "rename", "set", "object"]) {
            "object" => vec!["object".to_owned(), "encoding".to_owned(), key],
            "set" => vec!["set".to_owned(), "text".to_owned(), "1".to_owned()],
            name @ ("copy" | "rename") => vec![name.to_owned(), self.key(), key],
            name => vec![name.to_owned(), key],
        }
    }

    fn request(&mut self) -> Request {
        let mut words = self.words();
        if self.one_in(60) {
            words.pop();
        }
        words.into_iter().map(String::into_bytes).collect()
    }
}

/// A reply with what it tells of time, of the nodes of a tree, and of the number of consumers
/// replaced. Releases before 7.2 do not make a consumer that has got nothing.
fn masked(request: &Request, reply: &[u8], trimming: Trimming) -> String {
    let blocks_differ = trimming == Trimming::Exact;
    const MASKED: [&str; 4] = ["idle", "inactive", "radix-tree-nodes", "consumers"];
    let is_masked =
        |name: &str| MASKED.contains(&name) || (name == "radix-tree-keys" && blocks_differ);
    let is_pending = request[0].eq_ignore_ascii_case(b"xpending") && request.len() > 3;
    let text = String::from_utf8_lossy(reply).into_owned();
    let mut lines: Vec<&str> = text.split("\r\n").collect();
    for index in 1..lines.len() {
        let is_number = lines[index].starts_with(':');
        let is_unix_time = lines[index].len() > 12;
        let follows_text = !lines[index - 1].starts_with([':', '*']);
        let follows_name = is_masked(lines[index - 1]);
        if is_number && (is_unix_time || follows_name || (is_pending && follows_text)) {
            lines[index] = ":masked";
        }
    }
    lines.join("\n")
}

/// Whether a release before 7.2 would answer in another way.
fn is_newer(request: &Request, reply: &[u8]) -> bool {
    let is = |index: usize, word: &str| {
        request.get(index).is_some_and(|argument| argument.eq_ignore_ascii_case(word.as_bytes()))
    };
    let is_unbalanced = reply.starts_with(b"-ERR Unbalanced");
    is_unbalanced
        || is(1, "createconsumer")
        || (is(0, "xinfo") && (is(1, "consumers") || is(3, "full")))
}

fn bytes(words: &[&str]) -> Request {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// Runs random commands on both servers, with blocks of at most that many entries and bytes.
fn compare(core_count: u16, resp3: bool, entries_max: u64, bytes_max: usize, trimming: Trimming) {
    let seed = seed();
    let Some(mut real) = RealServer::start() else { return };
    let is_old = real.version() < (7, 2);
    let (entries, size) = (entries_max.to_string(), bytes_max.to_string());
    real.execute(&bytes(&["config", "set", "stream-node-max-entries", &entries]));
    real.execute(&bytes(&["config", "set", "stream-node-max-bytes", &size]));
    let mut settings = support::settings();
    settings.stream_node_max_entries = entries_max;
    settings.stream_node_max_bytes = bytes_max;
    let mut cluster = Cluster::with_settings(core_count, seed, settings);
    let client = cluster.connect(0);
    if resp3 {
        real.execute(&bytes(&["hello", "3"]));
        cluster.execute_request(client, bytes(&["hello", "3"]));
    }
    let mut generator = Generator { random: fastrand::Rng::with_seed(seed), top: 1, trimming };
    for _ in 0..COMMANDS / PIPELINE {
        let mut requests: Vec<Request> = (0..PIPELINE).map(|_| generator.request()).collect();
        // Before 7.2 it checks less.
        requests.retain(|request| !is_old || !request[0].eq_ignore_ascii_case(b"xsetid"));
        let expected = real.execute_all(&requests);
        for (request, theirs) in requests.iter().zip(expected) {
            let ours = cluster.execute_request(client, request.clone());
            let agree = masked(request, &ours, trimming) == masked(request, &theirs, trimming)
                || (is_old && is_newer(request, &ours));
            assert!(
                agree,
                "seed {seed}, {core_count} cores: {}\n  ours   {}\n  theirs {}",
                show_request(request),
                show(&ours),
                show(&theirs),
            );
        }
    }
}

#[test]
fn random_commands_with_usual_blocks() {
    compare(1, false, 100, 4096, Trimming::Blocks);
}

#[test]
fn random_commands_with_blocks_of_few_entries() {
    compare(3, true, 3, 0, Trimming::Blocks);
}

#[test]
fn random_commands_with_blocks_of_few_bytes() {
    compare(1, true, 0, 300, Trimming::Blocks);
}

#[test]
fn random_commands_with_exact_trimming() {
    compare(3, false, 5, 4096, Trimming::Exact);
}
