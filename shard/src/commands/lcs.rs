//! LCS: the longest common subsequence of two strings, by the classic table.
//!
//! ```text
//!          b0 b1 b2 ...
//!        0  0  0  0        cell (i, j): length for the first i bytes of a and the first j of b
//!    a0  0  .  .  .
//!    a1  0  .  .  .        walked backwards from the last cell; where both directions are
//!    ..  0  .  .  .        equally good, b gets shorter first
//! ```
//!
//! There may be several subsequences of that length; which one is found, and which matches are
//! reported in which order, is what clients of Redis see.

use super::string::text_of;
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::number::parse_integer;
use crate::reply::Reply;

const NOT_STRINGS: CommandError =
    CommandError::Fixed("ERR The specified keys must contain string values");
const LENGTH_AND_MATCHES: CommandError =
    CommandError::Fixed("ERR If you want both the length and indexes, please just use IDX.");
const TOO_LONG: CommandError = CommandError::Fixed("ERR String too long for LCS");
const TOO_MUCH_MEMORY: CommandError = CommandError::Fixed(
    "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
);

/// What stands behind `LCS key1 key2`.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    length_only: bool,
    matches: bool,
    match_length_min: i64,
    with_match_length: bool,
}

impl Options {
    fn parse(arguments: Arguments<'_>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        let mut index = 3;
        while index < arguments.len() {
            match () {
                () if arguments.is(index, "idx") => options.matches = true,
                () if arguments.is(index, "len") => options.length_only = true,
                () if arguments.is(index, "withmatchlen") => options.with_match_length = true,
                () if arguments.is(index, "minmatchlen") && index + 1 < arguments.len() => {
                    index += 1;
                    let length = parse_integer(arguments.at(index)).ok_or(error::NOT_AN_INTEGER)?;
                    options.match_length_min = length.max(0);
                }
                () => return Err(error::SYNTAX),
            }
            index += 1;
        }
        if options.length_only && options.matches {
            return Err(LENGTH_AND_MATCHES);
        }
        Ok(options)
    }
}

/// LCS. O(N*M)
pub fn lcs(call: &mut Call<'_>) -> Outcome {
    // Both are looked up before either is judged.
    let (one, other) = (string_at(call, 1), string_at(call, 2));
    let (one, other) = (one?, other?);
    let options = Options::parse(call.arguments)?;
    let longest = u32::MAX as usize - 1;
    if one.len() >= longest || other.len() >= longest {
        return Err(TOO_LONG);
    }
    let cells = (one.len() as u64 + 1) * (other.len() as u64 + 1);
    if cells.saturating_mul(size_of::<u32>() as u64)
        > call.store.settings().proto_max_bulk_len as u64
    {
        return Err(TOO_MUCH_MEMORY);
    }
    let table = Table::fill(&one, &other);
    if options.length_only {
        call.reply.integer(table.length());
    } else if options.matches {
        reply_matches(&mut call.reply, &table, &options);
    } else {
        call.reply.bulk(&table.subsequence());
    }
    Ok(())
}

fn string_at(call: &mut Call<'_>, index: usize) -> Result<Vec<u8>, CommandError> {
    let access = call.read_access();
    match call.store.find(call.key(index), access) {
        Some(entry) => text_of(entry.value(), &mut itoa::Buffer::new())
            .map(<[u8]>::to_vec)
            .map_err(|_| NOT_STRINGS),
        None => Ok(Vec::new()),
    }
}

struct Table<'a> {
    one: &'a [u8],
    other: &'a [u8],
    /// Row by row, a row for each prefix of `one`.
    cells: Vec<u32>,
}

/// A common stretch: where it starts in both strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Match {
    one: usize,
    other: usize,
    length: usize,
}

impl<'a> Table<'a> {
    fn fill(one: &'a [u8], other: &'a [u8]) -> Self {
        let width = other.len() + 1;
        let mut cells = vec![0_u32; (one.len() + 1) * width];
        for (row, byte) in one.iter().enumerate() {
            let (above, current) = cells[row * width..(row + 2) * width].split_at_mut(width);
            for (column, other_byte) in other.iter().enumerate() {
                current[column + 1] = if byte == other_byte {
                    above[column] + 1
                } else {
                    above[column + 1].max(current[column])
                };
            }
        }
        Self { one, other, cells }
    }

    fn cell(&self, row: usize, column: usize) -> u32 {
        self.cells[row * (self.other.len() + 1) + column]
    }

    fn length(&self) -> i64 {
        i64::from(self.cell(self.one.len(), self.other.len()))
    }

    /// Places in both strings of the bytes of the subsequence, last first.
    fn walk(&self) -> impl Iterator<Item = (usize, usize)> {
        let (mut row, mut column) = (self.one.len(), self.other.len());
        std::iter::from_fn(move || {
            while row > 0 && column > 0 {
                if self.one[row - 1] == self.other[column - 1] {
                    row -= 1;
                    column -= 1;
                    return Some((row, column));
                }
                if self.cell(row - 1, column) > self.cell(row, column - 1) {
                    row -= 1;
                } else {
                    column -= 1;
                }
            }
            None
        })
    }

    fn subsequence(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.walk().map(|(row, _)| self.one[row]).collect();
        bytes.reverse();
        bytes
    }

    /// The subsequence in stretches, last first.
    fn matches(&self) -> Vec<Match> {
        let mut matches: Vec<Match> = Vec::new();
        for (one, other) in self.walk() {
            match matches.last_mut() {
                Some(last) if last.one == one + 1 && last.other == other + 1 => {
                    *last = Match { one, other, length: last.length + 1 };
                }
                _ => matches.push(Match { one, other, length: 1 }),
            }
        }
        matches
    }
}

fn reply_matches(reply: &mut Reply<'_>, table: &Table<'_>, options: &Options) {
    let mut matches = table.matches();
    matches.retain(|found| found.length as i64 >= options.match_length_min);
    reply.map_len(2);
    reply.bulk(b"matches");
    reply.array_len(matches.len());
    for Match { one, other, length } in matches {
        reply.array_len(if options.with_match_length { 3 } else { 2 });
        for first in [one, other] {
            reply.array_len(2);
            reply.integer(first as i64);
            reply.integer((first + length - 1) as i64);
        }
        if options.with_match_length {
            reply.integer(length as i64);
        }
    }
    reply.bulk(b"len");
    reply.integer(table.length());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subsequence_and_its_stretches_are_found() {
        let table = Table::fill(b"ohmytext", b"mynewtext");
        assert_eq!(table.length(), 6);
        assert_eq!(table.subsequence(), b"mytext");
        let stretches =
            [Match { one: 4, other: 5, length: 4 }, Match { one: 2, other: 0, length: 2 }];
        assert_eq!(table.matches(), stretches);
    }

    #[test]
    fn an_empty_string_has_nothing_in_common() {
        let table = Table::fill(b"", b"abc");
        assert_eq!((table.length(), table.subsequence()), (0, Vec::new()));
        assert!(table.matches().is_empty());
    }
}
