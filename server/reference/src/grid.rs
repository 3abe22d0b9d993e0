//! Points in cells of a few hundred metres, sorted: which of them lie around a place.
//!
//! Does not know what the points are.

use crate::address::Point;
use crate::geo::distance_metres;

/// Height of a cell, degrees: some 550 m.
const CELL: f64 = 0.005;

/// Metres of one degree of latitude, rounded down: a search looks a little too far, never too near.
const DEGREE: f64 = 110_500.0;

/// Points by cell: row of cells from south to north, then from west to east.
#[derive(Debug, Default)]
pub struct Grid {
    cells: Vec<(i32, i32, u32)>,
    points: Vec<Point>,
}

impl Grid {
    /// From points; their place in the sequence is what [`Grid::around`] answers. Those that are `None` are left out.
    #[must_use]
    pub fn new(points: impl IntoIterator<Item = Option<Point>>) -> Self {
        let mut grid = Self::default();
        for (at, point) in (0..).zip(points) {
            let nowhere = Point { lon: f64::NAN, lat: f64::NAN };
            grid.points.push(point.unwrap_or(nowhere));
            if let Some(point) = point {
                grid.cells.push((cell(point.lat), cell(point.lon), at));
            }
        }
        grid.cells.sort_unstable();
        grid
    }

    /// The points at most `radius` metres from `centre`, nearest first, equal ones in their order.
    #[must_use]
    pub fn around(&self, centre: Point, radius: f64) -> Vec<(f64, usize)> {
        let (height, width) = (radius / DEGREE, radius / DEGREE / centre.lat.to_radians().cos().max(0.01));
        let (west, east) = (cell(centre.lon - width), cell(centre.lon + width));
        let mut found = Vec::new();
        for row in cell(centre.lat - height)..=cell(centre.lat + height) {
            let start = self.cells.partition_point(|(r, c, _)| (*r, *c) < (row, west));
            for (_, _, at) in self.cells[start..].iter().take_while(|(r, c, _)| *r == row && *c <= east) {
                let at = *at as usize;
                let distance = distance_metres(centre, self.points[at]);
                if distance <= radius {
                    found.push((distance, at));
                }
            }
        }
        found.sort_by(|(a, x), (b, y)| a.total_cmp(b).then(x.cmp(y)));
        found
    }
}

#[expect(clippy::cast_possible_truncation, reason = "degrees in steps of CELL")]
fn cell(degrees: f64) -> i32 {
    (degrees / CELL).floor() as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points() -> impl Strategy<Value = Vec<Point>> {
        let point = (2.0..2.1_f64, 48.0..48.1_f64).prop_map(|(lon, lat)| Point { lon, lat });
        proptest::collection::vec(point, 0..60)
    }

    proptest! {
        #[test]
        fn a_grid_finds_what_a_walk_over_all_finds(
            points in points(), lon in 1.99..2.11_f64, lat in 47.99..48.11_f64, radius in 1.0..5_000.0_f64,
        ) {
            let centre = Point { lon, lat };
            let mut expected: Vec<(f64, usize)> =
                points.iter().enumerate().map(|(at, p)| (distance_metres(centre, *p), at)).collect();
            expected.retain(|(distance, _)| *distance <= radius);
            expected.sort_by(|(a, x), (b, y)| a.total_cmp(b).then(x.cmp(y)));
            prop_assert_eq!(Grid::new(points.into_iter().map(Some)).around(centre, radius), expected);
        }
    }

    #[test]
    fn the_southern_and_western_quarters_have_their_cells_too() {
        let reunion = Point { lon: 55.45, lat: -20.88 };
        let guiana = Point { lon: -52.33, lat: 4.93 };
        let grid = Grid::new([Some(reunion), None, Some(guiana)]);
        for (centre, at) in [(reunion, 0), (guiana, 2)] {
            let found = grid.around(centre, 1.0);
            assert_eq!(found, [(0.0, at)]);
        }
    }
}
