//! What is wrong with a request, in Redis' words.

use std::fmt;

/// A request that breaks the protocol. The client gets the text as an error reply and is closed.
///
/// `Display` gives Redis' words without the leading `-ERR `; [`ProtocolError::write_message`]
/// gives the same as bytes, exact even where the client sent what is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// A line without line end within 64 KiB.
    TooBigInlineRequest,
    /// A count line (`*`) without line end within 64 KiB.
    TooBigMultibulkCount,
    /// A count that is no number or beyond the limit.
    InvalidMultibulkLength,
    /// More than 10 arguments before authentication.
    UnauthenticatedMultibulkLength,
    /// An argument that does not start with `$` but with this byte.
    ExpectedDollar(u8),
    /// A length line (`$`) without line end within 64 KiB.
    TooBigBulkCount,
    /// A length that is no number, negative or beyond the limit, or that takes the command past
    /// 4 GiB.
    InvalidBulkLength,
    /// More than 16 KiB in one argument before authentication.
    UnauthenticatedBulkLength,
    /// An inline request whose quotes do not close, or close in the middle of a word.
    UnbalancedQuotes,
}

impl ProtocolError {
    /// Appends the message to `out`. Line ends in it become blanks, as in every error reply.
    pub fn write_message(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text().as_bytes());
        if let ProtocolError::ExpectedDollar(got) = self {
            out.extend_from_slice(&[printable(*got), b'\'']);
        }
    }

    /// The message up to the byte that varies, if one does.
    fn text(&self) -> &'static str {
        match self {
            Self::TooBigInlineRequest => "Protocol error: too big inline request",
            Self::TooBigMultibulkCount => "Protocol error: too big mbulk count string",
            Self::InvalidMultibulkLength => "Protocol error: invalid multibulk length",
            Self::UnauthenticatedMultibulkLength => {
                "Protocol error: unauthenticated multibulk length"
            }
            Self::ExpectedDollar(_) => "Protocol error: expected '$', got '",
            Self::TooBigBulkCount => "Protocol error: too big bulk count string",
            Self::InvalidBulkLength => "Protocol error: invalid bulk length",
            Self::UnauthenticatedBulkLength => "Protocol error: unauthenticated bulk length",
            Self::UnbalancedQuotes => "Protocol error: unbalanced quotes in request",
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())?;
        match self {
            ProtocolError::ExpectedDollar(got) => {
                write!(formatter, "{}'", char::from(printable(*got)))
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ProtocolError {}

/// A line end inside an error reply would end the reply early.
fn printable(byte: u8) -> u8 {
    match byte {
        b'\r' | b'\n' => b' ',
        other => other,
    }
}
