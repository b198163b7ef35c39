//! Seeded randomness: a run that fails can be run again.

use super::matrix::announce;

/// A random generator whose seed is on record.
pub(crate) struct Seeded {
    pub(crate) seed: u64,
    pub(crate) generator: fastrand::Rng,
}

impl Seeded {
    /// Takes the seed from `BASALT_TEST_SEED`, else draws one, and prints it in either case.
    pub(crate) fn announced(what: &str) -> Seeded {
        let seed = environment_number("BASALT_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
        announce(&format!("{what}: replay with BASALT_TEST_SEED={seed}"));
        Seeded { seed, generator: fastrand::Rng::with_seed(seed) }
    }
}

/// A number from the environment. Panics when it is set to something else.
pub(crate) fn environment_number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")))
}
