//! What the generated network looks like: shares and sizes, each with its default, from a TOML file.
//!
//! A share lies between 0 and 1; weights are compared with each other within their table. Does not know how they are
//! used.

use serde::Deserialize;

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct Invalid {
    /// File name.
    pub file: String,
    /// Why.
    pub reason: String,
}

macro_rules! table {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $type:ty = $default:expr),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name { $($(#[$fdoc])* pub $field: $type),+ }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default),+ }
            }
        }
    };
}

table!(
    /// Streets and their numbers.
    Streets {
        /// Numbers of a street, on average (11).
        numbers: f64 = 11.0,
        /// Share of the numbers after which a *bis* stands too (0.04).
        suffixed: f64 = 0.04,
        /// Share of the streets that have no numbers: their buildings have number 0 (0.01).
        without_numbers: f64 = 0.01,
    }
);
table!(
    /// Buildings.
    Buildings {
        /// Share of blocks in communes below 10,000 inhabitants (0.03).
        blocks_rural: f64 = 0.03,
        /// Share of blocks in larger communes (0.13).
        blocks_urban: f64 = 0.13,
        /// Housings of a block, on average (8).
        block_housings: f64 = 8.0,
        /// Share of the blocks of 8 housings and more that have several *bâtiments*, one row each (0.06).
        several_batiments: f64 = 0.06,
        /// Share of the blocks that need their manager's agreement (0.9).
        agreement_needed: f64 = 0.9,
        /// Share of new buildings among those that are not cabled yet (0.1).
        new: f64 = 0.1,
        /// Share of the deployed buildings that the structure file lacks (0.01).
        without_structure: f64 = 0.01,
    }
);
table!(
    /// Concentration points: their size, and weights of their states.
    Pms {
        /// Housings behind a point in the street; the last one of a commune has fewer (400).
        housings: u32 = 400,
        /// From this population on a commune is very dense: blocks of 12 housings and more have a point of their own (200000).
        very_dense_from: u32 = 200_000,
        /// Weight of areas that have no point yet (0.04).
        none: f64 = 0.04,
        /// Weight of planned points (0.02).
        planned: f64 = 0.02,
        /// Weight of points being built (0.04).
        deploying: f64 = 0.04,
        /// Weight of points that stand (0.89).
        deployed: f64 = 0.89,
        /// Weight of points given up (0.01).
        abandoned: f64 = 0.01,
    }
);
table!(
    /// Weights of the states of buildings behind a point that stands. Behind one that does not, only the states that
    /// can be are drawn.
    States {
        /// CIBLE (0.03).
        target: f64 = 0.03,
        /// RACCORDABLE DEMANDE (0.02).
        on_demand: f64 = 0.02,
        /// RAD EN COURS DE DEPLOIEMENT (0.01).
        on_demand_deploying: f64 = 0.01,
        /// SIGNE, only where an agreement is needed (0.02).
        signed: f64 = 0.02,
        /// EN COURS DE DEPLOIEMENT (0.04).
        deploying: f64 = 0.04,
        /// DEPLOYE (0.87).
        deployed: f64 = 0.87,
        /// ABANDONNE (0.01).
        abandoned: f64 = 0.01,
    }
);
table!(
    /// Branching boxes and the lines on them.
    Boxes {
        /// Share of the homes of deployed buildings that have a socket (0.55).
        sockets: f64 = 0.55,
        /// Share of the sockets whose line is not in use (0.15).
        inactive: f64 = 0.15,
        /// Share of the boxes without a free fibre (0.03).
        saturated: f64 = 0.03,
        /// Share of the boxes whose size the file does not tell (0.01).
        size_unknown: f64 = 0.01,
        /// Share of the blocks that a box in the street feeds (0.03).
        blocks_from_outside: f64 = 0.03,
        /// Weight of streets whose boxes are in chambers (0.5).
        in_chambers: f64 = 0.5,
        /// Weight of streets whose boxes are on poles (0.35).
        on_poles: f64 = 0.35,
        /// Weight of streets whose boxes are on walls (0.15).
        on_walls: f64 = 0.15,
    }
);

/// What the generated network looks like.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[streets]`
    pub streets: Streets,
    /// `[buildings]`
    pub buildings: Buildings,
    /// `[pms]`
    pub pms: Pms,
    /// `[states]`
    pub states: States,
    /// `[boxes]`
    pub boxes: Boxes,
}

impl Config {
    /// Reads TOML; what it does not name keeps its default.
    ///
    /// # Errors
    /// It is no TOML, has an unknown key, or a number out of its range.
    pub fn parse(file: &str, text: &str) -> Result<Self, Invalid> {
        let invalid = |reason: String| Invalid { file: file.to_owned(), reason };
        let config: Self = toml::from_str(text).map_err(|e| invalid(e.to_string().trim_end().to_owned()))?;
        config.check().map_err(invalid)?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let Self { streets, buildings, pms, states: _, boxes } = self;
        let shares = [
            ("streets.suffixed", streets.suffixed),
            ("streets.without_numbers", streets.without_numbers),
            ("buildings.blocks_rural", buildings.blocks_rural),
            ("buildings.blocks_urban", buildings.blocks_urban),
            ("buildings.several_batiments", buildings.several_batiments),
            ("buildings.agreement_needed", buildings.agreement_needed),
            ("buildings.new", buildings.new),
            ("buildings.without_structure", buildings.without_structure),
            ("boxes.sockets", boxes.sockets),
            ("boxes.inactive", boxes.inactive),
            ("boxes.saturated", boxes.saturated),
            ("boxes.size_unknown", boxes.size_unknown),
            ("boxes.blocks_from_outside", boxes.blocks_from_outside),
        ];
        if let Some((name, value)) = shares.iter().find(|(_, value)| !(0.0..=1.0).contains(value)) {
            return Err(format!("{name} is {value}, expected a share between 0 and 1"));
        }
        for (name, value, most) in [
            ("streets.numbers", streets.numbers, 150.0),
            ("buildings.block_housings", buildings.block_housings, 200.0),
            ("pms.housings", f64::from(pms.housings), 5_000.0),
        ] {
            let least = if name == "buildings.block_housings" { 2.0 } else { 1.0 };
            if !(least..=most).contains(&value) {
                return Err(format!("{name} is {value}, expected {least} to {most}"));
            }
        }
        let tables =
            [("pms", &pms.weights()[..]), ("states", &self.states.weights()), ("boxes", &boxes.weights())];
        for (table, weights) in tables {
            let sum: f64 = weights.iter().sum();
            if weights.iter().any(|weight| *weight < 0.0) || !sum.is_finite() || sum <= 0.0 {
                return Err(format!("the weights of [{table}] must not be below 0, and one must be above"));
            }
        }
        Ok(())
    }
}

impl Pms {
    /// None, planned, deploying, deployed, abandoned.
    pub(super) fn weights(&self) -> [f64; 5] {
        [self.none, self.planned, self.deploying, self.deployed, self.abandoned]
    }
}

impl States {
    /// In the order of [`crate::building::State::ALL`].
    pub(super) fn weights(&self) -> [f64; 7] {
        [
            self.target,
            self.on_demand,
            self.on_demand_deploying,
            self.signed,
            self.deploying,
            self.deployed,
            self.abandoned,
        ]
    }
}

impl Boxes {
    /// In chambers, on poles, on walls.
    pub(super) fn weights(&self) -> [f64; 3] {
        [self.in_chambers, self.on_poles, self.on_walls]
    }
}
