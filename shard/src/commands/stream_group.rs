//! XGROUP: making, moving and removing consumer groups and consumers.

use super::operand::integer;
use super::stream::{bad_subcommand, no_group_of_key};
use super::stream_id::{bound_at, id_at};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{CommandError, Outcome};
use crate::event::Event;
use crate::object::Missing;
use crate::stream::{Group, Stream, StreamId};

const NO_KEY: CommandError = CommandError::Fixed(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to \
     use the MKSTREAM option to create an empty stream automatically.",
);

/// What follows the position of a group.
#[derive(Default)]
struct Options {
    makes_stream: bool,
    entries_read: Option<u64>,
}

impl Options {
    fn parse(arguments: Arguments<'_>, may_make_stream: bool) -> Result<Self, CommandError> {
        const NEGATIVE: CommandError =
            CommandError::Fixed("ERR value for ENTRIESREAD must be positive or -1");
        let mut options = Self::default();
        let mut index = 5;
        while index < arguments.len() {
            if may_make_stream && arguments.is(index, "mkstream") {
                options.makes_stream = true;
                index += 1;
            } else if arguments.is(index, "entriesread") && index + 1 < arguments.len() {
                options.entries_read = match integer(arguments, index + 1)? {
                    -1 => None,
                    count => Some(u64::try_from(count).map_err(|_| NEGATIVE)?),
                };
                index += 2;
            } else {
                return Err(bad_subcommand("XGROUP", arguments));
            }
        }
        let length_max = if may_make_stream { 8 } else { 7 };
        if arguments.len() > length_max {
            return Err(bad_subcommand("XGROUP", arguments));
        }
        Ok(options)
    }
}

/// XGROUP CREATE.
pub fn xgroup_create(call: &mut Call<'_>) -> Outcome {
    const BUSY: CommandError = CommandError::Fixed("BUSYGROUP Consumer Group name already exists");
    let arguments = call.arguments;
    let options = Options::parse(arguments, true)?;
    let (key, name) = (call.key(2), arguments.at(3));
    let is_there = super::stream::has_stream(call, key)?;
    if !is_there && !options.makes_stream {
        return Err(NO_KEY);
    }
    // What is wrong with the id must not leave a stream behind.
    let given = if arguments.at(4) == b"$" { None } else { Some(id_at(arguments, 4)?) };
    let created = call.store.change_collection(key, Missing::Create, |stream: &mut Stream| {
        let position = given.unwrap_or(stream.log().last_id());
        stream.create_group(name, position, options.entries_read)
    })?;
    if created != Some(true) {
        return Err(BUSY);
    }
    call.store.changed(key, Event::XGroupCreate);
    call.reply.ok();
    Ok(())
}

/// Changes the group that arguments 2 and 3 name, which must be there.
fn change_group<R>(
    call: &mut Call<'_>,
    change: impl FnOnce(&mut Group, &crate::stream::Log) -> R,
) -> Result<R, CommandError> {
    let (key, name) = (call.key(2), call.arguments.at(3));
    call.store
        .change_collection(key, Missing::Skip, |stream: &mut Stream| {
            stream.change_group(name, change)
        })?
        .ok_or(NO_KEY)?
        .ok_or_else(|| no_group_of_key(key.name, name))
}

/// XGROUP SETID.
pub fn xgroup_setid(call: &mut Call<'_>) -> Outcome {
    let arguments = call.arguments;
    let options = Options::parse(arguments, false)?;
    change_group(call, |group, log| {
        let id: StreamId = match arguments.at(4) {
            b"$" => log.last_id(),
            _ => bound_at(arguments, 4, 0)?,
        };
        group.set_position(id, options.entries_read);
        Outcome::Ok(())
    })??;
    call.store.changed(call.key(2), Event::XGroupSetId);
    call.reply.ok();
    Ok(())
}

/// XGROUP DESTROY.
pub fn xgroup_destroy(call: &mut Call<'_>) -> Outcome {
    let (key, name) = (call.key(2), call.arguments.at(3));
    let is_destroyed = call
        .store
        .change_collection(key, Missing::Skip, |stream: &mut Stream| stream.destroy_group(name))?
        .ok_or(NO_KEY)?;
    if is_destroyed {
        call.store.changed(key, Event::XGroupDestroy);
    }
    call.reply.integer(i64::from(is_destroyed));
    Ok(())
}

/// XGROUP CREATECONSUMER.
pub fn xgroup_createconsumer(call: &mut Call<'_>) -> Outcome {
    let (name, now_ms) = (call.arguments.at(4), call.store.now().unix_ms());
    let is_new = change_group(call, |group, _| group.create_consumer(name, now_ms).is_some())?;
    if is_new {
        call.store.changed(call.key(2), Event::XGroupCreateConsumer);
    }
    call.reply.integer(i64::from(is_new));
    Ok(())
}

/// XGROUP DELCONSUMER.
pub fn xgroup_delconsumer(call: &mut Call<'_>) -> Outcome {
    let name = call.arguments.at(4);
    let pending = change_group(call, |group, _| {
        let consumer = group.find_consumer(name)?;
        Some(group.delete_consumer(consumer))
    })?;
    if pending.is_some() {
        call.store.changed(call.key(2), Event::XGroupDelConsumer);
    }
    call.reply.integer(pending.unwrap_or(0) as i64);
    Ok(())
}

/// XGROUP HELP.
pub fn xgroup_help(call: &mut crate::call::SessionCall<'_>) -> Outcome {
    call.reply.help(&[
        "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CREATE <key> <groupname> <id|$> [option]",
        "    Create a new consumer group. Options are:",
        "    * MKSTREAM",
        "      Create the empty stream if it does not exist.",
        "    * ENTRIESREAD entries_read",
        "      Set the group's entries_read counter (internal use).",
        "CREATECONSUMER <key> <groupname> <consumer>",
        "    Create a new consumer in the specified group.",
        "DELCONSUMER <key> <groupname> <consumer>",
        "    Remove the specified consumer.",
        "DESTROY <key> <groupname>",
        "    Remove the specified group.",
        "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
        "    Set the current group ID and entries_read counter.",
        "HELP",
        "    Print this help.",
    ]);
    Ok(())
}
