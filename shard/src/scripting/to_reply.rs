//! What a script returns, as a reply.
//!
//! The table of `to_lua` read from right to left; besides, numbers lose their fraction, `true` is 1
//! and `false` null unless the script has chosen RESP3, an array ends before its first nil, and
//! what has no form in a reply is null.

use super::lua::{Kind, Lua};
use crate::error::CommandError;
use crate::reply::{Protocol, Reply};

/// Tables within tables: bounds our own recursion.
const DEPTH_MAX: usize = 1000;

const TOO_DEEP: CommandError = CommandError::Fixed("ERR reached lua stack limit");

/// Writes the value on top of the stack and pops it. `protocol` is the one the script has chosen.
pub(super) fn write_reply(lua: Lua, protocol: Protocol, reply: &mut Reply<'_>) {
    Writer { lua, protocol, reply: reply.reborrow() }.write(0);
}

/// Writes what a script returned, which is on top of the stack. An error is returned instead of
/// written, to be counted as one, unless it is that of a command, which was counted.
pub(super) fn write_result(
    lua: Lua,
    protocol: Protocol,
    reply: &mut Reply<'_>,
) -> Result<(), CommandError> {
    if lua.kind(-1) == Kind::Table && lua.has_room(6) {
        let is_error = lua.push_field(-1, "err") == Kind::String;
        lua.pop(1);
        if is_error {
            return Err(error_of(lua, &read_text(lua, "err")));
        }
    }
    write_reply(lua, protocol, reply);
    Ok(())
}

/// Says why a script failed: the error is on top of the stack, as the handler left it.
pub(super) fn failure(lua: Lua) -> CommandError {
    lua.has_room(6);
    let name = lua.with_run(|run| run.name.clone()).unwrap_or_default();
    if lua.kind(-1) != Kind::Table {
        let text = match lua.kind(-1) {
            Kind::String => String::from_utf8_lossy(lua.bytes(-1).unwrap_or_default()).into_owned(),
            _ => "execution failure".to_owned(),
        };
        return CommandError::worded(format!("ERR Error running script {name}, {text}"));
    }
    let mut text = read_text(lua, "err");
    if text.is_empty() {
        text.push_str("ERR unknown error");
    }
    let (source, line) = (read_text(lua, "source"), read_text(lua, "line"));
    if !source.is_empty() && !line.is_empty() {
        text.push_str(&format!(" script: {name}, on {source}:{line}."));
    }
    error_of(lua, &text)
}

/// A field of the table on top of the stack, as text.
fn read_text(lua: Lua, name: &str) -> String {
    lua.push_field(-1, name);
    let text = String::from_utf8_lossy(lua.bytes(-1).unwrap_or_default()).into_owned();
    lua.pop(1);
    text
}

/// The error of a script, whose table is on top of the stack.
fn error_of(lua: Lua, text: &str) -> CommandError {
    lua.push_field(-1, "ignore_error_stats_update");
    let was_counted = lua.to_boolean(-1);
    lua.pop(1);
    match was_counted {
        true => CommandError::Counted(text.into()),
        false => CommandError::worded(text),
    }
}

struct Writer<'a> {
    lua: Lua,
    protocol: Protocol,
    reply: Reply<'a>,
}

impl Writer<'_> {
    fn write(&mut self, depth: usize) {
        let lua = self.lua;
        if depth > DEPTH_MAX || !lua.has_room(6) {
            self.reply.error(&TOO_DEEP);
            return lua.pop(1);
        }
        match lua.kind(-1) {
            Kind::String => self.reply.bulk(lua.bytes(-1).unwrap_or_default()),
            Kind::Number => self.reply.integer(lua.to_number(-1) as i64),
            Kind::Boolean => self.write_boolean(lua.to_boolean(-1)),
            Kind::Table => self.write_table(depth),
            _ => self.reply.null(),
        }
        lua.pop(1);
    }

    fn write_boolean(&mut self, value: bool) {
        match (self.protocol, value) {
            (Protocol::Resp3, _) => self.reply.boolean(value),
            (Protocol::Resp2, true) => self.reply.integer(1),
            (Protocol::Resp2, false) => self.reply.null(),
        }
    }

    /// Pushes a field of the table on top of the stack if it is of that kind.
    fn push_if(&self, name: &str, kind: Kind) -> bool {
        if self.lua.push_field(-1, name) == kind {
            return true;
        }
        self.lua.pop(1);
        false
    }

    /// Writes the table on top of the stack and leaves it there.
    fn write_table(&mut self, depth: usize) {
        let lua = self.lua;
        if self.push_if("err", Kind::String) {
            let text = String::from_utf8_lossy(lua.bytes(-1).unwrap_or_default()).into_owned();
            self.reply.error(&CommandError::worded(text));
        } else if self.push_if("ok", Kind::String) {
            self.reply.simple(&plain_line(lua.bytes(-1).unwrap_or_default()));
        } else if self.push_if("double", Kind::Number) {
            self.reply.double(lua.to_number(-1));
        } else if self.push_if("big_number", Kind::String) {
            self.reply.big_number(&plain_line(lua.bytes(-1).unwrap_or_default()));
        } else if self.write_verbatim() {
            return;
        } else if self.push_if("map", Kind::Table) {
            self.write_pairs(depth, true);
        } else if self.push_if("set", Kind::Table) {
            self.write_pairs(depth, false);
        } else {
            return self.write_array(depth);
        }
        lua.pop(1);
    }

    /// Writes the table on top of the stack if it is a verbatim text.
    fn write_verbatim(&mut self) -> bool {
        let lua = self.lua;
        if !self.push_if("verbatim_string", Kind::Table) {
            return false;
        }
        let mut is_verbatim = false;
        if self.push_if("format", Kind::String) {
            let mut format =
                String::from_utf8_lossy(lua.bytes(-1).unwrap_or_default()).into_owned();
            lua.pop(1);
            if self.push_if("string", Kind::String) {
                format.retain(|letter| letter.is_ascii_graphic());
                let format: String = format.chars().chain("txt".chars()).take(3).collect();
                self.reply.verbatim(&format, lua.bytes(-1).unwrap_or_default());
                lua.pop(1);
                is_verbatim = true;
            }
        }
        lua.pop(1);
        is_verbatim
    }

    /// Writes the keys of the table on top of the stack, and their values with a map.
    fn write_pairs(&mut self, depth: usize, is_map: bool) {
        let lua = self.lua;
        let mut count = 0;
        lua.push_nil();
        while lua.next(-2) {
            lua.pop(1);
            count += 1;
        }
        match is_map {
            true => self.reply.map_len(count),
            false => self.reply.set_len(count),
        }
        lua.push_nil();
        while lua.next(-2) {
            lua.push_copy(-2);
            self.write(depth + 1);
            match is_map {
                true => self.write(depth + 1),
                false => lua.pop(1),
            }
        }
    }

    fn write_array(&mut self, depth: usize) {
        let lua = self.lua;
        let mut count = 0;
        while count < i32::MAX && lua.push_element(-1, count + 1) != Kind::Nil {
            lua.pop(1);
            count += 1;
        }
        lua.pop(1);
        self.reply.array_len(count as usize);
        for number in 1..=count {
            lua.push_element(-1, number);
            self.write(depth + 1);
        }
    }
}

/// Text for a line of its own: line breaks become blanks.
fn plain_line(text: &[u8]) -> String {
    String::from_utf8_lossy(text).replace(['\r', '\n'], " ")
}
