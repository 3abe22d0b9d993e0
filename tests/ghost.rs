//! The ghost tenant: what belongs to another operator answers as if it did not exist.
//!
//! The fields that name an object are found in the descriptors; an example request a method is written here by hand, and a
//! field without one fails.

use std::collections::BTreeMap;

use eservices::{
    appointments::v1::{
        Appointment, AppointmentState, CancelAppointmentRequest, GetAppointmentRequest, Intervention,
        ListAppointmentsRequest, RescheduleAppointmentRequest,
    },
    fulfilment::v1::ListZoneBookingsRequest,
    orders::v1::{
        AddCommentRequest, CancelOrderRequest, CreateOrderRequest, EraseContactRequest, ExchangeBoxRequest,
        GetOrderRequest, ListOrdersRequest, Order, OrderState, RetakeAppointmentRequest,
        TerminateAccessRequest,
    },
};
use eservices_client::{Client, new_request_id};
use prost::Message as _;
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use rustls::version::TLS13;
use tonic::{Code, Status};
use tonic_types::pb;

use crate::harness::{
    ALL, Identity, SIRENS, World, database, field::Field, hold, hold_request, intervention, orders,
    orders::place, raw::Raw, reason, slot_id,
};

/// A request about the object of this id in that version.
type Example = fn(id: &str, etag: &str) -> Vec<u8>;

const APPOINTMENT: &str = "eservices.appointments.v1.Appointment";
const ORDER: &str = "eservices.orders.v1.Order";
const ACCESS: &str = "eservices.orders.v1.Access";

/// Every field that names an object: method, path of the field, message that it names, example.
const EXAMPLES: &[(&str, &str, &str, Example)] = &[
    (
        "/eservices.appointments.v1.AppointmentService/RescheduleAppointment",
        "reference",
        APPOINTMENT,
        |id, etag| {
            let request = RescheduleAppointmentRequest {
                request_id: new_request_id(),
                reference: id.into(),
                etag: etag.into(),
                slot_id: slot_id(10, "08:00"),
            };
            request.encode_to_vec()
        },
    ),
    (
        "/eservices.appointments.v1.AppointmentService/CancelAppointment",
        "reference",
        APPOINTMENT,
        |id, etag| {
            let request = CancelAppointmentRequest {
                request_id: new_request_id(),
                reference: id.into(),
                etag: etag.into(),
            };
            request.encode_to_vec()
        },
    ),
    ("/eservices.appointments.v1.AppointmentService/GetAppointment", "reference", APPOINTMENT, |id, _| {
        GetAppointmentRequest { reference: id.into() }.encode_to_vec()
    }),
    ("/eservices.orders.v1.OrderService/CancelOrder", "number", ORDER, |id, etag| {
        let (request_id, number) = (new_request_id(), id.into());
        CancelOrderRequest { request_id, number, etag: etag.into() }.encode_to_vec()
    }),
    ("/eservices.orders.v1.OrderService/RetakeAppointment", "number", ORDER, |id, etag| {
        let request = RetakeAppointmentRequest {
            request_id: new_request_id(),
            number: id.into(),
            etag: etag.into(),
            appointment_reference: "ITP-DOA-20261124-482910057713-ERDV".into(),
        };
        request.encode_to_vec()
    }),
    ("/eservices.orders.v1.OrderService/AddComment", "number", ORDER, |id, _| {
        let (request_id, number) = (new_request_id(), id.into());
        AddCommentRequest { request_id, number, comment: "Call before you come.".into() }.encode_to_vec()
    }),
    ("/eservices.orders.v1.OrderService/TerminateAccess", "aid", ACCESS, |id, etag| {
        let request = TerminateAccessRequest {
            request_id: new_request_id(),
            aid: id.into(),
            // Another one each time that the owner calls.
            operator_reference: format!("GHOST-{etag}"),
            ..Default::default()
        };
        request.encode_to_vec()
    }),
    ("/eservices.orders.v1.OrderService/ExchangeBox", "aid", ACCESS, |id, etag| {
        let new = orders::new_order("", "");
        let request = ExchangeBoxRequest {
            request_id: new_request_id(),
            aid: id.into(),
            operator_reference: format!("GHOST-{etag}"),
            contact: new.contact,
            delivery_address: new.delivery_address,
            ..Default::default()
        };
        request.encode_to_vec()
    }),
    ("/eservices.orders.v1.OrderService/EraseContact", "number", ORDER, |id, _| {
        EraseContactRequest { request_id: new_request_id(), number: id.into() }.encode_to_vec()
    }),
    ("/eservices.orders.v1.OrderService/GetOrder", "number", ORDER, |id, _| {
        GetOrderRequest { number: id.into() }.encode_to_vec()
    }),
];

/// Text fields of requests that look like the id of an object and are none of an operator's: the caller's own words,
/// places of the reference, and what the wholesaler publishes for all.
const NO_OBJECTS: &[&str] = &[
    "e_services",
    "kinds",
    // A filter: a foreign object has no events for the caller, as an absent one has none.
    "resources",
    "resume_token",
    "address",
    "ban_id",
    "complement",
    "hexacle",
    "imbs",
    "number",
    "prefix",
    "street_hexacle",
    "street_id",
    "text",
    "access_id",
    "appointment_type",
    "code",
    "commune_code",
    "commune_codes",
    "day",
    "as_of_day",
    "first_day",
    "last_day",
    "preferred_day",
    "start_time",
    "end_time",
    "aid",
    "appointment_reference",
    "batiment",
    "box_serial",
    "comment",
    "commune",
    "departments",
    "escalier",
    "etage",
    "first_name",
    "ipv4",
    "last_name",
    "offer_code",
    "ont_serial",
    "operator_reference",
    "order_number",
    "other_phone",
    "parcel_number",
    "phone",
    "pm",
    "postcode",
    "qualification_reference",
    "scenario",
    "serials",
    "street",
    "etag",
    "imb",
    "label",
    "offer_codes",
    "operation",
    "page_token",
    "product_nature",
    "pto",
    "request_id",
    "slot_id",
    "street_code",
    "street_number",
    "work_id",
    "worker_id",
    "zone_code",
    "files",
    "from_release",
    "import_id",
    "release",
    "to_release",
];

/// Calls `visit` with each field below a message and its path.
fn fields(message: &MessageDescriptor, path: &str, visit: &mut impl FnMut(&str, &FieldDescriptor)) {
    for field in message.fields() {
        let path = if path.is_empty() { field.name().to_owned() } else { format!("{path}.{}", field.name()) };
        visit(&path, &field);
        if let Kind::Message(below) = field.kind()
            && below.full_name().starts_with("eservices.")
        {
            fields(&below, &path, visit);
        }
    }
}

#[test]
fn every_field_that_names_an_object_has_an_example() {
    let pool = DescriptorPool::decode(eservices::DESCRIPTORS).unwrap();
    let policy = pool.get_extension_by_name("eservices.policy.v1.field").unwrap();
    let mut found = Vec::new();
    for method in pool.services().flat_map(|s| s.methods().collect::<Vec<_>>()) {
        let rpc = format!("/{}/{}", method.parent_service().full_name(), method.name());
        fields(&method.input(), "", &mut |path, field| {
            let options = field.options();
            let value = options.get_extension(&policy);
            let names = value.as_message().and_then(|m| m.get_field_by_name("names_object"));
            let names = names.and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
            if !names.is_empty() {
                found.push((rpc.clone(), path.to_owned(), names));
            } else if field.kind() == Kind::String {
                assert!(NO_OBJECTS.contains(&field.name()), "{rpc}: {path}: does it name an object?");
            }
        });
    }
    let expected = EXAMPLES
        .iter()
        .map(|(rpc, path, names, _)| ((*rpc).to_owned(), (*path).to_owned(), (*names).to_owned()));
    let mut expected: Vec<_> = expected.collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

/// All that a caller can see of a refusal, with the id asked for and the call's id blanked.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    http_status: u16,
    headers: BTreeMap<String, String>,
    code: Code,
    message: String,
    reason: String,
    domain: String,
    metadata: BTreeMap<String, String>,
    other_details: Vec<(String, Vec<u8>)>,
    metadata_of_the_status: BTreeMap<String, String>,
}

const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

async fn seen(world: &World, caller: &Identity, path: &str, message: &[u8], id: &str) -> Seen {
    let mut raw =
        Raw::open(world.address, world.pki.root.certificate_pem(), Some(caller), &[&TLS13]).await.unwrap();
    let answer = raw.call(path, message).await.unwrap();
    let status = answer.status();
    let blank = |text: &str| text.replace(id, "<id>");
    let details = pb::Status::decode(status.details()).unwrap().details;
    let (infos, others): (Vec<_>, Vec<_>) = details.into_iter().partition(|d| d.type_url == ERROR_INFO);
    let [info] = infos.as_slice() else { panic!("{path}: {infos:?}") };
    let info = pb::ErrorInfo::decode(info.value.as_slice()).unwrap();
    let call_id = info.metadata["request_id"].clone();
    let plain = |name: &str, value: &str| match name {
        "date" | "grpc-status-details-bin" => "<varies>".to_owned(),
        _ => blank(value).replace(&call_id, "<call>"),
    };
    let all = |map: &http::HeaderMap| -> BTreeMap<String, String> {
        map.iter().map(|(k, v)| (k.to_string(), plain(k.as_str(), v.to_str().unwrap()))).collect()
    };
    Seen {
        http_status: answer.http_status,
        headers: all(&answer.headers),
        code: status.code(),
        message: blank(status.message()),
        reason: info.reason,
        domain: info.domain,
        metadata: info
            .metadata
            .into_iter()
            .map(|(k, v)| (k, blank(&v).replace(&call_id, "<call>")))
            .collect(),
        other_details: others.into_iter().map(|d| (d.type_url, d.value)).collect(),
        metadata_of_the_status: all(&status.metadata().clone().into_headers()),
    }
}

/// What is written of everybody's appointments and of the calls of one party.
async fn state(world: &World) -> Vec<String> {
    let text = "SELECT reference || ' ' || party_id || ' ' || state || ' ' || slot_id || ' ' || \
                CAST(version AS TEXT) || ' ' || CAST(changes AS TEXT) FROM appointments ORDER BY reference";
    let mut all = database::texts(&world.platform.db, text).await;
    let orders = "SELECT number || ' ' || party_id || ' ' || state || ' ' || appointment_ref || ' ' || \
                  CAST(version AS TEXT) || ' ' || CAST(entries AS TEXT) FROM orders ORDER BY number";
    all.extend(database::texts(&world.platform.db, orders).await);
    all.extend(
        database::texts(
            &world.platform.db,
            "SELECT party_id || ' ' || CAST(revision AS TEXT) || ' ' || CAST(audit_length AS TEXT) FROM parties \
             ORDER BY party_id",
        )
        .await,
    );
    all.extend(
        database::texts(
            &world.platform.db,
            "SELECT slot_id || ' ' || CAST(booked AS TEXT) FROM appointments_slots ORDER BY slot_id",
        )
        .await,
    );
    all.push(database::number(&world.platform.db, "SELECT COUNT(*) FROM requests").await.to_string());
    all
}

/// An id of the same form and length that nobody has: its last digits turned round.
fn absent(like: &str) -> String {
    let bare = like.strip_suffix("-ERDV").unwrap_or(like);
    let (head, digits) = bare.split_at(bare.trim_end_matches(|c: char| c.is_ascii_digit()).len());
    let other: String = digits.bytes().map(|b| char::from(b'0' + b'9' - b)).collect();
    format!("{head}{other}{}", &like[bare.len()..])
}

async fn cancel(client: &Client, appointment: &Appointment) -> Appointment {
    let request = CancelAppointmentRequest {
        request_id: new_request_id(),
        reference: appointment.reference.clone(),
        etag: appointment.etag.clone(),
    };
    client.appointments().cancel_appointment(request).await.unwrap().into_inner().appointment.unwrap()
}

async fn hold_as(client: &Client, slot: &str, what: Intervention) -> Appointment {
    let request = eservices::appointments::v1::HoldAppointmentRequest {
        intervention: Some(what),
        ..hold_request(slot)
    };
    client.appointments().hold_appointment(request).await.unwrap().into_inner().appointment.unwrap()
}

async fn call(world: &World, caller: &Identity, path: &str, message: &[u8]) -> Status {
    let mut raw =
        Raw::open(world.address, world.pki.root.certificate_pem(), Some(caller), &[&TLS13]).await.unwrap();
    raw.call(path, message).await.unwrap().status()
}

/// The owner's orders: one under way, one that wants an appointment, one that is over.
async fn orders_of(world: &World, owner: &Identity, client: &Client) -> [Order; 3] {
    let live = place(client, "ALPHA-1", &slot_id(8, "08:00")).await;
    let waiting = place(client, "ALPHA-2", &slot_id(8, "08:00")).await;
    let waiting = orders::absent(world, &owner.party_id, &waiting.number).await;
    assert_eq!(waiting.state(), OrderState::AppointmentToRetake);
    let over = place(client, "ALPHA-3", &slot_id(8, "08:00")).await;
    let over = orders::cancelled(client, over).await;
    assert_eq!(over.state(), OrderState::Failed);
    [live, waiting, over]
}

#[tokio::test]
async fn a_foreign_object_answers_like_none_at_all() {
    let world = World::start().await;
    world.capacity(9).await;
    let owner_identity = world.operator(SIRENS[0], ALL).await;
    let owner = world.client(&owner_identity).await;
    let ghost = world.operator(SIRENS[1], ALL).await;
    let other_rights = world.operator(SIRENS[2], &["e-rdv-grand-public", "e-just"]).await;
    let copper =
        Intervention { product_nature: "CELAN".into(), access_id: "F00000021".into(), ..intervention() };

    let held = hold(&owner, &slot_id(8, "08:00")).await;
    let business = hold_as(&owner, &slot_id(8, "13:00"), copper.clone()).await;
    let cancelled = cancel(&owner, &hold(&owner, &slot_id(9, "08:00")).await).await;
    assert_eq!(cancelled.state(), AppointmentState::Cancelled);
    let mut objects: Vec<(&str, String, String)> =
        [held, business, cancelled].map(|a| (APPOINTMENT, a.reference, a.etag)).into();
    objects.extend(orders_of(&world, &owner_identity, &owner).await.map(|o| (ORDER, o.number, o.etag)));
    let before = state(&world).await;
    for (path, _, names, example) in EXAMPLES {
        for caller in [&ghost, &other_rights] {
            for (_, foreign, etag) in objects.iter().filter(|(of, ..)| of == names) {
                // The true version, and one that is stale: neither may show.
                for etag in [etag, "99"] {
                    let nobody = absent(foreign);
                    assert_eq!(nobody.len(), foreign.len());
                    let real = seen(&world, caller, path, &example(foreign, etag), foreign).await;
                    let none = seen(&world, caller, path, &example(&nobody, etag), &nobody).await;
                    assert_eq!(real, none, "{path}: {foreign}");
                    assert_eq!(
                        (real.code, real.reason.as_str()),
                        (Code::NotFound, "RESOURCE_NOT_FOUND"),
                        "{path}"
                    );
                    assert_eq!(real.metadata["resource_name"], "<id>", "{path}");
                    assert_eq!(real.other_details, [], "{path}");
                }
            }
        }
    }
    assert_eq!(state(&world).await, before, "a refusal has no effect");
    // The owner's same call succeeds: on an object of each nature, made for the method.
    for (path, _, _, example) in EXAMPLES.iter().filter(|(_, _, names, _)| *names == APPOINTMENT) {
        for what in [intervention(), copper.clone()] {
            let own = hold_as(&owner, &slot_id(11, "08:00"), what).await;
            let status = call(&world, &owner_identity, path, &example(&own.reference, &own.etag)).await;
            assert_eq!(status.code(), Code::Ok, "{path}: {status:?}");
        }
    }
    for (path, _, _, example) in EXAMPLES.iter().filter(|(_, _, names, _)| *names == ORDER) {
        let mut own = place(&owner, path.rsplit_once('/').unwrap().1, &slot_id(13, "08:00")).await;
        let mut message = example(&own.number, &own.etag);
        if path.ends_with("/EraseContact") {
            own = orders::cancelled(&owner, own).await;
        }
        if path.ends_with("/RetakeAppointment") {
            own = orders::absent(&world, &owner_identity.party_id, &own.number).await;
            let mut request = RetakeAppointmentRequest::decode(&*example(&own.number, &own.etag)).unwrap();
            request.appointment_reference = hold(&owner, &slot_id(14, "08:00")).await.reference;
            message = request.encode_to_vec();
        }
        let status = call(&world, &owner_identity, path, &message).await;
        assert_eq!(status.code(), Code::Ok, "{path}: {status:?}");
    }
}

/// Another box, then the end of an access: of another operator's nothing shows, delivered or pending.
#[tokio::test]
async fn a_foreign_access_answers_like_none_at_all() {
    let world = World::start().await;
    let field = Field::set(&world, 9, 1).await;
    let owner_identity = world.operator(SIRENS[0], ALL).await;
    let owner = world.client(&owner_identity).await;
    let ghost = world.operator(SIRENS[1], ALL).await;
    let other_rights = world.operator(SIRENS[2], &["e-just"]).await;
    let delivered = place(&owner, "ALPHA-1", &slot_id(8, "08:00")).await;
    field.deliver("BX-0001", "FI-0A1B-2C3D").await;
    let before = state(&world).await;
    let examples = EXAMPLES.iter().filter(|(_, _, names, _)| *names == ACCESS);
    for (path, _, _, example) in examples.clone() {
        for caller in [&ghost, &other_rights] {
            let (foreign, nobody) = (&delivered.aid, &absent(&delivered.aid));
            assert_eq!((nobody.len(), nobody == foreign), (foreign.len(), false));
            let real = seen(&world, caller, path, &example(foreign, "1"), foreign).await;
            let none = seen(&world, caller, path, &example(nobody, "1"), nobody).await;
            assert_eq!(real, none, "{path}");
            assert_eq!((real.code, real.reason.as_str()), (Code::NotFound, "RESOURCE_NOT_FOUND"), "{path}");
            assert_eq!(real.metadata["resource_name"], "<id>", "{path}");
            assert_eq!(real.other_details, [], "{path}");
        }
    }
    assert_eq!(state(&world).await, before, "a refusal has no effect");
    for (n, (path, _, _, example)) in examples.enumerate() {
        let status = call(&world, &owner_identity, path, &example(&delivered.aid, &n.to_string())).await;
        assert_eq!(status.code(), Code::Ok, "{path}: {status:?}");
        // What was asked for is given up again: one order on an access at a time.
        let listed = owner.orders().list_orders(ListOrdersRequest::default()).await.unwrap();
        let open = listed.into_inner().orders.into_iter().find(|o| o.state() == OrderState::InProgress);
        orders::cancelled(&owner, open.unwrap()).await;
    }
}

/// An order quotes an appointment, and names itself: what another operator has of that does not show.
#[tokio::test]
async fn an_order_sees_nothing_of_another_operator() {
    const CREATE: &str = "/eservices.orders.v1.OrderService/CreateOrder";
    let world = World::start().await;
    world.capacity(9).await;
    let owner = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let ghost = world.operator(SIRENS[1], ALL).await;
    let ghost_client = world.client(&ghost).await;
    let held = hold(&owner, &slot_id(8, "08:00")).await.reference;
    let placed = place(&owner, "ALPHA-1", &slot_id(8, "08:00")).await;
    let waiting = place(&ghost_client, "ALPHA-1", &slot_id(8, "13:00")).await;
    assert_ne!(placed.number, waiting.number);
    let waiting = orders::absent(&world, &ghost.party_id, &waiting.number).await;
    let before = state(&world).await;
    let create = |appointment: &str| {
        let order = Some(orders::new_order("ALPHA-2", appointment));
        CreateOrderRequest { request_id: new_request_id(), order }.encode_to_vec()
    };
    let retake = |appointment: &str| {
        let request = RetakeAppointmentRequest {
            request_id: new_request_id(),
            number: waiting.number.clone(),
            etag: waiting.etag.clone(),
            appointment_reference: appointment.into(),
        };
        request.encode_to_vec()
    };
    const RETAKE: &str = "/eservices.orders.v1.OrderService/RetakeAppointment";
    for foreign in [&held, &placed.appointment_reference] {
        let nobody = absent(foreign);
        for (path, real, none) in
            [(CREATE, create(foreign), create(&nobody)), (RETAKE, retake(foreign), retake(&nobody))]
        {
            let real = seen(&world, &ghost, path, &real, foreign).await;
            assert_eq!(real, seen(&world, &ghost, path, &none, &nobody).await, "{path}: {foreign}");
            assert_eq!(
                (real.code, real.reason.as_str()),
                (Code::FailedPrecondition, "APPOINTMENT_UNKNOWN"),
                "{path}"
            );
        }
    }
    assert_eq!(state(&world).await, before, "a refusal has no effect");
}

#[tokio::test]
async fn a_foreign_request_id_is_not_known_either() {
    let world = World::start().await;
    world.capacity(3).await;
    let owner = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let ghost = world.client(&world.operator(SIRENS[1], ALL).await).await;
    let request = hold_request(&slot_id(8, "08:00"));
    let theirs = owner
        .appointments()
        .hold_appointment(request.clone())
        .await
        .unwrap()
        .into_inner()
        .appointment
        .unwrap();
    let mine =
        ghost.appointments().hold_appointment(request).await.unwrap().into_inner().appointment.unwrap();
    assert_ne!(theirs.reference, mine.reference);
    let held = "SELECT COUNT(*) FROM appointments WHERE state = 'held'";
    assert_eq!(database::number(&world.platform.db, held).await, 2);
}

/// Code, reason and violations of a refused page token, without the call's id.
fn token_refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String, Vec<(String, String)>) {
    let status = answer.unwrap_err();
    let error = eservices_client::Error::from(status.clone());
    let violations = error.field_violations().into_iter().map(|v| (v.field, v.description)).collect();
    (status.code(), reason(Err::<(), _>(status)), violations)
}

/// A token of the second page of the caller's appointments.
async fn list_of_appointments(client: &Client) -> String {
    let request = ListAppointmentsRequest { page_size: 1, ..ListAppointmentsRequest::default() };
    client.appointments().list_appointments(request).await.unwrap().into_inner().next_page_token
}

#[tokio::test]
async fn a_page_token_of_another_is_garbage() {
    let world = World::start().await;
    let capacity = world.capacity(5).await;
    let owner = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let ghost = world.client(&world.operator(SIRENS[1], ALL).await).await;
    for client in [&owner, &owner, &ghost, &ghost] {
        hold(client, &slot_id(8, "08:00")).await;
    }
    let list = |token: &str| ListAppointmentsRequest {
        page_size: 1,
        page_token: token.into(),
        ..ListAppointmentsRequest::default()
    };
    let first = owner.appointments().list_appointments(list("")).await.unwrap().into_inner();
    let token = first.next_page_token.as_str();
    assert!(!token.is_empty());
    let garbage = "ab".repeat(token.len() / 2);
    let foreign = token_refusal(ghost.appointments().list_appointments(list(token)).await);
    assert_eq!(foreign, token_refusal(ghost.appointments().list_appointments(list(&garbage)).await));
    assert_eq!((foreign.0, foreign.1.as_str()), (Code::InvalidArgument, "FIELDS_INVALID"));
    assert_eq!(foreign.2.iter().map(|(field, _)| field.as_str()).collect::<Vec<_>>(), ["page_token"]);
    let second = owner.appointments().list_appointments(list(token)).await.unwrap().into_inner();
    assert_ne!(first.appointments[0].reference, second.appointments[0].reference);

    for n in 0..4 {
        let client = if n < 2 { &owner } else { &ghost };
        place(client, &format!("ALPHA-{n}"), &slot_id(9, "08:00")).await;
    }
    let list = |token: &str| ListOrdersRequest {
        page_size: 1,
        page_token: token.into(),
        ..ListOrdersRequest::default()
    };
    let first = owner.orders().list_orders(list("")).await.unwrap().into_inner();
    let order_token = first.next_page_token.as_str();
    let foreign = token_refusal(ghost.orders().list_orders(list(order_token)).await);
    // Garbage, and a token of the caller's own that is of another list.
    let of_appointments = list_of_appointments(&ghost).await;
    for other in [&garbage, &of_appointments] {
        assert_eq!(foreign, token_refusal(ghost.orders().list_orders(list(other)).await));
    }
    assert_eq!((foreign.0, foreign.1.as_str()), (Code::InvalidArgument, "FIELDS_INVALID"));
    assert_eq!(foreign.2.iter().map(|(field, _)| field.as_str()).collect::<Vec<_>>(), ["page_token"]);
    let second = owner.orders().list_orders(list(order_token)).await.unwrap().into_inner();
    assert_ne!(first.orders[0].number, second.orders[0].number);

    let other_system = world.client(&world.system("planning", &["workforce"]).await).await;
    let bookings = |token: &str| ListZoneBookingsRequest {
        zone_code: "ZMLV".into(),
        day: crate::harness::day_after(8),
        page_size: 1,
        page_token: token.into(),
    };
    let first = capacity.fulfilment().list_zone_bookings(bookings("")).await.unwrap().into_inner();
    let token = first.next_page_token.as_str();
    let foreign = token_refusal(other_system.fulfilment().list_zone_bookings(bookings(token)).await);
    assert_eq!(
        foreign,
        token_refusal(other_system.fulfilment().list_zone_bookings(bookings(&garbage)).await)
    );
    assert_eq!(foreign.1, "FIELDS_INVALID");
    let second = capacity.fulfilment().list_zone_bookings(bookings(token)).await.unwrap().into_inner();
    assert_ne!(first.bookings[0].reference, second.bookings[0].reference);
}
