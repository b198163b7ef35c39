//! Ranges of sorted sets: ZRANGE with its many options, the commands it replaced, ZRANGESTORE.
//!
//! Whatever a range is given by, it is a range of ranks in the end; `LIMIT` and `REV` only move its
//! ends and say from which one it is read.

use std::ops::Range;

use super::operand::integer;
use super::sorted_set::read;
use super::sorted_set_bounds::{RankRange, lex_range, score_range};
use super::sorted_set_result::{Gathered, Scores, reply_entries_len, reply_entry};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::sorted_set::{Cut, Order, SortedSet};

const LIMIT_BY_RANK: CommandError = CommandError::Fixed(
    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
);
const SCORES_BY_LEX: CommandError =
    CommandError::Fixed("ERR syntax error, WITHSCORES not supported in combination with BYLEX");

/// What the two ends of a range are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// What a command accepts and presumes.
#[derive(Clone, Copy, Debug)]
struct Dialect {
    /// Argument of the set that is read.
    source: usize,
    /// What the ends are; `None` lets the options say.
    by: Option<By>,
    /// The direction; `None` lets the options say.
    order: Option<Order>,
    /// Whether `WITHSCORES` is known.
    tells_scores: bool,
}

/// What the options say.
#[derive(Clone, Copy, Debug)]
struct RangeOptions {
    by: By,
    order: Order,
    scores: Scores,
    offset: i64,
    /// Most entries; negative for all.
    count: i64,
}

impl RangeOptions {
    fn parse(arguments: Arguments<'_>, dialect: Dialect) -> Result<Self, CommandError> {
        let Dialect { source, mut by, mut order, tells_scores } = dialect;
        let (mut scores, mut offset, mut count) = (Scores::Left, 0, -1);
        let mut index = source + 3;
        while index < arguments.len() {
            match () {
                () if tells_scores && arguments.is(index, "withscores") => scores = Scores::Told,
                () if arguments.is(index, "limit") && index + 2 < arguments.len() => {
                    (offset, count) =
                        (integer(arguments, index + 1)?, integer(arguments, index + 2)?);
                    index += 2;
                }
                () if order.is_none() && arguments.is(index, "rev") => {
                    order = Some(Order::Falling);
                }
                () if by.is_none() && arguments.is(index, "bylex") => by = Some(By::Lex),
                () if by.is_none() && arguments.is(index, "byscore") => by = Some(By::Score),
                () => return Err(error::SYNTAX),
            }
            index += 1;
        }
        let by = by.unwrap_or(By::Rank);
        if count != -1 && by == By::Rank {
            return Err(LIMIT_BY_RANK);
        }
        if scores == Scores::Told && by == By::Lex {
            return Err(SCORES_BY_LEX);
        }
        Ok(Self { by, order: order.unwrap_or(Order::Rising), scores, offset, count })
    }

    /// The part of `ranks` that `LIMIT` leaves, counted from the end that is read first.
    fn limit(&self, ranks: Range<usize>) -> Range<usize> {
        let Ok(offset) = usize::try_from(self.offset) else { return ranks.start..ranks.start };
        let offset = offset.min(ranks.len());
        let count = usize::try_from(self.count).unwrap_or(usize::MAX).min(ranks.len() - offset);
        match self.order {
            Order::Rising => ranks.start + offset..ranks.start + offset + count,
            Order::Falling => ranks.end - offset - count..ranks.end - offset,
        }
    }
}

/// A range as it was asked for.
#[derive(Clone, Copy, Debug)]
enum Wanted<'a> {
    Ranks(RankRange),
    Between(Cut<'a>, Cut<'a>),
}

impl<'a> Wanted<'a> {
    fn parse(
        arguments: Arguments<'a>,
        source: usize,
        options: &RangeOptions,
    ) -> Result<Self, CommandError> {
        let (one, other) = (arguments.at(source + 1), arguments.at(source + 2));
        let (min, max) = match options.order {
            Order::Rising => (one, other),
            Order::Falling => (other, one),
        };
        Ok(match options.by {
            By::Rank => Self::Ranks(RankRange::parse(one, other)?),
            By::Score => {
                let (low, high) = score_range(min, max)?;
                Self::Between(low, high)
            }
            By::Lex => {
                let (low, high) = lex_range(min, max)?;
                Self::Between(low, high)
            }
        })
    }

    fn ranks(&self, set: &SortedSet, options: &RangeOptions) -> Range<usize> {
        match self {
            Self::Between(low, high) => options.limit(set.ranks_between(*low, *high)),
            Self::Ranks(range) => {
                let ranks = range.within(set.len());
                match options.order {
                    Order::Rising => ranks,
                    Order::Falling => set.len() - ranks.end..set.len() - ranks.start,
                }
            }
        }
    }
}

fn reply_range(call: &mut Call<'_>, by: Option<By>, order: Option<Order>) -> Outcome {
    let dialect = Dialect { source: 1, by, order, tells_scores: true };
    let options = RangeOptions::parse(call.arguments, dialect)?;
    let wanted = Wanted::parse(call.arguments, 1, &options)?;
    let (key, access) = (call.key(1), call.read_access());
    let Some(set) = read(call.store, key, access)? else {
        call.reply.array_len(0);
        return Ok(());
    };
    let ranks = wanted.ranks(set, &options);
    let reply = &mut call.reply;
    reply_entries_len(reply, ranks.len(), options.scores);
    set.visit(ranks, options.order, |entry| reply_entry(reply, entry, options.scores));
    Ok(())
}

/// ZRANGE.
pub fn zrange(call: &mut Call<'_>) -> Outcome {
    reply_range(call, None, None)
}

/// ZREVRANGE.
pub fn zrevrange(call: &mut Call<'_>) -> Outcome {
    reply_range(call, Some(By::Rank), Some(Order::Falling))
}

/// ZRANGEBYSCORE.
pub fn zrangebyscore(call: &mut Call<'_>) -> Outcome {
    reply_range(call, Some(By::Score), Some(Order::Rising))
}

/// ZREVRANGEBYSCORE.
pub fn zrevrangebyscore(call: &mut Call<'_>) -> Outcome {
    reply_range(call, Some(By::Score), Some(Order::Falling))
}

/// ZRANGEBYLEX.
pub fn zrangebylex(call: &mut Call<'_>) -> Outcome {
    reply_range(call, Some(By::Lex), Some(Order::Rising))
}

/// ZREVRANGEBYLEX.
pub fn zrevrangebylex(call: &mut Call<'_>) -> Outcome {
    reply_range(call, Some(By::Lex), Some(Order::Falling))
}

/// ZRANGESTORE.
pub fn zrangestore(call: &mut Call<'_>) -> Outcome {
    let dialect = Dialect { source: 2, by: None, order: None, tells_scores: false };
    let options = RangeOptions::parse(call.arguments, dialect)?;
    let wanted = Wanted::parse(call.arguments, 2, &options)?;
    let (destination, source) = (call.key(1), call.key(2));
    let access = call.read_access();
    let mut gathered = Gathered::default();
    if let Some(set) = read(call.store, source, access)? {
        set.visit(wanted.ranks(set, &options), Order::Rising, |entry| gathered.push(entry));
    }
    gathered.store(call, destination, Event::ZRangeStore);
    Ok(())
}
