//! The client: one accessor per service of the contract. Knows no method and no message.

use eservices::{
    addresses::v1::address_service_client::AddressServiceClient,
    appointments::v1::appointment_service_client::AppointmentServiceClient,
    eligibility::v1::eligibility_service_client::EligibilityServiceClient,
    fulfilment::v1::{
        fulfilment_service_client::FulfilmentServiceClient, work_service_client::WorkServiceClient,
    },
    identity::v1::identity_service_client::IdentityServiceClient,
    orders::v1::order_service_client::OrderServiceClient,
    reference::v1::reference_service_client::ReferenceServiceClient,
    sandbox::v1::sandbox_service_client::SandboxServiceClient,
};

use crate::{Builder, Events, Transport};

/// The largest answer that is read, bytes: the server sends no larger one.
const MAX_ANSWER: usize = 4 << 20;

/// A client of one server, over one HTTP/2 connection that comes back by itself when it breaks.
///
/// Cloning is cheap and shares the connection and the retry budget; accessors may be called for every call.
#[derive(Clone, Debug)]
pub struct Client {
    transport: Transport,
}

impl Client {
    /// Starts to describe a client of the server at `endpoint`, for instance `https://localhost:50051`.
    #[must_use]
    pub fn builder(endpoint: impl Into<String>) -> Builder {
        Builder::new(endpoint.into())
    }

    pub(crate) const fn new(transport: Transport) -> Self {
        Self { transport }
    }

    /// Who the caller is and what it may do.
    #[must_use]
    pub fn identity(&self) -> IdentityServiceClient<Transport> {
        IdentityServiceClient::new(self.transport()).max_decoding_message_size(MAX_ANSWER)
    }

    /// Addresses, and the structure of the buildings that stand there (TAO).
    #[must_use]
    pub fn addresses(&self) -> AddressServiceClient<Transport> {
        AddressServiceClient::new(self.transport()).max_decoding_message_size(MAX_ANSWER)
    }

    /// May this place have that offer, and why.
    #[must_use]
    pub fn eligibility(&self) -> EligibilityServiceClient<Transport> {
        EligibilityServiceClient::new(self.transport()).max_decoding_message_size(MAX_ANSWER)
    }

    /// Appointments with a technician (e-RDV).
    #[must_use]
    pub fn appointments(&self) -> AppointmentServiceClient<Transport> {
        AppointmentServiceClient::new(self.transport()).max_decoding_message_size(MAX_ANSWER)
    }

    /// What changes for the operator, as it happens (the Watch).
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.transport())
    }

    /// Orders of accesses (e-Just Fibre, e-Just).
    #[must_use]
    pub fn orders(&self) -> OrderServiceClient<Transport> {
        OrderServiceClient::new(self.transport()).max_decoding_message_size(MAX_ANSWER)
    }

    /// Zones, capacity and bookings, for the wholesaler's back office.
    #[must_use]
    pub fn fulfilment(&self) -> FulfilmentServiceClient<Transport> {
        FulfilmentServiceClient::new(self.transport()).max_decoding_message_size(MAX_ANSWER)
    }

    /// Work of orders, its reports and the stock of boxes, for the wholesaler's back office.
    #[must_use]
    pub fn work(&self) -> WorkServiceClient<Transport> {
        WorkServiceClient::new(self.transport()).max_decoding_message_size(MAX_ANSWER)
    }

    /// Imports and releases of the reference data, for the wholesaler's back office.
    #[must_use]
    pub fn reference(&self) -> ReferenceServiceClient<Transport> {
        ReferenceServiceClient::new(self.transport()).max_decoding_message_size(MAX_ANSWER)
    }

    /// The sandbox: business clock and reset, outside production only.
    #[must_use]
    pub fn sandbox(&self) -> SandboxServiceClient<Transport> {
        SandboxServiceClient::new(self.transport()).max_decoding_message_size(MAX_ANSWER)
    }

    /// What every accessor sends its calls through, for generated clients that this crate has no accessor for (health,
    /// reflection). A method that the contract does not know gets the deadline and no retry.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.transport.clone()
    }
}
