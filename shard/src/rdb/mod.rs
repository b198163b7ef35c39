//! RDB: how values look in files, in DUMP payloads and on their way to other servers.
//!
//! A pure layer: bytes in, values out, and the other way round. It knows nothing of keys, sockets
//! or files.
//!
//! | file | holds |
//! |---|---|
//! | [`payload`] | the frame around one value: DUMP and RESTORE |
//! | [`value`] | values: the type one is written as, and reading each type |
//! | `list`, `set`, `sorted_set`, `hash`, `stream` | the forms of each type, drawn |
//! | [`opcode`] | what stands between the keys of a file |
//! | `commands` | a key as the commands that make it |
//! | [`skim`] | where a value ends, without reading it |
//! | [`value_type`] | types and versions, and who writes which |
//! | [`reader`], [`writer`] | lengths, strings and numbers |
//! | [`ziplist`], [`zipmap`], [`intset`], `compact` | compact encodings; listpacks: `packed` |
//! | [`lzf`], [`crc64`] | compression, checksum |
//! | [`fuzz`] | what must hold for any bytes whatever |
//!
//! **Writing** is what Redis 7.2 does, so that it and Valkey can read it, or what Redis 7.0 does,
//! if that is wanted ([`value_type::RdbVersion`]). Only hashes whose fields have deadlines take
//! forms of Redis 7.4.
//!
//! **Reading** takes every type that any of them wrote since the beginning, but for values of
//! modules, and trusts nothing: each length is checked against the bytes at hand, each compact
//! encoding is checked whole before an element is used, members and fields that come twice are
//! refused, and so are empty collections. There is no quick way that checks less, for values are
//! not used as they come but become what is kept here. Memory stays within a small factor of the
//! bytes read, 88 for compressed strings.
//!
//! Format: `rdb.c` of Redis, as its behaviour shows.

pub(crate) mod commands;
mod compact;
pub mod crc64;
pub mod error;
pub mod fuzz;
mod hash;
pub mod intset;
mod list;
pub mod lzf;
pub mod opcode;
pub mod payload;
pub mod reader;
mod set;
pub mod skim;
mod sorted_set;
mod stream;
mod stream_node;
pub mod value;
pub mod value_type;
pub mod writer;
pub mod ziplist;
pub mod zipmap;

#[cfg(test)]
mod tests;

pub use error::FormatError;
