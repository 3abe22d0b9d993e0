//! From an address as people say it to the building's structure, and what can be ordered there.
//!
//! ```text
//! cargo run -p eservices-server -- demo          # in one terminal
//! cargo run -p eservices-client --example find_building -- "6 r etiene gannerron bussy"
//! ```
//!
//! Arguments come first, then the environment, then the demo's own files:
//! `find_building [ADDRESS] [ENDPOINT] [CERTIFICATE] [KEY] [CA]`, `ESERVICES_{ENDPOINT,CERTIFICATE,KEY,CA}`.

use std::{env, error::Error as StdError, process::ExitCode};

use eservices_client::{
    Client, Error,
    contract::{
        addresses::v1::{
            Building, Place, SearchAddressesRequest, TranslateAddressRequest, translate_address_request::Key,
        },
        common::v1::{AddressCandidate, MatchGrade, MatchLevel, MatchReason},
        eligibility::v1::{CheckEligibilityRequest, check_eligibility_request::Key as EligibilityKey},
    },
};

/// The market's word for a part that a building does not have.
const NA: &str = "_NA_";

#[tokio::main]
async fn main() -> ExitCode {
    match find_building().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn find_building() -> Result<(), Box<dyn StdError>> {
    let text = env::args().nth(1).unwrap_or_else(|| "6 r etiene gannerron bussy".to_owned());
    let endpoint = setting(2, "ESERVICES_ENDPOINT", "https://localhost:50051");
    let client = Client::builder(endpoint.clone())
        .certificate_file(setting(3, "ESERVICES_CERTIFICATE", "./var/demo/operator-alpha.pem"))
        .key_file(setting(4, "ESERVICES_KEY", "./var/demo/operator-alpha.key"))
        .ca_file(setting(5, "ESERVICES_CA", "./var/demo/root.pem"))
        .connect()
        .await?;
    println!("connected    {endpoint}");
    let Some(best) = search(&client, &text).await? else {
        return Ok(());
    };
    let Some(building) = translate(&client, &best).await? else {
        return Ok(());
    };
    check_eligibility(&client, &building).await.map_err(Into::into)
}

fn setting(position: usize, variable: &str, default: &str) -> String {
    env::args().nth(position).or_else(|| env::var(variable).ok()).unwrap_or_else(|| default.to_owned())
}

/// Shows what the text may mean; the best candidate if it is sure and has a building.
async fn search(client: &Client, text: &str) -> Result<Option<AddressCandidate>, Error> {
    println!("searched     {text}");
    let request = SearchAddressesRequest { text: text.to_owned(), ..SearchAddressesRequest::default() };
    let found = client.addresses().search_addresses(request).await?.into_inner().candidates;
    for (n, candidate) in found.iter().enumerate() {
        show_candidate(n + 1, candidate);
    }
    let Some(best) = found.into_iter().next() else {
        println!("nothing      no such street or commune in the reference");
        return Ok(None);
    };
    // The server decides by the same rule when it is given the text itself.
    let sure =
        best.level() == MatchLevel::Number && matches!(best.grade(), MatchGrade::Exact | MatchGrade::Good);
    if !sure {
        println!("not sure     choose one of them, and search again with what was missing");
        return Ok(None);
    }
    if best.imbs.is_empty() {
        println!("no building  the address is known, no building stands there in the reference");
        return Ok(None);
    }
    Ok(Some(best))
}

fn show_candidate(n: usize, candidate: &AddressCandidate) {
    let address = candidate.address.clone().unwrap_or_default();
    let words =
        [address.number, address.complement, address.street, address.postcode, address.commune].join(" ");
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let level = candidate.level().as_str_name().trim_start_matches("MATCH_LEVEL_").to_lowercase();
    let grade = candidate.grade().as_str_name().trim_start_matches("MATCH_GRADE_").to_lowercase();
    println!("candidate {n}  {words} ({level}, {grade})");
    let understood = |reason: &MatchReason| {
        let words = [&reason.said, &reason.known].into_iter().filter(|word| !word.is_empty());
        let words = words.map(String::as_str).collect::<Vec<_>>().join(" → ");
        if words.is_empty() { reason.code.clone() } else { format!("{} {words}", reason.code) }
    };
    if !candidate.reasons.is_empty() {
        println!("             {}", candidate.reasons.iter().map(understood).collect::<Vec<_>>().join("; "));
    }
}

/// Shows the building that stands at an address, where it is one.
async fn translate(client: &Client, address: &AddressCandidate) -> Result<Option<Building>, Error> {
    // By reference: a building is never guessed twice.
    let [imb] = address.imbs.as_slice() else {
        println!("choose       several buildings stand there: {}", address.imbs.join(", "));
        return Ok(None);
    };
    let request = TranslateAddressRequest { key: Some(Key::Imb(imb.clone())) };
    let answer = client.addresses().translate_address(request).await?.into_inner();
    let Some(building) = answer.buildings.into_iter().next() else { return Ok(None) };
    let kind = if building.detached_house { "house" } else { "building" };
    println!("{kind:<12} {}: {} ({})", building.imb, building.headline, building.availability);
    println!("             {}, {} {}", building.street_address, building.postcode, building.commune);
    println!("             housings {}, PM {}", building.housing_count, or_unknown(&building.pm));
    for place in &building.places {
        show_place(place);
    }
    if building.places.is_empty() {
        println!("             no structure in the reference");
    }
    Ok(Some(building))
}

fn show_place(place: &Place) {
    let parts = [("bâtiment", &place.batiment), ("escalier", &place.escalier), ("étage", &place.etage)];
    let named: Vec<_> =
        parts.into_iter().filter(|(_, at)| *at != NA).map(|(what, at)| [what, at].join(" ")).collect();
    let named = if named.is_empty() { "the whole of it".to_owned() } else { named.join(", ") };
    let pbo_type = place.pbo_type.as_ref().map_or("", |kind| kind.label.as_str());
    println!("place        {named}: PBO {} {pbo_type} {}", or_unknown(&place.pbo), place.pbo_location);
    let sockets: Vec<_> = place.lines.iter().map(|line| format!("{} {}", line.pto, line.state)).collect();
    println!(
        "             sockets {}",
        if sockets.is_empty() { "none".to_owned() } else { sockets.join(", ") }
    );
    let resource = place.resource.clone().unwrap_or_default();
    let status = resource.status().as_str_name().trim_start_matches("RESOURCE_STATUS_").to_lowercase();
    let code = if resource.code.is_empty() { String::new() } else { format!(" ({})", resource.code) };
    let free = resource.free_fibre_count.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
    println!("             resource {status}{code}, free fibres {free}");
    let visit = place.appointment_type().as_str_name().trim_start_matches("APPOINTMENT_TYPE_").to_lowercase();
    println!("             visit {visit} ({})", place.appointment_rule_id);
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

/// Asks about all offers, and says until when an order may quote the answer.
async fn check_eligibility(client: &Client, building: &Building) -> Result<(), Error> {
    let request = CheckEligibilityRequest {
        key: Some(EligibilityKey::Imb(building.imb.clone())),
        ..CheckEligibilityRequest::default()
    };
    let answer = client.eligibility().check_eligibility(request).await?.into_inner();
    for offer in &answer.answers {
        let codes: Vec<_> = offer.findings.iter().map(|finding| finding.code.as_str()).collect();
        let verdict = offer.verdict().as_str_name().trim_start_matches("VERDICT_").to_lowercase();
        let codes = if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(", ")) };
        println!("offer        {}: {verdict}{codes}", offer.offer_code);
    }
    println!("quote        {}", answer.qualification_reference);
    println!("             until {}", answer.qualification_expires_on);
    Ok(())
}
