//! The strings commands on bits work on: how they are looked at and how they are changed in place.
//!
//! A string may lie in the table as a number. Whoever looks sees its decimal text; whoever changes
//! it turns it into that text for good. A string that was changed in place is `raw`.

use crate::call::Call;
use crate::error::{CommandError, WRONG_TYPE};
use crate::hash::Seed;
use crate::object::Object;
use crate::store::{Key, Store};
use crate::table::{Entry, EntryMut, INLINE_VALUE_MAX, SharedBytes, Value, ValueRef};
use crate::types::Type;

/// The value of an entry that must be a string.
pub(super) fn string_in(entry: Entry<'_, Object>) -> Result<ValueRef<'_, Object>, CommandError> {
    if !Type::of(entry.kind()).is_string() {
        return Err(WRONG_TYPE);
    }
    Ok(entry.value())
}

/// Lets `look` see the string at argument `index`, or `None` when the key is missing.
pub(super) fn read<R>(
    call: &mut Call<'_>,
    index: usize,
    look: impl FnOnce(Option<&[u8]>) -> R,
) -> Result<R, CommandError> {
    let access = call.read_access();
    let Some(entry) = call.store.find(call.key(index), access) else { return Ok(look(None)) };
    Ok(match string_in(entry)? {
        ValueRef::Int(number) => look(Some(itoa::Buffer::new().format(number).as_bytes())),
        ValueRef::Bytes(bytes) => look(Some(bytes)),
        ValueRef::Shared(bytes) => look(Some(bytes)),
        ValueRef::Object(_) => unreachable!("a string is no object"),
    })
}

/// Lets `edit` change the string at `key`, lengthened to `length` bytes with zeros if it is shorter
/// or missing. `edit` is also told whether that was so. Reports nothing.
pub(super) fn change<R>(
    store: &mut Store,
    key: Key<'_>,
    length: usize,
    edit: impl FnOnce(&mut [u8], bool) -> R,
) -> Result<R, CommandError> {
    if let Some(mut entry) = store.find_mut(key) {
        let present = length_as_bytes(&mut entry)?;
        return Ok(edit(entry.bytes_mut(length), present < length));
    }
    let result;
    if length <= INLINE_VALUE_MAX {
        let mut bytes = [0; INLINE_VALUE_MAX];
        let bytes = &mut bytes[..length];
        result = edit(bytes, true);
        store.set(key, Type::RawString, Value::Bytes(bytes), None);
    } else {
        let mut bytes = SharedBytes::with_capacity(length);
        result = edit(bytes.grow(length), true);
        store.set(key, Type::RawString, Value::Shared(bytes), None);
    }
    Ok(result)
}

/// Turns the string of an entry into bytes that may be changed; returns its length.
fn length_as_bytes(entry: &mut EntryMut<'_, Object, Seed>) -> Result<usize, CommandError> {
    let present = match string_in(entry.as_entry())? {
        ValueRef::Int(number) => {
            let mut digits = itoa::Buffer::new();
            let text = digits.format(number).as_bytes();
            entry.set_value(Type::RawString.kind(), Value::Bytes(text));
            return Ok(text.len());
        }
        ValueRef::Bytes(bytes) => bytes.len(),
        ValueRef::Shared(bytes) => bytes.len(),
        ValueRef::Object(_) => unreachable!("a string is no object"),
    };
    entry.set_kind(Type::RawString.kind());
    Ok(present)
}
