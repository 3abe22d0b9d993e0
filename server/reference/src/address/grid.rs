//! The numbers nearest to a place: a grid of cells some 220 m wide that list the streets with numbers in them.
//!
//! Streets rather than numbers keep it small. Does not know text.

use super::index::Search;
use super::keys::Found;
use super::places::metres;
use super::record::{Point, Street};

/// Cells a degree, south to north and west to east.
const ROWS: f64 = 500.0;
const COLUMNS: f64 = 350.0;

/// No look farther than this, in metres.
const FARTHEST_M: f64 = 50_000.0;

/// Streets by cell.
#[derive(Debug, Default)]
pub(super) struct Grid {
    /// Row, column and street; sorted.
    cells: Vec<(i32, i32, u32)>,
}

impl Grid {
    pub(super) fn new(streets: &[Street]) -> Self {
        let mut cells: Vec<_> = Vec::with_capacity(streets.len() * 2);
        for (at, street) in (0u32..).zip(streets) {
            let start = cells.len();
            cells.extend(street.numbers.iter().filter_map(|n| n.position).map(cell).map(|(y, x)| (y, x, at)));
            cells[start..].sort_unstable();
            // One entry a street and cell.
            let mut kept = start;
            for n in start..cells.len() {
                if n == start || cells[n] != cells[kept - 1] {
                    cells[kept] = cells[n];
                    kept += 1;
                }
            }
            cells.truncate(kept);
        }
        cells.sort_unstable();
        cells.shrink_to_fit();
        Self { cells }
    }
}

fn cell(point: Point) -> (i32, i32) {
    ((point.lat * ROWS).floor() as i32, (point.lon * COLUMNS).floor() as i32)
}

/// A number and how far it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearby {
    /// The street and the number.
    pub found: Found,
    /// Metres away.
    pub metres: f64,
}

impl Search {
    /// The numbers within `radius_m` metres of a place (50 km at most), nearest first, at most `limit`.
    #[must_use]
    pub fn nearest(&self, point: Point, radius_m: f64, limit: usize) -> Vec<Nearby> {
        if !(point.lon.is_finite() && point.lat.is_finite() && radius_m > 0.0) || limit == 0 {
            return Vec::new();
        }
        let radius_m = radius_m.min(FARTHEST_M);
        // Out to the first ring that gives enough, twice as far each time: nothing nearer can lie outside of it.
        let mut reach = 150.0_f64.min(radius_m);
        loop {
            let mut found = self.within(point, reach);
            if found.len() >= limit || reach >= radius_m {
                found.sort_unstable_by(|a, b| {
                    a.metres
                        .total_cmp(&b.metres)
                        .then((a.found.street, a.found.number).cmp(&(b.found.street, b.found.number)))
                });
                found.truncate(limit);
                return found;
            }
            reach = (reach * 2.0).min(radius_m);
        }
    }

    fn within(&self, point: Point, reach: f64) -> Vec<Nearby> {
        let high = reach / 111_000.0;
        let wide = high / point.lat.to_radians().cos().max(0.01);
        let (south, west) = cell(Point { lon: point.lon - wide, lat: point.lat - high });
        let (north, east) = cell(Point { lon: point.lon + wide, lat: point.lat + high });
        let mut streets = Vec::new();
        for row in south..=north {
            let from = self.grid.cells.partition_point(|c| (c.0, c.1) < (row, west));
            let run = self.grid.cells[from..].iter().take_while(|c| (c.0, c.1) <= (row, east));
            streets.extend(run.map(|c| c.2));
        }
        streets.sort_unstable();
        streets.dedup();
        let mut found = Vec::new();
        for street in streets {
            for (at, number) in (0u32..).zip(&self.streets[street as usize].numbers) {
                if let Some(metres) = number.position.map(|p| metres(point, p)).filter(|m| *m <= reach) {
                    found.push(Nearby { found: Found { street, number: Some(at) }, metres });
                }
            }
        }
        found
    }
}
