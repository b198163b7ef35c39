//! The checksum of RDB files and DUMP payloads: CRC-64 with the polynomial of Jones, reflected,
//! without initial or final inversion.

use crc::{CRC_64_REDIS, Crc, Digest, Table};

/// Sixteen tables of 256 words, worked out by the compiler.
static CRC: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// The checksum of `bytes`. O(length).
pub fn crc64(bytes: &[u8]) -> u64 {
    CRC.checksum(bytes)
}

/// The checksum of bytes that come one after the other.
#[derive(Clone)]
pub struct Checksum(Digest<'static, u64, Table<16>>);

impl Default for Checksum {
    fn default() -> Self {
        Self(CRC.digest())
    }
}

impl Checksum {
    /// Takes bytes in. O(length).
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of what was taken in.
    pub fn value(&self) -> u64 {
        self.0.clone().finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_checksum_of_redis() {
        assert_eq!(crc64(b""), 0);
        assert_eq!(crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }

    /// Bit by bit, as the definition has it.
    fn slow(bytes: &[u8]) -> u64 {
        const REFLECTED_POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;
        bytes.iter().fold(0, |crc, byte| {
            (0..8).fold(crc ^ u64::from(*byte), |crc, _| {
                (crc >> 1) ^ (if crc & 1 == 1 { REFLECTED_POLYNOMIAL } else { 0 })
            })
        })
    }

    #[test]
    fn it_is_the_same_at_any_length() {
        let bytes: Vec<u8> = (0..200_u8).map(|byte| byte.wrapping_mul(167)).collect();
        for length in 0..bytes.len() {
            assert_eq!(crc64(&bytes[..length]), slow(&bytes[..length]));
        }
    }
}
