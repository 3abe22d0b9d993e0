//! The questions of `AppointmentService`: form, search, get, list, and the alternatives of a refusal.

use eservices::appointments::v1 as pb;
use eservices_reference::{
    calendar::{Territory, is_working_day},
    ids::Insee,
};
use jiff::{ToSpan as _, civil::Date};

use super::{hold::no_zone, require_nature};
use crate::{
    appointments::{
        rules::{
            CATALOGUE, Nature,
            catalogue::Needs,
            search::{self, Moment},
        },
        store::{self, Filter, Slot},
        wire::{self, Intervention},
    },
    platform::{
        Platform,
        clock::paris_day,
        error::{Error, Violations},
        form,
        identity::Caller,
        page,
    },
};

/// The form as data.
pub fn booking_form(caller: &Caller) -> pb::GetBookingFormResponse {
    let number = "place.street.street_number".to_owned();
    let access = "access_id".to_owned();
    let nature = |n: &Nature| {
        let common = ["place", "product_nature", "operation", "appointment_type"].map(str::to_owned);
        let (own, forbidden) = match n.needs {
            Needs::StreetNumber => (number.clone(), vec![access.clone()]),
            Needs::AccessId => (access.clone(), Vec::new()),
        };
        pb::ProductNature {
            code: n.code.clone(),
            label_fr: n.label_fr.clone(),
            label_en: n.label_en.clone(),
            e_service: n.e_service.clone(),
            open_to_caller: caller.holds(&n.e_service),
            required_fields: common.into_iter().chain([own]).collect(),
            forbidden_fields: forbidden,
            first_day_offset: n.window_first,
            last_day_offset: n.window_last,
            hold_minutes: u32::try_from(n.hold_minutes).unwrap_or(0),
            max_changes: u32::try_from(n.max_changes).unwrap_or(0),
            max_pair_count: n.max_pairs,
        }
    };
    let operation = |o: &crate::appointments::rules::catalogue::Operation| pb::CodedLabel {
        code: o.code.clone(),
        label_fr: o.label_fr.clone(),
        label_en: o.label_en.clone(),
    };
    let visit = |t: &crate::appointments::rules::catalogue::TypeInfo| pb::AppointmentTypeLabel {
        r#type: wire::visit_to_wire(t.code).into(),
        label_fr: t.label_fr.clone(),
        label_en: t.label_en.clone(),
    };
    pb::GetBookingFormResponse {
        natures: CATALOGUE.natures.iter().map(nature).collect(),
        operations: CATALOGUE.operations.iter().map(operation).collect(),
        appointment_types: CATALOGUE.types.iter().map(visit).collect(),
    }
}

/// A search, checked.
pub struct Search {
    intervention: Intervention,
    window: (Date, Date),
    first: Date,
    last: Date,
    preferred_day: Option<Date>,
    preferred_moment: Option<Moment>,
    max_slots: usize,
}

impl Search {
    /// Form first, then the right that the nature needs.
    pub fn parse(
        request: pb::SearchSlotsRequest,
        platform: &Platform,
        caller: &Caller,
    ) -> Result<Self, Error> {
        let mut violations = Violations::default();
        let preferred_moment = wire::moment(request.preferred_moment());
        let first = form::day("first_day", &request.first_day, &mut violations);
        let last = form::day("last_day", &request.last_day, &mut violations);
        let preferred_day = form::day("preferred_day", &request.preferred_day, &mut violations);
        if request.max_slots > 100 {
            violations.push("max_slots", "expected 0 to 100");
        }
        let found =
            wire::intervention(request.intervention, &platform.network.load().reference, &mut violations)?;
        let Some(intervention) = found else { return violations.finish(None) };
        let window = search::window(intervention.nature, paris_day(platform.clock.business()));
        let (first, last) = (first.unwrap_or(window.0), last.unwrap_or(window.1));
        let inside = |day: Date| (window.0..=window.1).contains(&day);
        let mut bounded = |field: &str, ok: bool, what: String| {
            if !ok {
                violations.push(field, what);
            }
        };
        bounded("first_day", inside(first), format!("expected a day from {} to {}", window.0, window.1));
        bounded(
            "last_day",
            inside(last) && first <= last,
            format!("expected a day from first_day to {}", window.1),
        );
        let preferred_fits = preferred_day.is_none_or(|d| (first..=last).contains(&d));
        bounded("preferred_day", preferred_fits, "expected a day from first_day to last_day".to_owned());
        violations.check()?;
        require_nature(caller, intervention.nature)?;
        let max_slots = if request.max_slots == 0 { 20 } else { request.max_slots as usize };
        Ok(Self { intervention, window, first, last, preferred_day, preferred_moment, max_slots })
    }

    /// Slots with room, ranked; without any, the next day that has some.
    pub async fn answer(self, platform: &Platform) -> Result<pb::SearchSlotsResponse, Error> {
        let place = &self.intervention.place;
        let offered = offered(platform, self.intervention.nature, &place.commune, place.territory).await?;
        let days: Vec<Date> = offered.iter().map(|s| s.day.0).collect();
        let mut slots: Vec<Slot> = offered
            .into_iter()
            .filter(|s| s.day.0 <= self.window.1 && (self.first..=self.last).contains(&s.day.0))
            .collect();
        search::rank(&mut slots, self.preferred_day, self.preferred_moment);
        slots.truncate(self.max_slots);
        let next =
            if slots.is_empty() { search::next_day_with_room(days, self.first, self.last) } else { None };
        Ok(pb::SearchSlotsResponse {
            slots: slots.iter().map(|s| wire::slot_to_wire(s, place.territory)).collect(),
            window_first_day: self.window.0.to_string(),
            window_last_day: self.window.1.to_string(),
            next_day_with_room: next.map_or_else(String::new, |d| d.to_string()),
        })
    }
}

/// How far after the window a day with room is looked for.
const LOOK_AHEAD_DAYS: i64 = 60;

/// The slots with room on working days from the window's first day on, by start: those after the window, too, of which
/// a caller without any is told the first day.
async fn offered(
    platform: &Platform,
    nature: &Nature,
    commune: &Insee,
    territory: Territory,
) -> Result<Vec<Slot>, Error> {
    let today = paris_day(platform.clock.business());
    let (first, last) = search::window(nature, today);
    let mut reader = platform.db.read().await?;
    let mut conn = reader.conn();
    let zone = store::zone_of(&mut conn, commune.as_str()).await?.ok_or_else(|| no_zone(commune.as_str()))?;
    let mut slots =
        store::with_room(&mut conn, &zone, first, last.saturating_add(LOOK_AHEAD_DAYS.days())).await?;
    slots.retain(|s| is_working_day(territory, s.day.0));
    Ok(slots)
}

/// Adds other slots with room to a refusal: the nearest five to the slot that was wanted.
pub async fn alternatives(
    platform: &Platform,
    refusal: Error,
    nature: &Nature,
    commune: &Insee,
    territory: Territory,
    wanted: &str,
) -> Result<Error, Error> {
    let (_, last) = search::window(nature, paris_day(platform.clock.business()));
    let mut slots = offered(platform, nature, commune, territory).await?;
    let first_later = slots.iter().map(|s| s.day.0).find(|day| *day > last);
    slots.retain(|s| s.day.0 <= last && s.slot_id != wanted);
    let wanted_day = wanted.split('-').nth(1).and_then(|d| Date::strptime("%Y%m%d", d).ok());
    search::rank(&mut slots, wanted_day, None);
    slots.truncate(5);
    let detail = pb::SlotAlternatives {
        next_day_with_room: first_later
            .filter(|_| slots.is_empty())
            .map_or_else(String::new, |d| d.to_string()),
        slots: slots.iter().map(|s| wire::slot_to_wire(s, territory)).collect(),
    };
    Ok(refusal.detail("eservices.appointments.v1.SlotAlternatives", &detail))
}

/// One appointment of the caller.
pub async fn get(
    platform: &Platform,
    caller: &Caller,
    reference: &str,
) -> Result<pb::GetAppointmentResponse, Error> {
    let mut reader = platform.db.read().await?;
    let found = store::find(&mut reader.conn(), caller.party_id(), reference)
        .await?
        .ok_or_else(|| Error::not_found("Appointment", reference))?;
    if let Some(nature) = CATALOGUE.nature(&found.product_nature) {
        require_nature(caller, nature)?;
    }
    let appointment = wire::appointment(&found, platform.clock.business());
    Ok(pb::GetAppointmentResponse { appointment: Some(appointment) })
}

/// A list, checked.
pub struct List {
    filter: Filter,
    scope: [String; 6],
    limit: i64,
}

impl List {
    /// Form first, then the right that a named nature needs.
    pub fn parse(
        request: pb::ListAppointmentsRequest,
        platform: &Platform,
        caller: &Caller,
    ) -> Result<Self, Error> {
        let mut violations = Violations::default();
        let limit = page::size(request.page_size, &mut violations);
        let states: Vec<&str> =
            request.states().filter_map(wire::state).map(crate::appointments::rules::State::as_str).collect();
        if states.len() != request.states.len() {
            violations.push("states", "expected states other than unspecified");
        }
        form::day("first_day", &request.first_day, &mut violations);
        form::day("last_day", &request.last_day, &mut violations);
        let named = CATALOGUE.nature(&request.product_nature);
        if named.is_none() && !request.product_nature.is_empty() {
            violations.push(
                "product_nature",
                "expected nothing or a code of GetBookingForm, for instance JUST_FIBRE",
            );
        }
        let natures: Vec<&str> = match named {
            Some(nature) => vec![&nature.code],
            None => CATALOGUE
                .natures
                .iter()
                .filter(|n| caller.holds(&n.e_service))
                .map(|n| n.code.as_str())
                .collect(),
        };
        let mut filter = Filter {
            states: page::listed(&states),
            natures: page::listed(&natures),
            first_day: request.first_day,
            last_day: request.last_day,
            after: None,
        };
        let scope = [
            "appointments".to_owned(),
            caller.party_id().to_owned(),
            filter.states.clone(),
            filter.natures.clone(),
            filter.first_day.clone(),
            filter.last_day.clone(),
        ];
        let cursor = page::cursor(
            &platform.tokens,
            &scope.each_ref().map(String::as_str),
            &request.page_token,
            &mut violations,
        );
        violations.check()?;
        if let Some(nature) = named {
            require_nature(caller, nature)?;
        }
        filter.after = cursor.and_then(|c| {
            let (created_at, reference) = c.split_once(' ')?;
            Some((created_at.parse().ok()?, reference.to_owned()))
        });
        Ok(Self { filter, scope, limit })
    }

    /// One page, newest first.
    pub async fn answer(
        self,
        platform: &Platform,
        caller: &Caller,
    ) -> Result<pb::ListAppointmentsResponse, Error> {
        let now = platform.clock.business();
        let mut reader = platform.db.read().await?;
        let mut rows = store::list(
            &mut reader.conn(),
            caller.party_id(),
            &self.filter,
            now.as_microsecond(),
            self.limit + 1,
        )
        .await?;
        let more = i64::try_from(rows.len()).is_ok_and(|n| n > self.limit);
        rows.truncate(usize::try_from(self.limit).unwrap_or(0));
        let next_page_token = match rows.last() {
            Some(last) if more => {
                let cursor = format!("{} {}", last.created_at, last.reference);
                platform.tokens.sign(&self.scope.each_ref().map(String::as_str), &cursor)
            }
            _ => String::new(),
        };
        let appointments = rows.iter().map(|a| wire::appointment(a, now)).collect();
        Ok(pb::ListAppointmentsResponse { appointments, next_page_token })
    }
}
