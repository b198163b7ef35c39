//! SORT and SORT_RO: elements of a list, set or sorted set in another order.
//!
//! `BY` and `GET` reach keys by the data, which nobody can know beforehand. The command finds out
//! which slots they are in before it looks at any; if some are elsewhere it asks for them and runs
//! again from its start, by when the data may have changed and it may have to ask for more.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Range;

use super::list::node_limit;
use super::sort_options::{Pattern, SortOptions};
use super::sorted_set_bounds::{parse_leniently, parse_score};
use super::sorted_set_result::remove_destination;
use super::string::text_of;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::hash::HashSlot;
use crate::list::{End, List};
use crate::object::Object;
use crate::sorted_set::{Order, compare_scores};
use crate::table::{Value, ValueRef};
use crate::types::Type;

const NOT_NUMBERS: CommandError =
    CommandError::Fixed("ERR One or more scores can't be converted into double");

/// What an element is compared by.
#[derive(Clone, Debug, PartialEq)]
enum Weight {
    /// A number; elements with the same one are compared by their texts.
    Number(f64),
    /// A text. That of a missing key comes before all others.
    Text(Option<Vec<u8>>),
    /// The text of the element.
    Own,
}

/// One element on its way.
#[derive(Clone, Debug)]
struct Item {
    text: Vec<u8>,
    weight: Weight,
}

impl Item {
    fn compare(&self, other: &Item) -> Ordering {
        match (&self.weight, &other.weight) {
            (Weight::Number(one), Weight::Number(another)) => {
                compare_scores(*one, *another).then_with(|| self.text.cmp(&other.text))
            }
            (Weight::Text(one), Weight::Text(another)) => one.cmp(another),
            _ => self.text.cmp(&other.text),
        }
    }
}

const BY_DENIED: CommandError =
    CommandError::Fixed("ERR BY option of SORT denied due to insufficient ACL permissions.");
const GET_DENIED: CommandError =
    CommandError::Fixed("ERR GET option of SORT denied due to insufficient ACL permissions.");

/// SORT.
pub fn sort(call: &mut Call<'_>) -> Outcome {
    run(call, true)
}

/// SORT_RO.
pub fn sort_ro(call: &mut Call<'_>) -> Outcome {
    run(call, false)
}

/// Elements could be made to name any key, so patterns need the right to read all of them.
fn check_rights(call: &Call<'_>, options: &SortOptions<'_>) -> Outcome {
    let is_reaching = matches!(options.by, Some(Pattern::Key { .. }));
    if !is_reaching && options.gets.is_empty() {
        return Ok(());
    }
    let may_read_all = call.is_allowed(|user| user.may_read_any_key(call.row, &call.arguments));
    match () {
        () if may_read_all => Ok(()),
        () if is_reaching => Err(BY_DENIED),
        () => Err(GET_DENIED),
    }
}

fn run(call: &mut Call<'_>, may_store: bool) -> Outcome {
    let mut options = SortOptions::parse(call.arguments, may_store)?;
    check_rights(call, &options)?;
    let (kind, texts) = elements(call, options.order, options.keeps_order())?;
    // A set that is stored, or that a script sees, has to be in some order that is always the same.
    let is_kept = options.destination.is_some() || call.store.is_scripted;
    if options.keeps_order() && kind == Some(Type::Set) && is_kept {
        (options.by, options.alpha) = (None, true);
    }
    let mut items: Vec<Item> =
        texts.into_iter().map(|text| Item { text, weight: Weight::Own }).collect();
    let places = options.limit(items.len());
    if !options.keeps_order() {
        if !reach(call, options.by.as_slice(), &items) {
            return Ok(());
        }
        weigh(call, &mut items, &options)?;
        items.sort_by(|one, other| match options.order {
            Order::Rising => one.compare(other),
            Order::Falling => other.compare(one),
        });
    }
    if !reach(call, &options.gets, &items[places.clone()]) {
        return Ok(());
    }
    match options.destination {
        None => reply(call, &items[places], &options),
        Some(destination) => store(call, &items, places, &options, destination),
    }
    Ok(())
}

/// Whether all keys that `patterns` make of `items` are at hand. If not, the command runs again
/// when they are.
fn reach(call: &mut Call<'_>, patterns: &[Pattern<'_>], items: &[Item]) -> bool {
    let mut missing = BTreeSet::new();
    for pattern in patterns.iter().filter(|pattern| **pattern != Pattern::Element) {
        let keys = items.iter().filter_map(|item| pattern.key_for(&item.text));
        let slots = keys.map(|(name, _)| HashSlot::of_key(&name));
        missing.extend(slots.filter(|slot| !call.store.has_slot(*slot)));
    }
    if !missing.is_empty() {
        call.need_slots(missing.into_iter().collect());
        return false;
    }
    true
}

/// The elements of the key and what it is. In the order of the list or sorted set, from the end
/// that `order` says if that is the order of the answer.
fn elements(
    call: &mut Call<'_>,
    order: Order,
    keeps_order: bool,
) -> Result<(Option<Type>, Vec<Vec<u8>>), CommandError> {
    let access = call.read_access();
    let Some(entry) = call.store.find(call.key(1), access) else { return Ok((None, Vec::new())) };
    let mut texts = Vec::new();
    let (kind, is_ordered) = match entry.value() {
        ValueRef::Object(Object::List(list)) => {
            texts.extend(list.iter().map(|element| element.to_vec()));
            (Type::List, true)
        }
        ValueRef::Object(Object::Set(set)) => {
            texts.extend(set.iter().map(|member| member.to_vec()));
            (Type::Set, false)
        }
        ValueRef::Object(Object::SortedSet(set)) => {
            set.visit_all(|entry| texts.push(entry.member.to_vec()));
            (Type::SortedSet, true)
        }
        _ => return Err(error::WRONG_TYPE),
    };
    if keeps_order && is_ordered && order == Order::Falling {
        texts.reverse();
    }
    Ok((Some(kind), texts))
}

/// Finds out what each element is compared by.
fn weigh(call: &mut Call<'_>, items: &mut [Item], options: &SortOptions<'_>) -> Outcome {
    for item in items {
        item.weight = match (options.by, options.alpha) {
            (None, true) => Weight::Own,
            (None, false) => Weight::Number(number(&item.text)?),
            (Some(by), is_alpha) => match (look_up(call, by, &item.text), is_alpha) {
                (text, true) => Weight::Text(text),
                (Some(text), false) => Weight::Number(number(&text)?),
                (None, false) => Weight::Number(0.0),
            },
        };
    }
    Ok(())
}

/// The number an element stands for. Redis reads it as a C text, which ends at a zero byte.
fn number(text: &[u8]) -> Result<f64, CommandError> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    parse_leniently(text, parse_score).ok_or(NOT_NUMBERS)
}

/// The text a pattern leads to from an element.
fn look_up(call: &mut Call<'_>, pattern: Pattern<'_>, element: &[u8]) -> Option<Vec<u8>> {
    if pattern == Pattern::Element {
        return Some(element.to_vec());
    }
    let (name, field) = pattern.key_for(element)?;
    let key = call.store.key(call.caller.db, &name);
    let (access, now_ms) = (call.read_access(), call.store.now_ms());
    let entry = call.store.find(key, access)?;
    match field {
        Some(field) => field_text(entry.value(), field, now_ms),
        None => text_of(entry.value(), &mut itoa::Buffer::new()).ok().map(<[u8]>::to_vec),
    }
}

/// The text of a field, where the value is a hash that has it.
fn field_text(value: ValueRef<'_, Object>, field: &[u8], now_ms: i64) -> Option<Vec<u8>> {
    let ValueRef::Object(Object::Hash(hash)) = value else { return None };
    let text = hash.get(field, now_ms)?;
    Some(text.bytes(&mut itoa::Buffer::new()).to_vec())
}

/// Calls `tell` with what is answered for an element: itself, or what `GET` leads to.
fn tell_item(
    call: &mut Call<'_>,
    item: &Item,
    options: &SortOptions<'_>,
    mut tell: impl FnMut(&mut Call<'_>, Option<&[u8]>),
) {
    if options.gets.is_empty() {
        tell(call, Some(&item.text));
    }
    for pattern in &options.gets {
        let text = look_up(call, *pattern, &item.text);
        tell(call, text.as_deref());
    }
}

fn reply(call: &mut Call<'_>, items: &[Item], options: &SortOptions<'_>) {
    call.reply.array_len(items.len() * options.gets.len().max(1));
    for item in items {
        tell_item(call, item, options, |call, text| match text {
            Some(text) => call.reply.bulk(text),
            None => call.reply.null(),
        });
    }
}

fn store(
    call: &mut Call<'_>,
    items: &[Item],
    places: Range<usize>,
    options: &SortOptions<'_>,
    destination: usize,
) {
    let mut texts: Vec<Vec<u8>> = Vec::new();
    for item in &items[places] {
        tell_item(call, item, options, |_, text| texts.push(text.unwrap_or_default().to_vec()));
    }
    let key = call.key(destination);
    if texts.is_empty() {
        remove_destination(call.store, key);
    } else {
        let mut list = List::default();
        list.push_all(End::Tail, texts.iter().map(Vec::as_slice), node_limit(call.store));
        let value = Value::Object(Object::List(list));
        call.store.replace(key, Type::List, value, None, Event::SortStore);
        // What BY and GET looked at has no part in the order of records.
        call.did(key, &[b"DEL", key.name]);
        let head: [&[u8]; 2] = [b"RPUSH", key.name];
        let parts: Vec<&[u8]> = head.into_iter().chain(texts.iter().map(Vec::as_slice)).collect();
        call.did(key, &parts);
    }
    call.reply.integer(texts.len() as i64);
}
