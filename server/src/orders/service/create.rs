//! `ValidateOrder` and `CreateOrder`: the same checks over the same facts; an order then takes what it needs, all or nothing.

use std::sync::Arc;

use eservices::orders::v1 as pb;
use eservices_reference::offers::Offer;

use crate::{
    appointments::store as appointments,
    eligibility::Qualification,
    orders::{
        rules::{
            Actor, State, Type,
            checks::{Checks, Known, Quoted, Site, taken},
        },
        store::{self, Access, Entry, Order},
        wire::{self, New},
    },
    platform::{
        Platform,
        clock::paris_day,
        config::Environment,
        db::Conn,
        error::{Error, Precondition, Reason, Violations},
        identity::Caller,
        network::{Network, store as network_store},
        unit_of_work::{self, Command, Origin, Work},
    },
};

/// Parses an order; a scenario is for non-production only, and the offer must be one of the catalogue.
pub fn parse(found: Option<pb::NewOrder>, platform: &Platform, violations: &mut Violations) -> Option<New> {
    let new = wire::new_order(found, violations)?;
    if !new.scenario.is_empty() && platform.config.environment == Environment::Production {
        violations.push("order.scenario", "expected nothing in production");
        return None;
    }
    if platform.network.load().reference.offers().get(&new.wanted.offer_code).is_none() {
        violations.push_coded(
            "order.offer_code",
            "FIMP16",
            "expected a code of the catalogue, for instance JUST_FIBRE",
        );
        return None;
    }
    Some(new)
}

/// What an order would come to now.
pub async fn validate(
    platform: &Platform,
    caller: &Caller,
    new: &New,
) -> Result<pb::ValidateOrderResponse, Error> {
    super::require_offer(caller, &platform.network.load(), &new.wanted.offer_code)?;
    let before = platform.network.load().overlay.revision();
    let mut against = findings(platform, caller, new).await?;
    if against.iter().any(is_about_lines) && network_store::knows_more(platform, before).await? {
        against = findings(platform, caller, new).await?;
    }
    let findings: Vec<pb::Finding> = against
        .into_iter()
        .map(|condition| pb::Finding {
            code: condition.kind.info().name.to_owned(),
            field: condition.subject,
            description: condition.description,
            remedy: condition.kind.info().remedy.to_owned(),
        })
        .collect();
    Ok(pb::ValidateOrderResponse { acceptable: findings.is_empty(), findings })
}

/// Whether it is refused for what this node knows of sockets and fibres: some may have been laid or given back since it last
/// looked.
fn is_about_lines(condition: &Precondition) -> bool {
    use Reason::{Fimp01, Fimp02, Fimp03, Fimp18, Fint01, Fint02};
    matches!(condition.kind, Fimp01 | Fimp02 | Fimp03 | Fimp18 | Fint01 | Fint02)
}

async fn findings(platform: &Platform, caller: &Caller, new: &New) -> Result<Vec<Precondition>, Error> {
    let network = platform.network.load();
    let offer = offer(&network, new)?;
    let mut reader = platform.db.read().await?;
    let known = known(&mut reader.conn(), caller.party_id(), new).await?;
    drop(reader);
    let quoted = quoted(platform, new);
    let now = platform.clock.business();
    let checks = Checks {
        party_id: caller.party_id(),
        wanted: &new.wanted,
        offer,
        quoted: &quoted,
        network: &network,
        known: &known,
        now,
        today: paris_day(now),
    };
    Ok(checks.against())
}

/// An order that is placed.
#[derive(Clone)]
pub struct Create {
    platform: Arc<Platform>,
    party_id: String,
    new: New,
}

impl Create {
    /// For one operator.
    pub fn new(platform: &Arc<Platform>, party_id: &str, new: New) -> Self {
        Self { platform: Arc::clone(platform), party_id: party_id.to_owned(), new }
    }

    /// Runs; where sockets and fibres alone are what it is refused for, looks at them and runs once more.
    pub async fn run_with_a_look(
        self,
        platform: &Arc<Platform>,
        origin: Origin,
    ) -> Result<pb::CreateOrderResponse, Error> {
        let before = platform.network.load().overlay.revision();
        let first = unit_of_work::execute(platform, origin.clone(), self.clone()).await;
        let Err(refusal) = &first else { return first };
        let of_lines = !refusal.conditions().is_empty() && refusal.conditions().iter().all(is_about_lines);
        if of_lines && network_store::knows_more(platform, before).await? {
            return unit_of_work::execute(platform, origin, self).await;
        }
        first
    }

    fn order(&self, work: &Work, offer: &Offer, site: &Site<'_>, release: &str) -> Order {
        let (ids, now) = (&self.platform.ids, work.now.as_microsecond());
        let wanted = &self.new.wanted;
        let building = site.building;
        let complement = building.complement.map(|c| format!(" {c}")).unwrap_or_default();
        let number =
            building.number.filter(|n| *n > 0).map_or_else(String::new, |n| format!("{n}{complement}"));
        let street = [&*building.street_type, &*building.street_name];
        Order {
            number: format!("CMD{:012}", ids.twelve_digits()),
            party_id: self.party_id.clone(),
            kind: Type::Creation,
            state: State::InProgress,
            operator_reference: wanted.operator_reference.clone(),
            offer_code: offer.code.to_string(),
            e_service: offer.e_service.as_deref().unwrap_or_default().to_owned(),
            product_nature: offer.product_nature.to_string(),
            via: format!("VIA{:012}", ids.twelve_digits()),
            aid: format!("F{:08}", ids.twelve_digits() % 100_000_000),
            ipv4: String::new(),
            appointment_ref: wanted.appointment.clone(),
            appointment_type: site.visit,
            imb: building.imb.to_string(),
            pm: wanted.pm.to_string(),
            pbo: site.row.and_then(|row| row.pbo.as_deref()).unwrap_or_default().to_owned(),
            pto: wanted.pto.as_ref().map_or_else(String::new, ToString::to_string),
            batiment: wanted.place.batiment.to_string(),
            escalier: wanted.place.escalier.to_string(),
            etage: wanted.place.etage.to_string(),
            number_in_street: number,
            street: street.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "),
            postcode: building.postcode.to_string(),
            commune: building.commune.to_string(),
            commune_code: building.insee.to_string(),
            street_code: building.rivoli.as_ref().map_or_else(String::new, ToString::to_string),
            fibre_held: i64::from(wanted.pto.is_none()),
            parcel_number: String::new(),
            box_serial: String::new(),
            failure_code: String::new(),
            retake_until: String::new(),
            release: release.to_owned(),
            scenario: self.new.scenario.clone(),
            entries: 1,
            version: 1,
            revision: 0,
            created_at: now,
            updated_at: now,
        }
    }

    /// Takes what the order needs, the network's rows last: appointment, address, order and access, socket, fibre.
    async fn take(
        &self,
        work: &mut Work,
        order: &mut Order,
        checks: &Checks<'_>,
        site: &Site<'_>,
    ) -> Result<(), Error> {
        let quote = checks.quote(site.building, &order.number);
        let appointment = checks.known.appointment.clone();
        let appointment =
            appointment.ok_or_else(|| Error::not_found("Appointment", &self.new.wanted.appointment))?;
        appointments::confirm(work, appointment, &quote).await?;
        order.ipv4 =
            store::assign_address(work, &self.platform.config.orders, &order.aid, &self.party_id).await?;
        order.revision = work
            .announce(
                &self.party_id,
                &order.e_service,
                "orders.accepted",
                order.resource(),
                order.state.as_str(),
            )
            .await?;
        let access = Access {
            aid: order.aid.clone(),
            via: order.via.clone(),
            party_id: order.party_id.clone(),
            number: order.number.clone(),
            ipv4: order.ipv4.clone(),
        };
        let conn = &mut work.conn();
        let new_ids = store::insert(conn, order).await?
            && store::insert_access(conn, &access, order.created_at).await?;
        if !new_ids {
            // An id that was drawn before: the work runs again with others.
            return Err(Error::overtaken());
        }
        store::insert_contact(conn, &order.number, &self.new.contact).await?;
        store::add_entry(conn, &order.number, &self.accepted(order)).await?;
        if !order.pto.is_empty() && !store::take_socket(conn, &order.pto, order).await? {
            let holder = store::holder(conn, &self.party_id, &order.pto).await?;
            return Err(holder.as_ref().map_or_else(Error::overtaken, |holder| {
                Error::preconditions(vec![taken(holder).condition("order.pto")])
            }));
        }
        store::open_work(work, order).await?;
        let conn = &mut work.conn();
        let network = checks.network;
        if let Some(row) = site.row.filter(|_| order.fibre_held == 1)
            && !network_store::hold_fibre(conn, &row.pm, &order.pbo, &network.reference).await?
        {
            let refusal = Error::new(Reason::Fint02, "orders under way hold the fibres that are left");
            return Err(Error::preconditions(vec![refusal.condition("order.pto")]));
        }
        Ok(())
    }

    fn accepted(&self, order: &Order) -> Entry {
        Entry {
            position: order.entries,
            kind: "ACCEPTED".to_owned(),
            author: Actor::Operator,
            state: order.state,
            code: String::new(),
            comment: self.new.comment.clone(),
            facts: String::new(),
            occurred_at: order.created_at,
        }
    }
}

impl Command for Create {
    type Answer = pb::CreateOrderResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let network = self.platform.network.load();
        let offer = offer(&network, &self.new)?;
        let known = known(&mut work.conn(), &self.party_id, &self.new).await?;
        let quoted = quoted(&self.platform, &self.new);
        let checks = Checks {
            party_id: &self.party_id,
            wanted: &self.new.wanted,
            offer,
            quoted: &quoted,
            network: &network,
            known: &known,
            now: work.now,
            today: paris_day(work.now),
        };
        let against = checks.against();
        if !against.is_empty() {
            return Err(Error::preconditions(against));
        }
        let site =
            checks.site().ok_or_else(|| Error::internal("an order passed its checks without a place"))?;
        let mut order = self.order(work, offer, &site, &network.reference.release().name);
        self.take(work, &mut order, &checks, &site).await?;
        work.note(&self.party_id, order.resource(), "action=CREATE state=in_progress");
        Ok(pb::CreateOrderResponse { order: Some(wire::order(&order)) })
    }
}

fn offer<'n>(network: &'n Network, new: &New) -> Result<&'n Offer, Error> {
    // The form was checked on a release that may have given way meanwhile.
    network.reference.offers().get(&new.wanted.offer_code).ok_or_else(|| {
        Error::new(Reason::OfferNotOrderedHere, "the offer left the catalogue")
            .with("offer_code", &new.wanted.offer_code)
    })
}

fn quoted(platform: &Platform, new: &New) -> Quoted {
    match new.qualification.as_str() {
        "" => Quoted::Nothing,
        reference => Qualification::read(&platform.tokens, reference)
            .map_or(Quoted::Unreadable, |said| Quoted::Read(Box::new(said))),
    }
}

async fn known(conn: &mut Conn<'_>, party_id: &str, new: &New) -> Result<Known, Error> {
    let wanted = &new.wanted;
    let holder = match &wanted.pto {
        Some(pto) => store::holder(conn, party_id, pto.as_str()).await?,
        None => None,
    };
    Ok(Known {
        duplicate: store::number_of(conn, party_id, &wanted.operator_reference).await?,
        holder,
        appointment: appointments::find(conn, party_id, &wanted.appointment).await?,
    })
}
