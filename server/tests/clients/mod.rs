//! Ten clients of several operators that hold, move, cancel, order and follow their orders to the end, and write down all
//! that they were told; and one watch an operator.

mod agent;
mod intent;
mod watch;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch::Sender, task::JoinHandle};

use self::{agent::Agent, intent::Intent};
use crate::{
    history::{Operation, Outcome},
    process::World,
};

pub use watch::Watches;

const CLIENTS: usize = 10;
/// How long the one who kills waits for the others, while nothing moves, before the test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What clients and the one who kills know of each other.
pub struct Shared {
    answers: Sender<u64>,
    lapses: Sender<u64>,
    pub stopping: AtomicBool,
    /// The season whose slots can be booked.
    pub season: AtomicUsize,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            answers: Sender::new(0),
            lapses: Sender::new(0),
            stopping: AtomicBool::new(false),
            season: AtomicUsize::new(0),
        }
    }
}

impl Shared {
    /// Until so many answers more have come.
    pub async fn after_answers(&self, more: u64) {
        let goal = *self.answers.borrow() + more;
        until(&self.answers, goal, "answers").await;
    }

    /// Until a client has found that something of its own lapsed, since the run began.
    pub async fn after_lapse(&self) {
        until(&self.lapses, 1, "a hold that lapsed").await;
    }

    fn note(&self, intent: &Intent, outcome: &Outcome) {
        self.answers.send_modify(|n| *n += 1);
        let lapsed = |reason: &str| reason == "FRDV03" || reason == "ETAG_MISMATCH";
        if intent.is_about_held() && matches!(outcome, Outcome::Refused(reason) if lapsed(reason)) {
            self.lapses.send_modify(|n| *n += 1);
        }
    }

    fn stops(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

async fn until(counter: &Sender<u64>, goal: u64, what: &str) {
    let mut counter = counter.subscribe();
    while *counter.borrow_and_update() < goal {
        let waited = tokio::time::timeout(PATIENCE, counter.changed()).await;
        assert!(waited.is_ok(), "{what}: none within {PATIENCE:?}");
    }
}

/// The clients at work.
pub struct Clients(Vec<JoinHandle<Vec<Operation>>>);

impl Clients {
    pub fn start(world: &World, grpc: SocketAddr, shared: &Arc<Shared>, seed: u64) -> Self {
        let start = |n: usize| {
            let operator = &world.operators[n % world.operators.len()];
            let client = world.client(grpc, operator);
            let agent = Agent::new(client, &operator.party_id, shared, seed ^ (n as u64 + 1));
            tokio::spawn(agent.work())
        };
        Self((0..CLIENTS).map(start).collect())
    }

    /// Everything that they did, once all know what became of it.
    pub async fn finish(self) -> Vec<Operation> {
        let mut history = Vec::new();
        for client in self.0 {
            history.extend(client.await.unwrap());
        }
        history
    }
}
