//! Writing and removing fields: HSET, HMSET, HSETNX, HDEL.
//!
//! Writing a field takes its deadline away.

use std::iter;

use super::hash::{Names, limits_of, report_removal};
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::hashes::{Hash, Lifetime};
use crate::object::Missing;

/// HSET.
pub fn hset(call: &mut Call<'_>) -> Outcome {
    let added = set_all(call)?;
    call.reply.integer(added);
    Ok(())
}

/// HMSET.
pub fn hmset(call: &mut Call<'_>) -> Outcome {
    set_all(call)?;
    call.reply.ok();
    Ok(())
}

/// Writes the pairs from argument 2 on. Returns how many fields are new.
fn set_all(call: &mut Call<'_>) -> Result<i64, CommandError> {
    let arguments = call.arguments;
    if !arguments.len().is_multiple_of(2) {
        return Err(error::wrong_arity(call.row.name));
    }
    let (key, now_ms, limits) = (call.key(1), call.store.now_ms(), limits_of(call.store));
    let set = |hash: &mut Hash| {
        hash.expect_fields((arguments.len() - 2) / 2, &limits);
        let mut added = 0;
        for index in (2..arguments.len()).step_by(2) {
            let (name, value) = (arguments.at(index), arguments.at(index + 1));
            let is_new = hash.set(name, value, Lifetime::Endless, now_ms, &limits);
            added += i64::from(is_new);
        }
        added
    };
    let added = call.store.change_hash(key, Missing::Create, set)?;
    call.store.changed_fields(key, Event::HSet, arguments.from(2).step_by(2));
    Ok(added.expect("it is made if it is missing"))
}

/// HSETNX.
pub fn hsetnx(call: &mut Call<'_>) -> Outcome {
    let (name, value) = (call.arguments.at(2), call.arguments.at(3));
    let (key, now_ms, limits) = (call.key(1), call.store.now_ms(), limits_of(call.store));
    let is_new = call.store.change_hash(key, Missing::Create, |hash| {
        let is_free = hash.get(name, now_ms).is_none();
        if is_free {
            hash.set(name, value, Lifetime::Endless, now_ms, &limits);
        }
        is_free
    })?;
    let is_new = is_new.expect("it is made if it is missing");
    if is_new {
        call.store.changed_fields(key, Event::HSet, iter::once(name));
        call.did(key, &[b"HSET", key.name, name, value]);
    }
    call.reply.integer(i64::from(is_new));
    Ok(())
}

/// HDEL.
pub fn hdel(call: &mut Call<'_>) -> Outcome {
    let arguments = call.arguments;
    let (key, now_ms) = (call.key(1), call.store.now_ms());
    let removed = call.store.change_hash(key, Missing::Skip, |hash| {
        arguments.from(2).filter(|name| hash.remove(name, now_ms)).collect::<Names<'_>>()
    })?;
    let removed = removed.unwrap_or_default();
    if !removed.is_empty() {
        report_removal(call.store, key, Event::HDel, removed.iter().copied());
    }
    call.reply.integer(removed.len() as i64);
    Ok(())
}
