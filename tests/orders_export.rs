//! `ExportOrders`: every order of the caller once, whatever its length; nobody else's, and nothing of who lives there.

use eservices::orders::v1::{self as pb, OrderState as State, OrderType as Type};
use eservices_client::Client;
use eservices_server::platform::{config::Environment, registry::Holder};

use crate::harness::{
    ALL, SIRENS, World, database,
    orders::{cancelled, place},
    refusal, slot_id,
};

async fn export(client: &Client, request: pb::ExportOrdersRequest) -> String {
    let mut stream = client.orders().export_orders(request).await.unwrap().into_inner();
    let mut bytes = Vec::new();
    while let Some(piece) = stream.message().await.unwrap() {
        assert!(piece.lines.ends_with(b"\n") && piece.lines.len() <= 128 * 1024, "whole lines");
        bytes.extend_from_slice(&piece.lines);
    }
    String::from_utf8(bytes).unwrap()
}

const HEADER: &str = "numero;type;etat;reference;offre;VIA;AID;IPv4;RDV;IMB;PM;PBO;PTO;batiment;escalier;etage;numero_voie;\
voie;code_postal;commune;INSEE;colis;box;code_echec;RDV_a_reprendre_avant;acceptee_le;modifiee_le";

#[tokio::test]
async fn a_line_has_what_the_order_has() {
    let world = World::start().await;
    world.capacity(5).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let beta = world.client(&world.operator(SIRENS[1], ALL).await).await;
    assert_eq!(export(&alpha, pb::ExportOrdersRequest::default()).await, format!("{HEADER}\n"));
    let first = place(&alpha, "=A;1", &slot_id(8, "08:00")).await;
    world.machine_on(60).await;
    let ended = cancelled(&alpha, first).await;
    let second = place(&alpha, "ALPHA-2", &slot_id(9, "08:00")).await;
    place(&beta, "BETA-1", &slot_id(9, "13:00")).await;

    let text = export(&alpha, pb::ExportOrdersRequest::default()).await;
    // The world begins on 24 November 2026, 9 h UTC.
    let line = |o: &pb::Order, state: &str, reference: &str, code: &str, begins: &str| {
        format!(
            "{};CREATION;{state};{reference};JUST_FIBRE;{};{};{};{};IMB/77058/X/0218;FI-77058-000B;PT 002053;;_NA_;_NA_;_NA_;6;\
             RUE ETIENNE GANNERON;77600;BUSSY-ST-GEORGES;77058;;;{code};;{begins};2026-11-24T09:01:00Z",
            o.number, o.via, o.aid, o.ipv4, o.appointment_reference
        )
    };
    let expected = [
        HEADER.to_owned(),
        line(&second, "IN_PROGRESS", "ALPHA-2", "", "2026-11-24T09:01:00Z"),
        line(&ended, "FAILED", "\"'=A;1\"", "FCLI04", "2026-11-24T09:00:00Z"),
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    assert!(!text.contains("Martin") && !text.contains("0199000001"));

    let failed = pb::ExportOrdersRequest { states: vec![State::Failed.into()], ..Default::default() };
    assert_eq!(export(&alpha, failed).await.lines().collect::<Vec<_>>(), [&expected[0], &expected[2]]);
    let none = pb::ExportOrdersRequest { types: vec![Type::BoxExchange.into()], ..Default::default() };
    assert_eq!(export(&alpha, none).await.lines().count(), 1);
    let since = Some(prost_types::Timestamp { seconds: 1_795_510_800 + 30, nanos: 0 });
    let later = pb::ExportOrdersRequest { created_from: since, ..Default::default() };
    assert_eq!(export(&alpha, later).await.lines().collect::<Vec<_>>(), expected[..2]);
    let wrong = pb::ExportOrdersRequest { types: vec![0], states: vec![99], ..Default::default() };
    let error = refusal(alpha.orders().export_orders(wrong).await.map(drop));
    let named: Vec<String> = error.field_violations().into_iter().map(|v| v.field).collect();
    assert_eq!(named, ["types", "states"]);
}

macro_rules! copied {
    () => {
        "party_id, type, state, offer_code, e_service, product_nature, via, aid, ipv4, appointment_ref, appointment_type, imb, \
         pm, pbo, pto, batiment, escalier, etage, number_in_street, street, postcode, commune, commune_code, street_code, \
         fibre_held, parcel_number, box_serial, failure_code, retake_until, release, scenario, entries, version, revision, \
         updated_at"
    };
}

/// 999 copies of the one order, three an instant: the number decides among them.
const COPIES: &str = concat!(
    "INSERT INTO orders (number, operator_reference, created_at, ",
    copied!(),
    ") WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999) \
     SELECT 'COPY' || i, 'COPY' || i, created_at + i / 3, ",
    copied!(),
    " FROM orders, n"
);

/// More than a page, and more than a piece: copies of one order.
#[tokio::test]
async fn a_long_export_has_every_order_once() {
    let world = World::start().await;
    world.capacity(5).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    database::execute(&world.platform.db, COPIES).await;
    let text = export(&alpha, pb::ExportOrdersRequest::default()).await;
    let mut numbers: Vec<&str> = text.lines().skip(1).map(|line| line.split(';').next().unwrap()).collect();
    assert_eq!(numbers.len(), 1_000);
    assert_eq!(&numbers[..4], ["COPY999", "COPY996", "COPY997", "COPY998"]);
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 1_000, "none twice");
}

/// An order of an offer that the certificate does not open is not shown.
#[tokio::test]
async fn an_offer_that_is_not_open_is_not_exported() {
    let world = World::start().await;
    world.capacity(5).await;
    let identity = world.operator(SIRENS[0], ALL).await;
    let alpha = world.client(&identity).await;
    place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    let holder = Holder::operator(SIRENS[0]).unwrap();
    let narrow = world.certificate(&holder, &["e-just"], Environment::NonProduction).await;
    let narrow = world.client(&narrow).await;
    assert_eq!(export(&narrow, pb::ExportOrdersRequest::default()).await.lines().count(), 1);
    assert_eq!(export(&alpha, pb::ExportOrdersRequest::default()).await.lines().count(), 2);
}
