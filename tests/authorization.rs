//! Who may call what: every method, every way to have no right to it, TLS 1.2 and 1.3.
//!
//! Methods come from the descriptors; what is expected of each is written here by hand. A method that is in one of the two
//! only fails.

use std::{sync::atomic::Ordering, time::Duration};

use eservices::{
    METHODS, Method, Retry,
    appointments::v1::{
        Appointment, CancelAppointmentRequest, GetAppointmentRequest, HoldAppointmentRequest, Intervention,
        ListAppointmentsRequest, RescheduleAppointmentRequest, SearchSlotsRequest,
    },
};
use eservices_client::{Client, new_request_id};
use eservices_server::platform::{
    access::STATIC_METHODS,
    config::Environment,
    pki::{KeySource, Profile, Validity},
    registry::{self, Holder, NewSystem, Registration, Status as Standing},
};
use http_body_util::BodyExt as _;
use jiff::SignedDuration;
use rustls::{
    SupportedProtocolVersion,
    version::{TLS12, TLS13},
};
use tokio::{io::AsyncReadExt as _, time::timeout};
use tonic::{Code, Status};

use crate::harness::{
    ALL, Identity, Plan, SIRENS, World, database, hold, intervention, issue, raw, raw::Raw, real_now, reason,
    refusal, slot_id,
};

/// Whom a method is for.
#[derive(Clone, Copy, Debug)]
enum For {
    /// Every registered certificate.
    Any,
    /// Operators that hold one of these.
    Operator(&'static [&'static str]),
    /// Workforce systems.
    Workforce,
    /// Systems that keep the reference data.
    Reference,
    /// Systems of logistics.
    Logistics,
    /// Both: the kind of work decides.
    Field,
}

const E_RDV: For = For::Operator(&["e-rdv-grand-public", "e-rdv-entreprise"]);

/// The e-services of production that have events.
const WATCH: For = For::Operator(&["e-rdv-grand-public", "e-rdv-entreprise", "e-just-fibre", "e-just"]);
const ORDERS: For = For::Operator(&["e-just-fibre", "e-just"]);
const TAO_OR_ELIGIBILITY: For = For::Operator(&["tao", "eligibilite"]);
const TAO: For = For::Operator(&["tao"]);

/// Who may enter, by hand.
const MATRIX: &[(&str, For)] = &[
    ("/eservices.addresses.v1.AddressService/SearchAddresses", TAO_OR_ELIGIBILITY),
    ("/eservices.addresses.v1.AddressService/CompleteAddress", TAO_OR_ELIGIBILITY),
    ("/eservices.addresses.v1.AddressService/ListCommunes", TAO_OR_ELIGIBILITY),
    ("/eservices.addresses.v1.AddressService/ListStreets", TAO_OR_ELIGIBILITY),
    ("/eservices.addresses.v1.AddressService/ListNumbers", TAO_OR_ELIGIBILITY),
    ("/eservices.addresses.v1.AddressService/TranslateAddress", TAO),
    ("/eservices.addresses.v1.AddressService/ExportStructure", TAO),
    ("/eservices.identity.v1.IdentityService/WhoAmI", For::Any),
    ("/eservices.eligibility.v1.EligibilityService/CheckEligibility", For::Operator(&["eligibilite"])),
    ("/eservices.appointments.v1.AppointmentService/GetBookingForm", E_RDV),
    ("/eservices.appointments.v1.AppointmentService/SearchSlots", E_RDV),
    ("/eservices.appointments.v1.AppointmentService/HoldAppointment", E_RDV),
    ("/eservices.appointments.v1.AppointmentService/RescheduleAppointment", E_RDV),
    ("/eservices.appointments.v1.AppointmentService/CancelAppointment", E_RDV),
    ("/eservices.appointments.v1.AppointmentService/GetAppointment", E_RDV),
    ("/eservices.appointments.v1.AppointmentService/ListAppointments", E_RDV),
    ("/eservices.events.v1.EventService/WatchEvents", WATCH),
    ("/eservices.orders.v1.OrderService/ValidateOrder", ORDERS),
    ("/eservices.orders.v1.OrderService/CreateOrder", ORDERS),
    ("/eservices.orders.v1.OrderService/CancelOrder", ORDERS),
    ("/eservices.orders.v1.OrderService/RetakeAppointment", ORDERS),
    ("/eservices.orders.v1.OrderService/AddComment", ORDERS),
    ("/eservices.orders.v1.OrderService/TerminateAccess", ORDERS),
    ("/eservices.orders.v1.OrderService/ExchangeBox", ORDERS),
    ("/eservices.orders.v1.OrderService/EraseContact", ORDERS),
    ("/eservices.orders.v1.OrderService/FindAddressHolder", ORDERS),
    ("/eservices.orders.v1.OrderService/GetOrder", ORDERS),
    ("/eservices.orders.v1.OrderService/ListOrders", ORDERS),
    ("/eservices.orders.v1.OrderService/ExportOrders", ORDERS),
    ("/eservices.orders.v1.OrderService/CountOrders", ORDERS),
    ("/eservices.orders.v1.OrderService/GetOrderLifecycle", ORDERS),
    ("/eservices.fulfilment.v1.FulfilmentService/PublishZones", For::Workforce),
    ("/eservices.fulfilment.v1.FulfilmentService/PublishCapacity", For::Workforce),
    ("/eservices.fulfilment.v1.FulfilmentService/ReplanAppointment", For::Workforce),
    ("/eservices.fulfilment.v1.FulfilmentService/ListZoneBookings", For::Workforce),
    ("/eservices.fulfilment.v1.WorkService/LeaseWork", For::Field),
    ("/eservices.fulfilment.v1.WorkService/ExtendLease", For::Field),
    ("/eservices.fulfilment.v1.WorkService/ReleaseLease", For::Field),
    ("/eservices.fulfilment.v1.WorkService/ReportWork", For::Field),
    ("/eservices.fulfilment.v1.WorkService/ListWork", For::Field),
    ("/eservices.fulfilment.v1.WorkService/CommentOrder", For::Field),
    ("/eservices.fulfilment.v1.WorkService/AddBoxes", For::Logistics),
    ("/eservices.reference.v1.ReferenceService/ListInboxFiles", For::Reference),
    ("/eservices.reference.v1.ReferenceService/StartImport", For::Reference),
    ("/eservices.reference.v1.ReferenceService/GetImport", For::Reference),
    ("/eservices.reference.v1.ReferenceService/ListImports", For::Reference),
    ("/eservices.reference.v1.ReferenceService/CancelImport", For::Reference),
    ("/eservices.reference.v1.ReferenceService/ListImportProblems", For::Reference),
    ("/eservices.reference.v1.ReferenceService/ListReleases", For::Reference),
    ("/eservices.reference.v1.ReferenceService/GetRelease", For::Reference),
    ("/eservices.reference.v1.ReferenceService/CompareReleases", For::Reference),
    ("/eservices.reference.v1.ReferenceService/ServeRelease", For::Reference),
    ("/eservices.reference.v1.ReferenceService/RollBackRelease", For::Reference),
    ("/eservices.reference.v1.ReferenceService/RemoveRelease", For::Reference),
    ("/eservices.sandbox.v1.SandboxService/AdvanceClock", For::Operator(&["sandbox-clock"])),
    ("/eservices.sandbox.v1.SandboxService/SetClockSpeed", For::Operator(&["sandbox-clock"])),
    ("/eservices.sandbox.v1.SandboxService/ResetAppointments", For::Operator(&["sandbox"])),
    ("/grpc.health.v1.Health/Check", For::Any),
    ("/grpc.health.v1.Health/Watch", For::Any),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", For::Any),
    ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", For::Any),
];

/// (method, right), as a reviewer reads it: `!` changes something, `†` outside production only.
const RIGHTS: &str = "\
AddressService/CompleteAddress operator with tao or eligibilite
AddressService/ExportStructure operator with tao
AddressService/ListCommunes operator with tao or eligibilite
AddressService/ListNumbers operator with tao or eligibilite
AddressService/ListStreets operator with tao or eligibilite
AddressService/SearchAddresses operator with tao or eligibilite
AddressService/TranslateAddress operator with tao
AppointmentService/CancelAppointment ! operator with e-rdv-grand-public or e-rdv-entreprise
AppointmentService/GetAppointment operator with e-rdv-grand-public or e-rdv-entreprise
AppointmentService/GetBookingForm operator with e-rdv-grand-public or e-rdv-entreprise
AppointmentService/HoldAppointment ! operator with e-rdv-grand-public or e-rdv-entreprise
AppointmentService/ListAppointments operator with e-rdv-grand-public or e-rdv-entreprise
AppointmentService/RescheduleAppointment ! operator with e-rdv-grand-public or e-rdv-entreprise
AppointmentService/SearchSlots operator with e-rdv-grand-public or e-rdv-entreprise
EligibilityService/CheckEligibility operator with eligibilite
EventService/WatchEvents operator with e-rdv-grand-public or e-rdv-entreprise or e-just-fibre or e-just
FulfilmentService/ListZoneBookings back office with workforce
FulfilmentService/PublishCapacity ! back office with workforce
FulfilmentService/PublishZones ! back office with workforce
FulfilmentService/ReplanAppointment ! back office with workforce
Health/Check any
Health/Watch any
IdentityService/WhoAmI any
OrderService/AddComment ! operator with e-just-fibre or e-just
OrderService/CancelOrder ! operator with e-just-fibre or e-just
OrderService/CountOrders operator with e-just-fibre or e-just
OrderService/CreateOrder ! operator with e-just-fibre or e-just
OrderService/EraseContact ! operator with e-just-fibre or e-just
OrderService/ExchangeBox ! operator with e-just-fibre or e-just
OrderService/ExportOrders operator with e-just-fibre or e-just
OrderService/FindAddressHolder ! operator with e-just-fibre or e-just
OrderService/GetOrder operator with e-just-fibre or e-just
OrderService/GetOrderLifecycle operator with e-just-fibre or e-just
OrderService/ListOrders operator with e-just-fibre or e-just
OrderService/RetakeAppointment ! operator with e-just-fibre or e-just
OrderService/TerminateAccess ! operator with e-just-fibre or e-just
OrderService/ValidateOrder operator with e-just-fibre or e-just
ReferenceService/CancelImport ! back office with reference
ReferenceService/CompareReleases back office with reference
ReferenceService/GetImport back office with reference
ReferenceService/GetRelease back office with reference
ReferenceService/ListImportProblems back office with reference
ReferenceService/ListImports back office with reference
ReferenceService/ListInboxFiles back office with reference
ReferenceService/ListReleases back office with reference
ReferenceService/RemoveRelease ! back office with reference
ReferenceService/RollBackRelease ! back office with reference
ReferenceService/ServeRelease ! back office with reference
ReferenceService/StartImport ! back office with reference
SandboxService/AdvanceClock ! † operator with sandbox-clock
SandboxService/ResetAppointments ! † operator with sandbox
SandboxService/SetClockSpeed ! † operator with sandbox-clock
ServerReflection/ServerReflectionInfo any
ServerReflection/ServerReflectionInfo any
WorkService/AddBoxes ! back office with logistics
WorkService/CommentOrder ! back office with workforce or logistics
WorkService/ExtendLease ! back office with workforce or logistics
WorkService/LeaseWork ! back office with workforce or logistics
WorkService/ListWork back office with workforce or logistics
WorkService/ReleaseLease ! back office with workforce or logistics
WorkService/ReportWork ! back office with workforce or logistics";

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// What a caller is told.
#[derive(Clone, Copy, Debug)]
enum Told {
    /// It gets in, whatever the answer.
    In,
    /// Code and reason.
    Refused(Code, &'static str),
}

use Told::{In, Refused};

const BACK_OFFICE_ONLY: Told = Refused(Code::PermissionDenied, "BACK_OFFICE_ONLY");
const OPERATORS_ONLY: Told = Refused(Code::PermissionDenied, "OPERATORS_ONLY");
const ROLE_MISSING: Told = Refused(Code::PermissionDenied, "ROLE_MISSING");
const NOT_SUBSCRIBED: Told = Refused(Code::PermissionDenied, "E_SERVICE_NOT_SUBSCRIBED");
const NOT_IN_CERTIFICATE: Told = Refused(Code::PermissionDenied, "E_SERVICE_NOT_IN_CERTIFICATE");
const SUSPENDED: Told = Refused(Code::PermissionDenied, "CALLER_SUSPENDED");
const NON_PRODUCTION_ONLY: Told = Refused(Code::PermissionDenied, "NON_PRODUCTION_ONLY");
const UNREGISTERED: Told = Refused(Code::Unauthenticated, "CERTIFICATE_UNREGISTERED");
const REVOKED: Told = Refused(Code::Unauthenticated, "CERTIFICATE_REVOKED");
const WRONG_ENVIRONMENT: Told = Refused(Code::Unauthenticated, "WRONG_ENVIRONMENT");

/// Whoever waits longer waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);

fn operator() -> Holder {
    Holder::operator(SIRENS[0]).unwrap()
}

fn for_a_year() -> Validity {
    Validity::days(real_now(), 397).unwrap()
}

/// What has been handed to a service so far.
fn entered(world: &World) -> u64 {
    world.platform.entered.load(Ordering::Relaxed)
}

/// Lines that calls leave behind.
async fn traces(world: &World) -> i64 {
    let text = "SELECT (SELECT COUNT(*) FROM requests) + (SELECT COUNT(*) FROM events) + (SELECT COUNT(*) FROM audit) \
                + (SELECT COUNT(*) FROM appointments) + (SELECT COUNT(*) FROM orders) + (SELECT COUNT(*) FROM appointments_zones)";
    database::number(&world.platform.db, text).await
}

async fn open(
    world: &World,
    identity: Option<&Identity>,
    version: &'static SupportedProtocolVersion,
) -> Result<Raw, String> {
    Raw::open(world.address, world.pki.root.certificate_pem(), identity, &[version])
        .await
        .map_err(|e| format!("{e:?}"))
}

/// The first thing that an answer says: a status, or OK with the first message.
async fn ask(raw: &mut Raw, path: &str) -> Result<Status, String> {
    timeout(PATIENCE, async {
        let failed = |e: hyper::Error| format!("{e:?}");
        raw.sender.ready().await.map_err(failed)?;
        let response = raw.sender.send_request(raw::grpc(path, raw::framed(b""))).await.map_err(failed)?;
        let (head, mut body) = response.into_parts();
        if let Some(status) = Status::from_header_map(&head.headers) {
            return Ok(status);
        }
        let frame = body.frame().await.unwrap().map_err(failed)?;
        Ok(frame.trailers_ref().and_then(Status::from_header_map).unwrap_or_else(|| Status::ok("")))
    })
    .await
    .expect("an answer in time")
}

/// Calls one method and checks what it is told; answers whether it got in.
async fn check(world: &World, raw: &mut Raw, path: &str, told: Told, case: &str) {
    let before = entered(world);
    let status = ask(raw, path).await.unwrap_or_else(|e| panic!("{case}: {path}: {e}"));
    match told {
        In => {
            let code = status.code();
            assert!(
                !matches!(code, Code::Unauthenticated | Code::PermissionDenied),
                "{case}: {path}: {status:?}"
            );
            assert_eq!(entered(world), before + 1, "{case}: {path}");
        }
        Refused(code, name) => {
            assert_eq!(status.code(), code, "{case}: {path}: {status:?}");
            assert_eq!(reason(Err::<(), _>(status)), name, "{case}: {path}");
            assert_eq!(entered(world), before, "{case}: {path}");
        }
    }
}

/// A caller on one connection a TLS version, through every method.
async fn walk(world: &World, case: &str, identity: &Identity, expected: impl Fn(For) -> Told) {
    for version in VERSIONS {
        let mut raw = open(world, Some(identity), version).await.unwrap();
        for (path, whom) in MATRIX {
            check(world, &mut raw, path, expected(*whom), case).await;
        }
    }
}

/// Registers a certificate as it is, or with a changed row.
async fn register(world: &World, registration: &Registration) {
    let request_id = new_request_id();
    let network = world.platform.network.load();
    let catalogue = network.reference.eservices();
    registry::register_certificate(&world.platform.db, world.by(&request_id), registration, catalogue)
        .await
        .unwrap();
    world.look().await;
}

fn right(method: &Method) -> String {
    let name = method.path.rsplit_once('.').unwrap().1;
    let marks = [(method.retry == Retry::WithRequestId, " !"), (method.non_production_only, " †")];
    let marks: String = marks.into_iter().filter(|(set, _)| *set).map(|(_, mark)| mark).collect();
    let whom = match method.caller {
        eservices::Caller::Any => "any".to_owned(),
        eservices::Caller::Operator => format!("operator with {}", method.e_services.join(" or ")),
        eservices::Caller::BackOffice => format!("back office with {}", method.roles.join(" or ")),
    };
    format!("{name}{marks} {whom}")
}

#[test]
fn every_method_is_in_the_matrix_and_has_the_right_of_the_snapshot() {
    let pool = prost_reflect::DescriptorPool::decode(eservices::DESCRIPTORS).unwrap();
    let described = pool.services().flat_map(|s| s.methods().collect::<Vec<_>>());
    let described = described.map(|m| format!("/{}/{}", m.parent_service().full_name(), m.name()));
    let mut served: Vec<String> = described.chain(STATIC_METHODS.iter().map(|m| m.path.to_owned())).collect();
    let mut expected: Vec<String> = MATRIX.iter().map(|(path, _)| (*path).to_owned()).collect();
    served.sort_unstable();
    expected.sort_unstable();
    assert_eq!(served, expected);
    let mut rights: Vec<String> = METHODS.iter().chain(STATIC_METHODS).map(right).collect();
    rights.sort_unstable();
    assert_eq!(rights.join("\n"), RIGHTS);
}

/// A certificate with no extended key usage: webpki takes it for any use.
fn without_usage(world: &World) -> Identity {
    let authority = &world.pki.non_production;
    let key = rcgen::KeyPair::from_pem(&authority.key_pem()).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_pem(authority.certificate_pem(), key).unwrap();
    let own = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().signed_by(&own, &issuer).unwrap();
    Identity {
        party_id: operator().party_id(),
        serial: String::new(),
        chain_pem: certificate.pem() + authority.certificate_pem(),
        key_pem: own.serialize_pem(),
    }
}

/// Identities that no handshake may accept, and the alert each gets.
async fn refused_by_tls(world: &World) -> Vec<(&'static str, Option<Identity>, &'static str)> {
    let issued =
        |authority, validity| issue(authority, &operator(), ALL, Environment::NonProduction, validity);
    let now = real_now();
    let hours = SignedDuration::from_hours;
    let (foreign, foreign_issued) = issued(&world.pki.foreign, for_a_year());
    let past = Validity { not_before: now - hours(48), not_after: now - hours(1) };
    let (expired, expired_issued) = issued(&world.pki.non_production, past);
    let future = Validity { not_before: now + hours(1), not_after: now + hours(48) };
    let (early, early_issued) = issued(&world.pki.non_production, future);
    // The registry knows them: it is TLS alone that keeps them out.
    for issued in [&foreign_issued, &expired_issued, &early_issued] {
        register(world, issued.registration.as_ref().unwrap()).await;
    }
    let profile = Profile::Server { dns: vec!["localhost".into()], ips: Vec::new() };
    let server = world.pki.non_production.issue(&profile, KeySource::Generate, for_a_year()).unwrap();
    let server = Identity {
        party_id: operator().party_id(),
        serial: server.peer.serial,
        chain_pem: server.chain_pem,
        key_pem: server.key_pem.unwrap(),
    };
    vec![
        ("no certificate", None, "CertificateRequired"),
        ("foreign authority", Some(foreign), "UnknownCA"),
        ("expired", Some(expired), "CertificateExpired"),
        ("not valid yet", Some(early), "CertificateExpired"),
        ("server certificate", Some(server), "UnsupportedCertificate"),
        ("no extended key usage", Some(without_usage(world)), "UnsupportedCertificate"),
    ]
}

#[tokio::test]
async fn bad_certificates_end_in_an_alert_and_reach_no_handler() {
    let world = World::start().await;
    world.operator(SIRENS[0], ALL).await;
    let cases = refused_by_tls(&world).await;
    let before = traces(&world).await;
    for (case, identity, alert) in &cases {
        for version in VERSIONS {
            assert_eq!(alert_of(&world, identity.as_ref(), version).await, *alert, "{case}, {version:?}");
            for (path, _) in MATRIX {
                let answered = match open(&world, identity.as_ref(), version).await {
                    Err(_) => None,
                    Ok(mut raw) => ask(&mut raw, path).await.ok(),
                };
                assert!(answered.is_none(), "{case}, {version:?}: {path}: {answered:?}");
            }
        }
    }
    assert_eq!(entered(&world), 0);
    assert_eq!(traces(&world).await, before);
    let right = world.certificate(&operator(), ALL, Environment::NonProduction).await;
    let mut raw = open(&world, Some(&right), &TLS13).await.unwrap();
    check(&world, &mut raw, "/eservices.identity.v1.IdentityService/WhoAmI", In, "the right certificate")
        .await;
}

/// The alert that a handshake ends with. Sends nothing after it: the server's reset could overtake the alert.
async fn alert_of(
    world: &World,
    identity: Option<&Identity>,
    version: &'static SupportedProtocolVersion,
) -> String {
    let tcp = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let config = raw::tls(world.pki.root.certificate_pem(), identity, &[version]);
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let ended = timeout(PATIENCE, async {
        let mut tls =
            tokio_rustls::TlsConnector::from(std::sync::Arc::new(config)).connect(name, tcp).await?;
        tls.read_u8().await
    });
    let error = ended.await.unwrap().unwrap_err();
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::AlertReceived(alert)) => format!("{alert:?}"),
        other => panic!("{other:?}: {error}"),
    }
}

#[tokio::test]
async fn certificates_that_stand_for_nobody_are_told_so_and_the_connection_ends() {
    let world = World::start().await;
    let right = world.operator(SIRENS[0], ALL).await;
    let new = |environment, names| {
        let authority = match environment {
            Environment::Production => &world.pki.production,
            Environment::NonProduction => &world.pki.non_production,
        };
        issue(authority, &operator(), names, environment, for_a_year())
    };
    let unregistered = new(Environment::NonProduction, ALL).0;
    let (other_key, issued) = new(Environment::NonProduction, ALL);
    register(&world, &Registration { key_hash: "ab".repeat(32), ..issued.registration.unwrap() }).await;
    let (other_issuer, issued) = new(Environment::NonProduction, ALL);
    register(&world, &Registration { issuer_hash: "ab".repeat(32), ..issued.registration.unwrap() }).await;
    let revoked = world.certificate(&operator(), ALL, Environment::NonProduction).await;
    let request_id = new_request_id();
    registry::revoke_certificate(&world.platform.db, world.by(&request_id), &revoked.serial, None)
        .await
        .unwrap();
    let production = world.certificate(&operator(), &["eligibilite"], Environment::Production).await;
    // Issued by the one authority, registered for the other environment: the registry decides.
    let (moved, issued) = new(Environment::NonProduction, &["eligibilite"]);
    let row = Registration { environment: Environment::Production, ..issued.registration.unwrap() };
    register(&world, &row).await;
    world.look().await;
    let cases = [
        ("unregistered", &unregistered, UNREGISTERED),
        ("a registered serial, another key", &other_key, UNREGISTERED),
        ("a registered serial, another issuer", &other_issuer, UNREGISTERED),
        ("revoked", &revoked, REVOKED),
        ("production certificate", &production, WRONG_ENVIRONMENT),
        ("registered for production", &moved, WRONG_ENVIRONMENT),
    ];
    let before = traces(&world).await;
    for (case, identity, told) in cases {
        for version in VERSIONS {
            for (path, _) in MATRIX {
                let mut raw = open(&world, Some(identity), version).await.unwrap();
                check(&world, &mut raw, path, told, case).await;
                let ended = timeout(PATIENCE, raw.driver).await;
                assert!(ended.is_ok(), "{case}, {version:?}: {path}: the connection stays open");
            }
        }
    }
    assert_eq!(entered(&world), 0);
    assert_eq!(traces(&world).await, before);
    walk(&world, "the right certificate", &right, |whom| match whom {
        For::Any | For::Operator(_) => In,
        For::Workforce | For::Logistics | For::Field | For::Reference => BACK_OFFICE_ONLY,
    })
    .await;
}

#[tokio::test]
async fn callers_without_the_right_are_told_which_link_misses() {
    let world = World::start().await;
    let before = traces(&world).await;
    let not_named = world.operator_with(SIRENS[0], ALL, &["fci"]).await;
    let not_subscribed = world.operator_with(SIRENS[1], &["fci"], ALL).await;
    let suspended = world.operator(SIRENS[2], ALL).await;
    let without_role = system_without_role(&world).await;
    let suspended_system = world.system("logistics", &["workforce"]).await;
    for holder in [Holder::operator(SIRENS[2]).unwrap(), Holder::system("logistics").unwrap()] {
        let request_id = new_request_id();
        let by = world.by(&request_id);
        registry::set_status(&world.platform.db, by, &holder, Standing::Suspended).await.unwrap();
    }
    world.look().await;
    let registered = traces(&world).await;
    assert!(registered > before);

    walk(&world, "the certificate names no e-service of ours", &not_named, |whom| match whom {
        For::Any => In,
        For::Operator(_) => NOT_IN_CERTIFICATE,
        For::Workforce | For::Logistics | For::Field | For::Reference => BACK_OFFICE_ONLY,
    })
    .await;
    walk(&world, "no subscription", &not_subscribed, |whom| match whom {
        For::Any => In,
        For::Operator(_) => NOT_SUBSCRIBED,
        For::Workforce | For::Logistics | For::Field | For::Reference => BACK_OFFICE_ONLY,
    })
    .await;
    walk(&world, "no role", &without_role, |whom| match whom {
        For::Any => In,
        For::Operator(_) => OPERATORS_ONLY,
        For::Workforce | For::Logistics | For::Field | For::Reference => ROLE_MISSING,
    })
    .await;
    walk(&world, "suspended operator", &suspended, |_| SUSPENDED).await;
    walk(&world, "suspended system", &suspended_system, |_| SUSPENDED).await;
    assert_eq!(traces(&world).await, registered);
}

async fn system_without_role(world: &World) -> Identity {
    let request_id = new_request_id();
    let new =
        NewSystem { code: "planning".into(), display_name: "Planning".into(), quota_tier: "standard".into() };
    registry::create_system(&world.platform.db, world.by(&request_id), &new).await.unwrap();
    world.certificate(&Holder::system("planning").unwrap(), &["workforce"], Environment::NonProduction).await
}

#[tokio::test]
async fn each_right_opens_its_methods_and_no_other() {
    let world = World::start().await;
    let workforce = world.workforce().await;
    for (siren, held) in SIRENS.iter().zip(ALL) {
        let identity = world.operator(siren, &[held]).await;
        walk(&world, held, &identity, |whom| match whom {
            For::Any => In,
            For::Operator(opens) if opens.contains(held) => In,
            For::Operator(_) => NOT_SUBSCRIBED,
            For::Workforce | For::Logistics | For::Field | For::Reference => BACK_OFFICE_ONLY,
        })
        .await;
    }
    walk(&world, "workforce", &workforce, |whom| match whom {
        For::Any | For::Workforce | For::Field => In,
        For::Reference | For::Logistics => ROLE_MISSING,
        For::Operator(_) => OPERATORS_ONLY,
    })
    .await;
    let keeper = world.system("catalogue", &["reference"]).await;
    walk(&world, "reference", &keeper, |whom| match whom {
        For::Any | For::Reference => In,
        For::Workforce | For::Logistics | For::Field => ROLE_MISSING,
        For::Operator(_) => OPERATORS_ONLY,
    })
    .await;
    let logistics = world.system("logistics", &["logistics"]).await;
    walk(&world, "logistics", &logistics, |whom| match whom {
        For::Any | For::Logistics | For::Field => In,
        For::Reference => ROLE_MISSING,
        For::Workforce => ROLE_MISSING,
        For::Operator(_) => OPERATORS_ONLY,
    })
    .await;
}

#[tokio::test]
async fn production_has_no_sandbox_and_refuses_the_other_environment() {
    let mut plan = Plan::default();
    plan.config.environment = Environment::Production;
    let world = World::from(plan).await;
    let sandbox = world.operator(SIRENS[0], ALL).await;
    let names = ["eligibilite", "e-rdv-grand-public", "tao", "e-just-fibre"];
    let identity = world.certificate(&operator(), &names, Environment::Production).await;
    walk(&world, "production operator", &identity, |whom| match whom {
        For::Any => In,
        For::Operator(["sandbox" | "sandbox-clock"]) => NON_PRODUCTION_ONLY,
        For::Operator(_) => In,
        For::Workforce | For::Logistics | For::Field | For::Reference => BACK_OFFICE_ONLY,
    })
    .await;
    for version in VERSIONS {
        for (path, _) in MATRIX {
            let mut raw = open(&world, Some(&sandbox), version).await.unwrap();
            check(&world, &mut raw, path, WRONG_ENVIRONMENT, "non-production certificate").await;
        }
    }
}

/// An intervention on copper, for the business right.
fn celan() -> Intervention {
    Intervention {
        product_nature: "CELAN".into(),
        access_id: "F00000021".into(),
        pair_count: 2,
        ..intervention()
    }
}

async fn hold_celan(client: &Client, slot_id: &str) -> Result<Appointment, Status> {
    let request = HoldAppointmentRequest {
        request_id: new_request_id(),
        intervention: Some(celan()),
        slot_id: slot_id.into(),
    };
    let answer = client.appointments().hold_appointment(request).await?;
    Ok(answer.into_inner().appointment.unwrap())
}

/// What each method says about one appointment of another nature than the caller's right.
async fn about(client: &Client, appointment: &Appointment, what: &Intervention) -> Vec<Status> {
    let (reference, etag) = (appointment.reference.clone(), appointment.etag.clone());
    let slot_id = slot_id(9, "08:00");
    let api = || client.appointments();
    let hold = HoldAppointmentRequest {
        request_id: new_request_id(),
        intervention: Some(what.clone()),
        slot_id: slot_id.clone(),
    };
    let search = SearchSlotsRequest { intervention: Some(what.clone()), ..SearchSlotsRequest::default() };
    let list = ListAppointmentsRequest {
        product_nature: what.product_nature.clone(),
        ..ListAppointmentsRequest::default()
    };
    let get = GetAppointmentRequest { reference: reference.clone() };
    let moved = RescheduleAppointmentRequest {
        request_id: new_request_id(),
        reference: reference.clone(),
        etag: etag.clone(),
        slot_id,
    };
    let cancel = CancelAppointmentRequest { request_id: new_request_id(), reference, etag };
    vec![
        api().search_slots(search).await.unwrap_err(),
        api().hold_appointment(hold).await.unwrap_err(),
        api().list_appointments(list).await.unwrap_err(),
        api().get_appointment(get).await.unwrap_err(),
        api().reschedule_appointment(moved).await.unwrap_err(),
        api().cancel_appointment(cancel).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn each_right_of_e_rdv_covers_its_natures_only() {
    let world = World::start().await;
    world.capacity(5).await;
    let both = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let fibre = hold(&both, &slot_id(8, "08:00")).await;
    let copper = hold_celan(&both, &slot_id(8, "13:00")).await.unwrap();
    let cases = [
        ("e-rdv-grand-public", &copper, celan(), "e-rdv-entreprise"),
        ("e-rdv-entreprise", &fibre, intervention(), "e-rdv-grand-public"),
    ];
    for (held, appointment, what, missing) in &cases {
        let identity = world.certificate(&operator(), &[held], Environment::NonProduction).await;
        let before = traces(&world).await;
        for status in about(&world.client(&identity).await, appointment, what).await {
            assert_eq!(status.code(), Code::PermissionDenied, "{held}: {status:?}");
            let error = refusal(Err::<(), _>(status.clone()));
            assert_eq!(error.metadata("e_service"), Some(*missing), "{held}");
            assert_eq!(reason(Err::<(), _>(status)), "E_SERVICE_NOT_IN_CERTIFICATE", "{held}");
        }
        assert_eq!(traces(&world).await, before, "{held}");
    }
    // Another operator, that subscribes to one of the two only, asks for the other's natures.
    let public = world.client(&world.operator(SIRENS[1], &["e-rdv-grand-public"]).await).await;
    assert_eq!(reason(hold_celan(&public, &slot_id(9, "08:00")).await), "E_SERVICE_NOT_SUBSCRIBED");
    hold(&public, &slot_id(9, "08:00")).await;
    let business = world.client(&world.operator(SIRENS[2], &["e-rdv-entreprise"]).await).await;
    let request = crate::harness::hold_request(&slot_id(9, "08:00"));
    assert_eq!(reason(business.appointments().hold_appointment(request).await), "E_SERVICE_NOT_SUBSCRIBED");
    hold_celan(&business, &slot_id(9, "08:00")).await.unwrap();
    // A list shows what the certificate opens, and no more.
    let identity = world.certificate(&operator(), &["e-rdv-grand-public"], Environment::NonProduction).await;
    let reader = world.client(&identity).await;
    let listed = reader.appointments().list_appointments(ListAppointmentsRequest::default()).await;
    let listed = listed.unwrap().into_inner().appointments;
    let listed: Vec<_> = listed.iter().map(|a| a.reference.as_str()).collect();
    assert_eq!(listed, [fibre.reference.as_str()]);
}
