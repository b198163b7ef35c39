//! Sets of nothing but numbers: ascending, each in as many bytes as the widest needs.
//!
//! ```text
//! Ints   | -70 | -3 | 0 | 12 | 40000 |      2, 4 or 8 bytes each, low byte first
//! ```
//!
//! The bytes are those of an intset in dumps, behind its header.

use std::ptr::NonNull;

use crate::packed::Buffer;

/// A set of numbers. The note of the buffer is the width of a number in bytes.
#[derive(Clone, Default)]
pub(super) struct Ints(Buffer);

impl Ints {
    /// Asks the processor to load the front, for a search.
    #[inline]
    pub(super) fn prefetch_front(&self) {
        self.0.prefetch_front();
    }

    /// Most numbers a set holds, at their widest.
    pub(super) const LEN_MAX: usize = Buffer::LEN_MAX / size_of::<i64>();

    /// Number of members. O(1).
    #[inline]
    pub(super) fn len(&self) -> usize {
        match self.width() {
            0 => 0,
            width => self.0.len() / width,
        }
    }

    pub(super) fn address(&self) -> Option<NonNull<u8>> {
        self.0.address()
    }

    pub(super) fn footprint_bytes(&self) -> usize {
        self.0.footprint_bytes()
    }

    /// The numbers ascending, each in [`Ints::width`] bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Bytes of a number; 0 in a set that has none.
    #[inline]
    pub(super) fn width(&self) -> usize {
        usize::from(self.0.note())
    }

    /// The number at `index` in ascending order.
    #[inline]
    pub(super) fn get(&self, index: usize) -> i64 {
        let width = self.width();
        read(&self.0.as_slice()[index * width..][..width])
    }

    /// All numbers, ascending.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = i64> + Clone + '_ {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Whether the number is a member. O(log members).
    #[inline]
    pub(super) fn contains(&self, number: i64) -> bool {
        self.find(number).is_ok()
    }

    /// Where the number is, or where it would be.
    fn find(&self, number: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle).cmp(&number) {
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Adds a number; whether it was not there. O(bytes behind it), O(members) if it is the first
    /// of its width.
    pub(super) fn insert(&mut self, number: i64) -> bool {
        let Err(index) = self.find(number) else { return false };
        let width = self.width().max(width_of(number));
        if width > self.width() {
            self.widen(width);
        }
        self.0.open(index * width, width).copy_from_slice(&number.to_le_bytes()[..width]);
        self.0.set_note(width as u16);
        true
    }

    /// Removes a number; whether it was there. O(bytes behind it).
    pub(super) fn remove(&mut self, number: i64) -> bool {
        let Ok(index) = self.find(number) else { return false };
        self.remove_at(index);
        true
    }

    /// Removes the number at `index`. O(bytes behind it).
    pub(super) fn remove_at(&mut self, index: usize) {
        let width = self.width();
        self.0.close(index * width..(index + 1) * width);
    }

    fn widen(&mut self, width: usize) {
        let mut bytes = Buffer::default();
        let place = bytes.open(0, self.len() * width);
        for (number, target) in self.iter().zip(place.chunks_exact_mut(width)) {
            target.copy_from_slice(&number.to_le_bytes()[..width]);
        }
        if self.len() > 0 {
            bytes.set_note(width as u16);
        }
        self.0 = bytes;
    }
}

impl FromIterator<i64> for Ints {
    fn from_iter<T: IntoIterator<Item = i64>>(numbers: T) -> Self {
        let mut ints = Self::default();
        numbers.into_iter().for_each(|number| _ = ints.insert(number));
        ints
    }
}

/// Bytes a number needs.
fn width_of(number: i64) -> usize {
    match number {
        -0x8000..=0x7fff => 2,
        -0x8000_0000..=0x7fff_ffff => 4,
        _ => 8,
    }
}

#[inline]
fn read(bytes: &[u8]) -> i64 {
    match *bytes {
        [a, b] => i64::from(i16::from_le_bytes([a, b])),
        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => unreachable!("numbers have two, four or eight bytes"),
    }
}
