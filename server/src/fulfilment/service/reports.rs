//! What workers say: a milestone moves its order on and ends its work in one transaction; comments, new boxes.

use std::sync::Arc;

use eservices::fulfilment::v1 as pb;

use super::{
    ROLE,
    leases::{end_of_lease, finish, keep},
    work::require,
};
use crate::{
    fulfilment::wire::work as wire,
    orders::{
        order_state_to_wire,
        rules::{
            Action, Actor, State, Type,
            work::{Capability, Milestone, WorkState},
        },
        store::{self, Fate, Lease, Order, Report, WorkRow},
    },
    platform::{
        Platform,
        clock::paris_day,
        error::{Error, Reason},
        identity::Caller,
        unit_of_work::{Command, Work},
    },
};

/// A milestone of one piece of work.
pub struct ReportWork {
    /// What it runs on.
    pub platform: Arc<Platform>,
    /// Who reports.
    pub caller: Caller,
    /// On which lease.
    pub lease: Lease,
    /// What happened.
    pub milestone: Milestone,
    /// What is said with it; may be empty.
    pub comment: String,
}

impl Command for ReportWork {
    type Answer = pb::ReportWorkResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let found = store::find_work(&mut work.conn(), &self.lease.work_id).await?;
        let found = found.ok_or_else(|| Error::not_found("Work", &self.lease.work_id))?;
        require(&self.caller, found.capability)?;
        work.lock_owner(&found.party_id).await?;
        self.let_expire(work, &found.number).await?;
        let row = self.lease_holds(work, found.capability).await?;
        if !self.milestone.fits(row.capability) {
            return Err(Error::new(Reason::WorkReportUnfit, "the report does not fit the work")
                .with("capability", row.capability.as_str())
                .with("expected_reports", row.capability.reports()));
        }
        let order = store::find_any(&mut work.conn(), &row.number).await?;
        let order = order.ok_or_else(|| Error::internal(format!("work {} has no order", row.work_id)))?;
        self.equipment(work, &row, &order).await?;
        let action = self.milestone.action(self.awaited(&row, &order));
        let state = self.order_after(work, &row, order, action).await?;
        let resource = format!("work/{}", row.work_id);
        let (party, done) = (self.caller.party_id(), row.state.as_str());
        work.announce(party, row.capability.role(), "fulfilment.work_reported", &resource, done).await?;
        let details = format!("action={} state={done} token={}", action.as_str(), self.lease.token);
        work.note(party, resource, details);
        Ok(pb::ReportWorkResponse {
            work_state: wire::state_to_wire(row.state).into(),
            order_state: order_state_to_wire(state).into(),
        })
    }
}

impl ReportWork {
    /// Days for a new appointment that are over count, whether or not the sweeper came by.
    async fn let_expire(&self, work: &mut Work, number: &str) -> Result<(), Error> {
        let order = store::find_any(&mut work.conn(), number).await?;
        if let Some(order) = order.filter(|order| order.is_overdue(paris_day(work.now))) {
            let expiry = Report::of(Action::Expire, Actor::Server);
            store::step(work, &self.platform, order, &expiry).await?;
        }
        Ok(())
    }

    /// Whether the box that it speaks of is the one that the work awaits, and not the one that an exchange sent.
    fn awaited(&self, row: &WorkRow, order: &Order) -> bool {
        let sent = match &self.milestone {
            Milestone::BoxLost { serial } => {
                order.kind == Type::BoxExchange && !order.state.is_over() && *serial == order.box_serial
            }
            _ => false,
        };
        row.capability == Capability::Returns && !sent
    }

    /// The work as the report leaves it, if the lease is the caller's. A parcel that is gone is gone: that is heard too where
    /// its order ended meanwhile.
    async fn lease_holds(&self, work: &mut Work, capability: Capability) -> Result<WorkRow, Error> {
        if matches!(self.milestone, Milestone::BoxShipped { .. }) && capability == Capability::Shipping {
            let now = work.machine_now().as_microsecond();
            let party = self.caller.party_id();
            let in_vain = store::done_in_vain(&mut work.conn(), party, &self.lease, now).await?;
            if let Some(row) = in_vain {
                return Ok(row);
            }
        }
        if self.milestone.ends(capability) {
            return finish(work, &self.caller, &self.lease, WorkState::Done).await;
        }
        let until = end_of_lease(work, self.platform.config.fulfilment.lease_seconds);
        keep(work, &self.caller, &self.lease, until).await
    }

    /// The box that ships or comes back, the socket that is connected.
    async fn equipment(&self, work: &mut Work, row: &WorkRow, order: &Order) -> Result<(), Error> {
        let now = work.now.as_microsecond();
        match &self.milestone {
            Milestone::BoxShipped { serial, .. } => {
                store::ship_box(&mut work.conn(), serial, &order.aid, &order.number, now).await
            }
            Milestone::BoxReturned { serial } | Milestone::BoxLost { serial } => {
                let (awaited, what) = match self.awaited(row, order) {
                    true => (&row.box_serial, "another box is to come back"),
                    false => (&order.box_serial, "another box was sent, or none"),
                };
                let fate = match self.milestone {
                    Milestone::BoxLost { .. } => Fate::Lost,
                    _ => Fate::Returned,
                };
                if serial == awaited && store::settle_box(&mut work.conn(), serial, fate, now).await? {
                    return Ok(());
                }
                Err(Error::new(Reason::BoxUnexpected, what).with("expected_serial", awaited))
            }
            Milestone::InterventionOk { pto, .. } if !order.pto.is_empty() && order.pto != pto.as_str() => {
                Err(Error::new(Reason::SocketUnexpected, "the order names another socket")
                    .with("expected_pto", &order.pto))
            }
            _ => Ok(()),
        }
    }

    /// Moves the order on; where it is over its history says what became of the box.
    async fn order_after(
        &self,
        work: &mut Work,
        row: &WorkRow,
        order: Order,
        action: Action,
    ) -> Result<State, Error> {
        let report = Report {
            action,
            author: Actor::Field,
            code: self.milestone.code().to_owned(),
            comment: self.comment.clone(),
            facts: self.milestone.facts(),
        };
        let of_a_box = matches!(row.capability, Capability::Returns | Capability::Shipping);
        let order = if of_a_box && order.state.is_over() {
            store::add_report(work, order, report).await?
        } else {
            store::step(work, &self.platform, order, &report).await?
        };
        Ok(order.state)
    }
}

/// A comment of the field.
pub struct CommentOrder {
    /// What it runs on.
    pub platform: Arc<Platform>,
    /// Who says it.
    pub party_id: String,
    /// Of which order.
    pub number: String,
    /// What.
    pub comment: String,
}

impl Command for CommentOrder {
    type Answer = pb::CommentOrderResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let found = store::find_any(&mut work.conn(), &self.number).await?;
        let owner = found.ok_or_else(|| Error::not_found("Order", &self.number))?.party_id;
        work.lock_owner(&owner).await?;
        let report = Report { comment: self.comment.clone(), ..Report::of(Action::Comment, Actor::Field) };
        let order = store::advance(work, &self.platform, &self.number, &report).await?;
        let resource = order.resource();
        work.announce(&self.party_id, ROLE, "fulfilment.order_commented", &resource, order.state.as_str())
            .await?;
        work.note(&self.party_id, resource, "action=COMMENT");
        Ok(pb::CommentOrderResponse { order_state: order_state_to_wire(order.state).into() })
    }
}

/// Boxes that are new in stock.
pub struct AddBoxes {
    /// Who has them.
    pub party_id: String,
    /// Serials that differ.
    pub serials: Vec<String>,
}

impl Command for AddBoxes {
    type Answer = pb::AddBoxesResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let now = work.now.as_microsecond();
        let added = store::add_boxes(&mut work.conn(), &self.serials, now).await?;
        work.announce(
            &self.party_id,
            Capability::Shipping.role(),
            "fulfilment.boxes_added",
            "boxes",
            "in_stock",
        )
        .await?;
        work.note(&self.party_id, "boxes", format!("added={added} given={}", self.serials.len()));
        let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let known = self.serials.len() as u64 - added;
        Ok(pb::AddBoxesResponse { added_count: count(added), known_count: count(known) })
    }
}
