//! One watch: where it stands, what it shows, what its certificate may see now.
//!
//! It takes an event when its peer has room for one, from the feed or, where it is far behind, from the database page by page:
//! it holds nobody up, and never more than a page.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::{
    sync::watch::Receiver,
    time::{Instant, sleep_until},
};
use tonic::Status;

use super::{
    Messages,
    feed::{Feed, Next, PAGE, Party, Place},
};
use crate::{
    events::{
        rules::{Extent, Filter},
        store::{self, EventRow},
        wire,
    },
    platform::{
        access,
        error::{Error, Reason},
        identity::Caller,
    },
};

/// The method's path.
const METHOD: &str = "/eservices.events.v1.EventService/WatchEvents";

/// Who wants to watch what, and after which revision.
pub struct Beginning {
    pub caller: Caller,
    pub filter: Filter,
    pub position: Option<i64>,
}

/// A watch.
pub struct Watch {
    feed: Arc<Feed>,
    party: Arc<Party>,
    head: Receiver<i64>,
    caller: Caller,
    filter: Filter,
    /// Version of the registry that the rights were looked up in.
    version: i64,
    /// Everything up to this revision was shown or left out.
    position: i64,
    /// Events after the position that the feed does not have any more.
    backlog: VecDeque<EventRow>,
    greeted: bool,
    beat_at: Instant,
    _place: Place,
}

impl Watch {
    /// From the position on, if nothing after it is gone; from now on without one.
    pub async fn begin(feed: &Arc<Feed>, beginning: Beginning) -> Result<Self, Error> {
        let Beginning { caller, filter, position } = beginning;
        let place = feed.place(&caller)?;
        let mut reader = feed.platform().db.read().await?;
        let extent = store::extent(&mut reader.conn(), caller.party_id()).await?;
        drop(reader);
        let position = position.unwrap_or(extent.last);
        if !extent.goes_on_after(position) {
            return Err(not_kept(position, extent));
        }
        let party = feed.party(caller.party_id(), extent.last);
        Ok(Self {
            head: party.head(),
            feed: Arc::clone(feed),
            party,
            caller,
            filter,
            version: i64::MIN,
            position,
            backlog: VecDeque::new(),
            greeted: false,
            beat_at: Instant::now(),
            _place: place,
        })
    }

    /// Its messages, until something ends it.
    pub fn messages(self) -> Messages {
        stream::try_unfold(self, |mut watch| async move {
            let message = watch.next().await.map_err(Status::from)?;
            watch.beat_at = Instant::now() + watch.interval();
            Ok(Some((message, watch)))
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Bytes, Error> {
        if !self.greeted {
            self.greeted = true;
            return Ok(self.heartbeat());
        }
        loop {
            self.look_up_rights()?;
            self.head.borrow_and_update();
            if let Some(message) = self.next_of_backlog() {
                return Ok(message);
            }
            let behind = match self.party.next(self.position, |row| shows(&self.caller, &self.filter, row)) {
                Next::Event(revision, message) => {
                    self.position = revision;
                    metrics::counter!("eservices_events_shown_total").increment(1);
                    return Ok(message);
                }
                Next::NothingUpTo(revision) => {
                    self.position = self.position.max(revision);
                    false
                }
                Next::Behind => true,
            };
            if Instant::now() >= self.beat_at {
                return Ok(self.heartbeat());
            }
            if behind {
                self.catch_up().await?;
                continue;
            }
            tokio::select! {
                // The feed has more. It outlives this watch, which holds its party.
                _ = self.head.changed() => {}
                () = sleep_until(self.beat_at) => {}
            }
        }
    }

    /// The next event of the backlog that is shown. It is looked at now, not when it was read: rights may have gone since.
    fn next_of_backlog(&mut self) -> Option<Bytes> {
        while let Some(row) = self.backlog.pop_front() {
            self.position = row.revision;
            if shows(&self.caller, &self.filter, &row) {
                metrics::counter!("eservices_events_shown_total").increment(1);
                return Some(wire::event(&self.feed.platform().tokens, self.caller.party_id(), &row));
            }
        }
        None
    }

    /// Reads the next page after the position. Where retention was faster, the watch ends.
    async fn catch_up(&mut self) -> Result<(), Error> {
        let party = self.caller.party_id();
        let mut reader = self.feed.platform().db.read().await?;
        let page = store::after(&mut reader.conn(), party, self.position, PAGE).await?;
        if page.first().is_some_and(|row| row.revision == self.position + 1) {
            self.backlog = page.into();
            return Ok(());
        }
        let extent = store::extent(&mut reader.conn(), party).await?;
        if extent.goes_on_after(self.position) {
            return Err(Error::internal(format!("{party}: no event after revision {}", self.position)));
        }
        Err(not_kept(self.position, extent))
    }

    /// Takes over what the registry says now, if it changed; ends the watch where it would be refused now.
    fn look_up_rights(&mut self) -> Result<(), Error> {
        let platform = self.feed.platform();
        let directory = platform.standing.directory();
        if directory.version() == self.version {
            return Ok(());
        }
        let environment = platform.config.environment;
        self.caller = directory.again(&self.caller, environment, platform.clock.machine())?;
        self.version = directory.version();
        if let Some(method) = eservices::method(METHOD) {
            access::check(method, &self.caller, environment)?;
        }
        self.filter.e_services.iter().try_for_each(|e_service| self.caller.require(e_service))
    }

    fn heartbeat(&self) -> Bytes {
        let platform = self.feed.platform();
        let seconds = platform.config.events.heartbeat_seconds;
        wire::heartbeat(&platform.tokens, self.caller.party_id(), self.position, seconds)
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(self.feed.platform().config.events.heartbeat_seconds.into())
    }
}

/// Whether the caller is shown an event.
fn shows(caller: &Caller, filter: &Filter, row: &EventRow) -> bool {
    caller.holds(&row.e_service) && filter.passes(&row.e_service, &row.kind, &row.resource)
}

/// The position is older than what is kept, or newer than what there is.
fn not_kept(position: i64, extent: Extent) -> Error {
    Error::new(Reason::EventsNotKeptAnyMore, "the events after the token are not kept any more")
        .with("asked_revision", position.to_string())
        .with("first_kept_revision", extent.kept_from.to_string())
        .with("last_revision", extent.last.to_string())
}
