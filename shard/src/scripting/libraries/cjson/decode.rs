//! Text to tables: a reader by tokens, with the errors lua-cjson has for what it does not expect.

use super::super::super::check::{bad_argument, bytes, fail};
use super::super::super::lua::{Lua, Raise};
use super::{Configuration, DEPTH_MAX, InvalidNumbers, NULL, configuration};

/// What stands at some place of the text.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Colon,
    Comma,
    End,
    Text(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    /// Something that is none, and why.
    Error(&'static str),
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Self::ObjectBegin => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::ArrayBegin => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::End => "T_END",
            Self::Text(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::Error(reason) => reason,
        }
    }
}

pub(super) fn decode(lua: Lua) -> Result<i32, Raise> {
    if lua.top() != 1 {
        return bad_argument(lua, 1, "expected 1 argument");
    }
    let text = bytes(&lua, 1)?.to_vec();
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return fail(lua, "JSON parser does not support UTF-16 or UTF-32");
    }
    let mut decoder = Decoder { lua, json: configuration(lua), text: &text, position: 0, depth: 0 };
    let token = decoder.token();
    decoder.value(token)?;
    let (end, at) = decoder.token();
    if end != Token::End {
        return decoder.unexpected("the end", &end, at);
    }
    Ok(1)
}

struct Decoder<'a> {
    lua: Lua,
    json: Configuration,
    text: &'a [u8],
    position: usize,
    depth: i64,
}

impl Decoder<'_> {
    /// The byte at `position`, or zero past the end.
    fn byte(&self, position: usize) -> u8 {
        self.text.get(position).copied().unwrap_or(0)
    }

    fn unexpected<T>(&self, wanted: &str, found: &Token, at: usize) -> Result<T, Raise> {
        let found = found.name();
        fail(self.lua, &format!("Expected {wanted} but found {found} at character {}", at + 1))
    }

    /// The next token and where it begins.
    fn token(&mut self) -> (Token, usize) {
        while matches!(self.byte(self.position), b' ' | b'\t' | b'\n' | b'\r')
            && self.position < self.text.len()
        {
            self.position += 1;
        }
        let at = self.position;
        let single = match self.byte(at) {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b':' => Token::Colon,
            b',' => Token::Comma,
            0 if at >= self.text.len() => return (Token::End, at),
            b'"' => return self.text_token(),
            _ => return self.word_token(),
        };
        self.position += 1;
        (single, at)
    }

    fn word_token(&mut self) -> (Token, usize) {
        let at = self.position;
        let rest = &self.text[at..];
        for (word, token) in [
            (&b"true"[..], Token::Boolean(true)),
            (b"false", Token::Boolean(false)),
            (b"null", Token::Null),
        ] {
            if rest.starts_with(word) {
                self.position += word.len();
                return (token, at);
            }
        }
        let is_plain = matches!(rest[0], b'0'..=b'9' | b'-');
        let allows_invalid = self.json.decode_invalid == InvalidNumbers::Allowed;
        let is_invalid = is_invalid_number(rest);
        match (is_plain, allows_invalid) {
            (true, false) if is_invalid => (Token::Error("invalid number"), at),
            (true, _) => self.number_token(),
            (false, true) if is_invalid => self.number_token(),
            _ => (Token::Error("invalid token"), at),
        }
    }

    fn number_token(&mut self) -> (Token, usize) {
        let at = self.position;
        match parse_number(&self.text[at..]) {
            Some((number, len)) => {
                self.position += len;
                (Token::Number(number), at)
            }
            None => (Token::Error("invalid number"), at),
        }
    }

    fn text_token(&mut self) -> (Token, usize) {
        let at = self.position;
        self.position += 1;
        let mut text = Vec::new();
        loop {
            match self.byte(self.position) {
                b'"' => break,
                0 => return (Token::Error("unexpected end of string"), self.position),
                b'\\' => {
                    if let Err(reason) = self.escape(&mut text) {
                        return (Token::Error(reason), self.position);
                    }
                }
                other => {
                    text.push(other);
                    self.position += 1;
                }
            }
        }
        self.position += 1;
        (Token::Text(text), at)
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), &'static str> {
        let plain = match self.byte(self.position + 1) {
            same @ (b'"' | b'\\' | b'/') => same,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode_escape(text).ok_or("invalid unicode escape code"),
            _ => return Err("invalid escape code"),
        };
        text.push(plain);
        self.position += 2;
        Ok(())
    }

    /// `\uXXXX`, two of them for what lies beyond 16 bits. None if it is neither.
    fn unicode_escape(&mut self, text: &mut Vec<u8>) -> Option<()> {
        let mut code = self.hex(self.position + 2)?;
        let mut len = 6;
        if code & 0xf800 == 0xd800 {
            if code & 0x400 != 0 {
                return None;
            }
            let second = self.position + 6;
            if self.byte(second) != b'\\' || self.byte(second + 1) != b'u' {
                return None;
            }
            let low = self.hex(second + 2)?;
            if low & 0xfc00 != 0xdc00 {
                return None;
            }
            code = (((code & 0x3ff) << 10) | (low & 0x3ff)) + 0x1_0000;
            len = 12;
        }
        let character = char::from_u32(code)?;
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        self.position += len;
        Some(())
    }

    fn hex(&self, position: usize) -> Option<u32> {
        let mut code = 0;
        for index in 0..4 {
            code = code << 4 | char::from(self.byte(position + index)).to_digit(16)?;
        }
        Some(code)
    }

    /// Pushes the value that begins with `token`.
    fn value(&mut self, (token, at): (Token, usize)) -> Result<(), Raise> {
        match token {
            Token::Text(text) => self.lua.push_bytes(&text),
            Token::Number(number) => self.lua.push_number(number),
            Token::Boolean(value) => self.lua.push_boolean(value),
            Token::ObjectBegin => self.object()?,
            Token::ArrayBegin => self.array()?,
            Token::Null => self.lua.push_mark(NULL),
            other => return self.unexpected("value", &other, at),
        }
        Ok(())
    }

    fn descend(&mut self) -> Result<(), Raise> {
        self.depth += 1;
        let limit = self.json.decode_max_depth.min(DEPTH_MAX);
        if self.depth <= limit && self.lua.has_room(4) {
            return Ok(());
        }
        let (depth, position) = (self.depth, self.position);
        let text =
            format!("Found too many nested data structures ({depth}) at character {position}");
        fail(self.lua, &text)
    }

    fn object(&mut self) -> Result<(), Raise> {
        self.descend()?;
        self.lua.push_table(0, 0);
        let mut token = self.token();
        if token.0 != Token::ObjectEnd {
            loop {
                let (Token::Text(name), _) = &token else {
                    return self.unexpected("object key string", &token.0, token.1);
                };
                self.lua.push_bytes(name);
                let (colon, at) = self.token();
                if colon != Token::Colon {
                    return self.unexpected("colon", &colon, at);
                }
                let value = self.token();
                self.value(value)?;
                self.lua.set_raw(-3);
                match self.token() {
                    (Token::ObjectEnd, _) => break,
                    (Token::Comma, _) => token = self.token(),
                    (other, at) => return self.unexpected("comma or object end", &other, at),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self) -> Result<(), Raise> {
        self.descend()?;
        self.lua.push_table(0, 0);
        let mut token = self.token();
        if token.0 != Token::ArrayEnd {
            let mut number = 1;
            loop {
                self.value(token)?;
                self.lua.set_element(-2, number);
                number += 1;
                match self.token() {
                    (Token::ArrayEnd, _) => break,
                    (Token::Comma, _) => token = self.token(),
                    (other, at) => return self.unexpected("comma or array end", &other, at),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }
}

/// Whether a text begins with what C reads as a number and JSON does not know: hexadecimal digits,
/// leading zeros, infinity, what is no number.
fn is_invalid_number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    match text {
        [b'0', b'x' | b'X' | b'0'..=b'9', ..] => true,
        [b'0'..=b'9', ..] => false,
        [first, ..] if first.is_ascii_alphabetic() => {
            let word = text.get(..3).unwrap_or_default();
            word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan")
        }
        _ => false,
    }
}

/// The longest number a text begins with, as `strtod` of C reads it, and its length.
fn parse_number(text: &[u8]) -> Option<(f64, usize)> {
    let (sign, unsigned) = match text.strip_prefix(b"-") {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    let skipped = text.len() - unsigned.len();
    let begins = |word: &[u8]| {
        unsigned.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    for (word, value) in
        [(&b"infinity"[..], f64::INFINITY), (b"inf", f64::INFINITY), (b"nan", f64::NAN)]
    {
        if begins(word) {
            return Some((sign * value, skipped + word.len()));
        }
    }
    let count = |text: &[u8], is_digit: fn(&u8) -> bool| {
        text.iter().take_while(|byte| is_digit(byte)).count()
    };
    if begins(b"0x") {
        let digits = count(&unsigned[2..], u8::is_ascii_hexdigit);
        if digits > 0 {
            let value = unsigned[2..2 + digits].iter().fold(0.0, |value, byte| {
                value * 16.0 + f64::from(char::from(*byte).to_digit(16).unwrap_or(0))
            });
            return Some((sign * value, skipped + 2 + digits));
        }
    }
    let mut len = count(unsigned, u8::is_ascii_digit);
    let mut digits = len;
    if unsigned.get(len) == Some(&b'.') {
        let decimals = count(&unsigned[len + 1..], u8::is_ascii_digit);
        digits += decimals;
        len += 1 + decimals;
    }
    if digits == 0 {
        return None;
    }
    if let Some(b'e' | b'E') = unsigned.get(len) {
        let signed = matches!(unsigned.get(len + 1), Some(b'+' | b'-'));
        let start = len + 1 + usize::from(signed);
        let exponent = count(unsigned.get(start..).unwrap_or_default(), u8::is_ascii_digit);
        if exponent > 0 {
            len = start + exponent;
        }
    }
    let number = std::str::from_utf8(&unsigned[..len]).ok()?.parse::<f64>().ok()?;
    Some((sign * number, skipped + len))
}
