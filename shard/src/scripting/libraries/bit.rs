//! `bit`: operations on 32-bit integers, as the library BitOp 1.0.2 has them.

use super::super::check::{integer, integer_or, number};
use super::super::lua::{Function, Kind, Lua, Raise};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("tobit", |lua| unary(lua, |value| value)),
    ("bnot", |lua| unary(lua, |value| !value)),
    ("bswap", |lua| unary(lua, u32::swap_bytes)),
    ("band", |lua| fold(lua, |left, right| left & right)),
    ("bor", |lua| fold(lua, |left, right| left | right)),
    ("bxor", |lua| fold(lua, |left, right| left ^ right)),
    ("lshift", |lua| shift(lua, |value, by| value << by)),
    ("rshift", |lua| shift(lua, |value, by| value >> by)),
    ("arshift", |lua| shift(lua, |value, by| ((value as i32) >> by) as u32)),
    ("rol", |lua| shift(lua, u32::rotate_left)),
    ("ror", |lua| shift(lua, u32::rotate_right)),
    ("tohex", tohex),
];

/// A number modulo 2^32, rounded to an integer as adding 2^52 + 2^51 rounds it.
fn bits(lua: Lua, index: i32) -> Result<u32, Raise> {
    const ROUNDER: f64 = 6_755_399_441_055_744.0;
    Ok((number(lua, index)? + ROUNDER).to_bits() as u32)
}

fn answer(lua: Lua, value: u32) -> Result<i32, Raise> {
    lua.push_number(f64::from(value as i32));
    Ok(1)
}

fn unary(lua: Lua, operation: impl Fn(u32) -> u32) -> Result<i32, Raise> {
    let value = bits(lua, 1)?;
    answer(lua, operation(value))
}

fn fold(lua: Lua, operation: impl Fn(u32, u32) -> u32) -> Result<i32, Raise> {
    let mut value = bits(lua, 1)?;
    for index in 2..=lua.top() {
        value = operation(value, bits(lua, index)?);
    }
    answer(lua, value)
}

fn shift(lua: Lua, operation: impl Fn(u32, u32) -> u32) -> Result<i32, Raise> {
    let value = bits(lua, 1)?;
    let by = bits(lua, 2)? & 31;
    answer(lua, operation(value, by))
}

/// The last digits in hexadecimal: as many as the second argument says, in upper case if it is
/// negative.
fn tohex(lua: Lua) -> Result<i32, Raise> {
    let value = bits(lua, 1)?;
    let digits = match lua.kind(2) {
        Kind::None => 8,
        Kind::Nil => integer(lua, 2)?,
        _ => integer_or(lua, 2, 8)?,
    };
    let count = digits.unsigned_abs().min(8) as usize;
    let text = if digits < 0 { format!("{value:08X}") } else { format!("{value:08x}") };
    lua.push_bytes(&text.as_bytes()[8 - count..]);
    Ok(1)
}
