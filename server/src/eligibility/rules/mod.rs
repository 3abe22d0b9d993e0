//! From a place, an offer and a day to an explained verdict. Knows no tonic, no clock, no database.
//!
//! Every criterion of an offer has one rule here; a rule that is not met gives a [`Finding`] with the figures it looked at.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use eservices_reference::{
    Building, Line, StructureRow,
    building::{PmState, State},
    derived::{AppointmentType, appointment_type},
    offers::{Criterion, Offer},
};
use jiff::civil::Date;

use crate::{
    addresses::rules::{covers, visit},
    platform::network::Network,
};

/// What an answer comes to, from the mildest to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Can be ordered.
    Eligible,
    /// Can be ordered under the conditions listed.
    UnderConditions,
    /// Can be ordered from a day on.
    FromDay,
    /// A study must say.
    NeedsStudy,
    /// Can not be ordered.
    NotEligible,
}

/// One rule that was not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Interop code where the market has one, ours otherwise.
    pub code: &'static str,
    /// Id of the rule.
    pub rule_id: &'static str,
    /// What it means for the verdict.
    pub effect: Verdict,
    /// The facts used.
    pub facts: Vec<(&'static str, String)>,
    /// What to do.
    pub remedy: &'static str,
    /// Day on which the rule is expected to be met.
    pub expected: Option<Date>,
}

/// The place asked about, as the reference knows it.
pub struct Place<'a> {
    /// The building.
    pub building: &'a Building,
    /// Its places and the network that serves them.
    pub structure: &'a [StructureRow],
    /// Its existing lines.
    pub lines: Cow<'a, [Line]>,
    /// The socket asked about, if it was the key.
    pub socket: Option<&'a Line>,
    /// Free fibres over its distribution points; none if one of them is unknown.
    pub free_fibres: Option<u32>,
    /// No fibre is free, and orders under way hold some.
    held: bool,
    /// The type of visit that all of its places need; that of a building where they differ.
    visit: AppointmentType,
}

/// The answer for one offer.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The offer.
    pub offer: &'a Offer,
    /// The strictest of the findings.
    pub verdict: Verdict,
    /// Every rule that was not met.
    pub findings: Vec<Finding>,
    /// First day on which it can be ordered; with [`Verdict::FromDay`].
    pub from_day: Option<Date>,
    /// Type of visit, where something can be ordered.
    pub visit: Option<AppointmentType>,
}

impl<'a> Place<'a> {
    /// A building, and the socket if it was the key. What every offer asks of it is found out once.
    #[must_use]
    pub fn new(building: &'a Building, socket: Option<&'a Line>, network: &'a Network) -> Self {
        let structure = network.reference.structure(&building.imb);
        let lines = network.lines(&building.imb);
        let free_fibres = over_boxes(structure, |row| network.free_fibres(row));
        let unlit = || over_boxes(structure, |row| network.unlit_fibres(row));
        let held = free_fibres == Some(0) && unlit().is_some_and(|fibres| fibres > 0);
        let visit = visit_of(building, structure, &lines, socket, network);
        Self { building, structure, lines, socket, free_fibres, held, visit }
    }
}

fn over_boxes(structure: &[StructureRow], fibres: impl Fn(&StructureRow) -> Option<u32>) -> Option<u32> {
    let mut boxes: Vec<(&str, &str, Option<u32>)> = structure
        .iter()
        .map(|row| (row.pm.as_str(), row.pbo.as_deref().unwrap_or_default(), fibres(row)))
        .collect();
    boxes.sort_unstable();
    boxes.dedup();
    if boxes.is_empty() { None } else { boxes.iter().map(|(_, _, fibres)| *fibres).sum() }
}

fn visit_of(
    building: &Building,
    structure: &[StructureRow],
    lines: &[Line],
    socket: Option<&Line>,
    network: &Network,
) -> AppointmentType {
    let rules = network.reference.rules();
    if socket.is_some() {
        return appointment_type(rules, building, None, true);
    }
    let mut types = structure.iter().map(|row| visit(network, building, row, lines));
    match types.next() {
        None => {
            let covered = covers(lines.len(), Some(building.housings));
            appointment_type(rules, building, None, covered)
        }
        Some(first) if types.all(|other| other == first) => first,
        Some(_) => AppointmentType::Block,
    }
}

/// Explains one offer at one place on one day.
#[must_use]
pub fn explain<'a>(offer: &'a Offer, place: &Place<'_>, day: Date) -> Answer<'a> {
    let mut findings: Vec<Finding> = validity(offer, day).into_iter().collect();
    findings.extend(offer.criteria.iter().filter_map(|criterion| unmet(*criterion, offer, place, day)));
    let verdict = findings.iter().map(|f| f.effect).max().unwrap_or(Verdict::Eligible);
    let from_day = findings.iter().filter(|f| f.effect == Verdict::FromDay).filter_map(|f| f.expected).max();
    Answer {
        offer,
        verdict,
        findings,
        from_day: from_day.filter(|_| verdict == Verdict::FromDay),
        visit: (verdict <= Verdict::FromDay).then_some(place.visit),
    }
}

fn validity(offer: &Offer, day: Date) -> Option<Finding> {
    if day < offer.valid_from {
        return Some(Finding {
            code: "OFFER_NOT_OPEN_YET",
            rule_id: "offer.open",
            effect: Verdict::FromDay,
            facts: vec![("valid_from", offer.valid_from.to_string())],
            remedy: "ask again for a day from valid_from on",
            expected: Some(offer.valid_from),
        });
    }
    let until = offer.valid_until.filter(|until| day > *until)?;
    Some(Finding {
        code: "OFFER_CLOSED",
        rule_id: "offer.open",
        effect: Verdict::NotEligible,
        facts: vec![("valid_until", until.to_string())],
        remedy: "choose another offer of the catalogue",
        expected: None,
    })
}

fn unmet(criterion: Criterion, offer: &Offer, place: &Place<'_>, day: Date) -> Option<Finding> {
    let building = place.building;
    match criterion {
        Criterion::BuildingDeployed => building_deployed(building, day),
        Criterion::BuildingNotAbandoned => (building.state == State::Abandoned).then(|| abandoned(building)),
        Criterion::PmDeployed => pm_deployed(building, day),
        Criterion::PmInService => pm_in_service(building, day),
        Criterion::AccessOpen => access_open(building, day),
        Criterion::AgreementSigned => agreement_signed(building, day),
        Criterion::ResourceFree => resource_free(place),
        Criterion::ZoneServed => zone_served(offer, building),
        Criterion::Study => Some(Finding {
            code: "STUDY_NEEDED",
            rule_id: "fibre.study",
            effect: Verdict::NeedsStudy,
            facts: vec![("support", offer.support.to_string())],
            remedy: "request a study: the distance to the optical node decides",
            expected: None,
        }),
    }
}

fn building_deployed(building: &Building, day: Date) -> Option<Finding> {
    let facts = vec![
        ("building_state", building.state.to_string()),
        ("planned_cabling_day", or_unknown(building.planned_cabling())),
    ];
    let (effect, remedy, expected) = match building.state {
        State::Deployed => return None,
        State::Abandoned => return Some(abandoned(building)),
        State::ConnectableOnDemand => (
            Verdict::UnderConditions,
            "order: the distribution point is laid on demand, which adds to the delay",
            None,
        ),
        State::Target => (Verdict::NotEligible, "ask again later: works are not decided", None),
        State::Signed | State::Deploying | State::OnDemandDeploying => match building.planned_cabling() {
            Some(planned) if planned > day => {
                (Verdict::FromDay, "order from the planned day on", Some(planned))
            }
            Some(_) => (
                Verdict::UnderConditions,
                "order: the planned day has come, the end of works is not confirmed yet",
                None,
            ),
            None => (Verdict::NotEligible, "ask again later: works are under way without a known end", None),
        },
    };
    Some(Finding { code: "FIMP10", rule_id: "fibre.building_deployed", effect, facts, remedy, expected })
}

fn abandoned(building: &Building) -> Finding {
    Finding {
        code: "FIMP10",
        rule_id: "fibre.building_deployed",
        effect: Verdict::NotEligible,
        facts: vec![("building_state", building.state.to_string())],
        remedy: "choose a copper offer: the building was given up",
        expected: None,
    }
}

fn pm_deployed(building: &Building, day: Date) -> Option<Finding> {
    let Some(pm) = &building.pm else {
        return Some(Finding {
            code: "FIMP07",
            rule_id: "fibre.pm_deployed",
            effect: Verdict::NotEligible,
            facts: vec![("pm", "unknown".to_owned())],
            remedy: "ask again when the building has a sharing point",
            expected: None,
        });
    };
    if building.pm_state == Some(PmState::Deployed) {
        return None;
    }
    let announced = building.pm_in_service.filter(|_| building.pm_state != Some(PmState::Abandoned));
    let (effect, remedy, expected) = match announced {
        Some(from) if from > day => {
            (Verdict::FromDay, "order from the day of commercial service on", Some(from))
        }
        Some(_) => (
            Verdict::UnderConditions,
            "order: the announced day has come, deployment is not confirmed yet",
            None,
        ),
        None => (Verdict::NotEligible, "ask again when the sharing point is deployed", None),
    };
    Some(Finding {
        code: "FIMP09",
        rule_id: "fibre.pm_deployed",
        effect,
        facts: vec![("pm", pm.to_string()), ("pm_state", or_unknown(building.pm_state))],
        remedy,
        expected,
    })
}

fn pm_in_service(building: &Building, day: Date) -> Option<Finding> {
    // Without a sharing point there is no day to ask for: `pm_deployed` says so.
    building.pm.as_ref()?;
    let facts = vec![("pm_service_day", or_unknown(building.pm_in_service)), ("day", day.to_string())];
    let (effect, remedy, expected) = match building.pm_in_service {
        Some(from) if from <= day => return None,
        Some(from) => (Verdict::FromDay, "order from the day of commercial service on", Some(from)),
        None => {
            (Verdict::NeedsStudy, "ask the wholesaler when the sharing point enters commercial service", None)
        }
    };
    Some(Finding { code: "FIMP09", rule_id: "fibre.pm_in_service", effect, facts, remedy, expected })
}

fn access_open(building: &Building, day: Date) -> Option<Finding> {
    // Files before v3 have no such day: then the sharing point's commercial service decides alone.
    let from = building.orders_from.filter(|from| *from > day)?;
    Some(Finding {
        code: "FIMP10",
        rule_id: "fibre.access_open",
        effect: Verdict::FromDay,
        facts: vec![("order_open_day", from.to_string()), ("day", day.to_string())],
        remedy: "order from the first day of acceptance on",
        expected: Some(from),
    })
}

fn agreement_signed(building: &Building, day: Date) -> Option<Finding> {
    let signed = building.agreement_signed.is_some_and(|signed| signed <= day);
    if building.agreement_needed != Some(true) || signed {
        return None;
    }
    Some(Finding {
        code: "AGREEMENT_MISSING",
        rule_id: "fibre.agreement_signed",
        effect: Verdict::NotEligible,
        facts: vec![("agreement_signed_day", or_unknown(building.agreement_signed))],
        remedy: "have the building manager sign the agreement with the wholesaler",
        expected: None,
    })
}

fn resource_free(place: &Place<'_>) -> Option<Finding> {
    let free = place.free_fibres;
    // A building that is not deployed has no distribution point to fill yet: `building_deployed` says so.
    let built = place.building.state == State::Deployed;
    if !built || place.socket.is_some() || free.is_some_and(|fibres| fibres > 0) {
        return None;
    }
    let facts = vec![("existing_lines", place.lines.len().to_string()), ("free_fibres", or_unknown(free))];
    let full = if place.held { "FINT02" } else { "FINT01" };
    let (code, effect, remedy) = match (free, place.lines.is_empty()) {
        (Some(_), false) => {
            (full, Verdict::UnderConditions, "order on an existing socket: give its PTO reference")
        }
        (Some(_), true) if place.held => {
            (full, Verdict::NotEligible, "ask again later: orders under way hold the fibres that are left")
        }
        (Some(_), true) => (full, Verdict::NotEligible, "ask again later: the distribution point is full"),
        (None, _) => (
            "RESOURCE_UNKNOWN",
            Verdict::NeedsStudy,
            "request a study: the fill of the network is not known here",
        ),
    };
    Some(Finding { code, rule_id: "fibre.resource_free", effect, facts, remedy, expected: None })
}

fn zone_served(offer: &Offer, building: &Building) -> Option<Finding> {
    if offer.zones.is_empty() || building.zone.is_some_and(|zone| offer.zones.contains(&zone)) {
        return None;
    }
    let effect = if building.zone.is_some() { Verdict::NotEligible } else { Verdict::NeedsStudy };
    Some(Finding {
        code: "ZONE_NOT_SERVED",
        rule_id: "fibre.zone_served",
        effect,
        facts: vec![("zone_type", or_unknown(building.zone))],
        remedy: "choose an offer that is sold in this zone",
        expected: None,
    })
}

fn or_unknown(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "unknown".to_owned(), |v| v.to_string())
}
