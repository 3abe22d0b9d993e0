//! The questions of `OrderService`: get, list, count, and the life of an order as data.

use eservices::orders::v1 as pb;

use super::E_SERVICES;
use crate::{
    orders::{
        rules::{Action, State, Type, machine},
        store::{self, Filter},
        wire,
    },
    platform::{
        Platform,
        error::{Error, Violations},
        identity::Caller,
        page,
    },
};

/// One order of the caller with its history.
pub async fn get(platform: &Platform, caller: &Caller, number: &str) -> Result<pb::GetOrderResponse, Error> {
    let mut reader = platform.db.read().await?;
    let conn = &mut reader.conn();
    let found = store::find(conn, caller.party_id(), number)
        .await?
        .ok_or_else(|| Error::not_found("Order", number))?;
    caller.require(&found.e_service)?;
    let history = store::history(conn, number).await?;
    let contact = store::contact(conn, number).await?;
    let mut order = wire::order(&found);
    if let Some(contact) = contact {
        let (contact, address) = wire::contact_to_wire(contact);
        (order.contact, order.delivery_address) = (Some(contact), Some(address));
    }
    let history = history.into_iter().map(wire::entry).collect();
    Ok(pb::GetOrderResponse { order: Some(order), history })
}

/// A list, checked.
pub struct List {
    filter: Filter,
    scope: [String; 9],
    limit: i64,
}

impl List {
    /// Form, and which offers the caller may see.
    pub fn parse(
        request: pb::ListOrdersRequest,
        platform: &Platform,
        caller: &Caller,
    ) -> Result<Self, Error> {
        let mut violations = Violations::default();
        let limit = page::size(request.page_size, &mut violations);
        for (field, text) in [("operator_reference", &request.operator_reference), ("aid", &request.aid)] {
            if text.chars().count() > 30 {
                violations.push(field, "expected at most 30 characters");
            }
        }
        let accepted = (request.created_from.as_ref(), request.created_before.as_ref());
        let mut filter = Filter {
            operator_reference: request.operator_reference,
            aid: request.aid,
            ..narrowed(caller, &request.types, &request.states, accepted, &mut violations)
        };
        let scope = [
            "orders".to_owned(),
            caller.party_id().to_owned(),
            filter.types.clone(),
            filter.states.clone(),
            filter.e_services.clone(),
            filter.operator_reference.clone(),
            filter.aid.clone(),
            filter.from.to_string(),
            filter.before.to_string(),
        ];
        let parts = scope.each_ref().map(String::as_str);
        let cursor = page::cursor(&platform.tokens, &parts, &request.page_token, &mut violations);
        violations.check()?;
        filter.after = cursor.and_then(|cursor| {
            let (created_at, number) = cursor.split_once(' ')?;
            Some((created_at.parse().ok()?, number.to_owned()))
        });
        Ok(Self { filter, scope, limit })
    }

    /// One page, newest first.
    pub async fn answer(self, platform: &Platform, caller: &Caller) -> Result<pb::ListOrdersResponse, Error> {
        let mut reader = platform.db.read().await?;
        let mut rows =
            store::list(&mut reader.conn(), caller.party_id(), &self.filter, self.limit + 1).await?;
        let more = i64::try_from(rows.len()).is_ok_and(|n| n > self.limit);
        rows.truncate(usize::try_from(self.limit).unwrap_or(0));
        let next_page_token = match rows.last() {
            Some(last) if more => {
                let cursor = format!("{} {}", last.created_at, last.number);
                platform.tokens.sign(&self.scope.each_ref().map(String::as_str), &cursor)
            }
            _ => String::new(),
        };
        Ok(pb::ListOrdersResponse { orders: rows.iter().map(wire::order).collect(), next_page_token })
    }
}

/// The dashboard: each type in each of its states, zeros included.
pub async fn count(platform: &Platform, caller: &Caller) -> Result<pb::CountOrdersResponse, Error> {
    let mut reader = platform.db.read().await?;
    let found = store::count(&mut reader.conn(), caller.party_id(), &held(caller)).await?;
    let pairs = Type::ALL.iter().flat_map(|kind| kind.states().map(|state| (*kind, state)));
    let counted = |(kind, state): (Type, State)| pb::OrderCount {
        r#type: wire::type_to_wire(kind).into(),
        state: wire::state_to_wire(state).into(),
        orders: found.iter().find(|row| (row.kind, row.state) == (kind, state)).map_or(0, |row| row.orders),
    };
    Ok(pb::CountOrdersResponse { counts: pairs.map(counted).collect() })
}

/// Every step that an order can take.
pub fn lifecycle() -> pb::GetOrderLifecycleResponse {
    let mut transitions = Vec::new();
    for kind in Type::ALL.iter().copied() {
        for state in kind.states() {
            let steps = Action::ALL.iter().filter_map(|action| {
                let next = machine::step(kind, state, *action)?;
                Some(wire::transition(&(kind, state, *action, next)))
            });
            transitions.extend(steps);
        }
    }
    pb::GetOrderLifecycleResponse { transitions }
}

/// What the caller may see, narrowed by type, state and instant of acceptance.
pub fn narrowed(
    caller: &Caller,
    types: &[i32],
    states: &[i32],
    (from, before): (Option<&prost_types::Timestamp>, Option<&prost_types::Timestamp>),
    violations: &mut Violations,
) -> Filter {
    Filter {
        types: wire::types(types, violations),
        states: wire::states(states, violations),
        e_services: held(caller),
        operator_reference: String::new(),
        aid: String::new(),
        from: instant("created_from", from, i64::MIN, violations),
        before: instant("created_before", before, i64::MAX, violations),
        after: None,
    }
}

/// The e-services whose orders the caller may see, `,A,B,`.
pub fn held(caller: &Caller) -> String {
    let held: Vec<&str> = E_SERVICES.into_iter().filter(|e_service| caller.holds(e_service)).collect();
    if held.is_empty() { ",,".to_owned() } else { page::listed(&held) }
}

fn instant(
    field: &str,
    found: Option<&prost_types::Timestamp>,
    unbounded: i64,
    violations: &mut Violations,
) -> i64 {
    let Some(found) = found else { return unbounded };
    let micros = jiff::Timestamp::new(found.seconds, found.nanos).map(jiff::Timestamp::as_microsecond);
    violations.take(field, micros.map_err(|_| "expected an instant")).unwrap_or(unbounded)
}
