//! `redis.call`: a command in the middle of a script.
//!
//! What is checked stands in the order Redis checks it. Then the slots: a command may run if they
//! are all here. If not, the script stops with what it needs, and runs again from its start (see
//! `core/scripting.rs`): that is possible because it has written nothing, and it has written
//! nothing because a script of which it is not known what it touches does not write before it has
//! everything at hand.

use std::borrow::Cow;

use super::api::push_error;
use super::lua::{Kind, Lua, Raise};
use super::run::{Need, Reach, Run};
use super::to_lua::push_reply;
use crate::arguments::{ArgRange, Arguments};
use crate::command::{self as commands, Command, Handler, flag};
use crate::error::{self, CommandError};
use crate::hash::HashSlot;

pub(super) const NO_ARGUMENT: &str = "Please specify at least one argument for this redis lib call";
pub(super) const BAD_ARGUMENT: &str = "Lua redis lib command arguments must be strings or integers";
const UNKNOWN: &str = "Unknown Redis command called from script";
const WRONG_ARITY: &str = "Wrong number of args calling Redis command from script";
const NOT_ALLOWED: &str = "This Redis command is not allowed from script";
const XREAD_WAITS: &str = "xread command is not allowed with BLOCK option from scripts";
const XREADGROUP_WAITS: &str = "xreadgroup command is not allowed with BLOCK option from scripts";
const READ_ONLY: &str = "Write commands are not allowed from read-only scripts.";

/// `redis.call`: errors of commands are raised.
pub(super) fn call(lua: Lua) -> Result<i32, Raise> {
    command(lua, true)
}

/// `redis.pcall`: errors of commands are returned.
pub(super) fn pcall(lua: Lua) -> Result<i32, Raise> {
    command(lua, false)
}

/// What came of a command.
enum Ending {
    /// Its reply is in the output.
    Replied,
    /// It was refused.
    Refused(Cow<'static, str>),
    /// The script has to stop.
    Stops,
}

fn command(lua: Lua, raises: bool) -> Result<i32, Raise> {
    let ending = lua.with_run(|run| match take_arguments(lua, run) {
        Ok(()) => {
            lua.set_top(0);
            perform(run)
        }
        Err(text) => Ending::Refused(text.into()),
    });
    let is_error = match ending {
        None => {
            push_error(lua, "redis.call/pcall can only be called inside a script invocation");
            return Err(Raise);
        }
        Some(Ending::Replied) => lua.with_run(|run| push_result(lua, run)).unwrap_or(false),
        Some(Ending::Refused(text)) => {
            push_error(lua, &text);
            if text != NO_ARGUMENT && text != BAD_ARGUMENT {
                lua.push_boolean(true);
                lua.set_field(-2, "ignore_error_stats_update");
            }
            true
        }
        Some(Ending::Stops) => {
            lua.set_aborting(true);
            lua.push_nil();
            return Err(Raise);
        }
    };
    if is_error && raises { Err(Raise) } else { Ok(1) }
}

/// Takes the words of a command off the stack.
fn take_arguments(lua: Lua, run: &mut Run<'_>) -> Result<(), &'static str> {
    let (bytes, ranges) = (&mut run.buffers.bytes, &mut run.buffers.ranges);
    bytes.clear();
    ranges.clear();
    let count = lua.top();
    if count == 0 {
        return Err(NO_ARGUMENT);
    }
    for index in 1..=count {
        let start = bytes.len();
        match lua.kind(index) {
            Kind::Number => push_number(bytes, lua.to_number(index)),
            _ => bytes.extend_from_slice(lua.bytes(index).ok_or(BAD_ARGUMENT)?),
        }
        let (Ok(end), Ok(from)) = (u32::try_from(bytes.len()), u32::try_from(start)) else {
            return Err("Command too long");
        };
        ranges.push(ArgRange { start: from, len: end - from });
    }
    Ok(())
}

/// An integer as such, any other number with all its digits.
fn push_number(bytes: &mut Vec<u8>, number: f64) {
    let integer = number as i64;
    if integer as f64 == number && integer != i64::MAX {
        bytes.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
    } else {
        bytes.extend_from_slice(crate::number::format_double(number).as_bytes());
    }
}

/// Runs the command in the buffers of `run`.
fn perform(run: &mut Run<'_>) -> Ending {
    if run.must_end() {
        return Ending::Stops;
    }
    let (bytes, ranges) =
        (std::mem::take(&mut run.buffers.bytes), std::mem::take(&mut run.buffers.ranges));
    let arguments = Arguments::new(&bytes, &ranges);
    if let Some(log) = run.log() {
        log.log_command(arguments);
    }
    let ending = match admit(run, arguments) {
        Ok(row) => perform_admitted(run, row, arguments),
        Err((row, text)) => {
            let word = CommandError::worded(format!("ERR {text}"));
            let counted = if text.starts_with('-') { error::OUT_OF_MEMORY } else { word };
            run.core.stats.rejected(row, &counted);
            Ending::Refused(text)
        }
    };
    (run.buffers.bytes, run.buffers.ranges) = (bytes, ranges);
    ending
}

type Refusal = (Option<&'static Command>, Cow<'static, str>);

/// Checks what has to hold whatever the slots.
fn admit(run: &mut Run<'_>, arguments: Arguments<'_>) -> Result<&'static Command, Refusal> {
    let row = commands::lookup_line(arguments.at(0), arguments.get(1))
        .ok_or((None, Cow::Borrowed(UNKNOWN)))?;
    let refuse = |text: &'static str| Err((Some(row), Cow::Borrowed(text)));
    if !row.accepts_argument_count(arguments.len()) {
        return refuse(WRONG_ARITY);
    }
    let is_denied = row.flags.contains(flag::NOSCRIPT) && !run.core.scripting.allows_everything;
    if is_denied || row.handler.is_none() || row.flags.contains(flag::SCRIPT_RUNNER) {
        return refuse(NOT_ALLOWED);
    }
    let refuse_with = |error: CommandError| (Some(row), Cow::Owned(format!("-{error}")));
    run.core.check_scripted(run.caller.user, row, arguments).map_err(refuse_with)?;
    run.core.check_restrictions(row).map_err(refuse_with)?;
    if run.is_read_only && writes(row) {
        return refuse(READ_ONLY);
    }
    if run.is_short_of_memory
        && !run.allows_oom
        && !run.has_written
        && row.flags.contains(flag::DENYOOM)
    {
        return refuse("-OOM command not allowed when used memory > 'maxmemory'.");
    }
    if row.group.name() == "stream"
        && arguments
            .from(1)
            .take_while(|word| !is_word(word, "streams"))
            .any(|w| is_word(w, "block"))
    {
        match row.name {
            "xread" => return refuse(XREAD_WAITS),
            "xreadgroup" => return refuse(XREADGROUP_WAITS),
            _ => {}
        }
    }
    Ok(row)
}

fn is_word(argument: &[u8], word: &str) -> bool {
    argument.eq_ignore_ascii_case(word.as_bytes())
}

fn writes(row: &Command) -> bool {
    row.flags.contains(flag::WRITE) || row.flags.contains(flag::MAY_REPLICATE)
}

fn perform_admitted(run: &mut Run<'_>, row: &'static Command, arguments: Arguments<'_>) -> Ending {
    if let Some(need) = missing(run, row, arguments) {
        run.need = Some(need);
        return Ending::Stops;
    }
    if row.flags.contains(flag::WRITE) && !run.has_written {
        if run.is_busy && !run.core.shared().watch.may_write(run.core.id().index()) {
            run.is_killed = true;
            return Ending::Stops;
        }
        run.has_written = true;
    }
    run.buffers.output.clear();
    let Run { core, caller, protocol, buffers, reach, .. } = run;
    let mut caller_now = *caller;
    caller_now.protocol = *protocol;
    let has_everything = *reach == Reach::Everything;
    let output = &mut buffers.output;
    match core.run_scripted(row, caller_now, arguments, has_everything, output) {
        Ok(db) => {
            caller.db = db;
            Ending::Replied
        }
        Err(need) => {
            run.need = Some(need);
            Ending::Stops
        }
    }
}

/// What has to be here before a command may run.
fn missing(run: &Run<'_>, row: &Command, arguments: Arguments<'_>) -> Option<Need> {
    if run.reach == Reach::Everything {
        return None;
    }
    if row.reaches_unnamed_keys() {
        return Some(Need::Everything);
    }
    match row.handler {
        Some(Handler::Slot(..)) => return Some(Need::Everything),
        Some(Handler::Session(_)) if !row.flags.contains(flag::AT_HOME) => {
            return Some(Need::Everything);
        }
        _ => {}
    }
    if run.reach == Reach::Unknown && writes(row) {
        return Some(Need::Everything);
    }
    let mut absent = Vec::new();
    row.for_each_key(arguments, |key| {
        let slot = HashSlot::of_key(key);
        if !run.core.store.has_slot(slot) {
            absent.push(slot);
        }
    });
    (!absent.is_empty()).then_some(Need::Slots(absent))
}

/// Pushes the reply in the output; whether it is an error.
fn push_result(lua: Lua, run: &mut Run<'_>) -> bool {
    let is_error = run.buffers.output.bytes.first() == Some(&b'-');
    push_reply(lua, &mut run.buffers.output);
    if is_error {
        lua.push_boolean(true);
        lua.set_field(-2, "ignore_error_stats_update");
    }
    let reply = std::mem::take(&mut run.buffers.output.bytes);
    if let Some(log) = run.log() {
        if is_error {
            log.log_error(reply.trim_ascii_end());
        }
        log.log_reply(&reply);
    }
    run.buffers.output.bytes = reply;
    is_error
}
