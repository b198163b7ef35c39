//! The globals of a machine: what scripts find there, and that they cannot change it.
//!
//! Tables are made read-only in the machine itself, the metatable of texts among them: no function
//! a script can call gets around it. Reading a global that is not there is an error, as Redis has
//! it. What is missing on purpose: files, processes, loading of modules and bytecode, `print`,
//! `newproxy`, and stopping the garbage collector.

use super::check::{bad_argument, bytes, fail, integer};
use super::lua::machine::Machine;
use super::lua::{Function, GLOBALS, Kind, Lua, REGISTRY, Raise};
use super::{api, libraries};

/// Elements of the registry.
pub(super) const ERROR_HANDLER: i32 = 1;
const GLOBALS_TABLE: i32 = 2;
/// The metatable of the globals of functions, which leads to one of the two below.
const DOORWAY: i32 = 3;
const GLOBALS_TO_RUN: i32 = 4;
const GLOBALS_TO_LOAD: i32 = 5;
/// The first that is free for functions.
pub(super) const FIRST_FUNCTION: i32 = 6;

/// Fills the globals of a new machine.
pub(super) fn furnish(machine: &Machine, api: api::Face) {
    let lua = machine.lua();
    assert!(lua.has_room(16), "an empty stack has room");
    libraries::open(lua);
    set_function(lua, "collectgarbage", collect_garbage);
    lua.push_field(GLOBALS, "math");
    for (name, function) in [("random", random as Function), ("randomseed", seed_random)] {
        lua.push_function(function);
        lua.set_field(-2, name);
    }
    lua.pop(1);
    api::open(lua, api);
    lua.push_copy(GLOBALS);
    refuse_missing(lua);
    lua.pop(1);
    lua.push_function(describe_error);
    lua.set_element(REGISTRY, ERROR_HANDLER);
    lua.push_copy(GLOBALS);
    lua.set_element(REGISTRY, GLOBALS_TABLE);
    lua.push_copy(GLOBALS);
    protect(lua);
    lua.pop(1);
    // All texts share a metatable.
    lua.push_bytes(b"");
    if lua.push_metatable(-1) {
        protect(lua);
        lua.pop(1);
    }
    lua.set_top(0);
}

/// Fills a new machine for functions. Their globals are an empty table, behind which stand the real
/// ones while a function runs, and almost nothing while a library is loaded.
pub(super) fn furnish_for_functions(machine: &Machine) {
    furnish(machine, api::Face::Functions);
    let lua = machine.lua();
    lua.push_copy(GLOBALS);
    lua.set_element(REGISTRY, GLOBALS_TO_RUN);
    lua.push_table(0, 1);
    api::push_table(lua, api::Face::Loading);
    refuse_missing(lua);
    lua.set_field(-2, "redis");
    lua.push_field(-1, "redis");
    lua.set_field(-2, "server");
    refuse_missing(lua);
    protect(lua);
    lua.set_element(REGISTRY, GLOBALS_TO_LOAD);
    lua.push_table(0, 0);
    lua.push_table(0, 1);
    lua.set_read_only(-1, true);
    lua.push_copy(-1);
    lua.set_element(REGISTRY, DOORWAY);
    lua.set_metatable(-2);
    lua.set_read_only(-1, true);
    lua.set_element(REGISTRY, GLOBALS_TABLE);
    restore_globals(lua);
    show_globals(lua, false);
    lua.set_top(0);
}

/// Chooses what functions see: the globals to run with, or those to load with.
pub(super) fn show_globals(lua: Lua, is_loading: bool) {
    lua.push_element(REGISTRY, DOORWAY);
    lua.push_element(REGISTRY, if is_loading { GLOBALS_TO_LOAD } else { GLOBALS_TO_RUN });
    lua.set_field(-2, "__index");
    lua.pop(1);
}

/// Makes reading what is not in the table on top of the stack an error.
fn refuse_missing(lua: Lua) {
    lua.push_table(0, 1);
    lua.push_function(missing_global);
    lua.set_field(-2, "__index");
    lua.set_metatable(-2);
}

fn set_function(lua: Lua, name: &str, function: Function) {
    lua.push_function(function);
    lua.set_field(GLOBALS, name);
}

/// Puts the globals back in their place, should a script have set others.
pub(super) fn restore_globals(lua: Lua) {
    lua.push_element(REGISTRY, GLOBALS_TABLE);
    lua.replace(GLOBALS);
}

/// Makes the table on top of the stack, and all tables it leads to, read-only.
pub(super) fn protect(lua: Lua) {
    if lua.is_read_only(-1) {
        return;
    }
    assert!(lua.has_room(4), "libraries are not nested deeply");
    lua.set_read_only(-1, true);
    lua.push_nil();
    while lua.next(-2) {
        if lua.kind(-1) == Kind::Table {
            protect(lua);
        }
        lua.pop(1);
    }
    if lua.push_metatable(-1) {
        protect(lua);
        lua.pop(1);
    }
}

/// `__index` of the globals.
fn missing_global(lua: Lua) -> Result<i32, Raise> {
    let name = String::from_utf8_lossy(lua.bytes(2).unwrap_or(b"?")).into_owned();
    fail(lua, &format!("Script attempted to access nonexistent global variable '{name}'"))
}

/// Turns an error into a table that says where it was raised.
fn describe_error(lua: Lua) -> Result<i32, Raise> {
    lua.has_room(6);
    if lua.kind(1) != Kind::Table {
        let text = match lua.kind(1) {
            Kind::String | Kind::Number => lua.bytes(1).unwrap_or_default().to_vec(),
            _ => lua.kind_name(1).into_bytes(),
        };
        lua.push_table(0, 3);
        lua.push_bytes(&[b"ERR ", &text[..]].concat());
        lua.set_field(-2, "err");
        lua.replace(1);
    }
    lua.set_top(1);
    let place = (1..=2).filter_map(|level| lua.location(level)).find(|place| place.is_lua);
    if let Some(place) = place
        && !lua.is_read_only(1)
    {
        lua.push_bytes(&place.source);
        lua.set_field(1, "source");
        lua.push_number(f64::from(place.line));
        lua.set_field(1, "line");
    }
    Ok(1)
}

/// `collectgarbage`, without what would change how garbage is collected from then on.
fn collect_garbage(lua: Lua) -> Result<i32, Raise> {
    let what = match lua.kind(1) {
        Kind::None | Kind::Nil => b"collect".to_vec(),
        _ => bytes(&lua, 1)?.to_vec(),
    };
    let answer = match &what[..] {
        b"collect" => {
            lua.collect();
            0.0
        }
        b"step" => {
            lua.collect_some(0);
            0.0
        }
        b"count" => lua.used_bytes() as f64 / 1024.0,
        b"stop" | b"restart" | b"setpause" | b"setstepmul" => 0.0,
        other => {
            let text = format!("invalid option '{}'", String::from_utf8_lossy(other));
            return bad_argument(lua, 1, &text);
        }
    };
    lua.push_number(answer);
    Ok(1)
}

/// `math.random`, the same on every machine.
fn random(lua: Lua) -> Result<i32, Raise> {
    const MOST: u32 = i32::MAX as u32;
    let drawn = lua.with_run(|run| run.next_random()).unwrap_or(0);
    let share = f64::from(drawn % MOST) / f64::from(MOST);
    let number = match lua.top() {
        0 => share,
        1 => {
            let upper = integer(lua, 1)?;
            if upper < 1 {
                return bad_argument(lua, 1, "interval is empty");
            }
            (share * upper as f64).floor() + 1.0
        }
        2 => {
            let (lower, upper) = (integer(lua, 1)?, integer(lua, 2)?);
            if lower > upper {
                return bad_argument(lua, 2, "interval is empty");
            }
            (share * (upper as f64 - lower as f64 + 1.0)).floor() + lower as f64
        }
        _ => return fail(lua, "wrong number of arguments"),
    };
    lua.push_number(number);
    Ok(1)
}

/// `math.randomseed`.
fn seed_random(lua: Lua) -> Result<i32, Raise> {
    let seed = integer(lua, 1)?;
    lua.with_run(|run| run.seed_random(seed as u32));
    Ok(0)
}
