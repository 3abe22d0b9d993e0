//! The IPE rows of a commune: one a building, or one a *bâtiment*.
//!
//! The order of the columns is that of the v2.1 entities, then what v3.0 added; the official order of v3 is not public.
//! Does not know how the values were drawn.

use super::Error;
use super::days::Days;
use super::network::{batiment, box_kind, share};
use super::place::{ipe_projection, push_position};
use super::plan::{Address, LETTERS, Plan};
use super::sink::Sink;
use super::zones::Zone;
use crate::building::{self, Projection, State};
use std::fmt::Write as _;

/// Every column, in the file's order.
pub const COLUMNS: &[&str] = &[
    "ReferenceRegroupementPM",
    "ReferencePM",
    "EtatPM",
    "DateInstallationPM",
    "TypeEmplacementPM",
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
    "NombreLogementsPM",
    "NombreColonnesMontantesPM",
    "DateMiseEnServiceCommercialePM",
    "ReferenceConsultationNative",
    "NombrePMTechniques",
    "TypeImmeuble",
    "TypeProjectionGeographique",
    "CoordonneePMX",
    "CoordonneePMY",
    "EmplacementActifDisponible",
    "QualiteAdressePM",
    "DatePremiereMADPM",
    "AccordGestionnaireImmeubleNecessaire",
    "TypeZone",
    "IdentifiantImmeuble",
    "CodeVoieRivoliImmeuble",
    "CodeInseeImmeuble",
    "CodePostalImmeuble",
    "CommuneImmeuble",
    "CodeAdresseImmeuble",
    "TypeVoieImmeuble",
    "NomVoieImmeuble",
    "NumeroVoieImmeuble",
    "ComplementNumeroVoieImmeuble",
    "BatimentImmeuble",
    "NombreLogementsAdresseIPE",
    "EtatImmeuble",
    "DateCablageAdresse",
    "DateDerniereModification",
    "CoordonneeImmeubleX",
    "CoordonneeImmeubleY",
    "DateSignatureConvention",
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
    "CodeOI",
    "TypePBO",
    "TypeRaccoPBPTO",
    "CodeHexacleVoie",
    "CodeBAN",
    "Code_RNB",
    "Date_RNB",
    "DateDebutAcceptationCmdAcces",
    "DateDebutFournitureCRCmdAcces",
    "DateMiseEnServiceCommercialeImmeuble",
    "ImmeubleNeuf",
    "DatePrevisionnelleLivraisonImmeubleNeuf",
    "SusceptibleRaccordableDemande",
    "LongueurLigneImmeuble",
];

/// What all rows behind one point share: the columns before and after `TypeImmeuble`.
struct Head {
    before: String,
    after: String,
}

/// Writes the rows of a commune.
pub(super) fn write(plan: &Plan<'_>, days: &Days, out: &mut Sink) -> Result<(), Error> {
    let insee = &plan.town.commune.insee;
    let projection = ipe_projection(insee, plan.town.bounds.min);
    let heads: Vec<Head> = plan.zones.iter().map(|zone| head(plan, zone, projection, days)).collect();
    let names: Vec<(String, String)> = plan
        .streets
        .iter()
        .map(|street| (street.name.kind.to_uppercase(), street.name.rest.to_uppercase()))
        .collect();
    let commune = plan.town.commune.name.to_uppercase();
    for (place, address) in plan.addresses.iter().enumerate() {
        let (hexacle, key) = if address.number == 0 {
            (String::new(), String::new())
        } else {
            (plan.hexacle(place), plan.ban_key(address))
        };
        let (imb, rows) = (plan.imb(place), address.batiments.max(1));
        for order in 0..rows {
            let text = &mut out.text;
            let head = &heads[address.zone as usize];
            *text += &head.before;
            *text += address.kind.as_str();
            *text += &head.after;
            let street = plan.street(address);
            let (street_kind, street_name) = &names[address.street as usize];
            let name = batiment(address, order).map(String::from).unwrap_or_default();
            let _ = write!(
                text,
                ";{agreement};{zone};{imb};{rivoli};{insee};{postcode};{commune};{hexacle};{street_kind};{street_name};\
                 {number};{letter};{name};{housings};{state};{cabled};{modified}",
                agreement = flag(address.agreement_needed),
                zone = plan.zones[address.zone as usize].zone,
                rivoli = street.rivoli.as_deref().unwrap_or_default(),
                insee = plan.town.commune.insee,
                postcode = street.postcode,
                number = address.number,
                letter = LETTERS[usize::from(address.suffix)],
                housings = share(address.housings, u32::from(rows), u32::from(order)),
                state = address.state,
                cabled = days.text(address.dates.cabled),
                modified = days.text(Some(address.dates.modified)),
            );
            push_position(text, projection, address.point);
            manager(text, plan, address, days);
            later_columns(text, plan, address, &key, days);
            out.end_row()?;
        }
    }
    Ok(())
}

/// The columns of the building's manager, filled once the agreement is signed, and `CategorieRaccoLogement`.
fn manager(text: &mut String, plan: &Plan<'_>, address: &Address, days: &Days) {
    let signed = address.dates.agreement;
    if signed.is_none() {
        *text += ";;;;;;;;;;;";
        return;
    }
    let street = plan.street(address);
    let _ = write!(
        text,
        ";{signed};SYNDIC DE DÉMONSTRATION {order};{postcode};{commune};;{name};;;;;",
        signed = days.text(signed),
        order = address.zone % 20 + 1,
        postcode = street.postcode,
        commune = plan.town.commune.name.to_uppercase(),
        name = street.name.shown().to_uppercase(),
    );
}

/// The columns that came with v3.0.
fn later_columns(text: &mut String, plan: &Plan<'_>, address: &Address, key: &str, days: &Days) {
    let deployed = address.state == State::Deployed;
    let (box_kind, works) = if deployed { box_kind(plan, address) } else { ("", "") };
    let open = days.text(address.dates.open);
    let length =
        if deployed { (200 + address.number * 7 + address.zone % 97).to_string() } else { String::new() };
    let _ = write!(
        text,
        ";FI;{box_kind};{works};{hexacle};{key};;;{open};{open};{open};{new};{delivery};{on_demand};{length}",
        hexacle = plan.street(address).hexacle,
        new = flag(address.dates.new_building.is_some()),
        delivery = days.text(address.dates.new_building),
        on_demand = flag(matches!(address.state, State::ConnectableOnDemand | State::OnDemandDeploying)),
    );
}

fn head(plan: &Plan<'_>, zone: &Zone, projection: Projection, days: &Days) -> Head {
    let Some(pm) = &zone.pm else {
        let after = format!(";{};;;N;;", projection);
        return Head { before: ";".repeat(24), after };
    };
    let address = &plan.addresses[zone.at];
    let street = plan.street(address);
    let commune = &plan.town.commune;
    let dense = zone.zone != building::Zone::LessDense;
    let capacity = (zone.housings + zone.housings / 5).div_ceil(12) * 12;
    let own = pm.location == "PMI";
    let numbered = address.number != 0;
    let before = format!(
        "{grouping};{reference};{state};{installed};{location};;{capacity};{rivoli};{insee};{postcode};{name};{hexacle};\
         {street_kind};{street_name};{number};{letter};;{engineering};N;{housings};{columns};{service};{consultation};1;",
        grouping = if dense { String::new() } else { format!("ZC-{}-01", commune.insee) },
        reference = pm.reference,
        state = pm.state,
        installed = days.text(Some(pm.installed)),
        location = pm.location,
        rivoli = street.rivoli.as_deref().unwrap_or_default(),
        insee = commune.insee,
        postcode = street.postcode,
        name = commune.name.to_uppercase(),
        hexacle = if numbered { plan.hexacle(zone.at) } else { String::new() },
        street_kind = street.name.kind.to_uppercase(),
        street_name = street.name.rest.to_uppercase(),
        number = address.number,
        letter = LETTERS[usize::from(address.suffix)],
        engineering = if zone.zone == building::Zone::VeryDense { "quadri" } else { "mono" },
        housings = zone.housings,
        columns = if own { zone.housings.div_ceil(24).to_string() } else { String::new() },
        service = days.text(pm.in_service),
        consultation = if dense { format!("CN-{}-01", commune.insee) } else { String::new() },
    );
    let mut after = format!(";{}", projection);
    push_position(&mut after, projection, address.point);
    let quality = if numbered { "precise" } else { "approximative" };
    let _ = write!(after, ";{};{quality};{}", flag(!own), days.text(pm.handed_over));
    Head { before, after }
}

fn flag(value: bool) -> &'static str {
    if value { "O" } else { "N" }
}
