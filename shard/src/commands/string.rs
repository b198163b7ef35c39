//! Strings: the commands that read them, and what all commands on strings share.
//!
//! | file | commands |
//! |---|---|
//! | `string` | GET MGET GETEX GETDEL GETRANGE STRLEN |
//! | `string_set` | SET SETNX SETEX PSETEX GETSET |
//! | `multi_set` | MSET MSETNX MSETEX |
//! | `string_edit` | APPEND SETRANGE |
//! | `increment`, `bounded_increment` | INCR DECR INCRBY DECRBY INCRBYFLOAT; INCREX |
//! | `comparison` | DIGEST DELEX DELIFEQ, the conditions of SET |
//! | `lcs` | LCS |
//!
//! A string has two faces. Text that is exactly what an `i64` prints as is stored as that number
//! (encoding `int`) and printed again when it is read; [`value_of`] and [`text_of`] are the two
//! directions. Everything else is bytes.

pub use super::bounded_increment::increx;
pub use super::comparison::{delex, delifeq, digest};
pub use super::increment::{decr, decrby, incr, incrby, incrbyfloat};
pub use super::lcs::lcs;
pub use super::multi_set::{mset, msetex, msetnx};
pub use super::string_edit::{append, setrange};
pub use super::string_set::{getset, psetex, set, setex, setnx};

use super::lifetime::Lifetime;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::number::parse_integer;
use crate::object::Object;
use crate::reply::{Reply, SHARED_BYTES_MIN};
use crate::store::Access;
use crate::table::{Value, ValueRef};

/// How `text` is stored.
#[inline]
pub(super) fn value_of(text: &[u8]) -> Value<'_, Object> {
    match parse_integer(text) {
        Some(number) => Value::Int(number),
        None => Value::Bytes(text),
    }
}

/// The text of a stored string; that of a number is made in `digits`.
#[inline]
pub(super) fn text_of<'a>(
    value: ValueRef<'a, Object>,
    digits: &'a mut itoa::Buffer,
) -> Result<&'a [u8], CommandError> {
    match value {
        ValueRef::Int(number) => Ok(digits.format(number).as_bytes()),
        ValueRef::Bytes(bytes) => Ok(bytes),
        ValueRef::Shared(bytes) => Ok(bytes),
        ValueRef::Object(_) => Err(error::WRONG_TYPE),
    }
}

/// Answers with a stored string. One that is long enough is sent from where it lies.
#[inline]
pub(super) fn reply_string(reply: &mut Reply<'_>, value: ValueRef<'_, Object>) -> Outcome {
    match value {
        ValueRef::Bytes(bytes) => reply.bulk(bytes),
        ValueRef::Int(number) => reply.bulk_integer(number),
        ValueRef::Shared(bytes) if bytes.len() < SHARED_BYTES_MIN => reply.bulk(bytes),
        ValueRef::Shared(bytes) => reply.bulk_shared(bytes.clone()),
        ValueRef::Object(_) => return Err(error::WRONG_TYPE),
    }
    Ok(())
}

/// Answers with the string at argument 1, or with no value. Returns whether it was there.
#[inline]
pub(super) fn reply_present_string(call: &mut Call<'_>) -> Result<bool, CommandError> {
    let access = call.read_access();
    match call.store.find(call.key(1), access) {
        Some(entry) => {
            reply_string(&mut call.reply, entry.value())?;
            Ok(true)
        }
        None => {
            call.reply.null();
            Ok(false)
        }
    }
}

/// GET.
#[inline]
pub fn get(call: &mut Call<'_>) -> Outcome {
    reply_present_string(call)?;
    Ok(())
}

/// MGET. What is no string is answered as if it were missing.
pub fn mget(call: &mut Call<'_>) -> Outcome {
    let access = call.read_access();
    let count = call.arguments.len();
    call.reply.array_len(count - 1);
    for index in 1..count {
        let key = call.key(index);
        let found = call.store.find(key, access).map(|entry| entry.value());
        match found {
            Some(ValueRef::Object(_)) | None => call.reply.null(),
            Some(value) => reply_string(&mut call.reply, value)?,
        }
    }
    Ok(())
}

/// GETDEL.
pub fn getdel(call: &mut Call<'_>) -> Outcome {
    if reply_present_string(call)? {
        let key = call.key(1);
        let lazily = call.store.settings().lazyfree_lazy_user_del;
        call.store.remove(key, lazily);
        call.store.changed(key, Event::Del);
        call.did(key, &[b"DEL", key.name]);
    }
    Ok(())
}

/// GETEX.
pub fn getex(call: &mut Call<'_>) -> Outcome {
    let arguments = call.arguments;
    let mut lifetime = Lifetime::Unsaid;
    let mut index = 2;
    while index < arguments.len() {
        match lifetime.read_option(arguments, index) {
            0 => return Err(error::SYNTAX),
            taken => index += taken,
        }
    }
    if lifetime == Lifetime::Keep {
        return Err(error::SYNTAX);
    }
    let key = call.key(1);
    let expires = match call.store.find(key, Access::Peek) {
        Some(entry) if matches!(entry.value(), ValueRef::Object(_)) => {
            return Err(error::WRONG_TYPE);
        }
        Some(entry) => entry.expiry_ms().is_some(),
        // A time that makes no sense is an error only where there is a string to apply it to.
        None => return get(call),
    };
    let deadline_ms = lifetime.deadline_ms(call)?;
    reply_present_string(call)?;
    match deadline_ms {
        Some(at_ms) if at_ms <= call.store.now_ms() => {
            let lazily = call.store.settings().lazyfree_lazy_expire;
            call.store.remove(key, lazily);
            call.store.changed(key, Event::Del);
            call.did(key, &[b"DEL", key.name]);
        }
        Some(at_ms) => {
            call.store.set_expiry(key, deadline_ms);
            call.store.changed(key, Event::Expire);
            call.did(key, &[b"PEXPIREAT", key.name, at_ms.to_string().as_bytes()]);
        }
        None if lifetime == Lifetime::Persist && expires => {
            call.store.set_expiry(key, None);
            call.store.changed(key, Event::Persist);
            call.did(key, &[b"PERSIST", key.name]);
        }
        None => {}
    }
    Ok(())
}

/// STRLEN.
pub fn strlen(call: &mut Call<'_>) -> Outcome {
    let access = call.read_access();
    let length = match call.store.find(call.key(1), access) {
        Some(entry) => text_of(entry.value(), &mut itoa::Buffer::new())?.len(),
        None => 0,
    };
    call.reply.integer(length as i64);
    Ok(())
}

/// GETRANGE, once called SUBSTR.
pub fn getrange(call: &mut Call<'_>) -> Outcome {
    let position =
        |index: usize| parse_integer(call.arguments.at(index)).ok_or(error::NOT_AN_INTEGER);
    let (start, end) = (position(2)?, position(3)?);
    let access = call.read_access();
    let mut digits = itoa::Buffer::new();
    let text = match call.store.find(call.key(1), access) {
        Some(entry) => text_of(entry.value(), &mut digits)?,
        None => b"",
    };
    call.reply.bulk(part(text, start, end));
    Ok(())
}

/// The bytes from `start` to `end`, both included; negative positions count from the end.
fn part(text: &[u8], start: i64, end: i64) -> &[u8] {
    if start < 0 && end < 0 && start > end {
        return b"";
    }
    let length = text.len() as i64;
    let from_front = |position: i64| {
        let position = if position < 0 { position.saturating_add(length) } else { position };
        position.max(0)
    };
    let (start, end) = (from_front(start), from_front(end).min(length - 1));
    if start > end { b"" } else { &text[start as usize..=end as usize] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_part(start: i64, end: i64, expected: &str) {
        assert_eq!(part(b"Hello World", start, end), expected.as_bytes());
    }

    #[test]
    fn parts_are_cut_by_inclusive_positions_from_either_end() {
        check_part(0, 4, "Hello");
        check_part(0, -1, "Hello World");
        check_part(-4, -1, "orld");
        check_part(5, 3, "");
        check_part(5, 50_000, " World");
        check_part(-5000, 10_000, "Hello World");
        check_part(-1, -5, "");
        check_part(-100, -50, "H");
        check_part(i64::MIN, i64::MAX, "Hello World");
        assert_eq!(part(b"", 0, -1), b"");
    }
}
