//! One step of an order's life with everything that it brings about, inside one transaction: the order and its history, its
//! appointment, socket, access and address, what it holds in the network. The network's rows come last, see ARCHITECTURE.md.

use eservices_reference::{
    Line,
    ids::{Imb, Pm, Pto},
    structure::Place,
};
use jiff::ToSpan as _;

use super::{
    Entry, Order, add_entry, ask_back, find_any, follow_work, free_socket, holder, is_erased,
    release_address, set_access_state, take_socket, update,
};
use crate::{
    appointments::store as appointments,
    orders::rules::{Action, Actor, State, Type, checks, machine},
    platform::{
        Platform,
        clock::paris_day,
        error::{Error, Reason, Violations},
        network::{Network, store as network},
        unit_of_work::Work,
    },
};

/// What is done to an order, or reported of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// The action.
    pub action: Action,
    /// Who does it.
    pub author: Actor,
    /// Interop code of what went wrong; empty if nothing did.
    pub code: String,
    /// Comment; may be empty.
    pub comment: String,
    /// Facts, for instance `parcel_number`, `box_serial`, `ont_serial`, `pto`.
    pub facts: Vec<(&'static str, String)>,
}

impl Report {
    /// An action without anything said.
    #[must_use]
    pub const fn of(action: Action, author: Actor) -> Self {
        Self { action, author, code: String::new(), comment: String::new(), facts: Vec::new() }
    }

    /// The value of a fact; empty where it is not told.
    #[must_use]
    pub fn fact(&self, name: &str) -> &str {
        self.facts.iter().find(|(n, _)| *n == name).map_or("", |(_, value)| value)
    }
}

/// What the field reports of an order, whoever owns it. The owner's row must be locked already.
pub async fn advance(
    work: &mut Work,
    platform: &Platform,
    number: &str,
    report: &Report,
) -> Result<Order, Error> {
    let order = find_any(&mut work.conn(), number).await?.ok_or_else(|| Error::not_found("Order", number))?;
    step(work, platform, order, report).await
}

/// Takes the order one step further, or refuses with the states that allow it.
pub async fn step(
    work: &mut Work,
    platform: &Platform,
    mut order: Order,
    report: &Report,
) -> Result<Order, Error> {
    let network = platform.network.load();
    // Days that are over count, whether or not the sweeper came by.
    let over = matches!(report.action, Action::Expire | Action::EraseContact);
    let overdue = order.is_overdue(paris_day(work.now)) && !over;
    let standing = if overdue { State::Failed } else { order.state };
    order.state = machine::next(order.kind, standing, report.action)?;
    if order.state != State::AppointmentToRetake {
        order.retake_until.clear();
    }
    match report.action {
        Action::ShipBox => sent(&mut order, report),
        Action::ReportAbsence => {
            order.failure_code.clone_from(&report.code);
            let days = i64::from(platform.config.orders.retake_days);
            order.retake_until = paris_day(work.now).saturating_add(days.days()).to_string();
        }
        Action::RetakeAppointment => order.failure_code.clear(),
        Action::Cancel => "FCLI04".clone_into(&mut order.failure_code),
        Action::FailIntervention | Action::FailActivation | Action::FailShipping => {
            order.failure_code.clone_from(&report.code);
        }
        Action::LoseBox => {
            order.parcel_number.clear();
            order.box_serial.clear();
        }
        Action::FinishIntervention if order.pto.is_empty() => {
            laid(work, &mut order, report, &network).await?
        }
        _ => {}
    }
    let version = tell(work, &mut order, report).await?;
    // A visit that will not be, or that came to nothing: its place is free, and nobody moves it any more.
    let in_vain = match report.action {
        Action::Cancel | Action::ReportAbsence | Action::FailIntervention => true,
        Action::FailShipping => standing != State::Installed,
        _ => false,
    };
    if in_vain && !order.appointment_ref.is_empty() {
        let reference = match report.action {
            Action::ReportAbsence => std::mem::take(&mut order.appointment_ref),
            _ => order.appointment_ref.clone(),
        };
        appointments::release(work, &order.party_id, &reference).await?;
    }
    let gone = order.state == State::Failed && order.kind == Type::Creation;
    let held = std::mem::take(&mut order.fibre_held);
    order.fibre_held = if gone || report.action == Action::FinishIntervention { 0 } else { held };
    keep(work, &order, version, report).await?;
    access(work, platform, &order, report, gone).await?;
    follow_work(work, &order, Some(report.action)).await?;
    let lit = match report.action {
        Action::FinishIntervention => Some("ACTIVE"),
        Action::Disconnect => Some("INACTIVE"),
        _ if gone && standing == State::Installed => Some("INACTIVE"),
        _ => None,
    };
    in_network(work, &order, lit, &network, held > order.fibre_held).await?;
    Ok(order)
}

/// What is reported of an order that is over: a line of its history that leaves it as it is. A box that left for it all the
/// same is asked back. What is said with it is not kept where the end customer is forgotten.
pub async fn add_report(work: &mut Work, mut order: Order, mut report: Report) -> Result<Order, Error> {
    if is_erased(&mut work.conn(), &order.number).await? {
        report.comment.clear();
    }
    let report = &report;
    if report.action == Action::ShipBox {
        sent(&mut order, report);
    }
    let version = tell(work, &mut order, report).await?;
    keep(work, &order, version, report).await?;
    if report.action == Action::ShipBox {
        ask_back(work, &order, &order.box_serial).await?;
    }
    Ok(order)
}

fn sent(order: &mut Order, report: &Report) {
    report.fact("parcel_number").clone_into(&mut order.parcel_number);
    report.fact("box_serial").clone_into(&mut order.box_serial);
}

/// Announces the next version of an order; answers the one before.
async fn tell(work: &mut Work, order: &mut Order, report: &Report) -> Result<i64, Error> {
    let version = order.version;
    order.version += 1;
    order.entries += 1;
    order.updated_at = work.now.as_microsecond();
    let (resource, state) = (order.resource(), order.state.as_str());
    order.revision =
        work.announce(&order.party_id, &order.e_service, kind(report.action), &resource, state).await?;
    Ok(version)
}

/// Stores an order that was announced, its line of history and its line of audit.
async fn keep(work: &mut Work, order: &Order, version: i64, report: &Report) -> Result<(), Error> {
    if !update(&mut work.conn(), order, version).await? {
        return Err(Error::overtaken());
    }
    add_entry(&mut work.conn(), &order.number, &entry(order, report)).await?;
    let details = format!("action={} state={}", report.action.as_str(), order.state.as_str());
    work.note(&order.party_id, order.resource(), details);
    Ok(())
}

/// The socket that the technician laid becomes the order's own.
async fn laid(work: &mut Work, order: &mut Order, report: &Report, network: &Network) -> Result<(), Error> {
    let mut violations = Violations::default();
    let pto = violations.take("pto", Pto::parse(report.fact("pto")));
    let pto = violations.finish(pto)?;
    if network.line(&pto).is_some_and(|line| line.imb.as_str() != order.imb || line.place != place(order)) {
        return Err(Error::new(Reason::Fimp03, "the socket is at another place"));
    }
    if !take_socket(&mut work.conn(), pto.as_str(), order).await? {
        let found = holder(&mut work.conn(), &order.party_id, pto.as_str()).await?;
        return Err(found.as_ref().map_or_else(Error::overtaken, checks::taken));
    }
    order.pto = pto.to_string();
    Ok(())
}

/// What the step does to the access: delivered, ended, given another box.
async fn access(
    work: &mut Work,
    platform: &Platform,
    order: &Order,
    report: &Report,
    gone: bool,
) -> Result<(), Error> {
    let now = work.now.as_microsecond();
    if gone || report.action == Action::Disconnect {
        set_access_state(&mut work.conn(), &order.aid, "terminated", "", now).await?;
        release_address(work, &platform.config.orders, &order.aid).await?;
        free_socket(&mut work.conn(), &order.aid).await?;
    } else if report.action == Action::Complete
        || (order.kind == Type::BoxExchange
            && matches!(report.action, Action::ReturnBox | Action::WriteOffBox))
    {
        set_access_state(&mut work.conn(), &order.aid, "active", &order.box_serial, now).await?;
    }
    Ok(())
}

/// What the step does to the network: a held fibre is given back, a socket is lit or goes dark (`lit`: its state from now on).
async fn in_network(
    work: &mut Work,
    order: &Order,
    lit: Option<&str>,
    network: &Network,
    give_back: bool,
) -> Result<(), Error> {
    let unreadable = |what: &str| Error::internal(format!("order {}: {what} cannot be read", order.number));
    let pm = Pm::parse(&order.pm).map_err(|_| unreadable("pm"))?;
    if give_back {
        network::release_fibre(&mut work.conn(), &pm, &order.pbo).await?;
    }
    let Some(state) = lit.filter(|_| !order.pto.is_empty()) else { return Ok(()) };
    let line = Line {
        imb: Imb::parse(&order.imb).map_err(|_| unreadable("imb"))?,
        place: place(order),
        pto: Pto::parse(&order.pto).map_err(|_| unreadable("pto"))?,
        pbo: Some(order.pbo.as_str()).filter(|pbo| !pbo.is_empty()).map(Into::into),
        state: state.into(),
    };
    network::put_line(&mut work.conn(), &line, &pm, &network.reference.release().name).await
}

fn place(order: &Order) -> Place {
    Place {
        batiment: order.batiment.as_str().into(),
        escalier: order.escalier.as_str().into(),
        etage: order.etage.as_str().into(),
    }
}

fn entry(order: &Order, report: &Report) -> Entry {
    let mut facts: Vec<String> =
        report.facts.iter().filter(|(_, value)| !value.is_empty()).map(|(n, v)| format!("{n}={v}")).collect();
    facts.sort_unstable();
    Entry {
        position: order.entries,
        kind: report.action.entry().to_owned(),
        author: report.author,
        state: order.state,
        code: if report.action == Action::Cancel { "FCLI04".to_owned() } else { report.code.clone() },
        comment: report.comment.clone(),
        facts: facts.join("\n"),
        occurred_at: order.updated_at,
    }
}

/// What the change is announced as.
const fn kind(action: Action) -> &'static str {
    match action {
        Action::Comment => "orders.commented",
        Action::EraseContact => "orders.contact_erased",
        Action::Cancel => "orders.cancelled",
        Action::RetakeAppointment => "orders.appointment_retaken",
        Action::Expire => "orders.expired",
        Action::ShipBox => "orders.box_shipped",
        Action::StartConstruction => "orders.construction_started",
        Action::FinishIntervention => "orders.intervention_done",
        Action::ReportAbsence => "orders.customer_absent",
        Action::FailIntervention => "orders.intervention_failed",
        Action::Complete => "orders.completed",
        Action::Disconnect => "orders.disconnected",
        Action::ReturnBox => "orders.box_returned",
        Action::FailActivation => "orders.activation_failed",
        Action::LoseBox => "orders.box_lost",
        Action::WriteOffBox => "orders.box_not_returned",
        Action::FailShipping => "orders.shipping_failed",
    }
}
