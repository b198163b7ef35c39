//! What stands in front of the keys of an RDB file, and behind them.

use basalt_shard::rdb::crc64::crc64;
use basalt_shard::rdb::opcode;
use basalt_shard::rdb::value_type::{VERSION, VERSION_WITH_FIELD_DEADLINES};
use basalt_shard::rdb::writer::{Compression, Writer};

/// What is written in front of the keys.
#[derive(Clone, Debug, Default)]
pub struct Preamble {
    /// Whether there are hashes whose fields have deadlines, which version 11 does not know.
    pub has_field_deadlines: bool,
    /// Names and values about the file, in order.
    pub aux: Vec<(&'static str, String)>,
    /// The code of each library of functions.
    pub functions: Vec<Vec<u8>>,
    /// Number, keys and expiring keys of each database that has any.
    pub databases: Vec<(u32, u64, u64)>,
}

impl Preamble {
    /// The bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let version = if self.has_field_deadlines { VERSION_WITH_FIELD_DEADLINES } else { VERSION };
        let mut writer = Writer::new(Compression::Off);
        writer.raw(format!("REDIS{version:04}").as_bytes());
        for (name, value) in &self.aux {
            writer.raw(&[opcode::AUX]);
            writer.string(name.as_bytes());
            writer.string(value.as_bytes());
        }
        for code in &self.functions {
            writer.raw(&[opcode::FUNCTION]);
            writer.string(code);
        }
        // Each run of keys says its database again, for cores write runs in any order.
        for &(db, keys, expiring) in &self.databases {
            writer.raw(&[opcode::SELECT_DB]);
            writer.length(u64::from(db));
            writer.raw(&[opcode::RESIZE_DB]);
            writer.length(keys);
            writer.length(expiring);
        }
        writer.into_bytes()
    }
}

/// What ends a file whose bytes up to here have `checksum`; zero if none is wanted.
pub fn ending(checksum: u64) -> [u8; 8] {
    checksum.to_le_bytes()
}

/// The version of Redis 7.0, the first that has bases: a file without keys needs no newer one.
const VERSION_OF_BASES: &[u8; 4] = b"0010";

/// A whole file without keys.
pub fn empty_file(preamble: &Preamble) -> Vec<u8> {
    let mut bytes = preamble.to_bytes();
    let signature = b"REDIS".len();
    bytes[signature..signature + VERSION_OF_BASES.len()].copy_from_slice(VERSION_OF_BASES);
    bytes.push(opcode::EOF);
    let checksum = crc64(&bytes);
    bytes.extend_from_slice(&ending(checksum));
    bytes
}
