//! DUMP and RESTORE: values as payloads that travel between servers.
//!
//! What a payload is and how it is checked stands in [`crate::rdb`]. The order of checks is Redis':
//! the options, whether the key is taken, the time to live, the footer, the value.

use super::{hash, list, set, sorted_set, string};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::number::parse_integer;
use crate::object::Object;
use crate::rdb::FormatError;
use crate::rdb::payload;
use crate::rdb::reader::{Reader, Text};
use crate::rdb::value::{self, Decoded, Limits};
use crate::rdb::value_type::ValueType;
use crate::rdb::writer::Compression;
use crate::settings::Settings;
use crate::store::{Access, Key, Store};
use crate::table::Value;
use crate::types::Type;

const BUSY_KEY: CommandError = CommandError::Fixed("BUSYKEY Target key name already exists.");
const INVALID_TTL: CommandError = CommandError::Fixed("ERR Invalid TTL value, must be >= 0");
const INVALID_IDLE_TIME: CommandError =
    CommandError::Fixed("ERR Invalid IDLETIME value, must be >= 0");
const INVALID_FREQUENCY: CommandError =
    CommandError::Fixed("ERR Invalid FREQ value, must be >= 0 and <= 255");
const BAD_FOOTER: CommandError =
    CommandError::Fixed("ERR DUMP payload version or checksum are wrong");
const BAD_FORMAT: &str = "ERR Bad data format";
/// Bytes of a key that are shown in the log.
const NAME_BYTES_SHOWN: usize = 64;

/// DUMP.
pub fn dump(call: &mut Call<'_>) -> Outcome {
    let (now_ms, access) = (call.store.now_ms(), call.read_access());
    let (compression, version) =
        (compression(call.store.settings()), call.store.settings().rdb_version);
    match call.store.find(call.key(1), access) {
        Some(entry) => {
            let payload = payload::dump(entry.value(), version, now_ms, compression);
            call.reply.bulk(&payload);
        }
        None => call.reply.null(),
    }
    Ok(())
}

/// Whether payloads are compressed.
pub(super) fn compression(settings: &Settings) -> Compression {
    if settings.rdbcompression { Compression::On } else { Compression::Off }
}

/// What is said of the use of a restored key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Usage {
    /// Nothing: it is used now.
    Unsaid,
    /// `IDLETIME`: seconds since it was used.
    IdleSeconds(i64),
    /// `FREQ`: the counter of its uses.
    Counter(u8),
}

/// What stands behind `RESTORE key ttl payload`.
struct RestoreOptions {
    replaces: bool,
    is_absolute: bool,
    usage: Usage,
}

impl RestoreOptions {
    fn parse(arguments: Arguments<'_>) -> Result<Self, CommandError> {
        let mut options = Self { replaces: false, is_absolute: false, usage: Usage::Unsaid };
        let mut index = 4;
        while index < arguments.len() {
            let has_value = index + 1 < arguments.len();
            match () {
                () if arguments.is(index, "replace") => options.replaces = true,
                () if arguments.is(index, "absttl") => options.is_absolute = true,
                () if arguments.is(index, "idletime") && has_value => {
                    index += 1;
                    options.read_idle_time(arguments.at(index))?;
                }
                () if arguments.is(index, "freq") && has_value => {
                    index += 1;
                    options.read_counter(arguments.at(index))?;
                }
                () => return Err(error::SYNTAX),
            }
            index += 1;
        }
        Ok(options)
    }

    fn read_idle_time(&mut self, text: &[u8]) -> Result<(), CommandError> {
        if matches!(self.usage, Usage::Counter(_)) {
            return Err(error::SYNTAX);
        }
        let seconds = parse_integer(text).ok_or(error::NOT_AN_INTEGER)?;
        if seconds < 0 {
            return Err(INVALID_IDLE_TIME);
        }
        self.usage = Usage::IdleSeconds(seconds);
        Ok(())
    }

    fn read_counter(&mut self, text: &[u8]) -> Result<(), CommandError> {
        if matches!(self.usage, Usage::IdleSeconds(_)) {
            return Err(error::SYNTAX);
        }
        let counter = parse_integer(text).ok_or(error::NOT_AN_INTEGER)?;
        self.usage = Usage::Counter(u8::try_from(counter).map_err(|_| INVALID_FREQUENCY)?);
        Ok(())
    }

    /// The deadline of the key, from the time to live that was given.
    fn deadline_ms(&self, ttl_ms: i64, now_ms: i64) -> Option<i64> {
        match ttl_ms {
            0 => None,
            _ if self.is_absolute => Some(ttl_ms),
            _ => Some(ttl_ms.saturating_add(now_ms)),
        }
    }
}

/// RESTORE and RESTORE-ASKING.
pub fn restore(call: &mut Call<'_>) -> Outcome {
    let options = RestoreOptions::parse(call.arguments)?;
    let key = call.key(1);
    if !options.replaces && call.store.exists(key) {
        return Err(BUSY_KEY);
    }
    let ttl_ms = parse_integer(call.arguments.at(2)).ok_or(error::NOT_AN_INTEGER)?;
    if ttl_ms < 0 {
        return Err(INVALID_TTL);
    }
    let mut reader = payload::open_with(call.arguments.at(3), call.store.payload_checksums)
        .map_err(|_| BAD_FOOTER)?;
    let decoded = decode(call.store, &mut reader, key.name)?;
    let deadline_ms = options.deadline_ms(ttl_ms, call.store.now().unix_ms());
    if deadline_ms.is_some_and(|at_ms| at_ms <= call.store.now_ms()) {
        remove_old(call.store, key);
    } else {
        let replaced = call.store.type_to_replace(key);
        put(call.store, key, decoded, deadline_ms);
        note_usage(call.store, key, options.usage);
        call.store.changed(key, Event::Restore);
        call.store.note_replaced(key, replaced);
        // Its own words, but that a time is absolute, and the payload one that others can read.
        let at_ms = deadline_ms.unwrap_or(0).to_string();
        let payload = older_payload(call.store, key, call.arguments.at(3));
        let mut parts: Vec<&[u8]> = call.arguments.from(0).collect();
        parts[2] = at_ms.as_bytes();
        parts[3] = payload.as_deref().unwrap_or(parts[3]);
        if deadline_ms.is_some() && !options.is_absolute {
            parts.push(b"ABSTTL");
        }
        call.did(key, &parts);
    }
    call.reply.ok();
    Ok(())
}

/// What the journal tells in place of a payload that is newer than what is written here: a server
/// that goes on with the file might not know its version, and would go on without the key.
fn older_payload(store: &mut Store, key: Key<'_>, payload: &[u8]) -> Option<Vec<u8>> {
    let (version, compression) = (store.settings().rdb_version, compression(store.settings()));
    let is_newer = payload::version_of(payload).is_some_and(|own| own > version.number());
    if !is_newer || !store.journal.is_on() {
        return None;
    }
    let now_ms = store.now_ms();
    let entry = store.find(key, Access::Peek)?;
    Some(payload::dump(entry.value(), version, now_ms, compression))
}

fn decode<'a>(
    store: &mut Store,
    reader: &mut Reader<'a>,
    name: &[u8],
) -> Result<Decoded<'a>, CommandError> {
    let limits = limits_of(store);
    let value_type = payload::read_type(reader).map_err(|fault| bad_format(name, None, fault))?;
    value::decode(value_type, reader, &limits)
        .map_err(|fault| bad_format(name, Some(value_type), fault))
}

/// The value of a payload is refused: the log is told why.
#[cold]
fn bad_format(name: &[u8], value_type: Option<ValueType>, fault: FormatError) -> CommandError {
    let name = name[..name.len().min(NAME_BYTES_SHOWN)].escape_ascii();
    let form = value_type.map_or("Payload", ValueType::name);
    let what = match fault {
        FormatError::Corrupt(_) | FormatError::Duplicate | FormatError::Empty => {
            " integrity check failed"
        }
        _ => "",
    };
    let text = format!("RESTORE of '{name}' was refused: {form}{what}: {fault}");
    CommandError::Explained(BAD_FORMAT, text.into())
}

/// How values that are read are kept.
pub(crate) fn limits_of(store: &mut Store) -> Limits {
    Limits {
        hash: hash::limits_of(store),
        list: list::node_limit(store),
        set: set::set_limits(store),
        sorted_set: sorted_set::limits_of(store),
    }
}

/// The key was restored with a deadline that is past: what was there before is gone, too.
fn remove_old(store: &mut Store, key: Key<'_>) {
    let lazily = store.settings().lazyfree_lazy_server_del;
    if store.remove(key, lazily) {
        store.changed(key, Event::Del);
        store.journal.replace(key.db, &[b"DEL", key.name]);
    }
}

/// Stores what was read under a key; whether there was something.
pub(crate) fn put(
    store: &mut Store,
    key: Key<'_>,
    decoded: Decoded<'_>,
    deadline_ms: Option<i64>,
) -> bool {
    let mut set = |kind, value: Value<'_, Object>| store.set(key, kind, value, deadline_ms);
    match decoded {
        Decoded::String(Text::Int(number)) => set(Type::String, Value::Int(i64::from(number))),
        Decoded::String(Text::Bytes(bytes)) => set(Type::String, string::value_of(&bytes)),
        Decoded::Object(object) => set(object.kind(), Value::Object(object)),
    }
}

fn note_usage(store: &mut Store, key: Key<'_>, usage: Usage) {
    match usage {
        Usage::Unsaid => {}
        Usage::IdleSeconds(seconds) => store.set_idle_seconds(key, seconds),
        Usage::Counter(counter) => store.set_use_counter(key, counter),
    }
}
