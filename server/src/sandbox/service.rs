//! The handlers of `SandboxService`.

use std::{collections::BTreeMap, sync::Arc};

use eservices::sandbox::v1::{self as pb, sandbox_service_server::SandboxService};
use jiff::Timestamp;
use tonic::{Request, Response, Status};

use super::wire::{self, Jump};
use crate::{
    appointments::{self, rules::CATALOGUE, store},
    orders,
    platform::{
        Platform,
        clock::{Clock, Course, to_wire},
        course,
        error::{Error, Reason, Violations},
        form,
        unit_of_work::{self, Command, Work},
    },
};

/// Answers for the sandbox.
pub struct Service(pub Arc<Platform>);

impl Service {
    /// Follows the clock row and answers when all that is due has happened.
    async fn settle(&self) -> Result<(), Error> {
        let mut reader = self.0.db.read().await?;
        let course = course::read(&mut reader.conn()).await?;
        drop(reader);
        self.0.clock.follow(course);
        appointments::lapse_due(&self.0).await?;
        orders::expire_due(&self.0).await?;
        Ok(())
    }
}

#[tonic::async_trait]
impl SandboxService for Service {
    async fn advance_clock(
        &self,
        request: Request<pb::AdvanceClockRequest>,
    ) -> Result<Response<pb::AdvanceClockResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let jump = wire::jump(request.target, self.0.clock.business(), &mut violations);
        let (request_id, jump) = violations.finish(request_id.zip(jump))?;
        let method = "/eservices.sandbox.v1.SandboxService/AdvanceClock";
        let command =
            AdvanceClock { party_id: sender.caller.party_id().to_owned(), clock: self.0.clock.clone(), jump };
        let origin = sender.origin(method, request_id);
        let answer = unit_of_work::execute(&self.0, origin, command).await?;
        self.settle().await?;
        Ok(Response::new(answer))
    }

    async fn set_clock_speed(
        &self,
        request: Request<pb::SetClockSpeedRequest>,
    ) -> Result<Response<pb::SetClockSpeedResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let speed = wire::speed(request.speed, &mut violations);
        let request_id = violations.finish(request_id)?;
        let method = "/eservices.sandbox.v1.SandboxService/SetClockSpeed";
        let command = SetClockSpeed {
            party_id: sender.caller.party_id().to_owned(),
            clock: self.0.clock.clone(),
            speed,
        };
        let origin = sender.origin(method, request_id);
        let answer = unit_of_work::execute(&self.0, origin, command).await?;
        self.settle().await?;
        Ok(Response::new(answer))
    }

    async fn reset_appointments(
        &self,
        request: Request<pb::ResetAppointmentsRequest>,
    ) -> Result<Response<pb::ResetAppointmentsResponse>, Status> {
        let (sender, request_id, _) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let request_id = violations.finish(request_id)?;
        let method = "/eservices.sandbox.v1.SandboxService/ResetAppointments";
        let command = ResetAppointments { party_id: sender.caller.party_id().to_owned() };
        let origin = sender.origin(method, request_id);
        Ok(Response::new(unit_of_work::execute(&self.0, origin, command).await?))
    }
}

struct AdvanceClock {
    party_id: String,
    clock: Clock,
    jump: Jump,
}

impl Command for AdvanceClock {
    type Answer = pb::AdvanceClockResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        course::lock(work, &self.clock).await?;
        let now = work.now;
        let target = match self.jump {
            Jump::By(by) => now.saturating_add(by).unwrap_or(now),
            Jump::To(to) => to,
        };
        if target <= now {
            return Err(Error::new(Reason::ClockBackwards, "the business clock never goes back")
                .with("business_time", now.to_string()));
        }
        let speed = work.course.speed;
        let revision = change_course(work, &self.party_id, target, speed, "advanced").await?;
        Ok(pb::AdvanceClockResponse { business_time: Some(to_wire(target)), revision })
    }
}

struct SetClockSpeed {
    party_id: String,
    clock: Clock,
    speed: f64,
}

impl Command for SetClockSpeed {
    type Answer = pb::SetClockSpeedResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        course::lock(work, &self.clock).await?;
        let now = work.now;
        let revision = change_course(work, &self.party_id, now, self.speed, "speed_set").await?;
        Ok(pb::SetClockSpeedResponse { business_time: Some(to_wire(now)), revision })
    }
}

/// Sets a new course from `base` on, which was decided on the one that this work locked.
async fn change_course(
    work: &mut Work,
    party_id: &str,
    base: Timestamp,
    speed: f64,
    state: &'static str,
) -> Result<i64, Error> {
    let known = work.course;
    // Nodes take over a course by its anchor: the later one wins, also where this node's machine clock is behind.
    let anchor = work.machine_now().as_microsecond().max(known.anchor + 1);
    let course = Course { base: base.as_microsecond(), anchor, speed };
    if !course::set(&mut work.conn(), known, course).await? {
        return Err(Error::overtaken());
    }
    let revision = work.announce(party_id, "sandbox-clock", "sandbox.clock_changed", "clock", state).await?;
    work.note(party_id, "clock", format!("base={base} speed={speed}"));
    Ok(revision)
}

struct ResetAppointments {
    party_id: String,
}

impl Command for ResetAppointments {
    type Answer = pb::ResetAppointmentsResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let now = work.now.as_microsecond();
        let alive = store::alive(&mut work.conn(), &self.party_id, now).await?;
        let mut rows = Vec::with_capacity(alive.len());
        let mut places: BTreeMap<String, i64> = BTreeMap::new();
        for appointment in alive {
            let resource = format!("appointments/{}", appointment.reference);
            let e_service = CATALOGUE.e_service(&appointment.product_nature);
            let revision = work
                .announce(&self.party_id, e_service, "appointments.cancelled", resource, "cancelled")
                .await?;
            rows.push((appointment.reference, revision));
            *places.entry(appointment.slot_id).or_default() += 1;
        }
        let places: Vec<(String, i64)> = places.into_iter().collect();
        let freed = store::free_many(&mut work.conn(), &places).await?;
        let cancelled = store::cancel_all(&mut work.conn(), &rows, now).await?;
        if cancelled != rows.len() as u64 || freed != places.len() as u64 {
            return Err(Error::overtaken());
        }
        let revision = work
            .announce(&self.party_id, "sandbox", "sandbox.appointments_reset", "appointments", "reset")
            .await?;
        work.note(&self.party_id, "appointments", format!("state=cancelled count={cancelled}"));
        Ok(pb::ResetAppointmentsResponse {
            cancelled_count: u32::try_from(cancelled).unwrap_or(u32::MAX),
            revision,
        })
    }
}
