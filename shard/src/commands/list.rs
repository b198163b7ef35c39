//! Lists: the commands that read them, and what all commands on lists share.
//!
//! | file | commands |
//! |---|---|
//! | `list` | LLEN LINDEX LRANGE |
//! | `list_search` | LPOS |
//! | `list_push` | LPUSH RPUSH LPUSHX RPUSHX |
//! | `list_pop` | LPOP RPOP LMPOP |
//! | `list_move` | LMOVE RPOPLPUSH |
//! | `list_edit` | LSET LINSERT LREM LTRIM |

pub use super::list_blocking::{blmove, blmpop, blpop, brpop, brpoplpush};
pub use super::list_edit::{linsert, lrem, lset, ltrim};
pub use super::list_move::{lmove, rpoplpush};
pub use super::list_pop::{lmpop, lpop, rpop};
pub use super::list_push::{lpush, lpushx, rpush, rpushx};
pub use super::list_search::lpos;

use super::operand::integer;
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::list::{End, List, NodeLimit};
use crate::packed::Element;
use crate::reply::Reply;
use crate::store::Store;

/// How large the nodes of lists may become.
pub(super) fn node_limit(store: &Store) -> NodeLimit {
    NodeLimit::of_setting(i64::from(store.settings().list_max_listpack_size))
        .with_large_from(store.large_element_bytes)
}

/// Answers with one element.
pub(super) fn reply_element(reply: &mut Reply<'_>, element: Element<'_>) {
    match element {
        Element::Int(number) => reply.bulk_integer(number),
        Element::Text(text) => reply.bulk(text),
    }
}

/// The end that argument `index` names.
pub(super) fn end_at(arguments: Arguments<'_>, index: usize) -> Result<End, CommandError> {
    match () {
        () if arguments.is(index, "left") => Ok(End::Head),
        () if arguments.is(index, "right") => Ok(End::Tail),
        () => Err(error::SYNTAX),
    }
}

/// What adding elements at an end is called.
pub(super) fn push_event(end: End) -> Event {
    match end {
        End::Head => Event::LPush,
        End::Tail => Event::RPush,
    }
}

/// What taking elements off an end is called.
pub(super) fn pop_event(end: End) -> Event {
    match end {
        End::Head => Event::LPop,
        End::Tail => Event::RPop,
    }
}

/// A position counted from either end as one counted from the head, which may lie outside.
pub(super) fn from_head(position: i64, len: usize) -> i64 {
    if position < 0 { position.saturating_add(len as i64) } else { position }
}

/// First index and number of the elements from `start` to `stop`, both included.
pub(super) fn span(start: i64, stop: i64, len: usize) -> (usize, usize) {
    let start = from_head(start, len).max(0);
    let stop = from_head(stop, len).min(len as i64 - 1);
    if start > stop { (0, 0) } else { (start as usize, (stop - start + 1) as usize) }
}

/// LLEN.
pub fn llen(call: &mut Call<'_>) -> Outcome {
    let access = call.read_access();
    let list = call.store.collection::<List>(call.key(1), access)?;
    call.reply.integer(list.map_or(0, List::len) as i64);
    Ok(())
}

/// LINDEX.
pub fn lindex(call: &mut Call<'_>) -> Outcome {
    let access = call.read_access();
    let Some(list) = call.store.collection::<List>(call.key(1), access)? else {
        call.reply.null();
        return Ok(());
    };
    let index = from_head(integer(call.arguments, 2)?, list.len());
    match usize::try_from(index).ok().and_then(|index| list.get(index)) {
        Some(element) => reply_element(&mut call.reply, element),
        None => call.reply.null(),
    }
    Ok(())
}

/// LRANGE.
pub fn lrange(call: &mut Call<'_>) -> Outcome {
    let (start, stop) = (integer(call.arguments, 2)?, integer(call.arguments, 3)?);
    let access = call.read_access();
    let Some(list) = call.store.collection::<List>(call.key(1), access)? else {
        call.reply.array_len(0);
        return Ok(());
    };
    let (index, count) = span(start, stop, list.len());
    call.reply.array_len(count);
    list.range(index, count).for_each(|element| reply_element(&mut call.reply, element));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_cut_to_the_list() {
        assert_eq!(span(0, -1, 5), (0, 5));
        assert_eq!(span(-3, 100, 5), (2, 3));
        assert_eq!(span(-100, 1, 5), (0, 2));
        assert_eq!(span(3, 2, 5), (0, 0));
        assert_eq!(span(5, 9, 5), (0, 0));
        assert_eq!(span(-100, -50, 5), (0, 0));
        assert_eq!(span(i64::MIN, i64::MAX, 5), (0, 5));
    }
}
