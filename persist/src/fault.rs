//! What is wrong with a file, and where.

use std::fmt;
use std::io;

use basalt_shard::loading::LoadFault;
use basalt_shard::rdb::{FormatError, opcode};

/// What is wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The system could not read it.
    Io(io::Error),
    /// It does not begin as an RDB file does.
    NotRdb,
    /// A newer server has written it, or none that is known.
    Version(u16),
    /// It ends in the midst of something.
    Truncated,
    /// Data of a module that belongs to no key; the id of the module.
    ModuleAux(u64),
    /// A byte that is neither an opcode nor a type.
    Opcode(u8),
    /// Something is in no form that exists.
    Format(FormatError),
    /// A key cannot be taken.
    Key(LoadFault),
    /// The checksum at its end is not that of its bytes.
    Checksum {
        /// What it says.
        expected: u64,
        /// What its bytes have.
        found: u64,
    },
    /// A library of functions cannot be loaded.
    Function(String),
    /// It was written by a version that never was released.
    Unreleased,
}

/// What is wrong with a file, and where.
#[derive(Debug)]
pub struct RdbFault {
    /// Where the record begins that is at fault, in bytes from the start.
    pub offset: u64,
    /// The opcode or type at fault, if it is about one.
    pub opcode: Option<u8>,
    /// The key, if it is about one.
    pub key: Option<Vec<u8>>,
    /// What is wrong.
    pub reason: Reason,
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(out),
            Self::NotRdb => out.write_str("Wrong signature trying to load DB from file"),
            Self::Version(version) => write!(out, "Can't handle RDB format version {version}"),
            Self::Truncated => out.write_str("the file ends early"),
            Self::ModuleAux(id) => write!(
                out,
                "The RDB file contains AUX module data I can't load: no matching module '{}'",
                module_name(*id)
            ),
            Self::Opcode(byte) => write!(out, "{byte} is neither an opcode nor a type of value"),
            Self::Format(fault) => fault.fmt(out),
            Self::Key(fault) => fault.fmt(out),
            // In the words of Redis, which expects what it has worked out.
            Self::Checksum { expected, found } => write!(
                out,
                "RDB CRC error: Wrong RDB checksum expected: ({found:x}) but got ({expected:x})"
            ),
            Self::Function(error) => {
                write!(out, "a library of functions cannot be loaded: {error}")
            }
            Self::Unreleased => {
                out.write_str("functions in a format that no release wrote cannot be read")
            }
        }
    }
}

/// The name in the id of a module: nine letters of six bits each, in front of ten for its version.
fn module_name(id: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let letter = |index: u32| char::from(LETTERS[(id >> (10 + 6 * index)) as usize & 63]);
    (0..9).rev().map(letter).collect()
}

impl fmt::Display for RdbFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "at offset {}", self.offset)?;
        match self.opcode {
            Some(code) if code >= opcode::LOWEST => {
                write!(out, ", opcode {code} ({})", opcode::name(code))?;
            }
            Some(code) => write!(out, ", value type {code}")?,
            None => {}
        }
        if let Some(key) = &self.key {
            write!(out, ", key '{}'", key.escape_ascii())?;
        }
        write!(out, ": {}", self.reason)
    }
}

impl std::error::Error for RdbFault {}
