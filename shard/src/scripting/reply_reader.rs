//! Reads the parts of a reply. The bytes are our own commands', so they are well formed; that they
//! are is asserted.

use crate::number::parse_integer;

/// Where in a reply one is.
pub(super) struct ReplyReader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> ReplyReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Whether everything was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.position == self.bytes.len()
    }

    /// The byte that says what comes next.
    pub(super) fn kind(&mut self) -> u8 {
        self.position += 1;
        self.bytes[self.position - 1]
    }

    /// The rest of the line, without its end.
    pub(super) fn line(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.position..];
        let len = memchr::memchr(b'\r', rest).expect("a line ends");
        self.position += len + 2;
        &rest[..len]
    }

    /// The line as a number.
    pub(super) fn integer(&mut self) -> i64 {
        parse_integer(self.line()).expect("a number stands here")
    }

    /// So many bytes and the end of their line.
    pub(super) fn take(&mut self, len: i64) -> &'a [u8] {
        let len = usize::try_from(len).expect("lengths are positive");
        let bytes = &self.bytes[self.position..][..len];
        self.position += len + 2;
        bytes
    }
}
