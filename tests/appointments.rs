//! e-RDV end to end.

use crate::harness::{ALL, SIRENS, World, hold, slot_id};

#[tokio::test]
async fn a_hold_takes_a_place_and_reads_back() {
    let world = World::start().await;
    world.capacity(2).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let held = hold(&alpha, &slot_id(8, "08:00")).await;
    assert!(held.reference.starts_with("ITP-DOA-20261124-"), "{}", held.reference);
    let request = eservices::appointments::v1::GetAppointmentRequest { reference: held.reference.clone() };
    let read = alpha.appointments().get_appointment(request).await.unwrap().into_inner().appointment.unwrap();
    assert_eq!(read, held);
}
