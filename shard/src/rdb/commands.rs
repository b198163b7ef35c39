//! A record of an RDB file as the commands that make the same key, for an append-only file whose
//! base is to be text (`aof-use-rdb-preamble no`).
//!
//! Collections are told in commands of 64 elements, as Redis tells them. A stream, whose groups and
//! counters take many commands, is told by one RESTORE.

use super::value::Decoded;
use super::{payload, value_type::ValueType};
use crate::hashes::Hash;
use crate::journal::write_command;
use crate::loading::Record;
use crate::object::Object;
use crate::set::Set;
use crate::sorted_set::SortedSet;

/// Elements of one command.
const ELEMENTS_MAX: usize = 64;

/// A command that collects elements until it is full.
struct Filling<'a> {
    name: &'a [u8],
    key: &'a [u8],
    /// Arguments that make one element.
    width: usize,
    arguments: Vec<Vec<u8>>,
    to: &'a mut Vec<u8>,
}

impl<'a> Filling<'a> {
    fn new(name: &'a str, key: &'a [u8], width: usize, to: &'a mut Vec<u8>) -> Self {
        Self { name: name.as_bytes(), key, width, arguments: Vec::new(), to }
    }

    fn push(&mut self, argument: &[u8]) {
        self.arguments.push(argument.to_vec());
        if self.arguments.len() == ELEMENTS_MAX * self.width {
            self.end();
        }
    }

    fn end(&mut self) {
        if self.arguments.is_empty() {
            return;
        }
        let head = [self.name, self.key];
        let parts = head.into_iter().chain(self.arguments.iter().map(Vec::as_slice));
        write_command(self.to, 2 + self.arguments.len(), parts);
        self.arguments.clear();
    }
}

fn tell(to: &mut Vec<u8>, parts: &[&[u8]]) {
    write_command(to, parts.len(), parts.iter().copied());
}

/// Appends the commands that make a key whose value has been read. O(bytes).
pub(crate) fn write_key(record: &Record<'_>, decoded: Decoded<'_>, to: &mut Vec<u8>) {
    let key = record.name;
    let mut digits = itoa::Buffer::new();
    match decoded {
        Decoded::String(text) => tell(to, &[b"SET", key, &text.into_bytes()]),
        Decoded::Object(Object::List(list)) => {
            let mut filling = Filling::new("RPUSH", key, 1, to);
            list.iter().for_each(|element| filling.push(element.text(&mut digits)));
            filling.end();
        }
        Decoded::Object(Object::Set(set)) => write_set(key, &set, to),
        Decoded::Object(Object::SortedSet(set)) => write_sorted_set(key, &set, to),
        Decoded::Object(Object::Hash(hash)) => write_hash(key, &hash, to),
        Decoded::Object(Object::Stream(_)) => return write_restore(record, to),
    }
    if let Some(at_ms) = record.expiry_ms {
        tell(to, &[b"PEXPIREAT", key, at_ms.to_string().as_bytes()]);
    }
}

fn write_set(key: &[u8], set: &Set, to: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    let mut filling = Filling::new("SADD", key, 1, to);
    set.for_each(|member| filling.push(member.text(&mut digits)));
    filling.end();
}

fn write_sorted_set(key: &[u8], set: &SortedSet, to: &mut Vec<u8>) {
    let mut filling = Filling::new("ZADD", key, 2, to);
    set.visit_all(|entry| {
        // The shortest text that reads as the same number.
        filling.push(entry.score.to_string().as_bytes());
        filling.push(entry.member);
    });
    filling.end();
}

fn write_hash(key: &[u8], hash: &Hash, to: &mut Vec<u8>) {
    let (mut digits, mut other_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
    let mut deadlines: Vec<(Vec<u8>, i64)> = Vec::new();
    let mut filling = Filling::new("HMSET", key, 2, to);
    hash.for_each_timed(i64::MIN, |name, value, deadline_ms| {
        let name = name.bytes(&mut digits);
        filling.push(name);
        filling.push(value.bytes(&mut other_digits));
        deadlines.extend(deadline_ms.map(|at_ms| (name.to_vec(), at_ms)));
    });
    filling.end();
    for (name, at_ms) in deadlines {
        let at_ms = at_ms.to_string();
        tell(to, &[b"HPEXPIREAT", key, at_ms.as_bytes(), b"FIELDS", b"1", &name]);
    }
}

fn write_restore(record: &Record<'_>, to: &mut Vec<u8>) {
    let value_type: ValueType = record.value_type;
    let mut payload = vec![value_type.code()];
    payload.extend_from_slice(record.value);
    // As old as its type, which whoever wrote the record has chosen.
    payload::seal(&mut payload, value_type.oldest_version());
    let at_ms = record.expiry_ms.unwrap_or(0).to_string();
    tell(to, &[b"RESTORE", record.name, at_ms.as_bytes(), &payload, b"ABSTTL"]);
}
