//! One watcher: takes messages off an open answer, and looks whether each revision is the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Buf as _, BytesMut};
use eservices::events::v1::{WatchEventsRequest, WatchEventsResponse, watch_events_response::Message};
use eservices_server::platform::clock::Clock;
use http_body_util::BodyExt as _;
use prost::Message as _;
use tokio_util::sync::CancellationToken;

use crate::{
    Failure,
    load::{Question, Wire},
};

/// What all watchers did so far.
#[derive(Debug, Default)]
pub struct Tally {
    /// Watchers that have had their first message.
    pub standing: AtomicU64,
    /// Events.
    pub delivered: AtomicU64,
    /// Watching ends.
    pub over: CancellationToken,
}

/// What one watcher saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// From decision to delivery, each event.
    pub micros: Vec<u32>,
    /// Events that were not the next one.
    pub out_of_order: u64,
    /// Signs of life.
    pub heartbeats: u64,
}

impl Seen {
    /// Takes over what another one saw.
    pub fn add(&mut self, mut other: Self) {
        self.micros.append(&mut other.micros);
        self.out_of_order += other.out_of_order;
        self.heartbeats += other.heartbeats;
    }
}

/// Watches one operator's events from now on, until told to stop. `n` and `start` say whose and where it stands.
pub async fn run(
    mut wire: Wire,
    clock: Clock,
    tally: Arc<Tally>,
    n: usize,
    start: i64,
) -> Result<Seen, Failure> {
    let question = Question::new(
        "/eservices.events.v1.EventService/WatchEvents",
        &WatchEventsRequest::default().encode_to_vec(),
    )?;
    let mut answer = wire.stream(&question).await?;
    let mut seen = Seen::default();
    let mut last = None;
    let mut buffer = BytesMut::new();
    loop {
        let frame = tokio::select! {
            frame = answer.frame() => frame.ok_or("a watch ended")??,
            () = tally.over.cancelled() => return Ok(seen),
        };
        let Ok(data) = frame.into_data() else {
            return Err(format!("a watch of operator {n} was refused").into());
        };
        buffer.extend_from_slice(&data);
        while let Some(message) = next(&mut buffer)? {
            match message {
                Message::Heartbeat(heartbeat) => {
                    seen.heartbeats += 1;
                    if last.is_none() {
                        if heartbeat.revision != start {
                            return Err(
                                format!("a watch stands at {}, not at {start}", heartbeat.revision).into()
                            );
                        }
                        last = Some(start);
                        tally.standing.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Message::Event(event) => {
                    let at = event.occur_time.unwrap_or_default();
                    let decided = at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000;
                    let late = clock.machine().as_microsecond() - decided;
                    seen.micros.push(u32::try_from(late.max(0)).unwrap_or(u32::MAX));
                    seen.out_of_order += u64::from(last != Some(event.revision - 1));
                    last = Some(event.revision);
                    tally.delivered.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

/// The next whole message of the buffer.
fn next(buffer: &mut BytesMut) -> Result<Option<Message>, Failure> {
    let Some(head) = buffer.get(..5) else { return Ok(None) };
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if buffer.len() < 5 + length {
        return Ok(None);
    }
    buffer.advance(5);
    let message = WatchEventsResponse::decode(buffer.split_to(length).freeze())?.message;
    Ok(Some(message.ok_or("an empty message")?))
}
