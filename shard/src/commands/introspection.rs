//! COMMAND: what the command table says, in all the forms clients ask for it; and the HELP
//! subcommand of every container, which prints rows as well.

use crate::arguments::Arguments;
use crate::call::SessionCall;
use crate::command::docs::{self, KeyReply, ListFilter};
use crate::command::lookup;
use crate::error::{CommandError, Outcome};
use crate::glob;

/// COMMAND.
pub fn command(call: &mut SessionCall<'_>) -> Outcome {
    docs::write_all_infos(&mut call.reply);
    Ok(())
}

/// COMMAND COUNT.
pub fn count(call: &mut SessionCall<'_>) -> Outcome {
    docs::write_count(&mut call.reply);
    Ok(())
}

/// COMMAND INFO.
pub fn info(call: &mut SessionCall<'_>) -> Outcome {
    docs::write_infos(&rest(call.arguments), &mut call.reply);
    Ok(())
}

/// COMMAND DOCS.
pub fn docs(call: &mut SessionCall<'_>) -> Outcome {
    docs::write_docs(&rest(call.arguments), &mut call.reply);
    Ok(())
}

/// COMMAND LIST.
pub fn list(call: &mut SessionCall<'_>) -> Outcome {
    let options = rest(call.arguments);
    let filter = ListFilter::parse(&options).map_err(CommandError::Fixed)?;
    let matches =
        |pattern: &[u8], name: &[u8]| glob::matches(pattern, name, glob::Case::Insensitive);
    docs::write_list(filter, matches, &mut call.reply);
    Ok(())
}

/// COMMAND GETKEYS.
pub fn getkeys(call: &mut SessionCall<'_>) -> Outcome {
    let line = call.arguments.skip(2);
    docs::write_keys(&line, KeyReply::Names, &mut call.reply).map_err(CommandError::Fixed)
}

/// COMMAND GETKEYSANDFLAGS.
pub fn getkeysandflags(call: &mut SessionCall<'_>) -> Outcome {
    let line = call.arguments.skip(2);
    docs::write_keys(&line, KeyReply::NamesAndFlags, &mut call.reply).map_err(CommandError::Fixed)
}

/// The HELP subcommand of any container.
pub fn help(call: &mut SessionCall<'_>) -> Outcome {
    let container = lookup(call.arguments.at(0)).expect("a container was looked up to get here");
    docs::write_help(container, &mut call.reply);
    Ok(())
}

fn rest(arguments: Arguments<'_>) -> Vec<&[u8]> {
    arguments.from(2).collect()
}
