//! What can happen to a key: the names keyspace notifications use, and the word by which every
//! write command reports what it did.

/// A set of classes of keyspace events, and the forms in which they are published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventClasses(u32);

impl EventClasses {
    /// `K`: published on the channel of the key.
    pub const BY_KEY: Self = Self(1);
    /// `E`: published on the channel of the event.
    pub const BY_EVENT: Self = Self(1 << 1);
    /// `g`: commands that work on any type.
    pub const GENERIC: Self = Self(1 << 2);
    /// `$`: strings.
    pub const STRING: Self = Self(1 << 3);
    /// `l`: lists.
    pub const LIST: Self = Self(1 << 4);
    /// `s`: sets.
    pub const SET: Self = Self(1 << 5);
    /// `h`: hashes.
    pub const HASH: Self = Self(1 << 6);
    /// `z`: sorted sets.
    pub const SORTED_SET: Self = Self(1 << 7);
    /// `x`: keys that expired.
    pub const EXPIRED: Self = Self(1 << 8);
    /// `e`: keys that were evicted.
    pub const EVICTED: Self = Self(1 << 9);
    /// `t`: streams.
    pub const STREAM: Self = Self(1 << 10);
    /// `m`: reads of keys that are not there.
    pub const KEY_MISS: Self = Self(1 << 11);
    /// `n`: keys that were not there before.
    pub const NEW: Self = Self(1 << 14);
    /// `o`: keys whose value was replaced whole.
    pub const OVERWRITTEN: Self = Self(1 << 15);
    /// `c`: keys whose value was replaced by one of another type.
    pub const TYPE_CHANGED: Self = Self(1 << 16);
    /// `S`: fields of hashes, published on a channel of the key.
    pub const FIELDS_BY_KEY: Self = Self(1 << 19);
    /// `T`: fields of hashes, published on a channel of the event.
    pub const FIELDS_BY_EVENT: Self = Self(1 << 20);
    /// `I`: fields of hashes, each published on a channel of its own.
    pub const FIELD_BY_FIELD: Self = Self(1 << 21);
    /// `V`: fields of hashes, published on a channel of the event and the key.
    pub const FIELDS_BY_EVENT_AND_KEY: Self = Self(1 << 22);

    const OF_FIELDS: Self = Self(
        Self::FIELDS_BY_KEY.0
            | Self::FIELDS_BY_EVENT.0
            | Self::FIELD_BY_FIELD.0
            | Self::FIELDS_BY_EVENT_AND_KEY.0,
    );

    /// The set with these bits, which are those of Redis.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether all of `other` is in the set.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether events are published in any form.
    pub const fn are_published(self) -> bool {
        self.0 & (Self::BY_KEY.0 | Self::BY_EVENT.0) != 0 || self.name_fields()
    }

    /// Whether events on hashes are published in a form that says which fields they are about.
    pub const fn name_fields(self) -> bool {
        self.0 & Self::OF_FIELDS.0 != 0
    }
}

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

    /// The class that `notify-keyspace-events` counts it to.
    pub fn class(self) -> EventClasses {
        match self {
            Self::Expired => EventClasses::EXPIRED,
            Self::Evicted => EventClasses::EVICTED,
            Self::CopyTo
            | Self::Del
            | Self::Expire
            | Self::MoveFrom
            | Self::MoveTo
            | Self::Persist
            | Self::RenameFrom
            | Self::RenameTo
            | Self::Restore => EventClasses::GENERIC,
            Self::Append
            | Self::IncrBy
            | Self::IncrByFloat
            | Self::PfAdd
            | Self::Set
            | Self::SetBit
            | Self::SetRange => EventClasses::STRING,
            Self::HDel
            | Self::HExpire
            | Self::HExpired
            | Self::HIncrBy
            | Self::HIncrByFloat
            | Self::HPersist
            | Self::HSet => EventClasses::HASH,
            Self::LInsert
            | Self::LPop
            | Self::LPush
            | Self::LRem
            | Self::LSet
            | Self::LTrim
            | Self::RPop
            | Self::RPush
            | Self::SortStore => EventClasses::LIST,
            Self::SAdd
            | Self::SDiffStore
            | Self::SInterStore
            | Self::SPop
            | Self::SRem
            | Self::SUnionStore => EventClasses::SET,
            _ => self.class_of_ordered(),
        }
    }

    /// The class of events on sorted sets and streams.
    fn class_of_ordered(self) -> EventClasses {
        match self {
            Self::XAdd
            | Self::XDel
            | Self::XGroupCreate
            | Self::XGroupCreateConsumer
            | Self::XGroupDelConsumer
            | Self::XGroupDestroy
            | Self::XGroupSetId
            | Self::XSetId
            | Self::XTrim => EventClasses::STREAM,
            _ => EventClasses::SORTED_SET,
        }
    }

    /// Whether it is the doing of the client whose command runs, rather than of time or memory.
    pub fn is_by_author(self) -> bool {
        !matches!(self, Self::Expired | Self::Evicted | Self::HExpired)
    }
}
