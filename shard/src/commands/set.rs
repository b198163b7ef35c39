//! Sets: the commands on single members, and what all commands on sets share.
//!
//! | file | commands |
//! |---|---|
//! | `set` | SADD SREM SISMEMBER SMISMEMBER SCARD SMEMBERS SMOVE |
//! | `set_random` | SPOP SRANDMEMBER |
//! | `set_algebra` | SINTER SINTERCARD SUNION SDIFF, SINTERSTORE SUNIONSTORE SDIFFSTORE |
//! | `set_scan` | SSCAN |

pub use super::set_algebra::{
    sdiff, sdiffstore, sinter, sintercard, sinterstore, sunion, sunionstore,
};
pub use super::set_random::{spop, srandmember};
pub use super::set_scan::sscan;

use crate::call::Call;
use crate::error::Outcome;
use crate::event::Event;
use crate::object::Missing;
use crate::reply::Reply;
use crate::set::{Member, Set, SetLimits};
use crate::store::{Access, Key, Store};

/// When sets change their form.
pub(super) fn set_limits(store: &mut Store) -> SetLimits {
    let hash_seed = store.random();
    let settings = store.settings();
    let entries = |setting: u64| usize::try_from(setting).unwrap_or(usize::MAX);
    SetLimits {
        intset_entries: entries(settings.set_max_intset_entries),
        listpack_entries: entries(settings.set_max_listpack_entries),
        listpack_value_bytes: entries(settings.set_max_listpack_value_bytes),
        hash_seed,
    }
}

/// Answers with one member.
pub(super) fn reply_member(reply: &mut Reply<'_>, member: Member<'_>) {
    match member {
        Member::Int(number) => reply.bulk_integer(number),
        Member::Text(text) => reply.bulk(text),
    }
}

/// Answers with all members of a set.
pub(super) fn reply_set(reply: &mut Reply<'_>, set: &Set) {
    reply.set_len(set.len());
    set.for_each(|member| reply_member(reply, member));
}

/// SADD.
pub fn sadd(call: &mut Call<'_>) -> Outcome {
    let (key, limits) = (call.key(1), set_limits(call.store));
    let members = call.arguments.from(2).map(Member::Text);
    let added = call.store.change_collection(key, Missing::Create, |set: &mut Set| {
        let first = members.clone().next().expect("the row asks for a member");
        set.prepare_for(first, members.len(), &limits);
        members.filter(|member| set.insert(*member, &limits)).count()
    })?;
    let added = added.unwrap_or(0);
    if added > 0 {
        call.store.changed(key, Event::SAdd);
    }
    call.reply.integer(added as i64);
    Ok(())
}

/// SREM.
pub fn srem(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1);
    let members = call.arguments.from(2).map(Member::Text);
    let changed = call.store.change_collection(key, Missing::Skip, |set: &mut Set| {
        (members.filter(|member| set.remove(*member)).count(), set.len())
    })?;
    let (removed, left) = changed.unwrap_or_default();
    if removed > 0 {
        call.store.changed_by_removal(key, Event::SRem, left);
    }
    call.reply.integer(removed as i64);
    Ok(())
}

/// SISMEMBER.
pub fn sismember(call: &mut Call<'_>) -> Outcome {
    let access = call.read_access();
    let member = Member::Text(call.arguments.at(2));
    let set = call.store.collection::<Set>(call.key(1), access)?;
    call.reply.integer(i64::from(set.is_some_and(|set| set.contains(member))));
    Ok(())
}

/// SMISMEMBER.
pub fn smismember(call: &mut Call<'_>) -> Outcome {
    let access = call.read_access();
    let set = call.store.collection::<Set>(call.key(1), access)?;
    let members = call.arguments.from(2).map(Member::Text);
    call.reply.array_len(members.len());
    for member in members {
        call.reply.integer(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

/// SCARD.
pub fn scard(call: &mut Call<'_>) -> Outcome {
    let access = call.read_access();
    let set = call.store.collection::<Set>(call.key(1), access)?;
    call.reply.integer(set.map_or(0, Set::len) as i64);
    Ok(())
}

/// SMEMBERS.
pub fn smembers(call: &mut Call<'_>) -> Outcome {
    let access = call.read_access();
    match call.store.collection::<Set>(call.key(1), access)? {
        Some(set) => reply_set(&mut call.reply, set),
        None => call.reply.set_len(0),
    }
    Ok(())
}

/// SMOVE.
pub fn smove(call: &mut Call<'_>) -> Outcome {
    let (source, target) = (call.key(1), call.key(2));
    let member = Member::Text(call.arguments.at(3));
    let moved = move_member(call.store, source, target, member)?;
    call.reply.integer(i64::from(moved));
    Ok(())
}

fn move_member(
    store: &mut Store,
    source: Key<'_>,
    target: Key<'_>,
    member: Member<'_>,
) -> Result<bool, crate::error::CommandError> {
    let Some(set) = store.collection::<Set>(source, Access::Peek)? else { return Ok(false) };
    let is_there = set.contains(member);
    store.collection::<Set>(target, Access::Peek)?;
    let is_same = (source.db, source.name) == (target.db, target.name);
    if is_same || !is_there {
        return Ok(is_there);
    }
    let limits = set_limits(store);
    let left = store.change_collection(source, Missing::Skip, |set: &mut Set| {
        set.remove(member);
        set.len()
    })?;
    store.changed_by_removal(source, Event::SRem, left.expect("the source is there"));
    let added = store.change_collection(target, Missing::Create, |set: &mut Set| {
        if set.is_empty() {
            set.prepare_for(member, 1, &limits);
        }
        set.insert(member, &limits)
    })?;
    if added == Some(true) {
        store.changed(target, Event::SAdd);
    }
    Ok(true)
}
