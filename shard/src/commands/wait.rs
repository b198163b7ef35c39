//! WAIT: until replicas have what the client wrote. There are no replicas yet, so it answers zero:
//! at once if none was asked for, else when its time is over, as a primary without replicas does.

use crate::call::SessionCall;
use crate::core::blocking::Block;
use crate::error::{self, CommandError, Outcome};
use crate::number::parse_integer;

/// WAIT.
pub fn wait(call: &mut SessionCall<'_>) -> Outcome {
    let replicas = parse_integer(call.arguments.at(1)).ok_or(error::NOT_AN_INTEGER)?;
    let timeout_ms = parse_integer(call.arguments.at(2))
        .ok_or(CommandError::Fixed("ERR timeout is not an integer or out of range"))?;
    let timeout_ms =
        u64::try_from(timeout_ms).map_err(|_| CommandError::Fixed("ERR timeout is negative"))?;
    if replicas <= 0 {
        call.reply.integer(0);
        return Ok(());
    }
    let now_ms = call.core.store.now().monotonic_ms();
    let deadline_ms = (timeout_ms > 0).then(|| now_ms.saturating_add(timeout_ms));
    call.block(Block { deadline_ms, on_timeout: |reply| reply.integer(0) });
    Ok(())
}
