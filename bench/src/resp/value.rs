//! A reply as a value, read from a blocking stream. For control traffic only: the measured
//! traffic goes through the skimmer.

use std::io::{self, BufRead, Read};

/// Aggregates inside each other; control replies nest four deep at most.
const DEPTH_MAX: u32 = 32;
/// Elements or bytes of one control reply; CLUSTER SLOTS and INFO stay far below.
const LENGTH_MAX: i64 = 64 << 20;

/// One reply. RESP3's richer types fold into these: maps and sets become arrays, other scalars
/// their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Status line, double, boolean, big number.
    Simple(String),
    /// Error line or bulk error.
    Error(String),
    /// Integer.
    Integer(i64),
    /// Bulk or verbatim string.
    Bulk(Vec<u8>),
    /// Any null.
    Nil,
    /// Array, set, or map as alternating keys and values.
    Array(Vec<Value>),
}

impl Value {
    /// Reads one reply, passing over push messages.
    ///
    /// # Errors
    /// `InvalidData` when the stream is not RESP, otherwise what the stream reports.
    pub(crate) fn read(stream: &mut impl BufRead) -> io::Result<Self> {
        loop {
            let (kind, value) = read_element(stream, DEPTH_MAX)?;
            if kind != b'>' && kind != b'|' {
                return Ok(value);
            }
        }
    }

    /// The text of a string or status; what else it is shows in its debug form.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Simple(text) | Self::Error(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Nil => "(nil)".to_owned(),
            Self::Array(_) => format!("{self:?}"),
        }
    }

    /// The integer, if it is one.
    pub(crate) fn integer(&self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(*number) } else { None }
    }

    /// The elements, if it is an array.
    pub(crate) fn elements(&self) -> Option<&[Self]> {
        if let Self::Array(elements) = self { Some(elements) } else { None }
    }
}

fn read_element(stream: &mut impl BufRead, depth: u32) -> io::Result<(u8, Value)> {
    let mut line = Vec::new();
    stream.by_ref().take(LENGTH_MAX as u64).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let (&kind, rest) = line.split_first().ok_or_else(invalid)?;
    let text = String::from_utf8_lossy(rest.strip_suffix(b"\r\n").ok_or_else(invalid)?);
    let value = match kind {
        b'+' | b',' | b'#' | b'(' => Value::Simple(text.into_owned()),
        b'-' => Value::Error(text.into_owned()),
        b':' => Value::Integer(text.parse().map_err(|_| invalid())?),
        b'_' => Value::Nil,
        b'$' | b'=' => read_body(stream, length(&text)?)?.map_or(Value::Nil, Value::Bulk),
        b'!' => {
            let body = read_body(stream, length(&text)?)?.unwrap_or_default();
            Value::Error(String::from_utf8_lossy(&body).into_owned())
        }
        b'*' | b'~' | b'>' => read_elements(stream, length(&text)?, depth)?,
        b'%' | b'|' => read_elements(stream, length(&text)? * 2, depth)?,
        _ => return Err(invalid()),
    };
    Ok((kind, value))
}

fn read_body(stream: &mut impl BufRead, length: i64) -> io::Result<Option<Vec<u8>>> {
    let Ok(length) = usize::try_from(length) else { return Ok(None) };
    let mut body = vec![0; length + 2];
    stream.read_exact(&mut body)?;
    if !body.ends_with(b"\r\n") {
        return Err(invalid());
    }
    body.truncate(length);
    Ok(Some(body))
}

fn read_elements(stream: &mut impl BufRead, count: i64, depth: u32) -> io::Result<Value> {
    if count < 0 {
        return Ok(Value::Nil);
    }
    let depth = depth.checked_sub(1).ok_or_else(invalid)?;
    let mut elements = Vec::new();
    while (elements.len() as i64) < count {
        let (kind, element) = read_element(stream, depth)?;
        if kind != b'|' {
            elements.push(element);
        }
    }
    Ok(Value::Array(elements))
}

fn length(text: &str) -> io::Result<i64> {
    let length: i64 = text.parse().map_err(|_| invalid())?;
    if (-1..=LENGTH_MAX).contains(&length) { Ok(length) } else { Err(invalid()) }
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the reply is not RESP")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut bytes: &[u8]) -> io::Result<Value> {
        Value::read(&mut bytes)
    }

    #[test]
    fn values_of_every_shape() {
        let bulk = |text: &str| Value::Bulk(text.as_bytes().to_vec());
        for (bytes, expected) in [
            (b"+OK\r\n".as_slice(), Value::Simple("OK".into())),
            (b"-ERR x\r\n", Value::Error("ERR x".into())),
            (b"!5\r\nERR y\r\n", Value::Error("ERR y".into())),
            (b":-7\r\n", Value::Integer(-7)),
            (b"$2\r\nab\r\n", bulk("ab")),
            (b"$-1\r\n", Value::Nil),
            (b"*-1\r\n", Value::Nil),
            (b"_\r\n", Value::Nil),
            (b"*2\r\n:1\r\n*0\r\n", Value::Array(vec![Value::Integer(1), Value::Array(vec![])])),
            (
                b"%1\r\n+a\r\n:1\r\n",
                Value::Array(vec![Value::Simple("a".into()), Value::Integer(1)]),
            ),
            (b">1\r\n+x\r\n$1\r\nz\r\n", bulk("z")),
            (b"|1\r\n+a\r\n+b\r\n:3\r\n", Value::Integer(3)),
        ] {
            assert_eq!(read(bytes).expect("valid"), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn garbage_and_ends_are_refused() {
        let deep = b"*1\r\n".repeat(100);
        for bytes in
            [b"".as_slice(), b"?\r\n", b"$3\r\nab\r\n", b"$999999999999\r\n", b":x\r\n", &deep]
        {
            assert!(read(bytes).is_err(), "{}", bytes.escape_ascii());
        }
    }
}
