//! The life of an appointment: one table, and what time does to it.
//!
//! A hold that is due counts as lapsed already, whether or not the sweeper came by.

use jiff::Timestamp;

use crate::platform::error::{Error, Reason};

/// The states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Reserved until its hold ends.
    Held,
    /// Quoted by an order.
    Confirmed,
    /// Cancelled by the operator.
    Cancelled,
    /// The hold ran out.
    Lapsed,
}

/// What can be done to an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// An order quotes it.
    Confirm,
    /// Move it to another slot.
    Reschedule,
    /// The operator gives it up.
    Cancel,
    /// The order that quotes it lets it go.
    Release,
    /// Its time is over.
    Lapse,
}

/// What comes of an action in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next state.
    To(State),
    /// The refusal.
    Refused(Reason),
    /// Nothing to do.
    Nothing,
}

/// Every (state, action) pair.
pub const TABLE: &[(State, Action, Step)] = &[
    (State::Held, Action::Confirm, Step::To(State::Confirmed)),
    (State::Held, Action::Reschedule, Step::To(State::Held)),
    (State::Held, Action::Cancel, Step::To(State::Cancelled)),
    (State::Held, Action::Release, Step::Nothing),
    (State::Held, Action::Lapse, Step::Nothing),
    (State::Confirmed, Action::Confirm, Step::Refused(Reason::Frdv04)),
    (State::Confirmed, Action::Reschedule, Step::To(State::Confirmed)),
    (State::Confirmed, Action::Cancel, Step::Refused(Reason::Frdv04)),
    (State::Confirmed, Action::Release, Step::To(State::Cancelled)),
    (State::Confirmed, Action::Lapse, Step::Nothing),
    (State::Cancelled, Action::Confirm, Step::Refused(Reason::Frdv04)),
    (State::Cancelled, Action::Reschedule, Step::Refused(Reason::Frdv04)),
    (State::Cancelled, Action::Cancel, Step::Refused(Reason::Frdv04)),
    (State::Cancelled, Action::Release, Step::Nothing),
    (State::Cancelled, Action::Lapse, Step::Nothing),
    (State::Lapsed, Action::Confirm, Step::Refused(Reason::Frdv03)),
    (State::Lapsed, Action::Reschedule, Step::Refused(Reason::Frdv03)),
    (State::Lapsed, Action::Cancel, Step::Refused(Reason::Frdv03)),
    (State::Lapsed, Action::Release, Step::Nothing),
    (State::Lapsed, Action::Lapse, Step::To(State::Lapsed)),
];

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Held, Self::Confirmed, Self::Cancelled, Self::Lapsed];

    /// As stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
            Self::Lapsed => "lapsed",
        }
    }

    /// The state that the rules see: a due hold is lapsed.
    #[must_use]
    pub fn at(self, hold_ends: Timestamp, now: Timestamp) -> Self {
        if self == Self::Held && hold_ends <= now { Self::Lapsed } else { self }
    }
}

impl TryFrom<String> for State {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|s| s.as_str() == text)
            .ok_or_else(|| format!("unknown appointment state {text}"))
    }
}

/// What an action comes to in a state that [`State::at`] saw.
#[must_use]
pub fn step(state: State, action: Action) -> Step {
    TABLE.iter().find(|(s, a, _)| *s == state && *a == action).map_or(Step::Nothing, |(_, _, step)| *step)
}

/// The next state, or the refusal with the facts that it stands on.
pub fn next(state: State, action: Action, hold_ends: Timestamp) -> Result<State, Error> {
    match step(state, action) {
        Step::To(next) => Ok(next),
        Step::Nothing => Ok(state),
        Step::Refused(Reason::Frdv03) => {
            Err(Error::new(Reason::Frdv03, "the hold lapsed").with("expired_at", hold_ends.to_string()))
        }
        Step::Refused(reason) => Err(Error::new(reason, format!("the appointment is {}", state.as_str()))
            .with("state", state.as_str())
            .with("allowed_states", allowed(action))),
    }
}

/// The states in which an action passes, comma separated.
fn allowed(action: Action) -> String {
    let passing = TABLE.iter().filter(|(_, a, step)| *a == action && matches!(step, Step::To(_)));
    passing.map(|(state, _, _)| state.as_str()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair, each outcome written by hand from the diagram in the contract.
    #[test]
    fn every_state_and_action() {
        use {Action as A, Reason::*, State as S, Step::*};
        let by_hand = [
            (S::Held, A::Confirm, To(S::Confirmed)),
            (S::Held, A::Reschedule, To(S::Held)),
            (S::Held, A::Cancel, To(S::Cancelled)),
            (S::Held, A::Release, Nothing),
            (S::Held, A::Lapse, Nothing),
            (S::Confirmed, A::Confirm, Refused(Frdv04)),
            (S::Confirmed, A::Reschedule, To(S::Confirmed)),
            (S::Confirmed, A::Cancel, Refused(Frdv04)),
            (S::Confirmed, A::Release, To(S::Cancelled)),
            (S::Confirmed, A::Lapse, Nothing),
            (S::Cancelled, A::Confirm, Refused(Frdv04)),
            (S::Cancelled, A::Reschedule, Refused(Frdv04)),
            (S::Cancelled, A::Cancel, Refused(Frdv04)),
            (S::Cancelled, A::Release, Nothing),
            (S::Cancelled, A::Lapse, Nothing),
            (S::Lapsed, A::Confirm, Refused(Frdv03)),
            (S::Lapsed, A::Reschedule, Refused(Frdv03)),
            (S::Lapsed, A::Cancel, Refused(Frdv03)),
            (S::Lapsed, A::Release, Nothing),
            (S::Lapsed, A::Lapse, To(S::Lapsed)),
        ];
        assert_eq!(TABLE.len(), by_hand.len());
        for (state, action, outcome) in by_hand {
            assert_eq!(step(state, action), outcome, "{state:?} {action:?}");
        }
    }

    #[test]
    fn a_hold_is_lapsed_from_its_last_instant_on() {
        let end: Timestamp = "2026-11-24T09:30:00Z".parse().unwrap();
        let just_before = end - jiff::SignedDuration::from_micros(1);
        assert_eq!(State::Held.at(end, just_before), State::Held);
        assert_eq!(State::Held.at(end, end), State::Lapsed);
        assert_eq!(State::Confirmed.at(end, end), State::Confirmed);
        assert_eq!(State::Cancelled.at(end, end), State::Cancelled);
    }

    #[test]
    fn a_refusal_names_the_states_that_allow() {
        let error = next(State::Cancelled, Action::Cancel, Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(error.reason(), Reason::Frdv04);
        assert_eq!(allowed(Action::Cancel), "held");
        assert_eq!(allowed(Action::Confirm), "held");
    }
}
