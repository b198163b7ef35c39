//! The types of values, as TYPE names them and as the table tags them.

use crate::table::Kind;

/// Highest value of the access bits of a key.
pub const LRU_BITS_MAX: u32 = 0xff_ffff;

/// Longest string OBJECT ENCODING calls `embstr`, in bytes.
pub const EMBEDDED_STRING_MAX: usize = 44;

/// What the four tag bits of an entry say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Type {
    /// A string whose encoding follows from its value.
    String = 0,
    /// A string that was changed in place: its encoding is `raw` whatever its length.
    RawString = 1,
    /// A list.
    List = 2,
    /// A set.
    Set = 3,
    /// A sorted set.
    SortedSet = 4,
    /// A hash.
    Hash = 5,
    /// A stream.
    Stream = 6,
}

impl Type {
    const ALL: [Self; 7] = [
        Self::String,
        Self::RawString,
        Self::List,
        Self::Set,
        Self::SortedSet,
        Self::Hash,
        Self::Stream,
    ];

    /// The tag of this type.
    pub const fn kind(self) -> Kind {
        Kind::new(self as u8)
    }

    /// The type of a tag.
    pub fn of(kind: Kind) -> Self {
        Self::ALL[usize::from(kind.bits())]
    }

    /// The name TYPE answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::String | Self::RawString => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
        }
    }

    /// Whether it is a string, however encoded.
    pub fn is_string(self) -> bool {
        matches!(self, Self::String | Self::RawString)
    }
}
