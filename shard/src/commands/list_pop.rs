//! LPOP, RPOP and LMPOP, and the taking of elements that they share with whoever waits for some.

use std::ops::Range;

use super::list::{end_at, node_limit, pop_event, reply_element};
use super::operand::{count, count_from, key_count};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::list::{End, List};
use crate::object::Missing;
use crate::reply::Reply;
use crate::store::{Key, Store};

/// Takes up to `count` elements off one end of the list at a key, after `answer` has seen them: it
/// gets the list and how many go. Returns whether there is a list.
pub(super) fn pop(
    store: &mut Store,
    key: Key<'_>,
    end: End,
    count: usize,
    answer: impl FnOnce(&List, usize),
) -> Result<bool, CommandError> {
    let limit = node_limit(store);
    let left = store.change_collection(key, Missing::Skip, |list: &mut List| {
        let count = count.min(list.len());
        answer(list, count);
        list.remove(end, count, limit);
        list.len()
    })?;
    if let Some(left) = left {
        store.changed_by_removal(key, pop_event(end), left);
        if store.journal.is_on() {
            let (count, name): (_, &[u8]) = match end {
                End::Head => (count.to_string(), b"LPOP"),
                End::Tail => (count.to_string(), b"RPOP"),
            };
            match count.as_str() {
                "1" => store.journal.replace(key.db, &[name, key.name]),
                _ => store.journal.replace(key.db, &[name, key.name, count.as_bytes()]),
            }
        }
    }
    Ok(left.is_some())
}

/// Answers with `count` elements from one end on, outermost first.
pub(super) fn reply_from_end(reply: &mut Reply<'_>, list: &List, end: End, count: usize) {
    reply.array_len(count);
    match end {
        End::Head => list.range(0, count).for_each(|element| reply_element(reply, element)),
        End::Tail => {
            let elements = list.range(list.len() - count, count);
            elements.rev().for_each(|element| reply_element(reply, element));
        }
    }
}

/// LPOP.
pub fn lpop(call: &mut Call<'_>) -> Outcome {
    pop_from_key(call, End::Head)
}

/// RPOP.
pub fn rpop(call: &mut Call<'_>) -> Outcome {
    pop_from_key(call, End::Tail)
}

fn pop_from_key(call: &mut Call<'_>, end: End) -> Outcome {
    match call.arguments.len() {
        2 => pop_one(call, end),
        3 => pop_several(call, end),
        _ => Err(error::wrong_arity(call.row.name)),
    }
}

fn pop_one(call: &mut Call<'_>, end: End) -> Outcome {
    let (key, reply) = (call.key(1), &mut call.reply);
    let found = pop(call.store, key, end, 1, |list, _| {
        reply_element(reply, list.at_end(end).expect("no stored list is empty"));
    })?;
    if !found {
        call.reply.null();
    }
    Ok(())
}

fn pop_several(call: &mut Call<'_>, end: End) -> Outcome {
    let count = count(call.arguments, 2)?;
    let key = call.key(1);
    if count == 0 {
        match call.store.collection::<List>(key, crate::store::Access::Peek)? {
            Some(_) => call.reply.array_len(0),
            None => call.reply.null_array(),
        }
        return Ok(());
    }
    let reply = &mut call.reply;
    let found = pop(call.store, key, end, count, |list, count| {
        reply_from_end(reply, list, end, count);
    })?;
    if !found {
        call.reply.null_array();
    }
    Ok(())
}

/// What LMPOP and its waiting form are asked for, from the number of keys on.
pub(super) struct MultiPop {
    /// Which arguments are the keys.
    pub(super) keys: Range<usize>,
    /// The end elements are taken from.
    pub(super) end: End,
    /// Most elements to take.
    pub(super) count: usize,
}

impl MultiPop {
    /// Reads the arguments from the number of keys, at `first`, on.
    pub(super) fn parse(arguments: Arguments<'_>, first: usize) -> Result<Self, CommandError> {
        const NO_COUNT: CommandError = CommandError::Fixed("ERR count should be greater than 0");
        let key_count = key_count(arguments, first)?;
        let end_index = first.saturating_add(key_count).saturating_add(1);
        if end_index >= arguments.len() {
            return Err(error::SYNTAX);
        }
        let end = end_at(arguments, end_index)?;
        let count = match arguments.len() - (end_index + 1) {
            0 => 1,
            1.. if !arguments.is(end_index + 1, "count") => return Err(error::SYNTAX),
            1 => return Err(error::SYNTAX),
            _ => count_from(1, arguments, end_index + 2, NO_COUNT)?,
        };
        if arguments.len() > end_index + 3 {
            return Err(error::SYNTAX);
        }
        Ok(Self { keys: first + 1..end_index, end, count })
    }

    /// Pops from the key at an argument and answers with its name and the elements; whether it has
    /// a list.
    pub(super) fn run(&self, call: &mut Call<'_>, index: usize) -> Result<bool, CommandError> {
        let (key, reply) = (call.key(index), &mut call.reply);
        pop(call.store, key, self.end, self.count, |list, count| {
            reply.array_len(2);
            reply.bulk(key.name);
            reply_from_end(reply, list, self.end, count);
        })
    }
}

/// LMPOP.
pub fn lmpop(call: &mut Call<'_>) -> Outcome {
    let options = MultiPop::parse(call.arguments, 1)?;
    for index in options.keys.clone() {
        if options.run(call, index)? {
            return Ok(());
        }
    }
    call.reply.null_array();
    Ok(())
}
