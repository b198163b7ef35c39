//! The dense encoding: registers of 6 bits, packed from the lowest bit of the first byte on.
//!
//! ```text
//! byte        0         1         2
//! bits    11000000  22221111  33333322      register each bit belongs to, highest bit first
//! ```
//!
//! Eight registers fill six bytes. Loops over all registers take them as one number of 48 bits and
//! spread it to eight bytes, or the other way round, in three steps of halving: no loop over bits,
//! no branch, and the bytes are then compared sixteen at a time.

use super::observation::Observation;
use super::registers::Registers;
use super::{DENSE_REGISTERS_SIZE, REGISTER_COUNT};

const RANK_MASK: u16 = 0x3f;

/// Registers unpacked at once.
const GROUP_LEN: usize = 64;

/// Bytes they take when packed.
const PACKED_SIZE: usize = GROUP_LEN * 6 / 8;

const _: () = assert!(REGISTER_COUNT.is_multiple_of(GROUP_LEN));
const _: () = assert!(DENSE_REGISTERS_SIZE.is_multiple_of(PACKED_SIZE));

/// Byte and bit a register starts at.
fn place_of(register: usize) -> (usize, usize) {
    (register * 6 / 8, register * 6 % 8)
}

/// The rank in `register`. O(1).
pub(super) fn rank(packed: &[u8], register: usize) -> u8 {
    let (byte, shift) = place_of(register);
    // The last register ends with the last byte.
    let next = packed.get(byte + 1).copied().unwrap_or(0);
    (u16::from_le_bytes([packed[byte], next]) >> shift & RANK_MASK) as u8
}

/// Stores a rank of at most 63. O(1).
pub(super) fn set_rank(packed: &mut [u8], register: usize, rank: u8) {
    let (byte, shift) = place_of(register);
    let [clear_low, clear_high] = (!(RANK_MASK << shift)).to_le_bytes();
    let [low, high] = (u16::from(rank) << shift).to_le_bytes();
    packed[byte] = packed[byte] & clear_low | low;
    if let Some(next) = packed.get_mut(byte + 1) {
        *next = *next & clear_high | high;
    }
}

/// Stores a rank if it is higher than what is there. Returns whether it is. O(1).
pub(super) fn raise(packed: &mut [u8], observation: Observation) -> bool {
    let higher = observation.rank > rank(packed, observation.register);
    if higher {
        set_rank(packed, observation.register, observation.rank);
    }
    higher
}

/// 48 bits to eight bytes of six bits.
fn spread(packed: u64) -> u64 {
    let halves = packed & 0x0000_0000_00ff_ffff | (packed & 0xffff_ff00_0000) << 8;
    let quarters = halves & 0x0000_0fff_0000_0fff | (halves & 0x00ff_f000_00ff_f000) << 4;
    quarters & 0x003f_003f_003f_003f | (quarters & 0x0fc0_0fc0_0fc0_0fc0) << 2
}

/// Eight bytes of six bits to 48 bits.
fn gather(bytes: u64) -> u64 {
    let quarters = bytes & 0x003f_003f_003f_003f | (bytes & 0x3f00_3f00_3f00_3f00) >> 2;
    let halves = quarters & 0x0000_0fff_0000_0fff | (quarters & 0x0fff_0000_0fff_0000) >> 4;
    halves & 0x0000_0000_00ff_ffff | (halves & 0x00ff_ffff_0000_0000) >> 8
}

fn unpack(packed: &[u8; PACKED_SIZE]) -> [u8; GROUP_LEN] {
    let mut ranks = [0; GROUP_LEN];
    let sixes = packed.as_chunks::<6>().0;
    for (eight, six) in ranks.as_chunks_mut::<8>().0.iter_mut().zip(sixes) {
        let mut word = [0; 8];
        word[..6].copy_from_slice(six);
        *eight = spread(u64::from_le_bytes(word)).to_le_bytes();
    }
    ranks
}

/// Calls `visit` with all ranks in order, some at a time. O(registers).
pub(super) fn for_each_group(packed: &[u8], mut visit: impl FnMut(usize, &[u8; GROUP_LEN])) {
    let groups = packed.as_chunks::<PACKED_SIZE>().0;
    for (index, group) in groups.iter().enumerate() {
        visit(index * GROUP_LEN, &unpack(group));
    }
}

/// Writes all registers. O(registers).
pub(super) fn pack(registers: &Registers, packed: &mut [u8]) {
    let eights = registers.ranks().as_chunks::<8>().0;
    for (six, eight) in packed.as_chunks_mut::<6>().0.iter_mut().zip(eights) {
        six.copy_from_slice(&gather(u64::from_le_bytes(*eight)).to_le_bytes()[..6]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn registers_keep_apart(
            writes in proptest::collection::vec((0..REGISTER_COUNT, 0..64_u8), 1..300),
        ) {
            let mut packed = vec![0; DENSE_REGISTERS_SIZE];
            let mut expected = vec![0; REGISTER_COUNT];
            for (register, value) in writes {
                set_rank(&mut packed, register, value);
                expected[register] = value;
            }
            for (register, expected) in expected.iter().enumerate() {
                prop_assert_eq!(rank(&packed, register), *expected);
            }
            let mut registers = Registers::new();
            registers.raise_from(0, &expected);
            let mut packed_at_once = vec![0xff; DENSE_REGISTERS_SIZE];
            pack(&registers, &mut packed_at_once);
            prop_assert_eq!(&packed_at_once, &packed);
            let mut unpacked = Vec::new();
            for_each_group(&packed, |start, ranks| {
                assert_eq!(start, unpacked.len());
                unpacked.extend_from_slice(ranks);
            });
            prop_assert_eq!(&unpacked, &expected);
        }
    }

    #[test]
    fn a_register_only_rises() {
        let mut packed = vec![0; DENSE_REGISTERS_SIZE];
        let last = REGISTER_COUNT - 1;
        assert!(raise(&mut packed, Observation { register: last, rank: 5 }));
        assert!(!raise(&mut packed, Observation { register: last, rank: 5 }));
        assert!(!raise(&mut packed, Observation { register: last, rank: 4 }));
        assert!(raise(&mut packed, Observation { register: last, rank: 51 }));
        assert_eq!((rank(&packed, last), rank(&packed, last - 1)), (51, 0));
    }
}
