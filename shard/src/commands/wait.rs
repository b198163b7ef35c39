//! WAIT and WAITAOF: until replicas, or disks, have what the client wrote.
//!
//! There are no replicas yet, so WAIT answers zero: at once if none was asked for, else when its
//! time is over, as a primary without replicas does. WAITAOF waits for the disk of this server.
//! What the client has written was answered before (`AFTER_REPLIES`), so it was told by now, and
//! all that any core has told by now is what it waits for.

use crate::call::SessionCall;
use crate::core::blocking::Block;
use crate::error::{self, CommandError, Outcome};
use crate::host::DurableState;
use crate::number::parse_integer;
use crate::reply::Reply;

/// What WAITAOF answers without an append-only file.
pub(crate) const APPEND_ONLY_IS_OFF: CommandError = CommandError::Fixed(
    "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
);

/// WAIT.
pub fn wait(call: &mut SessionCall<'_>) -> Outcome {
    let replicas = parse_integer(call.arguments.at(1)).ok_or(error::NOT_AN_INTEGER)?;
    let deadline_ms = deadline(call, 2)?;
    if replicas <= 0 {
        call.reply.integer(0);
        return Ok(());
    }
    call.block(Block { deadline_ms, on_timeout: |reply| reply.integer(0) });
    Ok(())
}

/// When a client that waits has waited long enough, by the timeout in the argument at `index`.
fn deadline(call: &SessionCall<'_>, index: usize) -> Result<Option<u64>, CommandError> {
    let timeout_ms = parse_integer(call.arguments.at(index))
        .ok_or(CommandError::Fixed("ERR timeout is not an integer or out of range"))?;
    let timeout_ms =
        u64::try_from(timeout_ms).map_err(|_| CommandError::Fixed("ERR timeout is negative"))?;
    let now = call.core.store.now();
    Ok((timeout_ms > 0).then(|| now.monotonic_ms_after(timeout_ms)))
}

/// WAITAOF.
pub fn waitaof(call: &mut SessionCall<'_>) -> Outcome {
    const NOT_A_NUMBER: CommandError =
        CommandError::Fixed("ERR value is not an integer or out of range");
    const NOT_POSITIVE: CommandError =
        CommandError::Fixed("ERR value is out of range, must be positive");
    const NEITHER: CommandError =
        CommandError::Fixed("ERR value is out of range, value must between 0 and 1");
    let local = parse_integer(call.arguments.at(1)).ok_or(NOT_A_NUMBER)?;
    if !(0..=1).contains(&local) {
        return Err(NEITHER);
    }
    let replicas = parse_integer(call.arguments.at(2)).filter(|count| *count >= 0);
    let replicas = replicas.ok_or(NOT_POSITIVE)?;
    let deadline_ms = deadline(call, 3)?;
    let Some(mark) = call.core.host.durable_mark() else {
        if local > 0 {
            return Err(APPEND_ONLY_IS_OFF);
        }
        if replicas > 0 {
            let on_timeout = |reply: &mut Reply<'_>| write_acknowledged(reply, false);
            call.block(Block { deadline_ms, on_timeout });
        } else {
            write_acknowledged(&mut call.reply, false);
        }
        return Ok(());
    };
    let is_there = mark.state() == DurableState::Reached;
    match (replicas > 0, is_there || local == 0) {
        (false, true) => write_acknowledged(&mut call.reply, is_there),
        // Who waits for replicas that do not exist waits until the end.
        (true, _) if is_there => {
            let on_timeout = |reply: &mut Reply<'_>| write_acknowledged(reply, true);
            call.block(Block { deadline_ms, on_timeout });
        }
        (true, _) => {
            let on_timeout = |reply: &mut Reply<'_>| write_acknowledged(reply, false);
            call.block(Block { deadline_ms, on_timeout });
        }
        (false, false) => {
            let on_timeout = |reply: &mut Reply<'_>| write_acknowledged(reply, false);
            call.block_on_disk(Block { deadline_ms, on_timeout }, mark);
        }
    }
    Ok(())
}

/// What WAITAOF answers: on how many disks here and of replicas the writes are.
pub(crate) fn write_acknowledged(reply: &mut Reply<'_>, is_local: bool) {
    reply.array_len(2);
    reply.integer(i64::from(is_local));
    reply.integer(0);
}
