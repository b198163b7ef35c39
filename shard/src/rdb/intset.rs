//! Intsets: sets of numbers in ascending order.
//!
//! ```text
//! | bytes per number: 2, 4 or 8 | count | number | number | ...      all low byte first
//!              4                    4
//! ```

/// An intset that was found to be sound.
#[derive(Clone, Copy, Debug)]
pub struct Intset<'a> {
    numbers: &'a [u8],
    width: usize,
}

impl<'a> Intset<'a> {
    /// Checks a whole intset; `None` if it is none. O(bytes).
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (width, rest) = bytes.split_first_chunk()?;
        let (count, numbers) = rest.split_first_chunk()?;
        let (width, count) = (u32::from_le_bytes(*width), u32::from_le_bytes(*count));
        let bytes_expected = u64::from(count) * u64::from(width);
        if !matches!(width, 2 | 4 | 8) || numbers.len() as u64 != bytes_expected {
            return None;
        }
        let intset = Self { numbers, width: width as usize };
        intset.iter().is_sorted_by(|one, next| one < next).then_some(intset)
    }

    /// Number of members. O(1).
    pub fn len(&self) -> usize {
        self.numbers.len() / self.width
    }

    /// Whether there are none. O(1).
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = i64> + Clone + use<'a> {
        self.numbers.chunks_exact(self.width).map(|bytes| match *bytes {
            [a, b] => i64::from(i16::from_le_bytes([a, b])),
            [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
            [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
            _ => unreachable!("the width was checked"),
        })
    }
}

/// Appends the numbers, each in `width` bytes as they lie in `numbers`, as an intset.
pub(super) fn write(width: usize, numbers: &[u8], target: &mut Vec<u8>) {
    assert!(matches!(width, 2 | 4 | 8), "numbers have two, four or eight bytes");
    let count = u32::try_from(numbers.len() / width).expect("a set of numbers stays below 4 GiB");
    target.extend_from_slice(&(width as u32).to_le_bytes());
    target.extend_from_slice(&count.to_le_bytes());
    target.extend_from_slice(numbers);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(width: u32, count: u32, numbers: &[u8]) -> Vec<u8> {
        [&width.to_le_bytes()[..], &count.to_le_bytes(), numbers].concat()
    }

    #[test]
    fn numbers_of_each_width_are_read() {
        let of =
            |bytes: &[u8]| -> Option<Vec<i64>> { Some(Intset::parse(bytes)?.iter().collect()) };
        assert_eq!(of(&bytes(2, 2, &[0xff, 0xff, 3, 0])), Some(vec![-1, 3]));
        assert_eq!(of(&bytes(4, 1, &[0, 0, 1, 0])), Some(vec![65_536]));
        assert_eq!(of(&bytes(8, 1, &i64::MIN.to_le_bytes())), Some(vec![i64::MIN]));
        assert_eq!(of(&bytes(2, 2, &[3, 0, 3, 0])), None);
        assert_eq!(of(&bytes(2, 2, &[3, 0, 2, 0])), None);
        assert_eq!(of(&bytes(2, 1, &[3, 0, 4, 0])), None);
        assert_eq!(of(&bytes(3, 1, &[3, 0, 4])), None);
        assert_eq!(of(&bytes(0, 0, &[])), None);
        assert_eq!(of(&[2, 0, 0]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Some(intset) = Intset::parse(&bytes) {
                prop_assert_eq!(intset.iter().count(), intset.len());
            }
        }
    }
}
