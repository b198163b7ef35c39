//! LPOS: where in a list an element is.

use super::operand::{count_from, symmetric_integer};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::list::{End, List};
use crate::packed::Element;

const RANK_IS_ZERO: CommandError = CommandError::Fixed(
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
     negative to start from the end of the list",
);
const COUNT_IS_NEGATIVE: CommandError = CommandError::Fixed("ERR COUNT can't be negative");
const LENGTH_IS_NEGATIVE: CommandError = CommandError::Fixed("ERR MAXLEN can't be negative");

/// What to look for besides the element.
struct Search {
    /// Where to begin.
    end: End,
    /// Matches to pass over first.
    skipped: usize,
    /// Most matches to answer with, if an array is asked for; 0 for all.
    count: Option<usize>,
    /// Most elements to compare.
    compared: usize,
}

impl Search {
    fn parse(arguments: Arguments<'_>) -> Result<Self, CommandError> {
        let mut search = Self { end: End::Head, skipped: 0, count: None, compared: usize::MAX };
        let mut index = 3;
        while index < arguments.len() {
            let value = index + 1;
            let has_value = value < arguments.len();
            match () {
                () if arguments.is(index, "rank") && has_value => {
                    let rank = symmetric_integer(arguments, value)?;
                    if rank == 0 {
                        return Err(RANK_IS_ZERO);
                    }
                    search.end = if rank < 0 { End::Tail } else { End::Head };
                    search.skipped = usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
                }
                () if arguments.is(index, "count") && has_value => {
                    search.count = Some(count_from(0, arguments, value, COUNT_IS_NEGATIVE)?);
                }
                () if arguments.is(index, "maxlen") && has_value => {
                    search.compared = match count_from(0, arguments, value, LENGTH_IS_NEGATIVE)? {
                        0 => usize::MAX,
                        compared => compared,
                    };
                }
                () => return Err(error::SYNTAX),
            }
            index += 2;
        }
        Ok(search)
    }

    /// Positions of matches in the order they are found, `count` at most.
    fn positions(&self, list: &List, element: Element<'_>, count: usize) -> Vec<usize> {
        let elements = list.iter();
        let is_match =
            |(place, present): (usize, Element<'_>)| (present == element).then_some(place);
        match self.end {
            End::Head => {
                let found = elements.enumerate().take(self.compared).filter_map(is_match);
                found.skip(self.skipped).take(count).collect()
            }
            End::Tail => {
                let found = elements.rev().enumerate().take(self.compared).filter_map(is_match);
                let from_tail = found.skip(self.skipped).take(count);
                from_tail.map(|place| list.len() - 1 - place).collect()
            }
        }
    }
}

/// LPOS.
pub fn lpos(call: &mut Call<'_>) -> Outcome {
    let search = Search::parse(call.arguments)?;
    let element = Element::new(call.arguments.at(2));
    let access = call.read_access();
    let list = call.store.collection::<List>(call.key(1), access)?;
    let count = match search.count {
        None => 1,
        Some(0) => usize::MAX,
        Some(count) => count,
    };
    let positions = list.map(|list| search.positions(list, element, count)).unwrap_or_default();
    match (search.count, positions.first()) {
        (None, Some(position)) => call.reply.integer(*position as i64),
        (None, None) => call.reply.null(),
        (Some(_), _) => {
            call.reply.array_len(positions.len());
            positions.iter().for_each(|position| call.reply.integer(*position as i64));
        }
    }
    Ok(())
}
