//! Expected replies: written once, rendered to the exact bytes of either protocol.
//!
//! RESP3 has types RESP2 lacks, and the mapping between them is part of the contract:
//!
//! | expectation | RESP2 | RESP3 |
//! |---|---|---|
//! | [`NIL`] | `$-1` | `_` |
//! | [`NIL_ARRAY`] | `*-1` | `_` |
//! | [`map`] | flat `*2n` | `%n` |
//! | [`set`] | `*n` | `~n` |
//! | [`double`] | bulk string | `,` |
//! | [`verbatim`] | bulk string | `=` with `txt:` |
//!
//! Everything else is the same in both. Strings like `"+OK"` and `"-ERR ..."` stand for one line.

use super::client::Resp;

/// One expected reply.
#[derive(Clone, Debug)]
pub(crate) enum Expect {
    /// A simple string or error: the line as sent, first byte included, CRLF left out.
    Line(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Nil,
    NilArray,
    Double(String),
    Verbatim(String),
    Array(Vec<Expect>),
    Set(Vec<Expect>),
    Map(Vec<(Expect, Expect)>),
}

/// The null of a missing value.
pub(crate) const NIL: Expect = Expect::Nil;
/// The null of a missing array.
pub(crate) const NIL_ARRAY: Expect = Expect::NilArray;
/// The reply of a command that has nothing to say.
pub(crate) const OK: &str = "+OK";

/// A simple string or an error, first byte included.
pub(crate) fn line(text: impl Into<String>) -> Expect {
    Expect::Line(text.into())
}

/// A bulk string.
pub(crate) fn bulk(bytes: impl AsRef<[u8]>) -> Expect {
    Expect::Bulk(bytes.as_ref().to_vec())
}

/// A double, as its text.
pub(crate) fn double(text: &str) -> Expect {
    Expect::Double(text.to_owned())
}

/// A verbatim string of kind `txt`.
pub(crate) fn verbatim(text: &str) -> Expect {
    Expect::Verbatim(text.to_owned())
}

/// An array.
pub(crate) fn array<Item: Into<Expect>>(items: impl IntoIterator<Item = Item>) -> Expect {
    Expect::Array(items.into_iter().map(Into::into).collect())
}

/// A set whose order is known.
pub(crate) fn set<Item: Into<Expect>>(items: impl IntoIterator<Item = Item>) -> Expect {
    Expect::Set(items.into_iter().map(Into::into).collect())
}

/// A map whose order is known.
pub(crate) fn map<const COUNT: usize>(pairs: [(&str, Expect); COUNT]) -> Expect {
    Expect::Map(pairs.into_iter().map(|(key, value)| (bulk(key), value)).collect())
}

impl From<&str> for Expect {
    fn from(text: &str) -> Expect {
        assert!(text.starts_with(['+', '-']), "a line opens with + or -, else use bulk(): {text}");
        line(text)
    }
}

impl From<String> for Expect {
    fn from(text: String) -> Expect {
        Expect::from(text.as_str())
    }
}

impl From<i64> for Expect {
    fn from(number: i64) -> Expect {
        Expect::Integer(number)
    }
}

impl<Item: Into<Expect>, const COUNT: usize> From<[Item; COUNT]> for Expect {
    fn from(items: [Item; COUNT]) -> Expect {
        array(items)
    }
}

impl<Item: Into<Expect>> From<Vec<Item>> for Expect {
    fn from(items: Vec<Item>) -> Expect {
        array(items)
    }
}

impl Expect {
    /// The exact bytes a server must send under `resp`.
    pub(crate) fn render(&self, resp: Resp) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.render_into(&mut bytes, resp);
        bytes
    }

    fn render_into(&self, bytes: &mut Vec<u8>, resp: Resp) {
        let is_resp3 = resp == Resp::Three;
        match self {
            Expect::Line(line) => push_line(bytes, line),
            Expect::Integer(number) => push_line(bytes, &format!(":{number}")),
            Expect::Bulk(payload) => push_payload(bytes, '$', payload),
            Expect::Nil => push_line(bytes, if is_resp3 { "_" } else { "$-1" }),
            Expect::NilArray => push_line(bytes, if is_resp3 { "_" } else { "*-1" }),
            Expect::Double(text) if is_resp3 => push_line(bytes, &format!(",{text}")),
            Expect::Double(text) => push_payload(bytes, '$', text.as_bytes()),
            Expect::Verbatim(text) if is_resp3 => {
                push_payload(bytes, '=', format!("txt:{text}").as_bytes());
            }
            Expect::Verbatim(text) => push_payload(bytes, '$', text.as_bytes()),
            Expect::Array(items) => push_items(bytes, '*', items, resp),
            Expect::Set(items) => push_items(bytes, if is_resp3 { '~' } else { '*' }, items, resp),
            Expect::Map(pairs) => {
                let header = match resp {
                    Resp::Two => format!("*{}", 2 * pairs.len()),
                    Resp::Three => format!("%{}", pairs.len()),
                };
                push_line(bytes, &header);
                for (key, value) in pairs {
                    key.render_into(bytes, resp);
                    value.render_into(bytes, resp);
                }
            }
        }
    }
}

fn push_line(bytes: &mut Vec<u8>, line: &str) {
    bytes.extend_from_slice(line.as_bytes());
    bytes.extend_from_slice(b"\r\n");
}

fn push_payload(bytes: &mut Vec<u8>, kind: char, payload: &[u8]) {
    push_line(bytes, &format!("{kind}{}", payload.len()));
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(b"\r\n");
}

fn push_items(bytes: &mut Vec<u8>, kind: char, items: &[Expect], resp: Resp) {
    push_line(bytes, &format!("{kind}{}", items.len()));
    for item in items {
        item.render_into(bytes, resp);
    }
}
