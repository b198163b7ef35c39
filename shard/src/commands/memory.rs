//! MEMORY: what keys and the allocator take.

use crate::call::{Call, SessionCall};
use crate::error::{self, Outcome};
use crate::number::parse_integer;
use crate::store::Access;

/// MEMORY USAGE. The figure is exact, so `SAMPLES` is accepted and changes nothing.
pub fn usage(call: &mut Call<'_>) -> Outcome {
    let arguments = call.arguments;
    match arguments.len() {
        3 => {}
        5 if arguments.is(3, "samples") => {
            let samples = parse_integer(arguments.at(4)).ok_or(error::NOT_AN_INTEGER)?;
            if samples < 0 {
                return Err(error::SYNTAX);
            }
        }
        _ => return Err(error::SYNTAX),
    }
    match call.store.find(call.key(2), Access::Peek) {
        Some(entry) => {
            let bytes = entry.bytes() as i64;
            call.reply.integer(bytes);
        }
        None => call.reply.null(),
    }
    Ok(())
}

/// MEMORY MALLOC-STATS.
pub fn malloc_stats(call: &mut SessionCall<'_>) -> Outcome {
    let report = call.core.host.allocator_report();
    call.reply.verbatim("txt", report.as_bytes());
    Ok(())
}

/// MEMORY PURGE.
pub fn purge(call: &mut SessionCall<'_>) -> Outcome {
    call.core.host.purge_memory();
    call.reply.ok();
    Ok(())
}
