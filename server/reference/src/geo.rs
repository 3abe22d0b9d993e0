//! WGS84 to and from the legal projections of the French territories, distances, and rectangles with a margin.
//!
//! All six lie on the GRS80 ellipsoid without a datum shift. Lambert II extended needs the shift from the old NTF
//! datum, which is not here: it has no place on earth. Knows neither files nor addresses.

use crate::address::{Bounds, Point};
use crate::building::Projection;
use crate::ids::Insee;

/// Half of the ellipsoid's long axis, metres (GRS80; the WGS84 one is the same).
const A: f64 = 6_378_137.0;
/// First eccentricity of GRS80.
const E: f64 = 0.081_819_191_042_815_79;
/// Third flattening of GRS80, (a − b) / (a + b).
const N: f64 = 0.001_679_220_394_628_744_7;
/// Mean radius of the earth, metres.
const RADIUS: f64 = 6_371_008.8;

/// The place of a pair of coordinates; for WGS84, X is the longitude.
///
/// None where the place is outside the territory of the projection, and for Lambert II extended.
#[must_use]
pub fn to_wgs84(projection: Projection, x: f64, y: f64) -> Option<Point> {
    let grid = Grid::of(projection)?;
    grid.inverse(x, y).filter(|point| grid.covers(*point))
}

/// The coordinates of a place; for WGS84, longitude and latitude.
///
/// None where the place is outside the territory of the projection, and for Lambert II extended.
#[must_use]
pub fn from_wgs84(projection: Projection, point: Point) -> Option<(f64, f64)> {
    let grid = Grid::of(projection)?;
    grid.covers(point).then(|| grid.forward(point))
}

/// The projection in which files have the X and Y of a commune.
///
/// The Pacific territories and the southern lands have no IPE projection; they come out as `RGF93`, in which their
/// coordinates have no place.
#[must_use]
pub fn legal_projection(insee: &Insee) -> Projection {
    match insee.department() {
        "971" | "972" | "977" | "978" => Projection::Rgaf09,
        "973" => Projection::Rgfg95,
        "974" => Projection::Rgr92,
        "975" => Projection::Rgspm06,
        "976" => Projection::Rgm04,
        _ => Projection::Rgf93,
    }
}

/// Metres between two places along the great circle; right to 0.6 %.
#[must_use]
pub fn distance_metres(a: Point, b: Point) -> f64 {
    let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let across = a.lat.to_radians().cos() * b.lat.to_radians().cos();
    let chord = half(a.lat, b.lat) + across * half(a.lon, b.lon);
    2.0 * RADIUS * chord.min(1.0).sqrt().asin()
}

impl Bounds {
    /// Metres from the rectangle to a place outside it; 0 inside.
    #[must_use]
    pub fn metres_beyond(&self, point: Point) -> f64 {
        let nearest = Point {
            lon: point.lon.max(self.min.lon).min(self.max.lon),
            lat: point.lat.max(self.min.lat).min(self.max.lat),
        };
        distance_metres(point, nearest)
    }

    /// Whether a place is in the rectangle or at most so many metres beyond it.
    #[must_use]
    pub fn contains_with_margin(&self, point: Point, metres: f64) -> bool {
        self.metres_beyond(point) <= metres
    }
}

/// A projection and the territory for which it is the legal one.
struct Grid {
    formula: Formula,
    /// West, south, east, north.
    territory: [f64; 4],
}

enum Formula {
    Degrees,
    Lambert93,
    /// Universal transverse Mercator.
    Utm {
        meridian: f64,
        south: bool,
    },
}

impl Grid {
    fn of(projection: Projection) -> Option<Self> {
        let utm = |meridian, south| Formula::Utm { meridian, south };
        let (formula, territory) = match projection {
            Projection::Wgs84 => (Formula::Degrees, [-180.0, -90.0, 180.0, 90.0]),
            Projection::Rgf93 => (Formula::Lambert93, [-9.86, 41.15, 10.38, 51.56]),
            Projection::Rgaf09 => (utm(-63.0, false), [-63.66, 14.08, -57.52, 18.54]),
            Projection::Rgfg95 => (utm(-51.0, false), [-54.6, 2.11, -49.46, 8.88]),
            Projection::Rgr92 => (utm(57.0, true), [51.83, -24.72, 58.24, -18.28]),
            Projection::Rgm04 => (utm(45.0, true), [43.68, -14.49, 46.7, -11.33]),
            Projection::Rgspm06 => (utm(-57.0, false), [-57.1, 43.41, -55.9, 47.37]),
            Projection::Lamb2e => return None,
        };
        Some(Self { formula, territory })
    }

    fn covers(&self, point: Point) -> bool {
        let [west, south, east, north] = self.territory;
        (west..=east).contains(&point.lon) && (south..=north).contains(&point.lat)
    }

    fn forward(&self, point: Point) -> (f64, f64) {
        match self.formula {
            Formula::Degrees => (point.lon, point.lat),
            Formula::Lambert93 => lambert::forward(point),
            Formula::Utm { meridian, south } => mercator::forward(point, meridian, south),
        }
    }

    fn inverse(&self, x: f64, y: f64) -> Option<Point> {
        let point = match self.formula {
            Formula::Degrees => Point { lon: x, lat: y },
            Formula::Lambert93 => lambert::inverse(x, y),
            Formula::Utm { meridian, south } => mercator::inverse(x, y, meridian, south),
        };
        (point.lon.is_finite() && point.lat.is_finite()).then_some(point)
    }
}

/// Isometric latitude on the ellipsoid, from a latitude in radians.
fn isometric(latitude: f64) -> f64 {
    let sine = latitude.sin();
    sine.atanh() - E * (E * sine).atanh()
}

/// The latitude in radians that has this isometric latitude. The first guess is right to 0.004; each round divides the
/// error by 1/e², about 150.
fn latitude(isometric: f64) -> f64 {
    (0..7).fold(isometric.tanh(), |sine, _| (isometric + E * (E * sine).atanh()).tanh()).asin()
}

/// Lambert-93: a conformal cone that cuts the ellipsoid at 44° and 49° N.
mod lambert {
    use super::{Point, isometric, latitude};

    const EXPONENT: f64 = 0.725_607_765_053_268_2;
    const SCALE: f64 = 11_754_255.426_096_01;
    const POLE_X: f64 = 700_000.0;
    const POLE_Y: f64 = 12_655_612.049_875_995;
    const MERIDIAN: f64 = 3.0;

    pub fn forward(point: Point) -> (f64, f64) {
        let radius = SCALE * (-EXPONENT * isometric(point.lat.to_radians())).exp();
        let angle = EXPONENT * (point.lon - MERIDIAN).to_radians();
        (POLE_X + radius * angle.sin(), POLE_Y - radius * angle.cos())
    }

    pub fn inverse(x: f64, y: f64) -> Point {
        let (east, south) = (x - POLE_X, POLE_Y - y);
        let isometric = -(east.hypot(south) / SCALE).ln() / EXPONENT;
        Point {
            lon: MERIDIAN + (east.atan2(south) / EXPONENT).to_degrees(),
            lat: latitude(isometric).to_degrees(),
        }
    }
}

/// Transverse Mercator by Krüger's series to n⁴, which is below a micrometre within a zone.
mod mercator {
    use super::{A, N, Point, isometric, latitude};

    const SCALE: f64 = 0.9996;
    const FALSE_EAST: f64 = 500_000.0;
    const FALSE_NORTH_OF_SOUTH: f64 = 10_000_000.0;
    const N2: f64 = N * N;
    const N3: f64 = N2 * N;
    const N4: f64 = N3 * N;
    /// Radius of the sphere whose meridian is as long as that of the ellipsoid.
    const RECTIFYING: f64 = A / (1.0 + N) * (1.0 + N2 / 4.0 + N4 / 64.0);
    /// From the conformal sphere to the plane.
    const ALPHA: [f64; 4] = [
        N / 2.0 - N2 * 2.0 / 3.0 + N3 * 5.0 / 16.0 + N4 * 41.0 / 180.0,
        N2 * 13.0 / 48.0 - N3 * 3.0 / 5.0 + N4 * 557.0 / 1440.0,
        N3 * 61.0 / 240.0 - N4 * 103.0 / 140.0,
        N4 * 49561.0 / 161_280.0,
    ];
    /// And back.
    const BETA: [f64; 4] = [
        N / 2.0 - N2 * 2.0 / 3.0 + N3 * 37.0 / 96.0 - N4 / 360.0,
        N2 / 48.0 + N3 / 15.0 - N4 * 437.0 / 1440.0,
        N3 * 17.0 / 480.0 - N4 * 37.0 / 840.0,
        N4 * 4397.0 / 161_280.0,
    ];

    pub fn forward(point: Point, meridian: f64, south: bool) -> (f64, f64) {
        let north = isometric(point.lat.to_radians()).sinh();
        let (sine, cosine) = (point.lon - meridian).to_radians().sin_cos();
        let xi = north.atan2(cosine);
        let eta = (sine / north.hypot(cosine)).asinh();
        let (along, across) = series(&ALPHA, xi, eta);
        let origin = if south { FALSE_NORTH_OF_SOUTH } else { 0.0 };
        (FALSE_EAST + SCALE * RECTIFYING * (eta + across), origin + SCALE * RECTIFYING * (xi + along))
    }

    pub fn inverse(x: f64, y: f64, meridian: f64, south: bool) -> Point {
        let origin = if south { FALSE_NORTH_OF_SOUTH } else { 0.0 };
        let xi = (y - origin) / (SCALE * RECTIFYING);
        let eta = (x - FALSE_EAST) / (SCALE * RECTIFYING);
        let (along, across) = series(&BETA, xi, eta);
        let (xi, eta) = (xi - along, eta - across);
        let isometric = (xi.sin() / eta.sinh().hypot(xi.cos())).asinh();
        Point {
            lon: meridian + eta.sinh().atan2(xi.cos()).to_degrees(),
            lat: latitude(isometric).to_degrees(),
        }
    }

    /// The sums of sin 2jξ cosh 2jη and of cos 2jξ sinh 2jη, weighted.
    fn series(weights: &[f64; 4], xi: f64, eta: f64) -> (f64, f64) {
        let terms = weights.iter().zip([2.0, 4.0, 6.0, 8.0]);
        terms.fold((0.0, 0.0), |(along, across), (weight, j)| {
            let (sine, cosine) = (j * xi).sin_cos();
            (along + weight * sine * (j * eta).cosh(), across + weight * cosine * (j * eta).sinh())
        })
    }
}
