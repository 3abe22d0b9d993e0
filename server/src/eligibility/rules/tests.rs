//! What no building of the demo shows: an offer that has ended.

use std::{path::Path, sync::Arc};

use eservices_reference::{Reference, ids::Imb, offers::Offer};

use super::{Place, Verdict, explain};
use crate::platform::network::Current;

#[test]
fn an_offer_is_closed_from_the_day_after_its_last() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo-data");
    let network = Current::new(Arc::new(Reference::from_files(&folder).unwrap()), 0).load();
    let imb = Imb::parse("IMB/77058/X/0218").unwrap();
    let place = Place::new(network.reference.building(&imb).unwrap(), None, &network);
    let until = "2026-11-24".parse().unwrap();
    let offer =
        Offer { valid_until: Some(until), ..network.reference.offers().get("JUST_FIBRE").unwrap().clone() };
    assert_eq!(explain(&offer, &place, until).verdict, Verdict::Eligible);
    let answer = explain(&offer, &place, until.tomorrow().unwrap());
    assert_eq!((answer.verdict, answer.visit), (Verdict::NotEligible, None));
    assert_eq!(answer.findings[0].code, "OFFER_CLOSED");
    assert_eq!(answer.findings[0].facts, [("valid_until", "2026-11-24".to_owned())]);
}
