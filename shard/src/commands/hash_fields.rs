//! What commands on the deadlines of hash fields read from their command lines: the list behind
//! `FIELDS`, and a time.

use super::lifetime::TimeForm;
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::hashes::{DEADLINE_END_MS, Hash};
use crate::number::parse_integer;
use crate::store::Access;

const NO_FIELDS: CommandError =
    CommandError::Fixed("ERR Mandatory argument FIELDS is missing or not at the right position");
const WRONG_COUNT: CommandError =
    CommandError::Fixed("ERR The `numfields` parameter must match the number of arguments");
const NEGATIVE_TIME: CommandError = CommandError::Fixed("ERR invalid expire time, must be >= 0");

/// What most commands answer to a count of fields that is none.
pub(super) const BAD_COUNT: CommandError =
    CommandError::Fixed("ERR Number of fields must be a positive integer");

/// Refuses a key that holds something else than a hash. These commands look at the key before
/// they read what they are asked to do with it.
pub(super) fn check_type(call: &mut Call<'_>) -> Outcome {
    call.store.collection::<Hash>(call.key(1), Access::Peek).map(|_| ())
}

/// Reads `FIELDS numfields field [field ...]` from argument `index` to the end. Returns the index
/// of the first field.
pub(super) fn read_fields(
    arguments: Arguments<'_>,
    index: usize,
    bad_count: CommandError,
) -> Result<usize, CommandError> {
    if !arguments.is(index, "fields") {
        return Err(NO_FIELDS);
    }
    let count = arguments.get(index + 1).and_then(parse_integer).filter(|count| *count > 0);
    let count = count.ok_or(bad_count)?;
    let first = index + 2;
    if usize::try_from(count) != Ok(arguments.len() - first) {
        return Err(WRONG_COUNT);
    }
    Ok(first)
}

/// Reads a time of expiry. It may be past but not negative, and has a bound of its own.
pub(super) fn read_deadline(
    form: TimeForm,
    text: &[u8],
    call: &Call<'_>,
) -> Result<i64, CommandError> {
    let amount = parse_integer(text).ok_or(error::NOT_AN_INTEGER)?;
    if amount < 0 {
        return Err(NEGATIVE_TIME);
    }
    form.to_unix_ms(amount, call.store.now().unix_ms())
        .filter(|at_ms| *at_ms < DEADLINE_END_MS)
        .ok_or_else(|| error::invalid_expire_time(call.row.name))
}
