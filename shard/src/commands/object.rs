//! OBJECT: what is known of a value besides what it is.
//!
//! The encodings are Redis' names; clients and tests compare them. What stands behind a name need
//! not be what Redis has there.

use crate::call::Call;
use crate::error::{CommandError, Outcome};
use crate::object::Object;
use crate::settings::{MaxmemoryPolicy, Settings};
use crate::store::Access;
use crate::table::{Entry, ValueRef};
use crate::types::{EMBEDDED_STRING_MAX, Type};

/// Redis shares one object among all values that are one of the numbers below this ...
const SHARED_INTEGERS_END: i64 = 10_000;

/// ... and says so by this count.
const SHARED_REFERENCES: i64 = i32::MAX as i64;

const LFU_IS_ON: CommandError = CommandError::Fixed(
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when \
     switching between policies at runtime LRU and LFU data will take some time to adjust.",
);
const LFU_IS_OFF: CommandError = CommandError::Fixed(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that \
     when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);

/// The name of the representation of a value.
pub fn encoding_of(entry: Entry<'_, Object>) -> &'static str {
    match entry.value() {
        ValueRef::Int(_) => "int",
        ValueRef::Object(object) => object.encoding(),
        ValueRef::Bytes(bytes) => string_encoding(entry, bytes.len()),
        ValueRef::Shared(bytes) => string_encoding(entry, bytes.len()),
    }
}

fn string_encoding(entry: Entry<'_, Object>, length: usize) -> &'static str {
    let is_embedded = Type::of(entry.kind()) == Type::String && length <= EMBEDDED_STRING_MAX;
    if is_embedded { "embstr" } else { "raw" }
}

/// OBJECT ENCODING.
pub fn encoding(call: &mut Call<'_>) -> Outcome {
    match call.store.find(call.key(2), Access::ReadUnheard) {
        Some(entry) => call.reply.bulk(encoding_of(entry).as_bytes()),
        None => call.reply.null(),
    }
    Ok(())
}

/// OBJECT REFCOUNT.
pub fn refcount(call: &mut Call<'_>) -> Outcome {
    let settings = call.store.settings().clone();
    match call.store.find(call.key(2), Access::ReadUnheard) {
        Some(entry) => call.reply.integer(references_to(entry.value(), &settings)),
        None => call.reply.null(),
    }
    Ok(())
}

/// How many references to a value Redis would have.
pub(super) fn references_to(value: ValueRef<'_, Object>, settings: &Settings) -> i64 {
    match value {
        ValueRef::Int(0..SHARED_INTEGERS_END) if shares_integers(settings) => SHARED_REFERENCES,
        _ => 1,
    }
}

/// Redis gives a number an object of its own when eviction needs to know its last use.
fn shares_integers(settings: &Settings) -> bool {
    settings.maxmemory == 0
        || matches!(
            settings.maxmemory_policy,
            MaxmemoryPolicy::NoEviction
                | MaxmemoryPolicy::AllKeysRandom
                | MaxmemoryPolicy::VolatileRandom
                | MaxmemoryPolicy::VolatileTtl
        )
}

/// OBJECT IDLETIME.
pub fn idletime(call: &mut Call<'_>) -> Outcome {
    let is_lfu = call.store.settings().maxmemory_policy.is_lfu();
    match call.store.find(call.key(2), Access::ReadUnheard).map(Entry::lru_bits) {
        None => call.reply.null(),
        Some(_) if is_lfu => return Err(LFU_IS_ON),
        Some(bits) => call.reply.integer(i64::from(call.store.idle_seconds(bits))),
    }
    Ok(())
}

/// OBJECT FREQ.
pub fn freq(call: &mut Call<'_>) -> Outcome {
    let is_lfu = call.store.settings().maxmemory_policy.is_lfu();
    match call.store.find(call.key(2), Access::ReadUnheard).map(Entry::lru_bits) {
        None => call.reply.null(),
        Some(_) if !is_lfu => return Err(LFU_IS_OFF),
        Some(bits) => call.reply.integer(i64::from(call.store.use_counter(bits))),
    }
    Ok(())
}
