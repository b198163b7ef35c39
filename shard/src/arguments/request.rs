//! Whether the bytes around arguments are those of a request in its plainest form.
//!
//! ```text
//! *3\r\n$3\r\n SET \r\n$3\r\n key \r\n$2\r\n 42 \r\n
//! opening        separator       separator       end
//! ```
//!
//! This is done for every command that is told, so where lengths have one or two digits, as most
//! have, each piece is compared at once, as a word.

use std::ops::Range;

use super::ArgRange;

/// Lengths below this are compared as words.
const LENGTHS: usize = 100;

const WORD_BYTES: usize = 8;

/// The opening of a command whose count and whose first length have one digit, without these.
const SHORT_OPENING: u64 = u64::from_le_bytes(*b"*0\r\n$0\r\n");

/// `\r\n$<digits>\r\n` of each length, the last byte highest.
const SEPARATORS: [u64; LENGTHS] = build_separators();

const fn build_separators() -> [u64; LENGTHS] {
    let mut separators = [0; LENGTHS];
    let mut length = 0;
    while length < LENGTHS {
        let (tens, ones) = (b'0' + (length / 10) as u8, b'0' + (length % 10) as u8);
        separators[length] = match length {
            0..10 => u64::from_le_bytes([0, 0, b'\r', b'\n', b'$', ones, b'\r', b'\n']),
            _ => u64::from_le_bytes([0, b'\r', b'\n', b'$', tens, ones, b'\r', b'\n']),
        };
        length += 1;
    }
    separators
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
        let is_separator = match SEPARATORS.get(length) {
            Some(separator) => is_separator(*separator, length, buffer, end..start),
            None => length_line_end(buffer, line_end(buffer, end)?, b'$', length)? == start,
        };
        if !is_separator {
            return None;
        }
        end = start + length;
    }
    line_end(buffer, end)
}

/// Whether these bytes of `buffer` are what stands before an argument of that length.
#[inline]
fn is_separator(separator: u64, length: usize, buffer: &[u8], range: Range<usize>) -> bool {
    let bytes = if length < 10 { 6 } else { 7 };
    // Before any argument but the first there are an opening and a separator: more than a word.
    let word = range.end.checked_sub(WORD_BYTES).and_then(|at| word_at(buffer, at));
    let is_it = |word: u64| (word ^ separator) >> (8 * (WORD_BYTES - bytes)) == 0;
    range.len() == bytes && word.is_some_and(is_it)
}

/// Where the line ends of which nothing but its end is left at `at`.
#[inline]
fn line_end(buffer: &[u8], at: usize) -> Option<usize> {
    (buffer.get(at..)?.first_chunk() == Some(b"\r\n")).then_some(at + 2)
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
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(length).as_bytes();
    let line = buffer.get(at..)?.strip_prefix(&[mark])?.strip_prefix(digits)?;
    line.starts_with(b"\r\n").then_some(at + 1 + digits.len() + 2)
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

    fn check(parts: &[Vec<u8>]) {
        let (text, request_bytes, ranges) = pipeline(parts);
        let found = Arguments::new(&text, &ranges).as_request();
        assert_eq!(found, Some(&text[..request_bytes]), "{parts:?} and more");
        let found = Arguments::new(&text[..request_bytes], &ranges).as_request();
        assert_eq!(found, Some(&text[..request_bytes]), "{parts:?}");
    }

    #[test]
    fn requests_of_all_lengths_are_known() {
        for length in (0..120).chain([999, 1000, 1024, 100_000]) {
            check(&[b"SET".to_vec(), vec![b'v'; length]]);
            check(&[vec![b'v'; length], b"SET".to_vec()]);
            check(&vec![b"word".to_vec(); length + 1]);
        }
    }

    #[test]
    fn arguments_of_other_buffers_are_no_request() {
        let ranges = [ArgRange { start: 0, len: 3 }, ArgRange { start: 4, len: 1 }];
        assert_eq!(Arguments::new(b"get k and some more", &ranges).as_request(), None);
        assert_eq!(Arguments::new(b"getk", &ranges[..1]).as_request(), None);
        assert_eq!(Arguments::new(b"", &[]).as_request(), None);
    }

    /// An argument whose length has one digit or several.
    fn argument() -> impl Strategy<Value = Vec<u8>> {
        let bytes = |lengths| prop::collection::vec(any::<u8>(), lengths);
        prop_oneof![4 => bytes(0..12), 1 => bytes(95..115), 1 => bytes(995..1005)]
    }

    proptest! {
        #[test]
        fn a_request_is_what_was_written(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..20)
        ) {
            check(&parts);
        }

        /// Whatever byte of the frame differs, it is not taken for a request.
        #[test]
        fn no_byte_between_the_arguments_may_differ(
            parts in prop::collection::vec(argument(), 1..5),
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
