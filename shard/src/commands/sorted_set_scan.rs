//! ZSCAN: walks a sorted set a few members at a time.
//!
//! A cursor is the hash of the next member, so it stays right while the set grows, shrinks, and
//! while scores change. A packed set is answered in one go.

use super::sorted_set::read;
use super::sorted_set_result::Gathered;
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::glob;
use crate::number::parse_integer;
use crate::sorted_set::Entry;

struct ScanOptions<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    tells_scores: bool,
}

impl<'a> ScanOptions<'a> {
    fn parse(arguments: Arguments<'a>) -> Result<Self, CommandError> {
        let mut options = Self { pattern: None, count: 10, tells_scores: true };
        let mut index = 3;
        while index < arguments.len() {
            if arguments.is(index, "noscores") {
                options.tells_scores = false;
                index += 1;
                continue;
            }
            let value = arguments.get(index + 1).ok_or(error::SYNTAX)?;
            if arguments.is(index, "count") {
                let count = parse_integer(value).ok_or(error::NOT_AN_INTEGER)?;
                if count < 1 {
                    return Err(error::SYNTAX);
                }
                options.count = count as usize;
            } else if arguments.is(index, "match") {
                options.pattern = (value != b"*").then_some(value);
            } else {
                return Err(error::SYNTAX);
            }
            index += 2;
        }
        Ok(options)
    }

    fn wants(&self, entry: Entry<'_>) -> bool {
        let sees = |pattern| glob::matches(pattern, entry.member, glob::Case::Sensitive);
        self.pattern.is_none_or(sees)
    }
}

/// ZSCAN.
pub fn zscan(call: &mut Call<'_>) -> Outcome {
    let text = std::str::from_utf8(call.arguments.at(2)).ok();
    let cursor = text
        .and_then(|text| text.parse::<u64>().ok())
        .ok_or(CommandError::Fixed("ERR invalid cursor"))?;
    let (key, access) = (call.key(1), call.read_access());
    let Some(set) = read(call.store, key, access)? else {
        call.reply.array_len(2);
        call.reply.bulk(b"0");
        call.reply.array_len(0);
        return Ok(());
    };
    let options = ScanOptions::parse(call.arguments)?;
    let mut found = Gathered::default();
    // A cursor that was never given out is past the end.
    let next = u32::try_from(cursor).ok().and_then(|cursor| {
        set.scan(cursor, options.count, |entry| {
            if options.wants(entry) {
                found.push(entry);
            }
        })
    });
    let reply = &mut call.reply;
    reply.array_len(2);
    reply.bulk_integer(i64::from(next.unwrap_or(0)));
    reply.array_len(if options.tells_scores { 2 * found.len() } else { found.len() });
    for entry in found.entries() {
        reply.bulk(entry.member);
        if options.tells_scores {
            reply.bulk(crate::number::format_double(entry.score).as_bytes());
        }
    }
    Ok(())
}
