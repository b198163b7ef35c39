//! The numbers in count and length lines: `*3\r\n`, `$16\r\n`.
//!
//! Nearly all of them have one to three digits. [`short_line`] reads those straight from the line,
//! without looking for its end first; everything else takes the long way through
//! [`parse_integer`], which accepts exactly what Redis' `string2ll` accepts: no plus sign, no
//! blanks, no leading zeros, no `-0`.

/// Reads a whole line of one to three digits: its number and its length in bytes.
///
/// `None` says nothing about the line, only that the long way must be taken.
#[inline]
pub(super) fn short_line(tag: u8, line: &[u8]) -> Option<(i64, usize)> {
    match *line {
        [first, digit @ b'0'..=b'9', b'\r', _, ..] if first == tag => {
            Some((i64::from(digit - b'0'), 4))
        }
        [first, tens @ b'1'..=b'9', ones @ b'0'..=b'9', b'\r', _, ..] if first == tag => {
            Some((i64::from(tens - b'0') * 10 + i64::from(ones - b'0'), 5))
        }
        [first, hundreds @ b'1'..=b'9', tens @ b'0'..=b'9', ones @ b'0'..=b'9', b'\r', _, ..]
            if first == tag =>
        {
            let tens = i64::from(hundreds - b'0') * 10 + i64::from(tens - b'0');
            Some((tens * 10 + i64::from(ones - b'0'), 6))
        }
        _ => None,
    }
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
        for number in 0..1000_i64 {
            let line = format!("${number}\r\n");
            assert_eq!(short_line(b'$', line.as_bytes()), Some((number, line.len())));
        }
        for line in ["$1000\r\n", "$01\r\n", "$-1\r\n", "*1\r\n", "$1\r", "$12\r", "$\r\n", ""] {
            assert_eq!(short_line(b'$', line.as_bytes()), None, "{line:?}");
        }
    }
}
