//! Orders whose days for a new appointment are over: one transaction an order, whoever notices first.

use std::{sync::Arc, time::Duration};

use eservices::orders::v1::Order as Nothing;

use crate::{
    orders::{
        rules::{Action, Actor},
        store::{self, Overdue, Report},
    },
    platform::{
        Platform,
        clock::paris_day,
        error::Error,
        unit_of_work::{self, Command, Work},
    },
};

/// Let one order expire.
struct Expire {
    platform: Arc<Platform>,
    due: Overdue,
}

impl Command for Expire {
    // Nobody asked, so nothing is answered: an empty message.
    type Answer = Nothing;

    async fn run(&self, work: &mut Work) -> Result<Nothing, Error> {
        let found = store::find(&mut work.conn(), &self.due.party_id, &self.due.number).await?;
        if let Some(order) = found.filter(|order| order.is_overdue(paris_day(work.now))) {
            store::step(work, &self.platform, order, &Report::of(Action::Expire, Actor::Server)).await?;
        }
        Ok(Nothing::default())
    }
}

/// Lets every order expire whose days are over; answers how many there were. One that cannot does not keep the others from
/// it.
pub async fn expire_due(platform: &Arc<Platform>) -> Result<usize, Error> {
    let mut total = 0;
    loop {
        let today = paris_day(platform.clock.business());
        let mut reader = platform.db.read().await?;
        let due = store::overdue(&mut reader.conn(), today).await?;
        drop(reader);
        if due.is_empty() {
            return Ok(total);
        }
        total += expire_each(platform, due).await?;
    }
}

/// Answers how many expired; fails where none could.
async fn expire_each(platform: &Arc<Platform>, due: Vec<Overdue>) -> Result<usize, Error> {
    let (mut done, mut failed) = (0, None);
    for due in due {
        let (owner, number) = (due.party_id.clone(), due.number.clone());
        let command = Expire { platform: Arc::clone(platform), due };
        match unit_of_work::execute_own(platform, owner, "orders.expire", command).await {
            Ok(_) => done += 1,
            Err(error) => {
                tracing::error!(number, %error, "an order whose days are over cannot expire");
                failed = failed.or(Some(error));
            }
        }
    }
    match failed {
        Some(error) if done == 0 => Err(error),
        _ => Ok(done),
    }
}

/// The sweeper: looks for orders whose days are over until the server stops.
pub async fn sweep(platform: Arc<Platform>) {
    let every = Duration::from_millis(platform.config.timings.sweep_millis);
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = platform.draining.cancelled() => return,
        }
        match expire_due(&platform).await {
            Ok(0) => {}
            Ok(expired) => tracing::info!(expired, "orders expired"),
            Err(error) => tracing::error!(%error, "orders cannot expire"),
        }
    }
}
