//! Lists, with patience: BLPOP, BRPOP, BLMPOP, BLMOVE, BRPOPLPUSH.
//!
//! Each looks at its keys as the command without the B does; finding none, it leaves a wait whose
//! `serve` is the same work on the one key that got a list.

use super::blocking::{deadline_from_seconds, wait_for};
use super::list::{end_at, reply_element};
use super::list_move::move_and_reply;
use super::list_pop::{MultiPop, pop};
use crate::call::Call;
use crate::error::{CommandError, Outcome};
use crate::key_waits::KeyWait;
use crate::list::{End, List};

/// BLPOP.
pub fn blpop(call: &mut Call<'_>) -> Outcome {
    pop_or_wait(call, End::Head, |call, index| pop_named(call, index, End::Head).map(drop))
}

/// BRPOP.
pub fn brpop(call: &mut Call<'_>) -> Outcome {
    pop_or_wait(call, End::Tail, |call, index| pop_named(call, index, End::Tail).map(drop))
}

fn pop_or_wait(
    call: &mut Call<'_>,
    end: End,
    serve: fn(&mut Call<'_>, usize) -> Outcome,
) -> Outcome {
    let last = call.arguments.len() - 1;
    let deadline_ms = deadline_from_seconds(call, last)?;
    for index in 1..last {
        if pop_named(call, index, end)? {
            return Ok(());
        }
    }
    call.wait(wait_for::<List>(1..last, deadline_ms, serve));
    Ok(())
}

/// Pops one element and answers with the key and the element; whether there was one.
fn pop_named(call: &mut Call<'_>, index: usize, end: End) -> Result<bool, CommandError> {
    let (key, reply) = (call.key(index), &mut call.reply);
    pop(call.store, key, end, 1, |list, _| {
        reply.array_len(2);
        reply.bulk(key.name);
        reply_element(reply, list.at_end(end).expect("no stored list is empty"));
    })
}

/// BLMPOP.
pub fn blmpop(call: &mut Call<'_>) -> Outcome {
    let options = MultiPop::parse(call.arguments, 2)?;
    let deadline_ms = deadline_from_seconds(call, 1)?;
    for index in options.keys.clone() {
        if options.run(call, index)? {
            return Ok(());
        }
    }
    call.wait(wait_for::<List>(options.keys, deadline_ms, |call, index| {
        MultiPop::parse(call.arguments, 2)?.run(call, index).map(drop)
    }));
    Ok(())
}

/// BLMOVE.
pub fn blmove(call: &mut Call<'_>) -> Outcome {
    let (from, to) = (end_at(call.arguments, 3)?, end_at(call.arguments, 4)?);
    move_or_wait(call, from, to, 5, |call, _| {
        let (from, to) = (end_at(call.arguments, 3)?, end_at(call.arguments, 4)?);
        move_and_reply(call, from, to).map(drop)
    })
}

/// BRPOPLPUSH.
pub fn brpoplpush(call: &mut Call<'_>) -> Outcome {
    move_or_wait(call, End::Tail, End::Head, 3, |call, _| {
        move_and_reply(call, End::Tail, End::Head).map(drop)
    })
}

fn move_or_wait(
    call: &mut Call<'_>,
    from: End,
    to: End,
    timeout: usize,
    serve: fn(&mut Call<'_>, usize) -> Outcome,
) -> Outcome {
    let deadline_ms = deadline_from_seconds(call, timeout)?;
    if !move_and_reply(call, from, to)? {
        let wait = wait_for::<List>(1..2, deadline_ms, serve);
        call.wait(KeyWait { companion: Some(2), ..wait });
    }
    Ok(())
}
