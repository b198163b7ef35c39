//! SINTER, SUNION, SDIFF and their forms that store or count.

use std::ops::ControlFlow;

use super::operand::{count_from, key_count};
use super::set::{reply_member, reply_set, set_limits};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::object::{Collection, Object};
use crate::set::{self, Set, SetLimits};
use crate::store::{Key, Store};
use crate::table::{Value, ValueRef};
use crate::types::Type;

/// An operation that makes one set of several.
type Operation = fn(&[Option<&Set>], &SetLimits) -> Set;

/// Looks at the keys of `count` arguments from `first` on as any reader does, so that what is
/// expired is gone, and checks that they hold sets.
fn check_operands(call: &mut Call<'_>, first: usize, count: usize) -> Outcome {
    let access = call.read_access();
    (first..first + count)
        .try_for_each(|index| call.store.collection::<Set>(call.key(index), access).map(|_| ()))
}

/// The set at a key that was checked.
fn operand<'s>(store: &'s Store, key: Key<'_>) -> Option<&'s Set> {
    match store.table(key.slot, key.db)?.get(key.hash, key.name)?.value() {
        ValueRef::Object(object) => Set::of(object),
        _ => None,
    }
}

/// The sets at the keys of `count` arguments from `first` on.
fn operands<'s>(store: &'s Store, keys: impl Iterator<Item = Key<'s>>) -> Vec<Option<&'s Set>> {
    keys.map(|key| operand(store, key)).collect()
}

/// SINTER.
pub fn sinter(call: &mut Call<'_>) -> Outcome {
    let count = call.arguments.len() - 1;
    check_operands(call, 1, count)?;
    let sets = operands(call.store, (1..=count).map(|index| call.key(index)));
    if let [Some(only)] = sets.as_slice() {
        reply_set(&mut call.reply, only);
        return Ok(());
    }
    let mut members = Vec::new();
    set::intersect(&sets, |member| {
        members.push(member);
        ControlFlow::Continue(())
    });
    call.reply.set_len(members.len());
    members.into_iter().for_each(|member| reply_member(&mut call.reply, member));
    Ok(())
}

/// What stands behind the keys of SINTERCARD; 0 for no limit.
fn parse_limit(arguments: Arguments<'_>, first: usize) -> Result<usize, CommandError> {
    const NEGATIVE: CommandError = CommandError::Fixed("ERR LIMIT can't be negative");
    let mut limit = 0;
    let mut index = first;
    while index < arguments.len() {
        if !arguments.is(index, "limit") || index + 1 == arguments.len() {
            return Err(error::SYNTAX);
        }
        limit = count_from(0, arguments, index + 1, NEGATIVE)?;
        index += 2;
    }
    Ok(limit)
}

/// SINTERCARD.
pub fn sintercard(call: &mut Call<'_>) -> Outcome {
    const TOO_MANY_KEYS: CommandError =
        CommandError::Fixed("ERR Number of keys can't be greater than number of args");
    let count = key_count(call.arguments, 1)?;
    if count > call.arguments.len() - 2 {
        return Err(TOO_MANY_KEYS);
    }
    let limit = match parse_limit(call.arguments, 2 + count)? {
        0 => usize::MAX,
        limit => limit,
    };
    check_operands(call, 2, count)?;
    let sets = operands(call.store, (2..2 + count).map(|index| call.key(index)));
    let mut shared = 0;
    set::intersect(&sets, |_| {
        shared += 1;
        if shared == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    call.reply.integer(shared as i64);
    Ok(())
}

/// SUNION.
pub fn sunion(call: &mut Call<'_>) -> Outcome {
    reply_result(call, set::union)
}

/// SDIFF.
pub fn sdiff(call: &mut Call<'_>) -> Outcome {
    reply_result(call, set::difference)
}

fn reply_result(call: &mut Call<'_>, operation: Operation) -> Outcome {
    let count = call.arguments.len() - 1;
    check_operands(call, 1, count)?;
    let limits = set_limits(call.store);
    let sets = operands(call.store, (1..=count).map(|index| call.key(index)));
    match sets.as_slice() {
        [Some(only)] => reply_set(&mut call.reply, only),
        _ => reply_set(&mut call.reply, &operation(&sets, &limits)),
    }
    Ok(())
}

/// SINTERSTORE.
pub fn sinterstore(call: &mut Call<'_>) -> Outcome {
    store_result(call, set::intersection, Event::SInterStore)
}

/// SUNIONSTORE.
pub fn sunionstore(call: &mut Call<'_>) -> Outcome {
    store_result(call, set::union, Event::SUnionStore)
}

/// SDIFFSTORE.
pub fn sdiffstore(call: &mut Call<'_>) -> Outcome {
    store_result(call, set::difference, Event::SDiffStore)
}

/// Stores a result in place of whatever the target holds; an empty one removes the target.
fn store_result(call: &mut Call<'_>, operation: Operation, event: Event) -> Outcome {
    let count = call.arguments.len() - 2;
    check_operands(call, 2, count)?;
    let limits = set_limits(call.store);
    let sets = operands(call.store, (2..2 + count).map(|index| call.key(index)));
    let result = operation(&sets, &limits);
    let (target, len) = (call.key(1), result.len());
    if len > 0 {
        let object: Object = result.into_object();
        call.store.replace(target, Type::Set, Value::Object(object), None, event);
    } else {
        let lazily = call.store.settings().lazyfree_lazy_server_del;
        if call.store.remove(target, lazily) {
            call.store.changed(target, Event::Del);
        }
    }
    call.reply.integer(len as i64);
    Ok(())
}
