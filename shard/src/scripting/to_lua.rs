//! Replies of commands as values of Lua.
//!
//! | reply | value |
//! |---|---|
//! | integer, bulk, array | number, text, table |
//! | simple, error | table with `ok`, with `err` |
//! | null of RESP2, of RESP3 | false, nil |
//! | map, set | table with `map`, with `set` (member to true) |
//! | double, big number | table with `double`, with `big_number` |
//! | boolean | boolean |
//! | verbatim text | table with `verbatim_string`: a table with `format` and `string` |
//!
//! The bytes are our own commands', so they are well formed; that they are is asserted.

use super::lua::{Kind, Lua};
use super::reply_reader::ReplyReader;
use crate::reply::Output;

/// Pushes the one reply in `output`.
pub(super) fn push_reply(lua: Lua, output: &mut Output) {
    if !output.shared.is_empty() {
        flatten(output);
    }
    let mut reader = ReplyReader::new(&output.bytes);
    reader.push(lua);
    assert!(reader.is_at_end(), "a command writes one reply");
}

/// Puts shared buffers where they belong among the bytes.
fn flatten(output: &mut Output) {
    let mut whole = Vec::with_capacity(output.len());
    let mut from = 0;
    for (offset, shared) in &output.shared {
        whole.extend_from_slice(&output.bytes[from..*offset]);
        whole.extend_from_slice(shared);
        from = *offset;
    }
    whole.extend_from_slice(&output.bytes[from..]);
    output.bytes = whole;
    output.shared.clear();
}

/// Replies on their way to the stack.
impl ReplyReader<'_> {
    fn push(&mut self, lua: Lua) {
        assert!(lua.has_room(6), "replies are nested a few levels deep");
        match self.kind() {
            b'+' => push_in_table(lua, "ok", |lua| lua.push_bytes(self.line())),
            b'-' => push_in_table(lua, "err", |lua| lua.push_bytes(self.line())),
            b':' => lua.push_number(self.integer() as f64),
            b'$' => self.push_bulk(lua),
            b'*' => self.push_array(lua),
            b'_' => {
                self.line();
                lua.push_nil();
            }
            b'#' => lua.push_boolean(self.line() == b"t"),
            b',' => {
                let number = crate::number::parse_double(self.line()).unwrap_or(f64::NAN);
                push_in_table(lua, "double", |lua| lua.push_number(number));
            }
            b'(' => push_in_table(lua, "big_number", |lua| lua.push_bytes(self.line())),
            b'=' => self.push_verbatim(lua),
            b'|' => self.push_behind_attribute(lua),
            b'%' => {
                let count = self.integer();
                push_in_table(lua, "map", |lua| self.push_map(lua, count));
            }
            b'~' => {
                let count = self.integer();
                push_in_table(lua, "set", |lua| self.push_set(lua, count));
            }
            other => unreachable!("no reply begins with {other:#x}"),
        }
    }

    fn push_bulk(&mut self, lua: Lua) {
        match self.integer() {
            -1 => lua.push_boolean(false),
            len => lua.push_bytes(self.take(len)),
        }
    }

    fn push_array(&mut self, lua: Lua) {
        let count = self.integer();
        if count < 0 {
            return lua.push_boolean(false);
        }
        lua.push_table(count as usize, 0);
        for number in 1..=count {
            self.push(lua);
            lua.set_element(-2, number as i32);
        }
    }

    fn push_map(&mut self, lua: Lua, count: i64) {
        lua.push_table(0, count as usize);
        for _ in 0..count {
            self.push(lua);
            self.push(lua);
            set_pair(lua);
        }
    }

    fn push_set(&mut self, lua: Lua, count: i64) {
        lua.push_table(0, count as usize);
        for _ in 0..count {
            self.push(lua);
            lua.push_boolean(true);
            set_pair(lua);
        }
    }

    /// What an attribute says is left out.
    fn push_behind_attribute(&mut self, lua: Lua) {
        for _ in 0..2 * self.integer() {
            self.push(lua);
            lua.pop(1);
        }
        self.push(lua);
    }

    fn push_verbatim(&mut self, lua: Lua) {
        let len = self.integer();
        let text = self.take(len);
        push_in_table(lua, "verbatim_string", |lua| {
            lua.push_table(0, 2);
            lua.push_bytes(&text[4..]);
            lua.set_field(-2, "string");
            lua.push_bytes(&text[..3]);
            lua.set_field(-2, "format");
        });
    }
}

fn push_in_table(lua: Lua, name: &str, push: impl FnOnce(Lua)) {
    lua.push_table(0, 1);
    push(lua);
    lua.set_field(-2, name);
}

/// Pops a value and its key into the table below, unless the key is none Lua can have.
fn set_pair(lua: Lua) {
    match lua.kind(-2) {
        Kind::Nil => lua.pop(2),
        _ => lua.set_raw(-3),
    }
}
