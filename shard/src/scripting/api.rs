//! `redis.*`, and `server.*` which is the same.

use super::command;
use super::debugger;
use super::functions;
use super::lua::{Function, GLOBALS, Kind, Lua, Raise};
use super::source::sha_of;
use crate::acl;
use crate::command as commands;
use crate::commands::connection::REDIS_VERSION;
use crate::host::LogLevel;
use crate::reply::Protocol;

/// Whose machine it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    /// Of `EVAL`.
    Scripts,
    /// Of the functions.
    Functions,
    /// Of the code that registers functions.
    Loading,
}

const FOR_ALL: &[(&str, Function)] = &[("log", log)];

const FOR_RUNS: &[(&str, Function)] = &[
    ("sha1hex", sha1hex),
    ("error_reply", error_reply),
    ("status_reply", status_reply),
    ("call", command::call),
    ("pcall", command::pcall),
    ("setresp", setresp),
    ("set_repl", set_repl),
    ("acl_check_cmd", acl_check_cmd),
];

const FOR_SCRIPTS: &[(&str, Function)] = &[
    ("replicate_commands", replicate_commands),
    ("breakpoint", debugger::breakpoint),
    ("debug", debugger::debug),
];

/// Levels of `redis.log`.
const LEVELS: [(&str, LogLevel); 4] = [
    ("LOG_DEBUG", LogLevel::Debug),
    ("LOG_VERBOSE", LogLevel::Verbose),
    ("LOG_NOTICE", LogLevel::Notice),
    ("LOG_WARNING", LogLevel::Warning),
];

/// Flags of `redis.set_repl`.
const REPLICATION: [(&str, u32); 5] =
    [("REPL_NONE", 0), ("REPL_AOF", 1), ("REPL_SLAVE", 2), ("REPL_REPLICA", 2), ("REPL_ALL", 3)];

/// Adds the tables to the globals.
pub(super) fn open(lua: Lua, face: Face) {
    push_table(lua, face);
    lua.push_copy(-1);
    lua.set_field(GLOBALS, "server");
    lua.set_field(GLOBALS, "redis");
}

/// Pushes the table.
pub(super) fn push_table(lua: Lua, face: Face) {
    lua.push_table(0, 32);
    add(lua, FOR_ALL);
    match face {
        Face::Scripts => {
            add(lua, FOR_RUNS);
            add(lua, FOR_SCRIPTS);
        }
        Face::Functions => {
            add(lua, FOR_RUNS);
        }
        Face::Loading => add(lua, &[("register_function", functions::register)]),
    }
    for (number, (name, _)) in LEVELS.iter().enumerate() {
        lua.push_number(number as f64);
        lua.set_field(-2, name);
    }
    if face != Face::Loading {
        for (name, flags) in REPLICATION {
            lua.push_number(f64::from(flags));
            lua.set_field(-2, name);
        }
    }
    lua.push_bytes(REDIS_VERSION.as_bytes());
    lua.set_field(-2, "REDIS_VERSION");
    lua.push_number(f64::from(version_number()));
    lua.set_field(-2, "REDIS_VERSION_NUM");
}

fn add(lua: Lua, functions: &[(&str, Function)]) {
    for &(name, function) in functions {
        lua.push_function(function);
        lua.set_field(-2, name);
    }
}

/// `0x00MMmmpp`.
fn version_number() -> u32 {
    REDIS_VERSION.split('.').fold(0, |number, part| number << 8 | part.parse::<u32>().unwrap_or(0))
}

/// Pushes an error as commands have it: a table with `err`. A text that begins with `-` begins with
/// a code word; any other gets `ERR`.
pub(super) fn push_error(lua: Lua, text: &str) {
    lua.has_room(4);
    let text = text.trim_end_matches(['\r', '\n']);
    lua.with_run(|run| run.log().map(|log| log.log_error(text.as_bytes())));
    let whole = match text.strip_prefix('-') {
        Some(coded) if coded.contains(' ') => coded.to_owned(),
        Some(bare) => format!("ERR {bare}"),
        None => format!("ERR {text}"),
    };
    lua.push_table(0, 4);
    lua.push_bytes(whole.as_bytes());
    lua.set_field(-2, "err");
}

/// Raises such an error.
pub(super) fn raise<T>(lua: Lua, text: &str) -> Result<T, Raise> {
    push_error(lua, text);
    Err(Raise)
}

fn sha1hex(lua: Lua) -> Result<i32, Raise> {
    if lua.top() != 1 {
        return raise(lua, "wrong number of arguments");
    }
    let sha = sha_of(lua.bytes(1).unwrap_or_default());
    lua.push_bytes(&sha);
    Ok(1)
}

fn is_one_text(lua: Lua) -> bool {
    lua.top() == 1 && lua.kind(1) == Kind::String
}

fn error_reply(lua: Lua) -> Result<i32, Raise> {
    if !is_one_text(lua) {
        push_error(lua, "wrong number or type of arguments");
        return Ok(1);
    }
    let text = lua.bytes(1).unwrap_or_default().to_vec();
    let text = String::from_utf8_lossy(&text).into_owned();
    match text.starts_with('-') {
        true => push_error(lua, &text),
        false => push_error(lua, &format!("-{text}")),
    }
    Ok(1)
}

fn status_reply(lua: Lua) -> Result<i32, Raise> {
    if !is_one_text(lua) {
        push_error(lua, "wrong number or type of arguments");
        return Ok(1);
    }
    lua.push_table(0, 1);
    lua.push_copy(1);
    lua.set_field(-2, "ok");
    Ok(1)
}

fn log(lua: Lua) -> Result<i32, Raise> {
    if lua.top() < 2 {
        return raise(lua, "redis.log() requires two arguments or more.");
    }
    if !lua.is_number(1) {
        return raise(lua, "First argument must be a number (log level).");
    }
    let number = lua.to_number(1);
    let level = LEVELS.get(number as usize).filter(|_| number >= 0.0);
    let Some(&(_, level)) = level else { return raise(lua, "Invalid debug level.") };
    let words: Vec<String> = (2..=lua.top())
        .filter_map(|index| lua.bytes(index).map(|word| String::from_utf8_lossy(word).into_owned()))
        .collect();
    lua.with_run(|run| run.core.host.log(level, &words.join(" ")));
    Ok(0)
}

fn setresp(lua: Lua) -> Result<i32, Raise> {
    if lua.top() != 1 {
        return raise(lua, "redis.setresp() requires one argument.");
    }
    let protocol = match lua.to_number(1) as i64 {
        2 => Protocol::Resp2,
        3 => Protocol::Resp3,
        _ => return raise(lua, "RESP version must be 2 or 3."),
    };
    lua.with_run(|run| run.protocol = protocol);
    Ok(0)
}

/// Effects go to files and replicas as they are; what a script wants is checked and forgotten.
fn set_repl(lua: Lua) -> Result<i32, Raise> {
    if lua.top() != 1 {
        return raise(lua, "redis.set_repl() requires one argument.");
    }
    if lua.to_number(1) as i64 as u32 & !3 != 0 {
        let text = "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.";
        return raise(lua, text);
    }
    Ok(0)
}

fn replicate_commands(lua: Lua) -> Result<i32, Raise> {
    lua.push_boolean(true);
    Ok(1)
}

/// Whether the client's user may run a command.
fn acl_check_cmd(lua: Lua) -> Result<i32, Raise> {
    let mut words = Vec::new();
    for index in 1..=lua.top() {
        match lua.bytes(index) {
            Some(word) => words.push(word.to_vec()),
            None => return raise(lua, command::BAD_ARGUMENT),
        }
    }
    let Some(name) = words.first() else { return raise(lua, command::NO_ARGUMENT) };
    let Some(row) = commands::lookup_line(name, words.get(1).map(|word| &word[..])) else {
        return raise(lua, "Invalid command passed to redis.acl_check_cmd()");
    };
    let may = lua.with_run(|run| {
        let Some(id) = run.caller.user else { return true };
        run.core.acl().by_id(id).is_some_and(|user| acl::check(user, row, &words[..]).is_ok())
    });
    lua.push_boolean(may.unwrap_or(false));
    Ok(1)
}
