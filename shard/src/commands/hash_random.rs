//! HRANDFIELD: fields drawn at random, distinct ones or with repetition.

use super::hash::reply_text;
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::hashes::{Draws, Hash, Text};
use crate::number::parse_integer;
use crate::reply::{Protocol, Reply};

/// Most fields one call returns where the same may come again: what bounds the reply, which the
/// size of the hash does not.
const REPEATED_FIELDS_MAX: u64 = 1 << 24;

const OUT_OF_RANGE: CommandError = CommandError::Fixed("ERR value is out of range");
const COUNT_OUT_OF_RANGE: CommandError = CommandError::Fixed(
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);

/// HRANDFIELD.
pub fn hrandfield(call: &mut Call<'_>) -> Outcome {
    if call.arguments.len() > 2 {
        return reply_several(call);
    }
    let mut draws = Draws(call.store.random());
    let (key, access, now_ms) = (call.key(1), call.read_access(), call.store.now_ms());
    let Some(hash) = call.store.collection::<Hash>(key, access)? else {
        call.reply.null();
        return Ok(());
    };
    let mut drawn = None;
    hash.pick_any(1, now_ms, &mut draws, |(name, _)| drawn = Some(name));
    match drawn {
        Some(name) => reply_text(&mut call.reply, name),
        None => call.reply.null(),
    }
    Ok(())
}

/// The count and whether values are wanted.
fn read_options(arguments: Arguments<'_>) -> Result<(i64, bool), CommandError> {
    let count = parse_integer(arguments.at(2)).ok_or(error::NOT_AN_INTEGER)?;
    if count == i64::MIN {
        return Err(COUNT_OUT_OF_RANGE);
    }
    let with_values = match arguments.len() {
        3 => false,
        4 if arguments.is(3, "withvalues") => true,
        _ => return Err(error::SYNTAX),
    };
    let is_doubled_too_large = with_values && count.unsigned_abs() > i64::MAX as u64 / 2;
    if is_doubled_too_large || count < 0 && count.unsigned_abs() > REPEATED_FIELDS_MAX {
        return Err(OUT_OF_RANGE);
    }
    Ok((count, with_values))
}

fn reply_several(call: &mut Call<'_>) -> Outcome {
    let (count, with_values) = read_options(call.arguments)?;
    let mut draws = Draws(call.store.random());
    let (key, access, now_ms) = (call.key(1), call.read_access(), call.store.now_ms());
    let reply = &mut call.reply;
    let hash = call.store.collection::<Hash>(key, access)?.filter(|hash| hash.len(now_ms) > 0);
    let Some(hash) = hash else {
        reply.array_len(0);
        return Ok(());
    };
    if count < 0 {
        let count = count.unsigned_abs() as usize;
        reply_len(reply, count, with_values);
        hash.pick_any(count, now_ms, &mut draws, |pair| reply_pair(reply, pair, with_values));
    } else {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let pairs = hash.pick_distinct(count, now_ms, &mut draws);
        reply_len(reply, pairs.len(), with_values);
        pairs.into_iter().for_each(|pair| reply_pair(reply, pair, with_values));
    }
    Ok(())
}

/// Header of an array of names, or of pairs: RESP3 has an array for each pair, RESP2 none.
fn reply_len(reply: &mut Reply<'_>, count: usize, with_values: bool) {
    let is_flat = with_values && reply.protocol() == Protocol::Resp2;
    reply.array_len(if is_flat { 2 * count } else { count });
}

fn reply_pair(reply: &mut Reply<'_>, (name, value): (Text<'_>, Text<'_>), with_values: bool) {
    if with_values && reply.protocol() == Protocol::Resp3 {
        reply.array_len(2);
    }
    reply_text(reply, name);
    if with_values {
        reply_text(reply, value);
    }
}
