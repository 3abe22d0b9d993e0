//! The real binary on a database of its own, to be killed and started again; and the world that it serves.

mod course;
mod field;
mod world;

use std::{
    fs::File,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

pub use field::Field;
pub use world::{LEASE_SECONDS, World, postgres, slots};

/// How long a start may take before the test gives up: 10 s.
const STARTS: u32 = 500;

/// One server process after another, on the same ports.
pub struct Process {
    config: PathBuf,
    log: PathBuf,
    pub grpc: SocketAddr,
    local: SocketAddr,
    child: Option<Child>,
}

impl Process {
    /// For the configuration text that `configure` makes of two free addresses.
    pub fn new(dir: &Path, configure: impl FnOnce(SocketAddr, SocketAddr) -> String) -> Self {
        let (grpc, local) = free_addresses();
        let config = dir.join("server.toml");
        std::fs::write(&config, configure(grpc, local)).unwrap();
        Self { config, log: dir.join("server.log"), grpc, local, child: None }
    }

    /// Starts the binary and waits until it says that it is ready.
    pub async fn start(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_eservices-server"))
            .arg("serve")
            .arg("--config")
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        for _ in 0..STARTS {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the server ended at its start: {status}\n{}", self.last_words());
            }
            if self.is_ready().await {
                self.child = Some(child);
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(child.kill());
        panic!("the server is not ready after 10 s\n{}", self.last_words());
    }

    /// SIGKILL: no chance to tidy up.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        assert_eq!(child.try_wait().unwrap(), None, "the server ended by itself\n{}", self.last_words());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    async fn is_ready(&self) -> bool {
        let asked = async {
            let mut stream = TcpStream::connect(self.local).await?;
            stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer.starts_with("HTTP/1.1 200"))
        };
        asked.await.unwrap_or(false)
    }

    /// The end of what the server wrote.
    pub fn last_words(&self) -> String {
        end_of(&self.log)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// The last lines of a log.
fn end_of(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// Two ports that nobody has just now.
fn free_addresses() -> (SocketAddr, SocketAddr) {
    let [first, second] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    (first.local_addr().unwrap(), second.local_addr().unwrap())
}
