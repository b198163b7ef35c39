//! INCREX: a counter with bounds whose expiry can be set in the same step.
//!
//! ```text
//! sum within the bounds           stored; answers sum and increment
//! sum outside                     nothing happens, not even to the expiry; answers value and 0
//! sum outside, with SATURATE      the bound is stored; answers it and what was really added
//! ```
//!
//! A value that lies outside the bounds already is treated no differently.

use super::increment::{float_of, integer_of, replace_value};
use super::lifetime::Lifetime;
use super::string_set::journal_set;
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::long_double::LongDouble;
use crate::number::parse_integer;
use crate::object::Object;
use crate::reply::{Protocol, Reply};
use crate::store::Access;
use crate::table::Value;

const BOUNDS_CROSSED: CommandError = CommandError::Fixed("ERR LBOUND can't be greater than UBOUND");
const APPLIED_OVERFLOW: CommandError = CommandError::Fixed("ERR applied increment would overflow");
const VALUE_INFINITE: CommandError = CommandError::Fixed("ERR value cannot be Infinity");

/// What is added, as the client wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step<'a> {
    /// One.
    #[default]
    Unsaid,
    /// `BYINT`
    Integer(&'a [u8]),
    /// `BYFLOAT`
    Float(&'a [u8]),
}

/// What stands behind `INCREX key`.
#[derive(Default)]
struct Options<'a> {
    step: Step<'a>,
    lower: Option<&'a [u8]>,
    upper: Option<&'a [u8]>,
    saturates: bool,
    lifetime: Lifetime<'a>,
    /// `ENX`: an expiry the key has stays.
    keeps_expiry: bool,
}

impl<'a> Options<'a> {
    /// Unlike elsewhere, no option may come twice.
    fn parse(arguments: Arguments<'a>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        let mut index = 2;
        while index < arguments.len() {
            match options.read_option(arguments, index) {
                0 => return Err(error::SYNTAX),
                taken => index += taken,
            }
        }
        match options.lifetime {
            Lifetime::Keep => Err(error::SYNTAX),
            Lifetime::Persist if options.keeps_expiry => Err(error::SYNTAX),
            Lifetime::Unsaid if options.keeps_expiry => {
                Err(CommandError::Fixed("ERR ENX flag requires an expiration"))
            }
            _ => Ok(options),
        }
    }

    fn read_option(&mut self, arguments: Arguments<'a>, index: usize) -> usize {
        let operand = arguments.get(index + 1);
        let (fits, taken) = match (operand, ()) {
            (Some(text), ()) if arguments.is(index, "byint") => {
                (replace_default(&mut self.step, Step::Integer(text)), 2)
            }
            (Some(text), ()) if arguments.is(index, "byfloat") => {
                (replace_default(&mut self.step, Step::Float(text)), 2)
            }
            (Some(text), ()) if arguments.is(index, "lbound") => {
                (replace_default(&mut self.lower, Some(text)), 2)
            }
            (Some(text), ()) if arguments.is(index, "ubound") => {
                (replace_default(&mut self.upper, Some(text)), 2)
            }
            _ if arguments.is(index, "saturate") => (replace_default(&mut self.saturates, true), 1),
            _ if arguments.is(index, "enx") => (replace_default(&mut self.keeps_expiry, true), 1),
            _ => {
                let is_first = self.lifetime == Lifetime::Unsaid;
                (is_first, self.lifetime.read_option(arguments, index))
            }
        };
        if fits { taken } else { 0 }
    }
}

/// Sets what was not set before; returns whether that was so.
fn replace_default<T: Default + PartialEq>(place: &mut T, value: T) -> bool {
    std::mem::replace(place, value) == T::default()
}

/// What an increment comes to.
#[derive(Debug, PartialEq)]
enum Change<N> {
    /// The value stays.
    Refused(N),
    /// The new value, and by how much it differs from the one before.
    Made { value: N, applied: N },
}

fn add_integer(
    present: i64,
    amount: i64,
    bounds: (i64, i64),
    saturates: bool,
) -> Result<Change<i64>, CommandError> {
    let sum = i128::from(present) + i128::from(amount);
    let bounded = sum.clamp(i128::from(bounds.0), i128::from(bounds.1));
    if bounded != sum && !saturates {
        return Ok(Change::Refused(present));
    }
    let value = bounded as i64;
    let applied = value.checked_sub(present).ok_or(APPLIED_OVERFLOW)?;
    Ok(Change::Made { value, applied })
}

fn add_float(
    present: LongDouble,
    amount: LongDouble,
    (lower, upper): (LongDouble, LongDouble),
    saturates: bool,
) -> Result<Change<LongDouble>, CommandError> {
    let bound = match present.checked_add(amount) {
        Some(sum) if sum < lower => lower,
        Some(sum) if sum > upper => upper,
        Some(sum) => return Ok(Change::Made { value: sum, applied: amount }),
        None if amount.is_negative() => lower,
        None => upper,
    };
    if !saturates {
        return Ok(Change::Refused(present));
    }
    let applied = bound
        .checked_add(present.negated())
        .ok_or(CommandError::Fixed("ERR applied increment would produce Infinity"))?;
    Ok(Change::Made { value: bound, applied })
}

/// INCREX.
pub fn increx(call: &mut Call<'_>) -> Outcome {
    let options = Options::parse(call.arguments)?;
    let deadline_ms = options.lifetime.deadline_ms(call)?;
    match options.step {
        Step::Unsaid => by_integer(call, &options, deadline_ms, 1),
        Step::Integer(text) => {
            let amount = parse_integer(text)
                .ok_or(CommandError::Fixed("ERR Increment is not an integer or out of range"))?;
            by_integer(call, &options, deadline_ms, amount)
        }
        Step::Float(text) => {
            let amount = LongDouble::parse(text)
                .ok_or(CommandError::Fixed("ERR Increment is not a valid float"))?;
            if amount.is_infinite() {
                return Err(CommandError::Fixed("ERR BYFLOAT increment cannot be Infinity"));
            }
            by_float(call, &options, deadline_ms, amount)
        }
    }
}

fn by_integer(
    call: &mut Call<'_>,
    options: &Options<'_>,
    deadline_ms: Option<i64>,
    amount: i64,
) -> Outcome {
    let bound = |text: Option<&[u8]>, default: i64, refusal: &'static str| match text {
        Some(text) => parse_integer(text).ok_or(CommandError::Fixed(refusal)),
        None => Ok(default),
    };
    let lower = bound(options.lower, i64::MIN, "ERR LBOUND is not an integer or out of range")?;
    let upper = bound(options.upper, i64::MAX, "ERR UBOUND is not an integer or out of range")?;
    if lower > upper {
        return Err(BOUNDS_CROSSED);
    }
    let present = call.store.find(call.key(1), Access::Peek).map(|entry| entry.value());
    let present = present.map_or(Ok(0), integer_of)?;
    let (value, applied) = match add_integer(present, amount, (lower, upper), options.saturates)? {
        Change::Refused(value) => (value, 0),
        Change::Made { value, applied } => {
            write(call, options, deadline_ms, Value::Int(value), Event::IncrBy);
            (value, applied)
        }
    };
    call.reply.array_len(2);
    call.reply.integer(value);
    call.reply.integer(applied);
    Ok(())
}

fn by_float(
    call: &mut Call<'_>,
    options: &Options<'_>,
    deadline_ms: Option<i64>,
    amount: LongDouble,
) -> Outcome {
    let bound = |text: Option<&[u8]>, default: LongDouble, refusal: &'static str| match text {
        Some(text) => LongDouble::parse(text).ok_or(CommandError::Fixed(refusal)),
        None => Ok(default),
    };
    let max = LongDouble::MAX;
    let lower = bound(options.lower, max.negated(), "ERR LBOUND is not a valid float")?;
    let upper = bound(options.upper, max, "ERR UBOUND is not a valid float")?;
    if lower > upper {
        return Err(BOUNDS_CROSSED);
    }
    let present = call.store.find(call.key(1), Access::Peek).map(|entry| entry.value());
    let present = present.map_or(Ok(LongDouble::ZERO), float_of)?;
    if present.is_infinite() {
        return Err(VALUE_INFINITE);
    }
    let (value, applied) = match add_float(present, amount, (lower, upper), options.saturates)? {
        Change::Refused(value) => (value, LongDouble::ZERO),
        Change::Made { value, .. } if value.is_infinite() => return Err(VALUE_INFINITE),
        Change::Made { value, applied } => {
            let text = value.to_string();
            write(call, options, deadline_ms, Value::Bytes(text.as_bytes()), Event::IncrByFloat);
            (value, applied)
        }
    };
    call.reply.array_len(2);
    reply_float(&mut call.reply, value);
    reply_float(&mut call.reply, applied);
    Ok(())
}

fn reply_float(reply: &mut Reply<'_>, number: LongDouble) {
    let text = number.to_string();
    match reply.protocol() {
        Protocol::Resp2 => reply.bulk(text.as_bytes()),
        Protocol::Resp3 => {
            reply.raw(b",");
            reply.raw(text.as_bytes());
            reply.raw(b"\r\n");
        }
    }
}

/// Stores the new value and does to the expiry what was asked for.
fn write(
    call: &mut Call<'_>,
    options: &Options<'_>,
    deadline_ms: Option<i64>,
    value: Value<'_, Object>,
    event: Event,
) {
    let key = call.key(1);
    let expires =
        call.store.find(key, Access::Peek).is_some_and(|entry| entry.expiry_ms().is_some());
    let deadline_ms = deadline_ms.filter(|_| !(options.keeps_expiry && expires));
    if deadline_ms.is_some_and(|at_ms| at_ms <= call.store.now_ms()) {
        let lazily = call.store.settings().lazyfree_lazy_expire;
        if call.store.remove(key, lazily) {
            call.store.changed(key, Event::Del);
            call.did(key, &[b"DEL", key.name]);
        }
        return;
    }
    let text = match &value {
        Value::Int(number) => number.to_string().into_bytes(),
        Value::Bytes(bytes) => bytes.to_vec(),
        Value::Shared(_) | Value::Object(_) => unreachable!("sums are numbers or text"),
    };
    replace_value(call.store, key, value);
    call.store.changed(key, event);
    if deadline_ms.is_some() {
        call.store.set_expiry(key, deadline_ms);
        call.store.changed_too(key, Event::Expire);
    } else if options.lifetime == Lifetime::Persist && expires {
        call.store.set_expiry(key, None);
        call.store.changed_too(key, Event::Persist);
    }
    let expiry_ms = call.store.find(key, Access::Peek).and_then(|entry| entry.expiry_ms());
    journal_set(call.store, key, &text, expiry_ms);
}

/// The smallest cases in which the two kinds of numbers differ from plain addition.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_refused_or_saturate_at_the_limits_of_the_type() {
        let all = (i64::MIN, i64::MAX);
        let near = i64::MAX - 7;
        assert_eq!(add_integer(near, near, all, false), Ok(Change::Refused(near)));
        let saturated = Change::Made { value: i64::MAX, applied: 7 };
        assert_eq!(add_integer(near, near, all, true), Ok(saturated));
        let below = (i64::MIN, i64::MIN);
        assert_eq!(add_integer(near, 1, below, true), Err(APPLIED_OVERFLOW));
    }

    #[test]
    fn floats_saturate_at_their_largest() {
        let (max, one) = (LongDouble::MAX, LongDouble::from_integer(1));
        let bounds = (max.negated(), max);
        assert_eq!(add_float(max, max, bounds, false), Ok(Change::Refused(max)));
        let saturated = Change::Made { value: max, applied: LongDouble::ZERO };
        assert_eq!(add_float(max, max, bounds, true), Ok(saturated));
        let sum = Change::Made { value: LongDouble::from_integer(2), applied: one };
        assert_eq!(add_float(one, one, bounds, true), Ok(sum));
    }
}
