//! COMMAND: what the command table says, in all the forms clients ask for it.

use crate::call::SessionCall;
use crate::command::{command_count, commands, docs};
use crate::error::{CommandError, Outcome};

/// COMMAND.
pub fn command(call: &mut SessionCall<'_>) -> Outcome {
    docs::write_all_infos(&mut call.reply);
    Ok(())
}

/// COMMAND COUNT.
pub fn count(call: &mut SessionCall<'_>) -> Outcome {
    call.reply.integer(commands().len() as i64);
    debug_assert!(commands().len() <= command_count());
    Ok(())
}

/// COMMAND INFO.
pub fn info(call: &mut SessionCall<'_>) -> Outcome {
    let names: Vec<&[u8]> = call.arguments.from(2).collect();
    docs::write_infos(&names, &mut call.reply);
    Ok(())
}

/// COMMAND DOCS.
pub fn docs(call: &mut SessionCall<'_>) -> Outcome {
    let names: Vec<&[u8]> = call.arguments.from(2).collect();
    docs::write_docs(&names, &mut call.reply);
    Ok(())
}

/// COMMAND LIST.
pub fn list(call: &mut SessionCall<'_>) -> Outcome {
    let arguments = call.arguments.skip(2);
    docs::write_list(&arguments, &mut call.reply).map_err(CommandError::Fixed)
}

/// COMMAND GETKEYS.
pub fn getkeys(call: &mut SessionCall<'_>) -> Outcome {
    let line = call.arguments.skip(2);
    docs::write_keys(&line, &mut call.reply).map_err(CommandError::Fixed)
}

/// COMMAND GETKEYSANDFLAGS.
pub fn getkeysandflags(call: &mut SessionCall<'_>) -> Outcome {
    let line = call.arguments.skip(2);
    docs::write_keys_and_flags(&line, &mut call.reply).map_err(CommandError::Fixed)
}
