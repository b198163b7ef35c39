//! Replies of commands as people read them.

use super::super::reply_reader::ReplyReader;
use super::text::Text;

/// Writes a reply, in either protocol.
pub(super) fn describe(text: &mut Text, reply: &[u8]) {
    ReplyReader::new(reply).describe(text);
}

impl ReplyReader<'_> {
    fn describe(&mut self, text: &mut Text) {
        match self.kind() {
            kind @ (b'+' | b'-') => text.push_quoted(&[&[kind][..], self.line()].concat()),
            b':' | b'(' => text.push(self.line()),
            b'$' | b'=' => self.describe_bulk(text),
            b'_' => {
                self.line();
                text.push(b"(null)");
            }
            b'#' => text.push(if self.line() == b"t" { &b"#true"[..] } else { b"#false" }),
            b',' => {
                text.push(b"(double) ");
                text.push(self.line());
            }
            b'*' => self.describe_elements(text, ["[", "]"]),
            b'~' => self.describe_elements(text, ["~(", ")"]),
            b'%' => self.describe_map(text),
            b'|' => {
                for _ in 0..2 * self.integer() {
                    self.describe(&mut Text::new("", 0));
                }
                self.describe(text);
            }
            other => unreachable!("no reply begins with {other:#x}"),
        }
    }

    fn describe_bulk(&mut self, text: &mut Text) {
        match self.integer() {
            -1 => text.push(b"NULL"),
            len => text.push_quoted(self.take(len)),
        }
    }

    fn describe_elements(&mut self, text: &mut Text, [opening, closing]: [&str; 2]) {
        let Ok(count) = usize::try_from(self.integer()) else { return text.push(b"NULL") };
        text.push(opening.as_bytes());
        for index in 0..count {
            if index > 0 {
                text.push(b",");
            }
            self.describe(text);
        }
        text.push(closing.as_bytes());
    }

    fn describe_map(&mut self, text: &mut Text) {
        text.push(b"{");
        for index in 0..self.integer() {
            if index > 0 {
                text.push(b",");
            }
            self.describe(text);
            text.push(b" => ");
            self.describe(text);
        }
        text.push(b"}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reply: &str, expected: &str) {
        let mut text = Text::new("", 1000);
        describe(&mut text, reply.as_bytes());
        assert_eq!(String::from_utf8_lossy(&text.finish().0), expected);
    }

    #[test]
    fn each_kind_has_its_form() {
        check("+OK\r\n", "\"+OK\"");
        check("-ERR no\r\n", "\"-ERR no\"");
        check(":-7\r\n", "-7");
        check("$4\r\na\r\nb\r\n", "\"a\\r\\nb\"");
        check("$-1\r\n", "NULL");
        check("*-1\r\n", "NULL");
        check("*0\r\n", "[]");
        check("*2\r\n:1\r\n*1\r\n$1\r\nx\r\n", "[1,[\"x\"]]");
        check("~2\r\n:1\r\n:2\r\n", "~(1,2)");
        check("%2\r\n:1\r\n:2\r\n+a\r\n_\r\n", "{1 => 2,\"+a\" => (null)}");
        check("#t\r\n", "#true");
        check("#f\r\n", "#false");
        check(",1.5\r\n", "(double) 1.5");
        check("(123\r\n", "123");
        check("=5\r\ntxt:a\r\n", "\"txt:a\"");
        check("|1\r\n+a\r\n+b\r\n:1\r\n", "1");
    }
}
