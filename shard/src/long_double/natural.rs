//! Natural numbers of any length, with the few operations that reading and printing a floating
//! point number takes. Limbs of 32 bits, the lowest first, without zeros at the top.

use std::cmp::Ordering;
use std::fmt;

/// Bits of a quotient that are worked out: 64 to keep and some to round by.
const QUOTIENT_BITS: i32 = 67;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Natural(Vec<u32>);

impl Natural {
    /// `bits * 2^shift`
    pub(super) fn from_bits(bits: u64, shift: u32) -> Self {
        let mut number = Self(vec![bits as u32, (bits >> 32) as u32]);
        number.trim();
        number.shift_left(shift);
        number
    }

    /// The number that ASCII digits write. O(digits^2)
    pub(super) fn from_decimal(digits: &[u8]) -> Self {
        let mut number = Self(Vec::with_capacity(digits.len() / 9 + 1));
        for chunk in digits.chunks(9) {
            let value = chunk.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
            number.multiply_add(10_u32.pow(chunk.len() as u32), value);
        }
        number
    }

    /// `10^exponent` O(exponent^2)
    pub(super) fn power_of_ten(exponent: u32) -> Self {
        let mut number = Self(vec![1]);
        for _ in 0..exponent / 9 {
            number.multiply_add(1_000_000_000, 0);
        }
        number.multiply_add(10_u32.pow(exponent % 9), 0);
        number
    }

    /// The product. O(limbs of one * limbs of the other)
    pub(super) fn times(&self, other: &Self) -> Self {
        let mut product = vec![0_u32; self.0.len() + other.0.len()];
        for (place, &limb) in self.0.iter().enumerate() {
            let mut carry = 0_u64;
            for (digit, &factor) in product[place..].iter_mut().zip(&other.0) {
                carry += u64::from(limb) * u64::from(factor) + u64::from(*digit);
                *digit = carry as u32;
                carry >>= 32;
            }
            product[place + other.0.len()] = carry as u32;
        }
        let mut product = Self(product);
        product.trim();
        product
    }

    /// The highest bits and the power of two that goes with them, and whether there are more.
    pub(super) fn top_bits(&self) -> (u128, i32, bool) {
        let below = self.0.len().saturating_sub(4);
        let bits =
            self.0[below..].iter().rev().fold(0, |bits, limb| bits << 32 | u128::from(*limb));
        let has_more = self.0[..below].iter().any(|limb| *limb != 0);
        (bits, 32 * below as i32, has_more)
    }

    /// The quotient to at least 66 bits, the power of two that goes with them, and whether there
    /// are more. Bit by bit: O(limbs)
    pub(super) fn divided_by(mut self, divisor: &Self) -> (u128, i32, bool) {
        let mut divisor = divisor.clone();
        let up = divisor.length_bits() - self.length_bits();
        if up >= 0 {
            self.shift_left(up as u32);
        } else {
            divisor.shift_left(up.unsigned_abs());
        }
        let mut quotient = 0_u128;
        for _ in 0..QUOTIENT_BITS {
            quotient <<= 1;
            if self.compare(&divisor) != Ordering::Less {
                self.subtract(&divisor);
                quotient |= 1;
            }
            self.shift_left(1);
        }
        (quotient, 1 - QUOTIENT_BITS - up, !self.0.is_empty())
    }

    fn length_bits(&self) -> i32 {
        let top = self.0.last().expect("zero has no length");
        32 * self.0.len() as i32 - top.leading_zeros() as i32
    }

    fn compare(&self, other: &Self) -> Ordering {
        let by_length = self.0.len().cmp(&other.0.len());
        by_length.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// Takes away what is not more.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (place, limb) in self.0.iter_mut().enumerate() {
            let amount = other.0.get(place).copied().unwrap_or(0);
            let (rest, low) = limb.overflowing_sub(amount);
            let (rest, lower) = rest.overflowing_sub(u32::from(borrow));
            *limb = rest;
            borrow = low || lower;
        }
        assert!(!borrow, "only what is not more is taken away");
        self.trim();
    }

    fn multiply_add(&mut self, factor: u32, summand: u32) {
        let mut carry = u64::from(summand);
        for limb in &mut self.0 {
            carry += u64::from(*limb) * u64::from(factor);
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry != 0 {
            self.0.push(carry as u32);
        }
    }

    fn shift_left(&mut self, amount: u32) {
        if self.0.is_empty() {
            return;
        }
        let bits = amount % 32;
        if bits != 0 {
            let mut carry = 0;
            for limb in &mut self.0 {
                let shifted = u64::from(*limb) << bits | carry;
                *limb = shifted as u32;
                carry = shifted >> 32;
            }
            if carry != 0 {
                self.0.push(carry as u32);
            }
        }
        let limbs = (amount / 32) as usize;
        self.0.splice(..0, std::iter::repeat_n(0, limbs));
    }

    /// Divides by a small number and returns the rest.
    fn divide_small(&mut self, divisor: u32) -> u32 {
        let mut rest = 0_u64;
        for limb in self.0.iter_mut().rev() {
            let dividend = rest << 32 | u64::from(*limb);
            *limb = (dividend / u64::from(divisor)) as u32;
            rest = dividend % u64::from(divisor);
        }
        self.trim();
        rest as u32
    }

    fn trim(&mut self) {
        let used = self.0.iter().rposition(|limb| *limb != 0).map_or(0, |last| last + 1);
        self.0.truncate(used);
    }
}

/// Prints in decimal. O(limbs^2)
impl fmt::Display for Natural {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.clone();
        let mut chunks = Vec::new();
        while !rest.0.is_empty() {
            chunks.push(rest.divide_small(1_000_000_000));
        }
        let Some((first, others)) = chunks.split_last() else {
            return formatter.write_str("0");
        };
        write!(formatter, "{first}")?;
        others.iter().rev().try_for_each(|chunk| write!(formatter, "{chunk:09}"))
    }
}
