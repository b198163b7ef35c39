//! What stands between the keys of an RDB file.
//!
//! ```text
//! file    | REDIS 0011 | aux ... | functions ... | databases ... | EOF | CRC-64 |
//! aux     FA name value                   about the file; unknown names mean nothing
//! 245     F5 code                         one library of functions
//! db      FE number | FB keys expiring | keys ...
//! key     [FC 8 bytes of ms] [F8 idle seconds | F9 counter] type name value
//! ```
//!
//! Format: `rdb.h` of Redis and Valkey, as their behaviour shows. Opcodes share their byte with the
//! types of values, which are counted from 0 upwards.

/// The file is over; the checksum follows from version 5 on.
pub const EOF: u8 = 255;
/// The number of the database whose keys follow.
pub const SELECT_DB: u8 = 254;
/// Seconds since 1970, four bytes, low first: when the next key expires.
pub const EXPIRY_SECONDS: u8 = 253;
/// Milliseconds since 1970, eight bytes, low first: when the next key expires.
pub const EXPIRY_MS: u8 = 252;
/// How many keys the database has, and how many of them expire. A hint.
pub const RESIZE_DB: u8 = 251;
/// A name and a value about the file.
pub const AUX: u8 = 250;
/// One byte: how often the next key is used.
pub const FREQUENCY: u8 = 249;
/// A length: seconds since the next key was used.
pub const IDLE: u8 = 248;
/// Data of a module that belongs to no key.
pub const MODULE_AUX: u8 = 247;
/// A library of functions as release candidates of Redis 7.0 wrote it.
pub const FUNCTION_BEFORE_RELEASE: u8 = 246;
/// A library of functions: its code.
pub const FUNCTION: u8 = 245;
/// A slot, its keys and how many of them expire. A hint.
pub const SLOT_INFO: u8 = 244;

/// Redis: what modules keep of the next key. Valkey: a slot that is being moved to its server.
pub const KEY_META_OR_SLOT_IMPORT: u8 = 243;
/// The names of the fields of hashes that name it.
pub const HASH_TEMPLATE: u8 = 242;

/// The lowest byte that is no type of value in any version that is known.
pub const LOWEST: u8 = 241;

/// What to call an opcode in messages.
pub fn name(opcode: u8) -> &'static str {
    match opcode {
        EOF => "eof",
        SELECT_DB => "select-db",
        EXPIRY_SECONDS => "expiry",
        EXPIRY_MS => "expiry-ms",
        RESIZE_DB => "resize-db",
        AUX => "aux",
        FREQUENCY => "frequency",
        IDLE => "idle",
        MODULE_AUX => "module-aux",
        FUNCTION_BEFORE_RELEASE | FUNCTION => "function",
        SLOT_INFO => "slot-info",
        KEY_META_OR_SLOT_IMPORT => "key-meta or slot-import",
        HASH_TEMPLATE => "hash-template",
        _ => "unknown",
    }
}
