//! Finding the keys of a command line.
//!
//! Two questions are asked of a row. *Where does the command run?* needs only positions, and shard
//! channels count as keys: [`Command::routing_keys`] answers from the shape worked out at compile
//! time. *What does the command do to which key?* needs flags: [`Command::keys_of`] evaluates the
//! key specifications, or the command's own rule where these do not suffice: groups that begin
//! after a keyword are always found by rule, since the keyword may also occur as a value.
//!
//! Either way the answer is a handful of arithmetic ranges, found without allocation:
//!
//! ```text
//! ZUNIONSTORE dest 2 a b WEIGHTS 1 2   ->   {first 1, count 1, OW update} {first 3, count 2, RO}
//! ```
//!
//! A line whose keys cannot be told (a count that is not a number, a group past the end) gives an
//! error. Such a line is refused by the command itself, in the words proper to that command, so
//! routing treats it as a line without keys.
//!
//! Cost: O(1) for fixed positions, O(arguments) where a keyword must be found.

use std::iter::FusedIterator;

use super::flags::flag;
use super::key_shape::{KeyResolver, KeyShape};
use super::key_spec::{BeginSearch, FindKeys, KeyFlags, KeySpec, key_flag};
use super::row::Command;

/// The arguments of a command line; argument 0 is the command name.
#[expect(clippy::len_without_is_empty, reason = "a command line holds at least its name")]
pub trait ArgList {
    /// The number of arguments, the name included.
    fn len(&self) -> usize;

    /// The argument at `index`, which is below [`ArgList::len`].
    fn get(&self, index: usize) -> &[u8];
}

impl<T: AsRef<[u8]>> ArgList for [T] {
    fn len(&self) -> usize {
        <[T]>::len(self)
    }

    fn get(&self, index: usize) -> &[u8] {
        self[index].as_ref()
    }
}

/// The arguments do not tell where the keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKeys;

/// One key of a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRef {
    /// The argument that holds the key.
    pub index: usize,
    /// How the command uses it.
    pub flags: KeyFlags,
}

/// Arguments at equal distances that are used alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct KeyRange {
    first: usize,
    count: usize,
    step: usize,
    flags: KeyFlags,
}

impl KeyRange {
    const EMPTY: Self = Self { first: 0, count: 0, step: 1, flags: KeyFlags::EMPTY };

    fn one(index: usize, flags: KeyFlags) -> Self {
        Self { first: index, count: 1, step: 1, flags }
    }

    /// The arguments from `first` to `last`, none if `last` lies before `first`.
    fn between(first: usize, last: usize, step: usize, flags: KeyFlags) -> Self {
        let count = if last < first { 0 } else { (last - first) / step + 1 };
        Self { first, count, step, flags }
    }
}

/// More groups of keys than any command has.
const RANGE_COUNT_MAX: usize = 3;

/// The keys of one command line: an iterator over [`KeyRef`] in the order of the specifications.
#[derive(Clone, Debug)]
pub struct KeyPositions {
    ranges: [KeyRange; RANGE_COUNT_MAX],
    /// The range that yields next.
    current: usize,
}

impl KeyPositions {
    const EMPTY: Self = Self { ranges: [KeyRange::EMPTY; RANGE_COUNT_MAX], current: 0 };

    fn one(range: KeyRange) -> Self {
        let mut positions = Self::EMPTY;
        positions.ranges[0] = range;
        positions
    }

    fn two(first: KeyRange, second: Option<KeyRange>) -> Self {
        let mut positions = Self::one(first);
        positions.ranges[1] = second.unwrap_or(KeyRange::EMPTY);
        positions
    }
}

impl Iterator for KeyPositions {
    type Item = KeyRef;

    fn next(&mut self) -> Option<KeyRef> {
        while let Some(range) = self.ranges.get_mut(self.current) {
            if range.count > 0 {
                let index = range.first;
                range.first += range.step;
                range.count -= 1;
                return Some(KeyRef { index, flags: range.flags });
            }
            self.current += 1;
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.ranges.iter().map(|range| range.count).sum();
        (count, Some(count))
    }
}

impl ExactSizeIterator for KeyPositions {}
impl FusedIterator for KeyPositions {}

/// The key arguments of one command line: an iterator over their indexes.
#[derive(Clone, Debug)]
pub enum RoutingKeys {
    /// At fixed places: from `next` below `end`, each `step` apart.
    Fixed {
        /// The argument that comes next.
        next: usize,
        /// The first argument that is not a key any more.
        end: usize,
        /// The distance between two keys.
        step: usize,
    },
    /// Found by looking at the arguments.
    Found(KeyPositions),
}

impl Iterator for RoutingKeys {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        match self {
            Self::Fixed { next, end, step } => {
                let index = *next;
                *next += *step;
                (index < *end).then_some(index)
            }
            Self::Found(positions) => positions.next().map(|key| key.index),
        }
    }
}

impl KeyShape {
    /// First key, end and step in a line of `length` arguments; none if only the arguments tell.
    #[inline]
    fn bounds(self, length: usize) -> Option<(usize, usize, usize)> {
        let (first, end, step) = match self {
            Self::None => (1, 0, 1),
            Self::FirstKey(first) => (first, usize::from(first) + 1, 1),
            Self::AllFrom(first) => (first, length, 1),
            Self::Step { first, step } => (first, length, step),
            Self::Range { first, last, step } => {
                let last = absolute(last, length);
                (first, last.map_or(0, |last| last + 1), step)
            }
            Self::Counted(_) | Self::General => return None,
        };
        Some((usize::from(first), end.min(length), usize::from(step)))
    }
}

impl Command {
    /// Whether the command can have keys; shard channels are none.
    pub fn has_keys(&self) -> bool {
        self.key_specs.iter().any(|spec| !spec.flags.contains(key_flag::NOT_KEY))
    }

    /// The arguments that decide on which slots the command runs, shard channels included.
    ///
    /// Callers on the hot path may branch on [`Command::key_shape`] themselves. A line whose keys
    /// cannot be told has none.
    #[inline]
    pub fn routing_keys<A: ArgList + ?Sized>(&self, args: &A) -> RoutingKeys {
        match self.key_shape.bounds(args.len()) {
            Some((next, end, step)) => RoutingKeys::Fixed { next, end, step },
            None => RoutingKeys::Found(self.find(args, true).unwrap_or(KeyPositions::EMPTY)),
        }
    }

    /// The keys of a command line and how the command uses them; shard channels are none.
    ///
    /// # Errors
    ///
    /// [`InvalidKeys`] if the arguments do not tell where the keys are.
    pub fn keys_of<A: ArgList + ?Sized>(&self, args: &A) -> Result<KeyPositions, InvalidKeys> {
        self.find(args, false)
    }

    fn find<A: ArgList + ?Sized>(
        &self,
        args: &A,
        with_channels: bool,
    ) -> Result<KeyPositions, InvalidKeys> {
        if let Some(resolver) = self.key_resolver {
            return resolver.find(args);
        }
        assert!(self.key_specs.len() <= RANGE_COUNT_MAX);
        let mut positions = KeyPositions::EMPTY;
        for (range, spec) in positions.ranges.iter_mut().zip(self.key_specs) {
            if with_channels || !spec.flags.contains(key_flag::NOT_KEY) {
                *range = match spec.find(args) {
                    Err(InvalidKeys) if self.may_lack_keys(spec, args) => KeyRange::EMPTY,
                    found => found?,
                };
            }
        }
        Ok(positions)
    }

    /// Whether a count of zero is in order: scripts may have no keys.
    fn may_lack_keys<A: ArgList + ?Sized>(&self, spec: &KeySpec, args: &A) -> bool {
        self.flags.contains(flag::NO_MANDATORY_KEYS) && spec.counted(args) == Some(0)
    }
}

/// The argument that `index` means in a line of `length`: below zero it counts from the end.
fn absolute(index: i8, length: usize) -> Option<usize> {
    let offset = usize::from(index.unsigned_abs());
    if index < 0 { length.checked_sub(offset) } else { Some(offset) }
}

const NOT_POSITIONAL: &str = "the registry asserts that such commands have a resolver";

impl KeySpec {
    /// The keys of this group.
    fn find<A: ArgList + ?Sized>(&self, args: &A) -> Result<KeyRange, InvalidKeys> {
        let BeginSearch::Index(begin) = self.begin else {
            unreachable!("{NOT_POSITIONAL}");
        };
        let begin = usize::from(begin);
        let (first, last, step) = match self.find {
            FindKeys::Range { last_key, step, .. } => {
                let last = if last_key < 0 {
                    absolute(last_key, args.len())
                } else {
                    Some(begin + usize::from(last_key.unsigned_abs()))
                };
                (begin, last, step)
            }
            FindKeys::KeyNumber { first_key, step, .. } => {
                let count = self.counted(args).filter(|count| *count > 0).ok_or(InvalidKeys)?;
                let first = begin + usize::from(first_key);
                let reach = (count - 1).saturating_mul(usize::from(step));
                (first, first.checked_add(reach), step)
            }
            FindKeys::Unknown => unreachable!("{NOT_POSITIONAL}"),
        };
        match last {
            Some(last) if first <= last && last < args.len() => {
                Ok(KeyRange::between(first, last, usize::from(step), self.flags))
            }
            // PFMERGE without sources. Redis finds no keys at all in such a line, and so lets a
            // user overwrite a key it was not granted.
            Some(last) if first == args.len() && last + 1 == first => Ok(KeyRange::EMPTY),
            _ => Err(InvalidKeys),
        }
    }

    /// The number of keys that an argument announces, if it is one that does.
    fn counted<A: ArgList + ?Sized>(&self, args: &A) -> Option<usize> {
        let (BeginSearch::Index(begin), FindKeys::KeyNumber { count_index, .. }) =
            (self.begin, self.find)
        else {
            return None;
        };
        let index = usize::from(begin) + usize::from(count_index);
        if index < args.len() { parse_count(args.get(index)) } else { None }
    }
}

fn is_word(argument: &[u8], word: &str) -> bool {
    argument.eq_ignore_ascii_case(word.as_bytes())
}

/// A count in canonical decimal form; none that a command line could satisfy is longer.
fn parse_count(digits: &[u8]) -> Option<usize> {
    const DIGIT_COUNT_MAX: usize = 10;
    let canonical = digits == b"0" || digits.first().is_some_and(|digit| *digit != b'0');
    if !canonical || digits.len() > DIGIT_COUNT_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |count, digit| count * 10 + usize::from(digit - b'0')))
}

const READ: KeyFlags = KeyFlags::of(&[key_flag::RO, key_flag::ACCESS]);
const CHANGE: KeyFlags = KeyFlags::of(&[key_flag::RW, key_flag::ACCESS, key_flag::UPDATE]);
const OVERWRITE: KeyFlags = KeyFlags::of(&[key_flag::OW, key_flag::UPDATE]);
const TAKE: KeyFlags = KeyFlags::of(&[key_flag::RW, key_flag::ACCESS, key_flag::DELETE]);
const REMOVE: KeyFlags = KeyFlags::of(&[key_flag::RM, key_flag::DELETE]);

impl KeyResolver {
    fn find<A: ArgList + ?Sized>(self, args: &A) -> Result<KeyPositions, InvalidKeys> {
        if args.len() < 2 {
            return Err(InvalidKeys);
        }
        let only = |flags| Ok(KeyPositions::one(KeyRange::one(1, flags)));
        match self {
            Self::Set => only(if set_reads(args) { CHANGE } else { OVERWRITE }),
            Self::BitField => only(if bit_field_writes(args) { CHANGE } else { READ }),
            Self::DeleteIf => only(if args.len() > 2 { TAKE } else { REMOVE }),
            Self::SortReadOnly => only(READ),
            Self::Sort => Ok(with_destination(sort_destination(args))),
            Self::GeoRadius => Ok(with_destination(geo_radius_destination(args))),
            Self::Migrate => migrate_keys(args),
            Self::Streams => stream_keys(args),
        }
    }
}

/// The first argument is read and `destination`, if any, overwritten.
fn with_destination(destination: Option<usize>) -> KeyPositions {
    let destination = destination.map(|index| KeyRange::one(index, OVERWRITE));
    KeyPositions::two(KeyRange::one(1, READ), destination)
}

fn set_reads<A: ArgList + ?Sized>(args: &A) -> bool {
    (3..args.len()).any(|index| is_word(args.get(index), "get"))
}

/// Whether a BITFIELD line changes the string. A line with an error counts as a write.
fn bit_field_writes<A: ArgList + ?Sized>(args: &A) -> bool {
    let mut index = 2;
    while index < args.len() {
        let word = args.get(index);
        let left = args.len() - index - 1;
        if is_word(word, "get") && left >= 2 {
            index += 3;
        } else if is_word(word, "overflow") && left >= 1 {
            index += 2;
        } else {
            return true;
        }
    }
    false
}

/// The argument after the last STORE of SORT that is not itself the argument of an option.
fn sort_destination<A: ArgList + ?Sized>(args: &A) -> Option<usize> {
    let mut destination = None;
    let mut index = 2;
    while index < args.len() {
        let word = args.get(index);
        if is_word(word, "limit") {
            index += 2;
        } else if is_word(word, "get") || is_word(word, "by") {
            index += 1;
        } else if is_word(word, "store") && index + 1 < args.len() {
            destination = Some(index + 1);
        }
        index += 1;
    }
    destination
}

/// The argument after the last STORE or STOREDIST.
fn geo_radius_destination<A: ArgList + ?Sized>(args: &A) -> Option<usize> {
    const FIRST_OPTION_INDEX: usize = 5;
    let mut destination = None;
    let mut index = FIRST_OPTION_INDEX;
    while index + 1 < args.len() {
        let word = args.get(index);
        if is_word(word, "store") || is_word(word, "storedist") {
            destination = Some(index + 1);
            index += 1;
        }
        index += 1;
    }
    destination
}

/// The key at argument 3, or all arguments after KEYS if that one is empty.
fn migrate_keys<A: ArgList + ?Sized>(args: &A) -> Result<KeyPositions, InvalidKeys> {
    const KEY_INDEX: usize = 3;
    const FIRST_OPTION_INDEX: usize = 6;
    if args.len() <= KEY_INDEX {
        return Err(InvalidKeys);
    }
    let mut index = FIRST_OPTION_INDEX;
    while index < args.len() {
        let word = args.get(index);
        if is_word(word, "keys") {
            if !args.get(KEY_INDEX).is_empty() || index + 1 == args.len() {
                return Err(InvalidKeys);
            }
            let keys = KeyRange::between(index + 1, args.len() - 1, 1, TAKE);
            return Ok(KeyPositions::one(keys));
        }
        index += if is_word(word, "auth") {
            2
        } else if is_word(word, "auth2") {
            3
        } else {
            1
        };
    }
    Ok(KeyPositions::one(KeyRange::one(KEY_INDEX, TAKE)))
}

/// The first half of the arguments after STREAMS; the second half are ids.
///
/// Options are stepped over one by one: a group or a consumer may be called `streams`.
fn stream_keys<A: ArgList + ?Sized>(args: &A) -> Result<KeyPositions, InvalidKeys> {
    const OPTIONS_WITH_VALUE: [&str; 5] = ["block", "count", "claim", "maxcount", "maxsize"];
    let mut index = 1;
    while index < args.len() {
        let word = args.get(index);
        if is_word(word, "streams") {
            let first = index + 1;
            let left = args.len() - first;
            if left == 0 || !left.is_multiple_of(2) {
                return Err(InvalidKeys);
            }
            let keys = KeyRange::between(first, first + left / 2 - 1, 1, READ);
            return Ok(KeyPositions::one(keys));
        }
        index += if is_word(word, "group") {
            3
        } else if OPTIONS_WITH_VALUE.iter().any(|option| is_word(word, option)) {
            2
        } else if is_word(word, "noack") {
            1
        } else {
            return Err(InvalidKeys);
        };
    }
    Err(InvalidKeys)
}
