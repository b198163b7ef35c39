//! Tokens that travel through lists, sorted sets and streams while clients wait for them: none is
//! lost, none is served twice, and nobody is forgotten.
//!
//! ```text
//! feeders --tokens--> lists, sorted sets, streams --replies--> guests (waiting, with and without
//!            |              ^ moved, renamed,                   |      a timeout)
//!            |              | slots change owners               +-> some are unblocked, some leave
//!            +-- ledger: what was fed = what was served + what is left + what went to who left
//! ```
//!
//! A run is determined by its seed, which a failure tells. Environment: `BASALT_TEST_SEED`, and
//! `BASALT_TEST_RUNS` for the number of runs with each number of cores, 2 unless set.

#[path = "../support/mod.rs"]
mod support;

mod guests;
mod hall;
mod ledger;
mod readers;

use hall::Hall;
use support::seed;

/// Numbers of cores.
const CORE_COUNTS: [u16; 4] = [1, 2, 4, 8];

/// What else happens in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing that touches all keys at once.
    Streams,
    /// Databases change places, so there are no streams: their groups would be elsewhere.
    Swaps,
    /// All keys go now and then, and tokens with them.
    Flushes,
}

fn environment_runs() -> u64 {
    let given = std::env::var("BASALT_TEST_RUNS").ok();
    given.map_or(2, |text| text.parse().expect("BASALT_TEST_RUNS is a number"))
}

fn runs_of(kind: Kind) {
    let seed = seed();
    for offset in 0..environment_runs() {
        for core_count in CORE_COUNTS {
            Hall::new(seed.wrapping_add(offset), core_count, kind).run();
        }
    }
}

#[test]
fn no_token_is_lost_or_served_twice_and_nobody_is_forgotten() {
    runs_of(Kind::Streams);
}

#[test]
fn databases_that_change_places_lose_nothing() {
    runs_of(Kind::Swaps);
}

#[test]
fn keys_that_all_go_at_once_are_not_served_afterwards() {
    runs_of(Kind::Flushes);
}
