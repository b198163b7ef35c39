//! APPEND and SETRANGE: strings changed in place.
//!
//! A string that was changed this way is `raw` from then on, whatever its length: it is likely to
//! be changed again, so it is no longer kept as tightly as it could be.

use super::string::{text_of, value_of};
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::hash::Seed;
use crate::number::parse_integer;
use crate::object::Object;
use crate::table::{EntryMut, Value, ValueRef};
use crate::types::Type;

/// APPEND.
pub fn append(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1);
    let addition = call.arguments.at(2);
    let length_max = call.store.settings().proto_max_bulk_len;
    let length = if let Some(mut entry) = call.store.find_mut(key) {
        let present = length_of(&entry)?;
        check_length(present, addition.len(), length_max)?;
        write_at(&mut entry, present, addition);
        present + addition.len()
    } else {
        call.store.set(key, Type::String, value_of(addition), None);
        addition.len()
    };
    call.store.changed(key, Event::Append);
    call.reply.integer(length as i64);
    Ok(())
}

/// SETRANGE.
pub fn setrange(call: &mut Call<'_>) -> Outcome {
    let offset = parse_integer(call.arguments.at(2)).ok_or(error::NOT_AN_INTEGER)?;
    let offset =
        usize::try_from(offset).map_err(|_| CommandError::Fixed("ERR offset is out of range"))?;
    let key = call.key(1);
    let bytes = call.arguments.at(3);
    let length_max = call.store.settings().proto_max_bulk_len;
    let present = call.store.find_mut(key).map(|entry| length_of(&entry)).transpose()?;
    let length = present.unwrap_or(0);
    if bytes.is_empty() {
        call.reply.integer(length as i64);
        return Ok(());
    }
    check_length(offset, bytes.len(), length_max)?;
    if present.is_none() {
        call.store.set(key, Type::RawString, Value::Bytes(b""), None);
    }
    let mut entry = call.store.find_mut(key).expect("it was there or has been set");
    write_at(&mut entry, offset, bytes);
    drop(entry);
    call.store.changed(key, Event::SetRange);
    call.reply.integer(length.max(offset + bytes.len()) as i64);
    Ok(())
}

fn length_of(entry: &EntryMut<'_, Object, Seed>) -> Result<usize, CommandError> {
    Ok(text_of(entry.as_entry().value(), &mut itoa::Buffer::new())?.len())
}

fn check_length(offset: usize, added: usize, length_max: usize) -> Outcome {
    match offset.checked_add(added) {
        Some(length) if length <= length_max => Ok(()),
        _ => Err(error::STRING_TOO_LONG),
    }
}

/// Puts `bytes` at `offset` of a string, which grows as need be.
fn write_at(entry: &mut EntryMut<'_, Object, Seed>, offset: usize, bytes: &[u8]) {
    if let ValueRef::Int(number) = entry.as_entry().value() {
        let mut digits = itoa::Buffer::new();
        let text = Value::Bytes(digits.format(number).as_bytes());
        entry.set_value(Type::RawString.kind(), text);
    } else {
        entry.set_kind(Type::RawString.kind());
    }
    let end = offset + bytes.len();
    entry.bytes_mut(end)[offset..end].copy_from_slice(bytes);
}
