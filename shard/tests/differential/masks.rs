//! What two right servers may answer differently, each with its reason.
//!
//! * Times: the two clocks are not one.
//! * Choices left to chance: as many elements, of the same form.
//! * Collections without an order: the same elements.
//! * Texts with a zero byte: sorted by `strcoll`, they end there, and equal ones have no order.
//! * Numbers of keys: Redis counts those whose time is over until somebody looks at them.
//! * Places equally far away, of which only some are wanted: any of them.
//! * What depends on the release compared with: Redis 7.2 is what Basalt follows.

use crate::support::Request;
use crate::support::redis::RealServer;
use crate::support::resp::elements;

/// How far apart two answers about the same time may be, in milliseconds.
const CLOCK_TOLERANCE_MS: i64 = 120_000;

/// Fields of XINFO that tell of time, of the nodes of a radix tree, or count consumers: releases
/// before 7.2 do not make a consumer that has got nothing.
const STREAM_FIELDS: [&str; 5] =
    ["idle", "inactive", "radix-tree-nodes", "consumers", "radix-tree-keys"];

const TIMEOUT_TOO_LONG: &[u8] = b"-ERR timeout is out of range\r\n";
const NOT_AN_INTEGER: &[u8] = b"-ERR value is not an integer or out of range\r\n";
const SYNTAX_ERROR: &[u8] = b"-ERR syntax error\r\n";

/// What is known about the other server.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    /// Version of Redis it is or is compatible with.
    pub(crate) version: (u32, u32),
    /// Valkey goes its own way since 8.0.
    pub(crate) is_valkey: bool,
}

impl Peer {
    /// Whether the two led to the same events, or to other ones for a known reason.
    pub(crate) fn agree_about_events(
        self,
        request: &Request,
        ours: &[Vec<u8>],
        theirs: &[Vec<u8>],
    ) -> bool {
        let name = String::from_utf8_lossy(&request[0]).to_lowercase();
        let without = |events: &[Vec<u8>], class: &[u8]| -> Vec<Vec<u8>> {
            let is_other = |event: &&Vec<u8>| !event.windows(class.len()).any(|it| it == class);
            events.iter().filter(is_other).cloned().collect()
        };
        let changes = |events| without(events, b"keymiss");
        let beside_consumers = |events| without(events, b"createconsumer");
        match name.as_str() {
            // The members of a set are looked at in no order, and so are keys named after them.
            "sort" | "sort_ro" => changes(ours) == changes(theirs),
            // They look the key up before they read their options.
            "bitpos" | "bitcount" => changes(ours) == changes(theirs),
            // Consumers come into being at other moments before 7.2.
            "xgroup" if self.is_before_7_2() => true,
            "xreadgroup" if self.is_before_7_2() => {
                beside_consumers(ours) == beside_consumers(theirs)
            }
            // Makes the consumer whether it claims or not since 7.2.
            "xclaim" | "xautoclaim" if self.is_before_7_2() => true,
            _ => ours == theirs,
        }
    }

    /// Asks a server what it is.
    pub(crate) fn of(real: &mut RealServer) -> Self {
        Self { version: real.version(), is_valkey: real.is_valkey() }
    }

    pub(crate) fn is_before_7_2(self) -> bool {
        self.version < (7, 2)
    }

    /// Whether requests of this kind are not even sent, since one server does not do the same.
    pub(crate) fn skips(self, request: &Request) -> bool {
        // Before 7.2 XSETID checks less, and distances are computed in another order, so that the
        // last bit of some differs.
        let is_new = |word: &Vec<u8>| {
            word.eq_ignore_ascii_case(b"xsetid") || word.eq_ignore_ascii_case(b"storedist")
        };
        // Valkey 8 takes a negative offset of LIMIT for one from the end.
        let is_offset_negative =
            |pair: &[Vec<u8>]| pair[0].eq_ignore_ascii_case(b"limit") && pair[1][..1] == *b"-";
        self.is_before_7_2() && request.iter().any(is_new)
            || self.is_valkey && request.windows(2).any(is_offset_negative)
    }

    /// Whether the two replies mean the same.
    pub(crate) fn agree(self, request: &Request, ours: &[u8], theirs: &[u8]) -> bool {
        if ours == theirs {
            return true;
        }
        let name = String::from_utf8_lossy(&request[0]).to_lowercase();
        let is = |index: usize, word: &str| {
            request.get(index).is_some_and(|it| it.eq_ignore_ascii_case(word.as_bytes()))
        };
        match name.as_str() {
            "dbsize" => is_fewer(ours, theirs),
            "georadius"
            | "georadius_ro"
            | "georadiusbymember"
            | "georadiusbymember_ro"
            | "geosearch" => is_counted(request) && same_form(ours, theirs),
            "ttl" | "expiretime" => agree_about_time(ours, theirs, 1000),
            "pttl" | "pexpiretime" => agree_about_time(ours, theirs, 1),
            "keys" | "smembers" | "sinter" | "sunion" | "sdiff" | "hkeys" | "hvals" => {
                same_elements(ours, theirs, 1)
            }
            "hgetall" if ours[0] == b'%' => same_map(ours, theirs),
            "hgetall" => same_elements(ours, theirs, 2),
            "sscan" => same_page(ours, theirs, 1),
            "hscan" => same_page(ours, theirs, 2),
            "zscan" => same_page_of_scores(ours, theirs),
            "srandmember" | "hrandfield" | "zrandmember" | "spop" | "randomkey" => {
                same_form(ours, theirs)
            }
            "sort" | "sort_ro" => {
                let has_zero = [ours, theirs].iter().any(|reply| reply.contains(&0));
                (is_unsorted(request) || has_zero) && same_form(ours, theirs)
            }
            // Newer releases look at all arguments before they look for the key, and take a start
            // alone.
            "bitcount" | "bitpos" => {
                [SYNTAX_ERROR, NOT_AN_INTEGER].contains(&ours) || theirs == SYNTAX_ERROR
            }
            // WITHSCORE came with 7.2.
            "zrank" | "zrevrank" if self.is_before_7_2() => ours == SYNTAX_ERROR,
            // Releases differ in when they know beforehand that a sorted set will be large.
            "object" if [ours, theirs].iter().all(|reply| is_of_sorted_set(reply)) => true,
            "object" => self.is_before_7_2() && is_newer_encoding(ours),
            "blpop" | "brpop" | "blmove" | "brpoplpush" | "bzpopmin" | "bzpopmax"
                if self.is_before_7_2() =>
            {
                // An overflow, before 7.2.
                ours == TIMEOUT_TOO_LONG && theirs == b"-ERR timeout is negative\r\n"
            }
            "xinfo" if self.is_before_7_2() && (is(1, "consumers") || is(3, "full")) => true,
            "xgroup" if self.is_before_7_2() => is(1, "createconsumer"),
            "xread" | "xreadgroup" if self.is_before_7_2() => {
                ours.starts_with(b"-ERR Unbalanced") && theirs.starts_with(b"-ERR Unbalanced")
            }
            "xinfo" | "xpending" => without_times(request, ours) == without_times(request, theirs),
            _ => false,
        }
    }
}

fn number_of(reply: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(reply.strip_prefix(b":")?).ok()?;
    text.trim_end().parse().ok()
}

/// A number that is a little smaller.
fn is_fewer(ours: &[u8], theirs: &[u8]) -> bool {
    let pair = (number_of(ours), number_of(theirs));
    matches!(pair, (Some(ours), Some(theirs)) if (0..5).contains(&(theirs - ours)))
}

/// Only so many places are wanted.
fn is_counted(request: &Request) -> bool {
    request.iter().any(|word| word.eq_ignore_ascii_case(b"count"))
}

fn agree_about_time(ours: &[u8], theirs: &[u8], unit_ms: i64) -> bool {
    let number = |reply: &[u8]| number_of(reply).filter(|number| *number >= 0);
    match (number(ours), number(theirs)) {
        (Some(ours), Some(theirs)) => (ours - theirs).abs() <= CLOCK_TOLERANCE_MS / unit_ms,
        _ => false,
    }
}

fn first_line(reply: &[u8]) -> &[u8] {
    reply.split(|byte| *byte == b'\r').next().expect("a split has a first part")
}

fn is_list(reply: &[u8]) -> bool {
    matches!(reply[0], b'*' | b'~') && !reply.starts_with(b"*-1")
}

/// The same groups of `size` elements in any order.
fn same_elements(ours: &[u8], theirs: &[u8], size: usize) -> bool {
    let groups = |reply: &[u8]| {
        let mut groups: Vec<Vec<u8>> =
            elements(reply).chunks(size).map(|group| group.concat()).collect();
        groups.sort_unstable();
        groups
    };
    is_list(ours) && first_line(ours) == first_line(theirs) && groups(ours) == groups(theirs)
}

/// The same fields and values of two maps.
fn same_map(ours: &[u8], theirs: &[u8]) -> bool {
    let as_list = |reply: &[u8]| [b"*", &reply[1..]].concat();
    theirs[0] == b'%' && same_elements(&as_list(ours), &as_list(theirs), 2)
}

/// The same cursor, and the same elements in any order.
fn same_page(ours: &[u8], theirs: &[u8], size: usize) -> bool {
    if !is_list(ours) || !is_list(theirs) {
        return false;
    }
    let (ours, theirs) = (elements(ours), elements(theirs));
    ours.len() == 2
        && theirs.len() == 2
        && ours[0] == theirs[0]
        && same_elements(&ours[1], &theirs[1], size)
}

/// The same cursor, and the same members with the same numbers: SORT leaves a large form behind in
/// the real server, which prints scores with more digits.
fn same_page_of_scores(ours: &[u8], theirs: &[u8]) -> bool {
    let page = |reply: &[u8]| {
        let [cursor, pairs] = elements(reply).try_into().expect("a page has two parts");
        let pairs = elements(&pairs);
        let mut pairs: Vec<_> =
            pairs.chunks(2).map(|pair| (pair[0].clone(), score_in(&pair[1]))).collect();
        pairs.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        (cursor, pairs)
    };
    is_list(ours) && is_list(theirs) && page(ours) == page(theirs)
}

/// The number in a bulk string.
fn score_in(reply: &[u8]) -> Option<f64> {
    std::str::from_utf8(reply).ok()?.split("\r\n").nth(1)?.parse().ok()
}

/// One text each, or as many elements.
fn same_form(ours: &[u8], theirs: &[u8]) -> bool {
    let is_text = |reply: &[u8]| reply[0] == b'$' && !reply.starts_with(b"$-1");
    is_text(ours) && is_text(theirs) || is_list(ours) && first_line(ours) == first_line(theirs)
}

/// A set that is not sorted comes in an order of its own.
fn is_unsorted(request: &Request) -> bool {
    let is_by_nothing = |pair: &[Vec<u8>]| pair[0] == b"by" && pair[1] == b"nosort";
    request.windows(2).any(is_by_nothing)
}

/// Releases before 7.2 have no packed sets, and every list is a quicklist.
fn is_newer_encoding(reply: &[u8]) -> bool {
    reply == b"$8\r\nlistpack\r\n"
}

fn is_of_sorted_set(reply: &[u8]) -> bool {
    reply == b"$8\r\nlistpack\r\n" || reply == b"$8\r\nskiplist\r\n"
}

/// A reply about streams with what it tells of time and of nodes replaced.
fn without_times(request: &Request, reply: &[u8]) -> String {
    let is_pending = request[0].eq_ignore_ascii_case(b"xpending") && request.len() > 3;
    let text = String::from_utf8_lossy(reply).into_owned();
    let mut lines: Vec<&str> = text.split("\r\n").collect();
    for index in 1..lines.len() {
        let is_number = lines[index].starts_with(':');
        let is_unix_time = lines[index].len() > 12;
        let follows_text = !lines[index - 1].starts_with([':', '*']);
        let follows_name = STREAM_FIELDS.contains(&lines[index - 1]);
        if is_number && (is_unix_time || follows_name || (is_pending && follows_text)) {
            lines[index] = ":masked";
        }
    }
    lines.join("\n")
}
