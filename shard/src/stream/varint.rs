//! Unsigned numbers in as many bytes as they need: seven bits a byte, low bits first, and the high
//! bit on all bytes but the last.

/// Bytes of `number`: 1 to 10.
#[inline]
pub(super) fn len(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}

/// Writes `number` to the start of `target` and returns the rest.
#[inline]
pub(super) fn write(mut number: u64, target: &mut [u8]) -> &mut [u8] {
    let mut at = 0;
    while number >= 0x80 {
        target[at] = number as u8 | 0x80;
        number >>= 7;
        at += 1;
    }
    target[at] = number as u8;
    &mut target[at + 1..]
}

/// The number at the start of `bytes`, and how many bytes it has.
#[inline]
pub(super) fn read(bytes: &[u8]) -> (u64, usize) {
    let mut number = 0;
    for (index, byte) in bytes.iter().enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return (number, index + 1);
        }
    }
    unreachable!("a number has a last byte")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_read_back(number: u64, bits in 0u32..64) {
            let number = number >> bits;
            let mut bytes = [0; 10];
            let rest = write(number, &mut bytes).len();
            prop_assert_eq!(10 - rest, len(number));
            prop_assert_eq!(read(&bytes), (number, len(number)));
        }
    }
}
