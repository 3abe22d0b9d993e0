//! The contract: options against the data that they name, language options, the generated page of reasons.

use std::{collections::BTreeSet, fmt::Write as _, fs};

use eservices::{
    METHODS, REASONS,
    orders::v1::{Author, GetOrderLifecycleRequest, OrderState, OrderType, Transition},
};
use eservices_reference::eservices as e_services;
use prost_reflect::{DescriptorPool, Kind};

use crate::harness::{SIRENS, World, repo};

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
            assert!(["logistics", "reference", "workforce"].contains(role), "{}: {role}", method.path);
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
        "eservices.fulfilment.v1.CommentOrderRequest.comment",
        "eservices.fulfilment.v1.InterventionOk.pto",
        "eservices.fulfilment.v1.ReportWorkRequest.comment",
        "eservices.fulfilment.v1.WorkDetails.aid",
        "eservices.fulfilment.v1.WorkDetails.imb",
        "eservices.fulfilment.v1.WorkDetails.pto",
        "eservices.orders.v1.AddCommentRequest.comment",
        "eservices.orders.v1.AddressHolder.aid",
        "eservices.orders.v1.Contact.first_name",
        "eservices.orders.v1.Contact.last_name",
        "eservices.orders.v1.Contact.other_phone",
        "eservices.orders.v1.Contact.phone",
        "eservices.orders.v1.ExchangeBoxRequest.aid",
        "eservices.orders.v1.ExchangeBoxRequest.comment",
        "eservices.orders.v1.ExportOrdersResponse.lines",
        "eservices.orders.v1.Fact.value",
        "eservices.orders.v1.FindAddressHolderRequest.ipv4",
        "eservices.orders.v1.HistoryEntry.comment",
        "eservices.orders.v1.ListOrdersRequest.aid",
        "eservices.orders.v1.NewOrder.comment",
        "eservices.orders.v1.NewOrder.imb",
        "eservices.orders.v1.NewOrder.pto",
        "eservices.orders.v1.Order.aid",
        "eservices.orders.v1.Order.imb",
        "eservices.orders.v1.Order.ipv4",
        "eservices.orders.v1.Order.pto",
        "eservices.orders.v1.PlaceInBuilding.batiment",
        "eservices.orders.v1.PlaceInBuilding.escalier",
        "eservices.orders.v1.PlaceInBuilding.etage",
        "eservices.orders.v1.PostalAddress.commune",
        "eservices.orders.v1.PostalAddress.complement",
        "eservices.orders.v1.PostalAddress.number",
        "eservices.orders.v1.PostalAddress.postcode",
        "eservices.orders.v1.PostalAddress.street",
        "eservices.orders.v1.TerminateAccessRequest.aid",
        "eservices.orders.v1.TerminateAccessRequest.comment",
        "eservices.reference.v1.BuildingDifference.imb",
        "eservices.reference.v1.ImportProblem.value",
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

/// What the reasons of orders are: the codes that an order can be refused with, in the order of the checks.
const REFUSALS: [&str; 28] = [
    "FIMP13",
    "OFFER_NOT_ORDERED_HERE",
    "QUALIFICATION_REFUSED",
    "FADR01",
    "FADR02",
    "FADR03",
    "FADR04",
    "FIMP07",
    "FIMP08",
    "FIMP09",
    "FIMP10",
    "NOT_ELIGIBLE",
    "FIMP02",
    "FIMP03",
    "FIMP18",
    "FIMP01",
    "FIMP19",
    "FIMP11",
    "FINT01",
    "FINT02",
    "APPOINTMENT_UNKNOWN",
    "FRDV03",
    "FRDV04",
    "FRDV05",
    "FRDV06",
    "APPOINTMENT_TYPE_WRONG",
    "NO_ADDRESS_LEFT",
    "ORDER_STATE_FORBIDS",
];

/// The page with what stands between the two marks written anew.
fn with_section(page: &str, name: &str, text: &str) -> String {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (head, rest) = page.split_once(&open).unwrap();
    let (_, tail) = rest.split_once(&close).unwrap();
    format!("{head}{open}{text}{close}{tail}")
}

fn short<'n>(name: &'n str, prefix: &str) -> &'n str {
    name.strip_prefix(prefix).unwrap()
}

fn state_name(state: OrderState) -> &'static str {
    short(state.as_str_name(), "ORDER_STATE_")
}

/// Each state of each type, and what leads out of it; a comment and a parcel lead nowhere.
fn diagram(transitions: &[Transition]) -> String {
    let mut text = String::from("```text\n");
    for (n, kind) in
        [OrderType::Creation, OrderType::Termination, OrderType::BoxExchange].into_iter().enumerate()
    {
        let own: Vec<&Transition> =
            transitions.iter().filter(|t| t.r#type() == kind && t.state != t.next).collect();
        assert!(!own.is_empty(), "{kind:?}");
        let gap = if n == 0 { "" } else { "\n" };
        let name = short(kind.as_str_name(), "ORDER_TYPE_");
        writeln!(text, "{gap}{name}: (*) ──▶ IN_PROGRESS").unwrap();
        let mut from: Vec<OrderState> = own.iter().map(|t| t.state()).collect();
        from.dedup();
        for state in from {
            writeln!(text, "  {}", state_name(state)).unwrap();
            let steps: Vec<_> = own.iter().filter(|t| t.state() == state).collect();
            for (n, t) in steps.iter().enumerate() {
                let corner = if n + 1 == steps.len() { '└' } else { '├' };
                let ends = !own.iter().any(|other| other.state() == t.next());
                let next = state_name(t.next());
                let next = if ends { format!("[{next}]") } else { next.to_owned() };
                let line = format!("  {corner}── {} ", t.action);
                writeln!(text, "{line:─<26}──▶ {next}").unwrap();
            }
        }
    }
    text + "```\n"
}

fn table(transitions: &[Transition]) -> String {
    let mut text =
        String::from("| type | state | action | by | next state |\n| --- | --- | --- | --- | --- |\n");
    for t in transitions {
        let (kind, author) = (t.r#type().as_str_name(), t.actor().as_str_name());
        assert_ne!(t.actor(), Author::Unspecified);
        writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            short(kind, "ORDER_TYPE_"),
            state_name(t.state()),
            t.action,
            short(author, "AUTHOR_").to_lowercase(),
            state_name(t.next())
        )
        .unwrap();
    }
    text
}

/// The marked sections of docs/orders.md are generated: `UPDATE_DOCS=1 cargo test --test e2e the_page_of_orders` writes them.
#[tokio::test]
async fn the_page_of_orders_is_the_life_that_is_served() {
    let world = World::start().await;
    let client = world.client(&world.operator(SIRENS[0], &["e-just-fibre"]).await).await;
    let served = client.orders().get_order_lifecycle(GetOrderLifecycleRequest {}).await.unwrap();
    let transitions = served.into_inner().transitions;
    let path = repo().join("docs/orders.md");
    let written = fs::read_to_string(&path).unwrap();
    let mut refusals = String::from("| reason | gRPC code | what to do |\n| --- | --- | --- |\n");
    for name in REFUSALS {
        let reason = REASONS.iter().find(|r| r.name == name).unwrap_or_else(|| panic!("{name}: no reason"));
        writeln!(refusals, "| `{name}` | {} | {} |", eservices::code_name(reason.code), reason.remedy)
            .unwrap();
    }
    let page = with_section(&written, "diagram", &diagram(&transitions));
    let page = with_section(&page, "transitions", &table(&transitions));
    let page = with_section(&page, "refusals", &refusals);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(path).unwrap();
    assert_eq!(written, page, "run with UPDATE_DOCS=1 to write docs/orders.md anew");
}

/// Every code of the access order has its line, and a line says *refusal* where the catalogue of reasons has the code.
#[test]
fn every_interop_code_has_its_line() {
    const FAMILIES: [(&str, u32); 6] =
        [("FCLI", 7), ("FADR", 4), ("FIMP", 19), ("FINT", 13), ("FAUT", 1), ("FRDV", 6)];
    let page = fs::read_to_string(repo().join("docs/orders.md")).unwrap();
    let (_, section) = page.split_once("## The Interop codes\n").unwrap();
    let lines = section.lines().filter(|line| line.starts_with("| F"));
    let lines: Vec<Vec<&str>> = lines.map(|line| line.split('|').map(str::trim).collect()).collect();
    let codes: Vec<String> = lines.iter().map(|cells| cells[1].to_owned()).collect();
    let all = FAMILIES.iter().flat_map(|(family, last)| (1..=*last).map(move |n| format!("{family}{n:02}")));
    assert_eq!(codes, all.collect::<Vec<_>>());
    for cells in lines {
        let known = REASONS.iter().any(|r| r.name == cells[1]);
        assert_eq!(cells[3].starts_with("refusal"), known, "{}: {}", cells[1], cells[3]);
    }
}
