//! As much of HTTP/1.1 as a scrape needs: one request a connection, without a body.
//!
//! Whoever connects is a stranger. A request is read up to [`REQUEST_BYTES_MAX`] and
//! [`REQUEST_TIME`], an answer is written within [`REPLY_TIME`]; after that the connection ends.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Bytes of a request that are read.
pub(super) const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// How long a request may take to arrive.
const REQUEST_TIME: Duration = Duration::from_secs(2);

/// How long an answer may take to leave.
const REPLY_TIME: Duration = Duration::from_secs(5);

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// The path, without what follows a question mark.
    pub(super) path: String,
    /// Whether the answer is to come without its body.
    pub(super) is_head: bool,
}

/// Why a request is not answered as it wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is no request.
    BadRequest,
    /// It is another method than GET and HEAD.
    Method,
    /// It is too long.
    TooLarge,
}

/// An answer.
pub(super) struct Answer {
    /// Code and reason, such as `200 OK`.
    pub(super) status: &'static str,
    /// Type of the body.
    pub(super) content_type: &'static str,
    /// The body.
    pub(super) body: String,
}

impl Answer {
    /// A short answer in plain text.
    pub(super) fn plain(status: &'static str) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: format!("{status}\n") }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::plain(match refusal {
            Refusal::BadRequest => "400 Bad Request",
            Refusal::Method => "405 Method Not Allowed",
            Refusal::TooLarge => "431 Request Header Fields Too Large",
        })
    }
}

/// Reads the request of a connection.
///
/// # Errors
/// The peer left, or took too long.
pub(super) fn read(stream: &mut TcpStream) -> io::Result<Result<Request, Refusal>> {
    let deadline = Instant::now() + REQUEST_TIME;
    let mut bytes = Vec::with_capacity(1024);
    let mut chunk = [0; 1024];
    loop {
        if let Some(head) = head_of(&bytes) {
            return Ok(parse(head));
        }
        if bytes.len() >= REQUEST_BYTES_MAX {
            return Ok(Err(Refusal::TooLarge));
        }
        stream.set_read_timeout(Some(left(deadline)?))?;
        let room = chunk.len().min(REQUEST_BYTES_MAX - bytes.len());
        match stream.read(&mut chunk[..room])? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            len => bytes.extend_from_slice(&chunk[..len]),
        }
    }
}

/// Sends an answer.
///
/// # Errors
/// The peer left, or takes too long.
pub(super) fn write(stream: &mut TcpStream, answer: &Answer, is_head: bool) -> io::Result<()> {
    let deadline = Instant::now() + REPLY_TIME;
    let Answer { status, content_type, body } = answer;
    let length = body.len();
    let mut text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    );
    if !is_head {
        text.push_str(body);
    }
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(deadline)?))?;
        match stream.write(rest)? {
            0 => return Err(ErrorKind::WriteZero.into()),
            len => rest = &rest[len..],
        }
    }
    Ok(())
}

/// Time to a deadline; an error if it has passed.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// The lines before the first empty one, if that has arrived.
fn head_of(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some(&bytes[..end])
}

fn parse(head: &[u8]) -> Result<Request, Refusal> {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| Refusal::BadRequest)?;
    let words: Vec<&str> = line.split(' ').collect();
    let [method, target, version] = words[..] else { return Err(Refusal::BadRequest) };
    if !matches!(version, "HTTP/1.0" | "HTTP/1.1") || !target.starts_with('/') {
        return Err(Refusal::BadRequest);
    }
    let path = target.split('?').next().unwrap_or_default().to_owned();
    match method {
        "GET" => Ok(Request { path, is_head: false }),
        "HEAD" => Ok(Request { path, is_head: true }),
        _ => Err(Refusal::Method),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_lines_are_read_strictly() {
        let said = |line: &str| parse(line.as_bytes());
        let request = Request { path: "/metrics".to_owned(), is_head: false };
        assert_eq!(said("GET /metrics?x=1 HTTP/1.1\r\nHost: x"), Ok(request));
        assert!(said("HEAD / HTTP/1.0").expect("a request").is_head);
        assert_eq!(said("POST / HTTP/1.1"), Err(Refusal::Method));
        for bad in ["", "GET", "GET / HTTP/2", "GET  / HTTP/1.1", "GET x HTTP/1.1", "PING\r\n"] {
            assert_eq!(said(bad), Err(Refusal::BadRequest), "{bad}");
        }
        assert_eq!(parse(b"GET /\xff HTTP/1.1"), Err(Refusal::BadRequest));
    }
}
