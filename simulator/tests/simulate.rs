//! Simulations: the same ones every time, fresh ones, and that a seed always makes the same one.
//!
//! `BASALT_SIMULATION_SECONDS` says how long fresh ones are made; `scripts/simulate` makes more.

use std::time::{Duration, Instant};

use basalt_simulator::campaign::Campaign;
use basalt_simulator::meter::Counting;
use basalt_simulator::plan::{Plan, Size};
use basalt_simulator::seed;
use basalt_simulator::tally::Tally;
use basalt_simulator::trial::{describe, judge, shrink};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Small enough for a build without optimisation.
const SIZE: Size = Size { ops: 150, lives: 2 };

/// How long fresh simulations are made where nothing else is said.
const SECONDS_DEFAULT: u64 = 5;

/// Runs that are spent on making what fails smaller.
const SHRINK_RUNS: usize = 300;

#[track_caller]
fn simulate(seed: u64, tally: &mut Tally) {
    let plan = Plan::drawn(seed, SIZE);
    if let Err(error) = judge(&plan, tally) {
        let (small, reason) = shrink(&plan, error.clone(), SHRINK_RUNS);
        let small = describe(&small);
        panic!("BASALT_TEST_SEED={seed} replays this: {error}\nmade smaller:\n{small}{reason}");
    }
}

#[test]
fn nothing_is_wrong_under_seeds_known_before() {
    let mut tally = Tally::default();
    // Snapshots, evictions and the like are rare: some of these have each.
    (0..24).chain(60..100).for_each(|seed| simulate(seed, &mut tally));
    // What the checkers feed on does happen.
    assert!(tally.cuts > 0 && tally.snapshots > 0 && tally.taken > 0, "{tally:?}");
    assert!(tally.received > 0 && tally.watches_broken > 0, "{tally:?}");
    assert!(tally.replayed > 0 && tally.waits_abandoned > 0, "{tally:?}");
    assert!(tally.traffic.envelopes > 0 && tally.traffic.moves > 0, "{tally:?}");
    assert!(tally.weighed > 0 && tally.limited_lives > 0 && tally.evicted > 0, "{tally:?}");
}

#[test]
fn nothing_is_wrong_under_fresh_seeds() {
    let seconds = std::env::var("BASALT_SIMULATION_SECONDS").ok();
    let seconds = seconds.map(|text| text.parse().expect("seconds are a number"));
    let limit = Duration::from_secs(seconds.unwrap_or(SECONDS_DEFAULT));
    let (begun, mut seed, mut tally) = (Instant::now(), seed(), Tally::default());
    while begun.elapsed() < limit {
        simulate(seed, &mut tally);
        seed = seed.wrapping_add(1);
    }
}

#[test]
fn simulations_side_by_side_make_what_they_make_alone() {
    let run = |first, threads| {
        let limit = Duration::from_secs(600);
        let campaign = Campaign { first, count: 8, limit, size: SIZE, threads };
        let outcome = campaign.run(|_| {});
        assert_eq!((outcome.done, outcome.failure.map(|(_, error)| error)), (8, None));
        outcome.tally
    };
    let seed = seed();
    let alone = run(seed, 1);
    assert_eq!(alone, run(seed, 3), "BASALT_TEST_SEED={seed}");
}

#[test]
fn the_same_seed_makes_the_same_run() {
    let first = seed();
    for seed in first..first.wrapping_add(3) {
        let run = || {
            let mut tally = Tally::default();
            simulate(seed, &mut tally);
            tally
        };
        assert_eq!(run(), run(), "BASALT_TEST_SEED={seed}");
    }
}
