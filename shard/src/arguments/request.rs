//! Whether the bytes around arguments are those of a request in its plainest form.
//!
//! ```text
//! *3\r\n$3\r\n SET \r\n$3\r\n key \r\n$2\r\n 42 \r\n
//! opening        separator       separator       end
//! ```
//!
//! Each piece is compared at once, as a word: this is done for every command that is told.

use super::ArgRange;

/// Lengths below this are looked for.
const LENGTHS: usize = 100;

/// Bytes of a length line of two digits.
const LINE_BYTES_MAX: usize = 5;

const WORD_BYTES: usize = 8;

/// The opening of a command whose count and whose first length have one digit, without these.
const SHORT_OPENING: u64 = u64::from_le_bytes(*b"*0\r\n$0\r\n");

/// `<digits>\r\n` of each length, the first byte lowest, behind an empty byte for the mark.
const LINES: [u64; LENGTHS] = build_lines();

/// `\r\n$<digits>\r\n` of each length, the last byte highest.
const SEPARATORS: [u64; LENGTHS] = build_separators();

const fn build_lines() -> [u64; LENGTHS] {
    let mut lines = [0; LENGTHS];
    let mut length = 0;
    while length < LENGTHS {
        let (tens, ones) = (b'0' + (length / 10) as u8, b'0' + (length % 10) as u8);
        lines[length] = match length {
            0..10 => u64::from_le_bytes([0, ones, b'\r', b'\n', 0, 0, 0, 0]),
            _ => u64::from_le_bytes([0, tens, ones, b'\r', b'\n', 0, 0, 0]),
        };
        length += 1;
    }
    lines
}

const fn build_separators() -> [u64; LENGTHS] {
    let mut separators = [0; LENGTHS];
    let mut length = 0;
    while length < LENGTHS {
        let unused_bits = unused_bits_of(2 + line_bytes_of(length));
        let marked = (LINES[length] | b'$' as u64) << 16 | u16::from_le_bytes(*b"\r\n") as u64;
        separators[length] = marked << unused_bits;
        length += 1;
    }
    separators
}

/// Bytes of the length line of a length that is looked for.
const fn line_bytes_of(length: usize) -> usize {
    LINE_BYTES_MAX - (length < 10) as usize
}

const fn unused_bits_of(bytes: usize) -> usize {
    8 * (WORD_BYTES - bytes)
}

/// Where the request ends that `buffer` begins with, if it does with one of these arguments.
#[inline]
pub(super) fn end(buffer: &[u8], ranges: &[ArgRange]) -> Option<usize> {
    let (first, others) = ranges.split_first()?;
    if opening_end(buffer, ranges.len(), first.len as usize)? != first.start as usize {
        return None;
    }
    let mut end = (first.start + first.len) as usize;
    for range in others {
        let (start, length) = (range.start as usize, range.len as usize);
        let separator = *SEPARATORS.get(length)?;
        let separator_bytes = 2 + line_bytes_of(length);
        // Before any argument but the first there are an opening and a separator: more than a word.
        let word = word_at(buffer, start.checked_sub(WORD_BYTES)?)?;
        let differs = (word ^ separator) >> unused_bits_of(separator_bytes) != 0;
        if differs || start != end + separator_bytes {
            return None;
        }
        end = start + length;
    }
    (buffer.get(end..)?.first_chunk() == Some(b"\r\n")).then_some(end + 2)
}

/// Where the lines end that say how many arguments there are and how long the first one is.
#[inline]
fn opening_end(buffer: &[u8], count: usize, length: usize) -> Option<usize> {
    if count < 10 && length < 10 {
        let opening = SHORT_OPENING + ((count as u64) << 8) + ((length as u64) << 40);
        return (word_at(buffer, 0)? == opening).then_some(WORD_BYTES);
    }
    let count_end = length_line_end(buffer, 0, b'*', count)?;
    length_line_end(buffer, count_end, b'$', length)
}

/// Where the line of `mark` and `length` ends that begins at `at`; `None` if there is another.
fn length_line_end(buffer: &[u8], at: usize, mark: u8, length: usize) -> Option<usize> {
    let line = LINES.get(length)? | u64::from(mark);
    let line_bytes = line_bytes_of(length);
    ((word_at(buffer, at)? ^ line) << unused_bits_of(line_bytes) == 0).then_some(at + line_bytes)
}

#[inline]
fn word_at(buffer: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*buffer.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::arguments::{ArgRange, Arguments};
    use crate::journal::write_command;

    /// A request and where its arguments are.
    fn request(parts: &[Vec<u8>]) -> (Vec<u8>, Vec<ArgRange>) {
        let (mut text, mut ranges) = (Vec::new(), Vec::new());
        write_command(&mut text, parts.len(), parts.iter().map(Vec::as_slice));
        let mut end = text.len();
        for part in parts.iter().rev() {
            let start = end - 2 - part.len();
            ranges.push(ArgRange { start: start as u32, len: part.len() as u32 });
            end = start - format!("${}\r\n", part.len()).len();
        }
        ranges.reverse();
        (text, ranges)
    }

    /// The same with another behind it.
    fn pipeline(parts: &[Vec<u8>]) -> (Vec<u8>, usize, Vec<ArgRange>) {
        let (mut text, ranges) = request(parts);
        let request_bytes = text.len();
        text.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
        (text, request_bytes, ranges)
    }

    fn check(parts: &[Vec<u8>], is_short: bool) {
        let (text, request_bytes, ranges) = pipeline(parts);
        let found = Arguments::new(&text, &ranges).as_request();
        assert_eq!(found, is_short.then_some(&text[..request_bytes]), "{parts:?} and more");
        let found = Arguments::new(&text[..request_bytes], &ranges).as_request();
        assert_eq!(found, is_short.then_some(&text[..request_bytes]), "{parts:?}");
    }

    #[test]
    fn requests_of_all_short_lengths_are_known() {
        for length in 0..120 {
            check(&[b"SET".to_vec(), vec![b'v'; length]], length < 100);
            check(&vec![b"word".to_vec(); length + 1], length + 1 < 100);
        }
    }

    #[test]
    fn arguments_of_other_buffers_are_no_request() {
        let ranges = [ArgRange { start: 0, len: 3 }, ArgRange { start: 4, len: 1 }];
        assert_eq!(Arguments::new(b"get k and some more", &ranges).as_request(), None);
        assert_eq!(Arguments::new(b"getk", &ranges[..1]).as_request(), None);
        assert_eq!(Arguments::new(b"", &[]).as_request(), None);
    }

    proptest! {
        #[test]
        fn a_request_is_what_was_written(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..20)
        ) {
            check(&parts, true);
        }

        /// Whatever byte of the frame differs, it is not taken for a request.
        #[test]
        fn no_byte_between_the_arguments_may_differ(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 1..5),
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let (mut text, request_bytes, ranges) = pipeline(&parts);
            let at = place.index(request_bytes);
            let is_inside = ranges.iter().any(|range| {
                (range.start as usize..(range.start + range.len) as usize).contains(&at)
            });
            let is_same = text[at] == byte;
            text[at] = byte;
            let found = Arguments::new(&text, &ranges).as_request();
            prop_assert_eq!(found.is_some(), is_inside || is_same);
        }
    }
}
