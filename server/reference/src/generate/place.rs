//! Coordinates as the files write them.
//!
//! Does not know what stands there.

use super::sink::push_decimal;
use crate::address::Point;
use crate::building::Projection;
use crate::geo;
use crate::ids::Insee;

/// The projection of an IPE file's coordinates in that commune: the legal one, but WGS84 in the Antilles, as the
/// specification has it, and where there is none.
pub(super) fn ipe_projection(insee: &Insee, point: Point) -> Projection {
    let projection = geo::legal_projection(insee);
    let covered = projection != Projection::Rgaf09 && geo::from_wgs84(projection, point).is_some();
    if covered { projection } else { Projection::Wgs84 }
}

/// Appends `;X;Y` of an IPE row.
pub(super) fn push_position(text: &mut String, projection: Projection, point: Point) {
    let (x, y) = geo::from_wgs84(projection, point).unwrap_or((point.lon, point.lat));
    let decimals = if projection == Projection::Wgs84 { 6 } else { 2 };
    for value in [x, y] {
        text.push(';');
        push_decimal(text, value, decimals, ',');
    }
}

/// Appends longitude and latitude with a point and a separator between them.
pub(super) fn push_degrees(text: &mut String, point: Point, separator: &str) {
    push_decimal(text, point.lon, 6, '.');
    *text += separator;
    push_decimal(text, point.lat, 6, '.');
}

/// Appends `x;y` in the legal projection; both empty where it does not reach.
pub(super) fn push_legal(text: &mut String, insee: &Insee, point: Point) {
    match geo::from_wgs84(geo::legal_projection(insee), point) {
        Some((x, y)) => {
            push_decimal(text, x, 2, '.');
            text.push(';');
            push_decimal(text, y, 2, '.');
        }
        None => text.push(';'),
    }
}
