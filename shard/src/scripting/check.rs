//! Arguments of our functions, checked as Lua checks those of its own, with the same texts.

use super::lua::{Kind, Lua, Raise};

/// Pushes an error that tells where the script is, as `error` of Lua does.
pub(super) fn fail<T>(lua: Lua, text: &str) -> Result<T, Raise> {
    lua.has_room(2);
    let place = match lua.location(1) {
        Some(at) if at.is_lua && at.line > 0 => {
            let source =
                String::from_utf8_lossy(at.source.strip_prefix(b"@").unwrap_or(&at.source))
                    .into_owned();
            format!("{source}:{}: ", at.line)
        }
        _ => String::new(),
    };
    lua.push_bytes(format!("{place}{text}").as_bytes());
    Err(Raise)
}

/// Says what is wrong with argument `index`.
pub(super) fn bad_argument<T>(lua: Lua, index: i32, text: &str) -> Result<T, Raise> {
    let name = lua.location(0).and_then(|at| at.name).unwrap_or_else(|| b"?".to_vec());
    let name = String::from_utf8_lossy(&name);
    fail(lua, &format!("bad argument #{index} to '{name}' ({text})"))
}

fn wrong_kind<T>(lua: Lua, index: i32, expected: &str) -> Result<T, Raise> {
    let found = lua.kind_name(index);
    bad_argument(lua, index, &format!("{expected} expected, got {found}"))
}

/// The number at `index`.
pub(super) fn number(lua: Lua, index: i32) -> Result<f64, Raise> {
    if lua.is_number(index) { Ok(lua.to_number(index)) } else { wrong_kind(lua, index, "number") }
}

/// The integer at `index`; fractions are cut.
pub(super) fn integer(lua: Lua, index: i32) -> Result<i64, Raise> {
    number(lua, index).map(|number| number as i64)
}

/// The integer at `index`, or `default` if there is none.
pub(super) fn integer_or(lua: Lua, index: i32, default: i64) -> Result<i64, Raise> {
    match lua.kind(index) {
        Kind::None | Kind::Nil => Ok(default),
        _ => integer(lua, index),
    }
}

/// The bytes of the text (or number) at `index`.
pub(super) fn bytes(lua: &Lua, index: i32) -> Result<&[u8], Raise> {
    match lua.bytes(index) {
        Some(bytes) => Ok(bytes),
        None => wrong_kind(*lua, index, "string"),
    }
}
