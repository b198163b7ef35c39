//! MODULE. There are no modules and none can be loaded, which is what a server without any answers;
//! tools that look for them (and they do at every connection) find none instead of an error.

use crate::call::SessionCall;
use crate::error::{CommandError, Outcome};

/// MODULE LIST.
pub fn list(call: &mut SessionCall<'_>) -> Outcome {
    call.reply.array_len(0);
    Ok(())
}

/// MODULE LOAD and MODULE LOADEX.
pub fn load(call: &mut SessionCall<'_>) -> Outcome {
    check_permission(call)?;
    Err(CommandError::Fixed("ERR Error loading the extension. Please check the server logs."))
}

/// MODULE UNLOAD.
pub fn unload(call: &mut SessionCall<'_>) -> Outcome {
    check_permission(call)?;
    Err(CommandError::Fixed("ERR Error unloading module: no such module with that name"))
}

fn check_permission(call: &mut SessionCall<'_>) -> Outcome {
    let permission = call.core.store.settings().enable_module_command;
    if permission.includes(call.session().origin.is_local()) {
        return Ok(());
    }
    Err(CommandError::Fixed(
        "ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", \
         you can run it from a local connection, otherwise you need to set this option in the \
         configuration file, and then restart the server.",
    ))
}
