//! Operators with their certificates, and capacity that is published: what every measurement of the whole server begins with.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use eservices::{
    appointments::v1 as ap,
    common::v1::AppointmentType,
    fulfilment::v1::{DayCapacity, PublishCapacityRequest, PublishZonesRequest, SlotCapacity, Zone},
};
use eservices_server::{
    commands::Context,
    platform::{
        clock::{Clock, Machine, paris_day},
        config::{Config, Environment},
        ids::Ids,
        pki::{Authority, Issued, KeySource, Profile, Validity},
        registry::{self, Brand, By, Holder, NewOperator, NewSystem},
    },
};
use jiff::ToSpan as _;
use prost::Message;
use rustls::ClientConfig;

use crate::{
    Failure,
    load::{Question, Wire},
    world,
};

/// The commune of the building that is visited.
const COMMUNE: &str = "77058";

/// The building.
pub const IMB: &str = "IMB/77058/X/0218";

/// Appointments.
pub const APPOINTMENTS: &str = "/eservices.appointments.v1.AppointmentService/";
const FULFILMENT: &str = "/eservices.fulfilment.v1.FulfilmentService/";

/// A folder that is ready to be served, and who calls.
pub struct Stage {
    /// The client's side of each operator's handshake.
    pub operators: Vec<Arc<ClientConfig>>,
    /// Their SIRENs.
    pub sirens: Vec<String>,
    workforce: Arc<ClientConfig>,
    clock: Clock,
    ids: Ids,
}

impl Stage {
    /// Makes certificates, the configuration's file, database and registry: so many operators that hold `rights`.
    pub async fn make(
        folder: &Path,
        config: &Config,
        files: Vec<PathBuf>,
        operators: u64,
        rights: &[&str],
    ) -> Result<Self, Failure> {
        let (clock, ids) = (Clock::new(Machine::System, false), Ids::default());
        let authority = world::authority(folder, &clock)?;
        world::write_configuration(folder, config)?;
        let db = world::database(config, &clock, files).await?;
        let context = Context { config: config.clone(), clock: clock.clone(), ids: ids.clone(), json: false };
        let catalogue = context.catalogue(&db).await.map_err(|e| e.to_string())?;
        let request_id = ids.call().to_string();
        let by = || By::cli(&request_id, clock.machine());
        let tls = |issued: &Issued| -> Result<_, Failure> {
            let key = issued.key_pem.as_deref().ok_or("a certificate was issued without its key")?;
            Ok(Arc::new(world::client_with(folder, issued.chain_pem.as_bytes(), key.as_bytes())?))
        };
        let names: Vec<String> = rights.iter().map(|name| (*name).to_owned()).collect();
        let (mut clients, mut sirens) = (Vec::new(), Vec::new());
        for n in 0..operators {
            let siren = siren(n)?;
            let operator = NewOperator {
                siren: siren.clone(),
                display_name: format!("Load {n}"),
                quadrigram: format!("{n:04}"),
                brand: Brand::default(),
                quota_tier: "standard".into(),
            };
            registry::create_operator(&db, by(), &operator).await?;
            let holder = Holder::operator(&siren)?;
            registry::grant(&db, by(), &holder, &names, &catalogue).await?;
            let issued = issue(&authority, &clock, &holder, &names)?;
            let registration = issued.registration.as_ref().ok_or("a client without a registration")?;
            registry::register_certificate(&db, by(), registration, &catalogue).await?;
            clients.push(tls(&issued)?);
            sirens.push(siren);
        }
        let workforce = Holder::system("workforce")?;
        let system = NewSystem {
            code: "workforce".into(),
            display_name: "Load".into(),
            quota_tier: "standard".into(),
        };
        registry::create_system(&db, by(), &system).await?;
        registry::grant(&db, by(), &workforce, &["workforce".to_owned()], &catalogue).await?;
        let issued = issue(&authority, &clock, &workforce, &["workforce".to_owned()])?;
        let registration = issued.registration.as_ref().ok_or("a client without a registration")?;
        registry::register_certificate(&db, by(), registration, &catalogue).await?;
        db.close().await;
        Ok(Self { operators: clients, sirens, workforce: tls(&issued)?, clock, ids })
    }

    /// Publishes a zone and its slots; answers the ids of those that can be held.
    pub async fn publish(&self, port: u16) -> Result<Vec<String>, Failure> {
        let mut back_office = Wire::open(port, &self.workforce).await?;
        let zone = Zone { code: "ZLD".into(), label: "Load".into(), commune_codes: vec![COMMUNE.into()] };
        let request = PublishZonesRequest { request_id: self.ids.call().to_string(), zones: vec![zone] };
        back_office
            .ask(&Question::new(&format!("{FULFILMENT}PublishZones"), &request.encode_to_vec())?)
            .await?;
        let slot = |start: &str, end: &str| SlotCapacity {
            start_time: start.into(),
            end_time: end.into(),
            capacity: 1_000,
        };
        let today = paris_day(self.clock.machine());
        let mut days = Vec::new();
        for n in 8..=26_i64 {
            let day = today.checked_add(n.days())?.to_string();
            days.push(DayCapacity { day, slots: vec![slot("08:00", "12:00"), slot("13:00", "17:00")] });
        }
        let request =
            PublishCapacityRequest { request_id: self.ids.call().to_string(), zone_code: "ZLD".into(), days };
        back_office
            .ask(&Question::new(&format!("{FULFILMENT}PublishCapacity"), &request.encode_to_vec())?)
            .await?;
        let request = ap::SearchSlotsRequest {
            intervention: Some(intervention()),
            max_slots: 100,
            ..ap::SearchSlotsRequest::default()
        };
        let mut operator = Wire::open(port, &self.operators[0]).await?;
        let found: ap::SearchSlotsResponse =
            ask(&mut operator, APPOINTMENTS, "SearchSlots", &request).await?;
        let slots: Vec<String> = found.slots.into_iter().map(|s| s.slot_id).collect();
        if slots.is_empty() { Err("no slot can be held".into()) } else { Ok(slots) }
    }
}

/// Asks a method of a service.
pub async fn ask<A: Message + Default>(
    wire: &mut Wire,
    service: &str,
    method: &str,
    request: &impl Message,
) -> Result<A, Failure> {
    let question = Question::new(&format!("{service}{method}"), &request.encode_to_vec())?;
    Ok(A::decode(wire.ask(&question).await?)?)
}

/// The visit that is asked for.
pub fn intervention() -> ap::Intervention {
    ap::Intervention {
        place: Some(ap::Place { designation: Some(ap::place::Designation::Imb(IMB.into())) }),
        product_nature: "JUST_FIBRE".into(),
        operation: "CREATION".into(),
        appointment_type: AppointmentType::House.into(),
        ..ap::Intervention::default()
    }
}

fn issue(authority: &Authority, clock: &Clock, holder: &Holder, names: &[String]) -> Result<Issued, Failure> {
    let profile = Profile::Client {
        holder: holder.clone(),
        display_name: "Load".into(),
        environment: Environment::NonProduction,
        names: names.to_vec(),
        label: format!("{}_load", holder.code()),
    };
    Ok(authority.issue(&profile, KeySource::Generate, Validity::days(clock.machine(), 20)?)?)
}

/// The n-th SIREN of those that belong to nobody: 90 000…, with the digit that makes it pass.
fn siren(n: u64) -> Result<String, Failure> {
    let all = (0..10).map(|digit| format!("90{n:06}{digit}"));
    all.into_iter().find(|s| Holder::operator(s).is_ok()).ok_or_else(|| "no SIREN".into())
}
