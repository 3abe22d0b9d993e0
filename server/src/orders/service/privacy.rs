//! `EraseContact` and `FindAddressHolder`: what the law asks of an operator about its end customers.

use std::{net::Ipv4Addr, sync::Arc};

use eservices::orders::v1 as pb;
use jiff::Timestamp;

use super::read::held;
use crate::{
    orders::{
        rules::{Action, Actor},
        store::{self, Report},
    },
    platform::{
        Platform,
        clock::{instant, to_wire},
        error::{Error, Violations},
        identity::Caller,
        unit_of_work::{Command, Work},
    },
};

/// The end customer of one order is to be forgotten.
pub struct Erase {
    /// The server.
    pub platform: Arc<Platform>,
    /// Who asks.
    pub caller: Caller,
    /// Which order.
    pub number: String,
}

impl Command for Erase {
    type Answer = pb::EraseContactResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let order = store::find(&mut work.conn(), self.caller.party_id(), &self.number)
            .await?
            .ok_or_else(|| Error::not_found("Order", &self.number))?;
        self.caller.require(&order.e_service)?;
        store::step(work, &self.platform, order, &Report::of(Action::EraseContact, Actor::Operator)).await?;
        let contact = store::erase_contact(&mut work.conn(), &self.number).await?;
        let comments = store::erase_comments(&mut work.conn(), &self.number).await?;
        Ok(pb::EraseContactResponse { contact, comments: u32::try_from(comments).unwrap_or(u32::MAX) })
    }
}

/// Which access of the caller held an address.
pub struct Find {
    party_id: String,
    /// Held by the caller, `,A,B,`.
    e_services: String,
    ipv4: Ipv4Addr,
    at: Timestamp,
}

impl Find {
    /// Checks the question.
    pub fn parse(
        request: &pb::FindAddressHolderRequest,
        caller: &Caller,
        violations: &mut Violations,
    ) -> Option<Self> {
        let ipv4 = request.ipv4.parse().map_err(|_| "expected an IPv4 address, for instance 192.0.2.17");
        let ipv4 = violations.take("ipv4", ipv4);
        let at = request.at_time.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok());
        let at = violations.take("at_time", at.ok_or("expected an instant"));
        let (party_id, e_services) = (caller.party_id().to_owned(), held(caller));
        Some(Self { party_id, e_services, ipv4: ipv4?, at: at? })
    }
}

impl Command for Find {
    type Answer = pb::FindAddressHolderResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let (ipv4, at) = (self.ipv4.to_string(), self.at.as_microsecond());
        let scope = (self.party_id.as_str(), self.e_services.as_str());
        let held = store::held(&mut work.conn(), scope, &ipv4, at).await?;
        let resource =
            held.as_ref().map_or_else(|| "addresses".to_owned(), |held| format!("orders/{}", held.number));
        work.note(&self.party_id, resource, format!("action=FIND_ADDRESS_HOLDER at={}", self.at));
        let holder = held.map(|held| pb::AddressHolder {
            aid: held.aid,
            via: held.via,
            order_number: held.number,
            from_time: Some(to_wire(instant(held.assigned_at))),
            until_time: held.released_at.map(|at| to_wire(instant(at))),
        });
        Ok(pb::FindAddressHolderResponse { holder })
    }
}
