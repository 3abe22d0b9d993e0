//! Round trips to the database per order, counted apart from what is timed.
//!
//! PostgreSQL: answers that end on the wire ([`Tap`]), on both sides. SQLite, where a round trip is a turn of the connection's
//! own thread: the statements that the driver logs of the server, with `BEGIN` and `COMMIT`, which it does not log; by hand,
//! what it counts itself.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use eservices_server::platform::{
    clock::{Clock, Machine},
    config::{Config, Database},
    db::Db,
    ids::Ids,
};

use super::{
    COUNTED,
    by_hand::ByHand,
    side::{Quotes, Server, Side},
    tap::Tap,
};
use crate::{Failure, process::Served, report::median, stage::Stage, world};

/// How long after an order what it still says to the database has come.
const SETTLED: Duration = Duration::from_millis(50);

/// Of the server, then by hand: the median over some orders, so that what the server asks by itself meanwhile does not count.
pub async fn count(
    folder: &Path,
    config: &Config,
    second: &Database,
    stage: &Stage,
    [server, hand]: [&mut Quotes; 2],
) -> Result<[f64; 2], Failure> {
    let sqlite = config.database.url.starts_with("sqlite:");
    let mut listened = config.clone();
    let mut by_hand_url = second.clone();
    let mut taps = Vec::new();
    if sqlite {
        listened.log.filter = "warn,sqlx::query=debug".into();
    } else {
        for database in [&mut listened.database, &mut by_hand_url] {
            let tap = Tap::to(&database.url).await?;
            database.url.clone_from(&tap.url);
            taps.push(tap.answers);
        }
    }
    world::write_configuration(folder, &listened)?;
    let served = Served::start("child-eligibility", folder).await?;
    let log = folder.join("child-eligibility.log");
    let heard = |tap: Option<&Arc<AtomicU64>>| -> Result<u64, Failure> {
        match tap {
            Some(answers) => Ok(answers.load(Ordering::Relaxed)),
            None => Ok(u64::try_from(std::fs::read_to_string(&log)?.matches("sqlx::query").count())?),
        }
    };
    let side = Side::Server(Server::enter(served.port, stage).await?);
    let unheard = if sqlite { 2 } else { 0 };
    let mut of_server = Vec::new();
    for _ in 0..COUNTED {
        let before = heard(taps.first())?;
        side.one(server).await?;
        tokio::time::sleep(SETTLED).await;
        of_server.push(heard(taps.first())? - before + unheard);
    }
    served.stop().await?;

    let side = ByHand {
        db: Db::open(&by_hand_url).await?,
        clock: Clock::new(Machine::System, false),
        ids: Ids::default(),
        answer: Vec::new(),
        statements: AtomicU64::new(0),
    };
    let mut of_hand = Vec::new();
    for _ in 0..COUNTED {
        let said = || {
            taps.last()
                .map_or_else(|| side.statements.load(Ordering::Relaxed), |tap| tap.load(Ordering::Relaxed))
        };
        let before = said();
        let quote = hand.next()?;
        side.order(&quote.siren, &quote.appointment, &quote.reference).await?;
        tokio::time::sleep(SETTLED).await;
        of_hand.push(said() - before);
    }
    side.db.close().await;
    Ok([middle(&of_server), middle(&of_hand)])
}

fn middle(counts: &[u64]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few dozen")]
    let counts: Vec<f64> = counts.iter().map(|n| *n as f64).collect();
    median(&counts)
}
