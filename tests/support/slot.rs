//! Key to hash slot, computed apart from the server: CRC16 (XMODEM) of the key, or of what
//! stands between the first `{` and the next `}` when that is not empty, modulo 16,384.

/// Count of hash slots.
pub(crate) const SLOT_COUNT: u16 = 16_384;

/// The slot of `key`. O(length).
pub(crate) fn slot_of(key: &[u8]) -> u16 {
    crc16(hashed_part(key)) % SLOT_COUNT
}

/// A key that lives in `slot` and carries `name`, found by trying numbers as hash tags. About
/// 16,384 tries on average.
pub(crate) fn key_in_slot(slot: u16, name: &str) -> String {
    assert!(slot < SLOT_COUNT);
    (0..)
        .map(|number| format!("{{{number}}}{name}"))
        .find(|key| slot_of(key.as_bytes()) == slot)
        .expect("some number hashes to every slot")
}

fn hashed_part(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|&byte| byte == b'{') else { return key };
    let tagged = &key[open + 1..];
    match tagged.iter().position(|&byte| byte == b'}') {
        None | Some(0) => key,
        Some(close) => &tagged[..close],
    }
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    })
}
