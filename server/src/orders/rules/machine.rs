//! The life of an order: one table. What is not in it is refused; what the field says of the box of an order that is over is a
//! line of its history, and no step.
//!
//! The contract publishes it (`GetOrderLifecycle`), docs/orders.md draws it. Does not know what an action does besides.

use std::fmt::Write as _;

use crate::platform::error::{Error, Reason};

/// A set of words, each as stored and as published.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value, in the contract's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As stored.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
                    .ok_or_else(|| format!(concat!("unknown ", stringify!($name), " {}"), text))
            }
        }
    };
}

words!(
    /// What an order is about.
    Type {
        /// A new access.
        Creation = "creation",
        /// The end of an access.
        Termination = "termination",
        /// Another box for an access.
        BoxExchange = "box_exchange",
    }
);
words!(
    /// How far it is.
    State {
        /// Accepted and under way.
        InProgress = "in_progress",
        /// Past the point of no return.
        UnderConstruction = "under_construction",
        /// The technician is done.
        Installed = "installed",
        /// The visit failed: a new appointment is wanted.
        AppointmentToRetake = "appointment_to_retake",
        /// The old box is awaited.
        WaitingForBoxReturn = "waiting_for_box_return",
        /// Delivered, terminated or exchanged.
        Completed = "completed",
        /// Ended without effect.
        Failed = "failed",
    }
);
words!(
    /// What can be done to an order.
    Action {
        /// A comment, from either side.
        Comment = "COMMENT",
        /// The operator has the end customer's data erased.
        EraseContact = "ERASE_CONTACT",
        /// The operator gives up.
        Cancel = "CANCEL",
        /// The operator attaches a new appointment.
        RetakeAppointment = "RETAKE_APPOINTMENT",
        /// The days for a new appointment are over.
        Expire = "EXPIRE",
        /// The box left, with its parcel number and serial.
        ShipBox = "SHIP_BOX",
        /// The technician begins to build: the point of no return.
        StartConstruction = "START_CONSTRUCTION",
        /// The technician is done, with the ONT and the socket.
        FinishIntervention = "FINISH_INTERVENTION",
        /// Nobody was there: a new appointment is wanted.
        ReportAbsence = "REPORT_ABSENCE",
        /// The visit failed for good, with its reason.
        FailIntervention = "FAIL_INTERVENTION",
        /// The access is on.
        Complete = "COMPLETE",
        /// The access is off.
        Disconnect = "DISCONNECT",
        /// The old box is back.
        ReturnBox = "RETURN_BOX",
        /// The access can not be switched on, with its reason.
        FailActivation = "FAIL_ACTIVATION",
        /// The box that was sent never arrived: another one is sent.
        LoseBox = "LOSE_BOX",
        /// The box that is awaited will not come back.
        WriteOffBox = "WRITE_OFF_BOX",
        /// No box can be sent, with the reason.
        FailShipping = "FAIL_SHIPPING",
    }
);
words!(
    /// Who acts.
    Actor {
        /// The operator.
        Operator = "operator",
        /// Technicians and logistics.
        Field = "field",
        /// The server itself.
        Server = "server",
    }
);

pub(super) use words;

use Action as A;
use State as S;
use Type as T;

/// Every step that is allowed: type, state, action, next state. Comments and erasures change no state: see [`step`].
pub const TABLE: &[(Type, State, Action, State)] = &[
    (T::Creation, S::InProgress, A::Cancel, S::Failed),
    (T::Creation, S::InProgress, A::ShipBox, S::InProgress),
    (T::Creation, S::InProgress, A::StartConstruction, S::UnderConstruction),
    (T::Creation, S::InProgress, A::ReportAbsence, S::AppointmentToRetake),
    (T::Creation, S::InProgress, A::FailIntervention, S::Failed),
    (T::Creation, S::InProgress, A::FailShipping, S::Failed),
    (T::Creation, S::InProgress, A::LoseBox, S::InProgress),
    (T::Creation, S::UnderConstruction, A::ShipBox, S::UnderConstruction),
    (T::Creation, S::UnderConstruction, A::FinishIntervention, S::Installed),
    (T::Creation, S::UnderConstruction, A::ReportAbsence, S::AppointmentToRetake),
    (T::Creation, S::UnderConstruction, A::FailIntervention, S::Failed),
    (T::Creation, S::UnderConstruction, A::FailShipping, S::Failed),
    (T::Creation, S::UnderConstruction, A::LoseBox, S::UnderConstruction),
    (T::Creation, S::Installed, A::ShipBox, S::Installed),
    (T::Creation, S::Installed, A::Complete, S::Completed),
    (T::Creation, S::Installed, A::FailActivation, S::Failed),
    (T::Creation, S::Installed, A::FailShipping, S::Failed),
    (T::Creation, S::Installed, A::LoseBox, S::Installed),
    (T::Creation, S::AppointmentToRetake, A::RetakeAppointment, S::InProgress),
    (T::Creation, S::AppointmentToRetake, A::Cancel, S::Failed),
    (T::Creation, S::AppointmentToRetake, A::Expire, S::Failed),
    (T::Creation, S::AppointmentToRetake, A::ShipBox, S::AppointmentToRetake),
    (T::Creation, S::AppointmentToRetake, A::FailShipping, S::Failed),
    (T::Termination, S::InProgress, A::Cancel, S::Failed),
    (T::Termination, S::InProgress, A::Disconnect, S::WaitingForBoxReturn),
    (T::Termination, S::WaitingForBoxReturn, A::ReturnBox, S::Completed),
    (T::Termination, S::WaitingForBoxReturn, A::WriteOffBox, S::Completed),
    (T::BoxExchange, S::InProgress, A::Cancel, S::Failed),
    (T::BoxExchange, S::InProgress, A::ShipBox, S::WaitingForBoxReturn),
    (T::BoxExchange, S::InProgress, A::FailShipping, S::Failed),
    (T::BoxExchange, S::WaitingForBoxReturn, A::ReturnBox, S::Completed),
    (T::BoxExchange, S::WaitingForBoxReturn, A::WriteOffBox, S::Completed),
    (T::BoxExchange, S::WaitingForBoxReturn, A::LoseBox, S::InProgress),
];

impl State {
    /// Whether nothing can happen to the order any more.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

impl Type {
    /// The states that an order of this type can be in, in the contract's order.
    pub fn states(self) -> impl Iterator<Item = State> {
        let reached = move |state: &State| {
            TABLE.iter().any(|(t, from, _, to)| *t == self && (from == state || to == state))
        };
        State::ALL.iter().copied().filter(reached)
    }
}

impl Action {
    /// Who does it; a comment comes from either side.
    #[must_use]
    pub const fn actor(self) -> Actor {
        match self {
            Self::Cancel | Self::RetakeAppointment | Self::Comment | Self::EraseContact => Actor::Operator,
            Self::Expire => Actor::Server,
            _ => Actor::Field,
        }
    }

    /// What the history calls it.
    #[must_use]
    pub const fn entry(self) -> &'static str {
        match self {
            Self::Comment => "COMMENT",
            Self::EraseContact => "CONTACT_ERASED",
            Self::Cancel => "CANCELLED",
            Self::RetakeAppointment => "APPOINTMENT_RETAKEN",
            Self::Expire => "EXPIRED",
            Self::ShipBox => "BOX_SHIPPED",
            Self::StartConstruction => "CONSTRUCTION",
            Self::FinishIntervention => "INTERVENTION_OK",
            Self::ReportAbsence => "CUSTOMER_ABSENT",
            Self::FailIntervention => "INTERVENTION_FAILED",
            Self::Complete => "COMPLETED",
            Self::Disconnect => "DISCONNECTED",
            Self::ReturnBox => "BOX_RETURNED",
            Self::FailActivation => "ACTIVATION_FAILED",
            Self::LoseBox => "BOX_LOST",
            Self::WriteOffBox => "BOX_NOT_RETURNED",
            Self::FailShipping => "SHIPPING_FAILED",
        }
    }
}

/// The next state, or the refusal with the states that allow the action.
pub fn next(order: Type, state: State, action: Action) -> Result<State, Error> {
    step(order, state, action).ok_or_else(|| {
        Error::new(Reason::OrderStateForbids, format!("the order is {}", state.as_str()))
            .with("state", state.as_str())
            .with("action", action.as_str())
            .with("allowed_states", allowed(order, action))
    })
}

/// The next state; none where the action is refused. There are comments until the order is over, erasures from then on.
#[must_use]
pub fn step(order: Type, state: State, action: Action) -> Option<State> {
    match action {
        Action::Comment => return (!state.is_over()).then_some(state),
        Action::EraseContact => return state.is_over().then_some(state),
        _ => {}
    }
    TABLE.iter().find(|(t, s, a, _)| (*t, *s, *a) == (order, state, action)).map(|(_, _, _, next)| *next)
}

/// The states in which an action passes, comma separated; empty where it never does.
fn allowed(order: Type, action: Action) -> String {
    let mut text = String::new();
    for state in order.states().filter(|state| step(order, *state, action).is_some()) {
        let comma = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{comma}{}", state.as_str());
    }
    text
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
