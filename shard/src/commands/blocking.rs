//! What all commands that wait for keys share: when their time is over, and the look at one key
//! after the other before they begin to wait.

use std::ops::Range;

use crate::call::Call;
use crate::error::{CommandError, Outcome};
use crate::key_waits::KeyWait;
use crate::number::parse_double;
use crate::object::Collection;
use crate::store::Access;

const NEGATIVE_TIMEOUT: CommandError = CommandError::Fixed("ERR timeout is negative");
const TIMEOUT_TOO_LARGE: CommandError = CommandError::Fixed("ERR timeout is out of range");
const NO_TIMEOUT: CommandError = CommandError::Fixed("ERR timeout is not a float or out of range");

/// Decimal fractions of a second have no exact double: what they are off by is no millisecond more.
const MILLISECOND_ERROR_MAX: f64 = 1e-6;

/// When the time given in seconds at an argument is over, monotonic milliseconds; `None` for never,
/// which 0 stands for.
///
/// # Errors
/// If it is no number, negative, or too large.
pub(super) fn deadline_from_seconds(
    call: &Call<'_>,
    index: usize,
) -> Result<Option<u64>, CommandError> {
    let seconds = parse_double(call.arguments.at(index)).ok_or(NO_TIMEOUT)?;
    let milliseconds = seconds * 1000.0;
    if milliseconds > i64::MAX as f64 {
        return Err(TIMEOUT_TOO_LARGE);
    }
    if milliseconds < 0.0 {
        return Err(NEGATIVE_TIMEOUT);
    }
    // However little it is, it is not for ever: clients ask for the smallest double there is.
    let least_ms = u64::from(seconds > 0.0);
    deadline_in(call, ((milliseconds - MILLISECOND_ERROR_MAX).ceil() as u64).max(least_ms))
}

fn deadline_in(call: &Call<'_>, timeout_ms: u64) -> Result<Option<u64>, CommandError> {
    let unix_ms = call.store.now_ms().unsigned_abs();
    if timeout_ms > i64::MAX as u64 - unix_ms {
        return Err(TIMEOUT_TOO_LARGE);
    }
    Ok((timeout_ms > 0).then(|| call.store.now().monotonic_ms_after(timeout_ms)))
}

/// A wait for keys to hold a collection of type `C`, which `serve` takes from.
pub(super) fn wait_for<C: Collection>(
    keys: Range<usize>,
    deadline_ms: Option<u64>,
    serve: fn(&mut Call<'_>, usize) -> Outcome,
) -> KeyWait {
    KeyWait {
        keys,
        deadline_ms,
        is_ready: holds::<C>,
        ready_at_ms: None,
        serve,
        on_timeout: |reply| reply.null_array(),
        wants_missing: false,
        companion: None,
        resolved: Vec::new(),
    }
}

/// Whether the key at an argument holds a collection of type `C`.
fn holds<C: Collection>(call: &mut Call<'_>, index: usize) -> bool {
    let key = call.key(index);
    matches!(call.store.collection::<C>(key, Access::Peek), Ok(Some(_)))
}
