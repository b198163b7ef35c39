//! Any commands of many clients while memory is short: keys that were evicted are gone, nothing
//! else is, and everything is answered as if each of them had been deleted by somebody.

use basalt::memory::used_bytes_of_this_thread;
use basalt_simulator::plan::{Plan, Size};
use basalt_simulator::tally::Tally;
use basalt_simulator::{free, seed};

/// Small enough for a build without optimisation.
const SIZE: Size = Size { ops: 200, lives: 1 };

/// Lives a run looks at.
const LIVES: u64 = 40;

#[test]
fn nothing_but_the_evicted_is_gone() {
    let (first, mut tally) = (seed(), Tally::default());
    for seed in first..first.wrapping_add(LIVES) {
        let plan = Plan::limited(seed, SIZE);
        if let Err(error) = free::live(&plan.lives[0], used_bytes_of_this_thread, &mut tally) {
            panic!("BASALT_TEST_SEED={seed} replays this: {error}");
        }
    }
    assert!(tally.evicted > 0 && tally.replayed > 0, "{tally:?}");
}
