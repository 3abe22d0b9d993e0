//! More servers on one world's database, and a way to them that can be cut.

use std::{net::SocketAddr, sync::Arc};

use eservices_client::Client;
use eservices_reference::Store;
use eservices_server::{
    Server,
    platform::{
        Parts, Platform, access,
        clock::{Clock, Machine},
        db::Db,
        ids::Ids,
        tls::Tls,
    },
    routes, start,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::{Identity, World, demo_reference};

/// Another server on the same database, with the same certificates.
pub struct Node {
    pub server: Server,
    pub address: SocketAddr,
}

impl World {
    /// Starts another server, which shares database, PKI and machine time; at an address of its own, or at one that is free
    /// again.
    pub async fn beside(&self, at: Option<SocketAddr>) -> Node {
        let config = self.platform.config.clone();
        let parts = Parts {
            reference: (demo_reference(), 0),
            releases: Arc::new(Store::open(&config.reference.folder).unwrap()),
            clock: Clock::new(Machine::Manual(Arc::clone(&self.machine)), true),
            ids: Ids::default(),
            methods: access::Table::default(),
            db: Db::open(&config.database).await.unwrap(),
            config,
        };
        let tls = Arc::new(Tls::load(&parts.config.tls).unwrap());
        let platform = Platform::start(parts).await.unwrap();
        let at = at.unwrap_or_else(|| "127.0.0.1:0".parse().unwrap());
        let listener = TcpListener::bind(at).await.unwrap();
        let server = start(listener, Arc::clone(&platform), tls, routes(&platform)).await.unwrap();
        Node { address: server.address, server }
    }

    /// A client that calls another address, with retries as by default.
    pub async fn client_at(&self, address: SocketAddr, identity: &Identity) -> Client {
        Client::builder(format!("https://localhost:{}", address.port()))
            .ca_pem(self.pki.root.certificate_pem())
            .certificate_pem(identity.chain_pem.clone())
            .key_pem(identity.key_pem.clone())
            .connect()
            .await
            .unwrap()
    }
}

/// Passes bytes on between clients and a server until it is cut; who connects again passes again.
pub struct Relay {
    pub address: SocketAddr,
    cuts: watch::Sender<u64>,
}

impl Relay {
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = watch::Sender::new(0);
        let cut = cuts.subscribe();
        tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let mut cut = cut.clone();
                cut.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(server).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        // Both sides go with the task, in the midst of whatever they carry.
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { address, cuts }
    }

    /// Cuts every connection.
    pub fn cut(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }
}
