//! Numbers as Redis reads and prints them.

/// Reads a decimal 64-bit integer exactly as Redis stores one: no blanks, no plus sign, no leading
/// zeros, no `-0`. What this accepts prints back as the same bytes.
#[inline]
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut magnitude: u64 = 0;
    for digit in digits {
        let value = digit.wrapping_sub(b'0');
        if value > 9 {
            return None;
        }
        // 19 digits fit in a u64, so this cannot overflow.
        magnitude = magnitude * 10 + u64::from(value);
    }
    match (negative, magnitude) {
        (false, 0..=0x7fff_ffff_ffff_ffff) => Some(magnitude as i64),
        (true, 0..=0x8000_0000_0000_0000) => Some((magnitude as i64).wrapping_neg()),
        _ => None,
    }
}

/// Reads a number of bytes with an optional unit: 1000-based `k`, `m`, `g`, 1024-based `kb`, `mb`,
/// `gb`. Numbers past 64 bits are refused; Redis cuts or wraps them.
pub fn parse_memory(text: &[u8]) -> Option<u64> {
    let digits_count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, unit) = text.split_at(digits_count);
    let factor: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    number.checked_mul(factor)
}

/// Reads a floating point number as C's `strtod` does when all of the text must be used: no
/// leading blanks, `inf`, `infinity` and hexadecimal floats included, NaN refused.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let value = match unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        Some(digits) => {
            let magnitude = parse_hexadecimal(digits)?;
            if text.starts_with('-') { -magnitude } else { magnitude }
        }
        None => text.parse::<f64>().ok()?,
    };
    (!value.is_nan()).then_some(value)
}

/// `hh.hhp[+-]dd` without the `0x`.
fn parse_hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = match text.split_once(['p', 'P']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0_f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let scale = exponent.saturating_sub(4 * i32::try_from(fraction.len()).ok()?);
    Some(value * 2.0_f64.powi(scale))
}

/// Prints a double with the fewest digits that read back the same, in C's `%.17g` manner:
/// `3`, `0.1`, `1e+20`, `inf`, `-0`.
pub fn format_double(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    if value.is_nan() {
        return "nan".into();
    }
    if value == value.trunc() && value.abs() <= WHOLE_MAX {
        return if value == 0.0 && value.is_sign_negative() {
            "-0".into()
        } else {
            itoa::Buffer::new().format(value as i64).into()
        };
    }
    shortest(value)
}

/// Prints a double with up to six digits, as C's `%g` does.
pub(crate) fn format_brief(value: f64) -> String {
    const DIGITS: i32 = 6;
    if !value.is_finite() {
        return format_double(value);
    }
    let text = format!("{value:.5e}");
    let (mantissa, exponent) = text.split_once('e').expect("Rust prints an exponent");
    let exponent: i32 = exponent.parse().expect("Rust prints a decimal exponent");
    let without_zeros = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..DIGITS).contains(&exponent) {
        let fraction_digits = (DIGITS - 1 - exponent) as usize;
        return without_zeros(&format!("{value:.fraction_digits$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", without_zeros(mantissa), exponent.abs())
}

/// Up to here whole numbers are written out.
const WHOLE_MAX: f64 = (i64::MAX / 2) as f64;

/// The shortest digits of `value`, laid out as the `fpconv_dtoa` of Redis 7.2 does: without an
/// exponent if there are up to six digits behind the point or up to four in front of it.
fn shortest(value: f64) -> String {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').expect("Rust prints an exponent");
    let exponent: i32 = exponent.parse().expect("Rust prints a decimal exponent");
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let count = digits.len() as i32;
    // What the digits, read as a whole number, are to be multiplied with, as a power of ten.
    let power = exponent + 1 - count;
    if power >= 0 && exponent < count + 7 {
        return format!("{sign}{digits}{}", "0".repeat(power as usize));
    }
    if power < 0 && (power > -7 || exponent.abs() < 4) {
        if exponent < 0 {
            let zeros = exponent.unsigned_abs() as usize - 1;
            return format!("{sign}0.{}{digits}", "0".repeat(zeros));
        }
        let (whole, fraction) = digits.split_at(exponent as usize + 1);
        return format!("{sign}{whole}.{fraction}");
    }
    let mark = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{mantissa}e{mark}{}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn brief_doubles_have_six_digits() {
        let cases = [
            (1.0, "1"),
            (0.0, "0"),
            (-2.5, "-2.5"),
            (1.0 / 3.0, "0.333333"),
            (123_456.7, "123457"),
            (999_999.5, "1e+06"),
            (1e20, "1e+20"),
            (-0.00001, "-1e-05"),
            (0.0001, "0.0001"),
            (1.5e-300, "1.5e-300"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, expected) in cases {
            assert_eq!(format_brief(value), expected);
        }
    }

    #[track_caller]
    fn check_double(value: f64, expected: &str) {
        assert_eq!(format_double(value), expected);
    }

    #[test]
    fn doubles_print_as_redis_prints_them() {
        check_double(3.0, "3");
        check_double(-0.0, "-0");
        check_double(0.1, "0.1");
        check_double(1e20, "1e+20");
        check_double(1.5e-7, "1.5e-7");
        check_double(77_512.861_533_144_98, "7.751286153314498e+4");
        check_double(3e15 + 0.5, "3000000000000000.5");
        check_double((1_i64 << 60) as f64, "1152921504606846976");
        check_double(0.00012, "0.00012");
        check_double(123456.789, "123456.789");
        check_double(f64::NEG_INFINITY, "-inf");
    }

    #[test]
    fn integers_are_read_strictly() {
        for text in ["", "-", "+1", "01", "-0", " 1", "1 ", "9223372036854775808", "1.0"] {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_integer(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(parse_integer(b"9223372036854775807"), Some(i64::MAX));
    }

    #[test]
    fn hexadecimal_and_infinite_doubles_are_read() {
        assert_eq!(parse_double(b"0x1.8p1"), Some(3.0));
        assert_eq!(parse_double(b"-INF"), Some(f64::NEG_INFINITY));
        assert_eq!(parse_double(b"nan"), None);
        assert_eq!(parse_double(b" 1"), None);
    }

    #[test]
    fn letters_of_several_bytes_are_no_number() {
        for text in ["1\u{3ac}", "\u{3ac}", "0\u{3ac}x1", "0x\u{3ac}", "0x1p\u{3ac}"] {
            assert_eq!(parse_double(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn integers_print_back(number: i64) {
            let mut digits = itoa::Buffer::new();
            prop_assert_eq!(parse_integer(digits.format(number).as_bytes()), Some(number));
        }

        #[test]
        fn any_text_is_a_number_or_none(text in ".{0,12}|[0-9.xXpPe+-]{0,12}|0x.{0,8}") {
            let _any = (parse_double(text.as_bytes()), parse_integer(text.as_bytes()));
        }

        #[test]
        fn doubles_read_back(number in proptest::num::f64::NORMAL) {
            let text = format_double(number);
            prop_assert_eq!(parse_double(text.as_bytes()), Some(number), "{}", text);
        }
    }
}
