//! Pipelines that change keys of several cores, and what the append-only file keeps of them: a
//! prefix, whenever the server is killed, and everything that was answered where it ends in order
//! or the client has waited for the disk.
//!
//! A writer counts: its n-th command sets one of a few keys to n, so the keys tell how far it got
//! and whether anything is missing before that.
//!
//! `BASALT_TEST_SEED` replays the choices, if not the moments.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use support::{
    Client, IoBackend, Reply, Resp, Seeded, Server, ServerConfig, TestDirectory, signal, wait_until,
};

const WRITERS: usize = 4;
/// Keys of a writer.
const KEYS: usize = 7;
/// How long writers may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(30);
/// Commands it sends in one go.
const DEPTH: usize = 24;

fn start(core_count: u32, files: &TestDirectory, policy: &str) -> Server {
    let config = ServerConfig::Basalt { core_count, io_backend: IoBackend::Epoll };
    Server::start_on(&config, files, policy)
}

fn key(writer: usize, number: usize) -> String {
    format!("writer{writer}:{}", number % KEYS)
}

/// The commands that count on from `from`.
fn pipeline(writer: usize, from: usize) -> Vec<u8> {
    let lines = (from..from + DEPTH).map(|number| {
        let key = key(writer, number);
        format!("SET {key} {number}\r\n")
    });
    lines.collect::<String>().into_bytes()
}

/// Sends a pipeline of writer 0 and takes the replies.
fn run(client: &mut Client, from: usize) {
    let replies = client.pipeline_bytes(pipeline(0, from), DEPTH);
    assert!(replies.iter().all(|reply| reply.text() == "OK"), "{replies:?}");
}

/// Counts on until the server is gone; how far that was answered is in `answered`.
fn count(mut client: Client, writer: usize, answered: &AtomicUsize) {
    let mut next = answered.load(SeqCst) + 1;
    while client.try_send(&pipeline(writer, next)).is_ok() {
        for _ in 0..DEPTH {
            match client.read_line_if_any() {
                Some(line) => assert!(line.starts_with(b"+OK"), "{line:?}"),
                None => return,
            }
            answered.fetch_add(1, SeqCst);
        }
        next += DEPTH;
    }
}

/// How far a writer got, by what is there; nothing before that is missing.
fn reached(client: &mut Client, writer: usize, context: &str) -> usize {
    let mut value =
        |number: usize| match client.call(format!("GET {}", key(writer, number)).as_str()) {
            Reply::Null => 0,
            reply => reply.text().parse::<usize>().expect("it is a number"),
        };
    let values: Vec<usize> = (0..KEYS).map(&mut value).collect();
    let last = values.iter().copied().max().unwrap_or_default();
    for number in (last.saturating_sub(KEYS) + 1)..=last {
        assert_eq!(values[number % KEYS], number, "{context}: {values:?} of writer {writer}");
    }
    last
}

/// Lets writers count until so much was answered, and sends the server a signal.
fn count_until(mut server: Server, answered: &[AtomicUsize], target: usize, name: &str) {
    let process = server.process().id();
    let total = || answered.iter().map(|count| count.load(SeqCst)).sum::<usize>();
    let target = total() + target;
    std::thread::scope(|scope| {
        for (writer, count_of) in answered.iter().enumerate() {
            let client = server.connect(Resp::Two);
            scope.spawn(move || count(client, writer, count_of));
        }
        let is_enough = wait_until(PATIENCE, || total() >= target);
        // In any case: only that ends the writers.
        signal(process, name);
        assert!(is_enough, "{} of {target} are answered: {answered:?}", total());
    });
    server.process().wait_for_exit();
}

/// Ends servers by a signal in the midst of pipelines, and starts them again.
fn end_and_look(policy: &str, signal_name: &str, keeps_answers: bool) {
    let Seeded { seed, generator: mut random } = Seeded::announced("succession");
    let (files, answered) = (TestDirectory::create(), [const { AtomicUsize::new(0) }; WRITERS]);
    for round in 0..=3 {
        let context = format!("BASALT_TEST_SEED={seed} {policy} {signal_name} round {round}");
        let server = start(random.u32(2..=3), &files, policy);
        let mut client = server.connect(Resp::Two);
        for (writer, count) in answered.iter().enumerate() {
            let (last, known) = (reached(&mut client, writer, &context), count.load(SeqCst));
            assert!(!keeps_answers || last >= known, "{context}: {last} of {known} answered");
            count.store(last, SeqCst);
        }
        if round < 3 {
            count_until(server, &answered, random.usize(100..3000), signal_name);
        }
    }
}

#[test]
fn a_kill_leaves_a_prefix_of_every_pipeline() {
    end_and_look("everysec", "KILL", false);
    end_and_look("no", "KILL", false);
}

#[test]
fn with_always_it_keeps_what_was_answered_as_well() {
    end_and_look("always", "KILL", true);
}

#[test]
fn an_end_in_order_keeps_what_was_answered() {
    end_and_look("everysec", "TERM", true);
}

#[test]
fn who_has_waited_for_the_disk_finds_the_pipeline_after_a_kill() {
    let files = TestDirectory::create();
    let mut server = start(2, &files, "everysec");
    let mut client = server.connect(Resp::Two);
    for from in [1, 1 + DEPTH, 1 + 2 * DEPTH] {
        run(&mut client, from);
        assert_eq!(client.call("WAITAOF 1 0 0").elements()[0].integer(), 1);
    }
    signal(server.process().id(), "KILL");
    server.process().wait_for_exit();
    let server = start(3, &files, "everysec");
    assert_eq!(reached(&mut server.connect(Resp::Two), 0, "after WAITAOF"), 3 * DEPTH);
}

#[test]
fn what_was_answered_once_always_is_on_is_kept() {
    let files = TestDirectory::create();
    let mut server = start(2, &files, "everysec");
    let mut client = server.connect(Resp::Two);
    run(&mut client, 1);
    client.call("CONFIG SET appendfsync always");
    run(&mut client, 1 + DEPTH);
    signal(server.process().id(), "KILL");
    server.process().wait_for_exit();
    let server = start(1, &files, "everysec");
    assert_eq!(reached(&mut server.connect(Resp::Two), 0, "after the switch"), 2 * DEPTH);
}
