//! A building as the IPE file describes it: the record and its vocabularies.
//!
//! Does not know the file's layout ([`crate::ipe`]), nor what may be ordered there.

use crate::ids::{Imb, Insee, Pm, Rivoli};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal $(| $other:literal)*),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value, in the file's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value as the files spell it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads the files' spelling.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text $(| $other)* => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use vocabulary;

vocabulary!(
    /// State of a building (*EtatImmeuble*).
    State {
        /// Planned, nothing signed.
        Target = "CIBLE",
        /// Can be connected on an operator's request.
        ConnectableOnDemand = "RACCORDABLE DEMANDE",
        /// Connectable on demand, and an operator's request is being built.
        OnDemandDeploying = "RAD EN COURS DE DEPLOIEMENT",
        /// The building manager's agreement is signed.
        Signed = "SIGNE",
        /// Being built.
        Deploying = "EN COURS DE DEPLOIEMENT",
        /// Built: connectable in the regulator's sense.
        Deployed = "DEPLOYE",
        /// Given up; the row stays three months.
        Abandoned = "ABANDONNE",
    }
);
vocabulary!(
    /// State of a concentration point (*EtatPM*).
    PmState {
        /// Planned.
        Planned = "PLANIFIE",
        /// Being built.
        Deploying = "EN COURS DE DEPLOIEMENT",
        /// Built.
        Deployed = "DEPLOYE",
        /// Given up.
        Abandoned = "ABANDONNE",
    }
);
vocabulary!(
    /// House or building (*TypeImmeuble*).
    Kind {
        /// A house (*pavillon*).
        House = "PAVILLON" | "P",
        /// A building with several homes (*immeuble*).
        Block = "IMMEUBLE" | "I",
    }
);
vocabulary!(
    /// Regulatory zone (*TypeZone*).
    Zone {
        /// 1: very dense zone, high density (*ZTD haute densité*).
        VeryDense = "1",
        /// 2: very dense zone, low density (*ZTD basse densité*).
        VeryDenseLow = "2",
        /// 3: less dense zone (*ZMD*).
        LessDense = "3",
    }
);
vocabulary!(
    /// Coordinate system of X and Y (*TypeProjectionGeographique*).
    Projection {
        /// Longitude and latitude in degrees.
        Wgs84 = "WGS84",
        /// Lambert-93, mainland; the specification's `RFG93` is read as this.
        Rgf93 = "RGF93" | "RFG93",
        /// UTM 20 N, French Antilles.
        Rgaf09 = "RGAF09",
        /// UTM 22 N, Guiana.
        Rgfg95 = "RGFG95",
        /// UTM 40 S, Reunion.
        Rgr92 = "RGR92",
        /// UTM 38 S, Mayotte.
        Rgm04 = "RGM04",
        /// UTM 21 N, Saint-Pierre-et-Miquelon.
        Rgspm06 = "RGSPM06",
        /// Lambert II extended, old files.
        Lamb2e = "LAMB2E",
    }
);

/// Where a building stands, in the file's own projection.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// X, or longitude in degrees for WGS84.
    pub x: f64,
    /// Y, or latitude in degrees for WGS84.
    pub y: f64,
    /// The projection of both.
    pub projection: Projection,
}

/// One building. Texts are as in the file; empty optional columns are `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Building {
    /// Identifier (*IdentifiantImmeuble*).
    pub imb: Imb,
    /// Infrastructure operator (*CodeOI*); empty when the file has none.
    pub oi: Box<str>,
    /// Concentration point (*ReferencePM*); none while it is not known.
    pub pm: Option<Pm>,
    /// State of that point (*EtatPM*).
    pub pm_state: Option<PmState>,
    /// First day of commercial service of that point (*DateMiseEnServiceCommercialePM*).
    #[serde(with = "day")]
    pub pm_in_service: Option<Date>,
    /// First day on which that point was handed over to an operator (*DatePremiereMADPM*).
    #[serde(with = "day")]
    pub pm_first_handover: Option<Date>,
    /// Kind of place of the point (*TypeEmplacementPM*), open vocabulary, for instance `PME`.
    pub pm_location: Option<Box<str>>,
    /// Housings that the point serves, all its buildings together (*NombreLogementsPM*).
    pub pm_housings: Option<u32>,
    /// State of the building (*EtatImmeuble*).
    pub state: State,
    /// House or block (*TypeImmeuble*).
    pub kind: Option<Kind>,
    /// Commune (*CodeInseeImmeuble*).
    pub insee: Insee,
    /// Street code (*CodeVoieRivoliImmeuble*).
    pub rivoli: Option<Rivoli>,
    /// Hexaclé of the number (*CodeAdresseImmeuble*).
    pub hexacle: Option<Box<str>>,
    /// Hexaclé of the street (*CodeHexacleVoie*).
    pub street_hexacle: Option<Box<str>>,
    /// Address id of the national address base (*CodeBAN*).
    pub ban: Option<Box<str>>,
    /// Postcode, five digits (*CodePostalImmeuble*).
    pub postcode: Box<str>,
    /// Commune in clear (*CommuneImmeuble*).
    pub commune: Box<str>,
    /// Street type (*TypeVoieImmeuble*), for instance `RUE`; may be empty.
    pub street_type: Box<str>,
    /// Street name without its type (*NomVoieImmeuble*).
    pub street_name: Box<str>,
    /// Number (*NumeroVoieImmeuble*): `None` = unknown, `0` = the street has no numbers.
    pub number: Option<u32>,
    /// One letter after the number (*ComplementNumeroVoieImmeuble*): B, T, Q.
    pub complement: Option<char>,
    /// Buildings at the address (*BatimentImmeuble*), sorted; empty when the file names none.
    pub batiments: Vec<Box<str>>,
    /// Homes and business premises (*NombreLogementsAdresseIPE*), summed over the buildings of the address.
    pub housings: u32,
    /// Where it stands.
    pub position: Position,
    /// Orders are accepted from this day on (*DateDebutAcceptationCmdAcces*).
    #[serde(with = "day")]
    pub orders_from: Option<Date>,
    /// Accesses are delivered from this day on (*DateDebutFournitureCRCmdAcces*).
    #[serde(with = "day")]
    pub delivery_from: Option<Date>,
    /// The building manager must agree (*AccordGestionnaireImmeubleNecessaire*).
    pub agreement_needed: Option<bool>,
    /// The manager's agreement was signed on this day (*DateSignatureConvention*).
    #[serde(with = "day")]
    pub agreement_signed: Option<Date>,
    /// Kind of branching box (*TypePBO*), open vocabulary.
    pub pbo_type: Option<Box<str>>,
    /// Works between branching box and socket (*TypeRaccoPBPTO*), open vocabulary, for instance `SOUTERRAIN`.
    pub drop_type: Option<Box<str>>,
    /// Regulatory zone (*TypeZone*).
    pub zone: Option<Zone>,
    /// Cabled on this day (*DateCablageAdresse*): planned unless the state is deployed.
    #[serde(with = "day")]
    pub cabled: Option<Date>,
    /// A new building is handed over on this day (*DatePrevisionnelleLivraisonImmeubleNeuf*).
    #[serde(with = "day")]
    pub new_building_delivery: Option<Date>,
    /// The file's other columns where they are not empty: place in [`crate::Reference::extra_columns`], value.
    pub extra: Vec<(u16, Box<str>)>,
}

/// A day in a record: `20190306`, none is 0.
mod day {
    use jiff::civil::Date;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(day: &Option<Date>, serializer: S) -> Result<S::Ok, S::Error> {
        let number = day.map_or(0, |day| {
            i32::from(day.year()) * 10_000 + i32::from(day.month()) * 100 + i32::from(day.day())
        });
        serializer.serialize_i32(number)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
        let number = i32::deserialize(deserializer)?;
        if number == 0 {
            return Ok(None);
        }
        let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
        let part = |value: i32| i16::try_from(value).map_err(D::Error::custom);
        let day = Date::new(part(year)?, part(month)? as i8, part(day)? as i8);
        day.map(Some).map_err(D::Error::custom)
    }
}

impl Building {
    /// The planned day of cabling, where the building is not deployed yet.
    #[must_use]
    pub fn planned_cabling(&self) -> Option<Date> {
        self.cabled.filter(|_| self.state != State::Deployed)
    }

    /// Street line as on an envelope: `6 RUE ETIENNE GANNERON`, `12 BIS RUE …` is written `12 B RUE …`.
    #[must_use]
    pub fn street_line(&self) -> String {
        let number = self.number.filter(|n| *n != 0).map(|n| n.to_string());
        let complement = self.complement.map(String::from);
        let parts =
            [number.as_deref(), complement.as_deref(), Some(&*self.street_type), Some(&*self.street_name)];
        parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}
