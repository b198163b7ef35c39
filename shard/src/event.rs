//! What can happen to a key: the names keyspace notifications use, and the word by which every
//! write command reports what it did.

/// An event on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// `append`
    Append,
    /// `copy_to`
    CopyTo,
    /// `del`
    Del,
    /// `expire`
    Expire,
    /// `expired`
    Expired,
    /// `hdel`
    HDel,
    /// `hexpire`
    HExpire,
    /// `hexpired`
    HExpired,
    /// `hincrby`
    HIncrBy,
    /// `hincrbyfloat`
    HIncrByFloat,
    /// `hpersist`
    HPersist,
    /// `hset`
    HSet,
    /// `incrby`
    IncrBy,
    /// `incrbyfloat`
    IncrByFloat,
    /// `move_from`
    MoveFrom,
    /// `move_to`
    MoveTo,
    /// `persist`
    Persist,
    /// `pfadd`
    PfAdd,
    /// `rename_from`
    RenameFrom,
    /// `rename_to`
    RenameTo,
    /// `set`
    Set,
    /// `setbit`
    SetBit,
    /// `setrange`
    SetRange,
}

impl Event {
    /// The name in `__keyevent@0__:name`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::CopyTo => "copy_to",
            Self::Del => "del",
            Self::Expire => "expire",
            Self::Expired => "expired",
            Self::HDel => "hdel",
            Self::HExpire => "hexpire",
            Self::HExpired => "hexpired",
            Self::HIncrBy => "hincrby",
            Self::HIncrByFloat => "hincrbyfloat",
            Self::HPersist => "hpersist",
            Self::HSet => "hset",
            Self::IncrBy => "incrby",
            Self::IncrByFloat => "incrbyfloat",
            Self::MoveFrom => "move_from",
            Self::MoveTo => "move_to",
            Self::Persist => "persist",
            Self::PfAdd => "pfadd",
            Self::RenameFrom => "rename_from",
            Self::RenameTo => "rename_to",
            Self::Set => "set",
            Self::SetBit => "setbit",
            Self::SetRange => "setrange",
        }
    }
}
