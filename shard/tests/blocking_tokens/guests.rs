//! What guests wait for and what feeders do, drawn at random.

use basalt_shard::hash::HashSlot;

use crate::Kind;
use crate::ledger::Ledger;
use crate::support::Request;
use crate::support::resp::split_line;

/// Lists that tokens travel through.
pub(crate) const LISTS: [&str; 5] = ["a", "b", "c", "d", "e"];
/// Sorted sets they may be in.
pub(crate) const SORTED_SETS: [&str; 3] = ["x", "y", "z"];
/// Streams they are told in.
pub(crate) const STREAMS: [&str; 2] = ["s", "t"];

/// Tokens one reply of a guest may hold.
pub(crate) const TOKENS_OF_REPLY_MAX: usize = 2;

fn pick<'a>(random: &mut fastrand::Rng, names: &[&'a str]) -> &'a str {
    names[random.usize(..names.len())]
}

/// A command that takes tokens, mostly one that waits.
pub(crate) fn draw_wait(random: &mut fastrand::Rng, guest: usize, kind: Kind) -> Request {
    let timeout = pick(random, &["0", "0", "0.003", "0.02"]);
    let kinds = if kind == Kind::Streams { 12 } else { 9 };
    let chosen = random.u32(..kinds);
    let names: &[&str] = match chosen {
        0..6 => &LISTS,
        6..9 => &SORTED_SETS,
        _ => &STREAMS,
    };
    let (one, other) = (pick(random, names), pick(random, names));
    let milliseconds = pick(random, &["0", "0", "3", "20"]);
    split_line(&match chosen {
        0 => format!("BLPOP {one} {other} {timeout}"),
        1 => format!("BRPOP {one} {timeout}"),
        2 => format!("BLMPOP {timeout} 2 {one} {other} LEFT COUNT 2"),
        3 => format!("BLMOVE {one} {other} LEFT RIGHT {timeout}"),
        4 => format!("BRPOPLPUSH {one} {other} {timeout}"),
        5 => format!("LPOP {one}"),
        6 => format!("BZPOPMIN {one} {other} {timeout}"),
        7 => format!("BZPOPMAX {one} {timeout}"),
        8 => format!("BZMPOP {timeout} 2 {one} {other} MIN COUNT 2"),
        9 => format!("XREADGROUP GROUP g c{guest} COUNT 2 BLOCK {milliseconds} STREAMS {one} >"),
        10 => format!("XREADGROUP GROUP g c{guest} COUNT 1 BLOCK 0 STREAMS s t > >"),
        _ => format!("XREADGROUP GROUP g c{guest} COUNT 1 NOACK STREAMS {one} >"),
    })
}

/// Feeds, or disturbs.
pub(crate) fn draw_feeding(
    random: &mut fastrand::Rng,
    ledger: &mut Ledger,
    (core_count, kind): (usize, Kind),
) -> Request {
    let (list, other) = (pick(random, &LISTS), pick(random, &LISTS));
    let sorted = pick(random, &SORTED_SETS);
    split_line(&match random.u32(..22) {
        0..6 => {
            let count = random.usize(1..4);
            format!("RPUSH {list} {}", ledger.issue(count).join(" "))
        }
        6..9 => {
            let scored = ledger.issue(random.usize(1..4)).into_iter();
            let scored: Vec<String> =
                scored.map(|token| format!("{} {token}", random.u32(..9))).collect();
            format!("ZADD {sorted} {}", scored.join(" "))
        }
        9..12 if kind == Kind::Streams => {
            format!("XADD {} * f {}", pick(random, &STREAMS), ledger.issue(1)[0])
        }
        12..14 => format!("LMOVE {list} {other} LEFT RIGHT"),
        14 => "DBSIZE".to_owned(),
        15 => format!("EXISTS {} {}", LISTS.join(" "), SORTED_SETS.join(" ")),
        16 => format!("RENAMENX {list} {other}"),
        17 => format!("RENAMENX {sorted} {}", pick(random, &SORTED_SETS)),
        18 if kind == Kind::Swaps => "SWAPDB 0 1".to_owned(),
        18 if kind == Kind::Flushes => pick(random, &["FLUSHALL", "FLUSHDB"]).to_owned(),
        _ => {
            let slot = HashSlot::of_key(pick(random, &[list, sorted, "s"]).as_bytes()).number();
            format!("DEBUG MOVE-SLOT {slot} {}", random.usize(..core_count))
        }
    })
}

/// The keys a command waits for.
pub(crate) fn keys_of(request: &Request) -> &[Vec<u8>] {
    let streams = request.iter().position(|word| word == b"STREAMS");
    match request[0].as_slice() {
        b"BLMOVE" | b"BRPOPLPUSH" => &request[1..2],
        b"BLMPOP" | b"BZMPOP" => &request[3..5],
        b"XREADGROUP" => {
            let names = &request[streams.expect("it names streams") + 1..];
            &names[..names.len() / 2]
        }
        _ => &request[1..request.len() - 1],
    }
}
