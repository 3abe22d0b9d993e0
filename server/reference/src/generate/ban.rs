//! The addresses of a commune as the national address base (*Base Adresse Nationale*) writes them: CSV of numbers, or
//! one JSON street a line.
//!
//! Streets without numbers are in neither. Does not know the network.

use super::Error;
use super::names::routing_label;
use super::place::{push_degrees, push_legal};
use super::plan::{Plan, SUFFIXES, Street};
use super::sink::Sink;
use std::fmt::Write as _;

/// Every column of the CSV, in the file's order.
pub const COLUMNS: &[&str] = &[
    "id",
    "id_fantoir",
    "numero",
    "rep",
    "nom_voie",
    "code_postal",
    "code_insee",
    "nom_commune",
    "code_insee_ancienne_commune",
    "nom_ancienne_commune",
    "x",
    "y",
    "lon",
    "lat",
    "type_position",
    "alias",
    "nom_ld",
    "libelle_acheminement",
    "nom_afnor",
    "source_position",
    "source_nom_voie",
    "certification_commune",
    "cad_parcelles",
];

/// Writes the numbers of a commune.
pub(super) fn write_csv(plan: &Plan<'_>, out: &mut Sink) -> Result<(), Error> {
    let commune = &plan.town.commune;
    let label = routing_label(&commune.name);
    for street in numbered(plan) {
        let fantoir = street.rivoli.as_ref().map(|rivoli| format!("{}_{rivoli}", commune.insee));
        let shown = street.name.shown();
        let envelope = street.name.envelope();
        for address in &plan.addresses[street.addresses.clone()] {
            let text = &mut out.text;
            let _ = write!(
                text,
                "{key};{fantoir};{number};{suffix};{shown};{postcode};{insee};{commune};;;",
                key = plan.ban_key(address),
                fantoir = fantoir.as_deref().unwrap_or_default(),
                number = address.number,
                suffix = SUFFIXES[usize::from(address.suffix)],
                postcode = street.postcode,
                insee = commune.insee,
                commune = commune.name,
            );
            push_legal(text, &commune.insee, address.point);
            text.push(';');
            push_degrees(text, address.point, ";");
            let _ = write!(text, ";entrée;;;{label};{envelope};commune;commune;1;");
            out.end_row()?;
        }
    }
    Ok(())
}

/// Writes the streets of a commune.
pub(super) fn write_ndjson(plan: &Plan<'_>, out: &mut Sink) -> Result<(), Error> {
    let commune = &plan.town.commune;
    // The more inhabitants, the more a street matters; the largest communes come near to 0.9.
    let importance = (f64::from(commune.population) + 1.0).ln() / 16.0;
    for street in numbered(plan) {
        let numbers = &plan.addresses[street.addresses.clone()];
        let Some(middle) = numbers.get(numbers.len() / 2) else { continue };
        let text = &mut out.text;
        let _ = write!(
            text,
            r#"{{"id":"{id}","type":"street","name":["{name}"],"postcode":"{postcode}","citycode":["{insee}"],"lon":"#,
            id = street.ban,
            name = street.name.shown(),
            postcode = street.postcode,
            insee = commune.insee,
        );
        push_degrees(text, middle.point, r#","lat":"#);
        let _ = write!(
            text,
            r#","city":"{city}","context":"{department}","importance":{importance:.4},"housenumbers":{{"#,
            city = commune.name,
            department = commune.insee.department(),
        );
        for (order, address) in numbers.iter().enumerate() {
            let comma = if order == 0 { "" } else { "," };
            let suffix = SUFFIXES[usize::from(address.suffix)];
            let space = if suffix.is_empty() { "" } else { " " };
            let _ = write!(text, r#"{comma}"{}{space}{suffix}":{{"lon":"#, address.number);
            push_degrees(text, address.point, r#","lat":"#);
            let _ = write!(text, r#","id":"{}"}}"#, plan.ban_key(address));
        }
        *text += "}}";
        out.end_row()?;
    }
    Ok(())
}

fn numbered<'a>(plan: &'a Plan<'_>) -> impl Iterator<Item = &'a Street> {
    plan.streets.iter().filter(|street| street.numbered)
}
