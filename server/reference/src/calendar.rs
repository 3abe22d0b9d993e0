//! Public holidays and working days of the French territories, computed.
//!
//! Valid from 1983 on, when the law of the abolition days came. Does not know opening hours, nor today's date.

use crate::ids::Insee;
use jiff::{ToSpan, civil::Date, civil::Weekday, civil::date};

/// A zone with its own public holidays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Territory {
    /// Mainland France and Corsica, without the two below.
    Metropole,
    /// Bas-Rhin, Haut-Rhin and Moselle (67, 68, 57).
    AlsaceMoselle,
    /// Guadeloupe (971).
    Guadeloupe,
    /// Martinique (972).
    Martinique,
    /// French Guiana (973).
    Guyane,
    /// Reunion (974).
    Reunion,
    /// Saint-Pierre-et-Miquelon (975).
    SaintPierreEtMiquelon,
    /// Mayotte (976).
    Mayotte,
    /// Saint-Barthélemy (977).
    SaintBarthelemy,
    /// Saint-Martin (978).
    SaintMartin,
    /// Wallis and Futuna (986).
    WallisEtFutuna,
    /// French Polynesia (987).
    Polynesie,
    /// New Caledonia (988).
    NouvelleCaledonie,
}

impl Territory {
    /// Every territory.
    pub const ALL: [Self; 13] = [
        Self::Metropole,
        Self::AlsaceMoselle,
        Self::Guadeloupe,
        Self::Martinique,
        Self::Guyane,
        Self::Reunion,
        Self::SaintPierreEtMiquelon,
        Self::Mayotte,
        Self::SaintBarthelemy,
        Self::SaintMartin,
        Self::WallisEtFutuna,
        Self::Polynesie,
        Self::NouvelleCaledonie,
    ];

    /// The territory of a commune. The codes 97123 and 97127, which Saint-Barthélemy and Saint-Martin had as communes of
    /// Guadeloupe until 2007, are read as what they are today.
    #[must_use]
    pub fn of_insee(insee: &Insee) -> Self {
        match (insee.department(), insee.as_str()) {
            ("57" | "67" | "68", _) => Self::AlsaceMoselle,
            ("977", _) | (_, "97123") => Self::SaintBarthelemy,
            ("978", _) | (_, "97127") => Self::SaintMartin,
            ("971", _) => Self::Guadeloupe,
            ("972", _) => Self::Martinique,
            ("973", _) => Self::Guyane,
            ("974", _) => Self::Reunion,
            ("975", _) => Self::SaintPierreEtMiquelon,
            ("976", _) => Self::Mayotte,
            ("986", _) => Self::WallisEtFutuna,
            ("987", _) => Self::Polynesie,
            ("988", _) => Self::NouvelleCaledonie,
            _ => Self::Metropole,
        }
    }

    /// Name in French.
    #[must_use]
    pub fn name_fr(self) -> &'static str {
        match self {
            Self::Metropole => "Métropole",
            Self::AlsaceMoselle => "Alsace-Moselle",
            Self::Guadeloupe => "Guadeloupe",
            Self::Martinique => "Martinique",
            Self::Guyane => "Guyane",
            Self::Reunion => "La Réunion",
            Self::SaintPierreEtMiquelon => "Saint-Pierre-et-Miquelon",
            Self::Mayotte => "Mayotte",
            Self::SaintBarthelemy => "Saint-Barthélemy",
            Self::SaintMartin => "Saint-Martin",
            Self::WallisEtFutuna => "Wallis-et-Futuna",
            Self::Polynesie => "Polynésie française",
            Self::NouvelleCaledonie => "Nouvelle-Calédonie",
        }
    }

    /// IANA time zone. For French Polynesia that of Tahiti: the Marquesas and Gambier keep other hours.
    #[must_use]
    pub fn time_zone(self) -> &'static str {
        match self {
            Self::Metropole | Self::AlsaceMoselle => "Europe/Paris",
            Self::Guadeloupe => "America/Guadeloupe",
            Self::Martinique => "America/Martinique",
            Self::Guyane => "America/Cayenne",
            Self::Reunion => "Indian/Reunion",
            Self::SaintPierreEtMiquelon => "America/Miquelon",
            Self::Mayotte => "Indian/Mayotte",
            Self::SaintBarthelemy => "America/St_Barthelemy",
            Self::SaintMartin => "America/Marigot",
            Self::WallisEtFutuna => "Pacific/Wallis",
            Self::Polynesie => "Pacific/Tahiti",
            Self::NouvelleCaledonie => "Pacific/Noumea",
        }
    }

    /// Month and day of the abolition of slavery, where it is a public holiday.
    fn abolition(self, year: i16) -> Option<(i8, i8)> {
        match self {
            Self::Mayotte => Some((4, 27)),
            Self::Martinique => Some((5, 22)),
            Self::Guadeloupe => Some((5, 27)),
            Self::SaintMartin if year < 2018 => Some((5, 27)),
            Self::SaintMartin => Some((5, 28)),
            Self::Guyane => Some((6, 10)),
            Self::SaintBarthelemy => Some((10, 9)),
            Self::Reunion => Some((12, 20)),
            _ => None,
        }
    }
}

/// A public holiday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holiday {
    /// The day.
    pub date: Date,
    /// Its name in French.
    pub name_fr: &'static str,
}

/// The holidays of a year, by date. Two may fall on one day (Guiana, 10 June 2019): both are listed.
#[must_use]
pub fn holidays(territory: Territory, year: i16) -> Vec<Holiday> {
    let mut days = moveable(territory, year);
    let fixed: [(i8, i8, &'static str); 8] = [
        (1, 1, "1er janvier"),
        (5, 1, "1er mai"),
        (5, 8, "8 mai"),
        (7, 14, "14 juillet"),
        (8, 15, "Assomption"),
        (11, 1, "Toussaint"),
        (11, 11, "11 novembre"),
        (12, 25, "Jour de Noël"),
    ];
    days.extend(fixed.map(|(month, day, name_fr)| Holiday { date: date(year, month, day), name_fr }));
    if let Some((month, day)) = territory.abolition(year) {
        days.push(Holiday { date: date(year, month, day), name_fr: "Abolition de l'esclavage" });
    }
    if territory == Territory::AlsaceMoselle {
        days.push(Holiday { date: date(year, 12, 26), name_fr: "2ème jour de Noël" });
    }
    days.sort();
    days
}

fn moveable(territory: Territory, year: i16) -> Vec<Holiday> {
    let easter = easter(year);
    let after = |days: i32, name_fr| Holiday { date: easter.saturating_add(days.days()), name_fr };
    let mut days = vec![after(1, "Lundi de Pâques"), after(39, "Ascension"), after(50, "Lundi de Pentecôte")];
    if territory == Territory::AlsaceMoselle {
        days.push(after(-2, "Vendredi saint"));
    }
    days
}

/// The holiday on that day; where two fall together, the first by name.
#[must_use]
pub fn holiday(territory: Territory, day: Date) -> Option<Holiday> {
    holidays(territory, day.year()).into_iter().find(|holiday| holiday.date == day)
}

/// Whether work is done on that day: Monday to Saturday (*jours ouvrables*), no holiday.
#[must_use]
pub fn is_working_day(territory: Territory, day: Date) -> bool {
    day.weekday() != Weekday::Sunday && holiday(territory, day).is_none()
}

/// Easter Sunday of the Gregorian calendar (Butcher's algorithm).
fn easter(year: i16) -> Date {
    let y = i32::from(year);
    let (golden, century, of_century) = (y % 19, y / 100, y % 100);
    let epact = (19 * golden + century - century / 4 - (century - (century + 8) / 25 + 1) / 3 + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (of_century / 4) - epact - of_century % 4) % 7;
    let correction = (golden + 11 * epact + 22 * weekday) / 451;
    let days = epact + weekday - 7 * correction + 114;
    date(year, (days / 31) as i8, (days % 31 + 1) as i8)
}
