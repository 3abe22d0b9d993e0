//! Changes of one operator: a hold, then its end, again and again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use eservices::appointments::v1 as ap;
use eservices_server::platform::ids::Ids;
use rustls::ClientConfig;

use crate::{
    Failure,
    load::Wire,
    stage::{APPOINTMENTS, ask, intervention},
};

/// One operator that changes things.
pub struct Operator {
    wire: Wire,
    ids: Ids,
    slot: String,
    held: Option<ap::Appointment>,
    /// Of its last change.
    pub revision: i64,
}

impl Operator {
    /// Connects.
    pub async fn enter(port: u16, tls: &Arc<ClientConfig>, slot: String) -> Result<Self, Failure> {
        Ok(Self { wire: Wire::open(port, tls).await?, ids: Ids::default(), slot, held: None, revision: 0 })
    }

    /// Makes a change at each beat until the end; a late one is made up for. Answers how many were made.
    pub async fn keep_changing(
        &mut self,
        offset: Duration,
        pause: Duration,
        end: Instant,
    ) -> Result<u64, Failure> {
        let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + offset, pause);
        let mut made = 0;
        loop {
            beat.tick().await;
            if Instant::now() >= end {
                return Ok(made);
            }
            self.change().await?;
            made += 1;
        }
    }

    async fn change(&mut self) -> Result<(), Failure> {
        let request_id = self.ids.call().to_string();
        let appointment = match self.held.take() {
            None => {
                let request = ap::HoldAppointmentRequest {
                    request_id,
                    intervention: Some(intervention()),
                    slot_id: self.slot.clone(),
                };
                let held: ap::HoldAppointmentResponse =
                    ask(&mut self.wire, APPOINTMENTS, "HoldAppointment", &request).await?;
                self.held.clone_from(&held.appointment);
                held.appointment
            }
            Some(held) => {
                let request =
                    ap::CancelAppointmentRequest { request_id, reference: held.reference, etag: held.etag };
                let answer: ap::CancelAppointmentResponse =
                    ask(&mut self.wire, APPOINTMENTS, "CancelAppointment", &request).await?;
                answer.appointment
            }
        };
        self.revision = appointment.ok_or("an answer without its appointment")?.revision;
        Ok(())
    }
}
