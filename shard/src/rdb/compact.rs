//! What the compact encodings have in common for the types that are read from them.

use super::error::FormatError;
use super::ziplist::Ziplist;
use crate::packed::{Element, Listpack, Packed};

/// Reads a whole listpack.
pub(super) fn listpack(blob: &[u8]) -> Result<Listpack<'_>, FormatError> {
    Listpack::parse(blob).ok_or(FormatError::Corrupt("listpack"))
}

/// Reads a whole ziplist.
pub(super) fn ziplist(blob: &[u8]) -> Result<Ziplist<'_>, FormatError> {
    Ziplist::parse(blob).ok_or(FormatError::Corrupt("ziplist"))
}

/// The elements of a ziplist as a sequence; `None` if they are more than one holds.
pub(super) fn pack(ziplist: &Ziplist<'_>, blob_bytes: usize) -> Option<Packed> {
    let fits = Packed::new().has_room_for(ziplist.len(), blob_bytes);
    fits.then(|| ziplist.iter().collect())
}

/// Refuses an encoding whose elements are not whole groups of `group`.
pub(super) fn check_groups(len: usize, group: usize) -> Result<(), FormatError> {
    match len {
        0 => Err(FormatError::Empty),
        _ if len.is_multiple_of(group) => Ok(()),
        _ => Err(FormatError::Corrupt("number of elements")),
    }
}

/// Refuses elements of which two are equal. O(n log n).
pub(super) fn check_distinct<'a>(
    elements: impl Iterator<Item = Element<'a>>,
) -> Result<(), FormatError> {
    let mut sorted: Vec<Element<'a>> = elements.collect();
    sorted.sort_unstable();
    let is_distinct = sorted.array_windows().all(|[one, next]| one != next);
    is_distinct.then_some(()).ok_or(FormatError::Duplicate)
}
