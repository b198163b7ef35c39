//! What stands in front of the keys of an RDB file, and behind them.

use basalt_shard::rdb::crc64::crc64;
use basalt_shard::rdb::opcode;
use basalt_shard::rdb::value_type::{RdbVersion, VERSION_WITH_FIELD_DEADLINES};
use basalt_shard::rdb::writer::{Compression, Writer};

/// What is written in front of the keys.
#[derive(Clone, Debug, Default)]
pub struct Preamble {
    /// The version whose readers the file is written for.
    pub version: RdbVersion,
    /// Whether there are hashes whose fields have deadlines: no such version knows them.
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
        let version = match self.has_field_deadlines {
            true => VERSION_WITH_FIELD_DEADLINES,
            false => self.version.number(),
        };
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

/// A whole file without keys, which needs no newer version than that of Redis 7.0, the first that
/// has bases.
pub fn empty_file(preamble: Preamble) -> Vec<u8> {
    let oldest = Preamble { version: RdbVersion::V10, has_field_deadlines: false, ..preamble };
    let mut bytes = oldest.to_bytes();
    bytes.push(opcode::EOF);
    let checksum = crc64(&bytes);
    bytes.extend_from_slice(&ending(checksum));
    bytes
}
