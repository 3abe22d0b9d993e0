//! The contract: options against the data that they name, language options, the generated page of reasons.

use std::{collections::BTreeSet, fmt::Write as _, fs};

use eservices::{METHODS, REASONS};
use eservices_reference::eservices as e_services;
use prost_reflect::{DescriptorPool, Kind};

use crate::harness::repo;

fn pool() -> DescriptorPool {
    DescriptorPool::decode(eservices::DESCRIPTORS).unwrap()
}

#[test]
fn every_right_of_the_options_is_in_the_data() {
    let catalogue = e_services::parse("default", e_services::DEFAULT).unwrap();
    for method in METHODS {
        for code in method.e_services {
            let found = catalogue.get(code);
            assert!(found.is_some(), "{}: no e-service {code}", method.path);
            assert!(
                !found.unwrap().non_production_only || method.non_production_only,
                "{}: {code}",
                method.path
            );
        }
        for role in method.roles {
            assert_eq!(*role, "workforce", "{}", method.path);
        }
    }
}

#[test]
fn languages_generate_without_edits() {
    for file in pool().files().filter(|f| f.package_name().starts_with("eservices.")) {
        let options = file.file_descriptor_proto().options.clone().unwrap();
        let segment = file.package_name().split('.').nth(1).unwrap().to_owned();
        let go = format!("eservices.example/gen/go/eservices/{segment}/v1;{segment}v1");
        assert_eq!(options.go_package(), go, "{}", file.name());
        assert_eq!(options.java_package(), format!("com.eservices.{segment}.v1"), "{}", file.name());
        assert!(options.java_multiple_files(), "{}", file.name());
    }
}

#[test]
fn answers_hold_no_map_and_requests_are_never_shared() {
    let pool = pool();
    let mut requests = BTreeSet::new();
    for method in pool.services().flat_map(|s| s.methods().collect::<Vec<_>>()) {
        let name = method.input().name().to_owned();
        assert_eq!(name, format!("{}Request", method.name()));
        assert!(requests.insert(method.input().full_name().to_owned()));
    }
    for message in pool.all_messages().filter(|m| m.full_name().starts_with("eservices.")) {
        for field in message.fields() {
            assert!(!field.is_map(), "{}: a map has no order", field.full_name());
        }
    }
}

#[test]
fn personal_data_is_marked() {
    let marked: BTreeSet<String> = fields_with("personal_data");
    let by_hand = [
        "eservices.addresses.v1.Building.ban_id",
        "eservices.addresses.v1.Building.hexacle",
        "eservices.addresses.v1.Building.imb",
        "eservices.addresses.v1.Building.street_address",
        "eservices.addresses.v1.CompleteAddressRequest.text",
        "eservices.addresses.v1.ExportStructureRequest.imbs",
        "eservices.addresses.v1.ExportStructureResponse.lines",
        "eservices.addresses.v1.Line.pto",
        "eservices.addresses.v1.Place.batiment",
        "eservices.addresses.v1.Place.escalier",
        "eservices.addresses.v1.Place.etage",
        "eservices.addresses.v1.SearchAddressesRequest.text",
        "eservices.addresses.v1.StreetNumber.imbs",
        "eservices.addresses.v1.TranslateAddressRequest.address",
        "eservices.addresses.v1.TranslateAddressRequest.imb",
        "eservices.addresses.v1.TranslateAddressRequest.pto",
        "eservices.appointments.v1.Intervention.access_id",
        "eservices.appointments.v1.Place.imb",
        "eservices.appointments.v1.Street.street_number",
        "eservices.common.v1.Address.ban_id",
        "eservices.common.v1.Address.complement",
        "eservices.common.v1.Address.hexacle",
        "eservices.common.v1.Address.number",
        "eservices.common.v1.AddressCandidate.imbs",
        "eservices.common.v1.GeoPoint.x",
        "eservices.common.v1.GeoPoint.y",
        "eservices.common.v1.MatchReason.known",
        "eservices.common.v1.MatchReason.said",
        "eservices.common.v1.NormalisedAddress.ban_id",
        "eservices.common.v1.NormalisedAddress.complement",
        "eservices.common.v1.NormalisedAddress.hexacle",
        "eservices.common.v1.NormalisedAddress.number",
        "eservices.eligibility.v1.CheckEligibilityRequest.address",
        "eservices.eligibility.v1.CheckEligibilityRequest.imb",
        "eservices.eligibility.v1.CheckEligibilityRequest.pto",
        "eservices.eligibility.v1.Premises.imb",
        "eservices.eligibility.v1.Premises.street_address",
        "eservices.orders.v1.AddCommentRequest.comment",
        "eservices.orders.v1.Contact.first_name",
        "eservices.orders.v1.Contact.last_name",
        "eservices.orders.v1.Contact.other_phone",
        "eservices.orders.v1.Contact.phone",
        "eservices.orders.v1.Fact.value",
        "eservices.orders.v1.HistoryEntry.comment",
        "eservices.orders.v1.ListOrdersRequest.aid",
        "eservices.orders.v1.ListOrdersRequest.operator_reference",
        "eservices.orders.v1.NewOrder.comment",
        "eservices.orders.v1.NewOrder.imb",
        "eservices.orders.v1.NewOrder.operator_reference",
        "eservices.orders.v1.NewOrder.pto",
        "eservices.orders.v1.Order.aid",
        "eservices.orders.v1.Order.imb",
        "eservices.orders.v1.Order.ipv4",
        "eservices.orders.v1.Order.operator_reference",
        "eservices.orders.v1.Order.pto",
        "eservices.orders.v1.PlaceInBuilding.batiment",
        "eservices.orders.v1.PlaceInBuilding.escalier",
        "eservices.orders.v1.PlaceInBuilding.etage",
        "eservices.orders.v1.PostalAddress.commune",
        "eservices.orders.v1.PostalAddress.complement",
        "eservices.orders.v1.PostalAddress.number",
        "eservices.orders.v1.PostalAddress.postcode",
        "eservices.orders.v1.PostalAddress.street",
    ];
    assert_eq!(marked, by_hand.map(str::to_owned).into());
}

fn fields_with(policy: &str) -> BTreeSet<String> {
    let pool = pool();
    let option = pool.get_extension_by_name("eservices.policy.v1.field").unwrap();
    let mut found = BTreeSet::new();
    for message in pool.all_messages() {
        for field in message.fields() {
            let options = field.options();
            if !options.has_extension(&option) {
                continue;
            }
            let value = options.get_extension(&option);
            let set = value.as_message().unwrap().get_field_by_name(policy).unwrap();
            if set.as_bool() == Some(true) {
                assert!(matches!(field.kind(), Kind::String | Kind::Bytes | Kind::Double));
                found.insert(field.full_name().to_owned());
            }
        }
    }
    found
}

#[test]
fn every_reason_has_a_place_that_sends_it() {
    let mut sources = String::new();
    read_all(&repo().join("server/src"), &mut sources);
    for reason in REASONS {
        let variant: String =
            reason.name.split('_').map(|word| word[..1].to_owned() + &word[1..].to_lowercase()).collect();
        // What constructors make: `not_found`, `fields`.
        let constructed = matches!(reason.name, "RESOURCE_NOT_FOUND" | "FIELDS_INVALID");
        assert!(
            constructed || sources.contains(&format!("Reason::{variant}")),
            "{}: nothing sends it",
            reason.name
        );
    }
}

fn read_all(dir: &std::path::Path, into: &mut String) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// docs/reasons.md is generated: `UPDATE_DOCS=1 cargo test --test e2e the_page_of_reasons` writes it anew.
#[test]
fn the_page_of_reasons_is_the_catalogue() {
    let mut page = String::from(
        "# Reasons of refusal\n\n\
         Generated from `proto/eservices/errors/v1/reason.proto`; do not edit. Every status that is not OK carries one\n\
         `google.rpc.ErrorInfo` with `domain` `eservices`, one of these reasons, and in `metadata` the keys below plus\n\
         `remedy` and `request_id`. Codes `F…` are Interop'Fibre's.\n\n\
         | reason | gRPC code | metadata | what to do |\n| --- | --- | --- | --- |\n",
    );
    for reason in REASONS {
        let keys = reason.metadata_keys.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
        writeln!(
            page,
            "| `{}` | {} | {keys} | {} |",
            reason.name,
            eservices::code_name(reason.code),
            reason.remedy
        )
        .unwrap();
    }
    let path = repo().join("docs/reasons.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(written, page, "run with UPDATE_DOCS=1 to write docs/reasons.md anew");
}
