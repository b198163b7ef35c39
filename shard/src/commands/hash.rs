//! Hashes: the commands that read them, and what all commands on hashes share.
//!
//! | file | commands |
//! |---|---|
//! | `hash` | HGET HMGET HLEN HSTRLEN HEXISTS HGETALL HKEYS HVALS |
//! | `hash_scan` | HSCAN |
//! | `hash_set` | HSET HMSET HSETNX HDEL |
//! | `hash_increment` | HINCRBY HINCRBYFLOAT |
//! | `hash_random` | HRANDFIELD |
//! | `hash_expire` | HEXPIRE HPEXPIRE HEXPIREAT HPEXPIREAT HPERSIST, HTTL and its siblings |
//! | `hash_get_set` | HGETEX HSETEX HGETDEL |
//! | `hash_fields` | how the last two read their command lines |

pub use super::hash_expire::{
    hexpire, hexpireat, hexpiretime, hpersist, hpexpire, hpexpireat, hpexpiretime, hpttl, httl,
};
pub use super::hash_get_set::{hgetdel, hgetex, hsetex};
pub use super::hash_increment::{hincrby, hincrbyfloat};
pub use super::hash_random::hrandfield;
pub use super::hash_scan::hscan;
pub use super::hash_set::{hdel, hmset, hset, hsetnx};

use smallvec::SmallVec;

use crate::call::Call;
use crate::error::{CommandError, Outcome};
use crate::event::Event;
use crate::hashes::{Hash, Limits, Text};
use crate::reply::{Reply, SHARED_BYTES_MIN};
use crate::store::{Key, Store};

/// Up to where hashes stay packed under the settings in force.
pub(super) fn limits_of(store: &Store) -> Limits {
    let settings = store.settings();
    Limits {
        packed_fields_max: settings.hash_max_listpack_entries,
        packed_text_bytes_max: settings.hash_max_listpack_value_bytes,
        seed: store.seed(),
    }
}

/// Answers with a name or a value.
#[inline]
pub(super) fn reply_text(reply: &mut Reply<'_>, text: Text<'_>) {
    match text {
        Text::Bytes(bytes) => reply.bulk(bytes),
        Text::Integer(number) => reply.bulk_integer(number),
        Text::Shared(bytes) if bytes.len() < SHARED_BYTES_MIN => reply.bulk(bytes),
        Text::Shared(bytes) => reply.bulk_shared(bytes.clone()),
    }
}

/// Answers with the value of a field of a hash, either of which may be missing.
pub(super) fn reply_value(reply: &mut Reply<'_>, hash: Option<&Hash>, name: &[u8], now_ms: i64) {
    match hash.and_then(|hash| hash.get(name, now_ms)) {
        Some(value) => reply_text(reply, value),
        None => reply.null(),
    }
}

/// Fields that a command came upon; most commands name few.
pub(super) type Names<'a> = SmallVec<[&'a [u8]; 8]>;

/// Reports a change that removed fields, and the end of the key if they were the last.
pub(super) fn report_removal<'f>(
    store: &mut Store,
    key: Key<'_>,
    event: Event,
    fields: impl Iterator<Item = &'f [u8]>,
) {
    store.changed_fields(key, event, fields);
    if !store.exists(key) {
        store.changed_too(key, Event::Del);
    }
}

/// The hash at argument 1, and the time to ask it with.
fn hash_of<'c>(call: &'c mut Call<'_>) -> Result<(Option<&'c Hash>, i64), CommandError> {
    let (key, access, now_ms) = (call.key(1), call.read_access(), call.store.now_ms());
    Ok((call.store.collection::<Hash>(key, access)?, now_ms))
}

/// HGET.
pub fn hget(call: &mut Call<'_>) -> Outcome {
    let (key, access, now_ms) = (call.key(1), call.read_access(), call.store.now_ms());
    let hash = call.store.collection::<Hash>(key, access)?;
    reply_value(&mut call.reply, hash, call.arguments.at(2), now_ms);
    Ok(())
}

/// HMGET.
pub fn hmget(call: &mut Call<'_>) -> Outcome {
    let (key, access, now_ms) = (call.key(1), call.read_access(), call.store.now_ms());
    let hash = call.store.collection::<Hash>(key, access)?;
    call.reply.array_len(call.arguments.len() - 2);
    for name in call.arguments.from(2) {
        reply_value(&mut call.reply, hash, name, now_ms);
    }
    Ok(())
}

/// HLEN.
pub fn hlen(call: &mut Call<'_>) -> Outcome {
    let (hash, now_ms) = hash_of(call)?;
    let len = hash.map_or(0, |hash| hash.len(now_ms));
    call.reply.integer(len as i64);
    Ok(())
}

/// HSTRLEN.
pub fn hstrlen(call: &mut Call<'_>) -> Outcome {
    let name = call.arguments.at(2);
    let (hash, now_ms) = hash_of(call)?;
    let value = hash.and_then(|hash| hash.get(name, now_ms));
    let len = value.map_or(0, |value| value.bytes(&mut itoa::Buffer::new()).len());
    call.reply.integer(len as i64);
    Ok(())
}

/// HEXISTS.
pub fn hexists(call: &mut Call<'_>) -> Outcome {
    let name = call.arguments.at(2);
    let (hash, now_ms) = hash_of(call)?;
    let exists = hash.is_some_and(|hash| hash.get(name, now_ms).is_some());
    call.reply.integer(i64::from(exists));
    Ok(())
}

/// HGETALL.
pub fn hgetall(call: &mut Call<'_>) -> Outcome {
    reply_all(
        call,
        |reply, count| reply.map_len(count),
        |reply, name, value| {
            reply_text(reply, name);
            reply_text(reply, value);
        },
    )
}

/// HKEYS.
pub fn hkeys(call: &mut Call<'_>) -> Outcome {
    reply_all(call, |reply, count| reply.array_len(count), |reply, name, _| reply_text(reply, name))
}

/// HVALS.
pub fn hvals(call: &mut Call<'_>) -> Outcome {
    reply_all(
        call,
        |reply, count| reply.array_len(count),
        |reply, _, value| reply_text(reply, value),
    )
}

fn reply_all(
    call: &mut Call<'_>,
    header: fn(&mut Reply<'_>, usize),
    reply_field: fn(&mut Reply<'_>, Text<'_>, Text<'_>),
) -> Outcome {
    let (key, access, now_ms) = (call.key(1), call.read_access(), call.store.now_ms());
    let hash = call.store.collection::<Hash>(key, access)?;
    let reply = &mut call.reply;
    header(reply, hash.map_or(0, |hash| hash.len(now_ms)));
    if let Some(hash) = hash {
        hash.for_each(now_ms, |name, value| reply_field(reply, name, value));
    }
    Ok(())
}
