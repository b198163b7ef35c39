//! The incremental request parser.
//!
//! The caller keeps the bytes, the parser keeps the place. `input` always starts at the first
//! byte of the current command; when it is incomplete the caller calls again with the same bytes
//! and more behind them. The parser resumes where it stopped, so a command of a million arguments
//! that arrives in a thousand pieces costs one pass, not a thousand.
//!
//! ```text
//!   input    *3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$10\r\nval
//!            |------------ position ------------|        parsed for good
//!   state    missing_args = 1, bulk = Some(10)           what is awaited at `position`
//!            searched                                    line end not among so many bytes
//! ```
//!
//! Invariants: between two calls either all fields are zero (a command starts) or
//! `position <= input.len()` of the last call; `held` has the arguments before `position`; `bulk`
//! is set only while `missing_args > 0`.
//!
//! A command that lies whole in `input`, which is nearly every command, goes straight from input
//! to `args`: no state is read but that there is none, nothing is written and nothing allocated.
//! Whatever that way does not take, be it incomplete, wrong or just unusual, the general one takes
//! from the start. `held` gets memory only for a command that was cut between two reads, and gives
//! it back if it was much.

use super::length::{parse_integer, short_line};
use super::{ArgRange, LINE_BYTES_MAX, Limits, Parsed, ProtocolError, inline};
use super::{UNAUTHENTICATED_ARGS_MAX, UNAUTHENTICATED_BULK_BYTES_MAX};
use memchr::memchr;

/// Capacity in arguments and in bytes that `held` and `unquoted` may keep for the next command.
const RETAINED_CAPACITY_MAX: usize = 1024;

/// A command this long is not taken by the short way: ranges are 32 bits wide.
const WHOLE_BYTES_MAX: usize = u32::MAX as usize;

/// Finds the commands in the byte stream of one client. See the module's documentation.
#[derive(Debug, Default)]
pub struct RequestParser {
    /// Bytes of the current command that are parsed for good.
    position: usize,
    /// Bytes after `position` that are known to hold no line end.
    searched: usize,
    /// Arguments still to come; zero while the command's first line is.
    missing_args: u32,
    /// Length of the argument whose body starts at `position`, once its length line was read.
    bulk: Option<u32>,
    /// Arguments of the current command found by earlier calls.
    held: Vec<ArgRange>,
    /// The words of the last [`Parsed::Unquoted`].
    unquoted: Vec<u8>,
}

impl RequestParser {
    /// A parser at the start of a stream. Allocates nothing.
    pub fn new() -> RequestParser {
        RequestParser::default()
    }

    /// Parses the command that starts at the first byte of `input`, resuming where the last call
    /// stopped if that found it incomplete.
    ///
    /// The arguments are appended to `args` when the command is complete and only then, so the
    /// commands of a pipeline can be gathered in one vector: call in a loop with the input
    /// advanced by `consumed`, and note which part of `args` each call added.
    ///
    /// Linear in the bytes not seen by earlier calls (plus eight bytes per argument that was
    /// found by one). Input of an earlier incomplete call must be repeated unchanged.
    ///
    /// # Errors
    /// The stream cannot be read past a [`ProtocolError`]; the connection has to be closed.
    /// `args` is then as it was.
    pub fn parse(
        &mut self,
        input: &[u8],
        limits: &Limits,
        args: &mut Vec<ArgRange>,
    ) -> Result<Parsed, ProtocolError> {
        let base = args.len();
        if let Some(consumed) = self.parse_whole(input, limits, args) {
            return Ok(Parsed::Complete { consumed });
        }
        args.truncate(base);
        self.parse_any(input, limits, args)
    }

    /// Takes a command that lies whole in the input and has nothing unusual. Returns its length; if
    /// `None`, it may have left arguments in `args`.
    #[inline]
    fn parse_whole(
        &self,
        input: &[u8],
        limits: &Limits,
        args: &mut Vec<ArgRange>,
    ) -> Option<usize> {
        if self.is_inside_command() || !limits.authenticated {
            return None;
        }
        let (count, mut position) = short_line(b'*', input)?;
        if i64::from(count) > limits.max_args {
            return None;
        }
        for _ in 0..count {
            let (len, line_len) = short_line(b'$', &input[position..])?;
            let body = position + line_len;
            let end = body + len as usize + 2;
            let fits = i64::from(len) <= limits.proto_max_bulk_len && end < WHOLE_BYTES_MAX;
            if !fits || end > input.len() {
                return None;
            }
            args.push(ArgRange { start: body as u32, len });
            position = end;
        }
        Some(position)
    }

    #[inline(never)]
    fn parse_any(
        &mut self,
        input: &[u8],
        limits: &Limits,
        args: &mut Vec<ArgRange>,
    ) -> Result<Parsed, ProtocolError> {
        let base = args.len();
        let result = match input.first() {
            None => Ok(Parsed::Incomplete { wanted: 1 }),
            Some(b'*') => self.parse_multibulk(input, limits, args),
            Some(_) => self.parse_inline(input, args),
        };
        if result.is_err() {
            args.truncate(base);
            self.start_over();
        }
        result
    }

    /// The bytes that the ranges of the last [`Parsed::Unquoted`] refer to.
    pub fn unquoted(&self) -> &[u8] {
        &self.unquoted
    }

    /// Whether a command has begun that is not complete.
    pub fn is_inside_command(&self) -> bool {
        self.position > 0 || self.searched > 0
    }

    /// Where in the input the argument begins that is being received, if it is of at least
    /// `len_min` bytes and its length is known.
    pub fn begun_argument(&self, len_min: usize) -> Option<usize> {
        self.bulk.filter(|len| *len as usize >= len_min).map(|_| self.position)
    }

    fn parse_multibulk(
        &mut self,
        input: &[u8],
        limits: &Limits,
        args: &mut Vec<ArgRange>,
    ) -> Result<Parsed, ProtocolError> {
        if self.missing_args > 0 {
            return self.resume_arguments(input, limits, args);
        }
        let Some((count, position)) = self.count_line(input)? else {
            return Ok(Parsed::Incomplete { wanted: input.len() + 1 });
        };
        self.missing_args = check_count(count, limits)?;
        self.position = position;
        self.searched = 0;
        let base = args.len();
        match self.parse_arguments(input, limits, args)? {
            Some(wanted) => {
                self.held.extend_from_slice(&args[base..]);
                args.truncate(base);
                Ok(Parsed::Incomplete { wanted })
            }
            None => Ok(Parsed::Complete { consumed: self.finish() }),
        }
    }

    /// Goes on with a command of which an earlier call read the first line.
    #[cold]
    fn resume_arguments(
        &mut self,
        input: &[u8],
        limits: &Limits,
        args: &mut Vec<ArgRange>,
    ) -> Result<Parsed, ProtocolError> {
        let mut held = std::mem::take(&mut self.held);
        let result = self.parse_arguments(input, limits, &mut held);
        self.held = held;
        match result? {
            Some(wanted) => Ok(Parsed::Incomplete { wanted }),
            None => {
                args.append(&mut self.held);
                self.held.shrink_to(RETAINED_CAPACITY_MAX);
                Ok(Parsed::Complete { consumed: self.finish() })
            }
        }
    }

    /// Reads arguments until none is missing (`None`) or the input ends (the length wanted).
    fn parse_arguments(
        &mut self,
        input: &[u8],
        limits: &Limits,
        found: &mut Vec<ArgRange>,
    ) -> Result<Option<usize>, ProtocolError> {
        while self.missing_args > 0 {
            let len = match self.bulk {
                Some(len) => len,
                None => match self.length_line(input, limits)? {
                    Some(len) => len,
                    None => return Ok(Some(input.len() + 1)),
                },
            };
            let end = self.position + len as usize + 2;
            if end > input.len() {
                self.bulk = Some(len);
                return Ok(Some(end));
            }
            found.push(ArgRange { start: self.position as u32, len });
            self.position = end;
            self.bulk = None;
            self.missing_args -= 1;
        }
        Ok(None)
    }

    /// Reads the line `*<count>`: the count and where the line ends.
    fn count_line(&mut self, input: &[u8]) -> Result<Option<(i64, usize)>, ProtocolError> {
        let Some(end) = self.find_line_end(input, ProtocolError::TooBigMultibulkCount)? else {
            return Ok(None);
        };
        let count = parse_integer(&input[1..end]).ok_or(ProtocolError::InvalidMultibulkLength)?;
        Ok(Some((count, end + 2)))
    }

    /// Reads the line `$<length>` at `position` and moves past it.
    fn length_line(&mut self, input: &[u8], limits: &Limits) -> Result<Option<u32>, ProtocolError> {
        let line = &input[self.position..];
        let Some((length, line_len)) = self.split_length_line(line)? else {
            return Ok(None);
        };
        let body = self.position + line_len;
        let len = check_length(length, body, limits)?;
        self.position = body;
        self.searched = 0;
        Ok(Some(len))
    }

    /// The number in a length line, and the line's length.
    fn split_length_line(&mut self, line: &[u8]) -> Result<Option<(i64, usize)>, ProtocolError> {
        if let Some((length, line_len)) = short_line(b'$', line) {
            return Ok(Some((length.into(), line_len)));
        }
        let Some(end) = self.find_line_end(line, ProtocolError::TooBigBulkCount)? else {
            return Ok(None);
        };
        if line[0] != b'$' {
            return Err(ProtocolError::ExpectedDollar(line[0]));
        }
        let length = parse_integer(&line[1..end]).ok_or(ProtocolError::InvalidBulkLength)?;
        Ok(Some((length, end + 2)))
    }

    /// Where the `\r` of `line` is, if the byte after it is there too.
    fn find_line_end(
        &mut self,
        line: &[u8],
        too_long: ProtocolError,
    ) -> Result<Option<usize>, ProtocolError> {
        let end = self.find_in_line(b'\r', line, too_long)?;
        Ok(end.filter(|end| end + 1 < line.len()))
    }

    /// Where the first `byte` of `line` is. Remembers how far it looked, so that a line that
    /// comes byte by byte is searched once.
    fn find_in_line(
        &mut self,
        byte: u8,
        line: &[u8],
        too_long: ProtocolError,
    ) -> Result<Option<usize>, ProtocolError> {
        let window = &line[..line.len().min(LINE_BYTES_MAX + 1)];
        if let Some(offset) = memchr(byte, &window[self.searched..]) {
            self.searched += offset;
            return Ok(Some(self.searched));
        }
        if line.len() > LINE_BYTES_MAX {
            return Err(too_long);
        }
        self.searched = line.len();
        Ok(None)
    }

    #[cold]
    fn parse_inline(
        &mut self,
        input: &[u8],
        args: &mut Vec<ArgRange>,
    ) -> Result<Parsed, ProtocolError> {
        let too_long = ProtocolError::TooBigInlineRequest;
        let Some(newline) = self.find_in_line(b'\n', input, too_long)? else {
            return Ok(Parsed::Incomplete { wanted: input.len() + 1 });
        };
        self.start_over();
        let consumed = newline + 1;
        let line = &input[..newline];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if inline::is_plain(line) {
            inline::split_plain(line, args);
            return Ok(Parsed::Complete { consumed });
        }
        self.unquoted.clear();
        self.unquoted.shrink_to(RETAINED_CAPACITY_MAX);
        inline::split_quoted(line, &mut self.unquoted, args)?;
        Ok(Parsed::Unquoted { consumed })
    }

    /// Ends a command: returns its length and is ready for the next.
    #[inline]
    fn finish(&mut self) -> usize {
        assert!(self.missing_args == 0 && self.bulk.is_none() && self.held.is_empty());
        let consumed = self.position;
        self.position = 0;
        self.searched = 0;
        consumed
    }

    fn start_over(&mut self) {
        self.position = 0;
        self.searched = 0;
        self.missing_args = 0;
        self.bulk = None;
        self.held.clear();
    }
}

/// The number of arguments a count line asks for; zero and less mean none.
#[inline]
fn check_count(count: i64, limits: &Limits) -> Result<u32, ProtocolError> {
    if count > limits.max_args.min(i32::MAX.into()) {
        return Err(ProtocolError::InvalidMultibulkLength);
    }
    if count > UNAUTHENTICATED_ARGS_MAX && !limits.authenticated {
        return Err(ProtocolError::UnauthenticatedMultibulkLength);
    }
    Ok(count.max(0) as u32)
}

/// The length of an argument whose body starts at `body`.
#[inline]
fn check_length(length: i64, body: usize, limits: &Limits) -> Result<u32, ProtocolError> {
    if length < 0 || length > limits.proto_max_bulk_len {
        return Err(ProtocolError::InvalidBulkLength);
    }
    if length > UNAUTHENTICATED_BULK_BYTES_MAX && !limits.authenticated {
        return Err(ProtocolError::UnauthenticatedBulkLength);
    }
    // Ranges are 32 bits wide: a command ends where they do.
    let room = (u32::MAX as usize).saturating_sub(body + 2);
    match usize::try_from(length) {
        Ok(length) if length <= room => Ok(length as u32),
        _ => Err(ProtocolError::InvalidBulkLength),
    }
}
