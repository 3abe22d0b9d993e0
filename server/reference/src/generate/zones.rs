//! The network on paper: which concentration point serves a building, in what state both are, and since when.
//!
//! Keeps the rules of the IPE file: states that a point allows, *SIGNE* only with an agreement, cabling at most six
//! months after it, commercial service three months after the first hand-over. Does not know branching boxes.

use super::config::Config;
use super::days::Days;
use super::dice::Dice;
use super::plan::{Dates, Plan, base36};
use crate::building::{self, Kind, PmState, State};

/// From this many housings on a block of a very dense commune has a point of its own.
const OWN_POINT_FROM: u32 = 12;

/// An area and the point that serves it.
pub(super) struct Zone {
    /// None: the area has no point yet.
    pub pm: Option<Pm>,
    /// Housings behind it.
    pub housings: u32,
    /// The address that it stands at.
    pub at: usize,
    pub zone: building::Zone,
}

/// A concentration point.
pub(super) struct Pm {
    pub reference: String,
    pub state: PmState,
    pub location: &'static str,
    /// Days from the day of the file on.
    pub installed: i32,
    /// First hand-over; only a deployed point has one.
    pub handed_over: Option<i32>,
    /// Three months after it.
    pub in_service: Option<i32>,
}

impl Zone {
    pub fn state(&self) -> Option<PmState> {
        self.pm.as_ref().map(|pm| pm.state)
    }
}

/// Draws points, states and dates for a commune that is laid out.
pub(super) fn serve(plan: &mut Plan<'_>, config: &Config, days: &Days, dice: &mut Dice) {
    let dense = plan.town.commune.population >= config.pms.very_dense_from;
    let mut open: Option<usize> = None;
    let mut points = 0_u64;
    for place in 0..plan.addresses.len() {
        let (kind, housings) = (plan.addresses[place].kind, plan.addresses[place].housings);
        let own = dense && kind == Kind::Block && housings >= OWN_POINT_FROM;
        let zone = match open.filter(|_| !own) {
            Some(zone) => zone,
            None => {
                let zone = zone(plan, place, own, dense, &mut points, config, days, dice);
                plan.zones.push(zone);
                let last = plan.zones.len() - 1;
                open = if own { open } else { Some(last) };
                last
            }
        };
        plan.zones[zone].housings += housings;
        plan.addresses[place].zone = zone as u32;
        if !own && plan.zones[zone].housings >= config.pms.housings {
            open = None;
        }
    }
    for place in 0..plan.addresses.len() {
        build(plan, place, config, dice);
    }
}

#[expect(clippy::too_many_arguments, reason = "the draws of one zone in one place")]
fn zone(
    plan: &Plan<'_>,
    at: usize,
    own: bool,
    dense: bool,
    points: &mut u64,
    config: &Config,
    days: &Days,
    dice: &mut Dice,
) -> Zone {
    let zone = match dense {
        true if own || dice.chance(0.8) => building::Zone::VeryDense,
        true => building::Zone::VeryDenseLow,
        false => building::Zone::LessDense,
    };
    let state = match dice.weighted(&config.pms.weights()) {
        0 => None,
        state => Some(PmState::ALL[state - 1]),
    };
    let pm = state.map(|state| {
        *points += 1;
        let installed = match state {
            PmState::Planned => dice.between(90, 500),
            PmState::Deploying => dice.between(5, 200),
            PmState::Deployed | PmState::Abandoned => -dice.between(40, 3_000),
        };
        let handed_over = (state == PmState::Deployed).then(|| (installed + dice.between(5, 90)).min(-1));
        let street = ["PME-Armoire de rue", "PME-Shelter", "PME-Local technique", "PME"];
        Pm {
            reference: format!("FI-{}-{}", plan.town.commune.insee, base36(*points, 4)),
            state,
            location: if own { "PMI" } else { street[dice.weighted(&[0.8, 0.05, 0.1, 0.05])] },
            installed,
            handed_over,
            in_service: handed_over.map(|day| days.three_months_after(day)),
        }
    });
    Zone { pm, housings: 0, at, zone }
}

/// State and dates of one building.
fn build(plan: &mut Plan<'_>, place: usize, config: &Config, dice: &mut Dice) {
    let address = &plan.addresses[place];
    let pm = plan.zones[address.zone as usize].pm.as_ref();
    let state = state(pm.map(|pm| pm.state), address.agreement_needed, config, dice);
    let dates = match pm {
        Some(pm) => dates(state, address.agreement_needed, pm, config, dice),
        None => Dates { modified: -dice.between(0, 300), ..Dates::default() },
    };
    let address = &mut plan.addresses[place];
    (address.state, address.dates) = (state, dates);
}

fn state(pm: Option<PmState>, agreement_needed: bool, config: &Config, dice: &mut Dice) -> State {
    let possible = |state: State| match (pm, state) {
        (Some(PmState::Abandoned), _) => state == State::Abandoned,
        (_, State::Target) => true,
        (None, _) => false,
        (Some(_), State::Signed) => agreement_needed,
        (Some(PmState::Planned), _) => false,
        (Some(PmState::Deploying), _) => state == State::Deploying,
        (Some(PmState::Deployed), _) => true,
    };
    let mut weights = config.states.weights();
    for (weight, state) in weights.iter_mut().zip(State::ALL) {
        if !possible(*state) {
            *weight = 0.0;
        }
    }
    if weights.iter().all(|weight| *weight == 0.0) {
        return if pm == Some(PmState::Abandoned) { State::Abandoned } else { State::Target };
    }
    State::ALL[dice.weighted(&weights)]
}

fn dates(state: State, agreement_needed: bool, pm: &Pm, config: &Config, dice: &mut Dice) -> Dates {
    let mut dates = Dates::default();
    // Six months are 181 days or more.
    let half_year = 180;
    match state {
        State::Target => dates.modified = -dice.between(0, 300),
        State::ConnectableOnDemand => {
            dates.agreement = Some(-dice.between(0, 1_000));
            dates.modified = -dice.between(0, 300);
        }
        State::OnDemandDeploying | State::Signed | State::Deploying => {
            let signed = -dice.between(0, 150);
            dates.agreement = Some(signed);
            dates.cabled = Some(dice.between(1, signed + half_year));
            dates.modified = dice.between(signed, 0);
        }
        State::Deployed => {
            let cabled = dice.between(pm.installed, 0);
            dates.agreement = Some(cabled - dice.between(0, half_year));
            dates.cabled = Some(cabled);
            dates.modified = dice.between(cabled, 0);
            dates.open = pm.in_service.map(|day| day.max(cabled));
        }
        // The row disappears after three months, which are 89 days or more.
        State::Abandoned => dates.modified = -dice.between(0, 88),
    }
    if !agreement_needed {
        dates.agreement = None;
    }
    if matches!(state, State::Target | State::Signed | State::Deploying) && dice.chance(config.buildings.new)
    {
        // Its staircases are cabled once it stands.
        dates.new_building = Some(dice.between(1, dates.cabled.unwrap_or(700)));
    }
    dates
}
