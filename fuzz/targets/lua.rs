//! The libraries of scripts, and what scripts answer: whatever bytes they are given, cores give one
//! whole reply, do not panic, and have no memory error.
//!
//! ```text
//! data:  shape | script | first argument \n rest: second argument
//!        shape: protocol version of the client; script: which of SCRIPTS
//! ```
//!
//! What MessagePack and JSON describe is any Lua value, so the scripts that answer with it try the
//! conversion of replies with nested tables, and with tables that pass for errors, statuses, maps,
//! sets and numbers.

#![no_main]

#[path = "../../shard/tests/support/mod.rs"]
mod support;

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use support::resp::{reply_length, show_request};
use support::{ClientId, Cluster};

const SCRIPTS: &[&str] = &[
    "return cjson.decode(ARGV[1])",
    "return cjson.encode(cjson.decode(ARGV[1]))",
    "return cmsgpack.pack(cjson.decode(ARGV[1]))",
    "return {cmsgpack.unpack(ARGV[1])}",
    "return cmsgpack.unpack(ARGV[1])",
    "return cjson.encode(cmsgpack.unpack(ARGV[1]))",
    "return {cmsgpack.unpack_limit(ARGV[1], 3, #ARGV[2])}",
    "redis.setresp(3) return cmsgpack.unpack(ARGV[1])",
    "return {struct.unpack(ARGV[1], ARGV[2])}",
    "return struct.size(ARGV[1])",
    "return struct.pack(ARGV[1], ARGV[2], #ARGV[2], 1.5, -1, ARGV[2])",
    "return bit.tohex(tonumber(ARGV[1]), tonumber(ARGV[2]))",
    "return string.format(ARGV[1], ARGV[2], 7, -2.5)",
    "return {string.find(ARGV[2], ARGV[1])}",
    "return string.gsub(ARGV[2], ARGV[1], '%0%1')",
    "return redis.error_reply(ARGV[1])",
    "return redis.status_reply(ARGV[1])",
];

thread_local! {
    static SERVED: RefCell<Option<(Cluster, ClientId)>> = const { RefCell::new(None) };
}

fuzz_target!(|data: &[u8]| {
    let [shape, script, arguments @ ..] = data else { return };
    let script = SCRIPTS[usize::from(*script) % SCRIPTS.len()];
    let mut arguments = arguments.splitn(2, |byte| *byte == b'\n');
    let (first, second) = (arguments.next().unwrap_or(b""), arguments.next().unwrap_or(b""));
    SERVED.with_borrow_mut(|served| {
        let (cluster, client) = served.get_or_insert_with(|| {
            let mut cluster = Cluster::with_settings(1, 7, support::settings());
            let client = cluster.connect(0);
            (cluster, client)
        });
        let hello: &[&[u8]] = &[b"HELLO", if shape & 1 == 0 { b"2" } else { b"3" }];
        run(cluster, *client, hello);
        run(cluster, *client, &[b"EVAL", script.as_bytes(), b"0", first, second]);
    });
});

fn run(cluster: &mut Cluster, client: ClientId, request: &[&[u8]]) {
    let request: Vec<Vec<u8>> = request.iter().map(|word| word.to_vec()).collect();
    let shown = show_request(&request);
    let reply = cluster.execute_request(client, request);
    assert_eq!(reply_length(&reply), Some(reply.len()), "reply of {shown}");
}
