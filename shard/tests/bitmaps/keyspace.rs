//! A store with all slots, and what a test does with it.

use std::sync::Arc;

use basalt_shard::arguments::{ArgRange, Arguments};
use basalt_shard::call::Call;
use basalt_shard::command::{Command, lookup};
use basalt_shard::core::message::Caller;
use basalt_shard::error::wrong_arity;
use basalt_shard::hash::HashSlot;
use basalt_shard::number::parse_integer;
use basalt_shard::reply::{Output, Protocol, Reply};
use basalt_shard::settings::Settings;
use basalt_shard::store::{Access, Key, Store};
use basalt_shard::table::{Value, ValueRef};
use basalt_shard::types::Type;

use crate::words;

pub(crate) struct Keyspace {
    pub(crate) store: Store,
    pub(crate) protocol: Protocol,
}

impl Keyspace {
    pub(crate) fn new() -> Self {
        Self::with_settings(Settings::default())
    }

    pub(crate) fn with_settings(settings: Settings) -> Self {
        let store = Store::new(HashSlot::all(), 1, 0, Arc::new(settings));
        Self { store, protocol: Protocol::Resp2 }
    }

    /// Runs a command and returns its reply.
    pub(crate) fn run(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        let row = lookup(&words[0]).expect("a command of this server");
        let mut buffer = Vec::new();
        let mut ranges = Vec::new();
        for word in words {
            ranges.push(ArgRange { start: buffer.len() as u32, len: word.len() as u32 });
            buffer.extend_from_slice(word);
        }
        let mut output = Output::default();
        self.call(row, Arguments::new(&buffer, &ranges), &mut output);
        assert!(output.shared.is_empty(), "no reply here is large");
        output.bytes
    }

    fn call(&mut self, row: &'static Command, arguments: Arguments<'_>, output: &mut Output) {
        let reply = Reply::new(output, self.protocol);
        let route = self.store.route(row, arguments);
        let caller = Caller { protocol: self.protocol, ..Caller::default() };
        let mut call = Call::new(&mut self.store, row, arguments, caller, route, reply);
        let outcome = if row.accepts_argument_count(arguments.len()) {
            row.keys_handler()(&mut call)
        } else {
            Err(wrong_arity(&row.full_name().to_string()))
        };
        if let Err(error) = outcome {
            assert_eq!(call.reply.position(), 0, "an error is the whole reply");
            call.reply.error(&error);
        }
    }

    fn key<'k>(&self, name: &'k [u8]) -> Key<'k> {
        self.store.key(0, name)
    }

    /// What SET does.
    pub(crate) fn set(&mut self, name: &[u8], bytes: &[u8]) {
        let key = self.key(name);
        let value = parse_integer(bytes).map_or(Value::Bytes(bytes), Value::Int);
        self.store.set(key, Type::String, value, None);
    }

    /// Puts something that is no string under a key.
    pub(crate) fn set_list(&mut self, name: &[u8]) {
        let key = self.key(name);
        self.store.set(key, Type::List, Value::Int(0), None);
    }

    pub(crate) fn remove(&mut self, name: &[u8]) {
        let key = self.key(name);
        self.store.remove(key, false);
    }

    /// The string at a key.
    pub(crate) fn get(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        let key = self.key(name);
        let entry = self.store.find(key, Access::Peek)?;
        assert!(Type::of(entry.kind()).is_string(), "only strings are looked at");
        Some(match entry.value() {
            ValueRef::Int(number) => number.to_string().into_bytes(),
            ValueRef::Bytes(bytes) => bytes.to_vec(),
            ValueRef::Shared(bytes) => bytes.to_vec(),
            ValueRef::Object(_) => unreachable!("a string is no object"),
        })
    }

    /// Whether OBJECT ENCODING would say `raw` whatever the length.
    pub(crate) fn is_raw(&mut self, name: &[u8]) -> bool {
        let key = self.key(name);
        let entry = self.store.find(key, Access::Peek).expect("the key is there");
        Type::of(entry.kind()) == Type::RawString
    }

    /// Changes reported so far.
    pub(crate) fn changes(&self) -> i64 {
        self.store.stats.changes
    }

    /// Runs a line and compares its reply, given without the last line break.
    #[track_caller]
    pub(crate) fn check(&mut self, line: &str, expected: &str) {
        let reply = self.run(&words(line));
        let reply = String::from_utf8_lossy(&reply).replace("\r\n", "|");
        assert_eq!(reply, format!("{expected}|"), "{line}");
    }

    /// Checks a line, and how many changes it reports.
    #[track_caller]
    pub(crate) fn check_changes(&mut self, line: &str, expected: &str, changes: i64) {
        let before = self.changes();
        self.check(line, expected);
        assert_eq!(self.changes() - before, changes, "changes by {line}");
    }
}
