//! PFSELFTEST: registers keep what they are given, both encodings agree, and the error is small.
//!
//! Redis takes ten million elements and half a second for it. A core must not stand still that
//! long, so the trials here are fewer: a million elements, which is a decade of counts less.

use super::header::Encoding;
use super::{DENSE_REGISTERS_SIZE, Observation, REGISTER_COUNT, SketchBuf, dense};

const REGISTER_ROUNDS: usize = 8;
const ELEMENTS: u64 = 1_000_000;

/// Runs the trials on random numbers; on failure, what failed in the words of Redis. `random` is
/// called some hundred thousand times.
pub fn self_test(mut random: impl FnMut() -> u64, sparse_size_max: usize) -> Result<(), String> {
    for _ in 0..REGISTER_ROUNDS {
        test_registers(&mut random)?;
    }
    test_estimates(random(), sparse_size_max)
}

fn test_registers(random: &mut impl FnMut() -> u64) -> Result<(), String> {
    let mut packed = vec![0; DENSE_REGISTERS_SIZE];
    let ranks: Vec<u8> = (0..REGISTER_COUNT).map(|_| random() as u8 & 0x3f).collect();
    for (register, rank) in ranks.iter().enumerate() {
        dense::set_rank(&mut packed, register, *rank);
    }
    for (register, expected) in ranks.iter().enumerate() {
        let found = dense::rank(&packed, register);
        if found != *expected {
            return Err(format!(
                "TESTFAILED Register {register} should be {expected} but is {found}"
            ));
        }
    }
    Ok(())
}

fn test_estimates(seed: u64, sparse_size_max: usize) -> Result<(), String> {
    let mut dense = SketchBuf::new();
    dense.make_dense().expect("an empty one is well made");
    let mut either = SketchBuf::new();
    let mut checkpoint = 1;
    for number in 1..=ELEMENTS {
        let observation = Observation::of(&(number ^ seed).to_le_bytes());
        dense.raise(observation, 0).expect("a dense one is well made");
        either.raise(observation, sparse_size_max).expect("made from an empty one");
        if number == checkpoint {
            check(&dense, &either, checkpoint, sparse_size_max)?;
            checkpoint *= 10;
        }
    }
    Ok(())
}

/// Compares the two after `elements` different elements.
fn check(
    dense: &SketchBuf,
    either: &SketchBuf,
    elements: u64,
    sparse_size_max: usize,
) -> Result<(), String> {
    let (dense, either) = (dense.as_sketch(), either.as_sketch());
    if elements < sparse_size_max as u64 / 2 && either.encoding() != Encoding::Sparse {
        return Err("TESTFAILED sparse encoding not used".into());
    }
    if dense.count() != either.count() {
        return Err("TESTFAILED dense/sparse disagree".into());
    }
    // Six times the standard error; of ten elements, one may share a register with another.
    let relative_error = 1.04 / (REGISTER_COUNT as f64).sqrt();
    let error_max = match elements {
        10 => 1,
        _ => (relative_error * 6.0 * elements as f64).ceil() as u64,
    };
    let error = dense.count().unwrap_or(0).abs_diff(elements);
    if error > error_max {
        return Err(format!("TESTFAILED Too big error. card:{elements} abserr:{error}"));
    }
    Ok(())
}
