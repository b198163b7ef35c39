//! The commands on bits and HyperLogLogs: a command line in, the exact bytes of the reply out.
//!
//! `keyspace` runs a command on a store of its own, `redis` on a redis-server where one is
//! installed; `against_redis` sends both the same random commands.

mod against_redis;
mod bitfield;
mod bitmap;
mod bitop;
mod hyperloglog;
mod keyspace;
mod redis;

/// The words of a line; `\x` and two digits stand for a byte.
fn words(line: &str) -> Vec<Vec<u8>> {
    line.split(' ').map(unescape).collect()
}

fn unescape(word: &str) -> Vec<u8> {
    let mut parts = word.split("\\x");
    let mut bytes = parts.next().expect("split gives one at least").as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).expect("two digits"));
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}
