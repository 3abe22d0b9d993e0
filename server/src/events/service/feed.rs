//! The feed of a node: the last events of each watched party, read once, encoded once, shared by all who watch it.
//!
//! A party has one task that reads, as long as somebody watches. Knows no filter: what a watch leaves out is its own matter.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::watch::{Receiver, Sender};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    events::{
        store::{self, EventRow},
        wire,
    },
    platform::{
        Platform,
        error::{Error, Reason},
        identity::Caller,
    },
};

/// How many events of a party stay in memory; who is further behind reads the database.
const KEPT: usize = 256;

/// How many events are read at a time.
pub const PAGE: i64 = 100;

/// How long after a failure the events of a party are read again.
const AGAIN: Duration = Duration::from_secs(1);

/// What is watched on this node.
pub struct Feed {
    platform: Arc<Platform>,
    parties: Mutex<HashMap<String, Weak<Party>>>,
    open: Arc<Mutex<HashMap<String, usize>>>,
}

/// One watched party. Its task ends with the last who watches.
pub struct Party {
    tape: Arc<Tape>,
    _reader: AbortOnDropHandle<()>,
}

/// The last events of a party, in order and without gap.
struct Tape {
    party_id: String,
    state: Mutex<State>,
    /// Revision of the last event; those who wait for the next one hold its other end.
    head: Sender<i64>,
}

struct State {
    /// The revision before the first event here.
    before: i64,
    events: VecDeque<(EventRow, Bytes)>,
}

/// What there is after a position.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// The first event that is shown: its revision, and the bytes that all share.
    Event(i64, Bytes),
    /// Nothing that is shown, up to this revision.
    NothingUpTo(i64),
    /// The tape begins later.
    Behind,
}

/// A watch of a certificate; its place is free again when dropped.
pub struct Place {
    key: String,
    open: Arc<Mutex<HashMap<String, usize>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feed {
    /// Nobody watches yet.
    pub fn new(platform: Arc<Platform>) -> Self {
        Self { platform, parties: Mutex::default(), open: Arc::default() }
    }

    /// What it stands on.
    pub const fn platform(&self) -> &Arc<Platform> {
        &self.platform
    }

    /// A place for one more watch with the caller's certificate.
    pub fn place(&self, caller: &Caller) -> Result<Place, Error> {
        let most = self.platform.config.events.watches_per_certificate;
        let key = caller.registry_key();
        let mut open = locked(&self.open);
        let count = open.entry(key.clone()).or_default();
        if *count >= most {
            return Err(Error::new(Reason::TooManyWatches, "too many watches of one certificate")
                .with("limit", most.to_string()));
        }
        *count += 1;
        metrics::gauge!("eservices_watches").increment(1.0);
        Ok(Place { key, open: Arc::clone(&self.open) })
    }

    /// A party's events from a revision on, which is committed.
    pub fn party(&self, party_id: &str, revision: i64) -> Arc<Party> {
        let mut parties = locked(&self.parties);
        if let Some(party) = parties.get(party_id).and_then(Weak::upgrade) {
            return party;
        }
        parties.retain(|_, party| party.strong_count() > 0);
        let tape = Arc::new(Tape::new(party_id, revision));
        let reading = read(Arc::clone(&self.platform), Arc::clone(&tape));
        let party = Arc::new(Party { tape, _reader: AbortOnDropHandle::new(tokio::spawn(reading)) });
        parties.insert(party_id.to_owned(), Arc::downgrade(&party));
        party
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!("eservices_watches").decrement(1.0);
        let mut open = locked(&self.open);
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

impl Party {
    /// What there is after a position.
    pub fn next(&self, after: i64, shows: impl Fn(&EventRow) -> bool) -> Next {
        self.tape.next(after, shows)
    }

    /// Changes when there are more.
    pub fn head(&self) -> Receiver<i64> {
        self.tape.head.subscribe()
    }
}

impl Tape {
    fn new(party_id: &str, revision: i64) -> Self {
        let state = State { before: revision, events: VecDeque::new() };
        Self { party_id: party_id.to_owned(), state: Mutex::new(state), head: Sender::new(revision) }
    }

    fn next(&self, after: i64, shows: impl Fn(&EventRow) -> bool) -> Next {
        let state = locked(&self.state);
        let Ok(known) = usize::try_from(after - state.before) else { return Next::Behind };
        let further = state.events.iter().skip(known);
        further.into_iter().find(|(row, _)| shows(row)).map_or_else(
            || Next::NothingUpTo(state.last()),
            |(row, bytes)| Next::Event(row.revision, bytes.clone()),
        )
    }

    /// Takes on what comes next. Where retention took what is between, it begins anew: who is behind finds out by itself.
    fn push(&self, events: Vec<(EventRow, Bytes)>) {
        let mut state = locked(&self.state);
        for (row, bytes) in events {
            if row.revision != state.last() + 1 {
                state.before = row.revision - 1;
                state.events.clear();
            }
            state.events.push_back((row, bytes));
            if state.events.len() > KEPT {
                state.events.pop_front();
                state.before += 1;
            }
        }
        let last = state.last();
        drop(state);
        self.head.send_replace(last);
    }
}

impl State {
    fn last(&self) -> i64 {
        self.events.back().map_or(self.before, |(row, _)| row.revision)
    }
}

/// Reads the events of a party whenever there are more.
async fn read(platform: Arc<Platform>, tape: Arc<Tape>) {
    let mut reached = platform.revisions.follow(&tape.party_id);
    loop {
        reached.borrow_and_update();
        if let Err(error) = read_on(&platform, &tape).await {
            tracing::error!(party = tape.party_id, %error, "events cannot be read");
            tokio::time::sleep(AGAIN).await;
        } else if reached.changed().await.is_err() {
            return;
        }
    }
}

/// Everything that is there by now, page by page.
async fn read_on(platform: &Platform, tape: &Tape) -> Result<(), sqlx::Error> {
    loop {
        let last = *tape.head.borrow();
        let mut reader = platform.db.read().await?;
        let page = store::after(&mut reader.conn(), &tape.party_id, last, PAGE).await?;
        drop(reader);
        let count = page.len();
        if count > 0 {
            metrics::counter!("eservices_events_encoded_total").increment(count as u64);
            let encoded = page.into_iter().map(|row| {
                let bytes = wire::event(&platform.tokens, &tape.party_id, &row);
                (row, bytes)
            });
            tape.push(encoded.collect());
        }
        if i64::try_from(count).unwrap_or(PAGE) < PAGE {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(revision: i64) -> (EventRow, Bytes) {
        let row = EventRow {
            revision,
            e_service: "sandbox".into(),
            kind: format!("k.{}", revision % 2),
            resource: "r".into(),
            state: "s".into(),
            occurred_at: 0,
        };
        (row, Bytes::from(revision.to_string()))
    }

    #[test]
    fn everybody_gets_the_same_bytes_in_order() {
        let tape = Tape::new("o-1", 4);
        let mut head = tape.head.subscribe();
        assert_eq!(tape.next(4, |_| true), Next::NothingUpTo(4));
        tape.push(vec![event(5), event(6), event(7)]);
        assert!(head.has_changed().unwrap());
        assert_eq!(*head.borrow_and_update(), 7);
        let [Next::Event(5, one), Next::Event(5, other)] = [tape.next(4, |_| true), tape.next(4, |_| true)]
        else {
            panic!("expected revision 5 twice");
        };
        assert_eq!(one.as_ptr(), other.as_ptr(), "encoded once");
        assert_eq!(tape.next(5, |row| row.kind == "k.1"), Next::Event(7, Bytes::from("7")));
        assert_eq!(tape.next(6, |row| row.kind == "k.0"), Next::NothingUpTo(7));
        assert_eq!(tape.next(3, |_| true), Next::Behind);
        assert_eq!(
            tape.next(9, |_| true),
            Next::NothingUpTo(7),
            "a watch that knows more than the tape waits"
        );
    }

    #[test]
    fn memory_is_bounded_and_who_is_too_far_behind_is_told() {
        let tape = Tape::new("o-1", 0);
        for page in 0..10 {
            tape.push((1..=100).map(|n| event(page * 100 + n)).collect());
        }
        let state = locked(&tape.state);
        assert_eq!((state.events.len(), state.before, state.last()), (KEPT, 744, 1_000));
        drop(state);
        assert_eq!(tape.next(743, |_| true), Next::Behind);
        assert_eq!(tape.next(744, |_| true), Next::Event(745, Bytes::from("745")));
    }

    #[test]
    fn where_events_are_gone_the_tape_begins_anew() {
        let tape = Tape::new("o-1", 0);
        tape.push(vec![event(1), event(2), event(9)]);
        assert_eq!(tape.next(2, |_| true), Next::Behind);
        assert_eq!(tape.next(8, |_| true), Next::Event(9, Bytes::from("9")));
    }
}
