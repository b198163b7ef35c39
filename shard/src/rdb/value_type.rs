//! The types of values in RDB, and what versions of the format there are.
//!
//! Redis and Valkey share the types up to 21 and the versions up to 11. What came later clashes:
//! type 22 was a form of hashes that no release of Redis wrote, and is another one in Valkey.
//! Valkey counts its versions from 80 on, so the version says whose numbering holds.
//!
//! | versions | written by |
//! |---|---|
//! | 1 to 9 | Redis up to 6 |
//! | 10, 11 | Redis 7.0, 7.2; 11 also Valkey up to 8.1 |
//! | 12 | Redis 7.4 to 8.4 |
//! | 13, 14, 15 | Redis 8.6, 8.8, 8.10 |
//! | 80, 81 | Valkey from 9.0 on |

use super::error::FormatError;

/// The version that is written for hashes whose fields have deadlines, which older ones do not
/// know.
pub const VERSION_WITH_FIELD_DEADLINES: u16 = 12;

/// The version whose readers are written for: the directive `rdb-version`.
///
/// Redis refuses versions newer than its own, so that whoever wants to go back to a server has to
/// write what that one reads. What 11 has and 10 has not are sets as listpacks, and the time
/// consumers of streams were active, which is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RdbVersion {
    /// That of Redis 7.0.
    V10,
    /// The newest one both Redis, from 7.2 on, and Valkey read.
    #[default]
    V11,
}

impl RdbVersion {
    /// The number.
    pub fn number(self) -> u16 {
        match self {
            Self::V10 => 10,
            Self::V11 => 11,
        }
    }

    /// The version that has this number, if it is one that is written.
    pub fn of_number(number: u16) -> Option<Self> {
        [Self::V10, Self::V11].into_iter().find(|version| version.number() == number)
    }
}

/// Whose numbering of types holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Project {
    /// Redis, and Valkey before it parted.
    Redis,
    /// Valkey since version 9.
    Valkey,
}

impl Project {
    /// Who writes a version that may be newer than any that is known, in a file with the
    /// signature of one of them; `None` if there can be no such file.
    pub fn of_any_version(version: u16, signature: Self) -> Option<Self> {
        match (Self::of_version(version), signature) {
            (Ok(project), _) => Some(project),
            (Err(_), Self::Redis) => Some(Self::Redis),
            (Err(_), Self::Valkey) => (version >= 80).then_some(Self::Valkey),
        }
    }

    /// Who writes this version.
    ///
    /// # Errors
    /// [`FormatError::Version`] if nobody known does.
    pub fn of_version(version: u16) -> Result<Self, FormatError> {
        match version {
            0..=16 => Ok(Self::Redis),
            80..=81 => Ok(Self::Valkey),
            _ => Err(FormatError::Version(version)),
        }
    }
}

/// The type of a value and the form it is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ValueType {
    /// A string.
    String = 0,
    /// A list, element by element.
    List = 1,
    /// A set, member by member.
    Set = 2,
    /// A sorted set with scores as text.
    SortedSetText = 3,
    /// A hash, field by field.
    Hash = 4,
    /// A sorted set, entry by entry.
    SortedSet = 5,
    /// A hash as a zipmap.
    HashZipmap = 9,
    /// A list as a ziplist.
    ListZiplist = 10,
    /// A set as an intset.
    SetIntset = 11,
    /// A sorted set as a ziplist.
    SortedSetZiplist = 12,
    /// A hash as a ziplist.
    HashZiplist = 13,
    /// A list of ziplists.
    ListQuicklist = 14,
    /// A stream as Redis 5 knew it.
    Stream = 15,
    /// A hash as a listpack.
    HashListpack = 16,
    /// A sorted set as a listpack.
    SortedSetListpack = 17,
    /// A list of listpacks and of single elements.
    ListQuicklist2 = 18,
    /// A stream with the counts of Redis 7.0.
    Stream2 = 19,
    /// A set as a listpack.
    SetListpack = 20,
    /// A stream with the activity of consumers.
    Stream3 = 21,
    /// Valkey's hash of fields with deadlines; its code is 22.
    HashWithExpiry = 22,
    /// Redis' hash of fields with deadlines.
    HashMetadata = 24,
    /// Redis' hash of fields with deadlines as a listpack.
    HashListpackEx = 25,
    /// A stream with the idempotent ids of its producers.
    Stream4 = 26,
    /// A stream with entries that consumers have given back.
    Stream5 = 27,
}

/// Values of modules, before and since their format was settled.
const MODULE_TYPES: [u8; 2] = [6, 7];

/// Why a type that is none of [`ValueType`] is refused.
fn refusal(code: u8, project: Project) -> FormatError {
    match (code, project) {
        (22 | 23, Project::Redis) => FormatError::Unsupported(
            "written by a release candidate of Redis 7.4: hashes whose fields have deadlines",
        ),
        (28, Project::Redis) => FormatError::Unsupported("written by a newer server: arrays"),
        (29..=32, Project::Redis) => {
            FormatError::Unsupported("written by a newer server: hashes with templates")
        }
        (33, Project::Redis) => {
            FormatError::Unsupported("written by a newer server: rate limiters (GCRA)")
        }
        _ => FormatError::UnknownType(code),
    }
}

impl ValueType {
    const ALL: [Self; 24] = [
        Self::String,
        Self::List,
        Self::Set,
        Self::SortedSetText,
        Self::Hash,
        Self::SortedSet,
        Self::HashZipmap,
        Self::ListZiplist,
        Self::SetIntset,
        Self::SortedSetZiplist,
        Self::HashZiplist,
        Self::ListQuicklist,
        Self::Stream,
        Self::HashListpack,
        Self::SortedSetListpack,
        Self::ListQuicklist2,
        Self::Stream2,
        Self::SetListpack,
        Self::Stream3,
        Self::HashWithExpiry,
        Self::HashMetadata,
        Self::HashListpackEx,
        Self::Stream4,
        Self::Stream5,
    ];

    /// The byte in front of a value.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What the log calls it, in Redis' words.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::List => "List",
            Self::ListZiplist => "List ziplist",
            Self::ListQuicklist => "Quicklist ziplist",
            Self::ListQuicklist2 => "Quicklist listpack",
            Self::Set => "Set",
            Self::SetIntset => "Intset",
            Self::SetListpack => "Set listpack",
            Self::SortedSetText | Self::SortedSet => "Zset",
            Self::SortedSetZiplist => "Zset ziplist",
            Self::SortedSetListpack => "Zset listpack",
            Self::Hash | Self::HashWithExpiry | Self::HashMetadata => "Hash",
            Self::HashZipmap => "Zipmap",
            Self::HashZiplist => "Hash ziplist",
            Self::HashListpack | Self::HashListpackEx => "Hash listpack",
            Self::Stream | Self::Stream2 | Self::Stream3 | Self::Stream4 | Self::Stream5 => {
                "Stream listpack"
            }
        }
    }

    /// The type with this code in a project's numbering.
    ///
    /// # Errors
    /// [`FormatError::ModuleValue`], [`FormatError::Unsupported`] where it is known what the type
    /// is, and [`FormatError::UnknownType`].
    pub fn of_code(code: u8, project: Project) -> Result<Self, FormatError> {
        if MODULE_TYPES.contains(&code) {
            return Err(FormatError::ModuleValue);
        }
        let is_known_to = |value_type: &Self| match value_type {
            Self::HashWithExpiry => project == Project::Valkey,
            Self::HashMetadata | Self::HashListpackEx | Self::Stream4 | Self::Stream5 => {
                project == Project::Redis
            }
            _ => true,
        };
        Self::ALL
            .into_iter()
            .find(|value_type| value_type.code() == code && is_known_to(value_type))
            .ok_or_else(|| refusal(code, project))
    }

    /// The lowest version whose readers know the type, as far back as Redis 5.
    pub fn oldest_version(self) -> u16 {
        match self {
            Self::Stream5 => 14,
            Self::Stream4 => 13,
            Self::HashMetadata | Self::HashListpackEx => VERSION_WITH_FIELD_DEADLINES,
            Self::SetListpack | Self::Stream3 => 11,
            Self::HashListpack | Self::SortedSetListpack | Self::ListQuicklist2 | Self::Stream2 => {
                10
            }
            _ => 9,
        }
    }

    /// The version a payload of this type has that is written for `version`: that one, unless it
    /// does not know the type.
    pub fn version_for(self, version: RdbVersion) -> u16 {
        self.oldest_version().max(version.number())
    }
}
