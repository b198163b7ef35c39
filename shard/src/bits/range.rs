//! Ranges as clients name them: first and last, both included, negative from the end.

use std::ops::Range;

/// What a range counts in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// `BYTE`
    #[default]
    Byte,
    /// `BIT`
    Bit,
}

impl Unit {
    /// The unit of that name, in any letter case.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        match () {
            () if name.eq_ignore_ascii_case(b"byte") => Some(Self::Byte),
            () if name.eq_ignore_ascii_case(b"bit") => Some(Self::Bit),
            () => None,
        }
    }

    fn bits(self) -> usize {
        match self {
            Self::Byte => 8,
            Self::Bit => 1,
        }
    }
}

/// The bits from `start` to `end` of a string of `length` bytes. Both ends are included; a negative
/// one counts from the end of the string, and one before the string is its first. O(1).
pub fn resolve(start: i64, end: i64, unit: Unit, length: usize) -> Range<usize> {
    let total = (length * (8 / unit.bits())) as i64;
    let from_front = |index: i64| if index < 0 { (index + total).max(0) } else { index };
    let (start, end) = (from_front(start), from_front(end).min(total - 1));
    if start > end {
        return 0..0;
    }
    start as usize * unit.bits()..(end as usize + 1) * unit.bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_clamped_to_the_string() {
        assert_eq!(resolve(0, -1, Unit::Byte, 3), 0..24);
        assert_eq!(resolve(1, 1, Unit::Byte, 3), 8..16);
        assert_eq!(resolve(-2, 99, Unit::Byte, 3), 8..24);
        assert_eq!(resolve(-5, -3, Unit::Bit, 3), 19..22);
        assert_eq!(resolve(i64::MIN, i64::MAX, Unit::Bit, 3), 0..24);
        assert_eq!(resolve(i64::MAX, i64::MAX, Unit::Bit, 3), 0..0);
        assert_eq!(resolve(2, 1, Unit::Byte, 3), 0..0);
        assert_eq!(resolve(0, -1, Unit::Byte, 0), 0..0);
    }

    #[test]
    fn ends_before_the_string_mean_its_first_unit() {
        assert_eq!(resolve(-9, -8, Unit::Byte, 3), 0..8);
        assert_eq!(resolve(-8, -9, Unit::Byte, 3), 0..8);
    }
}
