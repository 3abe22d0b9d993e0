//! What follows from a building, a place in it and its lines: appointment type, headline, availability.
//!
//! Pure; the word lists behind the appointment type are data ([`Rules`]). Does not know which offer is asked for, nor the overlay of
//! orders since the release.

use crate::building::{Building, Kind, PmState, State, vocabulary};
use crate::document::Document;
use crate::structure::{Row, coded};
use jiff::civil::Date;

pub use crate::document::Invalid;

/// The word lists that ship with the crate.
pub const DEFAULT: &str = include_str!("../data/appointments.toml");

/// The name of the file, in a data folder and in messages.
pub const FILE: &str = "appointments.toml";

vocabulary!(
    /// The kind of appointment that an installation needs.
    AppointmentType {
        /// Socket present (*RDV court*).
        Short = "COURT",
        /// Socket to be laid in a house (*RDV pavillon*).
        House = "PAVILLON",
        /// Socket to be laid in a building (*RDV immeuble*).
        Block = "IMMEUBLE",
        /// As above, from outside or on the ground floor (*RDV immeuble (RDC) – intervention complexe*).
        BlockComplex = "IMMEUBLE_RDC_COMPLEXE",
    }
);
vocabulary!(
    /// What a building is called in one word.
    Headline {
        /// Can be connected.
        Connectable = "RACCORDABLE",
        /// Can be connected on demand.
        ConnectableOnDemand = "RACCORDABLE SUR DEMANDE",
        /// Works are under way.
        Deploying = "EN COURS DE DEPLOIEMENT",
        /// Planned.
        Planned = "PREVU",
        /// Given up.
        Abandoned = "ABANDONNE",
    }
);
vocabulary!(
    /// Whether accesses can be ordered there.
    Availability {
        /// The acceptance date is reached and the PM is in commercial service.
        Available = "MIS A DISPOSITION",
        /// Built; a date of the building or its PM is still to come.
        Coming = "MISE A DISPOSITION A VENIR",
        /// Not built, or its PM is not.
        NotAvailable = "NON DISPONIBLE",
    }
);

/// Word lists behind [`appointment_type`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Codes of box types that stand outside a building, for instance `CH`.
    pub outside_pbo_types: Vec<Box<str>>,
    /// Names of the ground floor, for instance `RDC`.
    pub ground_floors: Vec<Box<str>>,
}

const FIELDS: &[&str] = &["code", "outside_pbo_types", "ground_floors"];

/// Reads the word lists; `file` names it in messages.
///
/// # Errors
/// Every defect of the file with line and field.
pub fn parse(file: &str, text: &str) -> Result<Rules, Invalid> {
    let mut rules = Rules { outside_pbo_types: Vec::new(), ground_floors: Vec::new() };
    let mut seen = false;
    Document::read(file, text, "appointment", FIELDS, |doc, entry| {
        let code = doc.text(entry, "code");
        let code = doc.need(entry, "code", code)?;
        if &*code != AppointmentType::BlockComplex.as_str() {
            doc.refuse(entry, "code", "the only appointment with word lists is IMMEUBLE_RDC_COMPLEXE");
        }
        if std::mem::replace(&mut seen, true) {
            doc.refuse(entry, "code", "stands twice in the file");
        }
        let word =
            |value: &toml::de::DeValue<'_>| value.as_str().filter(|word| !word.is_empty()).map(Box::from);
        for (field, list) in
            [("outside_pbo_types", &mut rules.outside_pbo_types), ("ground_floors", &mut rules.ground_floors)]
        {
            let words = doc.list(entry, field, word);
            *list = doc.need(entry, field, words).unwrap_or_default();
        }
        Some(())
    })?;
    Ok(rules)
}

/// The appointment type of a place: socket → short; house → house; building → block, complex when there is no socket and
/// the box is outside or the floor is the ground floor.
///
/// A building whose kind the file does not tell counts as a house with one housing at most, else as a block. Without a
/// structure row neither box nor floor is known: block.
#[must_use]
pub fn appointment_type(
    rules: &Rules,
    building: &Building,
    row: Option<&Row>,
    has_pto: bool,
) -> AppointmentType {
    if has_pto {
        return AppointmentType::Short;
    }
    if kind(building) == Kind::House {
        return AppointmentType::House;
    }
    let complex = row.is_some_and(|row| {
        let outside = row.pbo_type.as_deref().is_some_and(|value| {
            rules.outside_pbo_types.iter().any(|code| code.eq_ignore_ascii_case(coded(value).0))
        });
        outside || rules.ground_floors.iter().any(|floor| floor.eq_ignore_ascii_case(&row.place.etage))
    });
    if complex { AppointmentType::BlockComplex } else { AppointmentType::Block }
}

/// House or block, from the file or, where it does not tell, from the housings.
#[must_use]
pub fn kind(building: &Building) -> Kind {
    building.kind.unwrap_or(if building.housings <= 1 { Kind::House } else { Kind::Block })
}

/// The headline of a state.
#[must_use]
pub fn headline(state: State) -> Headline {
    match state {
        State::Deployed => Headline::Connectable,
        State::ConnectableOnDemand => Headline::ConnectableOnDemand,
        State::OnDemandDeploying | State::Deploying => Headline::Deploying,
        State::Target | State::Signed => Headline::Planned,
        State::Abandoned => Headline::Abandoned,
    }
}

/// Whether accesses can be ordered on that day. A date that the file does not tell is not reached.
#[must_use]
pub fn availability(building: &Building, day: Date) -> Availability {
    if building.state != State::Deployed || building.pm_state != Some(PmState::Deployed) {
        return Availability::NotAvailable;
    }
    let reached = |date: Option<Date>| date.is_some_and(|date| date <= day);
    if reached(building.orders_from) && reached(building.pm_in_service) {
        Availability::Available
    } else {
        Availability::Coming
    }
}

/// The first day on which [`availability`] is [`Availability::Available`], as far as the file tells.
#[must_use]
pub fn available_from(building: &Building) -> Option<Date> {
    if building.state != State::Deployed || building.pm_state != Some(PmState::Deployed) {
        return None;
    }
    Some(building.orders_from?.max(building.pm_in_service?))
}
