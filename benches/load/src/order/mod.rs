//! A committed order through the whole server, and the same rows in a transaction by hand, in turns: A B B A.
//!
//! Both write the same appointments, held before and copied, into databases that are equal, with the same settings of the same
//! pool ([`twin`]); both add and change as many rows of each table, with as much in them ([`rows`]); nothing is compared otherwise.

mod by_hand;
mod figures;
mod round_trips;
mod rows;
mod side;
mod tap;
mod twin;

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
};

use eservices::appointments::v1 as ap;
use eservices_server::platform::{
    clock::{Clock, Machine},
    config::{Config, Database},
    db::Db,
    ids::Ids,
};
use tokio::task::JoinSet;

use self::{
    by_hand::ByHand,
    figures::{Figures, Turn},
    rows::{New, Rows},
    side::{Quotes, Server, Side},
};
use crate::{
    Failure,
    load::{Question, Wire},
    process::Served,
    report,
    stage::{APPOINTMENTS, Stage, ask, intervention},
    world,
};

/// How to measure.
#[derive(Debug)]
pub struct Plan {
    /// Rounds.
    pub rounds: usize,
    /// Orders of a round that are placed one after the other, on each side.
    pub alone: usize,
    /// Operators that order at once.
    pub at_once: usize,
    /// Orders of each of them in a round.
    pub each: usize,
    /// PostgreSQL; a SQLite file otherwise.
    pub database: Option<String>,
    /// JSON, for machines.
    pub json: bool,
}

/// What the operators hold.
const RIGHTS: [&str; 2] = ["e-rdv-grand-public", "e-just-fibre"];

/// The box of the building that is ordered for, and its sharing point.
const PBO: &str = "PT 002053";
const PM: &str = "FI-77058-000B";

/// Addresses for benchmarks (RFC 2544).
const POOL: &str = "198.18.0.0/15";
const POOL_BASE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);

/// Orders that warm a side up, and those whose round trips are counted.
const WARM_UP: usize = 32;
const COUNTED: usize = 20;

/// Calls without a database.
const BARE_CALLS: usize = 500;

/// Measures and prints.
pub async fn measure(plan: &Plan) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let mut config = world::configuration(folder.path());
    world::on(&mut config, plan.database.as_deref());
    config.orders.ipv4_pools = POOL.into();
    let operators = u64::try_from(plan.at_once)?;
    let stage = Stage::make(folder.path(), &config, files(folder.path())?, operators, &RIGHTS).await?;
    let served = Served::start("child-eligibility", folder.path()).await?;
    let held = hold(&stage, served.port, plan).await?;
    served.stop().await?;
    let second = twin::copy(&config.database).await?;
    let measured = in_turns(plan, folder.path(), &config, &second, &stage, &held).await;
    twin::drop_copy(&config.database).await?;
    figures::print(&measured?, plan.json)
}

async fn in_turns(
    plan: &Plan,
    folder: &Path,
    config: &Config,
    second: &Database,
    stage: &Stage,
    held: &[(String, Vec<String>)],
) -> Result<Figures, Failure> {
    let mut server = Quotes::new(held);
    let mut hand = Quotes::new(held);
    let round_trips = round_trips::count(folder, config, second, stage, [&mut server, &mut hand]).await?;

    world::write_configuration(folder, config)?;
    let served = Served::start("child-eligibility", folder).await?;
    let server_side = Arc::new(Side::Server(Server::enter(served.port, stage).await?));
    let hand_side = Arc::new(Side::ByHand(by_hand(second, &server_side, &mut server).await?));
    // The one that taught how long an answer is has its like on the other side.
    hand_side.alone(&mut hand, 1).await?;

    let rows =
        same_rows([&config.database, second], [(&server_side, &mut server), (&hand_side, &mut hand)]).await?;
    server_side.alone(&mut server, WARM_UP).await?;
    hand_side.alone(&mut hand, WARM_UP).await?;
    let bare_call = bare_call(served.port, stage).await?;
    let (id, own) = (served.id()?, std::process::id());
    let mut turns = Vec::new();
    for round in 0..plan.rounds {
        // Neither side always comes second.
        let (server_turn, hand_turn);
        if round % 2 == 0 {
            server_turn = Turn::take(&server_side, &mut server, id, plan).await?;
            hand_turn = Turn::take(&hand_side, &mut hand, own, plan).await?;
        } else {
            hand_turn = Turn::take(&hand_side, &mut hand, own, plan).await?;
            server_turn = Turn::take(&server_side, &mut server, id, plan).await?;
        }
        turns.push([server_turn, hand_turn]);
    }
    served.stop().await?;
    Ok(Figures::of(plan, rows, round_trips, bare_call, &turns))
}

/// The demo's files, but that the box of the building has fibres for everybody.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let own = folder.join("files");
    std::fs::create_dir(&own)?;
    let mut files = Vec::new();
    for file in world::demo_files()? {
        let name = file.file_name().ok_or("a file without a name")?;
        let copy = own.join(name);
        let mut bytes = std::fs::read(&file)?;
        if name == "structure.csv" {
            let text = String::from_utf8(bytes)?;
            let wide = |line: &str| {
                let fibres = if line.contains(PBO) {
                    line.replacen("GANNERON;8;", "GANNERON;1000000;", 1)
                } else {
                    line.into()
                };
                fibres + "\n"
            };
            bytes = text.lines().map(wide).collect::<String>().into_bytes();
        }
        std::fs::write(&copy, bytes)?;
        files.push(copy);
    }
    Ok(files)
}

/// Holds every appointment that will be ordered with; one list an operator.
async fn hold(stage: &Stage, port: u16, plan: &Plan) -> Result<Vec<(String, Vec<String>)>, Failure> {
    let slots = stage.publish(port).await?;
    let alone = 2 + COUNTED + WARM_UP + plan.rounds * plan.alone;
    let each = alone.div_ceil(plan.at_once) + plan.rounds * plan.each;
    let mut holding = JoinSet::new();
    for (n, (tls, siren)) in stage.operators.iter().zip(&stage.sirens).enumerate() {
        let (mut wire, slots, siren) = (Wire::open(port, tls).await?, slots.clone(), siren.clone());
        holding.spawn(async move {
            let ids = Ids::default();
            let mut references = Vec::new();
            for k in 0..each {
                let request = ap::HoldAppointmentRequest {
                    request_id: ids.call().to_string(),
                    intervention: Some(intervention()),
                    slot_id: slots[(n + k) % slots.len()].clone(),
                };
                let held: ap::HoldAppointmentResponse =
                    ask(&mut wire, APPOINTMENTS, "HoldAppointment", &request).await?;
                references.push(held.appointment.ok_or("an answer without its appointment")?.reference);
            }
            Ok::<_, Failure>((siren, references))
        });
    }
    let mut held = Vec::new();
    while let Some(done) = holding.join_next().await {
        held.push(done??);
    }
    held.sort();
    Ok(held)
}

/// The side that writes by hand; what it stores for a repeated request is what the server just answered.
async fn by_hand(second: &Database, server: &Side, quotes: &mut Quotes) -> Result<ByHand, Failure> {
    Ok(ByHand {
        db: Db::open(second).await?,
        clock: Clock::new(Machine::System, false),
        ids: Ids::default(),
        answer: server.one(quotes).await?,
        statements: AtomicU64::new(0),
    })
}

/// Rows that one order adds or changes, by table: as many on both sides and as long, or nothing is compared.
async fn same_rows(
    databases: [&Database; 2],
    sides: [(&Side, &mut Quotes); 2],
) -> Result<std::collections::BTreeMap<String, usize>, Failure> {
    let mut seen = Vec::new();
    for ((side, quotes), database) in sides.into_iter().zip(databases) {
        let db = Db::open(database).await?;
        let before = Rows::of(&db).await?;
        side.alone(quotes, 1).await?;
        seen.push(before.new_in(&Rows::of(&db).await?));
        db.close().await;
    }
    let (Some(by_hand), Some(server)) = (seen.pop(), seen.pop()) else {
        return Err("two sides were expected".into());
    };
    let alike = |((table, new), (other, like)): ((&String, &New), (&String, &New))| {
        table == other && new.is_like(*like)
    };
    if server.len() == by_hand.len() && server.iter().zip(&by_hand).all(alike) {
        Ok(server.into_iter().map(|(table, new)| (table, new.rows)).collect())
    } else {
        Err(format!("the server leaves {server:?}, the one by hand {by_hand:?}").into())
    }
}

/// Median of a call that asks no database, microseconds: what connection, TLS, identity, rights and quota take.
async fn bare_call(port: u16, stage: &Stage) -> Result<f64, Failure> {
    let tls = stage.operators.first().ok_or("no operator")?;
    let mut wire = Wire::open(port, &Arc::clone(tls)).await?;
    let question = Question::new("/eservices.identity.v1.IdentityService/WhoAmI", &[])?;
    let mut micros = Vec::new();
    for _ in 0..BARE_CALLS {
        let asked = std::time::Instant::now();
        wire.ask(&question).await?;
        micros.push(asked.elapsed().as_secs_f64() * 1e6);
    }
    Ok(report::median(&micros))
}
