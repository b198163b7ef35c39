//! Splitting an inline request into words, with Redis' quoting.
//!
//! * Words are separated by blanks, tabs and line ends; vertical tab and form feed are skipped
//!   before a word and may follow a closing quote, but are part of a word otherwise.
//! * `"..."` understands `\n \r \t \b \a`, `\xHH`, and a backslash before any other byte gives
//!   that byte. `'...'` understands only `\'`.
//! * A quote may open inside a word (`f"oo"` is `foo`); a closing quote ends the word and must be
//!   followed by white space or the end of the line.

use super::{ArgRange, ProtocolError};
use memchr::memchr2;

/// Whether the words of `line` can be named as ranges of it, since none holds a quote.
pub(super) fn is_plain(line: &[u8]) -> bool {
    memchr2(b'"', b'\'', line).is_none()
}

/// Appends the words of a line without quotes. O(length).
pub(super) fn split_plain(line: &[u8], args: &mut Vec<ArgRange>) {
    let mut position = 0;
    loop {
        position += line[position..].iter().take_while(|&&byte| is_space(byte)).count();
        if position == line.len() {
            return;
        }
        let len = line[position..].iter().take_while(|&&byte| !ends_word(byte)).count();
        args.push(range(position, len));
        position += len;
    }
}

/// Appends the words of a line to `args` as ranges of `text`, which takes their bytes. O(length).
///
/// # Errors
/// [`ProtocolError::UnbalancedQuotes`]; `text` and `args` may then hold some of the words.
pub(super) fn split_quoted(
    line: &[u8],
    text: &mut Vec<u8>,
    args: &mut Vec<ArgRange>,
) -> Result<(), ProtocolError> {
    let mut rest = line;
    loop {
        rest = &rest[rest.iter().take_while(|&&byte| is_space(byte)).count()..];
        if rest.is_empty() {
            return Ok(());
        }
        let start = text.len();
        rest = copy_word(rest, text)?;
        args.push(range(start, text.len() - start));
    }
}

/// Copies one word and returns what follows it.
fn copy_word<'a>(line: &'a [u8], text: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    let mut rest = line;
    while let [byte, tail @ ..] = rest {
        match byte {
            b'"' => return copy_double_quoted(tail, text),
            b'\'' => return copy_single_quoted(tail, text),
            byte if ends_word(*byte) => return Ok(rest),
            byte => text.push(*byte),
        }
        rest = tail;
    }
    Ok(rest)
}

/// Copies up to the closing `"` and returns what follows it.
fn copy_double_quoted<'a>(line: &'a [u8], text: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    let mut rest = line;
    loop {
        rest = match rest {
            [b'\\', b'x', high, low, tail @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                text.push(hex_value(*high) * 16 + hex_value(*low));
                tail
            }
            [b'\\', escaped, tail @ ..] => {
                text.push(unescape(*escaped));
                tail
            }
            [b'"', tail @ ..] => return after_quote(tail),
            [byte, tail @ ..] => {
                text.push(*byte);
                tail
            }
            [] => return Err(ProtocolError::UnbalancedQuotes),
        }
    }
}

/// Copies up to the closing `'` and returns what follows it.
fn copy_single_quoted<'a>(line: &'a [u8], text: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    let mut rest = line;
    loop {
        rest = match rest {
            [b'\\', b'\'', tail @ ..] => {
                text.push(b'\'');
                tail
            }
            [b'\'', tail @ ..] => return after_quote(tail),
            [byte, tail @ ..] => {
                text.push(*byte);
                tail
            }
            [] => return Err(ProtocolError::UnbalancedQuotes),
        }
    }
}

/// A closing quote must end its word.
fn after_quote(rest: &[u8]) -> Result<&[u8], ProtocolError> {
    match rest.first() {
        Some(&byte) if !is_space(byte) => Err(ProtocolError::UnbalancedQuotes),
        _ => Ok(rest),
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

/// C's `isspace`, which unlike Rust's counts the vertical tab.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Lines are at most 64 KiB, so both numbers fit.
fn range(start: usize, len: usize) -> ArgRange {
    ArgRange { start: start as u32, len: len as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of `line`, through the quoting splitter and, where allowed, the plain one too.
    fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, ProtocolError> {
        let (mut text, mut args) = (Vec::new(), Vec::new());
        split_quoted(line, &mut text, &mut args)?;
        let quoted: Vec<Vec<u8>> = args.iter().map(|arg| arg.of(&text).to_vec()).collect();
        if is_plain(line) {
            args.clear();
            split_plain(line, &mut args);
            let plain: Vec<Vec<u8>> = args.iter().map(|arg| arg.of(line).to_vec()).collect();
            assert_eq!(plain, quoted, "the two splitters disagree on {line:?}");
        }
        Ok(quoted)
    }

    #[track_caller]
    fn check(line: &[u8], expected: &[&[u8]]) {
        assert_eq!(words(line).unwrap(), expected, "{}", line.escape_ascii());
    }

    #[test]
    fn words_as_redis_splits_them() {
        check(b"", &[]);
        check(b" \t ", &[]);
        check(b"PING", &[b"PING"]);
        check(b" set  key\tvalue ", &[b"set", b"key", b"value"]);
        check(b"ECHO \"a b\\x41\\n\\q\"", &[b"ECHO", b"a bA\nq"]);
        check(b"ECHO 'a\\'b\\n'", &[b"ECHO", b"a'b\\n"]);
        check(b"ECHO f\"oo\"", &[b"ECHO", b"foo"]);
        check(b"ECHO a\x0bb", &[b"ECHO", b"a\x0bb"]);
        check(b"ECHO \x0ba", &[b"ECHO", b"a"]);
        check(b"ECHO \"\" ''", &[b"ECHO", b"", b""]);
        check(b"ECHO a\rb", &[b"ECHO", b"a", b"b"]);
        check(b"ECHO \"\\xzz\\x4\"", &[b"ECHO", b"xzzx4"]);
        check(b"ECHO \"a\"\x0b", &[b"ECHO", b"a"]);
        check(b"ECHO \"\\r\\t\\b\\a\\\\\\\"\\xfF\"", &[b"ECHO", b"\r\t\x08\x07\\\"\xff"]);
        check(b"a\0b", &[b"a\0b"]);
    }

    #[test]
    fn quotes_must_balance() {
        for line in [&b"\"a\"b"[..], b"\"a", b"'", b"\"\\\"", b"\"\\", b"'a'b", b"a'b", b"'\\'"] {
            let result = words(line);
            assert_eq!(result, Err(ProtocolError::UnbalancedQuotes), "{}", line.escape_ascii());
        }
    }
}
