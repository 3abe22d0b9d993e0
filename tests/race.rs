//! P10: no double booking, no oversold slot, whoever asks at the same time. Never INTERNAL, never UNAVAILABLE.
//!
//! `ESERVICES_RACE_ROUNDS` sets how many rounds the races for the last place and of orders have: 5 unless set, 200 by hand.

mod orders;

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use eservices::{
    appointments::v1::{
        Appointment, CancelAppointmentRequest, RescheduleAppointmentRequest, SlotAlternatives,
    },
    sandbox::v1::{AdvanceClockRequest, advance_clock_request::Target},
};
use eservices_client::{Client, new_request_id};
use eservices_server::platform::audit;
use tokio::sync::Barrier;

use crate::harness::{
    ALL, Plan, SIRENS, World,
    database::{number, texts},
    hold, hold_request, reason, refusal, slot_id,
};

/// Working days of the booking window, days after the start.
const DAYS: [i64; 16] = [8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23, 24, 25];

async fn operators(world: &World, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for siren in &SIRENS[..count] {
        clients.push(world.client(&world.operator(siren, ALL).await).await);
    }
    clients
}

async fn chains_hold(world: &World) {
    let db = &world.platform.db;
    for party in texts(db, "SELECT party_id FROM parties").await {
        let mut reader = db.read().await.unwrap();
        audit::verify(&mut reader.conn(), &party).await.unwrap().unwrap();
    }
    assert_eq!(number(db, "SELECT COUNT(*) FROM parties p WHERE revision <> (SELECT COUNT(*) FROM events e WHERE e.party_id = p.party_id)").await, 0);
    assert_eq!(
        number(
            db,
            "SELECT COUNT(*) FROM appointments_slots s WHERE booked > capacity OR booked <> \
             (SELECT COUNT(*) FROM appointments a WHERE a.slot_id = s.slot_id AND state IN ('held', 'confirmed'))",
        )
        .await,
        0,
        "places taken are appointments that are alive"
    );
}

async fn cancel(client: &Client, held: &Appointment) -> Result<(), tonic::Status> {
    let request = CancelAppointmentRequest {
        request_id: new_request_id(),
        reference: held.reference.clone(),
        etag: held.etag.clone(),
    };
    client.appointments().cancel_appointment(request).await.map(drop)
}

/// Eight calls of each client for one slot, all at once; answers the appointments held and the refusals.
async fn all_at_once(clients: &[Client], slot: &str) -> (Vec<(usize, Appointment)>, Vec<tonic::Status>) {
    let start = Arc::new(Barrier::new(clients.len() * 8));
    let calls = (0..clients.len() * 8).map(|n| {
        let (client, start, request) = (clients[n / 8].clone(), Arc::clone(&start), hold_request(slot));
        tokio::spawn(async move {
            start.wait().await;
            (n / 8, client.appointments().hold_appointment(request).await)
        })
    });
    let (mut winners, mut losers) = (Vec::new(), Vec::new());
    for call in calls.collect::<Vec<_>>() {
        match call.await.unwrap() {
            (n, Ok(answer)) => winners.push((n, answer.into_inner().appointment.unwrap())),
            (_, Err(status)) => losers.push(status),
        }
    }
    (winners, losers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_clients_race_for_the_last_place() {
    let rounds: usize = std::env::var("ESERVICES_RACE_ROUNDS").map_or(5, |n| n.parse().unwrap());
    let world = World::start().await;
    world.capacity(2).await;
    let mut clients = operators(&world, 9).await;
    let neighbour = clients.pop().unwrap();
    let begin = Instant::now();
    for round in 0..rounds {
        let wanted = slot_id(DAYS[round % 16], if round / 16 % 2 == 0 { "08:00" } else { "13:00" });
        let first = hold(&neighbour, &wanted).await;
        let (winners, losers) = all_at_once(&clients, &wanted).await;
        assert_eq!((winners.len(), losers.len()), (1, 63), "round {round}");
        for status in losers {
            let error = refusal(Err::<(), _>(status.clone()));
            assert_eq!(reason(Err::<(), _>(status)), "FRDV02", "round {round}");
            assert_eq!(error.metadata("slot_id"), Some(wanted.as_str()));
            others(&error.alternatives().unwrap(), &wanted);
        }
        let full =
            texts(&world.platform.db, "SELECT slot_id FROM appointments_slots WHERE booked = capacity").await;
        assert_eq!(full, [wanted], "round {round}");
        let (winner, held) = &winners[0];
        cancel(&clients[*winner], held).await.unwrap();
        cancel(&neighbour, &first).await.unwrap();
    }
    let (engine, took) = (world.platform.db.engine(), begin.elapsed());
    println!("race on {engine}: {rounds} rounds × 64 calls, one winner and 63 FRDV02 each, {took:.1?}");
    assert_eq!(
        number(&world.platform.db, "SELECT CAST(SUM(booked) AS BIGINT) FROM appointments_slots").await,
        0
    );
    chains_hold(&world).await;
}

/// One to five slots that differ, none of them the one that is full.
fn others(alternatives: &SlotAlternatives, wanted: &str) {
    let ids: BTreeSet<&str> = alternatives.slots.iter().map(|s| s.slot_id.as_str()).collect();
    assert!((1..=5).contains(&ids.len()) && ids.len() == alternatives.slots.len(), "{alternatives:?}");
    assert!(!ids.contains(wanted), "{wanted} is full: {alternatives:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_the_places_never_pass() {
    let world = World::start().await;
    world.capacity(7).await;
    let clients = operators(&world, 8).await;
    let (winners, losers) = all_at_once(&clients, &slot_id(8, "08:00")).await;
    assert_eq!((winners.len(), losers.len()), (7, 57));
    for status in losers {
        assert_eq!(reason(Err::<(), _>(status)), "FRDV02");
    }
    chains_hold(&world).await;
}

/// Eight operators move two appointments each between two slots, in both directions at once, as often as they may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crossing_moves_do_not_wait_for_each_other() {
    let world = World::start().await;
    world.capacity(16).await;
    let clients = operators(&world, 8).await;
    let slots = [slot_id(8, "08:00"), slot_id(9, "08:00")];
    for _ in 0..3 {
        let mut held = Vec::new();
        for client in &clients {
            for (here, slot) in slots.iter().enumerate() {
                held.push((client.clone(), here, hold(client, slot).await));
            }
        }
        for _ in 0..3 {
            let start = Arc::new(Barrier::new(held.len()));
            let moves = held.drain(..).map(|(client, here, appointment)| {
                let (start, there) = (Arc::clone(&start), slots[1 - here].clone());
                tokio::spawn(async move {
                    let request = RescheduleAppointmentRequest {
                        request_id: new_request_id(),
                        reference: appointment.reference,
                        etag: appointment.etag,
                        slot_id: there,
                    };
                    start.wait().await;
                    let answer = client.appointments().reschedule_appointment(request).await;
                    (client, 1 - here, answer.unwrap().into_inner().appointment.unwrap())
                })
            });
            for moved in moves.collect::<Vec<_>>() {
                held.push(moved.await.unwrap());
            }
        }
        let booked =
            texts(&world.platform.db, "SELECT CAST(booked AS TEXT) FROM appointments_slots WHERE booked > 0")
                .await;
        assert_eq!(booked, ["8", "8"]);
        for (client, _, appointment) in held {
            cancel(&client, &appointment).await.unwrap();
        }
    }
    assert_eq!(
        number(&world.platform.db, "SELECT COUNT(*) FROM events WHERE kind = 'appointments.rescheduled'")
            .await,
        144
    );
    chains_hold(&world).await;
}

/// Two callers move the clock past the end of every hold while the owners cancel and the sweeper sweeps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_is_freed_once_by_lapse_or_by_cancel() {
    const ROUNDS: i64 = 4;
    let mut plan = Plan::default();
    plan.config.timings.sweep_millis = 2;
    let world = World::from(plan).await;
    world.capacity(16).await;
    let clients = operators(&world, 8).await;
    let db = &world.platform.db;
    let (mut cancelled, mut lapsed) = (0, 0);
    for round in 0..ROUNDS {
        let before = number(db, "SELECT base FROM business_clock").await;
        let mut held = Vec::new();
        for client in &clients {
            for slot in [slot_id(9, "08:00"), slot_id(10, "08:00")] {
                held.push((client.clone(), hold(client, &slot).await));
            }
        }
        let start = Arc::new(Barrier::new(held.len() + 2));
        let advances = clients[..2].iter().map(|client| {
            let (client, start) = (client.clone(), Arc::clone(&start));
            let by = prost_types::Duration { seconds: 1_801, nanos: 0 };
            let request = AdvanceClockRequest { request_id: new_request_id(), target: Some(Target::By(by)) };
            tokio::spawn(async move {
                start.wait().await;
                client.sandbox().advance_clock(request).await.unwrap();
            })
        });
        let advances: Vec<_> = advances.collect();
        let cancels = held.into_iter().map(|(client, held)| {
            let start = Arc::clone(&start);
            tokio::spawn(async move {
                start.wait().await;
                cancel(&client, &held).await
            })
        });
        for call in cancels.collect::<Vec<_>>() {
            match call.await.unwrap() {
                Ok(()) => cancelled += 1,
                // Lapsed before: by the time that the rules see, or by the version that the sweeper left.
                refused => {
                    let reason = reason(refused);
                    assert!(
                        ["FRDV03", "ETAG_MISMATCH"].contains(&reason.as_str()),
                        "round {round}: {reason}"
                    );
                    lapsed += 1;
                }
            }
        }
        for advance in advances {
            advance.await.unwrap();
        }
        assert_eq!(
            number(db, "SELECT COUNT(*) FROM appointments WHERE state = 'held'").await,
            0,
            "all that is due lapsed"
        );
        let moved = number(db, "SELECT base FROM business_clock").await - before;
        assert_eq!(moved, 3_602_000_000, "round {round}: both jumps count");
    }
    println!("lapse against cancel on {}: {cancelled} cancelled, {lapsed} lapsed", db.engine());
    assert_eq!(cancelled + lapsed, ROUNDS * 16);
    assert_eq!(
        number(db, "SELECT COUNT(*) FROM appointments WHERE state = 'cancelled' AND version = 2").await,
        cancelled
    );
    assert_eq!(
        number(db, "SELECT COUNT(*) FROM events WHERE kind = 'appointments.cancelled'").await,
        cancelled
    );
    assert_eq!(
        number(db, "SELECT COUNT(*) FROM appointments WHERE state = 'lapsed' AND version = 2").await,
        lapsed
    );
    assert_eq!(number(db, "SELECT COUNT(*) FROM events WHERE kind = 'appointments.lapsed'").await, lapsed);
    assert_eq!(number(db, "SELECT CAST(SUM(booked) AS BIGINT) FROM appointments_slots").await, 0);
    chains_hold(&world).await;
}

/// Jumps of two callers at once: each is decided on the time that the other one left, and none is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_jump_of_the_clock_is_lost() {
    let world = World::start().await;
    let clients = operators(&world, 4).await;
    let db = &world.platform.db;
    let before = number(db, "SELECT base FROM business_clock").await;
    let callers = clients.into_iter().map(|client| {
        tokio::spawn(async move {
            for _ in 0..25 {
                let by = prost_types::Duration { seconds: 10, nanos: 0 };
                let request =
                    AdvanceClockRequest { request_id: new_request_id(), target: Some(Target::By(by)) };
                client.sandbox().advance_clock(request).await.unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    assert_eq!(
        number(db, "SELECT base FROM business_clock").await - before,
        1_000_000_000,
        "100 jumps of 10 s"
    );
}
