//! EVAL and its like, and SCRIPT. How scripts run: see `core/scripting.rs`.

use crate::call::{Call, SessionCall};
use crate::core::debugging::NO_FORKS;
use crate::core::session::Debugging;
use crate::error::{CommandError, Outcome};
use crate::scripting::source::sha_from;
use crate::scripting::watch::Kill;

const FLUSH_WORDS: CommandError =
    CommandError::Fixed("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
const DEBUG_IN_PIPELINE: CommandError =
    CommandError::Fixed("ERR SCRIPT DEBUG must be called outside a pipeline");
const NO_TLS: CommandError =
    CommandError::Fixed("ERR scripts cannot be debugged over TLS: connect without it");
const DEBUG_WORDS: CommandError = CommandError::Fixed("ERR Use SCRIPT DEBUG YES/SYNC/NO");
const NO_SCRIPT: CommandError =
    CommandError::Fixed("NOSCRIPT No matching script. Please use EVAL.");
const NONE_BUSY: CommandError = CommandError::Fixed("NOTBUSY No scripts in execution right now.");
const HAS_WRITTEN: CommandError = CommandError::Fixed(
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can \
     either wait the script termination or kill the server in a hard way using the SHUTDOWN \
     NOSAVE command.",
);
const BUSY_FUNCTION: CommandError = CommandError::Fixed(
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
);
const BUSY_SCRIPT: CommandError = CommandError::Fixed(
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
);

/// Stands in the rows of EVAL, EVALSHA, FCALL and their like, which make them commands on keys.
/// What they do needs more than a [`Call`] has: cores run them by their flag.
///
/// # Panics
/// Always.
pub fn run(call: &mut Call<'_>) -> Outcome {
    unreachable!("{:?} is run by the core", call.row)
}

/// SCRIPT LOAD.
pub fn load(call: &mut SessionCall<'_>) -> Outcome {
    let text = call.arguments.at(2);
    let shared = std::sync::Arc::clone(call.core.shared());
    let compiled = call.core.scripting.by_text(&shared.scripts, text, true)?;
    call.reply.bulk(&compiled.script.sha);
    Ok(())
}

/// SCRIPT EXISTS.
pub fn exists(call: &mut SessionCall<'_>) -> Outcome {
    let cache = &call.core.shared().scripts;
    let found: Vec<bool> = call
        .arguments
        .from(2)
        .map(|sha| sha_from(sha).is_some_and(|sha| cache.find(&sha).is_some()))
        .collect();
    call.reply.array_len(found.len());
    for is_there in found {
        call.reply.integer(i64::from(is_there));
    }
    Ok(())
}

/// SCRIPT SHOW.
pub fn show(call: &mut SessionCall<'_>) -> Outcome {
    let sha = sha_from(call.arguments.at(2)).ok_or(NO_SCRIPT)?;
    let script = call.core.shared().scripts.find(&sha).ok_or(NO_SCRIPT)?;
    call.reply.bulk(&script.text);
    Ok(())
}

/// SCRIPT FLUSH. Cores forget what they have compiled when they next run a script.
pub fn flush(call: &mut SessionCall<'_>) -> Outcome {
    if !is_flush_word(call).unwrap_or(false) {
        return Err(FLUSH_WORDS);
    }
    call.core.shared().scripts.flush();
    call.reply.ok();
    Ok(())
}

/// SCRIPT KILL.
pub fn kill(call: &mut SessionCall<'_>) -> Outcome {
    kill_busy(call, true)
}

/// Ends the script (`is_eval`) or function that is busy.
pub(super) fn kill_busy(call: &mut SessionCall<'_>, is_eval: bool) -> Outcome {
    match call.core.shared().watch.kill(is_eval) {
        Kill::Granted => {
            call.reply.ok();
            Ok(())
        }
        Kill::NoneBusy => Err(NONE_BUSY),
        Kill::HasWritten => Err(HAS_WRITTEN),
        Kill::OtherKind if is_eval => Err(BUSY_FUNCTION),
        Kill::OtherKind => Err(BUSY_SCRIPT),
    }
}

/// SCRIPT DEBUG. How scripts are debugged: see `core/debugging.rs`.
pub fn debug(call: &mut SessionCall<'_>) -> Outcome {
    let is_transacting = call.core.is_transacting();
    let arguments = call.arguments;
    let session = call.session();
    if is_transacting || session.has_replies_pending() {
        return Err(DEBUG_IN_PIPELINE);
    }
    if arguments.is(2, "no") {
        session.debugging = Debugging::Off;
    } else if arguments.is(2, "yes") {
        session.debugging = Debugging::Refused;
        return Err(NO_FORKS);
    } else if arguments.is(2, "sync") {
        if session.origin.is_tls {
            return Err(NO_TLS);
        }
        session.debugging = Debugging::Sync;
        // Its scripts take as long as somebody thinks about them.
        call.core.has_been_busy = true;
    } else {
        return Err(DEBUG_WORDS);
    }
    call.reply.ok();
    Ok(())
}

/// SCRIPT HELP.
pub fn help(call: &mut SessionCall<'_>) -> Outcome {
    call.reply.help(&[
        "SCRIPT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DEBUG (YES|SYNC|NO)",
        "    Set the debug mode for subsequent scripts executed.",
        "EXISTS <sha1> [<sha1> ...]",
        "    Return information about the existence of the scripts in the script cache.",
        "FLUSH [ASYNC|SYNC]",
        "    Flush the Lua scripts cache. Very dangerous on replicas.",
        "    When called without the optional mode argument, the behavior is determined by the",
        "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
        "    * ASYNC: Asynchronously flush the scripts cache.",
        "    * SYNC: Synchronously flush the scripts cache.",
        "KILL",
        "    Kill the currently executing Lua script.",
        "LOAD <script>",
        "    Load a script into the scripts cache without executing it.",
        "SHOW <sha1>",
        "    Show a script of the script cache.",
        "HELP",
        "    Print this help.",
    ]);
    Ok(())
}

/// Whether the word behind a FLUSH is one of those it takes, if there is one; none if there are
/// several.
pub(super) fn is_flush_word(call: &SessionCall<'_>) -> Option<bool> {
    match call.arguments.len() {
        2 => Some(true),
        3 => Some(call.arguments.is(2, "sync") || call.arguments.is(2, "async")),
        _ => None,
    }
}
