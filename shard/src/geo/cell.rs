//! Squares of the map: what the leading bits of a score stand for.
//!
//! ```text
//! bits, two a step:   longitude latitude longitude latitude ...
//! ```
//!
//! A cell of `n` steps is one of 4^n squares. It is kept as its column and row, since neighbours
//! are one column or row away; the columns wrap around the earth.

use super::{LATITUDE_MAX, LONGITUDE_MAX, Position};

/// A square, by column and row of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    column: u32,
    row: u32,
    steps: u32,
}

/// Spreads the bits of a number to the even places.
fn spread(number: u32) -> u64 {
    let mut bits = u64::from(number);
    bits = (bits | bits << 16) & 0x0000_ffff_0000_ffff;
    bits = (bits | bits << 8) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits << 2) & 0x3333_3333_3333_3333;
    (bits | bits << 1) & 0x5555_5555_5555_5555
}

/// Takes the bits at the even places together.
fn gather(number: u64) -> u32 {
    let mut bits = number & 0x5555_5555_5555_5555;
    bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    bits = (bits | bits >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits >> 4) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits >> 8) & 0x0000_ffff_0000_ffff;
    (bits | bits >> 16) as u32
}

/// The lower and the upper end of the `index`-th of 2^`steps` parts of what lies around zero.
fn part(index: u32, steps: u32, max: f64) -> (f64, f64) {
    let (scale, parts) = (max - -max, (1_u64 << steps) as f64);
    let low = -max + (f64::from(index) / parts) * scale;
    let high = -max + ((f64::from(index) + 1.0) / parts) * scale;
    (low, high)
}

impl Cell {
    /// Halvings of a score: 26 of each coordinate make 52 bits, which a double holds exactly.
    pub const STEPS_MAX: u32 = 26;

    /// The cell of `steps` steps a place is in.
    pub fn around(place: Position, steps: u32) -> Self {
        Self::within(place, steps, LATITUDE_MAX)
    }

    /// The same on a map that ends at another latitude.
    pub(super) fn within(place: Position, steps: u32, latitude_max: f64) -> Self {
        let row = (place.latitude - -latitude_max) / (latitude_max - -latitude_max);
        let column = (place.longitude - -LONGITUDE_MAX) / (LONGITUDE_MAX - -LONGITUDE_MAX);
        let parts = (1_u64 << steps) as f64;
        Self { column: (column * parts) as u32, row: (row * parts) as u32, steps }
    }

    /// The cell with these bits.
    pub(super) fn of_bits(bits: u64, steps: u32) -> Self {
        Self { column: gather(bits >> 1), row: gather(bits), steps }
    }

    /// Column and row interleaved.
    pub(super) fn bits(self) -> u64 {
        spread(self.row) | spread(self.column) << 1
    }

    /// The lowest score inside.
    pub fn first_score(self) -> f64 {
        (self.bits() << (2 * (Self::STEPS_MAX - self.steps))) as f64
    }

    /// The lowest score behind.
    pub fn end_score(self) -> f64 {
        ((self.bits() + 1) << (2 * (Self::STEPS_MAX - self.steps))) as f64
    }

    /// The lowest and highest longitude.
    pub(super) fn longitudes(self) -> (f64, f64) {
        part(self.column, self.steps, LONGITUDE_MAX)
    }

    /// The lowest and highest latitude.
    pub(super) fn latitudes(self) -> (f64, f64) {
        part(self.row, self.steps, LATITUDE_MAX)
    }

    /// The middle, which is what places in the cell are taken for.
    pub(super) fn middle(self) -> Position {
        let ((west, east), (south, north)) = (self.longitudes(), self.latitudes());
        Position {
            longitude: ((west + east) / 2.0).clamp(-LONGITUDE_MAX, LONGITUDE_MAX),
            latitude: ((south + north) / 2.0).clamp(-LATITUDE_MAX, LATITUDE_MAX),
        }
    }

    /// The cell some columns to the east and rows to the north, around the edges.
    pub(super) fn neighbour(self, east: i32, north: i32) -> Self {
        let mask = (1 << self.steps) - 1;
        let shift = |index: u32, by: i32| {
            if by == 0 { index } else { index.wrapping_add_signed(by) & mask }
        };
        Self { column: shift(self.column, east), row: shift(self.row, north), ..self }
    }
}
