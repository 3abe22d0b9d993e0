//! Orders at the same time: one appointment, one reference, one socket, one fibre give one order, and nothing is left of the
//! other one.

use std::{sync::Arc, time::Instant};

use eservices::{
    appointments::v1::{self as ap, HoldAppointmentRequest, Intervention},
    common::v1::AppointmentType,
    orders::v1::{NewOrder, Order},
};
use eservices_client::Client;
use eservices_server::platform::{db::Db, network::store as network};
use tokio::sync::Barrier;
use tonic::Status;

use super::{cancel, chains_hold, operators};
use crate::harness::{
    Plan, World,
    database::number,
    hold_request, intervention,
    orders::{cancelled, create, new_order},
    reason, refusal, slot_id,
};

/// What is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Site {
    /// The easy house: its box has fibres left.
    House,
    /// A house with a socket that nobody is on: FI-1D00-0001.
    Socket,
    /// A house whose box has four fibres, three of them held for orders of a third operator.
    LastFibre,
}

/// Two orders sent at once, and what the one that comes later is told.
struct Case {
    name: &'static str,
    site: Site,
    one_operator: bool,
    one_reference: bool,
    one_appointment: bool,
    loser: &'static str,
}

const APART: Case = Case {
    name: "",
    site: Site::House,
    one_operator: true,
    one_reference: false,
    one_appointment: false,
    loser: "",
};

impl Site {
    fn intervention(self) -> Intervention {
        let (imb, visit) = match self {
            Self::House => return intervention(),
            Self::Socket => ("IMB/77058/X/0302", AppointmentType::Short),
            Self::LastFibre => ("IMB/77058/X/0414", AppointmentType::House),
        };
        Intervention {
            place: Some(ap::Place { designation: Some(ap::place::Designation::Imb(imb.into())) }),
            appointment_type: visit.into(),
            ..intervention()
        }
    }

    fn order(self, operator_reference: &str, appointment: &str) -> NewOrder {
        let house = new_order(operator_reference, appointment);
        match self {
            Self::House => house,
            Self::Socket => NewOrder { imb: "IMB/77058/X/0302".into(), pto: "FI-1D00-0001".into(), ..house },
            Self::LastFibre => NewOrder { imb: "IMB/77058/X/0414".into(), ..house },
        }
    }

    async fn hold(self, client: &Client) -> ap::Appointment {
        let request = HoldAppointmentRequest {
            intervention: Some(self.intervention()),
            ..hold_request(&slot_id(8, "08:00"))
        };
        client.appointments().hold_appointment(request).await.unwrap().into_inner().appointment.unwrap()
    }
}

/// Both at once: which one was accepted, its order, and what the other was told.
async fn both(calls: [(Client, NewOrder); 2]) -> (usize, Order, Status) {
    let start = Arc::new(Barrier::new(2));
    let calls = calls.map(|(client, order)| {
        let start = Arc::clone(&start);
        tokio::spawn(async move {
            start.wait().await;
            create(&client, order).await
        })
    });
    let [first, second] = calls;
    match (first.await.unwrap(), second.await.unwrap()) {
        (Ok(order), Err(status)) => (0, order, status),
        (Err(status), Ok(order)) => (1, order, status),
        other => panic!("expected one order: {other:?}"),
    }
}

/// Orders under way.
async fn alive(db: &Db) -> i64 {
    number(db, "SELECT COUNT(*) FROM orders WHERE state <> 'failed'").await
}

/// What the tables hold beyond, or short of, the orders that are there.
async fn loose_ends(db: &Db) -> Vec<(&'static str, i64)> {
    const ENDS: [(&str, &str); 9] = [
        (
            "appointments confirmed",
            "SELECT ABS((SELECT COUNT(*) FROM appointments WHERE state = 'confirmed') - (SELECT COUNT(*) FROM orders o \
             JOIN appointments a ON a.reference = o.appointment_ref AND a.party_id = o.party_id AND a.order_ref = o.number \
             AND a.state = 'confirmed' WHERE o.state <> 'failed'))",
        ),
        (
            "orders without their appointment",
            "SELECT COUNT(*) FROM orders o WHERE state <> 'failed' AND NOT EXISTS (SELECT 1 FROM appointments a \
             WHERE a.reference = o.appointment_ref AND a.order_ref = o.number AND a.state = 'confirmed')",
        ),
        (
            "appointments of two orders",
            "SELECT COUNT(*) FROM (SELECT appointment_ref FROM orders GROUP BY appointment_ref HAVING COUNT(*) > 1) AS twice",
        ),
        (
            "addresses in use",
            "SELECT ABS((SELECT COUNT(*) FROM orders_addresses WHERE released_at IS NULL) - \
             (SELECT COUNT(*) FROM orders WHERE state <> 'failed'))",
        ),
        (
            "addresses in use twice",
            "SELECT COUNT(*) FROM (SELECT ipv4 FROM orders_addresses WHERE released_at IS NULL GROUP BY ipv4 \
             HAVING COUNT(*) > 1) AS twice",
        ),
        (
            "fibres held",
            "SELECT ABS((SELECT CAST(COALESCE(SUM(held), 0) AS BIGINT) FROM network_fibres) - (SELECT COUNT(*) FROM orders \
             WHERE state <> 'failed' AND fibre_held = 1 AND pto = ''))",
        ),
        (
            "sockets taken",
            "SELECT ABS((SELECT COUNT(*) FROM orders_sockets) - (SELECT COUNT(*) FROM orders o JOIN orders_sockets s \
             ON s.pto = o.pto AND s.number = o.number WHERE state <> 'failed'))",
        ),
        (
            "accesses",
            "SELECT ABS((SELECT COUNT(*) FROM orders_accesses) - (SELECT COUNT(*) FROM orders)) + \
             ABS((SELECT COUNT(*) FROM orders_accesses WHERE state = 'pending') - \
             (SELECT COUNT(*) FROM orders WHERE state <> 'failed'))",
        ),
        (
            "contacts and first entries",
            "SELECT ABS((SELECT COUNT(*) FROM orders_contacts) - (SELECT COUNT(*) FROM orders)) + \
             ABS((SELECT COUNT(*) FROM orders_history WHERE position = 1) - (SELECT COUNT(*) FROM orders)) + \
             ABS((SELECT COUNT(*) FROM events WHERE kind = 'orders.accepted') - (SELECT COUNT(*) FROM orders))",
        ),
    ];
    let mut loose = Vec::new();
    for (name, text) in ENDS {
        let count = number(db, text).await;
        if count != 0 {
            loose.push((name, count));
        }
    }
    loose
}

async fn run(case: Case) {
    let rounds: usize = std::env::var("ESERVICES_RACE_ROUNDS").map_or(5, |n| n.parse().unwrap());
    let mut plan = Plan::default();
    plan.config.orders.ipv4_pools = "10.0.0.0/20".into();
    let world = World::from(plan).await;
    world.capacity(8).await;
    let clients = operators(&world, 3).await;
    let db = &world.platform.db;
    let mut there = 0;
    if case.site == Site::LastFibre {
        for n in 0..3 {
            let held = case.site.hold(&clients[2]).await;
            let order = case.site.order(&format!("BEFORE-{n}"), &held.reference);
            create(&clients[2], order).await.unwrap();
        }
        there = 3;
    }
    let begin = Instant::now();
    for round in 0..rounds {
        // The server refuses by what it has in memory already: what came free must be known there, as after a turn of its
        // housekeeping.
        network::look(&world.platform).await.unwrap();
        let before = number(db, "SELECT COUNT(*) FROM orders").await;
        let callers = if case.one_operator { [0, 0] } else { [0, 1] };
        let first = case.site.hold(&clients[callers[0]]).await;
        let second =
            if case.one_appointment { first.clone() } else { case.site.hold(&clients[callers[1]]).await };
        let held = [first, second];
        let references =
            [format!("R-{round}"), format!("R-{round}{}", if case.one_reference { "" } else { "-B" })];
        let call =
            |n: usize| (clients[callers[n]].clone(), case.site.order(&references[n], &held[n].reference));
        let (winner, order, status) = both([call(0), call(1)]).await;
        let told = refusal(Err::<(), _>(status.clone()));
        assert_eq!(reason(Err::<(), _>(status.clone())), case.loser, "{}: round {round}", case.name);
        if !case.one_operator {
            // Who was first is not told.
            let said = format!("{status:?} {:?}", told.all_metadata());
            for theirs in [&order.number, &order.operator_reference, &order.aid, &order.ipv4] {
                assert!(!said.contains(theirs.as_str()) || *theirs == references[1 - winner], "{said}");
            }
            assert_eq!(told.metadata("order_number"), None, "{said}");
        }
        assert_eq!(number(db, "SELECT COUNT(*) FROM orders").await, before + 1, "{}", case.name);
        assert_eq!(alive(db).await, there + 1, "{}", case.name);
        assert_eq!(loose_ends(db).await, [], "{}: round {round}", case.name);
        if case.site == Site::Socket {
            assert_eq!(number(db, "SELECT COUNT(*) FROM orders_sockets").await, 1);
        }
        cancelled(&clients[callers[winner]], order).await;
        if !case.one_appointment {
            cancel(&clients[callers[1 - winner]], &held[1 - winner]).await.unwrap();
        }
        assert_eq!(alive(db).await, there, "{}", case.name);
        assert_eq!(loose_ends(db).await, [], "{}: after round {round}", case.name);
    }
    let (name, loser, engine) = (case.name, case.loser, db.engine());
    println!("{name} on {engine}: {rounds} rounds, one order and one {loser} each, {:.1?}", begin.elapsed());
    assert_eq!(number(db, "SELECT CAST(SUM(booked) AS BIGINT) FROM appointments_slots").await, there);
    chains_hold(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_appointment_is_quoted_by_one_order() {
    run(Case { name: "one appointment", one_appointment: true, loser: "FRDV04", ..APART }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_own_reference_is_used_once() {
    run(Case { name: "one reference", one_reference: true, loser: "FIMP13", ..APART }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_is_ordered_once_by_one_operator() {
    run(Case { name: "one socket, one operator", site: Site::Socket, loser: "FIMP19", ..APART }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_is_ordered_by_one_of_two_operators() {
    let case = Case {
        name: "one socket, two operators",
        site: Site::Socket,
        one_operator: false,
        loser: "FIMP11",
        ..APART
    };
    run(case).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_fibre_goes_to_one_of_two_operators() {
    let case =
        Case { name: "the last fibre", site: Site::LastFibre, one_operator: false, loser: "FINT02", ..APART };
    run(case).await;
}
