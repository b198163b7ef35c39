//! `struct`: values packed into bytes by a format, as the library struct 0.2 does it.
//!
//! | letter | value |
//! |---|---|
//! | `b` `B`, `h` `H`, `l` `L`, `T` | signed and unsigned integers of 1, 2 and 8 bytes, a size |
//! | `i<n>` `I<n>` | integers of n bytes, 4 without a number, 32 at most |
//! | `f` `d` | floating point numbers |
//! | `s`, `c<n>` | a text that ends with a zero; n bytes; `c0` takes its length from elsewhere |
//! | `x` | a byte of padding |
//! | `<` `>` `!<n>` | little endian, big endian, alignment |

use super::super::check::{bad_argument, bytes, fail, integer_or, number};
use super::super::lua::{Function, Lua, Raise};

pub(super) const FUNCTIONS: &[(&str, Function)] =
    &[("pack", pack), ("unpack", unpack), ("size", size)];

/// Longest integer, in bytes.
const INTEGER_BYTES_MAX: usize = 32;
/// Alignment of `!` without a number.
const ALIGNMENT: usize = 8;
/// Bytes `pack` may write.
const PACKED_BYTES_MAX: usize = 512 << 20;

/// A format on its way from left to right.
struct Format {
    text: Vec<u8>,
    position: usize,
    is_big_endian: bool,
    alignment: usize,
}

/// A letter of a format with its number worked out.
struct Item {
    letter: u8,
    size: usize,
}

impl Format {
    fn of(lua: Lua) -> Result<Self, Raise> {
        let mut text = bytes(&lua, 1)?.to_vec();
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        text.truncate(end);
        Ok(Self { text, position: 0, is_big_endian: false, alignment: 1 })
    }

    /// The number that stands here, or `default`.
    fn number(&mut self, lua: Lua, default: usize) -> Result<usize, Raise> {
        let digits = &self.text[self.position..];
        let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Ok(default);
        }
        let text = std::str::from_utf8(&digits[..count]).expect("digits are ASCII");
        self.position += count;
        match text.parse::<i32>() {
            Ok(number) => Ok(number as usize),
            Err(_) => fail(lua, "integral size overflow"),
        }
    }

    fn next(&mut self, lua: Lua) -> Result<Option<Item>, Raise> {
        let Some(&letter) = self.text.get(self.position) else { return Ok(None) };
        self.position += 1;
        let size = match letter {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.number(lua, 1)?,
            b'i' | b'I' => {
                let size = self.number(lua, 4)?;
                if size > INTEGER_BYTES_MAX {
                    let text =
                        format!("integral size {size} is larger than limit of {INTEGER_BYTES_MAX}");
                    return fail(lua, &text);
                }
                size
            }
            _ => 0,
        };
        Ok(Some(Item { letter, size }))
    }

    /// Padding before an item at `position`.
    fn padding(&self, item: &Item, position: usize) -> usize {
        if item.size == 0 || item.letter == b'c' {
            return 0;
        }
        let size = item.size.min(self.alignment);
        // As the original has it, which is only right for powers of two.
        size.wrapping_sub(position & (size - 1)) & (size - 1)
    }

    /// Obeys a letter that stands for no value.
    fn control(&mut self, lua: Lua, letter: u8) -> Result<(), Raise> {
        match letter {
            b' ' => {}
            b'>' => self.is_big_endian = true,
            b'<' => self.is_big_endian = false,
            b'!' => {
                let alignment = self.number(lua, ALIGNMENT)?;
                if !alignment.is_power_of_two() {
                    return fail(lua, &format!("alignment {alignment} is not a power of 2"));
                }
                self.alignment = alignment;
            }
            other => {
                let letter = char::from(other);
                return bad_argument(lua, 1, &format!("invalid format option '{letter}'"));
            }
        }
        Ok(())
    }
}

fn pack(lua: Lua) -> Result<i32, Raise> {
    let mut format = Format::of(lua)?;
    let mut out = Vec::new();
    let mut argument = 2;
    while let Some(item) = format.next(lua)? {
        let padding = format.padding(&item, out.len());
        out.resize(out.len() + padding, 0);
        if out.len() + item.size > PACKED_BYTES_MAX {
            return fail(lua, "packed data too long");
        }
        match item.letter {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                put_integer(&mut out, number(lua, argument)?, item.size, format.is_big_endian);
                argument += 1;
            }
            b'x' => out.push(0),
            b'f' => {
                let value = number(lua, argument)? as f32;
                put(&mut out, value.to_le_bytes(), format.is_big_endian);
                argument += 1;
            }
            b'd' => {
                let value = number(lua, argument)?;
                put(&mut out, value.to_le_bytes(), format.is_big_endian);
                argument += 1;
            }
            b'c' | b's' => {
                let text = bytes(&lua, argument)?;
                argument += 1;
                let size = if item.size == 0 { text.len() } else { item.size };
                if text.len() < size {
                    return bad_argument(lua, argument, "string too short");
                }
                out.extend_from_slice(&text[..size]);
                if item.letter == b's' {
                    out.push(0);
                }
            }
            other => format.control(lua, other)?,
        }
    }
    lua.push_bytes(&out);
    Ok(1)
}

fn put<const N: usize>(out: &mut Vec<u8>, mut little: [u8; N], is_big_endian: bool) {
    if is_big_endian {
        little.reverse();
    }
    out.extend_from_slice(&little);
}

fn put_integer(out: &mut Vec<u8>, value: f64, size: usize, is_big_endian: bool) {
    let value = if value < 0.0 { value as i64 as u64 } else { value as u64 };
    let start = out.len();
    let little = value.to_le_bytes();
    out.extend((0..size).map(|index| little.get(index).copied().unwrap_or(0)));
    if is_big_endian {
        out[start..].reverse();
    }
}

fn unpack(lua: Lua) -> Result<i32, Raise> {
    let mut format = Format::of(lua)?;
    let data = bytes(&lua, 2)?.to_vec();
    let start = integer_or(lua, 3, 1)?;
    if start < 1 {
        return bad_argument(lua, 3, "offset must be 1 or greater");
    }
    let mut position = start as usize - 1;
    let mut count = 0;
    while let Some(item) = format.next(lua)? {
        position = position.saturating_add(format.padding(&item, position));
        let Some(rest) = rest_of(&data, position, item.size) else {
            return bad_argument(lua, 2, "data string too short");
        };
        if !lua.has_room(4) {
            return fail(lua, "stack overflow (too many results)");
        }
        let field = &rest[..item.size];
        let mut taken = item.size;
        match item.letter {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let is_signed = item.letter.is_ascii_lowercase();
                lua.push_number(integer_of(field, is_signed, format.is_big_endian));
                count += 1;
            }
            b'x' => {}
            b'f' => {
                let value = f32::from_le_bytes(ordered(field, format.is_big_endian));
                lua.push_number(f64::from(value));
                count += 1;
            }
            b'd' => {
                lua.push_number(f64::from_le_bytes(ordered(field, format.is_big_endian)));
                count += 1;
            }
            b'c' => (taken, count) = unpack_counted(lua, &data, position, item.size, count)?,
            b's' => {
                let Some(len) = memchr::memchr(0, rest) else {
                    return fail(lua, "unfinished string in data");
                };
                lua.push_bytes(&rest[..len]);
                taken = len + 1;
                count += 1;
            }
            other => format.control(lua, other)?,
        }
        position += taken;
    }
    lua.push_number((position + 1) as f64);
    Ok(count + 1)
}

/// `c<n>`: so many bytes, or as many as the value before it said. Returns how many were taken, and
/// how many results there are by now.
fn unpack_counted(
    lua: Lua,
    data: &[u8],
    position: usize,
    size: usize,
    mut count: i32,
) -> Result<(usize, i32), Raise> {
    let mut taken = size;
    if size == 0 {
        if count == 0 || !lua.is_number(-1) {
            return fail(lua, "format 'c0' needs a previous size");
        }
        taken = lua.to_number(-1) as usize;
        lua.pop(1);
        count -= 1;
    }
    match rest_of(data, position, taken) {
        Some(rest) => lua.push_bytes(&rest[..taken]),
        None => return bad_argument(lua, 2, "data string too short"),
    }
    Ok((taken, count + 1))
}

/// What follows `position`, if it is at least so long.
fn rest_of(data: &[u8], position: usize, size: usize) -> Option<&[u8]> {
    data.get(position..).filter(|rest| rest.len() >= size)
}

fn ordered<const N: usize>(field: &[u8], is_big_endian: bool) -> [u8; N] {
    let mut bytes: [u8; N] = field.try_into().expect("the letter has that size");
    if is_big_endian {
        bytes.reverse();
    }
    bytes
}

fn integer_of(field: &[u8], is_signed: bool, is_big_endian: bool) -> f64 {
    let mut value: u64 = 0;
    for index in 0..field.len() {
        let byte = if is_big_endian { field[index] } else { field[field.len() - 1 - index] };
        value = value << 8 | u64::from(byte);
    }
    if !is_signed {
        return value as f64;
    }
    let unused_bits = 64 - (8 * field.len()).clamp(1, 64) as u32;
    (((value << unused_bits) as i64) >> unused_bits) as f64
}

fn size(lua: Lua) -> Result<i32, Raise> {
    let mut format = Format::of(lua)?;
    let mut position: usize = 0;
    while let Some(item) = format.next(lua)? {
        position += format.padding(&item, position);
        match item.letter {
            b's' => return bad_argument(lua, 1, "option 's' has no fixed size"),
            b'c' if item.size == 0 => {
                return bad_argument(lua, 1, "option 'c0' has no fixed size");
            }
            letter if !letter.is_ascii_alphanumeric() => format.control(lua, letter)?,
            _ => {}
        }
        position += item.size;
    }
    lua.push_number(position as f64);
    Ok(1)
}
