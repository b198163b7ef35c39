//! How scores and ranges are written: `1.5`, `(1.5`, `-inf`; `[a`, `(a`, `-`, `+`; `0 -1`.

use std::ops::Range;

use crate::error::{self, CommandError};
use crate::number::{parse_double, parse_integer};
use crate::sorted_set::Cut;

const NOT_A_SCORE_RANGE: CommandError = CommandError::Fixed("ERR min or max is not a float");
const NOT_A_LEX_RANGE: CommandError =
    CommandError::Fixed("ERR min or max not valid string range item");

/// Which C takes for a blank, and Rust does not.
const VERTICAL_TAB: u8 = 0x0b;

/// A score, weight or coordinate. What is too large or too small for a double is refused, as
/// `strtod` reports it.
pub(super) fn parse_score(text: &[u8]) -> Option<f64> {
    let value = parse_double(text)?;
    let is_out_of_range = if value.is_infinite() {
        !text.iter().any(|byte| byte.eq_ignore_ascii_case(&b'i'))
    } else {
        value == 0.0 && has_nonzero_digit(text)
    };
    (!is_out_of_range).then_some(value)
}

/// Whether the digits in front of an exponent say more than zero.
fn has_nonzero_digit(text: &[u8]) -> bool {
    let is_hexadecimal = text.iter().any(|byte| matches!(byte, b'x' | b'X'));
    let is_exponent = |byte: &u8| match byte.to_ascii_lowercase() {
        b'p' => is_hexadecimal,
        b'e' => !is_hexadecimal,
        _ => false,
    };
    let mantissa = text.split(is_exponent).next().unwrap_or(text);
    mantissa.iter().any(|byte| matches!(byte, b'1'..=b'9') || is_hexadecimal && is_letter(*byte))
}

fn is_letter(byte: u8) -> bool {
    matches!(byte, b'a'..=b'f' | b'A'..=b'F')
}

/// Reads a number as plain `strtod` does, which passes over blanks in front of it and makes zero of
/// nothing, if not of blanks alone.
pub(super) fn parse_leniently(
    text: &[u8],
    parse: impl FnOnce(&[u8]) -> Option<f64>,
) -> Option<f64> {
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == VERTICAL_TAB;
    match text.iter().position(|byte| !is_blank(byte)) {
        Some(start) => parse(&text[start..]),
        None => text.is_empty().then_some(0.0),
    }
}

/// One end of a range of scores: the score and whether it is left out.
fn score_bound(text: &[u8]) -> Option<(f64, bool)> {
    let (number, is_exclusive) = match text {
        [b'(', number @ ..] => (number, true),
        _ => (text, false),
    };
    Some((parse_leniently(number, parse_double)?, is_exclusive))
}

/// The cuts at the ends of a range of scores.
pub(super) fn score_range<'a>(min: &[u8], max: &[u8]) -> Result<(Cut<'a>, Cut<'a>), CommandError> {
    let (low, low_excluded) = score_bound(min).ok_or(NOT_A_SCORE_RANGE)?;
    let (high, high_excluded) = score_bound(max).ok_or(NOT_A_SCORE_RANGE)?;
    let low = if low_excluded { Cut::AfterScore(low) } else { Cut::BeforeScore(low) };
    let high = if high_excluded { Cut::BeforeScore(high) } else { Cut::AfterScore(high) };
    Ok((low, high))
}

/// The cuts at the ends of a range of members.
pub(super) fn lex_range<'a>(
    min: &'a [u8],
    max: &'a [u8],
) -> Result<(Cut<'a>, Cut<'a>), CommandError> {
    let low = match min {
        b"-" => Cut::Start,
        b"+" => Cut::End,
        [b'[', member @ ..] => Cut::BeforeMember(member),
        [b'(', member @ ..] => Cut::AfterMember(member),
        _ => return Err(NOT_A_LEX_RANGE),
    };
    let high = match max {
        b"-" => Cut::Start,
        b"+" => Cut::End,
        [b'[', member @ ..] => Cut::AfterMember(member),
        [b'(', member @ ..] => Cut::BeforeMember(member),
        _ => return Err(NOT_A_LEX_RANGE),
    };
    Ok((low, high))
}

/// Two positions, both included, which count from the end where they are negative.
#[derive(Clone, Copy, Debug)]
pub(super) struct RankRange {
    start: i64,
    stop: i64,
}

impl RankRange {
    /// Reads both ends.
    pub(super) fn parse(start: &[u8], stop: &[u8]) -> Result<Self, CommandError> {
        Ok(Self {
            start: parse_integer(start).ok_or(error::NOT_AN_INTEGER)?,
            stop: parse_integer(stop).ok_or(error::NOT_AN_INTEGER)?,
        })
    }

    /// The positions among `length` entries that are meant.
    pub(super) fn within(self, length: usize) -> Range<usize> {
        let length = length as i64;
        let from_front = |position: i64| {
            if position < 0 { position.saturating_add(length) } else { position }
        };
        let start = from_front(self.start).clamp(0, length);
        let end = from_front(self.stop).saturating_add(1).clamp(start, length);
        start as usize..end as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_ranks(start: &str, stop: &str, expected: Range<usize>) {
        let range = RankRange::parse(start.as_bytes(), stop.as_bytes()).expect("these are numbers");
        assert_eq!(range.within(10), expected);
    }

    #[test]
    fn blanks_come_before_a_number_and_are_none() {
        let read = |text: &[u8]| parse_leniently(text, parse_score);
        assert_eq!(read(b" \t\n\x0b\x0c\r1.5"), Some(1.5));
        assert_eq!(read(b""), Some(0.0));
        assert_eq!([read(b" "), read(b"\n"), read(b"\x0c"), read(b"1 ")], [None; 4]);
    }

    #[test]
    fn ranks_count_from_either_end() {
        check_ranks("0", "-1", 0..10);
        check_ranks("2", "3", 2..4);
        check_ranks("-3", "-2", 7..9);
        check_ranks("-100", "100", 0..10);
        check_ranks("5", "4", 5..5);
        check_ranks("10", "11", 10..10);
        check_ranks("0", "-11", 0..0);
        check_ranks("-9223372036854775808", "9223372036854775807", 0..10);
    }

    #[test]
    fn scores_beyond_what_a_double_holds_are_refused() {
        for text in ["1e400", "-1e400", "1e-400", "0x1p-2000", "nan", "", " 1", "1 ", "abc"] {
            assert_eq!(parse_score(text.as_bytes()), None, "{text}");
        }
        for (text, value) in [("0", 0.0), ("-0e5", 0.0), ("0x0p9", 0.0), ("1e300", 1e300)] {
            assert_eq!(parse_score(text.as_bytes()), Some(value), "{text}");
        }
        assert_eq!(parse_score(b"+INF"), Some(f64::INFINITY));
    }

    #[test]
    fn ends_of_ranges_are_cuts() {
        let cuts = score_range(b"(1", b"inf").expect("a range");
        assert_eq!(cuts, (Cut::AfterScore(1.0), Cut::AfterScore(f64::INFINITY)));
        assert_eq!(score_range(b"", b" 2"), Ok((Cut::BeforeScore(0.0), Cut::AfterScore(2.0))));
        assert_eq!(score_range(b"1", b"2 "), Err(NOT_A_SCORE_RANGE));
        assert_eq!(lex_range(b"-", b"(b"), Ok((Cut::Start, Cut::BeforeMember(b"b"))));
        assert_eq!(lex_range(b"[a", b"+"), Ok((Cut::BeforeMember(b"a"), Cut::End)));
        assert_eq!(lex_range(b"a", b"+"), Err(NOT_A_LEX_RANGE));
        assert_eq!(lex_range(b"", b"+"), Err(NOT_A_LEX_RANGE));
    }
}
