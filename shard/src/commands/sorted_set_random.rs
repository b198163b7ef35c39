//! ZRANDMEMBER: members drawn at random, each as likely as any other.

use super::operand::symmetric_integer;
use super::sorted_set::read;
use super::sorted_set_result::{Scores, reply_entries_len, reply_entry};
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::sorted_set::{Order, SortedSet};

const OUT_OF_RANGE: CommandError = CommandError::Fixed("ERR value is out of range");
/// ZRANDMEMBER.
pub fn zrandmember(call: &mut Call<'_>) -> Outcome {
    if call.arguments.len() == 2 {
        return reply_one(call);
    }
    let count = symmetric_integer(call.arguments, 2)?;
    let scores = match call.arguments.len() {
        3 => Scores::Left,
        4 if call.arguments.is(3, "withscores") => Scores::Told,
        _ => return Err(error::SYNTAX),
    };
    // The reply has twice as many elements, whose number must fit as well.
    if scores == Scores::Told && count.unsigned_abs() > i64::MAX.unsigned_abs() / 2 {
        return Err(OUT_OF_RANGE);
    }
    let (key, access) = (call.key(1), call.read_access());
    let length = read(call.store, key, access)?.map_or(0, SortedSet::len);
    let ranks = match usize::try_from(count) {
        Ok(count) => draw_distinct(call, length, count.min(length)),
        Err(_) if length == 0 => Vec::new(),
        Err(_) => return reply_repeating(call, length, count.unsigned_abs(), scores),
    };
    reply_entries_len(&mut call.reply, ranks.len(), scores);
    reply_ranks(call, &ranks, scores)
}

fn reply_one(call: &mut Call<'_>) -> Outcome {
    let (key, access) = (call.key(1), call.read_access());
    let Some(length) = read(call.store, key, access)?.map(SortedSet::len) else {
        call.reply.null();
        return Ok(());
    };
    let rank = below(call, length);
    reply_ranks(call, &[rank], Scores::Left)
}

/// A random number below `bound`.
fn below(call: &mut Call<'_>, bound: usize) -> usize {
    ((u128::from(call.store.random()) * bound as u128) >> u64::BITS) as usize
}

fn reply_ranks(call: &mut Call<'_>, ranks: &[usize], scores: Scores) -> Outcome {
    let key = call.key(1);
    let Call { store, reply, .. } = call;
    let Some(set) = read(store, key, crate::store::Access::Peek)? else { return Ok(()) };
    for &rank in ranks {
        set.visit(rank..rank + 1, Order::Rising, |entry| reply_entry(reply, entry, scores));
    }
    Ok(())
}

/// Draws with repetition, a batch at a time: the client may have asked for any number.
fn reply_repeating(call: &mut Call<'_>, length: usize, count: u64, scores: Scores) -> Outcome {
    const BATCH: u64 = 1000;
    reply_entries_len(&mut call.reply, count as usize, scores);
    let mut left = count;
    while left > 0 {
        let batch = left.min(BATCH);
        let ranks: Vec<usize> = (0..batch).map(|_| below(call, length)).collect();
        reply_ranks(call, &ranks, scores)?;
        left -= batch;
    }
    Ok(())
}

/// `count` different ranks below `length`, rising, each choice as likely as any other. Walks over
/// all ranks where many are wanted, and draws until there are enough where few are.
fn draw_distinct(call: &mut Call<'_>, length: usize, count: usize) -> Vec<usize> {
    const FEW: usize = 8;
    if count == length {
        return (0..length).collect();
    }
    if count < length / FEW {
        let mut drawn = std::collections::BTreeSet::new();
        while drawn.len() < count {
            drawn.insert(below(call, length));
        }
        return drawn.into_iter().collect();
    }
    let mut chosen = Vec::with_capacity(count);
    for rank in 0..length {
        let wanted = count - chosen.len();
        if below(call, length - rank) < wanted {
            chosen.push(rank);
        }
    }
    chosen
}
