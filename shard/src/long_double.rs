//! The 80-bit floating point numbers of x87, in software: what INCRBYFLOAT calculates with.
//!
//! Redis reads, adds and prints `long double`, and clients see every digit of it. So the results
//! here are those of glibc and the processor to the last bit:
//!
//! ```text
//! value = (-1)^sign * mantissa * 2^exponent
//!
//! mantissa   64 bits, the highest one set, unless the exponent is the smallest
//! exponent   -16445 ..= 16320
//! ```
//!
//! Text is turned into the nearest such number and sums are rounded to it, ties to even. Numbers
//! print with 17 digits after the point, ties to even, trailing zeros cut (`%.17Lf`, as Redis trims
//! it). Everything is exact integer arithmetic: up to 128 bits in the common cases, naturals of any
//! length where an exponent is large. The length of the text bounds the work.

mod natural;

use std::cmp::Ordering;
use std::fmt;

use natural::Natural;

/// Texts this long or longer are no numbers to Redis.
const TEXT_LENGTH_END: usize = 5 * 1024;

const EXPONENT_MIN: i32 = -16_445;
const EXPONENT_MAX: i32 = 16_320;

/// Decimal digits after the point that are printed.
const FRACTION_DIGITS: usize = 17;
const FRACTION_SCALE: u128 = 100_000_000_000_000_000;

/// Decimal exponents beyond which every number overflows or vanishes, with room to spare.
const DECIMAL_EXPONENT_LIMIT: i64 = 5_000;

/// An extended precision number; never NaN.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongDouble {
    is_negative: bool,
    magnitude: Magnitude,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Magnitude {
    Finite { mantissa: u64, exponent: i32 },
    Infinite,
}

const ZERO: Magnitude = Magnitude::Finite { mantissa: 0, exponent: EXPONENT_MIN };

impl LongDouble {
    /// Zero.
    pub(crate) const ZERO: Self = Self { is_negative: false, magnitude: ZERO };

    /// The largest finite number.
    pub(crate) const MAX: Self = Self {
        is_negative: false,
        magnitude: Magnitude::Finite { mantissa: u64::MAX, exponent: EXPONENT_MAX },
    };

    /// The number an integer is, which is always exact.
    pub(crate) fn from_integer(number: i64) -> Self {
        let magnitude = round(u128::from(number.unsigned_abs()), 0, false);
        Self { is_negative: number < 0, magnitude }
    }

    /// Reads a number as `strtold` does when it has to use all of the text: decimal or hexadecimal,
    /// with or without an exponent, `inf`, `infinity`. Refused are NaN, finite numbers that are too
    /// large, and numbers other than zero that are too small to tell from it.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        if text.len() >= TEXT_LENGTH_END {
            return None;
        }
        let (is_negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        if unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity") {
            return Some(Self { is_negative, magnitude: Magnitude::Infinite });
        }
        let magnitude = match unsigned {
            [b'0', b'x' | b'X', digits @ ..] => parse_hexadecimal(digits)?,
            digits => parse_decimal(digits)?,
        };
        Some(Self { is_negative, magnitude })
    }

    /// Whether it is infinite.
    pub(crate) fn is_infinite(self) -> bool {
        self.magnitude == Magnitude::Infinite
    }

    /// Whether it is less than zero.
    pub(crate) fn is_negative(self) -> bool {
        self.is_negative && self.magnitude != ZERO
    }

    /// The same magnitude with the other sign.
    pub(crate) fn negated(self) -> Self {
        Self { is_negative: !self.is_negative, ..self }
    }

    /// The sum, or `None` when it is infinite or not a number.
    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        let (Magnitude::Finite { .. }, Magnitude::Finite { .. }) =
            (self.magnitude, other.magnitude)
        else {
            return None;
        };
        let sum = if self.compare_magnitude(other) == Ordering::Less {
            other.add_smaller(self)
        } else {
            self.add_smaller(other)
        };
        (!sum.is_infinite()).then_some(sum)
    }

    /// Adds a finite number of at most the same magnitude to this finite number.
    fn add_smaller(self, other: Self) -> Self {
        let (Magnitude::Finite { mantissa, exponent }, Magnitude::Finite { mantissa: small, .. }) =
            (self.magnitude, other.magnitude)
        else {
            unreachable!("the caller has seen that both are finite");
        };
        let Magnitude::Finite { exponent: small_exponent, .. } = other.magnitude else {
            unreachable!("the caller has seen that both are finite");
        };
        // The larger mantissa moves up as far as the distance asks for and 128 bits allow; what the
        // smaller one loses below is kept as one sticky bit, which is enough to round right.
        let distance = if small == 0 { 0 } else { (exponent - small_exponent) as u32 };
        let up = distance.min(u64::BITS - 1);
        let large = u128::from(mantissa) << up;
        let (small, is_inexact) = shift_right_sticky(u128::from(small), distance - up);
        let small = small | u128::from(is_inexact);
        let sum = if self.is_negative == other.is_negative { large + small } else { large - small };
        let is_negative =
            if sum == 0 { self.is_negative && other.is_negative } else { self.is_negative };
        Self { is_negative, magnitude: round(sum, exponent - up as i32, false) }
    }

    fn compare_magnitude(self, other: Self) -> Ordering {
        match (self.magnitude, other.magnitude) {
            (Magnitude::Infinite, Magnitude::Infinite) => Ordering::Equal,
            (Magnitude::Infinite, _) => Ordering::Greater,
            (_, Magnitude::Infinite) => Ordering::Less,
            (
                Magnitude::Finite { mantissa, exponent },
                Magnitude::Finite { mantissa: other_mantissa, exponent: other_exponent },
            ) => (exponent, mantissa).cmp(&(other_exponent, other_mantissa)),
        }
    }
}

impl PartialEq for LongDouble {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for LongDouble {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(match (self.is_negative(), other.is_negative()) {
            (false, false) => self.compare_magnitude(*other),
            (true, true) => other.compare_magnitude(*self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        })
    }
}

/// Rounds `bits * 2^exponent` (and a little more, if `is_inexact`) to the nearest number.
fn round(bits: u128, exponent: i32, is_inexact: bool) -> Magnitude {
    if bits == 0 {
        return ZERO;
    }
    let length = (u128::BITS - bits.leading_zeros()) as i32;
    let excess = (length - 64).max(EXPONENT_MIN - exponent);
    if excess <= 0 {
        assert!(!is_inexact, "what is cut off must be more than half a unit away");
        let mantissa = (bits as u64) << -excess;
        return normalize(mantissa, exponent + excess);
    }
    let excess_bits = excess as u32;
    let (kept, _) = shift_right_sticky(bits, excess_bits);
    let (half, is_below_half) = shift_right_sticky(bits, excess_bits - 1);
    let rounds_up = half & 1 == 1 && (is_below_half || is_inexact || kept & 1 == 1);
    let mantissa = kept + u128::from(rounds_up);
    let exponent = exponent.saturating_add(excess);
    match u64::try_from(mantissa) {
        Ok(mantissa) => normalize(mantissa, exponent),
        Err(_) => normalize((mantissa >> 1) as u64, exponent + 1),
    }
}

fn normalize(mantissa: u64, exponent: i32) -> Magnitude {
    match mantissa {
        0 => ZERO,
        _ if exponent > EXPONENT_MAX => Magnitude::Infinite,
        _ => Magnitude::Finite { mantissa, exponent },
    }
}

/// Shifts right by any amount and tells whether a set bit was lost.
fn shift_right_sticky(bits: u128, amount: u32) -> (u128, bool) {
    match bits.checked_shr(amount) {
        Some(kept) => (kept, kept << amount != bits),
        None => (0, bits != 0),
    }
}

/// Takes the exponent off the end of a number: the digits before `mark`, and the exponent after it,
/// cut to a range that makes no difference. `None` when there is a mark without a number.
fn split_exponent(text: &[u8], mark: u8) -> Option<(&[u8], i64)> {
    let Some(at) = text.iter().position(|byte| byte.eq_ignore_ascii_case(&mark)) else {
        return Some((text, 0));
    };
    let (is_negative, digits) = match &text[at + 1..] {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let limit = 100_000;
    let exponent = digits
        .iter()
        .fold(0_i64, |exponent, digit| (exponent * 10 + i64::from(digit - b'0')).min(limit));
    Some((&text[..at], if is_negative { -exponent } else { exponent }))
}

/// Splits digits at the point. `None` when there is no digit at all or something else in between.
fn split_point(digits: &[u8], is_digit: fn(&u8) -> bool) -> Option<(&[u8], &[u8])> {
    let (whole, fraction) = match digits.iter().position(|byte| *byte == b'.') {
        Some(at) => (&digits[..at], &digits[at + 1..]),
        None => (digits, &b""[..]),
    };
    let is_number = whole.iter().chain(fraction).all(is_digit);
    (is_number && whole.len() + fraction.len() > 0).then_some((whole, fraction))
}

/// Reads a finite number, `digits * 10^exponent` in text.
fn parse_decimal(text: &[u8]) -> Option<Magnitude> {
    let (digits, exponent) = split_exponent(text, b'e')?;
    let (whole, fraction) = split_point(digits, u8::is_ascii_digit)?;
    let significant: Vec<u8> =
        whole.iter().chain(fraction).copied().skip_while(|digit| *digit == b'0').collect();
    if significant.is_empty() {
        return Some(ZERO);
    }
    let exponent = exponent - fraction.len() as i64;
    let leading = exponent + significant.len() as i64;
    if leading.abs() > DECIMAL_EXPONENT_LIMIT {
        return None;
    }
    let number = Natural::from_decimal(&significant);
    let power = Natural::power_of_ten(exponent.unsigned_abs() as u32);
    let (bits, exponent, is_inexact) =
        if exponent >= 0 { number.times(&power).top_bits() } else { number.divided_by(&power) };
    let magnitude = round(bits, exponent, is_inexact);
    (magnitude != ZERO && magnitude != Magnitude::Infinite).then_some(magnitude)
}

/// Reads a finite number, `digits * 2^exponent` with hexadecimal digits, without the `0x`.
fn parse_hexadecimal(text: &[u8]) -> Option<Magnitude> {
    let (digits, exponent) = split_exponent(text, b'p')?;
    let (whole, fraction) = split_point(digits, u8::is_ascii_hexdigit)?;
    let mut exponent = exponent - 4 * fraction.len() as i64;
    let (mut bits, mut is_inexact) = (0_u128, false);
    for digit in whole.iter().chain(fraction) {
        let value = char::from(*digit).to_digit(16).expect("these are hexadecimal digits");
        if bits >> 124 == 0 {
            bits = bits << 4 | u128::from(value);
        } else {
            is_inexact |= value != 0;
            exponent += 4;
        }
    }
    let magnitude = round(bits, exponent as i32, is_inexact);
    let vanished = magnitude == ZERO && bits != 0;
    (!vanished && magnitude != Magnitude::Infinite).then_some(magnitude)
}

impl fmt::Display for LongDouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.magnitude {
            Magnitude::Infinite => "inf".to_owned(),
            Magnitude::Finite { mantissa, exponent } => print(mantissa, exponent),
        };
        // A number that rounds to zero has no sign.
        let sign = if self.is_negative && digits != "0" { "-" } else { "" };
        write!(formatter, "{sign}{digits}")
    }
}

/// Prints `mantissa * 2^exponent` with at most 17 digits after the point.
fn print(mantissa: u64, exponent: i32) -> String {
    if exponent >= 0 {
        return Natural::from_bits(mantissa, exponent as u32).to_string();
    }
    // 64 bits times 57 bits: there is room, and whatever is shifted out beyond it is below half.
    let scaled = u128::from(mantissa) * FRACTION_SCALE;
    let shift = exponent.unsigned_abs();
    let (kept, _) = shift_right_sticky(scaled, shift);
    let (half, is_below_half) = shift_right_sticky(scaled, shift - 1);
    let rounds_up = half & 1 == 1 && (is_below_half || kept & 1 == 1);
    let units = kept + u128::from(rounds_up);
    let (whole, fraction) = (units / FRACTION_SCALE, units % FRACTION_SCALE);
    if fraction == 0 {
        return whole.to_string();
    }
    let text = format!("{whole}.{fraction:0FRACTION_DIGITS$}");
    text.trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests;
