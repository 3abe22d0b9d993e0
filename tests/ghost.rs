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
};
use eservices_client::{Client, new_request_id};
use prost::Message as _;
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use rustls::version::TLS13;
use tonic::{Code, Status};
use tonic_types::pb;

use crate::harness::{
    ALL, Identity, SIRENS, World, database, hold, hold_request, intervention, raw::Raw, reason, slot_id,
};

/// A request about the object of this id; the version is that of `of`.
type Example = fn(id: &str, of: &Appointment) -> Vec<u8>;

/// Every field that names an object: method, path of the field, message that it names, example.
const EXAMPLES: &[(&str, &str, &str, Example)] = &[
    (
        "/eservices.appointments.v1.AppointmentService/RescheduleAppointment",
        "reference",
        "eservices.appointments.v1.Appointment",
        |id, of| {
            let request = RescheduleAppointmentRequest {
                request_id: new_request_id(),
                reference: id.into(),
                etag: of.etag.clone(),
                slot_id: slot_id(10, "08:00"),
            };
            request.encode_to_vec()
        },
    ),
    (
        "/eservices.appointments.v1.AppointmentService/CancelAppointment",
        "reference",
        "eservices.appointments.v1.Appointment",
        |id, of| {
            let request = CancelAppointmentRequest {
                request_id: new_request_id(),
                reference: id.into(),
                etag: of.etag.clone(),
            };
            request.encode_to_vec()
        },
    ),
    (
        "/eservices.appointments.v1.AppointmentService/GetAppointment",
        "reference",
        "eservices.appointments.v1.Appointment",
        |id, _| GetAppointmentRequest { reference: id.into() }.encode_to_vec(),
    ),
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

/// A reference of the same form and length that nobody has: its twelve digits turned round.
fn absent(like: &str) -> String {
    let head = like.strip_suffix("-ERDV").unwrap();
    let (head, digits) = head.split_at(head.len() - 12);
    let other: String = digits.bytes().map(|b| char::from(b'0' + b'9' - b)).collect();
    format!("{head}{other}-ERDV")
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

#[tokio::test]
async fn a_foreign_object_answers_like_none_at_all() {
    let world = World::start().await;
    world.capacity(9).await;
    let owner_identity = world.operator(SIRENS[0], ALL).await;
    let owner = world.client(&owner_identity).await;
    let ghost = world.operator(SIRENS[1], ALL).await;
    let public_only = world.operator(SIRENS[2], &["e-rdv-grand-public"]).await;
    let copper =
        Intervention { product_nature: "CELAN".into(), access_id: "F00000021".into(), ..intervention() };

    let held = hold(&owner, &slot_id(8, "08:00")).await;
    let business = hold_as(&owner, &slot_id(8, "13:00"), copper.clone()).await;
    let cancelled = cancel(&owner, &hold(&owner, &slot_id(9, "08:00")).await).await;
    assert_eq!(cancelled.state(), AppointmentState::Cancelled);
    let before = state(&world).await;
    for (path, _, _, example) in EXAMPLES {
        for caller in [&ghost, &public_only] {
            for foreign in [&held, &business, &cancelled] {
                // The true version, and one that is stale: neither may show.
                for of in [foreign.clone(), Appointment { etag: "99".into(), ..foreign.clone() }] {
                    let nobody = absent(&foreign.reference);
                    assert_eq!(nobody.len(), foreign.reference.len());
                    let real =
                        seen(&world, caller, path, &example(&foreign.reference, &of), &foreign.reference)
                            .await;
                    let none = seen(&world, caller, path, &example(&nobody, &of), &nobody).await;
                    assert_eq!(real, none, "{path}: {}", foreign.reference);
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
    for (path, _, _, example) in EXAMPLES {
        for what in [intervention(), copper.clone()] {
            let own = hold_as(&owner, &slot_id(11, "08:00"), what).await;
            let mut raw =
                Raw::open(world.address, world.pki.root.certificate_pem(), Some(&owner_identity), &[&TLS13])
                    .await
                    .unwrap();
            let answer = raw.call(path, &example(&own.reference, &own)).await.unwrap();
            assert_eq!(answer.status().code(), Code::Ok, "{path}: {:?}", answer.status());
        }
    }
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
