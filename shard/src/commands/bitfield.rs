//! BITFIELD, BITFIELD_RO: integers of any width inside a string.
//!
//! All operations are read before the first one runs, so a wrong word changes nothing; then the
//! string is lengthened once, to the farthest bit any of them writes.

use super::bitmap::checked_offset;
use super::string_bytes;
use crate::bits::{FieldType, Overflow};
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::number::parse_integer;
use crate::reply::Reply;

const BAD_TYPE: CommandError = CommandError::Fixed(
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 \
     is.",
);
const BAD_OVERFLOW: CommandError = CommandError::Fixed("ERR Invalid OVERFLOW type specified");
const READ_ONLY: CommandError =
    CommandError::Fixed("ERR BITFIELD_RO only supports the GET subcommand");

/// What an operation does with its integer.
#[derive(Clone, Copy)]
enum Action {
    Get,
    Set(i64, Overflow),
    IncrementBy(i64, Overflow),
}

/// One operation: an integer at a bit offset, and what is done with it.
#[derive(Clone, Copy)]
struct Operation {
    kind: FieldType,
    offset: usize,
    action: Action,
}

impl Operation {
    /// Bytes the string must have for a write, or `None` if this only reads.
    fn written_length(&self) -> Option<usize> {
        let end = (self.offset + self.kind.width_bits()).div_ceil(8);
        (!matches!(self.action, Action::Get)).then_some(end)
    }

    /// Runs it, answers, and returns whether it has changed the string: the integer has another
    /// value now, or the string has `grown` for what was written.
    fn run(&self, bytes: &mut [u8], grown: bool, reply: &mut Reply<'_>) -> bool {
        let before = self.kind.read(bytes, self.offset);
        let (after, shown) = match self.action {
            Action::Get => (Some(before), before),
            Action::Set(value, overflow) => {
                (self.kind.fit(self.kind.stored(value), overflow), before)
            }
            Action::IncrementBy(increment, overflow) => {
                let sum = i128::from(before) + i128::from(increment);
                let after = self.kind.fit(sum, overflow);
                (after, after.unwrap_or(before))
            }
        };
        let Some(after) = after else {
            reply.null();
            return false;
        };
        reply.integer(shown);
        if after != before {
            self.kind.write(bytes, self.offset, after);
        }
        after != before || grown && self.written_length().is_some()
    }
}

/// BITFIELD.
pub fn bitfield(call: &mut Call<'_>) -> Outcome {
    let operations = parse(call)?;
    match operations.iter().filter_map(Operation::written_length).max() {
        Some(length) => write(call, &operations, length),
        None => read(call, &operations),
    }
}

/// BITFIELD_RO.
pub fn bitfield_ro(call: &mut Call<'_>) -> Outcome {
    let operations = parse(call)?;
    if operations.iter().any(|operation| operation.written_length().is_some()) {
        return Err(READ_ONLY);
    }
    read(call, &operations)
}

fn read(call: &mut Call<'_>, operations: &[Operation]) -> Outcome {
    let numbers: Vec<i64> = string_bytes::read(call, 1, |bytes| {
        let bytes = bytes.unwrap_or_default();
        operations.iter().map(|operation| operation.kind.read(bytes, operation.offset)).collect()
    })?;
    call.reply.array_len(numbers.len());
    numbers.into_iter().for_each(|number| call.reply.integer(number));
    Ok(())
}

fn write(call: &mut Call<'_>, operations: &[Operation], length: usize) -> Outcome {
    let key = call.key(1);
    let reply = &mut call.reply;
    let mut has_grown = false;
    let changed = string_bytes::change(call.store, key, length, |bytes, grown| {
        has_grown = grown;
        reply.array_len(operations.len());
        let mut changed = false;
        for operation in operations {
            changed |= operation.run(bytes, grown, reply);
        }
        changed
    })?;
    if changed {
        call.store.changed(key, Event::SetBit);
    } else if has_grown {
        // Every write failed, yet the string is longer: files must know, subscribers hear nothing.
        call.store.changed_quietly(key);
    }
    Ok(())
}

fn parse(call: &Call<'_>) -> Result<Vec<Operation>, CommandError> {
    let arguments = call.arguments;
    let bytes_max = call.store.settings().proto_max_bulk_len;
    let mut operations = Vec::with_capacity((arguments.len() - 2) / 3);
    let mut overflow = Overflow::default();
    let mut index = 2;
    while index < arguments.len() {
        let follow = arguments.len() - index - 1;
        let action: Option<fn(i64, Overflow) -> Action> = match () {
            () if arguments.is(index, "get") && follow >= 2 => None,
            () if arguments.is(index, "set") && follow >= 3 => Some(Action::Set),
            () if arguments.is(index, "incrby") && follow >= 3 => Some(Action::IncrementBy),
            () if arguments.is(index, "overflow") && follow >= 1 => {
                overflow = Overflow::from_name(arguments.at(index + 1)).ok_or(BAD_OVERFLOW)?;
                index += 2;
                continue;
            }
            () => return Err(error::SYNTAX),
        };
        let kind = FieldType::parse(arguments.at(index + 1)).ok_or(BAD_TYPE)?;
        let offset = parse_offset(arguments.at(index + 2), kind, bytes_max)?;
        index += 3;
        let action = match action {
            None => Action::Get,
            Some(action) => {
                let number = parse_integer(arguments.at(index)).ok_or(error::NOT_AN_INTEGER)?;
                index += 1;
                action(number, overflow)
            }
        };
        operations.push(Operation { kind, offset, action });
    }
    Ok(operations)
}

/// A bit offset, or after `#` the number of an integer of this width.
fn parse_offset(text: &[u8], kind: FieldType, bytes_max: usize) -> Result<usize, CommandError> {
    let offset = match text.strip_prefix(b"#") {
        Some(index) => {
            parse_integer(index).and_then(|index| index.checked_mul(kind.width_bits() as i64))
        }
        None => parse_integer(text),
    };
    checked_offset(offset, bytes_max)
}
