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
use super::value_type::{Project, RdbVersion, ValueType};
use super::writer::{Compression, Writer};
use crate::object::Object;
use crate::table::ValueRef;

const TYPE_BYTES: usize = 1;
const VERSION_BYTES: usize = 2;
const CHECKSUM_BYTES: usize = 8;

/// The payload of a value for readers of `version`. O(bytes).
pub fn dump(
    value: ValueRef<'_, Object>,
    version: RdbVersion,
    now_ms: i64,
    compression: Compression,
) -> Vec<u8> {
    let (value_type, mut payload) = body(value, version, now_ms, compression);
    seal(&mut payload, value_type.version_for(version));
    payload
}

/// The payload of a value for a server of any age: a form and a version as old as they can be, so
/// that what an old server could keep it also takes. O(bytes).
pub fn dump_for_any(value: ValueRef<'_, Object>, now_ms: i64, compression: Compression) -> Vec<u8> {
    let (value_type, mut payload) = body(value, RdbVersion::V10, now_ms, compression);
    seal(&mut payload, value_type.oldest_version());
    payload
}

/// A value with its type in front.
fn body(
    value: ValueRef<'_, Object>,
    version: RdbVersion,
    now_ms: i64,
    compression: Compression,
) -> (ValueType, Vec<u8>) {
    let mut writer = Writer::new(compression);
    let value_type = value::type_of(value, version);
    writer.value_type(value_type);
    value::encode(value, value_type, now_ms, &mut writer);
    (value_type, writer.into_bytes())
}

/// The version a payload says it has; `None` where it is too short to say so. O(1).
pub fn version_of(payload: &[u8]) -> Option<u16> {
    let (sealed, _) = payload.split_last_chunk::<CHECKSUM_BYTES>()?;
    let (_, version) = sealed.split_last_chunk::<VERSION_BYTES>()?;
    Some(u16::from_le_bytes(*version))
}

/// Gives a payload whose bytes are the same in all versions a footer that readers of `version`
/// take. O(bytes) if its own is newer.
///
/// # Panics
/// If it is no payload.
pub fn make_readable(payload: &mut Vec<u8>, version: RdbVersion) {
    if version_of(payload).expect("it is a payload") > version.number() {
        payload.truncate(payload.len() - VERSION_BYTES - CHECKSUM_BYTES);
        seal(payload, version.number());
    }
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
    let value_type = read_type(reader)?;
    value::decode(value_type, reader, limits)
}

/// Reads the type of the value of an opened payload: what comes first.
///
/// # Errors
/// If there is none, or none that can be read.
pub fn read_type(reader: &mut Reader<'_>) -> Result<ValueType, FormatError> {
    ValueType::of_code(reader.byte()?, reader.project())
}

/// Bytes the value takes when it is written, without its type: what DEBUG OBJECT tells. O(bytes).
pub fn serialized_length(
    value: ValueRef<'_, Object>,
    version: RdbVersion,
    now_ms: i64,
    compression: Compression,
) -> usize {
    let (_, body) = body(value, version, now_ms, compression);
    body.len() - TYPE_BYTES
}
