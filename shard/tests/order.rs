//! The order that clients of several cores see: strictly serializable, and program order within a
//! pipeline, while slots move and keyspaces are flushed under them.
//!
//! Three kinds of evidence:
//! * one client that waits for each reply sees what a plain map would do;
//! * what several pipelining clients saw in a short burst is what some order of their commands
//!   gives, each client's own in the order it sent them (all orders are searched);
//! * in long pipelines, relations that hold in every such order hold.
//!
//! Each test runs under several seeds (`BASALT_TEST_SEEDS` says how many, `BASALT_TEST_SEED` which
//! one alone) and tells the one it fails under.

mod support;

use std::collections::HashSet;

use basalt_shard::hash::HashSlot;
use support::model::Model;
use support::resp::{show, show_request, split_line, split_replies};
use support::{ClientId, Cluster, Request, under_seeds};

/// Keys all over the slots, and two that share one.
const KEYS: [&str; 6] = ["a", "b", "c", "d", "{d}x", "e"];

fn pick<'a>(random: &mut fastrand::Rng, words: &[&'a str]) -> &'a str {
    words[random.usize(..words.len())]
}

/// Two keys that are not the same.
fn two_keys(random: &mut fastrand::Rng) -> (&'static str, &'static str) {
    let first = random.usize(..KEYS.len());
    let second = (first + random.usize(1..KEYS.len())) % KEYS.len();
    (KEYS[first], KEYS[second])
}

/// Hands the slot of some key to some core.
fn move_slot(random: &mut fastrand::Rng, core_count: usize) -> Request {
    let slot = HashSlot::of_key(pick(random, &KEYS).as_bytes()).number();
    split_line(&format!("DEBUG MOVE-SLOT {slot} {}", random.usize(..core_count)))
}

/// What clients send.
#[derive(Clone, Copy, Debug)]
enum Mix {
    /// All there is.
    Everything,
    /// Commands on one key while slots move: they are not barriers, so more of them are under way.
    KeysOnTheMove,
}

fn random_request(random: &mut fastrand::Rng, mix: Mix, core_count: usize) -> Request {
    let (key, other) = two_keys(random);
    let value = random.u32(1..1000);
    let die = match mix {
        Mix::Everything => random.u32(..40),
        Mix::KeysOnTheMove if random.u32(..10) == 0 => return move_slot(random, core_count),
        Mix::KeysOnTheMove => random.u32(..20),
    };
    let line = match die {
        0..6 => format!("GET {key}"),
        6..12 => format!("SET {key} {value}"),
        12..16 => format!("INCR {key}"),
        16 => format!("APPEND {key} 7"),
        17..20 => format!("DEL {key}"),
        20..22 => format!("EXISTS {key} {other}"),
        22..27 => format!("MGET {key} {other}"),
        27..31 => format!("MSET {key} {value} {other} {}", value + 1),
        31 => format!("MSETNX {key} {value} {other} {value}"),
        32..34 => format!("RENAME {key} {other}"),
        34 => format!("RENAMENX {key} {other}"),
        35 => format!("COPY {key} {other}"),
        36 => "DBSIZE".to_owned(),
        37 => "FLUSHALL".to_owned(),
        _ => return move_slot(random, core_count),
    };
    split_line(&line)
}

#[test]
fn one_patient_client_sees_a_plain_map() {
    under_seeds(compare_with_a_plain_map);
}

fn compare_with_a_plain_map(seed: u64) {
    for core_count in [1, 2, 4] {
        let mut cluster = Cluster::new(core_count, seed);
        let mut random = fastrand::Rng::with_seed(seed);
        let clients: Vec<ClientId> =
            (0..core_count).map(|core| cluster.connect(usize::from(core))).collect();
        let mut model = Model::default();
        for number in 0..750 {
            let request = random_request(&mut random, Mix::Everything, usize::from(core_count));
            let client = clients[random.usize(..clients.len())];
            let reply = cluster.execute_request(client, request.clone());
            let expected = model.apply(&request);
            assert!(
                reply == expected,
                "seed {seed}, {core_count} cores, command {number}: {}\n  got      {}\n  \
                 expected {}",
                show_request(&request),
                show(&reply),
                show(&expected)
            );
        }
    }
}

/// What one client sent in a burst and was answered.
struct History {
    requests: Vec<Request>,
    replies: Vec<Vec<u8>>,
}

/// Whether some order of the commands in `histories`, each client's own in the order it sent them,
/// leads from `before` to `after` with every reply being right.
fn is_explained(before: &Model, after: &Model, histories: &[History]) -> bool {
    let mut seen = HashSet::new();
    let mut open = vec![(vec![0_usize; histories.len()], before.clone())];
    while let Some((places, state)) = open.pop() {
        if !seen.insert((places.clone(), state.clone())) {
            continue;
        }
        let mut is_end = true;
        for (client, history) in histories.iter().enumerate() {
            let Some(request) = history.requests.get(places[client]) else { continue };
            is_end = false;
            let mut next = state.clone();
            if next.apply(request) == history.replies[places[client]] {
                let mut places = places.clone();
                places[client] += 1;
                open.push((places, next));
            }
        }
        if is_end && state == *after {
            return true;
        }
    }
    false
}

/// What everybody can see while nothing is going on.
fn look(cluster: &mut Cluster, client: ClientId) -> Model {
    let reply = cluster.execute(client, &format!("MGET {}", KEYS.join(" ")));
    let body = reply.strip_prefix(b"*6\r\n").expect("six values were asked for");
    Model::of_replies(&KEYS, &split_replies(body))
}

/// Sends a burst of pipelines and returns what came of it.
fn burst(
    cluster: &mut Cluster,
    clients: &[ClientId],
    random: &mut fastrand::Rng,
    mix: Mix,
) -> Vec<History> {
    let core_count = cluster.core_count();
    let mut pipeline = || -> Vec<Request> {
        (0..random.usize(1..6)).map(|_| random_request(random, mix, core_count)).collect()
    };
    let pipelines: Vec<Vec<Request>> = clients.iter().map(|_| pipeline()).collect();
    for (client, pipeline) in clients.iter().zip(&pipelines) {
        for request in pipeline {
            cluster.send(*client, request.clone());
        }
    }
    cluster.run_until_idle();
    let mut histories = Vec::new();
    for (client, requests) in clients.iter().zip(pipelines) {
        let replies = split_replies(&cluster.take_replies(*client));
        assert_eq!(replies.len(), requests.len(), "every request has one reply");
        histories.push(History { requests, replies });
    }
    histories
}

fn describe(histories: &[History]) -> String {
    let mut text = String::new();
    for (client, history) in histories.iter().enumerate() {
        for (request, reply) in history.requests.iter().zip(&history.replies) {
            text += &format!("  client {client}: {} -> {}\n", show_request(request), show(reply));
        }
    }
    text
}

fn check_bursts(seed: u64, core_count: u16, mix: Mix, rounds: usize) {
    let mut cluster = Cluster::new(core_count, seed);
    let mut random = fastrand::Rng::with_seed(seed);
    // Most clients share a core: then they share batches too.
    let clients = [1, 1, 1, 0].map(|core| cluster.connect(core));
    let mut before = Model::default();
    for round in 0..rounds {
        let histories = burst(&mut cluster, &clients, &mut random, mix);
        let after = look(&mut cluster, clients[0]);
        assert!(
            is_explained(&before, &after, &histories),
            "seed {seed}, {core_count} cores, {mix:?}, round {round}: no order explains\n  \
             {before}\n{}  {after}",
            describe(&histories)
        );
        before = after;
    }
}

#[test]
fn bursts_on_two_cores_are_serializable() {
    under_seeds(|seed| check_bursts(seed, 2, Mix::Everything, 150));
}

#[test]
fn bursts_on_three_cores_are_serializable() {
    under_seeds(|seed| check_bursts(seed, 3, Mix::Everything, 150));
}

#[test]
fn bursts_on_five_cores_are_serializable() {
    under_seeds(|seed| check_bursts(seed, 5, Mix::Everything, 150));
}

#[test]
fn bursts_on_two_cores_are_serializable_while_slots_move() {
    under_seeds(|seed| check_bursts(seed, 2, Mix::KeysOnTheMove, 250));
}

#[test]
fn bursts_on_three_cores_are_serializable_while_slots_move() {
    under_seeds(|seed| check_bursts(seed, 3, Mix::KeysOnTheMove, 250));
}

/// A number in a bulk reply; no value counts as zero.
fn number(reply: &[u8]) -> u64 {
    let text = std::str::from_utf8(reply).expect("replies here are ASCII");
    let mut lines = text.split("\r\n");
    match lines.next() {
        Some("$-1") => 0,
        Some(_) => lines.next().expect("a value follows").parse().expect("it is a number"),
        None => panic!("a reply has a line"),
    }
}

/// Both numbers in the reply to an MGET of two keys.
fn two_numbers(reply: &[u8]) -> (u64, u64) {
    let body = reply.strip_prefix(b"*2\r\n").expect("two values were asked for");
    let values = split_replies(body);
    (number(&values[0]), number(&values[1]))
}

/// Who sees the second write of a pipeline sees the first, though they live on different cores:
/// the writer counts `a` up before `b`, the readers look at `b` before `a`.
#[test]
fn pipelines_keep_their_order_for_every_observer() {
    under_seeds(observe_a_writer);
}

fn observe_a_writer(seed: u64) {
    const WRITES: u64 = 100;
    let mut random = fastrand::Rng::with_seed(seed);
    for core_count in 2..6_u16 {
        let mut cluster = Cluster::new(core_count, random.u64(..));
        let any_core = |random: &mut fastrand::Rng| random.usize(..usize::from(core_count));
        let writer = cluster.connect(any_core(&mut random));
        let readers: Vec<ClientId> =
            (0..3).map(|_| cluster.connect(any_core(&mut random))).collect();
        let mover = cluster.connect(any_core(&mut random));
        for count in 1..=WRITES {
            cluster.send(writer, split_line(&format!("SET a {count}")));
            cluster.send(writer, split_line(&format!("SET b {count}")));
            for reader in &readers {
                cluster.send(*reader, split_line("GET b"));
                cluster.send(*reader, split_line("GET a"));
            }
            match random.u32(..20) {
                0 => cluster.send(mover, move_slot(&mut random, usize::from(core_count))),
                1 => cluster.send(readers[0], split_line("EXISTS a b c d e")),
                2 => cluster.send(mover, split_line("DBSIZE")),
                _ => {}
            }
        }
        cluster.run_until_idle();
        assert_eq!(split_replies(&cluster.take_replies(writer)).len() as u64, 2 * WRITES);
        for reader in readers {
            let replies = split_replies(&cluster.take_replies(reader));
            let values: Vec<u64> = replies
                .iter()
                .filter(|reply| reply[0] == b'$')
                .map(|reply| number(reply))
                .collect();
            assert_eq!(values.len() as u64, 2 * WRITES);
            for pair in values.chunks_exact(2) {
                assert!(pair[0] <= pair[1], "seed {seed}: b is {} but a only {}", pair[0], pair[1]);
            }
            assert!(
                values.windows(3).all(|three| three[0] <= three[2]),
                "seed {seed}: time ran back"
            );
        }
    }
}

/// A command over several cores happens at one moment for everybody.
#[test]
fn commands_over_several_cores_are_atomic() {
    under_seeds(look_for_half_a_command);
}

fn look_for_half_a_command(seed: u64) {
    const WRITES: u64 = 100;
    let mut random = fastrand::Rng::with_seed(seed);
    for core_count in 2..6_u16 {
        let mut cluster = Cluster::new(core_count, random.u64(..));
        let clients: Vec<ClientId> =
            (0..4).map(|_| cluster.connect(random.usize(..usize::from(core_count)))).collect();
        let [writer, flusher, reader, mover] = clients[..] else { unreachable!("there are four") };
        for count in 1..=WRITES {
            cluster.send(writer, split_line(&format!("MSET a {count} b {count}")));
            cluster.send(reader, split_line("MGET a b"));
            if random.u32(..10) == 0 {
                cluster.send(flusher, split_line("FLUSHALL"));
            }
            if random.u32(..10) == 0 {
                cluster.send(mover, move_slot(&mut random, usize::from(core_count)));
            }
        }
        cluster.run_until_idle();
        let replies = split_replies(&cluster.take_replies(reader));
        assert_eq!(replies.len() as u64, WRITES);
        for reply in replies {
            let (one, other) = two_numbers(&reply);
            assert_eq!(one, other, "seed {seed}: half of an MSET or of a FLUSHALL was seen");
        }
    }
}

/// One token is renamed from key to key by several clients: it is always in exactly one place.
#[test]
fn a_token_that_is_renamed_is_always_in_one_place() {
    under_seeds(pass_a_token_around);
}

fn pass_a_token_around(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut cluster = Cluster::new(4, seed);
    let clients: Vec<ClientId> = (0..5).map(|number| cluster.connect(number % 4)).collect();
    cluster.execute(clients[0], "SET a token");
    for _ in 0..100 {
        for client in &clients[..3] {
            let (from, to) = two_keys(&mut random);
            cluster.send(*client, split_line(&format!("RENAME {from} {to}")));
        }
        cluster.send(clients[3], split_line(&format!("EXISTS {}", KEYS.join(" "))));
        cluster.send(clients[3], split_line("DBSIZE"));
        if random.u32(..5) == 0 {
            cluster.send(clients[4], move_slot(&mut random, 4));
        }
    }
    cluster.run_until_idle();
    let replies = split_replies(&cluster.take_replies(clients[3]));
    assert_eq!(replies.len(), 200);
    assert!(replies.iter().all(|reply| reply == b":1\r\n"), "seed {seed}: the token was not there");
}

/// More clients want something from other cores at once than a core may have under way.
#[test]
fn many_clients_wait_their_turn() {
    under_seeds(crowd_a_core);
}

fn crowd_a_core(seed: u64) {
    const CLIENTS: usize = 700;
    let mut cluster = Cluster::new(2, seed);
    let clients: Vec<ClientId> = (0..CLIENTS).map(|_| cluster.connect(0)).collect();
    for client in &clients {
        for line in ["MSET a 1 b 1 c 1 d 1", "INCR count:a", "INCR count:b", "MGET a b c d"] {
            cluster.send(*client, split_line(line));
        }
    }
    cluster.run_until_idle();
    for client in &clients {
        assert_eq!(split_replies(&cluster.take_replies(*client)).len(), 4, "seed {seed}");
    }
    let total = format!("${}\r\n{CLIENTS}\r\n", CLIENTS.to_string().len());
    let reply = cluster.execute(clients[0], "MGET count:a count:b");
    assert_eq!(show(&reply), show(format!("*2\r\n{total}{total}").as_bytes()), "seed {seed}");
}
