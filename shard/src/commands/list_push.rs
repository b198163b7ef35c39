//! LPUSH, RPUSH and their forms for lists that are there already.

use super::list::{node_limit, push_event};
use crate::call::Call;
use crate::error::Outcome;
use crate::list::{End, List};
use crate::object::Missing;

/// LPUSH.
pub fn lpush(call: &mut Call<'_>) -> Outcome {
    push(call, End::Head, Missing::Create)
}

/// RPUSH.
pub fn rpush(call: &mut Call<'_>) -> Outcome {
    push(call, End::Tail, Missing::Create)
}

/// LPUSHX.
pub fn lpushx(call: &mut Call<'_>) -> Outcome {
    push(call, End::Head, Missing::Skip)
}

/// RPUSHX.
pub fn rpushx(call: &mut Call<'_>) -> Outcome {
    push(call, End::Tail, Missing::Skip)
}

fn push(call: &mut Call<'_>, end: End, missing: Missing) -> Outcome {
    let (key, limit) = (call.key(1), node_limit(call.store));
    let elements = call.arguments.from(2);
    let len = call.store.change_collection(key, missing, |list: &mut List| {
        list.push_all(end, elements, limit);
        list.len()
    })?;
    if len.is_some() {
        call.store.changed(key, push_event(end));
    }
    call.reply.integer(len.unwrap_or(0) as i64);
    Ok(())
}
