//! Records → one byte form, and its checksum. The form is written out field by field: it depends on no formatter of a
//! library, and a change of a record's layout in memory does not change it.
//!
//! Does not sort: the caller hands records in their order.

use crate::building::Building;
use crate::derived::Rules;
use crate::eservices::{EService, EServices};
use crate::offers::{Catalogue, Offer};
use crate::structure::{Line, Row};
use crate::text::hex;
use jiff::civil::Date;
use sha2::{Digest, Sha256};

/// Version of the form; a change of the form changes every checksum on purpose.
const FORM: &str = "eservices-reference 1";

/// Hex SHA-256 of bytes.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A record that has a byte form. Each takes itself apart without `..`, so that a new field cannot be forgotten here.
/// Each field is its length, a colon and its text; an absent one is a hyphen.
pub(crate) trait Canonical {
    fn write(&self, out: &mut Fields);

    fn canonical(&self) -> String {
        let mut out = Fields::default();
        self.write(&mut out);
        out.0.push('\n');
        out.0
    }
}

/// The fields written so far.
#[derive(Default)]
pub(crate) struct Fields(String);

impl Fields {
    fn text(&mut self, text: &str) -> &mut Self {
        self.0.push_str(&text.len().to_string());
        self.0.push(':');
        self.0.push_str(text);
        self
    }

    fn maybe(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => {
                self.0.push('-');
                self
            }
        }
    }

    fn number(&mut self, number: Option<u32>) -> &mut Self {
        self.maybe(number.map(|n| n.to_string()).as_deref())
    }

    fn flag(&mut self, flag: Option<bool>) -> &mut Self {
        self.maybe(flag.map(|flag| if flag { "O" } else { "N" }))
    }

    fn date(&mut self, date: Option<Date>) -> &mut Self {
        let text = date.map(|d| format!("{:04}{:02}{:02}", d.year(), d.month(), d.day()));
        self.maybe(text.as_deref())
    }

    fn list<'a>(&mut self, items: impl ExactSizeIterator<Item = &'a str>) -> &mut Self {
        self.text(&items.len().to_string());
        for item in items {
            self.text(item);
        }
        self
    }
}

/// The checksum of a release.
pub(crate) fn sum(
    buildings: &[Building],
    structure: &[Row],
    lines: &[Line],
    offers: &Catalogue,
    eservices: &EServices,
    rules: &Rules,
) -> String {
    let mut sum = Sha256::new();
    sum.update(FORM);
    section(&mut sum, buildings);
    section(&mut sum, structure);
    section(&mut sum, lines);
    section(&mut sum, offers.all());
    section(&mut sum, eservices.all());
    section(&mut sum, std::slice::from_ref(rules));
    hex(&sum.finalize())
}

fn section<T: Canonical>(sum: &mut Sha256, records: &[T]) {
    sum.update(format!("\n{}\n", records.len()));
    for record in records {
        sum.update(record.canonical());
    }
}

impl Canonical for Building {
    fn write(&self, out: &mut Fields) {
        let Self {
            complement,
            imb,
            oi,
            pm,
            pm_state,
            pm_in_service,
            pm_location,
            pm_housings,
            state,
            kind,
            insee,
            rivoli,
            hexacle,
            street_hexacle,
            ban,
            postcode,
            commune,
            street_type,
            street_name,
            number,
            batiments,
            housings,
            position,
            orders_from,
            delivery_from,
            agreement_needed,
            agreement_signed,
            pbo_type,
            drop_type,
            zone,
            cabled,
            new_building_delivery,
        } = self;
        let complement = complement.map(String::from);
        out.text(imb.as_str())
            .text(oi)
            .maybe(pm.as_ref().map(AsRef::as_ref))
            .maybe(pm_state.map(|v| v.as_str()))
            .date(*pm_in_service)
            .maybe(pm_location.as_deref())
            .number(*pm_housings)
            .text(state.as_str())
            .maybe(kind.map(|v| v.as_str()))
            .text(insee.as_str())
            .maybe(rivoli.as_ref().map(AsRef::as_ref))
            .maybe(hexacle.as_deref())
            .maybe(street_hexacle.as_deref())
            .maybe(ban.as_deref())
            .text(postcode)
            .text(commune)
            .text(street_type)
            .text(street_name)
            .number(*number)
            .maybe(complement.as_deref())
            .list(batiments.iter().map(AsRef::as_ref))
            .number(Some(*housings))
            .text(&position.x.to_string())
            .text(&position.y.to_string())
            .text(position.projection.as_str())
            .date(*orders_from)
            .date(*delivery_from)
            .flag(*agreement_needed)
            .date(*agreement_signed)
            .maybe(pbo_type.as_deref())
            .maybe(drop_type.as_deref())
            .maybe(zone.map(|v| v.as_str()))
            .date(*cabled)
            .date(*new_building_delivery);
    }
}

impl Canonical for Row {
    fn write(&self, out: &mut Fields) {
        let Self { imb, place, pm, pmt, pbo, pbo_type, pbo_location, pbo_fibres, pm_prdm_link, housings } =
            self;
        out.text(imb.as_str())
            .text(&place.batiment)
            .text(&place.escalier)
            .text(&place.etage)
            .text(pm.as_str())
            .maybe(pmt.as_deref())
            .maybe(pbo.as_deref())
            .maybe(pbo_type.as_deref())
            .maybe(pbo_location.as_deref())
            .number(*pbo_fibres)
            .maybe(pm_prdm_link.as_deref())
            .number(*housings);
    }
}

impl Canonical for Line {
    fn write(&self, out: &mut Fields) {
        let Self { pto, imb, place, pbo, state } = self;
        out.text(pto.as_str())
            .text(imb.as_str())
            .text(&place.batiment)
            .text(&place.escalier)
            .text(&place.etage)
            .maybe(pbo.as_deref())
            .text(state);
    }
}

impl Canonical for Offer {
    fn write(&self, out: &mut Fields) {
        let Self {
            code,
            label_fr,
            label_en,
            support,
            valid_from,
            valid_until,
            announced,
            ordered_here,
            where_fr,
            where_en,
            best_down_kbps,
            best_up_kbps,
            delay_days,
            criteria,
            zones,
            order_form,
            product_nature,
        } = self;
        out.text(code)
            .text(label_fr)
            .text(label_en)
            .text(support.as_str())
            .date(Some(*valid_from))
            .date(*valid_until)
            .maybe(announced.as_deref())
            .flag(Some(*ordered_here))
            .maybe(where_fr.as_deref())
            .maybe(where_en.as_deref())
            .number(Some(*best_down_kbps))
            .number(Some(*best_up_kbps))
            .number(Some(*delay_days))
            .list(criteria.iter().map(|v| v.as_str()))
            .list(zones.iter().map(|v| v.as_str()))
            .list(order_form.iter().map(AsRef::as_ref))
            .text(product_nature);
    }
}

impl Canonical for EService {
    fn write(&self, out: &mut Fields) {
        let Self {
            code,
            label_fr,
            label_en,
            stage,
            certificate_name,
            label_token,
            account_tick,
            non_production_only,
        } = self;
        out.text(code)
            .text(label_fr)
            .text(label_en)
            .text(stage.as_str())
            .text(certificate_name)
            .text(label_token)
            .flag(Some(*account_tick))
            .flag(Some(*non_production_only));
    }
}

impl Canonical for Rules {
    fn write(&self, out: &mut Fields) {
        let Self { outside_pbo_types, ground_floors } = self;
        out.list(outside_pbo_types.iter().map(AsRef::as_ref)).list(ground_floors.iter().map(AsRef::as_ref));
    }
}
