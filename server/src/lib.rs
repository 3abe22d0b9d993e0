//! The eservices server: a platform of shared rooms, one slice per e-service, and the commands of the binary.
//!
//! [`routes`] is where the slices meet the platform; [`Server`] is what runs.

pub mod addresses;
pub mod appointments;
pub mod commands;
pub mod eligibility;
pub mod events;
pub mod fulfilment;
pub mod identity;
pub mod orders;
pub mod platform;
pub mod reference;
pub mod sandbox;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use eservices::{
    addresses::v1::address_service_server::AddressServiceServer,
    appointments::v1::appointment_service_server::AppointmentServiceServer,
    eligibility::v1::eligibility_service_server::EligibilityServiceServer,
    fulfilment::v1::{
        fulfilment_service_server::FulfilmentServiceServer, work_service_server::WorkServiceServer,
    },
    identity::v1::identity_service_server::IdentityServiceServer,
    orders::v1::order_service_server::OrderServiceServer,
    reference::v1::reference_service_server::ReferenceServiceServer,
    sandbox::v1::sandbox_service_server::SandboxServiceServer,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::service::Routes;

use self::platform::{Platform, connection, housekeeping, pipeline::Pipeline, revisions, tls::Tls};

/// A generated server with the configured message limits.
macro_rules! limited {
    ($server:ident, $slice:ident, $platform:expr) => {
        limited!($server, $slice::Service, $platform)
    };
    ($server:ident, $slice:ident::$service:ident, $platform:expr) => {{
        let limits = &$platform.config.limits;
        $server::new($slice::$service(Arc::clone($platform)))
            .max_decoding_message_size(limits.max_request_bytes)
            .max_encoding_message_size(limits.max_answer_bytes)
    }};
}

/// Every e-service: one line each.
#[must_use]
pub fn routes(platform: &Arc<Platform>) -> Routes {
    let mut routes = Routes::builder();
    routes
        .add_service(limited!(IdentityServiceServer, identity, platform))
        .add_service(limited!(AddressServiceServer, addresses, platform))
        .add_service(limited!(EligibilityServiceServer, eligibility, platform))
        .add_service(limited!(AppointmentServiceServer, appointments, platform))
        .add_service(events::Service::new(platform))
        .add_service(limited!(OrderServiceServer, orders, platform))
        .add_service(limited!(FulfilmentServiceServer, fulfilment, platform))
        .add_service(limited!(WorkServiceServer, fulfilment::WorkService, platform))
        .add_service(limited!(ReferenceServiceServer, reference, platform))
        .add_service(limited!(SandboxServiceServer, sandbox, platform));
    routes.routes()
}

/// A server that runs.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it stands on.
    pub platform: Arc<Platform>,
    tasks: Vec<JoinHandle<()>>,
}

/// Serves `routes`, health and reflection on `listener`.
pub async fn start(
    listener: TcpListener,
    platform: Arc<Platform>,
    tls: Arc<Tls>,
    routes: Routes,
) -> Result<Server, tonic_reflection::server::Error> {
    let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
    let (health, health_service) = tonic_health::server::health_reporter();
    for service in eservices::METHODS.iter().filter_map(|m| m.path.split('/').nth(1)) {
        health.set_service_status(service, tonic_health::ServingStatus::Serving).await;
    }
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(eservices::DESCRIPTORS)
    };
    let most = platform.config.limits.max_request_bytes;
    let routes = routes
        .add_service(health_service.max_decoding_message_size(most))
        .add_service(reflection().build_v1()?.max_decoding_message_size(most))
        .add_service(reflection().build_v1alpha()?.max_decoding_message_size(most));
    let pipeline = Pipeline::new(Arc::clone(&platform), routes.prepare());
    let every = Duration::from_millis(platform.config.timings.tls_poll_millis);
    let tasks = vec![
        tokio::spawn(Arc::clone(&tls).watch(every, platform.draining.clone())),
        tokio::spawn(housekeeping::run(Arc::clone(&platform))),
        tokio::spawn(revisions::run(Arc::clone(&platform))),
        tokio::spawn(appointments::sweep(Arc::clone(&platform))),
        tokio::spawn(orders::sweep(Arc::clone(&platform))),
        tokio::spawn(reference::sweep(Arc::clone(&platform))),
        tokio::spawn(connection::serve(listener, Arc::clone(&platform), tls, pipeline)),
    ];
    Ok(Server { address, platform, tasks })
}

impl Server {
    /// Takes no new work, finishes what is under way, and closes the database; answers how many units of work it had to leave.
    ///
    /// Calls get `timings.drain_seconds`, what they left behind gets as long again: a database that does not answer must not
    /// keep the process. What a work did not commit is undone.
    pub async fn stop(mut self) -> usize {
        self.platform.draining.cancel();
        let patience = Duration::from_secs(self.platform.config.timings.drain_seconds) * 2;
        let platform = Arc::clone(&self.platform);
        let all = async {
            for task in &mut self.tasks {
                if let Err(error) = task.await {
                    tracing::error!(%error, "a task of the server failed");
                }
            }
            platform.tasks.close();
            platform.tasks.wait().await;
            platform.db.close().await;
        };
        if tokio::time::timeout(patience, all).await.is_ok() {
            return 0;
        }
        self.tasks.iter().for_each(JoinHandle::abort);
        let left = platform.tasks.len();
        tracing::warn!(
            left,
            "stopped without waiting longer: units of work were left, or the database did not close"
        );
        left
    }
}
