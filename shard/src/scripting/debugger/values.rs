//! Values of Lua as people read them.

use super::super::lua::{Kind, Lua};
use super::text::Text;
use crate::number::format_brief;

/// Tables within tables.
const DEPTH_MAX: usize = 10;

/// Writes the value on top of the stack, and leaves it there.
pub(super) fn describe(text: &mut Text, lua: Lua) {
    describe_at(text, lua, 0);
}

fn describe_at(text: &mut Text, lua: Lua, depth: usize) {
    if depth == DEPTH_MAX || !lua.has_room(4) {
        return text.push(b"<max recursion level reached! Nested table?>");
    }
    match lua.kind(-1) {
        Kind::String => text.push_quoted(lua.bytes(-1).unwrap_or_default()),
        Kind::Boolean if lua.to_boolean(-1) => text.push(b"true"),
        Kind::Boolean => text.push(b"false"),
        Kind::Number => text.push(format_brief(lua.to_number(-1)).as_bytes()),
        Kind::None | Kind::Nil => text.push(b"nil"),
        Kind::Table => describe_table(text, lua, depth),
        Kind::Pointer => push_address(text, lua, "light-userdata"),
        Kind::Function | Kind::Other => push_address(text, lua, &lua.kind_name(-1)),
    }
}

fn push_address(text: &mut Text, lua: Lua, name: &str) {
    text.push(format!("\"{name}@{:#x}\"", lua.address(-1)).as_bytes());
}

/// As a list, if it is walked as one.
fn describe_table(text: &mut Text, lua: Lua, depth: usize) {
    let is_list = is_list(lua);
    let mut is_first = true;
    text.push(b"{");
    lua.push_nil();
    while lua.next(-2) {
        if text.is_full() {
            lua.pop(2);
            return;
        }
        if !std::mem::replace(&mut is_first, false) {
            text.push(b"; ");
        }
        if !is_list {
            text.push(b"[");
            lua.push_copy(-2);
            describe_at(text, lua, depth + 1);
            lua.pop(1);
            text.push(b"]=");
        }
        describe_at(text, lua, depth + 1);
        lua.pop(1);
    }
    text.push(b"}");
}

/// Whether the keys of the table on top of the stack come as 1, 2, 3. O(elements).
fn is_list(lua: Lua) -> bool {
    let mut expected = 0.0;
    lua.push_nil();
    while lua.next(-2) {
        lua.pop(1);
        expected += 1.0;
        if lua.kind(-1) != Kind::Number || lua.to_number(-1) != expected {
            lua.pop(1);
            return false;
        }
    }
    true
}
