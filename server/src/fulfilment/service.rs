//! The handlers of `FulfilmentService`; those of `WorkService` are in [`work`].

mod leases;
mod replan;
mod reports;
pub mod work;

use std::{collections::BTreeSet, sync::Arc};

use eservices::fulfilment::v1::{self as pb, fulfilment_service_server::FulfilmentService};
use jiff::civil::Date;
use tonic::{Request, Response, Status};

use self::replan::Replan;
use super::wire::{self, DayPlan};
use crate::{
    appointments::{
        appointment_etag,
        store::{self, Change, ZoneRow},
        wanted_slot,
    },
    orders::appointment_reference,
    platform::{
        Platform,
        clock::paris_day,
        error::{Error, Precondition, Reason, Violations},
        form,
        identity::Caller,
        page,
        unit_of_work::{self, Command, Work},
    },
};

/// The role that its changes belong to.
const ROLE: &str = "workforce";

/// Answers for the workforce systems.
pub struct Service(pub Arc<Platform>);

#[tonic::async_trait]
impl FulfilmentService for Service {
    async fn publish_zones(
        &self,
        request: Request<pb::PublishZonesRequest>,
    ) -> Result<Response<pb::PublishZonesResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let zones = wire::zones(&request.zones, &mut violations);
        let request_id = violations.finish(request_id)?;
        let method = "/eservices.fulfilment.v1.FulfilmentService/PublishZones";
        let command = PublishZones { party_id: sender.caller.party_id().to_owned(), zones };
        let origin = sender.origin(method, request_id);
        Ok(Response::new(unit_of_work::execute(&self.0, origin, command).await?))
    }

    async fn publish_capacity(
        &self,
        request: Request<pb::PublishCapacityRequest>,
    ) -> Result<Response<pb::PublishCapacityResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let zone_code = wire::zone_code(&request.zone_code, &mut violations);
        let days = wire::days(&request.days, &zone_code, &mut violations);
        let request_id = violations.finish(request_id)?;
        let method = "/eservices.fulfilment.v1.FulfilmentService/PublishCapacity";
        let command = PublishCapacity { party_id: sender.caller.party_id().to_owned(), zone_code, days };
        let origin = sender.origin(method, request_id);
        Ok(Response::new(unit_of_work::execute(&self.0, origin, command).await?))
    }

    async fn replan_appointment(
        &self,
        request: Request<pb::ReplanAppointmentRequest>,
    ) -> Result<Response<pb::ReplanAppointmentResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let reference = appointment_reference(&request.appointment_reference, &mut violations);
        let etag = appointment_etag(&request.etag, &mut violations);
        let slot_id = wanted_slot(&request.slot_id, &mut violations);
        let ((request_id, reference), (etag, slot_id)) =
            violations.finish(request_id.zip(reference).zip(etag.zip(slot_id)))?;
        let party_id = sender.caller.party_id().to_owned();
        let replan = Replan { party_id, reference, etag, slot_id };
        let method = "/eservices.fulfilment.v1.FulfilmentService/ReplanAppointment";
        let origin = sender.origin(method, request_id);
        Ok(Response::new(replan.run_with_lapse(&self.0, origin).await?))
    }

    async fn list_zone_bookings(
        &self,
        request: Request<pb::ListZoneBookingsRequest>,
    ) -> Result<Response<pb::ListZoneBookingsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let mut violations = Violations::default();
        let zone = wire::zone_code(&request.zone_code, &mut violations);
        let day = form::day("day", &request.day, &mut violations);
        if request.day.is_empty() {
            violations.push("day", "expected a day YYYY-MM-DD");
        }
        let limit = page::size(request.page_size, &mut violations);
        let scope = ["zone bookings", caller.party_id(), &zone, &request.day];
        let cursor = page::cursor(&self.0.tokens, &scope, &request.page_token, &mut violations);
        let day = violations.finish(day)?;
        Ok(Response::new(zone_bookings(&self.0, &scope, (&zone, day), cursor, limit).await?))
    }
}

async fn zone_bookings(
    platform: &Platform,
    scope: &[&str],
    (zone, day): (&str, Date),
    cursor: Option<String>,
    limit: i64,
) -> Result<pb::ListZoneBookingsResponse, Error> {
    let now = platform.clock.business().as_microsecond();
    let mut reader = platform.db.read().await?;
    let mut conn = reader.conn();
    if !store::zone_exists(&mut conn, zone).await? {
        return Err(Error::not_found("Zone", zone));
    }
    let after = cursor.as_deref().and_then(|c| c.split_once(' ')).unwrap_or_default();
    let mut rows = store::list_zone_day(&mut conn, zone, day, after, now, limit + 1).await?;
    let more = i64::try_from(rows.len()).is_ok_and(|n| n > limit);
    rows.truncate(usize::try_from(limit).unwrap_or(0));
    let next_page_token = match rows.last() {
        Some(last) if more => platform
            .tokens
            .sign(scope, &format!("{} {}", last.appointment.slot_start, last.appointment.reference)),
        _ => String::new(),
    };
    Ok(pb::ListZoneBookingsResponse { bookings: rows.iter().map(wire::booking).collect(), next_page_token })
}

struct PublishZones {
    party_id: String,
    zones: Vec<ZoneRow>,
}

impl Command for PublishZones {
    type Answer = pb::PublishZonesResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let now = work.now.as_microsecond();
        let wanted: BTreeSet<&str> =
            self.zones.iter().flat_map(|z| &z.communes).map(String::as_str).collect();
        let placed = store::publish_zones(&mut work.conn(), &self.zones, now).await?;
        if placed < wanted.len() as u64 {
            let mut others = store::conflicts(&mut work.conn(), &self.zones).await?;
            others.retain(|m| wanted.contains(m.commune_code.as_str()));
            if others.is_empty() {
                return Err(Error::overtaken());
            }
            let conflict = |m: &store::Membership| Precondition {
                kind: Reason::CommuneInOtherZone,
                subject: format!("communes/{}", m.commune_code),
                description: format!("belongs to zone {}", m.zone_code),
                facts: Vec::new(),
            };
            return Err(Error::preconditions(others.iter().map(conflict).collect()));
        }
        let revision =
            work.announce(&self.party_id, ROLE, "fulfilment.zones_published", "zones", "published").await?;
        let codes: Vec<&str> = self.zones.iter().map(|z| z.code.as_str()).collect();
        work.note(&self.party_id, "zones", format!("zones={}", codes.join(",")));
        Ok(pb::PublishZonesResponse {
            zone_count: count(self.zones.len()),
            commune_count: count(wanted.len()),
            revision,
        })
    }
}

struct PublishCapacity {
    party_id: String,
    zone_code: String,
    days: Vec<DayPlan>,
}

impl Command for PublishCapacity {
    type Answer = pb::PublishCapacityResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let now = work.now.as_microsecond();
        wire::not_over(&self.days, paris_day(work.now))?;
        if !store::touch_zone(&mut work.conn(), &self.zone_code, now).await? {
            return Err(Error::not_found("Zone", &self.zone_code));
        }
        let given: Vec<&Change> = self.days.iter().flat_map(|d| &d.slots).collect();
        let changes = self.with_closed_slots(work, &given).await?;
        let published = store::publish(&mut work.conn(), &self.zone_code, &changes).await?;
        if published < changes.len() as u64 {
            return Err(self.below_bookings(work, &changes).await?);
        }
        let resource = format!("zones/{}", self.zone_code);
        let revision = work
            .announce(&self.party_id, ROLE, "fulfilment.capacity_published", &resource, "published")
            .await?;
        work.note(&self.party_id, resource, format!("days={} slots={}", self.days.len(), given.len()));
        Ok(pb::PublishCapacityResponse {
            slot_count: count(given.len()),
            place_count: given.iter().map(|c| u32::try_from(c.capacity).unwrap_or(0)).sum(),
            revision,
        })
    }
}

impl PublishCapacity {
    /// The slots given, and those of the same days that are not given any more, without places; by id.
    async fn with_closed_slots(&self, work: &mut Work, given: &[&Change]) -> Result<Vec<Change>, Error> {
        let kept: BTreeSet<&str> = given.iter().map(|c| c.slot_id.as_str()).collect();
        let mut changes: Vec<Change> = given.iter().map(|c| (*c).clone()).collect();
        for slot in self.existing(work).await? {
            if !kept.contains(slot.slot_id.as_str()) {
                changes.push(Change {
                    slot_id: slot.slot_id,
                    day: slot.day.0,
                    local_start: slot.local_start,
                    local_end: slot.local_end,
                    capacity: 0,
                });
            }
        }
        changes.sort_by(|a, b| a.slot_id.cmp(&b.slot_id));
        Ok(changes)
    }

    /// The slots that the named days have.
    async fn existing(&self, work: &mut Work) -> Result<Vec<store::Slot>, Error> {
        let days: BTreeSet<Date> = self.days.iter().map(|d| d.day).collect();
        let (Some(first), Some(last)) = (days.first(), days.last()) else { return Ok(Vec::new()) };
        let mut slots = store::in_zone(&mut work.conn(), &self.zone_code, *first, *last).await?;
        slots.retain(|s| days.contains(&s.day.0));
        Ok(slots)
    }

    async fn below_bookings(&self, work: &mut Work, changes: &[Change]) -> Result<Error, Error> {
        let existing = self.existing(work).await?;
        let violations = changes.iter().filter_map(|c| {
            let slot = existing.iter().find(|s| s.slot_id == c.slot_id && s.booked > 0)?;
            let description = if slot.booked > c.capacity {
                format!("capacity {} is below {} booked", c.capacity, slot.booked)
            } else if slot.local_end != c.local_end {
                format!("{} booked until {}, not until {}", slot.booked, slot.local_end, c.local_end)
            } else {
                return None;
            };
            let subject = format!("slots/{}", c.slot_id);
            Some(Precondition {
                kind: Reason::CapacityBelowBookings,
                subject,
                description,
                facts: Vec::new(),
            })
        });
        Ok(Error::preconditions(violations.collect()))
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
