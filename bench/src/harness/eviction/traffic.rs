//! What a cache is asked by those who keep it beside their data: GET, and SET what was not there.
//!
//! One thread takes the connections in turn. It writes the GETs of a round to all of them before it
//! reads the first reply, then does the same with the SETs, so a server has a batch from each
//! connection to work on, and still meets the keys of every connection in the same order.

use crate::error::{BenchError, Outcome};
use crate::harness::eviction::sequence::{BATCH_LEN, Demand, Hits, Sequence};
use crate::harness::options::KEY_LEN;
use crate::keys::shape::{Key, KeyShape};
use crate::request::template::{Frame, Template, ValueSize};
use crate::resp::client::Client;
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
    get: Template,
    set: Template,
    value_len: usize,
    outbox: Outbox,
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
        let frame = Frame { shape, value: ValueSize::fixed(value_len), key_count };
        let set = match lifetime {
            Lifetime::Unlimited => "SET __key__ __value__",
            Lifetime::Hour => "SET __key__ __value__ EX 3600",
        };
        Ok(Self {
            clients,
            get: Template::compile("GET __key__", &frame)?,
            set: Template::compile(set, &frame)?,
            value_len,
            outbox: Outbox::default(),
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
            self.outbox.send(client, &self.get, batch)?;
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
            self.outbox.send(client, &self.set, batch)?;
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

/// Room for what is about to be sent.
#[derive(Debug, Default)]
struct Outbox {
    bytes: Vec<u8>,
    /// Templates ask for one. Keys are given here and values are of one size, so it is not used.
    random: fastrand::Rng,
}

impl Outbox {
    /// Sends the command of each key, all in one piece.
    fn send(&mut self, client: &mut Client, command: &Template, keys: &[u64]) -> Outcome<()> {
        self.bytes.clear();
        self.write(command, keys);
        if self.bytes.is_empty() { Ok(()) } else { client.send(&self.bytes) }
    }

    fn write(&mut self, command: &Template, keys: &[u64]) {
        for &number in keys {
            let key = Key { tag: None, number };
            command.append_for(|_| key, &mut self.random, &mut self.bytes);
        }
    }
}

fn wrong_reply(command: &str, reply: &Value) -> BenchError {
    BenchError::Reply { command: command.to_owned(), text: reply.text() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::client;

    #[test]
    fn commands_carry_key_value_and_expiry() {
        let cache = CacheAside::new(Vec::new(), 1000, (0, Lifetime::Hour));
        let CacheAside { get, set, mut outbox, .. } = cache.expect("the keys have room");
        outbox.write(&get, &[7, 123]);
        outbox.write(&set, &[45]);
        let mut expected = Vec::new();
        client::encode(&["GET", "key:000000000007"], &mut expected);
        client::encode(&["GET", "key:000000000123"], &mut expected);
        client::encode(&["SET", "key:000000000045", "", "EX", "3600"], &mut expected);
        assert_eq!(outbox.bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    #[test]
    fn keys_without_room_are_refused() {
        let refused = CacheAside::new(Vec::new(), u64::MAX, (3, Lifetime::Unlimited));
        assert!(refused.is_err());
    }
}
