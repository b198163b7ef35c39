//! Seeds of random tests: drawn or given, and named in every failure.

/// The seed of a random test: the one in `BASALT_TEST_SEED`, else any. Whoever draws it names it in
/// every failure.
pub fn seed() -> u64 {
    let given = std::env::var("BASALT_TEST_SEED").ok().map(|text| text.parse::<u64>());
    given.map_or_else(|| fastrand::u64(..), |seed| seed.expect("a seed is a number"))
}

/// Seeds a test runs under where nothing else is said.
const SEED_COUNT_DEFAULT: u64 = 4;

/// Runs a random test under several seeds: `BASALT_TEST_SEEDS` of them, from the one in
/// `BASALT_TEST_SEED` on if it is given; that one alone if their number is not. A failure names the
/// seed that replays it.
pub fn under_seeds(test: impl Fn(u64)) {
    let is_given = std::env::var_os("BASALT_TEST_SEED").is_some();
    let wanted = std::env::var("BASALT_TEST_SEEDS").ok().map(|text| text.parse::<u64>());
    let default = if is_given { 1 } else { SEED_COUNT_DEFAULT };
    let count = wanted.map_or(default, |count| count.expect("a count is a number"));
    let first = seed();
    for seed in (0..count).map(|number| first.wrapping_add(number)) {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(seed)));
        assert!(outcome.is_ok(), "it failed as told above; BASALT_TEST_SEED={seed} replays it");
    }
}
