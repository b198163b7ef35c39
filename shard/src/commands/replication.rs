//! The commands of replication, on a server that has no replicas and cannot become one yet: what
//! a primary without replicas answers, and a clear refusal to follow another server.

use crate::call::SessionCall;
use crate::error::{self, CommandError, Outcome};
use crate::number::parse_integer;

/// ROLE. O(1): a primary that has sent nothing to nobody.
pub fn role(call: &mut SessionCall<'_>) -> Outcome {
    call.reply.array_len(3);
    call.reply.bulk(b"master");
    call.reply.integer(0);
    call.reply.array_len(0);
    Ok(())
}

/// REPLICAOF and SLAVEOF. `NO ONE` is what the server is already.
pub fn replicaof(call: &mut SessionCall<'_>) -> Outcome {
    let arguments = call.arguments;
    if arguments.is(1, "no") && arguments.is(2, "one") {
        call.reply.ok();
        return Ok(());
    }
    if !parse_integer(arguments.at(2)).is_some_and(|port| (0..=65535).contains(&port)) {
        return Err(CommandError::Fixed("ERR Invalid master port"));
    }
    Err(CommandError::Fixed("ERR replication is not built into Basalt yet"))
}

/// FAILOVER.
pub fn failover(call: &mut SessionCall<'_>) -> Outcome {
    if is_abort(call)? {
        return Err(CommandError::Fixed("ERR No failover in progress."));
    }
    Err(CommandError::Fixed("ERR FAILOVER requires connected replicas."))
}

/// Reads `[TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]`: whether it says to stop one.
fn is_abort(call: &SessionCall<'_>) -> Result<bool, CommandError> {
    let arguments = call.arguments;
    if arguments.len() == 2 && arguments.is(1, "abort") {
        return Ok(true);
    }
    let mut index = 1;
    while index < arguments.len() {
        let left = arguments.len() - index - 1;
        if left >= 1 && arguments.is(index, "timeout") {
            let timeout_ms = parse_integer(arguments.at(index + 1)).ok_or(error::NOT_AN_INTEGER)?;
            if timeout_ms <= 0 {
                return Err(CommandError::Fixed("ERR FAILOVER timeout must be greater than 0"));
            }
            index += 2;
        } else if left >= 2 && arguments.is(index, "to") {
            parse_integer(arguments.at(index + 2)).ok_or(error::NOT_AN_INTEGER)?;
            index += 3;
        } else if arguments.is(index, "force") {
            index += 1;
        } else {
            return Err(error::SYNTAX);
        }
    }
    Ok(false)
}
