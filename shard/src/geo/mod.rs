//! Places on earth as numbers: the arithmetic behind the geo commands.
//!
//! A place becomes a score of 52 bits by halving its longitude and latitude 26 times each and
//! interleaving the answers, longitude first. Places that are near each other mostly share leading
//! bits, so the square around a place is a range of scores, and a search reads nine such ranges.
//!
//! | file | holds |
//! |---|---|
//! | `cell` | squares and their ranges of scores |
//! | `shape` | what is searched: circles, boxes, polygons, and the squares that cover them |
//!
//! Scores, distances and which squares are read must be those of Redis to the last bit: clients
//! store scores, and replies come in the order in which squares are read. So formulas are written
//! in its order of operations.

mod cell;
mod shape;

#[cfg(test)]
mod tests;

pub use cell::Cell;
pub use shape::{Outline, Shape};

/// Mean radius of the earth in metres.
const EARTH_RADIUS_M: f64 = 6_372_797.560856;

/// Highest longitude and, below zero, the lowest.
pub const LONGITUDE_MAX: f64 = 180.0;

/// Highest latitude of the Mercator projection that places are taken from.
pub const LATITUDE_MAX: f64 = 85.05112878;

/// Letters of the text form of a geohash.
const GEOHASH_ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

/// Length of the text form of a geohash. Ten letters are 50 bits; the last one is always `0`.
pub const GEOHASH_LENGTH: usize = 11;

/// A place, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// East of Greenwich.
    pub longitude: f64,
    /// North of the equator.
    pub latitude: f64,
}

fn radians(degrees: f64) -> f64 {
    degrees * (std::f64::consts::PI / 180.0)
}

fn degrees(radians: f64) -> f64 {
    radians / (std::f64::consts::PI / 180.0)
}

impl Position {
    /// A place, unless it is outside what can be encoded.
    pub fn new(longitude: f64, latitude: f64) -> Option<Self> {
        let is_valid = (-LONGITUDE_MAX..=LONGITUDE_MAX).contains(&longitude)
            && (-LATITUDE_MAX..=LATITUDE_MAX).contains(&latitude);
        is_valid.then_some(Self { longitude, latitude })
    }

    /// The score of the place in a sorted set.
    pub fn score(self) -> f64 {
        Cell::around(self, Cell::STEPS_MAX).first_score()
    }

    /// The middle of the square that a score stands for.
    ///
    /// Scores that stand for none, negative ones and those beyond 64 bits, are taken modulo 2^64,
    /// as x86-64 converts them, since Redis looks at them no closer.
    pub fn of_score(score: f64) -> Self {
        const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
        let bits = match score {
            ..0.0 => score as i64 as u64,
            TWO_TO_64.. => 0,
            _ => score as u64,
        };
        Cell::of_bits(bits, Cell::STEPS_MAX).middle()
    }

    /// The distance along the surface, in metres.
    pub fn distance_m(self, other: Self) -> f64 {
        self.distance_along_m(radians(self.latitude).cos(), other)
    }

    /// As [`Position::distance_m`], where the cosine of this latitude is known.
    fn distance_along_m(self, cosine: f64, other: Self) -> f64 {
        let (from, to) = (radians(self.longitude), radians(other.longitude));
        let v = ((to - from) / 2.0).sin();
        if v == 0.0 {
            return self.latitude_distance_m(other);
        }
        let (from, to) = (radians(self.latitude), radians(other.latitude));
        let u = ((to - from) / 2.0).sin();
        let a = u * u + cosine * to.cos() * v * v;
        2.0 * EARTH_RADIUS_M * a.sqrt().asin()
    }

    /// The distance between the latitudes, in metres.
    fn latitude_distance_m(self, other: Self) -> f64 {
        EARTH_RADIUS_M * (radians(other.latitude) - radians(self.latitude)).abs()
    }

    /// The geohash as the world writes it, with latitudes halved from 90 degrees.
    pub fn geohash(self) -> [u8; GEOHASH_LENGTH] {
        const LATITUDE_STANDARD: f64 = 90.0;
        let bits = Cell::within(self, Cell::STEPS_MAX, LATITUDE_STANDARD).bits();
        let mut text = [b'0'; GEOHASH_LENGTH];
        for (index, letter) in text[..GEOHASH_LENGTH - 1].iter_mut().enumerate() {
            let shift = 52 - 5 * (index as u32 + 1);
            *letter = GEOHASH_ALPHABET[(bits >> shift) as usize & 0x1f];
        }
        text
    }
}
