//! The handlers of `AddressService`.

use std::{pin::Pin, sync::Arc};

use eservices::addresses::v1::{
    self as pb, address_service_server::AddressService, translate_address_request::Key as WireKey,
};
use eservices_reference::{
    address::{Query, Search, Street},
    ids::{Imb, Insee, Pto},
};
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use super::{
    rules::find::{self, By, Key},
    wire::{self, export},
};
use crate::platform::{
    Platform,
    clock::paris_day,
    csv,
    error::{Error, Violations},
    network::Network,
    page,
};

/// The most buildings of one answer.
const BUILDINGS: usize = 20;

/// The most rows of one list, all its pages together: the largest commune has some 10,000 streets.
const LISTED: usize = 20_000;

/// The most buildings of one export.
const EXPORTED: usize = 10_000;

/// Answers about addresses and buildings.
pub struct Service(pub Arc<Platform>);

#[tonic::async_trait]
impl AddressService for Service {
    async fn search_addresses(
        &self,
        request: Request<pb::SearchAddressesRequest>,
    ) -> Result<Response<pb::SearchAddressesResponse>, Status> {
        let network = self.0.network.load();
        let request = request.get_ref();
        let mut violations = Violations::default();
        let text = wire::address_text("text", &request.text, 3, &mut violations);
        let near = request.near.as_ref().and_then(|p| wire::near("near", p, &mut violations));
        let insee = (!request.commune_code.is_empty())
            .then(|| violations.take("commune_code", Insee::parse(&request.commune_code)))
            .flatten();
        let limit = limit(request.limit, &mut violations);
        let text = violations.finish(text)?;
        let query = Query { text: &text, near, insee: insee.as_ref(), limit };
        Ok(Response::new(pb::SearchAddressesResponse {
            candidates: find::candidates(&query, &network).iter().map(wire::candidate).collect(),
            reference_release: release(&network),
        }))
    }

    async fn complete_address(
        &self,
        request: Request<pb::CompleteAddressRequest>,
    ) -> Result<Response<pb::CompleteAddressResponse>, Status> {
        let network = self.0.network.load();
        let request = request.get_ref();
        let mut violations = Violations::default();
        // A blank at the end says that the last word is finished.
        wire::address_text("text", &request.text, 1, &mut violations);
        let near = request.near.as_ref().and_then(|p| wire::near("near", p, &mut violations));
        let limit = limit(request.limit, &mut violations);
        violations.check()?;
        let query = Query { text: &request.text, near, insee: None, limit };
        Ok(Response::new(pb::CompleteAddressResponse {
            completions: find::completions(&query, &network).iter().map(wire::candidate).collect(),
            reference_release: release(&network),
        }))
    }

    async fn list_communes(
        &self,
        request: Request<pb::ListCommunesRequest>,
    ) -> Result<Response<pb::ListCommunesResponse>, Status> {
        let network = self.0.network.load();
        let request = request.get_ref();
        let mut violations = Violations::default();
        if !(2..=100).contains(&request.prefix.trim().chars().count()) {
            violations.push("prefix", "expected 2 to 100 characters");
        }
        let page = self.page(
            "communes",
            &request.prefix,
            request.page_size,
            &request.page_token,
            &network,
            violations,
        )?;
        let addresses = network.reference.addresses();
        let found = match request.prefix.bytes().all(|b| b.is_ascii_digit()) {
            true => addresses.communes_by_postcode(&request.prefix),
            false => addresses.communes_by_name(&request.prefix, LISTED),
        };
        let found = found.into_iter().filter_map(|at| addresses.communes().get(at as usize)).collect();
        let (rows, next_page_token) = page.cut(found, &self.0);
        Ok(Response::new(pb::ListCommunesResponse {
            communes: rows.into_iter().map(wire::commune_row).collect(),
            next_page_token,
            reference_release: release(&network),
        }))
    }

    async fn list_streets(
        &self,
        request: Request<pb::ListStreetsRequest>,
    ) -> Result<Response<pb::ListStreetsResponse>, Status> {
        let network = self.0.network.load();
        let request = request.get_ref();
        let mut violations = Violations::default();
        let insee = violations.take("commune_code", Insee::parse(&request.commune_code));
        if request.prefix.chars().count() > 100 {
            violations.push("prefix", "expected at most 100 characters");
        }
        let question = format!("{} {}", request.commune_code, request.prefix);
        let page =
            self.page("streets", &question, request.page_size, &request.page_token, &network, violations)?;
        let insee = insee.ok_or_else(|| Error::internal("a commune is missing though nothing was noted"))?;
        let addresses = network.reference.addresses();
        if addresses.commune(&insee).is_none() {
            return Err(Error::not_found("Commune", insee.as_str()).into());
        }
        // A city's streets are those of its arrondissements.
        let parts =
            addresses.communes().iter().filter(|c| c.insee == insee || c.parent.as_ref() == Some(&insee));
        let found =
            parts.flat_map(|part| addresses.streets_of_commune(&part.insee, &request.prefix, None, LISTED));
        let found = found.filter_map(|at| addresses.streets().get(at as usize)).collect();
        let (rows, next_page_token) = page.cut(found, &self.0);
        Ok(Response::new(pb::ListStreetsResponse {
            streets: rows.into_iter().map(|street| wire::address(street, None)).collect(),
            next_page_token,
            reference_release: release(&network),
        }))
    }

    async fn list_numbers(
        &self,
        request: Request<pb::ListNumbersRequest>,
    ) -> Result<Response<pb::ListNumbersResponse>, Status> {
        let network = self.0.network.load();
        let request = request.get_ref();
        let mut violations = Violations::default();
        let id =
            request.street_id.split_once(':').and_then(|(insee, key)| Some((Insee::parse(insee).ok()?, key)));
        if id.is_none() || request.street_id.len() > 300 {
            violations.push(
                "street_id",
                "expected the street_id of an address, for instance 77058:rue etienne ganneron",
            );
        }
        let page = self.page(
            "numbers",
            &request.street_id,
            request.page_size,
            &request.page_token,
            &network,
            violations,
        )?;
        let addresses = network.reference.addresses();
        let street = id.and_then(|(insee, key)| street(addresses, &insee, key, &request.street_id));
        let street = street.ok_or_else(|| Error::not_found("Street", &request.street_id))?;
        let (rows, next_page_token) = page.cut(street.numbers.iter().collect(), &self.0);
        Ok(Response::new(pb::ListNumbersResponse {
            numbers: rows
                .into_iter()
                .map(|number| pb::StreetNumber {
                    address: Some(wire::address(street, Some(number))),
                    imbs: wire::imbs(number),
                })
                .collect(),
            next_page_token,
            reference_release: release(&network),
        }))
    }

    async fn translate_address(
        &self,
        request: Request<pb::TranslateAddressRequest>,
    ) -> Result<Response<pb::TranslateAddressResponse>, Status> {
        let network = self.0.network.load();
        let key = key(request.get_ref())?;
        let found = find::find(&key, &network)?;
        let day = paris_day(self.0.clock.business());
        let listed = found.buildings.iter().take(BUILDINGS);
        let sure = !found.buildings.is_empty();
        Ok(Response::new(pb::TranslateAddressResponse {
            buildings: listed.map(|hit| wire::building(&network, hit.building, day)).collect(),
            candidates: found.candidates.iter().filter(|_| !sure).map(wire::candidate).collect(),
            found_by: found.by.map_or("", By::as_str).to_owned(),
            reference_release: release(&network),
            network_revision: network.overlay.revision(),
            more_buildings: u32::try_from(found.buildings.len().saturating_sub(BUILDINGS))
                .unwrap_or(u32::MAX),
        }))
    }

    type ExportStructureStream =
        Pin<Box<dyn Stream<Item = Result<pb::ExportStructureResponse, Status>> + Send>>;

    async fn export_structure(
        &self,
        request: Request<pb::ExportStructureRequest>,
    ) -> Result<Response<Self::ExportStructureStream>, Status> {
        let imbs = request.into_inner().imbs;
        let mut violations = Violations::default();
        if !(1..=EXPORTED).contains(&imbs.len()) {
            violations.push("imbs", "expected 1 to 10000 references");
        }
        for (n, imb) in imbs.iter().take(EXPORTED).enumerate() {
            violations.take(&format!("imbs[{n}]"), Imb::parse(imb));
        }
        if imbs.iter().collect::<std::collections::HashSet<_>>().len() < imbs.len() {
            violations.push("imbs", "expected references that differ");
        }
        violations.check()?;
        let (network, day) = (self.0.network.load(), paris_day(self.0.clock.business()));
        let mut rest = imbs.into_iter();
        let mut lines = export::HEADER.to_owned();
        // One piece at a time, when the caller has room for it: nothing is made that is not read.
        let pieces = std::iter::from_fn(move || {
            while lines.len() < csv::PIECE
                && let Some(imb) = rest.next()
            {
                match Imb::parse(&imb).ok().and_then(|imb| network.reference.building(&imb)) {
                    Some(building) => export::push(&wire::building(&network, building, day), &mut lines),
                    None => export::push_unknown(&imb, &mut lines),
                }
            }
            let piece = std::mem::take(&mut lines);
            let of_network = (release(&network), network.overlay.revision());
            (!piece.is_empty()).then(|| {
                let (reference_release, network_revision) = of_network;
                Ok(pb::ExportStructureResponse { lines: piece.into(), reference_release, network_revision })
            })
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(pieces))))
    }
}

/// The street with an id. In a merged commune several may have one name: their former communes tell them apart.
fn street<'a>(addresses: &'a Search, insee: &Insee, key: &str, id: &str) -> Option<&'a Street> {
    let name = key.split('/').next().unwrap_or_default();
    let first = addresses.streets().get(addresses.by_name(insee, name)? as usize)?;
    if wire::street_id(first) == id {
        return Some(first);
    }
    let others = addresses.streets_of_commune(insee, name, None, LISTED);
    let mut others = others.into_iter().filter_map(|at| addresses.streets().get(at as usize));
    others.find(|street| wire::street_id(street) == id)
}

fn key(request: &pb::TranslateAddressRequest) -> Result<Key, Error> {
    let mut violations = Violations::default();
    let key = match &request.key {
        None => {
            violations.push("key", "expected imb, pto, address, normalised_address or surroundings");
            None
        }
        Some(WireKey::Imb(text)) => violations.take("imb", Imb::parse(text)).map(Key::Imb),
        Some(WireKey::Pto(text)) => violations.take("pto", Pto::parse(text)).map(Key::Pto),
        Some(WireKey::Address(text)) => {
            wire::address_text("address", text, 3, &mut violations).map(Key::Text)
        }
        Some(WireKey::NormalisedAddress(asked)) => {
            wire::codes("normalised_address", asked, &mut violations).map(Key::Codes)
        }
        Some(WireKey::Surroundings(asked)) => {
            wire::surroundings("surroundings", asked, &mut violations).map(Key::Around)
        }
    };
    violations.finish(key)
}

fn limit(asked: u32, violations: &mut Violations) -> usize {
    match asked {
        0 => 5,
        1..=20 => asked as usize,
        _ => {
            violations.push("limit", "expected 0 to 20");
            0
        }
    }
}

fn release(network: &Network) -> String {
    network.reference.release().name.clone()
}

/// One page of a list of reference data: its token is good for the same question on the same release.
struct Page {
    scope: [String; 3],
    start: usize,
    size: usize,
}

impl Service {
    fn page(
        &self,
        list: &str,
        question: &str,
        size: u32,
        token: &str,
        network: &Network,
        mut violations: Violations,
    ) -> Result<Page, Error> {
        let scope = [list.to_owned(), question.to_owned(), release(network)];
        let size = usize::try_from(page::size(size, &mut violations)).unwrap_or(0);
        let cursor =
            page::cursor(&self.0.tokens, &scope.each_ref().map(String::as_str), token, &mut violations);
        violations.check()?;
        Ok(Page { scope, start: cursor.and_then(|c| c.parse().ok()).unwrap_or(0), size })
    }
}

impl Page {
    /// The rows of the page, and the token of the next.
    fn cut<T>(&self, all: Vec<T>, platform: &Platform) -> (Vec<T>, String) {
        let end = self.start.saturating_add(self.size);
        let token = if end < all.len() {
            platform.tokens.sign(&self.scope.each_ref().map(String::as_str), &end.to_string())
        } else {
            String::new()
        };
        (all.into_iter().skip(self.start).take(self.size).collect(), token)
    }
}
