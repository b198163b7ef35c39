//! Counts RESP2 and RESP3 replies in a byte stream without building them.
//!
//! A load generator needs to know how many replies arrived, of which type, and whether any was
//! an error. Everything else may be skipped: bulk bodies are jumped over, lines are searched for
//! their end, nothing is copied except the text of the first error. The skimmer is a state
//! machine over bytes, so a reply may be cut anywhere, a chunk may hold thousands of replies.
//!
//! ```text
//!            '+' '-' ':' ',' '#' '_' '('            LF
//!   Start ----------------------------> Line -------------> element done
//!     |      '$' '!' '='        CR LF          body   CR LF
//!     +-----------------> Length -----> Body -------------> element done
//!     |      '*' '~' '%' '>' '|'  CR LF
//!     +-----------------> Length -----> Start, one frame deeper (or done when empty)
//! ```
//!
//! Invariants: a frame on the stack has at least one element left; an attribute never counts as
//! an element of its parent; a push message never counts as a reply.

use std::fmt;

use memchr::memchr;

/// Frames open at once. Redis nests a handful; deeper means the stream is garbage.
const DEPTH_MAX: usize = 128;
/// Digits of a length: up to 10^15 - 1, beyond any body or aggregate a server can hold.
const LENGTH_DIGITS_MAX: u8 = 15;
/// Bytes kept of the first error's text.
const ERROR_TEXT_MAX: usize = 256;

/// Type of a reply, as the benchmark tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ReplyKind {
    /// `+OK`
    Simple,
    /// `-ERR ...`, or RESP3's bulk error.
    Error,
    /// `:1`
    Integer,
    /// `$3 foo`
    Bulk,
    /// `$-1`, `*-1` or RESP3's `_`.
    Nil,
    /// `*2 ...`
    Array,
    /// `%2 ...`
    Map,
    /// `~2 ...`
    Set,
    /// `,1.5`
    Double,
    /// `#t`
    Boolean,
    /// `(123...`
    BigNumber,
    /// `=7 txt:foo`
    Verbatim,
}

impl ReplyKind {
    /// Every kind, in the order of [`Tally::kinds`].
    pub(crate) const ALL: [Self; 12] = [
        Self::Simple,
        Self::Error,
        Self::Integer,
        Self::Bulk,
        Self::Nil,
        Self::Array,
        Self::Map,
        Self::Set,
        Self::Double,
        Self::Boolean,
        Self::BigNumber,
        Self::Verbatim,
    ];

    /// Name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Error => "error",
            Self::Integer => "integer",
            Self::Bulk => "bulk",
            Self::Nil => "nil",
            Self::Array => "array",
            Self::Map => "map",
            Self::Set => "set",
            Self::Double => "double",
            Self::Boolean => "boolean",
            Self::BigNumber => "big-number",
            Self::Verbatim => "verbatim",
        }
    }
}

/// What the skimmer has seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Complete replies.
    pub(crate) replies: u64,
    /// Errors, those inside an EXEC or script reply included.
    pub(crate) errors: u64,
    /// RESP3 push messages.
    pub(crate) pushes: u64,
    /// Replies by type, indexed by [`ReplyKind`].
    pub(crate) kinds: [u64; ReplyKind::ALL.len()],
    /// Text of the first error, shortened.
    pub(crate) first_error: Option<String>,
}

impl Tally {
    /// Adds another connection's or thread's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        self.replies += other.replies;
        self.errors += other.errors;
        self.pushes += other.pushes;
        for (sum, count) in self.kinds.iter_mut().zip(other.kinds) {
            *sum += count;
        }
        if self.first_error.is_none() {
            self.first_error.clone_from(&other.first_error);
        }
    }
}

/// How a stream can fail to be RESP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProtocolError {
    /// No reply starts with this byte.
    Type(u8),
    /// A length that is no number, or beyond all bounds.
    Length,
    /// A line or body that does not end in CR LF.
    LineEnd,
    /// More aggregates inside each other than any command produces.
    Depth,
    /// A reply to which no request belongs.
    Unasked,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(byte) => write!(f, "no reply starts with '{}'", byte.escape_ascii()),
            Self::Length => write!(f, "invalid length"),
            Self::LineEnd => write!(f, "expected CR LF"),
            Self::Depth => write!(f, "aggregates nested too deeply"),
            Self::Unasked => write!(f, "a reply nobody asked for"),
        }
    }
}

impl std::error::Error for ProtocolError {}

/// What follows a length line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Body,
    /// An aggregate with this many elements per unit of length.
    Aggregate {
        per_unit: u64,
        role: Role,
    },
}

/// What the end of an aggregate completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Reply,
    Push,
    Attribute,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    left: u64,
    role: Role,
}

#[derive(Clone, Copy, Debug)]
struct Length {
    shape: Shape,
    value: u64,
    digits: u8,
    negative: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Start,
    Line { ends_in_cr: bool },
    Length(Length),
    LengthLineFeed(Length),
    Body { left: u64 },
    BodyCarriageReturn,
    BodyLineFeed,
}

/// The state of one connection's reply stream.
#[derive(Debug)]
pub(crate) struct Skimmer {
    state: State,
    frames: Vec<Frame>,
    top_kind: ReplyKind,
    /// Whether the element at hand is an error, whose text is collected below.
    in_error: bool,
    error_text: Vec<u8>,
}

impl Skimmer {
    /// A skimmer at the start of a stream.
    pub(crate) fn new() -> Self {
        Self {
            state: State::Start,
            frames: Vec::new(),
            top_kind: ReplyKind::Simple,
            in_error: false,
            error_text: Vec::new(),
        }
    }

    /// Reads a chunk and adds what it completes to `tally`. O(bytes), bodies skipped in O(1).
    ///
    /// # Errors
    /// When the stream is not RESP. The skimmer is of no use afterwards.
    pub(crate) fn feed(&mut self, chunk: &[u8], tally: &mut Tally) -> Result<(), ProtocolError> {
        let mut rest = chunk;
        while let Some(&byte) = rest.first() {
            rest = match self.state {
                State::Start => {
                    self.begin(byte)?;
                    &rest[1..]
                }
                State::Line { ends_in_cr } => self.skip_line(rest, ends_in_cr, tally)?,
                State::Length(length) => self.read_length(rest, length)?,
                State::LengthLineFeed(length) => {
                    expect(byte, b'\n')?;
                    self.length_known(length, tally)?;
                    &rest[1..]
                }
                State::Body { left } => self.skip_body(rest, left),
                State::BodyCarriageReturn => {
                    expect(byte, b'\r')?;
                    self.state = State::BodyLineFeed;
                    &rest[1..]
                }
                State::BodyLineFeed => {
                    expect(byte, b'\n')?;
                    self.element_done(tally);
                    &rest[1..]
                }
            };
        }
        Ok(())
    }

    /// The type byte of an element.
    fn begin(&mut self, byte: u8) -> Result<(), ProtocolError> {
        let line = State::Line { ends_in_cr: false };
        let body = length_of(Shape::Body);
        let aggregate = |per_unit, role| length_of(Shape::Aggregate { per_unit, role });
        let (kind, state) = match byte {
            b'$' => (ReplyKind::Bulk, body),
            b'+' => (ReplyKind::Simple, line),
            b':' => (ReplyKind::Integer, line),
            b'*' => (ReplyKind::Array, aggregate(1, Role::Reply)),
            b'-' => (ReplyKind::Error, line),
            b'_' => (ReplyKind::Nil, line),
            b'%' => (ReplyKind::Map, aggregate(2, Role::Reply)),
            b'~' => (ReplyKind::Set, aggregate(1, Role::Reply)),
            b',' => (ReplyKind::Double, line),
            b'#' => (ReplyKind::Boolean, line),
            b'(' => (ReplyKind::BigNumber, line),
            b'=' => (ReplyKind::Verbatim, body),
            b'!' => (ReplyKind::Error, body),
            b'>' => (ReplyKind::Array, aggregate(1, Role::Push)),
            b'|' => (ReplyKind::Map, aggregate(2, Role::Attribute)),
            other => return Err(ProtocolError::Type(other)),
        };
        if self.frames.is_empty() {
            self.top_kind = kind;
        }
        self.in_error = kind == ReplyKind::Error;
        self.state = state;
        Ok(())
    }

    fn skip_line<'a>(
        &mut self,
        rest: &'a [u8],
        ends_in_cr: bool,
        tally: &mut Tally,
    ) -> Result<&'a [u8], ProtocolError> {
        let end = memchr(b'\n', rest);
        let text = &rest[..end.unwrap_or(rest.len())];
        self.keep_error_text(text);
        let ends_in_cr = text.last().map_or(ends_in_cr, |last| *last == b'\r');
        let Some(end) = end else {
            self.state = State::Line { ends_in_cr };
            return Ok(&[]);
        };
        if !ends_in_cr {
            return Err(ProtocolError::LineEnd);
        }
        self.element_done(tally);
        Ok(&rest[end + 1..])
    }

    fn read_length<'a>(
        &mut self,
        rest: &'a [u8],
        mut length: Length,
    ) -> Result<&'a [u8], ProtocolError> {
        for (index, &byte) in rest.iter().enumerate() {
            match byte {
                b'0'..=b'9' if length.digits < LENGTH_DIGITS_MAX => {
                    length.value = length.value * 10 + u64::from(byte - b'0');
                    length.digits += 1;
                }
                b'-' if length.digits == 0 && !length.negative => length.negative = true,
                // Only -1 is a length below zero: the null of RESP2.
                b'\r' if length.digits > 0 && (!length.negative || length.value == 1) => {
                    self.state = State::LengthLineFeed(length);
                    return Ok(&rest[index + 1..]);
                }
                _ => return Err(ProtocolError::Length),
            }
        }
        self.state = State::Length(length);
        Ok(&[])
    }

    fn length_known(&mut self, length: Length, tally: &mut Tally) -> Result<(), ProtocolError> {
        match length.shape {
            _ if length.negative => {
                if self.frames.is_empty() {
                    self.top_kind = ReplyKind::Nil;
                }
                self.element_done(tally);
            }
            Shape::Body if length.value == 0 => self.state = State::BodyCarriageReturn,
            Shape::Body => self.state = State::Body { left: length.value },
            Shape::Aggregate { role, .. } if length.value == 0 => self.aggregate_done(role, tally),
            Shape::Aggregate { per_unit, role } => {
                if self.frames.len() == DEPTH_MAX {
                    return Err(ProtocolError::Depth);
                }
                self.frames.push(Frame { left: length.value * per_unit, role });
                self.state = State::Start;
            }
        }
        Ok(())
    }

    fn skip_body<'a>(&mut self, rest: &'a [u8], left: u64) -> &'a [u8] {
        let here = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.keep_error_text(&rest[..here]);
        let left = left - here as u64;
        self.state = if left == 0 { State::BodyCarriageReturn } else { State::Body { left } };
        &rest[here..]
    }

    /// A scalar ended, or an aggregate that stands for an element: its parents may end with it.
    fn element_done(&mut self, tally: &mut Tally) {
        self.state = State::Start;
        if self.in_error {
            self.error_done(tally);
        }
        let Some(frame) = self.frames.last_mut() else {
            tally.replies += 1;
            tally.kinds[self.top_kind as usize] += 1;
            return;
        };
        frame.left -= 1;
        if frame.left == 0 {
            let role = frame.role;
            self.frames.pop();
            self.aggregate_done(role, tally);
        }
    }

    /// Ends an aggregate. Recursion with [`Self::element_done`] is bounded by `DEPTH_MAX`.
    fn aggregate_done(&mut self, role: Role, tally: &mut Tally) {
        self.state = State::Start;
        match role {
            Role::Reply => self.element_done(tally),
            Role::Attribute => {}
            // A push stands between replies, never inside one, so it has no parent to advance.
            Role::Push => tally.pushes += 1,
        }
    }

    fn keep_error_text(&mut self, text: &[u8]) {
        if self.in_error {
            let room = ERROR_TEXT_MAX - self.error_text.len();
            self.error_text.extend_from_slice(&text[..text.len().min(room)]);
        }
    }

    #[cold]
    fn error_done(&mut self, tally: &mut Tally) {
        tally.errors += 1;
        if tally.first_error.is_none() {
            let text = String::from_utf8_lossy(&self.error_text);
            tally.first_error = Some(text.trim_end().to_owned());
        }
        self.error_text.clear();
        self.in_error = false;
    }
}

fn length_of(shape: Shape) -> State {
    State::Length(Length { shape, value: 0, digits: 0, negative: false })
}

fn expect(byte: u8, wanted: u8) -> Result<(), ProtocolError> {
    if byte == wanted { Ok(()) } else { Err(ProtocolError::LineEnd) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skim(chunks: &[&[u8]]) -> Result<Tally, ProtocolError> {
        let mut skimmer = Skimmer::new();
        let mut tally = Tally::default();
        for chunk in chunks {
            skimmer.feed(chunk, &mut tally)?;
        }
        let at_rest = matches!(skimmer.state, State::Start) && skimmer.frames.is_empty();
        assert!(at_rest, "the stream ended inside a reply");
        Ok(tally)
    }

    #[track_caller]
    fn check_one(stream: &[u8], kind: ReplyKind) {
        let tally = skim(&[stream]).expect("valid RESP");
        assert_eq!((tally.replies, tally.pushes), (1, 0));
        assert_eq!(tally.kinds[kind as usize], 1);
    }

    #[test]
    fn every_type_is_one_reply() {
        check_one(b"+OK\r\n", ReplyKind::Simple);
        check_one(b"+\r\n", ReplyKind::Simple);
        check_one(b"-ERR no\r\n", ReplyKind::Error);
        check_one(b":-12\r\n", ReplyKind::Integer);
        check_one(b"$3\r\na\nb\r\n", ReplyKind::Bulk);
        check_one(b"$0\r\n\r\n", ReplyKind::Bulk);
        check_one(b"$-1\r\n", ReplyKind::Nil);
        check_one(b"*-1\r\n", ReplyKind::Nil);
        check_one(b"_\r\n", ReplyKind::Nil);
        check_one(b"*0\r\n", ReplyKind::Array);
        check_one(b"*2\r\n$-1\r\n*1\r\n:1\r\n", ReplyKind::Array);
        check_one(b"%1\r\n+a\r\n*0\r\n", ReplyKind::Map);
        check_one(b"~1\r\n,1.5\r\n", ReplyKind::Set);
        check_one(b",inf\r\n", ReplyKind::Double);
        check_one(b"#t\r\n", ReplyKind::Boolean);
        check_one(b"(123456789012345678901234567890\r\n", ReplyKind::BigNumber);
        check_one(b"=7\r\ntxt:foo\r\n", ReplyKind::Verbatim);
        check_one(b"!5\r\nERR x\r\n", ReplyKind::Error);
        check_one(b"|1\r\n+ttl\r\n:9\r\n$1\r\nx\r\n", ReplyKind::Bulk);
        check_one(b"*1\r\n|1\r\n+a\r\n+b\r\n:1\r\n", ReplyKind::Array);
    }

    #[test]
    fn pushes_are_no_replies() {
        let tally = skim(&[b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n+OK\r\n"]);
        let tally = tally.expect("valid RESP");
        assert_eq!((tally.replies, tally.pushes), (1, 1));
    }

    #[test]
    fn errors_are_counted_at_any_depth_and_the_first_is_quoted() {
        let tally = skim(&[b"*2\r\n-ERR one\r\n+OK\r\n!7\r\nERR two\r\n-ERR three\r\n"]);
        let tally = tally.expect("valid RESP");
        assert_eq!((tally.replies, tally.errors), (3, 3));
        assert_eq!(tally.kinds[ReplyKind::Error as usize], 2);
        assert_eq!(tally.first_error.as_deref(), Some("ERR one"));
    }

    #[test]
    fn garbage_is_refused() {
        let deep = b"*1\r\n".repeat(DEPTH_MAX + 1);
        for (stream, problem) in [
            (b"GET".as_slice(), ProtocolError::Type(b'G')),
            (b"$x\r\n", ProtocolError::Length),
            (b"$-2\r\n", ProtocolError::Length),
            (b"$\r\n", ProtocolError::Length),
            (b"*1234567890123456\r\n", ProtocolError::Length),
            (b"$3\r\nabcd\r\n", ProtocolError::LineEnd),
            (b"$3\r\nabc\rx", ProtocolError::LineEnd),
            (b"$3\rx", ProtocolError::LineEnd),
            (b"+OK\n", ProtocolError::LineEnd),
            (&deep, ProtocolError::Depth),
        ] {
            assert_eq!(skim(&[stream]), Err(problem), "{}", stream.escape_ascii());
        }
    }

    /// Writes a random reply; returns how many errors it holds.
    fn random_reply(random: &mut fastrand::Rng, depth: u32, out: &mut Vec<u8>) -> u64 {
        let word: Vec<u8> = (0..random.usize(0..40)).map(|_| random.u8(b'a'..=b'z')).collect();
        if random.u8(0..8) == 0 {
            out.extend_from_slice(b"|1\r\n+a\r\n:1\r\n");
        }
        let branches = if depth == 0 { 9 } else { 12 };
        let aggregate = match random.u8(0..branches) {
            kind @ 0..6 => {
                out.push(b"+:,#(-"[usize::from(kind)]);
                out.extend_from_slice(&word);
                out.extend_from_slice(b"\r\n");
                return u64::from(kind == 5);
            }
            6 => {
                out.extend_from_slice(b"$-1\r\n");
                return 0;
            }
            kind @ (7 | 8) => {
                let body: Vec<u8> = word.iter().map(|byte| byte % 16).collect();
                out.push(if kind == 7 { b'$' } else { b'!' });
                out.extend_from_slice(format!("{}\r\n", body.len()).as_bytes());
                out.extend_from_slice(&body);
                out.extend_from_slice(b"\r\n");
                return u64::from(kind == 8);
            }
            kind => b"*~%"[usize::from(kind - 9)],
        };
        let length = random.u64(0..4);
        out.push(aggregate);
        out.extend_from_slice(format!("{length}\r\n").as_bytes());
        let elements = if aggregate == b'%' { 2 * length } else { length };
        (0..elements).map(|_| random_reply(random, depth - 1, out)).sum()
    }

    #[test]
    fn any_split_gives_the_same_tally() {
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut stream, mut errors, replies) = (Vec::new(), 0, random.u64(1..8));
            for _ in 0..replies {
                errors += random_reply(&mut random, 3, &mut stream);
            }
            let whole = skim(&[&stream]).unwrap_or_else(|problem| panic!("seed {seed}: {problem}"));
            assert_eq!((whole.replies, whole.errors), (replies, errors), "seed {seed}");
            for cut in 0..=stream.len() {
                let (left, right) = stream.split_at(cut);
                assert_eq!(skim(&[left, right]).as_ref(), Ok(&whole), "seed {seed}, cut {cut}");
            }
            let single: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!(skim(&single).as_ref(), Ok(&whole), "seed {seed}, byte by byte");
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic() {
        for seed in 0..2000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let alphabet = b"+-:$*%~>|_#!=(0123\r\n\r\n\r\nx";
            let length = random.usize(0..200);
            let stream: Vec<u8> =
                (0..length).map(|_| alphabet[random.usize(0..alphabet.len())]).collect();
            let mut tally = Tally::default();
            let verdict = Skimmer::new().feed(&stream, &mut tally);
            let counted: u64 = tally.kinds.iter().sum();
            assert_eq!(counted, tally.replies, "seed {seed}: {verdict:?}");
        }
    }
}
