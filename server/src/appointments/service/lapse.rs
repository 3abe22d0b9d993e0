//! Holds that ran out: one transaction a hold, whoever notices first.

use std::{sync::Arc, time::Duration};

use eservices::appointments::v1::Appointment as Nothing;

use crate::{
    appointments::{
        rules::{
            Action, State,
            machine::{Step, step},
        },
        store::{self, Due},
    },
    platform::{
        Platform,
        error::{Error, Reason},
        unit_of_work::{self, Command, Work},
    },
};

/// Let one due hold lapse.
struct Lapse {
    due: Due,
}

impl Command for Lapse {
    // Nobody asked, so nothing is answered: an empty message.
    type Answer = Nothing;

    async fn run(&self, work: &mut Work) -> Result<Nothing, Error> {
        let now = work.now;
        let owner = &self.due.party_id;
        let Some(appointment) = store::find(&mut work.conn(), owner, &self.due.reference).await? else {
            return Ok(Nothing::default());
        };
        let is_due = step(appointment.state_at(now), Action::Lapse) == Step::To(State::Lapsed);
        if !is_due || appointment.state != State::Held {
            return Ok(Nothing::default());
        }
        let resource = format!("appointments/{}", appointment.reference);
        let revision = work.announce(owner, "appointments.lapsed", &resource, "lapsed").await?;
        if !store::lapse(&mut work.conn(), &appointment, revision, now.as_microsecond()).await? {
            return Err(Error::overtaken());
        }
        store::give_back(work, &appointment.slot_id).await?;
        work.note(owner, resource, format!("state=lapsed slot={}", appointment.slot_id));
        Ok(Nothing::default())
    }
}

/// Lets every due hold lapse; answers how many there were. One that cannot lapse does not keep the others from it.
pub async fn lapse_due(platform: &Arc<Platform>) -> Result<usize, Error> {
    let mut total = 0;
    loop {
        let now = platform.clock.business().as_microsecond();
        let mut reader = platform.db.read().await?;
        let due = store::due(&mut reader.conn(), now).await?;
        drop(reader);
        if due.is_empty() {
            return Ok(total);
        }
        total += lapse_each(platform, due).await?;
    }
}

/// Runs work that wants a place in a slot; where the slot is full, lets lapse what is due there and runs once more.
pub async fn wanting_room<T, F: Future<Output = Result<T, Error>>>(
    platform: &Arc<Platform>,
    slot_id: &str,
    run: impl Fn() -> F,
) -> Result<T, Error> {
    match run().await {
        Err(full) if full.reason() == Reason::Frdv02 && makes_room(platform, slot_id).await? => run().await,
        outcome => outcome,
    }
}

/// Lets the due holds of one slot lapse; says whether the slot has room now, whoever made it.
async fn makes_room(platform: &Arc<Platform>, slot_id: &str) -> Result<bool, Error> {
    let now = platform.clock.business().as_microsecond();
    let mut reader = platform.db.read().await?;
    let due = store::due_in_slot(&mut reader.conn(), slot_id, now).await?;
    drop(reader);
    if !due.is_empty() {
        lapse_each(platform, due).await?;
    }
    let mut reader = platform.db.read().await?;
    let slot = store::slot(&mut reader.conn(), slot_id).await?;
    Ok(slot.is_some_and(|s| s.booked < s.capacity))
}

/// Answers how many lapsed; fails where none could.
async fn lapse_each(platform: &Arc<Platform>, due: Vec<Due>) -> Result<usize, Error> {
    let (mut done, mut failed) = (0, None);
    for due in due {
        let (owner, reference) = (due.party_id.clone(), due.reference.clone());
        match unit_of_work::execute_own(platform, owner, "appointments.lapse", Lapse { due }).await {
            Ok(_) => done += 1,
            Err(error) => {
                tracing::error!(reference, %error, "a due hold cannot lapse");
                failed = failed.or(Some(error));
            }
        }
    }
    match failed {
        Some(error) if done == 0 => Err(error),
        _ => Ok(done),
    }
}

/// The sweeper: looks for due holds until the server stops.
pub async fn sweep(platform: Arc<Platform>) {
    let every = Duration::from_millis(platform.config.timings.sweep_millis);
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = platform.draining.cancelled() => return,
        }
        match lapse_due(&platform).await {
            Ok(0) => {}
            Ok(lapsed) => tracing::info!(lapsed, "holds lapsed"),
            Err(error) => tracing::error!(%error, "holds cannot lapse"),
        }
    }
}
