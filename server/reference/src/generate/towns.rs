//! The communes that the generated addresses lie in: a file of real ones, or the built-in list of invented ones.
//!
//! Does not know streets.

use super::names::plain;
use crate::address::{Bounds, Commune};
use crate::communes::read_communes;
use std::collections::{BTreeMap, BTreeSet};

/// Sixty invented communes in real departments: no name and no INSEE code of them exists, no postcode is in use.
pub const BUILT_IN: &str = include_str!("communes.csv");

/// A communes file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

/// A list of communes.
#[derive(Debug, Clone)]
pub struct Communes {
    /// Those that get addresses: with inhabitants, a postcode and bounds, and not split into arrondissements. By code.
    pub(super) towns: Vec<Town>,
    /// The file, for the copy that goes with the generated ones.
    pub(super) text: String,
}

/// A commune that gets addresses.
#[derive(Debug, Clone)]
pub(super) struct Town {
    pub commune: Commune,
    /// Where its addresses lie.
    pub bounds: Bounds,
    /// Another commune of the list has the same name.
    pub homonym: bool,
}

impl Communes {
    /// Reads the list of communes, in the form that [`read_communes`] takes.
    ///
    /// # Errors
    /// A column or a value is not right, a commune stands twice, or none can get addresses.
    pub fn parse(file: &str, text: &str) -> Result<Self, Invalid> {
        let read = read_communes(file, text).map_err(|e| Invalid(e.to_string()))?;
        if let Some(problem) = read.problems.first() {
            return Err(Invalid(problem.to_string()));
        }
        let parents: BTreeSet<String> = read
            .rows
            .iter()
            .filter_map(|(_, commune)| commune.parent.as_ref().map(ToString::to_string))
            .collect();
        let mut names: BTreeMap<String, u32> = BTreeMap::new();
        for (_, commune) in &read.rows {
            *names.entry(plain(&commune.name)).or_default() += 1;
        }
        let mut seen = BTreeSet::new();
        let mut towns = Vec::new();
        for (line, commune) in read.rows {
            let insee = commune.insee.as_str();
            if !seen.insert(insee.to_owned()) {
                return Err(Invalid(format!("{file}:{line}: commune {insee} stands twice")));
            }
            // Its name goes into files whose values are not quoted.
            if commune.name.contains([';', '"', '\\', '\n', '\r']) {
                return Err(Invalid(format!(
                    "{file}:{line}: nom: holds ; or a quote (found `{}`)",
                    commune.name
                )));
            }
            let usable = commune.population > 0 && !commune.postcodes.is_empty() && !parents.contains(insee);
            if let Some(bounds) = commune.bounds.filter(|_| usable) {
                let homonym = names.get(&plain(&commune.name)).is_some_and(|count| *count > 1);
                towns.push(Town { commune, bounds, homonym });
            }
        }
        if towns.is_empty() {
            return Err(Invalid(format!("{file}: no commune has inhabitants, a postcode and bounds")));
        }
        towns.sort_by(|a, b| a.commune.insee.cmp(&b.commune.insee));
        Ok(Self { towns, text: text.to_owned() })
    }
}
