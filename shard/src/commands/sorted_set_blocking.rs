//! Sorted sets, with patience: BZPOPMIN, BZPOPMAX, BZMPOP.

use super::blocking::{deadline_from_seconds, wait_for};
use super::sorted_set_pop::{End, MultiPop, pop};
use crate::call::Call;
use crate::error::{CommandError, Outcome};
use crate::sorted_set::SortedSet;

/// BZPOPMIN.
pub fn bzpopmin(call: &mut Call<'_>) -> Outcome {
    pop_or_wait(call, End::Min, |call, index| pop_named(call, index, End::Min).map(drop))
}

/// BZPOPMAX.
pub fn bzpopmax(call: &mut Call<'_>) -> Outcome {
    pop_or_wait(call, End::Max, |call, index| pop_named(call, index, End::Max).map(drop))
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
    call.wait(wait_for::<SortedSet>(1..last, deadline_ms, serve));
    Ok(())
}

/// Pops one entry and answers with key, member and score; whether there was one.
fn pop_named(call: &mut Call<'_>, index: usize, end: End) -> Result<bool, CommandError> {
    let key = call.key(index);
    let Call { store, reply, .. } = call;
    let popped = pop(store, key, end, 1, |set, ranks, order| {
        reply.array_len(3);
        reply.bulk(key.name);
        set.visit(ranks, order, |entry| {
            reply.bulk(entry.member);
            reply.double(entry.score);
        });
    })?;
    Ok(popped > 0)
}

/// BZMPOP.
pub fn bzmpop(call: &mut Call<'_>) -> Outcome {
    let wanted = MultiPop::parse(call.arguments, 2)?;
    let deadline_ms = deadline_from_seconds(call, 1)?;
    for index in wanted.keys.clone() {
        if wanted.run(call, index)? {
            return Ok(());
        }
    }
    call.wait(wait_for::<SortedSet>(wanted.keys, deadline_ms, |call, index| {
        MultiPop::parse(call.arguments, 2)?.run(call, index).map(drop)
    }));
    Ok(())
}
