//! What a server does, said as simply as possible: one map, one command at a time.

use std::collections::BTreeMap;
use std::fmt;

use super::Request;

/// The keys of a server and their values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Model {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl fmt::Display for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in &self.values {
            write!(formatter, "{}={} ", key.escape_ascii(), value.escape_ascii())?;
        }
        Ok(())
    }
}

fn integer(number: usize) -> Vec<u8> {
    format!(":{number}\r\n").into_bytes()
}

fn bulk(value: Option<&Vec<u8>>) -> Vec<u8> {
    match value {
        None => b"$-1\r\n".to_vec(),
        Some(value) => {
            let mut reply = format!("${}\r\n", value.len()).into_bytes();
            reply.extend_from_slice(value);
            reply.extend_from_slice(b"\r\n");
            reply
        }
    }
}

impl Model {
    /// The state in which the values of `keys` were answered by `replies`.
    pub(crate) fn of_replies(keys: &[&str], replies: &[Vec<u8>]) -> Self {
        let mut model = Self::default();
        for (key, reply) in keys.iter().zip(replies) {
            let header = reply.iter().position(|byte| *byte == b'\n').expect("a reply has a line");
            if !reply.starts_with(b"$-1") {
                let value = reply[header + 1..reply.len() - 2].to_vec();
                model.values.insert(key.as_bytes().to_vec(), value);
            }
        }
        model
    }

    /// Runs a request and returns its reply in RESP2.
    ///
    /// # Panics
    /// When it does not know the command, or the reply would be an error.
    pub(crate) fn apply(&mut self, request: &Request) -> Vec<u8> {
        let name = std::str::from_utf8(&request[0]).expect("names are ASCII");
        match name {
            "GET" => bulk(self.values.get(&request[1])),
            "MGET" => {
                let mut reply = format!("*{}\r\n", request.len() - 1).into_bytes();
                request[1..].iter().for_each(|key| reply.extend(bulk(self.values.get(key))));
                reply
            }
            "EXISTS" => {
                integer(request[1..].iter().filter(|key| self.values.contains_key(*key)).count())
            }
            "DBSIZE" => integer(self.values.len()),
            "DEL" => {
                let removed = request[1..].iter().filter(|key| self.values.remove(*key).is_some());
                integer(removed.count())
            }
            "FLUSHALL" => {
                self.values.clear();
                b"+OK\r\n".to_vec()
            }
            // It moves a slot to another core, which nobody can see.
            "DEBUG" => b"+OK\r\n".to_vec(),
            "SET" | "MSET" | "MSETNX" => self.set(request),
            "INCR" | "APPEND" => self.change(request),
            "RENAME" | "RENAMENX" | "COPY" => self.carry(request),
            _ => panic!("{name} is not modelled"),
        }
    }

    fn set(&mut self, request: &Request) -> Vec<u8> {
        let is_conditional = request[0] == b"MSETNX";
        let mut pairs = request[1..].chunks_exact(2);
        if is_conditional && pairs.clone().any(|pair| self.values.contains_key(&pair[0])) {
            return integer(0);
        }
        pairs.by_ref().for_each(|pair| {
            self.values.insert(pair[0].clone(), pair[1].clone());
        });
        if is_conditional { integer(1) } else { b"+OK\r\n".to_vec() }
    }

    fn change(&mut self, request: &Request) -> Vec<u8> {
        let value = self.values.entry(request[1].clone()).or_default();
        if request[0] == b"APPEND" {
            value.extend_from_slice(&request[2]);
            return integer(value.len());
        }
        let text = std::str::from_utf8(value).expect("numbers are ASCII");
        let number = if text.is_empty() { 0 } else { text.parse().expect("it is a number") };
        *value = (number + 1).to_string().into_bytes();
        integer(number + 1)
    }

    fn carry(&mut self, request: &Request) -> Vec<u8> {
        let Some(value) = self.values.get(&request[1]).cloned() else {
            let refusal: &[u8] =
                if request[0] == b"COPY" { b":0\r\n" } else { b"-ERR no such key\r\n" };
            return refusal.to_vec();
        };
        let is_rename = request[0] == b"RENAME";
        if !is_rename && self.values.contains_key(&request[2]) {
            return integer(0);
        }
        if request[0] != b"COPY" {
            self.values.remove(&request[1]);
        }
        self.values.insert(request[2].clone(), value);
        if is_rename { b"+OK\r\n".to_vec() } else { integer(1) }
    }
}
