//! Where the keys stand in a command line, and what happens to them.
//!
//! A specification has two steps: find the argument where a group of keys begins, then tell how
//! far the group reaches. A command has one specification per group of keys used alike:
//!
//! ```text
//! argument:  0            1     2  3     4     5        6
//!            ZUNIONSTORE  dest  2  src1  src2  WEIGHTS  1 2
//!                         ^^^^  begin 1, range to +0: overwritten
//!                               ^  begin 2, count here, first key after it: read
//! ```
//!
//! Everything that has to find keys reads these: routing, ACL, tracking, COMMAND GETKEYS.

use super::bits::bit_set;

bit_set! {
    /// How a command uses the keys of one group.
    ///
    /// One of the first four tells what happens to the whole value; the next four tell what
    /// happens to the data a user put in.
    pub struct KeyFlags(u16);
    /// One constant per way of using a key.
    pub mod key_flag {
        /// Reads the value, changes nothing.
        RO "RO";
        /// Changes the value in place.
        RW "RW";
        /// Overwrites the value without regard to the old one.
        OW "OW";
        /// Removes the key.
        RM "RM";
        /// User data is returned or copied.
        ACCESS "access";
        /// User data is changed, what results may depend on the old data.
        UPDATE "update";
        /// User data is added; what is there stays.
        INSERT "insert";
        /// User data is removed.
        DELETE "delete";
        /// Not a key, but hashed to a slot like one: a shard channel.
        NOT_KEY "not_key";
        /// The specification cannot find all keys.
        INCOMPLETE "incomplete";
        /// Other arguments decide which of the flags hold.
        VARIABLE_FLAGS "variable_flags";
    }
}

/// The first step: where a group of keys begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeginSearch {
    /// At this argument; the command name is argument 0.
    Index(u8),
    /// After this word, looked for from argument `start_from` on. Below zero, it counts from the
    /// end and the search goes backwards.
    Keyword {
        /// The word, in upper case.
        keyword: &'static str,
        /// Where the search starts.
        start_from: i8,
    },
    /// Arguments alone do not tell.
    Unknown,
}

/// The second step: how far a group of keys reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindKeys {
    /// A range of arguments.
    Range {
        /// The last key, counted from the first; below zero, counted from the end of the line.
        last_key: i8,
        /// The distance between two keys.
        step: u8,
        /// If not zero, only one `limit`th of the arguments that remain are keys.
        limit: u8,
    },
    /// As many keys as an argument says.
    KeyNumber {
        /// The argument with the count, relative to the begin.
        count_index: u8,
        /// The first key, relative to the begin.
        first_key: u8,
        /// The distance between two keys.
        step: u8,
    },
    /// Arguments alone do not tell.
    Unknown,
}

/// One group of keys of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// How the keys are used.
    pub flags: KeyFlags,
    /// Where the group begins.
    pub begin: BeginSearch,
    /// How far it reaches.
    pub find: FindKeys,
    /// A remark for COMMAND INFO, empty for none.
    pub note: &'static str,
}

impl KeySpec {
    /// Whether nothing in the arguments tells where the keys are.
    pub fn is_unknown(&self) -> bool {
        matches!(self.begin, BeginSearch::Unknown)
    }

    /// Whether the arguments alone lead to the keys, without a rule of the command.
    pub(crate) const fn is_positional(&self) -> bool {
        matches!(self.begin, BeginSearch::Index(_)) && !matches!(self.find, FindKeys::Unknown)
    }

    /// Adds a remark for COMMAND INFO.
    pub const fn note(mut self, note: &'static str) -> Self {
        self.note = note;
        self
    }
}

/// A single key at an argument.
pub(crate) const fn key(index: u8, flags: &[KeyFlags]) -> KeySpec {
    keys(index, 0, 1, flags)
}

/// The keys from an argument to `last_key`, each `step` apart.
///
/// `last_key` counts from `index`; below zero it counts from the end of the line.
pub(crate) const fn keys(index: u8, last_key: i8, step: u8, flags: &[KeyFlags]) -> KeySpec {
    spec(BeginSearch::Index(index), FindKeys::Range { last_key, step, limit: 0 }, flags)
}

/// As many keys as the argument at `index` says, right after it, each `step` apart.
pub(crate) const fn counted_keys(index: u8, step: u8, flags: &[KeyFlags]) -> KeySpec {
    let find = FindKeys::KeyNumber { count_index: 0, first_key: 1, step };
    spec(BeginSearch::Index(index), find, flags)
}

/// The keys that follow a word: `last_key` and `limit` as in [`FindKeys::Range`].
pub(crate) const fn keys_after(
    keyword: &'static str,
    start_from: i8,
    last_key: i8,
    limit: u8,
    flags: &[KeyFlags],
) -> KeySpec {
    let begin = BeginSearch::Keyword { keyword, start_from };
    spec(begin, FindKeys::Range { last_key, step: 1, limit }, flags)
}

/// Keys that no specification can find.
pub(crate) const fn unknown_keys(flags: &[KeyFlags]) -> KeySpec {
    spec(BeginSearch::Unknown, FindKeys::Unknown, flags)
}

const fn spec(begin: BeginSearch, find: FindKeys, flags: &[KeyFlags]) -> KeySpec {
    KeySpec { flags: KeyFlags::of(flags), begin, find, note: "" }
}
