//! BITOP: strings combined bit by bit into another key.
//!
//! The sources are held by reference while the result is made: long strings as shared buffers,
//! which costs a count each, the rest as copies of at most a kilobyte. So the destination may be
//! one of the sources, and no long string is copied.

use super::string_bytes;
use crate::bits::{self, BLOCK_SIZE_MAX, Operation};
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::store::Key;
use crate::table::{INLINE_VALUE_MAX, SharedBytes, Value, ValueRef};
use crate::types::Type;

const _: () = assert!(INLINE_VALUE_MAX <= BLOCK_SIZE_MAX);

const FIRST_SOURCE: usize = 3;

/// A source string.
enum Source {
    Copied(Box<[u8]>),
    Held(SharedBytes),
}

impl Source {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::Held(bytes) => bytes,
        }
    }
}

/// BITOP.
pub fn bitop(call: &mut Call<'_>) -> Outcome {
    let operation = Operation::from_name(call.arguments.at(1)).ok_or(error::SYNTAX)?;
    check_source_count(operation, call.arguments.len() - FIRST_SOURCE)?;
    let sources: Vec<Source> = (FIRST_SOURCE..call.arguments.len())
        .map(|index| source_at(call, index))
        .collect::<Result<_, _>>()?;
    let sources: Vec<&[u8]> = sources.iter().map(Source::bytes).collect();
    let length = sources.iter().map(|source| source.len()).max().expect("there is a source");
    let target = call.key(2);
    if length > 0 {
        store_result(call, target, operation, &sources, length);
    } else if call.store.remove(target, call.store.settings().lazyfree_lazy_server_del) {
        call.store.changed(target, Event::Del);
    }
    call.reply.integer(length as i64);
    Ok(())
}

fn check_source_count(operation: Operation, count: usize) -> Result<(), CommandError> {
    if operation == Operation::Not && count != 1 {
        const TEXT: &str = "ERR BITOP NOT must be called with a single source key.";
        return Err(CommandError::Fixed(TEXT));
    }
    if operation.needs_two_sources() && count < 2 {
        let name = operation.name();
        return Err(CommandError::worded(format!(
            "ERR BITOP {name} must be called with at least two source keys."
        )));
    }
    Ok(())
}

fn source_at(call: &mut Call<'_>, index: usize) -> Result<Source, CommandError> {
    let access = call.read_access();
    let Some(entry) = call.store.find(call.key(index), access) else {
        return Ok(Source::Copied(Box::default()));
    };
    Ok(match string_bytes::string_in(entry)? {
        ValueRef::Int(number) => {
            Source::Copied(itoa::Buffer::new().format(number).as_bytes().into())
        }
        ValueRef::Bytes(bytes) => Source::Copied(bytes.into()),
        ValueRef::Shared(bytes) => Source::Held(bytes.clone()),
        ValueRef::Object(_) => unreachable!("a string is no object"),
    })
}

/// Makes the result where it stays, block by block.
fn store_result(
    call: &mut Call<'_>,
    target: Key<'_>,
    operation: Operation,
    sources: &[&[u8]],
    length: usize,
) {
    if length <= INLINE_VALUE_MAX {
        let mut bytes = [0; INLINE_VALUE_MAX];
        bits::combine(operation, sources, 0, &mut bytes[..length]);
        let value = Value::Bytes(&bytes[..length]);
        call.store.replace(target, Type::RawString, value, None, Event::Set);
        return;
    }
    let mut result = SharedBytes::with_capacity(length);
    for start in (0..length).step_by(BLOCK_SIZE_MAX) {
        let end = (start + BLOCK_SIZE_MAX).min(length);
        bits::combine(operation, sources, start, &mut result.grow(end)[start..]);
    }
    call.store.replace(target, Type::RawString, Value::Shared(result), None, Event::Set);
}
