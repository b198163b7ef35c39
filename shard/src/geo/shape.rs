//! What a search looks for: everything inside a circle, a box or a polygon.

use super::{Cell, EARTH_RADIUS_M, Position, degrees, radians};

/// Half the equator of the Mercator map, in metres.
const MERCATOR_MAX_M: f64 = 20_037_726.37;

/// What a latitude may be beyond a radius before a place is left out without a closer look: a share
/// of the radius, and metres besides.
const SLACK: f64 = 1e-6;

/// The line around a shape.
#[derive(Clone, Debug, PartialEq)]
pub enum Outline {
    /// Everything up to this far from the middle, in metres.
    Circle {
        /// The distance.
        radius_m: f64,
    },
    /// Everything within half of these from the middle, along the parallels and meridians.
    Box {
        /// From west to east.
        width_m: f64,
        /// From south to north.
        height_m: f64,
    },
    /// Everything inside straight lines between these corners.
    Polygon {
        /// At least three corners.
        corners: Vec<Position>,
    },
}

/// An outline somewhere on earth.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    centre: Position,
    /// The cosine of its latitude, which every distance from it needs.
    centre_cosine: f64,
    outline: Outline,
}

/// West, south, east and north edges, in degrees.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    west: f64,
    south: f64,
    east: f64,
    north: f64,
}

impl Shape {
    /// A circle or box around `centre`.
    pub fn around(centre: Position, outline: Outline) -> Self {
        Self { centre, centre_cosine: radians(centre.latitude).cos(), outline }
    }

    /// A polygon, whose centre is the mean of its corners as points in space.
    pub fn polygon(corners: Vec<Position>) -> Self {
        let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
        for corner in &corners {
            let (longitude, latitude) = (radians(corner.longitude), radians(corner.latitude));
            x += EARTH_RADIUS_M * latitude.cos() * longitude.cos();
            y += EARTH_RADIUS_M * latitude.cos() * longitude.sin();
            z += EARTH_RADIUS_M * latitude.sin();
        }
        let count = corners.len() as f64;
        let (x, y, z) = (x / count, y / count, z / count);
        let centre = Position {
            longitude: degrees(y.atan2(x)),
            latitude: degrees(z.atan2((x * x + y * y).sqrt())),
        };
        Self::around(centre, Outline::Polygon { corners })
    }

    /// The distance of a place from the centre in metres, if it is inside.
    pub fn distance_within_m(&self, place: Position) -> Option<f64> {
        let centre = self.centre;
        match &self.outline {
            Outline::Circle { radius_m } => {
                // What is too far north or south is so however far east it is; the slack covers
                // the last digits, which decide below.
                if place.latitude_distance_m(centre) > radius_m * (1.0 + SLACK) + SLACK {
                    return None;
                }
                let distance_m = self.distance_m(place);
                (distance_m <= *radius_m).then_some(distance_m)
            }
            Outline::Box { width_m, height_m } => {
                if place.latitude_distance_m(centre) > height_m / 2.0 {
                    return None;
                }
                let same_parallel = Position { latitude: place.latitude, ..centre };
                if place.distance_m(same_parallel) > width_m / 2.0 {
                    return None;
                }
                Some(self.distance_m(place))
            }
            Outline::Polygon { corners } => {
                is_inside(corners, place).then(|| self.distance_m(place))
            }
        }
    }

    fn distance_m(&self, place: Position) -> f64 {
        self.centre.distance_along_m(self.centre_cosine, place)
    }

    /// The cells that cover the shape, in the order they are searched: the one of the centre, then
    /// those around it that may matter.
    pub fn cells(&self) -> Vec<Cell> {
        let bounds = self.bounds();
        let mut steps = steps_for(self.reach_m(bounds), self.centre.latitude);
        let mut cell = Cell::around(self.centre, steps);
        if steps > 1 && !covers(cell, bounds) {
            steps -= 1;
            cell = Cell::around(self.centre, steps);
        }
        let ((west, east), (south, north)) = (cell.longitudes(), cell.latitudes());
        // Where a cell of the middle reaches beyond the bounds, its neighbour there is of no use.
        let prunes = steps >= 2;
        let needs = |to_east: i32, to_north: i32| {
            !(prunes
                && (to_north < 0 && south < bounds.south
                    || to_north > 0 && north > bounds.north
                    || to_east < 0 && west < bounds.west
                    || to_east > 0 && east > bounds.east))
        };
        let mut cells = vec![cell];
        for (to_east, to_north) in
            [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)]
        {
            let neighbour = cell.neighbour(to_east, to_north);
            // On a coarse grid neighbours on either side may be one and the same.
            if needs(to_east, to_north) && cells.last() != Some(&neighbour) {
                cells.push(neighbour);
            }
        }
        cells
    }

    fn bounds(&self) -> Bounds {
        let (half_width_m, half_height_m) = match &self.outline {
            Outline::Circle { radius_m } => (*radius_m, *radius_m),
            Outline::Box { width_m, height_m } => (width_m / 2.0, height_m / 2.0),
            Outline::Polygon { corners } => return bounds_of(corners),
        };
        let Position { longitude, latitude } = self.centre;
        let to_north = degrees(half_height_m / EARTH_RADIUS_M);
        // Meridians lie closest at the edge nearer the pole.
        let widest = if latitude < 0.0 { latitude - to_north } else { latitude + to_north };
        let to_east = degrees(half_width_m / EARTH_RADIUS_M / radians(widest).cos());
        Bounds {
            west: longitude - to_east,
            south: latitude - to_north,
            east: longitude + to_east,
            north: latitude + to_north,
        }
    }

    /// The distance from the centre to the farthest point, in metres.
    fn reach_m(&self, bounds: Bounds) -> f64 {
        match &self.outline {
            Outline::Circle { radius_m } => *radius_m,
            Outline::Box { width_m, height_m } => {
                ((width_m / 2.0) * (width_m / 2.0) + (height_m / 2.0) * (height_m / 2.0)).sqrt()
            }
            Outline::Polygon { .. } => {
                let Bounds { west, south, east, north } = bounds;
                [(west, north), (east, north), (west, south), (east, south)]
                    .into_iter()
                    .map(|(longitude, latitude)| {
                        self.centre.distance_m(Position { longitude, latitude })
                    })
                    .fold(0.0, f64::max)
            }
        }
    }
}

/// How fine a grid may be for nine of its cells to cover a circle of that radius.
fn steps_for(radius_m: f64, latitude: f64) -> u32 {
    if radius_m == 0.0 {
        return Cell::STEPS_MAX;
    }
    let mut radius_m = radius_m;
    let mut steps = 1_i32;
    while radius_m < MERCATOR_MAX_M {
        radius_m *= 2.0;
        steps += 1;
    }
    steps -= 2;
    // Towards the poles cells are narrower.
    steps -= i32::from(latitude.abs() > 66.0) + i32::from(latitude.abs() > 80.0);
    steps.clamp(1, Cell::STEPS_MAX as i32) as u32
}

/// Whether a cell with its neighbours reaches to all bounds.
fn covers(cell: Cell, bounds: Bounds) -> bool {
    let (_, north) = cell.neighbour(0, 1).latitudes();
    let (south, _) = cell.neighbour(0, -1).latitudes();
    let (_, east) = cell.neighbour(1, 0).longitudes();
    let (west, _) = cell.neighbour(-1, 0).longitudes();
    !(north < bounds.north || south > bounds.south || east < bounds.east || west > bounds.west)
}

fn bounds_of(corners: &[Position]) -> Bounds {
    let least = |of: fn(&Position) -> f64| corners.iter().map(of).fold(f64::INFINITY, f64::min);
    let most = |of: fn(&Position) -> f64| corners.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
    Bounds {
        west: least(|corner| corner.longitude),
        south: least(|corner| corner.latitude),
        east: most(|corner| corner.longitude),
        north: most(|corner| corner.latitude),
    }
}

/// Whether a ray from the place to the east crosses the sides an odd number of times.
fn is_inside(corners: &[Position], place: Position) -> bool {
    let befores = corners.iter().skip(corners.len() - 1).chain(corners);
    let crossings = corners.iter().zip(befores).filter(|(one, other)| {
        let spans = (one.latitude > place.latitude) != (other.latitude > place.latitude);
        spans && {
            let slope = (other.longitude - one.longitude) * (place.latitude - one.latitude);
            place.longitude < slope / (other.latitude - one.latitude) + one.longitude
        }
    });
    crossings.count() % 2 == 1
}
