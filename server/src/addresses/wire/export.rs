//! The structure of buildings as CSV, in pieces of whole lines.
//!
//! Columns are those of the building and of each of its places; the header is the first line. Does not know the stream.

use eservices::addresses::v1::{Building, CodedValue, Place, ResourceStatus};
use eservices_reference::structure::NA;

use crate::platform::csv::{self, field};

/// Columns, in order.
pub const HEADER: &str = "IMB;etat;libelle_etat;disponibilite;code_OI;adresse;code_postal;commune;INSEE;Rivoli;hexacle;\
cle_BAN;projection;X;Y;longitude;latitude;logements;accord_syndic;date_acceptation;date_fourniture;batiment;escalier;etage;\
PM;PMT;PBO;type_PBO;localisation_PBO;lien_PM_PRDM;logements_FTTH;PTO;ressource;fibres_libres;type_RDV;regle_RDV\n";

/// The lines of one building: one a place, or one without place where the structure is not known.
pub fn push(building: &Building, into: &mut String) {
    let head = head(building);
    if building.places.is_empty() {
        line(&head, None, into);
    }
    for place in &building.places {
        line(&head, Some(place), into);
    }
}

/// The line of a building that the reference does not know.
pub fn push_unknown(imb: &str, into: &mut String) {
    let columns = HEADER.matches(';').count() - 1;
    into.push_str(&field(imb));
    into.push_str(";INCONNU");
    into.extend(std::iter::repeat_n(';', columns));
    into.push('\n');
}

fn head(b: &Building) -> Vec<String> {
    let (projection, x, y) = b.position.as_ref().map_or_else(Default::default, |p| {
        let name = p.projection().as_str_name().trim_start_matches("PROJECTION_").to_owned();
        (name, p.x.to_string(), p.y.to_string())
    });
    let (lon, lat) = b
        .position_wgs84
        .as_ref()
        .map_or_else(Default::default, |p| (format!("{:.7}", p.x), format!("{:.7}", p.y)));
    let agreement = match b.agreement_needed {
        None => "",
        Some(true) if b.agreement_signed_day.is_empty() => "A OBTENIR",
        Some(true) => "SIGNE",
        Some(false) => "SANS",
    };
    let texts = [&b.imb, &b.state, &b.headline, &b.availability, &b.oi_code, &b.street_address, &b.postcode];
    let more = [&b.commune, &b.commune_code, &b.street_code, &b.hexacle, &b.ban_id];
    let mut head: Vec<String> = texts.into_iter().chain(more).cloned().collect();
    head.extend([projection, x, y, lon, lat, b.housing_count.to_string(), agreement.to_owned()]);
    head.extend([b.order_open_day.clone(), b.delivery_open_day.clone()]);
    head
}

fn line(head: &[String], place: Option<&Place>, into: &mut String) {
    let unknown;
    let place = match place {
        Some(place) => place,
        None => {
            let na = || NA.to_owned();
            unknown = Place { batiment: na(), escalier: na(), etage: na(), ..Place::default() };
            &unknown
        }
    };
    let sockets: Vec<&str> = place.lines.iter().map(|line| line.pto.as_str()).collect();
    let resource = place.resource.as_ref();
    let status = match resource.map_or(ResourceStatus::Unspecified, |r| r.status()) {
        ResourceStatus::SocketPresent => "PTO",
        ResourceStatus::Free => "LIBRE",
        ResourceStatus::Saturated => resource.map_or("", |r| r.code.as_str()),
        ResourceStatus::Unknown => "INCONNUE",
        ResourceStatus::Unspecified => "",
    };
    let visit = place.appointment_type().as_str_name().trim_start_matches("APPOINTMENT_TYPE_");
    let visit = if visit == "UNSPECIFIED" { "" } else { visit };
    let number = |n: Option<u32>| n.map_or_else(String::new, |n| n.to_string());
    let tail = [
        place.batiment.clone(),
        place.escalier.clone(),
        place.etage.clone(),
        place.pm.clone(),
        place.pmt.clone(),
        place.pbo.clone(),
        coded(place.pbo_type.as_ref()),
        place.pbo_location.clone(),
        place.pm_prdm_link.clone(),
        number(place.ftth_housing_count),
        sockets.join(","),
        status.to_owned(),
        number(resource.and_then(|r| r.free_fibre_count)),
        visit.to_owned(),
        place.appointment_rule_id.clone(),
    ];
    csv::line(head.iter().chain(&tail).map(String::as_str), into);
}

fn coded(value: Option<&CodedValue>) -> String {
    value.map_or_else(String::new, |v| match v.code == v.label {
        true => v.code.clone(),
        false => format!("{}:{}", v.code, v.label),
    })
}
