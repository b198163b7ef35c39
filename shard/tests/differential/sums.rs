//! Sums of floating-point numbers of all sizes print the same digits.

use crate::contest::line;
use crate::support::Request;

/// A number as text in one of the ways `strtold` reads.
fn random_float(random: &mut fastrand::Rng) -> String {
    let sign = if random.bool() { "-" } else { "" };
    let digits = |random: &mut fastrand::Rng, count_max: usize| -> String {
        let count = random.usize(1..=count_max);
        (0..count).map(|_| random.digit(10)).collect()
    };
    let whole = digits(random, 22);
    let fraction = digits(random, 22);
    match random.u32(..8) {
        0 => format!("{sign}{whole}"),
        1..4 => format!("{sign}{whole}.{fraction}"),
        4 => format!("{sign}0.{fraction}e{}", random.i32(-40..40)),
        5 => format!("{sign}{whole}.{fraction}e{}", random.i32(-5000..5000)),
        6 => format!("{sign}0x{:x}.{:x}p{}", random.u64(..), random.u64(..), random.i32(-80..80)),
        _ => {
            let huge: String = (0..random.usize(1..300)).map(|_| random.digit(10)).collect();
            format!("{sign}{huge}.{fraction}")
        }
    }
}

/// Two numbers and their sum.
pub(crate) fn draw(random: &mut fastrand::Rng) -> [Request; 2] {
    let (one, other) = (random_float(random), random_float(random));
    // Close numbers of different signs cancel.
    let other = match random.u32(..8) {
        0 => format!("-{}9", one.trim_matches('-')),
        _ => other,
    };
    [line(&format!("set sum {one}")), line(&format!("incrbyfloat sum {other}"))]
}
