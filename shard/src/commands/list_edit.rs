//! LSET, LINSERT, LREM and LTRIM: changes within a list.

use super::list::{from_head, node_limit, span};
use super::operand::{integer, symmetric_integer};
use crate::call::Call;
use crate::error::{self, Outcome};
use crate::event::Event;
use crate::list::{End, List, Side};
use crate::object::Missing;
use crate::store::Access;

/// LSET.
pub fn lset(call: &mut Call<'_>) -> Outcome {
    let (key, text) = (call.key(1), call.arguments.at(3));
    let limit = node_limit(call.store);
    let list = call.store.collection::<List>(key, Access::Peek)?.ok_or(error::NO_SUCH_KEY)?;
    let index = from_head(integer(call.arguments, 2)?, list.len());
    let replaced = call.store.change_collection(key, Missing::Skip, |list: &mut List| {
        list.replace(usize::try_from(index).unwrap_or(usize::MAX), text, limit)
    })?;
    if replaced != Some(true) {
        return Err(error::OUT_OF_RANGE);
    }
    call.store.changed(key, Event::LSet);
    call.reply.ok();
    Ok(())
}

/// LINSERT.
pub fn linsert(call: &mut Call<'_>) -> Outcome {
    let arguments = call.arguments;
    let side = match () {
        () if arguments.is(2, "before") => Side::Before,
        () if arguments.is(2, "after") => Side::After,
        () => return Err(error::SYNTAX),
    };
    let (key, limit) = (call.key(1), node_limit(call.store));
    let inserted = call.store.change_collection(key, Missing::Skip, |list: &mut List| {
        let found = list.insert_beside(side, arguments.at(3), arguments.at(4), limit);
        found.then_some(list.len())
    })?;
    if let Some(Some(_)) = inserted {
        call.store.changed(key, Event::LInsert);
    }
    call.reply.integer(match inserted {
        None => 0,
        Some(None) => -1,
        Some(Some(len)) => len as i64,
    });
    Ok(())
}

/// LREM.
pub fn lrem(call: &mut Call<'_>) -> Outcome {
    let count = symmetric_integer(call.arguments, 2)?;
    let end = if count < 0 { End::Tail } else { End::Head };
    let limit_count = match count {
        0 => usize::MAX,
        _ => usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX),
    };
    let (key, text, limit) = (call.key(1), call.arguments.at(3), node_limit(call.store));
    let changed = call.store.change_collection(key, Missing::Skip, |list: &mut List| {
        (list.remove_equal(end, text, limit_count, limit), list.len())
    })?;
    let (removed, left) = changed.unwrap_or_default();
    if removed > 0 {
        call.store.changed_by_removal(key, Event::LRem, left);
    }
    call.reply.integer(removed as i64);
    Ok(())
}

/// LTRIM.
pub fn ltrim(call: &mut Call<'_>) -> Outcome {
    let (start, stop) = (integer(call.arguments, 2)?, integer(call.arguments, 3)?);
    let (key, limit) = (call.key(1), node_limit(call.store));
    let left = call.store.change_collection(key, Missing::Skip, |list: &mut List| {
        let (index, count) = span(start, stop, list.len());
        list.keep(index, count, limit);
        list.len()
    })?;
    if let Some(left) = left {
        call.store.changed_by_removal(key, Event::LTrim, left);
    }
    call.reply.ok();
    Ok(())
}
