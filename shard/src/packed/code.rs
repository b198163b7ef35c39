//! The bytes of one element, as the listpack format has them.
//!
//! ```text
//! entry:  | head | text | total of both, to be read backwards |
//!
//! head      bits, then bytes                     holds
//! 7-bit     0nnnnnnn                             0 to 127
//! 13-bit    110nnnnn nnnnnnnn                    signed, high bits first
//! 16..64    11110001 .. 11110100 then 2,3,4,8    signed, low byte first
//! 6-bit     10llllll                             text up to 63 bytes
//! 12-bit    1110llll llllllll                    text up to 4095 bytes, high bits first
//! 32-bit    11110000 then 4                      longer text, low byte first
//! ```
//!
//! The total has seven bits a byte, high bits first; every byte but the first has its high bit set,
//! so whoever comes from behind knows where it begins.
//!
//! Format: <https://github.com/antirez/listpack/blob/master/listpack.md>. To keep it to the bit
//! lets a collection go into DUMP payloads, snapshots and replication streams by one copy, and
//! makes size limits mean what they mean elsewhere.

use super::element::Element;

const HEAD_INT_16: u8 = 0xf1;
const HEAD_INT_24: u8 = 0xf2;
const HEAD_INT_32: u8 = 0xf3;
const HEAD_INT_64: u8 = 0xf4;
const HEAD_TEXT_32: u8 = 0xf0;

const INT_24_MIN: i64 = -(1 << 23);
const INT_24_MAX: i64 = (1 << 23) - 1;

/// Bytes of head and text: of an element that is only ever read forwards.
#[inline]
pub(crate) fn body_bytes(element: Element<'_>) -> usize {
    match element {
        Element::Int(number) => int_bytes(number),
        Element::Text(text) => match text.len() {
            length @ 0..=63 => 1 + length,
            length @ 64..=4095 => 2 + length,
            length => 5 + length,
        },
    }
}

fn int_bytes(number: i64) -> usize {
    match number {
        0..=127 => 1,
        -4096..=4095 => 2,
        -0x8000..=0x7fff => 3,
        INT_24_MIN..=INT_24_MAX => 4,
        -0x8000_0000..=0x7fff_ffff => 5,
        _ => 9,
    }
}

/// Bytes of the total behind a body of `body` bytes. That 16,383 takes three is part of the format.
#[inline]
fn total_bytes(body: usize) -> usize {
    match body {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

/// Bytes of the whole entry. O(1).
#[inline]
pub(super) fn entry_bytes(element: Element<'_>) -> usize {
    let body = body_bytes(element);
    body + total_bytes(body)
}

/// Writes an entry into `target`, which is exactly as long as it.
pub(super) fn write(element: Element<'_>, target: &mut [u8]) {
    let body = body_bytes(element);
    let (start, total) = target.split_at_mut(body);
    write_body(element, start);
    for (index, byte) in total.iter_mut().rev().enumerate() {
        *byte = (body >> (7 * index)) as u8 | 0x80;
    }
    total[0] &= 0x7f;
}

/// Writes head and text into `target`, which is exactly as long as they are.
pub(crate) fn write_body(element: Element<'_>, target: &mut [u8]) {
    match element {
        Element::Int(number) => write_int(number, target),
        Element::Text(text) => {
            let (head, place) = target.split_at_mut(target.len() - text.len());
            write_text_head(text.len(), head);
            place.copy_from_slice(text);
        }
    }
}

fn write_int(number: i64, target: &mut [u8]) {
    let bytes = number.to_le_bytes();
    match target {
        [only] => *only = number as u8,
        [high, low] => (*high, *low) = (0xc0 | (bytes[1] & 0x1f), bytes[0]),
        [head, rest @ ..] => {
            *head = match rest.len() {
                2 => HEAD_INT_16,
                3 => HEAD_INT_24,
                4 => HEAD_INT_32,
                _ => HEAD_INT_64,
            };
            rest.copy_from_slice(&bytes[..rest.len()]);
        }
        [] => unreachable!("an entry has a head"),
    }
}

fn write_text_head(length: usize, head: &mut [u8]) {
    match head {
        [only] => *only = 0x80 | length as u8,
        [high, low] => (*high, *low) = (0xe0 | (length >> 8) as u8, length as u8),
        _ => {
            head[0] = HEAD_TEXT_32;
            head[1..].copy_from_slice(&(length as u32).to_le_bytes());
        }
    }
}

/// Reads the entry at the start of `bytes`: its element, and the bytes of the whole entry. O(1).
#[inline]
pub(super) fn read(bytes: &[u8]) -> (Element<'_>, usize) {
    let (element, body) = read_body(bytes);
    (element, body + total_bytes(body))
}

/// Bytes of the entry at the start of `bytes`, `None` if there is none. Looks at the head only.
/// O(1).
#[inline]
pub(super) fn entry_length(bytes: &[u8]) -> Option<usize> {
    let head = *bytes.first()?;
    let body = match head {
        0..=0x7f => 1,
        0x80..=0xbf => 1 + usize::from(head & 0x3f),
        0xc0..=0xdf => 2,
        0xe0..=0xef => 2 + (usize::from(head & 0x0f) << 8 | usize::from(bytes[1])),
        HEAD_TEXT_32 => 5 + unsigned(&bytes[1..5]) as usize,
        HEAD_INT_16 => 3,
        HEAD_INT_24 => 4,
        HEAD_INT_32 => 5,
        _ => 9,
    };
    Some(body + total_bytes(body))
}

/// Reads the head and text at the start of `bytes`: the element, and the bytes of both. O(1).
#[inline]
pub(crate) fn read_body(bytes: &[u8]) -> (Element<'_>, usize) {
    let head = bytes[0];
    match head {
        0..=0x7f => (Element::Int(i64::from(head)), 1),
        0x80..=0xbf => text_at(bytes, 1, usize::from(head & 0x3f)),
        0xc0..=0xdf => {
            let number = i16::from_be_bytes([head << 3, 0]) >> 3 | i16::from(bytes[1]);
            (Element::Int(i64::from(number)), 2)
        }
        0xe0..=0xef => text_at(bytes, 2, usize::from(head & 0x0f) << 8 | usize::from(bytes[1])),
        HEAD_TEXT_32 => text_at(bytes, 5, unsigned(&bytes[1..5]) as usize),
        HEAD_INT_16 => (Element::Int(signed(&bytes[1..3])), 3),
        HEAD_INT_24 => (Element::Int(signed(&bytes[1..4])), 4),
        HEAD_INT_32 => (Element::Int(signed(&bytes[1..5])), 5),
        HEAD_INT_64 => (Element::Int(signed(&bytes[1..9])), 9),
        _ => unreachable!("only what was written here is read"),
    }
}

#[inline]
fn text_at(bytes: &[u8], head: usize, length: usize) -> (Element<'_>, usize) {
    (Element::Text(&bytes[head..head + length]), head + length)
}

fn unsigned(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn signed(bytes: &[u8]) -> i64 {
    let unused_bits = 64 - 8 * bytes.len();
    ((unsigned(bytes) << unused_bits) as i64) >> unused_bits
}

/// Bytes of the entry that ends where `bytes` end. O(1).
#[inline]
pub(super) fn read_backwards(bytes: &[u8]) -> usize {
    let mut body = 0;
    for (index, byte) in bytes.iter().rev().enumerate() {
        body |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return body + index + 1;
        }
    }
    unreachable!("a total has a first byte")
}

/// Bytes of the entry at the start of `bytes`, whoever wrote them; `None` if they hold none that is
/// whole. What is checked here can be [`read`]. O(1).
pub(super) fn check(bytes: &[u8]) -> Option<usize> {
    let body = match *bytes.first()? {
        0..=0x7f => 1,
        head @ 0x80..=0xbf => 1 + usize::from(head & 0x3f),
        0xc0..=0xdf => 2,
        head @ 0xe0..=0xef => 2 + (usize::from(head & 0x0f) << 8 | usize::from(*bytes.get(1)?)),
        HEAD_TEXT_32 => 5 + unsigned(bytes.get(1..5)?) as usize,
        HEAD_INT_16 => 3,
        HEAD_INT_24 => 4,
        HEAD_INT_32 => 5,
        HEAD_INT_64 => 9,
        _ => return None,
    };
    let total = bytes.get(body..body + total_bytes(body))?;
    let (is_right, length) = (is_total(total, body), body + total.len());
    is_right.then_some(length)
}

/// Whether bytes are the total of a body of `body` bytes.
fn is_total(total: &[u8], body: usize) -> bool {
    total.iter().rev().enumerate().all(|(index, byte)| {
        let more = if index + 1 == total.len() { 0 } else { 0x80 };
        *byte == (body >> (7 * index)) as u8 & 0x7f | more
    })
}
