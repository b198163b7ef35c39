//! What the threads of a run do.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Hall;
use crate::books::tokens_in;
use crate::support::{Client, OK, Reply, slot_of};

/// Lists that tokens travel through.
pub(crate) const LISTS: [&str; 5] = ["a", "b", "c", "d", "e"];
/// Sorted sets they may be in.
pub(crate) const SORTED_SETS: [&str; 3] = ["x", "y", "z"];
/// Streams they are told in.
pub(crate) const STREAMS: [&str; 2] = ["s", "t"];
/// All of them.
pub(crate) const KEYS: [&str; 10] = ["a", "b", "c", "d", "e", "x", "y", "z", "s", "t"];

/// Tokens one reply of a guest may hold.
const TOKENS_OF_REPLY_MAX: usize = 2;

/// How long a thread waits for a reply that has to come. The machine may be busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// One in how many waits is left by its client.
const LEAVING: u32 = 200;

fn pick<'a>(random: &mut fastrand::Rng, names: &[&'a str]) -> &'a str {
    names[random.usize(..names.len())]
}

/// Feeds until all tokens are issued.
pub(crate) fn feed(hall: &Hall<'_>, mut random: fastrand::Rng) {
    let mut client = hall.server.connect_plain();
    while let Some(token) = hall.books.issue(hall.tokens) {
        let (list, sorted) = (pick(&mut random, &LISTS), pick(&mut random, &SORTED_SETS));
        let command = match random.u32(..4) {
            0 | 1 => format!("RPUSH {list} {token}"),
            2 => format!("ZADD {sorted} {} {token}", random.u32(..9)),
            _ => format!("XADD {} * f {token}", pick(&mut random, &STREAMS)),
        };
        let reply = client.call(&command);
        assert!(!matches!(reply, Reply::Error(_)), "{command}: {reply:?}");
        if random.u32(..8) == 0 {
            client.call(format!("RENAMENX {list} {}", pick(&mut random, &LISTS)));
            client.call(format!("LMOVE {list} {} LEFT RIGHT", pick(&mut random, &LISTS)));
        }
    }
    hall.feeding.fetch_sub(1, Ordering::Release);
}

fn draw_wait(random: &mut fastrand::Rng, guest: u64, is_fed: bool) -> String {
    let chosen = random.u32(..12);
    let names: &[&str] = match chosen {
        0..6 => &LISTS,
        6..9 => &SORTED_SETS,
        _ => &STREAMS,
    };
    let (one, other) = (pick(random, names), pick(random, names));
    // At the end everybody wants to go home.
    let timeouts: &[&str] = if is_fed { &["1", "3"] } else { &["0", "0", "2", "30"] };
    let milliseconds = pick(random, timeouts);
    let timeout = milliseconds.parse::<f64>().expect("a number") / 1000.0;
    match chosen {
        0 | 1 => format!("BLPOP {one} {other} {timeout}"),
        2 => format!("BRPOP {one} {timeout}"),
        3 => format!("BLMPOP {timeout} 2 {one} {other} LEFT COUNT 2"),
        4 => format!("BLMOVE {one} {other} LEFT RIGHT {timeout}"),
        5 => format!("BRPOPLPUSH {one} {other} {timeout}"),
        6 => format!("BZPOPMIN {one} {other} {timeout}"),
        7 => format!("BZPOPMAX {one} {timeout}"),
        8 => format!("BZMPOP {timeout} 2 {one} {other} MIN COUNT 2"),
        9 => format!("XREADGROUP GROUP g c{guest} COUNT 2 BLOCK {milliseconds} STREAMS {one} >"),
        10 => format!("XREADGROUP GROUP g c{guest} COUNT 1 BLOCK {milliseconds} STREAMS s t > >"),
        _ => format!("XREADGROUP GROUP g c{guest} COUNT 1 NOACK STREAMS {one} >"),
    }
}

/// Waits for tokens, again and again. Once all are fed, a few more rounds, so that most are taken.
pub(crate) fn take(hall: &Hall<'_>, number: u64, mut random: fastrand::Rng) {
    let _absent = Absent(hall);
    let mut client = arrive(hall);
    let mut rounds_left = 20;
    while rounds_left > 0 {
        rounds_left -= u32::from(hall.is_fed());
        let command = draw_wait(&mut random, number, hall.is_fed());
        if random.u32(..LEAVING) == 0 {
            client.send_command(&command);
            hall.books.note_leaving(TOKENS_OF_REPLY_MAX);
            client = arrive(hall);
            continue;
        }
        let reply = client.call(&command);
        match &reply {
            Reply::Error(message) => assert!(message.starts_with("UNBLOCKED"), "{message}"),
            // What a move answers went on into another list.
            _ if command.starts_with("BLMOVE") || command.starts_with("BRPOPLPUSH") => {}
            _ => hall.books.note(&reply),
        }
    }
}

/// Connects a guest under the name that tells who may be unblocked.
fn arrive(hall: &Hall<'_>) -> Client {
    let mut client = hall.server.connect_plain();
    client.set_read_timeout(PATIENCE).expect("it is connected");
    client.check("CLIENT SETNAME guest", OK);
    client
}

/// Takes a guest out of the count when dropped, on a panic too.
struct Absent<'hall, 'server>(&'hall Hall<'server>);

impl Drop for Absent<'_, '_> {
    fn drop(&mut self) {
        self.0.present.fetch_sub(1, Ordering::Release);
    }
}

/// Reads all streams outside of any group, entry by entry as they come.
pub(crate) fn read(hall: &Hall<'_>, number: u64) {
    let mut client = hall.server.connect_plain();
    let mut last = STREAMS.map(|_| "0-0".to_owned());
    let mut seen = STREAMS.map(|_| Vec::new());
    loop {
        let is_last = hall.is_over();
        let names = STREAMS.join(" ");
        let block = 1 + 20 * number;
        let reply = client.call(format!("XREAD BLOCK {block} STREAMS {names} {}", last.join(" ")));
        if reply == Reply::Null {
            if is_last {
                break;
            }
            continue;
        }
        for stream in reply.elements() {
            let [name, entries] = stream.elements() else { panic!("not a stream: {stream:?}") };
            let position = STREAMS.iter().position(|stream| *stream == name.text());
            let position = position.expect("it is one of those asked for");
            let newest = entries.elements().last().expect("no stream is told without entries");
            last[position] = newest.elements()[0].text();
            seen[position].extend(tokens_in(entries));
        }
    }
    for (stream, tokens) in STREAMS.into_iter().zip(seen) {
        hall.books.note_reader(stream, tokens);
    }
}

/// Throws a ball and waits for it to come back, for ever.
pub(crate) fn relay(hall: &Hall<'_>, number: u64) {
    let mut client = hall.server.connect_plain();
    client.set_read_timeout(PATIENCE).expect("it is connected");
    let (mut round, mut is_last) = (0_u64, false);
    while !is_last {
        is_last = hall.is_over();
        let ball = if is_last { "end".to_owned() } else { round.to_string() };
        client.call(format!("RPUSH relay:{number}:there {ball}"));
        let reply = client.call(format!("BLPOP relay:{number}:back 0"));
        assert_eq!(reply.elements()[1].text(), ball, "relay {number}, round {round}");
        round += 1;
    }
}

/// Throws it back.
pub(crate) fn relay_back(hall: &Hall<'_>, number: u64) {
    let mut client = hall.server.connect_plain();
    client.set_read_timeout(PATIENCE).expect("it is connected");
    let (there, back) = (format!("relay:{number}:there"), format!("relay:{number}:back"));
    while client.text(format!("BLMOVE {there} {back} LEFT RIGHT 0")) != "end" {}
}

/// Hands the slots of all keys from core to core.
pub(crate) fn move_slots(hall: &Hall<'_>, mut random: fastrand::Rng) {
    let mut client = hall.server.connect_plain();
    while !hall.is_over() {
        let key = match random.bool() {
            true => pick(&mut random, &KEYS).to_owned(),
            false => format!("relay:{}:{}", random.u32(..4), pick(&mut random, &["there", "back"])),
        };
        let (slot, core) =
            (slot_of(key.as_bytes()), random.u32(..hall.server.config().core_count()));
        client.check(format!("DEBUG MOVE-SLOT {slot} {core}"), OK);
    }
}

/// Ends waits of others, and all that are left in the end.
pub(crate) fn unblock(hall: &Hall<'_>, mut random: fastrand::Rng) {
    let mut client = hall.server.connect_plain();
    while hall.present.load(Ordering::Acquire) > 0 {
        for id in waiting_ids(&mut client) {
            if hall.is_fed() || random.u32(..10) == 0 {
                let how = pick(&mut random, &["TIMEOUT", "ERROR"]);
                client.call(format!("CLIENT UNBLOCK {id} {how}"));
            }
        }
    }
}

/// Clients that wait for lists, sorted sets or streams in a command of a guest.
fn waiting_ids(client: &mut Client) -> Vec<String> {
    let list = client.text("CLIENT LIST");
    let field = |line: &str, name: &str| {
        line.split(' ').find_map(|field| field.strip_prefix(name)).map(str::to_owned)
    };
    let is_guest = |line: &&str| {
        line.contains("name=guest") && field(line, "flags=").is_some_and(|it| it.contains('b'))
    };
    list.lines().filter(is_guest).filter_map(|line| field(line, "id=")).collect()
}
