//! Round trips on the wire of PostgreSQL: the server ends each answer with one `ReadyForQuery`, whatever was asked. What passes
//! here is counted by that, and passed on.

use std::{
    net::Ipv4Addr,
    str::FromStr as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use sqlx::{
    ConnectOptions as _,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::Failure;

/// A way to a PostgreSQL server.
pub struct Tap {
    /// The same database, through here.
    pub url: String,
    /// Answers that ended.
    pub answers: Arc<AtomicU64>,
}

impl Tap {
    /// Opens one; without encryption, on this machine.
    pub async fn to(url: &str) -> Result<Self, Failure> {
        let options = PgConnectOptions::from_str(url)?;
        let (host, port) = (options.get_host().to_owned(), options.get_port());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let near = listener.local_addr()?.port();
        let url =
            options.host("127.0.0.1").port(near).ssl_mode(PgSslMode::Disable).to_url_lossy().to_string();
        let answers = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&answers);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect((host.as_str(), port)).await else { return };
                drop((client.set_nodelay(true), server.set_nodelay(true)));
                let (mut questions, near) = client.into_split();
                let (far, mut asked) = server.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut questions, &mut asked).await });
                tokio::spawn(pass(far, near, Arc::clone(&counted)));
            }
        });
        Ok(Self { url, answers })
    }
}

/// Passes messages of the server on: a byte that says what it is, its length with itself, the rest.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    answers: Arc<AtomicU64>,
) -> std::io::Result<()> {
    loop {
        let mut head = [0; 5];
        from.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut rest = vec![0; usize::try_from(length).unwrap_or(0).saturating_sub(4)];
        from.read_exact(&mut rest).await?;
        if head[0] == b'Z' {
            answers.fetch_add(1, Ordering::Relaxed);
        }
        to.write_all(&head).await?;
        to.write_all(&rest).await?;
    }
}
