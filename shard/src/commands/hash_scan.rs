//! HSCAN: walks the fields of a hash a few at a time.
//!
//! The cursor is a place in the order of hashes of the names, so it stays right while the hash
//! grows and shrinks. A packed hash is returned whole in one call.

use super::scan::parse_cursor;
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::glob;
use crate::hashes::{Hash, Text};
use crate::number::parse_integer;
use crate::reply::{Output, Protocol, Reply};
use crate::table::Position;

/// Buckets one call visits for each field it is asked for, as Redis does.
const BUCKETS_PER_COUNT: usize = 10;

/// What stands behind `HSCAN key cursor`.
struct Options<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    has_values: bool,
}

impl<'a> Options<'a> {
    fn parse(arguments: Arguments<'a>) -> Result<Self, CommandError> {
        let mut options = Self { pattern: None, count: 10, has_values: true };
        let mut index = 3;
        while index < arguments.len() {
            if arguments.is(index, "novalues") {
                options.has_values = false;
                index += 1;
                continue;
            }
            let value = arguments.get(index + 1).ok_or(error::SYNTAX)?;
            if arguments.is(index, "count") {
                let count = parse_integer(value).ok_or(error::NOT_AN_INTEGER)?;
                options.count = usize::try_from(count).unwrap_or(0);
                if options.count == 0 {
                    return Err(error::SYNTAX);
                }
            } else if arguments.is(index, "match") {
                options.pattern = (value != b"*").then_some(value);
            } else {
                return Err(error::SYNTAX);
            }
            index += 2;
        }
        Ok(options)
    }

    fn wants(&self, name: Text<'_>) -> bool {
        self.pattern.is_none_or(|pattern| {
            let mut digits = itoa::Buffer::new();
            glob::matches(pattern, name.bytes(&mut digits), glob::Case::Sensitive)
        })
    }
}

/// HSCAN.
pub fn hscan(call: &mut Call<'_>) -> Outcome {
    let arguments = call.arguments;
    let cursor = parse_cursor(arguments.at(2)).ok_or(CommandError::Fixed("ERR invalid cursor"))?;
    let (key, access, now_ms) = (call.key(1), call.read_access(), call.store.now_ms());
    let Some(hash) = call.store.collection::<Hash>(key, access)? else {
        Page::default().reply(&mut call.reply, 0);
        return Ok(());
    };
    let options = Options::parse(arguments)?;
    let mut position = Some(Position::from_bits(cursor));
    let mut page = Page::default();
    let mut steps = options.count.saturating_mul(BUCKETS_PER_COUNT);
    while let Some(place) = position
        && steps > 0
        && page.fields < options.count
    {
        steps -= 1;
        position = hash.scan(place, now_ms, |name, value| {
            if options.wants(name) {
                page.add(name, options.has_values.then_some(value));
            }
        });
    }
    page.reply(&mut call.reply, position.map_or(0, Position::to_bits));
    Ok(())
}

/// The fields of one call, written down as they are met: how many there are comes first in a
/// reply and is known last.
#[derive(Default)]
struct Page {
    output: Output,
    fields: usize,
    texts: usize,
}

impl Page {
    fn add(&mut self, name: Text<'_>, value: Option<Text<'_>>) {
        // Bulk strings are the same in all versions of the protocol.
        let mut reply = Reply::new(&mut self.output, Protocol::Resp2);
        let mut digits = itoa::Buffer::new();
        reply.bulk(name.bytes(&mut digits));
        if let Some(value) = value {
            reply.bulk(value.bytes(&mut digits));
        }
        self.fields += 1;
        self.texts += 1 + usize::from(value.is_some());
    }

    fn reply(&self, reply: &mut Reply<'_>, cursor: u64) {
        reply.array_len(2);
        reply.bulk(itoa::Buffer::new().format(cursor).as_bytes());
        reply.array_len(self.texts);
        reply.raw(&self.output.bytes);
    }
}
