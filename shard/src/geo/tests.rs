//! Places, distances and shapes; known values are those redis-server gives.

use super::*;
use proptest::prelude::*;

const PALERMO: Position = Position { longitude: 13.361389, latitude: 38.115556 };
const CATANIA: Position = Position { longitude: 15.087269, latitude: 37.502669 };

#[test]
fn known_places_have_their_scores() {
    assert_eq!(PALERMO.score(), 3_479_099_956_230_698.0);
    assert_eq!(CATANIA.score(), 3_479_447_370_796_909.0);
    let decoded = Position::of_score(PALERMO.score());
    assert_eq!(format!("{:.17}", decoded.longitude), "13.36138933897018433");
    assert_eq!(format!("{:.17}", decoded.latitude), "38.11555639549629859");
    assert_eq!(&decoded.geohash(), b"sqc8b49rny0");
}

#[test]
fn known_distances() {
    let one = Position::of_score(PALERMO.score());
    let other = Position::of_score(CATANIA.score());
    assert_eq!(format!("{:.4}", one.distance_m(other)), "166274.1516");
    assert_eq!(one.distance_m(one), 0.0);
}

#[test]
fn places_beyond_the_map_are_refused() {
    assert_eq!(Position::new(180.1, 0.0), None);
    assert_eq!(Position::new(0.0, -85.06), None);
    assert_eq!(Position::new(f64::NAN, 0.0), None);
    assert!(Position::new(-180.0, 85.05).is_some());
}

#[test]
fn a_polygon_may_be_hollow() {
    let corner = |longitude, latitude| Position { longitude, latitude };
    let horseshoe = vec![
        corner(0.0, 0.0),
        corner(3.0, 0.0),
        corner(3.0, 3.0),
        corner(2.0, 3.0),
        corner(2.0, 1.0),
        corner(1.0, 1.0),
        corner(1.0, 3.0),
        corner(0.0, 3.0),
    ];
    let shape = Shape::polygon(horseshoe);
    assert!(shape.distance_within_m(corner(0.5, 2.0)).is_some());
    assert!(shape.distance_within_m(corner(2.5, 2.0)).is_some());
    assert!(shape.distance_within_m(corner(1.5, 2.0)).is_none());
    assert!(shape.distance_within_m(corner(1.5, 0.5)).is_some());
    assert!(shape.distance_within_m(corner(4.0, 2.0)).is_none());
}

fn place() -> impl Strategy<Value = Position> {
    (-179.9..179.9_f64, -80.0..80.0_f64)
        .prop_map(|(longitude, latitude)| Position { longitude, latitude })
}

proptest! {
    #[test]
    fn a_score_stands_for_a_place_within_a_metre(place in place()) {
        prop_assert!(place.distance_m(Position::of_score(place.score())) < 1.0);
    }

    /// Whatever is inside a shape is in one of its cells. Redis promises no more than this: not
    /// beyond the date line, which a range of scores does not cross, nor far towards the poles.
    #[test]
    fn cells_cover_their_shape(
        centre in (-150.0..150.0_f64, -55.0..55.0_f64),
        offset in (-1.0..1.0_f64, -1.0..1.0_f64),
        size_m in 1.0..400_000.0_f64,
        is_circle: bool,
    ) {
        let centre = Position { longitude: centre.0, latitude: centre.1 };
        let outline = match is_circle {
            true => Outline::Circle { radius_m: size_m },
            false => Outline::Box { width_m: size_m, height_m: size_m / 3.0 },
        };
        let shape = Shape::around(centre, outline);
        let reach = degrees(size_m / EARTH_RADIUS_M) * 2.0;
        let place = Position {
            longitude: centre.longitude + offset.0 * reach,
            latitude: centre.latitude + offset.1 * reach,
        };
        if shape.distance_within_m(place).is_some() {
            let score = place.score();
            let is_found = |cell: &Cell| (cell.first_score()..cell.end_score()).contains(&score);
            prop_assert_eq!(shape.cells().iter().filter(|cell| is_found(cell)).count(), 1);
        }
    }
}
