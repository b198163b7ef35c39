//! LZF, the compression of strings in RDB: quick, and better than nothing.
//!
//! ```text
//! literals   000ccccc, then ccccc + 1 bytes
//! match      llloooooo...: lllooooo oooooooo             length lll + 2,   1 <= lll <= 6
//!                          111ooooo llllllll oooooooo    length l + 9
//!            repeats what begins o + 1 bytes back, o having 13 bits; it may reach into itself
//! ```
//!
//! Matches are found by a table that says where three bytes were seen last. Positions go on from
//! one string to the next, so the table is never cleared: what lies before the current string is
//! stale by its number.
//!
//! Format: LibLZF, <http://software.schmorp.de/pkg/liblzf.html>.

/// Bits of the hash of three bytes. The table then is as large as a first-level cache.
const HASH_BITS: u32 = 13;

const MATCH_MIN: usize = 3;
const MATCH_MAX: usize = 264;
const DISTANCE_MAX: usize = 8192;
const LITERALS_MAX: usize = 32;

/// Most bytes of output per byte of input: three bytes make [`MATCH_MAX`].
const EXPANSION_MAX: usize = 88;

/// The memory of a compressor; one serves any number of strings.
pub(super) struct Compressor {
    /// Where each hash was seen last, counted over all strings.
    seen: Box<[u32]>,
    /// The number of the first byte of the next string; what is below is stale.
    base: u32,
}

impl Compressor {
    pub(super) fn new() -> Self {
        Self { seen: vec![0; 1 << HASH_BITS].into_boxed_slice(), base: 1 }
    }

    /// Appends `input` in compressed form to `output`. Where that would take more than
    /// `length_max` bytes, or `input` is too long for the table, nothing is appended and the answer
    /// is false. O(length).
    pub(super) fn compress(
        &mut self,
        input: &[u8],
        output: &mut Vec<u8>,
        length_max: usize,
    ) -> bool {
        let Some(base) = self.reserve(input.len()) else { return false };
        let start = output.len();
        let end_max = start.saturating_add(length_max);
        let (mut at, mut literals) = (0, 0);
        while at + MATCH_MIN <= input.len() && output.len() <= end_max {
            match self.find(input, at, base) {
                Some(distance) => {
                    put_literals(&input[literals..at], output);
                    let length = match_length(input, at, distance);
                    put_match(length, distance, output);
                    self.note(input, at + length - 2, base);
                    self.note(input, at + length - 1, base);
                    at += length;
                    literals = at;
                }
                None => at += 1,
            }
        }
        put_literals(&input[literals..], output);
        let fits = output.len() <= end_max;
        if !fits {
            output.truncate(start);
        }
        fits
    }

    /// Numbers the bytes of a string.
    fn reserve(&mut self, length: usize) -> Option<u32> {
        let length = u32::try_from(length).ok().filter(|length| *length < u32::MAX / 2)?;
        let end = self.base.checked_add(length).unwrap_or_else(|| {
            self.seen.fill(0);
            self.base = 1;
            1 + length
        });
        Some(std::mem::replace(&mut self.base, end))
    }

    /// Notes three bytes and returns how far back the same three were seen, if they were.
    fn find(&mut self, input: &[u8], at: usize, base: u32) -> Option<usize> {
        let last = self.note(input, at, base)?;
        let before = last.checked_sub(base)? as usize;
        let is_match = at - before <= DISTANCE_MAX
            && input[before..before + MATCH_MIN] == input[at..at + MATCH_MIN];
        is_match.then_some(at - before)
    }

    /// Notes the three bytes at a place, if there are three, and returns what was noted before.
    #[inline]
    fn note(&mut self, input: &[u8], at: usize, base: u32) -> Option<u32> {
        let &[a, b, c] = input.get(at..at + MATCH_MIN)? else { return None };
        let bytes = u32::from(a) << 16 | u32::from(b) << 8 | u32::from(c);
        let hash = bytes.wrapping_mul(0x9E37_79B1) >> (u32::BITS - HASH_BITS);
        Some(std::mem::replace(&mut self.seen[hash as usize], base + at as u32))
    }
}

fn match_length(input: &[u8], at: usize, distance: usize) -> usize {
    let (ahead, behind) = (&input[at..], &input[at - distance..]);
    let pairs = ahead.iter().zip(behind).take(MATCH_MAX);
    pairs.take_while(|(one, other)| one == other).count()
}

fn put_literals(literals: &[u8], output: &mut Vec<u8>) {
    for run in literals.chunks(LITERALS_MAX) {
        output.push((run.len() - 1) as u8);
        output.extend_from_slice(run);
    }
}

fn put_match(length: usize, distance: usize, output: &mut Vec<u8>) {
    let (length, offset) = (length - 2, distance - 1);
    let high = (offset >> 8) as u8;
    match u8::try_from(length) {
        Ok(short @ ..7) => output.push(short << 5 | high),
        _ => output.extend([0b1110_0000 | high, (length - 7) as u8]),
    }
    output.push(offset as u8);
}

/// Turns compressed bytes into the `length` bytes they stand for; `None` when they stand for
/// something else. Allocates no more than the input can fill. O(`length`).
pub fn decompress(input: &[u8], length: usize) -> Option<Vec<u8>> {
    if length > input.len().saturating_mul(EXPANSION_MAX) {
        return None;
    }
    let mut output = Vec::with_capacity(length);
    let mut rest = input;
    while let Some((&control, after)) = rest.split_first() {
        let room = length - output.len();
        rest = if usize::from(control) < LITERALS_MAX {
            let (literals, after) = after.split_at_checked(usize::from(control) + 1)?;
            output.extend_from_slice((literals.len() <= room).then_some(literals)?);
            after
        } else {
            repeat(control, after, &mut output, room)?
        };
    }
    (output.len() == length).then_some(output)
}

/// Carries out a match whose first byte is `control`; returns what follows it.
fn repeat<'a>(
    control: u8,
    mut rest: &'a [u8],
    output: &mut Vec<u8>,
    room: usize,
) -> Option<&'a [u8]> {
    let mut length = usize::from(control >> 5) + 2;
    if length == 9 {
        let (&more, after) = rest.split_first()?;
        length += usize::from(more);
        rest = after;
    }
    let (&low, after) = rest.split_first()?;
    let distance = (usize::from(control & 0x1f) << 8 | usize::from(low)) + 1;
    let from = output.len().checked_sub(distance)?;
    if length > room {
        return None;
    }
    if length <= distance {
        output.extend_from_within(from..from + length);
    } else {
        // What is repeated contains its own beginning.
        (from..from + length).for_each(|index| output.push(output[index]));
    }
    Some(after)
}

/// Compresses bytes and expects them back.
///
/// # Panics
/// If they do not come back.
pub(super) fn check_round_trip(input: &[u8]) {
    let mut output = Vec::new();
    assert!(Compressor::new().compress(input, &mut output, usize::MAX));
    assert_eq!(decompress(&output, input.len()).as_deref(), Some(input));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(compressor: &mut Compressor, input: &[u8]) -> usize {
        let mut output = vec![0xaa];
        assert!(compressor.compress(input, &mut output, usize::MAX));
        assert_eq!(decompress(&output[1..], input.len()).as_deref(), Some(input));
        output.len() - 1
    }

    #[test]
    fn runs_and_repeats_shrink() {
        let mut compressor = Compressor::new();
        assert!(round_trip(&mut compressor, &[b'a'; 10_000]) < 140);
        let text = b"the quick brown fox jumps over the lazy dog. ".repeat(100);
        assert!(round_trip(&mut compressor, &text) < 200);
        assert_eq!(round_trip(&mut compressor, b""), 0);
        assert_eq!(round_trip(&mut compressor, b"ab"), 3);
    }

    #[test]
    fn what_does_not_shrink_enough_leaves_no_trace() {
        let mut output = b"before".to_vec();
        let input: Vec<u8> = (0..=255).collect();
        assert!(!Compressor::new().compress(&input, &mut output, 252));
        assert_eq!(output, b"before");
    }

    #[test]
    fn the_numbering_starts_over_when_it_ends() {
        let mut compressor = Compressor::new();
        compressor.base = u32::MAX - 5;
        let text = b"abcabcabcabcabc".repeat(5);
        round_trip(&mut compressor, &text);
        assert_eq!(compressor.base, 1 + text.len() as u32);
        round_trip(&mut compressor, &text);
    }

    #[test]
    fn a_claim_beyond_what_the_input_can_fill_is_refused_at_once() {
        assert_eq!(decompress(&[0xe0, 0xff, 0x00], usize::MAX), None);
        assert_eq!(
            decompress(&[0, b'a', 0xe0, 0xff, 0x00], 265).map(|bytes| bytes.len()),
            Some(265)
        );
    }

    proptest! {
        #[test]
        fn what_was_compressed_comes_back(
            inputs in prop::collection::vec(prop::collection::vec(0_u8..4, 0..600), 1..5),
        ) {
            let mut compressor = Compressor::new();
            for input in inputs {
                round_trip(&mut compressor, &input);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(input: Vec<u8>, length in 0_usize..1000) {
            if let Some(output) = decompress(&input, length) {
                prop_assert_eq!(output.len(), length);
            }
        }
    }
}
