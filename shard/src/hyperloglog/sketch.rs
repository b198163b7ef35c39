//! A whole HyperLogLog, whatever its encoding: [`Sketch`] to read, [`SketchBuf`] to change.

use super::header::{self, Encoding, HEADER_SIZE};
use super::observation::Observation;
use super::registers::Registers;
use super::run::Run;
use super::sparse::{Mark, Raised};
use super::{Corrupted, DENSE_SIZE, Histogram, REGISTER_COUNT, dense, sparse};

/// A string that looks like a HyperLogLog, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Sketch<'a> {
    bytes: &'a [u8],
    encoding: Encoding,
}

impl<'a> Sketch<'a> {
    /// Looks at the header, and at the length where that is fixed; `None` if it is something else.
    /// O(1): whether the runs of a sparse one are right is found out by who reads them.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        Some(Self { bytes, encoding: Encoding::of(bytes)? })
    }

    /// How it is encoded.
    pub fn encoding(self) -> Encoding {
        self.encoding
    }

    /// The string.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The count it had when last asked, unless it changed since. O(1).
    pub fn cached_count(self) -> Option<u64> {
        header::count(self.bytes)
    }

    /// Works the count out. O(registers).
    pub fn count(self) -> Result<u64, Corrupted> {
        let mut histogram = Histogram::default();
        match self.encoding {
            Encoding::Dense => {
                dense::for_each_group(self.registers(), |_, ranks| histogram.add_ranks(ranks));
            }
            Encoding::Sparse => {
                sparse::for_each_run(self.bytes, |_, run| histogram.add_run(run.rank, run.length))?;
            }
        }
        Ok(histogram.estimate())
    }

    /// Where an observation would change it, if it would: [`SketchBuf::raise_at`] takes it in there
    /// without another search. O(1) for a dense one, else O(length).
    pub fn rise(self, observation: Observation) -> Result<Option<Mark>, Corrupted> {
        let (present, mark) = match self.encoding {
            Encoding::Dense => (dense::rank(self.registers(), observation.register), Mark::START),
            Encoding::Sparse => sparse::rank(self.bytes, observation.register)?,
        };
        Ok((observation.rank > present).then_some(mark))
    }

    /// Raises `registers` to what this holds. O(registers).
    pub fn merge_into(self, registers: &mut Registers) -> Result<(), Corrupted> {
        match self.encoding {
            Encoding::Dense => {
                dense::for_each_group(self.registers(), |start, ranks| {
                    registers.raise_from(start, ranks);
                });
                Ok(())
            }
            Encoding::Sparse => sparse::for_each_run(self.bytes, |start, run| {
                if run.rank > 0 {
                    registers.raise_run(start, run.length, run.rank);
                }
            }),
        }
    }

    /// The runs of a sparse one in words; `None` for a dense one. O(length).
    pub fn describe_runs(self) -> Option<Result<String, Corrupted>> {
        (self.encoding == Encoding::Sparse).then(|| sparse::describe(self.bytes))
    }

    fn registers(&self) -> &'a [u8] {
        &self.bytes[HEADER_SIZE..]
    }
}

/// Raises a dense HyperLogLog in place and marks its count as out of date. Returns whether anything
/// rose. O(observations).
///
/// # Panics
/// When the bytes are no dense HyperLogLog.
pub fn raise_dense(bytes: &mut [u8], observations: impl Iterator<Item = Observation>) -> bool {
    assert_eq!(Encoding::of(bytes), Some(Encoding::Dense), "it was looked at before");
    let mut raised = false;
    for observation in observations {
        raised |= dense::raise(&mut bytes[HEADER_SIZE..], observation);
    }
    if raised {
        header::mark_stale(bytes);
    }
    raised
}

/// Keeps a count that was worked out in the HyperLogLog it is of, until it changes. O(1).
///
/// # Panics
/// When the bytes are no HyperLogLog.
pub fn set_cached_count(bytes: &mut [u8], count: u64) {
    assert!(Encoding::of(bytes).is_some(), "it was looked at before");
    header::set_count(bytes, count);
}

/// A HyperLogLog of one's own.
#[derive(Clone, Debug)]
pub struct SketchBuf {
    bytes: Vec<u8>,
    encoding: Encoding,
}

impl Default for SketchBuf {
    fn default() -> Self {
        Self::new()
    }
}

impl SketchBuf {
    /// One that has seen nothing, sparse.
    pub fn new() -> Self {
        let mut bytes = header::new(Encoding::Sparse).to_vec();
        let (zeros, size) = Run::zeros(REGISTER_COUNT);
        bytes.extend_from_slice(&zeros[..size]);
        Self { bytes, encoding: Encoding::Sparse }
    }

    /// A copy. O(length).
    pub fn copy_of(sketch: Sketch<'_>) -> Self {
        Self { bytes: sketch.bytes.to_vec(), encoding: sketch.encoding }
    }

    /// The string, borrowed.
    pub fn as_sketch(&self) -> Sketch<'_> {
        Sketch { bytes: &self.bytes, encoding: self.encoding }
    }

    /// The string.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Notes that the count is out of date.
    pub fn mark_stale(&mut self) {
        header::mark_stale(&mut self.bytes);
    }

    /// Takes one observation in; a sparse one stays so as long as it keeps to `sparse_size_max`
    /// bytes. Returns whether it made a difference. O(1) for a dense one, else O(length).
    pub fn raise(
        &mut self,
        observation: Observation,
        sparse_size_max: usize,
    ) -> Result<bool, Corrupted> {
        self.raise_at(Mark::START, observation, sparse_size_max)
    }

    /// The same where [`Sketch::rise`] has found the place.
    pub fn raise_at(
        &mut self,
        mut mark: Mark,
        observation: Observation,
        sparse_size_max: usize,
    ) -> Result<bool, Corrupted> {
        self.raise_from(&mut mark, observation, sparse_size_max)
    }

    /// Takes registers in. O(registers + length).
    pub fn raise_all(
        &mut self,
        registers: &Registers,
        sparse_size_max: usize,
    ) -> Result<(), Corrupted> {
        let mut mark = Mark::START;
        for observation in registers.observations() {
            self.raise_from(&mut mark, observation, sparse_size_max)?;
        }
        Ok(())
    }

    fn raise_from(
        &mut self,
        mark: &mut Mark,
        observation: Observation,
        sparse_size_max: usize,
    ) -> Result<bool, Corrupted> {
        if self.encoding == Encoding::Sparse {
            match sparse::raise(&mut self.bytes, *mark, observation, sparse_size_max)? {
                Raised::No => return Ok(false),
                Raised::Yes(next) => {
                    *mark = next;
                    self.mark_stale();
                    return Ok(true);
                }
                Raised::NeedsDense => self.make_dense()?,
            }
        }
        Ok(raise_dense(&mut self.bytes, std::iter::once(observation)))
    }

    /// Gives it the dense encoding; header and count stay. O(registers).
    pub fn make_dense(&mut self) -> Result<(), Corrupted> {
        if self.encoding == Encoding::Sparse {
            let mut registers = Registers::new();
            self.as_sketch().merge_into(&mut registers)?;
            self.replace_by_dense(&registers);
        }
        Ok(())
    }

    /// Makes it dense with exactly these registers; header and count stay. O(registers).
    pub fn replace_by_dense(&mut self, registers: &Registers) {
        self.bytes.resize(DENSE_SIZE, 0);
        self.encoding = Encoding::Dense;
        header::set_encoding(&mut self.bytes, Encoding::Dense);
        dense::pack(registers, &mut self.bytes[HEADER_SIZE..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPARSE_SIZE_MAX: usize = 3000;

    fn filled(range: std::ops::Range<u32>, sparse_size_max: usize) -> SketchBuf {
        let mut sketch = SketchBuf::new();
        for number in range {
            let observation = Observation::of(&number.to_le_bytes());
            sketch.raise(observation, sparse_size_max).expect("well made");
        }
        sketch
    }

    #[test]
    fn a_growing_sketch_becomes_dense_and_counts_on() {
        let small = filled(0..500, SPARSE_SIZE_MAX);
        assert_eq!(small.as_sketch().encoding(), Encoding::Sparse);
        let large = filled(0..20_000, SPARSE_SIZE_MAX);
        assert_eq!(large.as_sketch().encoding(), Encoding::Dense);
        for (sketch, expected) in [(small, 500_f64), (large, 20_000_f64)] {
            let count = sketch.as_sketch().count().expect("well made") as f64;
            assert!((count - expected).abs() < 0.04 * expected, "{count} for {expected}");
            assert_eq!(sketch.as_sketch().cached_count(), None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_encoding_makes_no_difference(length in 0..1200_u32) {
            let sparse = filled(0..length, usize::MAX);
            let dense = filled(0..length, 0);
            prop_assert_eq!(sparse.as_sketch().count(), dense.as_sketch().count());
            let mut converted = sparse.clone();
            converted.make_dense().expect("well made");
            if length > 0 {
                prop_assert_eq!(converted.as_sketch().bytes(), dense.as_sketch().bytes());
            }
            let (mut one, mut other) = (Registers::new(), Registers::new());
            sparse.as_sketch().merge_into(&mut one).expect("well made");
            dense.as_sketch().merge_into(&mut other).expect("well made");
            prop_assert_eq!(one.ranks(), other.ranks());
        }

        #[test]
        fn a_union_counts_as_if_one_had_seen_all(split in 0..3000_u32, overlap in 0..500_u32) {
            let parts = [
                filled(0..split + overlap, SPARSE_SIZE_MAX),
                filled(split..3000, SPARSE_SIZE_MAX),
            ];
            let mut registers = Registers::new();
            for part in &parts {
                part.as_sketch().merge_into(&mut registers).expect("well made");
            }
            let mut union = SketchBuf::new();
            union.raise_all(&registers, SPARSE_SIZE_MAX).expect("well made");
            let all = filled(0..3000.max(split + overlap), SPARSE_SIZE_MAX);
            prop_assert_eq!(union.as_sketch().count(), all.as_sketch().count());
            let mut histogram = Histogram::default();
            histogram.add_ranks(registers.ranks());
            prop_assert_eq!(Ok(histogram.estimate()), all.as_sketch().count());
        }
    }
}
