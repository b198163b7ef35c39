//! Replies as values.

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `+OK`
    Simple(String),
    /// `-ERR ...`
    Error(String),
    /// `:1`
    Integer(i64),
    /// A bulk string, or none.
    Bulk(Option<Vec<u8>>),
    /// An array, or none.
    Array(Option<Vec<Value>>),
    /// Something that was not asked for.
    Push(Vec<Value>),
}

impl Value {
    /// The first value in `bytes` and its length, if all of it is there. RESP2, and of RESP3 what
    /// clients that listen get to see.
    ///
    /// # Panics
    /// If it is no such reply.
    pub fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let end = bytes.iter().position(|byte| *byte == b'\n')? + 1;
        let line = std::str::from_utf8(&bytes[1..end - 2]).expect("lines of replies are text here");
        let number = || line.parse::<i64>().expect("it is a number");
        match bytes[0] {
            b'+' => Some((Self::Simple(line.to_owned()), end)),
            b'-' => Some((Self::Error(line.to_owned()), end)),
            b':' => Some((Self::Integer(number()), end)),
            b'$' => match usize::try_from(number()) {
                Err(_) => Some((Self::Bulk(None), end)),
                Ok(length) => {
                    let content = bytes.get(end..end + length + 2)?;
                    Some((Self::Bulk(Some(content[..length].to_vec())), end + length + 2))
                }
            },
            b'_' => Some((Self::Bulk(None), end)),
            b'>' => {
                let array = [b"*", &bytes[1..]].concat();
                let (value, length) = Self::parse(&array)?;
                let elements = value.elements().unwrap_or_default().to_vec();
                Some((Self::Push(elements), length))
            }
            b'*' => match usize::try_from(number()) {
                Err(_) => Some((Self::Array(None), end)),
                Ok(count) => {
                    let (mut elements, mut at) = (Vec::with_capacity(count), end);
                    for _ in 0..count {
                        let (element, length) = Self::parse(bytes.get(at..)?)?;
                        elements.push(element);
                        at += length;
                    }
                    Some((Self::Array(Some(elements)), at))
                }
            },
            other => panic!("{other:#x} begins no reply that is expected"),
        }
    }

    /// The bytes of a bulk string.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bulk(Some(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// The elements of an array.
    pub fn elements(&self) -> Option<&[Self]> {
        match self {
            Self::Array(Some(elements)) => Some(elements),
            _ => None,
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Simple(text) => formatter.write_str(text),
            Self::Error(text) => write!(formatter, "({text})"),
            Self::Integer(number) => write!(formatter, "{number}"),
            Self::Bulk(None) | Self::Array(None) => formatter.write_str("nil"),
            Self::Bulk(Some(bytes)) => write!(formatter, "{}", bytes.escape_ascii()),
            Self::Array(Some(elements)) | Self::Push(elements) => {
                formatter.write_str("[")?;
                for (index, element) in elements.iter().enumerate() {
                    write!(formatter, "{}{element}", if index > 0 { " " } else { "" })?;
                }
                formatter.write_str("]")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_whole_or_not_at_all() {
        let bytes = b"*3\r\n:7\r\n$-1\r\n$2\r\nab\r\n";
        let expected = Value::Array(Some(vec![
            Value::Integer(7),
            Value::Bulk(None),
            Value::Bulk(Some(b"ab".to_vec())),
        ]));
        assert_eq!(Value::parse(bytes), Some((expected, bytes.len())));
        assert!((0..bytes.len()).all(|length| Value::parse(&bytes[..length]).is_none()));
    }
}
