//! One watch an operator, through every kill: it keeps the token of the last message that it took, and resumes by itself, so
//! that it knows what it saw.

use std::{net::SocketAddr, time::Duration};

use eservices::events::v1::{WatchEventsRequest, watch_events_response::Message};
use eservices_client::{Client, Status};
use tokio::{sync::watch, task::JoinHandle};

use super::{PATIENCE, intent::refused};
use crate::{
    history::{EventRow, Outcome, Watched},
    process::World,
};

/// The pause before a watch resumes: longer than a client's, so that there is something to catch up with.
const PAUSE: Duration = Duration::from_millis(200);

/// The watches at work.
pub struct Watches {
    tasks: Vec<JoinHandle<Watched>>,
    standing: Vec<watch::Receiver<Standing>>,
    /// The last revisions that there are, once they are known: a watch that has come so far ends.
    ends: watch::Sender<Option<Vec<(String, i64)>>>,
}

impl Watches {
    /// One watch an operator, all of them standing.
    pub async fn start(world: &World, grpc: SocketAddr) -> Self {
        let ends = watch::Sender::new(None);
        let (mut tasks, mut all) = (Vec::new(), Vec::new());
        for operator in &world.operators {
            let (standing, stands) = watch::channel(Standing::default());
            let watcher = Watcher {
                client: world.client(grpc, operator),
                token: String::new(),
                standing,
                watched: Watched { party_id: operator.party_id.clone(), ..Watched::default() },
            };
            tasks.push(tokio::spawn(watcher.run(ends.subscribe())));
            all.push(stands);
        }
        let watches = Self { tasks, standing: all, ends };
        watches.stand(0).await;
        watches
    }

    /// Until all of them stand, each cut so often by the kills before: the next one cuts it once more.
    pub async fn stand(&self, kills: usize) {
        for stands in &self.standing {
            let mut stands = stands.clone();
            let stands = stands.wait_for(|s| s.cuts >= kills && s.stands);
            let stands = tokio::time::timeout(PATIENCE, stands).await;
            assert!(
                matches!(stands, Ok(Ok(_))),
                "a watch does not stand within {PATIENCE:?} after {kills} kills"
            );
        }
    }

    /// What they saw, once they have come to the last revision of their operator, or do not come there.
    pub async fn finish(self, last: Vec<(String, i64)>) -> Vec<Watched> {
        self.ends.send_replace(Some(last));
        let mut all = Vec::new();
        for task in self.tasks {
            all.push(task.await.unwrap());
        }
        all
    }
}

/// What one watch tells of itself.
#[derive(Clone, Copy, Default)]
struct Standing {
    /// How often it was cut.
    cuts: usize,
    /// The first message of its stream has come.
    stands: bool,
    /// The revision of the last message.
    at: i64,
}

struct Watcher {
    client: Client,
    token: String,
    standing: watch::Sender<Standing>,
    watched: Watched,
}

impl Watcher {
    async fn run(mut self, mut ends: watch::Receiver<Option<Vec<(String, i64)>>>) -> Watched {
        let (known, standing) = (ends.clone(), self.standing.subscribe());
        let watching = async {
            loop {
                let Err(status) = self.stream(&mut ends).await else { return };
                // A stream that found no server was none.
                if self.standing.borrow().stands {
                    self.watched.cuts += 1;
                    let cuts = self.watched.cuts;
                    self.standing.send_modify(|s| *s = Standing { cuts, stands: false, ..*s });
                }
                if let Outcome::Refused(reason) = refused(status) {
                    self.watched.refusals.push(reason);
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            () = watching => {}
            () = patience(known, standing) => {}
        }
        self.watched
    }

    /// Takes messages until the last revision is seen; ends with the status that the stream ends with.
    async fn stream(&mut self, ends: &mut watch::Receiver<Option<Vec<(String, i64)>>>) -> Result<(), Status> {
        let party = self.watched.party_id.clone();
        let request =
            WatchEventsRequest { resume_token: self.token.clone(), ..WatchEventsRequest::default() };
        let mut stream = self.client.events().service().watch_events(request).await?.into_inner();
        loop {
            let last = ends
                .borrow_and_update()
                .as_ref()
                .map(|all| all.iter().find(|(id, _)| *id == party).map_or(0, |(_, last)| *last));
            if last.is_some_and(|last| self.standing.borrow().at >= last) {
                return Ok(());
            }
            tokio::select! {
                message = stream.message() => {
                    let message = message?.and_then(|m| m.message);
                    self.take(message.ok_or_else(|| Status::unavailable("the stream ended"))?);
                }
                _ = ends.changed() => {}
            }
        }
    }

    fn take(&mut self, message: Message) {
        let at = match message {
            Message::Heartbeat(heartbeat) => {
                self.token = heartbeat.resume_token;
                let Standing { cuts, stands, .. } = *self.standing.borrow();
                if cuts == 0 && !stands {
                    self.watched.after = heartbeat.revision;
                }
                heartbeat.revision
            }
            Message::Event(event) => {
                self.token = event.resume_token;
                self.watched.seen.push(EventRow {
                    party_id: self.watched.party_id.clone(),
                    revision: event.revision,
                    kind: event.kind,
                    resource: event.resource,
                    state: event.state,
                });
                event.revision
            }
        };
        self.standing.send_modify(|s| *s = Standing { stands: true, at, ..*s });
    }
}

/// Ends when a watch that should come to its end comes no nearer.
async fn patience(
    mut ends: watch::Receiver<Option<Vec<(String, i64)>>>,
    mut standing: watch::Receiver<Standing>,
) {
    drop(ends.wait_for(Option::is_some).await);
    loop {
        let at = standing.borrow().at;
        let further = tokio::time::timeout(PATIENCE / 2, standing.wait_for(|s| s.at > at)).await;
        if further.is_err() {
            break;
        }
    }
}
