//! The libraries scripts have besides those of Lua: `bit`, `cjson`, `cmsgpack` and `struct`, with
//! the behaviour of the versions Redis 7.2 ships.

mod bit;
pub(in crate::scripting) mod cjson;
mod cmsgpack;
mod general;
mod structure;

use super::lua::{Function, GLOBALS, Lua};

/// Adds all of them to the globals.
pub(super) fn open(lua: Lua) {
    register(lua, "bit", bit::FUNCTIONS);
    register(lua, "struct", structure::FUNCTIONS);
    register(lua, "cmsgpack", cmsgpack::FUNCTIONS);
    lua.push_field(GLOBALS, "cmsgpack");
    for (name, text) in cmsgpack::TEXTS {
        lua.push_bytes(text.as_bytes());
        lua.set_field(-2, name);
    }
    lua.pop(1);
    register(lua, "cjson", cjson::FUNCTIONS);
    lua.push_field(GLOBALS, "cjson");
    lua.push_mark(cjson::NULL);
    lua.set_field(-2, "null");
    for (name, text) in [("_NAME", "cjson"), ("_VERSION", "2.1.0")] {
        lua.push_bytes(text.as_bytes());
        lua.set_field(-2, name);
    }
    lua.pop(1);
}

fn register(lua: Lua, library: &str, functions: &[(&str, Function)]) {
    lua.push_table(0, functions.len());
    for &(name, function) in functions {
        lua.push_function(function);
        lua.set_field(-2, name);
    }
    lua.set_field(GLOBALS, library);
}
