//! The checks of an order in the published order: everything that speaks against it, at once.
//!
//! The offer's own criteria are asked of eligibility, so that what is eligible can be ordered. Reads the network as it is in
//! memory; who takes the last fibre or a socket at the same time is decided by the store.

use eservices_reference::{
    Building, Line, StructureRow,
    derived::AppointmentType,
    ids::{Imb, Pm, Pto},
    offers::Offer,
    structure::Place,
};
use jiff::{Timestamp, civil::Date};

use crate::{
    addresses::rules::{Resource, lines_at, resource, visit},
    appointments::{
        rules::VisitType,
        store::{Appointment, Quote, fits},
        street_number,
    },
    eligibility::{
        Qualification,
        rules::{Finding, Place as Premises, Verdict, explain},
    },
    platform::{
        error::{Error, Precondition, Reason},
        network::Network,
    },
};

/// What is ordered, as far as the checks need it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The operator's own reference.
    pub operator_reference: String,
    /// Code of the offer.
    pub offer_code: String,
    /// Building.
    pub imb: Imb,
    /// Sharing point.
    pub pm: Pm,
    /// Socket, where one exists.
    pub pto: Option<Pto>,
    /// Where in the building.
    pub place: Place,
    /// Reference of the appointment.
    pub appointment: String,
}

/// What the qualification reference says; nothing if none was given.
#[derive(Clone, Debug)]
pub enum Quoted {
    /// None was given.
    Nothing,
    /// It is none of ours.
    Unreadable,
    /// What the answer was given on.
    Read(Box<Qualification>),
}

/// Who is alive on a socket.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Number of the order, if it is the caller's own.
    pub own: Option<String>,
}

/// What the database says of an order that is wanted.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Number of the order that has the operator's reference already.
    pub duplicate: Option<String>,
    /// Who is alive on the socket.
    pub holder: Option<Holder>,
    /// The appointment, if it is the caller's.
    pub appointment: Option<Appointment>,
}

/// The place of an order, as the network knows it.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// The building.
    pub building: &'a Building,
    /// Its place and the network that serves it; none where its structure is not known.
    pub row: Option<&'a StructureRow>,
    /// The type of visit that the installation needs.
    pub visit: VisitType,
}

/// All that the checks look at.
pub struct Checks<'a> {
    /// Owner to be.
    pub party_id: &'a str,
    /// What is ordered.
    pub wanted: &'a Wanted,
    /// The offer.
    pub offer: &'a Offer,
    /// The qualification quoted.
    pub quoted: &'a Quoted,
    /// The network.
    pub network: &'a Network,
    /// What the database says.
    pub known: &'a Known,
    /// Business time.
    pub now: Timestamp,
    /// The day in Paris.
    pub today: Date,
}

impl<'a> Checks<'a> {
    /// Everything that speaks against the order, in the published order.
    #[must_use]
    pub fn against(&self) -> Vec<Precondition> {
        let mut found = Vec::new();
        found.extend(self.duplicate());
        if !self.offer.ordered_here {
            found.push(
                Error::new(Reason::OfferNotOrderedHere, "the offer is not ordered here")
                    .with("offer_code", &*self.offer.code)
                    .condition("order.offer_code"),
            );
        }
        found.extend(self.qualification());
        let place = self.row();
        let row = place.as_ref().ok().copied().flatten();
        let known = place.is_ok();
        found.extend(place.err());
        if let Some(building) = self.building() {
            found.extend(self.sharing_point(building, row));
            found.extend(self.criteria(building));
        }
        if known {
            found.extend(self.socket(row));
        }
        found.extend(self.appointment(row, known));
        found
    }

    /// The place, where the reference knows the building and no check of the address failed.
    #[must_use]
    pub fn site(&self) -> Option<Site<'a>> {
        let building = self.building()?;
        let row = self.row().ok()?;
        Some(Site { building, row, visit: self.visit(building, row) })
    }

    fn building(&self) -> Option<&'a Building> {
        self.network.reference.building(&self.wanted.imb)
    }

    fn duplicate(&self) -> Option<Precondition> {
        let number = self.known.duplicate.as_ref()?;
        let refusal = Error::new(Reason::Fimp13, "the operator's reference was used before");
        Some(refusal.with("order_number", number).condition("order.operator_reference"))
    }

    fn qualification(&self) -> Option<Precondition> {
        let wrong = match self.quoted {
            Quoted::Nothing => return None,
            Quoted::Unreadable => "the reference is none of ours",
            Quoted::Read(said) if said.expires_on < self.today => "the reference is over",
            Quoted::Read(said) if said.imb != self.wanted.imb => "the reference is about another building",
            Quoted::Read(said) if said.pto.is_some() && said.pto != self.wanted.pto => {
                "the reference is about another socket"
            }
            Quoted::Read(said) if !said.offers.contains(&self.wanted.offer_code) => {
                "the reference is about other offers"
            }
            Quoted::Read(_) => return None,
        };
        Some(Error::new(Reason::QualificationRefused, wrong).condition("order.qualification_reference"))
    }

    /// The row of the place; none where the building's structure is not known.
    fn row(&self) -> Result<Option<&'a StructureRow>, Precondition> {
        let Wanted { imb, place, .. } = self.wanted;
        if self.building().is_none() {
            let refusal = Error::new(Reason::Fadr01, "the building is not in the reference");
            return Err(refusal.with("imb", imb.as_str()).condition("order.imb"));
        }
        let mut rows: Vec<&StructureRow> = self.network.reference.structure(imb).iter().collect();
        if rows.is_empty() {
            return Ok(None);
        }
        type Part = (Reason, &'static str, fn(&Place) -> &str);
        const PARTS: [Part; 3] = [
            (Reason::Fadr02, "batiment", |place| &place.batiment),
            (Reason::Fadr03, "escalier", |place| &place.escalier),
            (Reason::Fadr04, "etage", |place| &place.etage),
        ];
        for (reason, name, part) in PARTS {
            let known = listed(rows.iter().map(|row| part(&row.place)));
            rows.retain(|row| part(&row.place) == part(place));
            if rows.is_empty() {
                let refusal = Error::new(reason, format!("no such {name}; known: {known}"));
                return Err(refusal.with("known", known).condition(format!("order.place.{name}")));
            }
        }
        Ok(rows.first().copied())
    }

    fn sharing_point(&self, building: &Building, row: Option<&StructureRow>) -> Option<Precondition> {
        let asked = &self.wanted.pm;
        let expected = row.map(|row| &row.pm).or(building.pm.as_ref())?;
        if expected == asked {
            return None;
        }
        let field = "order.pm";
        if !self.network.reference.has_pm(asked) {
            let refusal = Error::new(Reason::Fimp07, "the sharing point is not in the reference");
            return Some(refusal.with("pm", asked.as_str()).condition(field));
        }
        let refusal = Error::new(Reason::Fimp08, format!("the place is served by {expected}"));
        Some(refusal.with("expected_pm", expected.as_str()).condition(field))
    }

    /// What eligibility has against the offer, but for the fibre, which is asked of the place and not of the building.
    fn criteria(&self, building: &Building) -> Vec<Precondition> {
        let socket = self.wanted.pto.as_ref().and_then(|pto| self.network.line(pto));
        let premises = Premises::new(building, socket, self.network);
        let against = explain(self.offer, &premises, self.today).findings;
        let counts = |finding: &&Finding| {
            finding.effect > Verdict::UnderConditions && finding.rule_id != "fibre.resource_free"
        };
        against.iter().filter(counts).map(refused).collect()
    }

    fn socket(&self, row: Option<&StructureRow>) -> Option<Precondition> {
        const FIELD: &str = "order.pto";
        let network = self.network;
        if let Some(pto) = &self.wanted.pto {
            let Some(line) = network.line(pto) else {
                let refusal = Error::new(Reason::Fimp02, "the socket is not in the reference");
                return Some(refusal.with("pto", pto.as_str()).condition(FIELD));
            };
            if line.imb != self.wanted.imb || line.place != self.wanted.place {
                return Some(Error::new(Reason::Fimp03, "the socket is at another place").condition(FIELD));
            }
            return self.known.holder.as_ref().map(|holder| taken(holder).condition(FIELD));
        }
        let lines = network.lines(&self.wanted.imb);
        let Some(row) = row else {
            return Some(
                Error::new(Reason::NotEligible, "the structure of the building is not known here")
                    .with("rule_id", "fibre.resource_free")
                    .condition("order.imb"),
            );
        };
        let known = listed(lines_at(row, &lines).map(|line: &Line| line.pto.as_str()));
        let refusal = match resource(network, row, &lines) {
            Resource::Free => return None,
            Resource::SocketPresent => {
                Error::new(Reason::Fimp18, "every housing of the place has its socket").with("known", known)
            }
            Resource::Full | Resource::Held if !known.is_empty() => {
                Error::new(Reason::Fimp01, "no fibre is left, and the place has sockets").with("known", known)
            }
            Resource::Full => Error::new(Reason::Fint01, "the box has no fibre left"),
            Resource::Held => Error::new(Reason::Fint02, "orders under way hold the fibres that are left"),
            Resource::Unknown => Error::new(Reason::NotEligible, "the fill of the box is not known here")
                .with("rule_id", "fibre.resource_free"),
        };
        Some(refusal.condition(FIELD))
    }

    /// `known`: the place is, and with it the type of visit that it needs.
    fn appointment(&self, row: Option<&StructureRow>, known: bool) -> Vec<Precondition> {
        const FIELD: &str = "order.appointment_reference";
        let Some(appointment) = &self.known.appointment else {
            return vec![Error::new(Reason::AppointmentUnknown, "no such appointment").condition(FIELD)];
        };
        let Some(building) = self.building() else { return Vec::new() };
        let quote = self.quote(building, "");
        let refused = fits(appointment, &quote, self.now).err().map(|error| error.condition(FIELD));
        let expected = self.visit(building, row);
        let unlike = wrong_visit(appointment, expected).filter(|_| known).map(|error| error.condition(FIELD));
        refused.into_iter().chain(unlike).collect()
    }

    /// What the order says of its appointment.
    #[must_use]
    pub fn quote(&self, building: &Building, number: &str) -> Quote {
        quote(self.party_id, &self.wanted.appointment, number, &self.offer.product_nature, building)
    }

    fn visit(&self, building: &Building, row: Option<&StructureRow>) -> VisitType {
        if self.wanted.pto.is_some() {
            return VisitType::Short;
        }
        let lines = self.network.lines(&building.imb);
        let found = match row {
            Some(row) => visit(self.network, building, row, &lines),
            None => eservices_reference::derived::appointment_type(
                self.network.reference.rules(),
                building,
                None,
                false,
            ),
        };
        visit_type(found)
    }
}

/// What an order says of the appointment it quotes.
#[must_use]
pub fn quote(party_id: &str, reference: &str, number: &str, nature: &str, building: &Building) -> Quote {
    Quote {
        party_id: party_id.to_owned(),
        reference: reference.to_owned(),
        order_ref: number.to_owned(),
        product_nature: nature.to_owned(),
        imb: building.imb.to_string(),
        commune_code: building.insee.to_string(),
        street_code: building.rivoli.as_ref().map_or_else(String::new, ToString::to_string),
        street_number: street_number(building),
    }
}

/// The refusal of an appointment of another type than the place needs.
#[must_use]
pub fn wrong_visit(appointment: &Appointment, expected: VisitType) -> Option<Error> {
    let found = appointment.appointment_type;
    (found != expected).then(|| {
        let text = format!("the appointment is {}, the place needs {}", found.as_str(), expected.as_str());
        Error::new(Reason::AppointmentTypeWrong, text).with("expected_type", expected.as_str())
    })
}

/// The refusal of a socket that somebody is alive on.
#[must_use]
pub fn taken(holder: &Holder) -> Error {
    match &holder.own {
        Some(number) => Error::new(Reason::Fimp19, "an order or access of your own is on the socket")
            .with("order_number", number),
        None => Error::new(Reason::Fimp11, "the socket is taken for now"),
    }
}

fn refused(finding: &Finding) -> Precondition {
    let facts: Vec<String> = finding.facts.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let text = format!("{}: {}", finding.rule_id, facts.join(", "));
    let (reason, field) = match finding.code {
        "FIMP07" => {
            let refusal = Error::new(Reason::Fimp07, text).with("pm", "");
            return refusal.condition("order.pm");
        }
        "FIMP09" => (Reason::Fimp09, "order.pm"),
        "FIMP10" => (Reason::Fimp10, "order.imb"),
        _ => {
            let refusal = Error::new(Reason::NotEligible, text).with("rule_id", finding.rule_id);
            return refusal.condition("order.offer_code");
        }
    };
    Error::new(reason, text).condition(field)
}

/// A type of visit as appointments name it.
const fn visit_type(found: AppointmentType) -> VisitType {
    match found {
        AppointmentType::Short => VisitType::Short,
        AppointmentType::House => VisitType::House,
        AppointmentType::Block => VisitType::Building,
        AppointmentType::BlockComplex => VisitType::BuildingComplex,
    }
}

/// Up to ten values, each once, in their order.
fn listed<'v>(values: impl Iterator<Item = &'v str>) -> String {
    const MOST: usize = 10;
    let mut listed: Vec<&str> = Vec::new();
    for value in values {
        if listed.len() == MOST {
            break;
        }
        if !listed.contains(&value) {
            listed.push(value);
        }
    }
    listed.join(", ")
}
