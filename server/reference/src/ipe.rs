//! The IPE file (*informations préalables enrichies*) of Interop'Fibre: CSV rows → [`Building`] records.
//!
//! Columns go by name, never by position; what the columns that nothing reads hold is kept as it stands. Does not know
//! the archive or encoding of the file ([`crate::text`]), nor the other rows of the same building ([`crate::store`]).

use crate::building::{Building, Kind, PmState, Position, Projection, State, Zone};
use crate::ids::{Imb, Insee, Pm, Rivoli};
use crate::problem::Problem;
use crate::table::{self, Layout, Row, Table};
use crate::text::Encoding;
use jiff::Span;

pub use crate::table::Error;

/// Columns without which the file is refused.
pub const REQUIRED: &[&str] = &[
    "IdentifiantImmeuble",
    "EtatImmeuble",
    "ReferencePM",
    "EtatPM",
    "CodeInseeImmeuble",
    "CodePostalImmeuble",
    "CommuneImmeuble",
    "NomVoieImmeuble",
    "NombreLogementsAdresseIPE",
    "TypeProjectionGeographique",
    "CoordonneeImmeubleX",
    "CoordonneeImmeubleY",
];

/// Columns that are read where they are there.
pub const OPTIONAL: &[&str] = &[
    "CodeOI",
    "DateMiseEnServiceCommercialePM",
    "DatePremiereMADPM",
    "TypeEmplacementPM",
    "NombreLogementsPM",
    "TypeImmeuble",
    "CodeVoieRivoliImmeuble",
    "CodeAdresseImmeuble",
    "CodeHexacleVoie",
    "CodeBAN",
    "TypeVoieImmeuble",
    "NumeroVoieImmeuble",
    "ComplementNumeroVoieImmeuble",
    "BatimentImmeuble",
    "DateDebutAcceptationCmdAcces",
    "DateDebutFournitureCRCmdAcces",
    "AccordGestionnaireImmeubleNecessaire",
    "DateSignatureConvention",
    "TypePBO",
    "TypeRaccoPBPTO",
    "TypeZone",
    "DateCablageAdresse",
    "DatePrevisionnelleLivraisonImmeubleNeuf",
];

/// The other columns of the specification: kept as they stand, see [`Building::extra`].
pub const KEPT: &[&str] = &[
    "ReferenceRegroupementPM",
    "DateInstallationPM",
    "CommentairePM",
    "CapaciteMaxPM",
    "CodeVoieRivoliPM",
    "CodeInseePM",
    "CodePostalPM",
    "CommunePM",
    "CodeAdressePM",
    "TypeVoiePM",
    "NomVoiePM",
    "NumeroVoiePM",
    "ComplementNumeroVoiePM",
    "BatimentPM",
    "TypeIngenierie",
    "FibreDedieeLibre",
    "NombreColonnesMontantesPM",
    "ReferenceConsultationNative",
    "NombrePMTechniques",
    "CoordonneePMX",
    "CoordonneePMY",
    "EmplacementActifDisponible",
    "QualiteAdressePM",
    "DateDerniereModification",
    "GestionnaireImmeuble",
    "CodePostalGestionnaire",
    "CommuneGestionnaire",
    "TypeVoieGestionnaire",
    "NomVoieGestionnaire",
    "NumeroVoieGestionnaire",
    "ComplementNumeroVoieGestionnaire",
    "CodeAdresseGestionnaire",
    "SiretGestionnaire",
    "CategorieRaccoLogement",
    "Code_RNB",
    "Date_RNB",
    "DateMiseEnServiceCommercialeImmeuble",
    "ImmeubleNeuf",
    "SusceptibleRaccordableDemande",
    "LongueurLigneImmeuble",
];

/// How the file is laid out.
pub(crate) const LAYOUT: Layout = Layout { required: REQUIRED, optional: OPTIONAL, kept: KEPT };

/// What an IPE file holds.
#[derive(Debug, Clone, Default)]
pub struct File {
    /// The rows that can be used, with their line, in file order. One building may have several.
    pub buildings: Vec<(u64, Building)>,
    /// Data rows in the file, refused ones included.
    pub rows: u64,
    /// Refused rows and remarks.
    pub problems: Vec<Problem>,
    /// The names that [`Building::extra`] points to.
    pub extra_columns: Vec<String>,
    /// Columns of the file that the specification does not have.
    pub unknown_columns: Vec<String>,
}

/// Whether a file name is that of an IPE file: `…_PM_IPE…`, `.csv`, `.zip` or `.gz`.
#[must_use]
pub fn is_ipe_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.contains("_pm_ipe") && [".csv", ".zip", ".gz"].iter().any(|end| lower.ends_with(end))
}

/// The day in an IPE file name (`…_20261101.csv`), as eight digits.
#[must_use]
pub fn day_in_name(name: &str) -> Option<&str> {
    name.split(['_', '.']).rfind(|part| table::date(part).is_ok())
}

/// Reads an IPE file that lies in memory.
///
/// # Errors
/// The header is missing or lacks a column of [`REQUIRED`]. Bad rows are no error: they are in [`File::problems`].
pub fn read(file: &str, text: &str) -> Result<File, Error> {
    let mut input = text.as_bytes();
    let table = Table::open(file, &mut input, Encoding::Utf8, &LAYOUT)?;
    let mut found = File {
        extra_columns: table.header.others.iter().map(|other| other.name.to_string()).collect(),
        unknown_columns: table.header.unknown(),
        ..File::default()
    };
    let places: Vec<u16> = (0..).take(table.header.others.len()).collect();
    found.rows = table.rows(|row| {
        match row.and_then(|row| Ok((row, building(row, &places)?))) {
            Ok((row, building)) => {
                found.problems.extend(remarks(row, &building));
                found.buildings.push((row.line, building));
            }
            Err(problem) => found.problems.push(problem),
        }
        Ok::<_, Error>(())
    })?;
    Ok(found)
}

/// What is odd about a usable row on its own.
pub(crate) fn remarks(row: &Row<'_>, building: &Building) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut kept = |column, reason| {
        found.push(Problem::kept(row.file, row.line, column, row.get(column), reason));
    };
    if building.state == State::Signed && building.agreement_needed != Some(true) {
        kept(
            "AccordGestionnaireImmeubleNecessaire",
            "state SIGNE is only for buildings that need an agreement",
        );
    }
    let due = building.pm_first_handover.and_then(|day| day.checked_add(Span::new().months(3)).ok());
    if due.is_some_and(|due| building.pm_in_service.is_some_and(|told| told != due)) {
        kept("DateMiseEnServiceCommercialePM", "is not three months after DatePremiereMADPM");
    }
    found
}

/// Reads a row; `places` says where each of [`table::Header::others`] is in the release's extra columns.
pub(crate) fn building(row: &Row<'_>, places: &[u16]) -> Result<Building, Problem> {
    let pm = row.read("ReferencePM", |v| Pm::parse(v).map_err(|e| e.to_string()))?;
    let pm_state = row.read("EtatPM", |v| among(PmState::parse(v), PmState::ALL))?;
    if pm.is_some() && pm_state.is_none() {
        return Err(row.refuse("EtatPM", "is empty though the row names a PM"));
    }
    Ok(Building {
        imb: row.need("IdentifiantImmeuble", |v| Imb::parse(v).map_err(|e| e.to_string()))?,
        oi: row.get("CodeOI").into(),
        pm,
        pm_state,
        pm_in_service: row.date("DateMiseEnServiceCommercialePM")?,
        pm_first_handover: row.date("DatePremiereMADPM")?,
        pm_location: row.optional("TypeEmplacementPM"),
        pm_housings: row.read("NombreLogementsPM", table::count)?,
        state: row.need("EtatImmeuble", |v| among(State::parse(v), State::ALL))?,
        kind: row.read("TypeImmeuble", |v| among(Kind::parse(v), Kind::ALL))?,
        insee: row.need("CodeInseeImmeuble", |v| Insee::parse(v).map_err(|e| e.to_string()))?,
        rivoli: row.read("CodeVoieRivoliImmeuble", |v| Rivoli::parse(v).map_err(|e| e.to_string()))?,
        hexacle: row.read("CodeAdresseImmeuble", hexacle)?,
        street_hexacle: row.read("CodeHexacleVoie", hexacle)?,
        ban: row.optional("CodeBAN"),
        postcode: row.need("CodePostalImmeuble", postcode)?,
        commune: row.text("CommuneImmeuble")?.into(),
        street_type: row.get("TypeVoieImmeuble").into(),
        street_name: row.text("NomVoieImmeuble")?.into(),
        number: row.read("NumeroVoieImmeuble", number)?,
        complement: row.read("ComplementNumeroVoieImmeuble", letter)?,
        batiments: row.optional("BatimentImmeuble").into_iter().collect(),
        housings: row.need("NombreLogementsAdresseIPE", table::count)?,
        position: position(row)?,
        orders_from: row.date("DateDebutAcceptationCmdAcces")?,
        delivery_from: row.date("DateDebutFournitureCRCmdAcces")?,
        agreement_needed: row.read("AccordGestionnaireImmeubleNecessaire", table::flag)?,
        agreement_signed: row.date("DateSignatureConvention")?,
        pbo_type: row.optional("TypePBO"),
        drop_type: row.optional("TypeRaccoPBPTO"),
        zone: row.read("TypeZone", |v| among(Zone::parse(v), Zone::ALL))?,
        cabled: row.date("DateCablageAdresse")?,
        new_building_delivery: row.date("DatePrevisionnelleLivraisonImmeubleNeuf")?,
        extra: extra(row, places),
    })
}

fn extra(row: &Row<'_>, places: &[u16]) -> Vec<(u16, Box<str>)> {
    let others = row.others().filter_map(|(other, value)| Some((*places.get(other)?, value.into())));
    let mut extra: Vec<_> = others.collect();
    extra.sort_unstable();
    extra
}

fn position(row: &Row<'_>) -> Result<Position, Problem> {
    let projection =
        row.need("TypeProjectionGeographique", |v| among(Projection::parse(v), Projection::ALL))?;
    let position = Position {
        x: row.need("CoordonneeImmeubleX", table::decimal)?,
        y: row.need("CoordonneeImmeubleY", table::decimal)?,
        projection,
    };
    if projection == Projection::Wgs84 && position.x.abs() > 180.0 {
        return Err(row.refuse("CoordonneeImmeubleX", "a longitude is between -180 and 180"));
    }
    if projection == Projection::Wgs84 && position.y.abs() > 90.0 {
        return Err(row.refuse("CoordonneeImmeubleY", "a latitude is between -90 and 90"));
    }
    Ok(position)
}

fn among<T: std::fmt::Display>(found: Option<T>, all: &[T]) -> Result<T, String> {
    found.ok_or_else(|| {
        format!("expected one of {}", all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
    })
}

fn hexacle(value: &str) -> Result<Box<str>, String> {
    if value.len() == 10 && value.bytes().all(|b| b.is_ascii_alphanumeric()) {
        Ok(value.into())
    } else {
        Err("expected 10 letters or digits".to_owned())
    }
}

/// Reads a postcode.
pub(crate) fn postcode(value: &str) -> Result<Box<str>, String> {
    if value.len() == 5 && value.bytes().all(|b| b.is_ascii_digit()) {
        Ok(value.into())
    } else {
        Err("expected 5 digits, for instance 77600".to_owned())
    }
}

/// Up to six digits: `166-170` is written `166170`.
fn number(value: &str) -> Result<u32, String> {
    if value.len() <= 6 && value.bytes().all(|b| b.is_ascii_digit()) {
        table::count(value)
    } else {
        Err("expected a street number of up to 6 digits".to_owned())
    }
}

fn letter(value: &str) -> Result<char, String> {
    let mut chars = value.chars();
    match (chars.next(), chars.next()) {
        (Some(letter), None) if letter.is_ascii_uppercase() => Ok(letter),
        _ => Err("expected one capital letter, for instance B".to_owned()),
    }
}
