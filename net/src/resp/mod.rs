//! RESP requests: from received bytes to argument ranges.
//!
//! A request is either an array of bulk strings or an inline line of words:
//!
//! ```text
//!   *2\r\n $3\r\n GET\r\n $3\r\n key\r\n            GET key\r\n
//!   ^count ^length ^body                            ^words, quotes as in a shell
//! ```
//!
//! The rules, the limits and the error texts are those of Redis 7.2, with its tolerance: the byte
//! after `\r` of a length line and the two bytes after a body are skipped unread, `*0` and `*-1`
//! are commands without arguments. There are two differences. Redis cuts over-long lines at
//! whatever its reads happened to bring; here the limit is exact, so that no result ever depends
//! on how the bytes arrived. And a NUL byte, which makes Redis wait for ever, is an ordinary byte.
//!
//! Nothing is copied: an argument is an [`ArgRange`] of the caller's bytes. The one exception is
//! an inline line with quotes, see [`Parsed::Unquoted`].

mod error;
mod fuzz;
mod inline;
mod length;
mod parser;
#[cfg(test)]
mod tests;

pub use basalt_shard::arguments::ArgRange;
pub use error::ProtocolError;
pub use fuzz::fuzz;
pub use parser::RequestParser;

/// Longest line (inline request, count or length line) in bytes before its line end.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// Most arguments a client that has yet to authenticate may send in one request.
pub const UNAUTHENTICATED_ARGS_MAX: i64 = 10;

/// Longest argument in bytes a client that has yet to authenticate may send.
pub const UNAUTHENTICATED_BULK_BYTES_MAX: i64 = 16 * 1024;

/// What a client may ask for. Cheap to build per call: it changes when a client authenticates and
/// when the configuration does.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest argument in bytes (`proto-max-bulk-len`).
    pub proto_max_bulk_len: i64,
    /// Whether the client passed authentication or needs none; otherwise the narrow limits
    /// [`UNAUTHENTICATED_ARGS_MAX`] and [`UNAUTHENTICATED_BULK_BYTES_MAX`] apply as well.
    pub authenticated: bool,
    /// Most arguments in one request.
    pub max_args: i64,
}

impl Default for Limits {
    /// Redis' defaults: 512 MiB per argument, 2^31 - 1 arguments.
    fn default() -> Limits {
        Limits {
            proto_max_bulk_len: 512 * 1024 * 1024,
            authenticated: true,
            max_args: i32::MAX.into(),
        }
    }
}

/// What one call of [`RequestParser::parse`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// One command, `consumed` bytes long; its arguments were appended to `args`, relative to
    /// `input`. Zero arguments are possible (an empty line, `*0`, `*-1`): skip it.
    Complete {
        /// Bytes of `input` the command took.
        consumed: usize,
    },
    /// One inline command with quotes: as `Complete`, but the ranges are relative to
    /// [`RequestParser::unquoted`], which holds until the next call of `parse`.
    Unquoted {
        /// Bytes of `input` the command took.
        consumed: usize,
    },
    /// The command is not all there; nothing was appended to `args`.
    Incomplete {
        /// Least total length of `input` in bytes with which another call can find more. Exact to
        /// the end of the argument when one is awaited, so that room can be made for it at once.
        wanted: usize,
    },
}
