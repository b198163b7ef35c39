//! Key positions boiled down at compile time.
//!
//! Nearly every command has its keys at fixed places, so the general search through the
//! specifications of [`key_spec`](super::key_spec) is rarely needed. Two simplifications are
//! derived from them while the server is compiled:
//!
//! * [`LegacyRange`]: first, last and step, which COMMAND has shown since its first version. Some
//!   commands have it and further keys; they carry the `movablekeys` flag.
//! * [`KeyShape`]: what routing branches on. It is exact: where the range does not cover every
//!   key, it says `General`.
//!
//! ```text
//! GET key                 FirstKey(1)        1  1 1
//! DEL key [key ...]       AllFrom(1)         1 -1 1
//! MSET key value ...      Step(1, 2)         1 -1 2
//! BLPOP key ... timeout   Range(1, -2, 1)    1 -2 1
//! EVAL script n key ...   Counted(2)         0  0 0  movablekeys
//! SORT key ... STORE key  General            1  1 1  movablekeys
//! ```

use super::key_spec::{BeginSearch, FindKeys, KeySpec, key_flag};

/// How to find keys that the specifications of a command miss or describe too broadly.
///
/// [`Command::keys_of`](super::Command::keys_of) applies the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyResolver {
    /// SET: reads the old value only with GET.
    Set,
    /// BITFIELD: writes only with SET or INCRBY.
    BitField,
    /// DELEX: looks at the value only under a condition.
    DeleteIf,
    /// SORT: its last STORE, wherever it stands.
    Sort,
    /// SORT_RO: the sorted key; keys named by BY and GET depend on data.
    SortReadOnly,
    /// MIGRATE: one key, or those after KEYS.
    Migrate,
    /// GEORADIUS and GEORADIUSBYMEMBER: the last STORE or STOREDIST.
    GeoRadius,
    /// XREAD and XREADGROUP: the first half of what follows STREAMS.
    Streams,
}

/// First key, last key and step, as COMMAND INFO shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegacyRange {
    /// The first key argument; 0 when the range is empty.
    pub first: i16,
    /// The last key argument; below zero, counted from the end of the line.
    pub last: i16,
    /// The distance between two keys.
    pub step: i16,
}

impl LegacyRange {
    /// No keys.
    pub const NONE: Self = Self { first: 0, last: 0, step: 0 };

    /// The range of the specifications, and whether it misses keys of theirs.
    ///
    /// One specification is taken as it is. Of several, those with step 1 that follow each other
    /// without a gap are joined: RENAME has two, for `key` and `newkey`, and the range 1 to 2.
    pub(crate) const fn of(specs: &[KeySpec]) -> (Self, bool) {
        if specs.len() == 1
            && let Some(range) = Self::of_spec(&specs[0])
        {
            return (range, specs[0].flags.contains(key_flag::INCOMPLETE));
        }
        let mut joined = Self::NONE;
        let mut movable = false;
        let mut index = 0;
        while index < specs.len() {
            movable |= specs[index].flags.contains(key_flag::INCOMPLETE);
            match Self::of_spec(&specs[index]) {
                Some(range) if range.step == 1 && joined.is_followed_by(range) => {
                    joined = joined.joined_with(range);
                }
                _ => movable = true,
            }
            index += 1;
        }
        (joined, movable)
    }

    const fn of_spec(spec: &KeySpec) -> Option<Self> {
        let FindKeys::Range { last_key, step, limit } = spec.find else {
            return None;
        };
        assert!(step > 0, "a range needs a step");
        assert!(limit == 0 || last_key == -1, "a limit divides what is left of the line");
        let BeginSearch::Index(index) = spec.begin else {
            return None;
        };
        assert!(index > 0, "argument 0 is the command name");
        let first = index as i16;
        let last = if last_key < 0 { last_key as i16 } else { first + last_key as i16 };
        Some(Self { first, last, step: step as i16 })
    }

    const fn is_followed_by(self, next: Self) -> bool {
        self.first == 0 || self.last == next.first - 1
    }

    const fn joined_with(self, next: Self) -> Self {
        if self.first == 0 {
            return next;
        }
        Self { first: self.first, last: next.last, step: 1 }
    }
}

/// The key positions of a command in their simplest exact form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyShape {
    /// It has no keys.
    None,
    /// One key, at this argument.
    FirstKey(u8),
    /// Every argument from this one on is a key.
    AllFrom(u8),
    /// Every `step`th argument from the first on is a key.
    Step {
        /// The first key argument.
        first: u8,
        /// The distance between two keys.
        step: u8,
    },
    /// The arguments from `first` to `last`, each `step` apart.
    Range {
        /// The first key argument.
        first: u8,
        /// The last key argument; below zero, counted from the end of the line.
        last: i8,
        /// The distance between two keys.
        step: u8,
    },
    /// This argument says how many of those behind it are keys.
    Counted(u8),
    /// Only the arguments tell; see [`Command::keys_of`](super::Command::keys_of).
    General,
}

impl KeyShape {
    pub(crate) const fn of(specs: &[KeySpec], range: LegacyRange, movable: bool) -> Self {
        if movable {
            return Self::of_movable(specs);
        }
        let first = range.first as u8;
        let step = range.step as u8;
        match (range.first, range.last, range.step) {
            (0, _, _) => Self::None,
            (from, to, _) if from == to => Self::FirstKey(first),
            (_, -1, 1) => Self::AllFrom(first),
            (_, -1, _) => Self::Step { first, step },
            (_, last, _) => Self::Range { first, last: last as i8, step },
        }
    }

    const fn of_movable(specs: &[KeySpec]) -> Self {
        if let [spec] = specs
            && let BeginSearch::Index(count) = spec.begin
            && let FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 1 } = spec.find
        {
            return Self::Counted(count);
        }
        Self::General
    }
}
