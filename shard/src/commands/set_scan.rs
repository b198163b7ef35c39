//! SSCAN: walks the members of a set a few at a time.
//!
//! The cursor is a position in the order of hashes, which stays right when the set grows, shrinks
//! or moves to another core. Small sets answer with all members at once and the cursor 0.

use super::scan::{Options, parse_cursor};
use super::set::reply_member;
use crate::call::Call;
use crate::error::{self, Outcome};
use crate::set::Set;

/// Steps one call takes for each member it is asked for, when a pattern leaves most out.
const STEPS_PER_COUNT: usize = 10;

/// SSCAN.
pub fn sscan(call: &mut Call<'_>) -> Outcome {
    let cursor = parse_cursor(call.arguments.at(2)).ok_or(error::INVALID_CURSOR)?;
    let access = call.read_access();
    let set = call.store.collection::<Set>(call.key(1), access)?;
    let Some(set) = set else {
        call.reply.array_len(2);
        call.reply.bulk(b"0");
        call.reply.array_len(0);
        return Ok(());
    };
    let options = Options::parse_without_type(call.arguments, 3)?;
    let mut members = Vec::new();
    let mut digits = itoa::Buffer::new();
    let mut steps = options.count.saturating_mul(STEPS_PER_COUNT);
    let mut position = Some(cursor);
    while let Some(present) = position.filter(|_| steps > 0 && members.len() < options.count) {
        position = set.scan(present, |member| {
            if options.wants_name(member.text(&mut digits)) {
                members.push(member.to_vec());
            }
        });
        steps -= 1;
    }
    call.reply.array_len(2);
    call.reply.bulk_integer(position.unwrap_or(0) as i64);
    call.reply.array_len(members.len());
    members.iter().for_each(|member| reply_member(&mut call.reply, member.as_slice().into()));
    Ok(())
}
