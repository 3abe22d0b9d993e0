//! What can be booked, as data: the embedded file is parsed once and checked by a test.

use std::sync::LazyLock;

use serde::Deserialize;

/// The catalogue that ships with the server.
pub static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| parse(include_str!("catalogue.toml")));

/// Natures, operations and types of visit, each in display order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Product natures.
    #[serde(rename = "nature")]
    pub natures: Vec<Nature>,
    /// Operations.
    #[serde(rename = "operation")]
    pub operations: Vec<Operation>,
    /// Types of visit.
    #[serde(rename = "appointment_type")]
    pub types: Vec<TypeInfo>,
}

/// A product nature and what a booking for it needs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nature {
    /// Code, for instance `JUST_FIBRE`.
    pub code: String,
    /// French label.
    pub label_fr: String,
    /// English label.
    pub label_en: String,
    /// The right that opens it.
    pub e_service: String,
    /// The field that it needs besides those that all need.
    pub needs: Needs,
    /// First bookable day, J+n.
    pub window_first: u32,
    /// Last bookable day, J+n.
    pub window_last: u32,
    /// How long a hold lives, minutes.
    pub hold_minutes: i64,
    /// How often an appointment can be moved.
    pub max_changes: i64,
    /// Largest number of copper pairs.
    pub max_pairs: u32,
}

/// The field that a nature needs besides those that all need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// The number in the street; no access id.
    StreetNumber,
    /// The access id.
    AccessId,
}

/// An operation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Code, for instance `CREATION`.
    pub code: String,
    /// French label.
    pub label_fr: String,
    /// English label.
    pub label_en: String,
}

/// A type of visit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeInfo {
    /// The type.
    pub code: VisitType,
    /// First letters of its references.
    pub prefix: String,
    /// French label.
    pub label_fr: String,
    /// English label.
    pub label_en: String,
}

/// The types of visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VisitType {
    /// The optical socket is there.
    Short,
    /// Socket to be laid in a house.
    House,
    /// Socket to be laid in a building.
    Building,
    /// Ground floor of a building, complex.
    BuildingComplex,
}

impl VisitType {
    /// As stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::House => "house",
            Self::Building => "building",
            Self::BuildingComplex => "building_complex",
        }
    }
}

impl TryFrom<String> for VisitType {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        [Self::Short, Self::House, Self::Building, Self::BuildingComplex]
            .into_iter()
            .find(|t| t.as_str() == text)
            .ok_or_else(|| format!("unknown appointment type {text}"))
    }
}

impl Catalogue {
    /// The nature with this code.
    #[must_use]
    pub fn nature(&self, code: &str) -> Option<&Nature> {
        self.natures.iter().find(|n| n.code == code)
    }

    /// The e-service that appointments of a nature belong to; of one that is offered no more, the one for businesses.
    #[must_use]
    pub fn e_service(&self, nature: &str) -> &str {
        self.nature(nature).map_or("e-rdv-entreprise", |n| &n.e_service)
    }

    /// Whether there is an operation with this code.
    #[must_use]
    pub fn has_operation(&self, code: &str) -> bool {
        self.operations.iter().any(|o| o.code == code)
    }

    /// First letters of the references of a type.
    #[must_use]
    pub fn prefix(&self, visit: VisitType) -> &str {
        self.types.iter().find(|t| t.code == visit).map_or("ITC", |t| &t.prefix)
    }
}

#[expect(clippy::panic, reason = "the file is part of the binary; a test parses it")]
fn parse(text: &str) -> Catalogue {
    match toml::from_str(text) {
        Ok(catalogue) => catalogue,
        Err(error) => panic!("appointments/rules/catalogue.toml: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_catalogue_is_sound() {
        let catalogue = &*CATALOGUE;
        assert_eq!(catalogue.types.len(), 4);
        for nature in &catalogue.natures {
            assert!(nature.window_first <= nature.window_last, "{}", nature.code);
            assert!(nature.hold_minutes > 0 && nature.max_changes >= 0, "{}", nature.code);
            let public = matches!(nature.code.as_str(), "FTTH" | "JUST_FIBRE");
            assert_eq!(nature.e_service == "e-rdv-grand-public", public, "{}", nature.code);
            assert_eq!(nature.needs == Needs::StreetNumber, public, "{}", nature.code);
        }
        assert_eq!(catalogue.prefix(VisitType::House), "ITP");
        let offers =
            eservices_reference::offers::parse("default", eservices_reference::offers::DEFAULT).unwrap();
        for offer in offers.all().iter().filter(|o| !o.product_nature.is_empty()) {
            assert!(
                catalogue.nature(&offer.product_nature).is_some(),
                "{}: {}",
                offer.code,
                offer.product_nature
            );
        }
    }
}
