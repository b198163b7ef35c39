//! The same random commands for this server's handlers and a redis-server: every reply and, in the
//! end, every string must be equal to the byte.
//!
//! What a run did is determined by its seed, which a failure prints; `BASALT_SEED` runs it again.

use std::sync::Arc;

use basalt_shard::settings::Settings;
use fastrand::Rng;

use crate::keyspace::Keyspace;
use crate::redis::Redis;
use crate::words;

struct Pair {
    ours: Keyspace,
    theirs: Redis,
    rng: Rng,
    seed: u64,
    step: usize,
}

impl Pair {
    /// None where there is no server to compare with.
    fn start(test: &str) -> Option<Self> {
        let theirs = Redis::start(test)?;
        let given = std::env::var("BASALT_SEED").ok();
        let seed = given.map_or_else(|| fastrand::u64(..), |seed| seed.parse().expect("a number"));
        let rng = Rng::with_seed(seed);
        Some(Self { ours: Keyspace::new(), theirs, rng, seed, step: 0 })
    }

    /// Gives both a limit for sparse HyperLogLogs, drawn from those that let them grow large too.
    fn draw_sparse_limit(&mut self) {
        let limit = [64, 300, 3000, 20_000][self.rng.usize(0..4)];
        self.set_sparse_limit(limit);
    }

    fn set_sparse_limit(&mut self, limit: usize) {
        let settings = Settings { hll_sparse_max_bytes: limit, ..Settings::default() };
        self.ours.store.set_settings(Arc::new(settings));
        let line = format!("CONFIG SET hll-sparse-max-bytes {limit}");
        assert_eq!(self.theirs.run(&words(&line)), b"+OK\r\n");
    }

    /// Runs a command at both and compares.
    fn run(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        self.step += 1;
        let (ours, theirs) = (self.ours.run(words), self.theirs.run(words));
        if ours != theirs {
            let line: Vec<_> = words.iter().map(|word| word.escape_ascii().to_string()).collect();
            panic!(
                "BASALT_SEED={} step {}: {}\n  ours {}\ntheirs {}",
                self.seed,
                self.step,
                line.join(" "),
                ours.escape_ascii(),
                theirs.escape_ascii()
            );
        }
        ours
    }

    fn set(&mut self, name: &[u8], bytes: &[u8]) {
        self.ours.set(name, bytes);
        self.theirs.run(&[b"SET".to_vec(), name.to_vec(), bytes.to_vec()]);
    }

    fn remove(&mut self, name: &[u8]) {
        self.ours.remove(name);
        self.theirs.run(&[b"DEL".to_vec(), name.to_vec()]);
    }

    fn compare(&mut self, name: &[u8]) {
        let (ours, theirs) = (self.ours.get(name), self.theirs.get(name));
        assert!(
            ours == theirs,
            "BASALT_SEED={} step {}: {}\n  ours {:?}\ntheirs {:?}",
            self.seed,
            self.step,
            name.escape_ascii(),
            ours.map(|bytes| bytes.escape_ascii().to_string()),
            theirs.map(|bytes| bytes.escape_ascii().to_string()),
        );
    }

    fn pick(&mut self, choices: &[&str]) -> Vec<u8> {
        let choice = self.rng.choice(choices).expect("there are choices");
        choice.as_bytes().to_vec()
    }

    fn number(&mut self, range: std::ops::Range<i64>) -> Vec<u8> {
        self.rng.i64(range).to_string().into_bytes()
    }
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn random_string(rng: &mut Rng) -> Vec<u8> {
    match rng.u32(0..8) {
        0 => rng.i64(..).to_string().into_bytes(),
        1 => vec![[0x00, 0xff][rng.usize(0..2)]; rng.usize(0..3000)],
        2 => (0..rng.usize(1000..9000)).map(|_| rng.u8(..)).collect(),
        _ => (0..rng.usize(0..40)).map(|_| rng.u8(..)).collect(),
    }
}

/// Start, end and unit, not all of them always.
fn push_range(pair: &mut Pair, words: &mut Vec<Vec<u8>>, lone_start: bool) {
    let reach = [20, 300, 40_000][pair.rng.usize(0..3)];
    let count = pair.rng.usize(0..4);
    if count == 0 || (count == 1 && !lone_start) {
        return;
    }
    for _ in 0..count.min(2) {
        words.push(pair.number(-reach..reach));
    }
    if count == 3 {
        let unit = pair.pick(&["BIT", "BYTE", "bit", "byte"]);
        words.push(unit);
    }
}

fn push_operation(pair: &mut Pair, words: &mut Vec<Vec<u8>>) {
    let verb = pair.rng.usize(0..4);
    words.push([&b"GET"[..], b"SET", b"INCRBY", b"OVERFLOW"][verb].to_vec());
    if verb == 3 {
        return words.push(pair.pick(&["WRAP", "SAT", "FAIL", "sat", "fail"]));
    }
    let signed = pair.rng.bool();
    let width = pair.rng.u32(1..if signed { 65 } else { 64 });
    words.push(format!("{}{width}", if signed { 'i' } else { 'u' }).into_bytes());
    let mark = if pair.rng.u32(0..4) == 0 { "#" } else { "" };
    words.push(format!("{mark}{}", pair.rng.u32(0..300)).into_bytes());
    if verb != 0 {
        let bits = pair.rng.u32(0..64);
        words.push((pair.rng.i64(..) >> bits).to_string().into_bytes());
    }
}

fn bitmap_command(pair: &mut Pair) -> Vec<Vec<u8>> {
    let key = pair.pick(&NAMES);
    let choice = pair.rng.u32(0..7);
    let word = |text: &str| text.as_bytes().to_vec();
    match choice {
        0 => {
            let offset_max = [20, 400, 20_000][pair.rng.usize(0..3)];
            vec![word("SETBIT"), key, pair.number(-1..offset_max), pair.number(0..2)]
        }
        1 => vec![word("GETBIT"), key, pair.number(0..500)],
        2 => {
            let mut words = vec![word("BITCOUNT"), key];
            push_range(pair, &mut words, false);
            words
        }
        3 => {
            let mut words = vec![word("BITPOS"), key, pair.number(0..2)];
            push_range(pair, &mut words, true);
            words
        }
        4 => {
            let operation = pair.pick(&["AND", "OR", "XOR", "NOT"]);
            let count = if operation == b"NOT" { 1 } else { pair.rng.usize(1..5) };
            let mut words = vec![word("BITOP"), operation, key];
            words.extend((0..count).map(|_| pair.pick(&NAMES)));
            words
        }
        _ => {
            let mut words = vec![word("BITFIELD"), key];
            (0..pair.rng.usize(0..5)).for_each(|_| push_operation(pair, &mut words));
            words
        }
    }
}

#[test]
fn bitmaps_are_those_of_redis() {
    let Some(mut pair) = Pair::start("bitmaps") else { return };
    for _ in 0..4000 {
        match pair.rng.u32(0..20) {
            0 => {
                let (name, bytes) = (pair.pick(&NAMES), random_string(&mut pair.rng));
                pair.set(&name, &bytes);
            }
            1 => {
                let name = pair.pick(&NAMES);
                pair.remove(&name);
            }
            _ => {
                let words = bitmap_command(&mut pair);
                pair.run(&words);
            }
        }
        if pair.rng.u32(0..10) == 0 {
            NAMES.iter().for_each(|name| pair.compare(name.as_bytes()));
        }
    }
    NAMES.iter().for_each(|name| pair.compare(name.as_bytes()));
}

/// Elements from a pool, so that some have been seen; small pools keep sketches sparse.
fn push_elements(pair: &mut Pair, words: &mut Vec<Vec<u8>>) {
    let pool = [100, 3000, 1 << 40][pair.rng.usize(0..3)];
    let count = [3, 3, 40, 1000][pair.rng.usize(0..4)];
    for _ in 0..pair.rng.usize(0..count) {
        let element = pair.number(0..pool);
        words.push(element.repeat(pair.rng.usize(1..4)));
    }
}

fn sketch_command(pair: &mut Pair) -> Vec<Vec<u8>> {
    let key = pair.pick(&NAMES);
    let word = |text: &str| text.as_bytes().to_vec();
    match pair.rng.u32(0..20) {
        0..10 => {
            let mut words = vec![word("PFADD"), key];
            push_elements(pair, &mut words);
            words
        }
        10..13 => vec![word("PFCOUNT"), key],
        13..17 => {
            let name = pair.pick(&["PFCOUNT", "PFMERGE", "PFMERGE"]);
            let mut words = vec![name, key];
            words.extend((0..pair.rng.usize(0..4)).map(|_| pair.pick(&NAMES)));
            words
        }
        17 => vec![word("PFDEBUG"), word("DECODE"), key],
        18 => vec![word("PFDEBUG"), word("ENCODING"), key],
        _ => vec![word("PFDEBUG"), pair.pick(&["GETREG", "TODENSE"]), key],
    }
}

#[test]
fn hyperloglogs_are_those_of_redis() {
    let Some(mut pair) = Pair::start("hyperloglogs") else { return };
    for step in 0..3000 {
        if step % 300 == 0 {
            pair.draw_sparse_limit();
        }
        if pair.rng.u32(0..20) == 0 {
            let name = pair.pick(&NAMES);
            pair.remove(&name);
        }
        let words = sketch_command(&mut pair);
        let key = words[if words[0] == b"PFDEBUG" { 2 } else { 1 }].clone();
        pair.run(&words);
        pair.compare(&key);
    }
    NAMES.iter().for_each(|name| pair.compare(name.as_bytes()));
}

/// With hardly a zero left, equal ranks lie next to each other and runs are joined in every way.
#[test]
fn crowded_hyperloglogs_are_those_of_redis() {
    let Some(mut pair) = Pair::start("crowded") else { return };
    pair.set_sparse_limit(20_000);
    for step in 0..60 {
        let name = [b"a", b"b"][step % 2].to_vec();
        let mut words = vec![b"PFADD".to_vec(), name.clone()];
        words.extend((0..1000).map(|_| pair.rng.u64(..).to_le_bytes().to_vec()));
        pair.run(&words);
        pair.compare(&name);
    }
    for line in ["PFMERGE c a", "PFMERGE b a", "PFCOUNT b", "PFCOUNT a", "PFDEBUG ENCODING b"] {
        pair.run(&words(line));
    }
    NAMES.iter().for_each(|name| pair.compare(name.as_bytes()));
}

/// Changes some bytes, and sometimes the length, of what is at `name`.
fn corrupt(pair: &mut Pair, name: &[u8]) {
    let Some(mut bytes) = pair.ours.get(name).filter(|bytes| bytes.len() > 17) else { return };
    for _ in 0..pair.rng.usize(0..3) {
        // Dense registers beyond what a hash can offer make estimates that mean nothing.
        let end = if bytes.len() > 12_000 { 16 } else { bytes.len() };
        let at = pair.rng.usize(0..end);
        bytes[at] = pair.rng.u8(..);
    }
    match pair.rng.u32(0..6) {
        0 => bytes.push(pair.rng.u8(..) & 0xbf),
        1 => bytes.truncate(bytes.len() - 1),
        _ => {}
    }
    // Redis reads a terminating zero as the second byte of a run that breaks off; here it is an
    // error. A last byte that starts no long run keeps out of that.
    if let Some(last) = bytes.last_mut().filter(|last| **last & 0xc0 == 0x40) {
        *last &= 0x3f;
    }
    pair.set(name, &bytes);
}

#[test]
fn corrupted_hyperloglogs_are_told_as_by_redis() {
    let Some(mut pair) = Pair::start("corrupted") else { return };
    for _ in 0..3000 {
        let name = pair.pick(&NAMES);
        if pair.rng.u32(0..3) == 0 {
            corrupt(&mut pair, &name);
        }
        let words = sketch_command(&mut pair);
        let failed = pair.run(&words).starts_with(b"-");
        if failed {
            // Redis may have added some elements by then; nothing is kept here.
            let key = words[if words[0] == b"PFDEBUG" { 2 } else { 1 }].clone();
            pair.remove(&key);
            for name in NAMES.iter().filter(|_| words[0] != b"PFADD") {
                pair.remove(name.as_bytes());
            }
        }
    }
    NAMES.iter().for_each(|name| pair.compare(name.as_bytes()));
}
