//! The accept loop: TCP → TLS handshake → HTTP/2 → pipeline, with limits, a kill token a connection, and a drain.
//!
//! Knows connections, not what is called over them.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hyper::server::conn::http2::Builder;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_rustls::server::TlsStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Platform, config::Limits, identity::Peer, linger::Lingering, pipeline::Pipeline, pki, tls::Tls};

/// Handshakes under way at once.
const HANDSHAKES: usize = 1_000;

/// What a slow peer gets to read its last answers after its connection was told to end.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long a connection of a certificate that stands for nobody any more waits for a call to tell it so.
const LAST_CALL: Duration = Duration::from_secs(1);

/// One connection after its handshake.
#[derive(Debug)]
pub struct Connection {
    /// The certificate that the handshake proved.
    pub peer: Peer,
    /// Ends the streams at once and the connection soon: the certificate stands for nobody any more.
    pub killed: CancellationToken,
    closing: CancellationToken,
}

impl Connection {
    /// Takes no further call once the answer under way is out.
    pub fn close_after_answer(&self) {
        self.closing.cancel();
    }
}

/// The connections that are open.
#[derive(Debug, Default)]
pub struct Connections {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<Connection>>>,
}

impl Connections {
    /// A place for a connection, unless its certificate has `most` already.
    fn enter(self: &Arc<Self>, connection: &Arc<Connection>, most: usize) -> Option<Seat> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let same =
            open.values().filter(|other| other.peer.registry_key == connection.peer.registry_key).count();
        if same >= most {
            return None;
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        open.insert(id, Arc::clone(connection));
        metrics::gauge!("eservices_connections").increment(1.0);
        Some(Seat { id, table: Arc::clone(self) })
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Lets the connections of one certificate finish what is under way, and no more.
    fn close_of(&self, registry_key: &str) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let same = open.values().filter(|connection| connection.peer.registry_key == registry_key);
        same.for_each(|connection| connection.close_after_answer());
    }

    /// Ends every connection whose peer no longer passes; answers how many.
    pub fn end_where(&self, refused: impl Fn(&Peer) -> bool) -> usize {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = open.values().filter(|c| !c.killed.is_cancelled() && refused(&c.peer));
        ended.map(|c| c.killed.cancel()).count()
    }
}

/// A connection's place in the table; left when dropped.
struct Seat {
    id: u64,
    table: Arc<Connections>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.table.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        metrics::gauge!("eservices_connections").decrement(1.0);
    }
}

/// Accepts connections until `platform.draining`, then lets calls under way finish for the configured time.
pub async fn serve(listener: TcpListener, platform: Arc<Platform>, tls: Arc<Tls>, pipeline: Pipeline) {
    let limits = &platform.config.limits;
    let room = Arc::new(Semaphore::new(limits.max_connections));
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    let tracker = TaskTracker::new();
    let gone = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &handshakes) => accepted,
            () = platform.draining.cancelled() => break,
        };
        let (stream, address, handshake) = accepted;
        if platform.cool_down.holds_address(address.ip(), platform.clock.machine()) {
            turned_away(address, None, "its address cools down");
            continue;
        }
        let server = Arc::clone(&platform);
        let (tls, pipeline, gone, room) =
            (Arc::clone(&tls), pipeline.clone(), gone.clone(), Arc::clone(&room));
        tracker.spawn(async move {
            tokio::select! {
                () = one(stream, address, &server, &tls, pipeline, (handshake, room)) => {}
                () = gone.cancelled() => {}
            }
        });
    }
    drop(listener);
    tracker.close();
    let patience = Duration::from_secs(platform.config.timings.drain_seconds);
    if timeout(patience, tracker.wait()).await.is_err() {
        tracing::warn!(connections = tracker.len(), "connections were cut after the drain time");
        gone.cancel();
        tracker.wait().await;
    }
}

/// The next connection; an error (out of file descriptors) is waited out, not spun on.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let mut pause = Duration::from_millis(5);
    loop {
        let Ok(seat) = Arc::clone(room).acquire_owned().await else { std::future::pending().await };
        match listener.accept().await {
            Ok((stream, address)) => return (stream, address, seat),
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        }
    }
}

async fn one(
    stream: TcpStream,
    address: SocketAddr,
    platform: &Arc<Platform>,
    tls: &Tls,
    pipeline: Pipeline,
    (handshake_permit, room): (OwnedSemaphorePermit, Arc<Semaphore>),
) {
    let patience = Duration::from_secs(platform.config.limits.handshake_timeout_seconds);
    let stream = match timeout(patience, handshake(stream, tls)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            metrics::counter!("eservices_handshakes_refused_total").increment(1);
            tracing::info!(%address, %error, "handshake refused");
            return;
        }
        Err(_) => {
            metrics::counter!("eservices_handshakes_refused_total").increment(1);
            tracing::info!(%address, "handshake took too long");
            return;
        }
    };
    let peer = match peer_of(&stream) {
        Ok(peer) => peer,
        Err(error) => {
            tracing::warn!(%address, %error, "certificate cannot be read");
            return;
        }
    };
    // Those who proved a certificate have room of their own: silent or foreign peers do not take it.
    drop(handshake_permit);
    let serial = Some(peer.serial.clone());
    let Ok(_room) = room.try_acquire_owned() else {
        tracing::warn!("as many connections are open as may be");
        return turned_away(address, serial, "too many connections");
    };
    if platform.cool_down.holds_certificate(&peer.registry_key, platform.clock.machine()) {
        return turned_away(address, serial, "its certificate cools down");
    }
    let connection =
        Arc::new(Connection { peer, killed: CancellationToken::new(), closing: CancellationToken::new() });
    let Some(_seat) =
        platform.connections.enter(&connection, platform.config.limits.connections_per_certificate)
    else {
        return turned_away(address, serial, "too many connections of one certificate");
    };
    let stream = Lingering::new(stream, FAREWELL);
    let verdict = stream.verdict();
    if let Err(error) = speak(stream, platform, pipeline, &connection).await {
        tracing::debug!(%address, %error, "connection ended");
    }
    if verdict.is_abuse() {
        count_abuse(platform, &connection.peer, address);
    }
}

fn turned_away(address: SocketAddr, serial: Option<String>, why: &'static str) {
    metrics::counter!("eservices_connections_refused_total", "why" => why).increment(1);
    tracing::info!(%address, serial = serial.unwrap_or_default(), why, "connection refused");
}

/// Counts a connection that was ended for abuse; one too many ends the certificate's others too.
fn count_abuse(platform: &Platform, peer: &Peer, address: SocketAddr) {
    metrics::counter!("eservices_connections_abusive_total").increment(1);
    let held = platform.cool_down.count(&peer.registry_key, address.ip(), platform.clock.machine());
    tracing::warn!(%address, serial = %peer.serial, held, "connection ended for abuse");
    if held {
        platform.connections.close_of(&peer.registry_key);
    }
}

async fn handshake(stream: TcpStream, tls: &Tls) -> io::Result<TlsStream<TcpStream>> {
    stream.set_nodelay(true)?;
    tls.acceptor().accept(stream).await
}

fn peer_of(stream: &TlsStream<TcpStream>) -> Result<Peer, String> {
    let (_, session) = stream.get_ref();
    let leaf = session.peer_certificates().and_then(|chain| chain.first()).ok_or("no client certificate")?;
    let read = pki::Peer::parse(leaf).map_err(|e| e.to_string())?;
    Ok(Peer {
        registry_key: Peer::registry_key(&read.issuer_hash, &read.serial),
        key_hash: read.key_hash,
        serial: read.serial,
        not_after: read.not_after,
    })
}

async fn speak(
    stream: Lingering,
    platform: &Arc<Platform>,
    pipeline: Pipeline,
    connection: &Arc<Connection>,
) -> Result<(), hyper::Error> {
    let answering = Arc::clone(connection);
    let service = hyper::service::service_fn(move |request| {
        let (pipeline, connection) = (pipeline.clone(), Arc::clone(&answering));
        async move { Ok::<_, std::convert::Infallible>(pipeline.answer(request, &connection).await) }
    });
    let http = http2(&platform.config.limits);
    let mut session = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        outcome = session.as_mut() => outcome,
        () = platform.draining.cancelled() => {
            session.as_mut().graceful_shutdown();
            session.await
        }
        () = ended(connection, platform) => {
            session.as_mut().graceful_shutdown();
            timeout(FAREWELL, session).await.unwrap_or(Ok(()))
        }
    }
}

/// HTTP/2 with limits: by default there are none.
#[must_use]
pub fn http2(limits: &Limits) -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_per_connection)
        .max_local_error_reset_streams(Some(256))
        .max_pending_accept_reset_streams(20)
        .max_header_list_size(16 * 1024)
        .keep_alive_interval(Some(Duration::from_secs(60)))
        .keep_alive_timeout(Duration::from_secs(20));
    http
}

/// Until the connection is to end: told to close, or killed (its certificate's last second has passed, too) and a while
/// later. Meanwhile a call is told why, which closes it; one that found it closed would take that for an outage.
async fn ended(connection: &Connection, platform: &Platform) {
    tokio::select! {
        () = connection.closing.cancelled() => return,
        () = connection.killed.cancelled() => {}
        () = tokio::time::sleep(until(connection.peer.not_after, platform.clock.machine())) => connection.killed.cancel(),
    }
    drop(timeout(LAST_CALL, connection.closing.cancelled()).await);
}

fn until(end: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(now)).unwrap_or(Duration::ZERO)
}
