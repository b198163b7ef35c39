//! Writing JSON: what health checks and the audit log say.

use std::fmt::Write;

/// A text as a JSON string, quotes included. Bytes that are no UTF-8 are shown as Latin-1 would
/// read them, so that no byte is lost.
pub fn quote(text: &[u8]) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    match std::str::from_utf8(text) {
        Ok(text) => text.chars().for_each(|letter| push(&mut quoted, letter)),
        Err(_) => text.iter().for_each(|byte| push(&mut quoted, char::from(*byte))),
    }
    quoted.push('"');
    quoted
}

fn push(quoted: &mut String, letter: char) {
    match letter {
        '"' => quoted.push_str("\\\""),
        '\\' => quoted.push_str("\\\\"),
        '\n' => quoted.push_str("\\n"),
        '\r' => quoted.push_str("\\r"),
        '\t' => quoted.push_str("\\t"),
        // Separators of lines in some readers, and what shows as nothing.
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
            write!(quoted, "\\u{:04x}", u32::from(letter)).expect("a string takes all");
        }
        _ => quoted.push(letter),
    }
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn strings_cannot_be_left() {
        assert_eq!(quote(b"plain"), "\"plain\"");
        assert_eq!(quote(b"a\"b\\c\r\n\t"), "\"a\\\"b\\\\c\\r\\n\\t\"");
        assert_eq!(quote(b"\x00\x1b\x7f"), "\"\\u0000\\u001b\\u007f\"");
        assert_eq!(quote("\u{fc}\u{2028}".as_bytes()), "\"\u{fc}\\u2028\"");
        assert_eq!(quote(b"\xff\x80"), "\"\u{ff}\\u0080\"");
    }
}
