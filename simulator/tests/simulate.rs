//! A few simulations under fresh seeds, and that a seed always makes the same one.

use basalt_simulator::plan::{Plan, Size};
use basalt_simulator::run::{Tally, run};
use basalt_simulator::under_seeds;

#[test]
fn nothing_is_wrong_with_what_clients_see() {
    under_seeds(|seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..10 {
            let seed = random.u64(..);
            let mut tally = Tally::default();
            let started = std::time::Instant::now();
            if let Err(error) = run(&Plan::new(seed, Size::default()), &mut tally) {
                panic!("simulation {seed}: {error}");
            }
            println!("{seed} {:?} {tally:?}", started.elapsed());
        }
    });
}
