//! The numbers in count and length lines: `*3\r\n`, `$16\r\n`.
//!
//! Nearly all of them have few digits. [`short_line`] reads those from the eight bytes the line
//! starts with, without looking for its end first; everything else takes the long way through
//! [`parse_integer`], which accepts exactly what Redis' `string2ll` accepts: no plus sign, no
//! blanks, no leading zeros, no `-0`.

/// Digits [`short_line`] reads at most: with the letter before and the `\r` after them they fill
/// the eight bytes it looks at.
pub(super) const SHORT_LINE_DIGITS_MAX: usize = 6;

/// Reads a whole line of up to [`SHORT_LINE_DIGITS_MAX`] digits that has eight bytes or more after
/// its start: its number and its length in bytes.
///
/// `None` says nothing about the line, only that the long way must be taken.
#[inline]
pub(super) fn short_line(tag: u8, line: &[u8]) -> Option<(u32, usize)> {
    let word = u64::from_le_bytes(*line.first_chunk::<8>()?);
    let digit = |index: usize| ((word >> (8 * index)) as u8).wrapping_sub(b'0');
    const RETURN: u8 = b'\r'.wrapping_sub(b'0');
    if word as u8 != tag || digit(1) > 9 {
        return None;
    }
    let mut number = u32::from(digit(1));
    if digit(2) == RETURN {
        return Some((number, 4));
    }
    if number == 0 {
        return None;
    }
    for index in 2..=SHORT_LINE_DIGITS_MAX {
        if digit(index) > 9 {
            return None;
        }
        number = number * 10 + u32::from(digit(index));
        // The line feed is the byte after, which eight bytes do not always have.
        if digit(index + 1) == RETURN && index + 2 < line.len() {
            return Some((number, index + 3));
        }
    }
    None
}

/// Parses a signed 64-bit number that fills `digits` completely; `None` if it is not one.
pub(super) fn parse_integer(digits: &[u8]) -> Option<i64> {
    let (negative, magnitude) = match digits {
        [b'-', magnitude @ ..] => (true, magnitude),
        magnitude => (false, magnitude),
    };
    match magnitude {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    let mut value: i64 = 0;
    for &byte in magnitude {
        if !byte.is_ascii_digit() {
            return None;
        }
        let digit = i64::from(byte - b'0');
        let shifted = value.checked_mul(10)?;
        // Counted downwards for negative numbers, whose range is wider by one.
        value = if negative { shifted.checked_sub(digit)? } else { shifted.checked_add(digit)? };
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_as_redis_reads_them() {
        let good: [(&str, i64); 7] = [
            ("0", 0),
            ("7", 7),
            ("-1", -1),
            ("10", 10),
            ("1048576", 1_048_576),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ];
        for (text, value) in good {
            assert_eq!(parse_integer(text.as_bytes()), Some(value), "{text}");
        }
        let bad = ["", "-", "-0", "00", "01", "+1", " 1", "1 ", "1x", "x", "9223372036854775808"];
        for text in bad {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_integer(b"-9223372036854775809"), None);
    }

    #[test]
    fn short_lines_agree_with_the_long_way() {
        for number in (0..2000_u32).chain([9_999, 10_000, 99_999, 100_000, 999_999]) {
            let line = format!("${number}\r\n");
            let longer = format!("{line}12345678");
            assert_eq!(short_line(b'$', longer.as_bytes()), Some((number, line.len())));
        }
        let long = [
            "$1000000\r\n",
            "$01\r\n1234",
            "$-1\r\n1234",
            "*1\r\n12345",
            "$\r\n12345",
            "$a\r\n1234",
        ];
        let cut = ["$1\r\n", "$1\r", "$12\r", "$12345\r", "$123456\r", "$", ""];
        for line in long.into_iter().chain(cut) {
            assert_eq!(short_line(b'$', line.as_bytes()), None, "{line:?}");
        }
    }
}
