//! `simulate`: plays the field outside production, through the API that the field uses, with a certificate of its own.
//!
//! A client like any other: it leases work, reports it by the scenario that each order names, and waits for business time
//! where a visit is later. Knows no table of the server.

mod scenario;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use clap::Args;
use eservices::{fulfilment::v1 as pb, identity::v1::WhoAmIRequest};
use eservices_client::{Client, new_request_id};
use tokio_util::sync::CancellationToken;

use self::scenario::Step;

const EXAMPLES: &str = "\
Scenarios, named by an order (NewOrder.scenario): NOMINAL or nothing, BUILDING_NOT_FOUND, CUSTOMER_ABSENT (at the first
visit), OPTICAL_BUDGET_TOO_LOW, BOX_LOST (the parcel never arrives, another box is sent), WORKER_LOST (its work is taken over
when its lease ends). A visit is played when the business clock has reached its slot: move it by SandboxService.

Examples:
  eservices-server simulate --url https://localhost:50051 --ca var/demo/root.pem \\
      --certificate var/demo/simulator.pem --key var/demo/simulator.key
  eservices-server simulate … --once        # plays what is there, and ends";

/// The kinds of work, in the order in which an access needs them.
const CAPABILITIES: [pb::Capability; 5] = [
    pb::Capability::Shipping,
    pb::Capability::Installation,
    pb::Capability::Activation,
    pb::Capability::Disconnection,
    pb::Capability::Returns,
];

/// The most pieces of work that are leased at once of a kind.
const AT_ONCE: u32 = 20;

/// A lease that has less left than this is extended, seconds.
const LEFT_SECONDS: i64 = 20;

/// Where the server is, and who plays.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Simulate {
    /// The server.
    #[arg(long, default_value = "https://localhost:50051")]
    url: String,
    /// Root that the server's certificate chains to (PEM).
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// Certificate of a back-office system with the roles workforce and logistics (PEM).
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// Its key (PEM).
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// How often work is looked for, milliseconds.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    every: u64,
    /// End when nothing is left that can be played now.
    #[arg(long)]
    once: bool,
}

/// Plays until it is told to stop, or, with `--once`, until nothing is left to play now.
pub async fn run(args: Simulate) -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::builder(args.url)
        .ca_file(args.ca)
        .certificate_file(args.certificate)
        .key_file(args.key)
        .connect()
        .await?;
    let stop = CancellationToken::new();
    let mut player = Player::new(client, "simulator");
    if args.once {
        while player.round().await? > 0 {}
        return Ok(());
    }
    tokio::spawn({
        let stop = stop.clone();
        async move {
            drop(super::serve::told_to_stop().await);
            stop.cancel();
        }
    });
    player.play(Duration::from_millis(args.every), &stop).await;
    Ok(())
}

/// One player and the work that it has.
pub struct Player {
    client: Client,
    worker_id: String,
    /// By work id: leased, and not done yet.
    leased: BTreeMap<String, pb::LeasedWork>,
}

impl Player {
    /// A player under a worker's name.
    #[must_use]
    pub fn new(client: Client, worker_id: &str) -> Self {
        Self { client, worker_id: worker_id.to_owned(), leased: BTreeMap::new() }
    }

    /// Plays round after round; a call that fails is said and tried again in the next.
    pub async fn play(&mut self, every: Duration, stop: &CancellationToken) {
        loop {
            let pause = match self.round().await {
                Ok(0) => every,
                Ok(_) => Duration::ZERO,
                Err(error) => {
                    tracing::warn!(%error, "the simulator was refused; it goes on");
                    every
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Leases what is there and takes every piece of work one step further; answers how many steps were played.
    pub async fn round(&mut self) -> Result<usize, eservices_client::Error> {
        let clock = self.client.identity().who_am_i(WhoAmIRequest {}).await?.into_inner().business_clock;
        let clock = clock.unwrap_or_default();
        let business = clock.business_time.map_or(0, |at| at.seconds);
        let machine = clock.machine_time.map_or(0, |at| at.seconds);
        for capability in CAPABILITIES {
            self.lease(capability).await?;
        }
        self.extend(machine, business).await?;
        let mut played = 0;
        for work in self.leased.values().cloned().collect::<Vec<_>>() {
            played += match self.step(&work, business).await {
                Ok(played) => usize::from(played),
                Err(error) if is_lasting(error.code()) => {
                    // It belongs to this piece of work: the others go on.
                    tracing::warn!(work = %work.work_id, %error, "a piece of work cannot be played");
                    self.leased.remove(&work.work_id);
                    0
                }
                Err(error) => return Err(error),
            };
        }
        Ok(played)
    }

    async fn lease(&mut self, capability: pb::Capability) -> Result<(), eservices_client::Error> {
        let request = pb::LeaseWorkRequest {
            request_id: new_request_id(),
            capability: capability.into(),
            departments: Vec::new(),
            worker_id: self.worker_id.clone(),
            max_items: AT_ONCE,
        };
        let answer = self.client.work().lease_work(request).await?.into_inner();
        self.leased.extend(answer.items.into_iter().map(|work| (work.work_id.clone(), work)));
        Ok(())
    }

    /// Keeps alive what waits for its slot, and learns what a visit that is due finds: an appointment that moved, a box that
    /// left.
    async fn extend(&mut self, machine: i64, business: i64) -> Result<(), eservices_client::Error> {
        let ending =
            |work: &&pb::LeasedWork| work.lease_end_time.map_or(0, |at| at.seconds) - machine < LEFT_SECONDS;
        let due = |work: &&pb::LeasedWork| {
            work.details.as_ref().is_some_and(|details| scenario::is_due_visit(details, business))
        };
        let wanted = self.leased.values().filter(|work| ending(work) || due(work));
        for id in wanted.map(|work| work.work_id.clone()).collect::<Vec<_>>() {
            let Some(work) = self.leased.get_mut(&id) else { continue };
            let lease = pb::Lease { work_id: id.clone(), fencing_token: work.fencing_token };
            let request = pb::ExtendLeaseRequest { request_id: new_request_id(), leases: vec![lease] };
            match self.client.work().extend_lease(request).await {
                Ok(answer) => {
                    let mut answer = answer.into_inner();
                    match answer.items.pop() {
                        Some(now) => *work = now,
                        // An older server.
                        None => work.lease_end_time = answer.lease_end_time,
                    }
                }
                // Another worker has it, or the order ended.
                Err(status) if is_refusal(&status) => drop(self.leased.remove(&id)),
                Err(status) => return Err(status.into()),
            }
        }
        Ok(())
    }

    /// One step of a piece of work; whether something was played.
    async fn step(&mut self, work: &pb::LeasedWork, business: i64) -> Result<bool, eservices_client::Error> {
        let Some(details) = &work.details else {
            self.leased.remove(&work.work_id);
            return Ok(false);
        };
        let (report, goes_on) = match scenario::next(work, details, business) {
            Step::Wait => return Ok(false),
            Step::Vanish => {
                tracing::info!(work = %work.work_id, "a worker is lost");
                self.leased.remove(&work.work_id);
                return Ok(false);
            }
            Step::Ship(serial) => {
                let request =
                    pb::AddBoxesRequest { request_id: new_request_id(), serials: vec![serial.clone()] };
                self.client.work().add_boxes(request).await?;
                (scenario::shipped(&work.work_id, serial), false)
            }
            Step::Report(report, goes_on) => (report, goes_on),
        };
        let request = pb::ReportWorkRequest {
            request_id: new_request_id(),
            work_id: work.work_id.clone(),
            fencing_token: work.fencing_token,
            comment: String::new(),
            report: Some(report),
        };
        match self.client.work().report_work(request).await {
            Ok(answer) if goes_on => {
                let known = self.leased.get_mut(&work.work_id).and_then(|work| work.details.as_mut());
                if let Some(details) = known {
                    details.order_state = answer.into_inner().order_state;
                }
            }
            Ok(_) => drop(self.leased.remove(&work.work_id)),
            Err(status) if is_refusal(&status) => {
                tracing::info!(work = %work.work_id, error = %status, "a report was refused");
                self.leased.remove(&work.work_id);
            }
            Err(status) => return Err(status.into()),
        }
        Ok(true)
    }
}

/// Whether a fault is that of one call, and not of the server or of who calls.
const fn is_lasting(code: tonic::Code) -> bool {
    use tonic::Code::{
        Cancelled, DeadlineExceeded, PermissionDenied, ResourceExhausted, Unauthenticated, Unavailable,
    };
    !matches!(
        code,
        Cancelled | DeadlineExceeded | PermissionDenied | ResourceExhausted | Unauthenticated | Unavailable
    )
}

/// Whether the server said no for good, so that the work is not the player's any more.
fn is_refusal(status: &tonic::Status) -> bool {
    matches!(status.code(), tonic::Code::FailedPrecondition | tonic::Code::NotFound)
}
