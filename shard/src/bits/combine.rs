//! Strings combined bit by bit.
//!
//! The result is made block by block, in the place it stays. A block remains in the first-level
//! cache while all sources are folded into it one after the other, each in a plain loop over bytes
//! that the compiler turns into vector instructions; so a long string costs one pass over each
//! source and one over the result, whatever the number of sources. A source that ends early counts
//! as zeros from there on.

/// What is done to the sources, the first of which is X, the others Y.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// In all of them.
    And,
    /// In any of them.
    Or,
    /// In an odd number of them.
    Xor,
    /// Not in X; there is no Y.
    Not,
    /// In X and in no Y.
    Diff,
    /// In some Y and not in X.
    Diff1,
    /// In X and in some Y.
    AndOr,
    /// In exactly one of them.
    One,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 8] = [
        Self::And,
        Self::Or,
        Self::Xor,
        Self::Not,
        Self::Diff,
        Self::Diff1,
        Self::AndOr,
        Self::One,
    ];

    /// Its name, in capitals.
    pub fn name(self) -> &'static str {
        match self {
            Self::And => "AND",
            Self::Or => "OR",
            Self::Xor => "XOR",
            Self::Not => "NOT",
            Self::Diff => "DIFF",
            Self::Diff1 => "DIFF1",
            Self::AndOr => "ANDOR",
            Self::One => "ONE",
        }
    }

    /// The operation of that name, in any letter case.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Whether it tells the first source from the others and makes no sense without them.
    pub fn needs_two_sources(self) -> bool {
        matches!(self, Self::Diff | Self::Diff1 | Self::AndOr)
    }
}

/// Bytes of a result that may be made at once: a block stays in the first-level cache while the
/// sources pass by.
pub const BLOCK_SIZE_MAX: usize = 4096;

/// Makes the bytes of the result from `start` on, as many as `block` has room for; what was in it
/// does not matter. The whole result is as long as the longest source. O(block x sources).
///
/// # Panics
/// When there is no source, or `block` is longer than [`BLOCK_SIZE_MAX`].
pub fn combine(operation: Operation, sources: &[&[u8]], start: usize, block: &mut [u8]) {
    assert!(block.len() <= BLOCK_SIZE_MAX, "a block stays in the cache");
    let end = start + block.len();
    let mut parts =
        sources.iter().map(|source| &source[start.min(source.len())..end.min(source.len())]);
    let first = parts.next().expect("there is a source");
    match operation {
        Operation::Diff1 | Operation::AndOr => block.fill(0),
        _ => load(block, first),
    }
    match operation {
        Operation::And => parts.for_each(|part| and(block, part)),
        Operation::Xor => parts.for_each(|part| fold(block, part, |byte, other| byte ^ other)),
        Operation::Not => block.iter_mut().for_each(|byte| *byte = !*byte),
        Operation::Diff => parts.for_each(|part| fold(block, part, |byte, other| byte & !other)),
        Operation::One => exactly_one(block, parts),
        Operation::Or | Operation::Diff1 | Operation::AndOr => {
            parts.for_each(|part| fold(block, part, |byte, other| byte | other));
        }
    }
    match operation {
        Operation::Diff1 => fold(block, first, |byte, other| byte & !other),
        Operation::AndOr => and(block, first),
        _ => {}
    }
}

fn load(block: &mut [u8], part: &[u8]) {
    let (present, missing) = block.split_at_mut(part.len());
    present.copy_from_slice(part);
    missing.fill(0);
}

#[inline(always)]
fn fold(block: &mut [u8], part: &[u8], combine: impl Fn(u8, u8) -> u8) {
    for (byte, other) in block.iter_mut().zip(part) {
        *byte = combine(*byte, *other);
    }
}

fn and(block: &mut [u8], part: &[u8]) {
    fold(block, part, |byte, other| byte & other);
    block[part.len()..].fill(0);
}

/// Leaves in `block` the bits that are set there or in one of `parts`, and nowhere else.
fn exactly_one<'a>(block: &mut [u8], parts: impl Iterator<Item = &'a [u8]>) {
    let mut repeated = [0; BLOCK_SIZE_MAX];
    let repeated = &mut repeated[..block.len()];
    for part in parts {
        for ((byte, repeated), other) in block.iter_mut().zip(&mut *repeated).zip(part) {
            *repeated |= *byte & other;
            *byte ^= other;
        }
    }
    fold(block, repeated, |byte, repeated| byte & !repeated);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition of each operation, for the bits at one place of all sources.
    fn defined(operation: Operation, bits: &[bool]) -> bool {
        let (x, ys) = (bits[0], &bits[1..]);
        let any_y = ys.contains(&true);
        let set = bits.iter().filter(|bit| **bit).count();
        match operation {
            Operation::And => set == bits.len(),
            Operation::Or => set > 0,
            Operation::Xor => set % 2 == 1,
            Operation::Not => !x,
            Operation::Diff => x && !any_y,
            Operation::Diff1 => any_y && !x,
            Operation::AndOr => x && any_y,
            Operation::One => set == 1,
        }
    }

    fn combined(operation: Operation, sources: &[&[u8]]) -> Vec<u8> {
        let length = sources.iter().map(|source| source.len()).max().unwrap_or(0);
        let mut result = vec![0xaa; length];
        for (index, block) in result.chunks_mut(BLOCK_SIZE_MAX).enumerate() {
            combine(operation, sources, index * BLOCK_SIZE_MAX, block);
        }
        result
    }

    proptest! {
        #[test]
        fn every_operation_does_what_it_says(
            sources in proptest::collection::vec(
                proptest::collection::vec(any::<u8>(), 0..40), 1..6),
            choice in 0..8_usize,
        ) {
            let operation = Operation::ALL[choice];
            let count = if operation == Operation::Not { 1 } else { sources.len() };
            let sources: Vec<&[u8]> = sources[..count].iter().map(Vec::as_slice).collect();
            let result = combined(operation, &sources);
            let length = sources.iter().map(|source| source.len()).max().unwrap_or(0);
            prop_assert_eq!(result.len(), length);
            for offset in 0..length * 8 {
                let bits: Vec<bool> =
                    sources.iter().map(|source| crate::bits::bit(source, offset)).collect();
                prop_assert_eq!(crate::bits::bit(&result, offset), defined(operation, &bits));
            }
        }
    }

    #[test]
    fn sources_may_end_in_any_block() {
        let long = vec![0xff; 2 * BLOCK_SIZE_MAX + 5];
        let short = vec![0x0f; BLOCK_SIZE_MAX + 1];
        let and = combined(Operation::And, &[&long, &short]);
        assert_eq!(and.len(), long.len());
        assert!(and[..short.len()].iter().all(|byte| *byte == 0x0f));
        assert!(and[short.len()..].iter().all(|byte| *byte == 0));
        let one = combined(Operation::One, &[&short, &long, b""]);
        assert!(one[..short.len()].iter().all(|byte| *byte == 0xf0));
        assert!(one[short.len()..].iter().all(|byte| *byte == 0xff));
    }

    #[test]
    fn names_are_read_in_any_case() {
        assert_eq!(Operation::from_name(b"aNdOr"), Some(Operation::AndOr));
        assert_eq!(Operation::from_name(b"nand"), None);
    }
}
