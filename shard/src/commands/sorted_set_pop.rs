//! Taking entries off the ends of sorted sets: ZPOPMIN, ZPOPMAX, ZMPOP.

use std::ops::Range;

use super::operand::{count, count_from, key_count};
use super::sorted_set_remove::shrink;
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::reply::Protocol;
use crate::sorted_set::{Order, SortedSet};
use crate::store::{Access, Key, Store};

const NO_COUNT: CommandError = CommandError::Fixed("ERR count should be greater than 0");

/// Which end entries are taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The lowest scores.
    Min,
    /// The highest scores.
    Max,
}

impl End {
    fn order(self) -> Order {
        match self {
            Self::Min => Order::Rising,
            Self::Max => Order::Falling,
        }
    }

    /// The command that takes off this end.
    fn command(self) -> &'static [u8] {
        match self {
            Self::Min => b"ZPOPMIN",
            Self::Max => b"ZPOPMAX",
        }
    }

    fn event(self) -> Event {
        match self {
            Self::Min => Event::ZPopMin,
            Self::Max => Event::ZPopMax,
        }
    }
}

/// Takes up to `count` entries off one end of the set at a key, which it reports. `tell` sees the
/// set, the ranks of the entries and their order before they go.
pub(super) fn pop(
    store: &mut Store,
    key: Key<'_>,
    end: End,
    count: usize,
    tell: impl FnOnce(&SortedSet, Range<usize>, Order),
) -> Result<usize, CommandError> {
    let popped = shrink(store, key, end.event(), |set| {
        let count = count.min(set.len());
        let ranks = match end {
            End::Min => 0..count,
            End::Max => set.len() - count..set.len(),
        };
        tell(set, ranks.clone(), end.order());
        set.remove_ranks(ranks);
        count
    })?;
    if popped > 0 && store.journal.is_on() {
        let (name, count): (&[u8], _) = (end.command(), popped.to_string());
        store.journal.replace(key.db, &[name, key.name, count.as_bytes()]);
    }
    Ok(popped)
}

/// ZPOPMIN.
pub fn zpopmin(call: &mut Call<'_>) -> Outcome {
    pop_one_key(call, End::Min)
}

/// ZPOPMAX.
pub fn zpopmax(call: &mut Call<'_>) -> Outcome {
    pop_one_key(call, End::Max)
}

fn pop_one_key(call: &mut Call<'_>, end: End) -> Outcome {
    let count = match call.arguments.len() {
        2 => None,
        3 => Some(count(call.arguments, 2)?),
        _ => return Err(error::SYNTAX),
    };
    let key = call.key(1);
    let Call { store, reply, .. } = call;
    // Without a count the one entry is flat in RESP3 too.
    let is_nested = count.is_some() && reply.protocol() == Protocol::Resp3;
    let mut is_told = false;
    pop(store, key, end, count.unwrap_or(1), |set, ranks, order| {
        is_told = true;
        reply.array_len(if is_nested { ranks.len() } else { 2 * ranks.len() });
        set.visit(ranks, order, |entry| {
            if is_nested {
                reply.array_len(2);
            }
            reply.bulk(entry.member);
            reply.double(entry.score);
        });
    })?;
    if !is_told {
        reply.array_len(0);
    }
    Ok(())
}

/// What stands behind `ZMPOP`.
pub(super) struct MultiPop {
    /// The arguments that are keys.
    pub(super) keys: Range<usize>,
    /// `MIN` or `MAX`.
    pub(super) end: End,
    /// `COUNT`
    pub(super) count: usize,
}

impl MultiPop {
    /// Reads the arguments from the number of keys, argument `first`, on.
    pub(super) fn parse(arguments: Arguments<'_>, first: usize) -> Result<Self, CommandError> {
        let keys_end = key_count(arguments, first)?.saturating_add(first + 1);
        let end = match () {
            () if arguments.is(keys_end, "min") => End::Min,
            () if arguments.is(keys_end, "max") => End::Max,
            () => return Err(error::SYNTAX),
        };
        let count = match arguments.len() - keys_end {
            1 => 1,
            len if len > 2 && arguments.is(keys_end + 1, "count") => {
                let count = count_from(1, arguments, keys_end + 2, NO_COUNT)?;
                if len > 3 {
                    return Err(error::SYNTAX);
                }
                count
            }
            _ => return Err(error::SYNTAX),
        };
        Ok(Self { keys: first + 1..keys_end, end, count })
    }

    /// Pops from the key at an argument and answers with its name and the entries; whether it has
    /// a set.
    pub(super) fn run(&self, call: &mut Call<'_>, index: usize) -> Result<bool, CommandError> {
        let key = call.key(index);
        if call.store.collection::<SortedSet>(key, Access::Peek)?.is_none() {
            return Ok(false);
        }
        let Call { store, reply, .. } = call;
        pop(store, key, self.end, self.count, |set, ranks, order| {
            reply.array_len(2);
            reply.bulk(key.name);
            reply.array_len(ranks.len());
            set.visit(ranks, order, |entry| {
                reply.array_len(2);
                reply.bulk(entry.member);
                reply.double(entry.score);
            });
        })?;
        Ok(true)
    }
}

/// ZMPOP.
pub fn zmpop(call: &mut Call<'_>) -> Outcome {
    let wanted = MultiPop::parse(call.arguments, 1)?;
    for index in wanted.keys.clone() {
        if wanted.run(call, index)? {
            return Ok(());
        }
    }
    call.reply.null_array();
    Ok(())
}
