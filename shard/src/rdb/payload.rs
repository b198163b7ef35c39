//! What DUMP answers and RESTORE takes: a value with a footer.
//!
//! ```text
//! | type | value ... | version | CRC-64 of all that is in front |
//!    1                    2          8                               low byte first
//! ```

use super::crc64::crc64;
use super::error::FormatError;
use super::reader::Reader;
use super::value::{self, Decoded, Limits};
use super::value_type::{Project, ValueType};
use super::writer::{Compression, Writer};
use crate::object::Object;
use crate::table::ValueRef;

const VERSION_BYTES: usize = 2;
const CHECKSUM_BYTES: usize = 8;

/// The payload of a value. O(bytes).
pub fn dump(value: ValueRef<'_, Object>, now_ms: i64, compression: Compression) -> Vec<u8> {
    let mut writer = Writer::new(compression);
    let value_type = value::type_of(value);
    writer.value_type(value_type);
    value::encode(value, now_ms, &mut writer);
    let mut payload = writer.into_bytes();
    seal(&mut payload, value_type.version());
    payload
}

/// The payload of a value for a server of any age: a form and a version as old as they can be, so
/// that what an old server could keep it also takes. O(bytes).
pub fn dump_for_any(value: ValueRef<'_, Object>, now_ms: i64, compression: Compression) -> Vec<u8> {
    let mut writer = Writer::new(compression);
    let value_type = value::encode_for_any(value, now_ms, &mut writer);
    let mut payload = writer.into_bytes();
    seal(&mut payload, value_type.oldest_version());
    payload
}

/// Appends the footer.
pub fn seal(payload: &mut Vec<u8>, version: u16) {
    payload.extend_from_slice(&version.to_le_bytes());
    let checksum = crc64(payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
}

/// Whether the checksum of a payload is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChecksumCheck {
    /// It has to be right.
    #[default]
    Done,
    /// Whatever it is (`DEBUG SET-SKIP-CHECKSUM-VALIDATION`): for tests with damaged payloads.
    Skipped,
}

/// Checks the footer and returns what is in front of it. O(bytes).
///
/// # Errors
/// [`FormatError::Truncated`], [`FormatError::Version`] and [`FormatError::Checksum`].
pub fn open(payload: &[u8]) -> Result<Reader<'_>, FormatError> {
    open_with(payload, ChecksumCheck::Done)
}

/// The same, with or without the checksum.
///
/// # Errors
/// As those of [`open`].
pub fn open_with(payload: &[u8], check: ChecksumCheck) -> Result<Reader<'_>, FormatError> {
    let (sealed, checksum) =
        payload.split_last_chunk::<CHECKSUM_BYTES>().ok_or(FormatError::Truncated)?;
    let (body, version) =
        sealed.split_last_chunk::<VERSION_BYTES>().ok_or(FormatError::Truncated)?;
    let project = Project::of_version(u16::from_le_bytes(*version))?;
    let is_checked = check == ChecksumCheck::Done;
    if is_checked && crc64(sealed) != u64::from_le_bytes(*checksum) {
        return Err(FormatError::Checksum);
    }
    Ok(Reader::new(body, project))
}

/// Reads the value of an opened payload. What may follow it is not looked at, as in Redis.
///
/// # Errors
/// Whatever is wrong with it.
pub fn restore<'a>(reader: &mut Reader<'a>, limits: &Limits) -> Result<Decoded<'a>, FormatError> {
    let value_type = ValueType::of_code(reader.byte()?, reader.project())?;
    value::decode(value_type, reader, limits)
}

/// Bytes the value takes when it is written, without its type: what DEBUG OBJECT tells. O(bytes).
pub fn serialized_length(
    value: ValueRef<'_, Object>,
    now_ms: i64,
    compression: Compression,
) -> usize {
    let mut writer = Writer::new(compression);
    value::encode(value, now_ms, &mut writer);
    writer.bytes().len()
}
