//! Ids of entries as arguments name them.
//!
//! | form | means |
//! |---|---|
//! | `ms-seq` | this id |
//! | `ms` | the first or the last of that millisecond, as befits the argument |
//! | `-`, `+` | the smallest and the greatest id, where a range is asked for |
//! | `(id` | the one behind or in front of it, at the ends of a range |
//! | `ms-*` | the next free one of that millisecond, in XADD |

use crate::arguments::Arguments;
use crate::error::CommandError;
use crate::stream::StreamId;

pub(super) const INVALID_ID: CommandError =
    CommandError::Fixed("ERR Invalid stream ID specified as stream command argument");

/// Longest text that is looked at.
const TEXT_BYTES_MAX: usize = 127;

/// An id whose sequence may be left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenId {
    /// This id.
    Given(StreamId),
    /// The next one of this millisecond.
    NextOf(u64),
}

/// A number as C's `strtoull` reads it, but for a minus sign: blanks, a plus sign and leading
/// zeros are fine.
fn number(text: &[u8]) -> Option<u64> {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let digits = text[blanks..].strip_prefix(b"+").unwrap_or(&text[blanks..]);
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let value = digit.checked_sub(b'0').filter(|value| *value <= 9)?;
        number.checked_mul(10)?.checked_add(u64::from(value))
    })
}

/// Splits `ms-seq`; the second part is `None` in `ms`.
fn split(text: &[u8]) -> Option<(u64, Option<&[u8]>)> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    match memchr::memchr(b'-', text) {
        Some(dash) => Some((number(&text[..dash])?, Some(&text[dash + 1..]))),
        None => Some((number(text)?, None)),
    }
}

/// The id `text` names; `seq_missing` is its sequence if that is left out.
pub(super) fn parse(text: &[u8], seq_missing: u64) -> Option<StreamId> {
    let (ms, rest) = split(text)?;
    let seq = rest.map_or(Some(seq_missing), number)?;
    Some(StreamId::new(ms, seq))
}

/// The id at argument `index`; a missing sequence is 0.
pub(super) fn id_at(arguments: Arguments<'_>, index: usize) -> Result<StreamId, CommandError> {
    parse(arguments.at(index), 0).ok_or(INVALID_ID)
}

/// The ids from argument `first` on, all of which must be ids.
pub(super) fn ids_from(
    arguments: Arguments<'_>,
    first: usize,
) -> Result<Vec<StreamId>, CommandError> {
    (first..arguments.len()).map(|index| id_at(arguments, index)).collect()
}

/// The id at argument `index`, whose sequence may be `*`.
pub(super) fn open_id_at(arguments: Arguments<'_>, index: usize) -> Result<OpenId, CommandError> {
    match split(arguments.at(index)) {
        Some((ms, Some(b"*"))) => Ok(OpenId::NextOf(ms)),
        _ => id_at(arguments, index).map(OpenId::Given),
    }
}

/// The id at argument `index`, or `-` or `+`.
pub(super) fn bound_at(
    arguments: Arguments<'_>,
    index: usize,
    seq_missing: u64,
) -> Result<StreamId, CommandError> {
    match arguments.at(index) {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        text => parse(text, seq_missing).ok_or(INVALID_ID),
    }
}

/// The first id of the range whose start is argument `index`.
pub(super) fn range_start(
    arguments: Arguments<'_>,
    index: usize,
) -> Result<StreamId, CommandError> {
    const BEHIND_ALL: CommandError = CommandError::Fixed("ERR invalid start ID for the interval");
    match arguments.at(index) {
        [b'(', text @ ..] if !text.is_empty() => {
            parse(text, 0).ok_or(INVALID_ID)?.next().ok_or(BEHIND_ALL)
        }
        _ => bound_at(arguments, index, 0),
    }
}

/// The last id of the range whose end is argument `index`.
pub(super) fn range_end(arguments: Arguments<'_>, index: usize) -> Result<StreamId, CommandError> {
    const BEFORE_ALL: CommandError = CommandError::Fixed("ERR invalid end ID for the interval");
    match arguments.at(index) {
        [b'(', text @ ..] if !text.is_empty() => {
            parse(text, u64::MAX).ok_or(INVALID_ID)?.previous().ok_or(BEFORE_ALL)
        }
        _ => bound_at(arguments, index, u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_redis_reads_them() {
        let read = |text: &str| parse(text.as_bytes(), 7);
        assert_eq!(read("5-3"), Some(StreamId::new(5, 3)));
        assert_eq!(read("5"), Some(StreamId::new(5, 7)));
        assert_eq!(read("007-+1"), Some(StreamId::new(7, 1)));
        assert_eq!(read(" 7- 1"), Some(StreamId::new(7, 1)));
        let greatest = "18446744073709551615-18446744073709551615";
        assert_eq!(read(greatest), Some(StreamId::MAX));
        assert_eq!(read(&format!("{}1-1", "0".repeat(125))), None);
        for text in ["", "-", "+", "a", "5-", "-5", "5-a", "5-1-1", "5--1", "5-*", "1 -1", "1-1 "] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("18446744073709551616-0"), None);
    }
}
