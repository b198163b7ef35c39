//! What the syntax line of a row cannot say: the types of values and the names of groups.
//!
//! Values are called alike across commands, so a table from name to type covers nearly all; where
//! one name means different things, commands are listed. The names of groups follow Redis where
//! its documentation agrees with itself.

use std::borrow::Cow;

use super::row::Command;
use super::syntax::{Argument, ArgumentType};

use ArgumentType::{Double, Integer, Key, Pattern, String, UnixTime};

/// Values whose name alone does not tell the type: name, type, commands.
const TYPES_BY_COMMAND: &[(&str, ArgumentType, &[&str])] = &[
    ("timeout", Double, &["blmove", "blmpop", "blpop", "brpop", "brpoplpush"]),
    ("timeout", Double, &["bzmpop", "bzpopmax", "bzpopmin"]),
    ("increment", Double, &["hincrbyfloat", "incrbyfloat"]),
    ("max", Double, &["zcount", "zrangebyscore", "zremrangebyscore", "zrevrangebyscore"]),
    ("min", Double, &["zcount", "zrangebyscore", "zremrangebyscore", "zrevrangebyscore"]),
    ("start", String, &["xautoclaim", "xpending", "xrange", "xrevrange", "zrange"]),
    ("stop", String, &["zrange"]),
    ("end", String, &["xpending", "xrange", "xrevrange"]),
    ("value", Integer, &["bitfield", "setbit"]),
    ("min-idle-time", String, &["xautoclaim", "xclaim"]),
];

/// Values that have one type wherever they appear; all others are strings.
const TYPES: &[(ArgumentType, &[&str])] = &[
    (Key, &["key", "key1", "key2", "newkey", "source", "destination"]),
    (Key, &["dst", "src", "destkey", "sourcekey"]),
    (Pattern, &["pattern"]),
    (UnixTime, &["unix-time-seconds", "unix-time-milliseconds"]),
    (Double, &["height", "latitude", "longitude", "radius", "score", "width"]),
    (Double, &["float", "lowerbound", "upperbound"]),
    (Integer, &["bit", "bits", "client-id", "cluster-bus-port", "config-epoch", "count", "cursor"]),
    (Integer, &["db", "decrement", "destination-db", "end", "end-slot", "entries-added"]),
    (Integer, &["entries-read", "frequency", "idmp-duration", "idmp-maxsize", "increment"]),
    (Integer, &["index", "index1", "index2", "integer", "len", "limit", "maxage", "maxcount"]),
    (Integer, &["maxsize", "milliseconds", "min-idle-time", "min-match-len", "ms", "num-matches"]),
    (Integer, &["numfields", "numids", "numkeys", "numlocal", "numreplicas", "offset", "port"]),
    (Integer, &["protover", "rank", "seconds", "slot", "start", "start-slot", "stop", "timeout"]),
    (Integer, &["ttl", "version", "weight"]),
];

/// The keys that SORT finds by its own rules: command, value, key specification.
const KEY_SPECS: &[(&str, &str, usize)] =
    &[("sort", "pattern", 1), ("sort", "destination", 2), ("sort_ro", "pattern", 1)];

/// Tokens that go by another name.
const TOKEN_NAMES: &[(&str, &str)] = &[
    ("=", "equal"),
    ("~", "approximately"),
    ("*", "auto-id"),
    ("$", "new-id"),
    ("\"\"", "empty-string"),
    ("CH", "change"),
    ("INCR", "increment"),
    ("ALPHA", "sorting"),
];

/// Choices that go by a name of their own, known by their first token.
const CHOICE_NAMES: &[(&str, &str)] = &[
    ("NX", "condition"),
    ("FNX", "condition"),
    ("IFEQ", "condition"),
    ("GT", "comparison"),
    ("EX", "expiration"),
    ("ASC", "order"),
    ("M", "unit"),
    ("BYTE", "unit"),
    ("ASYNC", "flush-type"),
    ("BYSCORE", "sortby"),
    ("LEFT", "where"),
    ("MIN", "where"),
    ("BEFORE", "where"),
    ("MAXLEN", "strategy"),
    ("=", "operator"),
    ("AND", "operation"),
    ("YES", "mode"),
    ("ON", "status"),
    ("FROMMEMBER", "from"),
    ("BYRADIUS", "by"),
    ("AUTH", "authentication"),
];

/// The type of the value called `name`.
pub(super) fn value_type(command: &Command, name: &str) -> ArgumentType {
    let by_command = TYPES_BY_COMMAND
        .iter()
        .find(|(value, _, commands)| *value == name && commands.contains(&command.name));
    if let Some((_, kind, _)) = by_command {
        return *kind;
    }
    let by_name = TYPES.iter().find(|(_, names)| names.contains(&name));
    by_name.map_or(String, |(kind, _)| *kind)
}

/// The key specification of a value, where the order of the arguments does not tell.
pub(super) fn key_spec_of(command: &Command, name: &str) -> Option<usize> {
    let mut entries = KEY_SPECS.iter();
    let entry = entries.find(|(known, value, _)| *known == command.name && *value == name);
    entry.map(|(_, _, index)| *index)
}

/// The name of a token: mostly the token in small letters.
pub(super) fn token_name(token: &'static str) -> Cow<'static, str> {
    match TOKEN_NAMES.iter().find(|(known, _)| *known == token) {
        Some((_, name)) => Cow::Borrowed(name),
        None => Cow::Owned(token.to_ascii_lowercase()),
    }
}

/// The name of a group: its token, or a well-known name, or its members' names joined.
pub(super) fn group_name(
    kind: ArgumentType,
    token: Option<&'static str>,
    members: &[Argument],
) -> Cow<'static, str> {
    if let Some(token) = token {
        return token_name(token);
    }
    if kind == ArgumentType::OneOf
        && let Some(first) = members[0].token
        && let Some((_, name)) = CHOICE_NAMES.iter().find(|(known, _)| *known == first)
    {
        return Cow::Borrowed(name);
    }
    let names: Vec<_> = members.iter().map(|member| member.name.as_ref()).collect();
    Cow::Owned(names.join("-"))
}
