//! `cjson`: JSON, as the library lua-cjson 2.1.0 writes and reads it.
//!
//! A table whose keys are integers from 1 on is an array, unless it is too sparse; any other, the
//! empty one too, is an object. Numbers have 14 digits. `null` is a pointer of its own,
//! `cjson.null`. What scripts change about this holds until they end.

use super::super::check::{bad_argument, bytes, fail, integer};
use super::super::lua::{Function, Kind, Lua, Raise};
use super::general::format_general;

mod decode;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("encode", encode),
    ("decode", decode::decode),
    ("encode_sparse_array", encode_sparse_array),
    ("encode_max_depth", encode_max_depth),
    ("decode_max_depth", decode_max_depth),
    ("encode_number_precision", encode_number_precision),
    ("encode_keep_buffer", encode_keep_buffer),
    ("encode_invalid_numbers", encode_invalid_numbers),
    ("decode_invalid_numbers", decode_invalid_numbers),
];

/// The mark that is `cjson.null`.
pub(super) const NULL: usize = 0;

/// Nesting beyond which nothing is written or read, whatever a script asks for: bounds our own
/// recursion.
const DEPTH_MAX: i64 = 1000;

/// Bytes of text `encode` may make.
const TEXT_BYTES_MAX: usize = 512 << 20;

/// What is done with numbers JSON has no form for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidNumbers {
    Refused,
    Allowed,
    /// Written as `null`.
    Null,
}

/// How tables become text and back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Configuration {
    converts_sparse: bool,
    sparse_ratio: i64,
    sparse_safe: i64,
    encode_max_depth: i64,
    decode_max_depth: i64,
    number_precision: i64,
    keeps_buffer: bool,
    encode_invalid: InvalidNumbers,
    decode_invalid: InvalidNumbers,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            converts_sparse: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_max_depth: DEPTH_MAX,
            decode_max_depth: DEPTH_MAX,
            number_precision: 14,
            keeps_buffer: true,
            encode_invalid: InvalidNumbers::Refused,
            decode_invalid: InvalidNumbers::Allowed,
        }
    }
}

fn configuration(lua: Lua) -> Configuration {
    lua.with_run(|run| run.json).unwrap_or_default()
}

fn change(lua: Lua, change: impl FnOnce(&mut Configuration)) {
    lua.with_run(|run| change(&mut run.json));
}

/// Makes sure there are at most so many arguments, and exactly as many on the stack.
fn arguments(lua: Lua, most: i32) -> Result<(), Raise> {
    if lua.top() > most {
        return bad_argument(lua, most + 1, "found too many arguments");
    }
    lua.set_top(most);
    Ok(())
}

/// The integer at `index`, between two bounds, if there is one.
fn integer_option(lua: Lua, index: i32, least: i64, most: i64) -> Result<Option<i64>, Raise> {
    if lua.kind(index) == Kind::Nil {
        return Ok(None);
    }
    let value = integer(lua, index)?;
    if !(least..=most).contains(&value) {
        let text = format!("expected integer between {least} and {most}");
        return bad_argument(lua, 1, &text);
    }
    Ok(Some(value))
}

fn encode_sparse_array(lua: Lua) -> Result<i32, Raise> {
    arguments(lua, 3)?;
    let converts = (lua.kind(1) != Kind::Nil).then(|| lua.to_boolean(1));
    let ratio = integer_option(lua, 2, 0, i64::from(i32::MAX))?;
    let safe = integer_option(lua, 3, 0, i64::from(i32::MAX))?;
    change(lua, |json| {
        json.converts_sparse = converts.unwrap_or(json.converts_sparse);
        json.sparse_ratio = ratio.unwrap_or(json.sparse_ratio);
        json.sparse_safe = safe.unwrap_or(json.sparse_safe);
    });
    let json = configuration(lua);
    lua.push_boolean(json.converts_sparse);
    lua.push_number(json.sparse_ratio as f64);
    lua.push_number(json.sparse_safe as f64);
    Ok(3)
}

/// Sets a number if an argument is given, and answers what it is then.
fn number_option(
    lua: Lua,
    least: i64,
    most: i64,
    place: fn(&mut Configuration) -> &mut i64,
) -> Result<i32, Raise> {
    arguments(lua, 1)?;
    if let Some(value) = integer_option(lua, 1, least, most)? {
        change(lua, |json| *place(json) = value);
    }
    lua.push_number(*place(&mut configuration(lua)) as f64);
    Ok(1)
}

fn encode_max_depth(lua: Lua) -> Result<i32, Raise> {
    number_option(lua, 1, i64::from(i32::MAX), |json| &mut json.encode_max_depth)
}

fn decode_max_depth(lua: Lua) -> Result<i32, Raise> {
    number_option(lua, 1, i64::from(i32::MAX), |json| &mut json.decode_max_depth)
}

fn encode_number_precision(lua: Lua) -> Result<i32, Raise> {
    number_option(lua, 1, 14, |json| &mut json.number_precision)
}

/// Buffers are not kept here; what was set is answered all the same.
fn encode_keep_buffer(lua: Lua) -> Result<i32, Raise> {
    arguments(lua, 1)?;
    if lua.kind(1) != Kind::Nil {
        let keeps = lua.to_boolean(1);
        change(lua, |json| json.keeps_buffer = keeps);
    }
    lua.push_boolean(configuration(lua).keeps_buffer);
    Ok(1)
}

fn encode_invalid_numbers(lua: Lua) -> Result<i32, Raise> {
    invalid_numbers(lua, true, |json| &mut json.encode_invalid)
}

fn decode_invalid_numbers(lua: Lua) -> Result<i32, Raise> {
    invalid_numbers(lua, false, |json| &mut json.decode_invalid)
}

fn invalid_numbers(
    lua: Lua,
    may_be_null: bool,
    place: fn(&mut Configuration) -> &mut InvalidNumbers,
) -> Result<i32, Raise> {
    arguments(lua, 1)?;
    let chosen = match lua.kind(1) {
        Kind::Nil => None,
        Kind::Boolean if lua.to_boolean(1) => Some(InvalidNumbers::Allowed),
        Kind::Boolean => Some(InvalidNumbers::Refused),
        _ => match bytes(&lua, 1)? {
            b"off" => Some(InvalidNumbers::Refused),
            b"on" => Some(InvalidNumbers::Allowed),
            b"null" if may_be_null => Some(InvalidNumbers::Null),
            other => {
                let text = format!("invalid option '{}'", String::from_utf8_lossy(other));
                return bad_argument(lua, 1, &text);
            }
        },
    };
    if let Some(chosen) = chosen {
        change(lua, |json| *place(json) = chosen);
    }
    match *place(&mut configuration(lua)) {
        InvalidNumbers::Refused => lua.push_boolean(false),
        InvalidNumbers::Allowed => lua.push_boolean(true),
        InvalidNumbers::Null => lua.push_bytes(b"null"),
    }
    Ok(1)
}

fn encode(lua: Lua) -> Result<i32, Raise> {
    if lua.top() != 1 {
        return bad_argument(lua, 1, "expected 1 argument");
    }
    let mut encoder = Encoder { lua, json: configuration(lua), out: Vec::new() };
    encoder.value(0)?;
    lua.push_bytes(&encoder.out);
    Ok(1)
}

struct Encoder {
    lua: Lua,
    json: Configuration,
    out: Vec<u8>,
}

impl Encoder {
    fn refuse<T>(&self, index: i32, reason: &str) -> Result<T, Raise> {
        let kind = self.lua.kind_name(index);
        fail(self.lua, &format!("Cannot serialise {kind}: {reason}"))
    }

    /// Writes the value on top of the stack and leaves it there.
    fn value(&mut self, depth: i64) -> Result<(), Raise> {
        if self.out.len() > TEXT_BYTES_MAX {
            return self.refuse(-1, "text too long");
        }
        match self.lua.kind(-1) {
            Kind::String => self.text(-1),
            Kind::Number => self.number(-1)?,
            Kind::Boolean if self.lua.to_boolean(-1) => self.out.extend_from_slice(b"true"),
            Kind::Boolean => self.out.extend_from_slice(b"false"),
            Kind::Table => self.table(depth + 1)?,
            Kind::Nil => self.out.extend_from_slice(b"null"),
            Kind::Pointer if self.lua.is_mark(-1, NULL) => self.out.extend_from_slice(b"null"),
            _ => return self.refuse(-1, "type not supported"),
        }
        Ok(())
    }

    fn text(&mut self, index: i32) {
        let text = self.lua.bytes(index).expect("it is a text");
        self.out.push(b'"');
        for &byte in text {
            match byte {
                b'"' => self.out.extend_from_slice(b"\\\""),
                b'\\' => self.out.extend_from_slice(b"\\\\"),
                b'/' => self.out.extend_from_slice(b"\\/"),
                8 => self.out.extend_from_slice(b"\\b"),
                9 => self.out.extend_from_slice(b"\\t"),
                10 => self.out.extend_from_slice(b"\\n"),
                12 => self.out.extend_from_slice(b"\\f"),
                13 => self.out.extend_from_slice(b"\\r"),
                0..=31 | 127 => self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
    }

    fn number(&mut self, index: i32) -> Result<(), Raise> {
        let value = self.lua.to_number(index);
        if !value.is_finite() {
            match self.json.encode_invalid {
                InvalidNumbers::Refused => return self.refuse(index, "must not be NaN or Inf"),
                InvalidNumbers::Allowed if value.is_nan() => {
                    self.out.extend_from_slice(b"nan");
                    return Ok(());
                }
                InvalidNumbers::Allowed => {}
                InvalidNumbers::Null => {
                    self.out.extend_from_slice(b"null");
                    return Ok(());
                }
            }
        }
        let integer = value as i64;
        if integer as f64 == value
            && integer.unsigned_abs() < 100_000_000_000_000
            && self.json.number_precision == 14
            && (integer != 0 || value.is_sign_positive())
        {
            self.out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
        } else {
            let text = format_general(value, self.json.number_precision as usize);
            self.out.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }

    fn table(&mut self, depth: i64) -> Result<(), Raise> {
        let is_too_deep = depth > self.json.encode_max_depth.min(DEPTH_MAX);
        if is_too_deep || !self.lua.has_room(4) {
            return fail(self.lua, &format!("Cannot serialise, excessive nesting ({depth})"));
        }
        match self.array_len()? {
            0 => self.object(depth),
            len => self.array(len, depth),
        }
    }

    /// Length of the table on top of the stack, as an array; 0 if it is an object.
    fn array_len(&self) -> Result<i64, Raise> {
        let (mut greatest, mut count) = (0.0, 0);
        self.lua.push_nil();
        while self.lua.next(-2) {
            self.lua.pop(1);
            let number =
                if self.lua.kind(-1) == Kind::Number { self.lua.to_number(-1) } else { 0.0 };
            if number < 1.0 || number.fract() != 0.0 || number > f64::from(i32::MAX) {
                self.lua.pop(1);
                return Ok(0);
            }
            greatest = f64::max(greatest, number);
            count += 1;
        }
        let greatest = greatest as i64;
        let is_sparse = self.json.sparse_ratio > 0
            && greatest > count * self.json.sparse_ratio
            && greatest > self.json.sparse_safe;
        match (is_sparse, self.json.converts_sparse) {
            (false, _) => Ok(greatest),
            (true, true) => Ok(0),
            (true, false) => self.refuse(-1, "excessively sparse array"),
        }
    }

    fn array(&mut self, len: i64, depth: i64) -> Result<(), Raise> {
        self.out.push(b'[');
        for number in 1..=len {
            if number > 1 {
                self.out.push(b',');
            }
            self.lua.push_element(-1, number as i32);
            self.value(depth)?;
            self.lua.pop(1);
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, depth: i64) -> Result<(), Raise> {
        self.out.push(b'{');
        let mut is_first = true;
        self.lua.push_nil();
        while self.lua.next(-2) {
            if !std::mem::take(&mut is_first) {
                self.out.push(b',');
            }
            match self.lua.kind(-2) {
                Kind::Number => {
                    self.out.push(b'"');
                    self.number(-2)?;
                    self.out.push(b'"');
                }
                Kind::String => self.text(-2),
                _ => return self.refuse(-2, "table key must be a number or string"),
            }
            self.out.push(b':');
            self.value(depth)?;
            self.lua.pop(1);
        }
        self.out.push(b'}');
        Ok(())
    }
}
