//! Every (type, state, action), each outcome written by hand from docs/orders.md.

use super::*;

/// One line a state of a type: for each action in the order of [`Action::ALL`] the next state by its letter, `.` for a
/// refusal. P in progress, U under construction, I installed, R to retake, W waiting for the box, C completed, F failed.
///
/// Columns: comment, erase, cancel, retake, expire, ship, start, finish, absence, fail, complete, disconnect, return, fail
/// activation, lose, write off, fail shipping.
const BY_HAND: &[(Type, State, &str)] = &[
    (T::Creation, S::InProgress, "P.F..PU.RF....P.F"),
    (T::Creation, S::UnderConstruction, "U....U.IRF....U.F"),
    (T::Creation, S::Installed, "I....I....C..FI.F"),
    (T::Creation, S::AppointmentToRetake, "R.FPFR..........F"),
    (T::Creation, S::WaitingForBoxReturn, "W................"),
    (T::Creation, S::Completed, ".C..............."),
    (T::Creation, S::Failed, ".F..............."),
    (T::Termination, S::InProgress, "P.F........W....."),
    (T::Termination, S::UnderConstruction, "U................"),
    (T::Termination, S::Installed, "I................"),
    (T::Termination, S::AppointmentToRetake, "R................"),
    (T::Termination, S::WaitingForBoxReturn, "W...........C..C."),
    (T::Termination, S::Completed, ".C..............."),
    (T::Termination, S::Failed, ".F..............."),
    (T::BoxExchange, S::InProgress, "P.F..W..........F"),
    (T::BoxExchange, S::UnderConstruction, "U................"),
    (T::BoxExchange, S::Installed, "I................"),
    (T::BoxExchange, S::AppointmentToRetake, "R................"),
    (T::BoxExchange, S::WaitingForBoxReturn, "W...........C.PC."),
    (T::BoxExchange, S::Completed, ".C..............."),
    (T::BoxExchange, S::Failed, ".F..............."),
];

fn letter(state: Option<State>) -> char {
    match state {
        None => '.',
        Some(S::InProgress) => 'P',
        Some(S::UnderConstruction) => 'U',
        Some(S::Installed) => 'I',
        Some(S::AppointmentToRetake) => 'R',
        Some(S::WaitingForBoxReturn) => 'W',
        Some(S::Completed) => 'C',
        Some(S::Failed) => 'F',
    }
}

#[test]
fn every_type_state_and_action() {
    assert_eq!(BY_HAND.len(), Type::ALL.len() * State::ALL.len());
    for (order, state, expected) in BY_HAND {
        let found: String = Action::ALL.iter().map(|action| letter(step(*order, *state, *action))).collect();
        assert_eq!(found, *expected, "{order:?} {state:?}");
    }
}

#[test]
fn a_refusal_names_the_states_that_allow() {
    let error = next(T::Creation, S::Completed, A::Cancel).unwrap_err();
    assert_eq!(error.reason(), Reason::OrderStateForbids);
    assert_eq!(allowed(T::Creation, A::Cancel), "in_progress,appointment_to_retake");
    assert_eq!(allowed(T::Termination, A::StartConstruction), "");
    assert_eq!(allowed(T::BoxExchange, A::Comment), "in_progress,waiting_for_box_return");
}

#[test]
fn each_type_has_its_states() {
    let names = |order: Type| order.states().map(State::as_str).collect::<Vec<_>>().join(" ");
    assert_eq!(
        names(T::Creation),
        "in_progress under_construction installed appointment_to_retake completed failed"
    );
    assert_eq!(names(T::Termination), "in_progress waiting_for_box_return completed failed");
    assert_eq!(names(T::BoxExchange), "in_progress waiting_for_box_return completed failed");
}
