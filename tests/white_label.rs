//! What reaches an end customer carries the operator's brand, and nobody else's name: every text of the whole flow, as it comes
//! off the wire. The wholesaler has a name here that stands wherever one of its own people could have put it.

use std::collections::BTreeMap;

use eservices::{
    appointments::v1 as ap,
    fulfilment::v1::{self as fu, Capability, CustomerTextKind as Kind, report_work_request::Report},
    orders::v1::{self as pb, OrderState as State},
};
use eservices_client::{Client, new_request_id};
use eservices_server::platform::registry::{self, Brand, Holder, NewOperator, NewSystem};
use prost::Message;

use crate::harness::{
    ALL, Identity, SIRENS, World, day_after,
    field::{
        absent, completed, disconnected, failed, installed, lease_request, report_request, returned, shipped,
        started,
    },
    hold, intervention,
    orders::{new_order, place},
    publish_days,
    raw::Raw,
    slot_id,
};

/// The wholesaler, as it would be written, and as people write it.
const WHOLESALER: &str = "Zéphyrnet Réseaux";
const ITS_NAMES: [&str; 4] = ["zéphyrnet", "zephyrnet", "zéphyr", "zephyr"];

/// One of the wholesaler's systems: bytes on the wire for what it reads, our client for what it says.
struct System {
    raw: Raw,
    client: Client,
}

/// A text, and whose end customer reads it.
type Texts = BTreeMap<(String, Kind), Vec<fu::CustomerText>>;

struct Flow {
    logistics: System,
    workforce: System,
    texts: Texts,
    brands: Vec<fu::Brand>,
}

async fn raw(world: &World, identity: &Identity) -> Raw {
    let root = world.pki.root.certificate_pem();
    Raw::open(world.address, root, Some(identity), &[&rustls::version::TLS13]).await.unwrap()
}

/// No way of writing the wholesaler stands in what was said; bytes of the wire or a text.
fn unnamed(said: &[u8]) {
    let text = String::from_utf8_lossy(said).to_lowercase();
    for name in ITS_NAMES {
        assert!(!text.contains(name), "{name} stands in {text:?}");
    }
}

async fn system(world: &World, code: &str, role: &str) -> System {
    let request_id = new_request_id();
    let new = NewSystem {
        code: code.into(),
        display_name: format!("{WHOLESALER} {role}"),
        quota_tier: "standard".into(),
    };
    registry::create_system(&world.platform.db, world.by(&request_id), &new).await.unwrap();
    let identity = world.party(&Holder::system(code).unwrap(), &[role], &[role]).await;
    System { raw: raw(world, &identity).await, client: world.client(&identity).await }
}

async fn operator(
    world: &World,
    siren: &str,
    display_name: &str,
    quadrigram: &str,
    brand: Brand,
) -> Identity {
    let request_id = new_request_id();
    let new = NewOperator {
        siren: siren.into(),
        display_name: display_name.into(),
        quadrigram: quadrigram.into(),
        brand,
        quota_tier: "standard".into(),
    };
    registry::create_operator(&world.platform.db, world.by(&request_id), &new).await.unwrap();
    world.party(&Holder::operator(siren).unwrap(), ALL, ALL).await
}

impl Flow {
    async fn set(world: &World) -> Self {
        let logistics = system(world, "zephyrnet-colis", "logistics").await;
        let workforce = system(world, "zephyrnet-terrain", "workforce").await;
        let zone = fu::Zone {
            code: "ZMLV".into(),
            label: format!("{WHOLESALER} Marne-la-Vallée"),
            commune_codes: vec!["77058".into()],
        };
        let request = fu::PublishZonesRequest { request_id: new_request_id(), zones: vec![zone] };
        workforce.client.fulfilment().publish_zones(request).await.unwrap();
        publish_days(&workforce.client, "ZMLV", (8..=26).map(day_after).collect(), 20).await;
        let serials = (1..=3).map(|n| format!("BX-{n:04}")).collect();
        let request = fu::AddBoxesRequest { request_id: new_request_id(), serials };
        logistics.client.work().add_boxes(request).await.unwrap();
        Self { logistics, workforce, texts: Texts::new(), brands: Vec::new() }
    }

    /// Leases the one piece of work of a kind, keeps what its worker would show, and reports of it.
    async fn does(&mut self, capability: Capability, reports: &[Report]) {
        let system = match capability {
            Capability::Shipping | Capability::Returns => &mut self.logistics,
            _ => &mut self.workforce,
        };
        let request =
            fu::LeaseWorkRequest { worker_id: "zephyrnet-tech-7".into(), ..lease_request(capability, 20) };
        let path = "/eservices.fulfilment.v1.WorkService/LeaseWork";
        let answer = system.raw.call(path, &request.encode_to_vec()).await.unwrap();
        unnamed(answer.message());
        let leased = fu::LeaseWorkResponse::decode(answer.message()).unwrap().items;
        let [item] = &leased[..] else { panic!("{capability:?}: {leased:?}") };
        let details = item.details.clone().unwrap();
        let brand = details.brand.unwrap();
        for text in details.customer_texts {
            assert_ne!(text.kind(), Kind::Unspecified);
            self.texts.entry((brand.name.clone(), text.kind())).or_default().push(text);
        }
        self.brands.push(brand);
        for report in reports {
            let mut request = report_request(item, report.clone());
            request.comment = "Rien à signaler.".into();
            system.client.work().report_work(request).await.unwrap();
        }
    }
}

/// What an operator reads of an order, and may show.
async fn read(operator: &mut Raw, number: &str) -> pb::GetOrderResponse {
    let request = pb::GetOrderRequest { number: number.into() };
    let path = "/eservices.orders.v1.OrderService/GetOrder";
    let answer = operator.call(path, &request.encode_to_vec()).await.unwrap();
    unnamed(answer.message());
    pb::GetOrderResponse::decode(answer.message()).unwrap()
}

/// What an operator reads of slots and of an appointment, and may show.
async fn visit(operator: &mut Raw, reference: &str) {
    let service = "/eservices.appointments.v1.AppointmentService/";
    let search = ap::SearchSlotsRequest { intervention: Some(intervention()), ..Default::default() };
    let get = ap::GetAppointmentRequest { reference: reference.into() };
    for (method, question) in
        [("SearchSlots", search.encode_to_vec()), ("GetAppointment", get.encode_to_vec())]
    {
        let answer = operator.call(&format!("{service}{method}"), &question).await.unwrap();
        assert!(answer.message().len() > 50, "{method} says something");
        unnamed(answer.message());
    }
}

async fn terminate(client: &Client, aid: &str) -> pb::Order {
    let request = pb::TerminateAccessRequest {
        request_id: new_request_id(),
        aid: aid.into(),
        operator_reference: "ALPHA-3".into(),
        ..Default::default()
    };
    client.orders().terminate_access(request).await.unwrap().into_inner().order.unwrap()
}

async fn exchange(client: &Client, aid: &str) -> pb::Order {
    let wanted = new_order("ALPHA-2", "");
    let request = pb::ExchangeBoxRequest {
        request_id: new_request_id(),
        aid: aid.into(),
        operator_reference: "ALPHA-2".into(),
        contact: wanted.contact,
        delivery_address: wanted.delivery_address,
        ..Default::default()
    };
    client.orders().exchange_box(request).await.unwrap().into_inner().order.unwrap()
}

/// Delivery with an absence, exchange and termination, of one operator.
async fn a_whole_life(flow: &mut Flow, client: &Client, raw: &mut Raw) -> Vec<String> {
    let order = place(client, "ALPHA-1", &slot_id(8, "08:00")).await;
    flow.does(Capability::Shipping, &[shipped("BX-0001")]).await;
    flow.does(Capability::Installation, &[absent()]).await;
    let waiting = read(raw, &order.number).await.order.unwrap();
    let request = pb::RetakeAppointmentRequest {
        request_id: new_request_id(),
        number: order.number.clone(),
        etag: waiting.etag,
        appointment_reference: hold(client, &slot_id(10, "13:00")).await.reference,
    };
    client.orders().retake_appointment(request).await.unwrap();
    flow.does(Capability::Installation, &[started(), installed("FI-0A1B-2C3D")]).await;
    flow.does(Capability::Activation, &[completed()]).await;
    let delivered = read(raw, &order.number).await.order.unwrap();
    visit(raw, &delivered.appointment_reference).await;
    let exchanged = exchange(client, &order.aid).await;
    flow.does(Capability::Shipping, &[shipped("BX-0002")]).await;
    flow.does(Capability::Returns, &[returned("BX-0001")]).await;
    let terminated = terminate(client, &order.aid).await;
    flow.does(Capability::Disconnection, &[disconnected()]).await;
    flow.does(Capability::Returns, &[returned("BX-0002")]).await;
    vec![order.number, exchanged.number, terminated.number]
}

#[tokio::test]
async fn no_end_customer_reads_the_wholesalers_name() {
    let world = World::start().await;
    let mut flow = Flow::set(&world).await;
    let brand = Brand { name: "Alpha Box".into(), phone: "0199000100".into(), sender: "AlphaBox".into() };
    let alpha = operator(&world, SIRENS[0], "Grande Société SA", "GRSO", brand).await;
    // Without a brand it is its own name, without telephone and sender.
    let gamma = operator(&world, SIRENS[1], "Gamma Télécom", "GAMM", Brand::default()).await;

    // A visit that fails after the box has left: it comes back.
    let (client, mut on_wire) = (world.client(&gamma).await, raw(&world, &gamma).await);
    let order = place(&client, "GAMMA-1", &slot_id(9, "08:00")).await;
    flow.does(Capability::Shipping, &[shipped("BX-0003")]).await;
    flow.does(Capability::Installation, &[failed("FINT04")]).await;
    flow.does(Capability::Returns, &[returned("BX-0003")]).await;
    let told = read(&mut on_wire, &order.number).await;
    assert_eq!(told.order.unwrap().failure_code, "FINT04");
    assert!(told.history.iter().any(|entry| entry.comment == "Rien à signaler."));

    let (client, mut on_wire) = (world.client(&alpha).await, raw(&world, &alpha).await);
    let numbers = a_whole_life(&mut flow, &client, &mut on_wire).await;
    for number in &numbers {
        let order = read(&mut on_wire, number).await.order.unwrap();
        assert_eq!(order.state(), State::Completed, "{number}");
    }

    let mut shown = 0;
    for ((brand, kind), texts) in &flow.texts {
        let other = if brand == "Alpha Box" { ["gamma", "télécom"] } else { ["alpha", "société"] };
        let sender = if brand == "Alpha Box" { "AlphaBox" } else { "" };
        for text in texts {
            println!("{brand}, {}: {}", kind.as_str_name(), text.text);
            assert!(text.text.contains(brand.as_str()), "{}", text.text);
            assert_eq!((text.language.as_str(), text.sender.as_str()), ("fr", sender));
            let said = format!("{} {}", text.text, text.sender);
            unnamed(said.as_bytes());
            let said = said.to_lowercase();
            assert!(!other.iter().any(|name| said.contains(name)), "{said}");
            // Nor the wholesaler's product, nor who lives there.
            for word in ["just", "optimum", "grande société", "martin", "camille", "ganneron", "0199000001"]
            {
                assert!(!said.contains(word), "{word} stands in {said}");
            }
            shown += 1;
        }
    }
    for brand in &flow.brands {
        unnamed(brand.encode_to_vec().as_slice());
        assert!(["Alpha Box", "Gamma Télécom"].contains(&brand.name.as_str()), "{brand:?}");
    }
    println!("{shown} texts and {} brands, none with the wholesaler's name", flow.brands.len());

    // Every kind was met, for each of the two as far as it came.
    let kinds = |brand: &str| {
        let of = flow.texts.iter().filter(|((name, _), _)| name == brand);
        of.map(|((_, kind), texts)| (*kind, texts.len())).collect::<Vec<_>>()
    };
    assert_eq!(
        kinds("Alpha Box"),
        [
            (Kind::ParcelSender, 2),
            (Kind::BoxOnItsWay, 2),
            (Kind::VisitAnnounced, 2),
            (Kind::TechnicianOnTheWay, 2),
            (Kind::VisitMissed, 2),
            (Kind::VisitFailed, 2),
            (Kind::AccessOn, 1),
            (Kind::AccessOff, 1),
            (Kind::BoxAwaited, 2),
            (Kind::ReturnAddressee, 2),
            (Kind::BoxNotSent, 2),
            (Kind::BoxSentAgain, 4),
            (Kind::AccessNotOn, 1),
        ]
    );
    assert_eq!(kinds("Gamma Télécom").len(), 10, "all but those of an access");
    // The two appointments, by hand: Wednesday 2 December and the Friday after it.
    let announced = &flow.texts[&("Alpha Box".to_owned(), Kind::VisitAnnounced)];
    let announced: Vec<&str> = announced.iter().map(|text| text.text.as_str()).collect();
    assert_eq!(
        announced,
        [
            "Alpha Box : le technicien vient installer votre fibre le mercredi 2 décembre, entre 8 h et 12 h. Un imprévu ? 0199000100",
            "Alpha Box : le technicien vient installer votre fibre le vendredi 4 décembre, entre 13 h et 17 h. Un imprévu ? 0199000100",
        ]
    );
    let missed = &flow.texts[&("Gamma Télécom".to_owned(), Kind::VisitMissed)][0].text;
    assert_eq!(
        missed,
        "Gamma Télécom : le technicien est passé mais vous n'étiez pas là. Pour un nouveau rendez-vous, contactez-nous."
    );
}
