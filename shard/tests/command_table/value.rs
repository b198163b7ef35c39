//! Replies as trees: written by our code, or decoded from RESP3.

use basalt_shard::command::ReplyWriter;

/// A reply, or a piece of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Bulk(String),
    Simple(String),
    Error(String),
    Integer(i64),
    Null,
    Array(Vec<Value>),
    Set(Vec<Value>),
    Map(Vec<(Value, Value)>),
}

impl Value {
    /// The members of an array or a set.
    pub(crate) fn items(&self) -> &[Value] {
        match self {
            Self::Array(items) | Self::Set(items) => items,
            other => panic!("not a list: {other:?}"),
        }
    }

    /// The text of a bulk or simple string.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Bulk(text) | Self::Simple(text) => text,
            other => panic!("not a text: {other:?}"),
        }
    }

    /// The value of a field of a map.
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        let Self::Map(pairs) = self else { panic!("not a map: {self:?}") };
        pairs.iter().find(|(key, _)| key.text() == name).map(|(_, value)| value)
    }

    /// The texts of a list of texts.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.items().iter().map(Value::text).collect()
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Array,
    Set,
    Map,
}

/// Builds a [`Value`] from what is written.
#[derive(Default)]
pub(crate) struct TreeWriter {
    /// The collections begun: kind, pieces to come, pieces seen.
    open: Vec<(Kind, usize, Vec<Value>)>,
    done: Option<Value>,
}

impl TreeWriter {
    /// The one reply that `write` writes.
    pub(crate) fn collect(write: impl FnOnce(&mut Self)) -> Value {
        let mut writer = Self::default();
        write(&mut writer);
        writer.finish()
    }

    /// The one reply that has been written.
    pub(crate) fn finish(self) -> Value {
        assert!(self.open.is_empty(), "a collection has fewer pieces than announced");
        self.done.expect("something was written")
    }

    fn begin(&mut self, kind: Kind, count: usize) {
        self.open.push((kind, count, Vec::new()));
        self.close_full();
    }

    fn push(&mut self, value: Value) {
        match self.open.last_mut() {
            Some((_, _, pieces)) => pieces.push(value),
            None => {
                assert!(self.done.is_none(), "more than one reply");
                self.done = Some(value);
            }
        }
        self.close_full();
    }

    fn close_full(&mut self) {
        let full = self.open.last().is_some_and(|(_, count, pieces)| pieces.len() == *count);
        if full && let Some((kind, _, pieces)) = self.open.pop() {
            self.push(collection(kind, pieces));
        }
    }
}

fn collection(kind: Kind, pieces: Vec<Value>) -> Value {
    match kind {
        Kind::Array => Value::Array(pieces),
        Kind::Set => Value::Set(pieces),
        Kind::Map => {
            let mut pieces = pieces.into_iter();
            let mut pairs = Vec::new();
            while let (Some(key), Some(value)) = (pieces.next(), pieces.next()) {
                pairs.push((key, value));
            }
            Value::Map(pairs)
        }
    }
}

impl ReplyWriter for TreeWriter {
    fn array_len(&mut self, count: usize) {
        self.begin(Kind::Array, count);
    }

    fn map_len(&mut self, count: usize) {
        self.begin(Kind::Map, 2 * count);
    }

    fn set_len(&mut self, count: usize) {
        self.begin(Kind::Set, count);
    }

    fn bulk(&mut self, bytes: &[u8]) {
        self.push(Value::Bulk(String::from_utf8(bytes.to_vec()).expect("text")));
    }

    fn simple(&mut self, text: &str) {
        assert!(!text.contains(['\r', '\n']), "a simple string is one line");
        self.push(Value::Simple(text.to_owned()));
    }

    fn integer(&mut self, value: i64) {
        self.push(Value::Integer(value));
    }

    fn null(&mut self) {
        self.push(Value::Null);
    }

    fn null_array(&mut self) {
        self.push(Value::Null);
    }
}

/// Reads one RESP3 reply.
pub(crate) fn read(input: &mut impl std::io::BufRead) -> Value {
    let mut line = String::new();
    input.read_line(&mut line).expect("a reply line");
    let line = line.strip_suffix("\r\n").expect("a complete line");
    let (kind, rest) = line.split_at(1);
    let number = || rest.parse::<i64>().expect("a number");
    let mut list = |count: i64| (0..count).map(|_| read(input)).collect::<Vec<_>>();
    match kind {
        "+" => Value::Simple(rest.to_owned()),
        "-" => Value::Error(rest.to_owned()),
        ":" => Value::Integer(number()),
        "_" => Value::Null,
        "*" if number() < 0 => Value::Null,
        "*" => Value::Array(list(number())),
        "~" => Value::Set(list(number())),
        "%" => collection(Kind::Map, list(2 * number())),
        "$" if number() < 0 => Value::Null,
        "$" => {
            let mut bytes = vec![0; number() as usize + 2];
            input.read_exact(&mut bytes).expect("a bulk string");
            bytes.truncate(bytes.len() - 2);
            Value::Bulk(String::from_utf8(bytes).expect("text"))
        }
        other => panic!("unexpected reply type {other}"),
    }
}
