//! What clients of a real server see fits one order of events: the checkers of the simulator over
//! sockets.
//!
//! Clients with pipelines, transactions, WATCH, scripts and waiting commands run plans of the
//! simulator against the binary, on both backends, while slots move from core to core. Threads
//! interleave as they like, so a run cannot be replayed; plans can, by their seed.
//! `BASALT_HISTORY_PLANS` says how many there are for each server (`scripts/stress` runs many).

mod support;

use basalt_simulator::plan::{Plan, Size};
use basalt_simulator::socket::{Connection, check, drive};
use support::{OK, Seeded, each_backend, environment_number};

/// Plans for each server where nothing else is said.
const PLANS_DEFAULT: u64 = 6;

/// Cores of each server: more than there are processors, so that they interrupt each other.
const CORES: u32 = 4;

const SIZE: Size = Size { ops: 2000, lives: 1 };

#[test]
fn what_clients_see_fits_one_order() {
    let count = environment_number("BASALT_HISTORY_PLANS").unwrap_or(PLANS_DEFAULT);
    let mut random = Seeded::announced("histories");
    let first = random.generator.u64(..);
    each_backend(CORES, |t| {
        for seed in (0..count).map(|number| first.wrapping_add(number)) {
            t.check("FLUSHALL", OK);
            let plan = Plan::new(seed, SIZE);
            let address = t.server.address();
            let outcome = drive(address, &plan.lives[0]).and_then(|events| {
                let mut connection =
                    Connection::open(address).map_err(|error| error.to_string())?;
                check(events, &connection.read_all()?)
            });
            if let Err(error) = outcome {
                panic!("the plan of seed {seed}: {error}");
            }
        }
    });
}
