//! What is played of a piece of work: decided by the scenario that the order names, and by how far the order is. Pure.
//!
//! Every step follows from the work as it is leased now, never from what an earlier run of the simulator did: one that was
//! killed goes on where the order stands.

use eservices::{
    fulfilment::v1::{
        AccessDisconnected, ActivationCompleted, BoxLost, BoxReturned, BoxShipped, Capability,
        ConstructionStarted, CustomerAbsent, InterventionFailed, InterventionOk, LeasedWork, WorkDetails,
        report_work_request::Report,
    },
    orders::v1::OrderState,
};
use eservices_reference::ids::Parcel;

/// What stands before the place in the history in the id of a shipping.
const SHIPPING: &str = "-S";

/// What happens next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The visit is later: keep the lease.
    Wait,
    /// Put a box with this serial into stock, then report that it left.
    Ship(String),
    /// Report this; `true`: the work goes on after it.
    Report(Report, bool),
    /// The worker is lost: nothing more is heard of it, and its lease ends by itself.
    Vanish,
}

/// The next step of a piece of work at a business instant, seconds.
#[must_use]
pub fn next(work: &LeasedWork, details: &WorkDetails, now: i64) -> Step {
    match details.capability() {
        Capability::Shipping => Step::Ship(box_serial(&work.work_id)),
        Capability::Installation => visit(work, details, now),
        Capability::Activation => Step::Report(Report::Completed(ActivationCompleted {}), false),
        Capability::Disconnection => Step::Report(Report::Disconnected(AccessDisconnected {}), false),
        Capability::Returns => {
            let box_serial = details.box_serial.clone();
            Step::Report(Report::BoxReturned(BoxReturned { box_serial }), false)
        }
        Capability::Unspecified => Step::Vanish,
    }
}

/// Whether it is a visit whose slot has begun.
#[must_use]
pub fn is_due_visit(details: &WorkDetails, now: i64) -> bool {
    let starts = details.slot.as_ref().and_then(|slot| slot.start_time).map_or(i64::MIN, |at| at.seconds);
    details.capability() == Capability::Installation && now >= starts
}

fn visit(work: &LeasedWork, details: &WorkDetails, now: i64) -> Step {
    if !is_due_visit(details, now) {
        return Step::Wait;
    }
    let building = details.order_state() == OrderState::UnderConstruction;
    // The first visit of an order is the one that was booked with it.
    let first = work.work_id.ends_with("-I1");
    match details.scenario.as_str() {
        "BUILDING_NOT_FOUND" => failed("FADR01"),
        "CUSTOMER_ABSENT" if first => {
            Step::Report(Report::CustomerAbsent(CustomerAbsent { code: "FCLI07".to_owned() }), false)
        }
        "OPTICAL_BUDGET_TOO_LOW" if building => failed("FINT05"),
        // The first box alone.
        "BOX_LOST" if details.box_serial == box_serial(&format!("{}{SHIPPING}1", details.order_number)) => {
            Step::Report(Report::BoxLost(BoxLost { box_serial: details.box_serial.clone() }), true)
        }
        "WORKER_LOST" if building && work.fencing_token == 1 => Step::Vanish,
        _ if !building => Step::Report(Report::ConstructionStarted(ConstructionStarted {}), true),
        _ => {
            let number = digits(&work.work_id);
            let pto = if details.pto.is_empty() { socket(number) } else { details.pto.clone() };
            let done = InterventionOk {
                ont_serial: format!("HWTC{:08X}", number & 0xffff_ffff),
                pto,
                received_power_dbm: Some(-19.36),
                optical_loss_db: Some(7.2),
            };
            Step::Report(Report::InterventionOk(done), false)
        }
    }
}

fn failed(code: &str) -> Step {
    Step::Report(Report::InterventionFailed(InterventionFailed { code: code.to_owned() }), false)
}

/// The report of a box that left.
#[must_use]
pub fn shipped(work_id: &str, box_serial: String) -> Report {
    Report::BoxShipped(BoxShipped { parcel_number: parcel(work_id), box_serial })
}

/// A serial of its own for each piece of work: the same one again is the same box.
fn box_serial(work_id: &str) -> String {
    format!("SIM-{}", work_id.trim_start_matches("CMD"))
}

/// The digits of the order number in a work id.
fn digits(work_id: &str) -> u64 {
    let number = work_id.split('-').next().unwrap_or_default();
    number.trim_start_matches("CMD").parse().unwrap_or(0)
}

/// A socket that no other order gets: `SI-` and the order number in base 36.
fn socket(number: u64) -> String {
    const LETTERS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut rest = number;
    let mut text = [b'0'; 8];
    for place in text.iter_mut().rev() {
        *place = LETTERS[(rest % 36) as usize];
        rest /= 36;
    }
    let text: String = text.iter().map(|b| char::from(*b)).collect();
    format!("SI-{}-{}", &text[..4], &text[4..])
}

/// A number of its own for each parcel of an order.
fn parcel(work_id: &str) -> String {
    let place = work_id.rsplit_once(SHIPPING).and_then(|(_, place)| place.parse().ok()).unwrap_or(0);
    Parcel::of_france(['X', 'S'], digits(work_id).wrapping_mul(31).wrapping_add(place)).to_string()
}

#[cfg(test)]
mod tests {
    use eservices::appointments::v1::Slot;
    use prost_types::Timestamp;

    use super::*;

    fn visit_of(scenario: &str, state: OrderState, id: &str, token: i64) -> Step {
        let start_time = Some(Timestamp { seconds: 1_000, nanos: 0 });
        let details = WorkDetails {
            capability: Capability::Installation.into(),
            order_state: state.into(),
            scenario: scenario.to_owned(),
            slot: Some(Slot { start_time, ..Slot::default() }),
            ..WorkDetails::default()
        };
        let work = LeasedWork { work_id: id.to_owned(), fencing_token: token, ..LeasedWork::default() };
        assert_eq!(next(&work, &details, 999), Step::Wait, "no visit before its slot");
        next(&work, &details, 1_000)
    }

    #[test]
    fn each_scenario_is_played_from_where_the_order_stands() {
        use OrderState::{InProgress, UnderConstruction};
        let starts = Step::Report(Report::ConstructionStarted(ConstructionStarted {}), true);
        let (first, later) = ("CMD000000000042-I1", "CMD000000000042-I5");
        for scenario in ["", "NOMINAL", "OPTICAL_BUDGET_TOO_LOW", "WORKER_LOST"] {
            assert_eq!(visit_of(scenario, InProgress, first, 1), starts, "{scenario}");
        }
        assert_eq!(visit_of("BUILDING_NOT_FOUND", InProgress, first, 1), failed("FADR01"));
        assert_eq!(visit_of("OPTICAL_BUDGET_TOO_LOW", UnderConstruction, first, 1), failed("FINT05"));
        assert_eq!(visit_of("WORKER_LOST", UnderConstruction, first, 1), Step::Vanish);
        let absent = Report::CustomerAbsent(CustomerAbsent { code: "FCLI07".to_owned() });
        assert_eq!(visit_of("CUSTOMER_ABSENT", InProgress, first, 1), Step::Report(absent, false));
        assert_eq!(visit_of("CUSTOMER_ABSENT", InProgress, later, 1), starts, "the second visit finds them");
        for (scenario, token) in [("", 1), ("WORKER_LOST", 2)] {
            let Step::Report(Report::InterventionOk(done), false) =
                visit_of(scenario, UnderConstruction, first, token)
            else {
                panic!("{scenario}");
            };
            assert_eq!((done.pto.as_str(), done.ont_serial.as_str()), ("SI-0000-0016", "HWTC0000002A"));
        }
    }

    #[test]
    fn every_parcel_has_its_own_number() {
        let numbers = ["CMD000000000042-S1", "CMD000000000042-S4", "CMD000000000043-S1"].map(parcel);
        assert!(numbers.iter().all(|parcel| Parcel::is_valid(parcel)), "{numbers:?}");
        assert!(numbers[0] != numbers[1] && numbers[0] != numbers[2] && numbers[1] != numbers[2]);
    }

    #[test]
    fn a_socket_names_its_order() {
        // 35 × 36 + 35 is the largest number of two places.
        assert_eq!(socket(1_295), "SI-0000-00ZZ");
        assert_ne!(socket(1), socket(2));
        assert!(eservices_reference::ids::Pto::is_valid(&socket(999_999_999_999)));
    }
}
