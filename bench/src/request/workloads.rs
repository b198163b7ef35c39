//! The table of named workloads, one row each.
//!
//! `load --tests` and `compare --set` read the same rows, so a figure of one can be repeated with
//! the other. A row says which commands run, what must be in the server first, and which replies
//! prove that the commands did their work: a GET that answers nil would flatter any server.
//!
//! Adding a row is all it takes to measure another command. The language of commands is that of
//! [`crate::request::syntax`].

use crate::args::usage;
use crate::error::BenchError;
use crate::resp::skimmer::ReplyKind::{self, Array, Bulk, Double, Integer, Map, Nil, Set, Simple};

/// How a data set is put into an empty server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fill {
    /// Runs once for every key.
    pub(crate) command: &'static str,
    /// Passes over all keys.
    pub(crate) times: u32,
}

/// One row.
#[derive(Debug)]
pub(crate) struct Workload {
    /// Name on the command line and in reports.
    pub(crate) name: &'static str,
    /// The set that runs it in `compare`; empty for rows that run by name only.
    pub(crate) set: &'static str,
    /// Commands, drawn with equal weights.
    pub(crate) commands: &'static [&'static str],
    /// What must be there before, if anything.
    pub(crate) fill: Option<Fill>,
    /// Keys at most: a key may be a large collection.
    pub(crate) keys_max: u64,
    /// Payload sizes that `compare` runs, in bytes.
    pub(crate) value_lens: &'static [usize],
    /// Reply types that mean success.
    pub(crate) expect: &'static [ReplyKind],
    /// Connections that listen to the channel `news` meanwhile. There is one that sends then.
    pub(crate) listeners: usize,
    /// The data set grows or shrinks, so the next row needs a fresh one.
    pub(crate) changes: bool,
}

const STRINGS: Option<Fill> = once("SET __key__ __value__");
const LISTS: Option<Fill> = once("RPUSH list:__key__ (__value__)*100");
const LONG_LISTS: Option<Fill> = once("RPUSH list:__key__ (__value__)*600");
const HASHES: Option<Fill> = once("HSET hash:__key__ (field:__i__ __value__)*10");
const SETS: Option<Fill> = once("SADD set:__key__ (member:__i__)*100");
const ZSETS: Option<Fill> = once("ZADD zset:__key__ (__i__ member:__i__)*100");
const STREAMS: Option<Fill> =
    Some(Fill { command: "XADD stream:__key__ * field __value__", times: 10 });
const GROUPS: Option<Fill> = once("XGROUP CREATE stream:__key__ group 0 MKSTREAM");
const PLACES: Option<Fill> = once(
    "GEOADD geo:__key__ (13.__rand:100000-999999__ 38.__rand:100000-999999__ place:__i__)*100",
);
const BITS: Option<Fill> = once("SETBIT bits:__key__ 9999 1");
/// Counts the calls of a key and tells whether there were too many within a time. That it runs once
/// for each key is also what makes the script known to the server.
const RATE_LIMITS: Option<Fill> = once(
    "EVAL \"local n = redis.call('INCR', KEYS[1]) if n == 1 then redis.call('PEXPIRE', KEYS[1], \
     ARGV[2]) end if n > tonumber(ARGV[1]) then return 0 end return 1\" 1 limit:__key__ 100 60000",
);
const SKETCHES: Option<Fill> = once("PFADD hll:__key__ (element:__i__)*100");

const fn once(command: &'static str) -> Option<Fill> {
    Some(Fill { command, times: 1 })
}

const MANY: u64 = u64::MAX;
const SMALL: &[usize] = &[16];
const SMALL_AND_1_KB: &[usize] = &[16, 1024];

const fn row(
    name: &'static str,
    set: &'static str,
    commands: &'static [&'static str],
    fill: Option<Fill>,
    keys_max: u64,
    expect: &'static [ReplyKind],
) -> Workload {
    let (value_lens, listeners, changes) = (SMALL, 0, false);
    Workload { name, set, commands, fill, keys_max, value_lens, expect, listeners, changes }
}

impl Workload {
    const fn with_values(mut self, value_lens: &'static [usize]) -> Self {
        self.value_lens = value_lens;
        self
    }

    const fn with_listeners(mut self, count: usize) -> Self {
        self.listeners = count;
        self
    }

    /// How many connections send, where `wanted` were asked for.
    pub(crate) fn senders(&self, wanted: usize) -> usize {
        if self.listeners > 0 { 1 } else { wanted }
    }

    const fn changing(mut self) -> Self {
        self.changes = true;
        self
    }
}

/// Every workload there is.
#[rustfmt::skip]
pub(crate) const WORKLOADS: &[Workload] = &[
    row("ping", "ping", &["PING"], None, MANY, &[Simple]),

    row("get", "strings", &["GET __key__"], STRINGS, MANY, &[Bulk]).with_values(SMALL_AND_1_KB),
    row("set", "strings", &["SET __key__ __value__"], STRINGS, MANY, &[Simple])
        .with_values(SMALL_AND_1_KB),
    row("incr", "strings-more", &["INCR counter:__key__"], None, MANY, &[Integer]).changing(),
    row("mset", "strings-more", &["MSET (__key__ __value__)*10"], STRINGS, MANY, &[Simple]),
    row("mget", "strings-more", &["MGET (__key__)*10"], STRINGS, MANY, &[Array]),
    row("setex", "strings-more", &["SETEX __key__ 100000 __value__"], STRINGS, MANY, &[Simple]),

    row("lpush", "lists", &["LPUSH list:__key__ __value__"], LISTS, 1_000, &[Integer]).changing(),
    row("rpush", "", &["RPUSH list:__key__ __value__"], LISTS, 1_000, &[Integer]).changing(),
    row("lpop", "", &["LPOP list:__key__"], LISTS, 1_000, &[Bulk, Nil]).changing(),
    row("rpop", "", &["RPOP list:__key__"], LISTS, 1_000, &[Bulk, Nil]).changing(),
    row("queue", "lists", &["LPUSH list:__key__ __value__", "RPOP list:__key__"], LISTS, 1_000,
        &[Integer, Bulk, Nil]).changing(),
    // LPOP alone would soon measure empty lists.
    row("stack", "lists", &["LPUSH list:__key__ __value__", "LPOP list:__key__"], LISTS, 1_000,
        &[Integer, Bulk, Nil]).changing(),
    row("lrange_100", "lists", &["LRANGE list:__key__ 0 99"], LISTS, 1_000, &[Array]),
    row("lrange_300", "", &["LRANGE list:__key__ 0 299"], LONG_LISTS, 1_000, &[Array]),
    row("lrange_500", "", &["LRANGE list:__key__ 0 499"], LONG_LISTS, 1_000, &[Array]),
    row("lrange_600", "", &["LRANGE list:__key__ 0 599"], LONG_LISTS, 1_000, &[Array]),

    row("hset", "hashes", &["HSET hash:__key__ field:__rand:0-9__ __value__"], HASHES, 100_000,
        &[Integer]),
    row("hget", "hashes", &["HGET hash:__key__ field:__rand:0-9__"], HASHES, 100_000, &[Bulk]),
    row("hgetall", "hashes", &["HGETALL hash:__key__"], HASHES, 100_000, &[Array, Map]),

    row("sadd", "sets", &["SADD set:__key__ member:__rand:0-99__"], SETS, 10_000, &[Integer]),
    row("sismember", "sets", &["SISMEMBER set:__key__ member:__rand:0-99__"], SETS, 10_000,
        &[Integer]),
    row("sinter", "sets", &["SINTER set:__key__ set:__key__"], SETS, 10_000, &[Array, Set]),
    row("spop", "", &["SPOP set:__key__"], SETS, 10_000, &[Bulk, Nil]).changing(),

    row("zadd", "zsets", &["ZADD zset:__key__ __rand:100-999__ member:__rand:0-99__"], ZSETS,
        10_000, &[Integer]),
    row("zrange", "zsets", &["ZRANGE zset:__key__ 40 49"], ZSETS, 10_000, &[Array]),
    row("zrank", "zsets", &["ZRANK zset:__key__ member:__rand:0-99__"], ZSETS, 10_000, &[Integer]),
    row("zscore", "zsets", &["ZSCORE zset:__key__ member:__rand:0-99__"], ZSETS, 10_000,
        &[Bulk, Double]),
    row("zpopmin", "", &["ZPOPMIN zset:__key__"], ZSETS, 10_000, &[Array]).changing(),

    row("xadd", "streams", &["XADD stream:__key__ MAXLEN ~ 1000 * field __value__"], STREAMS,
        1_000, &[Bulk]).changing(),
    row("xrange", "streams", &["XRANGE stream:__key__ - + COUNT 10"], STREAMS, 1_000, &[Array]),
    // Without NOACK the list of pending entries would grow as long as the run lasts.
    row("xreadgroup", "groups",
        &["XADD stream:__key__ MAXLEN ~ 1000 * field __value__",
          "XREADGROUP GROUP group consumer COUNT 10 NOACK STREAMS stream:__key__ >"],
        GROUPS, 1_000, &[Bulk, Array, Map, Nil]).changing(),

    row("pfadd", "sketches", &["PFADD hll:__key__ element:__rand_int__"], SKETCHES, 1_000,
        &[Integer]).changing(),
    row("pfcount", "sketches", &["PFCOUNT hll:__key__"], SKETCHES, 1_000, &[Integer]),
    row("geosearch", "geo",
        &["GEOSEARCH geo:__key__ FROMLONLAT 13.5 38.5 BYRADIUS 20 km ASC COUNT 10"], PLACES, 1_000,
        &[Array]),
    row("setbit", "bitmaps", &["SETBIT bits:__key__ __rand:1000-9999__ 1"], BITS, 10_000,
        &[Integer]),
    row("bitcount", "bitmaps", &["BITCOUNT bits:__key__"], BITS, 10_000, &[Integer]),

    // Figures count commands, those between MULTI and EXEC and these two, too.
    row("multi4", "transactions",
        &["MULTI ; SET __key__ __value__ ; SET __key__ __value__ ; SET __key__ __value__ ; \
           SET __key__ __value__ ; EXEC"],
        STRINGS, MANY, &[Simple, Array]),
    row("plain4", "transactions",
        &["SET __key__ __value__ ; SET __key__ __value__ ; SET __key__ __value__ ; \
           SET __key__ __value__"],
        STRINGS, MANY, &[Simple]),

    row("evalsha-rate-limiter", "scripts",
        &["EVALSHA c638e7b044ec0aeb52deda32b066df135a0cfb0d 1 limit:__key__ 100 60000"],
        RATE_LIMITS, 10_000, &[Integer]),

    row("publish100", "messages", &["PUBLISH news __value__"], None, MANY, &[Integer])
        .with_listeners(100),
];

/// The row of that name.
pub(crate) fn named(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
}

/// The rows of a set, `all` for every set, in the table's order.
pub(crate) fn of_set(set: &str) -> Vec<&'static Workload> {
    let belongs = |row: &&Workload| row.set == set || (set == "all" && !row.set.is_empty());
    WORKLOADS.iter().filter(belongs).collect()
}

/// The refusal of a name that is not in the table.
pub(crate) fn unknown(name: &str) -> BenchError {
    let names: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
    usage(format!("no workload is called '{name}'; there are {}", names.join(", ")))
}

/// The names of all sets, in the table's order.
pub(crate) fn set_names() -> Vec<&'static str> {
    let mut names: Vec<&str> = WORKLOADS.iter().map(|workload| workload.set).collect();
    names.dedup();
    names.retain(|name| !name.is_empty());
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::keys::shape::KeyShape;
    use crate::request::mix::Mix;
    use crate::request::template::{Frame, Template, ValueSize};

    #[test]
    fn every_row_compiles_and_names_are_unique() {
        let shape = KeyShape::new("key:", 16, true, 1000).expect("it fits");
        let value = ValueSize { min: 1, max: 20 };
        let frame = Frame { shape, value, key_count: 1000 };
        let mut names = HashSet::new();
        for workload in WORKLOADS {
            assert!(names.insert(workload.name), "{} appears twice", workload.name);
            assert!(!workload.expect.is_empty() && !workload.value_lens.is_empty());
            Mix::even(workload.commands, &frame).expect(workload.name);
            if let Some(fill) = workload.fill {
                Template::compile(fill.command, &frame).expect(workload.name);
                assert!(fill.times > 0);
            }
        }
    }

    #[test]
    fn redis_benchmark_names_exist() {
        for name in "ping set get incr lpush rpush lpop rpop sadd hset spop zadd zpopmin \
                     lrange_100 lrange_300 lrange_500 lrange_600 mset"
            .split_whitespace()
        {
            assert!(named(name).is_some(), "{name}");
        }
        assert!(unknown("nosuch").to_string().contains("lrange_100"));
    }

    #[test]
    fn sets_are_found() {
        let names: Vec<&str> = of_set("strings").iter().map(|row| row.name).collect();
        assert_eq!(names, ["get", "set"]);
        assert!(of_set("nosuch").is_empty());
        assert_eq!(set_names().first(), Some(&"ping"));
        for set in set_names() {
            assert!(of_set("all").len() > of_set(set).len());
        }
    }
}
