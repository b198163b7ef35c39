//! Replies in RESP2 and RESP3, written straight into the bytes that leave the server.
//!
//! A command never builds a reply value: it calls the methods of [`Reply`] in order and the bytes
//! come into being where they are sent from. What differs between the protocol versions (maps,
//! sets, doubles, nulls, verbatim text) is decided here and nowhere else.
//!
//! Large values are not copied at all: [`Output`] remembers that a shared buffer belongs at some
//! offset of its bytes, and the socket sends it from where it lies.
//!
//! Format: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

use crate::command::ReplyWriter;
use crate::error::CommandError;
use crate::table::SharedBytes;

/// A reply whose shared part is shorter than this is copied: cheaper than a second piece to send.
pub const SHARED_BYTES_MIN: usize = 16 * 1024;

/// RESP version of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// RESP2, what a connection starts with.
    #[default]
    Resp2,
    /// RESP3, after `HELLO 3`.
    Resp3,
}

impl Protocol {
    /// 2 or 3.
    pub fn version(self) -> i64 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}

/// Bytes on their way to a client: plain bytes with shared buffers in between.
#[derive(Default)]
pub struct Output {
    /// What was written, without the shared buffers.
    pub bytes: Vec<u8>,
    /// Shared buffers and the offset of `bytes` each one stands at, ascending.
    pub shared: Vec<(usize, SharedBytes)>,
}

impl Output {
    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.shared.is_empty()
    }

    /// Bytes to send, shared buffers included.
    pub fn len(&self) -> usize {
        let shared: usize = self.shared.iter().map(|(_, bytes)| bytes.len()).sum();
        self.bytes.len() + shared
    }

    /// About the bytes to send: exact but for shared buffers, which count with the least they have.
    #[inline]
    pub fn len_hint(&self) -> usize {
        self.bytes.len() + self.shared.len() * SHARED_BYTES_MIN
    }

    /// Where it ends now.
    #[inline]
    pub fn mark(&self) -> Mark {
        Mark { bytes: self.bytes.len(), shared: self.shared.len() }
    }

    /// Whether at least `limit` bytes were written since; shared buffers are looked at only where
    /// there are new ones.
    #[inline]
    pub fn is_large_since(&self, mark: Mark, limit: usize) -> bool {
        let is_shared = self.shared.len() != mark.shared;
        self.bytes.len() - mark.bytes >= limit || (is_shared && self.len_since(mark) >= limit)
    }

    /// Bytes written since, shared buffers included.
    #[cold]
    pub fn len_since(&self, mark: Mark) -> usize {
        let shared: usize = self.shared[mark.shared..].iter().map(|(_, bytes)| bytes.len()).sum();
        self.bytes.len() - mark.bytes + shared
    }

    /// What was written since, shared buffers where they stand. O(bytes).
    pub fn copy_since(&self, mark: Mark) -> Vec<u8> {
        let (mut copy, mut copied) = (Vec::new(), mark.bytes);
        for (offset, shared) in &self.shared[mark.shared..] {
            copy.extend_from_slice(&self.bytes[copied..*offset]);
            copy.extend_from_slice(shared);
            copied = *offset;
        }
        copy.extend_from_slice(&self.bytes[copied..]);
        copy
    }

    /// Forgets what was written and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.shared.clear();
    }

    /// Appends `bytes[from..to]` of `other` with the shared buffers that stand in that range.
    pub fn append_range(&mut self, other: &Output, from: usize, to: usize) {
        let base = self.bytes.len();
        for (offset, bytes) in &other.shared {
            if (from..to).contains(offset) {
                self.shared.push((base + offset - from, bytes.clone()));
            }
        }
        self.bytes.extend_from_slice(&other.bytes[from..to]);
    }

    /// Appends all of `other`, leaving it empty.
    pub fn append(&mut self, other: &mut Output) {
        if self.is_empty() {
            std::mem::swap(self, other);
            return;
        }
        self.append_range(other, 0, other.bytes.len());
        other.clear();
    }
}

/// A place in an output.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark {
    bytes: usize,
    shared: usize,
}

/// The writer a command answers through.
pub struct Reply<'a> {
    output: &'a mut Output,
    protocol: Protocol,
}

impl<'a> Reply<'a> {
    /// A writer that appends to `output` in the given protocol version.
    #[inline]
    pub fn new(output: &'a mut Output, protocol: Protocol) -> Self {
        Self { output, protocol }
    }

    /// The same writer for a shorter time.
    pub fn reborrow(&mut self) -> Reply<'_> {
        Reply { output: self.output, protocol: self.protocol }
    }

    /// Protocol version replies are written in.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Changes the version for what follows (`HELLO` answers in the version it asks for).
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// Bytes written so far; with [`Reply::truncate`] a way to take a reply back.
    pub fn position(&self) -> usize {
        self.output.bytes.len()
    }

    /// Takes back everything written after `position`.
    pub fn truncate(&mut self, position: usize) {
        self.output.bytes.truncate(position);
        self.output.shared.retain(|(offset, _)| *offset < position);
    }

    /// Appends bytes that are RESP already.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.output.bytes.extend_from_slice(bytes);
    }

    fn header(&mut self, kind: u8, number: i64) {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(number).as_bytes();
        self.output.bytes.reserve(digits.len() + 3);
        self.output.bytes.push(kind);
        self.output.bytes.extend_from_slice(digits);
        self.output.bytes.extend_from_slice(b"\r\n");
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.output.bytes.push(kind);
        self.output.bytes.extend_from_slice(text);
        self.output.bytes.extend_from_slice(b"\r\n");
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// A simple string; `text` has no line breaks.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// An error, `text` with its code word (`ERR ...`). Line breaks become spaces.
    pub fn error(&mut self, error: &CommandError) {
        self.output.bytes.push(b'-');
        let plain = |byte: &u8| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte };
        self.output.bytes.extend(error.text().as_bytes().iter().map(plain));
        self.output.bytes.extend_from_slice(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, number: i64) {
        match number {
            0 => self.raw(b":0\r\n"),
            1 => self.raw(b":1\r\n"),
            _ => self.header(b':', number),
        }
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        let out = &mut self.output.bytes;
        out.reserve(bytes.len() + 24);
        let len = bytes.len();
        // Short headers in one piece: nearly every reply has one.
        if len < 10 {
            out.extend_from_slice(&[b'$', b'0' + len as u8, b'\r', b'\n']);
        } else if len < 100 {
            let (tens, ones) = (b'0' + (len / 10) as u8, b'0' + (len % 10) as u8);
            out.extend_from_slice(&[b'$', tens, ones, b'\r', b'\n']);
        } else {
            out.push(b'$');
            out.extend_from_slice(itoa::Buffer::new().format(len).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    }

    /// A bulk string that is sent from where it lies when it is large enough to be worth it.
    pub fn bulk_shared(&mut self, bytes: SharedBytes) {
        if bytes.len() < SHARED_BYTES_MIN {
            return self.bulk(&bytes);
        }
        self.header(b'$', bytes.len() as i64);
        self.output.shared.push((self.output.bytes.len(), bytes));
        self.raw(b"\r\n");
    }

    /// An integer as a bulk string.
    pub fn bulk_integer(&mut self, number: i64) {
        let mut digits = itoa::Buffer::new();
        self.bulk(digits.format(number).as_bytes());
    }

    /// Header of an array of `count` elements, which must follow.
    #[inline]
    pub fn array_len(&mut self, count: usize) {
        self.header(b'*', count as i64);
    }

    /// Header of a map of `count` pairs: a flat array in RESP2.
    pub fn map_len(&mut self, count: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', 2 * count as i64),
            Protocol::Resp3 => self.header(b'%', count as i64),
        }
    }

    /// Header of a set: an array in RESP2.
    pub fn set_len(&mut self, count: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', count as i64),
            Protocol::Resp3 => self.header(b'~', count as i64),
        }
    }

    /// Header of an out-of-band message: an array in RESP2.
    pub fn push_len(&mut self, count: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', count as i64),
            Protocol::Resp3 => self.header(b'>', count as i64),
        }
    }

    /// Header of an attribute of `count` pairs. RESP3 only; nothing in RESP2.
    pub fn attribute_len(&mut self, count: usize) {
        assert!(self.protocol == Protocol::Resp3, "attributes exist in RESP3 only");
        self.header(b'|', count as i64);
    }

    /// No value: `$-1` or `_`.
    #[inline]
    pub fn null(&mut self) {
        match self.protocol {
            Protocol::Resp2 => self.raw(b"$-1\r\n"),
            Protocol::Resp3 => self.raw(b"_\r\n"),
        }
    }

    /// No array: `*-1` or `_`.
    pub fn null_array(&mut self) {
        match self.protocol {
            Protocol::Resp2 => self.raw(b"*-1\r\n"),
            Protocol::Resp3 => self.raw(b"_\r\n"),
        }
    }

    /// A truth value: an integer in RESP2.
    pub fn boolean(&mut self, value: bool) {
        match (self.protocol, value) {
            (Protocol::Resp2, _) => self.integer(i64::from(value)),
            (Protocol::Resp3, true) => self.raw(b"#t\r\n"),
            (Protocol::Resp3, false) => self.raw(b"#f\r\n"),
        }
    }

    /// A floating point number: a bulk string in RESP2.
    pub fn double(&mut self, value: f64) {
        let text = crate::number::format_double(value);
        match self.protocol {
            Protocol::Resp2 => self.bulk(text.as_bytes()),
            Protocol::Resp3 => self.line(b',', text.as_bytes()),
        }
    }

    /// An integer of any length, in decimal: a bulk string in RESP2.
    pub fn big_number(&mut self, digits: &str) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(digits.as_bytes()),
            Protocol::Resp3 => self.line(b'(', digits.as_bytes()),
        }
    }

    /// Text for humans (`format` is `txt` or `mkd`): a bulk string in RESP2.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        assert!(format.len() == 3, "a verbatim format has three letters");
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                self.header(b'=', text.len() as i64 + 4);
                self.raw(format.as_bytes());
                self.raw(b":");
                self.raw(text);
                self.raw(b"\r\n");
            }
        }
    }

    /// The lines of a `HELP` subcommand, each a simple string.
    pub fn help(&mut self, lines: &[&str]) {
        self.array_len(lines.len());
        for line in lines {
            self.simple(line);
        }
    }
}

impl ReplyWriter for Reply<'_> {
    fn array_len(&mut self, count: usize) {
        Reply::array_len(self, count);
    }

    fn map_len(&mut self, count: usize) {
        Reply::map_len(self, count);
    }

    fn set_len(&mut self, count: usize) {
        Reply::set_len(self, count);
    }

    fn bulk(&mut self, bytes: &[u8]) {
        Reply::bulk(self, bytes);
    }

    fn simple(&mut self, text: &str) {
        Reply::simple(self, text);
    }

    fn integer(&mut self, number: i64) {
        Reply::integer(self, number);
    }

    fn null(&mut self) {
        Reply::null(self);
    }

    fn null_array(&mut self) {
        Reply::null_array(self);
    }
}
