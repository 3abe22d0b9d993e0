//! The demo's way from an address as people say it to the building's structure.

use std::time::Instant;

use eservices::{
    addresses::v1::{
        CompleteAddressRequest, ResourceStatus, SearchAddressesRequest, TranslateAddressRequest,
        translate_address_request::Key as Place,
    },
    common::v1::AddressCandidate,
    eligibility::v1::{CheckEligibilityRequest, check_eligibility_request::Key},
};
use eservices_client::Client;

use super::{
    journey::{ALPHA, Outcome, explained},
    show::Show,
};

/// An address with a typing error → candidates → structure → eligibility, as an operator's form would do it.
pub async fn address(alpha: &Client, show: &Show) -> Outcome<()> {
    let started = Instant::now();
    let request =
        CompleteAddressRequest { text: "6 rue etienne gan".into(), ..CompleteAddressRequest::default() };
    let answer = alpha.addresses().complete_address(request).await?.into_inner();
    let mut lines = vec!["typed so far: 6 rue etienne gan".to_owned()];
    lines.extend(answer.completions.iter().map(|c| format!("→ {}", in_clear(c))));
    show.answered("AddressService/CompleteAddress", ALPHA, started.elapsed(), &lines);

    let started = Instant::now();
    let text = "6 r etiene gannerron bussy";
    let request = SearchAddressesRequest { text: text.into(), ..SearchAddressesRequest::default() };
    let answer = alpha.addresses().search_addresses(request).await?.into_inner();
    let mut lines = vec![format!("asked: {text}")];
    if let Some(best) = answer.candidates.first() {
        lines.push(format!("best: {}: {}", in_clear(best), best.imbs.join(", ")));
        let reasons: Vec<String> =
            best.reasons.iter().map(|r| format!("{} {}→{}", r.code, r.said, r.known)).collect();
        lines.push(format!("{:?}, {} of 1000: {}", best.grade(), best.score_permille, reasons.join(", ")));
    }
    show.answered("AddressService/SearchAddresses", ALPHA, started.elapsed(), &lines);

    let started = Instant::now();
    let request = TranslateAddressRequest { key: Some(Place::Imb("IMB/75109/C/2182".into())) };
    let answer = alpha.addresses().translate_address(request).await?.into_inner();
    let mut lines = Vec::new();
    for building in &answer.buildings {
        lines.push(format!("{}: {}, {}", building.imb, building.street_address, building.headline));
        lines.extend(building.places.iter().map(|place| {
            let resource = place.resource.as_ref().map_or(ResourceStatus::Unknown, |r| r.status());
            let visit = place.appointment_type();
            format!("floor {:<3} {} {resource:?}, visit {visit:?}", place.etage, place.pbo)
        }));
    }
    show.answered("AddressService/TranslateAddress", ALPHA, started.elapsed(), &lines);

    let started = Instant::now();
    let request = CheckEligibilityRequest {
        key: Some(Key::Address(text.into())),
        offer_codes: vec!["JUST_FIBRE".into()],
        as_of_day: String::new(),
    };
    let answer = alpha.eligibility().check_eligibility(request).await?.into_inner();
    let mut lines = explained(&answer);
    lines.push(format!("an order may quote this answer until {}", answer.qualification_expires_on));
    show.answered("EligibilityService/CheckEligibility", ALPHA, started.elapsed(), &lines);
    Ok(())
}

/// A candidate on one line.
fn in_clear(candidate: &AddressCandidate) -> String {
    let address = candidate.address.clone().unwrap_or_default();
    let parts = [address.number, address.complement, address.street, address.postcode, address.commune];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
