//! The write path: the one place that begins a transaction for a call. A handler cannot bypass it.
//!
//! Order inside the transaction: the caller's party row is locked first (all writes of one caller pass here one by one),
//! then the replay row is read, then the command loads, decides and stores, then events, audit lines, party rows and
//! replay row are written, then it commits, and only then is anything answered. The work runs in a task of its own: a
//! caller that goes away does not cut it in half. A refusal rolls everything back and is not stored.
//!
//! Knows no slice: a slice brings a [`Command`].

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use prost::Message;
use rand::RngExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::FromRow;
use tracing::Instrument as _;

use super::{
    Platform,
    audit::{AuditLine, Chain, hex},
    clock::Course,
    course,
    db::{Conn, Tx},
    error::{Error, Reason},
    identity::Caller,
    quota::Permit,
};
use crate::{many, sql};

/// How often a unit of work runs again after a serialization failure, a deadlock or a busy file.
const MAX_ATTEMPTS: u32 = 8;

/// The party that the server's own actions are recorded under.
pub const SERVER_ACTOR: &str = "s-eservices";

/// What a slice does inside the transaction. It may run more than once.
pub trait Command: Send + Sync + 'static {
    /// The answer, stored for replay.
    type Answer: Message + Default + Send + 'static;

    /// Loads, decides, stores, announces.
    fn run(&self, work: &mut Work) -> impl Future<Output = Result<Self::Answer, Error>> + Send;
}

/// Who sent a mutating request, and the hash of its body without its id.
pub struct Sender {
    /// Who calls.
    pub caller: Caller,
    body_hash: String,
    permit: Option<Permit>,
}

/// Which request a command comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    caller: Caller,
    method: &'static str,
    request_id: String,
    body_hash: String,
    /// Held until the work is done, so that a reset does not free it early.
    _permit: Option<Permit>,
}

/// Takes a mutating request apart: its sender, its id as it was written, and the rest.
pub fn open<T: Message>(
    request: tonic::Request<T>,
    id: impl FnOnce(&mut T) -> &mut String,
) -> Result<(Sender, String, T), Error> {
    let (caller, permit) = (Caller::of(&request)?, request.extensions().get().cloned());
    let mut request = request.into_inner();
    // Without the id: the same UUID in other letters is the same request.
    let request_id = std::mem::take(id(&mut request));
    let body_hash = hex(&Sha256::digest(request.encode_to_vec()));
    Ok((Sender { caller, body_hash, permit }, request_id, request))
}

impl Sender {
    /// The origin of the command that the request asks for.
    #[must_use]
    pub fn origin(self, method: &'static str, request_id: String) -> Origin {
        let Self { caller, body_hash, permit } = self;
        Origin { caller, method, request_id, body_hash, _permit: permit }
    }
}

/// The transaction as a command sees it.
pub struct Work {
    tx: Tx,
    /// Business time of the work.
    pub now: Timestamp,
    /// How business time ran when the work began, as the database said.
    pub course: Course,
    pub(super) machine_now: Timestamp,
    actor: String,
    method: &'static str,
    request_id: String,
    parties: BTreeMap<String, PartyRow>,
    events: Vec<EventRow>,
    lines: Vec<Line>,
}

/// A party's row, locked.
#[derive(Clone, Debug, FromRow)]
struct PartyRow {
    revision: i64,
    #[sqlx(flatten)]
    chain: Chain,
}

#[derive(Debug)]
struct EventRow {
    party_id: String,
    revision: i64,
    kind: &'static str,
    resource: String,
    state: String,
}

#[derive(Debug)]
struct Line {
    party_id: String,
    resource: String,
    detail: String,
}

#[derive(FromRow)]
struct Stored {
    body_hash: String,
    response: Vec<u8>,
}

impl Work {
    /// What store functions take.
    pub fn conn(&mut self) -> Conn<'_> {
        self.tx.conn()
    }

    /// Machine time of the work.
    #[must_use]
    pub const fn machine_now(&self) -> Timestamp {
        self.machine_now
    }

    /// Announces a change of one object to its owner: an event with the owner's next revision, which is answered.
    pub async fn announce(
        &mut self,
        owner: &str,
        kind: &'static str,
        resource: impl Into<String>,
        state: impl Into<String>,
    ) -> Result<i64, Error> {
        self.lock_owner(owner).await?;
        let row = self.parties.get_mut(owner).ok_or_else(|| Error::internal("party row not locked"))?;
        row.revision += 1;
        let revision = row.revision;
        self.events.push(EventRow {
            party_id: owner.to_owned(),
            revision,
            kind,
            resource: resource.into(),
            state: state.into(),
        });
        Ok(revision)
    }

    /// Writes one line into a party's audit chain: one a change.
    pub fn note(&mut self, owner: &str, resource: impl Into<String>, detail: impl Into<String>) {
        self.lines.push(Line {
            party_id: owner.to_owned(),
            resource: resource.into(),
            detail: detail.into(),
        });
    }

    /// Locks the row of an owner, unless it is, before anything of it is read: the caller's row comes first, always.
    pub async fn lock_owner(&mut self, owner: &str) -> Result<(), Error> {
        if self.parties.contains_key(owner) { Ok(()) } else { self.lock(owner).await }
    }

    async fn lock(&mut self, party_id: &str) -> Result<(), Error> {
        const LOCK: &str = "UPDATE parties SET revision = revision WHERE party_id = $1 \
                            RETURNING revision, audit_length, audit_head";
        let row = sql!(optional, &mut self.tx.conn(), PartyRow, LOCK, party_id)?;
        let row = row.ok_or_else(|| Error::internal(format!("party {party_id} has no row")))?;
        self.parties.insert(party_id.to_owned(), row);
        Ok(())
    }

    async fn finish(mut self) -> Result<Tx, Error> {
        let (occurred_at, recorded_at) = (self.now.as_microsecond(), self.machine_now.as_microsecond());
        if !self.events.is_empty() {
            many!(
                &mut self.tx.conn(),
                "INSERT INTO events (party_id, revision, kind, resource, state, occurred_at, recorded_at) ",
                self.events,
                "",
                |e| (&e.party_id, e.revision, e.kind, &e.resource, &e.state, occurred_at, recorded_at)
            )?;
        }
        for line in &self.lines {
            let Some(row) = self.parties.get_mut(&line.party_id) else {
                return Err(Error::internal("an audit line for a party that is not locked"));
            };
            let entry = AuditLine {
                party_id: &line.party_id,
                actor: &self.actor,
                method: self.method,
                request_id: &self.request_id,
                resource: &line.resource,
                detail: &line.detail,
                recorded_at: self.machine_now,
            };
            row.chain.push(&mut self.tx.conn(), &entry).await?;
        }
        for (party_id, row) in &self.parties {
            sql!(
                execute,
                &mut self.tx.conn(),
                "UPDATE parties SET revision = $2, audit_length = $3, audit_head = $4 WHERE party_id = $1",
                party_id,
                row.revision,
                row.chain.audit_length,
                &row.chain.audit_head,
            )?;
        }
        Ok(self.tx)
    }
}

/// Runs a caller's command once per `request_id`: a repeated request gets the stored answer.
pub async fn execute<C: Command>(
    platform: &Arc<Platform>,
    origin: Origin,
    command: C,
) -> Result<C::Answer, Error> {
    let server = Arc::clone(platform);
    let task = async move {
        let _turn = origin.caller.write_turn().await;
        retried(|| attempt(&server, &origin, &command)).await
    };
    tracked(platform, task).await
}

/// Runs an action of the server itself (a hold that lapses) on one owner's objects.
pub async fn execute_own<C: Command>(
    platform: &Arc<Platform>,
    owner: String,
    action: &'static str,
    command: C,
) -> Result<C::Answer, Error> {
    let server = Arc::clone(platform);
    let task = async move { retried(|| attempt_own(&server, &owner, action, &command)).await };
    tracked(platform, task).await
}

async fn tracked<T: Send + 'static>(
    platform: &Platform,
    task: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let span = tracing::Span::current();
    match platform.tasks.spawn(task.instrument(span)).await {
        Ok(outcome) => outcome,
        Err(error) => Err(Error::internal(error)),
    }
}

async fn retried<T, F: Future<Output = Result<T, Error>>>(
    mut attempt: impl FnMut() -> F,
) -> Result<T, Error> {
    for number in 1..MAX_ATTEMPTS {
        match attempt().await {
            Err(error) if error.is_transient() => {
                metrics::counter!("eservices_write_retries_total").increment(1);
                let pause = rand::rng().random_range(1..=10_u64 << number.min(5));
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            outcome => return outcome,
        }
    }
    attempt().await
}

async fn attempt<C: Command>(
    platform: &Arc<Platform>,
    origin: &Origin,
    command: &C,
) -> Result<C::Answer, Error> {
    let party_id = origin.caller.party_id();
    let mut work = begin(platform, party_id, origin.method, origin.request_id.clone(), party_id).await?;
    if let Some(stored) = stored_reply(&mut work, origin).await? {
        work.tx.rollback().await?;
        if stored.body_hash != origin.body_hash {
            return Err(Error::new(
                Reason::RequestIdReused,
                "the request_id was used before with another body",
            ));
        }
        metrics::counter!("eservices_replays_total").increment(1);
        return C::Answer::decode(stored.response.as_slice()).map_err(Error::internal);
    }
    let answer = match command.run(&mut work).await {
        Ok(answer) => answer,
        Err(error) => {
            work.tx.rollback().await?;
            return Err(error);
        }
    };
    let resource = work.lines.first().map(|l| l.resource.clone()).unwrap_or_default();
    let created_at = work.machine_now.as_microsecond();
    let mut tx = work.finish().await?;
    sql!(
        execute,
        &mut tx.conn(),
        "INSERT INTO requests (party_id, method, request_id, body_hash, resource, response, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        party_id,
        origin.method,
        &origin.request_id,
        &origin.body_hash,
        &resource,
        answer.encode_to_vec(),
        created_at,
    )?;
    tx.commit().await?;
    Ok(answer)
}

async fn attempt_own<C: Command>(
    platform: &Arc<Platform>,
    owner: &str,
    action: &'static str,
    command: &C,
) -> Result<C::Answer, Error> {
    let mut work = begin(platform, SERVER_ACTOR, action, String::new(), owner).await?;
    match command.run(&mut work).await {
        Ok(answer) => {
            work.finish().await?.commit().await?;
            Ok(answer)
        }
        Err(error) => {
            work.tx.rollback().await?;
            Err(error)
        }
    }
}

/// Begins, locks the owner's row, and only then looks at the clocks: what waited decides by the time at which it goes on.
async fn begin(
    platform: &Platform,
    actor: &str,
    method: &'static str,
    request_id: String,
    owner: &str,
) -> Result<Work, Error> {
    let mut work = Work {
        tx: platform.db.begin().await?,
        now: Timestamp::UNIX_EPOCH,
        machine_now: Timestamp::UNIX_EPOCH,
        course: Course::REAL,
        actor: actor.to_owned(),
        method,
        request_id,
        parties: BTreeMap::new(),
        events: Vec::new(),
        lines: Vec::new(),
    };
    work.lock(owner).await?;
    if platform.clock.movable() {
        work.course = course::read(&mut work.conn()).await?;
        platform.clock.follow(work.course);
    }
    work.machine_now = platform.clock.machine();
    work.now = platform.clock.business();
    Ok(work)
}

async fn stored_reply(work: &mut Work, origin: &Origin) -> Result<Option<Stored>, sqlx::Error> {
    sql!(
        optional,
        &mut work.tx.conn(),
        Stored,
        "SELECT body_hash, response FROM requests WHERE party_id = $1 AND method = $2 AND request_id = $3",
        origin.caller.party_id(),
        origin.method,
        &origin.request_id,
    )
}

/// Deletes replies that are older than their retention (machine time); answers how many.
pub async fn forget_old_replies(platform: &Platform) -> Result<u64, sqlx::Error> {
    const DAY: i64 = 86_400_000_000;
    let before =
        platform.clock.machine().as_microsecond() - i64::from(platform.config.timings.replay_days) * DAY;
    let mut tx = platform.db.begin().await?;
    let rows = sql!(execute, &mut tx.conn(), "DELETE FROM requests WHERE created_at < $1", before)?;
    tx.commit().await?;
    Ok(rows)
}
