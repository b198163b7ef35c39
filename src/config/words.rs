//! Splitting configuration lines into words, and quoting words so that they split back.
//!
//! The grammar is the one of Redis' configuration files, which its command line tool shares:
//!
//! ```text
//! line   = blanks { word blanks }
//! word   = { plain byte | "double quoted" | 'single quoted' }
//! in ""  \n \r \t \b \a, \xHH for any byte, \c for c itself
//! in ''  \' only
//! ```
//!
//! A closing quote must be followed by a blank or the end of the line. A line that breaks this
//! rule or leaves a quote open has no words at all. Text ends at a NUL byte, as it does for the
//! servers whose files these are.

/// Splits a line into words. `None` where quotes are not balanced.
///
/// Linear in the length of the line.
pub(super) fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let end = line.iter().position(|&byte| byte == 0).unwrap_or(line.len());
    let mut reader = Reader { line: &line[..end], at: 0 };
    let mut words = Vec::new();
    loop {
        reader.skip_blanks();
        if reader.peek().is_none() {
            return Some(words);
        }
        words.push(reader.word()?);
    }
}

/// Whether a byte separates words and may follow a closing quote.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

struct Reader<'a> {
    line: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
    }

    fn word(&mut self) -> Option<Vec<u8>> {
        let mut word = Vec::new();
        loop {
            match self.next() {
                None | Some(b' ' | b'\t' | b'\n' | b'\r') => return Some(word),
                Some(b'"') => {
                    self.double_quoted(&mut word)?;
                    return self.at_word_end().then_some(word);
                }
                Some(b'\'') => {
                    self.single_quoted(&mut word)?;
                    return self.at_word_end().then_some(word);
                }
                Some(byte) => word.push(byte),
            }
        }
    }

    fn at_word_end(&self) -> bool {
        self.peek().is_none_or(is_blank)
    }

    fn double_quoted(&mut self, word: &mut Vec<u8>) -> Option<()> {
        loop {
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => {
                    let byte = self.escaped()?;
                    word.push(byte);
                }
                byte => word.push(byte),
            }
        }
    }

    /// Reads what follows a backslash. A backslash at the very end leaves the quote open anyway.
    fn escaped(&mut self) -> Option<u8> {
        let digit = |at: usize| self.line.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        if let (Some(b'x'), Some(high), Some(low)) =
            (self.peek(), digit(self.at + 1), digit(self.at + 2))
        {
            self.at += 3;
            return u8::try_from(high * 16 + low).ok();
        }
        Some(match self.next()? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 0x08,
            b'a' => 0x07,
            byte => byte,
        })
    }

    fn single_quoted(&mut self, word: &mut Vec<u8>) -> Option<()> {
        loop {
            match self.next()? {
                b'\'' => return Some(()),
                b'\\' if self.peek() == Some(b'\'') => {
                    self.at += 1;
                    word.push(b'\'');
                }
                byte => word.push(byte),
            }
        }
    }
}

/// Appends a word in double quotes, with escapes for what would not print.
pub(super) fn push_quoted(line: &mut Vec<u8>, word: &[u8]) {
    line.push(b'"');
    for &byte in word {
        match byte {
            b'\\' | b'"' => line.extend([b'\\', byte]),
            b'\n' => line.extend(b"\\n"),
            b'\r' => line.extend(b"\\r"),
            b'\t' => line.extend(b"\\t"),
            0x07 => line.extend(b"\\a"),
            0x08 => line.extend(b"\\b"),
            b' '..=b'~' => line.push(byte),
            _ => line.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    line.push(b'"');
}

/// Cuts blanks off both ends of a line.
pub(super) fn trim(line: &[u8]) -> &[u8] {
    let is_edge = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let Some(first) = line.iter().position(|byte| !is_edge(byte)) else { return &[] };
    let last = line.iter().rposition(|byte| !is_edge(byte)).unwrap_or(first);
    &line[first..=last]
}

#[cfg(test)]
mod tests {
    use super::{push_quoted, split, trim};
    use proptest::prelude::*;

    #[track_caller]
    fn check(line: &str, expected: Option<&[&[u8]]>) {
        let expected =
            expected.map(|words| words.iter().map(|word| word.to_vec()).collect::<Vec<_>>());
        assert_eq!(split(line.as_bytes()), expected, "{line:?}");
    }

    #[test]
    fn splits_as_redis_does() {
        check("", Some(&[]));
        check("  \t ", Some(&[]));
        check("save 900 1", Some(&[b"save", b"900", b"1"]));
        check("a\"b c\" d", Some(&[b"ab c", b"d"]));
        check(r#"x "\x41\n\q\"" y"#, Some(&[b"x", b"A\nq\"", b"y"]));
        check(r#""\x4""#, Some(&[b"x4"]));
        check(r"'a\'b\n'", Some(&[br"a'b\n"]));
        check("\"\" ''", Some(&[b"", b""]));
        check("a\0b", Some(&[b"a"]));
        check("\"a\"b", None);
        check("'a'b", None);
        check("\"a", None);
        check("'a", None);
        check("\"a\\", None);
    }

    #[test]
    fn trims_blanks() {
        assert_eq!(trim(b" \t a b\r\n"), b"a b");
        assert_eq!(trim(b" \r"), b"");
    }

    proptest! {
        #![proptest_config(ProptestConfig { fork: false, ..ProptestConfig::default() })]

        #[test]
        fn quoted_words_split_back(
            words in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..5),
        ) {
            let mut line = Vec::new();
            for word in &words {
                push_quoted(&mut line, word);
                line.push(b' ');
            }
            prop_assert!(line.iter().all(|byte| (b' '..=b'~').contains(byte)));
            prop_assert_eq!(split(&line), Some(words));
        }

        #[test]
        fn splitting_never_panics(line in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = split(&line);
        }
    }
}
