//! Commands on keys whatever they hold: presence, removal, names, and other databases.

use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::number::parse_integer;
use crate::object::Object;
use crate::store::{Access, Key};
use crate::table::{Entry, OwnedEntry, Record, Value, ValueRef};
use crate::types::Type;

/// DEL.
pub fn del(call: &mut Call<'_>) -> Outcome {
    let lazily = call.store.settings().lazyfree_lazy_user_del;
    remove_all(call, lazily)
}

/// UNLINK.
pub fn unlink(call: &mut Call<'_>) -> Outcome {
    remove_all(call, true)
}

fn remove_all(call: &mut Call<'_>, lazily: bool) -> Outcome {
    let mut removed = 0;
    for index in 1..call.arguments.len() {
        let key = call.key(index);
        if call.store.remove(key, lazily) {
            call.store.changed(key, Event::Del);
            removed += 1;
        }
    }
    call.reply.integer(removed);
    Ok(())
}

/// EXISTS.
pub fn exists(call: &mut Call<'_>) -> Outcome {
    count_present(call, Access::ReadQuietly)
}

/// TOUCH. It leaves its trace even for a client that asked for none.
pub fn touch(call: &mut Call<'_>) -> Outcome {
    count_present(call, Access::Read)
}

fn count_present(call: &mut Call<'_>, access: Access) -> Outcome {
    let present = (1..call.arguments.len())
        .filter(|&index| call.store.find(call.key(index), access).is_some())
        .count();
    call.reply.integer(present as i64);
    Ok(())
}

/// TYPE.
pub fn type_of(call: &mut Call<'_>) -> Outcome {
    let name = match call.store.find(call.key(1), Access::ReadQuietly) {
        Some(entry) => Type::of(entry.kind()).name(),
        None => "none",
    };
    call.reply.simple(name);
    Ok(())
}

/// RENAME.
pub fn rename(call: &mut Call<'_>) -> Outcome {
    let (from, to) = (call.key(1), call.key(2));
    require(call, from)?;
    if from.name != to.name {
        rename_present(call, from, to);
    }
    call.reply.ok();
    Ok(())
}

/// RENAMENX.
pub fn renamenx(call: &mut Call<'_>) -> Outcome {
    let (from, to) = (call.key(1), call.key(2));
    require(call, from)?;
    let is_free = !call.store.exists(to);
    if is_free {
        rename_present(call, from, to);
    }
    call.reply.integer(i64::from(is_free));
    Ok(())
}

fn require(call: &mut Call<'_>, key: Key<'_>) -> Outcome {
    if call.store.exists(key) { Ok(()) } else { Err(error::NO_SUCH_KEY) }
}

/// Gives the entry of a key that is there another name; its expiry travels along.
fn rename_present(call: &mut Call<'_>, from: Key<'_>, to: Key<'_>) {
    let entry = call.store.take(from).expect("the caller has seen the key");
    let replaced = call.store.type_to_replace(to);
    call.store.put_renamed(to, entry);
    call.store.changed(from, Event::RenameFrom);
    call.store.changed_too(to, Event::RenameTo);
    call.store.note_replaced(to, replaced);
}

/// The number of a database in an argument.
fn database(call: &Call<'_>, index: usize) -> Result<u32, CommandError> {
    let number = parse_integer(call.arguments.at(index)).ok_or(error::NOT_AN_INTEGER)?;
    if i32::try_from(number).is_err() {
        return Err(CommandError::Fixed(
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        ));
    }
    u32::try_from(number)
        .ok()
        .filter(|db| *db < call.store.settings().databases)
        .ok_or(error::BAD_DATABASE)
}

/// MOVE.
pub fn move_key(call: &mut Call<'_>) -> Outcome {
    let from = call.key(1);
    let to = Key { db: database(call, 2)?, ..from };
    if from.db == to.db {
        return Err(error::SAME_OBJECT);
    }
    let moves = call.store.exists(from) && !call.store.exists(to);
    if moves {
        let entry = call.store.take(from).expect("it was there a moment ago");
        call.store.put_entry(to, entry);
        call.store.changed(from, Event::MoveFrom);
        call.store.changed_too(to, Event::MoveTo);
    }
    call.reply.integer(i64::from(moves));
    Ok(())
}

/// What stands behind `COPY source destination`.
struct CopyOptions {
    db: u32,
    replaces: bool,
}

impl CopyOptions {
    fn parse(call: &Call<'_>) -> Result<Self, CommandError> {
        let arguments = call.arguments;
        let mut options = Self { db: call.caller.db, replaces: false };
        let mut index = 3;
        while index < arguments.len() {
            if arguments.is(index, "replace") {
                options.replaces = true;
                index += 1;
            } else if arguments.is(index, "db") && index + 1 < arguments.len() {
                options.db = database(call, index + 1)?;
                index += 2;
            } else {
                return Err(error::SYNTAX);
            }
        }
        Ok(options)
    }
}

/// COPY.
pub fn copy(call: &mut Call<'_>) -> Outcome {
    let options = CopyOptions::parse(call)?;
    let from = call.key(1);
    let to = Key { db: options.db, ..call.key(2) };
    if from.db == to.db && from.name == to.name {
        return Err(error::SAME_OBJECT);
    }
    let access = call.read_access();
    let Some(duplicate) = call.store.find(from, access).map(|entry| duplicate(entry, to.name))
    else {
        call.reply.integer(0);
        return Ok(());
    };
    let is_free = !call.store.exists(to);
    let copies = is_free || options.replaces;
    if copies {
        let replaced = call.store.type_to_replace(to);
        call.store.put_entry(to, duplicate);
        call.store.changed(to, Event::CopyTo);
        call.store.note_replaced(to, replaced);
    }
    call.reply.integer(i64::from(copies));
    Ok(())
}

/// A copy of an entry under another name. A long string is shared until one of the two changes it.
#[allow(unreachable_code, reason = "`Object` may have no variants")]
fn duplicate(entry: Entry<'_, Object>, name: &[u8]) -> OwnedEntry<Object> {
    let value = match entry.value() {
        ValueRef::Int(number) => Value::Int(number),
        ValueRef::Bytes(bytes) => Value::Bytes(bytes),
        ValueRef::Shared(bytes) => Value::Shared(bytes.clone()),
        ValueRef::Object(object) => Value::Object(object.clone()),
    };
    let (kind, lru_bits, expiry_ms) = (entry.kind(), entry.lru_bits(), entry.expiry_ms());
    OwnedEntry::new(name, Record { kind, lru_bits, expiry_ms, value })
}
