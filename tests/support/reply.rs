//! RESP2 and RESP3 replies as a tree, with the length each one took on the wire.
//!
//! The parser is strict: lengths must be plain decimal, lines must end with CRLF, unknown type
//! bytes panic. A server that sends anything else has failed its test, whatever the test is about.

/// One reply. The three null forms (`$-1`, `*-1`, `_`) are all [`Reply::Null`]; tests that care
/// which one was sent compare bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    Double(String),
    Boolean(bool),
    BigNumber(String),
    Verbatim(String),
    Array(Vec<Reply>),
    Set(Vec<Reply>),
    Push(Vec<Reply>),
    Map(Vec<(Reply, Reply)>),
    Attributed(Vec<(Reply, Reply)>, Box<Reply>),
}

impl Reply {
    /// The text of a string-like reply. Panics for any other kind.
    pub(crate) fn text(&self) -> String {
        match self {
            Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Reply::Simple(text) | Reply::Verbatim(text) | Reply::Double(text) => text.clone(),
            other => panic!("expected text, got {other:?}"),
        }
    }

    /// The number of an integer reply. Panics for any other kind.
    pub(crate) fn integer(&self) -> i64 {
        match self {
            Reply::Integer(number) => *number,
            other => panic!("expected an integer, got {other:?}"),
        }
    }

    /// The message of an error reply, without the leading `-`. Panics for any other kind.
    pub(crate) fn error(&self) -> &str {
        match self {
            Reply::Error(message) => message,
            other => panic!("expected an error, got {other:?}"),
        }
    }

    /// The elements of an array, set or push. Panics for any other kind.
    pub(crate) fn elements(&self) -> &[Reply] {
        match self {
            Reply::Array(elements) | Reply::Set(elements) | Reply::Push(elements) => elements,
            other => panic!("expected elements, got {other:?}"),
        }
    }

    /// The pairs of a RESP3 map or of the flat array that stands for it in RESP2.
    pub(crate) fn pairs(&self) -> Vec<(Reply, Reply)> {
        match self {
            Reply::Map(pairs) => pairs.clone(),
            Reply::Array(flat) => {
                assert!(flat.len().is_multiple_of(2), "odd flat map: {flat:?}");
                flat.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
            }
            other => panic!("expected a map, got {other:?}"),
        }
    }

    /// The value of a map entry whose key reads `name`, if there is one.
    pub(crate) fn field(&self, name: &str) -> Option<Reply> {
        self.pairs().into_iter().find(|(key, _)| key.text() == name).map(|(_, value)| value)
    }

    /// The texts of all elements, in the order sent.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.elements().iter().map(Reply::text).collect()
    }
}

/// The first reply in `bytes` and its length, or `None` while it is incomplete.
pub(crate) fn parse(bytes: &[u8]) -> Option<(Reply, usize)> {
    let mut cursor = Cursor { bytes, position: 0 };
    let reply = cursor.reply()?;
    Some((reply, cursor.position))
}

/// Length in bytes of the first reply in `bytes`, or `None` while it is incomplete.
///
/// Unlike [`parse`] it builds nothing, so re-measuring a growing buffer stays cheap.
pub(crate) fn measure(bytes: &[u8]) -> Option<usize> {
    let mut cursor = Cursor { bytes, position: 0 };
    let mut pending_count: u64 = 1;
    while pending_count > 0 {
        pending_count -= 1;
        pending_count += cursor.skip_one()?;
    }
    Some(cursor.position)
}

struct Cursor<'bytes> {
    bytes: &'bytes [u8],
    position: usize,
}

impl<'bytes> Cursor<'bytes> {
    /// The next line without its CRLF.
    fn line(&mut self) -> Option<&'bytes [u8]> {
        let rest = &self.bytes[self.position..];
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        assert!(end > 0 && rest[end - 1] == b'\r', "bare LF: {}", rest[..=end].escape_ascii());
        self.position += end + 1;
        Some(&rest[..end - 1])
    }

    fn payload(&mut self, length: usize) -> Option<&'bytes [u8]> {
        let rest = &self.bytes[self.position..];
        if rest.len() < length + 2 {
            return None;
        }
        assert_eq!(&rest[length..length + 2], b"\r\n", "a bulk string must end with CRLF");
        self.position += length + 2;
        Some(&rest[..length])
    }

    /// Steps over one header or scalar; returns how many nested replies must follow.
    fn skip_one(&mut self) -> Option<u64> {
        let line = self.line()?;
        let nested_count = match line[0] {
            b'$' | b'=' => {
                if let Some(length) = announced_length(&line[1..]) {
                    self.payload(length)?;
                }
                0
            }
            b'*' | b'~' | b'>' => announced_length(&line[1..]).unwrap_or(0),
            b'%' => 2 * announced_length(&line[1..]).expect("a map length"),
            b'|' => 2 * announced_length(&line[1..]).expect("an attribute length") + 1,
            _ => 0,
        };
        Some(nested_count as u64)
    }

    fn reply(&mut self) -> Option<Reply> {
        let line = self.line()?;
        let (&kind, rest) = line.split_first().expect("an empty line is no reply");
        Some(match kind {
            b'+' => Reply::Simple(text(rest)),
            b'-' => Reply::Error(text(rest)),
            b':' => Reply::Integer(text(rest).parse().expect("an integer")),
            b'$' => match announced_length(rest) {
                Some(length) => Reply::Bulk(self.payload(length)?.to_vec()),
                None => Reply::Null,
            },
            b'=' => Reply::Verbatim(self.verbatim(rest)?),
            b'*' => match announced_length(rest) {
                Some(count) => Reply::Array(self.replies(count)?),
                None => Reply::Null,
            },
            b'~' => Reply::Set(self.replies(announced_length(rest).expect("a set length"))?),
            b'>' => Reply::Push(self.replies(announced_length(rest).expect("a push length"))?),
            b'%' => Reply::Map(self.reply_pairs(rest)?),
            b'|' => Reply::Attributed(self.reply_pairs(rest)?, Box::new(self.reply()?)),
            b'_' => Reply::Null,
            b',' => Reply::Double(text(rest)),
            b'#' => Reply::Boolean(rest == b"t"),
            b'(' => Reply::BigNumber(text(rest)),
            _ => panic!("unknown reply type: {}", line.escape_ascii()),
        })
    }

    fn verbatim(&mut self, header: &[u8]) -> Option<String> {
        let payload = self.payload(announced_length(header).expect("a verbatim length"))?;
        assert_eq!(payload[3], b':', "a verbatim string opens with its three-letter kind");
        Some(text(&payload[4..]))
    }

    fn replies(&mut self, count: usize) -> Option<Vec<Reply>> {
        (0..count).map(|_| self.reply()).collect()
    }

    fn reply_pairs(&mut self, header: &[u8]) -> Option<Vec<(Reply, Reply)>> {
        let count = announced_length(header).expect("a map length");
        (0..count).map(|_| Some((self.reply()?, self.reply()?))).collect()
    }
}

/// `None` for the null length `-1`. Panics on anything but a plain decimal.
fn announced_length(digits: &[u8]) -> Option<usize> {
    if digits == b"-1" {
        return None;
    }
    Some(text(digits).parse().expect("a plain decimal length"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
