//! The first 16 bytes: what it is, how it is encoded, and the count it had when last asked.

use super::DENSE_SIZE;

/// Bytes before the registers.
pub const HEADER_SIZE: usize = 16;

const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING_AT: usize = 4;
const COUNT_AT: usize = 8;

/// In the last byte of the count: it is out of date.
const STALE: u8 = 0x80;

/// How the registers are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Encoding {
    /// All of them, 6 bits each.
    Dense = 0,
    /// Runs of equal ones.
    Sparse = 1,
}

impl Encoding {
    /// The word PFDEBUG ENCODING answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Sparse => "sparse",
        }
    }

    /// The encoding a string claims, or `None` if it is no HyperLogLog. O(1).
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < HEADER_SIZE || !bytes.starts_with(MAGIC) {
            return None;
        }
        match bytes[ENCODING_AT] {
            0 if bytes.len() == DENSE_SIZE => Some(Self::Dense),
            1 => Some(Self::Sparse),
            _ => None,
        }
    }
}

/// A header of an empty HyperLogLog.
pub(super) fn new(encoding: Encoding) -> [u8; HEADER_SIZE] {
    let mut header = [0; HEADER_SIZE];
    header[..MAGIC.len()].copy_from_slice(MAGIC);
    set_encoding(&mut header, encoding);
    header
}

pub(super) fn set_encoding(bytes: &mut [u8], encoding: Encoding) {
    bytes[ENCODING_AT] = encoding as u8;
}

/// The count, unless it is out of date.
pub(super) fn count(bytes: &[u8]) -> Option<u64> {
    let count = bytes[COUNT_AT..HEADER_SIZE].try_into().expect("eight bytes");
    (bytes[HEADER_SIZE - 1] & STALE == 0).then(|| u64::from_le_bytes(count))
}

pub(super) fn set_count(bytes: &mut [u8], count: u64) {
    bytes[COUNT_AT..HEADER_SIZE].copy_from_slice(&count.to_le_bytes());
}

/// Notes that the registers have changed. The rest of the old count stays, as Redis leaves it.
pub(super) fn mark_stale(bytes: &mut [u8]) {
    bytes[HEADER_SIZE - 1] |= STALE;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_headers_pass() {
        let sparse = new(Encoding::Sparse);
        assert_eq!(Encoding::of(&sparse), Some(Encoding::Sparse));
        assert_eq!(Encoding::of(&sparse[..15]), None);
        let mut dense = new(Encoding::Dense).to_vec();
        assert_eq!(Encoding::of(&dense), None);
        dense.resize(DENSE_SIZE, 0);
        assert_eq!(Encoding::of(&dense), Some(Encoding::Dense));
        dense[ENCODING_AT] = 2;
        assert_eq!(Encoding::of(&dense), None);
        dense[0] = b'h';
        assert_eq!(Encoding::of(&dense), None);
    }

    #[test]
    fn a_count_holds_until_it_is_marked_stale() {
        let mut header = new(Encoding::Sparse);
        assert_eq!(count(&header), Some(0));
        set_count(&mut header, 0x0123_4567_89ab);
        assert_eq!(count(&header), Some(0x0123_4567_89ab));
        mark_stale(&mut header);
        assert_eq!(count(&header), None);
    }
}
