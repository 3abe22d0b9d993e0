//! One request a mutating method, and what it does, written by hand. A method without one fails the test.

use eservices::{
    appointments::v1::{CancelAppointmentRequest, HoldAppointmentRequest, RescheduleAppointmentRequest},
    fulfilment::v1::{
        AddBoxesRequest, Capability, CommentOrderRequest, DayCapacity, ExtendLeaseRequest,
        InterventionFailed, Lease, LeaseWorkRequest, PublishCapacityRequest, PublishZonesRequest,
        ReleaseLeaseRequest, ReplanAppointmentRequest, ReportWorkRequest, SlotCapacity, Zone,
        report_work_request::Report,
    },
    orders::v1::{
        AddCommentRequest, CancelOrderRequest, CreateOrderRequest, EraseContactRequest, ExchangeBoxRequest,
        FindAddressHolderRequest, Order, RetakeAppointmentRequest, TerminateAccessRequest,
    },
    reference::v1::{
        CancelImportRequest, RemoveReleaseRequest, RollBackReleaseRequest, ServeReleaseRequest,
        StartImportRequest,
    },
    sandbox::v1::{
        AdvanceClockRequest, ResetAppointmentsRequest, SetClockSpeedRequest, advance_clock_request::Target,
    },
};
use prost::Message as _;

use super::Effect;
use crate::harness::{day_after, intervention, orders::new_order, slot_id};

/// What a caller acts on: an operator's appointment, held in the first slot of J+8, and its order, if the method is about
/// one; of a system an operator's order and the lease of its visit, and releases.
#[derive(Clone, Default)]
pub struct Setting {
    pub reference: String,
    pub etag: String,
    pub order: Order,
    pub lease: Lease,
    /// Of the store, not served: what the caller acts on, and another one.
    pub releases: [String; 2],
}

/// Which kind of caller a method is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Operator,
    System,
}

type Body = fn(&Setting, &str) -> Vec<u8>;

/// A request, another one with the same id, and the effect of the first.
pub struct Example {
    pub who: Who,
    pub body: Body,
    /// None where the body is the id alone.
    pub other_body: Option<Body>,
    pub effect: Effect,
}

/// Each call: one replay row, one event, one audit line.
const ONE: Effect = Effect {
    requests: 1,
    events: 1,
    audit_lines: 1,
    appointments: 0,
    alive: 0,
    versions: 0,
    booked_first: 0,
    booked: 0,
    slots: 0,
    zones: 0,
    orders: 0,
    order_versions: 0,
    entries: 0,
    contacts: 0,
    addresses: 0,
    fibres: 0,
    work: 0,
    leases: 0,
    boxes: 0,
    clock: 0,
    imports: 0,
    activations: 0,
    removed: 0,
};

pub fn example(path: &str) -> Example {
    let example =
        |who, body: Body, other: Body, effect| Example { who, body, other_body: Some(other), effect };
    let operator = |body: Body, other: Body, effect: Effect| example(Who::Operator, body, other, effect);
    let system = |body: Body, other: Body, effect: Effect| example(Who::System, body, other, effect);
    match path {
        "/eservices.appointments.v1.AppointmentService/HoldAppointment" => operator(
            |_, id| hold(id, &slot_id(8, "08:00")),
            |_, id| hold(id, &slot_id(8, "13:00")),
            Effect { appointments: 1, alive: 1, versions: 1, booked_first: 1, booked: 1, ..ONE },
        ),
        "/eservices.appointments.v1.AppointmentService/RescheduleAppointment" => operator(
            |setting, id| reschedule(setting, id, &slot_id(9, "08:00")),
            |setting, id| reschedule(setting, id, &slot_id(9, "13:00")),
            Effect { versions: 1, booked_first: -1, ..ONE },
        ),
        "/eservices.appointments.v1.AppointmentService/CancelAppointment" => operator(
            |setting, id| cancel(setting, id, &setting.etag),
            |setting, id| cancel(setting, id, "7"),
            Effect { alive: -1, versions: 1, booked_first: -1, booked: -1, ..ONE },
        ),
        // The holds of both operators end after 1,800 s: two lapse, each with an event and a line of its own.
        "/eservices.sandbox.v1.SandboxService/AdvanceClock" => operator(
            |_, id| advance(id, 1_860),
            |_, id| advance(id, 1_861),
            Effect {
                events: 3,
                audit_lines: 3,
                alive: -2,
                versions: 2,
                booked_first: -2,
                booked: -2,
                clock: 1_860,
                ..ONE
            },
        ),
        "/eservices.sandbox.v1.SandboxService/SetClockSpeed" => {
            operator(|_, id| speed(id, 60.0), |_, id| speed(id, 61.0), ONE)
        }
        "/eservices.sandbox.v1.SandboxService/ResetAppointments" => Example {
            who: Who::Operator,
            body: |_, id| ResetAppointmentsRequest { request_id: id.to_owned() }.encode_to_vec(),
            other_body: None,
            effect: Effect { events: 2, alive: -1, versions: 1, booked_first: -1, booked: -1, ..ONE },
        },
        "/eservices.fulfilment.v1.FulfilmentService/PublishZones" => {
            system(|_, id| zones(id, "Brie"), |_, id| zones(id, "Autre"), Effect { zones: 1, ..ONE })
        }
        // Today: two days later the same request would be refused for its form.
        "/eservices.fulfilment.v1.FulfilmentService/PublishCapacity" => {
            system(|_, id| capacity(id, 1), |_, id| capacity(id, 2), Effect { slots: 1, ..ONE })
        }
        // The end of the import is an event and a line too.
        "/eservices.reference.v1.ReferenceService/StartImport" => system(
            |_, id| import(id, false),
            |_, id| import(id, true),
            Effect { events: 2, audit_lines: 2, imports: 1, ..ONE },
        ),
        "/eservices.reference.v1.ReferenceService/CancelImport" => system(
            |_, id| cancel_import(id, IMPORT),
            |_, id| cancel_import(id, "7d444840-9dc0-11d1-b245-5ffdce74fad2"),
            ONE,
        ),
        "/eservices.reference.v1.ReferenceService/ServeRelease" => system(
            |setting, id| serve(id, &setting.releases[0]),
            |setting, id| serve(id, &setting.releases[1]),
            Effect { activations: 1, ..ONE },
        ),
        "/eservices.reference.v1.ReferenceService/RollBackRelease" => Example {
            who: Who::System,
            body: |_, id| RollBackReleaseRequest { request_id: id.to_owned() }.encode_to_vec(),
            other_body: None,
            effect: Effect { activations: 1, ..ONE },
        },
        "/eservices.reference.v1.ReferenceService/RemoveRelease" => system(
            |setting, id| remove(id, &setting.releases[0]),
            |setting, id| remove(id, &setting.releases[1]),
            Effect { removed: 1, ..ONE },
        ),
        // The order's appointment is announced on its own.
        "/eservices.orders.v1.OrderService/CreateOrder" => operator(
            |setting, id| create_order(setting, id, "ALPHA-1"),
            |setting, id| create_order(setting, id, "ALPHA-2"),
            Effect {
                events: 2,
                audit_lines: 2,
                versions: 1,
                orders: 1,
                order_versions: 1,
                entries: 1,
                contacts: 1,
                addresses: 1,
                fibres: 1,
                work: 2,
                ..ONE
            },
        ),
        "/eservices.orders.v1.OrderService/CancelOrder" => operator(
            |setting, id| cancel_order(setting, id, &setting.order.etag),
            |setting, id| cancel_order(setting, id, "7"),
            Effect {
                events: 2,
                audit_lines: 2,
                alive: -1,
                versions: 1,
                booked: -1,
                order_versions: 1,
                entries: 1,
                addresses: -1,
                fibres: -1,
                work: -2,
                ..ONE
            },
        ),
        "/eservices.orders.v1.OrderService/RetakeAppointment" => operator(
            |setting, id| retake(setting, id, &setting.order.etag),
            |setting, id| retake(setting, id, "7"),
            Effect { events: 2, audit_lines: 2, versions: 1, order_versions: 1, entries: 1, work: 1, ..ONE },
        ),
        "/eservices.orders.v1.OrderService/AddComment" => operator(
            |setting, id| comment(setting, id, "Call before you come."),
            |setting, id| comment(setting, id, "Ring twice."),
            Effect { order_versions: 1, entries: 1, ..ONE },
        ),
        "/eservices.orders.v1.OrderService/EraseContact" => operator(
            |setting, id| erase(id, &setting.order.number),
            |_, id| erase(id, "CMD000000000000"),
            Effect { order_versions: 1, entries: 1, contacts: -1, ..ONE },
        ),
        // A question that leaves its trace, and changes nothing.
        "/eservices.orders.v1.OrderService/FindAddressHolder" => operator(
            |setting, id| find_holder(setting, id, 1_795_510_800),
            |setting, id| find_holder(setting, id, 1_795_510_801),
            Effect { events: 0, ..ONE },
        ),
        "/eservices.orders.v1.OrderService/TerminateAccess" => operator(
            |setting, id| terminate(setting, id, "ALPHA-2"),
            |setting, id| terminate(setting, id, "ALPHA-3"),
            Effect { orders: 1, order_versions: 1, entries: 1, work: 1, ..ONE },
        ),
        "/eservices.orders.v1.OrderService/ExchangeBox" => operator(
            |setting, id| exchange(setting, id, "ALPHA-2"),
            |setting, id| exchange(setting, id, "ALPHA-3"),
            Effect { orders: 1, order_versions: 1, entries: 1, contacts: 1, work: 1, ..ONE },
        ),
        "/eservices.fulfilment.v1.WorkService/LeaseWork" => {
            system(|_, id| lease(id, "a"), |_, id| lease(id, "b"), Effect { leases: 1, ..ONE })
        }
        // The operator and the system are told, each with a line.
        "/eservices.fulfilment.v1.FulfilmentService/ReplanAppointment" => system(
            |setting, id| replan(setting, id, &slot_id(9, "08:00")),
            |setting, id| replan(setting, id, &slot_id(9, "13:00")),
            Effect { events: 2, audit_lines: 2, versions: 1, booked_first: -1, ..ONE },
        ),
        "/eservices.fulfilment.v1.WorkService/ExtendLease" => {
            system(|setting, id| extend(setting, id, 1), |setting, id| extend(setting, id, 2), ONE)
        }
        "/eservices.fulfilment.v1.WorkService/ReleaseLease" => {
            system(|setting, id| release(setting, id, 1), |setting, id| release(setting, id, 2), ONE)
        }
        // The owner is told of its order, the system of its work; the order ends, and its box is not sent.
        "/eservices.fulfilment.v1.WorkService/ReportWork" => system(
            |setting, id| report(setting, id, "FINT04"),
            |setting, id| report(setting, id, "FINT05"),
            Effect {
                // The order, its appointment, the work.
                events: 3,
                audit_lines: 3,
                alive: -1,
                versions: 1,
                booked: -1,
                order_versions: 1,
                entries: 1,
                addresses: -1,
                fibres: -1,
                work: -2,
                ..ONE
            },
        ),
        "/eservices.fulfilment.v1.WorkService/CommentOrder" => system(
            |setting, id| comment_order(setting, id, "Key at the keeper's."),
            |setting, id| comment_order(setting, id, "Second door."),
            Effect { events: 2, audit_lines: 2, order_versions: 1, entries: 1, ..ONE },
        ),
        "/eservices.fulfilment.v1.WorkService/AddBoxes" => {
            system(|_, id| boxes(id, 2), |_, id| boxes(id, 3), Effect { boxes: 2, ..ONE })
        }
        _ => panic!("{path} changes something and has no example here: write one, and its effect"),
    }
}

/// The import that the stage wrote.
const IMPORT: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

fn import(id: &str, dry_run: bool) -> Vec<u8> {
    let files = vec!["T_77_ESVC_PM_IPEZMD_V30_20261105.csv".into(), "structure.csv".into()];
    StartImportRequest { request_id: id.into(), files, serve_when_done: false, dry_run }.encode_to_vec()
}

fn cancel_import(id: &str, import_id: &str) -> Vec<u8> {
    CancelImportRequest { request_id: id.into(), import_id: import_id.into() }.encode_to_vec()
}

fn serve(id: &str, release: &str) -> Vec<u8> {
    ServeReleaseRequest { request_id: id.into(), release: release.into() }.encode_to_vec()
}

fn remove(id: &str, release: &str) -> Vec<u8> {
    RemoveReleaseRequest { request_id: id.into(), release: release.into() }.encode_to_vec()
}

fn hold(id: &str, slot: &str) -> Vec<u8> {
    HoldAppointmentRequest { request_id: id.into(), intervention: Some(intervention()), slot_id: slot.into() }
        .encode_to_vec()
}

fn reschedule(setting: &Setting, id: &str, slot: &str) -> Vec<u8> {
    RescheduleAppointmentRequest {
        request_id: id.into(),
        reference: setting.reference.clone(),
        etag: setting.etag.clone(),
        slot_id: slot.into(),
    }
    .encode_to_vec()
}

fn replan(setting: &Setting, id: &str, slot: &str) -> Vec<u8> {
    ReplanAppointmentRequest {
        request_id: id.into(),
        appointment_reference: setting.reference.clone(),
        etag: setting.etag.clone(),
        slot_id: slot.into(),
    }
    .encode_to_vec()
}

fn cancel(setting: &Setting, id: &str, etag: &str) -> Vec<u8> {
    CancelAppointmentRequest {
        request_id: id.into(),
        reference: setting.reference.clone(),
        etag: etag.into(),
    }
    .encode_to_vec()
}

fn advance(id: &str, seconds: i64) -> Vec<u8> {
    let by = prost_types::Duration { seconds, nanos: 0 };
    AdvanceClockRequest { request_id: id.into(), target: Some(Target::By(by)) }.encode_to_vec()
}

fn speed(id: &str, speed: f64) -> Vec<u8> {
    SetClockSpeedRequest { request_id: id.into(), speed }.encode_to_vec()
}

fn zones(id: &str, label: &str) -> Vec<u8> {
    let zone = Zone { code: "ZBRI".into(), label: label.into(), commune_codes: vec!["77379".into()] };
    PublishZonesRequest { request_id: id.into(), zones: vec![zone] }.encode_to_vec()
}

fn capacity(id: &str, places: u32) -> Vec<u8> {
    let slot = SlotCapacity { start_time: "08:00".into(), end_time: "12:00".into(), capacity: places };
    PublishCapacityRequest {
        request_id: id.into(),
        zone_code: "ZMLV".into(),
        days: vec![DayCapacity { day: day_after(0), slots: vec![slot] }],
    }
    .encode_to_vec()
}

fn create_order(setting: &Setting, id: &str, operator_reference: &str) -> Vec<u8> {
    let order = Some(new_order(operator_reference, &setting.reference));
    CreateOrderRequest { request_id: id.into(), order }.encode_to_vec()
}

fn cancel_order(setting: &Setting, id: &str, etag: &str) -> Vec<u8> {
    let number = setting.order.number.clone();
    CancelOrderRequest { request_id: id.into(), number, etag: etag.into() }.encode_to_vec()
}

fn retake(setting: &Setting, id: &str, etag: &str) -> Vec<u8> {
    RetakeAppointmentRequest {
        request_id: id.into(),
        number: setting.order.number.clone(),
        etag: etag.into(),
        appointment_reference: setting.reference.clone(),
    }
    .encode_to_vec()
}

fn comment(setting: &Setting, id: &str, text: &str) -> Vec<u8> {
    let number = setting.order.number.clone();
    AddCommentRequest { request_id: id.into(), number, comment: text.into() }.encode_to_vec()
}

fn erase(id: &str, number: &str) -> Vec<u8> {
    EraseContactRequest { request_id: id.into(), number: number.into() }.encode_to_vec()
}

fn find_holder(setting: &Setting, id: &str, seconds: i64) -> Vec<u8> {
    FindAddressHolderRequest {
        request_id: id.into(),
        ipv4: setting.order.ipv4.clone(),
        at_time: Some(prost_types::Timestamp { seconds, nanos: 0 }),
    }
    .encode_to_vec()
}

fn terminate(setting: &Setting, id: &str, operator_reference: &str) -> Vec<u8> {
    let request = TerminateAccessRequest {
        request_id: id.into(),
        aid: setting.order.aid.clone(),
        operator_reference: operator_reference.into(),
        ..Default::default()
    };
    request.encode_to_vec()
}

fn exchange(setting: &Setting, id: &str, operator_reference: &str) -> Vec<u8> {
    let new = new_order("", "");
    let request = ExchangeBoxRequest {
        request_id: id.into(),
        aid: setting.order.aid.clone(),
        operator_reference: operator_reference.into(),
        contact: new.contact,
        delivery_address: new.delivery_address,
        ..Default::default()
    };
    request.encode_to_vec()
}

fn lease(id: &str, worker_id: &str) -> Vec<u8> {
    let request = LeaseWorkRequest {
        request_id: id.into(),
        capability: Capability::Installation.into(),
        max_items: 1,
        worker_id: worker_id.into(),
        ..Default::default()
    };
    request.encode_to_vec()
}

fn leases(setting: &Setting, token: i64) -> Vec<Lease> {
    vec![Lease { fencing_token: token, ..setting.lease.clone() }]
}

fn extend(setting: &Setting, id: &str, token: i64) -> Vec<u8> {
    ExtendLeaseRequest { request_id: id.into(), leases: leases(setting, token) }.encode_to_vec()
}

fn release(setting: &Setting, id: &str, token: i64) -> Vec<u8> {
    ReleaseLeaseRequest { request_id: id.into(), leases: leases(setting, token) }.encode_to_vec()
}

fn report(setting: &Setting, id: &str, code: &str) -> Vec<u8> {
    let request = ReportWorkRequest {
        request_id: id.into(),
        work_id: setting.lease.work_id.clone(),
        fencing_token: setting.lease.fencing_token,
        comment: String::new(),
        report: Some(Report::InterventionFailed(InterventionFailed { code: code.into() })),
    };
    request.encode_to_vec()
}

fn comment_order(setting: &Setting, id: &str, text: &str) -> Vec<u8> {
    let number = setting.order.number.clone();
    CommentOrderRequest { request_id: id.into(), number, comment: text.into() }.encode_to_vec()
}

fn boxes(id: &str, count: usize) -> Vec<u8> {
    // Each request its own boxes.
    let serials = (0..count).map(|n| format!("BX-{}-{n}", id[..8].to_uppercase())).collect();
    AddBoxesRequest { request_id: id.into(), serials }.encode_to_vec()
}
