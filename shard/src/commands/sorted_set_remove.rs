//! Removing from sorted sets: ZREM, and by ranges of ranks, scores and members.

use std::ops::Range;

use super::sorted_set_bounds::{RankRange, lex_range, score_range};
use crate::call::Call;
use crate::error::{CommandError, Outcome};
use crate::event::Event;
use crate::object::Missing;
use crate::sorted_set::SortedSet;
use crate::store::{Key, Store};

/// Removes what `remove` chooses from the set at a key and reports it, the end of the set
/// included. `remove` says how many entries went; so does this.
pub(super) fn shrink(
    store: &mut Store,
    key: Key<'_>,
    event: Event,
    remove: impl FnOnce(&mut SortedSet) -> usize,
) -> Result<usize, CommandError> {
    let outcome = store
        .change_collection(key, Missing::Skip, |set: &mut SortedSet| (remove(set), set.len()))?;
    let (removed, left) = outcome.unwrap_or((0, 0));
    if removed > 0 {
        store.changed_by_removal(key, event, left);
    }
    Ok(removed)
}

/// ZREM.
pub fn zrem(call: &mut Call<'_>) -> Outcome {
    let arguments = call.arguments;
    let removed = shrink(call.store, call.key(1), Event::ZRem, |set| {
        arguments.from(2).filter(|member| set.remove(member).is_some()).count()
    })?;
    call.reply.integer(removed as i64);
    Ok(())
}

/// ZREMRANGEBYRANK.
pub fn zremrangebyrank(call: &mut Call<'_>) -> Outcome {
    let range = RankRange::parse(call.arguments.at(2), call.arguments.at(3))?;
    remove_range(call, Event::ZRemRangeByRank, |set| range.within(set.len()))
}

/// ZREMRANGEBYSCORE.
pub fn zremrangebyscore(call: &mut Call<'_>) -> Outcome {
    let (low, high) = score_range(call.arguments.at(2), call.arguments.at(3))?;
    remove_range(call, Event::ZRemRangeByScore, |set| set.ranks_between(low, high))
}

/// ZREMRANGEBYLEX.
pub fn zremrangebylex(call: &mut Call<'_>) -> Outcome {
    let (low, high) = lex_range(call.arguments.at(2), call.arguments.at(3))?;
    remove_range(call, Event::ZRemRangeByLex, |set| set.ranks_between(low, high))
}

fn remove_range(
    call: &mut Call<'_>,
    event: Event,
    ranks_of: impl FnOnce(&SortedSet) -> Range<usize>,
) -> Outcome {
    let removed = shrink(call.store, call.key(1), event, |set| {
        let ranks = ranks_of(set);
        set.remove_ranks(ranks.clone());
        ranks.len()
    })?;
    call.reply.integer(removed as i64);
    Ok(())
}
