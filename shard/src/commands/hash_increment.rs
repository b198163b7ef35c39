//! Counters in fields: HINCRBY, HINCRBYFLOAT.
//!
//! An incremented field keeps its deadline. A missing field counts from zero.

use std::iter;

use super::hash::limits_of;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::hashes::{Hash, Lifetime, Text};
use crate::long_double::LongDouble;
use crate::number::parse_integer;
use crate::object::Missing;
use crate::store::{Access, Key};

const NOT_AN_INTEGER: CommandError = CommandError::Fixed("ERR hash value is not an integer");
const NOT_A_FLOAT: CommandError = CommandError::Fixed("ERR hash value is not a float");
const NOT_FINITE: CommandError = CommandError::Fixed("ERR value is NaN or Infinity");
const BECOMES_INFINITE: CommandError =
    CommandError::Fixed("ERR increment would produce NaN or Infinity");

/// HINCRBY.
pub fn hincrby(call: &mut Call<'_>) -> Outcome {
    let amount = parse_integer(call.arguments.at(3)).ok_or(error::NOT_AN_INTEGER)?;
    let sum = replace_value(call, Event::HIncrBy, |present| {
        let sum = integer_of(present)?.checked_add(amount).ok_or(error::INTEGER_OVERFLOW)?;
        Ok(sum.to_string())
    })?;
    [b":", sum.as_bytes(), b"\r\n"].iter().for_each(|part| call.reply.raw(part));
    Ok(())
}

/// HINCRBYFLOAT.
pub fn hincrbyfloat(call: &mut Call<'_>) -> Outcome {
    let amount = LongDouble::parse(call.arguments.at(3)).ok_or(error::NOT_A_FLOAT)?;
    if amount.is_infinite() {
        return Err(NOT_FINITE);
    }
    let sum = replace_value(call, Event::HIncrByFloat, |present| {
        let sum = float_of(present)?.checked_add(amount).ok_or(BECOMES_INFINITE)?;
        Ok(sum.to_string())
    })?;
    call.reply.bulk(sum.as_bytes());
    Ok(())
}

fn integer_of(value: Option<Text<'_>>) -> Result<i64, CommandError> {
    match value {
        None => Ok(0),
        Some(Text::Integer(number)) => Ok(number),
        Some(text) => parse_integer(text.bytes(&mut itoa::Buffer::new())).ok_or(NOT_AN_INTEGER),
    }
}

fn float_of(value: Option<Text<'_>>) -> Result<LongDouble, CommandError> {
    match value {
        None => Ok(LongDouble::ZERO),
        Some(Text::Integer(number)) => Ok(LongDouble::from_integer(number)),
        Some(text) => LongDouble::parse(text.bytes(&mut itoa::Buffer::new())).ok_or(NOT_A_FLOAT),
    }
}

/// Tells the journal what value a field has now; HSET would take its deadline away.
fn journal_field(call: &mut Call<'_>, key: Key<'_>, name: &[u8], value: &[u8]) {
    let now_ms = call.store.now_ms();
    let hash = call.store.collection::<Hash>(key, Access::Peek).ok().flatten();
    let deadline_ms = hash.and_then(|hash| hash.deadline_ms(name, now_ms)).flatten();
    match deadline_ms {
        None => call.did(key, &[b"HSET", key.name, name, value]),
        Some(at_ms) => {
            let at_ms = at_ms.to_string();
            let parts: [&[u8]; 8] =
                [b"HSETEX", key.name, b"PXAT", at_ms.as_bytes(), b"FIELDS", b"1", name, value];
            call.did(key, &parts);
        }
    }
}

/// Writes what `next` makes of the value of the field at argument 2, and returns it.
fn replace_value(
    call: &mut Call<'_>,
    event: Event,
    next: impl FnOnce(Option<Text<'_>>) -> Result<String, CommandError>,
) -> Result<String, CommandError> {
    let name = call.arguments.at(2);
    let (key, now_ms, limits) = (call.key(1), call.store.now_ms(), limits_of(call.store));
    let replace = |hash: &mut Hash| -> Result<String, CommandError> {
        let value = next(hash.get(name, now_ms))?;
        hash.set(name, value.as_bytes(), Lifetime::Kept, now_ms, &limits);
        Ok(value)
    };
    let replaced = call.store.change_hash(key, Missing::Create, replace)?;
    let value = replaced.expect("it is made if it is missing")?;
    call.store.changed_fields(key, event, iter::once(name));
    if call.store.journal.is_on() {
        journal_field(call, key, name, value.as_bytes());
    }
    Ok(value)
}
