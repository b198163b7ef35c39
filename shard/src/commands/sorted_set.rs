//! Sorted sets: the commands that ask about members, and what the whole family shares.
//!
//! | file | commands |
//! |---|---|
//! | `sorted_set` | ZCARD ZSCORE ZMSCORE ZRANK ZREVRANK ZCOUNT ZLEXCOUNT |
//! | `sorted_set_add` | ZADD ZINCRBY |
//! | `sorted_set_remove` | ZREM ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREMRANGEBYLEX |
//! | `sorted_set_range` | ZRANGE, its five older forms, ZRANGESTORE |
//! | `sorted_set_pop` | ZPOPMIN ZPOPMAX ZMPOP |
//! | `sorted_set_random`, `sorted_set_scan` | ZRANDMEMBER; ZSCAN |
//! | `sorted_set_combine` | ZUNION ZINTER ZDIFF, their STORE forms, ZINTERCARD |
//! | `sorted_set_bounds` | how ranges and scores are written |
//! | `sorted_set_result` | entries on their way into a reply or a key |

pub use super::sorted_set_add::{zadd, zincrby};
pub use super::sorted_set_blocking::{bzmpop, bzpopmax, bzpopmin};
pub use super::sorted_set_combine::{
    zdiff, zdiffstore, zinter, zintercard, zinterstore, zunion, zunionstore,
};
pub use super::sorted_set_pop::{zmpop, zpopmax, zpopmin};
pub use super::sorted_set_random::zrandmember;
pub use super::sorted_set_range::{
    zrange, zrangebylex, zrangebyscore, zrangestore, zrevrange, zrevrangebylex, zrevrangebyscore,
};
pub use super::sorted_set_remove::{zrem, zremrangebylex, zremrangebyrank, zremrangebyscore};
pub use super::sorted_set_scan::zscan;

use super::sorted_set_bounds::{lex_range, score_range};
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::sorted_set::{Cut, Limits, Order, SortedSet};
use crate::store::{Key, Store};

/// Up to where sorted sets stay packed under the settings in force.
pub(super) fn limits_of(store: &Store) -> Limits {
    let settings = store.settings();
    Limits {
        entries_max: settings.zset_max_listpack_entries,
        member_bytes_max: settings.zset_max_listpack_value_bytes,
        seed: store.seed(),
    }
}

/// The sorted set at a key, for reading.
pub(super) fn read<'c>(
    store: &'c mut Store,
    key: Key<'_>,
    access: crate::store::Access,
) -> Result<Option<&'c SortedSet>, CommandError> {
    store.collection::<SortedSet>(key, access)
}

/// ZCARD.
pub fn zcard(call: &mut Call<'_>) -> Outcome {
    let access = call.read_access();
    let length = read(call.store, call.key(1), access)?.map_or(0, SortedSet::len);
    call.reply.integer(length as i64);
    Ok(())
}

/// ZSCORE.
pub fn zscore(call: &mut Call<'_>) -> Outcome {
    let access = call.read_access();
    let (key, member) = (call.key(1), call.arguments.at(2));
    match read(call.store, key, access)?.and_then(|set| set.score(member)) {
        Some(score) => call.reply.double(score),
        None => call.reply.null(),
    }
    Ok(())
}

/// ZMSCORE.
pub fn zmscore(call: &mut Call<'_>) -> Outcome {
    let access = call.read_access();
    let (key, arguments) = (call.key(1), call.arguments);
    let set = read(call.store, key, access)?;
    call.reply.array_len(arguments.len() - 2);
    for member in arguments.from(2) {
        match set.and_then(|set| set.score(member)) {
            Some(score) => call.reply.double(score),
            None => call.reply.null(),
        }
    }
    Ok(())
}

/// ZRANK.
pub fn zrank(call: &mut Call<'_>) -> Outcome {
    reply_rank(call, Order::Rising)
}

/// ZREVRANK.
pub fn zrevrank(call: &mut Call<'_>) -> Outcome {
    reply_rank(call, Order::Falling)
}

fn reply_rank(call: &mut Call<'_>, order: Order) -> Outcome {
    let (key, arguments) = (call.key(1), call.arguments);
    let with_score = match arguments.len() {
        3 => false,
        4 if arguments.is(3, "withscore") => true,
        4 => return Err(error::SYNTAX),
        _ => return Err(error::wrong_arity(call.row.name)),
    };
    let access = call.read_access();
    let set = read(call.store, key, access)?;
    let found = set.and_then(|set| Some((set.len(), set.rank(arguments.at(2))?)));
    let Some((length, (rank, score))) = found else {
        if with_score {
            call.reply.null_array()
        } else {
            call.reply.null()
        }
        return Ok(());
    };
    let rank = if order == Order::Rising { rank } else { length - 1 - rank };
    if with_score {
        call.reply.array_len(2);
    }
    call.reply.integer(rank as i64);
    if with_score {
        call.reply.double(score);
    }
    Ok(())
}

/// ZCOUNT.
pub fn zcount(call: &mut Call<'_>) -> Outcome {
    let (low, high) = score_range(call.arguments.at(2), call.arguments.at(3))?;
    reply_count(call, low, high)
}

/// ZLEXCOUNT.
pub fn zlexcount(call: &mut Call<'_>) -> Outcome {
    let (low, high) = lex_range(call.arguments.at(2), call.arguments.at(3))?;
    reply_count(call, low, high)
}

fn reply_count(call: &mut Call<'_>, low: Cut<'_>, high: Cut<'_>) -> Outcome {
    let access = call.read_access();
    let set = read(call.store, call.key(1), access)?;
    let count = set.map_or(0, |set| set.ranks_between(low, high).len());
    call.reply.integer(count as i64);
    Ok(())
}
