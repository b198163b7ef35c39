//! What a cache is asked by those who keep it beside their data: GET, and SET what was not there.
//!
//! One thread takes the connections in turn. It writes the GETs of a round to all of them before it
//! reads the first reply, then does the same with the SETs, so a server has a batch from each
//! connection to work on, and still meets the keys of every connection in the same order.

use crate::error::{BenchError, Outcome};
use crate::harness::eviction::sequence::{BATCH_LEN, Demand, Hits, Sequence};
use crate::harness::options::KEY_LEN;
use crate::keys::shape::{Key, KeyShape};
use crate::resp::client::{self, Client};
use crate::resp::value::Value;

/// Whether what is written expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// It stays.
    Unlimited,
    /// It expires in an hour, long after the run: policies named volatile-* ask for that.
    Hour,
}

/// The connections, and the commands prepared for them.
#[derive(Debug)]
pub(super) struct CacheAside {
    clients: Vec<Client>,
    get: Prepared,
    set: Prepared,
    value_len: usize,
    bytes: Vec<u8>,
}

impl CacheAside {
    /// Takes over greeted connections.
    ///
    /// # Errors
    /// When so many keys have no room in their length.
    pub(super) fn new(
        clients: Vec<Client>,
        key_count: u64,
        (value_len, lifetime): (usize, Lifetime),
    ) -> Outcome<Self> {
        let shape = KeyShape::new("key:", KEY_LEN, false, key_count)?;
        let value = "x".repeat(value_len);
        let expiry: &[&str] = match lifetime {
            Lifetime::Unlimited => &[],
            Lifetime::Hour => &["EX", "3600"],
        };
        Ok(Self {
            clients,
            get: Prepared::new(&shape, "GET", &[]),
            set: Prepared::new(&shape, "SET", &[&[value.as_str()], expiry].concat()),
            value_len,
            bytes: Vec::new(),
        })
    }

    /// Asks for all keys of a demand, and counts what was found.
    ///
    /// # Errors
    /// When a connection fails, or a reply is not the one due.
    pub(super) fn run(&mut self, demand: &Demand, seed: u64) -> Outcome<Hits> {
        assert_eq!(self.clients.len(), demand.connections, "a batch for each connection");
        let mut sequence = Sequence::new(demand, seed);
        let mut keys = Vec::new();
        let mut hits = Hits::default();
        while let Some(phase) = sequence.next_round(&mut keys) {
            let batches: Vec<&[u64]> = keys.chunks(BATCH_LEN).collect();
            let missed = self.get_all(&batches)?;
            self.set_all(&missed)?;
            let missed_count: usize = missed.iter().map(Vec::len).sum();
            hits.add(phase, keys.len(), keys.len() - missed_count);
        }
        Ok(hits)
    }

    /// What was not there of each connection's batch.
    fn get_all(&mut self, batches: &[&[u64]]) -> Outcome<Vec<Vec<u64>>> {
        for (client, batch) in self.clients.iter_mut().zip(batches) {
            send(client, &self.get, batch, &mut self.bytes)?;
        }
        let mut missed = Vec::with_capacity(batches.len());
        for (client, batch) in self.clients.iter_mut().zip(batches) {
            let mut absent = Vec::new();
            for key in *batch {
                match client.receive()? {
                    Value::Bulk(value) if value.len() == self.value_len => {}
                    Value::Nil => absent.push(*key),
                    other => return Err(wrong_reply("GET", &other)),
                }
            }
            missed.push(absent);
        }
        Ok(missed)
    }

    fn set_all(&mut self, batches: &[Vec<u64>]) -> Outcome<()> {
        for (client, batch) in self.clients.iter_mut().zip(batches) {
            send(client, &self.set, batch, &mut self.bytes)?;
        }
        for (client, batch) in self.clients.iter_mut().zip(batches) {
            for _ in batch {
                match client.receive()? {
                    Value::Simple(text) if text == "OK" => {}
                    other => return Err(wrong_reply("SET", &other)),
                }
            }
        }
        Ok(())
    }
}

/// Sends the command of each key in one piece; `bytes` is room for it.
fn send(client: &mut Client, command: &Prepared, keys: &[u64], bytes: &mut Vec<u8>) -> Outcome<()> {
    bytes.clear();
    keys.iter().for_each(|key| command.append(*key, bytes));
    if bytes.is_empty() { Ok(()) } else { client.send(bytes) }
}

fn wrong_reply(command: &str, reply: &Value) -> BenchError {
    BenchError::Reply { command: command.to_owned(), text: reply.text() }
}

/// A command with a blank key, to be copied and patched.
#[derive(Debug)]
struct Prepared {
    frame: Vec<u8>,
    key_start: usize,
    shape: KeyShape,
}

impl Prepared {
    /// The command `name KEY rest...`.
    fn new(shape: &KeyShape, name: &str, rest: &[&str]) -> Self {
        let blank = String::from_utf8(shape.blank()).expect("keys are plain text");
        let mut frame = Vec::new();
        client::encode(&[&[name, &blank], rest].concat(), &mut frame);
        let is_key = |window: &[u8]| window == blank.as_bytes();
        let key_start = frame.windows(blank.len()).position(is_key).expect("the key is in it");
        Self { frame, key_start, shape: shape.clone() }
    }

    fn append(&self, number: u64, out: &mut Vec<u8>) {
        let start = out.len() + self.key_start;
        out.extend_from_slice(&self.frame);
        let blank = &mut out[start..start + self.shape.key_len()];
        self.shape.patch(blank, Key { tag: None, number });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_carry_key_value_and_expiry() {
        let cache =
            CacheAside::new(Vec::new(), 1000, (3, Lifetime::Hour)).expect("the keys have room");
        let mut bytes = Vec::new();
        cache.get.append(7, &mut bytes);
        cache.get.append(123, &mut bytes);
        cache.set.append(45, &mut bytes);
        let mut expected = Vec::new();
        client::encode(&["GET", "key:000000000007"], &mut expected);
        client::encode(&["GET", "key:000000000123"], &mut expected);
        client::encode(&["SET", "key:000000000045", "xxx", "EX", "3600"], &mut expected);
        assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    #[test]
    fn keys_without_room_are_refused() {
        let refused = CacheAside::new(Vec::new(), u64::MAX, (3, Lifetime::Unlimited));
        assert!(refused.is_err());
    }
}
