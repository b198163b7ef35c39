//! What the journals of a random run tell makes the same data again: in an empty cluster, and in a
//! stock redis-server that loads them as its append-only file.
//!
//! Several clients at all cores ask at once, with transactions, waiting commands, slots that move
//! and time that passes, and batches are taken at any moment. The second test also loses the ends
//! of journals, as a crash does, and looks that what is left is a state that was there.

use std::io::Write;
use std::sync::Arc;

use basalt_persist::aof::cut::{Kept, Survey, cut};
use basalt_persist::aof::item::Reader;
use basalt_persist::aof::merge::Merge;
use basalt_shard::journal::{JournalBoard, write_command};
use basalt_shard::replay::{Programs, Replay};

use crate::contest::{line, now_ms};
use crate::draw::{Draw, HASHES, Words, request};
use crate::shape::{Shape, Thresholds};
use crate::support::redis::RealServer;
use crate::support::{ClientId, Cluster, Request, resp, under_seeds};
use crate::{FAMILIES, Family, pipeline};

/// Rounds of requests of one run.
const ROUNDS: usize = 8;
/// Clients of a cluster.
const CLIENTS: usize = 4;

/// A cluster whose journals are kept.
struct Scribe {
    cluster: Cluster,
    clients: Vec<ClientId>,
    /// Whether only what Redis 7.0 knows is asked.
    is_old: bool,
    texts: Vec<Vec<u8>>,
}

impl Scribe {
    fn new(shape: &Shape, seed: u64, is_old: bool) -> Self {
        let mut cluster = Cluster::with_settings(shape.core_count, seed, shape.settings());
        let cores = usize::from(shape.core_count);
        let clients = (0..CLIENTS).map(|client| cluster.connect(client % cores)).collect();
        let board = Arc::new(JournalBoard::new(shape.core_count));
        for core in 0..cores {
            cluster.core(core).store.journal_mut().begin(core, Arc::clone(&board));
        }
        cluster.advance_ms(now_ms() - cluster.now_ms());
        Self { cluster, clients, is_old, texts: vec![Vec::new(); cores] }
    }

    /// Takes what a core has written.
    fn take(&mut self, core: usize) {
        let journal = self.cluster.core(core).store.journal_mut();
        if journal.has_text() {
            journal.take(&mut self.texts[core], None);
        }
    }

    /// Lets every client ask something at once.
    fn round(&mut self, draw: &mut Draw, families: &[Family]) {
        for client in self.clients.clone() {
            let mut requests = pipeline(draw, families);
            requests.truncate(40);
            for request in requests {
                self.ask(draw, client, request);
            }
            self.cluster.send(client, line("exec"));
        }
        for _ in 0..2000 {
            self.cluster.step();
            if draw.one_in(50) {
                let core = draw.random.usize(..self.texts.len());
                self.take(core);
            }
        }
        self.cluster.run_until_idle();
        // Whoever waits in vain gives up, and what is short-lived ends.
        for _ in 0..3 {
            self.cluster.pass_ms(draw.random.i64(5..4000));
            let core = draw.random.usize(..self.texts.len());
            self.cluster.core(core).expire_cycle(100);
        }
        self.cluster.run_until_idle();
        for client in self.clients.clone() {
            self.cluster.take_replies(client);
        }
    }

    /// Sends a request, perhaps with others around it that concern all cores or time.
    fn ask(&mut self, draw: &mut Draw, client: ClientId, asked: Request) {
        let seldom: Option<Words> = match draw.random.u32(..60) {
            0 => Some(vec!["multi".into()]),
            1 | 2 => Some(vec!["exec".into()]),
            3 => Some(vec!["pexpire".into(), draw.any_key(), draw.random.u32(..50).to_string()]),
            4 if !self.is_old => Some(short_lived_fields(draw)),
            5 => {
                let (slot, core) =
                    (draw.random.u32(..16_384), draw.random.usize(..self.texts.len()));
                Some(vec!["debug".into(), "move-slot".into(), slot.to_string(), core.to_string()])
            }
            6 if draw.one_in(4) => Some(vec![draw.pick(&["flushdb", "flushall"]).into()]),
            7 => Some(vec!["set".into(), draw.any_key(), "v".into(), "px".into(), "20".into()]),
            _ => None,
        };
        if let Some(words) = seldom {
            self.cluster.send(client, request(&words));
        }
        let is_new = |word: &Vec<u8>| {
            word.eq_ignore_ascii_case(b"xsetid") || word.eq_ignore_ascii_case(b"storedist")
        };
        if !(self.is_old && asked.iter().any(is_new)) {
            self.cluster.send(client, asked);
        }
    }
}

fn short_lived_fields(draw: &mut Draw) -> Words {
    let (key, ms) = (draw.pick(&HASHES).to_owned(), draw.random.u32(1..60).to_string());
    let field = draw.member();
    match draw.random.bool() {
        true => ["hpexpire", &key, &ms, "fields", "1", &field].map(str::to_owned).to_vec(),
        false => {
            ["hsetex", &key, "px", &ms, "fields", "1", &field, "v"].map(str::to_owned).to_vec()
        }
    }
}

/// What counts of journals that may be torn.
fn kept_of(texts: &[&[u8]]) -> Vec<Kept> {
    let surveys: Vec<Survey> =
        texts.iter().map(|text| Survey::of(&mut Reader::new(*text, 0))).collect();
    cut(&surveys, None)
}

/// Puts journals together and applies them to an empty cluster; returns it and the commands in the
/// order in which they ran, as one plain file.
fn replay(texts: &[&[u8]], shape: &Shape) -> (Cluster, Vec<u8>) {
    let kept = kept_of(texts);
    let readers = texts.iter().zip(&kept);
    let readers = readers.map(|(text, kept)| (Reader::new(*text, 0), Some(kept.items)));
    let mut merge = Merge::new(readers);
    let mut cluster = Cluster::with_settings(1, 1, shape.settings());
    let store = &mut cluster.core(0).store;
    store.set_loading(true);
    let mut replays: Vec<Replay> = texts.iter().map(|_| Replay::default()).collect();
    let mut selected: Vec<Vec<u8>> = vec![b"0".to_vec(); texts.len()];
    let mut programs = Programs::default();
    let mut plain = Vec::new();
    let mut history: Vec<Request> = Vec::new();
    while let Some((source, record, _)) = merge.next_record().expect("journals fit together") {
        let select: [&[u8]; 2] = [b"SELECT", &selected[source]];
        write_command(&mut plain, 2, select.into_iter());
        for command in record.commands() {
            if command.is(0, "select") {
                selected[source] = command.at(1).to_vec();
            }
            write_command(&mut plain, command.len(), command.from(0));
            replays[source].apply(store, &mut programs, command).expect("a journal has commands");
            let mut words: Request = command.from(0).map(<[u8]>::to_vec).collect();
            words.push(
                format!("@{}:{:?}", String::from_utf8_lossy(&selected[source]), record.slots)
                    .into_bytes(),
            );
            history.push(words);
            assert_eq!(replays[source].failed, 0, "it fails:\n{}", tell(&history));
        }
    }
    store.set_loading(false);
    cluster.advance_ms(now_ms() - cluster.now_ms());
    (cluster, plain)
}

/// The last commands about the key of the last one.
fn tell(history: &[Request]) -> String {
    let key = history.last().and_then(|request| request.get(1));
    let is_about = |request: &&Request| {
        key.is_some_and(|key| request[1..].contains(key))
            || request[0].eq_ignore_ascii_case(b"swapdb")
            || request[0].eq_ignore_ascii_case(b"flushdb")
            || request[0].eq_ignore_ascii_case(b"flushall")
    };
    let about = history.iter().rev().filter(is_about).take(15);
    let mut lines: Vec<String> = about.map(|request| resp::show_request(request)).collect();
    lines.reverse();
    lines.join("\n")
}

/// Runs, replays, and compares; with `peer` also with a real server.
fn run(shape: &Shape, seed: u64, families: &[Family], with_real: bool) {
    let mut scribe = Scribe::new(shape, seed, with_real);
    let mut draw = Draw::new(seed, scribe.cluster.now_ms());
    for _ in 0..ROUNDS {
        scribe.round(&mut draw, families);
    }
    for core in 0..scribe.texts.len() {
        // What is hidden already is removed, since the other server has another clock.
        scribe.cluster.core(core).expire_cycle(1_000_000);
        scribe.take(core);
    }
    let texts: Vec<&[u8]> = scribe.texts.iter().map(Vec::as_slice).collect();
    let (mut again, plain) = replay(&texts, shape);
    let elapsed_ms = scribe.cluster.now_ms() - again.now_ms();
    again.advance_ms(elapsed_ms.max(0));
    scribe.cluster.advance_ms((-elapsed_ms).max(0));
    compare(&mut scribe.cluster, &mut again);
    if with_real {
        compare_with_real(&plain, shape, &mut scribe.cluster);
    }
}

/// Compares two clusters key by key.
fn compare(live: &mut Cluster, again: &mut Cluster) {
    let (one, other) = (live.connect(0), again.connect(0));
    let mut both = |request: Request| {
        let ours = live.execute_request(one, request.clone());
        (ours, again.execute_request(other, request))
    };
    let (digest, expected) = both(line("debug digest"));
    for db in ["0", "1"] {
        both(line(&format!("select {db}")));
        let (keys, again) = both(line("keys *"));
        let (keys, again) = (keys_of(&keys), keys_of(&again));
        assert_eq!(keys, again, "the same keys in database {db}");
        for key in keys {
            for words in ["debug digest-value", "pexpiretime", "object encoding", "xlen"] {
                let mut request = line(words);
                request.push(key.clone());
                let (ours, theirs) = both(request.clone());
                // A float that was added to is text until it is written again.
                let is_same = ours == theirs || words == "object encoding";
                assert!(
                    is_same,
                    "{}: {} {}",
                    resp::show_request(&request),
                    resp::show(&ours),
                    resp::show(&theirs)
                );
            }
        }
    }
    assert_eq!(digest, expected, "the same data");
}

fn compare_with_real(plain: &[u8], shape: &Shape, live: &mut Cluster) {
    let directory = directory_with(plain);
    let path = directory.to_string_lossy().into_owned();
    let arguments = ["--enable-debug-command", "yes", "--dir", &path, "--appendonly", "yes"];
    let Some(mut real) = RealServer::start_with(&arguments) else { return };
    for directive in shape.directives() {
        real.execute(&directive);
    }
    let client = live.connect(0);
    let mut differences = Vec::new();
    for db in ["0", "1"] {
        let select = line(&format!("select {db}"));
        real.execute(&select);
        live.execute_request(client, select);
        let (ours, theirs) =
            (keys_of(&live.execute(client, "keys *")), real.execute(&line("keys *")));
        if ours != keys_of(&theirs) {
            differences.push(format!(
                "keys of database {db}: {} {}",
                resp::show(&ours.concat()),
                resp::show(&theirs)
            ));
        }
        for key in ours {
            let mut request = line("debug digest-value");
            request.push(key);
            let (ours, theirs) =
                (live.execute_request(client, request.clone()), real.execute(&request));
            if ours != theirs {
                differences.push(resp::show_request(&request));
            }
        }
    }
    let digests = (live.execute(client, "debug digest"), real.execute(&line("debug digest")));
    drop(real);
    let _ = std::fs::remove_dir_all(directory);
    assert!(differences.is_empty(), "the same data in a real server\n{}", differences.join("\n"));
    assert_eq!(digests.0, digests.1, "the same data in a real server");
}

/// The names in a reply of KEYS, in their order.
fn keys_of(reply: &[u8]) -> Vec<Vec<u8>> {
    let name = |element: Vec<u8>| {
        let head = element.iter().position(|byte| *byte == b'\n').expect("it is a bulk string");
        element[head + 1..element.len() - 2].to_vec()
    };
    let mut keys: Vec<Vec<u8>> = resp::elements(reply).into_iter().map(name).collect();
    keys.sort();
    keys
}

/// A directory of its own for a file `appendonly.aof`.
fn directory_with(content: &[u8]) -> std::path::PathBuf {
    let name = format!("basalt-journal-{}-{}", std::process::id(), fastrand::u64(..));
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&directory).expect("the directory for temporary files is writable");
    let path = directory.join("appendonly.aof");
    let mut file = std::fs::File::create(&path).expect("a file can be made");
    file.write_all(content).expect("a file can be written");
    directory
}

const SHAPES: [Shape; 3] = [
    Shape { core_count: 1, protocol: 2, thresholds: Thresholds::Small },
    Shape { core_count: 2, protocol: 2, thresholds: Thresholds::Default },
    Shape { core_count: 4, protocol: 2, thresholds: Thresholds::Small },
];

#[test]
fn journals_make_the_same_data_again() {
    under_seeds(|seed| {
        for shape in &SHAPES {
            run(shape, seed, &FAMILIES, false);
        }
    });
}

/// Without what Redis 7.0 does not know, or computes otherwise.
#[test]
fn a_real_server_loads_journals() {
    under_seeds(|seed| run(&SHAPES[1], seed, &FAMILIES, true));
}

/// A crash loses the end of each journal; what is left fits together, is prefixes of them, and has
/// everything that was made before a moment by which all of that was safe.
#[test]
fn what_a_crash_leaves_is_a_prefix() {
    under_seeds(|seed| {
        let shape = &SHAPES[2];
        let mut scribe = Scribe::new(shape, seed, false);
        let mut draw = Draw::new(seed, scribe.cluster.now_ms());
        let mut safe = Vec::new();
        for _ in 0..4 {
            scribe.round(&mut draw, &FAMILIES);
            let cores = 0..scribe.texts.len();
            cores.clone().for_each(|core| scribe.take(core));
            let items = cores.map(|core| scribe.cluster.core(core).store.journal().items());
            safe.push((items.collect::<Vec<u64>>(), lengths(&scribe)));
        }
        for number in 0..20 {
            let (items, least) = &safe[number % safe.len()];
            let torn: Vec<&[u8]> = scribe
                .texts
                .iter()
                .zip(least)
                .map(|(text, least)| &text[..draw.random.usize(*least..=text.len())])
                .collect();
            let kept = kept_of(&torn);
            let is_safe = kept.iter().zip(items).all(|(kept, items)| kept.items >= *items);
            assert!(is_safe, "{kept:?} has all of {items:?}");
            replay(&torn, shape);
        }
    });
}

fn lengths(scribe: &Scribe) -> Vec<usize> {
    scribe.texts.iter().map(Vec::len).collect()
}
