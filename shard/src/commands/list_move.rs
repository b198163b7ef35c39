//! LMOVE and RPOPLPUSH: an element goes from one end of a list to one end of another.

use super::list::{end_at, node_limit, pop_event, push_event};
use crate::call::Call;
use crate::error::{CommandError, Outcome};
use crate::list::{End, List};
use crate::object::Missing;
use crate::store::{Access, Key, Store};

/// LMOVE.
pub fn lmove(call: &mut Call<'_>) -> Outcome {
    let (from, to) = (end_at(call.arguments, 3)?, end_at(call.arguments, 4)?);
    move_or_null(call, from, to)
}

/// RPOPLPUSH.
pub fn rpoplpush(call: &mut Call<'_>) -> Outcome {
    move_or_null(call, End::Tail, End::Head)
}

fn move_or_null(call: &mut Call<'_>, from: End, to: End) -> Outcome {
    if !move_and_reply(call, from, to)? {
        call.reply.null();
    }
    Ok(())
}

/// Moves an element from the list at argument 1 to the one at argument 2 and answers with it;
/// whether there was one.
pub(super) fn move_and_reply(
    call: &mut Call<'_>,
    from: End,
    to: End,
) -> Result<bool, CommandError> {
    let (source, target) = (call.key(1), call.key(2));
    let text = move_one(call.store, (source, from), (target, to))?;
    if let Some(text) = &text {
        call.reply.bulk(text);
    }
    Ok(text.is_some())
}

fn name_of(end: End) -> &'static [u8] {
    match end {
        End::Head => b"LEFT",
        End::Tail => b"RIGHT",
    }
}

/// Moves one element; its text, or `None` if there is no source.
///
/// # Errors
/// `WRONGTYPE` if either key holds something else; a target is not looked at without a source.
fn move_one(
    store: &mut Store,
    (source, from): (Key<'_>, End),
    (target, to): (Key<'_>, End),
) -> Result<Option<Vec<u8>>, CommandError> {
    let limit = node_limit(store);
    let Some(list) = store.collection::<List>(source, Access::Peek)? else { return Ok(None) };
    let text = list.at_end(from).expect("no stored list is empty").to_vec();
    store.collection::<List>(target, Access::Peek)?;
    let is_same = (source.db, source.name) == (target.db, target.name);
    let left = if is_same {
        // In one step, so that a list of one element is not removed and made anew.
        store.change_collection(source, Missing::Skip, |list: &mut List| {
            list.rotate(from, to, limit);
            list.len()
        })?
    } else {
        store.change_collection(target, Missing::Create, |list: &mut List| {
            list.push(to, &text, limit);
        })?;
        store.change_collection(source, Missing::Skip, |list: &mut List| {
            list.remove(from, 1, limit);
            list.len()
        })?
    };
    store.changed_too(target, push_event(to));
    store.changed_by_removal(source, pop_event(from), left.expect("the source is there"));
    let parts: [&[u8]; 5] = [b"LMOVE", source.name, target.name, name_of(from), name_of(to)];
    store.journal.replace(source.db, &parts);
    Ok(Some(text))
}
