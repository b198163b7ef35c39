//! Counters: INCR and DECR by integers, INCRBYFLOAT.
//!
//! An incremented key keeps its expiry. A missing key counts from zero.

use super::string::text_of;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::long_double::LongDouble;
use crate::number::parse_integer;
use crate::object::Object;
use crate::store::{Key, Store};
use crate::table::{Value, ValueRef};
use crate::types::Type;

/// INCR.
pub fn incr(call: &mut Call<'_>) -> Outcome {
    increment(call, 1)
}

/// DECR.
pub fn decr(call: &mut Call<'_>) -> Outcome {
    increment(call, -1)
}

/// INCRBY.
pub fn incrby(call: &mut Call<'_>) -> Outcome {
    let amount = parse_integer(call.arguments.at(2)).ok_or(error::NOT_AN_INTEGER)?;
    increment(call, amount)
}

/// DECRBY.
pub fn decrby(call: &mut Call<'_>) -> Outcome {
    let amount = parse_integer(call.arguments.at(2)).ok_or(error::NOT_AN_INTEGER)?;
    let amount = amount.checked_neg().ok_or(CommandError::Fixed("ERR decrement would overflow"))?;
    increment(call, amount)
}

/// The integer a stored string is.
pub(super) fn integer_of(value: ValueRef<'_, Object>) -> Result<i64, CommandError> {
    match value {
        ValueRef::Int(number) => Ok(number),
        ValueRef::Bytes(bytes) => parse_integer(bytes).ok_or(error::NOT_AN_INTEGER),
        ValueRef::Shared(bytes) => parse_integer(bytes).ok_or(error::NOT_AN_INTEGER),
        ValueRef::Object(_) => Err(error::WRONG_TYPE),
    }
}

/// The floating point number a stored string is.
pub(super) fn float_of(value: ValueRef<'_, Object>) -> Result<LongDouble, CommandError> {
    if let ValueRef::Int(number) = value {
        return Ok(LongDouble::from_integer(number));
    }
    LongDouble::parse(text_of(value, &mut itoa::Buffer::new())?).ok_or(error::NOT_A_FLOAT)
}

/// Gives a key another value and leaves its expiry.
pub(super) fn replace_value(store: &mut Store, key: Key<'_>, value: Value<'_, Object>) {
    if let Some(mut entry) = store.find_mut(key) {
        // A value that was read as a number is not long: nothing worth freeing elsewhere.
        entry.set_value(Type::String.kind(), value);
    } else {
        store.set(key, Type::String, value, None);
    }
}

fn increment(call: &mut Call<'_>, amount: i64) -> Outcome {
    let key = call.key(1);
    let sum = if let Some(mut entry) = call.store.find_mut(key) {
        let present = integer_of(entry.as_entry().value())?;
        let sum = present.checked_add(amount).ok_or(error::INTEGER_OVERFLOW)?;
        entry.set_value(Type::String.kind(), Value::Int(sum));
        sum
    } else {
        call.store.set(key, Type::String, Value::Int(amount), None);
        amount
    };
    call.store.changed(key, Event::IncrBy);
    call.reply.integer(sum);
    Ok(())
}

/// INCRBYFLOAT. The sum is stored as text, never as a number, so that it stays what was answered.
pub fn incrbyfloat(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1);
    let present = match call.store.find_mut(key) {
        Some(entry) => float_of(entry.as_entry().value())?,
        None => LongDouble::ZERO,
    };
    let amount = LongDouble::parse(call.arguments.at(2)).ok_or(error::NOT_A_FLOAT)?;
    let sum = present
        .checked_add(amount)
        .ok_or(CommandError::Fixed("ERR increment would produce NaN or Infinity"))?
        .to_string();
    replace_value(call.store, key, Value::Bytes(sum.as_bytes()));
    call.store.changed(key, Event::IncrByFloat);
    call.did(key, &[b"SET", key.name, sum.as_bytes(), b"KEEPTTL"]);
    call.reply.bulk(sum.as_bytes());
    Ok(())
}
