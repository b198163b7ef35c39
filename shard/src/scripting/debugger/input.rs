//! What the client of a debugging session says: arrays of words, as commands are sent.
//!
//! Lenient as Redis is: whatever stands before an array is passed over. Short words and few of
//! them, so that what waits to become whole stays small.

/// Words of a command.
const WORDS_MAX: i64 = 1024;

/// Bytes of a word.
const WORD_BYTES_MAX: i64 = 1024;

/// Digits of a length.
const DIGITS_MAX: usize = 20;

/// What the bytes so far come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The beginning of a command, or nothing yet.
    Incomplete,
    /// A command, and the bytes it took.
    Command(Vec<Vec<u8>>, usize),
    /// No command, whatever follows.
    Broken,
}

/// Why there is no command.
enum Stop {
    Incomplete,
    Broken,
}

/// Reads the next command. O(bytes).
pub fn parse(bytes: &[u8]) -> Parsed {
    if bytes.is_empty() {
        return Parsed::Incomplete;
    }
    let Some(start) = memchr::memchr(b'*', bytes) else { return Parsed::Broken };
    let mut reader = Reader { bytes, position: start };
    match reader.words() {
        Ok(words) => Parsed::Command(words, reader.position),
        Err(Stop::Incomplete) => Parsed::Incomplete,
        Err(Stop::Broken) => Parsed::Broken,
    }
}

/// What was whole stays so, and what was broken, whatever follows. For fuzzing.
///
/// # Panics
/// When it is not so.
pub fn fuzz(bytes: &[u8]) {
    let whole = parse(bytes);
    for len in 0..bytes.len().min(64) {
        match parse(&bytes[..len]) {
            // Bytes without an array may still be followed by one.
            Parsed::Broken if memchr::memchr(b'*', &bytes[..len]).is_none() => {}
            Parsed::Incomplete => {}
            early => assert_eq!(early, whole, "of {len} bytes"),
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Reader<'_> {
    fn words(&mut self) -> Result<Vec<Vec<u8>>, Stop> {
        let count = self.length(b'*', WORDS_MAX)?;
        (0..count).map(|_| self.word()).collect()
    }

    fn word(&mut self) -> Result<Vec<u8>, Stop> {
        let len = self.length(b'$', WORD_BYTES_MAX)?;
        let rest = &self.bytes[self.position..];
        let whole = rest.get(..len + 2).ok_or(Stop::Incomplete)?;
        let (word, end) = whole.split_at(len);
        if end != b"\r\n" {
            return Err(Stop::Broken);
        }
        self.position += len + 2;
        Ok(word.to_vec())
    }

    /// The number behind `mark` on a line of its own, from 1 to `most`.
    fn length(&mut self, mark: u8, most: i64) -> Result<usize, Stop> {
        let rest = &self.bytes[self.position..];
        let (&first, digits) = rest.split_first().ok_or(Stop::Incomplete)?;
        if first != mark {
            return Err(Stop::Broken);
        }
        let Some(len) = memchr::memmem::find(digits, b"\r\n") else {
            let is_long = digits.len() > DIGITS_MAX;
            return Err(if is_long { Stop::Broken } else { Stop::Incomplete });
        };
        let number = crate::number::parse_integer(&digits[..len]).ok_or(Stop::Broken)?;
        if !(1..=most).contains(&number) {
            return Err(Stop::Broken);
        }
        self.position += 1 + len + 2;
        Ok(number as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_whole_with_its_last_byte() {
        let whole = b"*2\r\n$5\r\nbreak\r\n$1\r\n3\r\n";
        for len in 0..whole.len() {
            assert_eq!(parse(&whole[..len]), Parsed::Incomplete, "{len} bytes");
        }
        let words = vec![b"break".to_vec(), b"3".to_vec()];
        assert_eq!(parse(whole), Parsed::Command(words, whole.len()));
    }

    #[test]
    fn words_hold_any_bytes_and_what_follows_is_left() {
        let bytes = b"\r\n*1\r\n$4\r\na\0\r\n\r\n*1";
        let words = vec![b"a\0\r\n".to_vec()];
        assert_eq!(parse(bytes), Parsed::Command(words, bytes.len() - 2));
    }

    #[test]
    fn what_is_no_command_is_broken() {
        let long = b"*1\r\n$1025\r\n";
        let cases: [&[u8]; 10] = [
            b"step\r\n",
            b"*0\r\n",
            b"*-1\r\n",
            b"*1025\r\n",
            b"*x\r\n",
            b"*1\r\n:1\r\n",
            b"*1\r\n$0\r\n\r\n",
            b"*1\r\n$1\r\nabc",
            b"*111111111111111111111",
            long,
        ];
        for case in cases {
            assert_eq!(parse(case), Parsed::Broken, "{:?}", String::from_utf8_lossy(case));
        }
    }
}
