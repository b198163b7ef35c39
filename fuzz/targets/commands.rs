//! Commands: whatever clients ask, in whatever order, cores answer each with one whole reply and do
//! not panic.
//!
//! ```text
//! data:  shape | command line \n command line \n ...     words are separated by single blanks
//!        shape: number of cores, and which protocol the two clients speak
//! ```
//!
//! The cores are those of the tests in process: one thread, one seed, a clock that stands still
//! unless a command moves it. Making 16,384 slots takes longer than running a script, so cores
//! serve all inputs; after each all keys are removed, which must leave none behind, and the clients
//! go back to how they began. A finding that depends on what came before (slots that were moved)
//! is replayed by running the corpus with it.

#![no_main]

#[path = "../../shard/tests/support/mod.rs"]
mod support;

use std::cell::RefCell;

use basalt_shard::settings::Settings;
use libfuzzer_sys::fuzz_target;
use support::resp::{reply_length, show_request};
use support::{ClientId, Cluster, Request};

/// Longest string a command may make, in bytes: longer ones cost time and find nothing more.
const STRING_BYTES_MAX: usize = 64 * 1024;

/// Commands of one input that are run.
const COMMANDS_MAX: usize = 64;

/// Digits of a number that asks for so many elements that the reply would fill the memory.
const COUNT_DIGITS_MAX: usize = 5;

/// Beginnings of commands that end connections or the process, suspend clients or replies, undo
/// the limits of this target, or answer more than once on purpose.
const EXCLUDED: &[&[&str]] = &[
    &["shutdown"],
    &["quit"],
    &["reset"],
    &["auth"],
    &["acl"],
    &["monitor"],
    &["client", "kill"],
    &["client", "pause"],
    &["client", "reply"],
    &["config"],
    &["debug", "panic"],
    &["debug", "populate"],
    &["debug", "protocol"],
    &["debug", "sleep"],
    &["wait"],
    &["waitaof"],
    &["post"],
    &["host:"],
];

/// Commands whose negative count is the number of elements of the reply.
const DRAWING: &[&str] = &["srandmember", "hrandfield", "zrandmember"];

/// A server that is kept, and its two clients, on the first and the last core.
struct Served {
    cluster: Cluster,
    clients: [ClientId; 2],
}

thread_local! {
    static SERVED: RefCell<[Option<Served>; 3]> = const { RefCell::new([None, None, None]) };
}

fuzz_target!(|data: &[u8]| {
    let [shape, script @ ..] = data else { return };
    let index = usize::from(shape % 3);
    SERVED.with_borrow_mut(|served| {
        let served = served[index].get_or_insert_with(|| serve(1 + index as u16));
        play(served, shape & 0x80 != 0, script);
    });
});

fn serve(core_count: u16) -> Served {
    let settings = Settings { proto_max_bulk_len: STRING_BYTES_MAX, ..support::settings() };
    let mut cluster = Cluster::with_settings(core_count, 7, settings);
    let clients = [cluster.connect(0), cluster.connect(usize::from(core_count) - 1)];
    Served { cluster, clients }
}

fn play(Served { cluster, clients }: &mut Served, is_resp3: bool, script: &[u8]) {
    if is_resp3 {
        run(cluster, clients[1], request(b"HELLO 3"));
    }
    for (number, line) in script.split(|byte| *byte == b'\n').take(COMMANDS_MAX).enumerate() {
        let request = request(line);
        if !request[0].is_empty() && !is_excluded(&request) {
            run(cluster, clients[number % 2], request);
        }
    }
    for client in *clients {
        run(cluster, client, request(b"HELLO 2"));
        run(cluster, client, request(b"SELECT 0"));
    }
    run(cluster, clients[0], request(b"FLUSHALL"));
    let left = run(cluster, clients[0], request(b"DBSIZE"));
    assert_eq!(left, b":0\r\n");
}

fn request(line: &[u8]) -> Request {
    line.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect()
}

fn run(cluster: &mut Cluster, client: ClientId, request: Request) -> Vec<u8> {
    let shown = show_request(&request);
    let reply = cluster.execute_request(client, request);
    assert_eq!(reply_length(&reply), Some(reply.len()), "reply of {shown}");
    reply
}

fn is_excluded(request: &Request) -> bool {
    let is = |index: usize, word: &str| {
        request.get(index).is_some_and(|it| it.eq_ignore_ascii_case(word.as_bytes()))
    };
    let begins = |words: &[&str]| words.iter().enumerate().all(|(index, word)| is(index, word));
    let is_huge = |it: &Vec<u8>| it.first() == Some(&b'-') && it.len() > 1 + COUNT_DIGITS_MAX;
    EXCLUDED.iter().any(|words| begins(words))
        || DRAWING.iter().any(|word| is(0, word) && request.iter().any(is_huge))
}
