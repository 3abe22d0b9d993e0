//! The field and logistics: two systems that lease the work of orders and report it.

use eservices::fulfilment::v1::{
    self as pb, ActivationCompleted, AddBoxesRequest, BoxReturned, BoxShipped, Capability,
    ConstructionStarted, InterventionOk, LeaseWorkRequest, LeasedWork, ReportWorkRequest, ReportWorkResponse,
    report_work_request::Report,
};
use eservices_client::{Client, new_request_id};
use tonic::Status;

use super::World;

/// Both systems, each with its role.
pub struct Field {
    pub workforce: Client,
    pub logistics: Client,
}

impl Field {
    /// Capacity of `places` a slot, and `boxes` in stock: `BX-0001` on.
    pub async fn set(world: &World, places: u32, boxes: usize) -> Self {
        let workforce = world.capacity(places).await;
        let logistics = world.client(&world.system("logistics", &["logistics"]).await).await;
        let field = Self { workforce, logistics };
        if boxes > 0 {
            field.stock(boxes).await;
        }
        field
    }

    /// So many boxes in stock: `BX-0001` on.
    pub async fn stock(&self, boxes: usize) {
        let serials = (1..=boxes).map(|n| format!("BX-{n:04}")).collect();
        let request = AddBoxesRequest { request_id: new_request_id(), serials };
        self.logistics.work().add_boxes(request).await.unwrap();
    }

    /// The system that a kind of work is for.
    pub fn of(&self, capability: Capability) -> &Client {
        match capability {
            Capability::Shipping | Capability::Returns => &self.logistics,
            _ => &self.workforce,
        }
    }

    /// Leases the one piece of work of a kind that there is.
    pub async fn lease(&self, capability: Capability) -> LeasedWork {
        let found = lease(self.of(capability), capability, 20).await.unwrap();
        let [item] = &found[..] else { panic!("{capability:?}: {found:?}") };
        item.clone()
    }

    /// Leases the one piece of work of a kind and reports of it.
    pub async fn does(&self, capability: Capability, report: Report) -> ReportWorkResponse {
        let item = self.lease(capability).await;
        say(self.of(capability), &item, report).await.unwrap()
    }

    /// Keeps a lease alive; the work as it is now.
    pub async fn kept(&self, item: &LeasedWork) -> LeasedWork {
        let request = pb::ExtendLeaseRequest { request_id: new_request_id(), leases: vec![handle(item)] };
        let answer = self.of(item.details.as_ref().unwrap().capability()).work().extend_lease(request).await;
        let [kept] = &answer.unwrap().into_inner().items[..] else { panic!("one lease, one item") };
        kept.clone()
    }

    /// Delivers the one order that is under way.
    pub async fn deliver(&self, serial: &str, pto: &str) {
        self.deliver_all(&[serial], &[pto]).await;
    }

    /// Delivers the orders that are under way, oldest first, step by step.
    pub async fn deliver_all(&self, serials: &[&str], ptos: &[&str]) {
        let all = async |capability| lease(self.of(capability), capability, 20).await.unwrap();
        let (parcels, visits) = (all(Capability::Shipping).await, all(Capability::Installation).await);
        assert_eq!((parcels.len(), visits.len()), (serials.len(), ptos.len()));
        for (parcel, serial) in parcels.iter().zip(serials) {
            say(&self.logistics, parcel, shipped(serial)).await.unwrap();
        }
        for (visit, pto) in visits.iter().zip(ptos) {
            say(&self.workforce, visit, started()).await.unwrap();
            say(&self.workforce, visit, installed(pto)).await.unwrap();
        }
        for item in all(Capability::Activation).await {
            say(&self.workforce, &item, completed()).await.unwrap();
        }
    }
}

/// Leases work of one kind.
pub async fn lease(client: &Client, capability: Capability, most: u32) -> Result<Vec<LeasedWork>, Status> {
    let request = lease_request(capability, most);
    client.work().lease_work(request).await.map(|answer| answer.into_inner().items)
}

pub fn lease_request(capability: Capability, max_items: u32) -> LeaseWorkRequest {
    LeaseWorkRequest {
        request_id: new_request_id(),
        capability: capability.into(),
        departments: Vec::new(),
        max_items,
        worker_id: "worker-1".into(),
    }
}

/// What names a lease.
pub fn handle(item: &LeasedWork) -> pb::Lease {
    pb::Lease { work_id: item.work_id.clone(), fencing_token: item.fencing_token }
}

pub fn report_request(item: &LeasedWork, report: Report) -> ReportWorkRequest {
    ReportWorkRequest {
        request_id: new_request_id(),
        work_id: item.work_id.clone(),
        fencing_token: item.fencing_token,
        comment: String::new(),
        report: Some(report),
    }
}

/// Reports of a lease.
pub async fn say(client: &Client, item: &LeasedWork, report: Report) -> Result<ReportWorkResponse, Status> {
    client.work().report_work(report_request(item, report)).await.map(tonic::Response::into_inner)
}

pub fn shipped(serial: &str) -> Report {
    Report::BoxShipped(BoxShipped { parcel_number: "XW161155304JB".into(), box_serial: serial.into() })
}

pub fn started() -> Report {
    Report::ConstructionStarted(ConstructionStarted {})
}

pub fn installed(pto: &str) -> Report {
    Report::InterventionOk(InterventionOk {
        ont_serial: "HWTC0172629D".into(),
        pto: pto.into(),
        received_power_dbm: Some(-18.4),
        optical_loss_db: None,
    })
}

pub fn absent() -> Report {
    Report::CustomerAbsent(pb::CustomerAbsent { code: "FCLI07".into() })
}

pub fn failed(code: &str) -> Report {
    Report::InterventionFailed(pb::InterventionFailed { code: code.into() })
}

pub fn completed() -> Report {
    Report::Completed(ActivationCompleted {})
}

pub fn not_activated(code: &str) -> Report {
    Report::ActivationFailed(pb::ActivationFailed { code: code.into() })
}

pub fn lost(serial: &str) -> Report {
    Report::BoxLost(pb::BoxLost { box_serial: serial.into() })
}

pub fn not_shipped(code: &str) -> Report {
    Report::ShippingFailed(pb::ShippingFailed { code: code.into() })
}

pub fn disconnected() -> Report {
    Report::Disconnected(pb::AccessDisconnected {})
}

pub fn returned(serial: &str) -> Report {
    Report::BoxReturned(BoxReturned { box_serial: serial.into() })
}
