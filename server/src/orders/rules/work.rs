//! The work that an order asks of the field: what it opens, what may be said of each kind, what a word of it does to the
//! order. Pure.

use eservices_reference::ids::{OntSerial, Parcel, Pto};

use super::machine::{Action, State, Type, words};

words!(
    /// A kind of work.
    Capability {
        /// Send a box.
        Shipping = "shipping",
        /// Visit the end customer.
        Installation = "installation",
        /// Switch the access on.
        Activation = "activation",
        /// Switch the access off.
        Disconnection = "disconnection",
        /// Receive a box that comes back.
        Returns = "returns",
    }
);
words!(
    /// How far a piece of work is.
    WorkState {
        /// Nobody has it.
        Open = "open",
        /// A worker has it.
        Leased = "leased",
        /// Done.
        Done = "done",
        /// The order ended without it.
        Cancelled = "cancelled",
    }
);

impl Capability {
    /// The role that opens it.
    #[must_use]
    pub const fn role(self) -> &'static str {
        match self {
            Self::Shipping | Self::Returns => "logistics",
            Self::Installation | Self::Activation | Self::Disconnection => "workforce",
        }
    }

    /// Its letter in the id of a piece of work.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Shipping => 'S',
            Self::Installation => 'I',
            Self::Activation => 'A',
            Self::Disconnection => 'D',
            Self::Returns => 'R',
        }
    }

    /// What may be reported of it, comma separated.
    #[must_use]
    pub const fn reports(self) -> &'static str {
        match self {
            Self::Shipping => "box_shipped,shipping_failed",
            Self::Installation => {
                "construction_started,intervention_ok,customer_absent,intervention_failed,box_lost"
            }
            Self::Activation => "completed,activation_failed,box_lost",
            Self::Disconnection => "disconnected",
            Self::Returns => "box_returned,box_lost",
        }
    }
}

/// What an order asks for once `action` has left it in `state`; no action: it was accepted just now. `shipped`: a box is
/// on its way to the end customer, or there.
///
/// An access is switched on once its socket is there and its box has shipped, whichever comes last.
#[must_use]
pub const fn opened(
    order: Type,
    action: Option<Action>,
    state: State,
    shipped: bool,
) -> &'static [Capability] {
    use Capability as C;
    match (order, action) {
        (Type::Creation, None) => &[C::Shipping, C::Installation],
        (Type::Creation, Some(Action::RetakeAppointment)) => &[C::Installation],
        (Type::Creation, Some(Action::FinishIntervention | Action::ShipBox))
            if shipped && matches!(state, State::Installed) =>
        {
            &[C::Activation]
        }
        (
            Type::Creation,
            Some(Action::Cancel | Action::Expire | Action::FailIntervention | Action::FailActivation),
        ) if shipped && matches!(state, State::Failed) => &[C::Returns],
        (Type::Creation | Type::BoxExchange, Some(Action::LoseBox)) => &[C::Shipping],
        (Type::Termination, None) => &[C::Disconnection],
        (Type::Termination, Some(Action::Disconnect)) if shipped => &[C::Returns],
        (Type::BoxExchange, None) => &[C::Shipping],
        (Type::BoxExchange, Some(Action::ShipBox)) => &[C::Returns],
        _ => &[],
    }
}

/// The kind of work that is over with `action`, whoever reported it.
#[must_use]
pub const fn ended(action: Action) -> Option<Capability> {
    match action {
        Action::ShipBox | Action::FailShipping => Some(Capability::Shipping),
        Action::FinishIntervention | Action::ReportAbsence | Action::FailIntervention => {
            Some(Capability::Installation)
        }
        Action::Complete | Action::FailActivation => Some(Capability::Activation),
        Action::Disconnect => Some(Capability::Disconnection),
        Action::ReturnBox | Action::WriteOffBox => Some(Capability::Returns),
        _ => None,
    }
}

/// Whether `action` can end an order: then what is open of its work is given up. What else happens to an order that is over
/// leaves the work alone that its end opened.
#[must_use]
pub const fn gives_up(action: Action) -> bool {
    matches!(
        action,
        Action::Cancel
            | Action::Expire
            | Action::FailIntervention
            | Action::FailActivation
            | Action::Complete
            | Action::ReturnBox
            | Action::WriteOffBox
            | Action::FailShipping
    )
}

/// What a worker says of its work.
#[derive(Clone, Debug, PartialEq)]
pub enum Milestone {
    /// The box left.
    BoxShipped {
        /// Carrier's number.
        parcel: Parcel,
        /// Box.
        serial: String,
    },
    /// No box can be sent.
    ShippingFailed {
        /// Interop code.
        code: String,
    },
    /// The technician begins to build.
    ConstructionStarted,
    /// The technician is done.
    InterventionOk {
        /// Terminal.
        ont: OntSerial,
        /// Socket.
        pto: Pto,
        /// Optical figures, as facts.
        figures: Vec<(&'static str, String)>,
    },
    /// Nobody was there.
    CustomerAbsent {
        /// Interop code.
        code: String,
    },
    /// The visit failed for good.
    InterventionFailed {
        /// Interop code.
        code: String,
    },
    /// The access is on.
    Completed,
    /// The access can not be switched on.
    ActivationFailed {
        /// Interop code.
        code: String,
    },
    /// The access is off.
    Disconnected,
    /// The box came back.
    BoxReturned {
        /// Box.
        serial: String,
    },
    /// A box is lost.
    BoxLost {
        /// Box.
        serial: String,
    },
}

impl Milestone {
    /// Whether it can be said of such work.
    #[must_use]
    pub const fn fits(&self, capability: Capability) -> bool {
        use Capability as C;
        match self {
            Self::BoxShipped { .. } | Self::ShippingFailed { .. } => matches!(capability, C::Shipping),
            Self::ConstructionStarted
            | Self::InterventionOk { .. }
            | Self::CustomerAbsent { .. }
            | Self::InterventionFailed { .. } => matches!(capability, C::Installation),
            Self::Completed | Self::ActivationFailed { .. } => matches!(capability, C::Activation),
            Self::Disconnected => matches!(capability, C::Disconnection),
            Self::BoxReturned { .. } => matches!(capability, C::Returns),
            Self::BoxLost { .. } => matches!(capability, C::Installation | C::Activation | C::Returns),
        }
    }

    /// What it does to the order. `awaited`: it is said of the box that is to come back.
    #[must_use]
    pub const fn action(&self, awaited: bool) -> Action {
        match self {
            Self::BoxShipped { .. } => Action::ShipBox,
            Self::ShippingFailed { .. } => Action::FailShipping,
            Self::ConstructionStarted => Action::StartConstruction,
            Self::InterventionOk { .. } => Action::FinishIntervention,
            Self::CustomerAbsent { .. } => Action::ReportAbsence,
            Self::InterventionFailed { .. } => Action::FailIntervention,
            Self::Completed => Action::Complete,
            Self::Disconnected => Action::Disconnect,
            Self::BoxReturned { .. } => Action::ReturnBox,
            Self::ActivationFailed { .. } => Action::FailActivation,
            Self::BoxLost { .. } if awaited => Action::WriteOffBox,
            Self::BoxLost { .. } => Action::LoseBox,
        }
    }

    /// Whether work of this kind is done with it. A visit goes on without the box.
    #[must_use]
    pub const fn ends(&self, capability: Capability) -> bool {
        match self {
            Self::ConstructionStarted => false,
            Self::BoxLost { .. } => !matches!(capability, Capability::Installation),
            _ => true,
        }
    }

    /// The Interop code of what went wrong; empty if nothing did.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::CustomerAbsent { code }
            | Self::InterventionFailed { code }
            | Self::ActivationFailed { code }
            | Self::ShippingFailed { code } => code,
            _ => "",
        }
    }

    /// What the history keeps of it, sorted by name.
    #[must_use]
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::BoxShipped { parcel, serial } => {
                vec![("box_serial", serial.clone()), ("parcel_number", parcel.to_string())]
            }
            Self::InterventionOk { ont, pto, figures } => {
                let mut facts = vec![("ont_serial", ont.to_string()), ("pto", pto.to_string())];
                facts.extend(figures.iter().cloned());
                facts.sort();
                facts
            }
            Self::BoxReturned { serial } | Self::BoxLost { serial } => vec![("box_serial", serial.clone())],
            _ => Vec::new(),
        }
    }
}

/// The fifty codes that refuse or end an access order in Interop'Fibre (ACCES): family, and its numbers from 1.
const CODES: &[(&str, u8)] =
    &[("FADR", 4), ("FAUT", 1), ("FCLI", 7), ("FIMP", 19), ("FINT", 13), ("FRDV", 6)];

/// Those of what an order here does not have: a *prestation PM*, a type that could be wrong, an own reference to look up.
const NEVER: &[&str] = &["FIMP04", "FIMP05", "FIMP06", "FIMP12", "FIMP14"];

/// Codes of a visit that can be made again.
const ABSENCES: &[&str] = &["FCLI01", "FCLI02", "FCLI07"];

/// Whether work can have failed for good with this code.
#[must_use]
pub fn is_failure_code(code: &str) -> bool {
    let Some((family, number)) = code.split_at_checked(4) else { return false };
    if NEVER.contains(&code) {
        return false;
    }
    let known = CODES.iter().find(|(name, _)| *name == family).map_or(0, |(_, most)| *most);
    number.len() == 2 && number.parse().is_ok_and(|n: u8| n >= 1 && n <= known) && !number.starts_with('+')
}

/// Whether a visit can be made again after this code.
#[must_use]
pub fn is_absence_code(code: &str) -> bool {
    ABSENCES.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Capability as C;

    #[test]
    fn there_are_fifty_codes() {
        assert_eq!(CODES.iter().map(|(_, most)| u32::from(*most)).sum::<u32>(), 50);
        for code in ["FCLI01", "FCLI07", "FADR04", "FIMP17", "FINT13", "FAUT01", "FRDV06"] {
            assert!(is_failure_code(code), "{code}");
        }
        for code in [
            "FIMP04", "FIMP05", "FIMP06", "FIMP12", "FIMP14", "", "FCLI", "FCLI00", "FCLI08", "FADR05",
            "FIMP20", "FINT14", "FAUT02", "FRDV07", "FCLI1", "fcli01", "FCLI001", "FCLI+1", "XXXX01",
            "FÇLI01",
        ] {
            assert!(!is_failure_code(code), "{code}");
        }
        assert!(is_absence_code("FCLI07") && !is_absence_code("FCLI04"));
    }

    /// Written by hand from docs/fulfilment.md: everything that opens work; what is not here opens none.
    #[test]
    fn what_each_step_opens() {
        type Step = (Type, Option<Action>, State, bool, &'static [Capability]);
        let by_hand: &[Step] = &[
            (Type::Creation, None, State::InProgress, false, &[C::Shipping, C::Installation]),
            (Type::Creation, Some(Action::RetakeAppointment), State::InProgress, false, &[C::Installation]),
            (Type::Creation, Some(Action::RetakeAppointment), State::InProgress, true, &[C::Installation]),
            (Type::Creation, Some(Action::FinishIntervention), State::Installed, true, &[C::Activation]),
            (Type::Creation, Some(Action::ShipBox), State::Installed, true, &[C::Activation]),
            (Type::Creation, Some(Action::Cancel), State::Failed, true, &[C::Returns]),
            (Type::Creation, Some(Action::Expire), State::Failed, true, &[C::Returns]),
            (Type::Creation, Some(Action::FailIntervention), State::Failed, true, &[C::Returns]),
            (Type::Creation, Some(Action::FailActivation), State::Failed, true, &[C::Returns]),
            (Type::Creation, Some(Action::LoseBox), State::InProgress, false, &[C::Shipping]),
            (Type::Creation, Some(Action::LoseBox), State::UnderConstruction, false, &[C::Shipping]),
            (Type::Creation, Some(Action::LoseBox), State::Installed, false, &[C::Shipping]),
            (Type::BoxExchange, Some(Action::LoseBox), State::InProgress, true, &[C::Shipping]),
            (Type::Termination, None, State::InProgress, true, &[C::Disconnection]),
            (Type::Termination, Some(Action::Disconnect), State::WaitingForBoxReturn, true, &[C::Returns]),
            (Type::BoxExchange, None, State::InProgress, true, &[C::Shipping]),
            (Type::BoxExchange, Some(Action::ShipBox), State::WaitingForBoxReturn, true, &[C::Returns]),
        ];
        let mut found = 0;
        for order in Type::ALL {
            for (_, from, action, to) in super::super::machine::TABLE.iter().filter(|(t, ..)| t == order) {
                for shipped in [false, true] {
                    let opens = opened(*order, Some(*action), *to, shipped);
                    let known = by_hand
                        .iter()
                        .find(|(t, a, s, b, _)| (t, *a, *s, *b) == (order, Some(*action), *to, shipped));
                    // An exchange is never without a box that shipped once it ships; a creation has no other box than the lost
                    // one.
                    let expected = known.map_or(&[][..], |(.., opens)| *opens);
                    let never = [
                        (Type::BoxExchange, Action::ShipBox, false),
                        (Type::Creation, Action::LoseBox, true),
                        (Type::BoxExchange, Action::LoseBox, false),
                    ];
                    if !never.contains(&(*order, *action, shipped)) {
                        assert_eq!(opens, expected, "{order:?} {from:?} {action:?} {shipped}");
                    }
                    found += opens.len();
                }
            }
        }
        assert!(found > 0);
        for (order, action, state, shipped, expected) in by_hand {
            assert_eq!(opened(*order, *action, *state, *shipped), *expected, "{order:?} {action:?}");
        }
    }
}
