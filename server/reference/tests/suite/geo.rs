use eservices_reference::address::{Bounds, Point};
use eservices_reference::building::Projection;
use eservices_reference::geo::{distance_metres, from_wgs84, legal_projection, to_wgs84};
use eservices_reference::ids::Insee;
use proptest::prelude::*;
use std::path::Path;

/// Computed with PROJ 9.5.1; the false origin and avenue de Ségur (published by Etalab with two decimals) apart.
const VECTORS: &[(Projection, f64, f64, f64, f64)] = &[
    (Projection::Rgf93, 3.0, 46.5, 700000.0, 6600000.0),
    (Projection::Rgf93, -5.0958, 48.4575, 102479.8125, 6848127.8536),
    (Projection::Rgf93, 9.1592, 41.3874, 1216149.8327, 6051869.1496),
    (Projection::Rgaf09, -61.0742, 14.6037, 707448.5915, 1615373.4678),
    (Projection::Rgaf09, -62.85, 17.9, 515888.3344, 1979128.3797),
    (Projection::Rgfg95, -52.3333, 4.9333, 352169.8117, 545439.3246),
    (Projection::Rgfg95, -54.0289, 2.6439, 163158.3264, 292643.4638),
    (Projection::Rgr92, 55.4504, -20.8823, 338811.2385, 7690101.3600),
    (Projection::Rgm04, 45.2271, -12.7806, 524648.5455, 8587115.8878),
    (Projection::Rgspm06, -56.1773, 46.7786, 562804.0088, 5180889.7936),
];

fn check(projection: Projection, lon: f64, lat: f64, x: f64, y: f64) {
    let point = Point { lon, lat };
    let found = from_wgs84(projection, point).unwrap();
    assert!((found.0 - x).hypot(found.1 - y) < 0.001, "{projection} {lon} {lat}: {found:?}, not {x} {y}");
    let back = to_wgs84(projection, x, y).unwrap();
    assert!(distance_metres(back, point) < 0.001, "{projection} {x} {y}: {back:?}, not {point:?}");
}

#[test]
fn known_places_both_ways() {
    for (projection, lon, lat, x, y) in VECTORS.iter().copied() {
        check(projection, lon, lat, x, y);
    }
    let segur = from_wgs84(Projection::Rgf93, Point { lon: 2.308310, lat: 48.850244 }).unwrap();
    assert!((segur.0 - 649_242.57).abs() < 0.01 && (segur.1 - 6_861_355.85).abs() < 0.01, "{segur:?}");
    assert_eq!(to_wgs84(Projection::Wgs84, 2.5, 48.5), Some(Point { lon: 2.5, lat: 48.5 }));
}

/// Against PROJ's figures, where the shared data folder is there.
#[test]
fn same_as_the_shared_vectors() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/geo/projection_test_vectors.csv");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("not run: {} is absent", path.display());
        return;
    };
    let mut rows = 0;
    for row in text.lines().skip(1).filter(|row| !row.is_empty()) {
        let fields: Vec<_> = row.splitn(7, ',').collect();
        let projection = match fields[0] {
            "2154" => Projection::Rgf93,
            "5490" => Projection::Rgaf09,
            "2972" => Projection::Rgfg95,
            "2975" => Projection::Rgr92,
            "4471" => Projection::Rgm04,
            "4467" => Projection::Rgspm06,
            other => panic!("{other}"),
        };
        let [lon, lat, x, y] = [2, 3, 4, 5].map(|place: usize| fields[place].parse::<f64>().unwrap());
        check(projection, lon, lat, x, y);
        rows += 1;
    }
    assert_eq!(rows, 10);
}

#[test]
fn coordinates_of_elsewhere_have_no_place() {
    // X and Y exchanged, zero, Réunion's grid read as mainland, a grid of Polynesia, no number at all.
    for (x, y) in [
        (6_860_548.07, 678_771.23),
        (0.0, 0.0),
        (338_811.2, 7_690_101.4),
        (230_000.0, 8_060_000.0),
        (f64::NAN, 6_600_000.0),
        (f64::INFINITY, f64::INFINITY),
    ] {
        assert_eq!(to_wgs84(Projection::Rgf93, x, y), None, "{x} {y}");
    }
    assert_eq!(to_wgs84(Projection::Wgs84, 181.0, 0.0), None);
    assert_eq!(from_wgs84(Projection::Rgr92, Point { lon: 2.35, lat: 48.85 }), None);
    let old = (600_000.0, 2_200_000.0);
    assert_eq!(to_wgs84(Projection::Lamb2e, old.0, old.1), None, "the shift from NTF is not known");
}

#[test]
fn each_territory_has_its_projection() {
    for (insee, projection) in [
        ("77058", Projection::Rgf93),
        ("2A004", Projection::Rgf93),
        ("97105", Projection::Rgaf09),
        ("97209", Projection::Rgaf09),
        ("97302", Projection::Rgfg95),
        ("97411", Projection::Rgr92),
        ("97502", Projection::Rgspm06),
        ("97611", Projection::Rgm04),
        ("97701", Projection::Rgaf09),
        ("97801", Projection::Rgaf09),
        ("98735", Projection::Rgf93),
    ] {
        assert_eq!(legal_projection(&Insee::parse(insee).unwrap()), projection, "{insee}");
    }
    assert_eq!(Projection::parse("RGAF09"), Some(Projection::Rgaf09));
}

#[test]
fn distances() {
    // A degree of a great circle is the mean radius × π / 180 = 111.195 km.
    let degree = distance_metres(Point { lon: 2.0, lat: 48.0 }, Point { lon: 2.0, lat: 49.0 });
    assert!((degree - 111_195.08).abs() < 0.01, "{degree}");
    let half_way = distance_metres(Point { lon: -90.0, lat: 0.0 }, Point { lon: 90.0, lat: 0.0 });
    assert!((half_way - 180.0 * 111_195.08).abs() < 1.0, "{half_way}");
    assert_eq!(distance_metres(Point { lon: 2.0, lat: 48.0 }, Point { lon: 2.0, lat: 48.0 }), 0.0);
}

#[test]
fn a_rectangle_has_a_margin() {
    let bounds = Bounds { min: Point { lon: 2.69, lat: 48.82 }, max: Point { lon: 2.75, lat: 48.86 } };
    assert!(bounds.contains_with_margin(Point { lon: 2.710742, lat: 48.844629 }, 0.0));
    // 0.004° of latitude are 445 m.
    let north = Point { lon: 2.7, lat: 48.864 };
    assert!(bounds.contains_with_margin(north, 500.0) && !bounds.contains_with_margin(north, 400.0));
    // 0.006° of longitude at 48.84° N are 439 m.
    let west = Point { lon: 2.684, lat: 48.84 };
    assert!(bounds.contains_with_margin(west, 500.0) && !bounds.contains_with_margin(west, 400.0));
    assert!(!bounds.contains_with_margin(Point { lon: f64::NAN, lat: f64::NAN }, 500.0));
}

fn somewhere() -> impl Strategy<Value = (Projection, Point)> {
    let within = |projection, west: f64, south: f64, east: f64, north: f64| {
        (west..east, south..north).prop_map(move |(lon, lat)| (projection, Point { lon, lat }))
    };
    prop_oneof![
        within(Projection::Rgf93, -5.2, 41.3, 9.6, 51.1),
        within(Projection::Rgaf09, -63.2, 14.3, -60.8, 18.2),
        within(Projection::Rgfg95, -54.6, 2.12, -51.6, 5.8),
        within(Projection::Rgr92, 55.2, -21.4, 55.9, -20.8),
        within(Projection::Rgm04, 45.0, -13.1, 45.4, -12.6),
        within(Projection::Rgspm06, -56.5, 46.7, -56.1, 47.2),
    ]
}

proptest! {
    #[test]
    fn there_and_back((projection, point) in somewhere()) {
        let (x, y) = from_wgs84(projection, point).unwrap();
        let back = to_wgs84(projection, x, y).unwrap();
        prop_assert!(distance_metres(point, back) < 1e-5, "{projection} {point:?} → {back:?}");
    }
}
