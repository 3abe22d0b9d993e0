//! Leases of work: take, keep, give back. What is stored with an answer are ids, tokens and instants; who lives where is read
//! on the way out.

use std::collections::BTreeMap;

use eservices::fulfilment::v1 as pb;
use jiff::{SignedDuration, Timestamp};

use super::work::require;
use crate::{
    fulfilment::wire::work as wire,
    orders::{
        rules::work::WorkState,
        store::{self, Lease, Wanted, WorkRow},
    },
    platform::{
        Platform,
        clock::{instant, to_wire},
        error::{Error, Reason},
        identity::Caller,
        unit_of_work::{Command, Work},
    },
};

/// Take what is open or lost.
pub struct LeaseWork {
    /// Who asks.
    pub party_id: String,
    /// What for.
    pub wanted: Wanted,
    /// For how long.
    pub seconds: u32,
}

impl Command for LeaseWork {
    type Answer = pb::LeaseWorkResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let until = end_of_lease(work, self.seconds);
        let leased = store::lease(work, &self.wanted, &self.party_id, until.as_microsecond()).await?;
        // A worker asks every few seconds: what found nothing is no event.
        if !leased.is_empty() {
            work.announce(
                &self.party_id,
                self.wanted.capability.role(),
                "fulfilment.work_leased",
                "work",
                "leased",
            )
            .await?;
            let ids: Vec<_> = leased.iter().map(|l| format!("{}:{}", l.work_id, l.token)).collect();
            let kind = self.wanted.capability.as_str();
            work.note(&self.party_id, "work", format!("capability={kind} leased={}", ids.join(",")));
        }
        Ok(pb::LeaseWorkResponse { items: leased.iter().map(|lease| item(lease, until)).collect() })
    }
}

/// A lease as it is stored with an answer.
fn item(lease: &Lease, until: Timestamp) -> pb::LeasedWork {
    pb::LeasedWork {
        work_id: lease.work_id.clone(),
        fencing_token: lease.token,
        lease_end_time: Some(to_wire(until)),
        details: None,
    }
}

/// Adds what the worker needs to know of the work that it still has, and that its roles open still.
pub async fn detail(platform: &Platform, caller: &Caller, items: &mut [pb::LeasedWork]) -> Result<(), Error> {
    let ids: Vec<&str> = items.iter().map(|item| item.work_id.as_str()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let mut reader = platform.db.read().await?;
    let found = store::details(&mut reader.conn(), caller.party_id(), &ids).await?;
    drop(reader);
    let now = platform.clock.machine().as_microsecond();
    let mut found: BTreeMap<(String, i64), _> = found
        .into_iter()
        .filter(|d| d.lease_until > now && caller.holds(d.capability.role()))
        .map(|d| ((d.work_id.clone(), d.token), d))
        .collect();
    for item in items {
        item.details = found.remove(&(item.work_id.clone(), item.fencing_token)).map(wire::details);
    }
    Ok(())
}

/// Keep leases alive.
pub struct Extend {
    /// Who asks.
    pub caller: Caller,
    /// Which, by id.
    pub leases: Vec<Lease>,
    /// For how long from now.
    pub seconds: u32,
}

impl Command for Extend {
    type Answer = pb::ExtendLeaseResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let until = end_of_lease(work, self.seconds);
        let mut role = "";
        for lease in &self.leases {
            role = keep(work, &self.caller, lease, until).await?.capability.role();
        }
        told(work, &self.caller, (role, "fulfilment.leases_extended", "extended"), &self.leases).await?;
        Ok(pb::ExtendLeaseResponse {
            lease_end_time: Some(to_wire(until)),
            items: self.leases.iter().map(|lease| item(lease, until)).collect(),
        })
    }
}

/// Give work back.
pub struct Release {
    /// Who asks.
    pub caller: Caller,
    /// Which, by id.
    pub leases: Vec<Lease>,
}

impl Command for Release {
    type Answer = pb::ReleaseLeaseResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let mut role = "";
        for lease in &self.leases {
            role = finish(work, &self.caller, lease, WorkState::Open).await?.capability.role();
        }
        told(work, &self.caller, (role, "fulfilment.leases_released", "released"), &self.leases).await?;
        Ok(pb::ReleaseLeaseResponse { released_count: u32::try_from(self.leases.len()).unwrap_or(u32::MAX) })
    }
}

async fn told(
    work: &mut Work,
    caller: &Caller,
    (role, kind, state): (&'static str, &'static str, &'static str),
    leases: &[Lease],
) -> Result<(), Error> {
    work.announce(caller.party_id(), role, kind, "work", state).await?;
    let ids: Vec<_> = leases.iter().map(|l| format!("{}:{}", l.work_id, l.token)).collect();
    work.note(caller.party_id(), "work", format!("{state}={}", ids.join(",")));
    Ok(())
}

/// When a lease that begins or goes on now ends, machine time.
pub fn end_of_lease(work: &Work, seconds: u32) -> Timestamp {
    let now = work.machine_now();
    now.saturating_add(SignedDuration::from_secs(i64::from(seconds))).map_or(now, whole_micros)
}

/// The same instant as the database keeps it.
fn whole_micros(at: Timestamp) -> Timestamp {
    instant(at.as_microsecond())
}

/// Lets a lease go on, or refuses: it is not the caller's any more.
pub async fn keep(
    work: &mut Work,
    caller: &Caller,
    lease: &Lease,
    until: Timestamp,
) -> Result<WorkRow, Error> {
    let kept =
        store::extend_lease(&mut work.conn(), caller.party_id(), lease, until.as_microsecond()).await?;
    mine(work, caller, lease, kept).await
}

/// Ends a lease, or refuses: it is not the caller's any more.
pub async fn finish(
    work: &mut Work,
    caller: &Caller,
    lease: &Lease,
    state: WorkState,
) -> Result<WorkRow, Error> {
    let now = work.machine_now().as_microsecond();
    let ended = store::end_lease(&mut work.conn(), caller.party_id(), lease, state, now).await?;
    mine(work, caller, lease, ended).await
}

async fn mine(
    work: &mut Work,
    caller: &Caller,
    lease: &Lease,
    changed: Option<WorkRow>,
) -> Result<WorkRow, Error> {
    let there = match changed {
        Some(row) => {
            require(caller, row.capability)?;
            return Ok(row);
        }
        None => store::find_work(&mut work.conn(), &lease.work_id).await?,
    };
    let row = there.ok_or_else(|| Error::not_found("Work", &lease.work_id))?;
    require(caller, row.capability)?;
    Err(Error::new(Reason::WorkLeaseLost, "the lease is not the caller's any more")
        .with("work_id", &row.work_id)
        .with("work_state", row.state.as_str()))
}
