//! Numbers in arguments, and what is answered when they are none.

use crate::arguments::Arguments;
use crate::error::{self, CommandError};
use crate::number::parse_integer;

/// The integer at argument `index`.
pub(super) fn integer(arguments: Arguments<'_>, index: usize) -> Result<i64, CommandError> {
    parse_integer(arguments.at(index)).ok_or(error::NOT_AN_INTEGER)
}

/// The integer at argument `index`, which has to have a negative counterpart.
pub(super) fn symmetric_integer(
    arguments: Arguments<'_>,
    index: usize,
) -> Result<i64, CommandError> {
    match integer(arguments, index)? {
        i64::MIN => Err(error::NOT_SYMMETRIC),
        number => Ok(number),
    }
}

/// How many things the argument `index` asks for; `wrong` if it is no number from `least` on.
pub(super) fn count_from(
    least: i64,
    arguments: Arguments<'_>,
    index: usize,
    wrong: CommandError,
) -> Result<usize, CommandError> {
    match parse_integer(arguments.at(index)) {
        Some(count) if count >= least => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
        _ => Err(wrong),
    }
}

/// How many things the argument `index` asks for, none included.
pub(super) fn count(arguments: Arguments<'_>, index: usize) -> Result<usize, CommandError> {
    count_from(0, arguments, index, error::NOT_POSITIVE)
}

/// The number of keys that argument `index` announces.
pub(super) fn key_count(arguments: Arguments<'_>, index: usize) -> Result<usize, CommandError> {
    const NO_KEYS: CommandError = CommandError::Fixed("ERR numkeys should be greater than 0");
    count_from(1, arguments, index, NO_KEYS)
}
