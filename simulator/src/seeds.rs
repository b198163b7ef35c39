//! Seeds of random tests: drawn or given, and named in every failure.

/// The seed of a random test: the one in `BASALT_TEST_SEED`, else any. Whoever draws it names it in
/// every failure.
pub fn seed() -> u64 {
    let given = std::env::var("BASALT_TEST_SEED").ok().map(|text| text.parse::<u64>());
    given.map_or_else(|| fastrand::u64(..), |seed| seed.expect("a seed is a number"))
}

/// Seeds a test runs under where nothing else is said.
const SEED_COUNT_DEFAULT: u64 = 4;

/// Runs a random test under several seeds: `BASALT_TEST_SEEDS` of them, or only the one in
/// `BASALT_TEST_SEED`. A failure names the seed that replays it.
pub fn under_seeds(test: impl Fn(u64)) {
    let is_replay = std::env::var_os("BASALT_TEST_SEED").is_some();
    let wanted = std::env::var("BASALT_TEST_SEEDS").ok().map(|text| text.parse::<u64>());
    let count = wanted.map_or(SEED_COUNT_DEFAULT, |count| count.expect("a count is a number"));
    for _ in 0..if is_replay { 1 } else { count } {
        let seed = seed();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(seed)));
        assert!(outcome.is_ok(), "it failed as told above; BASALT_TEST_SEED={seed} replays it");
    }
}
