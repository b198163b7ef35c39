//! `cmsgpack`: MessagePack, as the library lua-cmsgpack 0.4.0 writes and reads it.
//!
//! Numbers that are integers are written as such, in the shortest form. A table whose keys are 1 to
//! N is an array, any other a map. Tables nested deeper than 16 become nil, which ends circles.

use super::super::check::{bad_argument, bytes, fail, integer, integer_or};
use super::super::lua::{Function, Kind, Lua, Raise};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("pack", pack),
    ("unpack", unpack),
    ("unpack_one", unpack_one),
    ("unpack_limit", unpack_limit),
];

/// What the library says about itself.
pub(super) const TEXTS: &[(&str, &str)] = &[
    ("_NAME", "cmsgpack"),
    ("_VERSION", "lua-cmsgpack 0.4.0"),
    ("_COPYRIGHT", "Copyright (C) 2012, Redis Ltd."),
    ("_DESCRIPTION", "MessagePack C implementation for Lua"),
];

/// Tables within tables that are written.
const NESTING_MAX: usize = 16;
/// Arrays and maps within each other that are read: bounds our own recursion.
const DEPTH_MAX: usize = 1000;
/// Entries of a table room is made for in advance: what the input says is not to be believed.
const ROOM_MAX: usize = 64;

fn pack(lua: Lua) -> Result<i32, Raise> {
    let count = lua.top();
    if count == 0 {
        return bad_argument(lua, 0, "MessagePack pack needs input.");
    }
    let mut out = Vec::new();
    for index in 1..=count {
        if !lua.has_room(4) {
            return bad_argument(lua, 0, "Too many arguments for MessagePack pack.");
        }
        lua.push_copy(index);
        encode(lua, &mut out, 0)?;
    }
    lua.push_bytes(&out);
    Ok(1)
}

/// Writes the value on top of the stack and pops it.
fn encode(lua: Lua, out: &mut Vec<u8>, level: usize) -> Result<(), Raise> {
    match lua.kind(-1) {
        Kind::String => encode_text(out, lua.bytes(-1).expect("it is a text")),
        Kind::Boolean => out.push(if lua.to_boolean(-1) { 0xc3 } else { 0xc2 }),
        Kind::Number => encode_number(out, lua.to_number(-1)),
        Kind::Table if level < NESTING_MAX => encode_table(lua, out, level)?,
        _ => out.push(0xc0),
    }
    lua.pop(1);
    Ok(())
}

/// The shortest head for `count` things: small ones in one byte, then 8 (if there is such a head),
/// 16 and 32 bits.
fn head(out: &mut Vec<u8>, count: usize, small: (u8, usize), heads: (Option<u8>, u8, u8)) {
    match (count, heads) {
        (_, _) if count <= small.1 => out.push(small.0 | count as u8),
        (0..=0xff, (Some(head), _, _)) => out.extend([head, count as u8]),
        (0..=0xffff, (_, head, _)) => {
            out.push(head);
            out.extend((count as u16).to_be_bytes());
        }
        (_, (_, _, head)) => {
            out.push(head);
            out.extend((count as u32).to_be_bytes());
        }
    }
}

fn encode_text(out: &mut Vec<u8>, text: &[u8]) {
    head(out, text.len(), (0xa0, 31), (Some(0xd9), 0xda, 0xdb));
    out.extend_from_slice(text);
}

fn encode_number(out: &mut Vec<u8>, number: f64) {
    let integer = number as i64;
    if integer as f64 == number && integer != i64::MAX {
        return encode_integer(out, integer);
    }
    let short = number as f32;
    if f64::from(short) == number {
        out.push(0xca);
        out.extend(short.to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend(number.to_be_bytes());
    }
}

fn encode_integer(out: &mut Vec<u8>, number: i64) {
    match number {
        0..=0x7f => out.push(number as u8),
        0x80..=0xff => out.extend([0xcc, number as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend((number as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend((number as u32).to_be_bytes());
        }
        0x1_0000_0000.. => {
            out.push(0xcf);
            out.extend(number.to_be_bytes());
        }
        -32..=-1 => out.push(number as u8),
        -128..=-33 => out.extend([0xd0, number as u8]),
        -32768..=-129 => {
            out.push(0xd1);
            out.extend((number as i16).to_be_bytes());
        }
        -2_147_483_648..=-32769 => {
            out.push(0xd2);
            out.extend((number as i32).to_be_bytes());
        }
        _ => {
            out.push(0xd3);
            out.extend(number.to_be_bytes());
        }
    }
}

fn encode_table(lua: Lua, out: &mut Vec<u8>, level: usize) -> Result<(), Raise> {
    if !lua.has_room(4) {
        return fail(lua, "stack overflow (in function mp_encode_lua_table)");
    }
    let (count, is_array) = measure(lua);
    if is_array {
        head(out, count, (0x90, 15), (None, 0xdc, 0xdd));
        for number in 1..=count {
            lua.push_element(-1, number as i32);
            encode(lua, out, level + 1)?;
        }
        return Ok(());
    }
    head(out, count, (0x80, 15), (None, 0xde, 0xdf));
    lua.push_nil();
    while lua.next(-2) {
        lua.push_copy(-2);
        encode(lua, out, level + 1)?;
        encode(lua, out, level + 1)?;
    }
    Ok(())
}

/// Entries of the table on top of the stack, and whether its keys are 1 to that many.
fn measure(lua: Lua) -> (usize, bool) {
    let (mut count, mut greatest, mut is_array) = (0, 0, true);
    lua.push_nil();
    while lua.next(-2) {
        lua.pop(1);
        count += 1;
        let number = if lua.kind(-1) == Kind::Number { lua.to_number(-1) } else { 0.0 };
        is_array &= number > 0.0 && number <= f64::from(i32::MAX) && number.fract() == 0.0;
        greatest = greatest.max(number as usize);
    }
    (count, is_array && greatest == count)
}

/// What is left to read.
struct Input<'a> {
    left: &'a [u8],
}

/// Why reading ended.
enum Broken {
    Missing,
    Format,
    Nesting,
}

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let (taken, left) = self.left.split_at_checked(count).ok_or(Broken::Missing)?;
        self.left = left;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        self.take(N).map(|bytes| bytes.try_into().expect("so many were taken"))
    }

    fn count(&mut self, bytes: usize) -> Result<usize, Broken> {
        let taken = self.take(bytes)?;
        Ok(taken.iter().fold(0, |count, byte| count << 8 | usize::from(*byte)))
    }
}

/// Reads a value and pushes it.
fn decode(lua: Lua, input: &mut Input<'_>, depth: usize) -> Result<(), Broken> {
    if depth > DEPTH_MAX || !lua.has_room(4) {
        return Err(Broken::Nesting);
    }
    let kind = input.take(1)?[0];
    let number = match kind {
        0xcc => f64::from(input.fixed::<1>()?[0]),
        0xd0 => f64::from(i8::from_be_bytes(input.fixed()?)),
        0xcd => f64::from(u16::from_be_bytes(input.fixed()?)),
        0xd1 => f64::from(i16::from_be_bytes(input.fixed()?)),
        0xce => f64::from(u32::from_be_bytes(input.fixed()?)),
        0xd2 => f64::from(i32::from_be_bytes(input.fixed()?)),
        0xcf => u64::from_be_bytes(input.fixed()?) as f64,
        0xd3 => i64::from_be_bytes(input.fixed()?) as f64,
        0xca => f64::from(f32::from_be_bytes(input.fixed()?)),
        0xcb => f64::from_be_bytes(input.fixed()?),
        0x00..=0x7f => f64::from(kind),
        0xe0..=0xff => f64::from(kind as i8),
        _ => return decode_other(lua, input, kind, depth),
    };
    lua.push_number(number);
    Ok(())
}

/// Reads a value that is no number, whose first byte is `kind`.
fn decode_other(lua: Lua, input: &mut Input<'_>, kind: u8, depth: usize) -> Result<(), Broken> {
    match kind {
        0xc0 => lua.push_nil(),
        0xc2 | 0xc3 => lua.push_boolean(kind == 0xc3),
        0xa0..=0xbf => lua.push_bytes(input.take(usize::from(kind & 0x1f))?),
        0xd9..=0xdb => {
            let len = input.count(1 << (kind - 0xd9))?;
            lua.push_bytes(input.take(len)?);
        }
        0x90..=0x9f => decode_array(lua, input, usize::from(kind & 0xf), depth)?,
        0xdc | 0xdd => {
            let count = input.count(2 << (kind - 0xdc))?;
            decode_array(lua, input, count, depth)?;
        }
        0x80..=0x8f => decode_map(lua, input, usize::from(kind & 0xf), depth)?,
        0xde | 0xdf => {
            let count = input.count(2 << (kind - 0xde))?;
            decode_map(lua, input, count, depth)?;
        }
        _ => return Err(Broken::Format),
    }
    Ok(())
}

fn decode_array(lua: Lua, input: &mut Input<'_>, count: usize, depth: usize) -> Result<(), Broken> {
    lua.push_table(count.min(ROOM_MAX), 0);
    for number in 1..=count {
        decode(lua, input, depth + 1)?;
        lua.set_element(-2, number as i32);
    }
    Ok(())
}

fn decode_map(lua: Lua, input: &mut Input<'_>, count: usize, depth: usize) -> Result<(), Broken> {
    lua.push_table(0, count.min(ROOM_MAX));
    for _ in 0..count {
        decode(lua, input, depth + 1)?;
        let is_key = match lua.kind(-1) {
            Kind::Nil => false,
            Kind::Number => !lua.to_number(-1).is_nan(),
            _ => true,
        };
        decode(lua, input, depth + 1)?;
        if !is_key {
            return Err(Broken::Format);
        }
        lua.set_raw(-3);
    }
    Ok(())
}

fn unpack(lua: Lua) -> Result<i32, Raise> {
    unpack_from(lua, i64::from(i32::MAX), 0, true)
}

fn unpack_one(lua: Lua) -> Result<i32, Raise> {
    let offset = integer_or(lua, 2, 0)?;
    unpack_from(lua, 1, offset, false)
}

fn unpack_limit(lua: Lua) -> Result<i32, Raise> {
    let limit = integer(lua, 2)?;
    let offset = integer_or(lua, 3, 0)?;
    // As the original: neither a limit nor an offset means everything.
    if limit == 0 && offset == 0 {
        return unpack(lua);
    }
    unpack_from(lua, limit, offset, false)
}

fn unpack_from(lua: Lua, limit: i64, offset: i64, is_all: bool) -> Result<i32, Raise> {
    let data = bytes(&lua, 1)?.to_vec();
    if offset < 0 || limit < 0 {
        let text = format!(
            "Invalid request to unpack with offset of {offset} and limit of {}.",
            data.len()
        );
        return fail(lua, &text);
    }
    let Some(left) = data.get(offset as usize..) else {
        let text = format!("Start offset {offset} greater than input length {}.", data.len());
        return fail(lua, &text);
    };
    lua.set_top(1);
    let mut input = Input { left };
    let mut count = 0;
    while !input.left.is_empty() && i64::from(count) < limit {
        match decode(lua, &mut input, 0) {
            Ok(()) => count += 1,
            Err(Broken::Missing) => return fail(lua, "Missing bytes in input."),
            Err(Broken::Format) => return fail(lua, "Bad data format in input."),
            Err(Broken::Nesting) => return fail(lua, "Too many values or too deep in input."),
        }
    }
    if is_all {
        return Ok(count);
    }
    let next = if input.left.is_empty() { -1.0 } else { (data.len() - input.left.len()) as f64 };
    if !lua.has_room(1) {
        return fail(lua, "stack overflow (in function mp_unpack_full)");
    }
    lua.push_number(next);
    lua.insert(2);
    Ok(count + 1)
}
