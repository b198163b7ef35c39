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
    /// `evicted`
    Evicted,
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
    /// `linsert`
    LInsert,
    /// `lpop`
    LPop,
    /// `lpush`
    LPush,
    /// `lrem`
    LRem,
    /// `lset`
    LSet,
    /// `ltrim`
    LTrim,
    /// `move_from`
    MoveFrom,
    /// `move_to`
    MoveTo,
    /// `persist`
    Persist,
    /// `pfadd`
    PfAdd,
    /// `rpop`
    RPop,
    /// `rpush`
    RPush,
    /// `rename_from`
    RenameFrom,
    /// `rename_to`
    RenameTo,
    /// `restore`
    Restore,
    /// `sadd`
    SAdd,
    /// `sdiffstore`
    SDiffStore,
    /// `sinterstore`
    SInterStore,
    /// `spop`
    SPop,
    /// `srem`
    SRem,
    /// `sunionstore`
    SUnionStore,
    /// `set`
    Set,
    /// `setbit`
    SetBit,
    /// `setrange`
    SetRange,
    /// `georadiusstore`
    GeoRadiusStore,
    /// `geosearchstore`
    GeoSearchStore,
    /// `sortstore`
    SortStore,
    /// `xadd`
    XAdd,
    /// `xdel`
    XDel,
    /// `xgroup-create`
    XGroupCreate,
    /// `xgroup-createconsumer`
    XGroupCreateConsumer,
    /// `xgroup-delconsumer`
    XGroupDelConsumer,
    /// `xgroup-destroy`
    XGroupDestroy,
    /// `xgroup-setid`
    XGroupSetId,
    /// `xsetid`
    XSetId,
    /// `xtrim`
    XTrim,
    /// `zadd`
    ZAdd,
    /// `zdiffstore`
    ZDiffStore,
    /// `zincr`
    ZIncr,
    /// `zinterstore`
    ZInterStore,
    /// `zpopmax`
    ZPopMax,
    /// `zpopmin`
    ZPopMin,
    /// `zrangestore`
    ZRangeStore,
    /// `zrem`
    ZRem,
    /// `zremrangebylex`
    ZRemRangeByLex,
    /// `zremrangebyrank`
    ZRemRangeByRank,
    /// `zremrangebyscore`
    ZRemRangeByScore,
    /// `zunionstore`
    ZUnionStore,
}

impl Event {
    /// The name in `__keyevent@0__:name`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::CopyTo => "copy_to",
            Self::Del => "del",
            Self::Evicted => "evicted",
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
            Self::LInsert => "linsert",
            Self::LPop => "lpop",
            Self::LPush => "lpush",
            Self::LRem => "lrem",
            Self::LSet => "lset",
            Self::LTrim => "ltrim",
            Self::MoveFrom => "move_from",
            Self::MoveTo => "move_to",
            Self::Persist => "persist",
            Self::PfAdd => "pfadd",
            Self::RPop => "rpop",
            Self::RPush => "rpush",
            Self::RenameFrom => "rename_from",
            Self::RenameTo => "rename_to",
            Self::Restore => "restore",
            Self::SAdd => "sadd",
            Self::SDiffStore => "sdiffstore",
            Self::SInterStore => "sinterstore",
            Self::SPop => "spop",
            Self::SRem => "srem",
            Self::SUnionStore => "sunionstore",
            Self::Set => "set",
            Self::SetBit => "setbit",
            Self::SetRange => "setrange",
            Self::GeoRadiusStore => "georadiusstore",
            Self::GeoSearchStore => "geosearchstore",
            Self::SortStore => "sortstore",
            Self::XAdd => "xadd",
            Self::XDel => "xdel",
            Self::XGroupCreate => "xgroup-create",
            Self::XGroupCreateConsumer => "xgroup-createconsumer",
            Self::XGroupDelConsumer => "xgroup-delconsumer",
            Self::XGroupDestroy => "xgroup-destroy",
            Self::XGroupSetId => "xgroup-setid",
            Self::XSetId => "xsetid",
            Self::XTrim => "xtrim",
            Self::ZAdd => "zadd",
            Self::ZDiffStore => "zdiffstore",
            Self::ZIncr => "zincr",
            Self::ZInterStore => "zinterstore",
            Self::ZPopMax => "zpopmax",
            Self::ZPopMin => "zpopmin",
            Self::ZRangeStore => "zrangestore",
            Self::ZRem => "zrem",
            Self::ZRemRangeByLex => "zremrangebylex",
            Self::ZRemRangeByRank => "zremrangebyrank",
            Self::ZRemRangeByScore => "zremrangebyscore",
            Self::ZUnionStore => "zunionstore",
        }
    }
}
