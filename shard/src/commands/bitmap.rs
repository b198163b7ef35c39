//! SETBIT, GETBIT, BITCOUNT, BITPOS: single bits and runs of them.
//!
//! Arguments are checked before the key is looked at, in Redis' order, so a wrong argument is told
//! even where the key is missing.

use super::string_bytes;
use crate::arguments::Arguments;
use crate::bits::{self, Unit};
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::number::parse_integer;

/// A bit offset is none, or past the longest string.
pub(super) const BAD_OFFSET: CommandError =
    CommandError::Fixed("ERR bit offset is not an integer or out of range");
const BAD_BIT: CommandError = CommandError::Fixed("ERR bit is not an integer or out of range");
const BAD_WANTED_BIT: CommandError = CommandError::Fixed("ERR The bit argument must be 1 or 0.");

/// Checks a bit offset against the longest string of `bytes_max` bytes.
pub(super) fn checked_offset(offset: Option<i64>, bytes_max: usize) -> Result<usize, CommandError> {
    let offset = offset.and_then(|offset| usize::try_from(offset).ok());
    offset.filter(|offset| offset / 8 < bytes_max).ok_or(BAD_OFFSET)
}

fn offset_at(call: &Call<'_>, index: usize) -> Result<usize, CommandError> {
    let offset = parse_integer(call.arguments.at(index));
    checked_offset(offset, call.store.settings().proto_max_bulk_len)
}

/// SETBIT.
pub fn setbit(call: &mut Call<'_>) -> Outcome {
    let offset = offset_at(call, 2)?;
    let value = match parse_integer(call.arguments.at(3)) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(BAD_BIT),
    };
    let key = call.key(1);
    let length = offset / 8 + 1;
    let (before, grown) = string_bytes::change(call.store, key, length, |bytes, grown| {
        (bits::set_bit(bytes, offset, value), grown)
    })?;
    if grown || before != value {
        call.store.changed(key, Event::SetBit);
    }
    call.reply.integer(i64::from(before));
    Ok(())
}

/// GETBIT.
pub fn getbit(call: &mut Call<'_>) -> Outcome {
    let offset = offset_at(call, 2)?;
    let bit = string_bytes::read(call, 1, |bytes| bits::bit(bytes.unwrap_or_default(), offset))?;
    call.reply.integer(i64::from(bit));
    Ok(())
}

/// The range a command names: from `start`, and to `end` if there is one.
#[derive(Clone, Copy)]
struct Span {
    start: i64,
    end: Option<i64>,
    unit: Unit,
}

impl Span {
    const WHOLE: Self = Self { start: 0, end: None, unit: Unit::Byte };

    fn in_string(self, length: usize) -> std::ops::Range<usize> {
        bits::resolve(self.start, self.end.unwrap_or(-1), self.unit, length)
    }
}

fn integer_at(arguments: Arguments<'_>, index: usize) -> Result<i64, CommandError> {
    parse_integer(arguments.at(index)).ok_or(error::NOT_AN_INTEGER)
}

fn unit_at(arguments: Arguments<'_>, index: usize) -> Result<Unit, CommandError> {
    let name = arguments.get(index);
    name.map_or(Ok(Unit::Byte), |name| Unit::from_name(name).ok_or(error::SYNTAX))
}

/// BITCOUNT.
pub fn bitcount(call: &mut Call<'_>) -> Outcome {
    let arguments = call.arguments;
    let span = match arguments.len() {
        2 => Span::WHOLE,
        3 => Span { start: integer_at(arguments, 2)?, ..Span::WHOLE },
        4 | 5 => {
            let (start, end) = (integer_at(arguments, 2)?, integer_at(arguments, 3)?);
            Span { start, end: Some(end), unit: unit_at(arguments, 4)? }
        }
        _ => return Err(error::SYNTAX),
    };
    let count = string_bytes::read(call, 1, |bytes| {
        // Both ends before the string would be its first unit, in whatever order they are.
        let end = span.end.unwrap_or(-1);
        if span.start < 0 && end < 0 && span.start > end {
            return 0;
        }
        bytes.map_or(0, |bytes| bits::count(bytes, span.in_string(bytes.len())))
    })?;
    call.reply.integer(count as i64);
    Ok(())
}

/// BITPOS.
pub fn bitpos(call: &mut Call<'_>) -> Outcome {
    let arguments = call.arguments;
    let wanted = match integer_at(arguments, 2)? {
        0 => false,
        1 => true,
        _ => return Err(BAD_WANTED_BIT),
    };
    let span = match arguments.len() {
        3 => Span::WHOLE,
        4 => Span { start: integer_at(arguments, 3)?, ..Span::WHOLE },
        5 | 6 => {
            let (start, unit) = (integer_at(arguments, 3)?, unit_at(arguments, 5)?);
            Span { start, end: Some(integer_at(arguments, 4)?), unit }
        }
        _ => return Err(error::SYNTAX),
    };
    let position = string_bytes::read(call, 1, |bytes| match bytes {
        Some(bytes) => position(bytes, span, wanted),
        None => (!wanted).then_some(0),
    })?;
    call.reply.integer(position.map_or(-1, |position| position as i64));
    Ok(())
}

/// Where the first bit of that value is. A string is followed by zeros without end unless the range
/// has an end of its own; an empty range holds nothing.
fn position(bytes: &[u8], span: Span, wanted: bool) -> Option<usize> {
    let range = span.in_string(bytes.len());
    if range.is_empty() {
        return None;
    }
    let behind = (!wanted && span.end.is_none()).then_some(range.end);
    bits::find(bytes, range, wanted).or(behind)
}
