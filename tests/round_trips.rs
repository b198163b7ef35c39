//! Data that goes to another server and comes back: Basalt, a stock redis-server, Basalt again, by
//! RDB files and by append-only files, and between servers of ours with another number of cores.
//!
//! Drawn are keys of every type in small and large forms, some with deadlines, streams with groups
//! and pending entries, in several databases, and libraries of functions; between servers of ours
//! also fields with deadlines. What has to be the same is the *portrait* of the data: for each key
//! its type, its deadline and its digest, and of a stream what is pending.
//!
//! * `BASALT_ROUND_TRIP_KEYS`: how many keys are drawn; 120 unless set. Of millions only hundreds
//!   are large, lest they fill the machine.
//! * `BASALT_TEST_VALKEY`: a server that reads RDB files of version 11 (Redis 7.2, Valkey). The
//!   redis-server on the PATH may be of 7.0, which gets files of version 10 (`rdb-version`).
//! * `BASALT_TEST_SEED` replays the draw.

mod support;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use support::{
    Client, Fields, IoBackend, OK, Reply, Resp, Seeded, Server, ServerConfig, TestDirectory,
    environment_number, eventually_within, is_basalt, skip,
};

const DATABASES: u32 = 3;

/// Up to so many keys, large ones are as frequent as small ones allow; of more, as many are large.
const KEYS_OFTEN_LARGE_MAX: usize = 1000;

/// Commands, or keys, of one pipeline.
const PIPELINE_LENGTH: usize = 200;

/// For a server to load or write millions of keys.
const PATIENCE: Duration = Duration::from_secs(600);

/// Milliseconds since 1970 no test lives to see.
const FAR_MS: i64 = 4_000_000_000_000;

/// Draws commands that make keys.
struct Draw {
    random: fastrand::Rng,
    /// Whether only servers of ours will see it: fields of hashes get deadlines then, and scores
    /// have digits that servers write differently where they make a digest of them.
    is_for_ours: bool,
    /// How many times rarer than in a small draw what is large is.
    rarity: u32,
    commands: Vec<Vec<Vec<u8>>>,
}

impl Draw {
    fn push<Argument: AsRef<[u8]>>(&mut self, parts: &[Argument]) {
        self.commands.push(parts.iter().map(|part| part.as_ref().to_vec()).collect());
    }

    /// Few elements, or so many that the key takes its large form.
    fn count(&mut self) -> usize {
        if self.random.u32(..4) == 0 && self.is_large() {
            self.random.usize(600..900)
        } else {
            self.random.usize(1..9)
        }
    }

    /// Whether something that may be large is.
    fn is_large(&mut self) -> bool {
        self.rarity == 1 || self.random.u32(..self.rarity) == 0
    }

    /// A number, a word, any bytes, or a long text.
    fn value(&mut self) -> Vec<u8> {
        match self.random.u32(..8) {
            0 | 1 => self.random.i64(..).to_string().into_bytes(),
            2 => self.random.i16(..).to_string().into_bytes(),
            3 => (0..self.random.usize(..40)).map(|_| self.random.u8(..)).collect(),
            4 if self.is_large() => "much the same ".repeat(self.random.usize(..300)).into_bytes(),
            _ => format!("value:{}", self.random.u32(..1000)).into_bytes(),
        }
    }

    /// A key of some type, and perhaps its deadline.
    fn key(&mut self, number: usize) {
        let mut name = format!("key:{number}:").into_bytes();
        name.extend((0..self.random.usize(..4)).map(|_| self.random.u8(..)));
        match self.random.u32(..8) {
            0 | 1 => {
                let value = self.value();
                self.push(&[b"SET".to_vec(), name.clone(), value]);
            }
            2 => self.elements("RPUSH", &name, 1),
            3 => self.elements("SADD", &name, 1),
            4 => self.numbers(&name),
            5 => self.scores(&name),
            6 => self.hash(&name),
            _ => self.stream(&name),
        }
        if self.random.u32(..3) == 0 {
            let at_ms = (FAR_MS + self.random.i64(0..1_000_000)).to_string().into_bytes();
            self.push(&[b"PEXPIREAT".to_vec(), name, at_ms]);
        }
    }

    /// Elements, each of so many values.
    fn elements(&mut self, command: &str, name: &[u8], width: usize) {
        let mut parts = vec![command.as_bytes().to_vec(), name.to_vec()];
        for _ in 0..self.count() * width {
            parts.push(self.value());
        }
        self.push(&parts);
    }

    /// A set of numbers, or a sketch.
    fn numbers(&mut self, name: &[u8]) {
        if self.random.u32(..4) == 0 {
            return self.elements("PFADD", name, 1);
        }
        let mut parts = vec![b"SADD".to_vec(), name.to_vec()];
        for _ in 0..self.count() {
            parts.push(self.random.i32(..).to_string().into_bytes());
        }
        self.push(&parts);
    }

    fn scores(&mut self, name: &[u8]) {
        let mut parts = vec![b"ZADD".to_vec(), name.to_vec()];
        for number in 0..self.count() {
            let score = match self.random.u32(..6) {
                0 => "-inf".to_owned(),
                1 if self.is_for_ours => (self.random.f64() * 1e9).to_string(),
                1 | 2 => (f64::from(self.random.i16(..)) / 4.0).to_string(),
                _ => self.random.i32(-1000..1000).to_string(),
            };
            parts.extend([score.into_bytes(), format!("member:{number}").into_bytes()]);
        }
        self.push(&parts);
    }

    fn hash(&mut self, name: &[u8]) {
        let mut parts = vec![b"HSET".to_vec(), name.to_vec()];
        let count = self.count();
        for number in 0..count {
            let value = self.value();
            parts.extend([format!("field:{number}").into_bytes(), value]);
        }
        self.push(&parts);
        if self.is_for_ours && self.random.bool() {
            let at_ms = (FAR_MS + self.random.i64(0..1_000_000)).to_string();
            let field = format!("field:{}", self.random.usize(..count));
            let [command, at_ms] = ["HPEXPIREAT", &at_ms].map(|text| text.as_bytes().to_vec());
            let rest = ["FIELDS", "1", &field].map(|text| text.as_bytes().to_vec());
            self.push(&[&[command, name.to_vec(), at_ms][..], &rest].concat());
        }
    }

    /// A stream of which something is deleted and something pending.
    fn stream(&mut self, name: &[u8]) {
        let entries = self.count();
        for entry in 1..=entries {
            let (id, value) = (format!("{}-{}", 1 + entry / 3, 1 + entry % 3), self.value());
            let field = if self.random.u32(..5) == 0 { "other" } else { "field" };
            self.push(&[&b"XADD"[..], name, id.as_bytes(), field.as_bytes(), &value]);
        }
        let gone = 1 + self.random.usize(..entries);
        let id = format!("{}-{}", 1 + gone / 3, 1 + gone % 3);
        self.push(&[&b"XDEL"[..], name, id.as_bytes()]);
        for group in 0..self.random.usize(..3) {
            let group = format!("group:{group}");
            self.push(&[&b"XGROUP"[..], b"CREATE", name, group.as_bytes(), b"0"]);
            for consumer in ["one", "two"] {
                let head = [&b"XREADGROUP"[..], b"GROUP", group.as_bytes(), consumer.as_bytes()];
                let tail = [&b"COUNT"[..], b"2", b"STREAMS", name, b">"];
                self.push(&[&head[..], &tail].concat());
            }
            let first = [&b"XACK"[..], name, group.as_bytes(), b"1-2"];
            self.push(&first);
        }
    }
}

/// Fills a server.
fn fill(client: &mut Client, seed: u64, is_for_ours: bool) {
    let count = environment_number("BASALT_ROUND_TRIP_KEYS").unwrap_or(120) as usize;
    let random = fastrand::Rng::with_seed(seed);
    let rarity = count.div_ceil(KEYS_OFTEN_LARGE_MAX) as u32;
    let mut draw = Draw { random, is_for_ours, rarity, commands: Vec::new() };
    for number in 0..count {
        if number % 20 == 0 {
            let db = draw.random.u32(..DATABASES).to_string();
            draw.push(&["SELECT", &db]);
        }
        draw.key(number);
        if draw.commands.len() >= PIPELINE_LENGTH {
            send(client, &mut draw);
        }
    }
    for library in ["first", "second"] {
        let code = format!(
            "#!lua name={library}\nredis.register_function('{library}_twice', \
             function(keys, arguments) return 2 * arguments[1] end)"
        );
        draw.push(&["FUNCTION", "LOAD", &code]);
    }
    send(client, &mut draw);
}

/// Has a server run what was drawn.
fn send(client: &mut Client, draw: &mut Draw) {
    let commands = std::mem::take(&mut draw.commands);
    for (command, reply) in commands.iter().zip(client.pipeline(commands.clone())) {
        assert!(!matches!(reply, Reply::Error(_)), "{reply:?} to {command:?}");
    }
}

/// All keys of the selected database, sorted.
fn names(client: &mut Client) -> Vec<Vec<u8>> {
    let Reply::Array(names) = client.call("KEYS *") else { panic!("KEYS gives an array") };
    let names = names.into_iter().map(|name| match name {
        Reply::Bulk(name) => name,
        other => panic!("{other:?} is no name"),
    });
    let mut names: Vec<Vec<u8>> = names.collect();
    names.sort();
    names
}

/// What has to be the same, in lines.
fn portrait(client: &mut Client) -> Vec<String> {
    let mut lines = Vec::new();
    for db in 0..DATABASES {
        client.check(format!("SELECT {db}").as_str(), OK);
        for some in names(client).chunks(PIPELINE_LENGTH) {
            for (name, shown) in some.iter().zip(portraits_of_keys(client, some)) {
                let is_stream = shown.ends_with(" stream");
                lines.push(format!("{db} {shown}"));
                if is_stream {
                    lines.extend(pending(client, name).map(|pending| format!("{db} {pending}")));
                }
            }
        }
    }
    client.check("SELECT 0", OK);
    lines.push(format!("all of it {}", client.text("DEBUG DIGEST")));
    for library in ["first", "second"] {
        lines.push(client.integer(format!("FCALL {library}_twice 0 21").as_str()).to_string());
    }
    lines
}

/// Name, deadline, digest and type of every key.
fn portraits_of_keys(client: &mut Client, names: &[Vec<u8>]) -> Vec<String> {
    // One command for all digests: to look at a key of any core it stops all of them.
    let names_of_all = names.iter().map(Vec::as_slice);
    let words: Vec<&[u8]> =
        [&b"DEBUG"[..], b"DIGEST-VALUE"].into_iter().chain(names_of_all).collect();
    let Reply::Array(digests) = client.call(words) else { panic!("there is one for each key") };
    let questions: [&[u8]; 2] = [b"PEXPIRETIME", b"TYPE"];
    let replies =
        client.pipeline(names.iter().flat_map(|name| questions.map(|word| vec![word, &name[..]])));
    let shown =
        names.iter().zip(digests).zip(replies.chunks(2)).map(|((name, digest), replies)| {
            let (deadline, kind) = (replies[0].integer(), replies[1].text());
            format!("{:?} {deadline} {digest:?} {kind}", String::from_utf8_lossy(name))
        });
    shown.collect()
}

/// What is pending in the groups of a stream.
fn pending(client: &mut Client, name: &[u8]) -> impl Iterator<Item = String> + use<> {
    let groups = ["group:0", "group:1"];
    let commands = groups.map(|group| vec![&b"XPENDING"[..], name, group.as_bytes()]);
    let replies = client.pipeline(commands.to_vec());
    let shown = String::from_utf8_lossy(name).into_owned();
    groups.into_iter().zip(replies).map(move |(group, reply)| match reply {
        // A stock server tells of a name up to its first zero byte.
        Reply::Error(text) if text.starts_with("NOGROUP") => format!("{shown:?} no {group}"),
        reply => format!("{shown:?} {group} {reply:?}"),
    })
}

#[track_caller]
fn compare(one: &[String], other: &[String], context: &str) {
    for (one, other) in one.iter().zip(other) {
        assert_eq!(one, other, "{context}");
    }
    assert_eq!(one.len(), other.len(), "{context}");
}

/// A server of so many cores that keeps its files in `files`, once it has loaded them.
fn start(core_count: u32, files: &TestDirectory, extra: &[&str]) -> (Server, Client) {
    let directory = files.path().to_str().expect("test paths are plain text");
    let config = ServerConfig::Basalt { core_count, io_backend: IoBackend::Epoll };
    let arguments = [&["--dir", directory][..], extra].concat();
    let server = Server::start(&config, &arguments);
    let mut client = server.connect(Resp::Two);
    client.set_read_timeout(PATIENCE).expect("a time limit can be set");
    let mut info = || Fields::of_info(&client.text("INFO persistence"));
    eventually_within(PATIENCE, "the data is loaded", || info().number("loading") == 0);
    (server, client)
}

/// Ends a server that has written everything.
fn end(mut server: Server, mut client: Client) {
    client.send_command("SHUTDOWN NOSAVE");
    assert_eq!(client.read_until_closed(), b"");
    assert_eq!(server.process().wait_for_exit().code(), Some(0));
}

/// A server of somebody else, with its files in the same place.
struct Peer {
    child: Child,
    client: Client,
}

impl Peer {
    /// Starts it, if it can be.
    fn start(program: &str, files: &TestDirectory, extra: &[&str]) -> Option<Self> {
        let directory = files.path().to_str().expect("test paths are plain text");
        let mut child = Command::new(program)
            .args(["--port", "0", "--unixsocket", "peer", "--save", "", "--dir", directory])
            .args(["--enable-debug-command", "yes"])
            .args(extra)
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        let path: PathBuf = files.path().join("peer");
        let mut client = None;
        eventually_within(PATIENCE, "the other server has loaded its data", || {
            assert_eq!(child.try_wait().expect("it is a child"), None, "{program} has ended");
            client = Client::connect_unix(&path).ok();
            let ping = client.as_mut().map(|client| client.call("PING"));
            ping == Some(Reply::Simple("PONG".into()))
        });
        let mut client = client.expect("it is connected");
        client.set_read_timeout(PATIENCE).expect("a time limit can be set");
        Some(Self { child, client })
    }

    /// Ends it once it has written everything.
    fn end(mut self) {
        self.client.send_command("SHUTDOWN NOSAVE");
        assert!(self.child.wait().expect("it is a child").success());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Rewrites the append-only file, and waits until that is done.
fn rewrite(client: &mut Client) {
    let size = |client: &mut Client| Fields::of_info(&client.text("INFO persistence"));
    client.call("BGREWRITEAOF");
    eventually_within(PATIENCE, "the rewrite is over", || {
        let info = size(client);
        info.number("aof_rewrite_in_progress") + info.number("aof_rewrite_scheduled") == 0
    });
    assert_eq!(size(client).text("aof_last_bgrewrite_status"), "ok");
}

#[test]
fn what_servers_of_ours_hand_on_is_the_same() {
    if !is_basalt() {
        return skip("the server under test is not ours");
    }
    let Seeded { seed, .. } = Seeded::announced("round trips of our own");
    let files = TestDirectory::create();
    let (server, mut client) = start(2, &files, &["--appendonly", "yes"]);
    fill(&mut client, seed, true);
    let expected = portrait(&mut client);
    end(server, client);
    // By commands, then by a base, in either form, on other numbers of cores.
    for (core_count, has_preamble) in [(1, "yes"), (3, "no"), (2, "yes")] {
        let extra = ["--appendonly", "yes", "--aof-use-rdb-preamble", has_preamble];
        let (server, mut client) = start(core_count, &files, &extra);
        let context = format!("BASALT_TEST_SEED={seed} {core_count} cores, the file");
        compare(&expected, &portrait(&mut client), &context);
        rewrite(&mut client);
        end(server, client);
    }
    let (server, mut client) = start(1, &files, &["--appendonly", "yes"]);
    compare(&expected, &portrait(&mut client), &format!("BASALT_TEST_SEED={seed} the last base"));
    client.check("SAVE", OK);
    end(server, client);
    for core_count in [3, 1] {
        let (server, mut client) = start(core_count, &files, &[]);
        let context = format!("BASALT_TEST_SEED={seed} {core_count} cores, the snapshot");
        compare(&expected, &portrait(&mut client), &context);
        client.check("SAVE", OK);
        end(server, client);
    }
}

/// What another server has written comes back, by the append-only file and by the snapshot.
fn come_back(files: &TestDirectory, expected: &[String], seed: u64) {
    for extra in [&["--appendonly", "yes"][..], &[]] {
        let (server, mut client) = start(2, files, extra);
        let context = format!("BASALT_TEST_SEED={seed} back by {extra:?}");
        compare(expected, &portrait(&mut client), &context);
        end(server, client);
    }
}

#[test]
fn a_stock_server_hands_on_what_it_got_by_commands() {
    if !is_basalt() {
        return skip("the server under test is not ours");
    }
    let Seeded { seed, .. } = Seeded::announced("round trips by a stock server");
    let files = TestDirectory::create();
    let by_commands = ["--appendonly", "yes", "--aof-use-rdb-preamble", "no"];
    let (server, mut client) = start(1, &files, &by_commands);
    fill(&mut client, seed, false);
    let expected = portrait(&mut client);
    // Not rewritten: everything is told as it came.
    end(server, client);
    let Some(mut peer) = Peer::start("redis-server", &files, &by_commands) else {
        return skip("there is no redis-server");
    };
    let context = format!("BASALT_TEST_SEED={seed} the stock server");
    compare(&expected, &portrait(&mut peer.client), &context);
    peer.client.check("SAVE", OK);
    peer.client.check("CONFIG SET aof-use-rdb-preamble yes", OK);
    rewrite(&mut peer.client);
    peer.end();
    come_back(&files, &expected, seed);
}

/// The way there and back by snapshots, and back by a base as well.
fn travel_by_snapshot(program: &str, seed: u64, extra: &[&str]) {
    let files = TestDirectory::create();
    let (server, mut client) = start(2, &files, extra);
    fill(&mut client, seed, false);
    let expected = portrait(&mut client);
    client.check("SAVE", OK);
    end(server, client);
    let mut peer = Peer::start(program, &files, &[]).expect("the other server can be started");
    let context = format!("BASALT_TEST_SEED={seed} {program} by the snapshot");
    compare(&expected, &portrait(&mut peer.client), &context);
    peer.client.check("SAVE", OK);
    peer.client.check("CONFIG SET appendonly yes", OK);
    rewrite(&mut peer.client);
    peer.end();
    come_back(&files, &expected, seed);
}

/// The way there and back by a base of the append-only file and what follows it.
fn travel_by_base(program: &str, seed: u64, extra: &[&str]) {
    let files = TestDirectory::create();
    let extra = [&["--appendonly", "yes"], extra].concat();
    let (server, mut client) = start(1, &files, &extra);
    fill(&mut client, seed, false);
    rewrite(&mut client);
    client.check("SADD after the base", 2);
    // A payload from elsewhere, which may be of a newer version than what is written here.
    let payload = b"\x14\x0b\x0b\0\0\0\x01\0\x82ab\x03\xff\x0b\0\x4f\x35\xd8\xf4\x2b\xd9\x0b\x4a";
    client.check([&b"RESTORE"[..], b"payload", b"0", payload], OK);
    let expected = portrait(&mut client);
    end(server, client);
    let mut peer = Peer::start(program, &files, &["--appendonly", "yes"])
        .expect("the other server can be started");
    let context = format!("BASALT_TEST_SEED={seed} {program} by {extra:?}");
    compare(&expected, &portrait(&mut peer.client), &context);
    peer.client.check("SAVE", OK);
    rewrite(&mut peer.client);
    peer.end();
    come_back(&files, &expected, seed);
}

/// A server that reads what is written unless told otherwise, if one is named.
fn newer_server() -> Option<String> {
    let program = std::env::var("BASALT_TEST_VALKEY").ok();
    if program.is_none() {
        skip("BASALT_TEST_VALKEY names no server");
    }
    program
}

#[test]
fn a_newer_server_hands_on_what_it_got_in_a_snapshot() {
    let Some(program) = newer_server() else { return };
    let Seeded { seed, .. } = Seeded::announced("round trips by a newer server");
    travel_by_snapshot(&program, seed, &[]);
}

#[test]
fn a_newer_server_hands_on_what_it_got_in_a_base() {
    let Some(program) = newer_server() else { return };
    let Seeded { seed, .. } = Seeded::announced("round trips by a newer server and a base");
    travel_by_base(&program, seed, &[]);
}

/// Redis 7.0, and what makes files that it reads.
fn redis_7_0() -> Option<(&'static str, [&'static str; 2])> {
    let program = "redis-server";
    if !is_basalt() {
        skip("the server under test is not ours");
        return None;
    }
    if Command::new(program).arg("--version").stdout(Stdio::null()).status().is_err() {
        skip("there is no redis-server");
        return None;
    }
    Some((program, ["--rdb-version", "10"]))
}

#[test]
fn redis_7_0_hands_on_a_snapshot_that_is_written_for_it() {
    let Some((program, version)) = redis_7_0() else { return };
    let Seeded { seed, .. } = Seeded::announced("round trips by Redis 7.0");
    travel_by_snapshot(program, seed, &version);
}

#[test]
fn redis_7_0_hands_on_a_base_that_is_written_for_it() {
    let Some((program, version)) = redis_7_0() else { return };
    let Seeded { seed, .. } = Seeded::announced("round trips by Redis 7.0 and a base");
    travel_by_base(program, seed, &version);
}

#[test]
fn redis_7_0_hands_on_a_base_of_commands() {
    let Some((program, version)) = redis_7_0() else { return };
    let Seeded { seed, .. } = Seeded::announced("round trips by Redis 7.0 and commands");
    let as_text = [&version[..], &["--aof-use-rdb-preamble", "no"]].concat();
    travel_by_base(program, seed, &as_text);
}
