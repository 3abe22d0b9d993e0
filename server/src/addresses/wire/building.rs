//! Buildings and their places → proto.

use eservices::{
    addresses::v1 as pb,
    common::v1::{self as common, AppointmentType as WireVisit},
};
use eservices_reference::{
    Building, Line, StructureRow,
    building::{Kind, Position, Projection},
    derived::{AppointmentType, availability, headline, kind},
    geo,
    structure::coded,
};
use jiff::civil::Date;

use crate::{
    addresses::rules::{self, Resource},
    platform::network::Network,
};

/// A building with its structure, as of a day.
#[must_use]
pub fn building(network: &Network, building: &Building, day: Date) -> pb::Building {
    let lines = network.lines(&building.imb);
    let Position { x, y, projection } = building.position;
    let wgs84 = geo::to_wgs84(projection, x, y);
    pb::Building {
        imb: building.imb.to_string(),
        state: building.state.to_string(),
        headline: headline(building.state).to_string(),
        availability: availability(building, day).to_string(),
        oi_code: building.oi.to_string(),
        street_address: building.street_line(),
        postcode: building.postcode.to_string(),
        commune: building.commune.to_string(),
        commune_code: building.insee.to_string(),
        street_code: text(building.rivoli.as_ref()),
        hexacle: text(building.hexacle.as_ref()),
        ban_id: text(building.ban.as_ref()),
        position: wire_projection(projection).map(|p| common::GeoPoint { x, y, projection: p.into() }),
        position_wgs84: wgs84.map(point),
        detached_house: kind(building) == Kind::House,
        housing_count: building.housings,
        batiments: building.batiments.iter().map(ToString::to_string).collect(),
        agreement_needed: building.agreement_needed,
        agreement_signed_day: text(building.agreement_signed),
        order_open_day: text(building.orders_from),
        delivery_open_day: text(building.delivery_from),
        pm: text(building.pm.as_ref()),
        pm_state: text(building.pm_state),
        pm_location: building.pm_location.as_deref().map(coded_value),
        pm_service_day: text(building.pm_in_service),
        works: building.drop_type.as_deref().map(coded_value),
        places: network
            .reference
            .structure(&building.imb)
            .iter()
            .map(|row| place(network, building, row, &lines))
            .collect(),
    }
}

fn place(network: &Network, building: &Building, row: &StructureRow, lines: &[Line]) -> pb::Place {
    let visit = rules::visit(network, building, row, lines);
    let resource = rules::resource(network, row, lines);
    pb::Place {
        batiment: row.place.batiment.to_string(),
        escalier: row.place.escalier.to_string(),
        etage: row.place.etage.to_string(),
        pm: row.pm.to_string(),
        pmt: text(row.pmt.as_ref()),
        pbo: text(row.pbo.as_ref()),
        pbo_type: row.pbo_type.as_deref().map(coded_value),
        pbo_location: text(row.pbo_location.as_ref()),
        pm_prdm_link: text(row.pm_prdm_link.as_ref()),
        ftth_housing_count: row.housings,
        lines: rules::lines_at(row, lines)
            .map(|line| pb::Line { pto: line.pto.to_string(), state: line.state.to_string() })
            .collect(),
        resource: Some(pb::Resource {
            status: status(resource).into(),
            code: resource.code().to_owned(),
            free_fibre_count: network.free_fibres(row),
        }),
        appointment_type: wire_visit(visit).into(),
        appointment_rule_id: rules::visit_rule(visit).to_owned(),
    }
}

const fn status(resource: Resource) -> pb::ResourceStatus {
    match resource {
        Resource::SocketPresent => pb::ResourceStatus::SocketPresent,
        Resource::Free => pb::ResourceStatus::Free,
        Resource::Full | Resource::Held => pb::ResourceStatus::Saturated,
        Resource::Unknown => pb::ResourceStatus::Unknown,
    }
}

/// A type of visit.
#[must_use]
pub const fn wire_visit(visit: AppointmentType) -> WireVisit {
    match visit {
        AppointmentType::Short => WireVisit::Short,
        AppointmentType::House => WireVisit::House,
        AppointmentType::Block => WireVisit::Building,
        AppointmentType::BlockComplex => WireVisit::BuildingComplex,
    }
}

/// A place in degrees.
#[must_use]
pub fn point(point: eservices_reference::address::Point) -> common::GeoPoint {
    common::GeoPoint { x: point.lon, y: point.lat, projection: common::Projection::Wgs84.into() }
}

/// None for a projection that the contract does not have.
const fn wire_projection(projection: Projection) -> Option<common::Projection> {
    Some(match projection {
        Projection::Wgs84 => common::Projection::Wgs84,
        Projection::Rgf93 => common::Projection::Rgf93,
        Projection::Rgaf09 => common::Projection::Rgaf09,
        Projection::Rgfg95 => common::Projection::Rgfg95,
        Projection::Rgr92 => common::Projection::Rgr92,
        Projection::Rgm04 => common::Projection::Rgm04,
        Projection::Rgspm06 => common::Projection::Rgspm06,
        Projection::Lamb2e => return None,
    })
}

fn coded_value(value: &str) -> pb::CodedValue {
    let (code, label) = coded(value);
    pb::CodedValue { code: code.to_owned(), label: label.to_owned() }
}

fn text(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}
