//! Basalt against a real redis-server: the same random commands of all families over shared keys,
//! and byte for byte the same replies.
//!
//! ```text
//! families --words--> draw --requests--> contest --> redis-server
//!                                           |  ^--masks: what may differ, and why
//!                                           +-----> cluster (1, 2, 8 cores; RESP2, RESP3;
//!                                                   thresholds of encodings: usual, small)
//! ```
//!
//! Seeds are fixed, so every run of the tests asks the same. Environment:
//!
//! * `BASALT_TEST_SEED`: another seed; a difference names the one that leads to it at once.
//! * `BASALT_DIFFERENTIAL_COMMANDS`: how many commands of the great mixture; 24,000 unless set.
//! * `BASALT_TEST_REFERENCE`: another server than the redis-server on the PATH.
//!
//! On a machine without redis-server the tests say so and pass. No key expires while a test runs
//! (some are past already when they come), since the two clocks cannot be the same.

#[path = "../support/mod.rs"]
mod support;

mod bitmaps;
mod contest;
mod draw;
mod events;
mod geo;
mod hashes;
mod journal;
mod keys;
mod lists;
mod masks;
mod sets;
mod shape;
mod sketches;
mod sorted_sets;
mod sorts;
mod streams;
mod strings;
mod sums;

use contest::{Contest, Difference, now_ms};
use draw::{Draw, Words, request};
use masks::Peer;
use shape::{Shape, Thresholds};
use support::Request;
use support::redis::RealServer;

/// Commands of the great mixture unless told otherwise.
const COMMANDS: u64 = 24_000;

/// Commands of one cluster. Short enough to find a difference again quickly.
const COMMANDS_OF_ROUND: u64 = 4_000;

/// Pipelines whose keyspace events are compared.
const EVENT_ROUNDS: usize = 20;

/// Requests that are sent to the real server at once.
const PIPELINE: usize = 400;

/// Differences that are collected before a test gives up.
const DIFFERENCES_MAX: usize = 12;

/// A family of commands.
type Family = fn(&mut Draw) -> Words;

const FAMILIES: [Family; 10] = [
    strings::draw,
    bitmaps::draw,
    sketches::draw,
    hashes::draw,
    lists::draw,
    sets::draw,
    sorted_sets::draw,
    geo::draw,
    streams::draw,
    sorts::draw,
];

/// What several commands in a row make up.
const SEQUENCES: [fn(&mut Draw) -> Vec<Words>; 4] =
    [sets::draw_pop, lists::draw_wait, sorted_sets::draw_wait, streams::draw_wait];

fn environment(name: &str) -> Option<u64> {
    let given = std::env::var(name).ok()?;
    Some(given.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Some requests of these families, commands on keys among them.
fn pipeline(draw: &mut Draw, families: &[Family]) -> Vec<Request> {
    let mut requests = Vec::new();
    while requests.len() < PIPELINE {
        if draw.one_in(12) && families.len() > 1 {
            let sequence = SEQUENCES[draw.random.usize(..SEQUENCES.len())](draw);
            requests.extend(sequence.iter().map(|words| request(words)));
            continue;
        }
        let is_about_keys = draw.one_in(8);
        let family = families[draw.random.usize(..families.len())];
        let mut words = if is_about_keys { keys::draw(draw) } else { family(draw) };
        draw.spoil(&mut words);
        if !words.is_empty() {
            requests.push(request(&words));
        }
    }
    requests
}

/// One cluster of that shape and its contest with the real server.
fn round(
    real: &mut RealServer,
    peer: Peer,
    shape: &Shape,
    (seed, families): (u64, &[Family]),
) -> Result<(), Difference> {
    let mut contest = Contest::begin(real, peer, shape, seed);
    let mut draw = Draw::new(seed, now_ms());
    for _ in 0..COMMANDS_OF_ROUND / PIPELINE as u64 {
        contest.compare(&pipeline(&mut draw, families))?;
        contest.exchange(&mut draw)?;
        contest.compare_keyspaces()?;
    }
    contest.compare_scans()
}

/// Rounds of these families until `commands` have been run, each of the next shape.
#[track_caller]
fn contest(families: &[Family], commands: u64, shapes: &[Shape]) {
    let Some(mut real) = RealServer::start_with(&["--enable-debug-command", "yes"]) else {
        return;
    };
    let peer = Peer::of(&mut real);
    let first_seed = environment("BASALT_TEST_SEED").unwrap_or(1);
    let mut differences = Vec::new();
    for seed in first_seed..first_seed + commands.div_ceil(COMMANDS_OF_ROUND) {
        let shape = &shapes[seed as usize % shapes.len()];
        if let Err(Difference(text)) = round(&mut real, peer, shape, (seed, families)) {
            differences.push(format!("BASALT_TEST_SEED={seed}, {shape:?}: {text}"));
        }
        if differences.len() == DIFFERENCES_MAX {
            break;
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences\n{}",
        differences.len(),
        differences.join("\n")
    );
}

#[test]
fn all_families_mixed() {
    let commands = environment("BASALT_DIFFERENTIAL_COMMANDS").unwrap_or(COMMANDS);
    contest(&FAMILIES, commands, &Shape::all());
}

/// One family by itself meets more of its own corners.
fn alone(family: Family) {
    let shape = |core_count, protocol, thresholds| Shape { core_count, protocol, thresholds };
    let shapes = [shape(2, 3, Thresholds::Small), shape(1, 2, Thresholds::Default)];
    contest(&[family], 2 * COMMANDS_OF_ROUND, &shapes);
}

macro_rules! alone {
    ($($name:ident)*) => { mod alone {
        $(#[test] fn $name() { super::alone(super::$name::draw); })*
    } };
}

alone! { strings bitmaps sketches hashes lists sets sorted_sets geo streams sorts }

/// Sums of numbers of all sizes print the same digits.
#[test]
fn sums_of_floating_point_numbers() {
    let Some(mut real) = RealServer::start() else { return };
    let seed = environment("BASALT_TEST_SEED").unwrap_or(1);
    let peer = Peer::of(&mut real);
    let shape = Shape { core_count: 1, protocol: 2, thresholds: Thresholds::Default };
    let mut contest = Contest::begin(&mut real, peer, &shape, seed);
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..60 {
        let requests: Vec<Request> =
            (0..PIPELINE / 2).flat_map(|_| sums::draw(&mut random)).collect();
        if let Err(Difference(text)) = contest.compare(&requests) {
            panic!("seed {seed}: {text}");
        }
    }
}

/// What is published of changes of keys, and of keys that are missed.
#[test]
fn keyspace_events() {
    let arguments = ["--enable-debug-command", "yes", "--notify-keyspace-events", events::CLASSES];
    let Some(mut real) = RealServer::start_with(&arguments) else { return };
    let peer = Peer::of(&mut real);
    let seed = environment("BASALT_TEST_SEED").unwrap_or(1);
    let differences = events::differences(&mut real, peer, seed, EVENT_ROUNDS);
    assert!(
        differences.is_empty(),
        "BASALT_TEST_SEED={seed}, {} commands notify differently\n{}",
        differences.len(),
        differences.join("\n")
    );
}
