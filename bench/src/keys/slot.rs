//! Hash slots, and for every slot a short hash tag that lies in it.
//!
//! A key `key:{06S}0000123` lies in the slot of `06S` alone. With one three-letter tag per slot a
//! generator reaches any slot it likes by copying three bytes, instead of hashing candidate keys
//! until one fits. Tags are found by trying all triples of 62 letters, which cover every slot.

use std::sync::OnceLock;

/// Slots of a cluster.
pub(crate) const SLOT_COUNT: usize = 16_384;

/// The letters between the braces of a hash tag.
pub(crate) type Tag = [u8; 3];

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// CRC-16/XMODEM: polynomial 0x1021, no reflection, initial value 0.
const CRC16: [u16; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = (index as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 != 0 { (crc << 1) ^ 0x1021 } else { crc << 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| (crc << 8) ^ CRC16[usize::from((crc >> 8) as u8 ^ byte)])
}

/// The slot of a hash tag. O(3).
pub(crate) fn slot_of_tag(tag: Tag) -> usize {
    usize::from(crc16(&tag)) % SLOT_COUNT
}

/// One tag for every slot. Built once, in a few milliseconds.
pub(crate) fn tags() -> &'static [Tag; SLOT_COUNT] {
    static TAGS: OnceLock<Box<[Tag; SLOT_COUNT]>> = OnceLock::new();
    TAGS.get_or_init(|| {
        let mut tags = Box::new([[0; 3]; SLOT_COUNT]);
        for first in LETTERS {
            for second in LETTERS {
                for third in LETTERS {
                    let tag = [*first, *second, *third];
                    tags[slot_of_tag(tag)] = tag;
                }
            }
        }
        assert!(tags.iter().all(|tag| *tag != [0; 3]), "a slot is out of reach of all tags");
        tags
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_matches_the_published_check_value() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        // CLUSTER KEYSLOT foo
        assert_eq!(usize::from(crc16(b"foo")) % SLOT_COUNT, 12_182);
    }

    #[test]
    fn every_tag_lies_in_its_slot() {
        for (slot, tag) in tags().iter().enumerate() {
            assert_eq!(slot_of_tag(*tag), slot);
        }
    }
}
