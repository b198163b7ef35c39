//! Random choices within one command.
//!
//! A store is borrowed while a command works on a collection, so its own sequence cannot be asked
//! then. A command draws one number from it before, and this goes on from there.

/// A sequence of random numbers (SplitMix64, Steele et al. 2014). Not for secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence that begins at `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, each as likely as any other up to one part in 2^64 / `end`.
    ///
    /// # Panics
    /// When `end` is zero.
    #[inline]
    pub fn below(&mut self, end: usize) -> usize {
        assert!(end > 0, "there is no number below zero");
        ((u128::from(self.bits()) * end as u128) >> u64::BITS) as usize
    }
}
