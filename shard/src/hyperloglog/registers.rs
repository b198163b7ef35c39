//! All registers, a byte each: what unions are made in.

use super::REGISTER_COUNT;
use super::observation::Observation;

/// The ranks of all registers.
#[derive(Clone, Debug)]
pub struct Registers {
    ranks: Box<[u8; REGISTER_COUNT]>,
}

impl Default for Registers {
    fn default() -> Self {
        Self::new()
    }
}

impl Registers {
    /// Registers nobody has offered anything.
    pub fn new() -> Self {
        let zeros = vec![0; REGISTER_COUNT].into_boxed_slice();
        Self { ranks: zeros.try_into().expect("made with that length") }
    }

    /// The ranks.
    pub fn ranks(&self) -> &[u8; REGISTER_COUNT] {
        &self.ranks
    }

    /// Takes over what is higher among `ranks`, the first of which is that of register `start`.
    pub(super) fn raise_from(&mut self, start: usize, ranks: &[u8]) {
        for (rank, other) in self.ranks[start..].iter_mut().zip(ranks) {
            *rank = (*rank).max(*other);
        }
    }

    /// Offers `rank` to `length` registers from `start` on.
    pub(super) fn raise_run(&mut self, start: usize, length: usize, rank: u8) {
        for present in &mut self.ranks[start..start + length] {
            *present = (*present).max(rank);
        }
    }

    /// What was offered, by register, leaving out registers nobody offered anything.
    pub(super) fn observations(&self) -> impl Iterator<Item = Observation> {
        let ranks = self.ranks.iter().enumerate();
        ranks.filter(|(_, rank)| **rank > 0).map(|(register, &rank)| Observation { register, rank })
    }
}
