//! The three servers. Each says its port on standard output and ends with its parent: when standard input ends.

use std::{convert::Infallible, io::Read as _, net::Ipv4Addr, path::Path, sync::Arc, time::Duration};

use eservices_server::{
    commands::serve,
    platform::{config::Limits, connection, linger::Lingering, telemetry, tls::Tls},
};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tonic::{
    body::Body,
    codegen::Service as _,
    service::Routes,
    transport::{Certificate, Identity, Server, ServerTlsConfig, server::TcpIncoming},
};

use crate::{Failure, echo::Echo, world};

/// The whole server: what `eservices-server serve` does, on a free port.
pub async fn eligibility(folder: &Path) -> Result<(), Failure> {
    let config = world::config(folder)?;
    telemetry::start_logs(&config.log);
    let node = serve::launch(config).await.map_err(|e| e.to_string())?;
    ready(node.server.address.port());
    std::future::pending().await
}

/// An echo on the accept loop of `platform::connection`: its TLS, its HTTP/2 settings, and nothing else of it.
pub async fn echo_own(folder: &Path) -> Result<(), Failure> {
    let config = world::config(folder)?;
    let tls = Arc::new(Tls::load(&config.tls)?);
    let routes = Routes::new(Echo::load(folder)?).prepare();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    ready(listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        let (tls, routes) = (Arc::clone(&tls), routes.clone());
        let limits = config.limits.clone();
        tokio::spawn(async move {
            if let Err(error) = speak(stream, &tls, routes, &limits).await {
                eprintln!("connection ended: {error}");
            }
        });
    }
}

async fn speak(stream: TcpStream, tls: &Tls, routes: Routes, limits: &Limits) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let stream = tls.acceptor().accept(stream).await?;
    let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let mut routes = routes.clone();
        async move {
            let answered = routes.call(request.map(Body::new)).await;
            Ok::<_, Infallible>(answered.unwrap_or_else(|never| match never {}))
        }
    });
    let stream = Lingering::new(stream, Duration::from_secs(1));
    Ok(connection::http2(limits).serve_connection(TokioIo::new(stream), service).await?)
}

/// An echo on tonic's own server with its defaults.
pub async fn echo_tonic(folder: &Path) -> Result<(), Failure> {
    let read = |name: &str| std::fs::read(folder.join(name));
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(read("server.pem")?, read("server.key")?))
        .client_ca_root(Certificate::from_pem(read("root.pem")?));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    ready(listener.local_addr()?.port());
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = Server::builder().tls_config(tls)?.add_service(Echo::load(folder)?);
    Ok(server.serve_with_incoming(incoming).await?)
}

/// Says the port; from now on the end of standard input is the end.
fn ready(port: u16) {
    println!("{port}");
    std::thread::spawn(|| {
        let mut rest = Vec::new();
        drop(std::io::stdin().read_to_end(&mut rest));
        std::process::exit(0);
    });
}
